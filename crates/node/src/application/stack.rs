//! Offers of an application's own media stack (RFC 3264): WebRTC, or RTP to an address of its own.

use call_engine::EndCause;
use rtc_proto::sdp::{Negotiated, NegotiationError, Negotiator};

use super::packets::PipedPackets;
use super::{Absence, Application, Parts, Stack, unavailable};
use crate::calls::CallsError;
use crate::context::Context;
use crate::inputs::WeakInputs;
use crate::leg::negotiator;
use crate::media::MediaPort;
use crate::task::CallInput;

/// A media stack whose offer was answered.
pub(super) struct Answered {
    pub(super) media: MediaPort,
    pub(super) stack: Stack,
    pub(super) sdp: String,
    /// What carries its packets, until it is begun.
    pub(super) carrier: Option<Carrier>,
}

/// Answers the first offer of a media stack.
pub(super) fn answer(parts: &Parts, offer: &str) -> Result<Answered, CallsError> {
    let answered = if is_webrtc(offer) { answer_webrtc(parts, offer) } else { answer_rtp(parts, offer) }?;
    parts.context.applications.counts.offer_answered();
    Ok(answered)
}

/// Answers a later offer of the same media stack; `None` where it is another one.
pub(super) async fn follow(application: &mut Application, offer: &str) -> Result<Option<String>, CallsError> {
    match &mut application.stack {
        Stack::Rtp(negotiator) if !is_webrtc(offer) => {
            // What is refused leaves both sides where they were.
            let mut next = negotiator.clone();
            let (negotiated, sdp) = next.answer(offer).map_err(|error| unusable(&error))?;
            permit(&application.context, &negotiated)?;
            application.media.configure(&negotiated).map_err(unavailable)?;
            *negotiator = next;
            application.patience = None;
            Ok(Some(sdp))
        }
        Stack::WebRtc(handle) if is_webrtc(offer) => match handle.reoffer(offer).await {
            Ok(webrtc::Answer { sdp, terms }) => {
                application.media.configure(&terms).map_err(unavailable)?;
                Ok(Some(sdp))
            }
            Err(webrtc::ReofferError::Gone | webrtc::ReofferError::NewPeerConnection) => Ok(None),
            Err(webrtc::ReofferError::Offer(error)) => Err(refused(&error)),
            Err(error) => Err(CallsError::UnusableOffer(error.to_string())),
        },
        Stack::Rtp(_) | Stack::Socket(_) | Stack::Waiting(_) | Stack::WebRtc(_) => Ok(None),
    }
}

/// ICE and the fingerprint of a DTLS certificate are what WebRTC cannot do without (RFC 8829, 5.8).
fn is_webrtc(offer: &str) -> bool {
    let has = |name: &str| offer.lines().any(|line| line.strip_prefix(name).is_some());
    has("a=fingerprint:") && has("a=ice-ufrag:")
}

fn answer_rtp(parts: &Parts, offer: &str) -> Result<Answered, CallsError> {
    let opened = parts.context.media.open_for_application_at_address(parts.mixer, parts.calls.clone());
    let media = opened.map_err(unavailable)?;
    let made = negotiator(&media, parts.context.config.srtp);
    let mut negotiator: Negotiator = made.map_err(|_cause: EndCause| CallsError::MediaUnavailable)?;
    let (negotiated, sdp) = negotiator.answer(offer).map_err(|error| unusable(&error))?;
    permit(&parts.context, &negotiated)?;
    media.configure(&negotiated).map_err(unavailable)?;
    Ok(Answered { media, stack: Stack::Rtp(Box::new(negotiator)), sdp, carrier: None })
}

fn answer_webrtc(parts: &Parts, offer: &str) -> Result<Answered, CallsError> {
    let gateway = parts.context.applications.webrtc.as_ref();
    let off = "the offer is of WebRTC, which this server does not serve (webrtc.udp)";
    let gateway = gateway.ok_or_else(|| CallsError::UnusableOffer(off.to_owned()))?;
    let answered = gateway.answer(offer).map_err(|error| refused(&error))?;
    let (webrtc::Answer { sdp, terms }, session, handle) = answered;
    let opened = parts.context.media.open_piped_for_application(parts.mixer, parts.calls.clone());
    let (media, pipe) = opened.map_err(unavailable)?;
    media.configure(&terms).map_err(unavailable)?;
    let packets = PipedPackets::new(pipe).map_err(|error| {
        tracing::error!(%error, "failed to watch the packets of a leg");
        CallsError::MediaUnavailable
    })?;
    let carrier = Carrier {
        session,
        packets,
        calls: parts.calls.downgrade(),
        tasks: parts.context.applications.tasks.clone(),
    };
    Ok(Answered { media, stack: Stack::WebRtc(handle), sdp, carrier: Some(carrier) })
}

/// Packets go only where the server's policy lets them: an offer may name any address.
fn permit(context: &Context, negotiated: &Negotiated) -> Result<(), CallsError> {
    for address in [negotiated.remote_rtp, negotiated.remote_rtcp] {
        let ip = address.ip();
        // On hold the old way there is no address.
        if !ip.is_unspecified() && !context.applications.sockets.may_send_to(ip) {
            let why = format!("media may not be sent to {ip} (outbound.allowed_hosts)");
            return Err(CallsError::UnusableOffer(why));
        }
    }
    Ok(())
}

fn refused(error: &webrtc::OfferError) -> CallsError {
    if matches!(error, webrtc::OfferError::Full) {
        CallsError::MediaUnavailable
    } else {
        CallsError::UnusableOffer(error.to_string())
    }
}

fn unusable(error: &NegotiationError) -> CallsError {
    CallsError::UnusableOffer(error.to_string())
}

/// What carries packets between WebRTC and a leg.
pub(super) struct Carrier {
    session: webrtc::Session,
    packets: PipedPackets,
    calls: WeakInputs<CallInput>,
    tasks: tokio_util::task::TaskTracker,
}

impl Carrier {
    /// Carries packets until the session is over; tells the call where that was not its own doing.
    pub(super) fn begin(self, number: u64) {
        let Self { session, packets, calls, tasks } = self;
        tasks.spawn(async move {
            let ended = session.run(packets).await;
            tracing::debug!(?ended, "a session of WebRTC has ended");
            if let Some(calls) = calls.upgrade() {
                let never_came = webrtc::Cause::Failed(webrtc::Failure::NeverConnected);
                let is_final = ended.cause == never_came;
                // A call that is over needs nobody.
                let _ = calls.end(CallInput::ApplicationAbsent(Absence { number, is_final }));
            }
        });
    }
}
