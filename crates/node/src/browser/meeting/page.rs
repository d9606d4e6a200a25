//! The task of a page: its socket comes and goes, its place in the meeting stays.

use call_engine::{PersonEvent, PersonRequest, Rejection};
use meeting_wire::{EndReason, FromPage, Kind, OfferOf, Person, Tile, ToPage, guest_name};
use model::{IdSource, Identity, IdentitySet, Participant, ParticipantId};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::super::call::{News, PageCall, Wish};
use super::super::socket::{FromSocket, Seat};
use super::super::{Budget, Rate};
use super::join::Joining;
use super::watching::Watching;
use super::{PageSide, Place, Told, What, shown};
use crate::conference::{ConferenceTaskInput, PicturesRequest};
use crate::context::Context;
use crate::ids::RandomIds;
use crate::incoming::info_of;
use crate::inputs::{Inputs, Refused};

/// What a page may want of its sound before that takes it in.
const MAX_WISHES: usize = 8;

/// How often one page may come in at once, and in a second after that: people try again when something failed.
const JOINS: Rate = Rate { burst: 6.0, per_second: 0.1 };

/// The same for what everybody in the meeting is told of: rosters of all pages, notifications of all applications. Nobody presses
/// more.
const SHOWN: Rate = Rate { burst: 12.0, per_second: 1.0 };

/// The same for later offers of sound, and for those of pictures: each is a handshake, and a page makes one of either when
/// it comes back, or when the way is lost.
const OFFERS: Rate = Rate { burst: 8.0, per_second: 0.5 };

const TOO_MUCH_SHOWN: &str = "too much is asked at once; try again in a moment";
const TOO_MANY_OFFERS: &str = "too many offers were made just now; try again in a moment";

/// A page's place in the meeting, or on the way there.
struct Joined {
    participant: ParticipantId,
    /// What is wanted of its sound; the end of this ends it.
    wishes: mpsc::Sender<Wish>,
    /// Where it asks for something, once it has come there.
    conference: Option<Inputs<ConferenceTaskInput>>,
    /// Where it is, once that is known.
    at: Option<meeting_wire::Place>,
    people: Option<Vec<Person>>,
    speaker: Option<String>,
    watching: Watching,
    /// Whether an offer of its has been answered.
    is_answered: bool,
    /// Whether the first offer was refused: its end says nothing new then.
    is_refused: bool,
}

impl Joined {
    fn send_watched(&mut self) {
        let may_see = self.at == Some(meeting_wire::Place::In);
        self.watching.tell(self.conference.as_ref(), self.participant, may_see, Instant::now());
    }
}

struct Page {
    context: Context,
    place: Place,
    seat: Seat<ToPage>,
    joined: Option<Joined>,
    joins: Budget,
    shown: Budget,
    sounds: Budget,
    pictures: Budget,
    /// What a guest is called by among machines, however often it comes in.
    guest_id: String,
    told: mpsc::UnboundedSender<Told>,
}

/// Runs a page until it has been without a socket for too long, or is sent away.
pub(super) async fn run(
    context: Context,
    place: Place,
    mut orders: mpsc::Receiver<FromSocket<FromPage, ToPage>>,
    leaving: CancellationToken,
) {
    let patience = context.browsers.patience();
    let (told, mut news) = mpsc::unbounded_channel();
    let now = Instant::now();
    let mut page = Page {
        context,
        place,
        seat: Seat::empty(),
        joined: None,
        joins: Budget::new(JOINS, now),
        shown: Budget::new(SHOWN, now),
        sounds: Budget::new(OFFERS, now),
        pictures: Budget::new(OFFERS, now),
        guest_id: RandomIds.next_guid().to_string(),
        told,
    };
    let mut alone_until = now + patience;
    loop {
        let was_alone = page.seat.is_empty();
        let watch_again = page.joined.as_ref().and_then(|joined| joined.watching.owed());
        tokio::select! {
            order = orders.recv() => match order {
                Some(FromSocket::Attach(socket)) => {
                    page.seat.take(socket);
                    page.welcome();
                }
                Some(FromSocket::Detach { number, .. }) if page.seat.has(number) => page.seat.lose(),
                Some(FromSocket::Said(number, message)) if page.seat.has(number) => page.said(message),
                Some(FromSocket::Leave(number)) if page.seat.has(number) => break,
                Some(FromSocket::Detach { .. } | FromSocket::Said(..) | FromSocket::Leave(_)) => {}
                None => break,
            },
            Some(told) = news.recv() => page.hear(told),
            () = sleep_until(watch_again.unwrap_or(alone_until)), if watch_again.is_some() => {
                page.send_watched();
            }
            () = sleep_until(alone_until), if was_alone => break,
            () = leaving.cancelled() => break,
        }
        if page.seat.is_empty() {
            if !was_alone {
                alone_until = Instant::now() + patience;
            }
            // Nothing waits for it.
            if page.joined.is_none() {
                break;
            }
        }
    }
    // From here on nobody can send anything, and its sound ends with its place.
    orders.close();
    page.place.leave();
    if page.joined.take().is_some() {
        page.seat.say(ToPage::Ended { reason: EndReason::Over });
    }
}

