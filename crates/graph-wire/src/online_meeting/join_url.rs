use std::fmt::Write as _;

use model::{OnlineMeeting, TenantId, UserId};
use serde_json::Value;

/// A meeting's address for people: `{base}/l/meetup-join/{thread}/0?context={"Tid":…,"Oid":…}`, percent-encoded as
/// documented. `base` is scheme and host.
pub fn join_web_url(base: &str, meeting: &OnlineMeeting) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let (tenant, organizer) = (quoted(meeting.tenant.as_str()), quoted(meeting.organizer.as_str()));
    // Clients know the two in this order.
    let context = format!("{{\"Tid\":{tenant},\"Oid\":{organizer}}}");
    format!("{base}{PATH}{}/0?context={}", encode(&meeting.thread_id), encode(&context))
}

const PATH: &str = "/l/meetup-join/";

/// Percent-encodes with lower-case digits, as documented addresses have them.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(encoded, "%{byte:02x}");
        }
    }
    encoded
}

/// What a meeting's address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinUrl {
    /// The thread of its chat.
    pub thread_id: String,
    /// The tenant.
    pub tenant: TenantId,
    /// Who called it.
    pub organizer: UserId,
}

/// How often an address may have been percent-encoded: once by us, once for the filter, and by clients that do it again.
const MAX_ENCODINGS: usize = 4;

/// Longest address that is looked at. Arbitrary: several times one of ours, encoded thrice.
const MAX_BYTES: usize = 8 * 1024;

impl JoinUrl {
    /// Reads an address, however often it was percent-encoded; `None` for anything else.
    ///
    /// The host does not count: a server has several names, and people move addresses between them.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut text = text.to_owned();
        for _ in 0..MAX_ENCODINGS {
            let decoded = decode(&text)?;
            if decoded == text {
                break;
            }
            text = decoded;
        }
        let (_, rest) = text.split_once(PATH)?;
        let (thread, rest) = rest.split_once('/')?;
        let (_message, query) = rest.split_once('?')?;
        let mut context = serde_json::Deserializer::from_str(query.strip_prefix("context=")?).into_iter();
        let context: Value = context.next()?.ok()?;
        let named = |name: &str| {
            let mut members = context.as_object()?.iter();
            let (_, value) = members.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
            value.as_str()
        };
        Some(Self {
            thread_id: thread.to_owned(),
            tenant: TenantId::new(named("Tid")?),
            organizer: UserId::new(named("Oid")?),
        })
    }

    /// Whether it is the address of this meeting.
    pub fn is_of(&self, meeting: &OnlineMeeting) -> bool {
        self.thread_id == meeting.thread_id
            && self.tenant.as_str().eq_ignore_ascii_case(meeting.tenant.as_str())
            && self.organizer.as_str().eq_ignore_ascii_case(meeting.organizer.as_str())
    }
}

/// Takes one percent-encoding away; `None` where what is left is no text.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if digit(high).is_some() && digit(low).is_some() => {
                let value = digit(high).zip(digit(low)).map(|(high, low)| high * 16 + low);
                bytes.push(u8::try_from(value?).ok()?);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}
