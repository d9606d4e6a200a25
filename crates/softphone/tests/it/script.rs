//! The state machine, told what happens and when.

use std::sync::Arc;
use std::time::Duration;

use media_engine::Tone;
use media_engine::analysis::{sine, speech_like};
use softphone::{
    Action, Effect, End, FailureKind, Input, Outcome, Plan, Script, Sound, Step, TransferNews, keys,
};

const RATE: u32 = 16_000;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A script on a clock of its own.
struct Stage {
    script: Script,
    now: Duration,
    /// What people were told, as a telephone shows it.
    shown: Vec<String>,
}

impl Stage {
    fn new(actions: Vec<Action>) -> Self {
        Self::with(actions, None)
    }

    fn with(actions: Vec<Action>, hang_up_after: Option<Duration>) -> Self {
        let label = |at: usize| format!("step {}", at + 1);
        let steps = actions.into_iter().enumerate();
        let steps = steps.map(|(at, action)| Step { label: label(at), action }).collect();
        let plan = Plan { steps, hang_up_after, expect_timeout: ms(10_000), expected_refusal: None };
        let now = ms(500_000);
        Self { script: Script::new(plan, now), now, shown: Vec::new() }
    }

    /// One whose call has been answered.
    fn answered(actions: Vec<Action>) -> Self {
        let mut stage = Self::new(actions);
        stage.now += ms(1_000);
        stage.input(Input::Answered);
        stage
    }

    fn input(&mut self, input: Input<'_>) {
        self.script.handle(input, self.now);
    }

    /// What is to be done, but for what is told.
    fn effects(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(effect) = self.script.poll_effect() {
            match effect {
                Effect::Told(moment) => self.shown.push(moment.to_string()),
                Effect::HangUp
                | Effect::Hold(_)
                | Effect::Press { .. }
                | Effect::Say { .. }
                | Effect::Tone { .. }
                | Effect::Transfer(_) => effects.push(effect),
            }
        }
        effects
    }

    fn effect(&mut self) -> Effect {
        let mut effects = self.effects();
        assert_eq!(effects.len(), 1, "{effects:?}");
        effects.remove(0)
    }

    fn assert_hangs_up(&mut self) {
        let effects = self.effects();
        assert!(matches!(effects[..], [Effect::HangUp]), "{effects:?}");
        self.input(Input::Ended(End::ThisSide));
        assert!(self.script.is_over());
        assert_eq!(self.script.poll_timeout(), None);
    }

    /// Lets time pass, and does what is due on the way.
    fn wait(&mut self, wait: Duration) {
        let end = self.now + wait;
        while let Some(due) = self.script.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.script.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Lets sound be heard as it comes: 20 ms after 20 ms.
    fn hear(&mut self, samples: &[i16]) {
        for frame in samples.chunks_exact(320) {
            self.wait(ms(20));
            self.input(Input::Heard(frame));
        }
    }

    fn silence(&mut self, wait: Duration) {
        self.hear(&vec![0; (wait.as_millis() * 16) as usize]);
    }

    fn failure(&mut self) -> String {
        self.effects();
        self.script.report().failure.map(|failure| failure.to_string()).unwrap_or_default()
    }

    fn done(&mut self, job: u64, is_done: bool) {
        self.input(Input::Played { job, is_done });
    }
}

fn tone(length: Duration) -> Vec<i16> {
    sine(440.0, RATE, 3_000.0, (length.as_millis() * 16) as usize)
}

fn sound(samples: Vec<i16>) -> Arc<Sound> {
    Arc::new(Sound::from_samples(samples, RATE).unwrap())
}

fn press(text: &str) -> Action {
    Action::Dtmf(keys(text).unwrap())
}

fn expect_keys(text: &str) -> Action {
    Action::ExpectDtmf(keys(text).unwrap())
}

fn key(key: char) -> Input<'static> {
    Input::Key(Tone::from_char(key).unwrap())
}

