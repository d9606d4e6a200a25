//! The far end's offer, read and bounded.
//!
//! Candidates are not read at all: an ICE-lite agent sends no checks (RFC 8445, 2.5), so where the far end says that it is
//! does not matter, and no name in it is ever resolved.

use rtc_proto::Codec;
use rtc_proto::sdp::{DEFAULT_PTIME_MS, Direction, OpusFormat};
use sdp_types::{Attribute, Media, Session};

use crate::OfferError;

/// Octets of an offer; those of browsers with many streams stay below 32 KiB.
pub const MAX_OFFER_OCTETS: usize = 64 * 1024;

/// Lines of an offer, candidates among them; a browser with camera, screen and sound writes about 300.
const MAX_LINES: usize = 2_048;

/// Media lines of an offer.
const MAX_PLACES: usize = 32;

/// Formats of a line: there are 128 payload types.
const MAX_FORMATS: usize = 128;

/// Characters of a name that is echoed: `a=mid`, media, profile.
const MAX_NAME: usize = 256;

/// Packet durations that exist in practice.
const PTIME_RANGE_MS: std::ops::RangeInclusive<u16> = 10..=120;

/// The clocks at which tones may be told.
const EVENT_CLOCKS: [u32; 2] = [8_000, 48_000];

/// An offer of which one audio line can be used.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) places: Vec<Place>,
    /// Which of the places is taken.
    pub(crate) place: usize,
    pub(crate) ufrag: String,
    pub(crate) password: String,
    /// SHA-256 of the certificate.
    pub(crate) fingerprint: [u8; 32],
    pub(crate) setup: Setup,
    pub(crate) formats: Formats,
    /// From our point of view.
    pub(crate) direction: Direction,
    pub(crate) ptime_ms: u16,
}

/// A media line, as far as the answer repeats it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) media: String,
    pub(crate) profile: String,
    pub(crate) formats: String,
    pub(crate) mid: Option<String>,
    /// The values of `a=rtpmap`.
    pub(crate) maps: Vec<String>,
    /// The group that it belongs to (RFC 8843).
    pub(crate) group: Option<usize>,
}

/// Who begins the DTLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// The far end leaves it to us; then it is the far end, which alone can check the path.
    ActPass,
    Active,
    Passive,
}

/// The formats that we know. No payload type and no format is there twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Formats {
    pub(crate) codecs: Vec<CodecFormat>,
    pub(crate) events: Vec<EventFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodecFormat {
    pub(crate) codec: Codec,
    pub(crate) payload_type: u8,
    pub(crate) opus: OpusFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventFormat {
    pub(crate) payload_type: u8,
    pub(crate) clock: u32,
}

impl Offer {
    /// Reads an offer and takes the first audio line that can be used, or the one at `place`.
    pub(crate) fn read(text: &str, place: Option<usize>) -> Result<Self, OfferError> {
        let lines = text.bytes().filter(|octet| *octet == b'\n').count();
        if text.len() > MAX_OFFER_OCTETS || lines > MAX_LINES {
            return Err(OfferError::TooLarge);
        }
        let session = Session::parse(text.as_bytes()).map_err(|_| OfferError::Syntax)?;
        if session.medias.len() > MAX_PLACES {
            return Err(OfferError::TooLarge);
        }
        let places =
            session.medias.iter().map(|media| read_place(&session, media)).collect::<Result<Vec<_>, _>>()?;
        if session.has_attribute("ice-lite") {
            return Err(OfferError::IceLite);
        }
        let mut obstacle = None;
        for (at, media) in session.medias.iter().enumerate() {
            if place.is_some_and(|place| place != at) || !is_live_audio(media) {
                continue;
            }
            match read_audio(&session, at, media, &places) {
                Ok(offer) => return Ok(offer),
                Err(error) => obstacle = obstacle.or(Some(error)),
            }
        }
        Err(obstacle.unwrap_or(OfferError::NoAudio))
    }
}

impl Formats {
    /// What of these is in `others`, too, under the same numbers.
    pub(crate) fn within(&self, others: &Self) -> Self {
        let known = |format: &&CodecFormat| {
            others
                .codecs
                .iter()
                .any(|other| other.codec == format.codec && other.payload_type == format.payload_type)
        };
        Self {
            codecs: self.codecs.iter().filter(known).copied().collect(),
            events: self.events.iter().filter(|format| others.events.contains(format)).copied().collect(),
        }
    }

    fn has(&self, payload_type: u8) -> bool {
        self.codecs.iter().any(|format| format.payload_type == payload_type)
            || self.events.iter().any(|format| format.payload_type == payload_type)
    }
}

fn read_place(session: &Session, media: &Media) -> Result<Place, OfferError> {
    if media.fmt.split_ascii_whitespace().count() > MAX_FORMATS {
        return Err(OfferError::TooLarge);
    }
    let mid = values(&media.attributes, "mid").next().map(str::to_owned);
    let is_named = is_token(&media.media) && is_token(&media.proto) && mid.as_deref().is_none_or(is_token);
    if !is_named || !is_text(&media.fmt) {
        return Err(OfferError::Syntax);
    }
    let maps = values(&media.attributes, "rtpmap").filter(|map| is_text(map)).take(MAX_FORMATS);
    Ok(Place {
        media: media.media.clone(),
        profile: media.proto.clone(),
        formats: media.fmt.clone(),
        mid,
        maps: maps.map(str::to_owned).collect(),
        group: group_of(session, media).map(|(number, _)| number),
    })
}

fn is_text(line: &str) -> bool {
    line.bytes().all(|octet| matches!(octet, b' '..=b'~'))
}

/// What is echoed must not be able to begin another line.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && name.bytes().all(|octet| octet.is_ascii_graphic())
}

