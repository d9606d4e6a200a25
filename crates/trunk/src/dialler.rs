use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use model::{
    AppId, ApplicationInstance, Directory, PhoneNumber, SrtpPolicy, Timestamp, Trunk, TrunkBudget, TrunkId,
    TrunkUsage,
};

use crate::call::{Denied, Failure, NewTrunkCall, Next, Phase, Plan, Route, TrunkCall, TrunkCallId};
use crate::health::{HealthConfig, TrunkHealth};
use crate::line::{Full, Line};
use crate::numbers::{called, caller};
use crate::spending::Spending;

/// Decides about calls over all trunks of a directory. How it is used is said at the crate.
#[derive(Debug, Default)]
pub struct Dialler {
    config: HealthConfig,
    lines: BTreeMap<TrunkId, Line>,
    budgets: BTreeMap<AppId, TrunkBudget>,
    calls: BTreeMap<TrunkCallId, TrunkCall>,
    spending: Spending,
    /// At most a change and a probe for each trunk and an end for each call, as they are taken after each input.
    effects: VecDeque<Effect>,
    last_call: u64,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The trunk is down: there is something to be seen to.
    Down(TrunkId),
    /// The call is to be hung up: its application has used up its minutes of the day.
    HangUp(TrunkCallId),
    /// The trunk's peer is to be asked whether it is there, by OPTIONS. [`Dialler::probed`] takes the result.
    Probe(TrunkId),
    /// The trunk is up again.
    Up(TrunkId),
}

/// A trunk as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkStatus {
    /// The trunk.
    pub trunk: TrunkId,
    /// Whether it makes calls.
    pub health: TrunkHealth,
    /// How many calls there are, in both directions.
    pub calls: u32,
}

/// Configuring.
impl Dialler {
    /// Knows no trunk.
    pub fn new(config: HealthConfig) -> Self {
        Self { config, ..Self::default() }
    }

    /// Takes over the trunks and budgets of a directory. Calls over trunks that are gone go on.
    pub fn replace(&mut self, directory: &Directory, now: Timestamp) {
        self.budgets =
            directory.applications.iter().map(|(id, app)| (id.clone(), app.trunk_budget)).collect();
        self.lines.retain(|id, _| directory.trunks.contains_key(id));
        for (id, trunk) in &directory.trunks {
            if let Some(line) = self.lines.get_mut(id) {
                line.replace(trunk, now);
                continue;
            }
            // Of a trunk that was there before.
            let calls = self.calls.values().filter(|call| call.trunk == *id).count();
            let calls = u32::try_from(calls).unwrap_or(u32::MAX);
            self.lines.insert(id.clone(), Line::new(trunk.clone(), calls, now));
        }
    }

    /// Takes in what an application had used of this day before the server was started again.
    pub fn restore(&mut self, usage: &TrunkUsage, now: Timestamp) {
        self.spending.restore(usage, now);
    }

    /// What an application has used of this day.
    pub fn usage(&mut self, app: &AppId, now: Timestamp) -> TrunkUsage {
        self.spending.usage(app, now)
    }

    /// All trunks, in the order of their ids.
    pub fn status(&self) -> impl Iterator<Item = TrunkStatus> {
        self.lines.iter().map(|(id, line)| TrunkStatus {
            trunk: id.clone(),
            health: line.health.shown(),
            calls: line.calls,
        })
    }
}

