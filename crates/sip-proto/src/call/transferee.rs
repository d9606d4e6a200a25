//! A far end that wants this side to call somebody else: REFER and the subscription that comes with it
//! (RFC 3515).
//!
//! ```text
//!     REFER: tell the user
//!            v          refuse, or no decision in time: failure
//!        [ Asked ] ---------------------------------------------> gone
//!            | accept: 202, NOTIFY 100
//!            v
//!        [ Telling ] <-+ status: NOTIFY, one at a time, the latest first
//!            |     '---'
//!            | final status, or its time is over: NOTIFY terminated
//!            v
//!        [ Told ] -- the last NOTIFY was answered or failed ---> gone
//! ```
//!
//! A NOTIFY that fails ends the subscription and nothing else (RFC 5057, 5.1): the call goes on, and what
//! the user tells from then on goes nowhere.

use core::time::Duration;

use bytes::Bytes;
use sip_message::{EventType, Method, Replaces, Request, SIPFRAG, Scheme, StatusCode};

use super::session::Session;
use crate::core::Core;
use crate::dialog::request_uri;
use crate::event::{CallError, CallHandle, Event, Referred};
use crate::inbound::Inbound;
use crate::transaction::{ClientId, Outcome, Owner, ServerId};

/// The event package of REFER.
pub(super) const PACKAGE: &str = "refer";

/// One REFER of the far end, until its outcome was told.
#[derive(Debug)]
pub(super) enum Transferee {
    /// The user decides.
    Asked(Asked),
    /// The user says how it goes.
    Telling(Subscription),
}

#[derive(Debug)]
pub(super) struct Asked {
    server: ServerId,
    inbound: Box<Inbound>,
    until: Duration,
}

/// The implicit subscription to the outcome.
#[derive(Debug)]
pub(super) struct Subscription {
    /// The CSeq of the REFER, which tells subscriptions of one dialog apart.
    id: u32,
    /// The far end wants to hear of it.
    is_heard: bool,
    /// The NOTIFY that is under way.
    notify: Option<ClientId>,
    /// What is to be told once that one is answered.
    waiting: Option<StatusCode>,
    latest: StatusCode,
    /// Why nothing follows.
    end: Option<&'static str>,
    until: Duration,
}

impl Transferee {
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Self::Asked(asked) => Some(asked.until),
            Self::Telling(subscription) => subscription.end.is_none().then_some(subscription.until),
        }
    }
}

/// What a REFER asks for, or the status that refuses it.
fn read(handle: CallHandle, request: &Request) -> Result<Referred, StatusCode> {
    let bad = |_| StatusCode::BAD_REQUEST;
    let headers = &request.headers;
    let target = headers.refer_to().map_err(bad)?.uri;
    if !target.is_sip() && *target.scheme() != Scheme::Tel {
        return Err(StatusCode::UNSUPPORTED_URI_SCHEME);
    }
    // Only calls are moved here (RFC 3515, 2.1).
    if target.param("method").is_some_and(|method| method != Method::Invite.as_str()) {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    Ok(Referred {
        handle,
        refer_to: request_uri(&target),
        replaces: Replaces::of_uri(&target).map_err(bad)?,
        referred_by: headers.referred_by().map_err(bad)?,
    })
}

/// Whether the far end wants no subscription (RFC 4488, 4).
fn wants_silence(request: &Request) -> bool {
    let value = request.headers.get("Refer-Sub").and_then(|value| value.split(';').next());
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("false"))
}

impl Session {
    /// Takes a REFER.
    pub(super) fn handle_refer(&mut self, inbound: Inbound, server: ServerId, core: &mut Core) {
        let referred = match read(self.handle, &inbound.request) {
            // One at a time: two would be two answers to the question where the call goes.
            Ok(_) if self.transfers.transferee.is_some() => Err(StatusCode::REQUEST_PENDING),
            read => read,
        };
        match referred {
            Ok(referred) => {
                let until = core.after(core.config.answer_limit);
                let asked = Asked { server, inbound: Box::new(inbound), until };
                self.transfers.transferee = Some(Transferee::Asked(asked));
                core.emit(Event::Referred(Box::new(referred)));
            }
            Err(status) => drop(core.respond(server, inbound.request.response(status))),
        }
    }

    fn asked(&mut self) -> Result<Asked, CallError> {
        match self.transfers.transferee.take() {
            Some(Transferee::Asked(asked)) => Ok(asked),
            other => {
                self.transfers.transferee = other;
                Err(CallError::WrongPhase)
            }
        }
    }

