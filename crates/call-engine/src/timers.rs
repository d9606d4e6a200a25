use std::time::Duration;

use model::Timestamp;

/// The deadlines and limits of a call; the defaults are the documented values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long the callee may ring.
    pub ringing_timeout: Duration,
    /// How long the call lives without a keepAlive (the API page of keepAlive: 45 minutes).
    pub keep_alive_timeout: Duration,
    /// How long the far end's good-bye is awaited before the call ends without it.
    pub terminating_timeout: Duration,
    /// How many media operations may run and wait at once. Arbitrary: more than any dialogue needs.
    pub max_waiting_operations: usize,
    /// How many operations are remembered for `GET …/operations`; the oldest finished ones go first. Arbitrary.
    pub max_remembered_operations: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ringing_timeout: Duration::from_secs(60),
            keep_alive_timeout: Duration::from_secs(45 * 60),
            terminating_timeout: Duration::from_secs(2),
            max_waiting_operations: 32,
            max_remembered_operations: 128,
        }
    }
}

/// What a deadline is for. A call has exactly one at a time, given by its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// Nobody answered.
    Ringing(Timestamp),
    /// The application has gone silent.
    KeepAlive(Timestamp),
    /// The far end's good-bye does not come.
    Terminating(Timestamp),
}

impl Deadline {
    pub(crate) const fn at(self) -> Timestamp {
        match self {
            Self::Ringing(at) | Self::KeepAlive(at) | Self::Terminating(at) => at,
        }
    }
}
