//! An incoming call before this side has answered.

use core::time::Duration;

use bytes::Bytes;
use sip_message::{Method, Request, Response, StatusCode};

use super::session::{Session, Start, Timing};
use super::session_timer::{Agreed, takes_update};
use super::{message, reason};
use crate::core::Core;
use crate::dialog::Dialog;
use crate::event::{CallHandle, EndCause, Event, Incoming, Rejection};
use crate::inbound::Inbound;
use crate::peers::PeerId;
use crate::transaction::ServerId;

/// One incoming call.
#[derive(Debug)]
pub(super) struct Alerting {
    handle: CallHandle,
    server: ServerId,
    inbound: Box<Inbound>,
    pub(super) dialog: Dialog,
    agreed: Agreed,
    pub(super) until: Duration,
}

/// An INVITE outside dialogs that was let in.
pub(crate) struct Admitted {
    pub(crate) inbound: Inbound,
    pub(crate) server: ServerId,
    pub(crate) agreed: Agreed,
    /// The user who showed to be the caller.
    pub(crate) caller: Option<String>,
    /// The peer that sent it.
    pub(crate) peer: Option<PeerId>,
    /// The call whose place it takes.
    pub(crate) replaces: Option<CallHandle>,
}

impl Alerting {
    /// Takes an INVITE and tells of it.
    pub(super) fn start(handle: CallHandle, local_tag: &str, admitted: Admitted, core: &mut Core) -> Self {
        let Admitted { inbound, server, agreed, caller, peer, replaces } = admitted;
        let dialog = Dialog::of_server(&inbound, local_tag);
        core.respond(server, inbound.request.response(StatusCode::TRYING));
        let request = &inbound.request;
        let (asserted, is_private) = message::asserted(&request.headers);
        core.emit(Event::Incoming(Box::new(Incoming {
            handle,
            caller,
            peer,
            from: inbound.from.clone(),
            asserted,
            is_private,
            history: message::history(&request.headers),
            to: inbound.to.clone(),
            request_uri: request.uri.clone(),
            offer: message::sdp(&request.headers, &request.body),
            subject: request.headers.get("Subject").map(str::to_owned),
            replaces,
            // A malformed one says nothing, which harms nobody.
            referred_by: request.headers.referred_by().ok().flatten(),
            headers: message::passed_on(&request.headers),
            call_id: inbound.call_id.clone(),
            flow: inbound.flow,
        })));
        let until = core.after(core.config.ring_limit);
        Self { handle, server, inbound: Box::new(inbound), dialog, agreed, until }
    }

    fn response(&self, status: StatusCode) -> Response {
        message::response(&self.inbound.request, status, self.dialog.local.tag())
    }

    /// Sends 180.
    pub(super) fn ring(&self, core: &mut Core) {
        let mut response = self.response(StatusCode::RINGING);
        message::put_record_routes(&self.inbound.request, &mut response);
        response.headers.push("Contact", self.dialog.contact());
        core.respond(self.server, response);
    }

    /// Sends a failure with a status alone.
    pub(super) fn refuse(&self, status: StatusCode, core: &mut Core) {
        core.respond(self.server, self.response(status));
    }

    /// Says nothing more.
    pub(super) fn forget(&self, core: &mut Core) {
        core.forget_server(self.server);
    }

    /// Sends the failure that the user wants.
    pub(super) fn reject(&self, rejection: &Rejection, core: &mut Core) {
        let wanted = rejection.status;
        let status = if wanted.as_u16() < 300 { StatusCode::TEMPORARILY_UNAVAILABLE } else { wanted };
        let mut response = self.response(status);
        if let Some(reason) = &rejection.reason {
            response.reason.clone_from(reason);
        }
        for contact in rejection.contacts.iter().filter(|_| status.class() == 3) {
            response.headers.push("Contact", contact);
        }
        for (name, value) in rejection.headers.iter().filter(|(name, _)| message::is_free(name)) {
            response.headers.push(name, value.as_str());
        }
        core.respond(self.server, response);
    }

    /// Sends the 2xx with this side's description: the answer, or the offer when the INVITE had none.
    pub(super) fn answer(self, sdp: Bytes, core: &mut Core) -> Session {
        let request = &self.inbound.request;
        let mut response = self.response(StatusCode::OK);
        message::put_record_routes(request, &mut response);
        response.headers.push("Contact", self.dialog.contact());
        message::put_abilities(&mut response.headers);
        self.agreed.write(&mut response.headers);
        message::put_sdp(&mut response.headers, &mut response.body, sdp.clone());
        let mut session = Session::new(Start {
            handle: self.handle,
            dialog: self.dialog,
            local_sdp: sdp,
            timing: Timing {
                timer: self.agreed.timer(core.now),
                wanted: core.config.session,
                peer_updates: takes_update(&request.headers),
                peer_times: self.agreed.peer_knows,
            },
            credentials: None,
            owns_call_id: false,
        });
        let holds_offer = message::sdp(&request.headers, &request.body).is_none();
        session.accept_invite(self.server, self.inbound.cseq.seq, (response, holds_offer), core);
        session
    }

    /// Takes a request of the early dialog: only a BYE has a meaning there (RFC 3261, 15).
    pub(super) fn handle_request(&mut self, inbound: &Inbound, core: &mut Core) -> Option<EndCause> {
        if !self.dialog.matches(inbound) {
            core.refuse(inbound, StatusCode::CALL_DOES_NOT_EXIST);
            return None;
        }
        if inbound.request.method == Method::Ack {
            return None;
        }
        if !self.dialog.accept_cseq(inbound.cseq.seq) {
            core.refuse(inbound, StatusCode::SERVER_INTERNAL_ERROR);
            return None;
        }
        let Some(server) = core.open_server(inbound, Some(self.handle.0)) else {
            core.refuse_busy(inbound);
            return None;
        };
        if inbound.request.method == Method::Bye {
            core.respond(server, inbound.request.response(StatusCode::OK));
            self.refuse(StatusCode::REQUEST_TERMINATED, core);
            let reason = inbound.request.headers.get("Reason").map(str::to_owned);
            return Some(EndCause::RemoteBye { reason });
        }
        let mut response = inbound.request.response(StatusCode::SERVER_INTERNAL_ERROR);
        response.headers.push("Retry-After", 1);
        core.respond(server, response);
        None
    }

    /// Whether this is the transaction of the INVITE.
    pub(super) fn is_answered_by(&self, server: ServerId) -> bool {
        self.server == server
    }

    /// Takes the CANCEL of the INVITE.
    pub(super) fn handle_cancel(
        &self,
        server: ServerId,
        cancel: &Request,
        core: &mut Core,
    ) -> Option<EndCause> {
        if server != self.server {
            return None;
        }
        self.refuse(StatusCode::REQUEST_TERMINATED, core);
        let is_elsewhere = reason::says_elsewhere(&cancel.headers);
        Some(if is_elsewhere { EndCause::AnsweredElsewhere } else { EndCause::Cancelled })
    }
}
