//! The INVITEs of one outgoing call, one for each target, until the last of them can say no more.

use core::time::Duration;

use bytes::Bytes;
use sip_message::{CSeq, Contacts, Method, NameAddr, Request, Response, StatusCode};

use super::early::{EarlyDialogs, EarlyMedia, OutOfOrder, RELIABLE};
use super::{message, reason, session_timer};
use crate::auth;
use crate::config::SessionTimer as Wanted;
use crate::core::Core;
use crate::dialog::{Dialog, Identity, contact, is_secure, request_uri};
use crate::event::{Credentials, EndCause, Reason, Target};
use crate::inbound::Inbound;
use crate::transaction::{ClientId, Failure, Outcome, Owner};

/// How often one target may make us send the INVITE again with more in it: a challenge, a stale
/// nonce, the challenge of a second proxy, and a longer session interval.
const MAX_ATTEMPTS: u8 = 4;

/// How many far ends behind one target may accept before the others are left to time out.
const MAX_ACCEPTED: usize = 8;

/// What every INVITE of the call says.
#[derive(Debug)]
pub(super) struct Invite {
    pub(super) offer: Bytes,
    pub(super) credentials: Option<Credentials>,
    pub(super) headers: Vec<(String, String)>,
}

/// The forks of one call.
#[derive(Debug)]
pub(super) struct Forks {
    call: u64,
    pub(super) identity: Identity,
    /// Gone when the call is decided: nothing is sent again then.
    invite: Option<Invite>,
    list: Vec<Fork>,
}

#[derive(Debug)]
struct Fork {
    target: Target,
    client: Option<ClientId>,
    cseq: u32,
    progress: Progress,
    cancel: Cancel,
    authorization: Vec<(&'static str, String)>,
    attempts: u8,
    session: Wanted,
    early: EarlyDialogs,
    /// By the far end's tag: a repeated 2xx gets the same ACK again.
    acks: Vec<(String, Bytes)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Progress {
    Accepted { until: Duration },
    Calling,
    Failed(EndCause),
    Proceeding,
}

/// A CANCEL may only follow a provisional response (RFC 3261, 9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cancel {
    No,
    Sent { until: Duration },
    Wanted(Option<String>),
}

/// What an outcome means for the call.
#[derive(Debug)]
pub(super) enum News {
    /// A far end accepted that had not accepted before.
    Accepted(Response),
    /// A target can not be had.
    Failed,
    Nothing,
    /// With what a far end lets hear from then on.
    Progress(StatusCode, Option<EarlyMedia>),
}

impl Forks {
    pub(super) fn call_id(&self) -> &str {
        &self.identity.call_id
    }

    /// Sends the INVITEs.
    pub(super) fn start(
        call: u64,
        identity: Identity,
        invite: Invite,
        targets: (Vec<Target>, Wanted),
        core: &mut Core,
    ) -> Self {
        let (targets, session) = targets;
        let fork = |target| Fork {
            target,
            client: None,
            cseq: 0,
            progress: Progress::Calling,
            cancel: Cancel::No,
            authorization: Vec::new(),
            attempts: 0,
            session,
            early: EarlyDialogs::default(),
            acks: Vec::new(),
        };
        let list = targets.into_iter().map(fork).collect();
        let mut forks = Self { call, identity, invite: Some(invite), list };
        for index in 0..forks.list.len() {
            forks.send(index, core);
        }
        forks
    }

