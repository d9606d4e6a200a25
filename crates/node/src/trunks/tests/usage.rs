use std::sync::atomic::Ordering;
use std::time::Duration;

use call_engine::EndCause;
use model::{TrunkBudget, TrunkUsage};
use sip_message::Method;
use trunk::Denied;

use super::{Bench, CALLED, Carrier, Made, PATIENT, SDP};
use crate::far_end::FarEndEvent;

/// What an application may use of whom the directory says nothing.
const MOST: TrunkBudget = TrunkBudget { calls_per_day: 200, minutes_per_day: 600 };

/// Today, as far as the application goes.
fn used(bench: &Bench, calls: u32, connected: Duration) -> TrunkUsage {
    let day = TrunkUsage::day_of(bench.trunks.0.clock.now());
    TrunkUsage { app: "bot".into(), day, calls, connected }
}

/// A server that was started again after so much was used.
async fn restarted(carrier: &Carrier, calls: u32, connected: Duration) -> Bench {
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    let before = used(&bench, calls, connected);
    bench.used.kept.lock().unwrap().push(before);
    bench.trunks.restore_usage().await.unwrap();
    bench
}

/// A call that was answered.
async fn answered(bench: &Bench, carrier: &mut Carrier) -> Made {
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    carrier.reply(&invite, 200, &[], SDP).await;
    assert!(matches!(call.next().await, FarEndEvent::Answered { .. }));
    carrier.request(Method::Ack).await;
    call
}

#[tokio::test]
async fn a_call_is_kept_as_used_before_anybody_is_called() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    let _call = bench.call();
    carrier.request(Method::Invite).await;
    assert_eq!(bench.used.of_bot(), Some(used(&bench, 1, Duration::ZERO)));
}

#[tokio::test]
async fn the_time_of_a_call_is_kept_when_it_is_over() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    let mut call = answered(&bench, &mut carrier).await;
    // Some milliseconds of it, which nobody has to wait for.
    bench.until(|bench| bench.usage().connected > Duration::ZERO).await;
    call.far_end.hang_up();
    let bye = carrier.request(Method::Bye).await;
    carrier.reply(&bye, 200, &[], "").await;
    assert_eq!(call.end().await, EndCause::LocalHangUp);
    bench.until(|bench| bench.used.of_bot() == Some(bench.usage())).await;
    assert!(bench.used.of_bot().unwrap().connected > Duration::ZERO);
}

#[tokio::test]
async fn the_time_of_a_call_that_goes_on_is_kept_in_rounds() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    let _call = answered(&bench, &mut carrier).await;
    bench.until(|bench| bench.usage().connected > Duration::ZERO).await;
    assert_eq!(bench.used.of_bot(), Some(used(&bench, 1, Duration::ZERO)));
    bench.trunks.note_calls();
    bench.trunks.keep_usage().await;
    assert!(bench.used.of_bot().unwrap().connected > Duration::ZERO);
}

#[tokio::test]
async fn what_was_used_before_a_restart_is_used_after_it() {
    let carrier = Carrier::open().await;
    for (calls, minutes) in [(MOST.calls_per_day, 0), (1, MOST.minutes_per_day)] {
        let bench = restarted(&carrier, calls, Duration::from_secs(u64::from(minutes) * 60)).await;
        assert_eq!(bench.plan(CALLED).unwrap_err(), Denied::BudgetSpent);
    }
    let bench = restarted(&carrier, MOST.calls_per_day - 1, Duration::ZERO).await;
    assert!(bench.plan(CALLED).is_ok());
}

#[tokio::test]
async fn a_store_that_fails_stops_no_call_and_is_asked_again() {
    let mut carrier = Carrier::open().await;
    let bench = Bench::new([carrier.trunk("a", 1)], PATIENT).await;
    bench.used.is_broken.store(true, Ordering::Relaxed);
    let mut call = bench.call();
    let invite = carrier.request(Method::Invite).await;
    assert_eq!(bench.used.of_bot(), None);
    bench.used.is_broken.store(false, Ordering::Relaxed);
    carrier.reply(&invite, 486, &[], "").await;
    assert_eq!(call.end().await, EndCause::PhoneNetwork(486));
    bench.trunks.drain().await;
    assert_eq!(bench.used.of_bot(), Some(used(&bench, 1, Duration::ZERO)));
}
