use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use model::{
    AppId, Attempt, Call, CallId, MeetingId, Notification, OnlineMeeting, Operation, OperationId,
    RecordingId, TenantId, Timestamp, TrunkUsage,
};
use rusqlite::Connection;
use store::{
    BoxFuture, CallStore, CallbackRedirect, Delivery, DeliveryRecord, DirectoryChange, DirectorySnapshot,
    DirectoryStore, EndedCall, KeyPurpose, KeyStore, LiveCall, MAX_DIRECTORY_CHANGES, MAX_TRANSACTION_ROWS,
    MeetingCreation, MeetingKey, MeetingQuota, MeetingStore, Month, Outbox, Recording, Reply, SigningKey,
    Store, StoreError, Transaction, TrunkUsageStore,
};
use tokio::sync::{oneshot, watch};

use crate::error::{Failure, OpenError};
use crate::queue::{Queue, Refused};
use crate::readers::{self, Read};
use crate::sql::{self, Prepared, PreparedChanges, PreparedMeeting};
use crate::writer::{self, Durability, MAX_BATCH, Write};
use crate::{Options, schema};

/// What a small request weighs in the writer's queue, in bytes. Arbitrary.
const SMALL: usize = 512;

/// A store in an SQLite file.
///
/// Its threads end when it is closed or dropped, after what is queued was carried out; dropping waits for that.
pub struct SqliteStore {
    writes: Arc<Queue<Write>>,
    reads: Arc<Queue<Read>>,
    ended: watch::Receiver<()>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// What makes this the one server of its file, dropped after the threads have ended.
    _claim: Option<File>,
}

impl SqliteStore {
    /// Opens the file at `path`, makes it where it is missing, and brings it up to this release's schema.
    ///
    /// The file is readable by its owner only, and so is its folder where that had to be made.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what stands in the way; a file of a later release is never touched.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let claim = options.is_server.then(|| schema::claim(path)).transpose()?;
        let writer = schema::open_writer(path)?;
        let readers = (0..options.readers.max(1)).map(|_| schema::open_reader(path));
        let readers = readers.collect::<Result<Vec<_>, _>>()?;
        let (running, ended) = watch::channel(());
        let running = Arc::new(running);
        let store = Self {
            writes: Arc::new(Queue::new(options.queued_requests, options.queued_bytes, MAX_BATCH)),
            reads: Arc::new(Queue::new(options.queued_requests, usize::MAX, 1)),
            ended,
            threads: Mutex::new(Vec::new()),
            _claim: claim,
        };
        let mut threads = Vec::new();
        threads.push(writer::spawn(writer, Arc::clone(&store.writes), Arc::clone(&running)));
        for reader in readers {
            threads.push(readers::spawn(reader, Arc::clone(&store.reads), Arc::clone(&running)));
        }
        let threads = threads.into_iter().collect::<Result<_, _>>().map_err(OpenError::Thread)?;
        *store.threads.lock().unwrap_or_else(PoisonError::into_inner) = threads;
        Ok(store)
    }

    fn write<T: Send + 'static>(
        &self,
        durability: Durability,
        weight: usize,
        work: impl Fn(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Reply<'_, T> {
        let (reply, answer) = oneshot::channel();
        let pushed = self.writes.push(Write::new(durability, reply, work), weight);
        Box::pin(answered(pushed, answer))
    }

    fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Reply<'_, T> {
        let (reply, answer) = oneshot::channel();
        let read: Read = Box::new(move |connection| {
            let result = work(connection).map_err(|failure| failure.into_store_error("read the database"));
            // Whoever asked may have gone.
            let _ = reply.send(result);
        });
        let pushed = self.reads.push(read, 0);
        Box::pin(answered(pushed, answer))
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.writes.close();
        self.reads.close();
        for thread in self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store had panicked");
            }
        }
    }
}

async fn answered<T>(
    pushed: Result<(), Refused>,
    answer: oneshot::Receiver<Result<T, StoreError>>,
) -> Result<T, StoreError> {
    match pushed {
        Ok(()) => answer.await.unwrap_or(Err(StoreError::Closed)),
        Err(Refused::Closed) => Err(StoreError::Closed),
        Err(Refused::Full) => Err(StoreError::Busy),
    }
}

