//! People who are in a meeting by its page.
//!
//! A page has a task that outlives its socket, as that of a telephone does, and what carries its sound is the same: a far end
//! beside a leg, which is answered at once and goes to the meeting's conference. From there on the conference tells the page who is there, and is
//! asked by it; what it may do is the conference's to decide.

mod guests;
mod join;
mod page;
mod shown;
mod watching;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, MutexGuard, PoisonError};

use call_engine::PersonEvent;
use meeting_wire::{EndReason, FromPage, ToPage};
use model::{OnlineMeeting, ParticipantId, TenantId, UserId};
use tokio::sync::mpsc;

use self::guests::GuestPlace;
pub(super) use self::guests::Guests;
use super::call::News;
use super::socket::{FromSocket, MAX_ORDERS, PageRefused, PageSocket};
use super::{MAX_PAGES, Pages, Shared};
use crate::conference::ConferenceTaskInput;
use crate::inputs::Inputs;

/// The socket of a meeting's page.
pub type MeetingSocket = PageSocket<FromPage, ToPage>;

/// Who has the page of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MeetingVisitor {
    /// Somebody who is not signed in, from that network: an address, or of version 6 what all addresses of one network share.
    Guest(IpAddr),
    /// A user of the meeting's tenant.
    User(UserId),
}

/// What names a page: whose it is, in which meeting, and the name that it has given itself. A guest's is all that it shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    user: Option<UserId>,
    tenant: TenantId,
    thread: String,
    name: String,
}

/// The ways to the tasks of all pages.
pub(super) type MeetingPages = BTreeMap<Key, mpsc::Sender<FromSocket<FromPage, ToPage>>>;

impl Pages {
    /// Connects the page of a meeting that calls itself `page`: the one that was there by that name, or a new one. Nobody is in the
    /// meeting by that yet.
    ///
    /// # Errors
    ///
    /// [`PageRefused`].
    pub async fn attach_to_meeting(
        &self,
        meeting: &OnlineMeeting,
        visitor: &MeetingVisitor,
        page: &str,
    ) -> Result<MeetingSocket, PageRefused> {
        let user = match visitor {
            MeetingVisitor::Guest(_) => None,
            MeetingVisitor::User(user) => Some(user.clone()),
        };
        let (tenant, thread) = (meeting.tenant.clone(), meeting.thread_id.clone());
        let key = Key { user, tenant, thread, name: page.to_owned() };
        PageSocket::attach(|| self.meeting_page(&key, visitor)).await
    }

    fn meeting_page(
        &self,
        key: &Key,
        visitor: &MeetingVisitor,
    ) -> Result<mpsc::Sender<FromSocket<FromPage, ToPage>>, PageRefused> {
        let shared = &self.browsers.0;
        if shared.leaving.is_cancelled() {
            return Err(PageRefused::Draining);
        }
        let mut pages = shared.meetings();
        if let Some(page) = pages.get(key).filter(|page| !page.is_closed()) {
            return Ok(page.clone());
        }
        let of_user = pages.keys().filter(|other| other.user.is_some() && other.user == key.user).count();
        if of_user >= shared.limits.per_user || pages.len() >= MAX_PAGES {
            return Err(PageRefused::Full);
        }
        let guest = match visitor {
            MeetingVisitor::User(_) => None,
            MeetingVisitor::Guest(network) => {
                Some(GuestPlace::take(shared, *network).ok_or(PageRefused::Full)?)
            }
        };
        let (orders, received) = mpsc::channel(MAX_ORDERS);
        pages.insert(key.clone(), orders.clone());
        let place = Place { shared: Arc::clone(shared), key: key.clone(), guest };
        let context = self.calls.context().clone();
        shared.tasks.spawn(page::run(context, place, received, shared.leaving.clone()));
        Ok(orders)
    }
}

impl Shared {
    /// Held for a look-up only.
    pub(super) fn meetings(&self) -> MutexGuard<'_, MeetingPages> {
        self.meetings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A page's entry among the others; it goes when its task does.
struct Place {
    shared: Arc<Shared>,
    key: Key,
    /// Bounds what somebody may do who is not signed in.
    guest: Option<GuestPlace>,
}

impl Place {
    /// Nobody finds the page any more.
    fn leave(&self) {
        let mut pages = self.shared.meetings();
        // Another page may have the name already.
        if pages.get(&self.key).is_some_and(mpsc::Sender::is_closed) {
            pages.remove(&self.key);
        }
    }
}

/// What a page's task is told of the place that it has, or had.
struct Told {
    participant: ParticipantId,
    what: What,
}

enum What {
    /// It may not come in.
    Barred(EndReason),
    /// What became of its sound.
    Call(News),
    /// It has come to the conference that is asked here.
    Entered(Inputs<ConferenceTaskInput>),
    /// What the conference tells.
    Event(PersonEvent),
    /// The answer to its offer of pictures, or why there is none.
    Pictured(Result<String, String>),
    /// It was handed over to another conversation, of which it sees nothing.
    Released,
}

/// A page as its conference knows it.
#[derive(Clone)]
pub(crate) struct PageSide {
    participant: ParticipantId,
    page: mpsc::UnboundedSender<Told>,
}

impl PageSide {
    /// Says where the page may ask for something.
    pub(crate) fn entered(&self, conference: Inputs<ConferenceTaskInput>) {
        self.say(What::Entered(conference));
    }

    /// Passes on what the engine says.
    pub(crate) fn tell(&self, event: PersonEvent) {
        self.say(What::Event(event));
    }

    /// Says what an offer of pictures is answered with, or why not.
    pub(crate) fn pictured(&self, answer: Result<String, String>) {
        self.say(What::Pictured(answer));
    }

    /// Says that the person talks to somebody elsewhere from here on.
    pub(crate) fn released(&self) {
        self.say(What::Released);
    }

    /// Of a page that is gone.
    #[cfg(test)]
    pub(crate) fn of_nobody(participant: ParticipantId) -> Self {
        Self::new(participant, mpsc::unbounded_channel().0)
    }

    fn say(&self, what: What) {
        // A page that is gone needs no news.
        let _ = self.page.send(Told { participant: self.participant, what });
    }
}
