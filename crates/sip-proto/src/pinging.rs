//! OPTIONS of this side, which ask whether a far end is there (RFC 3261, 11).

use core::fmt;

use sip_message::{CSeq, Method, NameAddr, Request, StatusCode};

use crate::call::message;
use crate::core::Core;
use crate::dialog::{contact, is_secure, request_uri};
use crate::event::{CallError, Event, Target};
use crate::transaction::{Failure, Outcome, Owner};

/// One question whether a far end is there. Never used again for another one of the same endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PingHandle(pub(crate) u64);

impl fmt::Display for PingHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Whom to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// The Request-URI, and the way there.
    pub target: Target,
    /// Who asks, without tag.
    pub from: NameAddr,
}

/// Why a far end did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingFailure {
    /// Nothing came in time (timer F).
    Timeout,
    /// It could not be reached.
    TransportFailed,
}

/// Sends the question. Its transaction is all that is kept of it.
pub(crate) fn send(handle: PingHandle, ping: Ping, core: &mut Core) -> Result<(), CallError> {
    let Ping { target, from } = ping;
    if !target.is_secure_enough() {
        return Err(CallError::Insecure);
    }
    if core.is_full() {
        return Err(CallError::Full);
    }
    let mut request = Request::new(Method::Options, request_uri(&target.uri));
    let call_id = format!("{}{}", core.entropy.token(), core.entropy.token());
    let headers = &mut request.headers;
    headers.push("Contact", contact(&target.flow, &from, is_secure(&target.uri)));
    headers.push("From", from.with_tag(&core.entropy.token()));
    headers.push("To", NameAddr::new(request.uri.clone()));
    headers.push("Call-ID", call_id);
    headers.push("CSeq", CSeq::new(1, Method::Options));
    headers.push("Accept", message::SDP);
    core.send_request(target.flow, request, Owner::Ping(handle.0));
    Ok(())
}

/// What the transaction of a question tells.
pub(crate) fn told(number: u64, outcome: Outcome) -> Option<Event> {
    let result: Result<StatusCode, PingFailure> = match outcome {
        Outcome::Response(response) if response.status.is_provisional() => return None,
        Outcome::Response(response) => Ok(response.status),
        Outcome::Failed(Failure::Timeout) => Err(PingFailure::Timeout),
        Outcome::Failed(Failure::Transport) => Err(PingFailure::TransportFailed),
    };
    Some(Event::Pong { ping: PingHandle(number), result })
}
