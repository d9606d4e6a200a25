//! The blob of `appHostedMediaConfig`: what a request asks for, and what the response says.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::format::{Format, FormatError, channels, dialect, rate};

/// Octets of a blob: what fits an offer with many candidates and codecs several times over.
pub const MAX_BLOB_OCTETS: usize = 64 * 1024;

/// Octets of an address, as for callbacks.
const MAX_URL_OCTETS: usize = 2048;

/// What a request's blob asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blob<'a> {
    /// Nothing: the application dials in and chooses how.
    Absent,
    /// A session description (RFC 8866) as it came; whether it is a good offer is for others to find out.
    Offer(&'a str),
    /// A WebSocket.
    WebSocket(WebSocketBlob),
}

/// A WebSocket that a blob asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketBlob {
    /// Where the application listens; it dials in where this is absent. Scheme `wss` or `ws`, with a host, without
    /// user and fragment. Whether the server may go there, and without TLS, is for others to decide.
    pub url: Option<Url>,
    /// What the socket is to carry.
    pub format: Format,
}

/// Why a blob is refused, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// A member with an unknown value.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Neither SDP nor JSON.
    #[error("neither a session description, which begins with v=0, nor a JSON object")]
    NeitherSdpNorJson,
    /// Not the JSON that is expected.
    #[error("line {line}, column {column}: {what}")]
    Json {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong there.
        what: String,
    },
    /// Longer than [`MAX_BLOB_OCTETS`].
    #[error("{0} octets, more than {MAX_BLOB_OCTETS}")]
    TooLong(usize),
    /// Another transport than a WebSocket.
    #[error("transport: {0} is not one of websocket")]
    Transport(String),
    /// An address that no WebSocket has.
    #[error("url: {0}")]
    Url(&'static str),
}

/// What the documented requests have in the place of a blob. Pasted as they are, they say nothing of media.
const PLACEHOLDER: &str = "<Media Session Configuration>";

/// Reads the blob of a request.
///
/// # Errors
///
/// [`BlobError`], whose text says what is wrong and where.
pub fn read_blob(text: Option<&str>) -> Result<Blob<'_>, BlobError> {
    let says_nothing = |text: &&str| matches!(text.trim(), "" | PLACEHOLDER);
    let Some(text) = text.filter(|text| !says_nothing(text)) else { return Ok(Blob::Absent) };
    if text.len() > MAX_BLOB_OCTETS {
        return Err(BlobError::TooLong(text.len()));
    }
    let start = text.trim_start();
    if start.starts_with("v=0") {
        return Ok(Blob::Offer(start));
    }
    if !start.starts_with('{') {
        return Err(BlobError::NeitherSdpNorJson);
    }
    let wire: Wire = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    if wire.transport != "websocket" {
        return Err(BlobError::Transport(wire.transport.chars().take(32).collect()));
    }
    let mut format = Format::default();
    if let Some(name) = &wire.dialect {
        format.dialect = dialect(name)?;
    }
    if let Some(hz) = wire.sample_rate {
        format.rate = rate(&hz)?;
    }
    if let Some(name) = &wire.channels {
        format.channels = channels(name)?;
    }
    let url = wire.url.as_deref().map(read_url).transpose()?;
    Ok(Blob::WebSocket(WebSocketBlob { url, format }))
}

/// Strict, since a misspelt member would quietly mean its default.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    transport: String,
    url: Option<String>,
    dialect: Option<String>,
    sample_rate: Option<u32>,
    channels: Option<String>,
}

fn json_error(error: &serde_json::Error) -> BlobError {
    let what = error.to_string();
    let what = what.split_once(" at line ").map_or(what.as_str(), |(what, _)| what);
    BlobError::Json { line: error.line(), column: error.column(), what: what.chars().take(200).collect() }
}

