//! Messages from the application.

use std::borrow::Cow;

use base64::Engine as _;
use serde::Deserialize;

use crate::base64::BASE64;
use crate::format::{Dialect, Format};
use crate::violation::Violation;

/// Octets that stay allocated between messages: more than 20 ms at 48 kHz.
const KEPT_OCTETS: usize = 16 * 1024;

/// What a message asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming<'a> {
    /// Say this, and name its end.
    Audio(&'a [i16], Option<String>),
    /// Drop what has not been heard.
    Clear,
    /// Name the end of what was sent so far.
    Mark(String),
    /// Nothing; it only had to be right.
    Nothing,
    /// Say nothing until told to.
    Pause,
    /// Go on.
    Resume,
}

/// Reads messages of a socket, with buffers that it uses over and over.
#[derive(Debug)]
pub(crate) struct Decoder {
    format: Format,
    octets: Vec<u8>,
    samples: Vec<i16>,
}

impl Decoder {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, octets: Vec::new(), samples: Vec::new() }
    }

    /// Reads a binary message: samples, nothing else.
    pub(crate) fn binary(&mut self, octets: &[u8]) -> Result<Incoming<'_>, Violation> {
        match self.format.dialect {
            Dialect::Acs => Err(Violation::Binary),
            Dialect::Hookswitch => {
                self.read_samples(octets)?;
                Ok(Incoming::Audio(&self.samples, None))
            }
        }
    }

    /// Reads a text message.
    pub(crate) fn text(&mut self, text: &str) -> Result<Incoming<'_>, Violation> {
        let wire: Wire<'_> =
            serde_json::from_str(text).map_err(|error| Violation::Json(error.to_string()))?;
        let kind = &*wire.kind.0;
        let is = |name: &str| kind.eq_ignore_ascii_case(name);
        let is_ours = self.format.dialect == Dialect::Hookswitch;
        if is("AudioData") {
            let audio = wire.audio_data.ok_or(Violation::Missing("audioData"))?;
            let data = audio.data.ok_or(Violation::Missing("data"))?;
            self.read_base64(&data.0)?;
            let mark = audio.mark.map(WireMark::name).transpose()?;
            Ok(Incoming::Audio(&self.samples, mark))
        } else if is("StopAudio") || is_ours && is("Clear") {
            Ok(Incoming::Clear)
        } else if is("MarkData") {
            let mark = wire.mark_data.ok_or(Violation::Missing("markData"))?;
            Ok(Incoming::Mark(mark.name()?))
        } else if is("AudioMetadata") {
            self.check(wire.audio_metadata.ok_or(Violation::Missing("audioMetadata"))?)?;
            Ok(Incoming::Nothing)
        } else if is_ours && is("Mark") {
            let name = wire.name.ok_or(Violation::Missing("name"))?;
            Ok(Incoming::Mark(name.0.into_owned()))
        } else if is_ours && is("Pause") {
            Ok(Incoming::Pause)
        } else if is_ours && is("Resume") {
            Ok(Incoming::Resume)
        } else {
            Err(Violation::UnknownKind(kind.chars().take(32).collect()))
        }
    }

    fn read_base64(&mut self, data: &str) -> Result<(), Violation> {
        let mut octets = std::mem::take(&mut self.octets);
        octets.clear();
        octets.resize(data.len().div_ceil(4) * 3, 0);
        let decoded = BASE64.decode_slice(data, &mut octets).map_err(|_| Violation::NotBase64);
        let read = decoded.and_then(|length| self.read_samples(octets.get(..length).unwrap_or_default()));
        self.octets = kept(octets);
        read
    }

    fn read_samples(&mut self, octets: &[u8]) -> Result<(), Violation> {
        let (pairs, rest) = octets.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Violation::OddSize(octets.len()));
        }
        self.samples = kept(std::mem::take(&mut self.samples));
        self.samples.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
        Ok(())
    }

    /// Holds what an application says of its audio against what was agreed.
    fn check(&self, metadata: WireMetadata<'_>) -> Result<(), Violation> {
        let agreed = self.format.rate.hz();
        let differs = |what, found: String, agreed: String| Err(Violation::Format { what, found, agreed });
        if let Some(rate) = metadata.sample_rate.filter(|rate| *rate != agreed) {
            return differs("sampleRate", rate.to_string(), agreed.to_string());
        }
        if let Some(channels) = metadata.channels.filter(|channels| *channels != 1) {
            return differs("channels", channels.to_string(), "1".to_owned());
        }
        if let Some(encoding) = metadata.encoding.filter(|encoding| !encoding.0.eq_ignore_ascii_case("PCM")) {
            return differs("encoding", encoding.0.chars().take(32).collect(), "PCM".to_owned());
        }
        Ok(())
    }
}

