//! The task of one page: its socket comes and goes, its calls stay.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use model::IndexedDirectory;
use phone_wire::{Direction, EndReason, FromPage, Party, Phase, Said, Shown, Target, ToPage, User};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::call::{FarSide, News, PageCall, Wish};
use super::{Attached, Farewell, Order, Place, Rung};
use crate::calls::Calls;
use crate::far_end::FarEndEvent;

/// Calls of one page at once: one that is talked to, and some that wait or ring.
const MAX_CALLS: usize = 8;

/// What a page may want of a call before the call takes it in.
const MAX_WISHES: usize = 8;

/// A call, as the page is shown it.
struct Kept {
    wishes: mpsc::Sender<Wish>,
    shown: Shown,
}

struct Page {
    calls: Calls,
    place: Place,
    user: User,
    socket: Option<Attached>,
    kept: BTreeMap<String, Kept>,
    /// Counts the calls that have rung here.
    rung: u64,
    news: mpsc::UnboundedSender<(String, News)>,
}

/// Runs a page until it has been without a socket for too long, or is sent away.
pub(super) async fn run(
    calls: Calls,
    place: Place,
    mut orders: mpsc::Receiver<Order>,
    leaving: CancellationToken,
) {
    let patience = calls.context().browsers.patience();
    let (news, mut told) = mpsc::unbounded_channel();
    let user = shown_user(&calls.context().directory.load(), &place.user);
    let mut page = Page { calls, place, user, socket: None, kept: BTreeMap::new(), rung: 0, news };
    let mut alone_until = Instant::now() + patience;
    loop {
        let is_alone = page.socket.is_none();
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Attach(socket)) => page.attach(socket),
                Some(Order::Detach { number, is_lost }) if page.is_attached(number) => {
                    if !is_lost && page.kept.is_empty() {
                        break;
                    }
                    page.socket = None;
                }
                Some(Order::Said(number, message)) if page.is_attached(number) => page.said(message),
                Some(Order::Ring(rung)) => page.ring(*rung),
                Some(Order::Leave(number)) if page.is_attached(number) => break,
                Some(Order::Detach { .. } | Order::Said(..) | Order::Leave(_)) => {}
                None => break,
            },
            Some((call, news)) = told.recv() => page.told(&call, news),
            () = sleep_until(alone_until), if is_alone => break,
            () = leaving.cancelled() => break,
        }
        if !is_alone && page.socket.is_none() {
            alone_until = Instant::now() + patience;
        }
    }
    // From here on nobody can send anything, and the calls hear that their page is gone.
    orders.close();
    page.place.leave();
    let Page { kept, socket, news, calls, .. } = page;
    drop((kept, news, calls));
    // What a call still says is its end; the page hears of that before its socket is closed.
    while let Some((call, news)) = told.recv().await {
        if let (News::Say(message @ ToPage::Ended { .. }), Some(socket)) = (news, &socket) {
            tracing::debug!(call, "a call ended with its page");
            let _ = socket.to.try_send(message);
        }
    }
}

