//! Dialogues in virtual time: what is said to every caller, and that all of them end.

use std::time::Duration;

use attendant::{Dialogue, DialogueConfig, Effect, Input, Looked, Sentence, SoundId};
use model::{Timestamp, Tone};
use proptest::prelude::*;

use Sentence::*;

/// A caller, the time, and everything that was done.
struct Caller {
    dialogue: Dialogue,
    now: Timestamp,
    effects: Vec<Effect>,
}

impl Caller {
    fn new() -> Self {
        let now = Timestamp::from_millis(1_000_000);
        let dialogue = Dialogue::new(DialogueConfig::default(), now);
        let mut caller = Self { dialogue, now, effects: Vec::new() };
        caller.drain();
        caller
    }

    fn drain(&mut self) {
        while let Some(effect) = self.dialogue.poll_effect() {
            assert!(!self.is_over(), "nothing follows the end: {effect:?}");
            self.effects.push(effect);
        }
    }

    fn input(&mut self, input: Input) {
        self.dialogue.handle(input, self.now);
        self.drain();
    }

    fn press(&mut self, keys: &str) {
        for key in keys.chars() {
            self.wait(Duration::from_millis(300));
            self.input(Input::Key(Tone::from_key(key).expect("a key")));
        }
    }

    /// Lets time pass, with every deadline in its order.
    fn wait(&mut self, time: Duration) {
        let until = self.now.after(time);
        while let Some(deadline) = self.dialogue.poll_timeout().filter(|deadline| *deadline <= until) {
            self.now = self.now.max(deadline);
            self.dialogue.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    /// What is being said has been.
    fn listen(&mut self) {
        let sound = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Say { sound, .. } => Some(*sound),
            Effect::HangUp | Effect::Join | Effect::LookUp { .. } | Effect::Stop(_) => None,
        });
        self.input(Input::SoundEnded(sound.expect("something was said")));
    }

    fn looked(&mut self, looked: Looked) {
        self.input(Input::Looked(looked));
    }

    /// What was said last.
    fn said(&self) -> &[Sentence] {
        let said = self.effects.iter().rev().find_map(|effect| match effect {
            Effect::Say { sentences, .. } => Some(sentences.as_slice()),
            Effect::HangUp | Effect::Join | Effect::LookUp { .. } | Effect::Stop(_) => None,
        });
        said.unwrap_or_default()
    }

    /// What was looked up last.
    fn lookup(&self) -> Option<(&str, Option<&str>)> {
        match self.effects.last() {
            Some(Effect::LookUp { meeting, passcode }) => Some((meeting, passcode.as_deref())),
            _ => None,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.effects.last(), Some(Effect::HangUp | Effect::Join))
    }

    fn has_hung_up(&self) -> bool {
        self.effects.last() == Some(&Effect::HangUp)
    }
}

#[test]
fn a_caller_with_id_and_passcode_joins() {
    let mut caller = Caller::new();
    assert_eq!(caller.said(), [Welcome, AskMeetingId]);
    caller.listen();
    caller.press("1234567#");
    assert_eq!(caller.lookup(), Some(("1234567", None)));
    caller.looked(Looked::NeedsPasscode);
    assert_eq!(caller.said(), [AskPasscode]);
    caller.press("779123#");
    assert_eq!(caller.lookup(), Some(("1234567", Some("779123"))));
    caller.looked(Looked::Found);
    assert_eq!(caller.effects.last(), Some(&Effect::Join));
    assert_eq!(caller.dialogue.poll_timeout(), None);
}

#[test]
fn a_meeting_without_a_passcode_is_joined_at_once() {
    let mut caller = Caller::new();
    caller.press("7654321#");
    caller.looked(Looked::Found);
    assert_eq!(caller.effects.last(), Some(&Effect::Join));
}

#[test]
fn a_key_stops_what_is_said_and_its_end_means_nothing_any_more() {
    let mut caller = Caller::new();
    caller.press("1");
    assert_eq!(caller.effects.last(), Some(&Effect::Stop(SoundId(1))));
    caller.input(Input::SoundEnded(SoundId(1)));
    caller.press("2#");
    assert_eq!(caller.lookup(), Some(("12", None)));
}

#[test]
fn keys_of_no_telephone_mean_nothing() {
    let mut caller = Caller::new();
    let before = caller.effects.len();
    for key in [Tone::A, Tone::B, Tone::C, Tone::D, Tone::Flash] {
        caller.input(Input::Key(key));
    }
    assert_eq!(caller.effects.len(), before);
}

#[test]
fn an_entry_ends_when_no_key_comes_for_some_seconds() {
    let mut caller = Caller::new();
    caller.press("12");
    caller.wait(Duration::from_millis(3699));
    caller.press("3");
    caller.wait(Duration::from_millis(3999));
    assert_eq!(caller.lookup(), None);
    caller.wait(Duration::from_millis(1));
    assert_eq!(caller.lookup(), Some(("123", None)));
}

#[test]
fn a_star_begins_the_entry_again() {
    let mut caller = Caller::new();
    caller.press("99*");
    assert_eq!(caller.said(), [AskMeetingId]);
    caller.press("12#");
    assert_eq!(caller.lookup(), Some(("12", None)));
}

#[test]
fn silence_is_asked_again_twice_and_then_hung_up_on() {
    for ends_by_pound in [false, true] {
        let mut caller = Caller::new();
        for _ in 0..2 {
            caller.listen();
            if ends_by_pound {
                caller.press("#")
            } else {
                caller.wait(Duration::from_secs(8))
            }
            assert_eq!(caller.said(), [NoEntry, AskMeetingId]);
        }
        caller.listen();
        caller.wait(Duration::from_secs(8));
        assert_eq!(caller.said(), [NoEntry, GoodBye]);
        assert!(!caller.is_over(), "good-bye is said first");
        caller.listen();
        assert!(caller.has_hung_up());
    }
}

