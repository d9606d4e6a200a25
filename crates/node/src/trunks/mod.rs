//! Calls to and from the phone network: which trunk they go over, and what the trunks' peers are told.
//!
//! | module | holds |
//! |---|---|
//! | `far_end` | a call to the phone network as the far end of a leg: one way after another is tried |
//! | `invite` | what a trunk's peer is told of a call |
//! | `places` | where a trunk's peer is |

mod far_end;
mod invite;
mod places;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Trunk, TrunkId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use trunk::{Denied, Dialler, Failure, HealthConfig, NewTrunkCall, Next, Plan, TrunkCallId};

use crate::clock::Clock;
use crate::context::SharedDirectory;
use crate::observer::Observer;

pub(crate) use self::far_end::{OutgoingPart, start};
pub(crate) use self::invite::number_uri;

/// The trunks of a node and all calls over them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Trunks(Arc<Shared>);

struct Shared {
    directory: SharedDirectory,
    clock: Clock,
    observer: Arc<dyn Observer>,
    attempt_timeout: Duration,
    state: Mutex<State>,
    /// Something is to be done, or something else is due next.
    changed: Notify,
}

struct State {
    dialler: Dialler,
    /// What hangs up a call that is made.
    cuts: BTreeMap<TrunkCallId, CancellationToken>,
}

impl std::fmt::Debug for Trunks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trunks").finish_non_exhaustive()
    }
}

impl Trunks {
    pub(crate) fn new(
        directory: SharedDirectory,
        clock: Clock,
        observer: Arc<dyn Observer>,
        attempt_timeout: Duration,
    ) -> Self {
        let mut dialler = Dialler::new(HealthConfig::default());
        dialler.replace(&directory.load(), clock.now());
        let state = Mutex::new(State { dialler, cuts: BTreeMap::new() });
        Self(Arc::new(Shared { directory, clock, observer, attempt_timeout, state, changed: Notify::new() }))
    }

    /// Decides whether a call to the phone network may be made, and how. It has its place from here on.
    ///
    /// # Errors
    ///
    /// Why it may not be made. That has been logged and counted.
    pub(crate) fn plan(&self, new: NewTrunkCall<'_>) -> Result<TrunkCall, Denied> {
        let directory = self.0.directory.load();
        let planned = self.with(|state, now| {
            let plan = state.dialler.plan(&new, &directory, now)?;
            let cut = CancellationToken::new();
            state.cuts.insert(plan.call, cut.clone());
            Ok((plan, cut))
        });
        let (plan, cut) = planned.inspect_err(|denied: &Denied| self.denied(&new, *denied))?;
        let place = Place { trunks: self.clone(), call: plan.call };
        Ok(TrunkCall { plan, cut, place })
    }

    /// Tells of a call that may not be made.
    pub(crate) fn denied(&self, new: &NewTrunkCall<'_>, denied: Denied) {
        tracing::info!(app.id = %new.app, tenant.id = %new.tenant, number = %new.number, %denied,
            "a call to the phone network was denied");
        self.0.observer.trunk_call_denied(reason(denied));
    }

    /// A trunk of the directory.
    pub(crate) fn trunk(&self, id: &TrunkId) -> Option<Trunk> {
        self.0.directory.load().trunks.get(id).cloned()
    }

    fn ringing(&self, call: TrunkCallId) {
        self.with(|state, now| state.dialler.ringing(call, now));
    }

    fn answered(&self, call: TrunkCallId) {
        self.with(|state, now| state.dialler.answered(call, now));
    }

    fn attempt_failed(&self, call: TrunkCallId, failure: Failure) -> Option<Next> {
        self.with(|state, now| state.dialler.attempt_failed(call, failure, now))
    }

    /// Gives the state an input at this moment; whoever does what follows from it is woken.
    fn with<T>(&self, input: impl FnOnce(&mut State, model::Timestamp) -> T) -> T {
        let result = input(&mut self.state(), self.0.clock.now());
        self.0.changed.notify_one();
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call to the phone network that may be made, and has its place. Dropping it gives that back.
pub(crate) struct TrunkCall {
    pub(crate) plan: Plan,
    /// The call is to be hung up, as its application has used up its day.
    cut: CancellationToken,
    place: Place,
}

impl std::fmt::Debug for TrunkCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TrunkCall").field(&self.plan.call).finish()
    }
}

/// A call's place on a trunk, which dropping it gives back.
struct Place {
    trunks: Trunks,
    call: TrunkCallId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.trunks.with(|state, now| {
            state.cuts.remove(&self.call);
            state.dialler.ended(self.call, now);
        });
    }
}

/// A denial as metrics name it.
const fn reason(denied: Denied) -> &'static str {
    match denied {
        Denied::AllDown => "all_down",
        Denied::BudgetSpent => "budget_spent",
        Denied::ForbiddenPrefix => "forbidden_prefix",
        Denied::NoInstance => "no_instance",
        Denied::NoNumber => "no_number",
        Denied::NoTrunk => "no_trunk",
        Denied::OtherAppsInstance => "other_apps_instance",
        Denied::TooFast { .. } => "too_fast",
        Denied::TooMany => "too_many",
    }
}
