//! An established call: what happens within its dialog until one side hangs up.

use core::time::Duration;

use bytes::Bytes;
use sip_message::{Method, Response, StatusCode};

use super::farewell::send_bye;
use super::session_timer::{Agreed, Refused, SessionTimer};
use super::transferee::Transferee;
use super::transferor::Transferor;
use super::{message, offer, refresh};
use crate::config::SessionTimer as Wanted;
use crate::core::Core;
use crate::dialog::Dialog;
use crate::event::{CallError, CallHandle, Credentials, EndCause, Event};
use crate::inbound::Inbound;
use crate::transaction::{ClientId, Outcome, ServerId};

/// The upper bound of the Retry-After of RFC 3261, 14.2.
const RETRY_SECONDS: u64 = 10;

/// One established call.
#[derive(Debug)]
pub(crate) struct Session {
    pub(super) handle: CallHandle,
    pub(super) dialog: Dialog,
    /// What this side last offered or answered; a refreshing re-INVITE offers it again.
    pub(super) local_sdp: Bytes,
    pub(super) timing: Timing,
    pub(super) credentials: Option<Credentials>,
    pub(super) refresh: Option<refresh::Refresh>,
    /// The ACK of the last re-INVITE of this side, by its CSeq.
    pub(super) refresh_ack: Option<(u32, Bytes)>,
    /// This side sent the first INVITE and with it chose the Call-ID.
    pub(super) owns_call_id: bool,
    pub(super) transfers: Transfers,
    /// An offer of this side that cannot be made yet.
    pub(super) waiting: Option<offer::Waiting>,
    offered: Option<Offered>,
    unacked: Option<Unacked>,
    /// This side hung up before the ACK: the BYE has to wait for it (RFC 3261, 15).
    closing: Option<Option<String>>,
}

/// The session timer and what decides how this side refreshes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) timer: SessionTimer,
    pub(super) wanted: Wanted,
    /// The far end named UPDATE in its Allow.
    pub(super) peer_updates: bool,
    /// The far end takes part in the session timer.
    pub(super) peer_times: bool,
}

/// What either side has asked the other one to call.
#[derive(Debug, Default)]
pub(super) struct Transfers {
    /// The far end has asked.
    pub(super) transferee: Option<Transferee>,
    /// This side has asked.
    pub(super) transferor: Option<Transferor>,
    /// The CSeq of the last REFER of this side that came to its end.
    pub(super) done: Option<u32>,
}

/// A re-INVITE or UPDATE that waits for the user.
#[derive(Debug)]
struct Offered {
    server: ServerId,
    inbound: Box<Inbound>,
    agreed: Agreed,
    until: Duration,
}

/// A 2xx of this side that repeats until its ACK (RFC 3261, 13.3.1.4).
#[derive(Debug)]
struct Unacked {
    cseq: u32,
    server: ServerId,
    response: Response,
    at: Duration,
    interval: Duration,
    until: Duration,
    holds_offer: bool,
}

/// How a session begins.
pub(super) struct Start {
    pub(super) handle: CallHandle,
    pub(super) dialog: Dialog,
    pub(super) local_sdp: Bytes,
    pub(super) timing: Timing,
    pub(super) credentials: Option<Credentials>,
    pub(super) owns_call_id: bool,
}

impl Session {
    pub(super) fn new(start: Start) -> Self {
        Self {
            handle: start.handle,
            dialog: start.dialog,
            local_sdp: start.local_sdp,
            timing: start.timing,
            credentials: start.credentials,
            refresh: None,
            refresh_ack: None,
            owns_call_id: start.owns_call_id,
            transfers: Transfers::default(),
            waiting: None,
            offered: None,
            unacked: None,
            closing: None,
        }
    }

