use model::{CallId, CallState, OperationStatus, Timestamp};

use super::samples::{Samples, attempt, ended, only_call};
use crate::{DeliveryRecord, MAX_TRANSACTION_ROWS, Store, StoreError, Transaction};

/// What was committed is there, and what was not is not.
pub async fn a_committed_call_reads_back(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, transaction) = samples.new_call(1);
    store.commit(transaction).await.unwrap();
    assert_eq!(store.call(call.id).await.unwrap(), Some(call));
    assert_eq!(store.call(CallId::next(&mut samples)).await.unwrap(), None);
}

/// Whoever hosts the media of a call, it is read as it was, while it lives and afterwards.
pub async fn a_call_reads_back_with_its_media(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (served, app_hosted) = (samples.call(10), samples.app_hosted_call());
    for call in [&served, &app_hosted] {
        store.commit(only_call(call, 1_000)).await.unwrap();
    }
    let live = store.live_calls(None, 10).await.unwrap();
    assert_eq!(live.into_iter().map(|live| live.call).collect::<Vec<_>>(), [served, app_hosted.clone()]);
    let ended = ended(&app_hosted);
    store.commit(only_call(&ended, 2_000)).await.unwrap();
    assert_eq!(store.call(ended.id).await.unwrap(), Some(ended));
}

/// What only a call that came in has is kept, and so is whether it is being moved.
pub async fn a_call_that_came_in_reads_back(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let mut call = samples.incoming_call();
    for state in [CallState::Incoming, CallState::Redirecting, CallState::Transferring] {
        call.state = state;
        store.commit(only_call(&call, 1_000)).await.unwrap();
        assert_eq!(store.call(call.id).await.unwrap().as_ref(), Some(&call));
        assert_eq!(store.live_calls(None, 10).await.unwrap().len(), 1, "{state:?} is not the end");
    }
}

/// A second commit of the same id leaves nothing of the first.
pub async fn a_call_is_replaced_whole(store: &dyn Store) {
    let (mut call, transaction) = Samples::new(1).new_call(0);
    store.commit(transaction).await.unwrap();
    call.subject = None;
    store.commit(only_call(&call, 2_000)).await.unwrap();
    assert_eq!(store.call(call.id).await.unwrap(), Some(call));
}

/// One bad row undoes the rest of its transaction.
pub async fn a_transaction_is_all_or_nothing(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, mut transaction) = samples.new_call(1);
    transaction.operations.push((CallId::next(&mut samples), samples.operation()));
    let error = store.commit(transaction).await.unwrap_err();
    assert!(matches!(error, StoreError::Invalid(_)), "{error}");
    assert_eq!(store.call(call.id).await.unwrap(), None);
    assert_eq!(store.owed(10, None).await.unwrap(), []);
}

/// Transactions that are queued together fail alone.
pub async fn a_bad_transaction_takes_no_other_with_it(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let mut answers = Vec::new();
    for index in 0..60_u32 {
        let (call, mut transaction) = samples.new_call(1);
        let is_good = index % 7 != 3;
        if !is_good {
            transaction.recordings.push(samples.recording(CallId::from(uuid::Uuid::nil()), 1));
        }
        answers.push((call, is_good, store.commit(transaction)));
    }
    for (call, is_good, answer) in answers {
        assert_eq!(answer.await.is_ok(), is_good);
        assert_eq!(store.call(call.id).await.unwrap().is_some(), is_good);
    }
}

/// Requests of one task need not be waited for one by one.
pub async fn transactions_take_effect_in_the_order_of_their_requests(store: &dyn Store) {
    let mut call = Samples::new(1).call(0);
    let mut answers = Vec::new();
    for subject in 0..50_u32 {
        call.subject = Some(subject.to_string());
        answers.push(store.commit(only_call(&call, 1)));
    }
    for answer in answers.into_iter().rev() {
        answer.await.unwrap();
    }
    assert_eq!(store.call(call.id).await.unwrap(), Some(call));
}

