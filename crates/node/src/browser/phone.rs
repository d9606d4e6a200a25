//! The task of a page that is a telephone: its socket comes and goes, its calls stay.

use std::collections::BTreeMap;

use model::IndexedDirectory;
use phone_wire::{Direction, EndReason, FromPage, Party, Phase, Said, Shown, Target, ToPage, User};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::call::{FarSide, News, PageCall, Wish};
use super::socket::{FromSocket, Seat};
use super::{Place, Rung};
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
    seat: Seat<ToPage>,
    kept: BTreeMap<String, Kept>,
    /// Counts the calls that have rung here.
    rung: u64,
    news: mpsc::UnboundedSender<(String, News)>,
}

/// Runs a page until it has been without a socket for too long, or is sent away.
pub(super) async fn run(
    calls: Calls,
    place: Place,
    (mut orders, mut rings): (mpsc::Receiver<FromSocket<FromPage, ToPage>>, mpsc::Receiver<Rung>),
    leaving: CancellationToken,
) {
    let patience = calls.context().browsers.patience();
    let (news, mut told) = mpsc::unbounded_channel();
    let user = shown_user(&calls.context().directory.load(), &place.user);
    let mut page = Page { calls, place, user, seat: Seat::empty(), kept: BTreeMap::new(), rung: 0, news };
    let mut alone_until = Instant::now() + patience;
    loop {
        let is_alone = page.seat.is_empty();
        tokio::select! {
            order = orders.recv() => match order {
                Some(FromSocket::Attach(socket)) => {
                    page.seat.take(socket);
                    page.welcome();
                }
                Some(FromSocket::Detach { number, is_lost }) if page.seat.has(number) => {
                    if !is_lost && page.kept.is_empty() {
                        break;
                    }
                    page.seat.lose();
                }
                Some(FromSocket::Said(number, message)) if page.seat.has(number) => page.said(message),
                Some(FromSocket::Leave(number)) if page.seat.has(number) => break,
                Some(FromSocket::Detach { .. } | FromSocket::Said(..) | FromSocket::Leave(_)) => {}
                None => break,
            },
            Some(rung) = rings.recv() => page.ring(rung),
            Some((call, news)) = told.recv() => page.told(call, news),
            () = sleep_until(alone_until), if is_alone => break,
            () = leaving.cancelled() => break,
        }
        if !is_alone && page.seat.is_empty() {
            alone_until = Instant::now() + patience;
        }
    }
    // From here on nobody can send anything, and the calls hear that their page is gone.
    orders.close();
    rings.close();
    page.place.leave();
    let Page { kept, mut seat, news, calls, .. } = page;
    drop((kept, news, calls));
    // What a call still says is its end; the page hears of that before its socket is closed.
    while let Some((call, news)) = told.recv().await {
        if let News::Ended(reason) = news {
            tracing::debug!(call, "a call ended with its page");
            seat.say(ToPage::Ended { call, reason });
        }
    }
}

impl Page {
    fn welcome(&mut self) {
        let calls = self.kept.values().map(|kept| kept.shown.clone()).collect();
        self.seat.say(ToPage::Welcome { user: self.user.clone(), calls });
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
        self.seat.say(ToPage::Error { message: message.to_owned() });
    }

    fn told(&mut self, call: String, news: News) {
        let Some(kept) = self.kept.get_mut(&call) else { return };
        self.seat.say(match news {
            News::Connected => {
                kept.shown.state = Phase::Connected;
                kept.shown.since = Some(self.calls.context().clock.now().to_string());
                return;
            }
            News::Held(is_held) => {
                kept.shown.held = is_held;
                return;
            }
            News::Ended(reason) => {
                self.kept.remove(&call);
                ToPage::Ended { call, reason }
            }
            News::Answer(sdp) => ToPage::Answer { call, sdp },
            News::Refused(message) => ToPage::Refused { call, message },
            News::Ringing => ToPage::Ringing { call, peer: kept.shown.peer.clone() },
            News::Transfer(status) => ToPage::Transfer { call, status },
        });
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
        self.seat.say(ToPage::Incoming { call: id, from, subject });
        self.spawn(call.ring(FarSide { events, commands }, offer));
    }

    fn dial(&mut self, id: String, to: Target, sdp: String) {
        if self.kept.contains_key(&id) {
            return self.error("there is a call with this id");
        }
        if self.kept.len() >= MAX_CALLS {
            self.seat
                .say(ToPage::Refused { call: id.clone(), message: "the page has too many calls".to_owned() });
            return self.seat.say(ToPage::Ended { call: id, reason: EndReason::Failed });
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
        let (context, news) = (self.calls.context().clone(), self.news.clone());
        let tell = move |told| {
            // A page that is gone needs no news.
            let _ = news.send((id.clone(), told));
        };
        PageCall { context, wishes: received, news: Box::new(tell) }
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
