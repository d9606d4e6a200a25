//! A store in memory, as far as deliveries need one.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use model::{
    Attempt, Call, CallId, CallState, MeetingId, Notification, NotificationState, OnlineMeeting, Operation,
    OperationId, RecordingId, TenantId, Timestamp, TrunkUsage,
};
use store::{
    BoxFuture, CallStore, CallbackRedirect, Delivery, DeliveryRecord, DirectoryChange, DirectorySnapshot,
    DirectoryStore, EndedCall, KeyPurpose, KeyStore, LiveCall, MeetingCreation, MeetingKey, MeetingQuota,
    MeetingStore, Month, Outbox, Recording, Reply, SigningKey, Store, StoreError, Transaction,
    TrunkUsageStore,
};

#[derive(Default)]
pub(crate) struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    calls: BTreeMap<CallId, Call>,
    rows: BTreeMap<(CallId, u64), Delivery>,
    redirects: BTreeMap<CallId, CallbackRedirect>,
    /// Writes that are refused before one is not.
    busy: usize,
}

impl Memory {
    pub(crate) fn put(&self, notification: &Notification, call: &Call) {
        let mut inner = self.lock();
        let state = if notification.is_last() { CallState::Terminated } else { call.state };
        inner.calls.insert(call.id, Call { state, ..call.clone() });
        let row = Delivery {
            notification: notification.clone(),
            state: NotificationState::Pending,
            attempts: Vec::new(),
            resends: Vec::new(),
        };
        inner.rows.insert((notification.call, notification.sequence), row);
    }

    pub(crate) fn refuse_writes(&self, count: usize) {
        self.lock().busy = count;
    }

    pub(crate) fn state(&self, call: CallId, sequence: u64) -> NotificationState {
        self.lock().rows[&(call, sequence)].state
    }

    /// Number and status of each attempt.
    pub(crate) fn attempts(&self, call: CallId, sequence: u64) -> Vec<(u32, Option<u16>)> {
        let attempts = &self.lock().rows[&(call, sequence)].attempts;
        attempts.iter().map(|attempt| (attempt.number, attempt.status)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

fn ready<'a, T: Send + 'a>(value: T) -> Reply<'a, T> {
    Box::pin(async move { Ok(value) })
}

fn not_here<'a, T: Send + 'a>() -> Reply<'a, T> {
    Box::pin(async { Err(StoreError::Closed) })
}

impl Outbox for Memory {
    fn owed(&self, limit: usize, after: Option<(CallId, u64)>) -> Reply<'_, Vec<Notification>> {
        let inner = self.lock();
        let owed = inner.rows.iter().filter(|(key, row)| {
            row.state == NotificationState::Pending && after.is_none_or(|after| **key > after)
        });
        ready(owed.take(limit).map(|(_, row)| row.notification.clone()).collect())
    }

    fn owed_of_call(&self, call: CallId, after_sequence: u64, limit: usize) -> Reply<'_, Vec<Notification>> {
        let inner = self.lock();
        let rows = inner.rows.range((call, after_sequence + 1)..=(call, u64::MAX));
        let owed = rows.filter(|(_, row)| row.state == NotificationState::Pending);
        ready(owed.take(limit).map(|(_, row)| row.notification.clone()).collect())
    }

    fn record_deliveries(&self, records: Vec<DeliveryRecord>) -> Reply<'_, ()> {
        let mut inner = self.lock();
        if inner.busy > 0 {
            inner.busy -= 1;
            return Box::pin(async { Err(StoreError::Busy) });
        }
        for record in records {
            let row = inner.rows.get_mut(&(record.call, record.sequence)).unwrap();
            assert_eq!(row.state, NotificationState::Pending, "what is settled stays so");
            row.state = record.state;
            row.attempts.extend(record.attempt);
        }
        ready(())
    }

    fn record_resend(&self, call: CallId, sequence: u64, attempt: Attempt) -> Reply<'_, u32> {
        let mut inner = self.lock();
        let resends = &mut inner.rows.get_mut(&(call, sequence)).unwrap().resends;
        resends.push(attempt);
        ready(u32::try_from(resends.len()).unwrap())
    }

    fn redirect_callback(&self, call: CallId, redirect: CallbackRedirect) -> Reply<'_, ()> {
        self.lock().redirects.insert(call, redirect);
        ready(())
    }

    fn callback_redirect(&self, call: CallId) -> Reply<'_, Option<CallbackRedirect>> {
        ready(self.lock().redirects.get(&call).cloned())
    }

    fn notifications_of(&self, call: CallId, after_sequence: u64, limit: usize) -> Reply<'_, Vec<Delivery>> {
        let inner = self.lock();
        let rows = inner.rows.range((call, after_sequence + 1)..=(call, u64::MAX));
        ready(rows.take(limit).map(|(_, row)| row.clone()).collect())
    }

    fn recent_notifications(&self, _: model::AppId, _: usize) -> Reply<'_, Vec<Delivery>> {
        not_here()
    }
}

