//! The server's side: sessions of all applications on one thread.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use app_media::{Config, Format, Handle, Session, Socket};
use http::HeaderMap;
use media_plane::{MediaPlane, MemberConfig, MixerId, StreamPort};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use url::Url;
use webrtc::{Gateway, Limits};

use super::peers::Offer;
use super::ports::{PipedPackets, StreamAudio};
use super::retry;

/// Sessions that carry sound.
pub(super) struct Serving<H> {
    sessions: JoinSet<()>,
    /// A session ends with its last handle.
    _handles: Vec<H>,
}

impl<H> Serving<H> {
    /// Until the legs are closed.
    pub(super) async fn end(mut self) {
        while self.sessions.join_next().await.is_some() {}
    }
}

/// Dials an application for each stream.
pub(super) async fn sockets(
    streams: Vec<StreamPort>,
    bots: SocketAddr,
    format: Format,
) -> Result<Serving<Handle>> {
    let (mut sessions, mut handles) = (JoinSet::new(), Vec::new());
    for (number, stream) in streams.into_iter().enumerate() {
        let connection = TcpStream::connect(bots).await.context("failed to reach an application")?;
        connection.set_nodelay(true)?;
        let url = Url::parse(&format!("ws://{bots}/{number}")).context("no URL")?;
        let socket = Socket::dialled(connection, &url, HeaderMap::new()).await?;
        let (session, handle) =
            Session::new(Config::new(format, number.to_string()), StreamAudio::new(stream)?);
        sessions.spawn(async move {
            session.run().await;
        });
        handle.attach(socket, None).await?;
        handles.push(handle);
    }
    Ok(Serving { sessions, _handles: handles })
}

/// Answers an offer for each mixer, and lets the client be heard there.
pub(super) async fn webrtc(
    plane: MediaPlane,
    mixers: Vec<MixerId>,
    mut offers: mpsc::Receiver<Offer>,
) -> Result<Serving<webrtc::Handle>> {
    let ip = IpAddr::from(Ipv4Addr::LOCALHOST);
    let limits = Limits { sessions: mixers.len(), ..Limits::default() };
    let gateway = Gateway::bind((ip, 0).into(), ip, limits).await.context("no port for WebRTC")?;
    let (mut sessions, mut handles) = (JoinSet::new(), Vec::new());
    while handles.len() < mixers.len() {
        let offer = offers.recv().await.context("too few offers")?;
        let mixer = *mixers.get(offer.stream).context("an offer of nobody")?;
        let (answer, session, handle) = gateway.answer(&offer.sdp)?;
        let (leg, pipe) = plane.open_piped_leg(Some(mixer))?;
        retry(|| plane.configure(leg, &answer.terms))?;
        retry(|| plane.join(leg, mixer, MemberConfig::default()))?;
        let packets = PipedPackets::new(pipe)?;
        // The gateway reads for as long as somebody has it.
        let gateway = gateway.clone();
        sessions.spawn(async move {
            session.run(packets).await;
            drop(gateway);
        });
        let _ = offer.answer.send(answer.sdp);
        handles.push(handle);
    }
    Ok(Serving { sessions, _handles: handles })
}
