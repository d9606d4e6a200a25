//! The state machine that walks through a plan.
//!
//! ```text
//!  [ Waiting ] --- answered ---> [ Stepping ] --- the last step is met ---> [ Lingering ]
//!      |                          |        |                                 |       |
//!      |                          | failed | far end hung up     its time is |       | far end hung up
//!      | refused, failed          v        |                         over    v       |
//!      |                     [ Ending ] <--+---------------------------------'       |
//!      |                          | this side has hung up                            |
//!      '---------------------> [ Over ] <--------------------------------------------'
//! ```
//!
//! It reads no clock and owns no call: feed it [`Script::handle`] and [`Script::handle_timeout`], drain
//! [`Script::poll_effect`], and sleep until [`Script::poll_timeout`]. `now` is the time since an epoch of the caller's
//! choice.

mod input;
mod late;

use std::collections::VecDeque;
use std::time::Duration;

use media_engine::Tone;

use self::input::refusal;
pub use self::input::{Effect, End, Input, TransferNews};
use crate::listen::{Loudest, Recognised, SoundEar, ToneEar};
use crate::plan::{Action, Plan};
use crate::report::{Failure, FailureKind, Moment, Outcome, Report, StepReport};

/// How long what this side plays may take beyond its length before its media is taken for broken. Arbitrary.
const PLAY_SLACK: Duration = Duration::from_secs(10);

/// The length of a frame.
const FRAME: Duration = Duration::from_millis(20);

/// Frames that are kept of what was heard while nothing was expected: five seconds.
const MAX_RECENT: usize = 250;

/// A key of 160 ms, and the pause after it.
const KEY_STEP: Duration = Duration::from_millis(260);

/// How long the far end may take to do what a transfer asks for: what a callee takes to answer.
const TRANSFER_LIMIT: Duration = Duration::from_secs(60);

/// How much later than its length all of a known sound may have been heard: a jitter buffer, and what is compared at the
/// end.
const KNOWN_SOUND_SLACK: Duration = Duration::from_millis(500);

/// Keys that may wait for an expectation of keys. Arbitrary.
const MAX_WAITING_KEYS: usize = 256;

/// One telephone's walk through its plan.
#[derive(Debug)]
pub struct Script {
    plan: Plan,
    /// The step under way, or how many there are.
    at: usize,
    phase: Phase,
    outcomes: Vec<Outcome>,
    failure: Option<Failure>,
    began: Duration,
    answered: Option<Duration>,
    ended: Option<Duration>,
    keys: VecDeque<Tone>,
    /// What was heard since the last expectation was met: the next one may have begun before its step.
    recent: VecDeque<Vec<i16>>,
    last_job: u64,
    effects: VecDeque<Effect>,
}

#[derive(Debug)]
enum Phase {
    Ending,
    Lingering,
    Over,
    Stepping { doing: Doing, began: Duration, until: Duration },
    Waiting,
}

/// What a step waits for.
#[derive(Debug)]
enum Doing {
    Holding(Hold),
    KeysOfFarEnd,
    /// The ear has heard so much before the step began.
    KnownSound {
        ear: Box<SoundEar>,
        within: Duration,
        before: Duration,
        loudest: Loudest,
    },
    Pausing,
    /// The last one is on its way from then on.
    Pressing {
        job: u64,
        last_at: Duration,
    },
    Playing {
        job: u64,
    },
    Tone {
        ear: ToneEar,
        loudest: Loudest,
    },
    Transferring {
        is_accepted: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// The far end has not agreed to be held for so long.
    Asking(Duration),
    Held,
    /// The far end has not agreed to be taken back.
    Resuming,
}

impl Script {
    /// A script that waits for its call to be answered; `now` is when the telephone began.
    #[must_use]
    pub fn new(plan: Plan, now: Duration) -> Self {
        let outcomes = vec![Outcome::NotReached; plan.steps.len()];
        Self {
            plan,
            at: 0,
            phase: Phase::Waiting,
            outcomes,
            failure: None,
            began: now,
            answered: None,
            ended: None,
            keys: VecDeque::new(),
            recent: VecDeque::new(),
            last_job: 0,
            effects: VecDeque::new(),
        }
    }

