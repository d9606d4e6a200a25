use serde::Deserialize;

use crate::{MAX_FRAME_OCTETS, MAX_ID, Target};

/// What a page says of one call.
#[derive(Clone, PartialEq, Eq)]
pub struct FromPage {
    /// Which call: 1 to [`MAX_ID`] letters, digits, `-` and `_`.
    pub call: String,
    /// What of it.
    pub said: Said,
}

impl std::fmt::Debug for FromPage {
    /// Descriptions of sessions and names of people are nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FromPage").field("call", &self.call).finish_non_exhaustive()
    }
}

/// What a page wants of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// Call somebody.
    Call {
        /// Whom.
        to: Target,
        /// The offer.
        sdp: String,
    },
    /// Take the call that rings.
    Accept {
        /// The offer.
        sdp: String,
    },
    /// Refuse it.
    Decline,
    /// End it, or give up calling.
    HangUp,
    /// A later offer.
    Offer {
        /// The offer.
        sdp: String,
    },
    /// Put the far end on hold, or not any more.
    Hold {
        /// Whether it is to be held.
        held: bool,
    },
    /// Hand the call over.
    Transfer {
        /// To whom.
        to: Target,
    },
}

/// A frame that makes no sense; the text says why, and holds nothing of the frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUnderstood {
    /// It is longer than [`MAX_FRAME_OCTETS`].
    #[error("the message is longer than 64 KiB")]
    TooLong,
    /// It is no JSON object with a `type`.
    #[error("the message is no JSON object with a 'type'")]
    NoObject,
    /// It is of no type that is known, or lacks a member.
    #[error("the message is not understood: {0}")]
    Malformed(&'static str),
    /// The call's id has other characters, or too many.
    #[error("'call' must be 1 to 64 letters, digits, '-' and '_'")]
    Id,
    /// A call of the page's own has an id that does not begin with `c`.
    #[error("ids of calls that the page makes begin with 'c'")]
    OwnId,
    /// Nobody can be called like this.
    #[error(
        "'to' names nobody: a name, an address such as sip:john@contoso.example, or a number such as +12015550123"
    )]
    Target,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    call: Option<String>,
    to: Option<String>,
    sdp: Option<String>,
    held: Option<bool>,
}

impl FromPage {
    /// Reads a frame.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotUnderstood> {
        if text.len() > MAX_FRAME_OCTETS {
            return Err(NotUnderstood::TooLong);
        }
        let frame: Frame = serde_json::from_str(text).map_err(|_| NotUnderstood::NoObject)?;
        let call = frame.call.ok_or(NotUnderstood::Malformed("'call' is missing"))?;
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if call.is_empty() || call.len() > MAX_ID || !call.bytes().all(is_fit) {
            return Err(NotUnderstood::Id);
        }
        let sdp = frame.sdp.filter(|sdp| !sdp.is_empty()).ok_or(NotUnderstood::Malformed("'sdp' is missing"));
        let to = frame.to.ok_or(NotUnderstood::Malformed("'to' is missing"));
        let to = to.and_then(|to| Target::parse(&to).ok_or(NotUnderstood::Target));
        let said = match frame.kind.as_str() {
            "call" if !call.starts_with('c') => return Err(NotUnderstood::OwnId),
            "call" => Said::Call { to: to?, sdp: sdp? },
            "accept" => Said::Accept { sdp: sdp? },
            "decline" => Said::Decline,
            "hangUp" => Said::HangUp,
            "offer" => Said::Offer { sdp: sdp? },
            "hold" => Said::Hold { held: frame.held.ok_or(NotUnderstood::Malformed("'held' is missing"))? },
            "transfer" => Said::Transfer { to: to? },
            _ => return Err(NotUnderstood::Malformed("there is no such 'type'")),
        };
        Ok(Self { call, said })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn said(value: &serde_json::Value) -> Result<Said, NotUnderstood> {
        FromPage::parse(&value.to_string()).map(|message| message.said)
    }

    #[test]
    fn each_message_of_the_contract_is_understood() {
        let to = Target { name: "john".to_owned(), domain: None };
        let sdp = || "v=0".to_owned();
        for (message, expected) in [
            (
                json!({"type": "call", "call": "c1", "to": "john", "sdp": "v=0", "later": 1}),
                Said::Call { to: to.clone(), sdp: sdp() },
            ),
            (json!({"type": "accept", "call": "s1", "sdp": "v=0"}), Said::Accept { sdp: sdp() }),
            (json!({"type": "decline", "call": "s1"}), Said::Decline),
            (json!({"type": "hangUp", "call": "s1"}), Said::HangUp),
            (json!({"type": "offer", "call": "s1", "sdp": "v=0"}), Said::Offer { sdp: sdp() }),
            (json!({"type": "hold", "call": "s1", "held": true}), Said::Hold { held: true }),
            (json!({"type": "transfer", "call": "s1", "to": "john"}), Said::Transfer { to }),
        ] {
            assert_eq!(said(&message), Ok(expected), "{message}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (message, expected) in [
            (json!({"type": "sing", "call": "c1"}), "there is no such 'type'"),
            (json!({"type": "hangUp"}), "'call' is missing"),
            (json!({"type": "call", "call": "c1", "to": "john"}), "'sdp' is missing"),
            (json!({"type": "call", "call": "c1", "sdp": "v=0"}), "'to' is missing"),
            (json!({"type": "accept", "call": "s1", "sdp": ""}), "'sdp' is missing"),
            (json!({"type": "hold", "call": "s1"}), "'held' is missing"),
        ] {
            assert_eq!(said(&message), Err(NotUnderstood::Malformed(expected)), "{message}");
        }
        for message in
            [json!([]), json!({"call": "c1"}), json!("hangUp"), json!({"type": "hangUp", "call": 1})]
        {
            assert_eq!(said(&message), Err(NotUnderstood::NoObject), "{message}");
        }
        assert_eq!(said(&json!({"type": "hangUp", "call": "a b"})), Err(NotUnderstood::Id));
        assert_eq!(said(&json!({"type": "hangUp", "call": "a".repeat(65)})), Err(NotUnderstood::Id));
        let own = json!({"type": "call", "call": "s1", "to": "john", "sdp": "v=0"});
        assert_eq!(said(&own), Err(NotUnderstood::OwnId));
        let nobody = json!({"type": "transfer", "call": "s1", "to": " "});
        assert_eq!(said(&nobody), Err(NotUnderstood::Target));
    }

    #[test]
    fn a_frame_is_bounded_before_it_is_read() {
        let long = json!({"type": "accept", "call": "s1", "sdp": "a".repeat(MAX_FRAME_OCTETS)});
        assert_eq!(said(&long), Err(NotUnderstood::TooLong));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            let _ = FromPage::parse(&text);
        }

        #[test]
        fn an_id_that_is_taken_can_be_shown(id in ".{0,80}") {
            let message = json!({"type": "hangUp", "call": id}).to_string();
            if let Ok(message) = FromPage::parse(&message) {
                prop_assert!(message.call.is_ascii() && !message.call.is_empty() && message.call.len() <= MAX_ID);
            }
        }
    }
}
