//! What comes from the network, on its way to what it is for.

use sip_message::{Message, Method, Replaces, Request, Response, StatusCode};

use super::Endpoint;
use crate::call::{Admitted, Call, agree, message, of_tag};
use crate::config::IncomingPolicy;
use crate::event::CallHandle;
use crate::flow::Flow;
use crate::inbound::Inbound;
use crate::peers::PeerId;
use crate::screen;
use crate::transaction::{ServerId, cancelled_key, merge_key};

impl Endpoint {
    pub(super) fn receive(&mut self, flow: Flow, message: Message) {
        match message {
            Message::Request(request) => self.receive_request(flow, request),
            Message::Response(response) => {
                let delivery = self.core.receive_response(response);
                self.deliver(delivery);
            }
        }
    }

    fn receive_request(&mut self, flow: Flow, request: Request) {
        // The parser refuses what lacks a mandatory header, with an answer where one is possible.
        let Ok(inbound) = Inbound::new(request, flow) else { return };
        let known = self.core.servers.find(&inbound.key);
        match (&inbound.request.method, known) {
            (Method::Ack, Some(server)) if !self.core.ack_server(server) => {}
            (Method::Ack, _) => self.receive_in_dialog(inbound),
            (Method::Cancel, _) => self.receive_cancel(&inbound),
            (_, Some(server)) => self.core.repeat_server(server),
            (_, None) => self.receive_new(inbound),
        }
    }

    fn receive_new(&mut self, inbound: Inbound) {
        if let Some(response) = screen::refusal(&inbound) {
            self.core.reply(&inbound, response);
            return;
        }
        if inbound.has_to_tag() {
            self.receive_in_dialog(inbound);
            return;
        }
        let method = &inbound.request.method;
        if *method == Method::Invite {
            self.receive_invite(inbound);
        } else if *method == Method::Options {
            let response = options_response(&inbound.request);
            self.core.reply(&inbound, response);
        } else if *method == Method::Register {
            self.registrar.handle(&inbound, &mut self.core);
        } else if *method == Method::Refer {
            // Whoever wants a call from this side without being in one itself has other ways to ask for it.
            self.core.refuse(&inbound, StatusCode::FORBIDDEN);
        } else {
            // BYE, NOTIFY and UPDATE exist within dialogs only; the rest was refused by the screen.
            self.core.refuse(&inbound, StatusCode::CALL_DOES_NOT_EXIST);
        }
    }

    fn receive_invite(&mut self, inbound: Inbound) {
        let peer = self.peers.find(&inbound.flow).map(|peer| peer.id);
        if let (IncomingPolicy::Refuse(status), None) = (self.core.config.incoming, peer) {
            self.refusals.policy += 1;
            self.core.refuse(&inbound, status);
            return;
        }
        if self.core.servers.has_merged(&merge_key(&inbound)) {
            self.core.refuse(&inbound, StatusCode::LOOP_DETECTED);
            return;
        }
        let is_full = self.incoming >= self.core.config.limits.incoming_calls;
        if is_full || !self.peers.admits(&inbound.flow, self.core.now) {
            self.refuse_busy(&inbound);
            return;
        }
        let Some(agreed) = agree(&inbound, &mut self.core) else { return };
        let handle = self.next_handle();
        let Some((caller, server)) = self.admit(&inbound, (handle, peer)) else { return };
        // The screen has refused malformed ones.
        let replaces = inbound.request.headers.replaces().ok().flatten();
        let replaces = match replaces.map(|replaces| self.replaced(&replaces)).transpose() {
            Ok(replaces) => replaces,
            Err(status) => {
                let tag = self.core.entropy.token();
                let response = message::response(&inbound.request, status, Some(&tag));
                self.core.respond(server, response);
                return;
            }
        };
        let admitted = Admitted { inbound, server, agreed, caller, peer, replaces };
        let call = Call::receive(handle, admitted, &mut self.core);
        self.insert(handle, call);
    }

    /// The call whose place another one may take, or the status that refuses it.
    pub(super) fn replaced(&self, replaces: &Replaces) -> Result<CallHandle, StatusCode> {
        let call = of_tag(&replaces.to_tag).and_then(|handle| self.calls.get_key_value(&handle));
        let (handle, call) = call.ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        call.replaced_by(replaces).map(|()| *handle)
    }

    /// Opens the transaction of an INVITE if its sender may call; else it was answered.
    fn admit(
        &mut self,
        inbound: &Inbound,
        (handle, peer): (CallHandle, Option<PeerId>),
    ) -> Option<(Option<String>, ServerId)> {
        if peer.is_none() && self.core.config.incoming == IncomingPolicy::Authenticate {
            let admitted = self.registrar.admit(inbound, handle.0, &mut self.core);
            self.refusals.unproven += u64::from(admitted.is_none());
            return admitted.map(|(caller, server)| (Some(caller), server));
        }
        let server = self.core.open_server(inbound, Some(handle.0));
        if server.is_none() {
            self.refuse_busy(inbound);
        }
        Some((None, server?))
    }

    fn refuse_busy(&mut self, inbound: &Inbound) {
        self.refusals.busy += 1;
        self.core.refuse_busy(inbound);
    }

    fn receive_in_dialog(&mut self, inbound: Inbound) {
        let handle = inbound.to.tag().and_then(of_tag).filter(|handle| self.calls.contains_key(handle));
        match handle {
            Some(handle) => {
                self.with_call(handle, |call, core| call.handle_request(inbound, core));
            }
            None if inbound.request.method == Method::Ack => {}
            None => self.core.refuse(&inbound, StatusCode::CALL_DOES_NOT_EXIST),
        }
    }

    /// RFC 3261, 9.2.
    fn receive_cancel(&mut self, inbound: &Inbound) {
        let Some(server) = self.core.servers.find(&cancelled_key(&inbound.key)) else {
            self.core.refuse(inbound, StatusCode::CALL_DOES_NOT_EXIST);
            return;
        };
        let handle = self.core.servers.call_of(server).map(CallHandle);
        let tag = handle.and_then(|handle| self.calls.get(&handle)?.local_tag());
        // With the tag that the responses to the INVITE have.
        let response = message::response(&inbound.request, StatusCode::OK, tag);
        self.core.reply(inbound, response);
        if let Some(handle) = handle {
            self.with_call(handle, |call, core| call.handle_cancel(server, &inbound.request, core));
        }
    }
}

/// What this endpoint can do (RFC 3261, 11.2).
fn options_response(request: &Request) -> Response {
    let mut response = request.response(StatusCode::OK);
    message::put_abilities(&mut response.headers);
    response.headers.push("Accept", message::SDP);
    response.headers.push("Allow-Events", "refer");
    response.headers.push("Accept-Encoding", "identity");
    response
}
