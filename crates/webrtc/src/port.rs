//! The door to the media threads.

use std::task::{Context, Poll};

/// Where a session's packets come from and go to.
///
/// An implementation moves datagrams between the task of a [`crate::Session`] and a media thread, usually over two
/// bounded rings and one waker. Nothing here waits; what does not fit is the implementation's to drop. To add one: keep
/// the waker of the last [`Self::poll_sent`] and wake it when there is a datagram, or the leg is closed.
pub trait RtpPort: Send {
    /// Writes the next datagram of RTP that is to be sent into `buffer` of [`crate::MAX_DATAGRAM_OCTETS`], and gives its
    /// length, or keeps the waker; `None` once the leg is closed.
    fn poll_sent(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Option<usize>>;

    /// Takes a datagram of RTP that came from the far end, as from a socket.
    fn deliver(&mut self, datagram: &[u8]);
}
