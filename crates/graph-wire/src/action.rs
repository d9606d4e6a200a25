//! The bodies of a call's media actions.

use std::time::Duration;

use model::{MediaPrompt, OperationKind, RecordParams, Tone};
use serde_json::{Map, Value};

use crate::invalid_request::Path;
use crate::limits::{
    DEFAULT_DELAY_BETWEEN_TONES_MS, DEFAULT_RECORD_SECONDS, MAX_RECORD_PROMPTS, MIN_RECORD_SECONDS,
};
use crate::media::check_url;
use crate::wire::{Fields, Member, Shape, Wire};
use crate::{InvalidRequest, Limits, json};

macro_rules! action {
    ($(#[$doc:meta])* $name:ident { $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
            /// The caller's string, echoed unchanged.
            pub client_context: Option<String>,
        }

        impl $name {
            /// Reads a body; an empty one is an empty object.
            ///
            /// # Errors
            ///
            /// [`InvalidRequest`] with the place of the first thing that is wrong.
            pub fn decode(body: &[u8], limits: &Limits) -> Result<Self, InvalidRequest> {
                let value = $crate::action::parse_parameters(body)?;
                Self::read(&Fields::any(&value, &Path::Root)?, limits)
            }
        }
    };
}

pub(crate) use action;

action! {
    /// The body of `playPrompt`.
    PlayPrompt {
        /// At least one, played in order.
        prompts: Vec<MediaPrompt>,
    }
}

action! {
    /// The body of `recordResponse`.
    RecordResponse {
        /// What is asked for, with the documented defaults.
        params: RecordParams,
    }
}

action! {
    /// The body of `subscribeToTone`.
    SubscribeToTone {}
}

action! {
    /// The body of `cancelMediaProcessing`.
    CancelMediaProcessing {}
}

action! {
    /// The body of `sendDtmfTones`.
    SendDtmfTones {
        /// At least one, in order.
        tones: Vec<Tone>,
        /// The pause between two keys.
        delay_between_tones_ms: u32,
    }
}

impl PlayPrompt {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let prompts = read_prompts(fields, limits.prompts, limits)?;
        if prompts.is_empty() {
            return Err(fields.expected("prompts", "at least one item"));
        }
        Ok(Self { prompts, client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![prompts_parameter(), client_context_parameter()]
    }
}

impl From<PlayPrompt> for OperationKind {
    fn from(action: PlayPrompt) -> Self {
        Self::PlayPrompt { prompts: action.prompts }
    }
}

impl RecordResponse {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let seconds = |name| read_seconds(fields, name, limits);
        let params = RecordParams {
            prompts: read_prompts(fields, MAX_RECORD_PROMPTS, limits)?,
            barge_in_allowed: fields.optional("bargeInAllowed")?.unwrap_or(false),
            initial_silence_timeout: seconds("initialSilenceTimeoutInSeconds")?,
            max_silence_timeout: seconds("maxSilenceTimeoutInSeconds")?,
            max_record_duration: seconds("maxRecordDurationInSeconds")?,
            play_beep: fields.optional("playBeep")?.unwrap_or(true),
            stop_tones: read_stop_tones(fields)?,
        };
        Ok(Self { params, client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![
            prompts_parameter(),
            Member::nullable("bargeInAllowed", Shape::Boolean),
            Member::nullable("initialSilenceTimeoutInSeconds", Shape::Int32),
            Member::nullable("maxSilenceTimeoutInSeconds", Shape::Int32),
            Member::nullable("maxRecordDurationInSeconds", Shape::Int32),
            Member::nullable("playBeep", Shape::Boolean),
            Member::new("stopTones", Vec::<String>::shape()),
            client_context_parameter(),
        ]
    }
}

impl From<RecordResponse> for OperationKind {
    fn from(action: RecordResponse) -> Self {
        Self::Record { params: action.params, completion: None, location: None, access_token: None }
    }
}

impl SubscribeToTone {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        Ok(Self { client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![client_context_parameter()]
    }
}

impl From<SubscribeToTone> for OperationKind {
    fn from(_: SubscribeToTone) -> Self {
        Self::SubscribeToTone
    }
}

impl CancelMediaProcessing {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        Ok(Self { client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![client_context_parameter()]
    }
}

impl From<CancelMediaProcessing> for OperationKind {
    fn from(_: CancelMediaProcessing) -> Self {
        Self::CancelMediaProcessing
    }
}

impl SendDtmfTones {
    fn read(fields: &Fields<'_>, limits: &Limits) -> Result<Self, InvalidRequest> {
        let tones: Vec<Tone> = fields.list("tones", limits.tones)?;
        if tones.is_empty() {
            return Err(fields.expected("tones", "at least one item"));
        }
        let asked: Option<i32> = fields.optional("delayBetweenTonesMs")?;
        let delay_between_tones_ms = match asked.map(u32::try_from) {
            None => DEFAULT_DELAY_BETWEEN_TONES_MS.min(limits.delay_between_tones_ms),
            Some(Ok(delay_ms)) if delay_ms <= limits.delay_between_tones_ms => delay_ms,
            Some(_) => {
                let most = limits.delay_between_tones_ms;
                return Err(fields.expected("delayBetweenTonesMs", format!("0 to {most}")));
            }
        };
        Ok(Self { tones, delay_between_tones_ms, client_context: read_client_context(fields, limits)? })
    }

