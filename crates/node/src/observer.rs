use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use media_plane::PlaneStats;
use model::{Operation, Outcome};
use sip_proto::Refusals;
use trunk::FloodCounts;

use crate::application::ApplicationStats;

/// Is told of what happens, to measure it. Nothing here waits.
pub trait Observer: Send + Sync {
    /// A call was created, durably.
    fn call_created(&self);
    /// A call was answered.
    fn call_established(&self);
    /// A call is over.
    fn call_ended(&self, outcome: Outcome);
    /// A phone's call was not taken, as there are as many calls as may be.
    fn incoming_refused(&self, limit: CallLimit);
    /// An operation is over.
    fn operation_ended(&self, operation: &Operation);
    /// A call to the phone network was not made, for this reason.
    fn trunk_call_denied(&self, reason: &'static str);
    /// A transaction became durable after this long.
    fn committed(&self, took: Duration);
    /// A transaction could not be stored.
    fn commit_failed(&self);
}

/// A limit of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallLimit {
    /// The calls that one application has.
    Application,
    /// All calls.
    Server,
    /// The calls that the phones of one user have made.
    User,
}

impl CallLimit {
    /// The setting that has it.
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Application => "limits.calls_per_app",
            Self::Server => "limits.calls",
            Self::User => "limits.calls_per_user",
        }
    }
}

/// Trunks to the phone network at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrunkStats {
    /// Those that make calls.
    pub up: usize,
    /// Those whose peer does not answer, or said that it cannot.
    pub down: usize,
    /// Those that have to be registered and are not.
    pub unregistered: usize,
    /// Calls over all of them, in both directions.
    pub calls: usize,
    /// Calls of the phone network that were refused since the start.
    pub refused: FloodCounts,
}

/// What a node holds at the moment.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Calls that are alive.
    pub calls: usize,
    /// Group calls and meetings that someone is in.
    pub conferences: usize,
    /// Phones that are registered, by user.
    pub registered_users: usize,
    /// Calls of the SIP endpoint that have not ended.
    pub sip_calls: usize,
    /// INVITEs that the SIP endpoint refused since the start, before they became calls.
    pub sip_refused: SipRefused,
    /// Whether the SIP endpoint has neither call nor transaction nor deadline.
    pub is_sip_idle: bool,
    /// Trunks to the phone network.
    pub trunks: TrunkStats,
    /// Media legs, and how their packets fared since the start.
    pub media: PlaneStats,
    /// Media of applications that host it themselves.
    pub applications: ApplicationStats,
    /// Pages of browsers that are telephones, those included that may still come back.
    pub pages: usize,
    /// The same of meetings.
    pub meeting_pages: usize,
}

/// INVITEs that were refused before they became calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SipRefused {
    /// The endpoint, or a trunk's peer, had as many calls as it may.
    pub busy: u64,
    /// Nobody known had shown to have sent it. A phone's first one counts, too: it is asked who it is.
    pub unproven: u64,
}

/// What the SIP endpoint's task shows of itself.
#[derive(Debug, Default)]
pub(crate) struct SipCounts {
    pub(crate) registered_users: AtomicUsize,
    pub(crate) calls: AtomicUsize,
    pub(crate) refused_busy: AtomicU64,
    pub(crate) refused_unproven: AtomicU64,
    /// 0 while something is under way.
    pub(crate) is_idle: AtomicUsize,
}

impl SipCounts {
    pub(crate) fn show(&self, registered_users: usize, calls: usize, is_idle: bool, refused: Refusals) {
        self.refused_busy.store(refused.busy, Ordering::Relaxed);
        self.refused_unproven.store(refused.unproven, Ordering::Relaxed);
        self.registered_users.store(registered_users, Ordering::Relaxed);
        self.calls.store(calls, Ordering::Relaxed);
        self.is_idle.store(usize::from(is_idle), Ordering::Relaxed);
    }
}