/// Calls.
impl Dialler {
    /// Decides whether a call may be made, and how. It has its place on the first trunk at once.
    ///
    /// # Errors
    ///
    /// Why it may not be made; nothing has changed then.
    pub fn plan(
        &mut self,
        call: &NewTrunkCall<'_>,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<Plan, Denied> {
        let from = caller_number(call, directory)?;
        let candidates = self.candidates(call, now)?;
        if !self.spending.lets_begin(call.app, budget(&self.budgets, call.app), now) {
            return Err(Denied::BudgetSpent);
        }
        let (skipped, is_trial) = self.take_first(&candidates, now)?;
        self.spending.begin(call.app, now);
        self.last_call += 1;
        let id = TrunkCallId(self.last_call);
        let trunks = candidates.iter().skip(skipped).filter_map(|trunk| self.lines.get(trunk));
        let trunks: Vec<&Trunk> = trunks.map(|line| &line.trunk).collect();
        // Sound is offered once for all ways, encrypted or not.
        let is_encrypted = |trunk: &&Trunk| trunk.srtp == SrtpPolicy::Required;
        let as_first = trunks.first().is_some_and(is_encrypted);
        let alike = trunks.into_iter().filter(|trunk| is_encrypted(trunk) == as_first);
        let routes: Vec<Route> = alike.map(|trunk| route(trunk, &call.number, &from)).collect();
        if let Some((first, left)) = routes.split_first() {
            let phase = Phase::Calling { app: call.app.clone(), left: left.to_vec().into(), is_trial };
            self.calls.insert(id, TrunkCall { trunk: first.trunk.clone(), phase });
        }
        Ok(Plan { call: id, caller: from, routes })
    }

    /// Gives a call that comes in over a trunk its place.
    ///
    /// # Errors
    ///
    /// [`Denied::NoTrunk`], [`Denied::TooFast`] or [`Denied::TooMany`]; nothing has changed then.
    pub fn incoming(&mut self, trunk: &TrunkId, now: Timestamp) -> Result<TrunkCallId, Denied> {
        let line = self.lines.get_mut(trunk).ok_or(Denied::NoTrunk)?;
        line.take_incoming(now)?;
        self.last_call += 1;
        let id = TrunkCallId(self.last_call);
        self.calls.insert(id, TrunkCall { trunk: trunk.clone(), phase: Phase::Incoming });
        Ok(id)
    }

    /// The attempt that is under way has failed. Returns what is next; `None` for a call that is not being made.
    ///
    /// Another trunk is tried where the failure is the trunk's ([`Failure::is_of_trunk`]) and no phone has rung yet.
    pub fn attempt_failed(&mut self, id: TrunkCallId, failure: Failure, now: Timestamp) -> Option<Next> {
        let call = self.calls.get_mut(&id)?;
        let left = match &mut call.phase {
            Phase::Calling { left, .. } => std::mem::take(left),
            Phase::Ringing { .. } => VecDeque::new(),
            Phase::Connected { .. } | Phase::Cut | Phase::Incoming => return None,
        };
        let trunk = call.trunk.clone();
        self.judge(&trunk, Some(failure).filter(|failure| failure.is_of_trunk()), now);
        let next = if failure.is_of_trunk() { self.move_on(id, left, now) } else { None };
        if next.is_none() {
            self.ended(id, now);
        }
        Some(next.map_or(Next::Over(failure), Next::Try))
    }

