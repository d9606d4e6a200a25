use serde::Serialize;

/// What the server says to a page.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum ToPage {
    /// The first of each socket: where the page is since a socket that was lost before.
    Welcome {
        /// Where.
        state: Place,
        /// Its participant id, where it is not outside.
        you: Option<String>,
    },
    /// The answer to an offer of sound.
    Answer {
        /// The session description.
        sdp: String,
    },
    /// The answer to an offer of pictures.
    Pictures {
        /// The session description.
        sdp: String,
    },
    /// An offer that cannot be used, or one may not come in. Whoever is in stays in.
    Refused {
        /// What was offered.
        of: OfferOf,
        /// Why not.
        message: String,
    },
    /// Where the page is now.
    State {
        /// Where.
        state: Place,
        /// Its participant id.
        you: String,
    },
    /// Everybody who is there.
    Roster {
        /// The page's own person among them.
        people: Vec<Person>,
    },
    /// Who speaks most.
    Speaker {
        /// Somebody, or nobody.
        participant: Option<String>,
    },
    /// What was asked last may not be done.
    Denied {
        /// Why.
        message: String,
    },
    /// The page is in no longer.
    Ended {
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
        // Strings, numbers and booleans only: there is nothing that could fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Where a page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// Nowhere: it has not joined, or it is over.
    Outside,
    /// It waits to be let in.
    Lobby,
    /// In the meeting.
    In,
    /// Taken aside by an application.
    Held,
}

/// What an offer was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OfferOf {
    /// Coming in.
    Join,
    /// Sound, later.
    Offer,
    /// Pictures.
    Pictures,
}

/// Somebody who is there.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The participant's id.
    pub id: String,
    /// The name to show; text, whatever is in it.
    pub name: String,
    /// What it is.
    pub kind: PersonKind,
    /// As what it is there.
    pub role: Option<Role>,
    /// Whether what it says is dropped.
    pub is_muted: bool,
    /// Whether it waits to be let in.
    pub is_in_lobby: bool,
    /// Where its hand is raised, when it was, in the order of all: smaller is earlier.
    pub hand: Option<u64>,
    /// Whether its camera is shown.
    pub camera: bool,
    /// Whether its screen is.
    pub screen: bool,
}

/// What somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum PersonKind {
    /// An application.
    Application,
    /// Somebody from outside.
    Guest,
    /// Somebody in the phone network.
    Phone,
    /// A user of the directory.
    User,
}

/// As what somebody is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Whoever only takes part.
    Attendee,
    /// Whoever may do what the organizer may.
    Coorganizer,
    /// Whose meeting it is.
    Organizer,
    /// Whoever may mute, admit and remove others.
    Presenter,
}

/// Why a page is in no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum EndReason {
    /// Something is wrong here, or the offer cannot be used.
    Failed,
    /// There is no room.
    Full,
    /// It has left.
    Left,
    /// Nobody may come in any more.
    Locked,
    /// No sound has come from the page for too long.
    MediaLost,
    /// Nobody has let it in.
    NotAdmitted,
    /// The meeting is, or the server leaves.
    Over,
    /// Somebody has sent it away.
    Removed,
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
        let ann = Person {
            id: "p-1".to_owned(),
            name: "<b>Ann</b>".to_owned(),
            kind: PersonKind::Guest,
            role: Some(Role::Coorganizer),
            is_muted: true,
            is_in_lobby: false,
            hand: Some(3),
            camera: true,
            screen: false,
        };
        let text = || "v=0".to_owned();
        for (message, expected) in [
            (
                ToPage::Welcome { state: Place::Outside, you: None },
                json!({"type": "welcome", "state": "outside", "you": null}),
            ),
            (ToPage::Answer { sdp: text() }, json!({"type": "answer", "sdp": "v=0"})),
            (ToPage::Pictures { sdp: text() }, json!({"type": "pictures", "sdp": "v=0"})),
            (
                ToPage::Refused { of: OfferOf::Join, message: "no".to_owned() },
                json!({"type": "refused", "of": "join", "message": "no"}),
            ),
            (
                ToPage::State { state: Place::Held, you: "p-1".to_owned() },
                json!({"type": "state", "state": "held", "you": "p-1"}),
            ),
            (
                ToPage::Roster { people: vec![ann] },
                json!({"type": "roster", "people": [{
                    "id": "p-1", "name": "<b>Ann</b>", "kind": "guest", "role": "coorganizer",
                    "isMuted": true, "isInLobby": false, "hand": 3, "camera": true, "screen": false,
                }]}),
            ),
            (ToPage::Speaker { participant: None }, json!({"type": "speaker", "participant": null})),
            (ToPage::Denied { message: "no".to_owned() }, json!({"type": "denied", "message": "no"})),
            (
                ToPage::Ended { reason: EndReason::NotAdmitted },
                json!({"type": "ended", "reason": "notAdmitted"}),
            ),
            (ToPage::Error { message: "no".to_owned() }, json!({"type": "error", "message": "no"})),
        ] {
            assert_eq!(written(&message), expected);
        }
    }

    #[test]
    fn words_are_written_as_the_contract_has_them() {
        for (word, expected) in [
            (json!(EndReason::MediaLost), "mediaLost"),
            (json!(EndReason::Full), "full"),
            (json!(OfferOf::Pictures), "pictures"),
            (json!(PersonKind::Application), "application"),
            (json!(Place::Lobby), "lobby"),
            (json!(Role::Presenter), "presenter"),
        ] {
            assert_eq!(word, json!(expected));
        }
    }
}
