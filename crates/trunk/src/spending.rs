//! What applications have used of a day.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{AppId, Timestamp, TrunkBudget, TrunkUsage};

use crate::TrunkCallId;

const DAY_S: i64 = 86_400;

/// What all applications have used of the current day. What they may use comes from outside.
#[derive(Debug, Default)]
pub(crate) struct Spending {
    day: i64,
    apps: BTreeMap<AppId, Spent>,
}

#[derive(Debug, Default)]
struct Spent {
    calls: u32,
    connected_ms: u64,
    /// Up to when time was added.
    counted_to: Timestamp,
    /// Calls that are connected.
    metered: BTreeSet<TrunkCallId>,
}

impl Spent {
    /// How many calls are connected.
    fn running(&self) -> u64 {
        u64::try_from(self.metered.len()).unwrap_or(u64::MAX)
    }

    /// Adds the time of the calls that are connected. A clock that was put back adds nothing.
    fn count(&mut self, now: Timestamp) {
        let elapsed_ms = u64::try_from(now.since(self.counted_to).as_millis()).unwrap_or(u64::MAX);
        self.connected_ms = self.connected_ms.saturating_add(elapsed_ms.saturating_mul(self.running()));
        self.counted_to = now;
    }

    fn left_ms(&self, budget: TrunkBudget) -> u64 {
        (u64::from(budget.minutes_per_day) * 60_000).saturating_sub(self.connected_ms)
    }
}

impl Spending {
    /// Whether another call may begin: it is one of those that the day has, and there is time for it beside the others.
    pub(crate) fn lets_begin(&mut self, app: &AppId, budget: TrunkBudget, now: Timestamp) -> bool {
        self.turn(now);
        let Some(spent) = self.apps.get_mut(app) else {
            return budget.calls_per_day > 0 && budget.minutes_per_day > 0;
        };
        spent.count(now);
        spent.calls < budget.calls_per_day && spent.left_ms(budget) > spent.running()
    }

    /// Counts a call that begins.
    pub(crate) fn begin(&mut self, app: &AppId, now: Timestamp) {
        self.turn(now);
        let spent = self.apps.entry(app.clone()).or_default();
        spent.calls = spent.calls.saturating_add(1);
    }

    /// Counts the call's time from here on.
    pub(crate) fn connect(&mut self, app: &AppId, call: TrunkCallId, now: Timestamp) {
        self.turn(now);
        let spent = self.apps.entry(app.clone()).or_default();
        spent.count(now);
        spent.metered.insert(call);
    }

    /// Counts the call's time no more.
    pub(crate) fn disconnect(&mut self, app: &AppId, call: TrunkCallId, now: Timestamp) {
        self.turn(now);
        if let Some(spent) = self.apps.get_mut(app) {
            spent.count(now);
            spent.metered.remove(&call);
        }
    }

    /// Calls of applications whose time is used up, with the application. Their time is not counted any more.
    pub(crate) fn cut(
        &mut self,
        budget: impl Fn(&AppId) -> TrunkBudget,
        now: Timestamp,
    ) -> Vec<(AppId, TrunkCallId)> {
        self.turn(now);
        let mut cut = Vec::new();
        for (app, spent) in &mut self.apps {
            spent.count(now);
            // What cannot be divided among the calls is of no use to them.
            if spent.left_ms(budget(app)) < spent.running() {
                let calls = std::mem::take(&mut spent.metered);
                cut.extend(calls.into_iter().map(|call| (app.clone(), call)));
            }
        }
        cut
    }

    /// When the time of the first application is used up, or the day is over that one uses.
    pub(crate) fn deadline(&self, budget: impl Fn(&AppId) -> TrunkBudget) -> Option<Timestamp> {
        let running = self.apps.iter().filter(|(_, spent)| !spent.metered.is_empty());
        let deadline = running.map(|(app, spent)| {
            let left = spent.left_ms(budget(app)).checked_div(spent.running()).unwrap_or(0);
            spent.counted_to.after(Duration::from_millis(left)).min(midnight(self.day + 1))
        });
        deadline.min()
    }

    /// What an application has used of this day.
    pub(crate) fn usage(&mut self, app: &AppId, now: Timestamp) -> TrunkUsage {
        self.turn(now);
        let spent = self.apps.get_mut(app);
        let (calls, connected_ms) = spent.map_or((0, 0), |spent| {
            spent.count(now);
            (spent.calls, spent.connected_ms)
        });
        let connected = Duration::from_millis(connected_ms);
        TrunkUsage { app: app.clone(), day: self.day, calls, connected }
    }