    /// Sends a 2xx to an INVITE and repeats it until its ACK.
    pub(super) fn accept_invite(
        &mut self,
        server: ServerId,
        cseq: u32,
        accepted: (Response, bool),
        core: &mut Core,
    ) {
        let (response, holds_offer) = accepted;
        core.respond(server, response.clone());
        let t1 = core.config.timers.t1;
        self.unacked = Some(Unacked {
            cseq,
            server,
            response,
            at: core.after(t1),
            interval: t1,
            until: core.after(core.config.timers.timeout()),
            holds_offer,
        });
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        let unacked = self.unacked.as_ref().map(|unacked| unacked.at.min(unacked.until));
        if self.closing.is_some() {
            return unacked;
        }
        let offered = self.offered.as_ref().map(|offered| offered.until);
        let transferee = self.transfers.transferee.as_ref().and_then(Transferee::deadline);
        let transferor = self.transfers.transferor.as_ref().map(|transferor| transferor.until);
        let timer = Some(self.timing.timer.deadline());
        [unacked, offered, self.offer_due(), transferee, transferor, timer].into_iter().flatten().min()
    }

    /// Does what is due. Gives the cause when the call ends by it.
    pub(super) fn handle_timeout(&mut self, core: &mut Core) -> Option<EndCause> {
        if let Some(unacked) = &mut self.unacked {
            if unacked.until <= core.now {
                self.unacked = None;
                self.bye(None, core);
                return Some(EndCause::NoAck);
            }
            if unacked.at <= core.now {
                core.respond(unacked.server, unacked.response.clone());
                unacked.interval = (unacked.interval * 2).min(core.config.timers.t2);
                unacked.at = core.after(unacked.interval);
            }
        }
        if self.closing.is_some() {
            return None;
        }
        if self.offered.as_ref().is_some_and(|offered| offered.until <= core.now) {
            self.answer_offer(Err(StatusCode::SERVER_INTERNAL_ERROR), core).ok();
            core.emit(Event::OfferWithdrawn { handle: self.handle });
        }
        self.expire_transferee(core);
        self.expire_transferor(core);
        if self.timing.timer.expires_at <= core.now {
            self.bye(Some("SIP;cause=408;text=\"Session timer expired\""), core);
            return Some(EndCause::SessionExpired);
        }
        if self.timing.timer.refresh_at.is_some_and(|at| at <= core.now) {
            self.start_refresh(core);
        }
        None
    }

    /// Takes what the transaction of a request of this side tells. Gives the cause when the call ends by it.
    pub(super) fn handle_outcome(
        &mut self,
        id: ClientId,
        outcome: Outcome,
        core: &mut Core,
    ) -> Option<EndCause> {
        if self.handle_notified(id, &outcome, core) || self.handle_refer_outcome(id, &outcome, core) {
            return None;
        }
        self.handle_refresh(id, outcome, core)
    }

    /// Whether an offer or its answer is under way, so that no other one may start (RFC 3264, 4).
    pub(super) fn is_negotiating(&self) -> bool {
        self.offered.is_some() || self.unacked.is_some()
    }

    /// Whether the far end waits for the answer to its offer.
    pub(super) fn has_offer_of_far_end(&self) -> bool {
        self.offered.is_some()
    }

    /// Takes a request within the dialog. Gives the cause when the call ends by it.
    pub(super) fn handle_request(&mut self, inbound: Inbound, core: &mut Core) -> Option<EndCause> {
        if !self.dialog.matches(&inbound) {
            core.refuse(&inbound, StatusCode::CALL_DOES_NOT_EXIST);
            return None;
        }
        // A far end that lost its connection comes back with another one.
        if inbound.flow.connection.is_some() && self.dialog.flow.connection.is_some() {
            self.dialog.follow(inbound.flow);
        }
        if inbound.request.method == Method::Ack {
            return self.handle_ack(&inbound, core);
        }
        if !self.dialog.accept_cseq(inbound.cseq.seq) {
            core.refuse(&inbound, StatusCode::SERVER_INTERNAL_ERROR);
            return None;
        }
        let method = &inbound.request.method;
        if *method == Method::Bye {
            return Some(self.handle_bye(&inbound, core));
        }
        let Some(server) = core.open_server(&inbound, Some(self.handle.0)) else {
            core.refuse_busy(&inbound);
            return None;
        };
        let is_options = *method == Method::Options;
        if self.is_closing() && !is_options {
            core.respond(server, inbound.request.response(StatusCode::CALL_DOES_NOT_EXIST));
        } else if matches!(method, Method::Invite | Method::Update) {
            self.handle_offer(inbound, server, core);
        } else if *method == Method::Refer {
            self.handle_refer(inbound, server, core);
        } else if *method == Method::Notify {
            self.handle_notify(&inbound, server, core);
        } else {
            let status = if is_options { StatusCode::OK } else { StatusCode::METHOD_NOT_ALLOWED };
            let mut response = inbound.request.response(status);
            message::put_abilities(&mut response.headers);
            if is_options {
                response.headers.push("Accept", message::SDP);
            }
            core.respond(server, response);
        }
        None
    }