impl Page {
    fn welcome(&mut self) {
        let at = self.joined.as_ref().and_then(|joined| Some((joined, joined.at?)));
        let Some((joined, state)) = at else {
            return self.seat.say(ToPage::Welcome { state: meeting_wire::Place::Outside, you: None });
        };
        let you = Some(joined.participant.to_string());
        let people = joined.people.clone().map(|people| ToPage::Roster { people });
        let speaker = joined.speaker.clone().map(|speaker| ToPage::Speaker { participant: Some(speaker) });
        self.seat.say(ToPage::Welcome { state, you });
        people.into_iter().chain(speaker).for_each(|message| self.seat.say(message));
    }

    fn said(&mut self, message: FromPage) {
        if is_shown_to_all(&message) && !self.shown.spend(Instant::now()) {
            return self.error(TOO_MUCH_SHOWN);
        }
        match message {
            // One that has come back before it knew where it is.
            FromPage::Join { sdp, .. } if self.joined.is_some() => self.offer(sdp),
            FromPage::Join { name, sdp } => self.join(name.as_deref(), sdp),
            FromPage::Offer { sdp } => self.offer(sdp),
            FromPage::Leave => self.leave(),
            FromPage::Pictures { sdp } => self.offer_pictures(sdp),
            FromPage::Watch(tiles) => self.watch(tiles),
            FromPage::Show { kind: Kind::Camera, is_on } => self.ask(PersonRequest::Camera(is_on)),
            FromPage::Show { kind: Kind::Screen, is_on } => self.ask(PersonRequest::Screen(is_on)),
            FromPage::Mute { is_muted } => self.ask(PersonRequest::MuteSelf(is_muted)),
            FromPage::Hand { is_raised } => self.ask(PersonRequest::Hand(is_raised)),
            FromPage::Admit(None) => self.ask(PersonRequest::Admit(None)),
            FromPage::Admit(Some(who)) => self.ask_of(&who, |who| PersonRequest::Admit(Some(who))),
            FromPage::Remove(who) => self.ask_of(&who, PersonRequest::Remove),
            FromPage::MuteOther(who) => self.ask_of(&who, PersonRequest::Mute),
        }
    }

    fn error(&mut self, message: &str) {
        self.seat.say(ToPage::Error { message: message.to_owned() });
    }

    fn refuse(&mut self, of: OfferOf, message: &str) {
        self.seat.say(ToPage::Refused { of, message: message.to_owned() });
    }

    fn join(&mut self, name: Option<&str>, offer: String) {
        let Some(info) = self.info(name) else {
            let why = match self.place.guest {
                Some(_) => "a guest needs a name of 1 to 64 characters that can be seen",
                None => "there is no such user any more",
            };
            return self.refuse(OfferOf::Join, why);
        };
        let now = Instant::now();
        let is_free = self.place.guest.as_ref().is_none_or(|guest| guest.may_join(now));
        if !is_free || !self.joins.spend(now) {
            let why = "too many have come in just now; try again in a moment";
            return self.refuse(OfferOf::Join, why);
        }
        let participant = ParticipantId::next(&mut RandomIds);
        let (wishes, received) = mpsc::channel(MAX_WISHES);
        let told = self.told.clone();
        let news = move |news| {
            // A page that is gone needs no news.
            let _ = told.send(Told { participant, what: What::Call(news) });
        };
        let call = PageCall { context: self.context.clone(), wishes: received, news: Box::new(news) };
        let key = &self.place.key;
        let joining = Joining {
            tenant: key.tenant.clone(),
            thread: key.thread.clone(),
            info,
            user: key.user.clone(),
            side: PageSide::new(participant, self.told.clone()),
        };
        self.place.shared.tasks.spawn(joining.run(call, offer));
        self.joined = Some(Joined {
            participant,
            wishes,
            conference: None,
            at: None,
            people: None,
            speaker: None,
            watching: Watching::default(),
            is_answered: false,
            is_refused: false,
        });
    }

