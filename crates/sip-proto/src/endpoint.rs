//! The endpoint: everything of this crate behind one door.

mod receive;

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use sip_message::{Limits, Message, Replaces, StatusCode, Uri, is_keep_alive, parse_datagram};

use crate::call::{Call, farewell};
use crate::config::Config;
use crate::core::{Core, TimerKey};
use crate::event::{
    Binding, CallError, CallHandle, Event, NewCall, Reason, Refer, Rejection, Target, Transmit, Users,
};
use crate::flow::Flow;
use crate::peers::{Peer, Peers};
use crate::pinging::{self, Ping, PingHandle};
use crate::registering::{NewRegistration, RegistrationError, RegistrationHandle, Registrations};
use crate::registrar::Registrar;
use crate::transaction::{Delivery, Owner};

/// How many deadlines one [`Endpoint::handle_timeout`] serves, so that what it causes stays bounded.
/// What is left is due at once: `poll_timeout` then lies in the past. Arbitrary.
const DUE_AT_ONCE: usize = 1024;

/// INVITEs outside dialogs that became no calls, by what was in their way. Repeats count, too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Refusals {
    /// [`crate::Limits`] or those of a peer were reached: 503.
    pub busy: u64,
    /// [`crate::IncomingPolicy::Refuse`].
    pub policy: u64,
    /// Nobody known has shown to have sent it: 401, or 403 for a wrong password. Also where there was no room for who had.
    pub unproven: u64,
}

/// A SIP user agent and registrar.
///
/// Inputs are the `handle_*` methods and the calls of its user; after each one, `poll_transmit` and
/// `poll_event` are drained until they give nothing. `now` is the time since an epoch of the caller's
/// choice; time that goes back is taken as standing still.
pub struct Endpoint {
    core: Core,
    registrar: Registrar,
    registrations: Registrations,
    calls: BTreeMap<CallHandle, Call>,
    /// Calls of this side that have not ended, of those in the table.
    outgoing: usize,
    /// The same of calls from outside.
    incoming: usize,
    last_call: u64,
    last_ping: u64,
    peers: Peers,
    refusals: Refusals,
}

