use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{Attempt, CallId, CallState, Notification, NotificationState};
use store::{MAX_READ_ROWS, Store, StoreError};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep_until, timeout_at};

use crate::Config;
use crate::meters::Meters;
use crate::notifier::{Command, Missed, Told};
use crate::post::Poster;
use crate::queue::{Effect, Input, Loaded, Outcome, Owed, Queue, Transmit};
use crate::records::Records;
use crate::throttle::Throttle;

/// What is taken in before the queue is asked again. Arbitrary.
const BATCH: usize = 256;

/// How long the last records may take once the time to drain is over.
const LAST_WRITE: Duration = Duration::from_secs(1);

/// Performs what a [`Queue`] decides.
pub(crate) struct Worker {
    queue: Queue,
    store: Arc<dyn Store>,
    poster: Arc<Poster>,
    told: Told,
    missed: Arc<Missed>,
    tasks: JoinSet<Done>,
    /// What each task is about, in case it panics.
    about: BTreeMap<Id, About>,
    records: Records,
    /// Calls to read once the records of their ticket are in the store.
    loads: VecDeque<(u64, Read)>,
    waiters: Vec<oneshot::Sender<()>>,
    draining: Option<(Instant, oneshot::Sender<bool>)>,
    meters: Meters,
    throttle: Throttle,
}

#[derive(Clone, Copy)]
struct Read {
    call: CallId,
    after: u64,
    limit: usize,
}

enum Done {
    Loaded(CallId, Result<Loaded, StoreError>),
    Recorded(Result<(), StoreError>),
    Redirected(Result<(), StoreError>),
    Scanned(Result<Vec<Owed>, StoreError>),
    Sent(Transmit, Outcome, Attempt),
}

enum About {
    Load(CallId),
    Record,
    Redirect,
    Scan,
    Send(Transmit),
}

enum Wake {
    Command(Option<Command>),
    Done(Result<(Id, Done), JoinError>),
    Time,
}