#[test]
fn three_wrong_entries_of_either_kind_are_one_too_many() {
    let mut caller = Caller::new();
    caller.press("1#");
    caller.looked(Looked::UnknownMeeting);
    assert_eq!(caller.said(), [UnknownMeeting, AskMeetingId]);
    caller.press("2#");
    caller.looked(Looked::NeedsPasscode);
    caller.press("3#");
    caller.looked(Looked::WrongPasscode);
    assert_eq!(caller.said(), [WrongPasscode, AskPasscode]);
    caller.press("4#");
    assert_eq!(caller.lookup(), Some(("2", Some("4"))), "the id stands");
    caller.looked(Looked::WrongPasscode);
    assert_eq!(caller.said(), [WrongPasscode, GoodBye]);
    caller.press("5#");
    caller.listen();
    assert!(caller.has_hung_up());
}

#[test]
fn whoever_cannot_join_is_told_why_and_hung_up_on() {
    for (looked, why) in
        [(Looked::Locked, Locked), (Looked::TooManyGuesses, TooManyTries), (Looked::Unavailable, Unavailable)]
    {
        let mut caller = Caller::new();
        caller.press("1#");
        caller.looked(looked);
        assert_eq!(caller.said(), [why, GoodBye]);
        caller.listen();
        assert!(caller.has_hung_up());
    }
}

#[test]
fn an_entry_that_is_longer_than_any_is_wrong_without_being_looked_up() {
    let mut caller = Caller::new();
    caller.press(&format!("{}#", "1".repeat(33)));
    assert_eq!(caller.lookup(), None);
    assert_eq!(caller.said(), [UnknownMeeting, AskMeetingId]);
    caller.press(&format!("{}#", "1".repeat(32)));
    assert_eq!(caller.lookup(), Some((&*"1".repeat(32), None)));
}

#[test]
fn a_program_that_dials_without_listening_gets_in() {
    let mut caller = Caller::new();
    caller.press("1234567#779123#");
    caller.looked(Looked::NeedsPasscode);
    assert_eq!(caller.lookup(), Some(("1234567", Some("779123"))));
}

#[test]
fn keys_that_were_meant_for_another_question_are_forgotten() {
    let mut caller = Caller::new();
    caller.press("1#779123#");
    caller.looked(Looked::UnknownMeeting);
    caller.press("2#");
    assert_eq!(caller.lookup(), Some(("2", None)));
}

#[test]
fn looking_up_and_saying_have_an_end_even_if_nobody_tells_of_it() {
    let mut caller = Caller::new();
    caller.press("1#");
    caller.wait(Duration::from_secs(10));
    assert_eq!(caller.said(), [Unavailable, GoodBye]);
    caller.looked(Looked::Found);
    caller.wait(Duration::from_secs(20));
    assert!(caller.has_hung_up(), "what is found too late is not joined");

    let mut caller = Caller::new();
    caller.wait(Duration::from_secs(28));
    assert_eq!(caller.said(), [NoEntry, AskMeetingId]);
}

#[test]
fn whoever_never_comes_to_an_end_is_hung_up_on() {
    let mut caller = Caller::new();
    while caller.said() != [GoodBye] {
        caller.press("12*");
    }
    caller.listen();
    assert!(caller.has_hung_up());
}

#[derive(Clone, Debug)]
enum Step {
    Key(char),
    Listen,
    Looked(Looked),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let looked = prop_oneof![
        1 => Just(Looked::Found),
        1 => Just(Looked::Locked),
        3 => Just(Looked::NeedsPasscode),
        1 => Just(Looked::TooManyGuesses),
        1 => Just(Looked::Unavailable),
        3 => Just(Looked::UnknownMeeting),
        3 => Just(Looked::WrongPasscode),
    ];
    prop_oneof![
        6 => prop::sample::select("0123456789ABCD*#####".chars().collect::<Vec<_>>()).prop_map(Step::Key),
        2 => Just(Step::Listen),
        4 => looked.prop_map(Step::Looked),
        2 => (0..12_000_u64).prop_map(Step::Wait),
    ]
}

proptest! {
    #[test]
    fn every_dialogue_ends_in_time_and_once(steps in prop::collection::vec(step(), 0..200)) {
        let config = DialogueConfig::default();
        let mut caller = Caller::new();
        let began = caller.now;
        for step in steps {
            match step {
                Step::Key(key) => caller.input(Input::Key(Tone::from_key(key).expect("a key"))),
                Step::Listen => caller.listen(),
                Step::Looked(looked) => caller.looked(looked),
                Step::Wait(millis) => caller.wait(Duration::from_millis(millis)),
            }
        }
        caller.wait(config.max_duration + config.max_sound);
        prop_assert!(caller.is_over() && caller.dialogue.poll_timeout().is_none());
        prop_assert!(caller.now.since(began) > Duration::ZERO);
        let lookups = caller.effects.iter().filter(|effect| matches!(effect, Effect::LookUp { .. })).count();
        prop_assert!(lookups <= 2 * config.max_tries as usize, "{lookups} lookups");
        let (mut said, mut stopped) = (0, 0);
        for effect in &caller.effects {
            match effect {
                Effect::Say { sound, .. } => {
                    said += 1;
                    prop_assert_eq!(*sound, SoundId(said), "sounds are named in order");
                }
                Effect::Stop(sound) => {
                    prop_assert!(sound.0 > stopped && sound.0 <= said, "a sound is stopped once");
                    stopped = sound.0;
                }
                Effect::HangUp | Effect::Join | Effect::LookUp { .. } => {}
            }
        }
    }
}
