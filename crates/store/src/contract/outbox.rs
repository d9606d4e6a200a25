use model::{AppId, NotificationState, Timestamp};

use super::samples::{Samples, attempt, only_call};
use crate::{
    CallbackRedirect, Delivery, DeliveryRecord, MAX_ATTEMPTS_KEPT, MAX_RESENDS_KEPT, Store, StoreError,
    Transaction,
};

/// Start-up reads all that is owed in pages, each call's in order.
pub async fn owed_notifications_come_in_order_of_call_and_sequence(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (first, one) = samples.new_call(2);
    let (second, two) = samples.new_call(2);
    let mut later = Transaction::at(Timestamp::from_millis(5));
    later.notifications.push(samples.notification(&first, 3));
    let first_owed = [one.notifications.clone(), later.notifications.clone()].concat();
    let all = [first_owed.clone(), two.notifications.clone()].concat();
    for transaction in [one, two, later] {
        store.commit(transaction).await.unwrap();
    }

    assert_eq!(store.owed(10, None).await.unwrap(), all);
    assert_eq!(store.owed(2, None).await.unwrap(), all[..2]);
    assert_eq!(store.owed(2, Some((first.id, 2))).await.unwrap(), all[2..4]);
    assert_eq!(store.owed(2, Some((second.id, 2))).await.unwrap(), []);
    assert_eq!(store.owed_of_call(first.id, 0, 10).await.unwrap(), first_owed);
    assert_eq!(store.owed_of_call(first.id, 1, 1).await.unwrap(), first_owed[1..2]);
}

/// Two notifications of a call cannot have the same place.
pub async fn a_sequence_is_used_once(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, transaction) = samples.new_call(1);
    let owed = transaction.notifications.clone();
    store.commit(transaction).await.unwrap();
    let mut again = only_call(&call, 2);
    again.notifications.push(samples.notification(&call, 1));
    assert!(matches!(store.commit(again).await, Err(StoreError::Invalid(_))));
    assert_eq!(store.owed(10, None).await.unwrap(), owed);
}

/// What was delivered or given up is over; what failed is still owed.
pub async fn a_delivered_or_abandoned_notification_is_not_owed(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, transaction) = samples.new_call(3);
    let owed = transaction.notifications.clone();
    store.commit(transaction).await.unwrap();
    let record = |sequence, attempt, state| DeliveryRecord { call: call.id, sequence, attempt, state };
    store
        .record_deliveries(vec![
            record(1, Some(attempt(1)), NotificationState::Delivered),
            record(2, Some(attempt(1)), NotificationState::Pending),
            record(3, None, NotificationState::Abandoned),
        ])
        .await
        .unwrap();

    assert_eq!(store.owed(10, None).await.unwrap(), owed[1..2]);
    let deliveries = store.notifications_of(call.id, 0, 10).await.unwrap();
    let expected = [
        (NotificationState::Delivered, vec![attempt(1)]),
        (NotificationState::Pending, vec![attempt(1)]),
        (NotificationState::Abandoned, vec![]),
    ];
    let expected = owed.into_iter().zip(expected);
    let expected: Vec<_> = expected
        .map(|(notification, (state, attempts))| Delivery {
            notification,
            state,
            attempts,
            resends: Vec::new(),
        })
        .collect();
    assert_eq!(deliveries, expected);
    assert_eq!(store.notifications_of(call.id, 1, 1).await.unwrap(), expected[1..2]);
}

/// A notification that is tried for hours keeps its first and its latest attempts.
pub async fn attempts_read_back_in_order_and_are_bounded(store: &dyn Store) {
    let (call, transaction) = Samples::new(1).new_call(1);
    store.commit(transaction).await.unwrap();
    let state = NotificationState::Pending;
    for number in 1..=1_000 {
        let record = DeliveryRecord { call: call.id, sequence: 1, attempt: Some(attempt(number)), state };
        store.record_deliveries(vec![record]).await.unwrap();
    }
    let delivery = store.notifications_of(call.id, 0, 1).await.unwrap().remove(0);
    assert!(delivery.attempts.len() <= MAX_ATTEMPTS_KEPT);
    assert_eq!(delivery.attempts[..20], (1..=20).map(attempt).collect::<Vec<_>>());
    let latest = delivery.attempts.len() - 20;
    assert_eq!(delivery.attempts[latest..], (981..=1_000).map(attempt).collect::<Vec<_>>());
}

