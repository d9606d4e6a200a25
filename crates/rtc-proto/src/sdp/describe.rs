//! Our description, written.

use sdp_types::{Connection, Media, MediaType, Origin, Session, Time, TransportProto};

use super::crypto::CryptoLine;
use super::{AUDIO_LEVEL, DEFAULT_PTIME_MS, Direction, LocalMedia};
use crate::Codec;

/// A format of ours with its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Codec(Codec, u8),
    TelephoneEvent { clock: u32, payload_type: u8 },
}

impl Format {
    fn payload_type(self) -> u8 {
        match self {
            Self::Codec(_, payload_type) | Self::TelephoneEvent { payload_type, .. } => payload_type,
        }
    }
}

/// One place in the list of streams, which never changes its order (RFC 3264, 8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Audio { profile: String },
    Refused { media: String, profile: String, formats: String },
}

/// Everything in a description of ours but its version.
#[derive(Clone, Debug)]
pub(super) struct Description<'a> {
    pub(super) local: &'a LocalMedia,
    pub(super) places: &'a [Place],
    pub(super) stream: Stream<'a>,
}

/// What a description says of the audio stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream<'a> {
    pub(super) formats: &'a [Format],
    pub(super) direction: Direction,
    pub(super) crypto: &'a [CryptoLine],
    pub(super) has_rtcp_mux: bool,
    /// Under what number we take levels.
    pub(super) audio_level: Option<u8>,
}

impl Description<'_> {
    pub(super) fn write(&self, version: u64) -> String {
        let ip = self.local.rtp.ip();
        let mut session = Session::new(Origin::with_ip_addr(self.local.session_id, version, ip), "-");
        session.set_connection(Connection::from_ip_addr(ip));
        session.add_time(Time { start_time: 0, stop_time: 0, repeats: Vec::new() });
        session.add_medias(self.places.iter().map(|place| match place {
            Place::Audio { profile } => self.audio(profile),
            Place::Refused { media, profile, formats } => refused(media, profile, formats),
        }));
        let mut octets = Vec::new();
        // Writing into memory cannot fail.
        let _ = session.write(&mut octets);
        String::from_utf8(octets).unwrap_or_default()
    }

    fn audio(&self, profile: &str) -> Media {
        let numbers: Vec<String> =
            self.stream.formats.iter().map(|format| format.payload_type().to_string()).collect();
        let mut media =
            Media::new(MediaType::Audio, self.local.rtp.port(), TransportProto::RtpAvp, numbers.join(" "));
        media.proto = profile.to_owned();
        for format in self.stream.formats {
            describe_format(&mut media, *format);
        }
        for line in self.stream.crypto {
            media.add_attribute_with_value("crypto", CryptoLine::describe(line.tag, &line.key));
        }
        let rtp = self.local.rtp;
        if self.stream.has_rtcp_mux {
            media.add_attribute_with_value("rtcp", rtp.port());
            media.add_attribute_from_str("rtcp-mux");
        } else if rtp.port().checked_add(1) != Some(self.local.rtcp.port())
            || rtp.ip() != self.local.rtcp.ip()
        {
            let version = if self.local.rtcp.is_ipv4() { 4 } else { 6 };
            let value = format!("{} IN IP{version} {}", self.local.rtcp.port(), self.local.rtcp.ip());
            media.add_attribute_with_value("rtcp", value);
        }
        if let Some(id) = self.stream.audio_level {
            media.add_attribute_with_value("extmap", format!("{id}/recvonly {AUDIO_LEVEL}"));
        }
        media.add_attribute_with_value("ptime", DEFAULT_PTIME_MS);
        media.add_attribute_from_str(self.stream.direction.attribute());
        media
    }
}

fn describe_format(media: &mut Media, format: Format) {
    match format {
        Format::Codec(codec, payload_type) => {
            let channels =
                if codec.channels() == 1 { String::new() } else { format!("/{}", codec.channels()) };
            let name = codec.encoding_name();
            media.add_attribute_with_value(
                "rtpmap",
                format!("{payload_type} {name}/{}{channels}", codec.rtp_clock()),
            );
            if codec == Codec::Opus {
                media.add_attribute_with_value("fmtp", format!("{payload_type} useinbandfec=1"));
            }
        }
        Format::TelephoneEvent { clock, payload_type } => {
            media.add_attribute_with_value("rtpmap", format!("{payload_type} telephone-event/{clock}"));
            media.add_attribute_with_value("fmtp", format!("{payload_type} 0-15"));
        }
    }
}

fn refused(media: &str, profile: &str, formats: &str) -> Media {
    let mut stream = Media::new(MediaType::Audio, 0, TransportProto::RtpAvp, formats);
    stream.media = media.to_owned();
    stream.proto = profile.to_owned();
    stream
}
