//! What the rest of the node and the endpoint's task say to each other about trunks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sip_message::{Host, NameAddr, StatusCode, Uri};
use sip_proto::{Candidate, Credentials, Peer, PingFailure, RegistrationFailure, RegistrationHandle};
use tokio::sync::{mpsc, oneshot, watch};
use trunk::Failure;

use super::{Request, Sip};
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvents};
use crate::observer::SipCounts;

/// A call to a trunk's peer.
#[derive(Debug)]
pub(crate) struct TrunkInvite {
    /// Where the peer is.
    pub(crate) place: Candidate,
    /// Whom it calls.
    pub(crate) uri: Uri,
    /// The number that calls, as the trunk wants it.
    pub(crate) caller: String,
    /// The domain of that number; `None` takes the address of this server.
    pub(crate) domain: Option<Host>,
    /// The caller's name to show.
    pub(crate) name: Option<String>,
    /// Whether the callee must not learn who calls.
    pub(crate) is_private: bool,
    /// Who is asserted to call.
    pub(crate) asserted: Asserted,
    /// More headers of the INVITE.
    pub(crate) headers: Vec<(String, String)>,
    /// What answers the peer's challenges.
    pub(crate) credentials: Option<Credentials>,
    /// What is offered.
    pub(crate) offer: Bytes,
}

/// Who is asserted to call (RFC 3325).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asserted {
    /// Whoever calls.
    Caller,
    /// Nobody: the peer would tell the callee what it must not learn.
    Nobody,
}

/// How it goes that a trunk's peer is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It does not connect the call. Known before the far end's end is reported.
    Failed(Failure),
    /// The peer has answered something that is not final.
    Heard,
    /// Nothing has come from the peer.
    Unheard,
}

/// How this server registers at a trunk's peer.
#[derive(Clone, Debug)]
pub(crate) struct TrunkRegister {
    /// Where the peer is.
    pub(crate) place: Candidate,
    /// The registrar.
    pub(crate) registrar: Uri,
    /// The address that is registered.
    pub(crate) address: Uri,
    /// What answers the peer's challenges.
    pub(crate) credentials: Credentials,
    /// How long it is asked to last.
    pub(crate) expires: Duration,
}

/// What becomes of a registration.
#[derive(Debug)]
pub(crate) enum RegistrationNews {
    /// The peer took it, or its refresh.
    Accepted,
    /// It is over as this side wanted.
    Ended,
    /// It is over.
    Failed(RegistrationFailure),
}

/// A registration that is kept up, for as long as this is.
#[derive(Debug)]
pub(crate) struct Registration {
    handle: RegistrationHandle,
    requests: mpsc::WeakSender<Request>,
    news: mpsc::UnboundedReceiver<RegistrationNews>,
}

/// Something about trunks that the endpoint is asked, calls apart.
#[derive(Debug)]
pub(super) enum TrunkRequest {
    /// These far ends are known by where they send from.
    Peers(Vec<Peer>),
    /// Ask a trunk's peer whether it is there.
    Ping(Box<TrunkPing>),
    /// Refresh a registration now.
    Refresh(RegistrationHandle),
    /// Register at a trunk's peer.
    Register(Box<Registering>),
    /// Take a registration back.
    Unregister(RegistrationHandle),
}

/// A question on its way to the endpoint.
#[derive(Debug)]
pub(super) struct TrunkPing {
    pub(super) place: Candidate,
    pub(super) uri: Uri,
    pub(super) answer: oneshot::Sender<Result<StatusCode, PingFailure>>,
}

/// A registration on its way to the endpoint.
#[derive(Debug)]
pub(super) struct Registering {
    pub(super) register: TrunkRegister,
    pub(super) news: mpsc::UnboundedSender<RegistrationNews>,
    pub(super) taken: oneshot::Sender<RegistrationHandle>,
}

/// A call to a trunk's peer on its way to the endpoint.
#[derive(Debug)]
pub(super) struct OutgoingTrunk {
    pub(super) invite: TrunkInvite,
    pub(super) events: FarEndEvents,
    pub(super) attempt: watch::Sender<Attempt>,
    pub(super) commands: mpsc::UnboundedReceiver<FarEndCommand>,
    /// Told at once whether the call is made.
    pub(super) is_taken: oneshot::Sender<bool>,
}

impl Sip {
    /// Calls a trunk's peer; `None` where the node is leaving. `attempt` shows how that goes.
    pub(crate) async fn call_trunk(
        &self,
        invite: TrunkInvite,
        events: FarEndEvents,
        attempt: watch::Sender<Attempt>,
    ) -> Option<FarEnd> {
        let (far_end, commands) = FarEnd::new();
        let (is_taken, taken) = oneshot::channel();
        let outgoing = OutgoingTrunk { invite, events, attempt, commands, is_taken };
        self.requests.send(Request::CallTrunk(Box::new(outgoing))).await.ok()?;
        taken.await.ok()?.then_some(far_end)
    }

    /// Says which far ends are known by where they send from.
    pub(crate) async fn set_peers(&self, peers: Vec<Peer>) {
        // A node that is leaving takes no calls.
        let _ = self.requests.send(Request::Trunk(TrunkRequest::Peers(peers))).await;
    }

