use std::collections::VecDeque;
use std::time::{Duration, Instant};

use store::{DeliveryRecord, MAX_TRANSACTION_ROWS, StoreError};

/// How long a record waits for others to be written with it. A process that is killed repeats what it sent meanwhile.
const LINGER: Duration = Duration::from_millis(5);

/// How long to leave a store alone that has just failed. Arbitrary.
const PAUSE: Duration = Duration::from_millis(250);

/// Records that wait before nothing more is sent: a store that fails must not fill the memory.
const MAX_WAITING: usize = 8 * 1024;

/// How deliveries went, on the way into the store: one batch at a time, in order.
#[derive(Debug, Default)]
pub(crate) struct Records {
    waiting: VecDeque<DeliveryRecord>,
    /// When the next batch is to be written.
    due: Option<Instant>,
    /// The length of the batch that is being written; it stays at the front of `waiting`.
    writing: usize,
    /// Records that have left `waiting`, ever.
    done: u64,
}

impl Records {
    pub(crate) fn push(&mut self, record: DeliveryRecord, now: Instant) {
        self.waiting.push_back(record);
        self.due.get_or_insert(now + LINGER);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Stands for all records so far; see [`Records::has`].
    pub(crate) fn ticket(&self) -> u64 {
        self.done + u64::try_from(self.waiting.len()).unwrap_or(u64::MAX)
    }

    /// Whether all records of a ticket are in the store.
    pub(crate) fn has(&self, ticket: u64) -> bool {
        self.done >= ticket
    }

    /// Whether a batch is being written.
    pub(crate) fn is_writing(&self) -> bool {
        self.writing > 0
    }

    /// When [`Records::batch`] is to be called.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.writing == 0 { self.due } else { None }
    }

    /// Asks that what waits be written at once.
    pub(crate) fn hurry(&mut self, now: Instant) {
        if let Some(due) = self.due
            && due <= now + LINGER
        {
            self.due = Some(now);
        }
    }

    /// The next batch to write, if it is time.
    pub(crate) fn batch(&mut self, now: Instant) -> Option<Vec<DeliveryRecord>> {
        if self.writing > 0 || self.waiting.is_empty() || self.due.is_none_or(|due| due > now) {
            return None;
        }
        self.writing = self.waiting.len().min(MAX_TRANSACTION_ROWS);
        self.due = None;
        Some(self.waiting.iter().take(self.writing).cloned().collect())
    }

    /// Takes in how the writing went.
    pub(crate) fn written(&mut self, result: Result<(), StoreError>, now: Instant) {
        let count = std::mem::take(&mut self.writing);
        match result {
            Err(error @ (StoreError::Busy | StoreError::Failed { .. })) => {
                tracing::warn!(%error, "failed to write down deliveries; trying again");
                self.due = Some(now + PAUSE);
                return;
            }
            Err(error) => {
                // Trying again would fail the same way; the rows stay owed and are sent again after a restart.
                tracing::error!(%error, count, "failed to write down deliveries");
            }
            Ok(()) => {}
        }
        self.waiting.drain(..count.min(self.waiting.len()));
        self.done += u64::try_from(count).unwrap_or(u64::MAX);
        self.due = if self.waiting.is_empty() { None } else { Some(now + LINGER) };
        if self.waiting.len() >= MAX_TRANSACTION_ROWS {
            self.due = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{CallId, NotificationState};
    use uuid::Uuid;

    use super::*;

    fn record(sequence: u64) -> DeliveryRecord {
        let call = CallId::from(Uuid::from_u128(1));
        DeliveryRecord { call, sequence, attempt: None, state: NotificationState::Delivered }
    }

    fn sequences(batch: Option<Vec<DeliveryRecord>>) -> Vec<u64> {
        batch.unwrap_or_default().iter().map(|record| record.sequence).collect()
    }

    #[test]
    fn records_are_written_together_in_order_one_batch_at_a_time() {
        let start = tokio::time::Instant::now().into_std();
        let mut records = Records::default();
        (0..300).for_each(|sequence| records.push(record(sequence), start));
        assert_eq!(records.batch(start), None);
        assert_eq!(records.due(), Some(start + LINGER));
        let ticket = records.ticket();
        assert_eq!(sequences(records.batch(start + LINGER)), (0..256).collect::<Vec<_>>());
        assert_eq!(records.batch(start + LINGER), None);
        records.written(Ok(()), start + LINGER);
        assert!(!records.has(ticket));
        assert_eq!(sequences(records.batch(start + 2 * LINGER)), (256..300).collect::<Vec<_>>());
        records.written(Ok(()), start + 2 * LINGER);
        assert!(records.has(ticket) && records.is_empty());
    }

    #[test]
    fn a_batch_that_a_busy_store_refused_is_written_again_and_an_invalid_one_is_not() {
        let start = tokio::time::Instant::now().into_std();
        let mut records = Records::default();
        records.push(record(1), start);
        records.hurry(start);
        assert_eq!(sequences(records.batch(start)), [1]);
        records.written(Err(StoreError::Busy), start);
        records.hurry(start);
        assert_eq!(records.due(), Some(start + PAUSE));
        assert_eq!(sequences(records.batch(start + PAUSE)), [1]);
        records.written(Err(StoreError::Invalid("test")), start + PAUSE);
        assert!(records.is_empty());
    }
}
