//! Messages to the application.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use bytes::{BufMut, Bytes, BytesMut};
use model::{ParticipantId, Tone};
use serde::Serialize;

use crate::base64::BASE64;
use crate::format::{Dialect, Format};
use crate::playout::Report;

/// What the buffer of messages begins with; a message at 16 kHz takes about a quarter of it.
const BUFFER_OCTETS: usize = 4096;

/// The header of binary audio; the crate's documentation has its layout.
pub const BINARY_HEADER_OCTETS: usize = 32;
/// The version in that header.
pub const BINARY_VERSION: u8 = 1;

/// A message to the application.
#[derive(Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// Binary.
    Binary(Bytes),
    /// A ping.
    Ping,
    /// Text.
    Text(Bytes),
}

/// Without the content: that is what people say, or an address with a token.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary(octets) => write!(f, "Binary({} octets)", octets.len()),
            Self::Ping => f.write_str("Ping"),
            Self::Text(text) => write!(f, "Text({} octets)", text.len()),
        }
    }
}

impl Outgoing {
    /// The size of its content.
    pub fn octets(&self) -> usize {
        match self {
            Self::Binary(bytes) | Self::Text(bytes) => bytes.len(),
            Self::Ping => 0,
        }
    }
}

/// Somebody in the roster who can be heard: the ids of notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id of the participant.
    pub participant: ParticipantId,
    /// The number of the participant's audio, `sourceId` of its media stream.
    pub source_id: u32,
}

/// 20 ms of somebody, or of all.
pub(crate) struct Piece<'a> {
    pub(crate) speaker: Option<Person>,
    pub(crate) timestamp_48k: u64,
    pub(crate) samples: &'a [i16],
    pub(crate) is_silent: bool,
}

/// What the first message tells.
pub(crate) struct Greeting<'a> {
    pub(crate) subscription: &'a str,
    pub(crate) max_queued: Duration,
    pub(crate) roster: &'a [Person],
    pub(crate) dominant: Option<Person>,
    pub(crate) resume_url: Option<&'a str>,
}

/// Writes messages of a socket into one buffer, over and over.
#[derive(Debug)]
pub(crate) struct Encoder {
    format: Format,
    buffer: BytesMut,
    octets: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new(format: Format) -> Self {
        Self { format, buffer: BytesMut::with_capacity(BUFFER_OCTETS), octets: Vec::new() }
    }

    /// Writes audio as the dialect has it.
    pub(crate) fn audio(&mut self, piece: &Piece<'_>) -> Outgoing {
        match self.format.dialect {
            Dialect::Acs => self.audio_text(piece),
            Dialect::Hookswitch => self.audio_binary(piece),
        }
    }

