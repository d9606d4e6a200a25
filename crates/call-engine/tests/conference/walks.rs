//! What holds on every path: random histories against the promises of a conference.

use std::collections::BTreeMap;
use std::time::Duration;

use call_engine::{
    ConferenceEffect, ConferenceEvent, ConferenceInput, ConferenceRequest, EndCause, Joining, LegEvent,
    PersonEvent, PersonRequest,
};
use model::{
    AudioRoutingGroup, CallId, ChangeType, LobbyBypassScope, Outcome, ParticipantId, RoutingMode,
    ScreenSharingRole, Transferee,
};
use proptest::prelude::*;

use crate::harness::{Harness, call, guest, invitee, joining, member};

/// One step of a history. Numbers choose among the calls or the people that are there.
#[derive(Clone, Debug)]
enum Step {
    Adopt,
    Advance(u64),
    Answered(usize),
    Arrive(bool),
    AtPage(usize, PageAsks),
    CallsMediaReplaced(u128),
    Depart(usize),
    Dominant(Option<usize>),
    Ask(u128, Asked),
    Held(usize, bool),
    HangUp(usize),
    Join(u128, bool, usize),
    Leave(u128),
    MediaReplaced(usize),
    OpenPage(bool),
    PersonReplaced(usize),
    Release(u128, usize),
    ScreenShown(usize),
    SoundStarted(usize, bool),
}

#[derive(Clone, Debug)]
enum Asked {
    AdmitAll,
    Gallery,
    Hold(usize),
    Invite(usize),
    Mute(usize),
    MuteAll,
    Remove(usize),
    RemoveCall(u128),
    Transfer(usize),
    Route(usize, usize),
    Share(bool),
    Unhold(usize),
    UnmuteSelf,
}

#[derive(Clone, Debug)]
enum PageAsks {
    AdmitAll,
    Camera(bool),
    Hand(bool),
    Mute(usize),
    MuteSelf(bool),
    Remove(usize),
    Screen(bool),
}

