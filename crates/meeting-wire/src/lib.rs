//! What the page of a meeting and the server say to each other: one JSON object in each text frame.
//!
//! | from the page | |
//! |---|---|
//! | `{"type":"join","name":"Ann","sdp":"…"}` | comes in; the name is a guest's |
//! | `{"type":"offer","sdp":"…"}` | a later offer of sound: a restart of ICE, or another peer connection |
//! | `{"type":"pictures","sdp":"…"}` | an offer of pictures, the first or a later one |
//! | `{"type":"camera","on":true}`, `{"type":"screen","on":true}` | others are shown one's camera or screen |
//! | `{"type":"watch","tiles":[{"line":"2","participant":"…","kind":"camera","height":180}]}` | what is to come on which line |
//! | `{"type":"mute","muted":true}`, `{"type":"hand","raised":true}` | |
//! | `{"type":"admit","participant":"…"}`, without one for everybody | lets in from the lobby |
//! | `{"type":"remove","participant":"…"}`, `{"type":"muteOther","participant":"…"}` | |
//! | `{"type":"leave"}` | |
//!
//! What the server says is [`ToPage`]. Members that are not known are ignored, so that either side can be newer.

mod from_page;
mod guest;
mod to_page;

pub use from_page::{FromPage, Kind, NotUnderstood, Tile};
pub use guest::{MAX_NAME_CHARS, guest_name};
pub use to_page::{EndReason, OfferOf, Person, PersonKind, Place, Role, ToPage};

/// Octets of a frame from a page. Rosters of a large meeting are longer.
pub const MAX_FRAME_OCTETS: usize = 64 * 1024;

/// Characters of a participant's id.
pub const MAX_ID: usize = 64;

/// Pictures of others that a page can be sent at once.
pub const MAX_TILES: usize = 16;

/// Characters of a line's name (`a=mid`).
pub const MAX_LINE: usize = 16;

/// Pixels of a picture's height: more than any screen has.
pub const MAX_HEIGHT: u32 = 16_384;
