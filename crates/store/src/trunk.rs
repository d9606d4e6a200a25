use model::TrunkUsage;

use crate::Reply;

/// What applications have used of trunks, so that a new start is not a way to a new budget.
pub trait TrunkUsageStore: Send + Sync {
    /// What applications have used of a day ([`TrunkUsage::day_of`]), by application; those that have used nothing are
    /// missing.
    fn trunk_usage(&self, day: i64) -> Reply<'_, Vec<TrunkUsage>>;

    /// Keeps, durably, what an application has used of a day, and forgets what all have used of days before.
    ///
    /// What is used of a day only grows: of two statements that come in any order, what is more is kept.
    fn keep_trunk_usage(&self, usage: TrunkUsage) -> Reply<'_, ()>;
}