    /// Takes what happened.
    pub fn handle(&mut self, input: Input<'_>, now: Duration) {
        match input {
            Input::Answered => self.answered(now),
            Input::Ended(end) => self.over(&end, now),
            Input::Heard(frame) => self.heard(frame, now),
            Input::Interrupted => self.interrupted(now),
            Input::Key(key) => self.key(key, now),
            Input::Played { job, is_done } => self.played(job, is_done, now),
            Input::SessionChanged(changed) => self.session_changed(changed, now),
            Input::Transfer(news) => self.transfer(&news, now),
        }
    }

    /// Tells people something that the script does not know of.
    pub fn tell(&mut self, text: impl Into<String>, now: Duration) {
        let moment = self.moment(text.into(), now);
        self.effects.push_back(Effect::Told(moment));
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        if self.hang_up_at().is_some_and(|at| at <= now) {
            self.hang_up_in_time(now);
        } else if let Phase::Stepping { until, .. } = self.phase
            && until <= now
        {
            self.step_timeout(now);
        }
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let step = match self.phase {
            Phase::Stepping { until, .. } => Some(until),
            Phase::Ending | Phase::Lingering | Phase::Over | Phase::Waiting => None,
        };
        [step, self.hang_up_at()].into_iter().flatten().min()
    }

    /// The next thing to be done.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Whether the call is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether the call was answered.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// What has become of the call so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let steps = self.plan.steps.iter().zip(&self.outcomes);
        Report {
            steps: steps
                .map(|(step, outcome)| StepReport { label: step.label.clone(), outcome: outcome.clone() })
                .collect(),
            failure: self.failure.clone(),
            talked: self.answered.zip(self.ended).map(|(began, ended)| ended.saturating_sub(began)),
        }
    }

    fn answered(&mut self, now: Duration) {
        if !matches!(self.phase, Phase::Waiting) {
            return;
        }
        self.answered = Some(now);
        self.tell("answered", now);
        if let Some(status) = self.plan.expected_refusal {
            self.fail_step(format!("answered, where a refusal was expected: {}", refusal(status, "")), now);
        } else {
            self.begin_step(now);
        }
    }

    fn over(&mut self, end: &End, now: Duration) {
        // A far end may hang up at once when it has said what is expected.
        if matches!(end, End::FarEnd)
            && let Phase::Stepping { doing: Doing::KnownSound { ear, .. }, .. } = &mut self.phase
            && let Some(found) = ear.finish()
        {
            self.recognised(found, now);
        }
        match (&self.phase, end) {
            (Phase::Over, _) => return,
            (Phase::Waiting, End::Refused { status, .. }) if self.plan.expected_refusal == Some(*status) => {
                self.tell(format!("refused, as expected: {end}"), now);
            }
            (Phase::Waiting, End::FarEnd) => {
                self.note_failure(
                    FailureKind::Unreachable,
                    "the caller gave up before the answer".into(),
                    now,
                );
            }
            (Phase::Waiting, End::Failed(..) | End::Refused { .. } | End::ThisSide) => {
                let kind = match end {
                    End::Failed(kind, _) => *kind,
                    End::FarEnd | End::Refused { .. } | End::ThisSide => FailureKind::Refused,
                };
                self.note_failure(kind, end.to_string(), now);
            }
            (Phase::Stepping { doing: Doing::Transferring { is_accepted: true }, .. }, End::FarEnd) => {
                self.tell("the far end has moved on and hung up", now);
                self.met(now);
            }
            // A bot may act on a key before its end.
            (Phase::Stepping { doing: Doing::Pressing { last_at, .. }, .. }, End::FarEnd)
                if *last_at < now =>
            {
                self.tell("the far end took the keys and hung up", now);
                self.met(now);
                if let Phase::Stepping { .. } = self.phase {
                    let label = self.label();
                    self.note_failure(FailureKind::Step, format!("{end} before {label} was done"), now);
                }
            }
            (Phase::Stepping { .. }, _) => {
                let label = self.label();
                self.note_failure(FailureKind::Step, format!("{end} before {label} was done"), now);
            }
            (Phase::Lingering, End::Failed(kind, _)) => self.note_failure(*kind, end.to_string(), now),
            (Phase::Ending | Phase::Lingering, _) => self.tell(end.to_string(), now),
        }
        self.phase = Phase::Over;
        self.ended = Some(now);
    }