    fn audio_text(&mut self, piece: &Piece<'_>) -> Outgoing {
        self.octets.clear();
        self.octets.resize(2 * piece.samples.len(), 0);
        write_samples(piece.samples, &mut self.octets);
        let length = self.octets.len().div_ceil(3) * 4;
        self.buffer.reserve(256 + length);
        self.buffer.put_slice(br#"{"kind":"AudioData","audioData":{"timestamp":""#);
        self.buffer.put_slice(&timestamp(piece.timestamp_48k));
        self.buffer.put_slice(br#"","#);
        if let Some(speaker) = piece.speaker {
            self.buffer.put_slice(br#""participantRawID":""#);
            let mut id = [0; 36];
            self.buffer
                .put_slice(speaker.participant.guid().as_hyphenated().encode_lower(&mut id).as_bytes());
            self.buffer.put_slice(br#"","#);
        }
        self.buffer.put_slice(br#""data":""#);
        let start = self.buffer.len();
        self.buffer.put_bytes(0, length);
        let data = self.buffer.get_mut(start..).unwrap_or_default();
        BASE64.encode_slice(&self.octets, data).expect("base64 takes four octets for three");
        let end: &[u8] = if piece.is_silent { br#"","silent":true}}"# } else { br#"","silent":false}}"# };
        self.buffer.put_slice(end);
        Outgoing::Text(self.buffer.split().freeze())
    }

    fn audio_binary(&mut self, piece: &Piece<'_>) -> Outgoing {
        let length = 2 * piece.samples.len();
        self.buffer.reserve(BINARY_HEADER_OCTETS + length);
        self.buffer.put_u8(BINARY_VERSION);
        self.buffer.put_u8(u8::from(piece.speaker.is_some()));
        self.buffer.put_u8(u8::from(piece.is_silent));
        self.buffer.put_u8(0);
        self.buffer.put_u32_le(piece.speaker.map_or(0, |speaker| speaker.source_id));
        self.buffer.put_u64_le(piece.timestamp_48k);
        let participant = piece.speaker.map(|speaker| speaker.participant.guid().into_bytes());
        self.buffer.put_slice(&participant.unwrap_or_default());
        let start = self.buffer.len();
        self.buffer.put_bytes(0, length);
        write_samples(piece.samples, self.buffer.get_mut(start..).unwrap_or_default());
        Outgoing::Binary(self.buffer.split().freeze())
    }

    /// The first message on every socket.
    pub(crate) fn greeting(&self, greeting: &Greeting<'_>) -> Outgoing {
        let is_ours = self.format.dialect == Dialect::Hookswitch;
        let ours = is_ours.then(|| WireOurs {
            version: BINARY_VERSION,
            channels: self.format.channels.name(),
            max_queued_ms: greeting.max_queued.as_millis() as u64,
            participants: people(greeting.roster),
            dominant_speaker: greeting.dominant.map(WirePerson::from),
        });
        text(&WireGreeting {
            kind: "AudioMetadata",
            audio_metadata: WireMetadata {
                subscription_id: greeting.subscription,
                encoding: "PCM",
                sample_rate: self.format.rate.hz(),
                channels: 1,
                length: self.format.rate.frame_octets(),
            },
            hookswitch: (is_ours || greeting.resume_url.is_some())
                .then_some(WireMore { ours, resume_url: greeting.resume_url }),
        })
    }

    /// What became of a mark.
    pub(crate) fn mark(&self, report: &Report, heard: Duration) -> Outgoing {
        let (name, kind, status) = match report {
            Report::Cleared(name) => (name, "MarkCleared", "cancelled"),
            Report::Reached(name) => (name, "MarkReached", "completed"),
        };
        match self.format.dialect {
            Dialect::Acs => {
                text(&WireMarkData { kind: "MarkData", mark_data: WireMark { id: name, status } })
            }
            Dialect::Hookswitch => text(&WireMarkReport { kind, name, heard_ms: heard.as_millis() as u64 }),
        }
    }

    /// What a clear dropped, where the dialect tells.
    pub(crate) fn cleared(&self, dropped: Duration, heard: Duration) -> Option<Outgoing> {
        let message = WireCleared {
            kind: "Cleared",
            dropped_ms: dropped.as_millis() as u64,
            heard_ms: heard.as_millis() as u64,
        };
        self.ours(&message)
    }

    /// Who is there, where the dialect tells.
    pub(crate) fn roster(&self, roster: &[Person]) -> Option<Outgoing> {
        self.ours(&WireRoster { kind: "Roster", participants: people(roster) })
    }

    /// Who speaks most, where the dialect tells.
    pub(crate) fn dominant(&self, person: Option<Person>) -> Option<Outgoing> {
        let person = person.map(WirePerson::from);
        self.ours(&WireDominant {
            kind: "DominantSpeaker",
            participant_id: person.as_ref().map(|person| person.participant_id.clone()),
            source_id: person.map(|person| person.source_id),
        })
    }

    /// A key that was heard.
    pub(crate) fn tone(&self, tone: Tone, participant: Option<ParticipantId>) -> Outgoing {
        let is_ours = self.format.dialect == Dialect::Hookswitch;
        text(&WireDtmf {
            kind: "DtmfData",
            dtmf_data: WireKey {
                data: tone.key(),
                tone: is_ours.then(|| tone.name()),
                participant_id: participant.filter(|_| is_ours).map(|id| id.to_string()),
            },
        })
    }

    fn ours(&self, message: &impl Serialize) -> Option<Outgoing> {
        (self.format.dialect == Dialect::Hookswitch).then(|| text(message))
    }
}

fn text(message: &impl Serialize) -> Outgoing {
    Outgoing::Text(serde_json::to_vec(message).expect("texts and numbers can be written").into())
}

fn write_samples(samples: &[i16], out: &mut [u8]) {
    for (octets, sample) in out.chunks_exact_mut(2).zip(samples) {
        octets.copy_from_slice(&sample.to_le_bytes());
    }
}

/// Writes a time as `2024-11-15T19:16:12.925Z`.
fn timestamp(at_48k: u64) -> [u8; 24] {
    let ms = at_48k / 48;
    let (day, ms) = (ms / 86_400_000, ms % 86_400_000);
    // Days since 1970 as a date, by the algorithm of days from civil: years begin in March, so leap days are last.
    let day = day + 719_468;
    let (era, day_of_era) = (day / 146_097, day % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = (era * 400 + year_of_era + u64::from(month <= 2)).min(9999);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let fields = [
        (0..4, year),
        (5..7, month),
        (8..10, day_of_month),
        (11..13, ms / 3_600_000),
        (14..16, ms / 60_000 % 60),
        (17..19, ms / 1000 % 60),
        (20..23, ms % 1000),
    ];
    for (place, mut value) in fields {
        for digit in text.get_mut(place).into_iter().flatten().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }
    text
}

fn people(roster: &[Person]) -> Vec<WirePerson> {
    roster.iter().copied().map(WirePerson::from).collect()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireGreeting<'a> {
    kind: &'static str,
    audio_metadata: WireMetadata<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hookswitch: Option<WireMore<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMetadata<'a> {
    subscription_id: &'a str,
    encoding: &'static str,
    sample_rate: u32,
    channels: u8,
    length: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMore<'a> {
    #[serde(flatten)]
    ours: Option<WireOurs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resume_url: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireOurs {
    version: u8,
    channels: &'static str,
    max_queued_ms: u64,
    participants: Vec<WirePerson>,
    dominant_speaker: Option<WirePerson>,
}

/// Both ids as notifications write them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WirePerson {
    participant_id: String,
    source_id: String,
}

impl From<Person> for WirePerson {
    fn from(person: Person) -> Self {
        Self { participant_id: person.participant.to_string(), source_id: person.source_id.to_string() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMarkData<'a> {
    kind: &'static str,
    mark_data: WireMark<'a>,
}

#[derive(Serialize)]
struct WireMark<'a> {
    id: &'a str,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireMarkReport<'a> {
    kind: &'static str,
    name: &'a str,
    heard_ms: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireCleared {
    kind: &'static str,
    dropped_ms: u64,
    heard_ms: u64,
}

#[derive(Serialize)]
struct WireRoster {
    kind: &'static str,
    participants: Vec<WirePerson>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireDominant {
    kind: &'static str,
    participant_id: Option<String>,
    source_id: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireDtmf {
    kind: &'static str,
    dtmf_data: WireKey,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    data: char,
    #[serde(skip_serializing_if = "Option::is_none")]
    tone: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    participant_id: Option<String>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::format::{Channels, Rate};

    const GUID: &str = "112f7296-5fa4-42ca-bae8-6a692b15d4b8";
    /// 2024-11-15T19:16:12.925Z.
    const AT_48K: u64 = 1_731_698_172_925 * 48;

    fn encoder(dialect: Dialect) -> Encoder {
        Encoder::new(Format { dialect, rate: Rate::Hz16000, channels: Channels::Both })
    }

    fn john() -> Person {
        Person { participant: ParticipantId::parse(GUID).unwrap(), source_id: 7 }
    }

    fn shown(message: Outgoing) -> String {
        let Outgoing::Text(text) = message else { panic!("{message:?}") };
        String::from_utf8(text.to_vec()).unwrap()
    }

    #[test]
    fn acs_audio_is_the_json_of_azure_communication_services() {
        let mut encoder = encoder(Dialect::Acs);
        let mut piece =
            Piece { speaker: Some(john()), timestamp_48k: AT_48K, samples: &[1, -2, 258], is_silent: false };
        assert_eq!(
            shown(encoder.audio(&piece)),
            concat!(
                r#"{"kind":"AudioData","audioData":{"timestamp":"2024-11-15T19:16:12.925Z","#,
                r#""participantRawID":"112f7296-5fa4-42ca-bae8-6a692b15d4b8","data":"AQD+/wIB","silent":false}}"#
            )
        );
        (piece.speaker, piece.samples, piece.is_silent) = (None, &[0], true);
        assert_eq!(
            shown(encoder.audio(&piece)),
            r#"{"kind":"AudioData","audioData":{"timestamp":"2024-11-15T19:16:12.925Z","data":"AAA=","silent":true}}"#
        );
    }

    #[test]
    fn hookswitch_audio_is_a_header_of_32_octets_and_samples() {
        let mut encoder = encoder(Dialect::Hookswitch);
        let mut piece = Piece {
            speaker: Some(john()),
            timestamp_48k: 0x0102_0304_0506,
            samples: &[1, -2],
            is_silent: false,
        };
        let mut expected = vec![1, 1, 0, 0, 7, 0, 0, 0, 6, 5, 4, 3, 2, 1, 0, 0];
        expected.extend(Uuid::try_parse(GUID).unwrap().as_bytes());
        expected.extend([1, 0, 0xFE, 0xFF]);
        assert_eq!(encoder.audio(&piece), Outgoing::Binary(expected.into()));
        (piece.speaker, piece.samples, piece.is_silent, piece.timestamp_48k) = (None, &[0], true, 1);
        let mut expected = vec![1, 0, 1, 0, 0, 0, 0, 0, 1];
        expected.resize(34, 0);
        assert_eq!(encoder.audio(&piece), Outgoing::Binary(expected.into()));
    }

    #[test]
    fn the_first_message_is_audio_metadata_and_in_our_dialect_tells_who_is_there() {
        let mut greeting = Greeting {
            subscription: "s",
            max_queued: Duration::from_secs(120),
            roster: &[john()],
            dominant: None,
            resume_url: None,
        };
        let metadata = concat!(
            r#"{"kind":"AudioMetadata","audioMetadata":{"subscriptionId":"s","encoding":"PCM","sampleRate":16000,"#,
            r#""channels":1,"length":640}"#
        );
        assert_eq!(shown(encoder(Dialect::Acs).greeting(&greeting)), format!("{metadata}}}"));
        greeting.resume_url = Some("wss://h/?t=1");
        assert_eq!(
            shown(encoder(Dialect::Acs).greeting(&greeting)),
            format!(r#"{metadata},"hookswitch":{{"resumeUrl":"wss://h/?t=1"}}}}"#)
        );
        let ours = concat!(
            r#""hookswitch":{"version":1,"channels":"both","maxQueuedMs":120000,"#,
            r#""participants":[{"participantId":"112f7296-5fa4-42ca-bae8-6a692b15d4b8","sourceId":"7"}],"#,
            r#""dominantSpeaker":null,"resumeUrl":"wss://h/?t=1"}}"#
        );
        assert_eq!(shown(encoder(Dialect::Hookswitch).greeting(&greeting)), format!("{metadata},{ours}"));
    }

    #[test]
    fn marks_are_reported_as_each_dialect_has_them() {
        let heard = Duration::from_millis(1040);
        let report = Report::Reached("a\"b".to_owned());
        assert_eq!(
            shown(encoder(Dialect::Hookswitch).mark(&report, heard)),
            r#"{"kind":"MarkReached","name":"a\"b","heardMs":1040}"#
        );
        assert_eq!(
            shown(encoder(Dialect::Acs).mark(&Report::Cleared("a".to_owned()), heard)),
            r#"{"kind":"MarkData","markData":{"id":"a","status":"cancelled"}}"#
        );
        assert_eq!(
            encoder(Dialect::Hookswitch).cleared(Duration::from_secs(1), heard).map(shown).as_deref(),
            Some(r#"{"kind":"Cleared","droppedMs":1000,"heardMs":1040}"#)
        );
        assert_eq!(encoder(Dialect::Acs).cleared(heard, heard), None);
    }

    #[test]
    fn keys_speakers_and_rosters_are_told() {
        let (acs, ours) = (encoder(Dialect::Acs), encoder(Dialect::Hookswitch));
        let id = john().participant;
        assert_eq!(
            shown(acs.tone(Tone::Pound, Some(id))),
            r##"{"kind":"DtmfData","dtmfData":{"data":"#"}}"##
        );
        assert_eq!(
            shown(ours.tone(Tone::Digit(5), Some(id))),
            format!(
                r#"{{"kind":"DtmfData","dtmfData":{{"data":"5","tone":"tone5","participantId":"{GUID}"}}}}"#
            )
        );
        assert_eq!(
            ours.dominant(Some(john())).map(shown),
            Some(format!(r#"{{"kind":"DominantSpeaker","participantId":"{GUID}","sourceId":"7"}}"#))
        );
        assert_eq!(
            ours.dominant(None).map(shown).as_deref(),
            Some(r#"{"kind":"DominantSpeaker","participantId":null,"sourceId":null}"#)
        );
        assert_eq!(ours.roster(&[]).map(shown).as_deref(), Some(r#"{"kind":"Roster","participants":[]}"#));
        assert_eq!((acs.dominant(None), acs.roster(&[])), (None, None));
    }

    #[test]
    fn times_are_dates_of_the_gregorian_calendar() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ];
        for (ms, expected) in rows {
            assert_eq!(str::from_utf8(&timestamp(ms * 48 + 47)), Ok(expected));
        }
        assert_eq!(timestamp(u64::MAX).first(), Some(&b'9'));
    }

    #[test]
    fn one_buffer_serves_all_messages_that_are_sent_at_once() {
        let mut encoder = encoder(Dialect::Acs);
        let piece = Piece { speaker: None, timestamp_48k: 0, samples: &[5; 320], is_silent: false };
        for _ in 0..100 {
            encoder.audio(&piece);
        }
        encoder.buffer.reserve(1);
        assert!(encoder.buffer.capacity() <= BUFFER_OCTETS);
    }
}
