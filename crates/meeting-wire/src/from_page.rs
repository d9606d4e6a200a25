use serde::Deserialize;

use crate::{MAX_FRAME_OCTETS, MAX_HEIGHT, MAX_ID, MAX_LINE, MAX_TILES};

/// What a page says.
///
/// Participants are named by 1 to [`MAX_ID`] letters, digits and `-`; whether there is such a one is not known here.
#[derive(Clone, PartialEq, Eq)]
pub enum FromPage {
    /// Come in.
    Join {
        /// What a guest calls itself, as it was written ([`crate::guest_name`]).
        name: Option<String>,
        /// The offer of sound.
        sdp: String,
    },
    /// A later offer of sound.
    Offer {
        /// The offer.
        sdp: String,
    },
    /// An offer of pictures.
    Pictures {
        /// The offer.
        sdp: String,
    },
    /// Show one's camera or screen, or do not any more.
    Show {
        /// Which.
        kind: Kind,
        /// Whether it is shown.
        is_on: bool,
    },
    /// What is to come, all of it, at most [`MAX_TILES`].
    Watch(Vec<Tile>),
    /// Have what one says dropped, or let through.
    Mute {
        /// Whether it is dropped.
        is_muted: bool,
    },
    /// Raise or lower one's hand.
    Hand {
        /// Whether it is raised.
        is_raised: bool,
    },
    /// Let somebody in from the lobby; everybody without a name.
    Admit(Option<String>),
    /// Send somebody away.
    Remove(String),
    /// Mute somebody.
    MuteOther(String),
    /// Go.
    Leave,
}

impl std::fmt::Debug for FromPage {
    /// Descriptions of sessions and names of people are nobody's business.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FromPage(..)")
    }
}

/// What a picture is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A camera.
    Camera,
    /// A screen.
    Screen,
}

/// A picture that a page shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The line that it is to come on, by its `a=mid`: 1 to [`MAX_LINE`] letters, digits, `-` and `_`.
    pub line: String,
    /// Whose it is.
    pub participant: String,
    /// Of what.
    pub kind: Kind,
    /// How high it is shown, in pixels: 1 to [`MAX_HEIGHT`].
    pub height: u32,
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
    /// A participant's id has other characters, or too many.
    #[error("'participant' must be 1 to 64 letters, digits and '-'")]
    Id,
    /// There are too many tiles, or two for one line.
    #[error("'tiles' must be at most 16, each with a line of its own")]
    Tiles,
    /// A tile's line or height is none.
    #[error("a tile has a 'line' of 1 to 16 letters, digits, '-' and '_', and a 'height' of 1 to 16384")]
    Tile,
}

#[derive(Deserialize)]
struct Frame {
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    sdp: Option<String>,
    on: Option<bool>,
    muted: Option<bool>,
    raised: Option<bool>,
    participant: Option<String>,
    tiles: Option<Vec<WrittenTile>>,
}

#[derive(Deserialize)]
struct WrittenTile {
    line: String,
    participant: String,
    kind: Kind,
    height: u32,
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
        let sdp = frame.sdp.filter(|sdp| !sdp.is_empty()).ok_or(NotUnderstood::Malformed("'sdp' is missing"));
        let is_on = frame.on.ok_or(NotUnderstood::Malformed("'on' is missing"));
        let participant = frame.participant.map(id).transpose()?;
        let named = participant.clone().ok_or(NotUnderstood::Malformed("'participant' is missing"));
        Ok(match frame.kind.as_str() {
            "join" => Self::Join { name: frame.name, sdp: sdp? },
            "offer" => Self::Offer { sdp: sdp? },
            "pictures" => Self::Pictures { sdp: sdp? },
            "camera" => Self::Show { kind: Kind::Camera, is_on: is_on? },
            "screen" => Self::Show { kind: Kind::Screen, is_on: is_on? },
            "watch" => {
                Self::Watch(tiles(frame.tiles.ok_or(NotUnderstood::Malformed("'tiles' is missing"))?)?)
            }
            "mute" => {
                Self::Mute { is_muted: frame.muted.ok_or(NotUnderstood::Malformed("'muted' is missing"))? }
            }
            "hand" => {
                Self::Hand { is_raised: frame.raised.ok_or(NotUnderstood::Malformed("'raised' is missing"))? }
            }
            "admit" => Self::Admit(participant),
            "remove" => Self::Remove(named?),
            "muteOther" => Self::MuteOther(named?),
            "leave" => Self::Leave,
            _ => return Err(NotUnderstood::Malformed("there is no such 'type'")),
        })
    }
}

fn id(text: String) -> Result<String, NotUnderstood> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_id = (1..=MAX_ID).contains(&text.len()) && text.bytes().all(is_fit);
    if is_id { Ok(text) } else { Err(NotUnderstood::Id) }
}

