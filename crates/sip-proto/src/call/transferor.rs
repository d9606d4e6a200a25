//! This side asks the far end to call somebody else: REFER, and what its NOTIFYs tell (RFC 3515).
//!
//! ```text
//!     refer()
//!        v     failure: refused
//!   [ asking ] -----------------------------------------> gone
//!        | 2xx, or a NOTIFY that overtook it: accepted
//!        v
//!   [ following ] <-+ NOTIFY 1xx: progress
//!        |      '---'
//!        | NOTIFY with a final status or terminated, or its time is over: ended
//!        v
//!       gone
//! ```

use core::time::Duration;

use sip_message::{Method, NameAddr, Response, SIPFRAG, StatusCode};

use super::session::Session;
use super::transferee::PACKAGE;
use crate::auth;
use crate::core::Core;
use crate::event::{CallError, Event, Refer};
use crate::inbound::Inbound;
use crate::transaction::{ClientId, Failure, Outcome, Owner, ServerId};

/// How often a REFER is sent again for a challenge.
const MAX_ATTEMPTS: u8 = 3;

/// A REFER of this side.
#[derive(Debug)]
pub(super) struct Transferor {
    refer: Refer,
    /// The CSeq of the REFER, by which its NOTIFYs may name it.
    cseq: u32,
    attempts: u8,
    authorization: Vec<(&'static str, String)>,
    /// The REFER while it has no answer.
    asking: Option<ClientId>,
    is_accepted: bool,
    latest: Option<StatusCode>,
    pub(super) until: Duration,
}

impl Session {
    /// Asks the far end to call somebody else.
    pub(crate) fn refer(&mut self, refer: Refer, core: &mut Core) -> Result<(), CallError> {
        if self.transfers.transferor.is_some() {
            return Err(CallError::WrongPhase);
        }
        let until = core.after(core.config.refer_limit());
        self.send_refer(
            Transferor {
                refer,
                cseq: 0,
                attempts: 0,
                authorization: Vec::new(),
                asking: None,
                is_accepted: false,
                latest: None,
                until,
            },
            core,
        );
        Ok(())
    }

    fn send_refer(&mut self, mut transferor: Transferor, core: &mut Core) {
        let (mut request, cseq) = self.dialog.request(Method::Refer);
        let Refer { to, replaces, referred_by } = &transferor.refer;
        let to = to.clone().without_headers();
        let target = match replaces {
            Some(replaces) => to.with_header("Replaces", &replaces.to_string()),
            None => to,
        };
        let headers = &mut request.headers;
        headers.push("Contact", self.dialog.contact());
        headers.push("Refer-To", NameAddr::new(target));
        let own = || NameAddr::new(self.dialog.local.uri.clone());
        headers.push("Referred-By", referred_by.clone().unwrap_or_else(own));
        for (name, value) in &transferor.authorization {
            headers.push(name, value.as_str());
        }
        let owner = Owner::Session { call: self.handle.0 };
        transferor.asking = Some(core.send_request(self.dialog.flow, request, owner));
        transferor.cseq = cseq;
        transferor.attempts += 1;
        self.transfers.transferor = Some(transferor);
    }

    /// Takes what the transaction of a REFER tells; `false` when it is none of that.
    pub(super) fn handle_refer_outcome(&mut self, id: ClientId, outcome: &Outcome, core: &mut Core) -> bool {
        let Some(transferor) =
            self.transfers.transferor.as_mut().filter(|transferor| transferor.asking == Some(id))
        else {
            return false;
        };
        let response = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => return true,
            Outcome::Response(response) if response.status.is_success() => {
                transferor.asking = None;
                self.accepted(core);
                return true;
            }
            Outcome::Response(response) => Ok(response),
            // RFC 3261, 8.1.3.1.
            Outcome::Failed(Failure::Timeout) => Err(StatusCode::REQUEST_TIMEOUT),
            Outcome::Failed(Failure::Transport) => Err(StatusCode::SERVICE_UNAVAILABLE),
        };
        let Some(mut transferor) = self.transfers.transferor.take() else { return true };
        let status = match response {
            Ok(response) if self.is_answerable(&mut transferor, response, core) => {
                self.send_refer(transferor, core);
                return true;
            }
            Ok(response) => response.status,
            Err(status) => status,
        };
        self.refused_refer(&transferor, status, core);
        true
    }

