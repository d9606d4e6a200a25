//! What a request may ask for at most: the documented numbers, and where there are none, ours.

use std::collections::BTreeSet;

/// Most targets of a group call, and most participants of one `invite` (documentation of both).
pub const MAX_TARGETS: usize = 5;
/// Most targets of one `redirect` (documentation of the action).
pub const MAX_REDIRECT_TARGETS: usize = 25;
/// Least seconds that the targets of a `redirect` ring (documentation of the action).
pub const MIN_REDIRECT_SECONDS: u32 = 15;
/// Most seconds that the targets of a `redirect` ring (documentation of the action).
pub const MAX_REDIRECT_SECONDS: u32 = 90;
/// Seconds that the one target of a `redirect` rings where nothing is said (documentation of the action).
pub const DEFAULT_REDIRECT_SECONDS: u32 = 55;
/// Seconds that several targets of a `redirect` ring where nothing is said (documentation of the action).
pub const DEFAULT_SIMULTANEOUS_SECONDS: u32 = 60;
/// Most prompts of one `playPrompt` (documentation of the action).
pub const MAX_PROMPTS: usize = 20;
/// Most prompts of one `recordResponse` (documentation of the action).
pub const MAX_RECORD_PROMPTS: usize = 1;
/// Least seconds of each `recordResponse` duration (documentation of the action).
pub const MIN_RECORD_SECONDS: u32 = 1;
/// Most seconds of each `recordResponse` duration (documentation of the action).
pub const MAX_RECORD_SECONDS: u32 = 120;
/// Seconds of each `recordResponse` duration that is not given (documentation of the action).
pub const DEFAULT_RECORD_SECONDS: u32 = 5;
/// Most characters of `clientContext` (documentation of `commsOperation`).
pub const MAX_CLIENT_CONTEXT_CHARS: usize = 256;
/// Most prompts to fetch ahead of time. Undocumented; arbitrary, five full `playPrompt` requests.
pub const MAX_PRE_FETCH_MEDIA: usize = 100;
/// Most keys of one `sendDtmfTones`. Undocumented; arbitrary, twice the longest card number and its surroundings.
pub const MAX_TONES: usize = 64;
/// Longest pause between two sent keys. Undocumented; arbitrary, a pause that a person would call broken.
pub const MAX_DELAY_BETWEEN_TONES_MS: u32 = 30_000;
/// The pause between two sent keys where none is given. Undocumented; arbitrary, as long as a
/// key is usually held.
pub const DEFAULT_DELAY_BETWEEN_TONES_MS: u32 = 100;
/// Most participants that one request may name by their ids. Undocumented; arbitrary, as many as a conference has.
pub const MAX_NAMED_PARTICIPANTS: usize = 1000;
/// Longest id that a client may choose for a routing group. Undocumented; arbitrary, many times a GUID.
pub const MAX_GROUP_ID_CHARS: usize = 128;
/// Most attendees of one meeting. Undocumented; arbitrary, as many as a conference has.
pub const MAX_ATTENDEES: usize = 1000;
/// Longest subject of a meeting. Undocumented; the customary limit of calendars.
pub const MAX_SUBJECT_CHARS: usize = 255;
/// Longest `externalId` of a meeting. Undocumented; arbitrary, many times a GUID.
pub const MAX_EXTERNAL_ID_CHARS: usize = 256;
/// Longest URL. Undocumented; arbitrary, the customary limit of browsers and proxies.
pub const MAX_URL_BYTES: usize = 2048;

/// How much a request may ask for. The default holds the documented values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Targets of a group call, and participants of one `invite`.
    pub targets: usize,
    /// Targets of one `redirect`.
    pub redirect_targets: usize,
    /// Prompts of one `playPrompt`.
    pub prompts: usize,
    /// Longest duration of `recordResponse`, in seconds.
    pub record_seconds: u32,
    /// Characters of `clientContext`.
    pub client_context_chars: usize,
    /// Prompts to fetch ahead of time.
    pub pre_fetch_media: usize,
    /// Keys of one `sendDtmfTones`.
    pub tones: usize,
    /// Longest pause between two sent keys, in milliseconds.
    pub delay_between_tones_ms: u32,
    /// Participants that one request may name by their ids.
    pub named_participants: usize,
    /// Attendees of one meeting.
    pub attendees: usize,
    /// Hosts that callbacks and prompts may name with plain `http`, each `host` (any port) or `host:port`. Every other
    /// address must be `https`.
    pub plain_http_hosts: BTreeSet<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            targets: MAX_TARGETS,
            redirect_targets: MAX_REDIRECT_TARGETS,
            prompts: MAX_PROMPTS,
            record_seconds: MAX_RECORD_SECONDS,
            client_context_chars: MAX_CLIENT_CONTEXT_CHARS,
            pre_fetch_media: MAX_PRE_FETCH_MEDIA,
            tones: MAX_TONES,
            delay_between_tones_ms: MAX_DELAY_BETWEEN_TONES_MS,
            named_participants: MAX_NAMED_PARTICIPANTS,
            attendees: MAX_ATTENDEES,
            plain_http_hosts: BTreeSet::new(),
        }
    }
}
