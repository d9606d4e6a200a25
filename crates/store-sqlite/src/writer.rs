//! The one thread that writes.
//!
//! It takes what is queued, up to [`MAX_BATCH`], and carries it out in one transaction. A request that fails is
//! answered, and the others begin again without it. Savepoints would spare that repetition, but make SQLite copy every
//! page before its first change in each of them, which costs all requests something for the sake of the rare bad one.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use store::StoreError;
use tokio::sync::{oneshot, watch};

use crate::error::{Failure, shared};
use crate::queue::Queue;
use crate::sql;

/// Requests in one transaction: far past the point where the cost of the disk is shared well, and still few enough
/// that the first of them waits some milliseconds for the last.
pub(crate) const MAX_BATCH: usize = 256;

/// The shortest time between the starts of two transactions that more than one request shares.
///
/// A fast disk would otherwise have the writer make a transaction of every one or two requests, and their fixed cost
/// (some 100 us of CPU) would take more than half a core at a thousand calls a second. It costs a request 1 ms on
/// average, and one that comes alone nothing.
const SHARED_PACE: Duration = Duration::from_millis(2);

/// What a request needs from the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Durability {
    /// Its answer waits until the disk has it.
    Disk,
    /// Its answer waits until the operating system has it; a power failure may undo it.
    System,
}

/// A request to the writer.
pub(crate) struct Write {
    durability: Durability,
    job: Box<dyn Job>,
}

impl Write {
    /// A request that is carried out by `work` and whose result goes to `reply`.
    ///
    /// `work` may run more than once, each time after everything of the time before was rolled back.
    pub(crate) fn new<T: Send + 'static>(
        durability: Durability,
        reply: oneshot::Sender<Result<T, StoreError>>,
        work: impl Fn(&Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Self {
        Self { durability, job: Box::new(Typed { work, reply, result: None }) }
    }
}

trait Job: Send {
    fn run(&mut self, connection: &Connection) -> Result<(), Failure>;
    fn succeed(self: Box<Self>);
    fn fail(self: Box<Self>, error: StoreError);
}

struct Typed<W, T> {
    work: W,
    reply: oneshot::Sender<Result<T, StoreError>>,
    result: Option<T>,
}

impl<T: Send, W: Fn(&Connection) -> Result<T, Failure> + Send> Job for Typed<W, T> {
    fn run(&mut self, connection: &Connection) -> Result<(), Failure> {
        self.result = Some((self.work)(connection)?);
        Ok(())
    }

    fn succeed(self: Box<Self>) {
        // An answer that nobody waits for any longer is dropped, here and below.
        let _ = self.reply.send(self.result.ok_or(StoreError::Closed));
    }

    fn fail(self: Box<Self>, error: StoreError) {
        let _ = self.reply.send(Err(error));
    }
}

/// Starts the thread; it runs until the queue is closed and empty. `running` is dropped as it ends.
pub(crate) fn spawn(
    connection: Connection,
    queue: Arc<Queue<Write>>,
    running: Arc<watch::Sender<()>>,
) -> io::Result<JoinHandle<()>> {
    let mut writer = Writer { connection, is_durable: true };
    thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
        let _abandon = AbandonOnDrop(Arc::clone(&queue));
        let mut pace = Pace { last: None };
        loop {
            let batch = queue.pop_batch(|| pace.linger(now()));
            if batch.is_empty() {
                break;
            }
            pace = Pace { last: Some((now(), batch.len())) };
            writer.carry_out(batch);
        }
        if let Err(error) = sql::checkpoint(&writer.connection) {
            tracing::warn!(error = %error, "failed to tidy the database up; the next start does it");
        }
        drop(writer);
        drop(running);
    })
}

#[expect(clippy::disallowed_methods, reason = "the writer's pace is no part of what the store means")]
fn now() -> Instant {
    Instant::now()
}

/// When transactions start.
struct Pace {
    /// When the last one did, and how many requests shared it.
    last: Option<(Instant, usize)>,
}

