//! What the codecs are called, how fast they run, and how much audio one frame holds.

/// Length of one media tick and of one [`crate::Frame`], in milliseconds.
pub const FRAME_MS: u32 = 20;

/// Frames in a second of audio.
pub(crate) const FRAMES_PER_SECOND: u32 = 1000 / FRAME_MS;

/// Sampling rates that audio has inside the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SampleRate {
    /// Narrowband: G.711.
    Hz8000,
    /// Wideband: G.722, prompts and recordings.
    Hz16000,
    /// Fullband: Opus.
    Hz48000,
}

impl SampleRate {
    /// Samples in a second.
    #[must_use]
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz48000 => 48_000,
        }
    }

    /// Samples in one frame of [`FRAME_MS`]: 160, 320 or 960.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        (self.hz() / FRAMES_PER_SECOND) as usize
    }

    /// Samples in a millisecond.
    pub(crate) const fn per_ms(self) -> usize {
        (self.hz() / 1000) as usize
    }
}

/// Audio codecs that a leg can negotiate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// ITU-T G.722 at 64 kbit/s.
    G722,
    /// Opus (RFC 6716, RFC 7587), mono.
    Opus,
    /// ITU-T G.711 A-law.
    Pcma,
    /// ITU-T G.711 µ-law.
    Pcmu,
}

impl Codec {
    /// The rate of the decoded audio.
    #[must_use]
    pub const fn sample_rate(self) -> SampleRate {
        match self {
            Self::G722 => SampleRate::Hz16000,
            Self::Opus => SampleRate::Hz48000,
            Self::Pcma | Self::Pcmu => SampleRate::Hz8000,
        }
    }

    /// The rate of the RTP timestamp; 8000 for G.722 for historical reasons (RFC 3551, 4.5.2).
    #[must_use]
    pub const fn clock_rate(self) -> u32 {
        match self {
            Self::G722 | Self::Pcma | Self::Pcmu => 8_000,
            Self::Opus => 48_000,
        }
    }

    /// The payload type that RFC 3551 (table 4) assigns, if any.
    #[must_use]
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Self::G722 => Some(9),
            Self::Opus => None,
            Self::Pcma => Some(8),
            Self::Pcmu => Some(0),
        }
    }

    /// The encoding name of the SDP `rtpmap` line.
    #[must_use]
    pub const fn encoding_name(self) -> &'static str {
        match self {
            Self::G722 => "G722",
            Self::Opus => "opus",
            Self::Pcma => "PCMA",
            Self::Pcmu => "PCMU",
        }
    }

    /// Samples of decoded audio in one frame.
    #[must_use]
    pub const fn frame_samples(self) -> usize {
        self.sample_rate().frame_samples()
    }

    /// How far the RTP timestamp moves with one frame.
    #[must_use]
    pub const fn frame_ticks(self) -> u32 {
        self.clock_rate() / FRAMES_PER_SECOND
    }

    /// Decoded samples that one unit of the RTP timestamp stands for: 2 for G.722, else 1.
    pub(crate) const fn samples_per_tick(self) -> usize {
        (self.sample_rate().hz() / self.clock_rate()) as usize
    }

    /// True when every octet of a payload is one timestamp unit, so payloads can be cut anywhere.
    pub(crate) const fn is_octet_per_tick(self) -> bool {
        match self {
            Self::G722 | Self::Pcma | Self::Pcmu => true,
            Self::Opus => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_payload_types_are_those_of_rfc_3551() {
        let rows = [
            (Codec::Pcmu, 8_000, 8_000, Some(0), 160, 160),
            (Codec::Pcma, 8_000, 8_000, Some(8), 160, 160),
            (Codec::G722, 16_000, 8_000, Some(9), 320, 160),
            (Codec::Opus, 48_000, 48_000, None, 960, 960),
        ];
        for (codec, audio, clock, payload_type, samples, ticks) in rows {
            assert_eq!(codec.sample_rate().hz(), audio, "{codec:?}");
            assert_eq!(codec.clock_rate(), clock, "{codec:?}");
            assert_eq!(codec.static_payload_type(), payload_type, "{codec:?}");
            assert_eq!(codec.frame_samples(), samples, "{codec:?}");
            assert_eq!(codec.frame_ticks(), ticks, "{codec:?}");
        }
    }
}
