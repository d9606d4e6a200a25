use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use node::Clock;
use tokio::runtime::Builder;

use super::Load;
use super::cores::Cores;
use super::figures::{Figure, Report};
use super::server::{Folder, Given, Server};
use super::{backlog, webhook};

/// The longest backlog: what 100,000 calls owe is some hundred megabytes of database.
const MAX_CALLS: u32 = 100_000;

/// How long nothing may come before the bench gives up.
const STALL_LIMIT: Duration = Duration::from_secs(20);

/// How often it is looked what has come.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

/// Delivers a backlog to one receiver.
pub(super) fn measure(load: Load, given: &Given) -> Result<Report> {
    let cores = Cores::choose()?;
    let runtime = Builder::new_current_thread().enable_all().build().context("failed to start a runtime")?;
    runtime.block_on(deliver(load, cores, given))
}

/// How far the delivery was when.
#[derive(Clone, Copy)]
struct Mark {
    received: usize,
    at: Duration,
    cpu: Duration,
}

async fn deliver(load: Load, cores: Cores, given: &Given) -> Result<Report> {
    let received = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&received);
    let taker = move |_: &str, _: &[u8]| {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    let receiver = webhook::start(Arc::new(taker)).await?;
    let folder = Folder::make()?;
    let calls = load.rate.saturating_mul(load.seconds).min(MAX_CALLS);
    let owed = backlog::write(&folder.data(), calls, receiver).await?;

    cores.enter_server()?;
    let server = Server::start(&folder, given).await?;
    cores.enter_load()?;
    let clock = Clock::start();
    let mark = || -> Result<Mark> {
        let received = received.load(Ordering::Relaxed);
        Ok(Mark { received, at: clock.elapsed(), cpu: server.processor_time()? })
    };
    let first = mark()?;
    let mut last = first;
    while last.received < owed {
        tokio::time::sleep(LOOK_PAUSE).await;
        let now = mark()?;
        if now.received > last.received {
            last = now;
        } else if now.at.saturating_sub(last.at) > STALL_LIMIT {
            bail!("of {owed} notifications only {} came", last.received);
        }
    }
    server.stop().await?;
    let delivered = last.received - first.received;
    let (took, cpu) = ((last.at - first.at).as_secs_f64(), (last.cpu - first.cpu).as_secs_f64());
    Ok(Report {
        name: "notify",
        method: vec![
            format!("A database of {calls} ended calls that owe all their notifications, as after an outage of the receiver."),
            format!("`hookswitch dev` starts on it, pinned to core {}, and delivers to one host on core {}: plain HTTP over", cores.server, cores.load),
            "loopback, signed tokens, each answered 202 at once, in order for each call, each outcome stored. Counted from".to_owned(),
            "the server's word that it is ready to the last delivery; CPU from /proc/PID/stat.".to_owned(),
        ],
        figures: vec![
            Figure::new("notifications delivered", last.received as f64, ""),
            Figure::new("notifications delivered a second", delivered as f64 / took, "/s"),
            Figure::new("server CPU of a notification", cpu * 1_000_000.0 / delivered.max(1) as f64, "us"),
            Figure::new("core in use", cpu / took * 100.0, "%"),
        ],
    })
}