    pub(crate) fn parameters() -> Vec<Member> {
        vec![
            Member::new("tones", Vec::<Tone>::shape()),
            Member::nullable("delayBetweenTonesMs", Shape::Int32),
            client_context_parameter(),
        ]
    }
}

impl From<SendDtmfTones> for OperationKind {
    fn from(action: SendDtmfTones) -> Self {
        Self::SendDtmfTones {
            tones: action.tones,
            delay_between_tones_ms: action.delay_between_tones_ms,
            completion: None,
        }
    }
}

fn prompts_parameter() -> Member {
    Member::new("prompts", Vec::<MediaPrompt>::shape())
}

pub(crate) fn client_context_parameter() -> Member {
    Member::nullable("clientContext", Shape::Text)
}

pub(crate) fn parse_parameters(body: &[u8]) -> Result<Value, InvalidRequest> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    json::parse(body)
}

pub(crate) fn read_client_context(
    fields: &Fields<'_>,
    limits: &Limits,
) -> Result<Option<String>, InvalidRequest> {
    let context: Option<String> = fields.optional("clientContext")?;
    let most = limits.client_context_chars;
    match context {
        Some(context) if context.chars().count() > most => {
            Err(fields.expected("clientContext", format!("at most {most} characters")))
        }
        context => Ok(context),
    }
}

fn read_prompts(
    fields: &Fields<'_>,
    most: usize,
    limits: &Limits,
) -> Result<Vec<MediaPrompt>, InvalidRequest> {
    let prompts: Vec<MediaPrompt> = fields.list("prompts", most)?;
    let list = Path::Member(fields.at(), "prompts");
    for (index, prompt) in prompts.iter().enumerate() {
        check_prompt(prompt, &Path::Item(&list, index), limits)?;
    }
    Ok(prompts)
}

pub(crate) fn check_prompt(
    prompt: &MediaPrompt,
    at: &Path<'_>,
    limits: &Limits,
) -> Result<(), InvalidRequest> {
    let media = Path::Member(at, "mediaInfo");
    check_url(&prompt.media.uri, &Path::Member(&media, "uri"), limits)
}

fn read_seconds(fields: &Fields<'_>, name: &str, limits: &Limits) -> Result<Duration, InvalidRequest> {
    let most = limits.record_seconds;
    let asked: Option<i32> = fields.optional(name)?;
    let seconds = match asked.map(u32::try_from) {
        None => DEFAULT_RECORD_SECONDS.min(most),
        Some(Ok(seconds)) if (MIN_RECORD_SECONDS..=most).contains(&seconds) => seconds,
        Some(_) => return Err(fields.expected(name, format!("{MIN_RECORD_SECONDS} to {most} seconds"))),
    };
    Ok(Duration::from_secs(seconds.into()))
}

/// Reads the characters on the keys, each key once; a tone's name is taken as well.
fn read_stop_tones(fields: &Fields<'_>) -> Result<Vec<Tone>, InvalidRequest> {
    let texts: Vec<String> = fields.list("stopTones", MAX_STOP_TONES)?;
    let list = Path::Member(fields.at(), "stopTones");
    let mut distinct = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        let mut characters = text.chars();
        let tone = match (characters.next(), characters.next()) {
            (Some(key), None) => Tone::from_key(key),
            _ => text.parse(),
        };
        let tone = tone.map_err(|_| Path::Item(&list, index).expected("a key: 0 to 9, *, #, A to D"))?;
        if !distinct.contains(&tone) {
            distinct.push(tone);
        }
    }
    Ok(distinct)
}

/// There are 17 keys; arbitrary, twice that for clients that repeat themselves.
const MAX_STOP_TONES: usize = 34;
