//! How a media thread calls the task at the other end of a port.

use std::sync::Arc;

use nix::sys::eventfd::{EfdFlags, EventFd};

/// The media thread's end of an eventfd. Rings once more as it is dropped, for the end is news as well: a field behind
/// the rings that the other end looks at.
#[derive(Debug)]
pub(crate) struct Bell(Arc<EventFd>);

impl Bell {
    /// A bell, and the descriptor that is readable once it has rung.
    pub(crate) fn new() -> nix::Result<(Self, Arc<EventFd>)> {
        let signal = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
        Ok((Self(Arc::clone(&signal)), signal))
    }

    pub(crate) fn ring(&self) {
        // One that is full is readable already.
        let _ = self.0.write(1);
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ring();
    }
}
