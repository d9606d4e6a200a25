//! Descriptions, written: our answer, and the offer as the session is told of it.

use std::fmt::Write;
use std::net::SocketAddr;

use rtc_proto::Codec;
use rtc_proto::sdp::Negotiated;

use crate::offer::{Formats, Offer, Place, Setup};
use crate::terms::{attribute, reverse};

/// The priority of a host candidate of which there is only one kind (RFC 8445, 5.1.2.1); further ones are a step lower.
const HOST_PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// The one media identifier inside a session; the answer repeats the offer's.
pub(crate) const MID: &str = "0";

/// Our side of a session, as an answer tells of it.
#[derive(Clone, Debug)]
pub(crate) struct Local<'a> {
    pub(crate) candidates: &'a [SocketAddr],
    pub(crate) ufrag: &'a str,
    pub(crate) password: &'a str,
    pub(crate) fingerprint: &'a [u8],
    /// Whether we begin the DTLS handshake.
    pub(crate) is_active: bool,
    /// The source of our packets, once we have sent or may send any.
    pub(crate) ssrc: Option<u32>,
    pub(crate) session_id: u64,
    pub(crate) version: u64,
}

/// Writes the answer: every line in its place (RFC 3264, 6), of which only the audio line is used.
pub(crate) fn answer(offer: &Offer, terms: &Negotiated, local: &Local<'_>) -> String {
    let mut lines = Lines::default();
    lines.add(format_args!("v=0"));
    lines.add(format_args!("o=- {} {} IN IP4 0.0.0.0", local.session_id, local.version));
    lines.add(format_args!("s=-"));
    lines.add(format_args!("t=0 0"));
    let bundled: Vec<&str> = taken(offer)
        .into_iter()
        .chain(offer.places.iter().enumerate().filter(|(at, place)| is_idle(offer, *at, place)))
        .filter_map(|(_, place)| place.group.and(place.mid.as_deref()))
        .collect();
    if !bundled.is_empty() {
        lines.add(format_args!("a=group:BUNDLE {}", bundled.join(" ")));
    }
    lines.add(format_args!("a=ice-lite"));
    lines.add(format_args!("a=msid-semantic: WMS *"));
    // aiortc wants to know this of refused lines, too.
    transport(&mut lines, local);
    for (at, place) in offer.places.iter().enumerate() {
        if at == offer.place {
            audio(&mut lines, place, terms, local);
        } else {
            unused(&mut lines, place, is_idle(offer, at, place), local);
        }
    }
    lines.0
}

fn taken(offer: &Offer) -> Option<(usize, &Place)> {
    offer.places.get(offer.place).map(|place| (offer.place, place))
}

/// Whether a line that is not used is inactive rather than refused: those that would share the transport. Peers exist
/// (aiortc) that do not know refusal, and would look for the way of such a line until they fail.
fn is_idle(offer: &Offer, at: usize, place: &Place) -> bool {
    let group = offer.places.get(offer.place).and_then(|place| place.group);
    let is_rtp = place.media == "audio" || place.media == "video";
    at != offer.place && is_rtp && group.is_some() && place.group == group
}

fn unused(lines: &mut Lines, place: &Place, is_idle: bool, local: &Local<'_>) {
    let port = if is_idle { port(local) } else { 0 };
    lines.add(format_args!("m={} {port} {} {}", place.media, place.profile, place.formats));
    lines.add(format_args!("c=IN IP4 0.0.0.0"));
    if let Some(mid) = &place.mid {
        lines.add(format_args!("a=mid:{mid}"));
    }
    lines.add(format_args!("a=inactive"));
    if is_idle {
        lines.add(format_args!("a=rtcp-mux"));
        for map in &place.maps {
            lines.add(format_args!("a=rtpmap:{map}"));
        }
    }
}

fn port(local: &Local<'_>) -> u16 {
    local.candidates.first().map_or(9, SocketAddr::port)
}

fn transport(lines: &mut Lines, local: &Local<'_>) {
    lines.add(format_args!("a=ice-ufrag:{}", local.ufrag));
    lines.add(format_args!("a=ice-pwd:{}", local.password));
    lines.add(format_args!("a=fingerprint:sha-256 {}", Hex(local.fingerprint)));
    lines.add(format_args!("a=setup:{}", if local.is_active { "active" } else { "passive" }));
}