fn page_asks() -> impl Strategy<Value = PageAsks> {
    prop_oneof![
        1 => Just(PageAsks::AdmitAll),
        1 => any::<bool>().prop_map(PageAsks::Camera),
        1 => any::<bool>().prop_map(PageAsks::Hand),
        1 => (0..6_usize).prop_map(PageAsks::Mute),
        1 => any::<bool>().prop_map(PageAsks::MuteSelf),
        1 => (0..6_usize).prop_map(PageAsks::Remove),
        4 => any::<bool>().prop_map(PageAsks::Screen),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let call = 1..5_u128;
    let person = 0..6_usize;
    let asked = prop_oneof![
        Just(Asked::AdmitAll),
        Just(Asked::Gallery),
        person.clone().prop_map(Asked::Hold),
        (1..4_usize).prop_map(Asked::Invite),
        person.clone().prop_map(Asked::Mute),
        Just(Asked::MuteAll),
        person.clone().prop_map(Asked::Remove),
        call.clone().prop_map(Asked::RemoveCall),
        person.clone().prop_map(Asked::Transfer),
        (person.clone(), person.clone()).prop_map(|(a, b)| Asked::Route(a, b)),
        any::<bool>().prop_map(Asked::Share),
        person.clone().prop_map(Asked::Unhold),
        Just(Asked::UnmuteSelf),
    ];
    prop_oneof![
        3 => (0..200_000_u64).prop_map(Step::Advance),
        6 => person.clone().prop_map(Step::Answered),
        1 => call.clone().prop_map(Step::CallsMediaReplaced),
        2 => prop::option::of(person.clone()).prop_map(Step::Dominant),
        8 => (call.clone(), asked).prop_map(|(call, asked)| Step::Ask(call, asked)),
        1 => (person.clone(), any::<bool>()).prop_map(|(person, held)| Step::Held(person, held)),
        2 => person.clone().prop_map(Step::HangUp),
        5 => (call.clone(), any::<bool>(), 0..3_usize).prop_map(|(call, guest, called)| Step::Join(call, guest, called)),
        1 => call.clone().prop_map(Step::Leave),
        1 => Just(Step::Adopt),
        2 => any::<bool>().prop_map(Step::Arrive),
        3 => any::<bool>().prop_map(Step::OpenPage),
        6 => (person.clone(), page_asks()).prop_map(|(person, asks)| Step::AtPage(person, asks)),
        2 => person.clone().prop_map(Step::ScreenShown),
        1 => (call, person.clone()).prop_map(|(call, person)| Step::Release(call, person)),
        1 => person.clone().prop_map(Step::Depart),
        1 => person.clone().prop_map(Step::PersonReplaced),
        2 => person.clone().prop_map(Step::MediaReplaced),
        2 => (person, any::<bool>()).prop_map(|(person, ok)| Step::SoundStarted(person, ok)),
    ]
}

/// Every other call is told who speaks most.
const fn is_told_of_speakers(number: u128) -> bool {
    number.is_multiple_of(2)
}

/// A conference, and what the world around it knows.
struct World {
    harness: Harness,
    joined: BTreeMap<u128, usize>,
    legs: BTreeMap<ParticipantId, bool>,
    asked: u64,
    questions: Vec<(CallId, call_engine::CommandId, bool)>,
}

impl World {
    fn new(is_meeting: bool) -> Self {
        let harness =
            if is_meeting { Harness::meeting(LobbyBypassScope::Organization) } else { Harness::group() };
        Self { harness, joined: BTreeMap::new(), legs: BTreeMap::new(), asked: 0, questions: Vec::new() }
    }

    fn person(&self, place: usize) -> Option<ParticipantId> {
        self.harness.called.len().checked_sub(1).map(|last| self.harness.called[last - place.min(last)].0)
    }

    fn take(&mut self, step: &Step) {
        if self.harness.is_over() {
            return;
        }
        match step {
            Step::Adopt => drop(self.harness.adopt("ann")),
            Step::Advance(millis) => self.harness.advance(Duration::from_millis(*millis)),
            Step::Answered(place) => self.leg(*place, LegEvent::Answered),
            Step::Arrive(is_user) => drop(self.harness.arrive(is_user.then_some("bob"))),
            Step::Ask(number, asked) => self.ask(*number, asked),
            Step::AtPage(place, asks) => self.at_page(*place, asks),
            Step::CallsMediaReplaced(number) => drop(self.harness.replace_media(member(*number))),
            Step::Depart(place) => {
                let Some(participant) = self.person(*place) else { return };
                self.harness.input(ConferenceInput::Depart { participant });
            }
            Step::Dominant(place) => {
                let speaker = place.and_then(|place| self.person(place));
                self.harness.input(ConferenceInput::Dominant(speaker));
            }
            Step::Held(place, is_held) => self.leg(*place, LegEvent::Held(*is_held)),
            Step::HangUp(place) => self.leg(*place, LegEvent::Ended(EndCause::HungUp)),
            Step::Join(number, is_guest, called) => self.join(*number, *is_guest, *called),
            Step::Leave(number) => self.harness.input(ConferenceInput::Leave { call: call(*number) }),
            Step::MediaReplaced(place) => {
                let Some(participant) = self.person(*place) else { return };
                self.harness.replace_media(participant);
            }
            Step::OpenPage(is_user) => drop(self.harness.open_page(is_user.then_some("bob"))),
            Step::PersonReplaced(place) => {
                let Some(participant) = self.person(*place) else { return };
                let info = Box::new(model::Participant::default());
                self.harness.input(ConferenceInput::PersonReplaced { participant, info });
            }
            Step::Release(number, place) => {
                let Some(participant) = self.person(*place) else { return };
                let by = call(*number);
                self.harness.input(ConferenceInput::Release { participant, by });
            }
            Step::ScreenShown(place) => {
                let Some(participant) = self.person(*place) else { return };
                self.harness.input(ConferenceInput::ScreenShown { participant });
            }
            Step::SoundStarted(place, is_ok) => {
                let Some(participant) = self.person(*place) else { return };
                let result = if *is_ok { Ok(()) } else { Err(Outcome::PromptInvalid) };
                let Some(operation) = self.harness.hold_of(participant) else { return };
                self.harness.input(ConferenceInput::SoundStarted { participant, operation, result });
            }
        }
        self.obey();
        self.check();
    }

    fn leg(&mut self, place: usize, event: LegEvent) {
        let Some(person) = self.person(place) else { return };
        // A leg says nothing after its end.
        if self.legs.get(&person) == Some(&false) {
            return;
        }
        if matches!(event, LegEvent::Ended(_)) {
            self.legs.insert(person, false);
        }
        self.harness.leg(person, event);
    }

    /// A call joins once.
    fn join(&mut self, number: u128, is_guest: bool, called: usize) {
        if self.joined.contains_key(&number) {
            return;
        }
        self.joined.insert(number, 0);
        let names = ["john", "user1", "user2"];
        let invitees = names.iter().take(called).map(|name| invitee(name)).collect();
        let joining = if is_guest { guest(number) } else { Joining { invitees, ..joining(number) } };
        let joining = Joining { is_told_of_speakers: is_told_of_speakers(number), ..joining };
        self.harness.input(ConferenceInput::Join(Box::new(joining)));
    }

    fn ask(&mut self, number: u128, asked: &Asked) {
        let person = |place: &usize| self.person(*place).unwrap_or(member(9));
        let request = match asked {
            Asked::AdmitAll => ConferenceRequest::Admit(None),
            Asked::Gallery => ConferenceRequest::AddLargeGalleryView,
            Asked::Hold(place) => {
                ConferenceRequest::StartHoldMusic { participant: person(place), prompt: None }
            }
            Asked::Invite(count) => ConferenceRequest::Invite(
                ["a", "b", "c"].iter().take(*count).map(|name| invitee(name)).collect(),
            ),
            Asked::Mute(place) => ConferenceRequest::Mute(person(place)),
            Asked::MuteAll => ConferenceRequest::MuteAll(Vec::new()),
            Asked::Remove(place) => ConferenceRequest::Remove(person(place)),
            Asked::RemoveCall(other) => ConferenceRequest::Remove(member(*other)),
            Asked::Transfer(place) => ConferenceRequest::Transfer(Transferee::Participant(person(place))),
            Asked::Route(from, to) => ConferenceRequest::CreateGroup(AudioRoutingGroup {
                id: format!("{from}{to}"),
                mode: RoutingMode::OneToOne,
                sources: vec![person(from)],
                receivers: vec![person(to)],
            }),
            Asked::Share(true) => ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Sharer),
            Asked::Share(false) => ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Viewer),
            Asked::Unhold(place) => ConferenceRequest::StopHoldMusic(person(place)),
            Asked::UnmuteSelf => ConferenceRequest::UnmuteSelf,
        };
        let was_in = self.joined.contains_key(&number) && self.harness.ending(number).is_none();
        self.asked += 1;
        let command = call_engine::CommandId(self.asked);
        let operation = model::OperationId::from(uuid::Uuid::from_u128(1 << 100 | u128::from(self.asked)));
        self.questions.push((call(number), command, was_in));
        self.harness.input(ConferenceInput::Ask { call: call(number), command, operation, request });
    }

    fn at_page(&mut self, place: usize, asks: &PageAsks) {
        let Some(id) = self.person(place) else { return };
        let other = |place: &usize| self.person(*place).unwrap_or(member(9));
        let request = match asks {
            PageAsks::AdmitAll => PersonRequest::Admit(None),
            PageAsks::Camera(is_on) => PersonRequest::Camera(*is_on),
            PageAsks::Hand(is_raised) => PersonRequest::Hand(*is_raised),
            PageAsks::Mute(place) => PersonRequest::Mute(other(place)),
            PageAsks::MuteSelf(is_muted) => PersonRequest::MuteSelf(*is_muted),
            PageAsks::Remove(place) => PersonRequest::Remove(other(place)),
            PageAsks::Screen(is_on) => PersonRequest::Screen(*is_on),
        };
        self.harness.at_page(id, request);
    }

    /// Far ends that are told to end do so.
    fn obey(&mut self) {
        for (id, _) in &self.harness.called {
            self.legs.entry(*id).or_insert(true);
        }
        for effect in &self.harness.effects {
            if let ConferenceEffect::Released(id) = effect {
                self.legs.insert(*id, false);
            }
        }
        let told: Vec<ParticipantId> = self
            .harness
            .effects
            .iter()
            .filter_map(|effect| match effect {
                ConferenceEffect::EndLeg(id) | ConferenceEffect::TurnAway(id)
                    if self.legs.get(id) == Some(&true) =>
                {
                    Some(*id)
                }
                _ => None,
            })
            .collect();
        for id in told {
            self.legs.insert(id, false);
            if !self.harness.is_over() {
                self.harness.leg(id, LegEvent::Ended(EndCause::LocalHangUp));
            }
        }
    }

    fn check(&self) {
        for number in self.joined.keys() {
            let told = self.harness.told(*number);
            let ends = told.iter().filter(|event| matches!(event, ConferenceEvent::Ended(_))).count();
            assert!(ends <= 1, "call {number} ends {ends} times");
            if ends == 1 && !told.last().is_some_and(|last| matches!(last, ConferenceEvent::Ended(_))) {
                // Only the answer to what made it end may follow.
                let after = told.iter().rev().take_while(|event| !matches!(event, ConferenceEvent::Ended(_)));
                assert!(
                    after.into_iter().all(|event| matches!(event, ConferenceEvent::Answered { .. })),
                    "call {number} is told something after its end"
                );
            }
            let present = self.harness.conference.roster_for(call(*number));
            assert_eq!(present.is_some(), ends == 0, "call {number}");
            self.check_speakers(*number, ends > 0);
            check_sharing(&told);
        }
        self.check_pages();
        for (asking, command, was_in) in &self.questions {
            let answers = self.harness.effects.iter().filter(|effect| {
                matches!(effect, ConferenceEffect::Tell { call, event: ConferenceEvent::Answered { command: answered, .. } }
                    if call == asking && answered == command)
            });
            assert_eq!(answers.count(), usize::from(*was_in), "a question is answered once");
        }
        for id in &self.harness.connected {
            assert_ne!(self.legs.get(id), Some(&false), "a leg that has ended is connected");
        }
        assert!(self.harness.is_heard_by_legs_that_are_there());
    }

    fn check_pages(&self) {
        let mut shown = BTreeMap::new();
        for (id, _) in &self.harness.called {
            let told = self.harness.page_told(*id);
            let ends = told.iter().position(|event| matches!(event, PersonEvent::Ended(_)));
            assert!(ends.is_none_or(|at| at + 1 == told.len()), "a page is told something after its end");
        }
        for effect in &self.harness.effects {
            if let ConferenceEffect::ShowPictures { participant, camera, screen } = effect {
                let before = shown.insert(*participant, (*camera, *screen));
                assert_ne!(before.unwrap_or_default(), (*camera, *screen), "it is shown as before");
            }
        }
        let screens = shown.iter().filter(|(id, (_, screen))| *screen && self.legs.get(id) != Some(&false));
        assert!(screens.count() <= 1, "there is one screen");
    }

    fn check_speakers(&self, number: u128, is_over: bool) {
        let told = self.harness.speakers(number);
        assert!(told.is_empty() || is_told_of_speakers(number), "call {number} did not ask");
        let known: Vec<_> = std::iter::once(None).chain(told).collect();
        assert!(known.windows(2).all(|pair| pair[0] != pair[1]), "call {number} is told what it knows");
        if is_told_of_speakers(number) && !is_over {
            let speaker = self.harness.conference.dominant_for(call(number));
            assert_eq!(known.last(), Some(&speaker), "call {number} is told who speaks");
        }
    }

    /// Everyone leaves.
    fn run_out(&mut self) {
        for number in 1..5 {
            if !self.harness.is_over() {
                self.harness.input(ConferenceInput::Leave { call: call(number) });
                self.obey();
            }
        }
        let left: Vec<ParticipantId> =
            self.legs.iter().filter(|(_, is_up)| **is_up).map(|(id, _)| *id).collect();
        for id in left {
            if !self.harness.is_over() && self.legs.get(&id) == Some(&true) {
                self.legs.insert(id, false);
                self.harness.leg(id, LegEvent::Ended(EndCause::HungUp));
                self.obey();
            }
        }
    }
}

