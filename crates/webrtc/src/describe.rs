//! Descriptions, written: our answer, and the offer as the session is told of it.

use std::fmt::Write;
use std::net::SocketAddr;

use rtc_proto::Codec;
use rtc_proto::sdp::{Direction, Negotiated};

use crate::description::{Place, Setup, Transport};
use crate::offer::{Formats, Offer};
use crate::terms::{attribute, reverse};

/// The priority of a host candidate of which there is only one kind (RFC 8445, 5.1.2.1); further ones are a step lower.
const HOST_PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;

/// The same by TCP, for one who waits for connections (RFC 6544, 4.2): whatever UDP reaches is better.
const TCP_PRIORITY: u32 = (126 << 24) | (((4 << 13) | 8_191) << 8) | 255;

/// The one media identifier inside a session; the answer repeats the offer's.
pub(crate) const MID: &str = "0";

/// Where far ends reach us.
#[derive(Clone, Copy, Debug)]
pub struct Reach<'a> {
    /// Addresses, the best first.
    pub candidates: &'a [SocketAddr],
    /// Whether far ends may open TCP connections to the same addresses, too (RFC 6544).
    pub has_tcp: bool,
}

impl<'a, const N: usize> From<&'a [SocketAddr; N]> for Reach<'a> {
    /// By UDP alone.
    fn from(candidates: &'a [SocketAddr; N]) -> Self {
        Self { candidates, has_tcp: false }
    }
}

/// Our side of a session, as an answer tells of it.
#[derive(Clone, Copy, Debug)]
pub struct Local<'a> {
    /// Where we are reached.
    pub reach: Reach<'a>,
    /// Our username fragment of ICE.
    pub ufrag: &'a str,
    /// Our password of ICE.
    pub password: &'a str,
    /// SHA-256 of our certificate.
    pub fingerprint: &'a [u8],
    /// Whether we begin the DTLS handshake.
    pub is_active: bool,
    /// The number of the session in `o=`.
    pub session_id: u64,
    /// How often the session has been described.
    pub version: u64,
}