/// A line of port 0 is disabled, unless it only waits for its group (RFC 8843, 6).
fn is_live_audio(media: &Media) -> bool {
    let profile = media.proto.to_ascii_uppercase();
    let is_rtp = ["UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"].contains(&profile.as_str());
    media.media == "audio" && is_rtp && (media.port != 0 || media.has_attribute("bundle-only"))
}

fn read_audio(session: &Session, place: usize, media: &Media, places: &[Place]) -> Result<Offer, OfferError> {
    let group = group_of(session, media).map(|(_, mids)| mids);
    // A line that is only there for its group leaves it to the group's first line to say how it is reached.
    let first = session.medias.iter().find(|other| {
        let mid = values(&other.attributes, "mid").next();
        mid.is_some() && mid == group.as_ref().and_then(|mids| mids.first().copied())
    });
    let levels: Vec<&[Attribute]> = [Some(&media.attributes), Some(&session.attributes)]
        .into_iter()
        .chain([first.map(|first| &first.attributes)])
        .flatten()
        .map(Vec::as_slice)
        .collect();
    let value = |name| levels.iter().find_map(|level| values(level, name).next());
    if !media.has_attribute("rtcp-mux") {
        return Err(OfferError::NoMux);
    }
    let formats = read_formats(media);
    if formats.codecs.is_empty() {
        return Err(OfferError::NoCodec);
    }
    // RFC 8839, 5.4.
    let ufrag = value("ice-ufrag").filter(|text| is_ice(text, 4)).ok_or(OfferError::NoIce)?;
    let password = value("ice-pwd").filter(|text| is_ice(text, 22)).ok_or(OfferError::NoIce)?;
    let fingerprint = levels
        .iter()
        .find_map(|level| values(level, "fingerprint").find_map(read_fingerprint))
        .ok_or(OfferError::NoFingerprint)?;
    let setup = match value("setup") {
        None | Some("actpass") => Setup::ActPass,
        Some("active") => Setup::Active,
        Some("passive") => Setup::Passive,
        Some(_) => return Err(OfferError::Setup),
    };
    Ok(Offer {
        places: places.to_vec(),
        place,
        ufrag: ufrag.to_owned(),
        password: password.to_owned(),
        fingerprint,
        setup,
        formats,
        direction: direction(&media.attributes)
            .or_else(|| direction(&session.attributes))
            .unwrap_or(Direction::SendRecv),
        ptime_ms: ptime_ms(session, media),
    })
}

/// The group that the line belongs to: its number, and the identifiers of all its lines.
fn group_of<'a>(session: &'a Session, media: &Media) -> Option<(usize, Vec<&'a str>)> {
    let mid = values(&media.attributes, "mid").next()?;
    values(&session.attributes, "group").take(MAX_PLACES).enumerate().find_map(|(number, group)| {
        let mut words = group.split_ascii_whitespace();
        let mids: Vec<&str> =
            if words.next() == Some("BUNDLE") { words.take(MAX_PLACES).collect() } else { Vec::new() };
        mids.contains(&mid).then_some((number, mids))
    })
}

fn is_ice(text: &str, least: usize) -> bool {
    // Some stacks write base64url beside the `+` and `/` of the grammar.
    let is_char = |octet: u8| octet.is_ascii_alphanumeric() || b"+/-_=".contains(&octet);
    (least..=256).contains(&text.len()) && text.bytes().all(is_char)
}

