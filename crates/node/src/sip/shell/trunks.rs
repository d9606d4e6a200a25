use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use rtc_proto::sdp::SrtpPolicy;
use sip_message::{Host, NameAddr, StatusCode, Uri};
use sip_proto::{
    CallHandle, Candidate, EndCause, Flow, Incoming, NewCall, NewRegistration, Ping, PingFailure, PingHandle,
    RegistrationHandle, Target, Transport,
};
use tokio::sync::{mpsc, oneshot, watch};
use transport::PeerName;
use trunk::Failure;

use super::{PhoneLeg, Shell, Whose, pass_on, reached_at};
use crate::far_end::FarEndCommand;
use crate::sip::trunk::{Attempt, OutgoingTrunk, Registering, RegistrationNews, TrunkPing, TrunkRequest};
use crate::sip::{IncomingCall, IncomingCaller, report_end};
use crate::trunks::{Seat, TrunkRefusal};

/// A leg to or from a trunk's peer.
pub(super) struct TrunkLeg {
    /// How it goes that the peer is called; `None` where it calls.
    attempt: Option<watch::Sender<Attempt>>,
    /// Of a call that the peer makes; whoever calls the peer has the seat itself.
    _seat: Option<Seat>,
}

/// What the endpoint does for trunks, calls apart.
#[derive(Default)]
pub(super) struct TrunkState {
    /// The names that the certificates of peers have to hold, by where they are.
    names: BTreeMap<SocketAddr, PeerName>,
    pings: BTreeMap<PingHandle, oneshot::Sender<Result<StatusCode, PingFailure>>>,
    registrations: BTreeMap<RegistrationHandle, mpsc::UnboundedSender<RegistrationNews>>,
}

/// How many places may have a name that their certificates hold. Past that, names are learned anew: connections that are
/// there go on, others are looked up for each call.
const MAX_NAMES: usize = 4096;

