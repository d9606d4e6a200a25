//! Registrations of this side at registrars elsewhere (RFC 3261, 10.2).
//!
//! ```text
//!   register()
//!        v     <-- 401, 407, 423: again, with what they want
//!   [ Asking ] -------- failure: failed -----> gone
//!    |  2xx |  ^
//!    |      v  | in time before the end
//!    |    [ Bound ] --- its connection ends: failed -----> gone
//!    |      | unregister()
//!    v      v
//!   [ Leaving ] ------- any answer, or none: ended ----> gone
//! ```
//!
//! `unregister` while an answer is awaited waits for it, as two registrations of one address may not be
//! under way at once.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use sip_message::{CSeq, Contacts, Method, NameAddr, Request, Response, StatusCode, Uri};

use crate::auth;
use crate::core::Core;
use crate::dialog::{contact, is_secure, request_uri};
use crate::event::{Credentials, Event};
use crate::flow::Flow;
use crate::timers::TimerQueue;
use crate::transaction::{ClientId, Failure, Outcome, Owner};

/// How often one REGISTER is sent again for challenges and a longer interval.
const MAX_ATTEMPTS: u8 = 4;

/// A registrar that grants next to nothing is not asked more often than this. Arbitrary.
const MIN_PAUSE: Duration = Duration::from_secs(5);

/// One registration of this side. Never used again for another one of the same endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationHandle(u64);

impl fmt::Display for RegistrationHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A registration of this side at a registrar elsewhere.
#[derive(Debug, Clone)]
pub struct NewRegistration {
    /// The registrar, such as `sip:contoso.example`, which is the Request-URI.
    pub registrar: Uri,
    /// The way there.
    pub flow: Flow,
    /// The address of record, without tag.
    pub aor: NameAddr,
    /// Where calls are to come; `None` takes the address of this node in `flow`.
    pub contact: Option<Uri>,
    /// Answers challenges.
    pub credentials: Option<Credentials>,
    /// How long the registration is to last before it is refreshed, in whole seconds.
    pub expires: Duration,
}

/// Why a request about registrations was refused; nothing has changed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// [`crate::Limits`] are reached.
    #[error("the endpoint holds as many registrations or transactions as it may")]
    Full,
    /// The handle names no registration, or one that is being ended.
    #[error("no such registration")]
    Unknown,
}

/// Why a registration is over that was to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistrationFailure {
    /// The registrar refused it.
    Refused {
        /// 300 to 699.
        status: StatusCode,
        /// Its reason phrase.
        reason: String,
        /// When to try again, in seconds.
        retry_after: Option<u32>,
    },
    /// The registrar did not answer (timer F).
    Timeout,
    /// The registrar could not be reached, or the connection to it ended.
    TransportFailed,
}

/// All registrations of this side.
#[derive(Debug)]
pub(crate) struct Registrations {
    table: BTreeMap<RegistrationHandle, Registering>,
    timers: TimerQueue<RegistrationHandle>,
    last: u64,
}

#[derive(Debug)]
struct Registering {
    new: NewRegistration,
    contact: NameAddr,
    /// The address of record with this side's tag.
    from: NameAddr,
    call_id: String,
    cseq: u32,
    /// How long the next REGISTER asks for.
    asks: Duration,
    attempts: u8,
    authorization: Vec<(&'static str, String)>,
    phase: Phase,
    /// The user wants it to end.
    is_leaving: bool,
    scheduled: Option<Duration>,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Asking(ClientId),
    Bound { refresh_at: Duration },
}

/// Where a registration goes from here.
enum Next {
    Gone(Event),
    Stay,
}

impl Registrations {
    pub(crate) fn new() -> Self {
        Self { table: BTreeMap::new(), timers: TimerQueue::new(), last: 0 }
    }

    pub(crate) fn register(
        &mut self,
        new: NewRegistration,
        core: &mut Core,
    ) -> Result<RegistrationHandle, RegistrationError> {
        if self.table.len() >= core.config.limits.registrations || core.is_full() {
            return Err(RegistrationError::Full);
        }
        self.last += 1;
        let handle = RegistrationHandle(self.last);
        let mut registering = Registering::new(new, core);
        registering.begin(handle, registering.new.expires, core);
        self.table.insert(handle, registering);
        Ok(handle)
    }