impl core::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Endpoint")
            .field("calls", &self.calls.len())
            .field("outgoing", &self.outgoing)
            .field("incoming", &self.incoming)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// An endpoint that knows these users.
    ///
    /// The seed must be secret, and another one each time: tags and nonces are made from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32], users: Box<dyn Users>) -> Self {
        let core = Core::new(config, seed);
        let registrar = Registrar::new(users, &core);
        let registrations = Registrations::new();
        Self {
            core,
            registrar,
            registrations,
            calls: BTreeMap::new(),
            outgoing: 0,
            incoming: 0,
            last_call: 0,
            last_ping: 0,
            peers: Peers::default(),
            refusals: Refusals::default(),
        }
    }

    /// Takes a datagram, or one message of a stream with exactly its octets.
    pub fn handle_receive(&mut self, flow: Flow, payload: &Bytes, now: Duration) {
        self.advance(now);
        if is_keep_alive(payload) {
            return;
        }
        match parse_datagram(payload, &Limits::default()) {
            Ok(message) => self.receive(flow, message),
            Err(reject) => {
                if let Some(reply) = reject.reply {
                    self.core.transmit(flow, reply.to_bytes());
                }
            }
        }
    }

    /// Takes a message that was read already, as [`sip_message::StreamParser`] does.
    pub fn handle_message(&mut self, flow: Flow, message: Message, now: Duration) {
        self.advance(now);
        self.receive(flow, message);
    }

    /// Takes the end of a stream connection.
    pub fn handle_flow_closed(&mut self, flow: Flow, now: Duration) {
        self.advance(now);
        self.fail_flow(flow);
        for id in self.core.servers.on_flow(flow) {
            if let Some(call) = self.core.fail_server(id) {
                self.with_call(CallHandle(call), |call, core| call.handle_server_failure(id, core));
            }
        }
        self.registrar.handle_flow_closed(flow, &mut self.core);
        self.registrations.handle_flow_closed(flow, &mut self.core);
    }

    /// Takes the news that nothing can be sent on a flow: no connection, or an ICMP error.
    pub fn handle_transport_error(&mut self, flow: Flow, now: Duration) {
        self.advance(now);
        self.fail_flow(flow);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Duration) {
        self.advance(now);
        self.registrar.handle_timeout(&mut self.core);
        self.registrations.handle_timeout(&mut self.core);
        for _ in 0..DUE_AT_ONCE {
            match self.core.timers.pop(self.core.now) {
                None => return,
                Some(TimerKey::Call(number)) => {
                    self.with_call(CallHandle(number), Call::handle_timeout);
                }
                Some(TimerKey::Client(id)) => {
                    let delivery = self.core.fire_client(id);
                    self.deliver(delivery);
                }
                Some(TimerKey::Server(id)) => self.core.fire_server(id),
            }
        }
    }

    /// The next message to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let registrations = self.registrations.next_timeout();
        [self.core.timers.next(), self.registrar.next_timeout(), registrations].into_iter().flatten().min()
    }

    /// Rings every target of a new call.
    ///
    /// # Errors
    ///
    /// [`CallError::NoTarget`], [`CallError::TooManyTargets`], [`CallError::Insecure`], or [`CallError::Full`].
    pub fn call(&mut self, new: NewCall, now: Duration) -> Result<CallHandle, CallError> {
        self.advance(now);
        let limits = &self.core.config.limits;
        if new.targets.is_empty() {
            return Err(CallError::NoTarget);
        }
        if new.targets.len() > limits.contacts {
            return Err(CallError::TooManyTargets);
        }
        if !new.targets.iter().all(Target::is_secure_enough) {
            return Err(CallError::Insecure);
        }
        if self.outgoing >= limits.calls || self.core.is_full() {
            return Err(CallError::Full);
        }
        let handle = self.next_handle();
        let call = Call::dial(handle, new, &mut self.core);
        self.insert(handle, call);
        Ok(handle)
    }

    /// Ends a call: CANCEL before the answer, BYE after it, 480 to an unanswered incoming one.
    ///
    /// [`Event::Ended`] follows at once, whatever the far end does.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`] for a call that has ended.
    pub fn hang_up(
        &mut self,
        handle: CallHandle,
        reason: Option<&Reason>,
        now: Duration,
    ) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.hang_up(reason, core))
    }

    /// Offers a change of an established call's session.
    ///
    /// [`Event::OfferAnswered`] or [`Event::OfferRefused`] follows, unless the call ends first. The offer waits
    /// while something else is negotiated; of two that meet, each is made again after a while
    /// (RFC 3261, 14.1), or given back with 491 when the far end's offer is the first then.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the call is not established, an offer of this
    /// side is not answered yet, or one of the far end waits for [`Self::answer_offer`].
    pub fn offer(&mut self, handle: CallHandle, sdp: Bytes, now: Duration) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.session()?.offer(sdp, core))
    }

    /// Answers an [`Event::OfferReceived`] with a session description or a failure status.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when nothing waits for an answer.
    pub fn answer_offer(
        &mut self,
        handle: CallHandle,
        answer: Result<Bytes, StatusCode>,
        now: Duration,
    ) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.answer_offer(answer, core))
    }

    /// Sends 180 to an incoming call.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the call does not ring.
    pub fn ring(&mut self, handle: CallHandle, now: Duration) -> Result<(), CallError> {
        self.on_call(handle, now, Call::ring)
    }

    /// Accepts an incoming call with the answer, or with an offer when the INVITE had none.
    ///
    /// [`Event::Confirmed`] follows with the ACK.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the call does not ring.
    pub fn answer(&mut self, handle: CallHandle, sdp: Bytes, now: Duration) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.answer(sdp, core))
    }

    /// Refuses an incoming call. [`Event::Ended`] follows at once.
    ///
    /// `retry_after` is in seconds.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the call does not ring.
    pub fn reject(
        &mut self,
        handle: CallHandle,
        status: StatusCode,
        retry_after: Option<u32>,
        now: Duration,
    ) -> Result<(), CallError> {
        let after = retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_string()));
        let rejection = Rejection { headers: after.into_iter().collect(), ..Rejection::new(status) };
        self.reject_with(handle, &rejection, now)
    }

    /// Refuses an incoming call in the user's own words, or sends the caller elsewhere.
    /// [`Event::Ended`] follows at once.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the call does not ring.
    pub fn reject_with(
        &mut self,
        handle: CallHandle,
        rejection: &Rejection,
        now: Duration,
    ) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.reject(rejection, core))
    }

    /// Forgets an incoming call without a word, so that a flood does not come back as one of ours.
    /// [`Event::Ended`] follows at once.
    ///
    /// The 100 is not sent either where [`Self::poll_transmit`] has not given it yet. A repeat of the INVITE is a new
    /// call.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the call does not ring.
    pub fn forget(&mut self, handle: CallHandle, now: Duration) -> Result<(), CallError> {
        self.on_call(handle, now, Call::forget)
    }

    /// Asks the far end of an established call to call somebody else.
    ///
    /// [`Event::ReferAccepted`] or [`Event::ReferRefused`] follows; after the first one,
    /// [`Event::ReferProgress`] and at last [`Event::ReferEnded`]. The call itself goes on until a side hangs up.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the call is not established or another
    /// request of this kind is under way.
    pub fn refer(&mut self, handle: CallHandle, refer: Refer, now: Duration) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.session()?.refer(refer, core))
    }

    /// Agrees to call whom an [`Event::Referred`] names. [`Self::notify_refer`] tells how it goes.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the far end does not wait for that.
    pub fn accept_refer(&mut self, handle: CallHandle, now: Duration) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.session()?.accept_refer(core))
    }

    /// Tells the far end how the call goes that it asked for; a final status is the last one.
    ///
    /// What a far end does not want to hear is not sent, and that is no error.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when nothing was accepted, or the last word on it
    /// was said.
    pub fn notify_refer(
        &mut self,
        handle: CallHandle,
        status: StatusCode,
        now: Duration,
    ) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.session()?.notify_refer(status, core))
    }

    /// Refuses an [`Event::Referred`] with 300 to 699; anything else becomes 603. The call goes on.
    ///
    /// # Errors
    ///
    /// [`CallError::Unknown`], or [`CallError::WrongPhase`] when the far end does not wait for that.
    pub fn refuse_refer(
        &mut self,
        handle: CallHandle,
        status: StatusCode,
        now: Duration,
    ) -> Result<(), CallError> {
        self.on_call(handle, now, |call, core| call.session()?.refuse_refer(status, core))
    }

    /// The call that a Replaces names, if it may be replaced.
    #[must_use]
    pub fn replaced_call(&self, replaces: &Replaces) -> Option<CallHandle> {
        self.replaced(replaces).ok()
    }

    /// The Call-ID of an outgoing call while its INVITEs can be answered, for who follows its messages.
    #[must_use]
    pub fn call_id(&self, handle: CallHandle) -> Option<&str> {
        self.calls.get(&handle)?.call_id()
    }

    /// How a third party takes the place of this side in an established call: where to call, and the
    /// Replaces to call with (RFC 3891, 4).
    #[must_use]
    pub fn replaceable(&self, handle: CallHandle) -> Option<(Uri, Replaces)> {
        self.calls.get(&handle)?.replaceable()
    }

    /// Registers this side at a registrar elsewhere, and keeps it registered.
    ///
    /// [`Event::RegistrationAccepted`] follows, and again for each refresh, or [`Event::RegistrationFailed`],
    /// after which the registration is over: when to try again is the user's to decide.
    ///
    /// # Errors
    ///
    /// [`RegistrationError::Full`].
    pub fn register(
        &mut self,
        new: NewRegistration,
        now: Duration,
    ) -> Result<RegistrationHandle, RegistrationError> {
        self.advance(now);
        self.registrations.register(new, &mut self.core)
    }

    /// Refreshes a registration of this side now, as the registrar may have forgotten it. Where one is being asked for
    /// already, that is enough.
    ///
    /// # Errors
    ///
    /// [`RegistrationError::Unknown`].
    pub fn refresh(
        &mut self,
        registration: RegistrationHandle,
        now: Duration,
    ) -> Result<(), RegistrationError> {
        self.advance(now);
        self.registrations.refresh(registration, &mut self.core)
    }

    /// Takes a registration of this side back. [`Event::RegistrationEnded`] follows, whatever the registrar says.
    ///
    /// # Errors
    ///
    /// [`RegistrationError::Unknown`].
    pub fn unregister(
        &mut self,
        registration: RegistrationHandle,
        now: Duration,
    ) -> Result<(), RegistrationError> {
        self.advance(now);
        self.registrations.unregister(registration, &mut self.core)
    }

    /// Says which far ends are known by where they send from, in the place of those that were.
    ///
    /// INVITEs outside dialogs from there are taken without a challenge, whatever [`crate::IncomingPolicy`] says of
    /// others. Calls that exist stay.
    pub fn set_peers(&mut self, peers: Vec<Peer>) {
        self.peers.set(peers);
    }

    /// Asks whether a far end is there. [`Event::Pong`] follows.
    ///
    /// # Errors
    ///
    /// [`CallError::Insecure`], or [`CallError::Full`].
    pub fn ping(&mut self, ping: Ping, now: Duration) -> Result<PingHandle, CallError> {
        self.advance(now);
        let handle = PingHandle(self.last_ping + 1);
        pinging::send(handle, ping, &mut self.core)?;
        self.last_ping = handle.0;
        Ok(handle)
    }

    /// How many INVITEs outside dialogs were refused before they became calls, since the start.
    #[must_use]
    pub fn refusals(&self) -> Refusals {
        self.refusals
    }

    /// Where a user is reached, the latest binding first.
    #[must_use]
    pub fn bindings(&self, aor: &str) -> Vec<Binding> {
        self.registrar.bindings(aor)
    }

    /// How many users are registered.
    #[must_use]
    pub fn registrations(&self) -> usize {
        self.registrar.len()
    }

    /// How many calls have not ended.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.outgoing + self.incoming
    }

    /// Whether no call, transaction or deadline of either is left. Registrations may remain.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.calls.is_empty()
            && self.core.clients.len() == 0
            && self.core.servers.len() == 0
            && self.core.timers.is_empty()
    }

    fn advance(&mut self, now: Duration) {
        self.core.now = self.core.now.max(now);
    }

    fn next_handle(&mut self) -> CallHandle {
        self.last_call += 1;
        CallHandle(self.last_call)
    }

    fn insert(&mut self, handle: CallHandle, call: Call) {
        *self.live(call.is_incoming) += 1;
        if let Some(peer) = call.peer {
            self.peers.began(peer);
        }
        self.calls.insert(handle, call);
        self.with_call(handle, |_, _| {});
    }

    fn live(&mut self, is_incoming: bool) -> &mut usize {
        if is_incoming { &mut self.incoming } else { &mut self.outgoing }
    }

    /// Gives an input to a call, then brings the tables up to date.
    fn with_call<T>(
        &mut self,
        handle: CallHandle,
        input: impl FnOnce(&mut Call, &mut Core) -> T,
    ) -> Option<T> {
        let call = self.calls.get_mut(&handle)?;
        let was_over = call.is_over();
        let result = input(call, &mut self.core);
        call.settle(&mut self.core);
        let (has_ended, is_incoming, peer) = (!was_over && call.is_over(), call.is_incoming, call.peer);
        if call.is_done() {
            self.calls.remove(&handle);
        }
        if has_ended {
            *self.live(is_incoming) -= 1;
            if let Some(peer) = peer {
                self.peers.ended(peer);
            }
        }
        Some(result)
    }

    fn on_call(
        &mut self,
        handle: CallHandle,
        now: Duration,
        input: impl FnOnce(&mut Call, &mut Core) -> Result<(), CallError>,
    ) -> Result<(), CallError> {
        self.advance(now);
        self.with_call(handle, input).unwrap_or(Err(CallError::Unknown))
    }

    fn fail_flow(&mut self, flow: Flow) {
        for id in self.core.clients.on_flow(flow) {
            let delivery = self.core.fail_client(id);
            self.deliver(delivery);
        }
    }

    fn deliver(&mut self, delivery: Option<Delivery>) {
        let Some(Delivery { owner, id, outcome }) = delivery else { return };
        match owner {
            Owner::Farewell => farewell::told(id, &outcome, &mut self.core),
            Owner::Fork { call, fork } => {
                self.with_call(CallHandle(call), |call, core| call.handle_fork(fork, id, outcome, core));
            }
            Owner::Ping(number) => self.core.events.extend(pinging::told(number, outcome)),
            Owner::Registration(number) => {
                self.registrations.handle(number, id, outcome, &mut self.core);
            }
            Owner::Session { call } => {
                self.with_call(CallHandle(call), |call, core| call.handle_session(id, outcome, core));
            }
            Owner::Nobody => {}
        }
    }
}