    /// Who comes, as rosters show it.
    fn info(&self, name: Option<&str>) -> Option<Participant> {
        if let Some(user) = &self.place.key.user {
            let directory = self.context.directory.load();
            let known = directory.users.get(user).filter(|known| known.tenant == self.place.key.tenant);
            return known.map(|known| info_of(&directory, &known.id));
        }
        let guest = Identity::of(self.guest_id.clone()).named(guest_name(name?)?);
        let identity = IdentitySet { guest: Some(guest), ..IdentitySet::default() };
        Some(Participant { identity, ..Participant::default() })
    }

    fn offer(&mut self, offer: String) {
        if self.joined.is_some() && !self.sounds.spend(Instant::now()) {
            return self.refuse(OfferOf::Offer, TOO_MANY_OFFERS);
        }
        let wish = Wish::Offer(offer);
        match self.joined.as_ref().map(|joined| joined.wishes.try_send(wish)) {
            Some(Ok(())) => {}
            Some(Err(mpsc::error::TrySendError::Full(_))) => self.error("too much is wanted at once"),
            // Its end is on the way.
            Some(Err(mpsc::error::TrySendError::Closed(_))) => {}
            None => self.error("the page has not joined"),
        }
    }

    fn leave(&mut self) {
        if let Some(joined) = self.joined.take() {
            // Where too much is wanted already, it ends as nobody can want anything any more.
            let _ = joined.wishes.try_send(Wish::HangUp);
            self.seat.say(ToPage::Ended { reason: EndReason::Left });
        }
    }

    fn ask_of(&mut self, who: &str, request: impl FnOnce(ParticipantId) -> PersonRequest) {
        match ParticipantId::parse(who) {
            Some(who) => self.ask(request(who)),
            None => {
                let message = shown::denied(Rejection::ParticipantNotFound);
                self.seat.say(ToPage::Denied { message });
            }
        }
    }

    fn ask(&mut self, request: PersonRequest) {
        let joined = self.joined.as_ref();
        let Some((joined, conference)) =
            joined.and_then(|joined| Some((joined, joined.conference.as_ref()?)))
        else {
            return self.error("the page is not in the meeting");
        };
        let participant = joined.participant;
        match conference.ask(ConferenceTaskInput::Person { participant, request }) {
            // A conference that is over has said so, or is about to.
            Ok(()) | Err(Refused::Ended) => {}
            Err(Refused::Full) => self.error("too much is asked of the meeting at once"),
        }
    }

    fn offer_pictures(&mut self, offer: String) {
        if !self.pictures.spend(Instant::now()) {
            return self.refuse(OfferOf::Pictures, TOO_MANY_OFFERS);
        }
        let message = match self.want_pictures(offer) {
            Ok(()) => return,
            Err(Refused::Full) => "the meeting is busy; try again in a moment",
            Err(Refused::Ended) => "pictures are for those who are in the meeting",
        };
        self.refuse(OfferOf::Pictures, message);
    }

    /// `Ended` is also where there is no conference, or none yet.
    fn want_pictures(&self, offer: String) -> Result<(), Refused> {
        let is_in = matches!(self.at(), Some(meeting_wire::Place::In | meeting_wire::Place::Held));
        let joined = self.joined.as_ref().filter(|_| is_in).ok_or(Refused::Ended)?;
        let request = PicturesRequest::Offer(offer);
        let input = ConferenceTaskInput::Pictures { participant: joined.participant, request };
        joined.conference.as_ref().ok_or(Refused::Ended)?.ask(input)
    }