/// Limits are kept, and said.
pub async fn a_transaction_that_is_too_large_is_refused(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, mut many) = samples.new_call(0);
    many.notifications =
        (1..).take(MAX_TRANSACTION_ROWS + 1).map(|sequence| samples.notification(&call, sequence)).collect();
    assert!(matches!(store.commit(many).await, Err(StoreError::Invalid(_))));
    let large = samples.call(crate::MAX_DOCUMENT_BYTES);
    assert!(matches!(store.commit(only_call(&large, 1)).await, Err(StoreError::Invalid(_))));
    assert_eq!(store.call(large.id).await.unwrap(), None);
}

/// Writing an operation again does not move it.
pub async fn operations_keep_their_order_and_their_latest_state(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, mut transaction) = samples.new_call(0);
    let mut operations: Vec<_> = (0..3).map(|_| samples.operation()).collect();
    transaction.operations = operations.iter().map(|operation| (call.id, operation.clone())).collect();
    store.commit(transaction).await.unwrap();
    operations[0].status = OperationStatus::Completed;
    let mut again = Transaction::at(Timestamp::from_millis(2));
    again.operations.push((call.id, operations[0].clone()));
    store.commit(again).await.unwrap();

    assert_eq!(store.operations(call.id).await.unwrap(), operations);
    let first = operations[0].clone();
    assert_eq!(store.operation(call.id, first.id).await.unwrap(), Some(first));
    let live = store.live_calls(None, 10).await.unwrap();
    assert_eq!(live[0].operations, operations[1..]);
}

/// An ended call is not live.
pub async fn only_calls_that_are_not_over_are_live(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (first, one) = samples.new_call(0);
    let (second, two) = samples.new_call(0);
    store.commit(one).await.unwrap();
    store.commit(two).await.unwrap();
    store.commit(only_call(&ended(&first), 5)).await.unwrap();
    let live = store.live_calls(None, 10).await.unwrap();
    assert_eq!(live.into_iter().map(|live| live.call).collect::<Vec<_>>(), [second]);
}

/// Pages go on where the one before ended, even where its last call has ended since.
pub async fn live_calls_are_read_in_pages(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let mut calls = Vec::new();
    for _ in 0..5 {
        let (call, transaction) = samples.new_call(0);
        store.commit(transaction).await.unwrap();
        calls.push(call);
    }
    let first = store.live_calls(None, 2).await.unwrap();
    assert_eq!(first.iter().map(|live| live.call.id).collect::<Vec<_>>(), [calls[0].id, calls[1].id]);
    store.commit(only_call(&ended(&calls[1]), 5)).await.unwrap();
    let rest = store.live_calls(Some(calls[1].id), 10).await.unwrap();
    let rest: Vec<_> = rest.iter().map(|live| live.call.id).collect();
    assert_eq!(rest, [calls[2].id, calls[3].id, calls[4].id]);
}

/// The console goes through what is over, the latest first.
pub async fn ended_calls_are_read_in_pages_the_latest_first(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let mut calls = Vec::new();
    for _ in 0..5 {
        let (call, transaction) = samples.new_call(0);
        store.commit(transaction).await.unwrap();
        calls.push(call);
    }
    assert_eq!(store.ended_calls(None, 10).await.unwrap(), []);
    // Two end in the same millisecond.
    for (call, at) in [(&calls[3], 5), (&calls[0], 7), (&calls[1], 7), (&calls[4], 9)] {
        store.commit(only_call(&ended(call), at)).await.unwrap();
    }
    let read = async |after: Option<CallId>, limit| {
        let page = store.ended_calls(after, limit).await.unwrap();
        page.into_iter().map(|ended| (ended.call.id, ended.ended_at.as_millis())).collect::<Vec<_>>()
    };
    let all = [(calls[4].id, 9), (calls[1].id, 7), (calls[0].id, 7), (calls[3].id, 5)];
    assert_eq!(read(None, 10).await, all);
    assert_eq!(read(None, 2).await, all[..2]);
    assert_eq!(read(Some(calls[1].id), 1).await, all[2..3]);
    assert_eq!(read(Some(calls[3].id), 10).await, []);
    let unknown = samples.call(0).id;
    assert!(matches!(store.ended_calls(Some(unknown), 1).await, Err(StoreError::Invalid(_))));
}