    fn interrupted(&mut self, now: Duration) {
        match self.phase {
            Phase::Waiting => {
                self.note_failure(FailureKind::Interrupted, "interrupted".into(), now);
                self.hang_up();
            }
            Phase::Stepping { .. } => {
                let label = self.label();
                self.note_failure(
                    FailureKind::Interrupted,
                    format!("interrupted before {label} was done"),
                    now,
                );
                self.hang_up();
            }
            Phase::Lingering => self.hang_up(),
            Phase::Ending | Phase::Over => {}
        }
    }

    fn key(&mut self, key: Tone, now: Duration) {
        self.tell(format!("heard the key {}", key.key()), now);
        if self.keys.len() < MAX_WAITING_KEYS {
            self.keys.push_back(key);
        }
        self.compare_keys(now);
    }

    fn heard(&mut self, frame: &[i16], now: Duration) {
        if self.recent.len() == MAX_RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(frame.to_vec());
        let Phase::Stepping { doing, .. } = &mut self.phase else { return };
        match doing {
            Doing::Tone { ear, loudest } => {
                loudest.handle(frame);
                if ear.handle(frame) {
                    self.recent.clear();
                    self.met_with("heard the tone", now);
                }
            }
            Doing::KnownSound { ear, loudest, .. } => {
                loudest.handle(frame);
                if let Some(found) = ear.handle(frame) {
                    self.recognised(found, now);
                }
            }
            Doing::Holding(_)
            | Doing::KeysOfFarEnd
            | Doing::Pausing
            | Doing::Playing { .. }
            | Doing::Pressing { .. }
            | Doing::Transferring { .. } => {}
        }
    }

    /// The sound that is expected was heard.
    fn recognised(&mut self, found: Recognised, now: Duration) {
        let Phase::Stepping { doing: Doing::KnownSound { within, before, .. }, began, .. } = &self.phase
        else {
            return;
        };
        let (within, before, began) = (*within, *before, *began);
        let late = found.began.saturating_sub(before);
        if late > within {
            let (late, limit) = (late.as_millis(), words(within));
            return self.fail_step(format!("the sound began after {late} ms, later than {limit}"), now);
        }
        // What came after it may be what is expected next.
        let after = usize::try_from(found.after.as_millis() / FRAME.as_millis()).unwrap_or(usize::MAX);
        self.recent.drain(..self.recent.len().saturating_sub(after));
        let since_answer = (began + found.began).saturating_sub(before + self.answered.unwrap_or_default());
        let at = crate::clock_text(since_answer);
        let share = found.share * 100.0;
        self.met_with(&format!("heard the sound, from {at} on, {share:.0} % alike"), now);
    }

    fn played(&mut self, job: u64, is_done: bool, now: Duration) {
        let Phase::Stepping {
            doing: Doing::Playing { job: awaited } | Doing::Pressing { job: awaited, .. },
            ..
        } = &self.phase
        else {
            return;
        };
        if *awaited != job {
            return;
        }
        if is_done {
            self.met(now);
        } else {
            self.fail_step("it could not be sent".into(), now);
        }
    }