/// Writes the answer: every line in its place (RFC 3264, 6), of which only the audio line is used. `ssrc` is the source of our
/// packets, once we have sent or may send any.
pub(crate) fn answer(offer: &Offer, terms: &Negotiated, local: &Local<'_>, ssrc: Option<u32>) -> String {
    let mut lines = Lines::default();
    let bundled = taken(offer)
        .into_iter()
        .chain(offer.places.iter().enumerate().filter(|(at, place)| is_idle(offer, *at, place)))
        .filter_map(|(_, place)| place.group.and(place.mid.as_deref()));
    lines.session(local, bundled);
    for (at, place) in offer.places.iter().enumerate() {
        if at == offer.place {
            audio(&mut lines, place, terms, local, ssrc);
        } else {
            lines.unused(place, is_idle(offer, at, place), local);
        }
    }
    lines.finish()
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

fn audio(lines: &mut Lines, place: &Place, terms: &Negotiated, local: &Local<'_>, ssrc: Option<u32>) {
    let event = terms.telephone_event;
    let tail = event.map(|event| format!(" {}", event.receive_payload_type)).unwrap_or_default();
    lines.used(place, &format!("{}{tail}", terms.receive_payload_type), terms.direction, local);
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
    if let Some(ssrc) = ssrc.filter(|_| terms.direction.sends()) {
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
    lines.beginning(1, 1);
    lines.add(format_args!("a=group:BUNDLE {MID}"));
    lines.add(format_args!("m=audio 9 UDP/TLS/RTP/SAVPF{numbers}"));
    lines.add(format_args!("c=IN IP4 0.0.0.0"));
    lines.add(format_args!("a=mid:{MID}"));
    lines.add(format_args!("a={}", attribute(reverse(offer.direction))));
    lines.add(format_args!("a=rtcp-mux"));
    lines.far_end(&offer.transport);
    for format in &formats.codecs {
        lines.add(format_args!("a=rtpmap:{} {}", format.payload_type, rtpmap(format.codec)));
    }
    for format in &formats.events {
        lines.add(format_args!("a=rtpmap:{} telephone-event/{}", format.payload_type, format.clock));
    }
    lines.finish()
}

fn rtpmap(codec: Codec) -> String {
    let channels = if codec == Codec::Opus { "/2" } else { "" };
    format!("{}/{}{channels}", codec.encoding_name(), codec.rtp_clock())
}

/// A description that is being written; its lines end as RFC 8866, 5 wants them.
#[derive(Debug, Default)]
pub struct Lines(String);

impl Lines {
    /// Adds a line, which must not hold the end of one.
    pub fn add(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into memory cannot fail.
        let _ = write!(self.0, "{line}\r\n");
    }

    /// Begins a description, with the number of the session and of its version.
    pub fn beginning(&mut self, session_id: u64, version: u64) {
        self.add(format_args!("v=0"));
        self.add(format_args!("o=- {session_id} {version} IN IP4 0.0.0.0"));
        self.add(format_args!("s=-"));
        self.add(format_args!("t=0 0"));
    }

    /// The session part of an answer, with the identifiers of the lines that share the transport.
    pub fn session<'a>(&mut self, local: &Local<'_>, bundled: impl Iterator<Item = &'a str>) {
        self.beginning(local.session_id, local.version);
        let bundled: Vec<&str> = bundled.collect();
        if !bundled.is_empty() {
            self.add(format_args!("a=group:BUNDLE {}", bundled.join(" ")));
        }
        self.add(format_args!("a=ice-lite"));
        self.add(format_args!("a=msid-semantic: WMS *"));
        // aiortc wants to know this of refused lines, too.
        self.transport(local);
    }

    /// A line of an answer that is used with these formats, as far as all are alike.
    pub fn used(&mut self, place: &Place, formats: &str, direction: Direction, local: &Local<'_>) {
        let port = port(local);
        self.add(format_args!("m={} {port} {} {formats}", place.media, place.profile));
        match local.reach.candidates.first() {
            Some(SocketAddr::V4(address)) => self.add(format_args!("c=IN IP4 {}", address.ip())),
            Some(SocketAddr::V6(address)) => self.add(format_args!("c=IN IP6 {}", address.ip())),
            None => self.add(format_args!("c=IN IP4 0.0.0.0")),
        }
        if let Some(mid) = &place.mid {
            self.add(format_args!("a=mid:{mid}"));
        }
        self.add(format_args!("a={}", attribute(direction)));
        self.add(format_args!("a=rtcp-mux"));
        self.transport(local);
        let Reach { candidates, has_tcp } = local.reach;
        for (number, address) in (1u32..).zip(candidates) {
            let priority = HOST_PRIORITY - ((number - 1) << 8);
            let (ip, port) = (address.ip(), address.port());
            self.add(format_args!("a=candidate:{number} 1 udp {priority} {ip} {port} typ host"));
        }
        let behind = u32::try_from(candidates.len()).unwrap_or(0) + 1;
        for (number, address) in (0u32..).zip(candidates).filter(|_| has_tcp) {
            let (name, priority) = (behind + number, TCP_PRIORITY - (number << 8));
            let (ip, port) = (address.ip(), address.port());
            self.add(format_args!(
                "a=candidate:{name} 1 tcp {priority} {ip} {port} typ host tcptype passive"
            ));
        }
        self.add(format_args!("a=end-of-candidates"));
    }

    /// A line of an answer that is not used: refused, or idle.
    pub fn unused(&mut self, place: &Place, is_idle: bool, local: &Local<'_>) {
        let port = if is_idle { port(local) } else { 0 };
        self.add(format_args!("m={} {port} {} {}", place.media, place.profile, place.formats));
        self.add(format_args!("c=IN IP4 0.0.0.0"));
        if let Some(mid) = &place.mid {
            self.add(format_args!("a=mid:{mid}"));
        }
        self.add(format_args!("a=inactive"));
        if is_idle {
            self.add(format_args!("a=rtcp-mux"));
            for map in &place.maps {
                self.add(format_args!("a=rtpmap:{map}"));
            }
        }
    }

    /// How the far end is reached, in an offer in our own words.
    pub fn far_end(&mut self, transport: &Transport) {
        self.add(format_args!("a=ice-ufrag:{}", transport.ufrag));
        self.add(format_args!("a=ice-pwd:{}", transport.password));
        self.add(format_args!("a=fingerprint:sha-256 {}", Hex(&transport.fingerprint)));
        let setup = match transport.setup {
            Setup::ActPass => "actpass",
            Setup::Active => "active",
            Setup::Passive => "passive",
        };
        self.add(format_args!("a=setup:{setup}"));
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.0
    }

    fn transport(&mut self, local: &Local<'_>) {
        self.add(format_args!("a=ice-ufrag:{}", local.ufrag));
        self.add(format_args!("a=ice-pwd:{}", local.password));
        self.add(format_args!("a=fingerprint:sha-256 {}", Hex(local.fingerprint)));
        self.add(format_args!("a=setup:{}", if local.is_active { "active" } else { "passive" }));
    }
}

fn port(local: &Local<'_>) -> u16 {
    local.reach.candidates.first().map_or(9, SocketAddr::port)
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

/// A number for `o=`, unique as far as it must be (RFC 8866, 5.2), and no larger than browsers take: made of random
/// characters of our first name for the session.
pub fn session_id(ufrag: &str) -> u64 {
    ufrag.bytes().take(7).fold(0, |id, octet| id << 8 | u64::from(octet))
}
