//! The far end's offer of sound.

use rtc_proto::Codec;
use rtc_proto::sdp::{DEFAULT_PTIME_MS, Direction, OpusFormat};

use crate::OfferError;
use crate::description::{Description, Line, Place, Transport};

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
    pub(crate) transport: Transport,
    pub(crate) formats: Formats,
    /// From our point of view.
    pub(crate) direction: Direction,
    pub(crate) ptime_ms: u16,
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
        let description = Description::read(text)?;
        let mut obstacle = None;
        for (at, line) in description.lines().enumerate() {
            if place.is_some_and(|place| place != at) || !line.is_live("audio") {
                continue;
            }
            match read_audio(at, line, description.places()) {
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

fn read_audio(place: usize, line: Line<'_>, places: &[Place]) -> Result<Offer, OfferError> {
    if !line.has("rtcp-mux") {
        return Err(OfferError::NoMux);
    }
    let formats = read_formats(line);
    if formats.codecs.is_empty() {
        return Err(OfferError::NoCodec);
    }
    Ok(Offer {
        places: places.to_vec(),
        place,
        transport: line.transport()?,
        formats,
        direction: line.direction(),
        ptime_ms: ptime_ms(line),
    })
}

fn ptime_ms(line: Line<'_>) -> u16 {
    let number = |name| {
        let number = line.values_of_both(name).next().and_then(|value| value.trim().parse::<u16>().ok());
        number.filter(|ms| PTIME_RANGE_MS.contains(ms))
    };
    number("ptime").unwrap_or(DEFAULT_PTIME_MS).min(number("maxptime").unwrap_or(u16::MAX))
}

fn read_formats(line: Line<'_>) -> Formats {
    let mut formats = Formats::default();
    for payload_type in line.payload_types() {
        if formats.has(payload_type) {
            continue;
        }
        let map = line.mapped("rtpmap", payload_type);
        if let Some(clock) = map.and_then(event_clock) {
            if !formats.events.iter().any(|format| format.clock == clock) {
                formats.events.push(EventFormat { payload_type, clock });
            }
        } else if let Some(codec) = codec(payload_type, map)
            && !formats.codecs.iter().any(|format| format.codec == codec)
        {
            let fmtp = line.mapped("fmtp", payload_type).filter(|_| codec == Codec::Opus);
            let opus = fmtp.map(opus_format).unwrap_or_default();
            formats.codecs.push(CodecFormat { codec, payload_type, opus });
        }
    }
    formats
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