    /// Takes in what was used before this began to count; of another day it means nothing.
    pub(crate) fn restore(&mut self, usage: &TrunkUsage, now: Timestamp) {
        self.turn(now);
        if usage.day != self.day {
            return;
        }
        let spent = self.apps.entry(usage.app.clone()).or_default();
        spent.calls = spent.calls.saturating_add(usage.calls);
        let connected_ms = u64::try_from(usage.connected.as_millis()).unwrap_or(u64::MAX);
        spent.connected_ms = spent.connected_ms.saturating_add(connected_ms);
    }

    /// Begins a new day. A clock that was put back does not give a day anew.
    fn turn(&mut self, now: Timestamp) {
        let day = TrunkUsage::day_of(now);
        if day <= self.day {
            return;
        }
        self.day = day;
        self.apps.retain(|_, spent| !spent.metered.is_empty());
        for spent in self.apps.values_mut() {
            let counted_to = spent.counted_to.max(midnight(day));
            *spent = Spent { metered: std::mem::take(&mut spent.metered), counted_to, ..Spent::default() };
        }
    }
}

fn midnight(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(DAY_S * 1000))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::{AppId, Timestamp, TrunkBudget, TrunkUsage};

    use super::Spending;
    use crate::TrunkCallId;

    const BUDGET: TrunkBudget = TrunkBudget { calls_per_day: 3, minutes_per_day: 2 };

    /// A moment of the third day.
    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(2 * 86_400_000 + millis)
    }

    fn app() -> AppId {
        "bot".into()
    }

    #[test]
    fn time_is_that_of_all_calls_together_and_ends_them_all() {
        let mut spending = Spending::default();
        let (one, two) = (TrunkCallId(1), TrunkCallId(2));
        spending.connect(&app(), one, at(0));
        assert_eq!(spending.deadline(|_| BUDGET), Some(at(120_000)));
        spending.connect(&app(), two, at(60_000));
        assert_eq!(spending.deadline(|_| BUDGET), Some(at(90_000)), "half the time for twice as many");
        assert!(spending.cut(|_| BUDGET, at(89_999)).is_empty());
        assert_eq!(spending.cut(|_| BUDGET, at(90_000)), [(app(), one), (app(), two)]);
        assert_eq!(spending.usage(&app(), at(100_000)).connected, Duration::from_secs(120));
        assert!(!spending.lets_begin(&app(), BUDGET, at(100_000)));
        assert_eq!(spending.deadline(|_| BUDGET), None);
    }

    #[test]
    fn at_midnight_all_begin_anew_and_a_call_goes_on() {
        let midnight = at(86_400_000);
        let mut spending = Spending::default();
        for _ in 0..3 {
            assert!(spending.lets_begin(&app(), BUDGET, at(86_390_000)));
            spending.begin(&app(), at(86_390_000));
        }
        assert!(!spending.lets_begin(&app(), BUDGET, at(86_390_000)));
        spending.connect(&app(), TrunkCallId(1), at(86_390_000));
        assert_eq!(spending.deadline(|_| BUDGET), Some(midnight));
        assert!(spending.lets_begin(&app(), BUDGET, midnight.after(Duration::from_secs(3))));
        let usage = spending.usage(&app(), midnight.after(Duration::from_secs(3)));
        assert_eq!((usage.calls, usage.connected), (0, Duration::from_secs(3)));
    }

    #[test]
    fn a_clock_that_is_put_back_gives_no_day_anew() {
        let mut spending = Spending::default();
        (0..3).for_each(|_| spending.begin(&app(), at(0)));
        assert!(!spending.lets_begin(&app(), BUDGET, at(-1)));
        assert_eq!(spending.usage(&app(), at(-1)).calls, 3);
    }

    #[test]
    fn what_was_used_before_a_restart_counts_on_its_day() {
        let mut before = Spending::default();
        (0..2).for_each(|_| before.begin(&app(), at(0)));
        before.connect(&app(), TrunkCallId(1), at(0));
        let usage = before.usage(&app(), at(30_000));
        assert_eq!(usage, TrunkUsage { app: app(), day: 2, calls: 2, connected: Duration::from_secs(30) });

        let mut after = Spending::default();
        after.restore(&usage, at(31_000));
        assert_eq!(after.usage(&app(), at(31_000)), usage);
        let mut next_day = Spending::default();
        next_day.restore(&usage, at(86_400_000));
        assert_eq!(next_day.usage(&app(), at(86_400_000)).calls, 0);
    }

    #[test]
    fn a_budget_of_nothing_lets_nothing_begin() {
        let mut spending = Spending::default();
        for (calls_per_day, minutes_per_day) in [(0, 9), (9, 0)] {
            assert!(!spending.lets_begin(&app(), TrunkBudget { calls_per_day, minutes_per_day }, at(0)));
        }
    }
}
