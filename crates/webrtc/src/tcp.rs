//! Datagrams over TCP, for networks that let no UDP through (RFC 6544): the far end opens a connection, each datagram goes
//! with its length before it (RFC 4571, 2).
//!
//! To sessions a connection is an address like any other: one that nobody can have, made up for as long as it lasts. So who
//! is believed, and where answers go, is decided as for UDP.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::MAX_DATAGRAM_OCTETS;
use crate::gateway::Shared;

/// Connections that may wait to be taken. Arbitrary; they are taken at once.
const BACKLOG: i32 = 128;

/// Connections from one network: an office behind a translator.
const MAX_FROM_ONE: usize = 64;

/// How long a connection may take until a request over it has been right.
const PROOF: Duration = Duration::from_secs(10);

/// How long nothing may come. Far ends send a check about every five seconds (RFC 7675, 5.1).
const SILENCE: Duration = Duration::from_secs(30);

/// Datagrams that may wait to be written: half a second of pictures. What comes then is lost, as with UDP.
const MAX_QUEUED: usize = 256;

/// Where failures to take a connection are waited out, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The connections that are open.
#[derive(Debug)]
pub(crate) struct Connections {
    /// Whether our address is of version 6, and so those that are made up.
    is_v6: bool,
    most: usize,
    next: AtomicU32,
    open: Mutex<BTreeMap<SocketAddr, Open>>,
}

#[derive(Debug)]
struct Open {
    /// The network that it really comes from.
    from: IpAddr,
    /// Whether a session's far end has proven to be at its other end.
    is_claimed: bool,
    sender: mpsc::Sender<Box<[u8]>>,
}

impl Connections {
    pub(crate) fn new(is_v6: bool, most: usize) -> Self {
        Self { is_v6, most, next: AtomicU32::new(0), open: Mutex::default() }
    }

    /// Whether an address is one of those that are made up. No datagram comes from there by UDP.
    pub(crate) fn is_made_up(address: IpAddr) -> bool {
        match address {
            // Reserved for good (RFC 1112, 4).
            IpAddr::V4(address) => address.octets()[0] >= 240,
            // For what is to be discarded (RFC 6666).
            IpAddr::V6(address) => address.segments()[..4] == [0x100, 0, 0, 0],
        }
    }

    /// Hands a datagram to the connection of this address; false where there is none, or it is too slow.
    pub(crate) fn send(&self, destination: SocketAddr, octets: &[u8]) -> bool {
        let open = self.open();
        let Some(place) = open.get(&destination).and_then(|open| open.sender.try_reserve().ok()) else {
            return false;
        };
        place.send(octets.into());
        true
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.open().len()
    }

    /// Tells that a session's far end has proven to be there.
    fn claim(&self, address: SocketAddr) {
        if let Some(open) = self.open().get_mut(&address) {
            open.is_claimed = true;
        }
    }

    /// Makes up an address for a connection; nothing where there are too many. Half of the places are for those that have been
    /// claimed: so nobody keeps far ends out by opening connections and saying nothing.
    fn add(&self, from: IpAddr) -> Option<(SocketAddr, mpsc::Receiver<Box<[u8]>>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // The numbers are used again after some hundred million connections.
        let [_, b, c, d] = number.to_be_bytes();
        let ip = if self.is_v6 {
            Ipv6Addr::from((0x100_u128 << 112) | u128::from(number)).into()
        } else {
            IpAddr::from(Ipv4Addr::new(240 + (number >> 24) as u8 % 15, b, c, d))
        };
        let address = SocketAddr::new(ip, 9);
        let mut open = self.open();
        let from = network(from);
        let of_one = open.values().filter(|open| open.from == from).count();
        let unclaimed = open.values().filter(|open| !open.is_claimed).count();
        let is_full = open.len() >= self.most || unclaimed >= self.most.div_ceil(2);
        if is_full || of_one >= MAX_FROM_ONE || open.contains_key(&address) {
            return None;
        }
        let (sender, receiver) = mpsc::channel(MAX_QUEUED);
        open.insert(address, Open { from, is_claimed: false, sender });
        Some((address, receiver))
    }