    /// Asks a trunk's peer whether it is there: the status that it answers, or that it does not.
    pub(crate) async fn ping(&self, place: Candidate, uri: Uri) -> Result<StatusCode, PingFailure> {
        let (answer, answered) = oneshot::channel();
        let ping = Box::new(TrunkPing { place, uri, answer });
        let request = Request::Trunk(TrunkRequest::Ping(ping));
        self.requests.send(request).await.map_err(|_gone| PingFailure::TransportFailed)?;
        answered.await.map_err(|_gone| PingFailure::TransportFailed)?
    }

    /// Registers at a trunk's peer; `None` where that cannot be tried.
    pub(crate) async fn register(&self, register: TrunkRegister) -> Option<Registration> {
        let ((news, received), (taken, is_taken)) = (mpsc::unbounded_channel(), oneshot::channel());
        let registering = Box::new(Registering { register, news, taken });
        let request = Request::Trunk(TrunkRequest::Register(registering));
        self.requests.send(request).await.ok()?;
        let handle = is_taken.await.ok()?;
        Some(Registration { handle, requests: self.requests.downgrade(), news: received })
    }

    /// The same without keeping the endpoint's task alive.
    pub(crate) fn downgrade(&self) -> WeakSip {
        WeakSip { requests: self.requests.downgrade(), counts: Arc::clone(&self.counts) }
    }
}

/// [`Sip`] that ends with the node.
#[derive(Clone, Debug)]
pub(crate) struct WeakSip {
    requests: mpsc::WeakSender<Request>,
    counts: Arc<SipCounts>,
}

impl WeakSip {
    pub(crate) fn upgrade(&self) -> Option<Sip> {
        Some(Sip { requests: self.requests.upgrade()?, counts: Arc::clone(&self.counts) })
    }
}

impl Registration {
    /// What becomes of it next; `None` where the endpoint is gone.
    pub(crate) async fn next(&mut self) -> Option<RegistrationNews> {
        self.news.recv().await
    }

    /// Registers again now, as the peer may have forgotten it.
    pub(crate) async fn refresh(&self) {
        self.ask(TrunkRequest::Refresh(self.handle)).await;
    }

    /// Takes it back; [`RegistrationNews::Ended`] follows.
    pub(crate) async fn unregister(&self) {
        self.ask(TrunkRequest::Unregister(self.handle)).await;
    }

    async fn ask(&self, request: TrunkRequest) {
        if let Some(requests) = self.requests.upgrade() {
            let _ = requests.send(Request::Trunk(request)).await;
        }
    }
}

impl TrunkInvite {
    /// Who calls, as From says, and the headers that say who that is and to whom it may be told (RFC 3323; RFC 3325, 9).
    /// `here` stands for this server where the caller has no domain.
    pub(super) fn caller(&self, here: Host) -> (NameAddr, Vec<(String, String)>) {
        let host = self.domain.clone().unwrap_or(here);
        let own = NameAddr {
            display: self.name.clone(),
            ..NameAddr::new(crate::trunks::number_uri(&self.caller, host))
        };
        let mut headers = Vec::new();
        if self.asserted == Asserted::Caller {
            headers.push(("P-Asserted-Identity".to_owned(), own.to_string()));
        }
        if !self.is_private {
            return (own, headers);
        }
        headers.push(("Privacy".to_owned(), "id".to_owned()));
        let nobody = Uri::sip("anonymous", Host::Name("anonymous.invalid".to_owned()));
        (NameAddr { display: Some("Anonymous".to_owned()), ..NameAddr::new(nobody) }, headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(is_private: bool, asserted: Asserted) -> TrunkInvite {
        TrunkInvite {
            place: Candidate {
                transport: sip_proto::Transport::Udp,
                remote: ([192, 0, 2, 1], 5060).into(),
                name: "192.0.2.1".to_owned(),
            },
            uri: "sip:+4930123456@carrier.example".parse().unwrap(),
            caller: "+12015550123".to_owned(),
            domain: None,
            name: Some("Contoso".to_owned()),
            is_private,
            asserted,
            headers: Vec::new(),
            credentials: None,
            offer: Bytes::new(),
        }
    }

    fn said(is_private: bool, asserted: Asserted) -> (String, Vec<(String, String)>) {
        let (from, headers) = invite(is_private, asserted).caller("192.0.2.9".parse().unwrap());
        (from.to_string(), headers)
    }

    fn header(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    const OWN: &str = "\"Contoso\" <sip:+12015550123@192.0.2.9;user=phone>";
    const NOBODY: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

    #[test]
    fn a_peer_learns_who_calls_and_whether_it_may_tell_that() {
        let asserted = || header("P-Asserted-Identity", OWN);
        assert_eq!(said(false, Asserted::Caller), (OWN.to_owned(), vec![asserted()]));
        let withheld = vec![asserted(), header("Privacy", "id")];
        assert_eq!(said(true, Asserted::Caller), (NOBODY.to_owned(), withheld));
        assert_eq!(said(true, Asserted::Nobody), (NOBODY.to_owned(), vec![header("Privacy", "id")]));
    }

    #[test]
    fn a_caller_with_a_domain_is_of_that() {
        let invite = TrunkInvite {
            domain: Some("carrier.example".parse().unwrap()),
            ..invite(false, Asserted::Caller)
        };
        let (from, _) = invite.caller("192.0.2.9".parse().unwrap());
        assert_eq!(from.uri.to_string(), "sip:+12015550123@carrier.example;user=phone");
    }
}
