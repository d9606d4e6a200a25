//! The SIP endpoint on its sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sip_proto::{
    Chunk, Config, Endpoint, Event, Flow, IncomingPolicy, Streams, Transmit, Transport, UserTable,
};
use tokio::net::UdpSocket;
use tokio::time::Instant;
use transport::{ConnectionId, Destination, Incoming, Protocol, SendError, Transports};

use crate::phone::SetupError;

/// What the telephone calls itself.
const PRODUCT: &str = concat!("Hookswitch-phone/", env!("CARGO_PKG_VERSION"));

/// How long the sockets may take to write what is queued at the end.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// One endpoint that speaks with one server.
pub(crate) struct Wire {
    pub(crate) endpoint: Endpoint,
    transports: Transports,
    sender: transport::Sender,
    streams: Streams<ConnectionId>,
    flow: Flow,
    began: Instant,
}

impl Wire {
    /// Opens sockets towards a server.
    pub(crate) async fn open(
        server: SocketAddr,
        transport: Transport,
        incoming: IncomingPolicy,
    ) -> Result<Self, SetupError> {
        let ip = own_address(server).await.map_err(SetupError::Network)?;
        let here = vec![SocketAddr::new(ip, 0)];
        let config = match transport {
            Transport::Tcp => transport::Config { tcp: here, ..transport::Config::default() },
            Transport::Tls => {
                let security = transport::Tls::new(None, None);
                let security = security.map_err(|error| SetupError::Network(std::io::Error::other(error)))?;
                transport::Config { security: Some(security), ..transport::Config::default() }
            }
            Transport::Udp => transport::Config { udp: here, ..transport::Config::default() },
        };
        let transports = Transports::bind(config).await.map_err(SetupError::Bind)?;
        let bound = match transport {
            // Where the server may open a connection of its own, should this one be lost.
            Transport::Tcp => transports.tcp_addresses().first().copied(),
            // Nobody can connect to a phone that has no certificate.
            Transport::Tls => None,
            Transport::Udp => transports.udp_addresses().next(),
        };
        let local = bound.unwrap_or(SocketAddr::new(ip, 0));
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| SetupError::NoRandomness)?;
        let config = Config { incoming, product: PRODUCT.to_owned(), ..Config::default() };
        Ok(Self {
            endpoint: Endpoint::new(config, seed, Box::new(UserTable::new())),
            sender: transports.sender(),
            transports,
            streams: Streams::default(),
            flow: Flow { transport, local, remote: server, connection: None },
            began: Instant::now(),
        })
    }

    /// The way to the server.
    pub(crate) const fn flow(&self) -> Flow {
        self.flow
    }

    /// How long it has existed, which is the time that everything here goes by.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// The runtime's instant of a moment.
    pub(crate) fn instant(&self, at: Duration) -> Instant {
        self.began + at
    }

    /// Waits until something comes.
    pub(crate) async fn receive(&mut self) -> Option<Incoming> {
        self.transports.recv().await
    }

    /// Takes what came.
    pub(crate) fn handle(&mut self, incoming: Incoming) {
        let now = self.now();
        match incoming {
            Incoming::Closed { connection, .. } => {
                for flow in self.streams.closed(connection) {
                    self.endpoint.handle_flow_closed(flow, now);
                }
            }
            Incoming::Received { flow, bytes } => {
                let known_as = self.known_as(flow);
                let Some(connection) = flow.connection else {
                    self.endpoint.handle_receive(known_as, &bytes, now);
                    return;
                };
                for chunk in self.streams.push(connection, known_as, &bytes) {
                    match chunk {
                        Chunk::Close => self.sender.close(connection),
                        Chunk::Message(message) => self.endpoint.handle_message(known_as, *message, now),
                        Chunk::Reply(bytes) => {
                            // A connection that is gone needs no answer.
                            let _ = self.sender.send(flow.into(), bytes);
                        }
                    }
                }
            }
        }
    }

    /// The next event, after sending what there is to send.
    pub(crate) fn poll(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                return Some(event);
            }
            let transmit = self.endpoint.poll_transmit()?;
            self.transmit(transmit);
        }
    }

    /// Writes what is queued, and closes the sockets.
    pub(crate) async fn close(mut self) {
        self.transports.drain(DRAIN_LIMIT).await;
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes } = transmit;
        let protocol = match flow.transport {
            Transport::Tcp => Protocol::Tcp,
            Transport::Tls => Protocol::Tls,
            Transport::Udp => Protocol::Udp,
        };
        let connection = flow.connection.map(ConnectionId);
        let to = Destination { protocol, remote: flow.remote, local: None, connection, name: None };
        match self.sender.send(to, bytes) {
            Ok(Some(connection)) => self.streams.sent(connection, flow),
            Ok(None) => {}
            // The socket is full for a moment; the transaction sends again.
            Err(SendError::Full) if flow.transport == Transport::Udp => {}
            Err(error) => {
                tracing::debug!(%error, "failed to send a SIP message");
                self.endpoint.handle_transport_error(flow, self.now());
            }
        }
    }

    fn known_as(&self, flow: transport::Flow) -> Flow {
        let connection = flow.connection.map(|connection| connection.0);
        Flow { remote: flow.remote, connection, ..self.flow }
    }
}

/// The address of this machine from which a server is reached.
async fn own_address(server: SocketAddr) -> std::io::Result<IpAddr> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Connecting a socket for datagrams sends nothing; it only finds the way.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    Ok(socket.local_addr()?.ip())
}
