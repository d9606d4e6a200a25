//! A conference, its virtual time and everything that it ever asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use call_engine::{
    Arriving, CommandId, Conference, ConferenceAnswer, ConferenceConfig, ConferenceEffect, ConferenceEvent,
    ConferenceInput, ConferenceRequest, EndCause, JobResult, Joining, LegEvent, PersonEvent, PersonRequest,
    Rejection, Sound, Way,
};
use model::{
    AllowedPresenters, CallId, IdSource, Identity, IdentitySet, InvitationParticipant, Invitee, LobbyBypass,
    LobbyBypassScope, MeetingId, OnlineMeeting, OperationId, Outcome, Participant, ParticipantId, Roster,
    Timestamp,
};
use uuid::Uuid;

/// Ids in order, so that a history replays byte for byte.
#[derive(Debug, Default)]
pub(crate) struct CountedIds(u128);

impl IdSource for CountedIds {
    fn next_guid(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

/// A conference under test.
pub(crate) struct Harness {
    pub(crate) conference: Conference,
    pub(crate) now: Timestamp,
    ids: CountedIds,
    pub(crate) effects: Vec<ConferenceEffect>,
    /// People who were called, newest last.
    pub(crate) called: Vec<(ParticipantId, Invitee)>,
    /// Who is connected.
    pub(crate) connected: BTreeSet<ParticipantId>,
    /// Which of its legs each one has whose leg was exchanged.
    legs: BTreeMap<ParticipantId, u32>,
    /// The legs that alone hear each one that is connected.
    audiences: BTreeMap<ParticipantId, Vec<(ParticipantId, u32)>>,
    asked: u64,
}

impl Harness {
    pub(crate) fn group() -> Self {
        Self::of(Conference::group(ConferenceConfig::default()))
    }

    pub(crate) fn meeting(scope: LobbyBypassScope) -> Self {
        Self::of(Conference::meeting(ConferenceConfig::default(), meeting(scope)))
    }

    pub(crate) fn of(conference: Conference) -> Self {
        Self {
            conference,
            now: Timestamp::from_millis(1_000_000),
            ids: CountedIds(1_000),
            effects: Vec::new(),
            called: Vec::new(),
            connected: BTreeSet::new(),
            legs: BTreeMap::new(),
            audiences: BTreeMap::new(),
            asked: 0,
        }
    }

    /// A group call of the first call with people, of whom the first `answering` have answered.
    pub(crate) fn group_with(people: &[&str], answering: usize) -> Self {
        let mut harness = Self::group();
        let invitees = people.iter().map(|name| invitee(name)).collect();
        harness.input(ConferenceInput::Join(Box::new(Joining { invitees, ..joining(1) })));
        for place in 0..answering {
            let participant = harness.called[place].0;
            harness.leg(participant, LegEvent::Answered);
        }
        harness
    }

    pub(crate) fn input(&mut self, input: ConferenceInput) {
        self.conference.handle(input, self.now, &mut self.ids);
        self.drain();
    }

    pub(crate) fn join(&mut self, number: u128) {
        self.input(ConferenceInput::Join(Box::new(joining(number))));
    }

    pub(crate) fn leg(&mut self, participant: ParticipantId, event: LegEvent) {
        self.input(ConferenceInput::Leg { participant, event });
    }

    /// Exchanges someone's leg; the old one is nowhere any more. Returns what is done for the new one.
    pub(crate) fn replace_media(&mut self, participant: ParticipantId) -> Vec<ConferenceEffect> {
        let was_connected = self.connected.remove(&participant);
        *self.legs.entry(participant).or_default() += 1;
        let before = self.effects.len();
        self.input(ConferenceInput::MediaReplaced { participant });
        assert_eq!(self.connected.contains(&participant), was_connected, "it is where the old one was");
        self.effects[before..].to_vec()
    }

    /// Whether whoever is connected is heard by legs that are there still, where it has an audience of its own.
    pub(crate) fn is_heard_by_legs_that_are_there(&self) -> bool {
        let audiences = self.connected.iter().filter_map(|id| self.audiences.get(id));
        audiences.flatten().all(|(id, leg)| *leg == self.leg_of(*id))
    }

    fn leg_of(&self, participant: ParticipantId) -> u32 {
        self.legs.get(&participant).copied().unwrap_or_default()
    }

    /// Takes someone in whose leg is up already.
    pub(crate) fn adopt(&mut self, name: &str) -> ParticipantId {
        let (participant, invitee) = (ParticipantId::next(&mut self.ids), invitee(name));
        let identity = invitee.target.identity.clone();
        let info = Box::new(Participant { identity, ..Participant::default() });
        self.called.push((participant, invitee));
        self.input(ConferenceInput::AdoptPerson { participant, info, is_held: false });
        participant
    }

    /// Somebody who has dialled in comes: a user of the directory, or a caller of the phone network.
    pub(crate) fn arrive(&mut self, user: Option<&str>) -> ParticipantId {
        self.come(user, Way::DialledIn)
    }

    /// Somebody comes by the page of a browser: a user of the directory, or a guest.
    pub(crate) fn open_page(&mut self, user: Option<&str>) -> ParticipantId {
        self.come(user, Way::Page)
    }

    fn come(&mut self, user: Option<&str>, way: Way) -> ParticipantId {
        let participant = ParticipantId::next(&mut self.ids);
        let target = InvitationParticipant { identity: dialled_in(user), ..InvitationParticipant::default() };
        self.called.push((participant, Invitee { target, callee: "nobody".into() }));
        let info = Participant { identity: dialled_in(user), ..Participant::default() };
        let arriving = Arriving { participant, info, user: user.map(Into::into), is_held: false, way };
        self.input(ConferenceInput::Arrive(Box::new(arriving)));
        participant
    }

    /// Asks at somebody's page.
    pub(crate) fn at_page(&mut self, participant: ParticipantId, request: PersonRequest) {
        self.input(ConferenceInput::Person { participant, request });
    }

    /// Everything that somebody's page was told, in order.
    pub(crate) fn page_told(&self, person: ParticipantId) -> Vec<PersonEvent> {
        let told = |effect: &ConferenceEffect| match effect {
            ConferenceEffect::TellPerson { participant, event } if *participant == person => {
                Some(event.clone())
            }
            _ => None,
        };
        self.effects.iter().filter_map(told).collect()
    }

    pub(crate) fn hang_up(&mut self, place: usize) {
        self.leg(self.called[place].0, LegEvent::Ended(EndCause::HungUp));
    }

    pub(crate) fn person(&self, place: usize) -> ParticipantId {
        self.called[place].0
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.now = self.now.after(by);
        self.conference.handle_timeout(self.now);
        self.drain();
    }

    /// Asks in the name of a call; returns the operation and the one answer.
    pub(crate) fn ask(
        &mut self,
        number: u128,
        request: ConferenceRequest,
    ) -> (OperationId, Result<ConferenceAnswer, Rejection>) {
        self.asked += 1;
        let (command, operation) = (CommandId(self.asked), OperationId::next(&mut self.ids));
        self.input(ConferenceInput::Ask { call: call(number), command, operation, request });
        let answers: Vec<_> = self
            .told(number)
            .into_iter()
            .filter_map(|event| match event {
                ConferenceEvent::Answered { command: answered, answer } if answered == command => {
                    Some(answer)
                }
                _ => None,
            })
            .collect();
        let [answer] = <[_; 1]>::try_from(answers).expect("a question is answered once, at once");
        (operation, answer)
    }

    pub(crate) fn granted(&mut self, number: u128, request: ConferenceRequest) -> OperationId {
        let (operation, answer) = self.ask(number, request);
        answer.expect("it is granted");
        operation
    }

    pub(crate) fn refused(&mut self, number: u128, request: ConferenceRequest) -> Rejection {
        self.ask(number, request).1.expect_err("it is refused")
    }

    /// Who a call was told speaks most, each time it was.
    pub(crate) fn speakers(&self, number: u128) -> Vec<Option<(ParticipantId, u32)>> {
        self.told(number)
            .into_iter()
            .filter_map(|event| match event {
                ConferenceEvent::Dominant(speaker) => Some(speaker),
                _ => None,
            })
            .collect()
    }

    /// Everything that a call was told, in order.
    pub(crate) fn told(&self, number: u128) -> Vec<ConferenceEvent> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                ConferenceEffect::Tell { call: told, event } if *told == call(number) => Some(event.clone()),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn ending(&self, number: u128) -> Option<Outcome> {
        self.told(number).into_iter().find_map(|event| match event {
            ConferenceEvent::Ended(outcome) => Some(outcome),
            _ => None,
        })
    }

    pub(crate) fn has_joined(&self, number: u128) -> bool {
        self.told(number).contains(&ConferenceEvent::Joined)
    }

    /// How an operation ended, each time it did.
    pub(crate) fn results(&self, operation: OperationId) -> Vec<JobResult> {
        self.effects
            .iter()
            .filter_map(|effect| match effect {
                ConferenceEffect::Tell {
                    event: ConferenceEvent::OperationEnded { operation: ended, result },
                    ..
                } if *ended == operation => Some(result.clone()),
                _ => None,
            })
            .collect()
    }

    /// The operation that took someone aside last.
    pub(crate) fn hold_of(&self, person: ParticipantId) -> Option<OperationId> {
        self.effects.iter().rev().find_map(|effect| match effect {
            ConferenceEffect::StartSound { participant, sound: Sound::Hold { operation, .. } }
                if *participant == person =>
            {
                Some(*operation)
            }
            _ => None,
        })
    }

    pub(crate) fn rosters(&self, number: u128) -> Vec<Roster> {
        self.told(number)
            .into_iter()
            .filter_map(|event| match event {
                ConferenceEvent::Roster(roster) => Some(roster),
                _ => None,
            })
            .collect()
    }

    /// Lets the gathered changes be told, and returns the latest roster.
    pub(crate) fn roster(&mut self, number: u128) -> Roster {
        self.advance(ConferenceConfig::default().roster_fold);
        self.rosters(number).pop().expect("a roster was told")
    }

    /// Names of who is in the latest roster.
    pub(crate) fn names(&mut self, number: u128) -> Vec<String> {
        self.roster(number)
            .participants
            .iter()
            .map(|participant| name_of(&participant.info.identity))
            .collect()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.effects.contains(&ConferenceEffect::Ended)
    }

    /// What `Route` effects say last of each participant.
    pub(crate) fn routes(&self) -> BTreeMap<ParticipantId, (bool, Option<Vec<ParticipantId>>)> {
        let mut routes = BTreeMap::new();
        for effect in &self.effects {
            if let ConferenceEffect::SetRoute { participant, is_in_default_group, audience } = effect {
                routes.insert(*participant, (*is_in_default_group, audience.clone()));
            }
        }
        routes
    }

    fn drain(&mut self) {
        while let Some(effect) = self.conference.poll_effect() {
            assert!(!self.is_over(), "nothing follows the end: {effect:?}");
            match &effect {
                ConferenceEffect::Connect(id) => {
                    assert!(self.connected.insert(*id), "{id} is connected twice");
                    self.audiences.remove(id);
                }
                ConferenceEffect::Disconnect(id) => {
                    assert!(self.connected.remove(id), "{id} is disconnected twice");
                }
                ConferenceEffect::StartLeg { participant, invitee, .. } => {
                    self.called.push((*participant, (**invitee).clone()));
                }
                ConferenceEffect::SetRoute { participant, audience: None, .. } => {
                    self.audiences.remove(participant);
                }
                ConferenceEffect::SetRoute { participant, audience: Some(audience), .. } => {
                    let legs = audience.iter().map(|id| (*id, self.leg_of(*id))).collect();
                    self.audiences.insert(*participant, legs);
                }
                _ => {}
            }
            self.effects.push(effect);
        }
    }
}

pub(crate) fn call(number: u128) -> CallId {
    CallId::from(Uuid::from_u128(number))
}

pub(crate) fn member(number: u128) -> ParticipantId {
    ParticipantId::from(Uuid::from_u128(100 + number))
}

pub(crate) fn joining(number: u128) -> Joining {
    let application = Identity::of(format!("app{number}")).named(format!("bot{number}"));
    Joining {
        call: call(number),
        participant: member(number),
        info: Participant { identity: IdentitySet::application(application), ..Participant::default() },
        is_guest: false,
        is_in_default_group: true,
        is_delta_roster: false,
        is_told_of_speakers: false,
        is_hidden: false,
        invitees: Vec::new(),
    }
}

pub(crate) fn guest(number: u128) -> Joining {
    let name = format!("guest{number}");
    let identity = IdentitySet { guest: Some(Identity::of(&*name).named(&*name)), ..IdentitySet::default() };
    let info = Participant { identity, ..Participant::default() };
    Joining { is_guest: true, info, ..joining(number) }
}

pub(crate) fn invitee(name: &str) -> Invitee {
    let identity = IdentitySet::user(Identity::of(name).named(name));
    Invitee {
        target: InvitationParticipant { identity, ..InvitationParticipant::default() },
        callee: name.into(),
    }
}

/// A user, or a caller of the phone network.
fn dialled_in(user: Option<&str>) -> IdentitySet {
    match user {
        Some(user) => IdentitySet::user(Identity::of(user).named(user)),
        None => IdentitySet { phone: Some(Identity::of(CALLER).named(CALLER)), ..IdentitySet::default() },
    }
}

/// The number of whoever calls.
pub(crate) const CALLER: &str = "+12015550123";

fn name_of(identity: &IdentitySet) -> String {
    let slots = [&identity.application, &identity.guest, &identity.phone, &identity.user];
    slots.into_iter().flatten().find_map(|slot| slot.display_name.clone()).unwrap_or_default()
}

pub(crate) fn meeting(scope: LobbyBypassScope) -> OnlineMeeting {
    OnlineMeeting {
        id: MeetingId::new("m"),
        tenant: "contoso".into(),
        organizer: "bob".into(),
        organizer_name: None,
        thread_id: "19:meeting_a@thread.v2".to_owned(),
        external_id: None,
        subject: None,
        created_at: Timestamp::from_millis(0),
        starts_at: Timestamp::from_millis(0),
        ends_at: Timestamp::from_millis(0),
        attendees: Vec::new(),
        join_meeting_id: "123".to_owned(),
        passcode: None,
        video_teleconference_id: None,
        lobby_bypass: LobbyBypass { scope, is_dial_in_bypass_enabled: false },
        is_admitting_left_to_organizers: false,
        allowed_presenters: AllowedPresenters::Organization,
        is_entry_exit_announced: false,
        is_locked: false,
        consents: BTreeMap::new(),
        options: BTreeMap::new(),
        is_from_file: false,
        revision: 0,
    }
}