#[test]
fn steps_are_done_one_after_the_other_and_then_it_hangs_up() {
    let mut stage = Stage::new(vec![Action::ExpectTone { hz: 440 }, press("1#"), Action::Pause(ms(300))]);
    assert!(stage.effects().is_empty(), "nothing happens before the answer");
    stage.now += ms(2_000);
    stage.input(Input::Answered);
    stage.silence(ms(500));
    assert!(stage.effects().is_empty());
    stage.hear(&tone(ms(140)));
    let Effect::Press { job, keys } = stage.effect() else { panic!("no keys") };
    assert_eq!(keys.iter().map(|key| key.key()).collect::<String>(), "1#");
    stage.done(job + 1, true);
    assert!(stage.script.poll_timeout().is_some_and(|due| due > stage.now + ms(1_000)), "not its own job");
    stage.now += ms(400);
    stage.done(job, true);
    stage.wait(ms(300));
    stage.assert_hangs_up();

    let report = stage.script.report();
    assert!(report.has_passed());
    assert_eq!(report.talked, Some(ms(1_340)));
    let met = |began, ended| Outcome::Met { began: ms(began), ended: ms(ended) };
    let outcomes: Vec<_> = report.steps.into_iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [met(0, 640), met(640, 1_040), met(1_040, 1_340)]);
    stage.effects();
    assert_eq!(
        stage.shown,
        [
            " 00:00.000  answered",
            " 00:00.000  step 1",
            " 00:00.640  heard the tone",
            " 00:00.640  step 2",
            " 00:01.040  step 3",
            " 00:01.340  hung up",
        ]
    );
}

#[test]
fn an_expectation_that_is_not_met_names_the_moment_and_what_was_heard_instead() {
    let mut stage = Stage::answered(vec![Action::Pause(ms(120)), Action::ExpectTone { hz: 440 }, press("1")]);
    stage.silence(ms(11_000));
    assert_eq!(
        stage.failure(),
        "failed at 00:10.120: expected a tone of 440 Hz within 10 s; heard silence (-100 dBFS)"
    );
    let outcomes: Vec<_> = stage.script.report().steps.into_iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes[1..], [Outcome::Failed { began: ms(120) }, Outcome::NotReached]);

    let mut stage = Stage::answered(vec![Action::ExpectTone { hz: 440 }]);
    stage.hear(&speech_like(RATE, 170_000));
    assert!(stage.failure().contains("heard other sound (-"), "{}", stage.failure());
}

#[test]
fn a_failed_step_hangs_up_and_what_comes_afterwards_changes_nothing() {
    let mut stage = Stage::answered(vec![Action::ExpectTone { hz: 440 }, press("1")]);
    stage.wait(ms(10_000));
    let failure = stage.script.report().failure;
    assert!(matches!(stage.effects()[..], [Effect::HangUp]));
    stage.hear(&tone(ms(500)));
    stage.input(key('1'));
    stage.input(Input::Interrupted);
    stage.input(Input::Ended(End::FarEnd));
    stage.input(Input::Ended(End::ThisSide));
    assert!(stage.effects().is_empty());
    assert_eq!(stage.script.report().failure, failure);
}

#[test]
fn a_known_sound_has_to_begin_in_time() {
    let speech = speech_like(RATE, 24_000);
    for (silent_ms, within, expected) in [
        (200, Some(ms(300)), None),
        (520, Some(ms(300)), Some("the sound began after 5")),
        (3_000, None, None),
    ] {
        let action = Action::ExpectSound { sound: sound(speech.clone()), within };
        let mut stage = Stage::answered(vec![action]);
        stage.silence(ms(silent_ms));
        stage.hear(&speech);
        stage.silence(ms(400));
        let failure = stage.failure();
        match expected {
            None => assert_eq!(failure, "", "after {silent_ms} ms"),
            Some(words) => assert!(failure.contains(words), "{failure}"),
        }
    }
}

#[test]
fn a_known_sound_that_does_not_come_is_missed_once_it_could_not_come_any_more() {
    let action = Action::ExpectSound { sound: sound(speech_like(RATE, 24_000)), within: Some(ms(300)) };
    let mut stage = Stage::answered(vec![action]);
    stage.silence(ms(5_000));
    assert_eq!(
        stage.failure(),
        "failed at 00:02.300: expected the sound to begin within 300 ms; heard silence (-100 dBFS)"
    );
}