    fn send(&mut self, index: usize, core: &mut Core) {
        let (Some(fork), Some(invite)) = (self.list.get_mut(index), &self.invite) else { return };
        fork.attempts += 1;
        fork.cseq += 1;
        fork.progress = Progress::Calling;
        fork.early.clear();
        let flow = fork.target.flow;
        let mut request = Request::new(Method::Invite, request_uri(&fork.target.uri));
        let headers = &mut request.headers;
        headers.push("From", &self.identity.local);
        headers.push("To", &self.identity.remote);
        headers.push("Call-ID", self.identity.call_id.as_str());
        headers.push("CSeq", CSeq::new(fork.cseq, Method::Invite));
        headers.push("Contact", contact(&flow, &self.identity.local, is_secure(&fork.target.uri)));
        message::put_abilities(headers);
        headers.push("Supported", RELIABLE);
        session_timer::write_request(headers, fork.session, None);
        for (name, value) in &fork.authorization {
            headers.push(name, value.as_str());
        }
        for (name, value) in invite.headers.iter().filter(|(name, _)| message::is_free(name)) {
            headers.push(name, value.as_str());
        }
        message::put_sdp(headers, &mut request.body, invite.offer.clone());
        fork.client = Some(core.send_request(flow, request, Owner::Fork { call: self.call, fork: index }));
    }

    /// Takes what the transaction of one fork tells.
    pub(super) fn handle(&mut self, index: usize, id: ClientId, outcome: Outcome, core: &mut Core) -> News {
        let Some(fork) = self.list.get_mut(index).filter(|fork| fork.client == Some(id)) else {
            return News::Nothing;
        };
        let response = match outcome {
            Outcome::Failed(failure) => {
                fork.fail(match failure {
                    Failure::Timeout => EndCause::Timeout,
                    Failure::Transport => EndCause::TransportFailed,
                });
                return News::Failed;
            }
            Outcome::Response(response) => response,
        };
        if response.status.is_provisional() {
            fork.proceed(core);
            return fork.hear(&response, &self.identity, core);
        }
        if response.status.is_success() {
            return fork.accept(response, core);
        }
        fork.client = None;
        if fork.cancel == Cancel::No && self.wants_another(index, &response, core) {
            self.send(index, core);
            return News::Nothing;
        }
        if let Some(fork) = self.list.get_mut(index) {
            let contacts = contacts(&response, core.config.limits.contacts);
            let is_elsewhere = response.status == StatusCode::REQUEST_TERMINATED
                && reason::says_elsewhere(&response.headers);
            let retry_after = response.headers.retry_after();
            fork.fail(if is_elsewhere {
                EndCause::AnsweredElsewhere
            } else {
                EndCause::Rejected { status: response.status, reason: response.reason, contacts, retry_after }
            });
        }
        News::Failed
    }

    /// Whether the INVITE is worth another try, and puts into it what the failure asks for.
    fn wants_another(&mut self, index: usize, failure: &Response, core: &mut Core) -> bool {
        let (Some(fork), Some(invite)) = (self.list.get_mut(index), &self.invite) else { return false };
        if fork.attempts >= MAX_ATTEMPTS {
            return false;
        }
        match failure.status {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                let Some(credentials) = &invite.credentials else { return false };
                let uri = request_uri(&fork.target.uri);
                let request = auth::Challenged { method: &Method::Invite, uri: &uri };
                auth::answer(failure, request, credentials, &mut fork.authorization, &mut core.entropy)
            }
            StatusCode::SESSION_INTERVAL_TOO_SMALL => session_timer::raised(&failure.headers, fork.session)
                .is_some_and(|raised| {
                    fork.session = raised;
                    true
                }),
            _ => false,
        }
    }

    /// Acknowledges a 2xx and gives the dialog that it made.
    pub(super) fn acknowledge(
        &mut self,
        index: usize,
        response: &Response,
        core: &mut Core,
    ) -> Option<Dialog> {
        let fork = self.list.get_mut(index)?;
        let mut dialog = fork.dialog(response, &self.identity);
        fork.early.confirm(&mut dialog);
        let mut ack = dialog.ack(fork.cseq);
        for (name, value) in &fork.authorization {
            ack.headers.push(name, value.as_str());
        }
        let bytes = core.send_ack(dialog.flow, ack);
        let tag = dialog.remote.tag().unwrap_or_default().to_owned();
        fork.acks.push((tag, bytes));
        Some(dialog)
    }