fn read_url(text: &str) -> Result<Url, BlobError> {
    if text.len() > MAX_URL_OCTETS {
        return Err(BlobError::Url("longer than 2048 octets"));
    }
    let url = Url::parse(text).map_err(|_| BlobError::Url("not a URL"))?;
    if !["ws", "wss"].contains(&url.scheme()) {
        return Err(BlobError::Url("the scheme must be wss"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(BlobError::Url("no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BlobError::Url("user and password have no place in it"));
    }
    if url.fragment().is_some() {
        return Err(BlobError::Url("a WebSocket has no fragment"));
    }
    Ok(url)
}

/// Writes the response's blob for a socket that the server dials: the accepted format.
pub fn accepted_blob(format: Format) -> String {
    text(&Accepted { transport: "websocket", format: WireFormat::from(format) })
}

/// Writes the response's blob for an application that dials in: its one-time address, and where to send an offer
/// (RFC 9725).
pub fn invitation_blob(format: Format, websocket_url: &str, whip_url: &str) -> String {
    let websocket = Invitation { url: websocket_url, format: WireFormat::from(format) };
    text(&Invitations { websocket, whip: Whip { url: whip_url } })
}

#[derive(Serialize)]
struct Accepted {
    transport: &'static str,
    #[serde(flatten)]
    format: WireFormat,
}

#[derive(Serialize)]
struct Invitations<'a> {
    websocket: Invitation<'a>,
    whip: Whip<'a>,
}

#[derive(Serialize)]
struct Invitation<'a> {
    url: &'a str,
    #[serde(flatten)]
    format: WireFormat,
}

#[derive(Serialize)]
struct Whip<'a> {
    url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireFormat {
    dialect: &'static str,
    encoding: &'static str,
    sample_rate: u32,
    channels: &'static str,
    frame_ms: u32,
}

impl From<Format> for WireFormat {
    fn from(format: Format) -> Self {
        Self {
            dialect: format.dialect.name(),
            encoding: "PCM",
            sample_rate: format.rate.hz(),
            channels: format.channels.name(),
            frame_ms: media_engine::FRAME_MS,
        }
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers can be written")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::{Channels, Dialect, Rate};

    #[test]
    fn a_blob_is_an_offer_a_websocket_or_nothing() {
        for nothing in [None, Some(""), Some(" \r\n")] {
            assert_eq!(read_blob(nothing), Ok(Blob::Absent));
        }
        assert_eq!(
            read_blob(Some("v=0\r\no=- 1 1 IN IP4 x\r\n")),
            Ok(Blob::Offer("v=0\r\no=- 1 1 IN IP4 x\r\n"))
        );
        let text = r#"{"transport":"websocket","url":"wss://bot.example:9/a?b=c","dialect":"hookswitch",
            "sampleRate":48000,"channels":"both"}"#;
        let format = Format { dialect: Dialect::Hookswitch, rate: Rate::Hz48000, channels: Channels::Both };
        let url = Some(Url::parse("wss://bot.example:9/a?b=c").unwrap());
        assert_eq!(read_blob(Some(text)), Ok(Blob::WebSocket(WebSocketBlob { url, format })));
    }

    #[test]
    fn what_a_websocket_blob_leaves_out_is_acs_at_16_khz_mixed_and_dialled_by_the_application() {
        let blob = WebSocketBlob { url: None, format: Format::default() };
        assert_eq!(read_blob(Some(r#"{"transport":"websocket"}"#)), Ok(Blob::WebSocket(blob)));
    }

    #[test]
    fn a_documented_request_that_is_pasted_says_nothing_of_media() {
        assert_eq!(read_blob(Some("<Media Session Configuration>")), Ok(Blob::Absent));
    }

    #[test]
    fn what_is_wrong_with_a_blob_is_said_with_its_place() {
        let rows = [
            ("<Media Session>", "neither a session description, which begins with v=0, nor a JSON object"),
            ("{", "line 1, column 1: EOF while parsing an object"),
            ("{\n\"url\":\"wss://x\"}", "line 2, column 16: missing field `transport`"),
            (r#"{"transport":"webrtc"}"#, "transport: webrtc is not one of websocket"),
            (
                r#"{"transport":"websocket","sampleRate":44100}"#,
                "sampleRate: 44100 is not one of 16000, 24000, 48000",
            ),
            (r#"{"transport":"websocket","dialect":"ACS"}"#, "dialect: ACS is not one of acs, hookswitch"),
            (
                r#"{"transport":"websocket","channels":"stereo"}"#,
                "channels: stereo is not one of mixed, unmixed, both",
            ),
            (r#"{"transport":"websocket","url":"https://x"}"#, "url: the scheme must be wss"),
            (
                r#"{"transport":"websocket","url":"wss://a:b@x"}"#,
                "url: user and password have no place in it",
            ),
            (r#"{"transport":"websocket","url":"wss://x#y"}"#, "url: a WebSocket has no fragment"),
            (r#"{"transport":"websocket","url":"x"}"#, "url: not a URL"),
        ];
        for (text, message) in rows {
            assert_eq!(read_blob(Some(text)).unwrap_err().to_string(), message, "{text}");
        }
        let misspelt = read_blob(Some(r#"{"transport":"websocket","samplerate":48000}"#)).unwrap_err();
        assert!(
            misspelt.to_string().starts_with("line 1, column 37: unknown field `samplerate`"),
            "{misspelt}"
        );
        let long = "v=0".repeat(30_000);
        assert_eq!(read_blob(Some(&long)), Err(BlobError::TooLong(90_000)));
    }

    #[test]
    fn answers_tell_the_accepted_format_or_where_to_dial() {
        assert_eq!(
            accepted_blob(Format::default()),
            r#"{"transport":"websocket","dialect":"acs","encoding":"PCM","sampleRate":16000,"channels":"mixed","frameMs":20}"#
        );
        assert_eq!(
            invitation_blob(Format::default(), "wss://h/w?token=t", "https://h/p"),
            concat!(
                r#"{"websocket":{"url":"wss://h/w?token=t","dialect":"acs","encoding":"PCM","sampleRate":16000,"#,
                r#""channels":"mixed","frameMs":20},"whip":{"url":"https://h/p"}}"#
            )
        );
    }

    proptest! {
        #[test]
        fn no_blob_makes_it_panic(text in "(v=0|\\{)?.{0,200}") {
            let _ = read_blob(Some(&text));
        }
    }
}
