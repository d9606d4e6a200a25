//! What happened in a call, and whether that is what was expected.

use std::fmt;
use std::time::Duration;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When: since the answer of the call, before that since the telephone began.
    pub at: Duration,
    /// Whether the call had been answered.
    pub is_in_call: bool,
    /// What, for people.
    pub text: String,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What was before the answer is set apart, as the count begins anew with it.
        let mark = if self.is_in_call { ' ' } else { '-' };
        write!(f, "{mark}{}  {}", clock_text(self.at), self.text)
    }
}

/// A moment as minutes, seconds and milliseconds: `00:04.120`.
#[must_use]
pub fn clock_text(at: Duration) -> String {
    let millis = at.as_millis();
    format!("{:02}:{:02}.{:03}", millis / 60_000, millis / 1_000 % 60, millis % 1_000)
}

/// Why a call did not go as planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault.
    pub kind: FailureKind,
    /// When, as [`Moment::at`] counts.
    pub at: Duration,
    /// What is wrong, for people.
    pub text: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed at {}: {}", clock_text(self.at), self.text)
    }
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// Something of this side, such as its media, does not work.
    Broken,
    /// It was told to stop before the plan was done.
    Interrupted,
    /// Nobody called in time.
    NobodyCalled,
    /// The far end, or the server, refused the call.
    Refused,
    /// The registrar refused this side.
    Registration,
    /// A step was not met, or could not be done.
    Step,
    /// The server, or the far end, could not be reached.
    Unreachable,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It failed; the call's [`Failure`] says why.
    Failed {
        /// When it began, since the answer.
        began: Duration,
    },
    /// It was done, or what it expects was heard.
    Met {
        /// When it began, since the answer.
        began: Duration,
        /// When it was done.
        ended: Duration,
    },
    /// It never began.
    NotReached,
}

/// A step and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepReport {
    /// As its author wrote it.
    pub label: String,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Each step of the plan.
    pub steps: Vec<StepReport>,
    /// Why it did not go as planned, where it did not.
    pub failure: Option<Failure>,
    /// How long it took from the answer to the end; `None` where it was not answered.
    pub talked: Option<Duration>,
}

impl Report {
    /// Whether all steps were met.
    #[must_use]
    pub const fn has_passed(&self) -> bool {
        self.failure.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_to_the_millisecond() {
        assert_eq!(clock_text(Duration::from_millis(4_120)), "00:04.120");
        assert_eq!(clock_text(Duration::from_millis(3_723_004)), "62:03.004");
        let moment = Moment { at: Duration::ZERO, is_in_call: true, text: "answered".to_owned() };
        assert_eq!(moment.to_string(), " 00:00.000  answered");
        assert_eq!(Moment { is_in_call: false, ..moment }.to_string(), "-00:00.000  answered");
    }
}