    fn handle_ack(&mut self, ack: &Inbound, core: &mut Core) -> Option<EndCause> {
        let unacked = self.unacked.take_if(|unacked| unacked.cseq == ack.cseq.seq)?;
        if let Some(reason) = self.closing.take() {
            self.bye(reason.as_deref(), core);
            return None;
        }
        let sdp = message::sdp(&ack.request.headers, &ack.request.body).filter(|_| unacked.holds_offer);
        if unacked.holds_offer && sdp.is_none() {
            // RFC 3261, 13.2.1: the answer belongs into this ACK, so none will come.
            self.bye(Some("SIP;cause=488;text=\"No answer to the offer\""), core);
            return Some(EndCause::MissingAnswer);
        }
        core.emit(Event::Confirmed { handle: self.handle, sdp });
        None
    }

    fn handle_bye(&mut self, bye: &Inbound, core: &mut Core) -> EndCause {
        match core.open_server(bye, Some(self.handle.0)) {
            Some(server) => drop(core.respond(server, bye.request.response(StatusCode::OK))),
            // A call can end even when there is no room for another transaction.
            None => core.refuse(bye, StatusCode::OK),
        }
        EndCause::RemoteBye { reason: bye.request.headers.get("Reason").map(str::to_owned) }
    }

    fn handle_offer(&mut self, inbound: Inbound, server: ServerId, core: &mut Core) {
        let invite = inbound.request.method == Method::Invite;
        let sdp = message::sdp(&inbound.request.headers, &inbound.request.body);
        let negotiates = invite || sdp.is_some();
        if negotiates && let Some(response) = self.collision(&inbound, core) {
            core.respond(server, response);
            return;
        }
        let agreed = match Agreed::of_request(&inbound.request.headers, self.timing.wanted) {
            Ok(agreed) => agreed,
            Err(refused) => {
                core.respond(server, refusal(&inbound, refused));
                return;
            }
        };
        // The ACK of an earlier 2xx is late or lost: whoever makes the next offer has had that 2xx.
        if negotiates && self.unacked.take().is_some() {
            core.emit(Event::Confirmed { handle: self.handle, sdp: None });
        }
        if negotiates {
            self.give_offer_back(core);
        }
        let offered = Offered {
            server,
            inbound: Box::new(inbound),
            agreed,
            until: core.after(core.config.answer_limit),
        };
        if !negotiates {
            self.accept_offer(offered, None, core);
            core.emit(Event::SessionRefreshed { handle: self.handle, sdp: None });
            return;
        }
        if invite {
            core.respond(server, offered.inbound.request.response(StatusCode::TRYING));
        }
        self.offered = Some(offered);
        core.emit(Event::OfferReceived { handle: self.handle, sdp });
    }

    /// The answer to an offer that meets another one (RFC 3261, 14.2; RFC 3311, 5.2).
    fn collision(&self, inbound: &Inbound, core: &mut Core) -> Option<Response> {
        if self.offered.is_some() {
            let mut response = inbound.request.response(StatusCode::SERVER_INTERNAL_ERROR);
            let wait = core.entropy.up_to(Duration::from_secs(RETRY_SECONDS)).as_secs();
            response.headers.push("Retry-After", wait.to_string());
            return Some(response);
        }
        let ours = self.refresh.as_ref().is_some_and(|refresh| refresh.method == Method::Invite);
        let awaits_answer = self.unacked.as_ref().is_some_and(|unacked| unacked.holds_offer);
        (ours || awaits_answer).then(|| inbound.request.response(StatusCode::REQUEST_PENDING))
    }

