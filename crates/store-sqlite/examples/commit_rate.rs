//! Measures what keeping calls costs: `cargo run --release -p store-sqlite --example commit_rate -- CALLS_PER_SECOND
//! SECONDS FOLDER`.
//!
//! 64 committers share the rate (0: as fast as it goes). A call is three commits, each the call and a notification of
//! it, and three notes of a delivery. Printed: commits a second, the time until a commit is acknowledged, and the CPU
//! of each thread of the store and of the rest (which makes the values and their JSON).

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
#![expect(clippy::unwrap_used, reason = "a measurement ends where something fails")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use model::{Attempt, CallState, NotificationState, Timestamp};
use store::contract::Samples;
use store::{DeliveryRecord, Store, Transaction};
use store_sqlite::{Options, SqliteStore};

const COMMITTERS: u32 = 64;

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [rate, seconds, folder] = arguments.as_slice() else { panic!("CALLS_PER_SECOND SECONDS FOLDER") };
    let (rate, seconds) = (rate.parse().unwrap(), Duration::from_secs(seconds.parse().unwrap()));
    let file = Path::new(folder).join("commit-rate.db");
    delete(&file);
    let store = Arc::new(SqliteStore::open(&file, Options::default()).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let before = cpu_by_thread();
    let start = Instant::now();
    let mut waits = runtime.block_on(run_all(&store, rate, seconds));
    let elapsed = start.elapsed();
    let after = cpu_by_thread();
    report(&mut waits, elapsed, &before, &after);
    runtime.block_on(store.close());
    delete(&file);
}

fn delete(file: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        // It may not be there.
        let _ = fs::remove_file(format!("{}{suffix}", file.display()));
    }
}

async fn run_all(store: &Arc<SqliteStore>, rate: u32, length: Duration) -> Vec<Duration> {
    let committers: Vec<_> = (0..COMMITTERS)
        .map(|number| tokio::spawn(commit_calls(Arc::clone(store), number, rate, length)))
        .collect();
    let mut all = Vec::new();
    for committer in committers {
        all.extend(committer.await.unwrap());
    }
    all
}

/// Makes calls at a share of the rate, and returns how long each commit took.
async fn commit_calls(store: Arc<SqliteStore>, number: u32, rate: u32, length: Duration) -> Vec<Duration> {
    let pause = Duration::from_secs(1).saturating_mul(COMMITTERS).checked_div(rate).unwrap_or_default();
    let end = Instant::now() + length;
    let mut samples = Samples::new(u64::from(number) + 1);
    let mut waits = Vec::new();
    let mut next = tokio::time::Instant::now() + pause * number / COMMITTERS;
    while Instant::now() < end {
        tokio::time::sleep_until(next).await;
        one_call(&*store, &mut samples, &mut waits).await;
        next += pause;
    }
    waits
}

async fn one_call(store: &dyn Store, samples: &mut Samples, waits: &mut Vec<Duration>) {
    let mut call = samples.call(200);
    let states = [CallState::Establishing, CallState::Established, CallState::Terminated];
    for (sequence, state) in (1..).zip(states) {
        call.state = state;
        let transaction = Transaction {
            call: Some(Arc::new(call.clone())),
            notifications: vec![samples.notification(&call, sequence)],
            ..Transaction::at(Timestamp::from_millis(1))
        };
        let start = Instant::now();
        store.commit(transaction).await.unwrap();
        waits.push(start.elapsed());
        let attempt = Attempt {
            number: 1,
            at: Timestamp::from_millis(2),
            duration_ms: 3,
            status: Some(200),
            error: None,
        };
        let state = NotificationState::Delivered;
        let record = DeliveryRecord { call: call.id, sequence, attempt: Some(attempt), state };
        store.record_deliveries(vec![record]).await.unwrap();
    }
}

fn report(
    waits: &mut [Duration],
    elapsed: Duration,
    before: &BTreeMap<String, f64>,
    after: &BTreeMap<String, f64>,
) {
    waits.sort_unstable();
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    let mut out = std::io::stdout().lock();
    let rate = waits.len() as f64 / elapsed.as_secs_f64();
    writeln!(
        out,
        "commits          {} in {elapsed:.1?}: {rate:.0}/s, and as many delivery notes",
        waits.len()
    )
    .unwrap();
    writeln!(out, "acknowledged in  p50 {:.2?}, p99 {:.2?}, max {:.2?}", at(0.5), at(0.99), at(1.0)).unwrap();
    for (thread, seconds) in after {
        let used = seconds - before.get(thread).copied().unwrap_or(0.0);
        let share = 100.0 * used / elapsed.as_secs_f64();
        let each = 1e6 * used / waits.len() as f64;
        writeln!(out, "cpu {thread:<12} {share:5.1} % of a core, {each:5.1} us a commit").unwrap();
    }
}

/// Seconds of CPU, user and system, of each thread of this process by its name.
fn cpu_by_thread() -> BTreeMap<String, f64> {
    let mut used = BTreeMap::new();
    for task in fs::read_dir("/proc/self/task").unwrap() {
        // A line of nanoseconds on the CPU, nanoseconds waiting for one, and slices.
        let statistics = fs::read_to_string(task.as_ref().unwrap().path().join("schedstat")).unwrap();
        let name = fs::read_to_string(task.unwrap().path().join("comm")).unwrap();
        let nanoseconds: f64 = statistics.split(' ').next().unwrap().parse().unwrap();
        *used.entry(name.trim_end().to_owned()).or_default() += nanoseconds / 1e9;
    }
    used
}