impl CallStore for Memory {
    fn commit(&self, _: Transaction) -> Reply<'_, ()> {
        not_here()
    }

    fn live_calls(&self, _: Option<CallId>, _: usize) -> Reply<'_, Vec<LiveCall>> {
        not_here()
    }

    fn ended_calls(&self, _: Option<CallId>, _: usize) -> Reply<'_, Vec<EndedCall>> {
        not_here()
    }

    fn call(&self, id: CallId) -> Reply<'_, Option<Call>> {
        ready(self.lock().calls.get(&id).cloned())
    }

    fn operation(&self, _: CallId, _: OperationId) -> Reply<'_, Option<Operation>> {
        not_here()
    }

    fn operations(&self, _: CallId) -> Reply<'_, Vec<Operation>> {
        not_here()
    }

    fn recording(&self, _: RecordingId) -> Reply<'_, Option<Recording>> {
        not_here()
    }

    fn expired_recordings(&self, _: Timestamp) -> Reply<'_, Vec<Recording>> {
        not_here()
    }

    fn forget_recordings(&self, _: Vec<RecordingId>) -> Reply<'_, ()> {
        not_here()
    }
}

impl KeyStore for Memory {
    fn signing_keys(&self, _: KeyPurpose) -> Reply<'_, Vec<SigningKey>> {
        not_here()
    }

    fn put_signing_key(&self, _: SigningKey) -> Reply<'_, ()> {
        not_here()
    }
}

impl DirectoryStore for Memory {
    fn directory(&self) -> Reply<'_, DirectorySnapshot> {
        not_here()
    }

    fn apply_directory(&self, _: u64, _: Vec<DirectoryChange>) -> Reply<'_, u64> {
        not_here()
    }

    fn directory_version(&self) -> Reply<'_, u64> {
        not_here()
    }
}

impl MeetingStore for Memory {
    fn create_meeting(&self, _: OnlineMeeting, _: MeetingQuota) -> Reply<'_, MeetingCreation> {
        not_here()
    }

    fn change_meeting(&self, _: OnlineMeeting) -> Reply<'_, bool> {
        not_here()
    }

    fn delete_meeting(&self, _: TenantId, _: MeetingId) -> Reply<'_, bool> {
        not_here()
    }

    fn meeting(&self, _: TenantId, _: MeetingKey) -> Reply<'_, Option<OnlineMeeting>> {
        not_here()
    }

    fn meetings_from_file(&self) -> Reply<'_, Vec<OnlineMeeting>> {
        not_here()
    }

    fn meetings(&self, _: Option<(TenantId, MeetingId)>, _: usize) -> Reply<'_, Vec<OnlineMeeting>> {
        not_here()
    }

    fn purge_meetings(&self, _: Timestamp, _: Month) -> Reply<'_, usize> {
        not_here()
    }
}

impl TrunkUsageStore for Memory {
    fn trunk_usage(&self, _: i64) -> Reply<'_, Vec<TrunkUsage>> {
        not_here()
    }

    fn keep_trunk_usage(&self, _: TrunkUsage) -> Reply<'_, ()> {
        not_here()
    }
}

impl Store for Memory {
    fn purge(&self, _: Timestamp) -> Reply<'_, usize> {
        not_here()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
