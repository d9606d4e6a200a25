//! The socket of all sessions.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rtc_proto::Codec;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::addresses::MAX_ADDRESSES;
use crate::routes::{Id, Inbox, Routes, Way};
use crate::tcp::{self, Connections};
use crate::{Answer, Handle, MAX_DATAGRAM_OCTETS, OfferError, Patience, Peer, Reach, Session, stun};

/// Datagrams taken before other tasks get a turn. Arbitrary; a few hundred microseconds of reading.
const BATCH: usize = 64;

/// What the kernel may hold for us; it caps this at its own limit. Seconds of a few hundred sessions.
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Datagrams on their way to one session: over a second of a stream with packets of 20 ms, for a task that is late.
const MAX_QUEUED: usize = 64;

/// How much a gateway takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at once.
    pub sessions: usize,
    /// How long a far end may be away.
    pub patience: Patience,
    /// TCP connections at once; 0 where far ends cannot come by TCP.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { sessions: 1_000, patience: Patience::default(), connections: 1_000 }
    }
}

/// What the socket has seen since it was bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams of nobody we know.
    pub unknown: u64,
    /// Datagrams that a session was too late to take.
    pub missed: u64,
    /// Datagrams that the kernel did not take from us.
    pub unsent: u64,
}

/// One UDP socket over which sessions come and go, and TCP connections to the port of the same number. Dropping the last clone
/// ends the reading, and so, after a while, all of them.
#[derive(Clone, Debug)]
pub struct Gateway {
    shared: Arc<Shared>,
    _reader: Arc<Reader>,
}

/// What sessions share.
#[derive(Debug)]
pub(crate) struct Shared {
    socket: UdpSocket,
    is_v6: bool,
    candidate: SocketAddr,
    limits: Limits,
    pub(crate) connections: Connections,
    has_tcp: bool,
    routes: Mutex<Routes>,
    unknown: AtomicU64,
    missed: AtomicU64,
    unsent: AtomicU64,
}

/// The way for the datagrams of one far end, for as long as it is kept.
#[derive(Debug)]
pub struct Route {
    shared: Arc<Shared>,
    id: Id,
}

impl Route {
    /// Tells that the far end has proven to be at an address. Where another one is alive it stays that one's.
    pub fn claim(&self, address: SocketAddr, now: Instant) {
        self.shared.claim(self.id, address, now);
    }

    /// Tells of another name, after a restart of ICE.
    pub fn rename(&self, ufrag: &str) {
        self.shared.rename(self.id, ufrag);
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.shared.remove(self.id);
    }
}

#[derive(Debug)]
struct Reader {
    datagrams: JoinHandle<()>,
    connections: Option<JoinHandle<()>>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.datagrams.abort();
        if let Some(connections) = &self.connections {
            connections.abort();
        }
    }
}

impl Gateway {
    /// Binds the socket and begins to read. `advertised` is the address that answers tell, where far ends reach the
    /// socket under the port to which it is bound. Must be called within a runtime of tokio. Where TCP is wanted and somebody
    /// else has the port of this number, there is UDP alone.
    ///
    /// # Errors
    ///
    /// Returns what the system says of the address; `advertised` must be that of one host.
    pub async fn bind(address: SocketAddr, advertised: IpAddr, limits: Limits) -> io::Result<Self> {
        if advertised.is_unspecified() || advertised.is_multicast() {
            let problem = format!("{advertised} is no address that can be advertised");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            // One socket for both versions where it is bound to all addresses.
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        // A smaller buffer still works, so a refusal is not an error.
        let _ = socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(KERNEL_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        // Sending never waits, and until the runtime has seen the socket ready it would refuse.
        socket.writable().await?;
        let candidate = SocketAddr::new(advertised.to_canonical(), socket.local_addr()?.port());
        let listener = listen(SocketAddr::new(address.ip(), candidate.port()), limits);
        let shared = Arc::new(Shared {
            socket,
            is_v6: address.is_ipv6(),
            candidate,
            limits,
            connections: Connections::new(candidate.is_ipv6(), limits.connections),
            has_tcp: listener.is_some(),
            routes: Mutex::default(),
            unknown: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            unsent: AtomicU64::new(0),
        });
        let datagrams = tokio::spawn(read(Arc::clone(&shared)));
        let connections = listener.map(|listener| tokio::spawn(tcp::accept(listener, Arc::clone(&shared))));
        Ok(Self { shared, _reader: Arc::new(Reader { datagrams, connections }) })
    }

    /// Answers a first offer with a new session, which is yet to be [run](Session::run).
    ///
    /// # Errors
    ///
    /// [`OfferError`] says what is wrong with the offer, or that there are too many sessions.
    pub fn answer(&self, offer: &str) -> Result<(Answer, Session, Handle), OfferError> {
        // Before the work, and again when it is done.
        if self.sessions() >= self.shared.limits.sessions {
            return Err(OfferError::Full);
        }
        let patience = self.shared.limits.patience;
        let (peer, answer) = Peer::answer(offer, self.reach(), patience, Shared::now())?;
        let (sender, datagrams) = mpsc::channel(MAX_QUEUED);
        let id = {
            let mut routes = self.shared.routes();
            if routes.len() >= self.shared.limits.sessions {
                return Err(OfferError::Full);
            }
            routes.add(peer.ufrag(), Way::Own(sender))
        };
        let (handle, commands, state) = Handle::new();
        let session = Session::new(peer, Arc::clone(&self.shared), id, datagrams, (commands, state));
        Ok((answer, session, handle))
    }

    /// The codec with which a first offer would be answered, without a session and what that costs.
    ///
    /// # Errors
    ///
    /// [`OfferError`], as far as the offer's text says it, or that there are too many sessions.
    pub fn codec_of(&self, offer: &str) -> Result<Codec, OfferError> {
        if self.sessions() >= self.shared.limits.sessions {
            return Err(OfferError::Full);
        }
        Peer::codec_of(offer)
    }

    /// Opens a way for the datagrams of a far end with which another adapter deals: those of requests that name `ufrag`, and of
    /// addresses that are claimed. They come to the inbox under the tag, at most `places` at a time.
    ///
    /// # Errors
    ///
    /// [`OfferError::Full`]: far ends of others count as sessions, too.
    pub fn route(&self, ufrag: &str, inbox: &Inbox, tag: u64, places: usize) -> Result<Route, OfferError> {
        let mut routes = self.shared.routes();
        if routes.len() >= self.shared.limits.sessions {
            return Err(OfferError::Full);
        }
        let id = routes.add(ufrag, inbox.way(tag, places));
        Ok(Route { shared: Arc::clone(&self.shared), id })
    }

    /// Sends a datagram of another adapter, or loses it, as a network does.
    pub fn send(&self, destination: SocketAddr, octets: &[u8]) {
        self.shared.send(destination, octets);
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> usize {
        self.shared.routes().len()
    }

    /// How far ends reach the socket, as answers tell it.
    pub fn reach(&self) -> Reach<'_> {
        Reach { candidates: std::slice::from_ref(&self.shared.candidate), has_tcp: self.shared.has_tcp }
    }

    /// How many TCP connections are open.
    pub fn connections(&self) -> usize {
        self.shared.connections.len()
    }

    /// Where far ends reach the socket.
    pub fn candidate(&self) -> SocketAddr {
        self.shared.candidate
    }

    /// What the socket has seen.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            unknown: self.shared.unknown.load(Ordering::Relaxed),
            missed: self.shared.missed.load(Ordering::Relaxed),
            unsent: self.shared.unsent.load(Ordering::Relaxed),
        }
    }
}