    /// Held for a look-up only, and left whole.
    fn open(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever has an address of version 6 has 2^64 of them.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX)).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Listens on the port that UDP has.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A server that starts again finds its port although connections of the one before linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Takes connections until it is aborted, which ends them all.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, from)) => {
                while tasks.try_join_next().is_some() {}
                // One too many is closed at once.
                if let Some((address, receiver)) = shared.connections.add(from.ip()) {
                    let place = Place { address, shared: Arc::clone(&shared) };
                    tasks.spawn(carry(stream, place, receiver));
                }
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// A connection's place, which is free once it ends, however it does.
struct Place {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.connections.open().remove(&self.address);
    }
}

async fn carry(stream: TcpStream, place: Place, receiver: mpsc::Receiver<Box<[u8]>>) {
    // Small packets are not gathered; where that is refused they are later.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    // Why it ended matters to nobody: the far end opens another, or comes by UDP.
    tokio::select! {
        _ = read(reader, &place) => {}
        _ = write(writer, receiver) => {}
    }
}

async fn read(reader: OwnedReadHalf, place: &Place) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut buffer = [0; MAX_DATAGRAM_OCTETS];
    let mut until = Instant::now() + PROOF;
    let mut is_claimed = false;
    loop {
        let length = usize::from(timeout_at(until, reader.read_u16()).await??);
        let Some(octets) = buffer.get_mut(..length) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a datagram is too long"));
        };
        timeout_at(until, reader.read_exact(octets)).await??;
        place.shared.route(place.address, octets);
        // Only what is somebody's may go on.
        if place.shared.is_claimed(place.address) {
            until = Instant::now() + SILENCE;
            if !is_claimed {
                is_claimed = true;
                place.shared.connections.claim(place.address);
            }
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut receiver: mpsc::Receiver<Box<[u8]>>) -> io::Result<()> {
    let mut framed = Vec::with_capacity(MAX_DATAGRAM_OCTETS + 2);
    while let Some(octets) = receiver.recv().await {
        let Ok(length) = u16::try_from(octets.len()) else { continue };
        framed.clear();
        framed.extend(length.to_be_bytes());
        framed.extend_from_slice(&octets);
        writer.write_all(&framed).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_made_up_are_known_as_such() {
        for is_v6 in [false, true] {
            let connections = Connections::new(is_v6, 100);
            connections.next.store(0x0fff_fffe, Ordering::Relaxed);
            for number in 0..4 {
                let (address, _) = connections.add(Ipv4Addr::new(192, 0, 2, number).into()).unwrap();
                assert!(Connections::is_made_up(address.ip()), "{address}");
                assert_eq!(address.is_ipv6(), is_v6);
            }
        }
        for address in ["192.0.2.1", "239.255.0.1", "2001:db8::1", "::1", "100:0:0:1::1"] {
            assert!(!Connections::is_made_up(address.parse().unwrap()), "{address}");
        }
    }

    /// Opens connections from those addresses and claims them; how many are taken.
    fn claimed(connections: &Connections, from: impl IntoIterator<Item = IpAddr>) -> usize {
        let taken = from.into_iter().filter_map(|from| connections.add(from));
        taken.inspect(|(address, _)| connections.claim(*address)).count()
    }

    #[test]
    fn nobody_has_all_connections() {
        let connections = Connections::new(false, MAX_FROM_ONE + 2);
        let from = |number| IpAddr::from([192, 0, 2, number]);
        assert_eq!(claimed(&connections, [from(1); MAX_FROM_ONE + 5]), MAX_FROM_ONE);
        assert_eq!(claimed(&connections, [from(2), from(3), from(4)]), 2);
    }

    #[test]
    fn addresses_of_one_network_of_version_6_are_one() {
        let connections = Connections::new(true, 10 * MAX_FROM_ONE);
        let from = |network: u16, host: u16| IpAddr::from([0x2001, 0xdb8, 0, network, 0, 0, 0, host]);
        assert_eq!(claimed(&connections, (0..100).map(|host| from(1, host))), MAX_FROM_ONE);
        assert_eq!(claimed(&connections, (0..100).map(|number| from(2 + number, 1))), 100);
    }

    #[test]
    fn half_of_the_places_are_for_those_that_have_proven_themselves() {
        let connections = Connections::new(false, 10);
        let from = |number| IpAddr::from([192, 0, 2, number]);
        let idle: Vec<_> = (0..9).filter_map(|number| connections.add(from(number))).collect();
        assert_eq!(idle.len(), 5);
        connections.claim(idle[0].0);
        assert_eq!(claimed(&connections, (10..20).map(from)), 5, "as soon as one is proven another may come");
        assert!(connections.add(from(20)).is_none(), "all are taken");
        assert_eq!(connections.len(), 10);
    }
}
