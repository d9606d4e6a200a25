//! Calls that are made: who may, over which trunk, and which one is next.

use std::collections::BTreeMap;
use std::time::Duration;

use model::{AppId, CallerForm, Outcome, SrtpPolicy, TenantId, Trunk};
use trunk::{Denied, Failure, NewTrunkCall, Next};

use crate::harness::{CALLEE, Harness, next, number, rule, some, trunk, trunks};

#[test]
fn only_an_application_instance_of_the_application_and_the_tenant_calls() {
    let mut harness = Harness::new(vec![trunk("a"), Trunk { tenant: "u".into(), ..trunk("b") }]);
    let cases = [
        (("bot", "t"), None, Some(Denied::NoInstance)),
        (("bot", "t"), Some("nobody"), Some(Denied::NoInstance)),
        (("bot", "t"), Some("far"), Some(Denied::NoInstance)),
        (("bot", "t"), Some("others"), Some(Denied::OtherAppsInstance)),
        (("other", "t"), Some("desk"), Some(Denied::OtherAppsInstance)),
        (("bot", "t"), Some("mute"), Some(Denied::NoNumber)),
        (("bot", "t"), Some("DESK"), None),
        (("other", "t"), Some("others"), None),
        (("bot", "u"), Some("far"), None),
    ];
    for (who, instance, denied) in cases {
        let plan = harness.plan_as(who, instance, CALLEE);
        assert_eq!(plan.as_ref().err().copied(), denied, "{who:?} {instance:?}");
        if let Ok(plan) = plan {
            assert_eq!(trunks(&plan), [if who.1 == "t" { "a" } else { "b" }]);
        }
    }
}

#[test]
fn a_call_is_made_from_a_number_of_its_instance_and_from_no_other() {
    let mut harness = Harness::new(vec![trunk("a")]);
    let (app, tenant) = (AppId::from("bot"), TenantId::from("t"));
    let mut from = |caller: Option<&str>| {
        let caller = caller.map(number);
        let call = NewTrunkCall {
            app: &app,
            tenant: &tenant,
            instance: Some("desk"),
            caller,
            number: number(CALLEE),
        };
        let plan = harness.dialler.plan(&call, &harness.directory, harness.now);
        plan.map(|plan| plan.caller.as_str().to_owned())
    };
    assert_eq!(from(None).as_deref(), Ok("+12345678900"));
    assert_eq!(from(Some("+12345678901")).as_deref(), Ok("+12345678901"));
    assert_eq!(from(Some("+12345678910")), Err(Denied::NoNumber));
}

#[test]
fn numbers_are_written_as_each_trunk_wants_them() {
    let national = Trunk {
        outgoing_rules: vec![rule("+1", "", None), rule("+", "011", None)],
        caller_form: CallerForm::Digits,
        ..trunk("a")
    };
    let mut harness = Harness::new(vec![national, Trunk { priority: 1, ..trunk("b") }]);
    let plan = harness.plan().unwrap();
    let written: Vec<_> =
        plan.routes.iter().map(|route| (route.called.as_str(), route.caller.as_str())).collect();
    assert_eq!(written, [("2015550123", "12345678900"), ("+12015550123", "+12345678900")]);
    let shown = format!("{plan:?}");
    assert!(!shown.contains("2015550123") && !shown.contains("12345678900"), "{shown}");
}

#[test]
fn a_number_is_called_where_it_is_allowed_and_not_blocked() {
    let prefix = |text: &str| text.to_owned().try_into().unwrap();
    let american =
        Trunk { allowed_prefixes: vec![prefix("+1")], blocked_prefixes: vec![prefix("+1900")], ..trunk("a") };
    let british = Trunk { allowed_prefixes: vec![prefix("+44")], ..trunk("b") };
    let receiving = Trunk { allowed_prefixes: Vec::new(), ..trunk("c") };
    let mut harness = Harness::new(vec![american, british, receiving.clone()]);
    let mut over = |called: &str| {
        let plan = harness.plan_as(("bot", "t"), Some("desk"), called);
        plan.map(|plan| trunks(&plan).join(" "))
    };
    assert_eq!(over(CALLEE).as_deref(), Ok("a"));
    assert_eq!(over("+442079460123").as_deref(), Ok("b"));
    assert_eq!(over("+19005550123"), Err(Denied::ForbiddenPrefix));
    assert_eq!(over("+4930123456"), Err(Denied::ForbiddenPrefix));
    assert_eq!(Harness::new(vec![receiving]).plan(), Err(Denied::NoTrunk));
    assert_eq!(Harness::new(Vec::new()).plan(), Err(Denied::NoTrunk));
}

