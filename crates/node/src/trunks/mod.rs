//! Calls to and from the phone network: which trunk they go over, and what the trunks' peers are told.
//!
//! | module | holds |
//! |---|---|
//! | `far_end` | a call to the phone network as the far end of a leg: one way after another is tried |
//! | `incoming` | whose a call is that comes in, and who makes it |
//! | `invite` | what a trunk's peer is told of a call |
//! | `names` | what the DNS says |
//! | `places` | where a trunk's peer is |
//! | `driver` | what is done beside calls: peers are asked whether they are there, changes of the directory followed |
//! | `registering` | registrations at trunks' peers |
//! | `usage` | what applications have used of a day, kept over restarts |

mod driver;
mod far_end;
mod incoming;
mod invite;
mod names;
mod places;
mod registering;
#[cfg(test)]
mod tests;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use model::{AppId, PhoneNumber, TenantId, Timestamp, Trunk, TrunkId, TrunkUsage};
use store::TrunkUsageStore;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trunk::{
    Denied, Dialler, Effect, Failure, FloodGuard, HealthConfig, NewTrunkCall, Next, Plan, TrunkCallId,
    TrunkHealth,
};

use crate::clock::Clock;
use crate::console::Trunking;
use crate::context::SharedDirectory;
use crate::observer::{Observer, TrunkStats};
use crate::sip::Sip;

use self::driver::Driver;
use self::places::Locator;
use self::usage::Kept;

pub(crate) use self::far_end::{OutgoingPart, start};
pub(crate) use self::incoming::TrunkRefusal;
pub(crate) use self::invite::number_uri;

/// The trunks of a node and all calls over them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Trunks(Arc<Shared>);

