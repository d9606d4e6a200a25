//! What applications may use of a day.

use std::time::Duration;

use model::{TrunkBudget, TrunkUsage};
use trunk::{Denied, Effect, Failure};

use crate::harness::{CALLEE, Harness, trunk};

const BUDGET: TrunkBudget = TrunkBudget { calls_per_day: 4, minutes_per_day: 2 };

fn harness() -> Harness {
    Harness::with_budget(vec![trunk("a")], BUDGET)
}

fn usage(harness: &mut Harness) -> TrunkUsage {
    harness.dialler.usage(&"bot".into(), harness.now)
}

#[test]
fn each_call_counts_whether_it_is_answered_or_not_and_each_application_has_its_own() {
    let mut harness = harness();
    for _ in 0..4 {
        let call = harness.plan().unwrap().call;
        assert!(harness.fail(call, Failure::status(486)).is_some());
    }
    assert_eq!(harness.plan(), Err(Denied::BudgetSpent));
    assert!(harness.plan_as(("other", "t"), Some("others"), CALLEE).is_ok());
    assert_eq!(usage(&mut harness).calls, 4);
    harness.wait(86_400_000);
    assert!(harness.plan().is_ok());
}

#[test]
fn a_call_that_is_denied_costs_nothing() {
    let mut harness = harness();
    for instance in [None, Some("others"), Some("mute")] {
        assert!(harness.plan_as(("bot", "t"), instance, CALLEE).is_err());
    }
    assert_eq!(usage(&mut harness).calls, 0);
}

#[test]
fn when_the_minutes_are_used_up_all_calls_of_the_application_are_hung_up() {
    let mut harness = harness();
    let (first, second) = (harness.talk(), harness.talk());
    let ringing = harness.plan().unwrap().call;
    assert!(harness.advance(59_999).is_empty());
    assert_eq!(harness.advance(1), [Effect::HangUp(first), Effect::HangUp(second)]);
    assert_eq!(usage(&mut harness).connected, Duration::from_secs(120));
    assert_eq!(harness.plan(), Err(Denied::BudgetSpent));
    harness.dialler.answered(ringing, harness.now);
    assert_eq!(harness.effects(), [Effect::HangUp(ringing)], "there is nothing left for it");
    assert!([first, second, ringing].into_iter().all(|call| harness.end(call)));
    assert_eq!((usage(&mut harness).connected, harness.load()), (Duration::from_secs(120), vec![0]));
}

#[test]
fn what_rings_and_what_comes_in_costs_no_minutes() {
    let mut harness = harness();
    let ringing = harness.plan().unwrap().call;
    harness.dialler.ringing(ringing, harness.now);
    let incoming = harness.dialler.incoming(&"a".into(), harness.now).unwrap();
    harness.dialler.answered(incoming, harness.now);
    assert!(harness.advance(3_600_000).is_empty());
    assert_eq!(usage(&mut harness).connected, Duration::ZERO);
}

#[test]
fn a_call_goes_on_at_midnight_on_the_new_days_minutes() {
    let mut harness = harness();
    harness.wait(86_400_000 - 60_000);
    let call = harness.talk();
    assert!(harness.advance(60_000 + 119_999).is_empty());
    assert_eq!(harness.advance(1), [Effect::HangUp(call)]);
}

#[test]
fn a_smaller_budget_holds_at_once() {
    let mut harness = harness();
    let call = harness.talk();
    harness.advance(61_000);
    for application in harness.directory.applications.values_mut() {
        application.trunk_budget.minutes_per_day = 1;
    }
    harness.dialler.replace(&harness.directory, harness.now);
    assert_eq!(harness.advance(0), [Effect::HangUp(call)]);
}

#[test]
fn a_restart_does_not_give_the_day_anew() {
    let mut before = harness();
    (0..4).for_each(|_| assert!(before.plan().is_ok()));
    let mut after = harness();
    after.dialler.restore(&usage(&mut before), after.now);
    assert_eq!(after.plan(), Err(Denied::BudgetSpent));
}