/// A recording lives until it is forgotten, which its expiry only asks for.
pub async fn recordings_are_found_expire_and_are_forgotten(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, mut transaction) = samples.new_call(0);
    let late = samples.recording(call.id, 300);
    let early = samples.recording(call.id, 200);
    transaction.recordings = vec![late.clone(), early.clone()];
    store.commit(transaction).await.unwrap();

    assert_eq!(store.recording(late.id).await.unwrap(), Some(late.clone()));
    assert_eq!(store.expired_recordings(Timestamp::from_millis(199)).await.unwrap(), []);
    let one = store.expired_recordings(Timestamp::from_millis(200)).await.unwrap();
    assert_eq!(one, std::slice::from_ref(&early));
    let both = store.expired_recordings(Timestamp::from_millis(300)).await.unwrap();
    assert_eq!(both, [early.clone(), late.clone()]);
    store.forget_recordings(vec![early.id]).await.unwrap();
    assert_eq!(store.recording(early.id).await.unwrap(), None);
    assert_eq!(store.recording(late.id).await.unwrap(), Some(late));
}

/// Purging deletes nothing that someone still needs.
pub async fn purging_spares_what_is_live_owed_or_recorded(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (live, one) = samples.new_call(0);
    let (owed, two) = samples.new_call(1);
    let (recorded, mut three) = samples.new_call(0);
    let recording = samples.recording(recorded.id, 1);
    three.recordings.push(recording.clone());
    let (young, four) = samples.new_call(0);
    for transaction in [one, two, three, four] {
        store.commit(transaction).await.unwrap();
    }
    for (call, at) in [(&owed, 10), (&recorded, 10), (&young, 100)] {
        store.commit(only_call(&ended(call), at)).await.unwrap();
    }
    assert_eq!(store.purge(Timestamp::from_millis(100)).await.unwrap(), 0);
    store.forget_recordings(vec![recording.id]).await.unwrap();
    assert_eq!(store.purge(Timestamp::from_millis(100)).await.unwrap(), 1);
    assert_eq!(store.call(recorded.id).await.unwrap(), None);
    for call in [&live, &owed, &young] {
        assert!(store.call(call.id).await.unwrap().is_some());
    }
}

/// Nothing of a purged call is left.
pub async fn purging_takes_everything_of_a_call(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let (call, mut transaction) = samples.new_call(1);
    transaction.operations.push((call.id, samples.operation()));
    store.commit(transaction).await.unwrap();
    store.commit(only_call(&ended(&call), 10)).await.unwrap();
    let state = model::NotificationState::Delivered;
    let record = DeliveryRecord { call: call.id, sequence: 1, attempt: Some(attempt(1)), state };
    store.record_deliveries(vec![record]).await.unwrap();

    assert_eq!(store.purge(Timestamp::from_millis(11)).await.unwrap(), 1);
    assert_eq!(store.operations(call.id).await.unwrap(), []);
    assert_eq!(store.notifications_of(call.id, 0, 10).await.unwrap(), []);
    assert_eq!(store.recent_notifications(call.app.clone(), 10).await.unwrap(), []);
}

/// Closing loses nothing that was queued, and is no error twice.
pub async fn a_closed_store_refuses_and_has_kept_everything(store: &dyn Store) {
    let mut samples = Samples::new(1);
    let queued: Vec<_> = (0..20).map(|_| store.commit(samples.new_call(1).1)).collect();
    store.close().await;
    store.close().await;
    for answer in queued {
        answer.await.unwrap();
    }
    assert!(matches!(store.commit(samples.new_call(1).1).await, Err(StoreError::Closed)));
    assert!(matches!(store.owed(1, None).await, Err(StoreError::Closed)));
}
