use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{CloseCause, Config, ConnectionId, PeerName, Protocol};

/// Where a connection leads. One of them is never used in the place of another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Way {
    pub(crate) remote: SocketAddr,
    pub(crate) protocol: Protocol,
    /// Whose certificate the peer had to show.
    pub(crate) name: Option<PeerName>,
}

/// What others hold of a connection's task.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    way: Way,
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
    pub(crate) way: Way,
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
    /// The newest connection of each way, to be reused.
    by_way: BTreeMap<Way, ConnectionId>,
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
    pub(crate) fn insert(&self, way: Way, opener: Opener, parent: &CancellationToken) -> Option<Slot> {
        let mut inner = self.lock();
        if inner.by_id.len() >= self.limit {
            return None;
        }
        if opener == Opener::Peer {
            let accepted = inner.accepted.get(&peer(way.remote)).copied().unwrap_or(0);
            if accepted >= self.limit_per_peer {
                return None;
            }
            inner.accepted.insert(peer(way.remote), accepted + 1);
        }
        inner.next = inner.next.wrapping_add(1);
        let id = ConnectionId(inner.next);
        let (sender, writes) = mpsc::channel(self.write_queue);
        let (too_slow, close) = (CancellationToken::new(), parent.child_token());
        let handle = Handle {
            way: way.clone(),
            opener,
            writes: sender,
            too_slow: too_slow.clone(),
            close: close.clone(),
        };
        inner.by_id.insert(id, handle);
        inner.by_way.insert(way.clone(), id);
        Some(Slot { id, way, writes, too_slow, close })
    }

    /// The connection that was asked for, if it is as secure as wanted, else another one of the same way.
    pub(crate) fn find(&self, wanted: Option<ConnectionId>, way: &Way) -> Option<(ConnectionId, Handle)> {
        let inner = self.lock();
        let by_id = |id: ConnectionId| inner.by_id.get(&id).map(|handle| (id, handle.clone()));
        let wanted = wanted.and_then(by_id).filter(|(_, handle)| handle.way.protocol == way.protocol);
        wanted.or_else(|| inner.by_way.get(way).copied().and_then(by_id))
    }

    pub(crate) fn remove(&self, id: ConnectionId) {
        let mut inner = self.lock();
        let Some(handle) = inner.by_id.remove(&id) else { return };
        if inner.by_way.get(&handle.way) == Some(&id) {
            inner.by_way.remove(&handle.way);
        }
        if handle.opener == Opener::Peer
            && let Entry::Occupied(mut accepted) = inner.accepted.entry(peer(handle.way.remote))
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
        let way = Way { remote: remote.parse().unwrap(), protocol: Protocol::Tcp, name: None };
        let slot = table.insert(way, opener, &CancellationToken::new());
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
