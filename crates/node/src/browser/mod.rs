//! Browsers that are telephones of users: pages with a WebSocket for what is said, and WebRTC for what is heard.
//!
//! In a call a page is a far end like any other ([`crate::far_end`]): what the call's leg negotiates with a phone it
//! negotiates with the page's [`call`], whose sound a [`webrtc::Relay`] carries between the leg and the page as it is. A user's
//! phones and pages ring [`together`]. A page outlives its socket for a while, and its calls do with it. So do the pages of a
//! [`meeting`], whose sound goes the same way.

mod budget;
mod call;
mod connection;
mod meeting;
mod password;
mod phone;
mod socket;
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

pub use self::budget::{Budget, Rate};
pub(crate) use self::meeting::PageSide;
use self::meeting::{Guests, MeetingPages};
pub use self::meeting::{MeetingSocket, MeetingVisitor};
pub use self::password::sign_in;
pub use self::socket::{Farewell, PageRefused, PageSocket};
use self::socket::{FromSocket, MAX_ORDERS};
pub(crate) use self::together::{Together, party};
use crate::calls::Calls;
use crate::context::PageLimits;
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvents};

/// Pages at once, and the same of meetings.
const MAX_PAGES: usize = 10_000;

/// The socket of a page that is a telephone.
pub type PhoneSocket = PageSocket<FromPage, ToPage>;

/// Every page that there is.
#[derive(Clone)]
pub(crate) struct Browsers(Arc<Shared>);

struct Shared {
    /// Where media legs are reached from this machine, whatever address others are told.
    own_ip: IpAddr,
    limits: PageLimits,
    pages: Mutex<PhonePages>,
    meetings: Mutex<MeetingPages>,
    guests: Guests,
    tasks: TaskTracker,
    leaving: CancellationToken,
}

/// By user, then by the name that the page has given itself.
type PhonePages = BTreeMap<UserId, BTreeMap<String, Door>>;

/// The way to a page's task.
#[derive(Clone)]
struct Door {
    sockets: mpsc::Sender<FromSocket<FromPage, ToPage>>,
    rings: mpsc::Sender<Rung>,
}

/// A call that rings at a page.
struct Rung {
    from: Party,
    subject: Option<String>,
    offer: Bytes,
    events: FarEndEvents,
    commands: mpsc::UnboundedReceiver<FarEndCommand>,
}

/// The way to the pages of browsers; cheap to clone.
#[derive(Clone)]
pub struct Pages {
    calls: Calls,
    browsers: Browsers,
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
    pub async fn attach(&self, user: &UserId, phone: &str) -> Result<PhoneSocket, PageRefused> {
        PageSocket::attach(|| self.page(user, phone)).await
    }

    /// How many pages there are.
    pub fn count(&self) -> usize {
        self.browsers.count()
    }

    fn page(
        &self,
        user: &UserId,
        phone: &str,
    ) -> Result<mpsc::Sender<FromSocket<FromPage, ToPage>>, PageRefused> {
        let shared = &self.browsers.0;
        if shared.leaving.is_cancelled() {
            return Err(PageRefused::Draining);
        }
        let mut pages = shared.pages();
        let all: usize = pages.values().map(BTreeMap::len).sum();
        let own = pages.entry(user.clone()).or_default();
        if let Some(page) = own.get(phone).filter(|page| !page.sockets.is_closed()) {
            return Ok(page.sockets.clone());
        }
        if own.len() >= shared.limits.per_user || all >= MAX_PAGES {
            return Err(PageRefused::Full);
        }
        let ((sockets, orders), (rings, rung)) = (mpsc::channel(MAX_ORDERS), mpsc::channel(MAX_ORDERS));
        own.insert(phone.to_owned(), Door { sockets: sockets.clone(), rings });
        let place = Place { shared: Arc::clone(shared), user: user.clone(), phone: phone.to_owned() };
        shared.tasks.spawn(phone::run(self.calls.clone(), place, (orders, rung), shared.leaving.clone()));
        Ok(sockets)
    }
}

impl Browsers {
    /// No pages yet. `media` is the address that media legs are bound to.
    pub(crate) fn new(media: IpAddr, limits: PageLimits) -> Self {
        let own_ip = match media {
            IpAddr::V4(ip) => IpAddr::from(if ip.is_unspecified() { Ipv4Addr::LOCALHOST } else { ip }),
            IpAddr::V6(ip) => IpAddr::from(if ip.is_unspecified() { Ipv6Addr::LOCALHOST } else { ip }),
        };
        Self(Arc::new(Shared {
            own_ip,
            limits,
            pages: Mutex::default(),
            meetings: Mutex::default(),
            guests: Guests::new(limits.guests, limits.guests_per_network),
            tasks: TaskTracker::new(),
            leaving: CancellationToken::new(),
        }))
    }

    fn own_ip(&self) -> IpAddr {
        self.0.own_ip
    }

    fn patience(&self) -> Duration {
        self.0.limits.patience
    }

    /// Whether the user has a page that can ring.
    pub(crate) fn has_pages(&self, user: &UserId) -> bool {
        self.0.pages().get(user).is_some_and(|pages| !pages.is_empty())
    }

    /// How many pages a user has.
    pub(crate) fn count_of(&self, user: &UserId) -> usize {
        self.0.pages().get(user).map_or(0, BTreeMap::len)
    }

    pub(crate) fn count(&self) -> usize {
        self.0.pages().values().map(BTreeMap::len).sum()
    }

    /// How many pages of meetings there are.
    pub(crate) fn count_in_meetings(&self) -> usize {
        self.0.meetings().len()
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
            let place = page.rings.try_reserve().ok()?;
            let (far_end, commands) = FarEnd::new();
            place.send(Rung {
                from: from.clone(),
                subject: subject.map(str::to_owned),
                offer: offer.clone(),
                events: events(),
                commands,
            });
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
    fn pages(&self) -> MutexGuard<'_, PhonePages> {
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
        if own.get(&self.phone).is_some_and(|page| page.sockets.is_closed()) {
            own.remove(&self.phone);
        }
        if own.is_empty() {
            pages.remove(&self.user);
        }
    }
}