impl Shell {
    pub(super) fn call_trunk(&mut self, outgoing: OutgoingTrunk) {
        let OutgoingTrunk { invite, events, attempt, commands, is_taken } = outgoing;
        let _ = is_taken.send(self.draining.is_none());
        if self.draining.is_some() {
            return;
        }
        let flow = self.flow_to(&invite.place);
        let (from, identity) = invite.caller(Host::from(flow.local.ip()));
        let call = NewCall {
            to: NameAddr::new(invite.uri.clone()),
            targets: vec![Target { uri: invite.uri, flow }],
            from,
            offer: invite.offer,
            session_timer: None,
            credentials: invite.credentials,
            headers: identity.into_iter().chain(invite.headers).collect(),
        };
        match self.endpoint.call(call, self.links.clock.elapsed()) {
            Ok(handle) => {
                self.follow(handle, &events);
                let whose = Whose::Trunk(TrunkLeg { attempt: Some(attempt), _seat: None });
                // Media of a trunk comes from where its peer says, which is another place than its signalling as a rule.
                let leg =
                    PhoneLeg { events, whose, sources: Vec::new(), is_caller: false, is_confirmed: true };
                self.legs.insert(handle, leg);
                tokio::spawn(pass_on(handle, commands, self.links.requests.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "failed to call over a trunk");
                report_end(&events, call_engine::EndCause::Internal);
            }
        }
    }

    pub(super) fn trunk_request(&mut self, request: TrunkRequest) {
        let now = self.links.clock.elapsed();
        match request {
            TrunkRequest::Peers(peers) => self.endpoint.set_peers(peers),
            TrunkRequest::Ping(ping) => {
                let TrunkPing { place, uri, answer } = *ping;
                let flow = self.flow_to(&place);
                let from = NameAddr::new(Uri::sip("", Host::from(flow.local.ip())));
                match self.endpoint.ping(Ping { target: Target { uri, flow }, from }, now) {
                    Ok(ping) => {
                        self.trunks.pings.insert(ping, answer);
                    }
                    Err(error) => tracing::warn!(%error, "failed to ask a trunk's peer whether it is there"),
                }
            }
            TrunkRequest::Refresh(registration) => self.refresh(registration, now),
            TrunkRequest::Register(registering) => {
                let Registering { register, news, taken } = *registering;
                let registration = NewRegistration {
                    registrar: register.registrar,
                    flow: self.flow_to(&register.place),
                    aor: NameAddr::new(register.address),
                    contact: None,
                    credentials: Some(register.credentials),
                    expires: register.expires,
                };
                match self.endpoint.register(registration, now) {
                    Ok(registration) => {
                        self.trunks.registrations.insert(registration, news);
                        if taken.send(registration).is_err() {
                            // Whoever wanted it is gone.
                            self.unregister(registration, now);
                        }
                    }
                    Err(error) => tracing::warn!(%error, "failed to register at a trunk's peer"),
                }
            }
            TrunkRequest::Unregister(registration) => self.unregister(registration, now),
        }
    }

    // A registration that is over has said so.
    fn refresh(&mut self, registration: RegistrationHandle, now: Duration) {
        let _ = self.endpoint.refresh(registration, now);
    }

    fn unregister(&mut self, registration: RegistrationHandle, now: Duration) {
        let _ = self.endpoint.unregister(registration, now);
    }

    /// Hands a call on that comes in over a trunk, where somebody has the number and there is room.
    pub(super) fn incoming_over_trunk(&mut self, incoming: &Incoming) {
        let (handle, now) = (incoming.handle, self.links.clock.elapsed());
        match self.take_over_trunk(incoming) {
            Ok((leg, commands)) => {
                self.ladder.follow(handle, &incoming.call_id, leg.events.dialog());
                self.legs.insert(handle, leg);
                tokio::spawn(pass_on(handle, commands, self.links.requests.clone()));
            }
            // It may have been cancelled in the same moment.
            Err(TrunkRefusal::Answered(status, retry_after)) => {
                let _ = self.endpoint.reject(handle, status, retry_after, now);
            }
            Err(TrunkRefusal::Unanswered) => {
                let _ = self.endpoint.forget(handle, now);
            }
        }
    }

    fn take_over_trunk(
        &self,
        incoming: &Incoming,
    ) -> Result<(PhoneLeg, mpsc::UnboundedReceiver<FarEndCommand>), TrunkRefusal> {
        let unavailable = TrunkRefusal::Answered(StatusCode::SERVICE_UNAVAILABLE, None);
        if self.draining.is_some() {
            return Err(unavailable);
        }
        // Only a user takes conversations from one phone to another.
        if incoming.replaces.is_some() {
            return Err(TrunkRefusal::Answered(StatusCode::FORBIDDEN, None));
        }
        let (caller, seat) = self.links.trunks.admit(incoming)?;
        tracing::info!(trunk.id = %caller.trunk, called = %caller.called, "a call comes in over a trunk");
        let srtp = self.links.trunks.trunk(&caller.trunk).map(|trunk| taken_from(trunk.srtp));
        let (mut call, commands) = IncomingCall::new(
            IncomingCaller::Trunk(Box::new(caller)),
            incoming,
            self.links.recorder.dialog(),
        );
        call.phone.srtp = srtp;
        let events = call.phone.events.clone();
        self.links.incoming.try_send(call).map_err(|_full| unavailable)?;
        let whose = Whose::Trunk(TrunkLeg { attempt: None, _seat: Some(seat) });
        Ok((PhoneLeg { events, whose, sources: Vec::new(), is_caller: true, is_confirmed: false }, commands))
    }

    /// A trunk's peer has answered something.
    pub(super) fn heard(&self, handle: CallHandle) {
        if let Some(Whose::Trunk(leg)) = self.legs.get(&handle).map(|leg| &leg.whose) {
            leg.show(Attempt::Heard);
        }
    }

    /// The way to a place, as that sees it. For TLS, its certificate has to hold the place's name from here on.
    fn flow_to(&mut self, place: &Candidate) -> Flow {
        self.trunks.note_name(place);
        let bound = self.bound_for(place);
        let local = reached_at(bound, place.remote, self.config.advertised);
        // An address of all interfaces leads nobody here.
        let sent_from = || transport::local_towards(place.remote).unwrap_or(local.ip());
        let ip = if local.ip().is_unspecified() { sent_from() } else { local.ip() };
        let local = SocketAddr::new(ip, local.port());
        Flow { transport: place.transport, local, remote: place.remote, connection: None }
    }

    /// What the peer at a place reaches this server by: the socket of the same kind and family, else any.
    fn bound_for(&self, place: &Candidate) -> SocketAddr {
        let (udp, tcp) = (self.transports.udp_addresses(), self.transports.tcp_addresses().iter().copied());
        let tls = self.transports.tls_addresses().iter().copied();
        let all: Vec<SocketAddr> = match place.transport {
            Transport::Tcp => tcp.chain(udp).chain(tls).collect(),
            Transport::Tls => tls.chain(tcp).chain(udp).collect(),
            Transport::Udp => udp.chain(tcp).chain(tls).collect(),
        };
        let is_near = |bound: &&SocketAddr| bound.is_ipv4() == place.remote.is_ipv4();
        let near = all.iter().find(is_near).or(all.first()).copied();
        near.unwrap_or(SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 5060))
    }
}