fn audio(lines: &mut Lines, place: &Place, terms: &Negotiated, local: &Local<'_>) {
    let event = terms.telephone_event;
    let tail = event.map(|event| format!(" {}", event.receive_payload_type)).unwrap_or_default();
    let port = port(local);
    lines.add(format_args!("m=audio {port} {} {}{tail}", place.profile, terms.receive_payload_type));
    match local.candidates.first() {
        Some(SocketAddr::V4(address)) => lines.add(format_args!("c=IN IP4 {}", address.ip())),
        Some(SocketAddr::V6(address)) => lines.add(format_args!("c=IN IP6 {}", address.ip())),
        None => lines.add(format_args!("c=IN IP4 0.0.0.0")),
    }
    if let Some(mid) = &place.mid {
        lines.add(format_args!("a=mid:{mid}"));
    }
    lines.add(format_args!("a={}", attribute(terms.direction)));
    lines.add(format_args!("a=rtcp-mux"));
    transport(lines, local);
    for (number, address) in (1u32..).zip(local.candidates) {
        let priority = HOST_PRIORITY - ((number - 1) << 8);
        let (ip, port) = (address.ip(), address.port());
        lines.add(format_args!("a=candidate:{number} 1 udp {priority} {ip} {port} typ host"));
    }
    lines.add(format_args!("a=end-of-candidates"));
    let payload_type = terms.receive_payload_type;
    lines.add(format_args!("a=rtpmap:{payload_type} {}", rtpmap(terms.codec)));
    if terms.codec == Codec::Opus {
        lines.add(format_args!("a=fmtp:{payload_type} minptime=10;useinbandfec=1"));
    }
    if let Some(event) = event {
        let payload_type = event.receive_payload_type;
        lines.add(format_args!("a=rtpmap:{payload_type} telephone-event/{}", event.clock));
        lines.add(format_args!("a=fmtp:{payload_type} 0-15"));
    }
    lines.add(format_args!("a=ptime:{}", rtc_proto::sdp::DEFAULT_PTIME_MS));
    if let Some(ssrc) = local.ssrc.filter(|_| terms.direction.sends()) {
        // A stream of its own, for applications take the first one of a track for granted.
        lines.add(format_args!("a=msid:{} audio", local.session_id));
        lines.add(format_args!("a=ssrc:{ssrc} cname:{}", local.session_id));
    }
}

/// The offer in our own words: the audio line alone, without candidates, with nothing that was not looked at. So no
/// parser behind ours ever sees what the far end wrote.
pub(crate) fn canonical(offer: &Offer, formats: &Formats) -> String {
    let mut lines = Lines::default();
    let mut numbers = String::new();
    let codecs = formats.codecs.iter().map(|format| format.payload_type);
    for payload_type in codecs.chain(formats.events.iter().map(|format| format.payload_type)) {
        // Writing into memory cannot fail.
        let _ = write!(numbers, " {payload_type}");
    }
    lines.add(format_args!("v=0"));
    lines.add(format_args!("o=- 1 1 IN IP4 0.0.0.0"));
    lines.add(format_args!("s=-"));
    lines.add(format_args!("t=0 0"));
    lines.add(format_args!("a=group:BUNDLE {MID}"));
    lines.add(format_args!("m=audio 9 UDP/TLS/RTP/SAVPF{numbers}"));
    lines.add(format_args!("c=IN IP4 0.0.0.0"));
    lines.add(format_args!("a=mid:{MID}"));
    lines.add(format_args!("a={}", attribute(reverse(offer.direction))));
    lines.add(format_args!("a=rtcp-mux"));
    lines.add(format_args!("a=ice-ufrag:{}", offer.ufrag));
    lines.add(format_args!("a=ice-pwd:{}", offer.password));
    lines.add(format_args!("a=fingerprint:sha-256 {}", Hex(&offer.fingerprint)));
    let setup = match offer.setup {
        Setup::ActPass => "actpass",
        Setup::Active => "active",
        Setup::Passive => "passive",
    };
    lines.add(format_args!("a=setup:{setup}"));
    for format in &formats.codecs {
        lines.add(format_args!("a=rtpmap:{} {}", format.payload_type, rtpmap(format.codec)));
    }
    for format in &formats.events {
        lines.add(format_args!("a=rtpmap:{} telephone-event/{}", format.payload_type, format.clock));
    }
    lines.0
}

fn rtpmap(codec: Codec) -> String {
    let channels = if codec == Codec::Opus { "/2" } else { "" };
    format!("{}/{}{channels}", codec.encoding_name(), codec.rtp_clock())
}

/// Lines that end as RFC 8866, 5 wants them.
#[derive(Debug, Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into memory cannot fail.
        let _ = write!(self.0, "{line}\r\n");
    }
}

/// `4A:AD:...`.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}