    /// A phone rings: the call is not made again over another trunk, whatever becomes of it.
    pub fn ringing(&mut self, id: TrunkCallId, now: Timestamp) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Phase::Calling { app, .. } = &call.phase {
            call.phase = Phase::Ringing { app: app.clone() };
            let trunk = call.trunk.clone();
            self.judge(&trunk, None, now);
        }
    }

    /// The call that is made is answered: its time counts.
    pub fn answered(&mut self, id: TrunkCallId, now: Timestamp) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let (Phase::Calling { app, .. } | Phase::Ringing { app }) = &call.phase else { return };
        let (app, trunk) = (app.clone(), call.trunk.clone());
        self.spending.connect(&app, id, now);
        call.phase = Phase::Connected { app };
        self.judge(&trunk, None, now);
        self.cut(now);
    }

    /// The call is over, whoever ended it. Returns whether it was there: only the first time counts.
    pub fn ended(&mut self, id: TrunkCallId, now: Timestamp) -> bool {
        let Some(call) = self.calls.remove(&id) else { return false };
        if let Phase::Connected { app } = &call.phase {
            self.spending.disconnect(app, id, now);
        }
        if let Some(line) = self.lines.get_mut(&call.trunk) {
            line.release();
            if matches!(call.phase, Phase::Calling { is_trial: true, .. }) {
                line.health.stop_trying();
            }
        }
        true
    }

    /// Finds another trunk for a call whose own has failed; the place on that is given back.
    fn move_on(&mut self, id: TrunkCallId, mut left: VecDeque<Route>, now: Timestamp) -> Option<Route> {
        let call = self.calls.get_mut(&id)?;
        while let Some(route) = left.pop_front() {
            let Some(line) = self.lines.get_mut(&route.trunk).filter(|line| line.health.is_usable(now))
            else {
                continue;
            };
            if line.take_outgoing(now).is_err() {
                continue;
            }
            let takes_trial = line.health.use_it();
            if let Some(line) = self.lines.get_mut(&call.trunk) {
                line.release();
            }
            call.trunk = route.trunk.clone();
            if let Phase::Calling { left: kept, is_trial, .. } = &mut call.phase {
                (*kept, *is_trial) = (left, takes_trial);
            }
            return Some(route);
        }
        None
    }

    /// Trunks that may make the call and can, those to be tried first in front.
    fn candidates(&self, call: &NewTrunkCall<'_>, now: Timestamp) -> Result<Vec<TrunkId>, Denied> {
        let of_tenant = self.lines.values().filter(|line| line.trunk.tenant == *call.tenant);
        let calling: Vec<&Line> = of_tenant.filter(|line| !line.trunk.allowed_prefixes.is_empty()).collect();
        if calling.is_empty() {
            return Err(Denied::NoTrunk);
        }
        let mut lines = calling;
        lines.retain(|line| line.trunk.lets_call(&call.number));
        if lines.is_empty() {
            return Err(Denied::ForbiddenPrefix);
        }
        lines.retain(|line| line.health.is_usable(now));
        if lines.is_empty() {
            return Err(Denied::AllDown);
        }
        let gained = |line: &Line| line.credit + i64::from(line.trunk.weight.get());
        lines.sort_by_key(|line| (line.trunk.priority, Reverse(gained(line)), line.trunk.id.clone()));
        Ok(lines.into_iter().map(|line| line.trunk.id.clone()).collect())
    }

    /// Takes a place on the first candidate that has one. Returns how many had none, and whether the call tries a
    /// trunk that was down.
    fn take_first(&mut self, candidates: &[TrunkId], now: Timestamp) -> Result<(usize, bool), Denied> {
        let mut retry_after = None;
        for (skipped, id) in candidates.iter().enumerate() {
            let Some(line) = self.lines.get_mut(id) else { continue };
            match line.take_outgoing(now) {
                Ok(()) => {
                    let is_trial = line.health.use_it();
                    self.share(id, candidates.get(skipped..).unwrap_or_default());
                    return Ok((skipped, is_trial));
                }
                Err(Full::Calls) => {}
                Err(Full::Tokens) => {
                    let wait = line.wait(now);
                    retry_after = Some(retry_after.map_or(wait, |soonest| wait.min(soonest)));
                }
            }
        }
        Err(retry_after.map_or(Denied::TooMany, |retry_after| Denied::TooFast { retry_after }))
    }

    /// Notes which of the trunks of a priority was taken, so that each is taken by its weight.
    fn share(&mut self, taken: &TrunkId, candidates: &[TrunkId]) {
        let Some(priority) = self.lines.get(taken).map(|line| line.trunk.priority) else { return };
        let weight = |line: &Line| i64::from(line.trunk.weight.get());
        let lines = candidates.iter().filter_map(|id| self.lines.get(id));
        let total: i64 = lines.filter(|line| line.trunk.priority == priority).map(weight).sum();
        for id in candidates {
            let Some(line) = self.lines.get_mut(id).filter(|line| line.trunk.priority == priority) else {
                continue;
            };
            let paid = if id == taken { total } else { 0 };
            // Trunks that are not always candidates together would drift apart.
            line.credit = (line.credit + weight(line) - paid).clamp(-total, total);
        }
    }
}

