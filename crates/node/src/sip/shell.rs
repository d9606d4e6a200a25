mod trunks;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use call_engine::{EndCause, Refusal};
use sip_message::{Host, StatusCode, Uri};
use sip_proto::{
    CallError, CallHandle, Chunk, Endpoint, Event, NewCall, Reason, Refer, Streams, Target, Transmit,
};
use tokio::sync::{mpsc, oneshot};
use trace::{Direction, Recorder};
use transport::{ConnectionId, Destination, Incoming, Protocol, SendError, Transports};

use self::trunks::{TrunkLeg, TrunkState};
use super::cause::{end_cause, end_cause_of_caller, retry_after, status_of};
use super::ladder::Ladder;
use super::users::DirectoryUsers;
use super::{
    CallingPhone, IncomingCall, IncomingCaller, Outgoing, RegistrationNews, Request, SipConfig, report_end,
};
use crate::clock::Clock;
use crate::context::SharedDirectory;
use crate::far_end::{FarEndCommand, FarEndEvent, FarEndEvents, ReferProgress};
use crate::observer::SipCounts;
use crate::referral::{Referral, ReferralStatus};
use crate::trunks::Trunks;

/// The task that owns the endpoint: one input, then everything that follows from it, then the next.
pub(super) struct Shell {
    config: SipConfig,
    endpoint: Endpoint,
    transports: Transports,
    sender: transport::Sender,
    streams: Streams<ConnectionId>,
    legs: BTreeMap<CallHandle, PhoneLeg>,
    trunks: TrunkState,
    ladder: Ladder<CallHandle>,
    links: Links,
    draining: Option<Draining>,
}

/// The node is leaving.
struct Draining {
    done: oneshot::Sender<()>,
    /// Far ends that have not answered by then are left alone.
    until: Duration,
}

/// A leg to a user's phones, or to a trunk's peer.
struct PhoneLeg {
    events: FarEndEvents,
    whose: Whose,
    /// Where each phone that rings was last heard from.
    sources: Vec<IpAddr>,
    /// Whether the phone calls, and whether it has acknowledged our answer to that.
    is_caller: bool,
    is_confirmed: bool,
}

/// Who is at the other end of a leg.
enum Whose {
    /// Whoever the peer of a trunk connects.
    Trunk(TrunkLeg),
    /// The user with this address of record.
    User(String),
}

impl PhoneLeg {
    fn user(&self) -> Option<&str> {
        match &self.whose {
            Whose::Trunk(_) => None,
            Whose::User(user) => Some(user),
        }
    }
}

/// What ties the endpoint's task to the rest of the node.
pub(super) struct Links {
    pub(super) clock: Clock,
    /// For the tasks that pass on what a leg says; weak, so that they do not keep the node alive.
    pub(super) requests: mpsc::WeakSender<Request>,
    pub(super) counts: Arc<SipCounts>,
    pub(super) directory: SharedDirectory,
    pub(super) trunks: Trunks,
    /// Where calls go that come in.
    pub(super) incoming: mpsc::Sender<IncomingCall>,
    pub(super) recorder: Recorder,
}

/// How long far ends are waited for that were hung up on: a few retransmissions of a lost good-bye.
const GOODBYE_LIMIT: Duration = Duration::from_millis(1800);

/// How long the sockets may take to write what is queued when the node leaves.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