    /// The answer that the far end gave before its 2xx, which need not repeat it where that came reliably
    /// (RFC 3262, 5; RFC 6337, 2.1).
    pub(super) fn early_answer(&self, index: usize, response: &Response) -> Option<Bytes> {
        let to = response.headers.to().ok()?;
        self.list.get(index)?.early.answer(to.tag())
    }

    /// Takes a request of a far end that has not accepted; `false` when it belongs to no early dialog.
    pub(super) fn handle_request(&mut self, inbound: &Inbound, core: &mut Core) -> bool {
        let call = self.call;
        self.list.iter_mut().any(|fork| fork.early.handle_request(inbound, call, core))
    }

    /// The session timer that the target was last asked for.
    pub(super) fn session_asked(&self, index: usize) -> Wanted {
        self.list.get(index).map(|fork| fork.session).unwrap_or_default()
    }

    /// Lets go of what only another INVITE would need. Gives back what later requests may need.
    pub(super) fn decide(&mut self) -> Option<Invite> {
        self.invite.take()
    }

    /// Gives up every target that has not answered, because another one did.
    pub(super) fn cancel_losers(&mut self, core: &mut Core) {
        self.cancel(Some(&reason::write(&Reason::answered_elsewhere())), core);
    }

    /// Gives up every target that has not answered.
    pub(super) fn cancel(&mut self, reason: Option<&str>, core: &mut Core) {
        for fork in &mut self.list {
            fork.cancel(reason, core);
        }
    }

    /// Whether no target can accept any more.
    pub(super) fn have_failed(&self) -> bool {
        self.list.iter().all(|fork| matches!(fork.progress, Progress::Failed(_)))
    }

    /// The failure that says most about the call (RFC 3261, 16.7, step 6).
    pub(super) fn best_failure(&self) -> EndCause {
        let failures = self.list.iter().filter_map(|fork| match &fork.progress {
            Progress::Failed(cause) => Some(cause),
            Progress::Accepted { .. } | Progress::Calling | Progress::Proceeding => None,
        });
        failures.min_by_key(|cause| rank(cause)).cloned().unwrap_or(EndCause::Timeout)
    }

    /// Whether a target refused for all of them.
    pub(super) fn have_global_failure(&self) -> bool {
        self.list.iter().any(|fork| match &fork.progress {
            Progress::Failed(EndCause::Rejected { status, .. }) => status.class() == 6,
            Progress::Failed(_) | Progress::Accepted { .. } | Progress::Calling | Progress::Proceeding => {
                false
            }
        })
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.list.iter().filter_map(Fork::deadline).min()
    }

    /// Forgets the forks that had their time.
    pub(super) fn handle_timeout(&mut self, core: &mut Core) {
        for fork in &mut self.list {
            if fork.deadline().is_some_and(|at| at <= core.now) {
                if let Some(id) = fork.client.take() {
                    core.drop_client(id);
                }
                fork.cancel = Cancel::No;
                fork.acks.clear();
                fork.early.clear();
                fork.progress = Progress::Failed(EndCause::Timeout);
            }
        }
    }

    /// Whether nothing more can come from any target.
    pub(super) fn are_over(&self) -> bool {
        self.list.iter().all(|fork| fork.client.is_none())
    }
}

impl Fork {
    fn fail(&mut self, cause: EndCause) {
        self.client = None;
        self.early.clear();
        self.cancel = Cancel::No;
        self.progress = Progress::Failed(cause);
    }

    fn proceed(&mut self, core: &mut Core) {
        if self.progress == Progress::Calling {
            self.progress = Progress::Proceeding;
        }
        if let Cancel::Wanted(reason) = &self.cancel {
            let reason = reason.clone();
            self.cancel = Cancel::No;
            self.cancel(reason.as_deref(), core);
        }
    }

