use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Where a prompt is found (`mediaInfo`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MediaInfo {
    /// The address of a WAV file.
    pub uri: String,
    /// The key under which it may be kept once fetched.
    pub resource_id: Option<String>,
}

/// A prompt to be played (`mediaPrompt`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaPrompt {
    /// What to play.
    pub media: MediaInfo,
}

/// What `recordResponse` asks for; durations are within the documented 1 to 120 s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordParams {
    /// Played first, at most one.
    pub prompts: Vec<MediaPrompt>,
    /// Whether queued and running media operations are pre-empted.
    pub barge_in_allowed: bool,
    /// How long to wait for the first sound after the prompt.
    pub initial_silence_timeout: Duration,
    /// How long a silence ends the recording.
    pub max_silence_timeout: Duration,
    /// How long the recording may be.
    pub max_record_duration: Duration,
    /// Whether a beep is heard before the recording starts.
    pub play_beep: bool,
    /// Keys that end the recording.
    pub stop_tones: Vec<Tone>,
}

/// A key of a telephone (`tone`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tone {
    /// A digit, 0 to 9.
    Digit(u8),
    /// The star key.
    Star,
    /// The pound (hash) key.
    Pound,
    /// The key A of the fourth column.
    A,
    /// The key B of the fourth column.
    B,
    /// The key C of the fourth column.
    C,
    /// The key D of the fourth column.
    D,
    /// A hook flash.
    Flash,
}

/// The text names no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a tone")]
pub struct ParseToneError;

impl Tone {
    /// The name in tone notifications and `sendDtmfTones`: `tone0` … `tone9`, `star`, `pound`, `a` … `d`, `flash`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Digit(0) => "tone0",
            Self::Digit(1) => "tone1",
            Self::Digit(2) => "tone2",
            Self::Digit(3) => "tone3",
            Self::Digit(4) => "tone4",
            Self::Digit(5) => "tone5",
            Self::Digit(6) => "tone6",
            Self::Digit(7) => "tone7",
            Self::Digit(8) => "tone8",
            Self::Digit(_) => "tone9",
            Self::Star => "star",
            Self::Pound => "pound",
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::D => "d",
            Self::Flash => "flash",
        }
    }

    /// Reads the character on the key, as `stopTones` writes it.
    ///
    /// # Errors
    ///
    /// [`ParseToneError`] where no key shows that character.
    pub fn from_key(key: char) -> Result<Self, ParseToneError> {
        match key.to_ascii_lowercase() {
            '*' => Ok(Self::Star),
            '#' => Ok(Self::Pound),
            'a' => Ok(Self::A),
            'b' => Ok(Self::B),
            'c' => Ok(Self::C),
            'd' => Ok(Self::D),
            '!' => Ok(Self::Flash),
            digit => digit
                .to_digit(10)
                .and_then(|value| u8::try_from(value).ok())
                .map(Self::Digit)
                .ok_or(ParseToneError),
        }
    }

    /// The character on the key.
    pub const fn key(self) -> char {
        match self {
            Self::Digit(digit) => (b'0' + digit % 10) as char,
            Self::Star => '*',
            Self::Pound => '#',
            Self::A => 'A',
            Self::B => 'B',
            Self::C => 'C',
            Self::D => 'D',
            Self::Flash => '!',
        }
    }
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Tone {
    type Err = ParseToneError;

    /// Reads the API's name in any case.
    fn from_str(text: &str) -> Result<Self, ParseToneError> {
        let all = (0..10).map(Self::Digit).chain([
            Self::Star,
            Self::Pound,
            Self::A,
            Self::B,
            Self::C,
            Self::D,
            Self::Flash,
        ]);
        all.into_iter().find(|tone| tone.name().eq_ignore_ascii_case(text)).ok_or(ParseToneError)
    }
}

#[cfg(test)]
mod tests {
    use super::Tone;

    #[test]
    fn every_key_survives_both_of_its_spellings() {
        for key in "0123456789*#ABCD!".chars() {
            let tone = Tone::from_key(key).unwrap();
            assert_eq!(tone.key(), key);
            assert_eq!(tone.name().to_uppercase().parse(), Ok(tone));
        }
    }
}
