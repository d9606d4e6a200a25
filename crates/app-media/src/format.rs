//! What a socket carries: the dialect, the rate, and whose audio.

use std::fmt;

use media_engine::FRAME_MS;
use url::form_urlencoded;

/// How audio and control messages are written on a socket; the crate's documentation describes both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// JSON both ways, as audio streaming of Azure Communication Services has it.
    #[default]
    Acs,
    /// The same messages with binary audio, and more of them.
    Hookswitch,
}

impl Dialect {
    /// The name in blobs and addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acs => "acs",
            Self::Hookswitch => "hookswitch",
        }
    }
}

/// Sampling rate of the audio on a socket, both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// 16 kHz.
    #[default]
    Hz16000,
    /// 24 kHz.
    Hz24000,
    /// 48 kHz.
    Hz48000,
}

impl Rate {
    /// Samples in a second.
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
            Self::Hz48000 => 48_000,
        }
    }

    /// Samples in 20 ms: 320, 480 or 960.
    pub const fn frame_samples(self) -> usize {
        (self.hz() / 1000 * FRAME_MS) as usize
    }

    /// Octets in 20 ms.
    pub const fn frame_octets(self) -> usize {
        2 * self.frame_samples()
    }

    /// The rate of that many samples a second, where there is one.
    pub const fn from_hz(hz: u32) -> Option<Self> {
        match hz {
            16_000 => Some(Self::Hz16000),
            24_000 => Some(Self::Hz24000),
            48_000 => Some(Self::Hz48000),
            _ => None,
        }
    }
}

/// Whose audio an application hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channels {
    /// The mix of all others.
    #[default]
    Mixed,
    /// Each participant by itself.
    Unmixed,
    /// The mix, and each participant beside it.
    Both,
}

impl Channels {
    /// The name in blobs and addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mixed => "mixed",
            Self::Unmixed => "unmixed",
            Self::Both => "both",
        }
    }

    /// Whether the mix is wanted.
    pub const fn has_mix(self) -> bool {
        match self {
            Self::Mixed | Self::Both => true,
            Self::Unmixed => false,
        }
    }

    /// Whether each participant is wanted.
    pub const fn has_participants(self) -> bool {
        match self {
            Self::Unmixed | Self::Both => true,
            Self::Mixed => false,
        }
    }
}

/// All that is agreed about a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Format {
    /// How messages are written.
    pub dialect: Dialect,
    /// Sampling rate, both ways.
    pub rate: Rate,
    /// Whose audio is sent.
    pub channels: Channels,
}

/// A member that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{member}: {value} is not one of {known}")]
pub struct FormatError {
    /// Which one: `dialect`, `sampleRate` or `channels`.
    pub member: &'static str,
    /// What was there, shortened.
    pub value: String,
    /// What may be there.
    pub known: &'static str,
}

impl FormatError {
    pub(crate) fn new(member: &'static str, value: &dyn fmt::Display, known: &'static str) -> Self {
        Self { member, value: value.to_string().chars().take(32).collect(), known }
    }
}

impl Format {
    /// Changes what the query of an address names (`dialect`, `sampleRate`, `channels`); other parameters are ignored.
    ///
    /// So an application that dials in can choose.
    ///
    /// # Errors
    ///
    /// [`FormatError`] for a value that is not known.
    pub fn with_query(mut self, query: &str) -> Result<Self, FormatError> {
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "dialect" => self.dialect = dialect(&value)?,
                "sampleRate" => self.rate = rate(&value)?,
                "channels" => self.channels = channels(&value)?,
                _ => {}
            }
        }
        Ok(self)
    }

    /// The query that chooses this, as [`Self::with_query`] reads it; empty for the default.
    pub fn to_query(self) -> String {
        if self == Self::default() {
            return String::new();
        }
        let Self { dialect, rate, channels } = self;
        format!("dialect={}&sampleRate={}&channels={}", dialect.name(), rate.hz(), channels.name())
    }
}

pub(crate) fn dialect(name: &str) -> Result<Dialect, FormatError> {
    let known = [Dialect::Acs, Dialect::Hookswitch];
    let found = known.into_iter().find(|dialect| dialect.name() == name);
    found.ok_or_else(|| FormatError::new("dialect", &name, "acs, hookswitch"))
}

pub(crate) fn rate(hz: &dyn fmt::Display) -> Result<Rate, FormatError> {
    let found = hz.to_string().parse().ok().and_then(Rate::from_hz);
    found.ok_or_else(|| FormatError::new("sampleRate", hz, "16000, 24000, 48000"))
}

pub(crate) fn channels(name: &str) -> Result<Channels, FormatError> {
    let known = [Channels::Mixed, Channels::Unmixed, Channels::Both];
    let found = known.into_iter().find(|channels| channels.name() == name);
    found.ok_or_else(|| FormatError::new("channels", &name, "mixed, unmixed, both"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_chooses_what_it_names_and_keeps_the_rest() {
        let query = "token=abc&sampleRate=24000&channels=both";
        let format = Format::default().with_query(query).unwrap();
        assert_eq!(format, Format { dialect: Dialect::Acs, rate: Rate::Hz24000, channels: Channels::Both });
        assert_eq!(Format::default().with_query(""), Ok(Format::default()));
    }

    #[test]
    fn a_format_is_what_its_query_says() {
        for rate in [Rate::Hz16000, Rate::Hz48000] {
            for (dialect, channels) in
                [(Dialect::Acs, Channels::Mixed), (Dialect::Hookswitch, Channels::Both)]
            {
                let format = Format { dialect, rate, channels };
                assert_eq!(Format::default().with_query(&format.to_query()), Ok(format));
            }
        }
        assert_eq!(Format::default().to_query(), "");
    }

    #[test]
    fn a_query_with_an_unknown_value_is_refused_with_the_known_ones() {
        let rows = [
            ("sampleRate=8000", "sampleRate: 8000 is not one of 16000, 24000, 48000"),
            ("dialect=xml", "dialect: xml is not one of acs, hookswitch"),
            ("channels=", "channels:  is not one of mixed, unmixed, both"),
        ];
        for (query, message) in rows {
            assert_eq!(Format::default().with_query(query).unwrap_err().to_string(), message);
        }
    }
}