    pub(crate) fn unregister(
        &mut self,
        handle: RegistrationHandle,
        core: &mut Core,
    ) -> Result<(), RegistrationError> {
        let registering = self.table.get_mut(&handle).filter(|registering| !registering.is_leaving);
        let registering = registering.ok_or(RegistrationError::Unknown)?;
        registering.is_leaving = true;
        if let Phase::Bound { .. } = registering.phase {
            registering.leave(handle, core);
        }
        self.settle(handle);
        Ok(())
    }

    pub(crate) fn refresh(
        &mut self,
        handle: RegistrationHandle,
        core: &mut Core,
    ) -> Result<(), RegistrationError> {
        let registering = self.table.get_mut(&handle).filter(|registering| !registering.is_leaving);
        let registering = registering.ok_or(RegistrationError::Unknown)?;
        if let Phase::Bound { .. } = registering.phase {
            registering.begin(handle, registering.new.expires, core);
        }
        self.settle(handle);
        Ok(())
    }

    pub(crate) fn next_timeout(&self) -> Option<Duration> {
        self.timers.next()
    }

    /// Refreshes what is due.
    pub(crate) fn handle_timeout(&mut self, core: &mut Core) {
        while let Some(handle) = self.timers.pop(core.now) {
            if let Some(registering) = self.table.get_mut(&handle) {
                registering.scheduled = None;
                registering.begin(handle, registering.new.expires, core);
            }
            self.settle(handle);
        }
    }

    /// Takes the end of a stream connection: nobody is reached over it any more.
    pub(crate) fn handle_flow_closed(&mut self, flow: Flow, core: &mut Core) {
        let is_lost = |registering: &Registering| {
            registering.new.flow == flow && matches!(registering.phase, Phase::Bound { .. })
        };
        let lost = self.table.iter().filter(|(_, registering)| is_lost(registering));
        for handle in lost.map(|(handle, _)| *handle).collect::<Vec<_>>() {
            self.remove(handle);
            core.emit(Event::RegistrationFailed {
                registration: handle,
                cause: RegistrationFailure::TransportFailed,
            });
        }
    }

    /// Takes what the transaction of a REGISTER tells.
    pub(crate) fn handle(&mut self, number: u64, id: ClientId, outcome: Outcome, core: &mut Core) {
        let handle = RegistrationHandle(number);
        let Some(registering) = self.table.get_mut(&handle) else { return };
        match registering.handle(handle, id, outcome, core) {
            Next::Gone(event) => {
                self.remove(handle);
                core.emit(event);
            }
            Next::Stay => self.settle(handle),
        }
    }

    fn settle(&mut self, handle: RegistrationHandle) {
        if let Some(registering) = self.table.get_mut(&handle) {
            let next = match registering.phase {
                Phase::Asking(_) => None,
                Phase::Bound { refresh_at } => Some(refresh_at),
            };
            self.timers.reschedule(handle, &mut registering.scheduled, next);
        }
    }

    fn remove(&mut self, handle: RegistrationHandle) {
        if let Some(mut registering) = self.table.remove(&handle) {
            self.timers.reschedule(handle, &mut registering.scheduled, None);
        }
    }
}

impl Registering {
    /// One that is due to ask.
    fn new(new: NewRegistration, core: &mut Core) -> Self {
        let own = || contact(&new.flow, &new.aor, is_secure(&new.registrar));
        Self {
            contact: new.contact.clone().map_or_else(own, NameAddr::new),
            from: new.aor.clone().with_tag(&core.entropy.token()),
            call_id: format!("{}{}", core.entropy.token(), core.entropy.token()),
            cseq: 0,
            asks: new.expires,
            attempts: 0,
            authorization: Vec::new(),
            phase: Phase::Bound { refresh_at: core.now },
            is_leaving: false,
            scheduled: None,
            new,
        }
    }

    /// Asks anew, without what earlier answers wanted.
    fn begin(&mut self, handle: RegistrationHandle, asks: Duration, core: &mut Core) {
        self.asks = asks;
        self.attempts = 0;
        // A nonce count is good once, and a nonce for a while only.
        self.authorization.clear();
        self.send(handle, core);
    }

    fn leave(&mut self, handle: RegistrationHandle, core: &mut Core) {
        self.begin(handle, Duration::ZERO, core);
    }

