use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{CloseCause, Config, ConnectionId};

/// What others hold of a connection's task.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) remote: SocketAddr,
    opener: Opener,
    pub(crate) writes: mpsc::Sender<Bytes>,
    /// Ends the connection because its peer does not read.
    pub(crate) too_slow: CancellationToken,
    /// Ends the connection once what is queued has been written.
    pub(crate) close: CancellationToken,
}

/// The task's side of a [`Handle`].
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) id: ConnectionId,
    pub(crate) remote: SocketAddr,
    pub(crate) writes: mpsc::Receiver<Bytes>,
    pub(crate) too_slow: CancellationToken,
    pub(crate) close: CancellationToken,
}

/// The connections that exist or are being opened.
#[derive(Debug)]
pub(crate) struct Table {
    inner: Mutex<Inner>,
    limit: usize,
    limit_per_peer: usize,
    write_queue: usize,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    by_id: BTreeMap<ConnectionId, Handle>,
    /// The newest connection to an address, to be reused.
    by_remote: BTreeMap<SocketAddr, ConnectionId>,
    /// How many connections each peer has opened. Never zero.
    accepted: BTreeMap<IpAddr, usize>,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opener {
    Peer,
    Us,
}

impl Table {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            inner: Mutex::default(),
            limit: config.max_connections,
            limit_per_peer: config.max_connections_per_peer,
            write_queue: config.write_queue.max(1),
        }
    }

    /// Makes room for a connection, or returns `None` at a limit.
    pub(crate) fn insert(
        &self,
        remote: SocketAddr,
        opener: Opener,
        parent: &CancellationToken,
    ) -> Option<Slot> {
        let mut inner = self.lock();
        if inner.by_id.len() >= self.limit {
            return None;
        }
        if opener == Opener::Peer {
            let accepted = inner.accepted.get(&peer(remote)).copied().unwrap_or(0);
            if accepted >= self.limit_per_peer {
                return None;
            }
            inner.accepted.insert(peer(remote), accepted + 1);
        }
        inner.next = inner.next.wrapping_add(1);
        let id = ConnectionId(inner.next);
        let (sender, writes) = mpsc::channel(self.write_queue);
        let (too_slow, close) = (CancellationToken::new(), parent.child_token());
        let handle =
            Handle { remote, opener, writes: sender, too_slow: too_slow.clone(), close: close.clone() };
        inner.by_id.insert(id, handle);
        inner.by_remote.insert(remote, id);
        Some(Slot { id, remote, writes, too_slow, close })
    }

    /// The connection that was asked for, else one to the same peer.
    pub(crate) fn find(
        &self,
        wanted: Option<ConnectionId>,
        remote: SocketAddr,
    ) -> Option<(ConnectionId, Handle)> {
        let inner = self.lock();
        let by_id = |id: ConnectionId| inner.by_id.get(&id).map(|handle| (id, handle.clone()));
        wanted.and_then(by_id).or_else(|| inner.by_remote.get(&remote).copied().and_then(by_id))
    }

    pub(crate) fn remove(&self, id: ConnectionId) {
        let mut inner = self.lock();
        let Some(handle) = inner.by_id.remove(&id) else { return };
        if inner.by_remote.get(&handle.remote) == Some(&id) {
            inner.by_remote.remove(&handle.remote);
        }
        if handle.opener == Opener::Peer
            && let Entry::Occupied(mut accepted) = inner.accepted.entry(peer(handle.remote))
        {
            *accepted.get_mut() -= 1;
            if *accepted.get() == 0 {
                accepted.remove();
            }
        }
    }

    pub(crate) fn close(&self, id: ConnectionId) {
        if let Some(handle) = self.lock().by_id.get(&id) {
            handle.close.cancel();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change under the lock is whole, so a panic elsewhere leaves nothing half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one subscriber to the network is known by: an address of IPv4, or the upper half of one of IPv6.
fn peer(remote: SocketAddr) -> IpAddr {
    match remote.ip().to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// Why a task's own signals end it, if they do.
pub(crate) async fn signalled(slot_close: &CancellationToken, too_slow: &CancellationToken) -> CloseCause {
    tokio::select! {
        () = too_slow.cancelled() => CloseCause::Slow,
        () = slot_close.cancelled() => CloseCause::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(table: &Table, remote: &str, opener: Opener) -> Option<ConnectionId> {
        let slot = table.insert(remote.parse().unwrap(), opener, &CancellationToken::new());
        slot.map(|slot| slot.id)
    }

    #[test]
    fn only_what_a_peer_opens_counts_for_it_and_only_while_it_lasts() {
        let table = Table::new(&Config { max_connections_per_peer: 2, ..Config::default() });
        let first = insert(&table, "192.0.2.1:1", Opener::Peer).unwrap();

        assert!(insert(&table, "[::ffff:192.0.2.1]:2", Opener::Peer).is_some());
        assert!(insert(&table, "192.0.2.1:3", Opener::Peer).is_none());
        assert!(insert(&table, "192.0.2.2:3", Opener::Peer).is_some());
        let own = insert(&table, "192.0.2.1:4", Opener::Us).unwrap();
        table.remove(own);
        assert!(insert(&table, "192.0.2.1:5", Opener::Peer).is_none());
        table.remove(first);
        assert!(insert(&table, "192.0.2.1:6", Opener::Peer).is_some());
    }

    #[test]
    fn the_addresses_of_one_subscriber_count_together() {
        let table = Table::new(&Config { max_connections_per_peer: 1, ..Config::default() });

        let opened = ["[2001:db8:0:1::1]:1", "[2001:db8:0:1::2]:1", "[2001:db8:0:2::1]:1"]
            .map(|remote| insert(&table, remote, Opener::Peer).is_some());

        assert_eq!(opened, [true, false, true]);
    }
}