#[test]
fn the_lower_priority_goes_first_and_equal_ones_share_by_weight() {
    let weighted = |id: &str, weight: u32| Trunk { weight: some(weight), ..trunk(id) };
    let spare = Trunk { priority: 1, ..trunk("a") };
    let mut harness = Harness::new(vec![spare, weighted("b", 3), weighted("c", 1)]);
    let mut first = BTreeMap::new();
    for _ in 0..40 {
        let plan = harness.plan().unwrap();
        assert_eq!(trunks(&plan)[2], "a", "the spare one is last");
        *first.entry(trunks(&plan)[0].to_owned()).or_insert(0) += 1;
        assert!(harness.end(plan.call));
    }
    assert_eq!(first, BTreeMap::from([("b".to_owned(), 30), ("c".to_owned(), 10)]));
}

#[test]
fn a_call_that_is_offered_encrypted_is_not_made_in_the_clear_elsewhere_nor_the_other_way_round() {
    let plain = |id, priority| Trunk { priority, ..trunk(id) };
    let secret = |id, priority| Trunk { srtp: SrtpPolicy::Required, ..plain(id, priority) };
    let mut harness = Harness::new(vec![plain("a", 1), secret("b", 2), plain("c", 3)]);
    assert_eq!(trunks(&harness.plan().unwrap()), ["a", "c"]);
    let mut harness = Harness::new(vec![secret("a", 1), plain("b", 2), secret("c", 3)]);
    assert_eq!(trunks(&harness.plan().unwrap()), ["a", "c"]);
}

#[test]
fn the_next_trunk_is_tried_where_the_way_failed_and_not_where_the_callee_did() {
    let of_way =
        [502, 503, 504].map(Failure::status).into_iter().chain([Failure::Timeout, Failure::Unreachable]);
    for failure in of_way {
        let mut harness = Harness::new(vec![trunk("a"), trunk("b")]);
        let call = harness.plan().unwrap().call;
        assert_eq!((next(harness.fail(call, failure)).as_deref(), harness.load()), (Some("b"), vec![0, 1]));
        assert_eq!((harness.fail(call, failure), harness.load()), (Some(Next::Over(failure)), vec![0, 0]));
        assert_eq!((harness.fail(call, failure), harness.end(call)), (None, false), "it is over");
    }
    for code in
        [302, 400, 401, 403, 404, 408, 480, 484, 486, 487, 488, 500, 501, 505, 513, 600, 603, 604, 606, 607]
    {
        let mut harness = Harness::new(vec![trunk("a"), trunk("b")]);
        let call = harness.plan().unwrap().call;
        let failure = Failure::status(code);
        assert_eq!((harness.fail(call, failure), harness.load()), (Some(Next::Over(failure)), vec![0, 0]));
    }
}

#[test]
fn each_failure_that_ends_a_call_has_its_result() {
    let cases = [
        (Failure::status(486), 486),
        (Failure::status(404), 404),
        (Failure::status(603), 603),
        (Failure::status(302), 480),
        (Failure::Timeout, 408),
        (Failure::Unreachable, 503),
    ];
    for (failure, status) in cases {
        assert_eq!(failure.outcome(), Outcome::PstnOutgoing(status), "{failure:?}");
    }
}

#[test]
fn once_a_phone_rings_a_call_is_not_made_again() {
    let mut harness = Harness::new(vec![trunk("a"), trunk("b")]);
    let call = harness.plan().unwrap().call;
    harness.dialler.ringing(call, harness.now);
    let failure = Failure::status(503);
    assert_eq!((harness.fail(call, failure), harness.load()), (Some(Next::Over(failure)), vec![0, 0]));
}