    /// Whether a challenge can be answered, with the answer among the headers of the next try.
    fn is_answerable(&self, transferor: &mut Transferor, response: &Response, core: &mut Core) -> bool {
        let asks =
            matches!(response.status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        let Some(credentials) = self.credentials.as_ref().filter(|_| asks) else { return false };
        let uri = self.dialog.ack(0).uri;
        let request = auth::Challenged { method: &Method::Refer, uri: &uri };
        transferor.attempts < MAX_ATTEMPTS
            && auth::answer(response, request, credentials, &mut transferor.authorization, &mut core.entropy)
    }

    fn refused_refer(&self, transferor: &Transferor, status: StatusCode, core: &mut Core) {
        let handle = self.handle;
        core.emit(if transferor.is_accepted {
            // Its NOTIFYs had come already, whatever became of its answer.
            Event::ReferEnded { handle, status: None }
        } else {
            Event::ReferRefused { handle, status }
        });
    }

    fn accepted(&mut self, core: &mut Core) {
        if let Some(transferor) =
            self.transfers.transferor.as_mut().filter(|transferor| !transferor.is_accepted)
        {
            transferor.is_accepted = true;
            core.emit(Event::ReferAccepted { handle: self.handle });
        }
    }

    /// Takes a NOTIFY.
    pub(super) fn handle_notify(&mut self, inbound: &Inbound, server: ServerId, core: &mut Core) {
        let mut response = inbound.request.response(StatusCode::OK);
        response.headers.push("Contact", self.dialog.contact());
        match self.read_notify(inbound) {
            Ok((status, is_terminated)) => {
                core.respond(server, response);
                self.followed(status, is_terminated, core);
            }
            Err(status) => {
                response = inbound.request.response(status);
                match status {
                    StatusCode::BAD_EVENT => response.headers.push("Allow-Events", PACKAGE),
                    StatusCode::UNSUPPORTED_MEDIA_TYPE => response.headers.push("Accept", SIPFRAG),
                    _ => {}
                }
                core.respond(server, response);
            }
        }
    }

    /// The status that a NOTIFY tells, if any, and whether it is the last one.
    fn read_notify(&self, inbound: &Inbound) -> Result<(Option<StatusCode>, bool), StatusCode> {
        let headers = &inbound.request.headers;
        let bad = |_| StatusCode::BAD_REQUEST;
        let event = headers.event().map_err(bad)?.ok_or(StatusCode::BAD_EVENT)?;
        if !event.package.eq_ignore_ascii_case(PACKAGE) {
            return Err(StatusCode::BAD_EVENT);
        }
        let names = |cseq: u32| event.id.as_ref().is_none_or(|id| id.parse() == Ok(cseq));
        let known = self.transfers.transferor.as_ref().is_some_and(|transferor| names(transferor.cseq));
        // What follows a final status is heard, and changes nothing.
        if !known && !self.transfers.done.is_some_and(names) {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        let state = headers.subscription_state().map_err(bad)?.ok_or(StatusCode::BAD_REQUEST)?;
        let body = &inbound.request.body;
        let media = headers.content_type().map_err(bad)?.and_then(|value| value.split(';').next());
        if !body.is_empty() && !media.is_some_and(|media| media.trim().eq_ignore_ascii_case(SIPFRAG)) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let status = StatusCode::of_sipfrag(body).filter(|_| known);
        Ok((status, known && state.is_terminated))
    }

    fn followed(&mut self, status: Option<StatusCode>, is_terminated: bool, core: &mut Core) {
        if status.is_none() && !is_terminated {
            return;
        }
        self.accepted(core);
        let end = status.filter(|status| status.is_final());
        if end.is_some() || is_terminated {
            self.end_transferor(end, core);
        } else if let (Some(transferor), Some(status)) = (&mut self.transfers.transferor, status)
            && transferor.latest != Some(status)
        {
            transferor.latest = Some(status);
            core.emit(Event::ReferProgress { handle: self.handle, status });
        }
    }

    fn end_transferor(&mut self, status: Option<StatusCode>, core: &mut Core) {
        if let Some(transferor) = self.transfers.transferor.take() {
            self.transfers.done = Some(transferor.cseq);
            core.emit(Event::ReferEnded { handle: self.handle, status });
        }
    }

    /// Stops following a far end that does not say how it goes.
    pub(super) fn expire_transferor(&mut self, core: &mut Core) {
        if self.transfers.transferor.as_ref().is_some_and(|transferor| transferor.until <= core.now) {
            self.end_transferor(None, core);
        }
    }
}