#[test]
fn keys_are_expected_in_their_order_and_those_that_came_early_count() {
    let mut stage = Stage::answered(vec![Action::Pause(ms(1_000)), expect_keys("1#"), expect_keys("2")]);
    stage.input(key('1'));
    stage.wait(ms(1_000));
    stage.input(key('#'));
    stage.input(key('2'));
    stage.assert_hangs_up();
    assert!(stage.script.report().has_passed());

    let mut stage = Stage::answered(vec![expect_keys("1#")]);
    stage.input(key('1'));
    stage.input(key('2'));
    assert_eq!(stage.failure(), "failed at 00:00.000: heard the key 2 instead of #");

    let mut stage = Stage::answered(vec![expect_keys("1#")]);
    stage.input(key('1'));
    stage.wait(ms(10_000));
    assert_eq!(stage.failure(), "failed at 00:10.000: expected the keys 1# within 10 s; heard only 1");
    let mut stage = Stage::answered(vec![expect_keys("1#")]);
    stage.wait(ms(10_000));
    assert!(stage.failure().ends_with("heard none"));
}

#[test]
fn what_is_said_is_said_to_its_end_and_not_waited_for_for_ever() {
    let said =
        || vec![Action::Say(sound(speech_like(RATE, 32_000))), Action::Tone { hz: 440, length: ms(1_000) }];
    let mut stage = Stage::answered(said());
    let Effect::Say { job, .. } = stage.effect() else { panic!("nothing is said") };
    stage.wait(ms(2_000));
    stage.done(job, true);
    let Effect::Tone { job, hz: 440, length } = stage.effect() else { panic!("no tone") };
    assert_eq!(length, ms(1_000));
    stage.done(job, false);
    assert_eq!(stage.failure(), "failed at 00:02.000: it could not be sent");

    let mut stage = Stage::answered(said());
    stage.wait(ms(12_000));
    assert_eq!(stage.failure(), "failed at 00:12.000: it was not sent in time");
}

#[test]
fn the_far_end_is_held_for_its_time_and_taken_back() {
    let mut stage = Stage::answered(vec![Action::Hold(ms(2_000)), press("1")]);
    assert!(matches!(stage.effect(), Effect::Hold(true)));
    stage.wait(ms(50));
    stage.input(Input::SessionChanged(Ok(())));
    stage.wait(ms(1_990));
    assert!(stage.effects().is_empty());
    stage.wait(ms(10));
    assert!(matches!(stage.effect(), Effect::Hold(false)));
    stage.input(Input::SessionChanged(Ok(())));
    assert!(matches!(stage.effect(), Effect::Press { .. }));
}

#[test]
fn a_far_end_that_cannot_be_held_or_does_not_say_is_a_failure() {
    let mut stage = Stage::answered(vec![Action::Hold(ms(2_000))]);
    stage.input(Input::SessionChanged(Err("it refuses (488)".to_owned())));
    assert_eq!(stage.failure(), "failed at 00:00.000: the far end cannot be held: it refuses (488)");

    let mut stage = Stage::answered(vec![Action::Hold(ms(2_000))]);
    stage.wait(ms(10_000));
    assert!(stage.failure().contains("did not say within 10 s"));

    let mut stage = Stage::answered(vec![Action::Hold(ms(2_000))]);
    stage.input(Input::SessionChanged(Ok(())));
    stage.wait(ms(2_000));
    stage.input(Input::SessionChanged(Err("it refuses (500)".to_owned())));
    assert!(stage.failure().contains("cannot be taken back"));
}

fn transferring() -> Stage {
    let mut stage = Stage::answered(vec![Action::Transfer("sip:mary@b.example".parse().unwrap())]);
    let Effect::Transfer(to) = stage.effect() else { panic!("nothing is asked") };
    assert_eq!(to.to_string(), "sip:mary@b.example");
    stage
}

#[test]
fn a_transfer_is_done_once_the_far_end_has_reached_whom_it_was_to_call_or_has_moved_on() {
    let mut stage = transferring();
    stage.input(Input::Transfer(TransferNews::Accepted));
    stage.input(Input::Transfer(TransferNews::Ended(Some(200))));
    stage.assert_hangs_up();
    assert!(stage.script.report().has_passed());

    let mut stage = transferring();
    stage.input(Input::Transfer(TransferNews::Accepted));
    stage.input(Input::Ended(End::FarEnd));
    assert!(stage.script.is_over());
    assert!(stage.script.report().has_passed());
}