impl Page {
    fn is_attached(&self, number: u64) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.number == number)
    }

    fn attach(&mut self, socket: Attached) {
        self.close(Farewell::Replaced);
        self.socket = Some(socket);
        let calls = self.kept.values().map(|kept| kept.shown.clone()).collect();
        self.say(ToPage::Welcome { user: self.user.clone(), calls });
    }

    fn close(&mut self, why: Farewell) {
        if let Some(socket) = self.socket.take() {
            *socket.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
        }
    }

    /// Tells the page, if it is there; one that does not read loses its socket.
    fn say(&mut self, message: ToPage) {
        let Some(socket) = &self.socket else { return };
        if socket.to.try_send(message).is_err() {
            self.close(Farewell::TooSlow);
        }
    }

    fn said(&mut self, FromPage { call, said }: FromPage) {
        let wish = match said {
            Said::Call { to, sdp } => return self.dial(call, to, sdp),
            Said::Accept { sdp } => Wish::Accept(sdp),
            Said::Decline | Said::HangUp => Wish::HangUp,
            Said::Offer { sdp } => Wish::Offer(sdp),
            Said::Hold { held } => Wish::Hold(held),
            Said::Transfer { to } => Wish::Transfer(to),
        };
        match self.kept.get(&call).map(|kept| kept.wishes.try_send(wish)) {
            Some(Ok(())) => {}
            Some(Err(mpsc::error::TrySendError::Full(_))) => {
                self.error("too much is wanted of the call at once")
            }
            // Its end is on the way.
            Some(Err(mpsc::error::TrySendError::Closed(_))) => {}
            None => self.error("there is no such call"),
        }
    }

    fn error(&mut self, message: &str) {
        self.say(ToPage::Error { message: message.to_owned() });
    }

    fn told(&mut self, call: &str, news: News) {
        let Some(kept) = self.kept.get_mut(call) else { return };
        match news {
            News::Connected => {
                kept.shown.state = Phase::Connected;
                kept.shown.since = Some(self.calls.context().clock.now().to_string());
            }
            News::Held(is_held) => kept.shown.held = is_held,
            News::Say(message) => {
                if matches!(message, ToPage::Ended { .. }) {
                    self.kept.remove(call);
                }
                self.say(message);
            }
        }
    }

    fn ring(&mut self, rung: Rung) {
        let Rung { from, subject, offer, events, commands } = rung;
        if self.kept.len() >= MAX_CALLS {
            events.report(FarEndEvent::Ended(call_engine::EndCause::Busy));
            return;
        }
        self.rung += 1;
        let id = format!("s{}", self.rung);
        let call = self.keep(id.clone(), Direction::Incoming, from.clone());
        self.say(ToPage::Incoming { call: id, from, subject });
        self.spawn(call.ring(FarSide { events, commands }, offer));
    }

    fn dial(&mut self, id: String, to: Target, sdp: String) {
        if self.kept.contains_key(&id) {
            return self.error("there is a call with this id");
        }
        if self.kept.len() >= MAX_CALLS {
            self.say(ToPage::Refused { call: id.clone(), message: "the page has too many calls".to_owned() });
            return self.say(ToPage::Ended { call: id, reason: EndReason::Failed });
        }
        let peer = shown_target(&self.calls.context().directory.load(), &to);
        let call = self.keep(id, Direction::Outgoing, peer);
        let (calls, address) = (self.calls.clone(), self.user.address.to_lowercase());
        self.spawn(call.dial(calls, address, to, sdp));
    }

    fn keep(&mut self, id: String, direction: Direction, peer: Party) -> PageCall {
        let (wishes, received) = mpsc::channel(MAX_WISHES);
        let shown =
            Shown { call: id.clone(), direction, state: Phase::Ringing, peer, held: false, since: None };
        self.kept.insert(id.clone(), Kept { wishes, shown });
        let context = self.calls.context().clone();
        PageCall { id, context, wishes: received, news: self.news.clone() }
    }

    fn spawn(&self, call: impl Future<Output = ()> + Send + 'static) {
        self.place.shared.tasks.spawn(call);
    }
}

fn shown_user(directory: &IndexedDirectory, id: &model::UserId) -> User {
    let known = directory.users.get(id);
    User {
        id: id.as_str().to_owned(),
        name: known.map(|user| user.name.clone()).unwrap_or_default(),
        address: known.map(|user| user.address.clone()).unwrap_or_default(),
    }
}

/// Whom a page calls, by the name that the directory has.
fn shown_target(directory: &IndexedDirectory, Target { name, domain }: &Target) -> Party {
    let address = domain.as_ref().map_or_else(|| name.clone(), |domain| format!("{name}@{domain}"));
    let user = directory.user_by_sip_name(&address).or_else(|| directory.user_by_sip_name(name));
    let known = user.map(|user| user.name.clone());
    let known = known.or_else(|| Some(directory.application_by_sip_name(name)?.name.clone()));
    Party { name: known.unwrap_or_else(|| address.clone()), address }
}
