//! UDP, TCP and TLS sockets that move bytes and know no protocol.
//!
//! [`Transports::bind`] opens the sockets; [`Transports::recv`] hands up what arrives, one datagram or one chunk of a
//! stream at a time; a [`Sender`] sends without ever waiting. Framing is the reader's business. Everything is bounded:
//! while nobody calls `recv`, sockets are not read; a peer that does not read what it is sent, or opens a connection
//! and says nothing or takes long to secure it, loses it; past the limits of all connections and of one address new ones are closed at once.

mod connection;
mod flow;
mod route;
mod sender;
mod table;
mod tls;
mod transports;
mod udp;

pub use flow::{CloseCause, ConnectionId, Destination, Flow, Incoming, Protocol};
pub use route::local_towards;
pub use sender::{SendError, Sender};
pub use tls::{Identity, PeerName, Tls, TlsError};
pub use transports::{BindError, Config, Transports};
