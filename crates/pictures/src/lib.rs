//! Pictures of a meeting: cameras and screens, forwarded between the pages of browsers over WebRTC.
//!
//! Each page has a peer connection for pictures beside the one for its sound: it offers a line for its camera, a line for its
//! screen, and up to [`MAX_TILES`] lines on which it gets pictures of others, and says whom it wants to see on which, and how
//! high. A [`Room`] is the meeting's pages: it takes whole pictures in and sends them on to those who see them, without decoding
//! any. It has neither sockets nor a clock. ICE, DTLS, SRTP, packets and the estimation of what a way carries are those of
//! str0m, which does not show. A [`RoomHandle`] speaks to the task that gives it both, on the socket that sound uses.
//!
//! # What is answered
//!
//! Every video line over DTLS-SRTP with VP8, all in one group (RFC 8843); other lines are refused in their place. The first
//! video line is the camera, with or without simulcast (RFC 8853) of up to three layers from small to large, the second the
//! screen. We are an ICE-lite agent, as for sound; [`webrtc`] says more. Nothing that a page wrote is read by str0m.
//!
//! # What goes to whom
//!
//! Only what is [allowed](Room::allow), and of that only what a page [watches](Room::watch). Of several layers each tile gets
//! the smallest that is about as high as it, as far as the way to the page carries it all. Another layer takes the place of
//! one at its next whole picture, which is asked for; times go on.
//!
//! # Bounds
//!
//! | of | bound |
//! |---|---|
//! | an offer | as [`webrtc`] has it, and 18 video lines |
//! | pages | [`MAX_PAGES`] |
//! | what a page sees | [`MAX_TILES`] |
//! | a picture | 1 MiB; larger ones are dropped |
//! | packets of a picture that is not whole yet | 4,096 for each layer |
//! | sources of a page | 64 between restarts of ICE |
//! | addresses of a page | 16 at once, 256 between restarts of ICE |
//! | what waits to be sent on a line | 512 KiB, or 700 ms; then pictures are left out until the next whole one |
//! | questions for a whole picture | one in 800 ms for each layer |
//! | datagrams of a page that wait for the room | 512 |
//! | how long a page may take to connect, or be silent | [`webrtc::Patience`] |

mod connection;
mod describe;
mod error;
mod handle;
mod layers;
mod offer;
mod outgoing;
mod room;
mod source;
mod task;
#[cfg(test)]
mod tests;
mod vp8;

pub use error::OfferError;
pub use handle::RoomHandle;
pub use room::Room;

/// Pictures of others that a page sees at once.
pub const MAX_TILES: usize = 16;

/// Pages of a room.
pub const MAX_PAGES: usize = 300;

/// Names a page within its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId(pub u64);

/// Which of a page's pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Its camera.
    Camera,
    /// Its screen.
    Screen,
}

impl Kind {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Camera, Self::Screen];
}

/// What a page shows somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// The line on which it is to come: its `a=mid` in the page's offer.
    pub line: String,
    /// Whose picture.
    pub page: PageId,
    /// Which of them.
    pub kind: Kind,
    /// How high it is shown, in pixels.
    pub height: u32,
}

/// An answer to a page's offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The session description for the page.
    pub sdp: String,
    /// What names the page in its requests from now on.
    pub ufrag: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The first picture has come since it is allowed, and goes to whoever watches.
    Flowing {
        /// Of this page.
        page: PageId,
        /// Of its camera, or its screen.
        kind: Kind,
    },
    /// The connection of a page is over: closed by it, broken, or silent. What is allowed and watched stays until it
    /// [leaves](Room::leave); another offer brings it back.
    Gone {
        /// This page.
        page: PageId,
    },
}

impl Event {
    const fn page(&self) -> PageId {
        match self {
            Self::Flowing { page, .. } | Self::Gone { page } => *page,
        }
    }
}

/// How it is with a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Whether packets go both ways.
    pub is_connected: bool,
    /// What the way to it carries, in bits in a second, as far as is known.
    pub estimate: u64,
    /// Pictures that have come from it, over all layers.
    pub received: u64,
    /// Pictures that have been sent to it.
    pub sent: u64,
    /// Pictures that were left out because the way to it was too narrow.
    pub left_out: u64,
    /// Datagrams that were not looked at, or not read, on the present connection.
    pub refused: u64,
}
