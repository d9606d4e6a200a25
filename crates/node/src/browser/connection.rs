//! What carries the sound of a call between a page and the call's leg.

use bytes::Bytes;
use rtc_proto::Codec;
use rtc_proto::sdp::{Direction, LocalMedia, Negotiated, Negotiator, SrtpPolicy};
use tokio::task::JoinHandle;
use webrtc::{Ended, Gateway, Handle, OfferError, Relay, ReofferError, Session};

use crate::context::Context;
use crate::ids::RandomIds;
use crate::media;

/// The leg's side: a socket beside it and what is negotiated with it.
pub(super) struct Near {
    relay: Relay,
    negotiator: Negotiator,
    codec: Codec,
}

/// Both sides, once they have met.
pub(super) struct Connection {
    near: Near,
    gateway: Gateway,
    context: Context,
    handle: Handle,
    running: Option<JoinHandle<Ended>>,
}

/// Why a page is not connected.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// Its offer cannot be used; the text says why.
    Offer(String),
    /// The leg's description does not go with it, or there is no room.
    Here,
}

impl From<OfferError> for Unconnected {
    fn from(error: OfferError) -> Self {
        Self::Offer(error.to_string())
    }
}

/// What a page's offer asks for, without taking it up.
///
/// # Errors
///
/// [`Unconnected::Offer`].
pub(super) fn look_at(context: &Context, offer: &str) -> Result<Codec, Unconnected> {
    Ok(gateway(context)?.codec_of(offer)?)
}

fn other_codec() -> Unconnected {
    Unconnected::Offer("the offer has another codec first than the call began with".to_owned())
}

fn gateway(context: &Context) -> Result<&Gateway, Unconnected> {
    let off = || Unconnected::Offer("this server does not serve WebRTC (webrtc.udp)".to_owned());
    context.applications.webrtc.as_ref().ok_or_else(off)
}

impl Near {
    pub(super) async fn open(context: &Context, codec: Codec) -> Result<Self, Unconnected> {
        let relay = Relay::open(context.browsers.own_ip()).await.map_err(|error| {
            tracing::error!(%error, "failed to open a port for a page's sound");
            Unconnected::Here
        })?;
        let keys = media::local_keys().ok_or(Unconnected::Here)?;
        let local = LocalMedia {
            rtp: relay.address(),
            // Reports come to the same port, and go no further.
            rtcp: relay.address(),
            codecs: vec![codec],
            has_telephone_event: true,
            // It does not leave this machine.
            srtp: SrtpPolicy::Off,
            direction: Direction::SendRecv,
            session_id: session_id(),
        };
        Ok(Self { relay, negotiator: Negotiator::new(local, keys), codec })
    }

    /// Whether a page's offer goes with what is offered to the leg.
    pub(super) fn suits(&self, context: &Context, offer: &str) -> Result<(), Unconnected> {
        if look_at(context, offer)? == self.codec { Ok(()) } else { Err(other_codec()) }
    }

    /// What is offered to the leg.
    pub(super) fn offer(&mut self) -> Bytes {
        Bytes::from(self.negotiator.offer())
    }

    /// Takes the leg's answer to that.
    pub(super) fn complete(&self, context: &Context, answer: &[u8]) -> Result<(), Unconnected> {
        let answer = std::str::from_utf8(answer).map_err(|_| Unconnected::Here)?;
        let terms = self.negotiator.complete(answer).map_err(|_| Unconnected::Here)?;
        self.meet(context, &terms);
        Ok(())
    }

    fn answer(&mut self, context: &Context, offer: &[u8]) -> Result<Bytes, Unconnected> {
        let offer = std::str::from_utf8(offer).map_err(|_| Unconnected::Here)?;
        let (terms, answer) = self.negotiator.answer(offer).map_err(|_| Unconnected::Here)?;
        self.meet(context, &terms);
        Ok(Bytes::from(answer))
    }