    /// Answers a re-INVITE or UPDATE of the far end.
    pub(super) fn answer_offer(
        &mut self,
        answer: Result<Bytes, StatusCode>,
        core: &mut Core,
    ) -> Result<(), CallError> {
        let offered = self.offered.take().ok_or(CallError::WrongPhase)?;
        match answer {
            Ok(sdp) => self.accept_offer(offered, Some(sdp), core),
            Err(status) => {
                let status = if status.as_u16() < 300 { StatusCode::NOT_ACCEPTABLE_HERE } else { status };
                core.respond(offered.server, offered.inbound.request.response(status));
            }
        }
        Ok(())
    }

    fn accept_offer(&mut self, offered: Offered, sdp: Option<Bytes>, core: &mut Core) {
        let Offered { server, inbound, agreed, .. } = offered;
        self.dialog.follow(inbound.flow);
        self.dialog.refresh_target(&inbound.request.headers);
        self.timing.timer = agreed.timer(core.now);
        self.timing.peer_times = agreed.peer_knows;
        let mut response = inbound.request.response(StatusCode::OK);
        response.headers.push("Contact", self.dialog.contact());
        message::put_abilities(&mut response.headers);
        agreed.write(&mut response.headers);
        if let Some(sdp) = sdp {
            self.local_sdp = sdp.clone();
            message::put_sdp(&mut response.headers, &mut response.body, sdp);
        }
        if inbound.request.method == Method::Invite {
            let holds_offer = message::sdp(&inbound.request.headers, &inbound.request.body).is_none();
            self.accept_invite(server, inbound.cseq.seq, (response, holds_offer), core);
        } else {
            core.respond(server, response);
        }
    }

    /// Takes the CANCEL of a re-INVITE.
    pub(super) fn handle_cancel(&mut self, server: ServerId, core: &mut Core) {
        if let Some(offered) = self.offered.take_if(|offered| offered.server == server) {
            core.respond(server, offered.inbound.request.response(StatusCode::REQUEST_TERMINATED));
            core.emit(Event::OfferWithdrawn { handle: self.handle });
        }
    }

    /// Ends the call from this side. The BYE may have to wait; see [`Self::is_closing`].
    pub(super) fn hang_up(&mut self, reason: Option<String>, core: &mut Core) {
        self.let_go(core);
        if self.unacked.is_some() && !self.owns_call_id {
            self.closing = Some(reason);
        } else {
            self.bye(reason.as_deref(), core);
        }
    }

    /// Lets go of everything but the BYE: for its user the call is over.
    pub(super) fn let_go(&mut self, core: &mut Core) {
        // What waits for the user is answered with its end (RFC 3261, 15.1.2): nobody else will.
        if let Some(offered) = self.offered.take() {
            core.respond(offered.server, offered.inbound.request.response(StatusCode::REQUEST_TERMINATED));
        }
        self.refuse_refer(StatusCode::REQUEST_TERMINATED, core).ok();
        self.flush_notify(core);
        self.transfers = Transfers::default();
        self.waiting = None;
        // The BYE overtakes it: whatever its answer is, nobody waits for it.
        if let Some(refresh) = self.refresh.take() {
            core.drop_client(refresh.id);
        }
    }

    /// Whether the call is over for its user, but its BYE waits for the ACK.
    pub(super) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Sends the BYE.
    pub(super) fn bye(&mut self, reason: Option<&str>, core: &mut Core) {
        send_bye(&mut self.dialog, reason, self.credentials.as_ref(), core);
    }
}

/// The session timer for an INVITE outside dialogs; `None` when it was refused for what it asks.
pub(crate) fn agree(inbound: &Inbound, core: &mut Core) -> Option<Agreed> {
    let agreed = Agreed::of_request(&inbound.request.headers, core.config.session);
    agreed.map_err(|refused| core.reply(inbound, refusal(inbound, refused))).ok()
}

/// The answer to a request whose session timer cannot be taken.
fn refusal(inbound: &Inbound, refused: Refused) -> Response {
    match refused {
        Refused::Malformed => inbound.request.response(StatusCode::BAD_REQUEST),
        Refused::TooSmall(min) => {
            let mut response = inbound.request.response(StatusCode::SESSION_INTERVAL_TOO_SMALL);
            response.headers.push("Min-SE", min);
            response
        }
    }
}