fn refuse<'a, T: Send + 'a>(error: StoreError) -> Reply<'a, T> {
    Box::pin(std::future::ready(Err(error)))
}

impl Store for SqliteStore {
    fn purge(&self, before: Timestamp) -> Reply<'_, usize> {
        self.write(Durability::System, SMALL, move |connection| sql::purge(connection, before))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.writes.close();
        self.reads.close();
        let mut ended = self.ended.clone();
        // Nothing is ever sent: the channel ends as the last thread does.
        Box::pin(async move { while ended.changed().await.is_ok() {} })
    }
}

impl CallStore for SqliteStore {
    fn commit(&self, transaction: Transaction) -> Reply<'_, ()> {
        match Prepared::new(transaction) {
            Ok(prepared) => {
                let weight = prepared.weight();
                self.write(Durability::Disk, weight, move |connection| sql::commit(connection, &prepared))
            }
            Err(error) => refuse(error),
        }
    }

    fn live_calls(&self, after: Option<CallId>, limit: usize) -> Reply<'_, Vec<LiveCall>> {
        self.read(move |connection| sql::live_calls(connection, after, limit))
    }

    fn ended_calls(&self, after: Option<CallId>, limit: usize) -> Reply<'_, Vec<EndedCall>> {
        self.read(move |connection| sql::ended_calls(connection, after, limit))
    }

    fn call(&self, id: CallId) -> Reply<'_, Option<Call>> {
        self.read(move |connection| sql::call(connection, id))
    }

    fn operation(&self, call: CallId, id: OperationId) -> Reply<'_, Option<Operation>> {
        self.read(move |connection| sql::operation(connection, call, id))
    }

    fn operations(&self, call: CallId) -> Reply<'_, Vec<Operation>> {
        self.read(move |connection| sql::operations(connection, call))
    }

    fn recording(&self, id: RecordingId) -> Reply<'_, Option<Recording>> {
        self.read(move |connection| sql::recording(connection, id))
    }

    fn expired_recordings(&self, now: Timestamp) -> Reply<'_, Vec<Recording>> {
        self.read(move |connection| sql::expired_recordings(connection, now))
    }

    fn forget_recordings(&self, ids: Vec<RecordingId>) -> Reply<'_, ()> {
        if ids.len() > MAX_TRANSACTION_ROWS {
            return refuse(StoreError::Invalid("too many recordings to forget at once"));
        }
        self.write(Durability::System, SMALL, move |connection| sql::forget_recordings(connection, &ids))
    }
}

impl Outbox for SqliteStore {
    fn owed(&self, limit: usize, after: Option<(CallId, u64)>) -> Reply<'_, Vec<Notification>> {
        self.read(move |connection| sql::owed(connection, limit, after))
    }

    fn owed_of_call(&self, call: CallId, after: u64, limit: usize) -> Reply<'_, Vec<Notification>> {
        self.read(move |connection| sql::owed_of_call(connection, call, after, limit))
    }

    fn record_deliveries(&self, records: Vec<DeliveryRecord>) -> Reply<'_, ()> {
        if records.len() > MAX_TRANSACTION_ROWS {
            return refuse(StoreError::Invalid("too many deliveries to record at once"));
        }
        let weight = records.len().saturating_mul(SMALL);
        self.write(Durability::System, weight, move |connection| sql::record_deliveries(connection, &records))
    }

    fn record_resend(&self, call: CallId, sequence: u64, attempt: Attempt) -> Reply<'_, u32> {
        self.write(Durability::System, SMALL, move |connection| {
            sql::record_resend(connection, call, sequence, &attempt)
        })
    }

    fn redirect_callback(&self, call: CallId, redirect: CallbackRedirect) -> Reply<'_, ()> {
        self.write(Durability::System, SMALL, move |connection| {
            sql::redirect_callback(connection, call, &redirect)
        })
    }

    fn callback_redirect(&self, call: CallId) -> Reply<'_, Option<CallbackRedirect>> {
        self.read(move |connection| sql::callback_redirect(connection, call))
    }

    fn notifications_of(&self, call: CallId, after: u64, limit: usize) -> Reply<'_, Vec<Delivery>> {
        self.read(move |connection| sql::notifications_of(connection, call, after, limit))
    }

    fn recent_notifications(&self, app: AppId, limit: usize) -> Reply<'_, Vec<Delivery>> {
        self.read(move |connection| sql::recent_notifications(connection, &app, limit))
    }
}

