use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SignatureScheme};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

/// The name that the certificate of a peer has to hold: of a host, or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerName(Arc<str>);

impl PeerName {
    /// A name, whose case does not matter.
    ///
    /// # Errors
    ///
    /// [`TlsError::Name`] for what names no host.
    pub fn new(name: &str) -> Result<Self, TlsError> {
        ServerName::try_from(name).map_err(|_| TlsError::Name)?;
        Ok(Self(name.to_ascii_lowercase().into()))
    }

    /// The name in lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificates of authorities cannot be read, or there are none.
    #[error("failed to read the certificates of authorities")]
    Authorities,
    /// The certificate cannot be read, or there is none.
    #[error("failed to read the certificate")]
    Certificate,
    /// The private key cannot be read, or there is none.
    #[error("failed to read the private key")]
    Key,
    /// The text names no host.
    #[error("failed to read the name of a peer")]
    Name,
    /// The parts do not fit together, such as a key of another certificate.
    #[error("failed to set up TLS")]
    Refused(#[source] rustls::Error),
}

/// A certificate chain and its private key, as PEM.
#[derive(Clone)]
pub struct Identity {
    /// The chain, the own certificate first.
    pub certificate: Vec<u8>,
    /// The private key.
    pub key: Vec<u8>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// How connections are secured, both ways. Cheap to clone; all clones share one identity.
///
/// Peers that are connected to have to show a certificate for the name that they are known by, from an authority of the
/// system or one of those that are given. Peers that connect show none.
#[derive(Clone)]
pub struct Tls {
    shown: Arc<Shown>,
    acceptor: TlsAcceptor,
    /// Made when the first connection needs it: reading the system's certificates takes a while.
    connector: Arc<OnceCell<TlsConnector>>,
    authorities: Arc<Vec<CertificateDer<'static>>>,
    trusts_system: bool,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("trusts_system", &self.trusts_system).finish_non_exhaustive()
    }
}

impl Tls {
    /// Shows `identity` to whoever connects or asks for it. Trusts the authorities of the PEM text, or without one
    /// those of the system.
    ///
    /// # Errors
    ///
    /// See [`TlsError`].
    pub fn new(identity: Option<&Identity>, authorities: Option<&[u8]>) -> Result<Self, TlsError> {
        let provider = provider();
        let shown = Arc::new(Shown::default());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Refused)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::<Shown>::clone(&shown));
        let read = |pem| CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let given = authorities.map(read).transpose().map_err(|_| TlsError::Authorities)?;
        if given.as_ref().is_some_and(Vec::is_empty) {
            return Err(TlsError::Authorities);
        }
        let tls = Self {
            shown,
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: Arc::new(OnceCell::new()),
            trusts_system: given.is_none(),
            authorities: Arc::new(given.unwrap_or_default()),
        };
        // Whatever is wrong is said at the start.
        tls.make_connector(&[])?;
        tls.show(identity)?;
        Ok(tls)
    }

    /// Shows another identity from the next handshake on; connections that exist stay. Without one, nobody can connect.
    ///
    /// # Errors
    ///
    /// See [`TlsError`]; the identity stays as it was then.
    pub fn show(&self, identity: Option<&Identity>) -> Result<(), TlsError> {
        let key = identity.map(certified).transpose()?.map(Arc::new);
        *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// Whether there is an identity, without which nobody can connect.
    pub(crate) fn has_identity(&self) -> bool {
        self.shown.key().is_some()
    }

    /// The handshake of a peer that has connected.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
        limit: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        timeout(limit, self.acceptor.accept(stream)).await?.map(TlsStream::Server)
    }

    /// The handshake with a peer that was connected to. Without a name, its certificate has to hold the address.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
        (remote, name): (SocketAddr, Option<&PeerName>),
        limit: Duration,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = match name {
            Some(name) => ServerName::try_from(name.as_str().to_owned()).map_err(io::Error::other)?,
            None => ServerName::from(remote.ip().to_canonical()),
        };
        let connector = self.connector().await.map_err(io::Error::other)?;
        timeout(limit, connector.connect(name, stream)).await?.map(TlsStream::Client)
    }

    async fn connector(&self) -> Result<&TlsConnector, TlsError> {
        let make = || async {
            if !self.trusts_system {
                return self.make_connector(&[]);
            }
            let system = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            let certificates = system.map(|found| found.certs).unwrap_or_default();
            if certificates.is_empty() {
                tracing::warn!("found no certificates of the system; no peer is trusted over TLS");
            }
            self.make_connector(&certificates)
        };
        self.connector.get_or_try_init(make).await
    }

    fn make_connector(&self, system: &[CertificateDer<'static>]) -> Result<TlsConnector, TlsError> {
        let mut roots = RootCertStore::empty();
        // A system may hold certificates that this library does not take; the others still count.
        let _ = roots.add_parsable_certificates(system.iter().cloned());
        for authority in self.authorities.iter() {
            roots.add(authority.clone()).map_err(TlsError::Refused)?;
        }
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Refused)?
            .with_root_certificates(roots)
            .with_client_cert_resolver(Arc::<Shown>::clone(&self.shown));
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn certified(identity: &Identity) -> Result<CertifiedKey, TlsError> {
    let chain = CertificateDer::pem_slice_iter(&identity.certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| TlsError::Certificate)?;
    if chain.is_empty() {
        return Err(TlsError::Certificate);
    }
    let key = PrivateKeyDer::from_pem_slice(&identity.key).map_err(|_| TlsError::Key)?;
    CertifiedKey::from_der(chain, key, &provider()).map_err(TlsError::Refused)
}

/// The identity that is shown, which may change while handshakes are under way.
#[derive(Debug, Default)]
struct Shown(RwLock<Option<Arc<CertifiedKey>>>);

impl Shown {
    fn key(&self) -> Option<Arc<CertifiedKey>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.key()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key()
    }

    fn has_certs(&self) -> bool {
        self.key().is_some()
    }
}
