//! The door to the media threads.

use std::task::{Context, Poll};

use media_engine::{Frame, SampleRate};
use model::ParticipantId;

/// Where a socket's audio comes from and goes to, in frames of 20 ms.
///
/// An implementation moves frames between the task of a [`crate::Session`] and a media thread, usually over two bounded
/// rings and one waker. Nothing here waits; what does not fit is the implementation's to drop. On each tick the mix is
/// heard, silence too, and each participant who speaks, as far as [`crate::Channels`] asks for them. To add one: keep the
/// waker of the last [`Self::poll_heard`] and wake it on each tick on which something was heard, [`Self::room`] grew or
/// [`Self::gone`] moved.
pub trait AudioPort: Send {
    /// The rate of the frames that [`Self::say`] takes. It may change, as when a call is negotiated again.
    fn rate(&self) -> SampleRate;

    /// Takes the next frame that was heard, or keeps the waker; `None` once nothing will come any more.
    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard<'_>>>;

    /// How many frames may be said at once. The total, about 5, is how far ahead of the far end the task may be: enough
    /// for a late wake-up, and what a pause lets through.
    fn room(&self) -> usize;

    /// Puts a frame behind those that wait to be sent; false where there was no room, and the frame is lost.
    fn say(&mut self, frame: &Frame) -> bool;

    /// Drops the frames that wait to be sent. They count as gone, at once or when they would have been sent.
    fn flush(&mut self);

    /// How many of the frames ever said are gone, in their order: sent, or dropped after [`Self::flush`]. Never less
    /// than before.
    fn gone(&self) -> u64;
}

/// A frame that was heard.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// Whose audio it is.
    pub source: Source,
    /// When its first sample was heard, in 1/48,000 s since 1970. All frames of a tick have the same.
    pub timestamp_48k: u64,
    /// The audio, at any rate; it may change from one frame to the next.
    pub frame: &'a Frame,
    /// Whether nobody speaks in it.
    pub is_silent: bool,
}

/// Whose audio a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// All others.
    Mixed,
    /// One participant of the roster.
    Participant(ParticipantId),
}