#[test]
fn an_answered_call_and_one_that_came_in_have_no_next_attempt() {
    let mut harness = Harness::new(vec![trunk("a"), trunk("b")]);
    let answered = harness.talk();
    let incoming = harness.dialler.incoming(&"b".into(), harness.now).unwrap();
    for call in [answered, incoming] {
        assert_eq!(harness.fail(call, Failure::Timeout), None);
    }
    assert_eq!(harness.load(), [1, 1]);
    assert!(harness.end(answered) && harness.end(incoming) && !harness.end(answered));
    assert_eq!(harness.load(), [0, 0]);
}

#[test]
fn a_full_trunk_is_passed_over_and_all_full_ones_say_so() {
    let small = |id: &str| Trunk { concurrent_calls: some(1), ..trunk(id) };
    let mut harness = Harness::new(vec![small("a"), Trunk { priority: 1, ..small("b") }]);
    let first = harness.plan().unwrap();
    assert_eq!(trunks(&first), ["a", "b"]);
    let second = harness.plan().unwrap();
    assert_eq!(trunks(&second), ["b"]);
    assert_eq!(harness.plan(), Err(Denied::TooMany));
    assert_eq!(harness.fail(first.call, Failure::Timeout), Some(Next::Over(Failure::Timeout)), "b is full");
    assert!(harness.plan().is_ok());
}

#[test]
fn calls_of_both_directions_have_their_places_together_and_their_rates_apart() {
    let small = Trunk { concurrent_calls: some(3), calls_per_second: some(1), ..trunk("a") };
    let mut harness = Harness::new(vec![small]);
    let retry_after = Duration::from_secs(1);
    assert!(harness.plan().is_ok());
    assert_eq!(harness.plan(), Err(Denied::TooFast { retry_after }));
    assert!(harness.dialler.incoming(&"a".into(), harness.now).is_ok());
    assert_eq!(harness.dialler.incoming(&"a".into(), harness.now), Err(Denied::TooFast { retry_after }));
    harness.wait(1000);
    assert!(harness.plan().is_ok());
    harness.wait(1000);
    assert_eq!(harness.plan(), Err(Denied::TooMany));
    assert_eq!(harness.dialler.incoming(&"a".into(), harness.now), Err(Denied::TooMany));
    assert_eq!(harness.dialler.incoming(&"gone".into(), harness.now), Err(Denied::NoTrunk));
}

#[test]
fn where_several_trunks_are_too_fast_the_soonest_is_told() {
    let slow = |id: &str, rate: u32| Trunk { calls_per_second: some(rate), ..trunk(id) };
    let mut harness = Harness::new(vec![slow("a", 1), slow("b", 4)]);
    (0..5).for_each(|_| assert!(harness.plan().is_ok()));
    assert_eq!(harness.plan(), Err(Denied::TooFast { retry_after: Duration::from_millis(250) }));
}

#[test]
fn a_trunk_that_is_taken_out_and_put_back_still_counts_the_calls_that_went_on() {
    let small = Trunk { concurrent_calls: some(1), ..trunk("a") };
    let mut harness = Harness::new(vec![small]);
    let call = harness.talk();
    let trunks = std::mem::take(&mut harness.directory.trunks);
    harness.dialler.replace(&harness.directory, harness.now);
    assert_eq!(harness.plan(), Err(Denied::NoTrunk));
    harness.directory.trunks = trunks;
    harness.dialler.replace(&harness.directory, harness.now);
    assert_eq!(harness.plan(), Err(Denied::TooMany));
    assert!(harness.end(call) && harness.plan().is_ok());
}

#[test]
fn limits_that_change_hold_for_the_next_call() {
    let mut harness = Harness::new(vec![trunk("a")]);
    let calls: Vec<_> = (0..3).map(|_| harness.talk()).collect();
    harness.directory.trunks.get_mut(&"a".into()).unwrap().concurrent_calls = some(2);
    harness.dialler.replace(&harness.directory, harness.now);
    assert_eq!((harness.plan(), harness.load()), (Err(Denied::TooMany), vec![3]));
    assert!(calls.iter().take(2).all(|call| harness.end(*call)));
    assert!(harness.plan().is_ok());
}
