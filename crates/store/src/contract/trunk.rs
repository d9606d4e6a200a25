use std::time::Duration;

use model::TrunkUsage;

use crate::Store;

const DAY: i64 = 20_000;

fn used(app: &str, day: i64, calls: u32, seconds: u64) -> TrunkUsage {
    TrunkUsage { app: app.into(), day, calls, connected: Duration::from_secs(seconds) }
}

async fn keep(store: &dyn Store, usage: &TrunkUsage) {
    store.keep_trunk_usage(usage.clone()).await.unwrap();
}

/// Each application has its own; the time is kept to the millisecond.
pub async fn what_applications_have_used_of_trunks_reads_back_by_application(store: &dyn Store) {
    assert_eq!(store.trunk_usage(DAY).await.unwrap(), []);
    let other = used("b", DAY, 1, 0);
    let one = TrunkUsage { connected: Duration::from_millis(1_234), ..used("a", DAY, u32::MAX, 0) };
    keep(store, &other).await;
    keep(store, &one).await;
    assert_eq!(store.trunk_usage(DAY).await.unwrap(), [one, other]);
    assert_eq!(store.trunk_usage(DAY + 1).await.unwrap(), []);
}

/// A statement that was overtaken takes nothing back.
pub async fn what_is_used_of_a_day_only_grows(store: &dyn Store) {
    for usage in [used("a", DAY, 2, 10), used("a", DAY, 1, 20), used("a", DAY, 3, 15)] {
        keep(store, &usage).await;
    }
    assert_eq!(store.trunk_usage(DAY).await.unwrap(), [used("a", DAY, 3, 20)]);
}

/// Nothing piles up. A day that a clock was wrongly put forward to says nothing of the others.
pub async fn former_days_of_trunks_are_forgotten(store: &dyn Store) {
    for usage in [used("a", DAY, 1, 1), used("b", DAY, 2, 2), used("c", DAY + 9, 9, 9)] {
        keep(store, &usage).await;
    }
    assert_eq!(store.trunk_usage(DAY).await.unwrap(), []);
    for usage in [used("a", DAY, 3, 3), used("a", DAY + 1, 1, 1)] {
        keep(store, &usage).await;
    }
    assert_eq!(store.trunk_usage(DAY).await.unwrap(), []);
    assert_eq!(store.trunk_usage(DAY + 1).await.unwrap(), [used("a", DAY + 1, 1, 1)]);
    assert_eq!(store.trunk_usage(DAY + 9).await.unwrap(), [used("c", DAY + 9, 9, 9)]);
}
