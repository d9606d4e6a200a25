use std::io;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::mpsc::error::TrySendError;

use crate::connection::open;
use crate::table::{Opener, Way};
use crate::transports::Shared;
use crate::{ConnectionId, Destination, Protocol};

/// Sends without waiting; cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender {
    shared: Arc<Shared>,
}

/// Why nothing was sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The transports are being drained.
    #[error("failed to send while shutting down")]
    Draining,
    /// The socket or the connection's queue is full; a connection is closed for it.
    #[error("failed to send: the peer or the network is too slow")]
    Full,
    /// TLS is not set up.
    #[error("failed to secure a connection: TLS is not set up")]
    NoSecurity,
    /// No socket of the destination's address family is bound.
    #[error("failed to find a socket for the destination")]
    NoSocket,
    /// The network refused the datagram.
    #[error("failed to send the datagram")]
    Refused(#[source] io::Error),
    /// As many connections exist as may.
    #[error("failed to open one more connection: the limit is reached")]
    TooManyConnections,
}

impl Sender {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Sends a datagram, or queues bytes on a connection.
    ///
    /// Must be called within the runtime. For a stream it returns the connection that takes the bytes; where that is
    /// being opened, a failure arrives later as [`Incoming::Closed`](crate::Incoming::Closed). Bytes of one call stay together.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; nothing was sent then.
    pub fn send(&self, to: Destination, bytes: Bytes) -> Result<Option<ConnectionId>, SendError> {
        if self.shared.draining.is_cancelled() {
            return Err(SendError::Draining);
        }
        match to.protocol {
            Protocol::Tls if self.shared.config.security.is_none() => Err(SendError::NoSecurity),
            Protocol::Tcp | Protocol::Tls => self.send_stream(to, bytes).map(Some),
            Protocol::Udp => self.send_datagram(to, &bytes).map(|()| None),
        }
    }

    /// Closes a connection once what is queued on it has been written.
    pub fn close(&self, connection: ConnectionId) {
        self.shared.table.close(connection);
    }

    /// How many connections exist or are being opened.
    pub fn connections(&self) -> usize {
        self.shared.table.len()
    }

    fn send_datagram(&self, to: Destination, bytes: &[u8]) -> Result<(), SendError> {
        let sockets = &self.shared.udp;
        let exact = to.local.and_then(|local| sockets.iter().find(|(address, _)| *address == local));
        let of_family = || sockets.iter().find(|(address, _)| address.is_ipv4() == to.remote.is_ipv4());
        let (_, socket) = exact.or_else(of_family).ok_or(SendError::NoSocket)?;
        match socket.try_send_to(bytes, to.remote) {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SendError::Full),
            Err(error) => Err(SendError::Refused(error)),
        }
    }

    fn send_stream(&self, to: Destination, bytes: Bytes) -> Result<ConnectionId, SendError> {
        let mut bytes = bytes;
        let way = Way { protocol: to.protocol, remote: to.remote, name: to.name };
        if let Some((id, handle)) = self.shared.table.find(to.connection, &way) {
            match handle.writes.try_send(bytes) {
                Ok(()) => return Ok(id),
                Err(TrySendError::Full(_)) => {
                    handle.too_slow.cancel();
                    return Err(SendError::Full);
                }
                // It is just ending; a new one takes its place.
                Err(TrySendError::Closed(back)) => {
                    self.shared.table.remove(id);
                    bytes = back;
                }
            }
        }
        self.open_with(way, bytes)
    }

    fn open_with(&self, way: Way, bytes: Bytes) -> Result<ConnectionId, SendError> {
        let slot = self.shared.table.insert(way, Opener::Us, &self.shared.draining);
        let slot = slot.ok_or(SendError::TooManyConnections)?;
        let id = slot.id;
        if let Some((_, handle)) = self.shared.table.find(Some(id), &slot.way) {
            // A queue that was just made has room for one.
            let _ = handle.writes.try_send(bytes);
        }
        self.shared.tasks.spawn(open(slot, Arc::clone(&self.shared)));
        Ok(id)
    }
}
