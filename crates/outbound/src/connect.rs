use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::tls::Tls;
use crate::{Forbidden, Lookup, Origin, OutboundError, Resolve, is_public};

/// What an answer's status line and headers may take.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// A connected byte stream, with or without TLS.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// Makes connections to addresses that were looked at.
pub(crate) struct Connector {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: Tls,
    pub(crate) limit: Duration,
}

/// What a connection is for.
#[derive(Clone, Copy)]
pub(crate) struct Purpose<'a> {
    pub(crate) origin: &'a Origin,
    pub(crate) may_be_private: bool,
    /// On whose behalf.
    pub(crate) requester: &'a str,
    /// When the request is given up.
    pub(crate) deadline: Instant,
}

/// A connection that nothing was said on yet.
enum Opened {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connector {
    /// Makes a connection for requests.
    pub(crate) async fn connect(
        &self,
        purpose: Purpose<'_>,
    ) -> Result<SendRequest<Full<Bytes>>, OutboundError> {
        match self.open(purpose).await? {
            Opened::Plain(stream) => start(TokioIo::new(stream)).await,
            Opened::Tls(stream) => start(TokioIo::new(*stream)).await,
        }
    }

    /// Makes a connection for whatever the caller says on it.
    pub(crate) async fn connect_bare(
        &self,
        purpose: Purpose<'_>,
    ) -> Result<Box<dyn ByteStream>, OutboundError> {
        Ok(match self.open(purpose).await? {
            Opened::Plain(stream) => Box::new(stream),
            Opened::Tls(stream) => stream,
        })
    }

    async fn open(&self, purpose: Purpose<'_>) -> Result<Opened, OutboundError> {
        let lookup = self.begin_lookup(purpose).await?;
        timeout(self.limit, self.open_unlimited(purpose, lookup)).await.unwrap_or(Err(OutboundError::Timeout))
    }

    async fn open_unlimited(&self, purpose: Purpose<'_>, lookup: Lookup) -> Result<Opened, OutboundError> {
        let origin = purpose.origin;
        let addresses = addresses(purpose, lookup).await?;
        let stream = self.connect_first(&addresses).await.map_err(OutboundError::Connect)?;
        // Requests are small and complete, and so are pieces of sound; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        if !origin.is_https {
            return Ok(Opened::Plain(stream));
        }
        let config =
            self.tls.config().await.map_err(|error| OutboundError::Connect(io::Error::other(error)))?;
        let name = ServerName::try_from(bare(origin).to_owned()).map_err(|_| Forbidden::Malformed)?;
        let stream =
            TlsConnector::from(config).connect(name, stream).await.map_err(OutboundError::Connect)?;
        Ok(Opened::Tls(Box::new(stream)))
    }

    /// Begins to look the name up, for which there may be no room as long as the request lasts.
    async fn begin_lookup(&self, purpose: Purpose<'_>) -> Result<Lookup, OutboundError> {
        let bare = bare(purpose.origin);
        if let Ok(literal) = bare.parse::<IpAddr>() {
            return Ok(Lookup::new(async move { Ok(vec![literal]) }));
        }
        let begun = self.resolver.resolve(purpose.requester, bare);
        timeout_at(purpose.deadline, begun).await.map_err(|_| OutboundError::Busy)
    }

    async fn connect_first(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let share = self.limit / u32::try_from(addresses.len().max(1)).unwrap_or(1);
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::from(io::ErrorKind::TimedOut),
            }
        }
        Err(last)
    }
}

/// The addresses to connect to. They are looked up once, and only what is returned here is connected to.
async fn addresses(purpose: Purpose<'_>, lookup: Lookup) -> Result<Vec<SocketAddr>, OutboundError> {
    let found = lookup.addresses().await.map_err(OutboundError::Resolve)?;
    if found.is_empty() {
        return Err(OutboundError::Resolve(io::Error::from(io::ErrorKind::NotFound)));
    }
    let usable = found.into_iter().filter(|address| purpose.may_be_private || is_public(*address));
    let usable: Vec<_> =
        usable.take(MAX_ADDRESSES).map(|address| SocketAddr::new(address, purpose.origin.port)).collect();
    if usable.is_empty() { Err(Forbidden::Address.into()) } else { Ok(usable) }
}

