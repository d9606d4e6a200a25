use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use model::{
    AppId, Attempt, Call, CallId, MeetingId, Notification, OnlineMeeting, Operation, OperationId,
    RecordingId, TenantId, Timestamp, TrunkUsage,
};
use store::{
    BoxFuture, CallStore, CallbackRedirect, Delivery, DeliveryRecord, DirectoryChange, DirectorySnapshot,
    DirectoryStore, EndedCall, KeyPurpose, KeyStore, LiveCall, MeetingCreation, MeetingKey, MeetingQuota,
    MeetingStore, Month, Outbox, Recording, Reply, SigningKey, Store, StoreError, Transaction,
    TrunkUsageStore,
};

/// A store that holds what the API reads from one, and refuses the rest.
#[derive(Default)]
pub(crate) struct FakeStore {
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) deliveries: Mutex<Vec<Delivery>>,
    pub(crate) recordings: Mutex<Vec<Recording>>,
    pub(crate) meetings: Mutex<Vec<OnlineMeeting>>,
    /// How many of the next new meetings have ids that are another's.
    pub(crate) taken_ids: Mutex<u32>,
    /// How many of the next changes to a meeting come too late: somebody else has renamed it.
    pub(crate) late_changes: Mutex<u32>,
    /// How often a meeting was looked up.
    pub(crate) meeting_reads: AtomicUsize,
    /// Whether others come to their turn while a meeting is looked up.
    pub(crate) slow_reads: AtomicBool,
}

fn refuse<'a, T: 'a>() -> Reply<'a, T> {
    Box::pin(async { Err(StoreError::Closed) })
}

fn give<'a, T: Send + 'a>(value: T) -> Reply<'a, T> {
    Box::pin(async { Ok(value) })
}

impl CallStore for FakeStore {
    fn commit(&self, _transaction: Transaction) -> Reply<'_, ()> {
        refuse()
    }
    fn live_calls(&self, _after: Option<CallId>, _limit: usize) -> Reply<'_, Vec<LiveCall>> {
        refuse()
    }
    fn ended_calls(&self, _after: Option<CallId>, _limit: usize) -> Reply<'_, Vec<EndedCall>> {
        refuse()
    }
    fn call(&self, id: CallId) -> Reply<'_, Option<Call>> {
        give(self.calls.lock().unwrap().iter().find(|call| call.id == id).cloned())
    }
    fn operation(&self, _call: CallId, _id: OperationId) -> Reply<'_, Option<Operation>> {
        refuse()
    }
    fn operations(&self, _call: CallId) -> Reply<'_, Vec<Operation>> {
        refuse()
    }
    fn recording(&self, id: RecordingId) -> Reply<'_, Option<Recording>> {
        give(self.recordings.lock().unwrap().iter().find(|recording| recording.id == id).cloned())
    }
    fn expired_recordings(&self, _now: Timestamp) -> Reply<'_, Vec<Recording>> {
        refuse()
    }
    fn forget_recordings(&self, _ids: Vec<RecordingId>) -> Reply<'_, ()> {
        refuse()
    }
}

impl Outbox for FakeStore {
    fn owed(&self, _limit: usize, _after: Option<(CallId, u64)>) -> Reply<'_, Vec<Notification>> {
        refuse()
    }
    fn owed_of_call(&self, _call: CallId, _after: u64, _limit: usize) -> Reply<'_, Vec<Notification>> {
        refuse()
    }
    fn record_deliveries(&self, _records: Vec<DeliveryRecord>) -> Reply<'_, ()> {
        refuse()
    }
    fn record_resend(&self, _call: CallId, _sequence: u64, _attempt: Attempt) -> Reply<'_, u32> {
        refuse()
    }
    fn redirect_callback(&self, _call: CallId, _redirect: CallbackRedirect) -> Reply<'_, ()> {
        refuse()
    }
    fn callback_redirect(&self, _call: CallId) -> Reply<'_, Option<CallbackRedirect>> {
        refuse()
    }
    fn notifications_of(&self, call: CallId, after: u64, limit: usize) -> Reply<'_, Vec<Delivery>> {
        let deliveries = self.deliveries.lock().unwrap();
        let wanted = deliveries
            .iter()
            .filter(|delivery| delivery.notification.call == call && delivery.notification.sequence > after);
        give(wanted.take(limit).cloned().collect())
    }
    fn recent_notifications(&self, _app: AppId, _limit: usize) -> Reply<'_, Vec<Delivery>> {
        refuse()
    }
}

impl KeyStore for FakeStore {
    fn signing_keys(&self, _purpose: KeyPurpose) -> Reply<'_, Vec<SigningKey>> {
        refuse()
    }
    fn put_signing_key(&self, _key: SigningKey) -> Reply<'_, ()> {
        refuse()
    }
}

