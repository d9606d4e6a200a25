use std::net::SocketAddr;
use std::time::Duration;

use sip_message::{Host, NameAddr};
use sip_proto::{CallHandle, Candidate, EndCause, Flow, NewCall, Target, Transport};
use tokio::sync::watch;
use transport::PeerName;
use trunk::Failure;

use super::{PhoneLeg, Shell, Whose, pass_on, reached_at};
use crate::sip::report_end;
use crate::sip::trunk::{Attempt, OutgoingTrunk};

/// A leg to or from a trunk's peer.
pub(super) struct TrunkLeg {
    /// How it goes that the peer is called; `None` where it calls.
    attempt: Option<watch::Sender<Attempt>>,
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
                let whose = Whose::Trunk(TrunkLeg { attempt: Some(attempt) });
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

    /// A trunk's peer has answered something.
    pub(super) fn heard(&self, handle: CallHandle) {
        if let Some(Whose::Trunk(leg)) = self.legs.get(&handle).map(|leg| &leg.whose) {
            leg.show(Attempt::Heard);
        }
    }

    /// The way to a place, as that sees it. For TLS, its certificate has to hold the place's name from here on.
    fn flow_to(&mut self, place: &Candidate) -> Flow {
        if place.transport == Transport::Tls
            && let Ok(name) = PeerName::new(&place.name)
        {
            if self.names.len() >= MAX_NAMES {
                self.names.clear();
            }
            self.names.insert(place.remote, name);
        }
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