/// The host without the brackets of an IPv6 address.
fn bare(origin: &Origin) -> &str {
    origin.host.trim_start_matches('[').trim_end_matches(']')
}

async fn start<T>(stream: T) -> Result<SendRequest<Full<Bytes>>, OutboundError>
where
    T: Read + Write + Unpin + Send + 'static,
{
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(stream)
        .await
        .map_err(|error| OutboundError::Broken(error.into()))?;
    // It ends with its sender, which the pool holds, or with the peer.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::trace!(%error, "a connection ended");
        }
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use super::*;
    use crate::BoxFuture;

    /// Gives another answer each time it is asked.
    struct Fickle(Mutex<VecDeque<Vec<&'static str>>>);

    impl Resolve for Fickle {
        fn resolve<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Lookup> {
            let answer = self.0.lock().unwrap().pop_front().unwrap_or_default();
            let found = answer.iter().map(|text| text.parse().unwrap()).collect();
            Box::pin(async move { Lookup::new(async move { Ok(found) }) })
        }
    }

    fn connector(answers: &[&[&'static str]]) -> Connector {
        let answers = answers.iter().map(|answer| answer.to_vec()).collect();
        let resolver = Arc::new(Fickle(Mutex::new(answers)));
        Connector { resolver, tls: Tls::new(None).unwrap(), limit: Duration::from_secs(1) }
    }

    fn origin(host: &str) -> Origin {
        Origin { is_https: true, host: host.to_owned(), port: 443 }
    }

    fn purpose(origin: &Origin, may_be_private: bool) -> Purpose<'_> {
        let deadline = Instant::now() + Duration::from_secs(1);
        Purpose { origin, may_be_private, requester: "app", deadline }
    }

    async fn found(
        connector: &Connector,
        host: &str,
        may_be_private: bool,
    ) -> Result<Vec<SocketAddr>, OutboundError> {
        let origin = origin(host);
        let purpose = purpose(&origin, may_be_private);
        addresses(purpose, connector.begin_lookup(purpose).await?).await
    }

    #[tokio::test]
    async fn a_name_that_turns_private_is_resolved_once_for_each_connection_and_then_refused() {
        let connector = connector(&[&["8.8.8.8"], &["127.0.0.1"]]);
        let first = found(&connector, "rebind.example", false).await.unwrap();
        assert_eq!(first, ["8.8.8.8:443".parse().unwrap()]);
        let second = connector.connect(purpose(&origin("rebind.example"), false)).await;
        assert!(matches!(second, Err(OutboundError::Forbidden(Forbidden::Address))));
    }

    #[tokio::test]
    async fn only_the_public_addresses_of_a_name_are_connected_to() {
        let connector = connector(&[&["10.0.0.1", "::1", "8.8.8.8", "::ffff:127.0.0.1"]]);
        let usable = found(&connector, "mixed.example", false).await.unwrap();
        assert_eq!(usable, ["8.8.8.8:443".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_not_resolved_and_an_address_is_not_looked_up() {
        let connector = connector(&[&[], &["8.8.8.8"]]);
        let nothing = found(&connector, "nothing.example", true).await;
        assert!(matches!(nothing, Err(OutboundError::Resolve(_))));
        let literal = found(&connector, "[::1]", false).await;
        assert!(matches!(literal, Err(OutboundError::Forbidden(Forbidden::Address))));
        assert_eq!(found(&connector, "[::1]", true).await.unwrap(), ["[::1]:443".parse().unwrap()]);
    }

    /// Never lets a lookup begin.
    struct Full;

    impl Resolve for Full {
        fn resolve<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Lookup> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_as_long_as_it_lasts_for_room_to_look_its_name_up() {
        let connector = Connector { resolver: Arc::new(Full), ..connector(&[]) };
        let begun = Instant::now();
        let origin = origin("bot.example");
        let purpose = Purpose { deadline: begun + Duration::from_secs(9), ..purpose(&origin, false) };
        assert!(matches!(connector.connect(purpose).await, Err(OutboundError::Busy)));
        assert_eq!(begun.elapsed().as_secs(), 9);
    }
}
