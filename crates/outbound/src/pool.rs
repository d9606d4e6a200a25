use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, sleep};

use crate::Origin;

/// How long a connection is kept unused; below the minute after which many servers close theirs.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// Unused connections kept to one origin: what the notifier has under way to one host.
const MAX_PER_ORIGIN: usize = 256;

/// Unused connections kept in all.
const MAX_IDLE_CONNECTIONS: usize = 1024;

/// Connections that wait for their next request.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    idle: BTreeMap<Origin, Vec<Idle>>,
    count: usize,
    is_swept: bool,
}

#[derive(Debug)]
struct Idle {
    sender: SendRequest<Full<Bytes>>,
    since: Instant,
}

impl Pool {
    /// The connection that was used last and, as far as is known, still stands. Wait until it is ready.
    pub(crate) fn take(&self, origin: &Origin) -> Option<SendRequest<Full<Bytes>>> {
        let mut inner = self.lock();
        let mut taken = 0;
        let found = inner.idle.get_mut(origin).and_then(|idle| {
            while let Some(candidate) = idle.pop() {
                taken += 1;
                if !candidate.sender.is_closed() {
                    return Some(candidate.sender);
                }
            }
            None
        });
        inner.count = inner.count.saturating_sub(taken);
        found
    }

    /// Keeps a connection for later.
    pub(crate) fn put(self: &Arc<Self>, origin: Origin, sender: SendRequest<Full<Bytes>>) {
        let mut inner = self.lock();
        if inner.count >= MAX_IDLE_CONNECTIONS || sender.is_closed() {
            return;
        }
        let idle = inner.idle.entry(origin).or_default();
        if idle.len() >= MAX_PER_ORIGIN {
            return;
        }
        idle.push(Idle { sender, since: Instant::now() });
        inner.count += 1;
        if !inner.is_swept {
            inner.is_swept = true;
            tokio::spawn(sweep(Arc::downgrade(self)));
        }
    }

    /// Drops what is old; whether anything is left.
    fn drop_old(&self) -> bool {
        let mut inner = self.lock();
        let now = Instant::now();
        inner.idle.retain(|_, idle| {
            idle.retain(|idle| !idle.sender.is_closed() && now.duration_since(idle.since) < MAX_IDLE);
            !idle.is_empty()
        });
        inner.count = inner.idle.values().map(Vec::len).sum();
        inner.is_swept = inner.count > 0;
        inner.is_swept
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic elsewhere leaves at worst a wrong count, which the next sweep corrects.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs for as long as connections are kept.
async fn sweep(pool: std::sync::Weak<Pool>) {
    loop {
        sleep(MAX_IDLE / 2).await;
        let Some(pool) = pool.upgrade() else { return };
        if !pool.drop_old() {
            return;
        }
    }
}
