use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::HeaderValue;
use model::{Attempt, Notification, Timestamp};
use outbound::Outbound;
use store::{DeliveryRecord, Store};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::BearerSource;
use crate::post::Poster;
use crate::queue::{Limits, Schedule, Transmit};
use crate::worker::Worker;

/// Says what time it is.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Is told of each attempt and of each end of a delivery, before that is written down. Nothing here waits.
pub type Told = Arc<dyn Fn(&DeliveryRecord) + Send + Sync>;

/// Where notifications go that nobody waits for: what has this as its callback URI is delivered as soon as it is sent. No
/// request can name it, as it is no web address.
pub const SINK_URI: &str = "hookswitch:sink";

/// Attempts beside the schedule at once. People ask for them.
const RESENDS: usize = 8;

/// How long an attempt beside the schedule may take: somebody waits for it.
const RESEND_TIMEOUT: Duration = Duration::from_secs(15);

/// Offers that wait for the worker; past it they are read from the store. Arbitrary, some milliseconds of a busy node.
const INBOX: usize = 4096;

/// How a [`Notifier`] behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Limits of memory and of requests.
    pub limits: Limits,
    /// When what is tried again.
    pub schedule: Schedule,
}

/// Delivers notifications from a task of its own; dropping it ends that task at once, losing nothing but time.
pub struct Notifier {
    inbox: mpsc::Sender<Command>,
    missed: Arc<Missed>,
    poster: Arc<Poster>,
    resends: Semaphore,
}

pub(crate) enum Command {
    Drain(Duration, oneshot::Sender<bool>),
    Offer(Vec<Notification>),
    WaitIdle(oneshot::Sender<()>),
}

/// Says that the inbox was full.
#[derive(Debug, Default)]
pub(crate) struct Missed {
    is_missed: AtomicBool,
    pub(crate) woken: Notify,
}

impl Missed {
    pub(crate) fn take(&self) -> bool {
        self.is_missed.swap(false, Ordering::AcqRel)
    }

    fn set(&self) {
        self.is_missed.store(true, Ordering::Release);
        self.woken.notify_one();
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}

impl Notifier {
    /// Starts to deliver what the store owes, and then what is offered. Must be called within the runtime.
    pub fn start(
        store: Arc<dyn Store>,
        outbound: Outbound,
        bearer: Arc<dyn BearerSource>,
        (clock, told): (Clock, Told),
        config: Config,
    ) -> Self {
        let user_agent = HeaderValue::from_static(concat!("Hookswitch/", env!("CARGO_PKG_VERSION")));
        let poster = Arc::new(Poster { outbound, bearer, clock, user_agent });
        let (inbox, commands) = mpsc::channel(INBOX);
        let missed = Arc::new(Missed::default());
        let worker = Worker::new(store, (Arc::clone(&poster), told), Arc::clone(&missed), config);
        tokio::spawn(worker.run(commands));
        Self { inbox, missed, poster, resends: Semaphore::new(RESENDS) }
    }

    /// Posts a notification to `uri` once, whatever became of it before, and says how that went; `None` where too many are
    /// under way. What is owed is not touched, and nothing is written down. The attempt's number says nothing.
    pub async fn resend(&self, notification: Notification, uri: String) -> Option<Attempt> {
        let _permit = self.resends.try_acquire().ok()?;
        let notification = Arc::new(notification);
        let transmit = Transmit { notification, uri, attempt: 1, timeout: RESEND_TIMEOUT };
        Some(self.poster.post(&transmit).await.1)
    }

    /// Hands over notifications that were just committed, those of a call in their order.
    ///
    /// Never waits. What finds no room is forgotten here and read from the store when there is.
    pub fn offer(&self, notifications: Vec<Notification>) {
        if !notifications.is_empty() && self.inbox.try_send(Command::Offer(notifications)).is_err() {
            self.missed.set();
        }
    }

    /// Waits until everything that was offered so far is delivered or given up, and written down.
    pub async fn wait_idle(&self) {
        let (done, idle) = oneshot::channel();
        if self.inbox.send(Command::WaitIdle(done)).await.is_ok() {
            let _ = idle.await;
        }
    }

    /// Sends what can be sent at once, starts no retry, writes down how it went, and stops.
    ///
    /// Returns whether nothing is owed any more; what is stays in the store. Takes little more than `limit`.
    pub async fn drain(&self, limit: Duration) -> bool {
        let (done, drained) = oneshot::channel();
        if self.inbox.send(Command::Drain(limit, done)).await.is_err() {
            return false;
        }
        drained.await.unwrap_or(false)
    }
}
