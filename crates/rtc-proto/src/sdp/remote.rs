//! The far end's description, read and bounded.

use std::net::{IpAddr, SocketAddr};

use sdp_types::{Attribute, Connection, Media, Session};

use super::crypto::CryptoLine;
use super::{
    AUDIO_LEVEL, DEFAULT_PTIME_MS, Direction, MAX_FORMATS, MAX_LINES, MAX_SDP_LEN, MAX_STREAMS,
    NegotiationError, OpusFormat,
};
use crate::Codec;
use crate::rtp::ELEMENT_IDS;

/// Crypto lines looked at per stream; phones send one to eight.
const MAX_CRYPTO_LINES: usize = 16;

/// Packet durations that exist in practice.
const PTIME_RANGE_MS: std::ops::RangeInclusive<u16> = 10..=120;

/// The first port that media may have. Below it are the services of a host (RFC 6335, 6), which no phone uses for
/// media, but which a description could have us send to.
const FIRST_MEDIA_PORT: u16 = 1024;

/// A whole description: every stream in its place.
#[derive(Clone, Debug)]
pub(super) struct RemoteDescription {
    pub(super) streams: Vec<RemoteStream>,
}

/// What is repeated when a stream is refused, and the audio in it if it is that.
#[derive(Clone, Debug)]
pub(super) struct RemoteStream {
    pub(super) media: String,
    pub(super) profile: String,
    pub(super) formats: String,
    pub(super) port: u16,
    /// Present for audio over one of the four RTP profiles that we speak.
    pub(super) audio: Option<RemoteAudio>,
}

