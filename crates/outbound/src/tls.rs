use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;

use crate::SetupError;

/// Makes the TLS settings when the first `https` request needs them: reading the system's certificates takes longer
/// than the rest of a start.
#[derive(Debug)]
pub(crate) struct Tls {
    extra: Vec<CertificateDer<'static>>,
    config: OnceCell<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(extra_ca_pem: Option<&[u8]>) -> Result<Self, SetupError> {
        let extra = match extra_ca_pem {
            Some(pem) => CertificateDer::pem_slice_iter(pem)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| SetupError::Certificates)?,
            None => Vec::new(),
        };
        if extra_ca_pem.is_some() && extra.is_empty() {
            return Err(SetupError::Certificates);
        }
        let tls = Self { extra, config: OnceCell::new() };
        // Whatever is wrong with the extra certificates is said at the start.
        tls.make(&[])?;
        Ok(tls)
    }

    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, SetupError> {
        let make = || async {
            let system = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
            let certificates = system.map(|found| found.certs).unwrap_or_default();
            if certificates.is_empty() {
                tracing::warn!("found no certificates of the system; only the extra CA is trusted");
            }
            self.make(&certificates).map(Arc::new)
        };
        self.config.get_or_try_init(make).await.cloned()
    }

    fn make(&self, system: &[CertificateDer<'static>]) -> Result<ClientConfig, SetupError> {
        let mut roots = RootCertStore::empty();
        // A system may hold certificates that this library does not take; the others still count.
        let _ = roots.add_parsable_certificates(system.iter().cloned());
        for certificate in &self.extra {
            roots.add(certificate.clone()).map_err(SetupError::Tls)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(SetupError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
