//! Browsers that are telephones of users: pages with a WebSocket for what is said, and WebRTC for what is heard.
//!
//! In a call a page is a far end like any other ([`crate::far_end`]): what the call's leg negotiates with a phone it
//! negotiates with the page's [`call`], whose sound a [`webrtc::Relay`] carries between the leg and the page as it is. A user's
//! phones and pages ring [`together`]. A page outlives its socket for a while, and its calls do with it.

mod call;
mod connection;
mod page;
mod password;
mod together;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use model::UserId;
use phone_wire::{FromPage, Party, ToPage};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::password::sign_in;
pub(crate) use self::together::{Together, party};
use crate::calls::Calls;
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvents};

/// Pages of one user at once; a person has a few windows and devices.
const MAX_PAGES_OF_USER: usize = 8;

/// Pages at once.
const MAX_PAGES: usize = 10_000;

/// What may wait for a page's task. What its socket says waits with the socket.
const MAX_ORDERS: usize = 32;

/// Messages that may wait for a page to be read; one that is slower is dropped.
const MAX_UNREAD: usize = 64;

/// Every page that there is.
#[derive(Clone)]
pub(crate) struct Browsers(Arc<Shared>);

struct Shared {
    /// Where media legs are reached from this machine, whatever address others are told.
    own_ip: IpAddr,
    /// How long a page may be away.
    patience: Duration,
    pages: Mutex<BTreeMap<UserId, BTreeMap<String, mpsc::Sender<Order>>>>,
    tasks: TaskTracker,
    leaving: CancellationToken,
}

/// What a page's task is told.
enum Order {
    /// Take this socket in place of any other.
    Attach(Attached),
    /// The socket of that number is gone, without a good-bye where it is lost.
    Detach { number: u64, is_lost: bool },
    /// The socket says something.
    Said(u64, FromPage),
    /// Somebody calls the user.
    Ring(Box<Rung>),
    /// The user has signed out.
    Leave(u64),
}

/// The page's end of a socket.
struct Attached {
    number: u64,
    to: mpsc::Sender<ToPage>,
    why: Arc<Mutex<Farewell>>,
}

/// A call that rings at a page.
struct Rung {
    from: Party,
    subject: Option<String>,
    offer: Bytes,
    events: FarEndEvents,
    commands: mpsc::UnboundedReceiver<FarEndCommand>,
}

/// Why a page closes its socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Farewell {
    /// The server is leaving.
    #[default]
    Leaving,
    /// The page has come by another socket.
    Replaced,
    /// It does not read.
    TooSlow,
}

/// Why a page does not get a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageRefused {
    /// The server is leaving.
    #[error("the server is shutting down")]
    Draining,
    /// There are as many pages as may be, of this user or in all.
    #[error("there are as many pages as may be")]
    Full,
}

/// The way to the pages of browsers; cheap to clone.
#[derive(Clone)]
pub struct Pages {
    calls: Calls,
    browsers: Browsers,
}

/// A socket's end of a page. Dropping it leaves the page waiting for another one.
pub struct PageSocket {
    number: u64,
    page: mpsc::Sender<Order>,
    messages: mpsc::Receiver<ToPage>,
    why: Arc<Mutex<Farewell>>,
    is_lost: bool,
}

impl Pages {
    pub(crate) const fn new(calls: Calls, browsers: Browsers) -> Self {
        Self { calls, browsers }
    }

    /// Connects the page of a user that calls itself `phone`: the one that was there by that name, or a new one.
    ///
    /// # Errors
    ///
    /// [`PageRefused`].
    pub async fn attach(&self, user: &UserId, phone: &str) -> Result<PageSocket, PageRefused> {
        let (to, messages) = mpsc::channel(MAX_UNREAD);
        let (number, why) = (next_number(), Arc::<Mutex<Farewell>>::default());
        let mut attached = Attached { number, to, why: Arc::clone(&why) };
        loop {
            let page = self.page(user, phone)?;
            match page.send(Order::Attach(attached)).await {
                Ok(()) => return Ok(PageSocket { number, page, messages, why, is_lost: true }),
                // It has gone in this moment.
                Err(mpsc::error::SendError(Order::Attach(again))) => attached = again,
                Err(_) => return Err(PageRefused::Draining),
            }
            tokio::task::yield_now().await;
        }
    }

    /// How many pages there are.
    pub fn count(&self) -> usize {
        self.browsers.count()
    }

