//! The early dialogs of one outgoing INVITE: far ends behind its target that have answered provisionally
//! (RFC 3261, 12.1.2 and 13.2.2.1; RFC 3262).
//!
//! ```text
//!             1xx with a tag                                  2xx with the tag
//!   (nothing) ------------> [ early ] ------------------------------------------> the dialog of the call
//!                            ^  |   |
//!     reliable, in order:    |  |   '---- failure, another INVITE ----> gone
//!     PRACK, take the answer '--'
//! ```

use bytes::Bytes;
use sip_message::{CSeq, Method, NameAddr, RAck, Response, StatusCode};

use super::message;
use crate::core::Core;
use crate::dialog::Dialog;
use crate::inbound::Inbound;

/// The option tag of RFC 3262.
pub(crate) const RELIABLE: &str = "100rel";

/// How many far ends behind one target are heard before they accept. What others say is progress and no more.
const MAX_EARLY: usize = 8;

/// How many reliable responses of one far end are acknowledged; several times what gateways send. Each opens a
/// transaction.
const MAX_RELIABLE: u32 = 64;

/// What a far end lets hear before it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EarlyMedia {
    pub(super) remote: Box<NameAddr>,
    pub(super) sdp: Bytes,
}

/// The far ends behind one target that have said something, in order of their first words.
#[derive(Debug, Default)]
pub(super) struct EarlyDialogs(Vec<Early>);

#[derive(Debug)]
struct Early {
    dialog: Dialog,
    /// Of the last response that was acknowledged.
    rseq: Option<u32>,
    acknowledged: u32,
    /// The first description counts, whatever follows (RFC 3261, 13.2.1).
    answer: Option<Bytes>,
}

impl EarlyDialogs {
    /// Takes a provisional response that has a tag; `dialog` is what it makes, if it makes one. `Err` for a reliable
    /// one that is a repeat or out of order, which says nothing (RFC 3262, 4).
    pub(super) fn proceed(
        &mut self,
        response: &Response,
        dialog: Dialog,
        invite: u32,
        core: &mut Core,
    ) -> Result<Option<EarlyMedia>, OutOfOrder> {
        let known = self.0.iter().position(|early| early.dialog.remote.tag() == dialog.remote.tag());
        let reliable = rseq(response);
        if known.is_none() && self.0.len() >= MAX_EARLY {
            return Ok(None);
        }
        let early = match known.and_then(|at| self.0.get_mut(at)) {
            Some(early) => early,
            None => {
                self.0.push(Early { dialog: dialog.clone(), rseq: None, acknowledged: 0, answer: None });
                let Some(early) = self.0.last_mut() else { return Ok(None) };
                early
            }
        };
        if let Some(rseq) = reliable {
            early.acknowledge(rseq, dialog, invite, core)?;
        }
        let Some(sdp) = message::sdp(&response.headers, &response.body) else { return Ok(None) };
        if early.answer.is_some() {
            return Ok(None);
        }
        early.answer = Some(sdp.clone());
        Ok(Some(EarlyMedia { remote: Box::new(early.dialog.remote.clone()), sdp }))
    }

    /// The answer that a far end gave before its 2xx.
    pub(super) fn answer(&self, tag: Option<&str>) -> Option<Bytes> {
        self.0.iter().find(|early| early.dialog.remote.tag() == tag)?.answer.clone()
    }

    /// The dialog of a 2xx goes on where the early one of the same far end was.
    pub(super) fn confirm(&self, dialog: &mut Dialog) {
        if let Some(early) = self.0.iter().find(|early| early.dialog.remote.tag() == dialog.remote.tag()) {
            dialog.go_on_from(&early.dialog);
        }
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes a request within one of the dialogs; `false` when it belongs to none.
    pub(super) fn handle_request(&mut self, inbound: &Inbound, call: u64, core: &mut Core) -> bool {
        let Some(early) = self.0.iter_mut().find(|early| early.dialog.matches(inbound)) else { return false };
        let method = &inbound.request.method;
        if !matches!(method, Method::Invite | Method::Options | Method::Update) {
            return false;
        }
        if !early.dialog.accept_cseq(inbound.cseq.seq) {
            core.refuse(inbound, StatusCode::SERVER_INTERNAL_ERROR);
            return true;
        }
        let Some(server) = core.open_server(inbound, Some(call)) else {
            core.refuse_busy(inbound);
            return true;
        };
        let offers = message::sdp(&inbound.request.headers, &inbound.request.body).is_some();
        let status = match (method, offers, &early.answer) {
            // The offer of the INVITE has no answer yet, or the INVITE itself (RFC 3311, 5.2; RFC 3261, 14.2).
            (Method::Invite, ..) | (Method::Update, true, None) => StatusCode::REQUEST_PENDING,
            // What is heard before the answer stays as it is.
            (Method::Update, true, Some(_)) => StatusCode::NOT_ACCEPTABLE_HERE,
            _ => StatusCode::OK,
        };
        let mut response = inbound.request.response(status);
        if status.is_success() && *method == Method::Update {
            early.dialog.refresh_target(&inbound.request.headers);
            response.headers.push("Contact", early.dialog.contact());
        }
        message::put_abilities(&mut response.headers);
        core.respond(server, response);
        true
    }
}

/// A reliable response that was there before, or came before its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OutOfOrder;

impl Early {
    /// Sends the PRACK of a reliable response, if it is the next one.
    fn acknowledge(
        &mut self,
        rseq: u32,
        dialog: Dialog,
        invite: u32,
        core: &mut Core,
    ) -> Result<(), OutOfOrder> {
        let is_next = self.rseq.is_none_or(|last| last.checked_add(1) == Some(rseq));
        if !is_next || self.acknowledged >= MAX_RELIABLE {
            return Err(OutOfOrder);
        }
        if self.rseq.is_none() {
            // The first one sets the route of the dialog; what came before may have told none.
            let before = std::mem::replace(&mut self.dialog, dialog);
            self.dialog.go_on_from(&before);
        }
        self.rseq = Some(rseq);
        self.acknowledged += 1;
        let (mut prack, _) = self.dialog.request(Method::Prack);
        prack.headers.push("RAck", RAck { rseq, cseq: CSeq::new(invite, Method::Invite) });
        core.send_request(self.dialog.flow, prack, crate::transaction::Owner::Nobody);
        Ok(())
    }
}

/// The number of a response that wants a PRACK.
fn rseq(response: &Response) -> Option<u32> {
    let is_reliable = response.headers.require().iter().any(|option| option.eq_ignore_ascii_case(RELIABLE));
    response.headers.rseq().ok().flatten().filter(|rseq| is_reliable && *rseq > 0)
}