/// An audio stream.
#[derive(Clone, Debug)]
pub(super) struct RemoteAudio {
    /// RTP/SAVP or RTP/SAVPF.
    pub(super) is_secure: bool,
    /// `None` where the address is a name, missing, not that of one host, or its port is no media port. Unspecified
    /// for a hold the old way.
    pub(super) rtp: Option<SocketAddr>,
    /// At the same host as `rtp`.
    pub(super) rtcp: Option<SocketAddr>,
    pub(super) has_rtcp_mux: bool,
    /// In the far end's order of preference.
    pub(super) formats: Vec<RemoteFormat>,
    /// From the far end's point of view.
    pub(super) direction: Direction,
    /// The lines that we can use, in the far end's order of preference.
    pub(super) crypto: Vec<CryptoLine>,
    /// There is an `a=crypto` line, usable or not.
    pub(super) has_crypto: bool,
    pub(super) ptime_ms: u16,
    /// The identifier under which the far end sends levels, where it has one that fits a header of one octet.
    pub(super) audio_level: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RemoteFormat {
    pub(super) payload_type: u8,
    pub(super) kind: FormatKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormatKind {
    Codec(Codec, OpusFormat),
    TelephoneEvent { clock: u32 },
    Unknown,
}

impl RemoteDescription {
    pub(super) fn parse(text: &str) -> Result<Self, NegotiationError> {
        let lines = text.bytes().filter(|octet| *octet == b'\n').count();
        if text.len() > MAX_SDP_LEN || lines > MAX_LINES {
            return Err(NegotiationError::TooLarge);
        }
        let session = Session::parse(text.as_bytes()).map_err(|_| NegotiationError::Syntax)?;
        if session.medias.len() > MAX_STREAMS {
            return Err(NegotiationError::TooLarge);
        }
        let streams =
            session.medias.iter().map(|media| read_stream(&session, media)).collect::<Result<_, _>>()?;
        Ok(Self { streams })
    }
}

fn read_stream(session: &Session, media: &Media) -> Result<RemoteStream, NegotiationError> {
    if media.fmt.split_ascii_whitespace().count() > MAX_FORMATS {
        return Err(NegotiationError::TooLarge);
    }
    let audio = match (media.media.eq_ignore_ascii_case("audio"), is_secure(&media.proto)) {
        (true, Some(is_secure)) => Some(read_audio(session, media, is_secure)),
        (true, None) | (false, _) => None,
    };
    Ok(RemoteStream {
        media: media.media.clone(),
        profile: media.proto.clone(),
        formats: media.fmt.clone(),
        port: media.port,
        audio,
    })
}

/// Tells protected from plain RTP; `None` for every other transport, DTLS among them.
fn is_secure(profile: &str) -> Option<bool> {
    match profile.to_ascii_uppercase().as_str() {
        "RTP/AVP" | "RTP/AVPF" => Some(false),
        "RTP/SAVP" | "RTP/SAVPF" => Some(true),
        _ => None,
    }
}

fn read_audio(session: &Session, media: &Media, is_secure: bool) -> RemoteAudio {
    let connection = media.connections.first().or(session.connection.as_ref());
    let ip = connection.and_then(unicast);
    let rtp = ip.map(|ip| SocketAddr::new(ip, media.port)).filter(is_for_media);
    let is_old_hold = ip.is_some_and(|ip| ip.is_unspecified());
    let declared = direction(&media.attributes).or_else(|| direction(&session.attributes));
    let declared = declared.unwrap_or(Direction::SendRecv);
    let direction = Direction::of(declared.sends(), declared.receives() && !is_old_hold);
    let has_rtcp_mux = media.has_attribute("rtcp-mux");
    let crypto_values = values(&media.attributes, "crypto").take(MAX_CRYPTO_LINES);
    RemoteAudio {
        is_secure,
        rtp,
        rtcp: if has_rtcp_mux { rtp } else { rtp.and_then(|rtp| rtcp_address(media, rtp)) },
        has_rtcp_mux,
        formats: media.fmt.split_ascii_whitespace().filter_map(|format| read_format(media, format)).collect(),
        direction,
        crypto: crypto_values.filter_map(CryptoLine::parse).collect(),
        has_crypto: values(&media.attributes, "crypto").next().is_some(),
        ptime_ms: ptime_ms(session, media),
        audio_level: audio_level(session, media),
    }
}

/// The address of one host, or the unspecified one; an IPv4 address in IPv6 clothes is taken for what it is.
fn unicast(connection: &Connection) -> Option<IpAddr> {
    let ip = connection.try_address().ok()?.ip.to_canonical();
    let is_special = match ip {
        // "This network" (RFC 791, 3.2) and the reserved block above multicast, broadcast in it (RFC 1112, 4).
        IpAddr::V4(v4) => matches!(v4.octets(), [0 | 240..=255, ..]) && !v4.is_unspecified(),
        IpAddr::V6(_) => false,
    };
    (!ip.is_multicast() && !is_special).then_some(ip)
}

fn is_for_media(address: &SocketAddr) -> bool {
    address.ip().is_unspecified() || address.port() >= FIRST_MEDIA_PORT
}

fn direction(attributes: &[Attribute]) -> Option<Direction> {
    let all = [Direction::Inactive, Direction::RecvOnly, Direction::SendOnly, Direction::SendRecv];
    attributes.iter().find_map(|attribute| {
        all.into_iter().find(|direction| attribute.attribute.eq_ignore_ascii_case(direction.attribute()))
    })
}

/// `a=rtcp:53020` or `a=rtcp:53020 IN IP4 126.16.64.4` (RFC 3605), else the port above RTP's.
///
/// A line that names another host than RTP's is passed over: reports of a call would go to a third party.
fn rtcp_address(media: &Media, rtp: SocketAddr) -> Option<SocketAddr> {
    let named = values(&media.attributes, "rtcp").next().and_then(|value| {
        let mut words = value.split_ascii_whitespace();
        let port = words.next()?.parse().ok()?;
        let ip = match words.nth(2) {
            Some(word) => word.parse::<IpAddr>().ok()?.to_canonical(),
            None => rtp.ip(),
        };
        let address = SocketAddr::new(ip, port);
        (ip == rtp.ip() && is_for_media(&address)).then_some(address)
    });
    named.or_else(|| rtp.port().checked_add(1).map(|port| SocketAddr::new(rtp.ip(), port)))
}

fn read_format(media: &Media, format: &str) -> Option<RemoteFormat> {
    let payload_type: u8 = format.parse().ok().filter(|payload_type| *payload_type < 128)?;
    let kind = match mapped(media, "rtpmap", payload_type) {
        Some(map) => read_rtpmap(map, mapped(media, "fmtp", payload_type)),
        None => match Codec::from_static(payload_type) {
            Some(codec) => FormatKind::Codec(codec, OpusFormat::default()),
            None => FormatKind::Unknown,
        },
    };
    Some(RemoteFormat { payload_type, kind })
}

fn read_rtpmap(map: &str, fmtp: Option<&str>) -> FormatKind {
    let mut parts = map.trim().split('/');
    let name = parts.next().unwrap_or_default();
    let Some(clock) = parts.next().and_then(|clock| clock.parse().ok()) else { return FormatKind::Unknown };
    if name.eq_ignore_ascii_case("telephone-event") {
        return FormatKind::TelephoneEvent { clock };
    }
    let channels = parts.next().map_or(Some(1), |channels| channels.parse().ok());
    match channels.and_then(|channels| Codec::from_rtpmap(name, clock, channels)) {
        Some(codec) => FormatKind::Codec(codec, opus_format(fmtp.unwrap_or_default())),
        None => FormatKind::Unknown,
    }
}

fn opus_format(fmtp: &str) -> OpusFormat {
    let mut format = OpusFormat::default();
    for parameter in fmtp.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("useinbandfec") {
            format.has_inband_fec = value == "1";
        } else if name.eq_ignore_ascii_case("usedtx") {
            format.has_dtx = value == "1";
        } else if name.eq_ignore_ascii_case("maxaveragebitrate") {
            // The range of RFC 7587, 6.1.
            format.max_average_bitrate =
                value.parse().ok().filter(|bitrate| (6_000..=510_000).contains(bitrate));
        }
    }
    format
}

fn ptime_ms(session: &Session, media: &Media) -> u16 {
    let number = |name| {
        let mut found = values(&media.attributes, name).chain(values(&session.attributes, name));
        found.next().and_then(|value| value.trim().parse::<u16>().ok())
    };
    let wish = number("ptime").filter(|ms| PTIME_RANGE_MS.contains(ms)).unwrap_or(DEFAULT_PTIME_MS);
    wish.min(number("maxptime").filter(|ms| PTIME_RANGE_MS.contains(ms)).unwrap_or(u16::MAX))
}

/// `a=extmap:3/sendonly urn:... vad=on` (RFC 8285, 5), in the stream or for all of them.
fn audio_level(session: &Session, media: &Media) -> Option<u8> {
    let mut lines = values(&media.attributes, "extmap").chain(values(&session.attributes, "extmap"));
    lines.find_map(|value| {
        let mut words = value.split_ascii_whitespace();
        let (number, name) = (words.next()?, words.next()?);
        let (id, direction) = number.split_once('/').unwrap_or((number, "sendrecv"));
        let is_sent = ["sendonly", "sendrecv"].iter().any(|sends| direction.eq_ignore_ascii_case(sends));
        let id = id.parse().ok().filter(|id| ELEMENT_IDS.contains(id))?;
        (is_sent && name.eq_ignore_ascii_case(AUDIO_LEVEL)).then_some(id)
    })
}

/// The text behind the payload type in the first `rtpmap` or `fmtp` for it.
fn mapped<'a>(media: &'a Media, name: &'a str, payload_type: u8) -> Option<&'a str> {
    values(&media.attributes, name).find_map(|value| {
        let (number, rest) = value.split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(rest)
    })
}

fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = attributes.iter().filter(move |attribute| attribute.attribute.eq_ignore_ascii_case(name));
    named.filter_map(|attribute| attribute.value.as_deref())
}