    fn session_changed(&mut self, changed: Result<(), String>, now: Duration) {
        let Phase::Stepping { doing: Doing::Holding(hold), until, .. } = &mut self.phase else { return };
        match (*hold, changed) {
            (Hold::Asking(length), Ok(())) => {
                *hold = Hold::Held;
                *until = now.saturating_add(length);
                self.tell("the far end is on hold", now);
            }
            (Hold::Resuming, Ok(())) => self.met_with("the far end is back", now),
            (Hold::Asking(_), Err(why)) => self.fail_step(format!("the far end cannot be held: {why}"), now),
            (Hold::Resuming, Err(why)) => {
                self.fail_step(format!("the far end cannot be taken back: {why}"), now);
            }
            (Hold::Held, _) => {}
        }
    }

    fn transfer(&mut self, news: &TransferNews, now: Duration) {
        let Phase::Stepping { doing: Doing::Transferring { is_accepted }, .. } = &mut self.phase else {
            return;
        };
        match news {
            TransferNews::Accepted => {
                *is_accepted = true;
                self.tell("the far end does what it was asked", now);
            }
            TransferNews::Ended(Some(status)) if (200..300).contains(status) => {
                self.met_with("the far end has reached whom it was to call", now);
            }
            TransferNews::Ended(Some(status)) => {
                let why = refusal(*status, "");
                self.fail_step(format!("the far end did not reach whom it was to call: {why}"), now);
            }
            TransferNews::Ended(None) => {
                self.fail_step("the far end did not say how the transfer went".into(), now);
            }
            TransferNews::Refused(status) => {
                let why = refusal(*status, "");
                self.fail_step(format!("the far end refuses the transfer: {why}"), now);
            }
        }
    }

    /// The current step begins, or all are done.
    fn begin_step(&mut self, now: Duration) {
        let Some(step) = self.plan.steps.get(self.at) else {
            let has_steps = !self.plan.steps.is_empty();
            self.phase = Phase::Lingering;
            if has_steps && self.plan.hang_up_after.is_none() {
                self.hang_up();
            }
            return;
        };
        let (label, timeout) = (step.label.clone(), self.plan.expect_timeout);
        let job = self.last_job + 1;
        let mut found = None;
        let (doing, limit) = match step.action.clone() {
            Action::Dtmf(keys) => {
                // Each takes a fifth of a second and more.
                let limit = Duration::from_secs(keys.len() as u64) + PLAY_SLACK;
                let earlier = u32::try_from(keys.len().saturating_sub(1)).unwrap_or(u32::MAX);
                let last_at = now.saturating_add(KEY_STEP.saturating_mul(earlier));
                self.effects.push_back(Effect::Press { job, keys });
                (Doing::Pressing { job, last_at }, limit)
            }
            Action::ExpectDtmf(_) => (Doing::KeysOfFarEnd, timeout),
            Action::ExpectSound { sound, within } => {
                let within = within.unwrap_or(timeout);
                let limit = within + sound.length() + KNOWN_SOUND_SLACK;
                let mut ear = Box::new(SoundEar::new(&sound));
                found = self.recent.iter().find_map(|frame| ear.handle(frame));
                let before = FRAME.saturating_mul(u32::try_from(self.recent.len()).unwrap_or(u32::MAX));
                (Doing::KnownSound { ear, within, before, loudest: Loudest::default() }, limit)
            }
            Action::ExpectTone { hz } => {
                (Doing::Tone { ear: ToneEar::new(hz), loudest: Loudest::default() }, timeout)
            }
            Action::Hold(length) => {
                self.effects.push_back(Effect::Hold(true));
                (Doing::Holding(Hold::Asking(length)), timeout)
            }
            Action::Pause(length) => (Doing::Pausing, length),
            Action::Say(sound) => {
                let limit = sound.length() + PLAY_SLACK;
                self.effects.push_back(Effect::Say { job, sound });
                (Doing::Playing { job }, limit)
            }
            Action::Tone { hz, length } => {
                self.effects.push_back(Effect::Tone { job, hz, length });
                (Doing::Playing { job }, length + PLAY_SLACK)
            }
            Action::Transfer(to) => {
                self.effects.push_back(Effect::Transfer(to));
                (Doing::Transferring { is_accepted: false }, TRANSFER_LIMIT)
            }
        };
        self.last_job = job;
        self.phase = Phase::Stepping { doing, began: now, until: now.saturating_add(limit) };
        self.tell(label, now);
        self.compare_keys(now);
        if let Some(found) = found {
            self.recognised(found, now);
        }
    }

