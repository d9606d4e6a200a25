//! What the rest of the node and the endpoint's task say to each other about trunks.

use bytes::Bytes;
use sip_message::{Host, NameAddr, Uri};
use sip_proto::{Candidate, Credentials};
use tokio::sync::{mpsc, oneshot, watch};
use trunk::Failure;

use super::{Request, Sip};
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvents};

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
