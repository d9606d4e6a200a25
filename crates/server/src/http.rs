//! Listening for HTTP, with and without TLS.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::{Connection, Proxies};
use axum::Router;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests of one HTTP/2 connection under way at once; each may hold a body.
const MAX_STREAMS: u32 = 32;

/// How often a silent HTTP/2 connection is asked whether it still lives, and how long its answer may take.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(10));

/// One address, or one network of IPv6, has at most this share of the places: one in so many.
const SHARE_OF_AN_ADDRESS: usize = 4;

/// What clients may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Connections of one listener. Each costs a descriptor and a task; beyond it new ones wait in the kernel's queue.
    pub(crate) connections: usize,
    /// Octets of a request's headers together.
    pub(crate) header_bytes: usize,
    /// How long a client may take until its first request, and for each request's headers.
    pub(crate) request_timeout: Duration,
}

/// The listeners of one server.
#[derive(Clone)]
pub(crate) struct Listeners {
    limits: Limits,
    /// Behind each of them are many clients.
    proxies: Arc<Proxies>,
    draining: CancellationToken,
    tasks: TaskTracker,
}

/// A bound address that nobody serves yet.
pub(crate) struct Bound {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

/// Binds an address.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<Bound> {
    let listener = TcpListener::bind(address).await?;
    Ok(Bound { address: listener.local_addr()?, listener })
}

impl Listeners {
    pub(crate) fn new(limits: Limits, proxies: Proxies) -> Self {
        let (draining, tasks) = (CancellationToken::new(), TaskTracker::new());
        Self { limits, proxies: Arc::new(proxies), draining, tasks }
    }

    /// Connections that an address may have.
    fn share(&self, ip: IpAddr) -> usize {
        let all = self.limits.connections;
        if self.proxies.contain(ip) { all } else { all / SHARE_OF_AN_ADDRESS }
    }

    /// Starts to serve a bound address.
    pub(crate) fn serve(&self, bound: Bound, tls: Option<TlsAcceptor>, router: Router) {
        self.tasks.spawn(accept(bound.listener, tls, router, self.clone()));
    }

    /// Takes no new request, lets those under way finish. `false` where that took longer than `limit`.
    pub(crate) async fn drain(&self, limit: Duration) -> bool {
        self.draining.cancel();
        self.tasks.close();
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}

/// Connections by the address that they come from.
#[derive(Clone, Default)]
struct Peers(Arc<Mutex<BTreeMap<IpAddr, usize>>>);

/// A connection's place; it is free again when this is dropped.
struct Place {
    peers: Peers,
    ip: IpAddr,
    _permit: OwnedSemaphorePermit,
}

impl Peers {
    /// Takes a place; `None` where the address has as many as it may.
    fn enter(&self, ip: IpAddr, limit: usize, permit: OwnedSemaphorePermit) -> Option<Place> {
        let ip = network(ip);
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = peers.entry(ip).or_default();
        if *count >= limit.max(1) {
            return None;
        }
        *count += 1;
        drop(peers);
        Some(Place { peers: self.clone(), ip, _permit: permit })
    }
}

/// One household or host has a /64 of IPv6, and counts as one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut peers = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = peers.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                peers.remove(&self.ip);
            }
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, router: Router, listeners: Listeners) {
    let Limits { connections, .. } = listeners.limits;
    let (places, peers) = (Arc::new(Semaphore::new(connections)), Peers::default());
    loop {
        let Ok(permit) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            () = listeners.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: wait for connections to end rather than spin.
                tracing::warn!(%error, "failed to accept an HTTP connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = peers.enter(peer.ip(), listeners.share(peer.ip()), permit) else {
            tracing::debug!("an address has too many HTTP connections; one is closed");
            continue;
        };
        let (tls, router, limits, draining) =
            (tls.clone(), router.clone(), listeners.limits, listeners.draining.clone());
        listeners.tasks.spawn(async move {
            connection(Opened { stream, peer, limits }, tls, router, draining).await;
            drop(place);
        });
    }
}

/// A connection that was accepted.
struct Opened {
    stream: TcpStream,
    peer: SocketAddr,
    limits: Limits,
}

async fn connection(opened: Opened, tls: Option<TlsAcceptor>, router: Router, draining: CancellationToken) {
    let Opened { stream, peer, limits } = opened;
    // Answers are written whole; waiting to fill a segment only delays them.
    let _ = stream.set_nodelay(true);
    match tls {
        None => talk(stream, (Connection { peer, is_tls: false }, limits), router, draining).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                talk(stream, (Connection { peer, is_tls: true }, limits), router, draining).await
            }
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            Err(_elapsed) => tracing::debug!("a TLS handshake took too long"),
        },
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    (origin, limits): (Connection, Limits),
    router: Router,
    draining: CancellationToken,
) {
    let (spoken, mut has_spoken) = watch::channel(false);
    let service = router.map_request(move |mut request: hyper::Request<Incoming>| {
        spoken.send_if_modified(|is_so| !std::mem::replace(is_so, true));
        request.extensions_mut().insert(origin);
        request.map(axum::body::Body::new)
    });
    // A connection that has become a WebSocket ends here at once, with its place and its limits of time: from there on it
    // belongs to a call, which has one of them and ends it.
    let builder = builder(limits);
    let connection =
        builder.serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    tokio::pin!(connection);
    // hyper bounds the time of a request's headers, but not of the bytes before it knows which HTTP is spoken.
    let silence = tokio::time::sleep(limits.request_timeout);
    tokio::pin!(silence);
    let (mut is_draining, mut is_silent) = (false, true);
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "an HTTP connection ended early");
                }
                return;
            }
            _ = has_spoken.changed(), if is_silent => is_silent = false,
            () = &mut silence, if is_silent => {
                tracing::debug!("an HTTP connection made no request in time");
                return;
            }
            () = draining.cancelled(), if !is_draining => {
                is_draining = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

fn builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.request_timeout)
        // hyper refuses smaller buffers.
        .max_buf_size(limits.header_bytes.max(8 * 1024));
    let (interval, timeout) = KEEP_ALIVE;
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(interval)
        .keep_alive_timeout(timeout);
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(peers: &Peers, addresses: &[&str], limit: usize) -> Vec<Option<Place>> {
        let permits = Arc::new(Semaphore::new(addresses.len()));
        let enter = |address: &&str| {
            let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
            peers.enter(address.parse().unwrap(), limit, permit)
        };
        addresses.iter().map(enter).collect()
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_its_places() {
        let peers = Peers::default();
        let addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1", "192.0.2.1"];
        let taken = places(&peers, &addresses, 2);
        let is_taken: Vec<_> = taken.iter().map(Option::is_some).collect();
        assert_eq!(is_taken, [true, true, false, true, true]);
        drop(taken);
        assert!(peers.0.lock().unwrap().is_empty());
        let mapped = places(&peers, &["::ffff:192.0.2.1", "192.0.2.1"], 1);
        assert!(mapped[0].is_some() && mapped[1].is_none());
    }

    #[test]
    fn a_trusted_proxy_may_have_every_place() {
        let limits = Limits { connections: 8, header_bytes: 0, request_timeout: Duration::ZERO };
        let range = api::AddressRange { address: [10, 0, 0, 0].into(), prefix_length: 8 };
        let listeners = Listeners::new(limits, Proxies { ranges: vec![range], ..Proxies::default() });
        assert_eq!(listeners.share([10, 0, 0, 1].into()), 8);
        assert_eq!(listeners.share([192, 0, 2, 1].into()), 2);
    }
}