impl Worker {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        (poster, told): (Arc<Poster>, Told),
        missed: Arc<Missed>,
        config: Config,
    ) -> Self {
        Self {
            queue: Queue::new(config.limits, config.schedule),
            store,
            poster,
            told,
            missed,
            tasks: JoinSet::new(),
            about: BTreeMap::new(),
            records: Records::default(),
            loads: VecDeque::new(),
            waiters: Vec::new(),
            draining: None,
            meters: Meters::new(),
            throttle: Throttle::default(),
        }
    }

    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            self.perform();
            if self.is_drained() {
                return self.finish().await;
            }
            let due = self.due();
            let wake = tokio::select! {
                command = commands.recv() => Wake::Command(command),
                Some(done) = self.tasks.join_next_with_id() => Wake::Done(done),
                () = self.missed.woken.notified() => Wake::Time,
                () = async { sleep_until(due.unwrap_or_else(now).into()).await }, if due.is_some() => Wake::Time,
            };
            // An offer that found no room came before those that did.
            self.take_missed();
            match wake {
                Wake::Command(Some(command)) => self.command(command),
                Wake::Command(None) => return,
                Wake::Done(done) => self.done(done),
                Wake::Time => {}
            }
            for _ in 0..BATCH {
                let Ok(command) = commands.try_recv() else { break };
                self.take_missed();
                self.command(command);
            }
            for _ in 0..BATCH {
                let Some(done) = self.tasks.try_join_next_with_id() else { break };
                self.done(done);
            }
            if self.draining.is_none() {
                self.queue.handle_timeout(now());
            }
        }
    }

    fn take_missed(&mut self) {
        if self.missed.take() {
            self.queue.handle(Input::Missed, now());
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Drain(limit, done) => self.draining = Some((now() + limit, done)),
            Command::Offer(notifications) => {
                let now = now();
                for notification in notifications {
                    self.queue.handle(Input::Offered(Box::new(notification)), now);
                }
            }
            Command::WaitIdle(done) => self.waiters.push(done),
        }
    }

    fn due(&self) -> Option<Instant> {
        let queue = match self.draining {
            Some((until, _)) => Some(until),
            None => self.queue.poll_timeout(),
        };
        [queue, self.records.due()].into_iter().flatten().min()
    }

    /// Starts everything that the queue wants.
    fn perform(&mut self) {
        let now = now();
        // Until how it went can be written down, nothing more is sent.
        while !self.records.is_full()
            && let Some(transmit) = self.queue.poll_transmit()
        {
            let poster = Arc::clone(&self.poster);
            self.spawn(About::Send(transmit.clone()), async move {
                let (outcome, attempt) = poster.post(&transmit).await;
                Done::Sent(transmit, outcome, attempt)
            });
        }
        while let Some(effect) = self.queue.poll_effect() {
            self.effect(effect, now);
        }
        if !self.loads.is_empty() || !self.waiters.is_empty() || self.draining.is_some() {
            self.records.hurry(now);
        }
        if let Some(batch) = self.records.batch(now) {
            let store = Arc::clone(&self.store);
            self.spawn(About::Record, async move { Done::Recorded(store.record_deliveries(batch).await) });
        }
        while let Some((_, read)) = self.loads.pop_front_if(|(ticket, _)| self.records.has(*ticket)) {
            let store = Arc::clone(&self.store);
            self.spawn(
                About::Load(read.call),
                async move { Done::Loaded(read.call, load(&*store, read).await) },
            );
        }
        self.meters.level(self.queue.in_flight(), self.queue.held());
        if !self.waiters.is_empty() && self.queue.is_idle() && self.records.is_empty() {
            for waiter in self.waiters.drain(..) {
                let _ = waiter.send(());
            }
        }
    }

    fn effect(&mut self, effect: Effect, now: Instant) {
        let store = Arc::clone(&self.store);
        match effect {
            Effect::Load { call, after, limit } => {
                self.loads.push_back((self.records.ticket(), Read { call, after, limit }));
            }
            Effect::Record(record) => {
                if record.state == NotificationState::Abandoned {
                    self.meters.abandoned();
                }
                (self.told)(&record);
                self.records.push(record, now);
            }
            Effect::Redirect { call, redirect } => {
                self.spawn(About::Redirect, async move {
                    Done::Redirected(store.redirect_callback(call, redirect).await)
                });
            }
            Effect::Scan { after } => self.spawn(About::Scan, async move {
                let found = store.owed(MAX_READ_ROWS, after).await;
                Done::Scanned(found.map(|rows| rows.into_iter().map(owed).collect()))
            }),
        }
    }

    fn spawn(&mut self, about: About, task: impl Future<Output = Done> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.about.insert(id, about);
    }

    fn done(&mut self, done: Result<(Id, Done), JoinError>) {
        let now = now();
        match done {
            Ok((id, done)) => {
                self.about.remove(&id);
                self.ended(done, now);
            }
            Err(error) => {
                tracing::error!(%error, "a delivery task failed");
                if let Some(about) = self.about.remove(&error.id()) {
                    let done = self.failed(about);
                    self.ended(done, now);
                }
            }
        }
    }

    /// What a task that panicked would have said, had it failed.
    fn failed(&self, about: About) -> Done {
        const BUG: StoreError = StoreError::Invalid("the task that asked it failed");
        match about {
            About::Load(call) => Done::Loaded(call, Err(BUG)),
            About::Record => Done::Recorded(Err(BUG)),
            About::Redirect => Done::Redirected(Err(BUG)),
            About::Scan => Done::Scanned(Err(BUG)),
            About::Send(transmit) => {
                let (number, at) = (transmit.attempt, (self.poster.clock)());
                let error = Some("the task that sent it failed".to_owned());
                Done::Sent(
                    transmit,
                    Outcome::Failed,
                    Attempt { number, at, duration_ms: 0, status: None, error },
                )
            }
        }
    }

    fn ended(&mut self, done: Done, now: Instant) {
        let input = match done {
            Done::Loaded(call, Ok(found)) => Input::Loaded { call, found },
            Done::Loaded(call, Err(error)) => {
                tracing::warn!(call.id = %call, %error, "failed to read what is owed of a call");
                Input::LoadFailed(call)
            }
            Done::Recorded(result) => return self.records.written(result, now),
            Done::Redirected(Ok(())) => return,
            Done::Redirected(Err(error)) => {
                return tracing::warn!(%error, "failed to write down a redirect; it holds until the next start");
            }
            Done::Scanned(Ok(rows)) => {
                let is_end = rows.len() < MAX_READ_ROWS;
                Input::Scanned { rows, is_end }
            }
            Done::Scanned(Err(error)) => {
                tracing::warn!(%error, "failed to read what is owed");
                Input::ScanFailed
            }
            Done::Sent(transmit, outcome, attempt) => {
                self.meters.sent(&outcome, &attempt, &transmit.notification);
                if matches!(outcome, Outcome::Failed | Outcome::Gone | Outcome::Unsent) {
                    self.log(&transmit, &attempt, now);
                }
                Input::Sent { call: transmit.notification.call, outcome, attempt }
            }
        };
        self.queue.handle(input, now);
    }

    fn log(&mut self, transmit: &Transmit, attempt: &Attempt, now: Instant) {
        let Some(suppressed) = self.throttle.pass(now) else { return };
        tracing::warn!(
            call.id = %transmit.notification.call,
            app.id = %transmit.notification.app,
            sequence = transmit.notification.sequence,
            attempt = attempt.number,
            status = attempt.status,
            error = attempt.error.as_deref(),
            duration_ms = attempt.duration_ms,
            suppressed,
            "failed to deliver a notification"
        );
    }

    fn is_drained(&self) -> bool {
        let Some((until, _)) = self.draining else { return false };
        (self.queue.is_settled() && self.records.is_empty()) || now() >= until
    }

    /// Writes down what is known, without those that are still under way.
    async fn finish(mut self) {
        let deadline = now() + LAST_WRITE;
        // A batch that has begun must not be written twice.
        while self.records.is_writing()
            && let Ok(Some(done)) = timeout_at(deadline.into(), self.tasks.join_next_with_id()).await
        {
            self.done(done);
            while let Some(effect) = self.queue.poll_effect() {
                if let Effect::Record(record) = effect {
                    self.records.push(record, now());
                }
            }
        }
        self.tasks.shutdown().await;
        self.records.hurry(now());
        while let Some(batch) = self.records.batch(now()) {
            let writing = timeout_at(deadline.into(), self.store.record_deliveries(batch));
            let Ok(result) = writing.await else { break };
            self.records.written(result, now());
            self.records.hurry(now());
        }
        if let Some((_, done)) = self.draining.take() {
            let _ = done.send(self.queue.is_idle() && self.records.is_empty());
        }
    }
}

/// Reads what is owed of a call; for one that is new here, also how it fared before.
async fn load(store: &dyn Store, read: Read) -> Result<Loaded, StoreError> {
    let Read { call, after, limit } = read;
    let owed = store.owed_of_call(call, after, limit).await?;
    let is_more = owed.len() >= limit;
    // A call that is not kept has ended long ago.
    let is_over = store.call(call).await?.is_none_or(|call| call.state == CallState::Terminated);
    let mut found = Loaded { owed, is_more, is_over, ..Loaded::default() };
    if after == 0
        && let Some(first) = found.owed.first()
    {
        found.redirect = store.callback_redirect(call).await?;
        // Only the first can have been tried: the others wait for it.
        let rows = store.notifications_of(call, first.sequence.saturating_sub(1), 1).await?;
        found.attempts = rows.first().and_then(|row| row.attempts.last()).map_or(0, |attempt| attempt.number);
    }
    Ok(found)
}

fn owed(row: Notification) -> Owed {
    Owed { call: row.call, sequence: row.sequence, app: row.app, uri: row.callback_uri }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