    /// Notes what the page shows; whoever is taken aside sees nobody until it is back.
    fn watch(&mut self, tiles: Vec<Tile>) {
        if let Some(joined) = &mut self.joined {
            joined.watching.note(tiles);
            joined.send_watched();
        }
    }

    fn send_watched(&mut self) {
        if let Some(joined) = &mut self.joined {
            joined.send_watched();
        }
    }

    fn at(&self) -> Option<meeting_wire::Place> {
        self.joined.as_ref()?.at
    }

    fn hear(&mut self, Told { participant, what }: Told) {
        // What a place still says that was left is of no interest.
        let Some(joined) = self.joined.as_mut().filter(|joined| joined.participant == participant) else {
            return;
        };
        match what {
            What::Barred(why) => self.end(why),
            What::Call(news) => self.hear_call(news),
            What::Entered(conference) => joined.conference = Some(conference),
            What::Event(event) => self.hear_conference(event),
            What::Released => self.released(),
            What::Pictured(Ok(sdp)) => {
                // It may have said so before there were any pictures.
                self.send_watched();
                self.seat.say(ToPage::Pictures { sdp });
            }
            What::Pictured(Err(message)) => self.refuse(OfferOf::Pictures, &message),
        }
    }

    /// Sound goes on, with somebody elsewhere; of those who were here only oneself is left to be seen.
    fn released(&mut self) {
        let Some(joined) = &mut self.joined else { return };
        joined.conference = None;
        let you = joined.participant.to_string();
        let people = joined.people.get_or_insert_default();
        people.retain(|person| person.id == you);
        self.seat.say(ToPage::Roster { people: people.clone() });
    }

    fn end(&mut self, reason: EndReason) {
        self.joined = None;
        self.seat.say(ToPage::Ended { reason });
    }

    fn hear_call(&mut self, news: News) {
        let Some(joined) = &mut self.joined else { return };
        match news {
            News::Answer(sdp) => {
                joined.is_answered = true;
                joined.is_refused = false;
                self.seat.say(ToPage::Answer { sdp });
            }
            News::Refused(message) => {
                joined.is_refused = !joined.is_answered;
                let of = if joined.is_answered { OfferOf::Offer } else { OfferOf::Join };
                self.refuse(of, &message);
            }
            News::Ended(_) if joined.is_refused && joined.at.is_none() => self.joined = None,
            News::Ended(reason) => {
                let has_entered = joined.at.is_some();
                self.end(shown::end_of_call(reason, has_entered));
            }
            News::Connected | News::Held(_) | News::Ringing | News::Transfer(_) => {}
        }
    }

    fn hear_conference(&mut self, event: PersonEvent) {
        let Some(joined) = &mut self.joined else { return };
        let you = joined.participant;
        let message = match event {
            PersonEvent::Denied(rejection) => ToPage::Denied { message: shown::denied(rejection) },
            PersonEvent::Ended(outcome) => {
                let reason = shown::end_reason(outcome, joined.at);
                return self.end(reason);
            }
            PersonEvent::Roster(seen) => {
                let is_guest = self.place.key.user.is_none();
                let people = shown::people(&seen, you, is_guest, &self.context.directory.load());
                joined.people = Some(people.clone());
                ToPage::Roster { people }
            }
            PersonEvent::Speaker(speaker) => {
                joined.speaker = speaker.map(|speaker| speaker.to_string());
                ToPage::Speaker { participant: joined.speaker.clone() }
            }
            PersonEvent::State(state) => {
                let state = shown::place(state);
                joined.at = Some(state);
                self.send_watched();
                ToPage::State { state, you: you.to_string() }
            }
        };
        self.seat.say(message);
    }
}

/// Whether all who are there are told of what comes of it, so that it makes work for everybody. Letting people in and sending
/// them away is not of that kind: each can be let in or sent away once.
const fn is_shown_to_all(message: &FromPage) -> bool {
    match message {
        FromPage::Hand { .. } | FromPage::Mute { .. } | FromPage::MuteOther(_) | FromPage::Show { .. } => {
            true
        }
        FromPage::Admit(_)
        | FromPage::Join { .. }
        | FromPage::Leave
        | FromPage::Offer { .. }
        | FromPage::Pictures { .. }
        | FromPage::Remove(_)
        | FromPage::Watch(_) => false,
    }
}