fn tiles(written: Vec<WrittenTile>) -> Result<Vec<Tile>, NotUnderstood> {
    if written.len() > MAX_TILES {
        return Err(NotUnderstood::Tiles);
    }
    let mut tiles = Vec::<Tile>::with_capacity(written.len());
    for WrittenTile { line, participant, kind, height } in written {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_line = (1..=MAX_LINE).contains(&line.len()) && line.bytes().all(is_fit);
        if !is_line || !(1..=MAX_HEIGHT).contains(&height) {
            return Err(NotUnderstood::Tile);
        }
        if tiles.iter().any(|tile| tile.line == line) {
            return Err(NotUnderstood::Tiles);
        }
        tiles.push(Tile { line, participant: id(participant)?, kind, height });
    }
    Ok(tiles)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn said(value: &Value) -> Result<FromPage, NotUnderstood> {
        FromPage::parse(&value.to_string())
    }

    fn tile(line: &str, height: u64) -> Value {
        json!({"line": line, "participant": "p-1", "kind": "camera", "height": height})
    }

    #[test]
    fn each_message_of_the_contract_is_understood() {
        let sdp = || "v=0".to_owned();
        let id = || "p-1".to_owned();
        let shown = |kind, is_on| FromPage::Show { kind, is_on };
        let watched = Tile { line: "2".to_owned(), participant: id(), kind: Kind::Screen, height: 180 };
        for (message, expected) in [
            (
                json!({"type": "join", "name": "<b>Ann</b>", "sdp": "v=0", "later": 1}),
                FromPage::Join { name: Some("<b>Ann</b>".to_owned()), sdp: sdp() },
            ),
            (json!({"type": "join", "sdp": "v=0"}), FromPage::Join { name: None, sdp: sdp() }),
            (json!({"type": "offer", "sdp": "v=0"}), FromPage::Offer { sdp: sdp() }),
            (json!({"type": "pictures", "sdp": "v=0"}), FromPage::Pictures { sdp: sdp() }),
            (json!({"type": "camera", "on": true}), shown(Kind::Camera, true)),
            (json!({"type": "screen", "on": false}), shown(Kind::Screen, false)),
            (json!({"type": "watch", "tiles": []}), FromPage::Watch(Vec::new())),
            (
                json!({"type": "watch", "tiles": [
                    {"line": "2", "participant": "p-1", "kind": "screen", "height": 180},
                ]}),
                FromPage::Watch(vec![watched]),
            ),
            (json!({"type": "mute", "muted": true}), FromPage::Mute { is_muted: true }),
            (json!({"type": "hand", "raised": false}), FromPage::Hand { is_raised: false }),
            (json!({"type": "admit"}), FromPage::Admit(None)),
            (json!({"type": "admit", "participant": null}), FromPage::Admit(None)),
            (json!({"type": "admit", "participant": "p-1"}), FromPage::Admit(Some(id()))),
            (json!({"type": "remove", "participant": "p-1"}), FromPage::Remove(id())),
            (json!({"type": "muteOther", "participant": "p-1"}), FromPage::MuteOther(id())),
            (json!({"type": "leave"}), FromPage::Leave),
        ] {
            assert_eq!(said(&message), Ok(expected), "{message}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (message, expected) in [
            (json!({"type": "sing"}), "there is no such 'type'"),
            (json!({"type": "join", "name": "Ann"}), "'sdp' is missing"),
            (json!({"type": "pictures", "sdp": ""}), "'sdp' is missing"),
            (json!({"type": "camera"}), "'on' is missing"),
            (json!({"type": "watch"}), "'tiles' is missing"),
            (json!({"type": "mute"}), "'muted' is missing"),
            (json!({"type": "hand"}), "'raised' is missing"),
            (json!({"type": "remove"}), "'participant' is missing"),
            (json!({"type": "muteOther"}), "'participant' is missing"),
        ] {
            assert_eq!(said(&message), Err(NotUnderstood::Malformed(expected)), "{message}");
        }
        for message in [
            json!([]),
            json!({"sdp": "v=0"}),
            json!("leave"),
            json!({"type": "mute", "muted": "yes"}),
            json!({"type": "watch", "tiles": [{"line": "2", "participant": "p", "kind": "face", "height": 1}]}),
        ] {
            assert_eq!(said(&message), Err(NotUnderstood::NoObject), "{message}");
        }
        for id in ["", "a b", "<script>", &"a".repeat(65)] {
            let message = json!({"type": "admit", "participant": id});
            assert_eq!(said(&message), Err(NotUnderstood::Id), "{message}");
        }
    }

    #[test]
    fn tiles_are_few_and_each_has_a_line_of_its_own() {
        let watch = |tiles: Vec<Value>| said(&json!({"type": "watch", "tiles": tiles}));
        let many = |count: usize| (0..count).map(|line| tile(&line.to_string(), 90)).collect::<Vec<_>>();
        assert!(watch(many(16)).is_ok());
        assert_eq!(watch(many(17)), Err(NotUnderstood::Tiles));
        assert_eq!(watch(vec![tile("1", 90), tile("1", 180)]), Err(NotUnderstood::Tiles));
        for bad in [tile("", 90), tile("a b", 90), tile(&"1".repeat(17), 90), tile("1", 0), tile("1", 16_385)]
        {
            assert_eq!(watch(vec![bad]), Err(NotUnderstood::Tile));
        }
    }

    #[test]
    fn a_frame_is_bounded_before_it_is_read() {
        let long = json!({"type": "offer", "sdp": "a".repeat(MAX_FRAME_OCTETS)});
        assert_eq!(said(&long), Err(NotUnderstood::TooLong));
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(text in ".{0,200}") {
            let _ = FromPage::parse(&text);
        }

        #[test]
        fn an_id_that_is_taken_can_be_shown(id in ".{0,80}") {
            let message = json!({"type": "remove", "participant": id});
            if let Ok(FromPage::Remove(id)) = said(&message) {
                prop_assert!(id.is_ascii() && !id.is_empty() && id.len() <= MAX_ID);
            }
        }
    }
}