impl KeyStore for SqliteStore {
    fn signing_keys(&self, purpose: KeyPurpose) -> Reply<'_, Vec<SigningKey>> {
        self.read(move |connection| sql::signing_keys(connection, purpose))
    }

    fn put_signing_key(&self, key: SigningKey) -> Reply<'_, ()> {
        self.write(Durability::Disk, SMALL, move |connection| sql::put_signing_key(connection, &key))
    }
}

impl DirectoryStore for SqliteStore {
    fn directory(&self) -> Reply<'_, DirectorySnapshot> {
        self.read(sql::directory)
    }

    fn apply_directory(&self, based_on: u64, changes: Vec<DirectoryChange>) -> Reply<'_, u64> {
        if changes.len() > MAX_DIRECTORY_CHANGES {
            return refuse(StoreError::Invalid("too many changes to the directory at once"));
        }
        let weight = changes.len().saturating_mul(SMALL);
        match PreparedChanges::new(changes) {
            Ok(prepared) => self.write(Durability::Disk, weight, move |connection| {
                sql::apply_directory(connection, based_on, &prepared)
            }),
            Err(error) => refuse(error),
        }
    }

    fn directory_version(&self) -> Reply<'_, u64> {
        self.read(sql::directory_version)
    }
}

impl MeetingStore for SqliteStore {
    fn create_meeting(&self, meeting: OnlineMeeting, quota: MeetingQuota) -> Reply<'_, MeetingCreation> {
        match PreparedMeeting::new(meeting) {
            Ok(new) => self.write(Durability::Disk, new.weight(), move |connection| {
                sql::create_meeting(connection, &new, quota)
            }),
            Err(error) => refuse(error),
        }
    }

    fn change_meeting(&self, meeting: OnlineMeeting) -> Reply<'_, bool> {
        match PreparedMeeting::new(meeting) {
            Ok(changed) => self.write(Durability::Disk, changed.weight(), move |connection| {
                sql::change_meeting(connection, &changed)
            }),
            Err(error) => refuse(error),
        }
    }

    fn delete_meeting(&self, tenant: TenantId, id: MeetingId) -> Reply<'_, bool> {
        self.write(Durability::Disk, SMALL, move |connection| sql::delete_meeting(connection, &tenant, &id))
    }

    fn meeting(&self, tenant: TenantId, key: MeetingKey) -> Reply<'_, Option<OnlineMeeting>> {
        self.read(move |connection| sql::meeting(connection, &tenant, &key))
    }

    fn meetings_from_file(&self) -> Reply<'_, Vec<OnlineMeeting>> {
        self.read(sql::meetings_from_file)
    }

    fn meetings(&self, after: Option<(TenantId, MeetingId)>, limit: usize) -> Reply<'_, Vec<OnlineMeeting>> {
        self.read(move |connection| sql::meetings(connection, after.as_ref(), limit))
    }

    fn purge_meetings(&self, before: Timestamp, month: Month) -> Reply<'_, usize> {
        self.write(Durability::System, SMALL, move |connection| {
            sql::purge_meetings(connection, before, month)
        })
    }
}

impl TrunkUsageStore for SqliteStore {
    fn trunk_usage(&self, day: i64) -> Reply<'_, Vec<TrunkUsage>> {
        self.read(move |connection| sql::trunk_usage(connection, day))
    }

    fn keep_trunk_usage(&self, usage: TrunkUsage) -> Reply<'_, ()> {
        self.write(Durability::Disk, SMALL, move |connection| sql::keep_trunk_usage(connection, &usage))
    }
}
