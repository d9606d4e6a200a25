//! What a far end does wrong, and how a socket is closed.

use std::borrow::Cow;
use std::fmt;

/// Octets of a reason that fit a close frame beside its code (RFC 6455, 5.5).
const MAX_REASON_OCTETS: usize = 123;

/// What an application did that ends its socket; the text is the reason it is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Binary messages where audio is JSON.
    #[error("the dialect acs carries audio as text")]
    Binary,
    /// Audio metadata that is not the socket's.
    #[error("{what} is {found}; this socket carries {agreed}")]
    Format {
        /// Which member.
        what: &'static str,
        /// What the application says it sends.
        found: String,
        /// What was agreed.
        agreed: String,
    },
    /// Not what the protocol allows.
    #[error("not a WebSocket frame: {0}")]
    Frame(String),
    /// JSON that is not well-formed, or has other types.
    #[error("malformed JSON: {0}")]
    Json(String),
    /// A member that is needed.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A mark's name that is empty or too long.
    #[error("a mark's name has 1 to {} octets", crate::playout::MAX_MARK_OCTETS)]
    MarkName,
    /// A message longer than the limit.
    #[error("a message of more than {0} octets")]
    MessageTooBig(usize),
    /// Audio that is no base64.
    #[error("audio is not base64")]
    NotBase64,
    /// A text message that is no text.
    #[error("a text message is not UTF-8")]
    NotUtf8,
    /// What is sent to it is not read.
    #[error("it does not read what is sent to it")]
    NotReading,
    /// Samples have two octets.
    #[error("{0} octets are no whole number of 16-bit samples")]
    OddSize(usize),
    /// Nothing comes, not even answers to pings.
    #[error("it does not answer pings")]
    Silent,
    /// More audio than may wait to be heard.
    #[error("more than {} s of audio wait to be heard", .0 / 1000)]
    TooMuchAudio(u64),
    /// More marks than may wait.
    #[error("more than {} marks wait to be heard", crate::playout::MAX_MARKS)]
    TooManyMarks,
    /// Messages come too fast.
    #[error("too many messages")]
    TooManyMessages,
    /// A message that the dialect does not have.
    #[error("the dialect has no message '{0}'")]
    UnknownKind(String),
}

impl Violation {
    /// The code that the socket is closed with (RFC 6455, 7.4.1).
    pub const fn code(&self) -> u16 {
        match self {
            Self::Frame(_) => 1002,
            Self::Binary | Self::Format { .. } | Self::UnknownKind(_) => 1003,
            Self::Json(_)
            | Self::MarkName
            | Self::Missing(_)
            | Self::NotBase64
            | Self::NotUtf8
            | Self::OddSize(_) => 1007,
            Self::NotReading | Self::Silent | Self::TooManyMarks | Self::TooManyMessages => 1008,
            Self::MessageTooBig(_) | Self::TooMuchAudio(_) => 1009,
        }
    }
}

/// How a socket is closed: the code and the reason of the close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    code: u16,
    reason: Cow<'static, str>,
}

impl Closing {
    /// The call is over.
    pub const CALL_ENDED: Self = Self { code: 1000, reason: Cow::Borrowed("the call has ended") };
    /// The server stops.
    pub const GOING_AWAY: Self = Self { code: 1001, reason: Cow::Borrowed("the server stops") };
    /// A newer socket of the same call.
    pub const REPLACED: Self = Self { code: 1008, reason: Cow::Borrowed("another socket took over") };
    /// A defect of the server.
    pub const INTERNAL: Self = Self { code: 1011, reason: Cow::Borrowed("the server failed") };

    /// A code of RFC 6455 or above 3000, and a reason, which is cut where it would not fit.
    pub fn new(code: u16, reason: impl Into<Cow<'static, str>>) -> Self {
        let mut reason = reason.into();
        if reason.len() > MAX_REASON_OCTETS {
            let end = reason.floor_char_boundary(MAX_REASON_OCTETS);
            reason = Cow::Owned(reason.get(..end).unwrap_or_default().to_owned());
        }
        Self { code, reason }
    }

    /// The code.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The reason, at most 123 octets.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl From<&Violation> for Closing {
    fn from(violation: &Violation) -> Self {
        Self::new(violation.code(), violation.to_string())
    }
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_characters_to_fit_a_close_frame() {
        let closing = Closing::new(1008, "ä".repeat(100));
        assert_eq!(closing.reason().len(), 122);
        assert_eq!(
            Closing::from(&Violation::OddSize(7)).to_string(),
            "1007 7 octets are no whole number of 16-bit samples"
        );
    }
}