/// An empty buffer with the capacity of the old one, unless that is large.
fn kept<T>(mut buffer: Vec<T>) -> Vec<T> {
    buffer.clear();
    if buffer.capacity() > KEPT_OCTETS {
        buffer = Vec::new();
    }
    buffer
}

/// Borrows what has no escapes; a plain `Option<Cow<str>>` never would.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Any message. SDKs write members as `audioData`, samples for .NET as `AudioData`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow, alias = "Kind")]
    kind: Text<'a>,
    #[serde(borrow, default, alias = "AudioData")]
    audio_data: Option<WireAudio<'a>>,
    #[serde(borrow, default, alias = "AudioMetadata")]
    audio_metadata: Option<WireMetadata<'a>>,
    #[serde(borrow, default, alias = "MarkData")]
    mark_data: Option<WireMark<'a>>,
    #[serde(borrow, default, alias = "Name")]
    name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAudio<'a> {
    #[serde(borrow, default, alias = "Data")]
    data: Option<Text<'a>>,
    #[serde(borrow, default, alias = "Mark")]
    mark: Option<WireMark<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMetadata<'a> {
    #[serde(borrow, default, alias = "Encoding")]
    encoding: Option<Text<'a>>,
    #[serde(default, alias = "SampleRate")]
    sample_rate: Option<u32>,
    #[serde(default, alias = "Channels")]
    channels: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMark<'a> {
    #[serde(borrow, default, alias = "Id")]
    id: Option<Text<'a>>,
}

