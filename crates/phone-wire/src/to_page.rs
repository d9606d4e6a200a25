use serde::Serialize;

/// What the server says to a page.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ToPage {
    /// The first of each socket: who is signed in, and the calls of a socket that was lost before.
    Welcome {
        /// Who.
        user: User,
        /// What goes on.
        calls: Vec<Shown>,
    },
    /// Somebody calls.
    Incoming {
        /// The call, named by the server: `s…`.
        call: String,
        /// Who.
        from: Party,
        /// What about.
        subject: Option<String>,
    },
    /// Whoever is called hears it ring.
    Ringing {
        /// The call.
        call: String,
        /// Who that is.
        peer: Party,
    },
    /// The answer to an offer.
    Answer {
        /// The call.
        call: String,
        /// The session description.
        sdp: String,
    },
    /// An offer that cannot be used; a live call goes on.
    Refused {
        /// The call.
        call: String,
        /// Why.
        message: String,
    },
    /// How it goes that a call is handed over.
    Transfer {
        /// The call.
        call: String,
        /// How.
        status: TransferStatus,
    },
    /// A call is over: the last of it.
    Ended {
        /// The call.
        call: String,
        /// Why.
        reason: EndReason,
    },
    /// What was said makes no sense.
    Error {
        /// Why.
        message: String,
    },
}

impl std::fmt::Debug for ToPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToPage(..)")
    }
}

impl ToPage {
    /// The text of its frame.
    pub fn to_json(&self) -> String {
        // Strings and booleans only: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Who is signed in.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// The id.
    pub id: String,
    /// The name to show.
    pub name: String,
    /// The SIP address without scheme.
    pub address: String,
}

/// The other side of a call.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Party {
    /// The name to show; text, whatever is in it.
    pub name: String,
    /// What can be called: an address or a number.
    pub address: String,
}

/// A call as it is.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The call.
    pub call: String,
    /// Who called.
    pub direction: Direction,
    /// How far it is.
    pub state: Phase,
    /// The other side.
    pub peer: Party,
    /// Whether the page holds it.
    pub held: bool,
    /// When it was answered (ISO 8601).
    pub since: Option<String>,
}

/// Who called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// The other side.
    Incoming,
    /// The page.
    Outgoing,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Nobody has answered.
    Ringing,
    /// They talk.
    Connected,
}

/// How it goes that a call is handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TransferStatus {
    /// It is being done.
    Accepted,
    /// Whoever is to have it hears it ring.
    Ringing,
    /// It is done; the call ends.
    Done,
    /// It is not, and the call goes on.
    Failed,
}

/// Why a call is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EndReason {
    /// Somebody answered elsewhere.
    AnsweredElsewhere,
    /// Whoever is called is busy.
    Busy,
    /// The caller gave up.
    Cancelled,
    /// It was declined.
    Declined,
    /// Something is wrong here, or the offer cannot be used.
    Failed,
    /// The page's user may not call there.
    Forbidden,
    /// Either side hung up.
    HungUp,
    /// No sound has come from the page for too long.
    MediaLost,
    /// Nobody answered.
    NoAnswer,
    /// Nobody is called like that.
    NotFound,
    /// Whoever is called cannot be reached.
    Unreachable,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn written(message: &ToPage) -> Value {
        serde_json::from_str(&message.to_json()).unwrap()
    }

    #[test]
    fn each_message_is_written_as_the_contract_has_it() {
        let call = || "s1".to_owned();
        let party = Party { name: "<b>Ann</b>".to_owned(), address: "sip:ann@contoso.example".to_owned() };
        let shown = Shown {
            call: call(),
            direction: Direction::Incoming,
            state: Phase::Connected,
            peer: party.clone(),
            held: false,
            since: Some("2026-01-02T03:04:05Z".to_owned()),
        };
        let user =
            User { id: "1".to_owned(), name: "John".to_owned(), address: "john@contoso.example".to_owned() };
        for (message, expected) in [
            (
                ToPage::Welcome { user, calls: vec![shown] },
                json!({
                    "type": "welcome",
                    "user": {"id": "1", "name": "John", "address": "john@contoso.example"},
                    "calls": [{
                        "call": "s1", "direction": "incoming", "state": "connected", "held": false,
                        "peer": {"name": "<b>Ann</b>", "address": "sip:ann@contoso.example"},
                        "since": "2026-01-02T03:04:05Z",
                    }],
                }),
            ),
            (
                ToPage::Ringing { call: call(), peer: party.clone() },
                json!({
                    "type": "ringing", "call": "s1",
                    "peer": {"name": "<b>Ann</b>", "address": "sip:ann@contoso.example"},
                }),
            ),
            (
                ToPage::Incoming { call: call(), from: party, subject: None },
                json!({
                    "type": "incoming", "call": "s1", "subject": null,
                    "from": {"name": "<b>Ann</b>", "address": "sip:ann@contoso.example"},
                }),
            ),
            (
                ToPage::Answer { call: call(), sdp: "v=0".to_owned() },
                json!({"type": "answer", "call": "s1", "sdp": "v=0"}),
            ),
            (
                ToPage::Refused { call: call(), message: "no".to_owned() },
                json!({"type": "refused", "call": "s1", "message": "no"}),
            ),
            (
                ToPage::Transfer { call: call(), status: TransferStatus::Accepted },
                json!({"type": "transfer", "call": "s1", "status": "accepted"}),
            ),
            (
                ToPage::Ended { call: call(), reason: EndReason::AnsweredElsewhere },
                json!({"type": "ended", "call": "s1", "reason": "answeredElsewhere"}),
            ),
            (ToPage::Error { message: "no".to_owned() }, json!({"type": "error", "message": "no"})),
        ] {
            assert_eq!(written(&message), expected);
        }
        assert_eq!(serde_json::to_value(EndReason::HungUp).unwrap(), json!("hungUp"));
        assert_eq!(serde_json::to_value(EndReason::MediaLost).unwrap(), json!("mediaLost"));
        assert_eq!(serde_json::to_value(EndReason::NotFound).unwrap(), json!("notFound"));
    }
}
