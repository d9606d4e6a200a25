//! The tests that say what the traits mean, for every back end to run.
//!
//! A back end calls `store::contract_tests!(open)` in a test file, where `open` is a function without arguments that
//! returns something which derefs to an empty `dyn Store` or a type that is one. Each test is also a function here.

#![expect(clippy::unwrap_used, reason = "these are tests, although of another crate")]

mod calls;
mod directory;
mod keys;
mod meetings;
mod outbox;
mod samples;
mod trunk;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

pub use calls::*;
pub use directory::*;
pub use keys::*;
pub use meetings::*;
pub use outbox::*;
pub use samples::Samples;
pub use trunk::*;

/// Makes a `#[test]` of each contract test.
#[macro_export]
macro_rules! contract_tests {
    ($open:path) => {
        $crate::contract_tests!(@each $open:
            a_committed_call_reads_back,
            a_call_reads_back_with_its_media,
            a_call_that_came_in_reads_back,
            a_call_is_replaced_whole,
            a_transaction_is_all_or_nothing,
            a_bad_transaction_takes_no_other_with_it,
            transactions_take_effect_in_the_order_of_their_requests,
            a_transaction_that_is_too_large_is_refused,
            operations_keep_their_order_and_their_latest_state,
            only_calls_that_are_not_over_are_live,
            live_calls_are_read_in_pages,
            ended_calls_are_read_in_pages_the_latest_first,
            recordings_are_found_expire_and_are_forgotten,
            purging_spares_what_is_live_owed_or_recorded,
            purging_takes_everything_of_a_call,
            a_closed_store_refuses_and_has_kept_everything,
            owed_notifications_come_in_order_of_call_and_sequence,
            a_sequence_is_used_once,
            a_delivered_or_abandoned_notification_is_not_owed,
            attempts_read_back_in_order_and_are_bounded,
            resends_are_kept_apart_and_are_bounded,
            records_of_what_is_not_kept_are_ignored,
            a_redirect_outlives_a_change_of_the_call,
            recent_notifications_of_an_app_are_newest_first,
            keys_are_kept_by_purpose_newest_first,
            a_new_key_removes_expired_ones_of_its_purpose,
            the_directory_reads_back_with_its_version,
            a_change_for_another_version_is_refused_whole,
            what_is_removed_from_the_directory_is_gone,
            a_meeting_is_found_by_each_of_its_ids_in_its_tenant,
            an_id_of_another_meeting_is_refused,
            one_external_id_makes_one_meeting_however_many_ask_at_once,
            a_person_has_a_quota_of_meetings_in_a_month,
            a_meeting_changes_from_its_latest_state_only,
            a_changed_meeting_is_found_by_its_new_ids_only,
            a_deleted_meeting_is_gone,
            meetings_of_a_file_change_with_the_directory,
            all_meetings_are_read_in_pages,
            meetings_that_ended_long_ago_are_purged,
            purging_forgets_the_counts_of_former_months,
            what_applications_have_used_of_trunks_reads_back_by_application,
            what_is_used_of_a_day_only_grows,
            former_days_of_trunks_are_forgotten,
        );
    };
    (@each $open:path: $($test:ident),* $(,)?) => {
        $(
            #[test]
            fn $test() {
                let store = $open();
                $crate::contract::block_on($crate::contract::$test(&*store));
            }
        )*
    };
}

/// Runs a future on this thread until it is done.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