impl WireMark<'_> {
    fn name(self) -> Result<String, Violation> {
        self.id.map(|id| id.0.into_owned()).ok_or(Violation::Missing("id"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoder(dialect: Dialect) -> Decoder {
        Decoder::new(Format { dialect, ..Format::default() })
    }

    #[test]
    fn audio_is_read_in_the_spellings_of_sdks_and_samples() {
        let texts = [
            r#"{"kind":"AudioData","audioData":{"data":"AQD+/wIB"}}"#,
            r#"{"Kind":"AudioData","AudioData":{"Data":"AQD+/wIB"},"StopAudio":null}"#,
            r#"{"kind":"audioData","audioData":{"timestamp":null,"data":"AQD\u002B/wIB","isSilent":false},"stopAudio":{}}"#,
            r#"{"audioData":{"silent":false,"participantRawID":"x","data":"AQD+\/wIB"},"kind":"AudioData"}"#,
        ];
        for text in texts {
            for dialect in [Dialect::Acs, Dialect::Hookswitch] {
                assert_eq!(decoder(dialect).text(text), Ok(Incoming::Audio(&[1, -2, 258], None)), "{text}");
            }
        }
    }

    #[test]
    fn padding_may_be_left_out() {
        let text = r#"{"kind":"AudioData","audioData":{"data":"AQA"}}"#;
        assert_eq!(decoder(Dialect::Acs).text(text), Ok(Incoming::Audio(&[1], None)));
    }

    #[test]
    fn controls_are_read_in_each_dialect_that_has_them() {
        let both = [
            (r#"{"kind":"StopAudio","stopAudio":{}}"#, Incoming::Clear),
            (r#"{"Kind":"StopAudio","AudioData":null,"StopAudio":{}}"#, Incoming::Clear),
            (r#"{"kind":"MarkData","markData":{"id":"m"}}"#, Incoming::Mark("m".to_owned())),
            (
                r#"{"kind":"AudioMetadata","audioMetadata":{"encoding":"PCM","sampleRate":16000}}"#,
                Incoming::Nothing,
            ),
            (
                r#"{"kind":"AudioData","audioData":{"data":"","mark":{"Id":"m"}}}"#,
                Incoming::Audio(&[], Some("m".to_owned())),
            ),
        ];
        for (text, expected) in both {
            assert_eq!(decoder(Dialect::Acs).text(text), Ok(expected), "{text}");
        }
        let ours = [
            (r#"{"kind":"Mark","name":"m"}"#, Incoming::Mark("m".to_owned())),
            (r#"{"kind":"Clear"}"#, Incoming::Clear),
            (r#"{"kind":"Pause"}"#, Incoming::Pause),
            (r#"{"kind":"Resume"}"#, Incoming::Resume),
        ];
        for (text, expected) in ours {
            assert_eq!(decoder(Dialect::Hookswitch).text(text), Ok(expected), "{text}");
            assert!(matches!(decoder(Dialect::Acs).text(text), Err(Violation::UnknownKind(_))), "{text}");
        }
    }

    #[test]
    fn binary_messages_are_samples_and_only_in_our_dialect() {
        assert_eq!(
            decoder(Dialect::Hookswitch).binary(&[1, 0, 0xFE, 0xFF]),
            Ok(Incoming::Audio(&[1, -2], None))
        );
        assert_eq!(decoder(Dialect::Hookswitch).binary(&[]), Ok(Incoming::Audio(&[], None)));
        assert_eq!(decoder(Dialect::Hookswitch).binary(&[1, 2, 3]), Err(Violation::OddSize(3)));
        assert_eq!(decoder(Dialect::Acs).binary(&[1, 2]).unwrap_err().code(), 1003);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_code() {
        let rows = [
            (1007, "", "malformed JSON: EOF while parsing a value at line 1 column 0"),
            (1007, "{}", "malformed JSON: missing field `kind` at line 1 column 2"),
            (
                1007,
                r#"{"kind":5}"#,
                "malformed JSON: invalid type: integer `5`, expected a string at line 1 column 9",
            ),
            (1007, r#"{"kind":"AudioData"}"#, "audioData is missing"),
            (1007, r#"{"kind":"AudioData","audioData":{}}"#, "data is missing"),
            (1007, r#"{"kind":"AudioData","audioData":{"data":"%%%%"}}"#, "audio is not base64"),
            (1007, r#"{"kind":"AudioData","audioData":{"data":"AAAA="}}"#, "audio is not base64"),
            (
                1007,
                r#"{"kind":"AudioData","audioData":{"data":"AAAA"}}"#,
                "3 octets are no whole number of 16-bit samples",
            ),
            (1007, r#"{"kind":"MarkData","markData":{}}"#, "id is missing"),
            (1003, r#"{"kind":"Fax"}"#, "the dialect has no message 'Fax'"),
            (
                1003,
                r#"{"kind":"AudioMetadata","audioMetadata":{"sampleRate":8000}}"#,
                "sampleRate is 8000; this socket carries 16000",
            ),
            (
                1003,
                r#"{"kind":"AudioMetadata","audioMetadata":{"channels":2}}"#,
                "channels is 2; this socket carries 1",
            ),
            (
                1003,
                r#"{"kind":"AudioMetadata","audioMetadata":{"encoding":"OPUS"}}"#,
                "encoding is OPUS; this socket carries PCM",
            ),
        ];
        for (code, text, reason) in rows {
            let violation = decoder(Dialect::Acs).text(text).unwrap_err();
            assert_eq!((violation.code(), violation.to_string().as_str()), (code, reason));
        }
    }

    #[test]
    fn buffers_of_a_long_message_are_given_back() {
        let mut decoder = decoder(Dialect::Hookswitch);
        decoder.binary(&[0; 1_000_000]).unwrap();
        decoder.binary(&[0; 640]).unwrap();
        assert!(decoder.samples.capacity() <= KEPT_OCTETS);
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(
            octets in prop::collection::vec(any::<u8>(), 0..300),
            text in r#"(\{"[kK]ind":"(AudioData|Mark|MarkData|AudioMetadata)",("audioData":\{"data":)?)?.{0,60}"#
        ) {
            for dialect in [Dialect::Acs, Dialect::Hookswitch] {
                let _ = decoder(dialect).binary(&octets);
                let _ = decoder(dialect).text(&text);
                let _ = decoder(dialect).text(&String::from_utf8_lossy(&octets));
            }
        }

        #[test]
        fn samples_survive_the_way_there_and_back(samples in prop::collection::vec(any::<i16>(), 0..2000)) {
            let octets: Vec<u8> = samples.iter().flat_map(|x| x.to_le_bytes()).collect();
            let (mut ours, mut acs) = (decoder(Dialect::Hookswitch), decoder(Dialect::Acs));
            prop_assert_eq!(ours.binary(&octets), Ok(Incoming::Audio(&samples, None)));
            let data = BASE64.encode(&octets);
            let text = format!(r#"{{"kind":"AudioData","audioData":{{"data":"{data}"}}}}"#);
            prop_assert_eq!(acs.text(&text), Ok(Incoming::Audio(&samples, None)));
        }
    }
}
