//! The audio codecs that an offer or answer may name.

/// An audio codec as SDP knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Codec {
    /// G.722 at 64 kbit/s; samples at 16 kHz, but its RTP clock is 8 kHz (RFC 3551, 4.5.2).
    G722,
    /// Opus (RFC 7587).
    Opus,
    /// G.711 A-law.
    Pcma,
    /// G.711 mu-law.
    Pcmu,
}

impl Codec {
    /// The encoding name in `a=rtpmap`.
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// The RTP clock in Hz.
    pub const fn rtp_clock(self) -> u32 {
        match self {
            Self::Opus => 48_000,
            Self::G722 | Self::Pcma | Self::Pcmu => 8_000,
        }
    }

    /// The payload type that RFC 3551 assigns, where it does.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::G722 => Some(9),
            Self::Opus => None,
            Self::Pcma => Some(8),
            Self::Pcmu => Some(0),
        }
    }

    pub(crate) const ALL: [Self; 4] = [Self::G722, Self::Opus, Self::Pcma, Self::Pcmu];

    pub(crate) fn from_static(payload_type: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type))
    }

    /// Finds a codec by the value of `a=rtpmap` behind the payload type, such as `opus/48000/2`.
    pub(crate) fn from_rtpmap(name: &str, clock: u32, channels: u32) -> Option<Self> {
        let codec = Self::ALL.into_iter().find(|codec| codec.encoding_name().eq_ignore_ascii_case(name))?;
        (codec.rtp_clock() == clock && codec.channels() == channels).then_some(codec)
    }

    /// Channels in `a=rtpmap`; Opus always says 2 (RFC 7587, 7).
    pub(crate) const fn channels(self) -> u32 {
        match self {
            Self::Opus => 2,
            Self::G722 | Self::Pcma | Self::Pcmu => 1,
        }
    }
}
