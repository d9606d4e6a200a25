//! One call: an INVITE usage (RFC 3261, chapters 13 to 15) of either direction.
//!
//! ```text
//!   call()                          INVITE
//!     |                                |
//!     v      2xx: ACK           answer v
//!  [ Dialling ] ---> [ Established ] <--- [ Alerting ]
//!     | failures,       | BYE, timers        | CANCEL, reject
//!     | hang up         v hang up            |
//!     '------------> [ Over ] <--------------'
//!                       | forks and a late ACK have had their time
//!                       v
//!                    removed
//! ```

mod alerting;
mod dial;
mod early;
pub(crate) mod farewell;
mod forks;
pub(crate) mod message;
mod offer;
mod reason;
mod refresh;
mod session;
mod session_timer;
mod transferee;
mod transferor;

use core::time::Duration;

use bytes::Bytes;
use sip_message::{Replaces, Request, StatusCode, Uri};

pub(crate) use self::alerting::Admitted;
pub(crate) use self::session::agree;

use self::alerting::Alerting;
use self::dial::{Dial, Next};
use self::forks::Forks;
use self::session::Session;
use crate::core::{Core, TimerKey};
use crate::event::{CallError, CallHandle, EndCause, Event, NewCall, Reason, Rejection};
use crate::inbound::Inbound;
use crate::peers::PeerId;
use crate::transaction::{ClientId, Outcome, ServerId};

/// One call, until nothing of it can come from the network any more.
#[derive(Debug)]
pub(crate) struct Call {
    handle: CallHandle,
    /// It came from outside.
    pub(crate) is_incoming: bool,
    /// The peer that it came from.
    pub(crate) peer: Option<PeerId>,
    phase: Phase,
    /// Of an outgoing call, while one of its INVITEs can still be answered.
    forks: Option<Forks>,
    scheduled: Option<Duration>,
}

#[derive(Debug)]
enum Phase {
    Alerting(Box<Alerting>),
    Dialling(Box<Dial>),
    Established(Box<Session>),
    Over,
}

/// The tag of this side, in which an in-dialog request names the call.
fn local_tag(handle: CallHandle, core: &mut Core) -> String {
    format!("{:x}-{}", handle.0, core.entropy.token())
}

/// The call that a To tag names.
pub(crate) fn of_tag(tag: &str) -> Option<CallHandle> {
    let (number, _) = tag.split_once('-')?;
    u64::from_str_radix(number, 16).ok().map(CallHandle)
}

impl Call {
    /// Rings every target of a new call.
    pub(crate) fn dial(handle: CallHandle, new: NewCall, core: &mut Core) -> Self {
        let tag = local_tag(handle, core);
        let (dial, forks) = Dial::start(handle, &tag, new, core);
        let phase = Phase::Dialling(Box::new(dial));
        Self { handle, is_incoming: false, peer: None, phase, forks: Some(forks), scheduled: None }
    }

    /// Takes an INVITE outside dialogs.
    pub(crate) fn receive(handle: CallHandle, invite: Admitted, core: &mut Core) -> Self {
        let tag = local_tag(handle, core);
        let peer = invite.peer;
        let alerting = Alerting::start(handle, &tag, invite, core);
        let phase = Phase::Alerting(Box::new(alerting));
        Self { handle, is_incoming: true, peer, phase, forks: None, scheduled: None }
    }

    /// Whether the call has ended for its user.
    pub(crate) fn is_over(&self) -> bool {
        match &self.phase {
            Phase::Over => true,
            Phase::Established(session) => session.is_closing(),
            Phase::Alerting(_) | Phase::Dialling(_) => false,
        }
    }