impl Pace {
    /// How long to wait for more requests before the next one starts.
    fn linger(&self, now: Instant) -> Duration {
        match self.last {
            Some((start, requests)) if requests > 1 => {
                SHARED_PACE.saturating_sub(now.saturating_duration_since(start))
            }
            Some(_) | None => Duration::ZERO,
        }
    }
}

/// Lets nobody wait for a thread that has ended, however it ended.
struct AbandonOnDrop(Arc<Queue<Write>>);

impl Drop for AbandonOnDrop {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

struct Writer {
    connection: Connection,
    /// Whether transactions wait for the disk at the moment.
    is_durable: bool,
}

impl Writer {
    fn carry_out(&mut self, mut batch: Vec<Write>) {
        while !batch.is_empty() {
            match self.attempt(&mut batch) {
                Ok(()) => return batch.into_iter().for_each(|write| write.job.succeed()),
                Err(Trouble::One { index, failure }) => {
                    let bad = batch.remove(index);
                    bad.job.fail(failure.into_store_error("write to the database"));
                }
                Err(Trouble::All(error)) => {
                    tracing::error!(error = %error, requests = batch.len(), "failed to write to the database");
                    let error = Arc::new(error);
                    return batch.into_iter().for_each(|write| write.job.fail(shared(&error)));
                }
            }
        }
    }

    /// Carries all requests out in one transaction, or none of them.
    fn attempt(&mut self, batch: &mut [Write]) -> Result<(), Trouble> {
        self.set_durable(batch.iter().any(|write| write.durability == Durability::Disk))
            .map_err(Trouble::All)?;
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Trouble::All)?;
        for (index, write) in batch.iter_mut().enumerate() {
            write.job.run(&transaction).map_err(|failure| Trouble::One { index, failure })?;
        }
        transaction.commit().map_err(Trouble::All)
    }

    fn set_durable(&mut self, is_durable: bool) -> rusqlite::Result<()> {
        if self.is_durable != is_durable {
            sql::set_durable(&self.connection, is_durable)?;
            self.is_durable = is_durable;
        }
        Ok(())
    }
}

enum Trouble {
    /// Nothing was written, for a reason that all requests share.
    All(rusqlite::Error),
    /// Nothing was written because of one request.
    One { index: usize, failure: Failure },
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusqlite::Connection;
    use store::StoreError;
    use tokio::sync::oneshot;

    use super::{Durability, Pace, SHARED_PACE, Write, Writer, now};

    #[test]
    fn a_request_that_comes_alone_waits_for_no_other() {
        let start = now();
        assert_eq!(Pace { last: None }.linger(start), Duration::ZERO);
        assert_eq!(Pace { last: Some((start, 1)) }.linger(start), Duration::ZERO);
    }

    #[test]
    fn under_load_transactions_start_at_the_shared_pace() {
        let start = now();
        let pace = Pace { last: Some((start, 2)) };
        assert_eq!(pace.linger(start), SHARED_PACE);
        assert_eq!(pace.linger(start + SHARED_PACE / 2), SHARED_PACE / 2);
        assert_eq!(pace.linger(start + SHARED_PACE * 5), Duration::ZERO);
    }

    #[test]
    fn a_full_disk_fails_what_does_not_fit_and_nothing_else() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE kept (bytes BLOB); PRAGMA max_page_count = 10;").unwrap();
        let (mut writes, mut answers) = (Vec::new(), Vec::new());
        for size in [100, 1_000_000, 200] {
            let (reply, answer) = oneshot::channel();
            writes.push(Write::new(Durability::Disk, reply, move |connection| {
                Ok(connection.execute("INSERT INTO kept VALUES (zeroblob(?1))", [size])?)
            }));
            answers.push(answer);
        }
        Writer { connection, is_durable: true }.carry_out(writes);
        let [small, large, other] = answers.try_into().unwrap();
        let answer = |mut answer: oneshot::Receiver<Result<usize, StoreError>>| answer.try_recv().unwrap();
        assert!(matches!(answer(small), Ok(1)));
        assert!(matches!(answer(large), Err(StoreError::Failed { .. })));
        assert!(matches!(answer(other), Ok(1)));
    }
}