#[test]
fn a_transfer_that_is_refused_fails_or_is_never_told_of_is_a_failure() {
    let cases = [
        (TransferNews::Refused(603), "refuses the transfer: declined (603)"),
        (TransferNews::Ended(Some(486)), "did not reach whom it was to call: busy (486)"),
        (TransferNews::Ended(None), "did not say how the transfer went"),
    ];
    for (news, words) in cases {
        let mut stage = transferring();
        stage.input(Input::Transfer(news));
        assert!(stage.failure().contains(words), "{}", stage.failure());
    }
    let mut stage = transferring();
    stage.input(Input::Ended(End::FarEnd));
    assert!(stage.failure().contains("the far end hung up before step 1 was done"));
    let mut stage = transferring();
    stage.wait(ms(60_000));
    assert!(stage.failure().contains("within 60 s"));
}

#[test]
fn without_steps_the_call_goes_on_until_a_side_hangs_up() {
    let mut stage = Stage::answered(vec![]);
    assert_eq!(stage.script.poll_timeout(), None);
    stage.wait(ms(3_600_000));
    stage.input(Input::Ended(End::FarEnd));
    assert!(stage.script.is_over() && stage.script.report().has_passed());

    let mut stage = Stage::answered(vec![]);
    stage.input(Input::Interrupted);
    stage.assert_hangs_up();
    assert!(stage.script.report().has_passed(), "who stops a call without a plan has seen enough");
}

#[test]
fn it_hangs_up_at_its_time_and_not_before_all_is_done() {
    let mut stage = Stage::with(vec![Action::Pause(ms(500))], Some(ms(5_000)));
    stage.now += ms(3_000);
    stage.input(Input::Answered);
    stage.wait(ms(4_990));
    assert!(stage.effects().is_empty());
    stage.wait(ms(10));
    stage.assert_hangs_up();
    assert!(stage.script.report().has_passed());

    let mut stage = Stage::with(vec![expect_keys("1")], Some(ms(5_000)));
    stage.input(Input::Answered);
    stage.wait(ms(5_000));
    assert_eq!(stage.failure(), "failed at 00:05.000: hung up after 5 s, before step 1 was done");
}

#[test]
fn a_call_that_is_refused_is_named() {
    let cases = [
        (486, "", "busy (486)"),
        (603, "Decline", "declined (603)"),
        (404, "", "not found (404)"),
        (480, "", "not available (480)"),
        (403, "", "forbidden (403)"),
        (499, "Odd", "Odd (499)"),
        (599, "", "refused (599)"),
    ];
    for (status, reason, words) in cases {
        let mut stage = Stage::new(vec![press("1")]);
        stage.wait(ms(250));
        stage.input(Input::Ended(End::Refused { status, reason: reason.to_owned() }));
        assert!(stage.script.is_over());
        let failure = stage.script.report().failure.unwrap();
        assert_eq!((failure.kind, failure.at), (FailureKind::Refused, ms(250)));
        assert_eq!(failure.text, words);
        assert_eq!(stage.script.report().steps[0].outcome, Outcome::NotReached);
    }
}

#[test]
fn an_expected_refusal_passes_and_another_one_or_an_answer_does_not() {
    let refused = |status| Input::Ended(End::Refused { status, reason: String::new() });
    for (input, failure) in [
        (refused(486), None),
        (refused(603), Some("declined (603)")),
        (Input::Answered, Some("answered, where a refusal was expected: busy (486)")),
    ] {
        let plan = Plan {
            steps: vec![],
            hang_up_after: None,
            expect_timeout: ms(10_000),
            expected_refusal: Some(486),
        };
        let mut script = Script::new(plan, ms(0));
        script.handle(input, ms(500));
        let found = script.report().failure.map(|failure| failure.text);
        assert_eq!(found.as_deref(), failure);
    }
}