    /// Accepts a REFER and says that the new call is being tried.
    pub(crate) fn accept_refer(&mut self, core: &mut Core) -> Result<(), CallError> {
        let Asked { server, inbound, .. } = self.asked()?;
        let is_heard = !wants_silence(&inbound.request);
        let mut response = inbound.request.response(StatusCode::ACCEPTED);
        response.headers.push("Contact", self.dialog.contact());
        if !is_heard {
            response.headers.push("Refer-Sub", "false");
        }
        core.respond(server, response);
        self.transfers.transferee = Some(Transferee::Telling(Subscription {
            id: inbound.cseq.seq,
            is_heard,
            notify: None,
            waiting: None,
            latest: StatusCode::TRYING,
            end: None,
            until: core.after(core.config.refer_limit()),
        }));
        self.tell(StatusCode::TRYING, None, core);
        Ok(())
    }

    /// Refuses a REFER.
    pub(crate) fn refuse_refer(&mut self, status: StatusCode, core: &mut Core) -> Result<(), CallError> {
        let asked = self.asked()?;
        let status = if status.as_u16() < 300 { StatusCode::DECLINE } else { status };
        core.respond(asked.server, asked.inbound.request.response(status));
        Ok(())
    }

    /// Tells the far end how the call goes that it asked for.
    pub(crate) fn notify_refer(&mut self, status: StatusCode, core: &mut Core) -> Result<(), CallError> {
        match &self.transfers.transferee {
            Some(Transferee::Telling(subscription)) if subscription.end.is_none() => {
                self.tell(status, status.is_final().then_some("noresource"), core);
                Ok(())
            }
            Some(_) | None => Err(CallError::WrongPhase),
        }
    }

    fn tell(&mut self, status: StatusCode, end: Option<&'static str>, core: &mut Core) {
        if let Some(Transferee::Telling(subscription)) = &mut self.transfers.transferee {
            subscription.latest = status;
            subscription.end = end;
            subscription.waiting = subscription.is_heard.then_some(status);
        }
        self.send_notify(core);
    }

    /// Sends what waits, unless an earlier NOTIFY may still overtake it; forgets what was told to its end.
    fn send_notify(&mut self, core: &mut Core) {
        let Some(Transferee::Telling(subscription)) = &mut self.transfers.transferee else { return };
        if subscription.notify.is_some() {
            return;
        }
        let Some(status) = subscription.waiting.take() else {
            if subscription.end.is_some() {
                self.transfers.transferee = None;
            }
            return;
        };
        let (mut request, _) = self.dialog.request(Method::Notify);
        let headers = &mut request.headers;
        headers.push("Contact", self.dialog.contact());
        headers
            .push("Event", EventType { package: PACKAGE.to_owned(), id: Some(subscription.id.to_string()) });
        headers.push(
            "Subscription-State",
            match subscription.end {
                Some(reason) => format!("terminated;reason={reason}"),
                None => format!("active;expires={}", subscription.until.saturating_sub(core.now).as_secs()),
            },
        );
        headers.push("Content-Type", format!("{SIPFRAG};version=2.0"));
        request.body = Bytes::from(status.to_sipfrag());
        let owner = Owner::Session { call: self.handle.0 };
        subscription.notify = Some(core.send_request(self.dialog.flow, request, owner));
    }

    /// Sends what still waits before the call is over: a user who tells how a transfer went hangs up next.
    pub(super) fn flush_notify(&mut self, core: &mut Core) {
        if let Some(Transferee::Telling(subscription)) = &mut self.transfers.transferee
            && subscription.waiting.is_some()
        {
            subscription.notify = None;
            self.send_notify(core);
        }
    }

    /// Takes what the transaction of a NOTIFY tells; `false` when it is none of that.
    pub(super) fn handle_notified(&mut self, id: ClientId, outcome: &Outcome, core: &mut Core) -> bool {
        let Some(Transferee::Telling(subscription)) = &mut self.transfers.transferee else { return false };
        if subscription.notify != Some(id) {
            return false;
        }
        let is_taken = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => return true,
            Outcome::Response(response) => response.status.is_success(),
            Outcome::Failed(_) => false,
        };
        subscription.notify = None;
        if !is_taken {
            subscription.is_heard = false;
            subscription.waiting = None;
        }
        self.send_notify(core);
        true
    }

    /// Answers a REFER that nobody decides on, and ends a subscription that nobody ends.
    pub(super) fn expire_transferee(&mut self, core: &mut Core) {
        if self.transfers.transferee.as_ref().and_then(Transferee::deadline).is_none_or(|at| at > core.now) {
            return;
        }
        match &self.transfers.transferee {
            Some(Transferee::Asked(_)) => {
                self.refuse_refer(StatusCode::SERVER_INTERNAL_ERROR, core).ok();
            }
            Some(Transferee::Telling(subscription)) => {
                let latest = subscription.latest;
                self.tell(latest, Some("timeout"), core);
            }
            None => {}
        }
    }
}