struct Shared {
    directory: SharedDirectory,
    clock: Clock,
    observer: Arc<dyn Observer>,
    /// How long a peer may take to answer anything.
    attempt_timeout: Duration,
    locator: Locator,
    kept: Kept,
    state: Mutex<State>,
    /// Something is to be done, or something else is due next.
    changed: Arc<Notify>,
    /// Registrations, which are to be taken back.
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// [`Trunks`] that end with the node.
#[derive(Clone)]
struct WeakTrunks(Weak<Shared>);

impl WeakTrunks {
    fn upgrade(&self) -> Option<Trunks> {
        self.0.upgrade().map(Trunks)
    }
}

/// The most places of one trunk that are tried one after another. A carrier that has more has its reasons, but somebody
/// waits.
const MAX_PLACES: usize = 3;

struct State {
    dialler: Dialler,
    guard: FloodGuard,
    /// The directory is another one than was followed.
    is_directory_new: bool,
    /// Calls that are made.
    made: BTreeMap<TrunkCallId, Made>,
    /// Applications that have used more than is kept.
    unkept: BTreeSet<AppId>,
}

/// A call that is made.
struct Made {
    app: AppId,
    /// Hangs it up.
    cut: CancellationToken,
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
        store: Arc<dyn TrunkUsageStore>,
        attempt_timeout: Duration,
    ) -> Self {
        let mut dialler = Dialler::new(HealthConfig::default());
        dialler.replace(&directory.load(), clock.now());
        let guard = FloodGuard::new(clock.now());
        let (made, unkept) = (BTreeMap::new(), BTreeSet::new());
        let state = Mutex::new(State { dialler, guard, is_directory_new: true, made, unkept });
        Self(Arc::new(Shared {
            directory,
            clock,
            observer,
            attempt_timeout,
            locator: Locator::new(clock, attempt_timeout),
            kept: Kept::new(store),
            state,
            changed: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Starts what goes on beside calls: registrations, questions whether peers are there, and keeping what is used.
    pub(crate) fn drive(&self, sip: &Sip) {
        let (changed, stop) = (Arc::clone(&self.0.changed), self.0.stop.clone());
        tokio::spawn(self.keeping());
        tokio::spawn(Driver::new(self.downgrade(), sip.downgrade(), changed, stop).run());
    }

    /// The directory has changed.
    pub(crate) fn directory_changed(&self) {
        let directory = self.0.directory.load_full();
        self.with(|state, now| {
            state.dialler.replace(&directory, now);
            state.is_directory_new = true;
        });
    }

    /// Takes registrations back, and keeps what was used to the end.
    pub(crate) async fn drain(&self) {
        self.0.stop.cancel();
        self.keep_usage().await;
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// What there is at the moment.
    pub(crate) fn stats(&self) -> TrunkStats {
        let state = self.state();
        let mut stats = TrunkStats { refused: state.guard.counts(), ..TrunkStats::default() };
        for status in state.dialler.status() {
            stats.calls += status.calls as usize;
            *match status.health {
                TrunkHealth::Down { .. } => &mut stats.down,
                TrunkHealth::Unregistered => &mut stats.unregistered,
                TrunkHealth::Up => &mut stats.up,
            } += 1;
        }
        stats
    }

    /// All trunks, as they are shown.
    pub(crate) fn shown(&self) -> Vec<Trunking> {
        let state = self.state();
        let shown = state.dialler.status().map(|status| Trunking {
            trunk: status.trunk,
            health: status.health,
            calls: status.calls,
        });
        shown.collect()
    }

    /// What an application has used of this day.
    pub(crate) fn usage_of(&self, app: &AppId) -> TrunkUsage {
        self.state().dialler.usage(app, self.0.clock.now())
    }

    /// Decides whether a call to the phone network may be made, and how. It has its seat from here on.
    ///
    /// # Errors
    ///
    /// Why it may not be made. That has been logged and counted.
    pub(crate) fn plan(&self, new: NewTrunkCall<'_>) -> Result<TrunkCall, Denied> {
        let directory = self.0.directory.load();
        let planned = self.with(|state, now| {
            let plan = state.dialler.plan(&new, &directory, now)?;
            let cut = CancellationToken::new();
            state.made.insert(plan.call, Made { app: new.app.clone(), cut: cut.clone() });
            Ok((plan, cut))
        });
        let (plan, cut) = planned.inspect_err(|denied: &Denied| self.denied(&new, *denied))?;
        let seat = Seat { trunks: self.clone(), call: plan.call };
        Ok(TrunkCall { plan, app: new.app.clone(), cut, _seat: seat })
    }

    /// Tells of a call that may not be made.
    pub(crate) fn denied(&self, new: &NewTrunkCall<'_>, denied: Denied) {
        tracing::info!(app.id = %new.app, tenant.id = %new.tenant, number = %new.number, %denied,
            "a call to the phone network was denied");
        self.0.observer.trunk_call_denied(reason(denied));
    }

    /// Tells of a person's phone that wants to call the phone network, where it has no number to call from.
    pub(crate) fn person_denied(&self, tenant: &TenantId, number: PhoneNumber) -> Denied {
        let denied = Denied::NoInstance;
        tracing::info!(tenant.id = %tenant, %number, "a person's call to the phone network was denied");
        self.0.observer.trunk_call_denied(reason(denied));
        denied
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

    /// Tells what a probe has shown, unless another peer is meant by now.
    fn probed(&self, trunk: &Trunk, failure: Option<Failure>) {
        if self.is_current(trunk) {
            self.with(|state, now| state.dialler.probed(&trunk.id, failure, now));
        }
    }

    /// The same for a registration.
    fn registered(&self, trunk: &Trunk, is_registered: bool) {
        if self.is_current(trunk) {
            self.with(|state, _| state.dialler.set_registered(&trunk.id, is_registered));
        }
    }

    fn is_current(&self, trunk: &Trunk) -> bool {
        let directory = self.0.directory.load();
        let known = directory.trunks.get(&trunk.id);
        known.is_some_and(|known| means_same(known, trunk))
    }

    /// Has a call hung up.
    fn cut(&self, call: TrunkCallId) {
        if let Some(made) = self.state().made.get(&call) {
            made.cut.cancel();
        }
    }

    /// Does what is due, and says what is to be done and when something is due again.
    fn advance(&self) -> (Vec<Effect>, Option<Timestamp>) {
        let mut state = self.state();
        state.dialler.handle_timeout(self.0.clock.now());
        let effects = std::iter::from_fn(|| state.dialler.poll_effect()).collect();
        (effects, state.dialler.poll_timeout())
    }

    /// Whether the directory is another one than at the last time.
    fn take_directory_change(&self) -> bool {
        std::mem::take(&mut self.state().is_directory_new)
    }

    fn downgrade(&self) -> WeakTrunks {
        WeakTrunks(Arc::downgrade(&self.0))
    }

    /// Gives the state an input at this moment; whoever does what follows from it is woken.
    fn with<T>(&self, input: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let result = input(&mut self.state(), self.0.clock.now());
        self.0.changed.notify_one();
        result
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call to the phone network that may be made, and has its seat. Dropping it gives that back.
pub(crate) struct TrunkCall {
    pub(crate) plan: Plan,
    app: AppId,
    /// The call is to be hung up, as its application has used up its day.
    cut: CancellationToken,
    _seat: Seat,
}

impl std::fmt::Debug for TrunkCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TrunkCall").field(&self.plan.call).finish()
    }
}

/// A call's seat on a trunk. Dropping it gives that back.
pub(crate) struct Seat {
    trunks: Trunks,
    call: TrunkCallId,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let is_to_keep = self.trunks.with(|state, now| {
            state.dialler.ended(self.call, now);
            let made = state.made.remove(&self.call);
            made.is_some_and(|made| state.unkept.insert(made.app))
        });
        if is_to_keep {
            self.trunks.0.kept.hurry();
        }
    }
}

/// Whether two states of a trunk have the same peer, of which the same is known ([`Dialler::replace`]).
fn means_same(a: &Trunk, b: &Trunk) -> bool {
    a.peer == b.peer && a.account == b.account && a.options_interval == b.options_interval
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
