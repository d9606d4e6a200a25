//! What is chosen of an offer.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rtc_proto::Codec;
use rtc_proto::sdp::{Direction, Negotiated, OpusFormat, TelephoneEvent};

use crate::offer::{Formats, Offer};

/// Stands in [`Negotiated`] for where the far end is: datagrams go through the session, which finds its own way. The
/// address is of the block for documentation (RFC 5737), so that nothing arrives anywhere should somebody send to it.
pub const PLACEHOLDER_REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9_999);

/// The codec is the first of these that is offered, whatever the offer's own order: the best sound first.
const PREFERENCE: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];

/// An answer to an offer, and what both ends have agreed on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The session description for the far end.
    pub sdp: String,
    /// What holds for the audio from now on. There are no keys in it and no address ([`PLACEHOLDER_REMOTE`]): protection
    /// and transport are the session's.
    pub terms: Negotiated,
}

/// What holds for the offer's audio with these of its formats; nothing where there is no codec among them.
pub(crate) fn choose(offer: &Offer, formats: &Formats) -> Option<Negotiated> {
    let format = PREFERENCE
        .into_iter()
        .find_map(|codec| formats.codecs.iter().find(|format| format.codec == codec))?;
    Some(Negotiated {
        remote_rtp: PLACEHOLDER_REMOTE,
        remote_rtcp: PLACEHOLDER_REMOTE,
        has_rtcp_mux: true,
        codec: format.codec,
        payload_type: format.payload_type,
        receive_payload_type: format.payload_type,
        telephone_event: event(formats, format.codec),
        direction: offer.direction,
        srtp: None,
        ptime_ms: offer.ptime_ms,
        opus: if format.codec == Codec::Opus { format.opus } else { OpusFormat::default() },
        audio_level: None,
    })
}

/// Tones share the codec's clock (RFC 4733, 2.1); who offers others only gets those.
fn event(formats: &Formats, codec: Codec) -> Option<TelephoneEvent> {
    let same = formats.events.iter().find(|format| format.clock == codec.rtp_clock());
    same.or(formats.events.first()).map(|format| TelephoneEvent {
        payload_type: format.payload_type,
        receive_payload_type: format.payload_type,
        clock: format.clock,
    })
}

/// What a direction is called in a description of ours.
pub(crate) const fn attribute(direction: Direction) -> &'static str {
    match direction {
        Direction::Inactive => "inactive",
        Direction::RecvOnly => "recvonly",
        Direction::SendOnly => "sendonly",
        Direction::SendRecv => "sendrecv",
    }
}

/// The other side's point of view.
pub(crate) const fn reverse(direction: Direction) -> Direction {
    match direction {
        Direction::RecvOnly => Direction::SendOnly,
        Direction::SendOnly => Direction::RecvOnly,
        Direction::Inactive | Direction::SendRecv => direction,
    }
}
