use std::time::Duration;

use model::Timestamp;

/// The deadlines and limits of a call; the defaults are the documented values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long the callee may ring.
    pub ringing_timeout: Duration,
    /// How long an application has to answer, reject or redirect a call that comes in (pages of these actions: 15 seconds).
    pub incoming_timeout: Duration,
    /// How long the caller's acknowledgement of an answer is awaited. Longer than a phone repeats itself (RFC 3261, 17.2.1:
    /// 32 seconds), so that it only counts where nobody else watches.
    pub answering_timeout: Duration,
    /// How long a transfer may take, which is mostly how long its target may ring.
    pub transfer_timeout: Duration,
    /// How often a call may be sent on, so that applications which send it to each other end. Arbitrary.
    pub max_redirects: usize,
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
            incoming_timeout: Duration::from_secs(15),
            answering_timeout: Duration::from_secs(40),
            transfer_timeout: Duration::from_secs(60),
            max_redirects: 5,
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
    /// The answer is not acknowledged.
    Answering(Timestamp),
    /// The application does not act.
    Incoming(Timestamp),
    /// Nobody answered.
    Ringing(Timestamp),
    /// Nobody answered whom the call was sent on to.
    Redirecting(Timestamp),
    /// The application has gone silent.
    KeepAlive(Timestamp),
    /// The far end's good-bye does not come.
    Terminating(Timestamp),
    /// A transfer takes too long, or the application has gone silent during it.
    Transferring {
        /// When the transfer is given up.
        until: Timestamp,
        /// When the call is.
        keep_alive: Timestamp,
    },
}

impl Deadline {
    pub(crate) const fn at(self) -> Timestamp {
        match self {
            Self::Answering(at)
            | Self::Incoming(at)
            | Self::Ringing(at)
            | Self::Redirecting(at)
            | Self::KeepAlive(at)
            | Self::Terminating(at) => at,
            // `min` of `Ord` is not const.
            Self::Transferring { until, keep_alive } => {
                if until.as_millis() < keep_alive.as_millis() {
                    until
                } else {
                    keep_alive
                }
            }
        }
    }
}
