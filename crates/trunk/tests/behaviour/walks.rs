//! What holds on every path: random histories against the promises of the crate.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{Trunk, TrunkBudget, TrunkUsage};
use proptest::prelude::*;
use trunk::{Denied, Effect, Failure, Next, TrunkCallId};

use crate::harness::{CALLEE, Harness, some, trunk};

/// One step of a history; calls are chosen among those that there ever were.
#[derive(Clone, Debug)]
enum Step {
    Advance(u64),
    Answered(usize),
    Ended(usize),
    Failed(usize, Failure),
    Incoming(usize),
    Plan(bool),
    Probed(usize, Option<Failure>),
    Replace(u32, u32),
    Ringing(usize),
    TakeOut(usize),
}

fn failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::Timeout),
        Just(Failure::Unreachable),
        Just(Failure::status(503)),
        Just(Failure::status(486)),
        (1_u64..600).prop_map(|seconds| Failure::Status {
            code: 503,
            retry_after: Some(Duration::from_secs(seconds))
        }),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..3000).prop_map(Step::Advance),
        2 => (0_u64..90_000).prop_map(Step::Advance),
        1 => (0_u64..90_000_000).prop_map(Step::Advance),
        4 => (0_usize..64).prop_map(Step::Answered),
        4 => (0_usize..64).prop_map(Step::Ended),
        4 => (0_usize..64, failure()).prop_map(|(call, failure)| Step::Failed(call, failure)),
        2 => (0_usize..3).prop_map(Step::Incoming),
        9 => any::<bool>().prop_map(Step::Plan),
        3 => (0_usize..3, proptest::option::of(failure())).prop_map(|(trunk, failure)| Step::Probed(trunk, failure)),
        1 => (1_u32..6, 1_u32..6).prop_map(|(calls, rate)| Step::Replace(calls, rate)),
        2 => (0_usize..64).prop_map(Step::Ringing),
        1 => (0_usize..3).prop_map(Step::TakeOut),
    ]
}

const IDS: [&str; 3] = ["a", "b", "c"];
const BUDGET: TrunkBudget = TrunkBudget { calls_per_day: 12, minutes_per_day: 3 };

fn trunks(calls: u32, rate: u32) -> Vec<Trunk> {
    let limited =
        |id: &str| Trunk { concurrent_calls: some(calls), calls_per_second: some(rate), ..trunk(id) };
    let probed = Trunk { options_interval: Some(Duration::from_secs(30)), ..limited("a") };
    vec![probed, limited("b"), Trunk { priority: 1, weight: some(3), ..limited("c") }]
}

/// What a reader of the documentation would keep beside it.
struct Model {
    harness: Harness,
    /// The trunk of each call that is there.
    there: BTreeMap<TrunkCallId, String>,
    /// Every call that there ever was.
    ever: Vec<TrunkCallId>,
    hung_up: Vec<TrunkCallId>,
    limit: u32,
    /// How many calls began over each trunk in each direction, by the moment.
    begun: BTreeMap<(String, bool), Vec<i64>>,
}

impl Model {
    fn new() -> Self {
        Self {
            harness: Harness::with_budget(trunks(4, 3), BUDGET),
            there: BTreeMap::new(),
            ever: Vec::new(),
            hung_up: Vec::new(),
            limit: 4,
            begun: BTreeMap::new(),
        }
    }

    fn chosen(&self, at: usize) -> Option<TrunkCallId> {
        self.ever.get(at % self.ever.len().max(1)).copied()
    }