/// `sha-256 4A:AD:...` (RFC 8122, 5).
fn read_fingerprint(value: &str) -> Option<[u8; 32]> {
    let (hash, digits) = value.trim().split_once(' ')?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut octets = [0; 32];
    let mut pairs = digits.trim().split(':');
    for octet in &mut octets {
        let pair = pairs.next().filter(|pair| pair.len() == 2)?;
        *octet = u8::from_str_radix(pair, 16).ok()?;
    }
    pairs.next().is_none().then_some(octets)
}

/// The offer's direction, turned round.
fn direction(attributes: &[Attribute]) -> Option<Direction> {
    attributes.iter().find_map(|attribute| match attribute.attribute.as_str() {
        "inactive" => Some(Direction::Inactive),
        "recvonly" => Some(Direction::SendOnly),
        "sendonly" => Some(Direction::RecvOnly),
        "sendrecv" => Some(Direction::SendRecv),
        _ => None,
    })
}

fn ptime_ms(session: &Session, media: &Media) -> u16 {
    let number = |name| {
        let mut found = values(&media.attributes, name).chain(values(&session.attributes, name));
        let number = found.next().and_then(|value| value.trim().parse::<u16>().ok());
        number.filter(|ms| PTIME_RANGE_MS.contains(ms))
    };
    number("ptime").unwrap_or(DEFAULT_PTIME_MS).min(number("maxptime").unwrap_or(u16::MAX))
}

fn read_formats(media: &Media) -> Formats {
    let mut formats = Formats::default();
    for number in media.fmt.split_ascii_whitespace() {
        let Ok(payload_type) = number.parse::<u8>() else { continue };
        if !is_usable(payload_type) || formats.has(payload_type) {
            continue;
        }
        let map = mapped(media, "rtpmap", payload_type);
        if let Some(clock) = map.and_then(event_clock) {
            if !formats.events.iter().any(|format| format.clock == clock) {
                formats.events.push(EventFormat { payload_type, clock });
            }
        } else if let Some(codec) = codec(payload_type, map)
            && !formats.codecs.iter().any(|format| format.codec == codec)
        {
            let fmtp = mapped(media, "fmtp", payload_type).filter(|_| codec == Codec::Opus);
            let opus = fmtp.map(opus_format).unwrap_or_default();
            formats.codecs.push(CodecFormat { codec, payload_type, opus });
        }
    }
    formats
}

/// Of the 128, those from 64 on are taken for reports where both share a port (RFC 5761, 4).
fn is_usable(payload_type: u8) -> bool {
    matches!(payload_type, 0..=63 | 96..=127)
}

fn codec(payload_type: u8, map: Option<&str>) -> Option<Codec> {
    let all = [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma];
    let fixed = all.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type));
    let Some(map) = map else { return fixed };
    let mut parts = map.trim().split('/');
    let (name, clock) = (parts.next()?, parts.next()?.parse::<u32>().ok()?);
    let channels = parts.next().map_or(Ok(1), str::parse::<u32>).ok()?;
    let named = all.into_iter().find(|codec| {
        let wanted = if *codec == Codec::Opus { 2 } else { 1 };
        codec.encoding_name().eq_ignore_ascii_case(name) && codec.rtp_clock() == clock && channels == wanted
    })?;
    // A number that RFC 3551 has given to another format is not taken for this one.
    (payload_type >= 35 || fixed == Some(named)).then_some(named)
}

fn event_clock(map: &str) -> Option<u32> {
    let (name, clock) = map.trim().split_once('/')?;
    let clock = clock.split('/').next()?.parse().ok()?;
    (name.eq_ignore_ascii_case("telephone-event") && EVENT_CLOCKS.contains(&clock)).then_some(clock)
}

/// RFC 7587, 6.1.
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
            format.max_average_bitrate =
                value.parse().ok().filter(|bitrate| (6_000..=510_000).contains(bitrate));
        }
    }
    format
}

/// The text behind the payload type in the first `rtpmap` or `fmtp` for it.
fn mapped<'a>(media: &'a Media, name: &'a str, payload_type: u8) -> Option<&'a str> {
    values(&media.attributes, name).find_map(|value| {
        let (number, rest) = value.split_once(' ')?;
        (number.parse() == Ok(payload_type)).then_some(rest)
    })
}

fn values<'a>(attributes: &'a [Attribute], name: &'a str) -> impl Iterator<Item = &'a str> {
    let named = attributes.iter().filter(move |attribute| attribute.attribute == name);
    named.filter_map(|attribute| attribute.value.as_deref())
}