    /// Takes what a provisional response says beside its status.
    fn hear(&mut self, response: &Response, identity: &Identity, core: &mut Core) -> News {
        let status = response.status;
        let has_tag = response.headers.to().is_ok_and(|to| to.tag().is_some());
        if status == StatusCode::TRYING || !has_tag {
            return News::Progress(status, None);
        }
        let dialog = self.dialog(response, identity);
        match self.early.proceed(response, dialog, self.cseq, core) {
            Ok(media) => News::Progress(status, media),
            Err(OutOfOrder) => News::Nothing,
        }
    }

    /// The dialog that a response to the INVITE makes.
    fn dialog(&self, response: &Response, identity: &Identity) -> Dialog {
        let uri = request_uri(&self.target.uri);
        Dialog::of_client(identity, (&uri, self.cseq), response, self.target.flow)
    }

    fn accept(&mut self, response: Response, core: &mut Core) -> News {
        let tag = response.headers.to().ok().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        if !matches!(self.progress, Progress::Accepted { .. }) {
            // The transaction passes 2xx up until its timer M.
            self.progress = Progress::Accepted { until: core.after(core.config.timers.timeout()) };
            self.cancel = Cancel::No;
        }
        if let Some((_, ack)) = self.acks.iter().find(|(known, _)| *known == tag) {
            core.transmit(self.target.flow, ack.clone());
            return News::Nothing;
        }
        if self.acks.len() >= MAX_ACCEPTED { News::Nothing } else { News::Accepted(response) }
    }

    fn cancel(&mut self, reason: Option<&str>, core: &mut Core) {
        match (&self.progress, &self.cancel) {
            (Progress::Calling, Cancel::No) => self.cancel = Cancel::Wanted(reason.map(str::to_owned)),
            (Progress::Proceeding, Cancel::No) => {
                if let Some(id) = self.client {
                    core.send_cancel(id, reason);
                }
                // A far end of RFC 2543 may never answer the INVITE (RFC 3261, 9.1).
                self.cancel = Cancel::Sent { until: core.after(core.config.timers.timeout()) };
            }
            (Progress::Calling | Progress::Proceeding, Cancel::Sent { .. } | Cancel::Wanted(_))
            | (Progress::Accepted { .. } | Progress::Failed(_), _) => {}
        }
    }

    fn deadline(&self) -> Option<Duration> {
        match (&self.progress, &self.cancel) {
            (Progress::Accepted { until }, _) => self.client.is_some().then_some(*until),
            (Progress::Calling | Progress::Proceeding, Cancel::Sent { until }) => Some(*until),
            (Progress::Calling | Progress::Proceeding, Cancel::No | Cancel::Wanted(_))
            | (Progress::Failed(_), _) => None,
        }
    }
}

/// Where a refusal sends the caller.
fn contacts(refusal: &Response, limit: usize) -> Vec<NameAddr> {
    if refusal.status.class() != 3 {
        return Vec::new();
    }
    match refusal.headers.contacts() {
        Ok(Contacts::List(list)) => list.into_iter().take(limit).collect(),
        Ok(Contacts::Star) | Err(_) => Vec::new(),
    }
}

/// Smaller says more.
fn rank(cause: &EndCause) -> u16 {
    match cause {
        EndCause::Rejected { status, .. } => match *status {
            status if status.class() == 6 => 0,
            // Somebody was there and said no.
            StatusCode::BUSY_HERE => 1,
            StatusCode::REQUEST_TIMEOUT => 500,
            // The same phone was reached twice; its other answer counts.
            StatusCode::LOOP_DETECTED => 600,
            StatusCode::SERVICE_UNAVAILABLE => 699,
            status => status.as_u16(),
        },
        EndCause::AnsweredElsewhere => 2,
        EndCause::Timeout => 800,
        EndCause::Cancelled
        | EndCause::LocalHangUp
        | EndCause::MissingAnswer
        | EndCause::NoAck
        | EndCause::RemoteBye { .. }
        | EndCause::SessionExpired
        | EndCause::TransportFailed => 900,
    }
}
