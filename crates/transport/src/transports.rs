use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::table::Table;
use crate::{Incoming, Protocol, Sender, Tls, connection, udp};

/// What to bind, and the limits.
#[derive(Clone, Debug)]
pub struct Config {
    /// Addresses for datagrams.
    pub udp: Vec<SocketAddr>,
    /// Addresses to listen on for streams.
    pub tcp: Vec<SocketAddr>,
    /// Addresses to listen on for secure streams, which needs `security` with an identity.
    pub tls: Vec<SocketAddr>,
    /// How streams are secured. `None` secures none, so none can be opened or accepted.
    pub security: Option<Tls>,
    /// Connections that may exist at once, both ways together.
    pub max_connections: usize,
    /// Accepted connections that may exist at once from one address, loopback included, or from one /64 of IPv6,
    /// which is what one subscriber is given. Phones behind one NAT share it.
    pub max_connections_per_peer: usize,
    /// How long an accepted connection may send nothing at first; `idle_timeout` where that is shorter.
    pub first_bytes_timeout: Duration,
    /// How long a connection may receive nothing.
    pub idle_timeout: Duration,
    /// How long opening a connection may take.
    pub connect_timeout: Duration,
    /// How long securing a connection may take, after it was opened.
    pub handshake_timeout: Duration,
    /// Accepted connections that may be in their handshake at once; each costs the work of a signature. Past it,
    /// new ones are closed.
    pub max_handshakes: usize,
    /// How long one write may take before the peer counts as slow.
    pub write_timeout: Duration,
    /// Writes that wait on one connection before its peer counts as slow.
    pub write_queue: usize,
    /// What waits to be received before sockets are left unread.
    pub incoming_queue: usize,
}

impl Default for Config {
    /// Binds nothing; limits for one SIP node. The numbers are generous rather than derived.
    fn default() -> Self {
        Self {
            udp: Vec::new(),
            tcp: Vec::new(),
            tls: Vec::new(),
            security: None,
            max_connections: 4096,
            // An office of phones; it takes that many times as many addresses to use up all connections.
            max_connections_per_peer: 64,
            // Who opens a connection has something to say. Arbitrary.
            first_bytes_timeout: Duration::from_secs(30),
            // Above the two minutes at which RFC 5626 has a client send keep-alives over streams.
            idle_timeout: Duration::from_secs(600),
            connect_timeout: Duration::from_secs(4),
            handshake_timeout: Duration::from_secs(4),
            // A few hundred milliseconds of work on one core.
            max_handshakes: 256,
            write_timeout: Duration::from_secs(10),
            write_queue: 64,
            incoming_queue: 1024,
        }
    }
}

/// An address that could not be bound.
#[derive(Debug, Error)]
#[error("failed to bind {protocol:?} {address}")]
pub struct BindError {
    /// How bytes were to travel.
    pub protocol: Protocol,
    /// The address.
    pub address: SocketAddr,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// The sockets of one node.
///
/// One owner calls `recv` in a loop; `sender` gives out as many [`Sender`]s as needed; `drain` ends it all.
/// Dropping it ends all tasks as well, without waiting for them.
#[derive(Debug)]
pub struct Transports {
    shared: Arc<Shared>,
    incoming: mpsc::Receiver<Incoming>,
    tcp: Vec<SocketAddr>,
    tls: Vec<SocketAddr>,
}

/// What tasks and senders share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) udp: Vec<(SocketAddr, Arc<UdpSocket>)>,
    pub(crate) table: Table,
    pub(crate) incoming: mpsc::Sender<Incoming>,
    pub(crate) draining: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) handshakes: Arc<Semaphore>,
}

impl Transports {
    /// Binds every address and starts to receive.
    ///
    /// # Errors
    ///
    /// Returns the first address that could not be bound; nothing stays bound then.
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let mut sockets = Vec::new();
        for address in &config.udp {
            let failed = |source| BindError { protocol: Protocol::Udp, address: *address, source };
            let socket = udp::bind(*address).await.map_err(failed)?;
            sockets.push((socket.local_addr().map_err(failed)?, Arc::new(socket)));
        }
        let (mut listeners, mut tcp, mut tls) = (Vec::new(), Vec::new(), Vec::new());
        let plain = config.tcp.iter().map(|address| (Protocol::Tcp, *address));
        let secure = config.tls.iter().map(|address| (Protocol::Tls, *address));
        for (protocol, address) in plain.chain(secure) {
            let failed = |source| BindError { protocol, address, source };
            let is_secure = protocol == Protocol::Tls;
            if is_secure && !config.security.as_ref().is_some_and(Tls::has_identity) {
                return Err(failed(io::Error::other("there is no certificate to show")));
            }
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            let bound = if is_secure { &mut tls } else { &mut tcp };
            bound.push(listener.local_addr().map_err(failed)?);
            listeners.push((listener, protocol));
        }
        let (sender, incoming) = mpsc::channel(config.incoming_queue.max(1));
        let shared = Arc::new(Shared {
            table: Table::new(&config),
            udp: sockets,
            incoming: sender,
            draining: CancellationToken::new(),
            tasks: TaskTracker::new(),
            handshakes: Arc::new(Semaphore::new(config.max_handshakes)),
            config,
        });
        for (local, socket) in &shared.udp {
            shared.tasks.spawn(udp::receive(Arc::clone(socket), *local, Arc::clone(&shared)));
        }
        for (listener, protocol) in listeners {
            shared.tasks.spawn(connection::accept(listener, protocol, Arc::clone(&shared)));
        }
        Ok(Self { shared, incoming, tcp, tls })
    }

    /// What arrived next; `None` once the transports are drained.
    pub async fn recv(&mut self) -> Option<Incoming> {
        let ended = async {
            self.shared.draining.cancelled().await;
            self.shared.tasks.wait().await;
        };
        tokio::select! {
            biased;
            incoming = self.incoming.recv() => incoming,
            () = ended => self.incoming.try_recv().ok(),
        }
    }

    /// Sends from these sockets.
    pub fn sender(&self) -> Sender {
        Sender::new(Arc::clone(&self.shared))
    }

    /// The addresses that datagrams arrive at, as bound.
    pub fn udp_addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.shared.udp.iter().map(|(address, _)| *address)
    }

    /// The addresses that connections are accepted at, as bound.
    pub fn tcp_addresses(&self) -> &[SocketAddr] {
        &self.tcp
    }

    /// The addresses that secure connections are accepted at, as bound.
    pub fn tls_addresses(&self) -> &[SocketAddr] {
        &self.tls
    }

    /// Stops receiving and accepting, writes what is queued, closes every connection. `true` if that ended within `limit`.
    ///
    /// What has arrived and was not received is dropped.
    pub async fn drain(&mut self, limit: Duration) -> bool {
        self.shared.draining.cancel();
        self.shared.tasks.close();
        let tasks = self.shared.tasks.clone();
        let ended = async {
            let waiting = tasks.wait();
            tokio::pin!(waiting);
            loop {
                tokio::select! {
                    () = &mut waiting => return,
                    // Room must be made for tasks that still hand something up.
                    _ = self.incoming.recv() => {}
                }
            }
        };
        let is_ended = timeout(limit, ended).await.is_ok();
        while self.incoming.try_recv().is_ok() {}
        is_ended
    }
}

impl Drop for Transports {
    fn drop(&mut self) {
        self.shared.draining.cancel();
        self.shared.tasks.close();
        self.incoming.close();
    }
}