    fn page(&self, user: &UserId, phone: &str) -> Result<mpsc::Sender<Order>, PageRefused> {
        let shared = &self.browsers.0;
        if shared.leaving.is_cancelled() {
            return Err(PageRefused::Draining);
        }
        let mut pages = shared.pages();
        let all: usize = pages.values().map(BTreeMap::len).sum();
        let own = pages.entry(user.clone()).or_default();
        if let Some(page) = own.get(phone).filter(|page| !page.is_closed()) {
            return Ok(page.clone());
        }
        if own.len() >= MAX_PAGES_OF_USER || all >= MAX_PAGES {
            return Err(PageRefused::Full);
        }
        let (orders, received) = mpsc::channel(MAX_ORDERS);
        own.insert(phone.to_owned(), orders.clone());
        let place = Place { shared: Arc::clone(shared), user: user.clone(), phone: phone.to_owned() };
        shared.tasks.spawn(page::run(self.calls.clone(), place, received, shared.leaving.clone()));
        Ok(orders)
    }
}

impl PageSocket {
    /// Passes on what the page says; false once there is no use in it.
    pub async fn say(&self, message: FromPage) -> bool {
        self.page.send(Order::Said(self.number, message)).await.is_ok()
    }

    /// What the page is to be told next; `None` where the socket is to be closed.
    pub async fn next(&mut self) -> Option<ToPage> {
        self.messages.recv().await
    }

    /// Why it is to be closed.
    pub fn farewell(&self) -> Farewell {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page closes its socket: a call that it has waits for it, but no other call rings there.
    pub fn close(mut self) {
        self.is_lost = false;
    }

    /// The user has signed out: the page's calls end at once.
    pub async fn leave(self) {
        // A page that is gone has left.
        let _ = self.page.send(Order::Leave(self.number)).await;
    }
}

impl Drop for PageSocket {
    fn drop(&mut self) {
        let page = self.page.clone();
        let order = Order::Detach { number: self.number, is_lost: self.is_lost };
        if let Err(mpsc::error::TrySendError::Full(order)) = page.try_send(order) {
            tokio::spawn(async move { page.send(order).await });
        }
    }
}

impl Browsers {
    /// No pages yet. `media` is the address that media legs are bound to.
    pub(crate) fn new(media: IpAddr, patience: Duration) -> Self {
        let own_ip = match media {
            IpAddr::V4(ip) => IpAddr::from(if ip.is_unspecified() { Ipv4Addr::LOCALHOST } else { ip }),
            IpAddr::V6(ip) => IpAddr::from(if ip.is_unspecified() { Ipv6Addr::LOCALHOST } else { ip }),
        };
        let (pages, tasks, leaving) = (Mutex::default(), TaskTracker::new(), CancellationToken::new());
        Self(Arc::new(Shared { own_ip, patience, pages, tasks, leaving }))
    }

    fn own_ip(&self) -> IpAddr {
        self.0.own_ip
    }

    fn patience(&self) -> Duration {
        self.0.patience
    }

    /// Whether the user has a page that can ring.
    pub(crate) fn has_pages(&self, user: &UserId) -> bool {
        self.0.pages().get(user).is_some_and(|pages| !pages.is_empty())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.pages().values().map(BTreeMap::len).sum()
    }

    /// Rings at every page of the user; what each reports goes to the events made for it.
    pub(crate) fn ring(
        &self,
        user: &UserId,
        (from, subject, offer): (&Party, Option<&str>, &Bytes),
        mut events: impl FnMut() -> FarEndEvents,
    ) -> Vec<FarEnd> {
        let pages: Vec<_> =
            self.0.pages().get(user).into_iter().flat_map(BTreeMap::values).cloned().collect();
        let rings = pages.into_iter().filter_map(|page| {
            let place = page.try_reserve().ok()?;
            let (far_end, commands) = FarEnd::new();
            place.send(Order::Ring(Box::new(Rung {
                from: from.clone(),
                subject: subject.map(str::to_owned),
                offer: offer.clone(),
                events: events(),
                commands,
            })));
            Some(far_end)
        });
        rings.collect()
    }

    /// Sends every page away, and waits until they have gone.
    pub(crate) async fn drain(&self) {
        self.0.leaving.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Shared {
    /// Held for a look-up only.
    fn pages(&self) -> MutexGuard<'_, BTreeMap<UserId, BTreeMap<String, mpsc::Sender<Order>>>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page's entry among the others; it goes when its task does.
struct Place {
    shared: Arc<Shared>,
    user: UserId,
    phone: String,
}

impl Place {
    /// Nobody finds the page any more.
    fn leave(&self) {
        let mut pages = self.shared.pages();
        let Some(own) = pages.get_mut(&self.user) else { return };
        // Another page may have the name already.
        if own.get(&self.phone).is_some_and(mpsc::Sender::is_closed) {
            own.remove(&self.phone);
        }
        if own.is_empty() {
            pages.remove(&self.user);
        }
    }
}

fn next_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