    /// The leg is where its socket is bound, whatever address others are told.
    fn meet(&self, context: &Context, terms: &Negotiated) {
        let mut leg = terms.remote_rtp;
        leg.set_ip(context.browsers.own_ip());
        self.relay.meet(leg, terms);
    }
}

impl Connection {
    /// Takes a call that rings: the answer for the leg, and the one for the page.
    pub(super) async fn accept(
        context: &Context,
        leg: &[u8],
        page: &str,
    ) -> Result<(Self, Bytes, String), Unconnected> {
        let (answer, session, handle) = gateway(context)?.answer(page)?;
        let mut near = Near::open(context, answer.terms.codec).await?;
        let for_leg = near.answer(context, leg)?;
        let connection = Self::begin(context, near, (session, handle), &answer.terms)?;
        Ok((connection, for_leg, answer.sdp))
    }

    /// The leg has answered: the answer for the page.
    pub(super) fn answered(context: &Context, near: Near, page: &str) -> Result<(Self, String), Unconnected> {
        let (answer, session, handle) = gateway(context)?.answer(page)?;
        let connection = Self::begin(context, near, (session, handle), &answer.terms)?;
        Ok((connection, answer.sdp))
    }

    fn begin(
        context: &Context,
        near: Near,
        (session, handle): (Session, Handle),
        terms: &Negotiated,
    ) -> Result<Self, Unconnected> {
        let (context, gateway) = (context.clone(), gateway(context)?.clone());
        let running = Some(run(&context, &near, session, terms));
        Ok(Self { near, gateway, context, handle, running })
    }

    /// A later offer of the page: of the same peer connection, or of another that takes its place.
    pub(super) async fn offered(&mut self, offer: &str) -> Result<String, Unconnected> {
        match self.handle.reoffer(offer).await {
            Ok(answer) => return Ok(answer.sdp),
            Err(ReofferError::Gone | ReofferError::NewPeerConnection) => {}
            Err(error) => return Err(Unconnected::Offer(error.to_string())),
        }
        let (answer, session, handle) = self.gateway.answer(offer)?;
        if answer.terms.codec != self.near.codec {
            return Err(other_codec());
        }
        self.close().await;
        self.handle = handle;
        self.running = Some(run(&self.context, &self.near, session, &answer.terms));
        Ok(answer.sdp)
    }

    /// Waits until the page's session is over by itself; for ever where it has been waited for.
    pub(super) async fn lost(&mut self) {
        match &mut self.running {
            Some(running) => {
                // A session that has panicked is over, too.
                let _ = running.await;
                self.running = None;
            }
            None => std::future::pending().await,
        }
    }

    /// Whether sound can come from the page.
    pub(super) const fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// Lets the leg know that the call goes on while no sound comes.
    pub(super) fn keep_alive(&self) {
        self.near.relay.keep_alive();
    }

    /// The offer that holds the leg's side, or does not any more.
    pub(super) fn hold(&mut self, is_held: bool) -> Bytes {
        let direction = if is_held { Direction::Inactive } else { Direction::SendRecv };
        self.near.negotiator.set_direction(direction);
        self.near.offer()
    }

    /// The leg's answer to that.
    pub(super) fn completed(&self, answer: &[u8]) {
        if self.near.complete(&self.context, answer).is_err() {
            tracing::warn!("the leg of a page's call answered what cannot be used");
        }
    }

    /// Ends the session, so that the page hears of it.
    pub(super) async fn close(&mut self) {
        self.handle.close().await;
        if let Some(running) = self.running.take() {
            let _ = running.await;
        }
    }
}

fn run(context: &Context, near: &Near, session: Session, terms: &Negotiated) -> JoinHandle<Ended> {
    let port = near.relay.port(terms);
    context.applications.tasks.spawn(session.run(port))
}

/// A number for `o=`, unique as far as it must be (RFC 8866, 5.2), and no larger than anybody reads.
fn session_id() -> u64 {
    use model::IdSource;
    RandomIds.next_guid().as_u64_pair().0 >> 2
}
