use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use model::{AppId, Outcome, PhoneNumber, TenantId, TrunkId};

/// Names a call over a trunk, within one [`crate::Dialler`]. Never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrunkCallId(pub u64);

impl fmt::Display for TrunkCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A call that an application wants to make to the phone network.
#[derive(Clone, Copy, Debug)]
pub struct NewTrunkCall<'a> {
    /// The application.
    pub app: &'a AppId,
    /// The tenant that it acts in.
    pub tenant: &'a TenantId,
    /// The id of the application instance that calls, as the request has it.
    pub instance: Option<&'a str>,
    /// The number that it calls from; `None` takes the first of the instance.
    pub caller: Option<PhoneNumber>,
    /// The number that it calls.
    pub number: PhoneNumber,
}

/// Why a call to the phone network is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// All trunks that may call the number are down.
    #[error("all trunks that may call the number are down")]
    AllDown,
    /// The application has used up its calls or its minutes of the day.
    #[error("the application has used up its trunk budget of the day")]
    BudgetSpent,
    /// No trunk may call a number that begins so.
    #[error("no trunk may call a number that begins like this one")]
    ForbiddenPrefix,
    /// Nobody is named to call from, or an application instance that the tenant does not have.
    #[error(
        "a call to the phone network is made by an application instance of the tenant, and none is named"
    )]
    NoInstance,
    /// The instance has no number, or not the one that it is to call from.
    #[error("the application instance does not have the number that it is to call from")]
    NoNumber,
    /// No trunk of the tenant makes calls.
    #[error("the tenant has no trunk that makes calls")]
    NoTrunk,
    /// The instance is another application's.
    #[error("the application instance is another application's")]
    OtherAppsInstance,
    /// As many calls have begun as may within a second.
    #[error("too many calls have begun within a second")]
    TooFast {
        /// When it is worth trying again.
        retry_after: Duration,
    },
    /// There are as many calls as there may be.
    #[error("there are as many calls over the trunks as there may be")]
    TooMany,
}

/// How a call is made: the ways that are tried, one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The call, which is there until [`crate::Dialler::ended`] or [`Next::Over`].
    pub call: TrunkCallId,
    /// The number that it is made from.
    pub caller: PhoneNumber,
    /// The ways, the first to be tried now. [`crate::Dialler::attempt_failed`] says which one is next: it leaves out
    /// those that are full or down by then. Either all of them want sound encrypted or none does, as it is offered once.
    pub routes: Vec<Route>,
}

/// One way to call a number.
#[derive(Clone, PartialEq, Eq)]
pub struct Route {
    /// The trunk.
    pub trunk: TrunkId,
    /// The number that is called, as the trunk wants it.
    pub called: String,
    /// The number that calls, as the trunk wants it.
    pub caller: String,
}

impl fmt::Debug for Route {
    /// Leaves the numbers out, which are people's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route").field("trunk", &self.trunk).finish_non_exhaustive()
    }
}

/// Why a request to a trunk failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer answered with this status.
    Status {
        /// 3xx to 6xx.
        code: u16,
        /// When it wants to be asked again, where it says so (RFC 3261, 20.33).
        retry_after: Option<Duration>,
    },
    /// The peer did not answer in time.
    Timeout,
    /// No connection, no address, no route.
    Unreachable,
}

impl Failure {
    /// A status without a time to be asked again.
    pub const fn status(code: u16) -> Self {
        Self::Status { code, retry_after: None }
    }

    /// Whether it says something about the way and nothing about the number or who has it, so that another way is
    /// tried: the peer has no capacity (503), does not reach whoever is behind it (502, 504), or is not there.
    ///
    /// 408 and 480 are about the callee, who may be ringing somewhere; 500 may be about the call itself, which would fail
    /// again; a 6xx holds everywhere (RFC 3261, 21.6).
    pub const fn is_of_trunk(self) -> bool {
        match self {
            Self::Status { code, .. } => matches!(code, 502..=504),
            Self::Timeout | Self::Unreachable => true,
        }
    }

    /// Whether the peer itself is not there, or wants to be left alone, whatever number is called.
    pub(crate) const fn is_of_peer(self) -> bool {
        match self {
            Self::Status { retry_after, .. } => retry_after.is_some(),
            Self::Timeout | Self::Unreachable => true,
        }
    }

    /// The ending of a call that is over by it. A redirect is not followed, so that nobody is called there.
    pub const fn outcome(self) -> Outcome {
        Outcome::PstnOutgoing(match self {
            Self::Status { code: 300..=399, .. } => 480,
            Self::Status { code, .. } => code,
            Self::Timeout => 408,
            Self::Unreachable => 503,
        })
    }

    /// When the peer wants to be asked again.
    pub(crate) const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => retry_after,
            Self::Timeout | Self::Unreachable => None,
        }
    }
}

/// What is done after an attempt has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// The call is over, and is released. The failure is the one that was reported.
    Over(Failure),
    /// This way is tried.
    Try(Route),
}

/// A call that has a place on a trunk.
#[derive(Debug)]
pub(crate) struct TrunkCall {
    /// The trunk that it is on or tries.
    pub(crate) trunk: TrunkId,
    pub(crate) phase: Phase,
}

/// How far a call is.
#[derive(Debug)]
pub(crate) enum Phase {
    /// It is made; nobody's phone rings yet.
    Calling {
        app: AppId,
        /// The ways that are left.
        left: VecDeque<Route>,
        /// Whether it is the one call that tries a trunk that was down.
        is_trial: bool,
    },
    /// It is made and is connected; its time is the application's.
    Connected { app: AppId },
    /// It is to be hung up, and its time counts no more.
    Cut,
    /// It came in.
    Incoming,
    /// It is made, and a phone rings: it is not made again elsewhere.
    Ringing { app: AppId },
}