    fn send(&mut self, handle: RegistrationHandle, core: &mut Core) {
        self.attempts += 1;
        self.cseq = self.cseq.saturating_add(1);
        let mut request = Request::new(Method::Register, request_uri(&self.new.registrar));
        let headers = &mut request.headers;
        headers.push("From", &self.from);
        headers.push("To", &self.new.aor);
        headers.push("Call-ID", self.call_id.as_str());
        headers.push("CSeq", CSeq::new(self.cseq, Method::Register));
        headers.push("Contact", &self.contact);
        headers.push("Expires", u32::try_from(self.asks.as_secs()).unwrap_or(u32::MAX));
        for (name, value) in &self.authorization {
            headers.push(name, value.as_str());
        }
        let owner = Owner::Registration(handle.0);
        self.phase = Phase::Asking(core.send_request(self.new.flow, request, owner));
    }

    fn handle(
        &mut self,
        handle: RegistrationHandle,
        id: ClientId,
        outcome: Outcome,
        core: &mut Core,
    ) -> Next {
        if !matches!(self.phase, Phase::Asking(asking) if asking == id) {
            return Next::Stay;
        }
        let response = match outcome {
            Outcome::Response(response) if response.status.is_provisional() => return Next::Stay,
            Outcome::Response(response) => response,
            Outcome::Failed(failure) => return Next::Gone(self.failed(handle, failure)),
        };
        if self.wants_another(&response, core) {
            self.send(handle, core);
            return Next::Stay;
        }
        if self.is_leaving && !self.asks.is_zero() {
            self.leave(handle, core);
            return Next::Stay;
        }
        if self.is_leaving {
            return Next::Gone(Event::RegistrationEnded { registration: handle });
        }
        if !response.status.is_success() {
            let retry_after = response.headers.retry_after();
            let cause = RegistrationFailure::Refused {
                status: response.status,
                reason: response.reason,
                retry_after,
            };
            return Next::Gone(Event::RegistrationFailed { registration: handle, cause });
        }
        let expires = self.granted(&response);
        self.phase = Phase::Bound { refresh_at: core.after(refreshed_after(expires, core)) };
        core.emit(Event::RegistrationAccepted { registration: handle, expires });
        Next::Stay
    }

    fn failed(&self, registration: RegistrationHandle, failure: Failure) -> Event {
        if self.is_leaving {
            return Event::RegistrationEnded { registration };
        }
        let cause = match failure {
            Failure::Timeout => RegistrationFailure::Timeout,
            Failure::Transport => RegistrationFailure::TransportFailed,
        };
        Event::RegistrationFailed { registration, cause }
    }

    /// Whether another try is worth it, and puts into it what the refusal asks for.
    fn wants_another(&mut self, refusal: &Response, core: &mut Core) -> bool {
        if self.attempts >= MAX_ATTEMPTS {
            return false;
        }
        match refusal.status {
            StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                let Some(credentials) = &self.new.credentials else { return false };
                let uri = request_uri(&self.new.registrar);
                let request = auth::Challenged { method: &Method::Register, uri: &uri };
                auth::answer(refusal, request, credentials, &mut self.authorization, &mut core.entropy)
            }
            StatusCode::INTERVAL_TOO_BRIEF if !self.asks.is_zero() => {
                let min = refusal.headers.min_expires().ok().flatten();
                let min = min.map(|seconds| Duration::from_secs(seconds.into()));
                let Some(min) = min.filter(|min| *min > self.asks) else { return false };
                // Later refreshes need not be told again.
                self.new.expires = min;
                self.asks = min;
                // The tries before were answered; their nonce count is used.
                self.authorization.clear();
                true
            }
            _ => false,
        }
    }

    /// How long the registrar keeps this contact.
    fn granted(&self, response: &Response) -> Duration {
        let contacts = match response.headers.contacts() {
            Ok(Contacts::List(list)) => list,
            Ok(Contacts::Star) | Err(_) => Vec::new(),
        };
        let own = contacts.iter().find(|contact| contact.uri.equivalent(&self.contact.uri));
        let seconds = own.and_then(NameAddr::expires).or(response.headers.expires().ok().flatten());
        seconds.map_or(self.asks, |seconds| Duration::from_secs(seconds.into()))
    }
}

/// When to refresh: early enough for a transaction that has to time out, or half-way.
fn refreshed_after(expires: Duration, core: &Core) -> Duration {
    let margin = core.config.timers.timeout();
    let early = if expires > margin * 2 { expires - margin } else { expires / 2 };
    early.max(MIN_PAUSE)
}