impl DirectoryStore for FakeStore {
    fn directory(&self) -> Reply<'_, DirectorySnapshot> {
        refuse()
    }
    fn apply_directory(&self, _based_on: u64, _changes: Vec<DirectoryChange>) -> Reply<'_, u64> {
        refuse()
    }
    fn directory_version(&self) -> Reply<'_, u64> {
        refuse()
    }
}

impl MeetingStore for FakeStore {
    fn create_meeting(&self, meeting: OnlineMeeting, quota: MeetingQuota) -> Reply<'_, MeetingCreation> {
        let mut taken = self.taken_ids.lock().unwrap();
        if *taken > 0 {
            *taken -= 1;
            return Box::pin(async { Err(StoreError::Taken("thread")) });
        }
        let mut meetings = self.meetings.lock().unwrap();
        let of_organizer = || {
            let (tenant, organizer) = (&meeting.tenant, &meeting.organizer);
            meetings.iter().filter(move |there| there.tenant == *tenant && there.organizer == *organizer)
        };
        let is_same = |there: &&OnlineMeeting| there.external_id == meeting.external_id;
        if let Some(found) = of_organizer().find(is_same).filter(|_| meeting.external_id.is_some()) {
            return give(MeetingCreation::Found(Box::new(found.clone())));
        }
        if of_organizer().count() >= quota.most as usize {
            return give(MeetingCreation::OverQuota);
        }
        meetings.push(meeting);
        give(MeetingCreation::Created)
    }
    fn change_meeting(&self, meeting: OnlineMeeting) -> Reply<'_, bool> {
        let mut meetings = self.meetings.lock().unwrap();
        let is_before = |there: &&mut OnlineMeeting| {
            (&there.tenant, &there.id, there.revision + 1) == (&meeting.tenant, &meeting.id, meeting.revision)
        };
        let mut late = self.late_changes.lock().unwrap();
        let before = meetings.iter_mut().find(is_before);
        if *late > 0 {
            *late -= 1;
            if let Some(before) = before {
                before.revision += 1;
                before.subject = Some(format!("renamed {}", before.revision));
            }
            return give(false);
        }
        give(before.map(|before| *before = meeting).is_some())
    }
    fn delete_meeting(&self, tenant: TenantId, id: MeetingId) -> Reply<'_, bool> {
        let mut meetings = self.meetings.lock().unwrap();
        let before = meetings.len();
        meetings.retain(|there| (&there.tenant, &there.id) != (&tenant, &id));
        give(meetings.len() < before)
    }
    fn meeting(&self, tenant: TenantId, key: MeetingKey) -> Reply<'_, Option<OnlineMeeting>> {
        let meetings = self.meetings.lock().unwrap();
        let is_meant = |there: &&OnlineMeeting| match &key {
            MeetingKey::External { organizer, external_id } => {
                there.organizer == *organizer && there.external_id.as_ref() == Some(external_id)
            }
            MeetingKey::Id(id) => there.id == *id,
            MeetingKey::JoinMeetingId(id) => there.join_meeting_id == *id,
            MeetingKey::Thread(thread) => there.thread_id == *thread,
            MeetingKey::VideoTeleconferenceId(id) => there.video_teleconference_id.as_ref() == Some(id),
        };
        let found = meetings.iter().filter(|there| there.tenant == tenant).find(is_meant).cloned();
        self.meeting_reads.fetch_add(1, Ordering::Relaxed);
        if self.slow_reads.load(Ordering::Relaxed) {
            return Box::pin(async {
                tokio::task::yield_now().await;
                Ok(found)
            });
        }
        give(found)
    }
    fn meetings_from_file(&self) -> Reply<'_, Vec<OnlineMeeting>> {
        let meetings = self.meetings.lock().unwrap();
        give(meetings.iter().filter(|there| there.is_from_file).cloned().collect())
    }
    fn meetings(
        &self,
        _after: Option<(TenantId, MeetingId)>,
        _limit: usize,
    ) -> Reply<'_, Vec<OnlineMeeting>> {
        refuse()
    }
    fn purge_meetings(&self, _before: Timestamp, _month: Month) -> Reply<'_, usize> {
        refuse()
    }
}

impl TrunkUsageStore for FakeStore {
    fn trunk_usage(&self, _day: i64) -> Reply<'_, Vec<TrunkUsage>> {
        refuse()
    }
    fn keep_trunk_usage(&self, _usage: TrunkUsage) -> Reply<'_, ()> {
        refuse()
    }
}

impl Store for FakeStore {
    fn purge(&self, _before: Timestamp) -> Reply<'_, usize> {
        refuse()
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}