    fn began(&mut self, call: TrunkCallId, trunk: &str, is_incoming: bool) {
        self.there.insert(call, trunk.to_owned());
        let times = self.begun.entry((trunk.to_owned(), is_incoming)).or_default();
        times.push(self.harness.now.as_millis());
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Advance(millis) => {
                let effects = self.harness.advance(*millis);
                self.note(effects);
            }
            Step::Answered(at) => {
                let Some(call) = self.chosen(*at) else { return };
                self.harness.dialler.answered(call, self.harness.now);
            }
            Step::Ended(at) => {
                let Some(call) = self.chosen(*at) else { return };
                assert_eq!(self.harness.end(call), self.there.remove(&call).is_some(), "once, and only once");
            }
            Step::Failed(at, failure) => self.fail(*at, *failure),
            Step::Incoming(at) => {
                let incoming = self.harness.dialler.incoming(&IDS[*at].into(), self.harness.now);
                if let Ok(call) = incoming {
                    self.ever.push(call);
                    self.began(call, IDS[*at], true);
                }
            }
            Step::Plan(is_first) => self.plan(*is_first),
            Step::Probed(at, failure) => {
                self.harness.dialler.probed(&IDS[*at].into(), *failure, self.harness.now);
            }
            Step::Replace(calls, rate) => {
                let trunks = trunks(*calls, *rate).into_iter().map(|trunk| (trunk.id.clone(), trunk));
                self.harness.directory.trunks = trunks.collect();
                self.harness.dialler.replace(&self.harness.directory, self.harness.now);
                // Calls that were there before may be more than there may be.
                self.limit = (*calls).max(self.most());
                self.begun.clear();
            }
            Step::Ringing(at) => {
                let Some(call) = self.chosen(*at) else { return };
                self.harness.dialler.ringing(call, self.harness.now);
            }
            Step::TakeOut(at) => {
                self.harness.directory.trunks.remove(&IDS[*at].into());
                self.harness.dialler.replace(&self.harness.directory, self.harness.now);
                self.begun.clear();
            }
        }
        let effects = self.harness.effects();
        self.note(effects);
    }

    fn plan(&mut self, is_first: bool) {
        let (who, instance) = if is_first { ("bot", "desk") } else { ("other", "others") };
        let before = self.usage(who);
        match self.harness.plan_as((who, "t"), Some(instance), CALLEE) {
            Ok(plan) => {
                assert_eq!(self.usage(who).calls, before.calls + 1);
                self.ever.push(plan.call);
                let trunk = plan.routes[0].trunk.as_str().to_owned();
                self.began(plan.call, &trunk, false);
            }
            Err(denied) => {
                assert_eq!(self.usage(who), before, "what is denied costs nothing");
                let is_spent = before.calls >= BUDGET.calls_per_day
                    || before.connected >= Duration::from_millis(179_900);
                assert!(denied != Denied::BudgetSpent || is_spent, "{before:?}");
            }
        }
    }

    fn fail(&mut self, at: usize, failure: Failure) {
        let Some(call) = self.chosen(at) else { return };
        match self.harness.fail(call, failure) {
            Some(Next::Over(_)) => assert!(self.there.remove(&call).is_some()),
            Some(Next::Try(route)) => {
                assert!(failure.is_of_trunk());
                assert_ne!(self.there.get(&call).map(String::as_str), Some(route.trunk.as_str()));
                self.began(call, route.trunk.as_str(), false);
            }
            None => {}
        }
    }

    fn usage(&mut self, app: &str) -> TrunkUsage {
        self.harness.dialler.usage(&app.into(), self.harness.now)
    }

    fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::HangUp(call) = effect {
                assert!(!self.hung_up.contains(&call), "hung up once");
                assert!(self.there.contains_key(&call), "and only while it is there");
                self.hung_up.push(call);
            }
        }
    }

    fn most(&self) -> u32 {
        IDS.iter().map(|id| self.calls(id)).max().unwrap_or(0)
    }

    fn calls(&self, id: &str) -> u32 {
        u32::try_from(self.there.values().filter(|trunk| *trunk == id).count()).expect("few")
    }

    fn check(&mut self) {
        for status in self.harness.dialler.status() {
            assert_eq!(status.calls, self.calls(status.trunk.as_str()), "each call has one place");
            assert!(status.calls <= self.limit, "{status:?}");
        }
        for (trunk, times) in &self.begun {
            let Some(rate) = self.harness.directory.trunks.get(&trunk.0.as_str().into()) else { continue };
            let rate = i64::from(rate.calls_per_second.get());
            for (at, first) in times.iter().enumerate() {
                for (count, last) in (1..).zip(times.iter().skip(at)) {
                    assert!((count - rate) * 1000 <= (last - first) * rate, "{trunk:?} began {count}");
                }
            }
        }
        for app in ["bot", "other"] {
            let usage = self.usage(app);
            assert!(usage.calls <= BUDGET.calls_per_day, "{usage:?}");
            assert!(usage.connected <= Duration::from_secs(180), "{usage:?}");
        }
    }
}

proptest! {
    #[test]
    fn limits_hold_and_calls_are_released_once_whatever_happens(steps in proptest::collection::vec(step(), 1..150)) {
        let mut model = Model::new();
        for step in &steps {
            model.take(step);
            model.check();
        }
        for call in model.ever.clone() {
            assert_eq!(model.harness.end(call), model.there.remove(&call).is_some());
        }
        prop_assert!(model.harness.load().into_iter().all(|calls| calls == 0));
    }

    #[test]
    fn the_same_history_has_the_same_effects(steps in proptest::collection::vec(step(), 1..80)) {
        let run = || {
            let mut model = Model::new();
            steps.iter().for_each(|step| model.take(step));
            format!("{:?}", model.harness.dialler)
        };
        prop_assert_eq!(run(), run());
    }
}