#[test]
fn each_end_in_each_phase_has_a_verdict() {
    let failed = || End::Failed(FailureKind::Unreachable, "the far end is gone".to_owned());
    for (end, before, during, lingering) in [
        (failed(), false, false, false),
        (End::FarEnd, false, false, true),
        (End::Refused { status: 486, reason: String::new() }, false, false, true),
        (End::ThisSide, false, false, true),
    ] {
        for (phase, passes) in [("before", before), ("during", during), ("lingering", lingering)] {
            let mut stage = match phase {
                "before" => Stage::new(vec![press("1")]),
                "during" => Stage::answered(vec![press("1")]),
                _ => Stage::answered(vec![]),
            };
            stage.effects();
            stage.input(Input::Ended(end.clone()));
            assert!(stage.script.is_over(), "{end:?} {phase}");
            assert_eq!(stage.script.report().has_passed(), passes, "{end:?} {phase}");
            assert!(stage.effects().is_empty(), "{end:?} {phase}");
        }
    }
}

#[test]
fn whoever_interrupts_a_plan_fails_it() {
    for is_answered in [false, true] {
        let mut stage = Stage::new(vec![press("1")]);
        if is_answered {
            stage.input(Input::Answered);
            stage.effects();
        }
        stage.input(Input::Interrupted);
        stage.assert_hangs_up();
        let failure = stage.script.report().failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Interrupted);
    }
}

#[test]
fn a_far_end_may_hang_up_at_the_last_key_before_that_is_over() {
    let mut early = Stage::answered(vec![press("1#")]);
    early.wait(ms(260));
    early.input(Input::Ended(End::FarEnd));
    assert!(early.failure().contains("hung up before step 1 was done"), "{}", early.failure());

    let mut heard = Stage::answered(vec![press("1#")]);
    heard.wait(ms(261));
    heard.input(Input::Ended(End::FarEnd));
    assert_eq!(heard.failure(), "");
    assert!(heard.script.is_over());

    let mut more = Stage::answered(vec![press("1#"), expect_keys("2")]);
    more.wait(ms(261));
    more.input(Input::Ended(End::FarEnd));
    assert!(more.failure().contains("hung up before step 2 was done"), "{}", more.failure());
}

/// A sound that is no other one of these.
fn melody(seed: f64) -> Vec<i16> {
    let pitch = |at: usize| seed + 150.0 * f64::from(((at / 3_200) * 7 % 5) as u32);
    (0..usize::try_from(RATE).unwrap() * 2)
        .map(|at| (6_000.0 * (std::f64::consts::TAU * pitch(at) * at as f64 / f64::from(RATE)).sin()) as i16)
        .collect()
}

fn expect_sound(samples: &[i16]) -> Action {
    Action::ExpectSound { sound: sound(samples.to_vec()), within: None }
}

#[test]
fn what_began_before_its_step_is_heard_from_the_end_of_the_one_before() {
    let (first, second) = (melody(300.0), melody(900.0));
    let mut stage = Stage::answered(vec![expect_sound(&first), expect_sound(&second)]);
    stage.hear(&first);
    stage.hear(&second);
    stage.silence(ms(200));
    assert_eq!(stage.failure(), "", "{:?}", stage.shown);

    let mut stage = Stage::answered(vec![press("1"), expect_sound(&first)]);
    stage.hear(&first[..8_000]);
    stage.done(1, true);
    stage.hear(&first[8_000..]);
    stage.silence(ms(200));
    assert_eq!(stage.failure(), "", "{:?}", stage.shown);
}

#[test]
fn a_far_end_may_hang_up_at_once_when_it_has_said_what_is_expected() {
    let said = melody(300.0);
    let mut stage = Stage::answered(vec![expect_sound(&said)]);
    stage.hear(&said[..said.len() - 1_600]);
    stage.input(Input::Ended(End::FarEnd));
    assert_eq!(stage.failure(), "", "{:?}", stage.shown);

    let mut stage = Stage::answered(vec![expect_sound(&said)]);
    stage.hear(&said[..said.len() / 4]);
    stage.input(Input::Ended(End::FarEnd));
    assert!(stage.failure().contains("hung up before step 1 was done"), "{}", stage.failure());
}
