use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::PeerName;

/// How bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// A stream.
    Tcp,
    /// A stream that nobody between can read, with a peer that has shown who it is.
    Tls,
    /// Datagrams.
    Udp,
}

/// Names one stream connection; never used twice by one [`Transports`](crate::Transports).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The way that bytes came, and that an answer goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address, as the socket saw it.
    pub remote: SocketAddr,
    /// How bytes travel.
    pub protocol: Protocol,
    /// The connection; `None` for datagrams.
    pub connection: Option<ConnectionId>,
}

/// Where bytes are to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// How bytes travel.
    pub protocol: Protocol,
    /// The peer's address.
    pub remote: SocketAddr,
    /// The socket to send from, for datagrams; `None` takes the first of the peer's address family.
    pub local: Option<SocketAddr>,
    /// The connection to prefer. Where it is gone, or for `None`, one to `remote` is reused or opened.
    pub connection: Option<ConnectionId>,
    /// The name in the certificate of the peer, for TLS; without one, it has to hold the address. Connections are
    /// reused for the name alone that they were opened for.
    pub name: Option<PeerName>,
}

impl Destination {
    /// Datagrams to `remote`.
    pub const fn udp(remote: SocketAddr) -> Self {
        Self { protocol: Protocol::Udp, remote, local: None, connection: None, name: None }
    }

    /// A stream to `remote`.
    pub const fn tcp(remote: SocketAddr) -> Self {
        Self { protocol: Protocol::Tcp, remote, local: None, connection: None, name: None }
    }

    /// A secure stream to `remote`, which has to show a certificate for the name.
    pub const fn tls(remote: SocketAddr, name: Option<PeerName>) -> Self {
        Self { protocol: Protocol::Tls, remote, local: None, connection: None, name }
    }
}

impl From<Flow> for Destination {
    /// Back the way that bytes came.
    fn from(flow: Flow) -> Self {
        Self {
            protocol: flow.protocol,
            remote: flow.remote,
            local: Some(flow.local),
            connection: flow.connection,
            name: None,
        }
    }
}

/// What arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A connection is over, or never came to be. Nothing more follows on it; what was queued for it is lost.
    Closed {
        /// Which one.
        connection: ConnectionId,
        /// The peer's address.
        remote: SocketAddr,
        /// Why.
        cause: CloseCause,
    },
    /// Bytes came: a whole datagram, or the next chunk of a stream. Never empty on a stream.
    Received {
        /// The way they came.
        flow: Flow,
        /// What came.
        bytes: Bytes,
    },
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseCause {
    /// The owner closed it, or everything is being drained.
    Closed,
    /// It could not be opened in time.
    ConnectFailed,
    /// It could not be secured in time: the peer speaks no TLS, or is not who it should be.
    HandshakeFailed,
    /// Nothing came for the idle time, or nothing at all in the time for the first bytes.
    Idle,
    /// The peer closed it.
    Peer,
    /// The peer did not read what it was sent.
    Slow,
    /// The network broke it.
    Broken,
}
