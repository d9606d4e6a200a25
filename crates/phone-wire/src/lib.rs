//! What the page of a browser's telephone and the server say to each other: one JSON object in each text frame.
//!
//! | from the page | |
//! |---|---|
//! | `{"type":"call","call":"c1","to":"john","sdp":"…"}` | calls; the page makes up ids that begin with `c` |
//! | `{"type":"accept","call":"s1","sdp":"…"}` | takes a call; the offer is always the page's |
//! | `{"type":"decline","call":"s1"}`, `{"type":"hangUp","call":"…"}` | |
//! | `{"type":"offer","call":"…","sdp":"…"}` | a later offer: other devices, a restart of ICE, another peer connection |
//! | `{"type":"hold","call":"…","held":true}` | |
//! | `{"type":"transfer","call":"…","to":"…"}` | hands the call over |
//!
//! What the server says is [`ToPage`]. Members that are not known are ignored, so that either side can be newer.

mod from_page;
mod target;
mod to_page;

pub use from_page::{FromPage, NotUnderstood, Said};
pub use target::Target;
pub use to_page::{Direction, EndReason, Party, Phase, Shown, ToPage, TransferStatus, User};

/// Octets of a frame, either way.
pub const MAX_FRAME_OCTETS: usize = 64 * 1024;

/// Characters of a call's id.
pub const MAX_ID: usize = 64;
