//! This side changes the session by re-INVITE (RFC 3261, 14.1; RFC 3264, 8).
//!
//! ```text
//!    offer()
//!       v       nothing else is negotiated
//!   [ waiting ] ----------------------------> [ asking ] --- 2xx: answered ----> gone
//!       |  ^                                    |    |
//!       |  '--------- 491, for a while ---------'    '------ failure: refused -> gone
//!       '--- the far end's offer came first: refused ----> gone
//! ```
//!
//! What asks is [`super::refresh`], as a re-INVITE refreshes the session, too.

use core::time::Duration;

use bytes::Bytes;
use sip_message::StatusCode;

use super::session::Session;
use crate::core::Core;
use crate::event::{CallError, Event};

/// An offer of this side that cannot be made yet.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) sdp: Bytes,
    /// When two offers have met, this side waits until then.
    pub(super) not_before: Duration,
}

impl Session {
    /// Offers a change of the session, at once or as soon as nothing else is negotiated.
    pub(crate) fn offer(&mut self, sdp: Bytes, core: &mut Core) -> Result<(), CallError> {
        if self.waiting.is_some() || self.is_offering() || self.has_offer_of_far_end() {
            return Err(CallError::WrongPhase);
        }
        self.waiting = Some(Waiting { sdp, not_before: core.now });
        self.offer_when_free(core);
        Ok(())
    }

    /// Makes the offer that waits, if it needs to wait no longer.
    pub(super) fn offer_when_free(&mut self, core: &mut Core) {
        if self.is_negotiating() || self.refresh.is_some() || self.is_closing() {
            return;
        }
        if let Some(waiting) = self.waiting.take_if(|waiting| waiting.not_before <= core.now) {
            self.send_offer(waiting.sdp, core);
        }
    }

    /// When the offer that waits is due; `None` also while it is something else that it waits for.
    pub(super) fn offer_due(&self) -> Option<Duration> {
        let is_free = !self.is_negotiating() && self.refresh.is_none();
        self.waiting.as_ref().filter(|_| is_free).map(|waiting| waiting.not_before)
    }

    /// Gives the offer that waits back, as the one of the far end came first.
    ///
    /// It was made for a session that will be another one, and its version would go back.
    pub(super) fn give_offer_back(&mut self, core: &mut Core) {
        if self.waiting.take().is_some() {
            let status = StatusCode::REQUEST_PENDING;
            core.emit(Event::OfferRefused { handle: self.handle, status });
        }
    }
}