    /// Whether the keys that were heard are those that are expected.
    fn compare_keys(&mut self, now: Duration) {
        let Phase::Stepping { doing: Doing::KeysOfFarEnd, .. } = &self.phase else { return };
        let Some(Action::ExpectDtmf(expected)) = self.plan.steps.get(self.at).map(|step| &step.action) else {
            return;
        };
        let wrong = self.keys.iter().zip(expected).find(|(heard, expected)| heard != expected);
        if let Some((heard, expected)) = wrong.map(|(heard, expected)| (heard.key(), expected.key())) {
            self.fail_step(format!("heard the key {heard} instead of {expected}"), now);
        } else if self.keys.len() >= expected.len() {
            self.keys.drain(..expected.len());
            self.met(now);
        }
    }

    /// The moment has come at which the plan hangs up.
    fn hang_up_in_time(&mut self, now: Duration) {
        if matches!(self.phase, Phase::Stepping { .. }) {
            let after = words(self.plan.hang_up_after.unwrap_or_default());
            let label = self.label();
            self.fail_step(format!("hung up after {after}, before {label} was done"), now);
        } else {
            self.hang_up();
        }
    }

    fn hang_up_at(&self) -> Option<Duration> {
        match self.phase {
            Phase::Lingering | Phase::Stepping { .. } => {
                Some(self.answered?.saturating_add(self.plan.hang_up_after?))
            }
            Phase::Ending | Phase::Over | Phase::Waiting => None,
        }
    }

    fn met_with(&mut self, text: &str, now: Duration) {
        self.tell(text, now);
        self.met(now);
    }

    fn met(&mut self, now: Duration) {
        if let Phase::Stepping { began, .. } = self.phase
            && let Some(outcome) = self.outcomes.get_mut(self.at)
        {
            let answered = self.answered.unwrap_or_default();
            *outcome =
                Outcome::Met { began: began.saturating_sub(answered), ended: now.saturating_sub(answered) };
            self.at += 1;
            self.begin_step(now);
        }
    }

    fn fail_step(&mut self, text: String, now: Duration) {
        self.note_failure(FailureKind::Step, text, now);
        self.hang_up();
    }

    /// Notes the first failure, of the step under way if there is one.
    fn note_failure(&mut self, kind: FailureKind, text: String, now: Duration) {
        if let Phase::Stepping { began, .. } = self.phase
            && let Some(outcome) = self.outcomes.get_mut(self.at)
        {
            *outcome = Outcome::Failed { began: began.saturating_sub(self.answered.unwrap_or_default()) };
        }
        let at = self.moment(String::new(), now).at;
        let failure = Failure { kind, at, text };
        self.tell(failure.text.clone(), now);
        self.failure.get_or_insert(failure);
    }

    fn hang_up(&mut self) {
        self.phase = Phase::Ending;
        self.effects.push_back(Effect::HangUp);
    }

    fn label(&self) -> String {
        self.plan.steps.get(self.at).map(|step| step.label.clone()).unwrap_or_default()
    }

    fn moment(&self, text: String, now: Duration) -> Moment {
        let since = self.answered.unwrap_or(self.began);
        Moment { at: now.saturating_sub(since), is_in_call: self.answered.is_some(), text }
    }
}

/// A length of time as people say it: `10 s`, `300 ms`, `2.5 s`.
fn words(length: Duration) -> String {
    if length < Duration::from_secs(1) {
        return format!("{} ms", length.as_millis());
    }
    format!("{} s", length.as_secs_f64())
}