/// A screen is told of from its beginning to its end, under one name.
fn check_sharing(told: &[ConferenceEvent]) {
    let mut shared = None;
    for event in told {
        let ConferenceEvent::ContentSharing { change, session } = event else { continue };
        match change {
            ChangeType::Created => assert_eq!(shared.replace(*session), None),
            ChangeType::Updated => assert_eq!(shared, Some(*session)),
            ChangeType::Deleted => assert_eq!(shared.take(), Some(*session)),
        }
    }
}

proptest! {
    #[test]
    fn every_promise_is_kept(is_meeting: bool, steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new(is_meeting);
        world.take(&Step::Join(1, false, 2));
        for step in &steps {
            world.take(step);
        }
        world.run_out();
        prop_assert!(world.harness.is_over(), "a conference that everyone has left is over");
        prop_assert!(world.harness.connected.is_empty(), "nobody stays connected");
        prop_assert!(world.legs.values().all(|is_up| !is_up), "no leg is left up");
        for number in world.joined.keys() {
            prop_assert!(world.harness.ending(*number).is_some(), "call {} has no end", number);
        }
        let mut ended = BTreeMap::<_, usize>::new();
        for effect in &world.harness.effects {
            if let ConferenceEffect::Tell { event: ConferenceEvent::OperationEnded { operation, .. }, .. } = effect {
                *ended.entry(*operation).or_default() += 1;
            }
        }
        prop_assert!(ended.values().all(|times| *times == 1), "an operation ends once");
    }

    #[test]
    fn the_same_history_has_the_same_effects(is_meeting: bool, steps in prop::collection::vec(step(), 1..60)) {
        let play = || {
            let mut world = World::new(is_meeting);
            steps.iter().for_each(|step| world.take(step));
            world.harness.effects
        };
        prop_assert_eq!(play(), play());
    }
}