/// What is taken of a trunk's peer that calls.
const fn taken_from(policy: model::SrtpPolicy) -> SrtpPolicy {
    match policy {
        model::SrtpPolicy::Accepted => SrtpPolicy::Optional,
        model::SrtpPolicy::Never => SrtpPolicy::Off,
        model::SrtpPolicy::Required => SrtpPolicy::Required,
    }
}

impl TrunkState {
    /// The name that the certificate of whoever is there has to hold.
    pub(super) fn name_at(&self, remote: SocketAddr) -> Option<&PeerName> {
        self.names.get(&remote)
    }

    fn note_name(&mut self, place: &Candidate) {
        if place.transport != Transport::Tls {
            return;
        }
        if let Ok(name) = PeerName::new(&place.name) {
            if self.names.len() >= MAX_NAMES {
                self.names.clear();
            }
            self.names.insert(place.remote, name);
        }
    }

    pub(super) fn pong(&mut self, ping: PingHandle, result: Result<StatusCode, PingFailure>) {
        if let Some(answer) = self.pings.remove(&ping) {
            // Whoever asked may have given up.
            let _ = answer.send(result);
        }
    }

    pub(super) fn registration(&mut self, registration: RegistrationHandle, news: RegistrationNews) {
        let is_over = !matches!(news, RegistrationNews::Accepted);
        if let Some(told) = self.registrations.get(&registration) {
            let _ = told.send(news);
        }
        if is_over {
            self.registrations.remove(&registration);
        }
    }
}

impl TrunkLeg {
    fn show(&self, state: Attempt) {
        if let Some(attempt) = &self.attempt {
            attempt.send_replace(state);
        }
    }

    /// Tells why the call was not connected, which has to be known when its end is.
    pub(super) fn ended(&self, cause: &EndCause) {
        if let Some(failure) = failure(cause) {
            self.show(Attempt::Failed(failure));
        }
    }
}

/// Why a trunk's peer does not connect a call; `None` for ends of other kinds.
fn failure(cause: &EndCause) -> Option<Failure> {
    match cause {
        EndCause::Rejected { status, retry_after, .. } => Some(Failure::Status {
            code: status.as_u16(),
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
        }),
        EndCause::Timeout => Some(Failure::Timeout),
        EndCause::TransportFailed => Some(Failure::Unreachable),
        EndCause::AnsweredElsewhere
        | EndCause::Cancelled
        | EndCause::LocalHangUp
        | EndCause::MissingAnswer
        | EndCause::NoAck
        | EndCause::RemoteBye { .. }
        | EndCause::SessionExpired => None,
    }
}