    /// Whether nothing of the call can come from the network any more.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.forks.is_none()
    }

    /// Brings the queue of deadlines up to date after any input.
    pub(crate) fn settle(&mut self, core: &mut Core) {
        if self.forks.as_ref().is_some_and(Forks::are_over) {
            self.forks = None;
        }
        if let Phase::Established(session) = &mut self.phase {
            session.offer_when_free(core);
        }
        let phase = match &self.phase {
            Phase::Alerting(alerting) => Some(alerting.until),
            Phase::Dialling(dial) => Some(dial.until),
            Phase::Established(session) => session.deadline(),
            Phase::Over => None,
        };
        let forks = self.forks.as_ref().and_then(Forks::deadline);
        let next = [phase, forks].into_iter().flatten().min();
        core.timers.reschedule(TimerKey::Call(self.handle.0), &mut self.scheduled, next);
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core) {
        self.scheduled = None;
        if let Some(forks) = &mut self.forks {
            forks.handle_timeout(core);
        }
        let ended = match &mut self.phase {
            Phase::Alerting(alerting) if alerting.until <= core.now => {
                alerting.refuse(StatusCode::TEMPORARILY_UNAVAILABLE, core);
                Some(EndCause::Timeout)
            }
            Phase::Dialling(dial) if dial.until <= core.now => {
                self.give_up_forks(None, core);
                Some(EndCause::Timeout)
            }
            Phase::Established(session) => session.handle_timeout(core),
            Phase::Alerting(_) | Phase::Dialling(_) | Phase::Over => None,
        };
        self.end(ended, core);
    }

    /// Takes what the transaction of an initial INVITE tells.
    pub(crate) fn handle_fork(&mut self, fork: usize, id: ClientId, outcome: Outcome, core: &mut Core) {
        let Some(forks) = &mut self.forks else { return };
        let Phase::Dialling(dial) = &mut self.phase else {
            dial::handle_late(forks, fork, (id, outcome), core);
            return;
        };
        match dial.handle(forks, fork, (id, outcome), core) {
            Next::Answered(session) => self.phase = Phase::Established(session),
            Next::Ended(cause) => self.end(Some(cause), core),
            Next::Stay => {}
        }
    }

    /// Takes what the transaction of a request within the dialog tells.
    pub(crate) fn handle_session(&mut self, id: ClientId, outcome: Outcome, core: &mut Core) {
        if let Phase::Established(session) = &mut self.phase {
            let ended = session.handle_outcome(id, outcome, core);
            self.end(ended, core);
        }
    }

    /// Takes a request whose To tag names this call.
    pub(crate) fn handle_request(&mut self, inbound: Inbound, core: &mut Core) {
        let ended = match &mut self.phase {
            Phase::Alerting(alerting) => alerting.handle_request(&inbound, core),
            Phase::Established(session) => {
                let was_closing = session.is_closing();
                let ended = session.handle_request(inbound, core);
                if was_closing && !session.is_closing() {
                    // The ACK came and the BYE is out.
                    self.phase = Phase::Over;
                }
                ended
            }
            Phase::Dialling(_) | Phase::Over => {
                let is_early = matches!(self.phase, Phase::Dialling(_));
                let forks = self.forks.as_mut().filter(|_| is_early);
                let is_handled = forks.is_some_and(|forks| forks.handle_request(&inbound, core));
                if !is_handled && inbound.request.method != sip_message::Method::Ack {
                    core.refuse(&inbound, StatusCode::CALL_DOES_NOT_EXIST);
                }
                None
            }
        };
        self.end(ended, core);
    }

    /// The tag of this side in the dialog, if there is one.
    pub(crate) fn local_tag(&self) -> Option<&str> {
        match &self.phase {
            Phase::Alerting(alerting) => alerting.dialog.local.tag(),
            Phase::Established(session) => session.dialog.local.tag(),
            Phase::Dialling(_) | Phase::Over => None,
        }
    }

    /// Whether a new call may take the place of this one (RFC 3891, 3).
    ///
    /// A dialog without a final answer may be replaced by its caller's side alone, and no early dialog
    /// of this side is known by name to anybody who could.
    pub(crate) fn replaced_by(&self, replaces: &Replaces) -> Result<(), StatusCode> {
        let Phase::Established(session) = &self.phase else { return Err(StatusCode::CALL_DOES_NOT_EXIST) };
        if !session.dialog.is_named_by(replaces) {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        match (session.is_closing(), replaces.early_only) {
            (true, _) => Err(StatusCode::DECLINE),
            (false, true) => Err(StatusCode::BUSY_HERE),
            (false, false) => Ok(()),
        }
    }

    /// What all messages of an outgoing call that is not answered have in common.
    pub(crate) fn call_id(&self) -> Option<&str> {
        self.forks.as_ref().map(Forks::call_id)
    }

    /// What a third party needs to take the place of this side.
    pub(crate) fn replaceable(&self) -> Option<(Uri, Replaces)> {
        match &self.phase {
            Phase::Established(session) if !session.is_closing() => Some(session.dialog.replaceable()),
            Phase::Alerting(_) | Phase::Dialling(_) | Phase::Established(_) | Phase::Over => None,
        }
    }

    /// Takes the CANCEL of one of the call's server transactions.
    pub(crate) fn handle_cancel(&mut self, server: ServerId, cancel: &Request, core: &mut Core) {
        let ended = match &mut self.phase {
            Phase::Alerting(alerting) => alerting.handle_cancel(server, cancel, core),
            Phase::Established(session) => {
                session.handle_cancel(server, core);
                None
            }
            Phase::Dialling(_) | Phase::Over => None,
        };
        self.end(ended, core);
    }

    /// Takes the news that the response to one of the call's server transactions cannot be sent.
    pub(crate) fn handle_server_failure(&mut self, server: ServerId, core: &mut Core) {
        let lost = match &self.phase {
            Phase::Alerting(alerting) => alerting.is_answered_by(server),
            Phase::Dialling(_) | Phase::Established(_) | Phase::Over => false,
        };
        self.end(lost.then_some(EndCause::TransportFailed), core);
    }

    /// Ends the call from this side: CANCEL, BYE or a rejection as its phase wants.
    pub(crate) fn hang_up(&mut self, reason: Option<&Reason>, core: &mut Core) -> Result<(), CallError> {
        if self.is_over() {
            return Err(CallError::Unknown);
        }
        let reason = reason.map(reason::write);
        match &mut self.phase {
            Phase::Alerting(alerting) => alerting.refuse(StatusCode::TEMPORARILY_UNAVAILABLE, core),
            Phase::Dialling(_) => self.give_up_forks(reason.as_deref(), core),
            Phase::Established(session) => {
                session.hang_up(reason, core);
                if session.is_closing() {
                    core.emit(Event::Ended { handle: self.handle, cause: EndCause::LocalHangUp });
                    return Ok(());
                }
            }
            Phase::Over => {}
        }
        self.end(Some(EndCause::LocalHangUp), core);
        Ok(())
    }

    /// Answers a re-INVITE or UPDATE.
    pub(crate) fn answer_offer(
        &mut self,
        answer: Result<Bytes, StatusCode>,
        core: &mut Core,
    ) -> Result<(), CallError> {
        match &mut self.phase {
            Phase::Established(session) => session.answer_offer(answer, core),
            Phase::Alerting(_) | Phase::Dialling(_) | Phase::Over => Err(CallError::WrongPhase),
        }
    }

    /// Sends 180 to an incoming call.
    pub(crate) fn ring(&mut self, core: &mut Core) -> Result<(), CallError> {
        self.alerting()?.ring(core);
        Ok(())
    }

    /// Accepts an incoming call.
    pub(crate) fn answer(&mut self, sdp: Bytes, core: &mut Core) -> Result<(), CallError> {
        self.alerting()?;
        if let Phase::Alerting(alerting) = std::mem::replace(&mut self.phase, Phase::Over) {
            self.phase = Phase::Established(Box::new(alerting.answer(sdp, core)));
        }
        Ok(())
    }

    /// Refuses an incoming call.
    pub(crate) fn reject(&mut self, rejection: &Rejection, core: &mut Core) -> Result<(), CallError> {
        self.alerting()?.reject(rejection, core);
        self.end(Some(EndCause::LocalHangUp), core);
        Ok(())
    }

    /// Leaves an incoming call without an answer.
    pub(crate) fn forget(&mut self, core: &mut Core) -> Result<(), CallError> {
        self.alerting()?.forget(core);
        self.end(Some(EndCause::LocalHangUp), core);
        Ok(())
    }

    /// The established call.
    pub(crate) fn session(&mut self) -> Result<&mut Session, CallError> {
        match &mut self.phase {
            Phase::Established(session) if !session.is_closing() => Ok(session),
            Phase::Established(_) | Phase::Over => Err(CallError::Unknown),
            Phase::Alerting(_) | Phase::Dialling(_) => Err(CallError::WrongPhase),
        }
    }

    fn alerting(&self) -> Result<&Alerting, CallError> {
        match &self.phase {
            Phase::Alerting(alerting) => Ok(alerting),
            Phase::Dialling(_) | Phase::Established(_) => Err(CallError::WrongPhase),
            Phase::Over => Err(CallError::Unknown),
        }
    }

    fn give_up_forks(&mut self, reason: Option<&str>, core: &mut Core) {
        if let Some(forks) = &mut self.forks {
            forks.decide();
            forks.cancel(reason, core);
        }
    }

    /// Ends the call, if there is a cause to, and tells its user, unless that one had hung up already.
    fn end(&mut self, cause: Option<EndCause>, core: &mut Core) {
        let Some(cause) = cause else { return };
        let is_known = self.is_over();
        if let Phase::Established(session) = &mut self.phase {
            session.let_go(core);
        }
        self.phase = Phase::Over;
        if !is_known {
            core.emit(Event::Ended { handle: self.handle, cause });
        }
    }
}