/// What is known of trunks, and time.
impl Dialler {
    /// A probe has come back: with a failure, or with none (2xx). Any answer shows that the peer is there, but for one
    /// that says it is not ([`Failure::is_of_trunk`]).
    pub fn probed(&mut self, trunk: &TrunkId, failure: Option<Failure>, now: Timestamp) {
        let config = self.config;
        self.with_health(trunk, |line| match failure.filter(|failure| failure.is_of_trunk()) {
            Some(failure) => line.health.probe_failed(failure.retry_after(), &config, now),
            None => line.health.probe_answered(now),
        });
    }

    /// A trunk that registers has done so, or has lost its registration.
    pub fn set_registered(&mut self, trunk: &TrunkId, is_registered: bool) {
        self.with_health(trunk, |line| line.health.set_registered(is_registered));
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        for (id, line) in &mut self.lines {
            if line.health.take_probe(&self.config, now) {
                self.effects.push_back(Effect::Probe(id.clone()));
            }
        }
        self.cut(now);
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let probe = self.lines.values().filter_map(|line| line.health.deadline()).min();
        let spent = self.spending.deadline(|app| budget(&self.budgets, app));
        probe.into_iter().chain(spent).min()
    }

    /// What is to be done next; `None` where that is all.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Ends the calls of applications that have used up their day.
    fn cut(&mut self, now: Timestamp) {
        for (_, id) in self.spending.cut(|app| budget(&self.budgets, app), now) {
            if let Some(call) = self.calls.get_mut(&id) {
                call.phase = Phase::Cut;
                self.effects.push_back(Effect::HangUp(id));
            }
        }
    }

    /// Notes what a call has shown of its trunk.
    fn judge(&mut self, trunk: &TrunkId, failure: Option<Failure>, now: Timestamp) {
        let config = self.config;
        self.with_health(trunk, |line| match failure {
            // Carriers answer so for single destinations, too; whether they are there at all, probes tell.
            Some(failure) if line.health.is_probed() && !failure.is_of_peer() => {}
            Some(failure) => line.health.failed(failure.retry_after(), &config, now),
            None => line.health.answered(),
        });
    }

    /// Changes what is known of a trunk, and tells where it went down or came up by that.
    fn with_health(&mut self, trunk: &TrunkId, change: impl FnOnce(&mut Line)) {
        let Some(line) = self.lines.get_mut(trunk) else { return };
        let was_up = line.health.shown() == TrunkHealth::Up;
        change(line);
        match (was_up, line.health.shown() == TrunkHealth::Up) {
            (true, false) => self.effects.push_back(Effect::Down(trunk.clone())),
            (false, true) => self.effects.push_back(Effect::Up(trunk.clone())),
            (true, true) | (false, false) => {}
        }
    }
}

/// An application that is gone from the directory has what one has of which nobody says more.
fn budget(budgets: &BTreeMap<AppId, TrunkBudget>, app: &AppId) -> TrunkBudget {
    budgets.get(app).copied().unwrap_or_default()
}

/// The number that a call is made from.
///
/// # Errors
///
/// [`Denied::NoInstance`], [`Denied::OtherAppsInstance`] or [`Denied::NoNumber`].
pub fn caller_number(call: &NewTrunkCall<'_>, directory: &Directory) -> Result<PhoneNumber, Denied> {
    let instance = call.instance.and_then(|id| find(directory, id));
    let instance = instance.filter(|instance| instance.tenant == *call.tenant).ok_or(Denied::NoInstance)?;
    if instance.app != *call.app {
        return Err(Denied::OtherAppsInstance);
    }
    let number = match call.caller {
        Some(number) => instance.numbers.contains(&number).then_some(number),
        None => instance.numbers.first().copied(),
    };
    number.ok_or(Denied::NoNumber)
}

/// An application instance by its id as clients write it: in any case.
fn find<'a>(directory: &'a Directory, id: &str) -> Option<&'a ApplicationInstance> {
    let in_any_case = || directory.instances.values().find(|instance| instance.id.eq_ignore_ascii_case(id));
    directory.instances.get(id).or_else(in_any_case)
}

fn route(trunk: &Trunk, number: &PhoneNumber, from: &PhoneNumber) -> Route {
    Route { trunk: trunk.id.clone(), called: called(trunk, number), caller: caller(trunk, from) }
}