impl Shell {
    pub(super) fn new(config: SipConfig, transports: Transports, links: Links) -> Self {
        let users = Box::new(DirectoryUsers(Arc::clone(&links.directory)));
        let endpoint = Endpoint::new(config.endpoint.clone(), crate::ids::random_seed(), users);
        let (sender, streams) = (transports.sender(), Streams::default());
        let (legs, trunks) = (BTreeMap::new(), TrunkState::default());
        let ladder = Ladder::new(&links.recorder, links.clock);
        Self { config, endpoint, transports, sender, streams, legs, trunks, ladder, links, draining: None }
    }

    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        loop {
            // Without a deadline the timer is far away rather than absent, so that one form of the loop serves.
            let far_away = self.links.clock.elapsed() + Duration::from_secs(3600);
            let deadlines =
                [self.endpoint.poll_timeout(), self.draining.as_ref().map(|draining| draining.until)];
            let deadline = deadlines.into_iter().flatten().fold(far_away, Duration::min);
            tokio::select! {
                incoming = self.transports.recv() => match incoming {
                    Some(incoming) => self.receive(incoming),
                    None => return,
                },
                request = requests.recv() => match request {
                    Some(request) => self.request(request),
                    None => return,
                },
                () = tokio::time::sleep_until(self.links.clock.instant_of_elapsed(deadline)) => {
                    self.endpoint.handle_timeout(self.links.clock.elapsed());
                }
            }
            self.drain_endpoint();
            let endpoint = &self.endpoint;
            let (calls, is_idle, refused) = (endpoint.calls(), endpoint.is_idle(), endpoint.refusals());
            self.links.counts.show(endpoint.registrations(), calls, is_idle, refused);
            let is_over =
                |draining: &Draining| endpoint.is_idle() || self.links.clock.elapsed() >= draining.until;
            if self.draining.as_ref().is_some_and(is_over) {
                self.transports.drain(DRAIN_LIMIT).await;
                self.draining.take().map(|draining| draining.done.send(()));
                return;
            }
        }
    }

    fn receive(&mut self, incoming: Incoming) {
        let now = self.links.clock.elapsed();
        match incoming {
            Incoming::Closed { connection, .. } => {
                for flow in self.streams.closed(connection) {
                    self.endpoint.handle_flow_closed(flow, now);
                }
            }
            Incoming::Received { flow, bytes } => match flow.connection {
                None => {
                    let known_as = self.flow(flow);
                    self.ladder.pass(Direction::Received, &known_as, &bytes);
                    self.endpoint.handle_receive(known_as, &bytes, now);
                }
                Some(connection) => {
                    let known_as = self.flow(flow);
                    for chunk in self.streams.push(connection, known_as, &bytes) {
                        self.chunk(flow, connection, chunk, now);
                    }
                }
            },
        }
    }

    fn chunk(&mut self, flow: transport::Flow, connection: ConnectionId, chunk: Chunk, now: Duration) {
        match chunk {
            Chunk::Close => self.sender.close(connection),
            Chunk::Message(message) => {
                let known_as = self.flow(flow);
                if self.ladder.is_on() {
                    self.ladder.pass(Direction::Received, &known_as, &message.to_bytes());
                }
                self.endpoint.handle_message(known_as, *message, now);
            }
            Chunk::Reply(bytes) => {
                // A connection that is gone needs no answer.
                let _ = self.sender.send(flow.into(), bytes);
            }
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Call(outgoing) => self.call(*outgoing),
            Request::CallTrunk(outgoing) => self.call_trunk(*outgoing),
            Request::Trunk(request) => self.trunk_request(request),
            Request::FarEnd { call, command } => self.command(call, command),
            Request::Registered(users, reply) => {
                // Whoever asked may have gone away.
                let _ = reply.send(users.iter().map(|user| self.endpoint.bindings(user)).collect());
            }
            Request::Drain(done) => {
                self.draining = Some(Draining { done, until: self.links.clock.elapsed() + GOODBYE_LIMIT });
                let calls: Vec<_> = self.legs.keys().copied().collect();
                for call in calls {
                    self.command(call, FarEndCommand::HangUp);
                }
            }
        }
    }

    fn call(&mut self, outgoing: Outgoing) {
        let now = self.links.clock.elapsed();
        let targets: Vec<_> = self
            .endpoint
            .bindings(&outgoing.aor)
            .into_iter()
            .map(|binding| Target { uri: binding.contact, flow: binding.flow })
            .collect();
        let is_found = !targets.is_empty() && self.draining.is_none();
        let _ = outgoing.found.send(is_found);
        if !is_found {
            return;
        }
        let sources = targets.iter().map(|target| target.flow.remote.ip()).collect();
        let call = NewCall {
            targets,
            from: outgoing.from,
            to: outgoing.to,
            offer: outgoing.offer,
            session_timer: None,
            credentials: None,
            headers: outgoing.headers,
        };
        match self.endpoint.call(call, now) {
            Ok(handle) => {
                self.follow(handle, &outgoing.events);
                self.legs.insert(
                    handle,
                    PhoneLeg {
                        events: outgoing.events,
                        whose: Whose::User(outgoing.aor),
                        sources,
                        is_caller: false,
                        is_confirmed: true,
                    },
                );
                tokio::spawn(pass_on(handle, outgoing.commands, self.links.requests.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to call a phone");
                report_end(&outgoing.events, EndCause::Internal);
            }
        }
    }

    fn command(&mut self, call: CallHandle, command: FarEndCommand) {
        let now = self.links.clock.elapsed();
        let done = match command {
            FarEndCommand::AnswerOffer(sdp) => {
                self.endpoint.answer_offer(call, sdp.ok_or(StatusCode::NOT_ACCEPTABLE_HERE), now)
            }
            FarEndCommand::Answer(sdp) => self.endpoint.answer(call, sdp, now),
            FarEndCommand::HangUp => self.endpoint.hang_up(call, None, now),
            FarEndCommand::Lose => self.endpoint.hang_up(call, Some(&Reason::answered_elsewhere()), now),
            FarEndCommand::Reject(why) => self.endpoint.reject(call, status_of(why), retry_after(why), now),
            FarEndCommand::Refer(address) => {
                let asked = self.refer(call, &address, now);
                if asked.is_err() {
                    self.refer_progress(call, ReferProgress::Refused);
                }
                asked
            }
            FarEndCommand::Referral(status) => self.tell_of_referral(call, status, now),
            FarEndCommand::Ring => self.endpoint.ring(call, now),
        };
        // The call may have ended meanwhile; its leg hears of that by its own event.
        if let Err(error) = done {
            tracing::debug!(%call, %error, "a phone was told something too late");
        }
    }

    /// Sends and passes on what the last input led to. Events may lead to more to send, so they come first.
    fn drain_endpoint(&mut self) {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                self.event(event);
            } else if let Some(transmit) = self.endpoint.poll_transmit() {
                self.transmit(transmit);
            } else {
                return;
            }
        }
    }

    /// Keeps the messages of a call that was just made where its leg wants them.
    fn follow(&mut self, handle: CallHandle, events: &FarEndEvents) {
        if let Some(call_id) = self.endpoint.call_id(handle) {
            self.ladder.follow(handle, call_id, events.dialog());
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        let Transmit { flow, bytes } = transmit;
        self.ladder.pass(Direction::Sent, &flow, &bytes);
        match self.sender.send(self.destination(&flow), bytes) {
            Ok(Some(connection)) => self.streams.sent(connection, flow),
            Ok(None) => {}
            // The socket is full for a moment; the transaction sends again.
            Err(SendError::Full) if flow.transport == sip_proto::Transport::Udp => {}
            Err(error) => {
                tracing::debug!(%error, "failed to send a SIP message");
                self.endpoint.handle_transport_error(flow, self.links.clock.elapsed());
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Answered { handle, sdp, target, .. } => {
                let source = self.legs.get(&handle).and_then(|leg| leg.sources.get(target).copied());
                self.report(handle, FarEndEvent::Answered { sdp, source });
            }
            Event::Ended { handle, cause } => {
                tracing::debug!(call = %handle, ?cause, "a phone's call ended");
                self.ladder.ended(handle);
                if let Some(leg) = self.legs.remove(&handle) {
                    if let Whose::Trunk(trunk) = &leg.whose {
                        trunk.ended(&cause);
                    }
                    let cause = if leg.is_caller { end_cause_of_caller(&cause) } else { end_cause(&cause) };
                    report_end(&leg.events, cause);
                }
            }
            Event::Incoming(incoming) => self.incoming(&incoming),
            Event::OfferReceived { handle, sdp } => self.report(handle, FarEndEvent::Offered { sdp }),
            Event::Referred(referred) => self.referred(&referred),
            Event::ReferAccepted { handle } => self.refer_progress(handle, ReferProgress::Accepted),
            Event::ReferEnded { handle, status } => {
                let is_done = status.is_some_and(|status| status.is_success());
                let progress = if is_done { ReferProgress::Done } else { ReferProgress::Failed };
                self.refer_progress(handle, progress);
            }
            Event::ReferRefused { handle, .. } => self.refer_progress(handle, ReferProgress::Refused),
            Event::Registered { aor, contacts } => {
                tracing::info!(user.id = self.user(&aor), contacts, "a phone is registered");
            }
            Event::Unregistered { aor } => {
                tracing::info!(user.id = self.user(&aor), "no phone is registered any more");
            }
            Event::EarlyMedia { handle, .. } | Event::Ringing { handle, .. } => {
                self.report(handle, FarEndEvent::Ringing);
            }
            Event::Confirmed { handle, sdp } => self.confirmed(handle, sdp),
            Event::Pong { ping, result } => self.trunks.pong(ping, result),
            Event::RegistrationAccepted { registration, .. } => {
                self.trunks.registration(registration, RegistrationNews::Accepted);
            }
            Event::RegistrationEnded { registration } => {
                self.trunks.registration(registration, RegistrationNews::Ended);
            }
            Event::RegistrationFailed { registration, cause } => {
                self.trunks.registration(registration, RegistrationNews::Failed(cause));
            }
            Event::Trying { handle } => self.heard(handle),
            Event::OfferAnswered { .. }
            | Event::OfferRefused { .. }
            | Event::OfferWithdrawn { .. }
            | Event::ReferProgress { .. }
            | Event::SessionRefreshed { .. } => {}
        }
    }

    /// Hands a call on that comes in, where there is room for it.
    fn incoming(&mut self, incoming: &sip_proto::Incoming) {
        let handle = incoming.handle;
        if incoming.peer.is_some() {
            return self.incoming_over_trunk(incoming);
        }
        let caller = incoming.caller.clone().filter(|_| self.draining.is_none());
        let taken = caller.ok_or(StatusCode::SERVICE_UNAVAILABLE).and_then(|caller| {
            let user = caller.clone();
            let (events, commands) = match incoming.replaces {
                Some(replaced) => self.pull(&caller, replaced, incoming)?,
                None => {
                    let dialog = self.links.recorder.dialog();
                    let (call, commands) = IncomingCall::new(IncomingCaller::User(caller), incoming, dialog);
                    let events = call.phone.events.clone();
                    let is_taken = self.links.incoming.try_send(call);
                    is_taken.map_err(|_full| StatusCode::SERVICE_UNAVAILABLE)?;
                    (events, commands)
                }
            };
            Ok((
                PhoneLeg {
                    events,
                    whose: Whose::User(user),
                    sources: Vec::new(),
                    is_caller: true,
                    is_confirmed: false,
                },
                commands,
            ))
        });
        match taken {
            Ok((leg, commands)) => {
                self.ladder.follow(handle, &incoming.call_id, leg.events.dialog());
                self.legs.insert(handle, leg);
                tokio::spawn(pass_on(handle, commands, self.links.requests.clone()));
            }
            Err(status) => {
                let _ = self.endpoint.reject(handle, status, None, self.links.clock.elapsed());
            }
        }
    }

    /// Offers a conversation to another phone of the user who has it (RFC 3891). Nobody else may take it: that somebody knows
    /// the tags of a dialog says little of who that is.
    fn pull(
        &self,
        caller: &str,
        replaced: CallHandle,
        incoming: &sip_proto::Incoming,
    ) -> Result<(FarEndEvents, mpsc::UnboundedReceiver<FarEndCommand>), StatusCode> {
        let leg = self.legs.get(&replaced).ok_or(StatusCode::CALL_DOES_NOT_EXIST)?;
        if !leg.user().is_some_and(|user| user.eq_ignore_ascii_case(caller)) {
            return Err(StatusCode::FORBIDDEN);
        }
        let (phone, commands) =
            CallingPhone::new(incoming, FarEndEvents::held().of_dialog(self.links.recorder.dialog()));
        let events = phone.events.clone();
        let is_heard = leg.events.report(FarEndEvent::Pulled(Box::new(phone)));
        is_heard.then_some((events, commands)).ok_or(StatusCode::CALL_DOES_NOT_EXIST)
    }

    /// A phone hands its call over.
    fn referred(&mut self, referred: &sip_proto::Referred) {
        let is_of_trunk =
            self.legs.get(&referred.handle).is_some_and(|leg| matches!(leg.whose, Whose::Trunk(_)));
        if is_of_trunk {
            // Whoever is out there would call at this side's cost.
            let refused = FarEndCommand::Referral(ReferralStatus::Refused(Refusal::Forbidden));
            return self.command(referred.handle, refused);
        }
        let wish = match &referred.replaces {
            None => Some(Referral::Call {
                name: referred.refer_to.user().unwrap_or_default(),
                domain: referred.refer_to.host().map(ToString::to_string).unwrap_or_default(),
            }),
            // A call of the same user; that somebody knows the tags of a dialog says little of whose it is.
            Some(replaces) => {
                let user = self.legs.get(&referred.handle).and_then(PhoneLeg::user);
                let other = self.endpoint.replaced_call(replaces).filter(|other| *other != referred.handle);
                let other = other.and_then(|other| self.legs.get(&other));
                let own = other.filter(|other| user.is_some() && other.user() == user);
                own.map(|leg| Referral::Join(leg.events.clone()))
            }
        };
        let handle = referred.handle;
        let is_heard = match (wish, self.legs.get(&handle)) {
            (Some(wish), Some(leg)) => leg.events.report(FarEndEvent::Referred(wish)),
            (None, _) | (_, None) => false,
        };
        if !is_heard {
            self.command(handle, FarEndCommand::Referral(ReferralStatus::Refused(Refusal::NotFound)));
        }
    }

    /// Asks a phone to call somebody by itself.
    fn refer(&mut self, call: CallHandle, address: &str, now: Duration) -> Result<(), CallError> {
        if self.legs.get(&call).is_some_and(|leg| matches!(leg.whose, Whose::Trunk(_))) {
            // The phone network knows no users of this side.
            return Err(CallError::WrongPhase);
        }
        let (name, domain) = address.split_once('@').unwrap_or((address, ""));
        let domain: Host = domain.parse().map_err(|_invalid| CallError::WrongPhase)?;
        let to = Uri::sip(name, domain);
        self.endpoint.refer(call, Refer { to, replaces: None, referred_by: None }, now)
    }

    fn refer_progress(&mut self, call: CallHandle, progress: ReferProgress) {
        self.report(call, FarEndEvent::ReferProgress(progress));
    }

    /// How it goes that a phone hands its call over.
    fn tell_of_referral(
        &mut self,
        call: CallHandle,
        status: ReferralStatus,
        now: Duration,
    ) -> Result<(), CallError> {
        match status {
            ReferralStatus::Refused(why) => self.endpoint.refuse_refer(call, status_of(why), now),
            ReferralStatus::Accepted => self.endpoint.accept_refer(call, now),
            ReferralStatus::Ringing => self.endpoint.notify_refer(call, StatusCode::RINGING, now),
            ReferralStatus::Done => self.endpoint.notify_refer(call, StatusCode::OK, now),
            ReferralStatus::Failed(cause) => {
                self.endpoint.notify_refer(call, status_of(Refusal::from(cause)), now)
            }
        }
    }

    /// A phone acknowledged an answer: to its call, or to what it wanted changed later.
    fn confirmed(&mut self, handle: CallHandle, sdp: Option<bytes::Bytes>) {
        let was_confirmed =
            self.legs.get_mut(&handle).is_none_or(|leg| std::mem::replace(&mut leg.is_confirmed, true));
        if !was_confirmed {
            self.report(handle, FarEndEvent::Confirmed { sdp });
        } else if let Some(sdp) = sdp {
            self.report(handle, FarEndEvent::Completed { sdp });
        }
    }

    /// Who an address of record belongs to, for the log, which shows no addresses of people.
    fn user(&self, aor: &str) -> String {
        let directory = self.links.directory.load();
        directory.user_by_sip_name(aor).map(|user| user.id.to_string()).unwrap_or_default()
    }

    fn report(&mut self, call: CallHandle, event: FarEndEvent) {
        let is_heard = self.legs.get(&call).is_some_and(|leg| leg.events.report(event));
        if !is_heard {
            self.command(call, FarEndCommand::HangUp);
        }
    }

    /// A flow as the endpoint sees it, with an address that the far end can reach.
    fn flow(&self, flow: transport::Flow) -> sip_proto::Flow {
        let transport = match flow.protocol {
            Protocol::Tcp => sip_proto::Transport::Tcp,
            Protocol::Tls => sip_proto::Transport::Tls,
            Protocol::Udp => sip_proto::Transport::Udp,
        };
        let local = reached_at(flow.local, flow.remote, self.config.advertised);
        let connection = flow.connection.map(|connection| connection.0);
        sip_proto::Flow { transport, local, remote: flow.remote, connection }
    }

    fn destination(&self, flow: &sip_proto::Flow) -> Destination {
        let protocol = match flow.transport {
            sip_proto::Transport::Tcp => Protocol::Tcp,
            sip_proto::Transport::Tls => Protocol::Tls,
            sip_proto::Transport::Udp => Protocol::Udp,
        };
        let connection = flow.connection.map(ConnectionId);
        let advertised = self.config.advertised;
        let is_source = |bound: &SocketAddr| reached_at(*bound, flow.remote, advertised) == flow.local;
        let local = self.transports.udp_addresses().find(is_source);
        let name = self.trunks.name_at(flow.remote).filter(|_| protocol == Protocol::Tls).cloned();
        Destination { protocol, remote: flow.remote, local, connection, name }
    }
}

/// The address that a far end is told in place of the one that it is spoken to from.
///
/// On this machine nothing else is needed than what was used, and what others use may not lead back here; a socket that
/// is bound to all addresses does not tell which was used.
fn reached_at(local: SocketAddr, remote: SocketAddr, advertised: Option<IpAddr>) -> SocketAddr {
    let is_far = local.ip().is_unspecified() || !remote.ip().to_canonical().is_loopback();
    match advertised {
        Some(advertised) if is_far => SocketAddr::new(advertised, local.port()),
        Some(_) | None => local,
    }
}

/// Passes on what a leg says to its phone; a leg that is gone has hung up.
async fn pass_on(
    call: CallHandle,
    mut commands: mpsc::UnboundedReceiver<FarEndCommand>,
    requests: mpsc::WeakSender<Request>,
) {
    loop {
        let command = commands.recv().await;
        let is_last = command.is_none();
        let Some(requests) = requests.upgrade() else { return };
        let command = command.unwrap_or(FarEndCommand::HangUp);
        if requests.send(Request::FarEnd { call, command }).await.is_err() || is_last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::reached_at;

    #[test]
    fn far_ends_are_told_the_advertised_address_except_on_this_machine() {
        let cases = [
            ("10.0.0.5:5060", "192.0.2.7:40000", Some("203.0.113.9"), "203.0.113.9:5060"),
            ("0.0.0.0:5060", "192.0.2.7:40000", Some("203.0.113.9"), "203.0.113.9:5060"),
            ("0.0.0.0:5060", "127.0.0.1:40000", Some("203.0.113.9"), "203.0.113.9:5060"),
            ("127.0.0.1:5060", "127.0.0.1:40000", Some("203.0.113.9"), "127.0.0.1:5060"),
            ("127.0.0.1:5060", "[::ffff:127.0.0.1]:7", Some("203.0.113.9"), "127.0.0.1:5060"),
            ("10.0.0.5:5060", "192.0.2.7:40000", None, "10.0.0.5:5060"),
        ];
        for (local, remote, advertised, told) in cases {
            let advertised = advertised.map(|ip| ip.parse().unwrap());
            let reached = reached_at(local.parse().unwrap(), remote.parse().unwrap(), advertised);
            assert_eq!(reached, told.parse().unwrap(), "{local} to {remote}");
        }
    }
}
