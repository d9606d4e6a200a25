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
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::tls::Tls;
use crate::{Forbidden, Origin, OutboundError, Resolve, is_public};

/// What an answer's status line and headers may take.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// Makes connections to addresses that were looked at.
pub(crate) struct Connector {
    pub(crate) resolver: Arc<dyn Resolve>,
    pub(crate) tls: Tls,
    pub(crate) limit: Duration,
}

impl Connector {
    pub(crate) async fn connect(
        &self,
        origin: &Origin,
        may_be_private: bool,
    ) -> Result<SendRequest<Full<Bytes>>, OutboundError> {
        timeout(self.limit, self.connect_unlimited(origin, may_be_private))
            .await
            .unwrap_or(Err(OutboundError::Timeout))
    }

    async fn connect_unlimited(
        &self,
        origin: &Origin,
        may_be_private: bool,
    ) -> Result<SendRequest<Full<Bytes>>, OutboundError> {
        let addresses = self.addresses(origin, may_be_private).await?;
        let stream = self.open(&addresses).await.map_err(OutboundError::Connect)?;
        // Requests are small and complete; waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        if !origin.is_https {
            return start(TokioIo::new(stream)).await;
        }
        let config =
            self.tls.config().await.map_err(|error| OutboundError::Connect(io::Error::other(error)))?;
        let bare = origin.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| Forbidden::Malformed)?;
        let stream =
            TlsConnector::from(config).connect(name, stream).await.map_err(OutboundError::Connect)?;
        start(TokioIo::new(stream)).await
    }

    /// The addresses to connect to. They are looked up once, and only what is returned here is connected to.
    async fn addresses(
        &self,
        origin: &Origin,
        may_be_private: bool,
    ) -> Result<Vec<SocketAddr>, OutboundError> {
        let bare = origin.host.trim_start_matches('[').trim_end_matches(']');
        let found = match bare.parse::<IpAddr>() {
            Ok(literal) => vec![literal],
            Err(_) => self.resolver.resolve(bare).await.map_err(OutboundError::Resolve)?,
        };
        if found.is_empty() {
            return Err(OutboundError::Resolve(io::Error::from(io::ErrorKind::NotFound)));
        }
        let usable = found.into_iter().filter(|address| may_be_private || is_public(*address));
        let usable: Vec<_> =
            usable.take(MAX_ADDRESSES).map(|address| SocketAddr::new(address, origin.port)).collect();
        if usable.is_empty() { Err(Forbidden::Address.into()) } else { Ok(usable) }
    }

    async fn open(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
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
        fn resolve<'a>(&'a self, _: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
            let answer = self.0.lock().unwrap().pop_front().unwrap_or_default();
            Box::pin(async move { Ok(answer.iter().map(|text| text.parse().unwrap()).collect()) })
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

    #[tokio::test]
    async fn a_name_that_turns_private_is_resolved_once_for_each_connection_and_then_refused() {
        let connector = connector(&[&["8.8.8.8"], &["127.0.0.1"]]);
        let first = connector.addresses(&origin("rebind.example"), false).await.unwrap();
        assert_eq!(first, ["8.8.8.8:443".parse().unwrap()]);
        let second = connector.connect(&origin("rebind.example"), false).await;
        assert!(matches!(second, Err(OutboundError::Forbidden(Forbidden::Address))));
    }

    #[tokio::test]
    async fn only_the_public_addresses_of_a_name_are_connected_to() {
        let connector = connector(&[&["10.0.0.1", "::1", "8.8.8.8", "::ffff:127.0.0.1"]]);
        let found = connector.addresses(&origin("mixed.example"), false).await.unwrap();
        assert_eq!(found, ["8.8.8.8:443".parse().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_not_resolved_and_an_address_is_not_looked_up() {
        let connector = connector(&[&[], &["8.8.8.8"]]);
        let nothing = connector.addresses(&origin("nothing.example"), true).await;
        assert!(matches!(nothing, Err(OutboundError::Resolve(_))));
        let literal = connector.addresses(&origin("[::1]"), false).await;
        assert!(matches!(literal, Err(OutboundError::Forbidden(Forbidden::Address))));
        assert_eq!(
            connector.addresses(&origin("[::1]"), true).await.unwrap(),
            ["[::1]:443".parse().unwrap()]
        );
    }
}