/// What somebody asks for beside the schedule leaves no mark on that.
pub async fn resends_are_kept_apart_and_are_bounded(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, transaction) = samples.new_call(2);
    let owed = transaction.notifications.clone();
    store.commit(transaction).await.unwrap();
    let record = DeliveryRecord {
        call: call.id,
        sequence: 1,
        attempt: Some(attempt(1)),
        state: NotificationState::Pending,
    };
    store.record_deliveries(vec![record]).await.unwrap();
    for number in 1..=50 {
        assert_eq!(store.record_resend(call.id, 1, attempt(7)).await.unwrap(), number);
    }

    let delivery = store.notifications_of(call.id, 0, 1).await.unwrap().remove(0);
    assert_eq!((delivery.state, delivery.attempts), (NotificationState::Pending, vec![attempt(1)]));
    assert!(delivery.resends.len() <= MAX_RESENDS_KEPT);
    let numbers: Vec<_> = delivery.resends.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers[numbers.len() - 10..], (41..=50).collect::<Vec<_>>());
    assert_eq!(store.owed(10, None).await.unwrap(), owed);
    let unknown = samples.call(0).id;
    for (call, sequence) in [(call.id, 3), (unknown, 1)] {
        let refused = store.record_resend(call, sequence, attempt(1)).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))));
    }
}

/// A record that comes too late spoils nothing.
pub async fn records_of_what_is_not_kept_are_ignored(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, transaction) = samples.new_call(1);
    store.commit(transaction).await.unwrap();
    let unknown = samples.call(0);
    let state = NotificationState::Delivered;
    let record = |call, sequence| DeliveryRecord { call, sequence, attempt: Some(attempt(1)), state };
    store
        .record_deliveries(vec![record(unknown.id, 1), record(call.id, 9), record(call.id, 1)])
        .await
        .unwrap();
    assert_eq!(store.owed(10, None).await.unwrap(), []);
    assert_eq!(store.notifications_of(unknown.id, 0, 10).await.unwrap(), []);
}

/// The redirect belongs to delivery, not to the call's own state.
pub async fn a_redirect_outlives_a_change_of_the_call(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, transaction) = samples.new_call(1);
    store.commit(transaction).await.unwrap();
    assert_eq!(store.callback_redirect(call.id).await.unwrap(), None);
    let to = |to: &str| CallbackRedirect { from: call.callback_uri.clone(), to: to.to_owned() };
    for there in ["https://other.example/", "https://third.example/"] {
        store.redirect_callback(call.id, to(there)).await.unwrap();
        store.commit(only_call(&call, 2)).await.unwrap();
        assert_eq!(store.callback_redirect(call.id).await.unwrap(), Some(to(there)));
    }
    let unknown = samples.call(0).id;
    assert!(matches!(store.redirect_callback(unknown, to("")).await, Err(StoreError::Invalid(_))));
}

/// Each application sees its own, the latest first.
pub async fn recent_notifications_of_an_app_are_newest_first(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (_, one) = samples.new_call(2);
    let (_, mut other) = samples.new_call(1);
    other.notifications[0].app = AppId::from("other");
    let (_, three) = samples.new_call(1);
    let expected = [&three.notifications[0], &one.notifications[1], &one.notifications[0]].map(|n| n.id);
    for transaction in [one, other, three] {
        store.commit(transaction).await.unwrap();
    }
    let recent = store.recent_notifications(AppId::from("app"), 10).await.unwrap();
    assert_eq!(recent.iter().map(|delivery| delivery.notification.id).collect::<Vec<_>>(), expected);
    assert_eq!(store.recent_notifications(AppId::from("app"), 2).await.unwrap(), recent[..2]);
}
