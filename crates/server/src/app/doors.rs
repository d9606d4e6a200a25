//! The addresses of HTTP and WebRTC: bound before anything else starts; those of HTTP are served last.

use std::net::SocketAddr;

use anyhow::{Result, anyhow, bail};
use settings::{Profile, Settings};
use tokio_rustls::TlsAcceptor;
use webrtc::Gateway;

use crate::http::{self, Bound, Listeners};
use crate::tls;

/// Bound addresses. Until they are served, clients wait in the kernel's queue.
pub(super) struct Doors {
    http: Option<Bound>,
    https: Option<(Bound, TlsAcceptor)>,
    webrtc: Option<Gateway>,
}

impl Doors {
    pub(super) async fn open(settings: &Settings, profile: Profile) -> Result<Self> {
        let http = match settings.http.listen {
            Some(address) => Some(bind("http.listen", address).await?),
            None => None,
        };
        let https = match settings.https.listen {
            Some(address) => {
                let acceptor = tls::acceptor(&certificate(settings, profile)?)?;
                Some((bind("https.listen", address).await?, acceptor))
            }
            None => None,
        };
        let webrtc = match settings.webrtc.udp {
            Some(address) => Some(gateway(settings, address).await?),
            None => None,
        };
        Ok(Self { http, https, webrtc })
    }

    /// Where WebRTC goes in and out, where it is on.
    pub(super) const fn webrtc(&self) -> Option<&Gateway> {
        self.webrtc.as_ref()
    }

    /// The addresses as bound: HTTP, HTTPS.
    pub(super) fn addresses(&self) -> (Option<SocketAddr>, Option<SocketAddr>) {
        let https = self.https.as_ref().map(|(bound, _)| bound.address);
        (self.http.as_ref().map(|bound| bound.address), https)
    }

    pub(super) fn serve(self, listeners: Listeners, router: axum::Router) -> Listeners {
        if let Some(bound) = self.http {
            listeners.serve(bound, None, router.clone());
        }
        if let Some((bound, acceptor)) = self.https {
            listeners.serve(bound, Some(acceptor), router);
        }
        listeners
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<Bound> {
    http::bind(address).await.map_err(|error| {
        let option = key.replace('.', "-");
        anyhow!("failed to listen on {address} ({key}): {error}; choose another with --{option}")
    })
}

async fn gateway(settings: &Settings, address: SocketAddr) -> Result<Gateway> {
    let external = settings.webrtc.external_address.or(settings.media.external_address);
    let patience =
        webrtc::Patience { connect: settings.app_media.attach_timeout, ..webrtc::Patience::default() };
    let limits = webrtc::Limits {
        sessions: settings.webrtc.max_sessions as usize,
        patience,
        connections: settings.webrtc.max_tcp_connections as usize,
    };
    let bound = Gateway::bind(address, external.unwrap_or_else(|| address.ip()), limits).await;
    bound.map_err(|error| {
        anyhow!("failed to listen on {address} (webrtc.udp): {error}; choose another with --webrtc-udp")
    })
}

fn certificate(settings: &Settings, profile: Profile) -> Result<tls::Files> {
    match (&settings.https.certificate, &settings.https.key, profile) {
        (Some(certificate), Some(key), _) => {
            Ok(tls::Files { certificate: certificate.clone(), key: key.clone() })
        }
        (_, _, Profile::Dev) => tls::local(&settings.server.data_dir),
        (_, _, Profile::Serve) => {
            bail!("https needs a certificate: set https.certificate and https.key to PEM files")
        }
    }
}