impl Shared {
    pub(crate) fn now() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    /// Sends, or loses, as a network does.
    pub(crate) fn send(&self, destination: SocketAddr, octets: &[u8]) {
        if Connections::is_made_up(destination.ip()) {
            if !self.connections.send(destination, octets) {
                self.unsent.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        let destination = match destination {
            SocketAddr::V4(v4) if self.is_v6 => {
                SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
            }
            SocketAddr::V4(_) | SocketAddr::V6(_) => destination,
        };
        if self.socket.try_send_to(octets, destination).is_err() {
            self.unsent.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn claim(&self, id: Id, address: SocketAddr, now: Instant) {
        self.routes().claim(id, address, now, MAX_ADDRESSES);
    }

    pub(crate) fn rename(&self, id: Id, ufrag: &str) {
        self.routes().rename(id, ufrag);
    }

    pub(crate) fn remove(&self, id: Id) {
        self.routes().remove(id);
    }

    /// Held for a look-up only. Whoever panicked with it has left it whole: no change is of two steps that could fail.
    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a session's far end is known to be at an address.
    pub(crate) fn is_claimed(&self, address: SocketAddr) -> bool {
        self.routes().at(address).is_some()
    }

    pub(crate) fn route(&self, from: SocketAddr, octets: &[u8]) {
        let routes = self.routes();
        let way = if stun::is_stun(octets) {
            stun::local_ufrag(octets).and_then(|ufrag| routes.named(ufrag))
        } else {
            routes.at(from)
        };
        match way {
            None => self.unknown.fetch_add(1, Ordering::Relaxed),
            Some(way) if !way.hand(from, octets) => self.missed.fetch_add(1, Ordering::Relaxed),
            Some(_) => 0,
        };
    }
}

/// Listens for TCP, where it is wanted and can be had.
fn listen(address: SocketAddr, limits: Limits) -> Option<TcpListener> {
    if limits.connections == 0 {
        return None;
    }
    let listener = tcp::listen(address);
    listener.inspect_err(|error| tracing::warn!(%error, %address, "WebRTC is not reached by TCP")).ok()
}

/// Hands datagrams to sessions until it is aborted.
async fn read(shared: Arc<Shared>) {
    // One octet more than a datagram may have, so that a longer one shows.
    let mut buffer = [0; MAX_DATAGRAM_OCTETS + 1];
    loop {
        if let Err(error) = shared.socket.readable().await {
            tracing::error!(%error, "failed to wait for datagrams");
            return;
        }
        for _ in 0..BATCH {
            match shared.socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let octets = buffer.get(..length).unwrap_or_default();
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    if octets.len() > MAX_DATAGRAM_OCTETS || Connections::is_made_up(from.ip()) {
                        shared.unknown.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    shared.route(from, octets);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An earlier datagram of ours was refused; the socket itself is well.
                Err(_) => {}
            }
        }
        tokio::task::yield_now().await;
    }
}
