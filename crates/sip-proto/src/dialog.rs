//! The state that two user agents share (RFC 3261, chapter 12).

use sip_message::{CSeq, Headers, Host, Method, NameAddr, Params, Replaces, Request, Response, Scheme, Uri};

use crate::flow::{Flow, Transport};
use crate::inbound::Inbound;

/// What stands in a Replaces for the tag that a peer of RFC 2543 left out (RFC 3891, 3).
const NO_TAG: &str = "0";

/// One dialog, early or confirmed.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// This side, with its tag.
    pub(crate) local: NameAddr,
    /// The far side, with its tag.
    pub(crate) remote: NameAddr,
    local_cseq: u32,
    remote_cseq: Option<u32>,
    remote_target: Uri,
    /// It was made by a `sips` URI, so it stays with those (RFC 3261, 12.1.1 and 12.1.2).
    is_secure: bool,
    /// The next hop first.
    route_set: Vec<NameAddr>,
    /// The way to the next hop: the one on which the far end last set its target. No name is
    /// resolved here, and behind a NAT no other way leads there.
    pub(crate) flow: Flow,
}

/// The parts of a dialog that this side knows before the far side answers.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) call_id: String,
    pub(crate) local: NameAddr,
    pub(crate) remote: NameAddr,
}

impl Dialog {
    /// The dialog of the user agent client that sent `invite` and received `response` (12.1.2).
    pub(crate) fn of_client(
        identity: &Identity,
        invite: (&Uri, u32),
        response: &Response,
        flow: Flow,
    ) -> Self {
        let (request_uri, cseq) = invite;
        let mut route_set = response.headers.record_routes().unwrap_or_default();
        route_set.reverse();
        Self {
            call_id: identity.call_id.clone(),
            local: identity.local.clone(),
            remote: response.headers.to().unwrap_or_else(|_| identity.remote.clone()),
            local_cseq: cseq,
            remote_cseq: None,
            remote_target: target(&response.headers).unwrap_or_else(|| request_uri.clone()),
            is_secure: is_secure(request_uri),
            route_set,
            flow,
        }
    }

    /// The dialog of the user agent server that received `invite` (12.1.1).
    ///
    /// Peers of RFC 2543 may leave Contact out; requests then go to their From.
    pub(crate) fn of_server(invite: &Inbound, local_tag: &str) -> Self {
        Self {
            call_id: invite.call_id.clone(),
            local: invite.to.clone().with_tag(local_tag),
            remote: invite.from.clone(),
            local_cseq: 0,
            remote_cseq: Some(invite.cseq.seq),
            remote_target: target(&invite.request.headers).unwrap_or_else(|| invite.from.uri.clone()),
            is_secure: asks_for_security(&invite.request),
            route_set: invite.request.headers.record_routes().unwrap_or_default(),
            flow: invite.flow,
        }
    }

    /// Whether a request with these names belongs to this dialog (12.2.2).
    pub(crate) fn matches(&self, request: &Inbound) -> bool {
        self.call_id == request.call_id
            && self.local.tag() == request.to.tag()
            && self.remote.tag() == request.from.tag()
    }

    /// Whether a Replaces that came to this side means this dialog (RFC 3891, 3).
    pub(crate) fn is_named_by(&self, replaces: &Replaces) -> bool {
        self.call_id == replaces.call_id
            && self.local.tag() == Some(replaces.to_tag.as_str())
            && self.remote.tag().unwrap_or(NO_TAG) == replaces.from_tag
    }

    /// Where and by which name the far side takes somebody else in the place of this one.
    pub(crate) fn replaceable(&self) -> (Uri, Replaces) {
        let tag = |of: &NameAddr| of.tag().unwrap_or(NO_TAG).to_owned();
        let replaces = Replaces {
            call_id: self.call_id.clone(),
            to_tag: tag(&self.remote),
            from_tag: tag(&self.local),
            early_only: false,
        };
        (request_uri(&self.remote_target), replaces)
    }

    /// Takes the CSeq of a request of the far side; `false` for one out of order (12.2.2).
    pub(crate) fn accept_cseq(&mut self, seq: u32) -> bool {
        let in_order = self.remote_cseq.is_none_or(|last| seq > last);
        if in_order {
            self.remote_cseq = Some(seq);
        }
        in_order
    }

    /// Takes the Contact of a target refresh request or of its response (12.2.1.2, 12.2.2).
    pub(crate) fn refresh_target(&mut self, headers: &Headers) {
        if let Some(uri) = target(headers) {
            self.remote_target = uri;
        }
    }

    /// Goes on over the way that a request of the far end took, unless that is less secure.
    pub(crate) fn follow(&mut self, flow: Flow) {
        if self.flow.transport != Transport::Tls || flow.transport == Transport::Tls {
            self.flow = flow;
        }
    }

    /// Takes over what an earlier state of the same dialog has counted.
    pub(crate) fn go_on_from(&mut self, before: &Self) {
        self.local_cseq = self.local_cseq.max(before.local_cseq);
        self.remote_cseq = self.remote_cseq.max(before.remote_cseq);
    }

    /// The next request of this side (12.2.1.1).
    pub(crate) fn request(&mut self, method: Method) -> (Request, u32) {
        self.local_cseq = self.local_cseq.saturating_add(1);
        (self.build(method, self.local_cseq), self.local_cseq)
    }

    /// The ACK of a 2xx to the INVITE with that number (13.2.2.4).
    pub(crate) fn ack(&self, cseq: u32) -> Request {
        self.build(Method::Ack, cseq)
    }

    fn build(&self, method: Method, cseq: u32) -> Request {
        let mut routes = self.route_set.clone();
        let uri = match routes.first() {
            // The first hop is a strict router of RFC 2543: it wants its own URI in the request line.
            Some(first) if !first.uri.params().has("lr") => {
                let hop = routes.remove(0);
                routes.push(NameAddr::new(self.remote_target.clone()));
                hop.uri
            }
            Some(_) | None => self.remote_target.clone(),
        };
        let mut request = Request::new(method.clone(), request_uri(&uri));
        for route in &routes {
            request.headers.push("Route", route);
        }
        request.headers.push("From", &self.local);
        request.headers.push("To", &self.remote);
        request.headers.push("Call-ID", self.call_id.as_str());
        request.headers.push("CSeq", CSeq::new(cseq, method));
        request
    }

    /// The Contact of this side.
    pub(crate) fn contact(&self) -> NameAddr {
        contact(&self.flow, &self.local, self.is_secure)
    }
}

/// Where requests to this side of a dialog are to be sent; a `sips` URI where it is to be secure all the way.
pub(crate) fn contact(flow: &Flow, local: &NameAddr, is_secure: bool) -> NameAddr {
    let user = local.uri.user().unwrap_or_default();
    let uri = Uri::sip(&user, Host::from(flow.local.ip())).with_port(Some(flow.local.port()));
    NameAddr::new(match flow.transport {
        // A SIPS URI speaks of TLS by itself (RFC 3261, 26.2.2).
        Transport::Tls if is_secure => uri.with_secure(true),
        Transport::Tcp | Transport::Tls => {
            uri.with_param("transport", Some(flow.transport.uri_name())).with_secure(is_secure)
        }
        Transport::Udp => uri.with_secure(is_secure),
    })
}

/// Whether a URI wants every hop to be secure.
pub(crate) fn is_secure(uri: &Uri) -> bool {
    *uri.scheme() == Scheme::Sips
}

/// Whether the answer to an INVITE needs a SIPS URI in its Contact (RFC 3261, 12.1.1).
fn asks_for_security(invite: &Request) -> bool {
    let routes = invite.headers.record_routes().unwrap_or_default();
    let hop = routes.into_iter().next().map(|route| route.uri).or_else(|| target(&invite.headers));
    is_secure(&invite.uri) || hop.is_some_and(|uri| is_secure(&uri))
}

/// The URI without the header fields and the method that a Request-URI may not have (RFC 3261, 19.1.1).
pub(crate) fn request_uri(uri: &Uri) -> Uri {
    let params: &Params = uri.params();
    if !uri.has_headers() && !params.has("method") {
        return uri.clone();
    }
    let kept = params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("method"));
    kept.fold(uri.bare(), |bare, (name, _)| bare.with_param(name, uri.param(name).as_deref()))
}

fn target(headers: &Headers) -> Option<Uri> {
    headers.contact().ok()?.map(|contact| contact.uri).filter(Uri::is_sip)
}

#[cfg(test)]
mod tests {
    use sip_message::StatusCode;

    use super::*;

    const FLOW: Flow = Flow {
        transport: Transport::Udp,
        local: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5060),
        remote: std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 5070),
        connection: None,
    };

    fn dialog(record_routes: &[&str]) -> Dialog {
        let identity = Identity {
            call_id: "c".to_owned(),
            local: "<sip:bot@a.example>;tag=l".parse().unwrap(),
            remote: "<sip:john@b.example>".parse().unwrap(),
        };
        let mut response = Response::new(StatusCode::OK);
        response.headers.push("To", "<sip:john@b.example>;tag=r");
        response.headers.push("Contact", "<sip:john@192.0.2.9:5071>");
        for route in record_routes {
            response.headers.push("Record-Route", *route);
        }
        Dialog::of_client(&identity, (&"sip:john@b.example".parse().unwrap(), 7), &response, FLOW)
    }

    #[test]
    fn requests_follow_the_route_set_in_reverse_to_the_contact() {
        let (bye, cseq) = dialog(&["<sip:last;lr>", "<sip:first;lr>"]).request(Method::Bye);
        assert_eq!(cseq, 8);
        assert_eq!(bye.uri.to_string(), "sip:john@192.0.2.9:5071");
        assert_eq!(bye.headers.get_all("Route").collect::<Vec<_>>(), ["<sip:first;lr>", "<sip:last;lr>"]);
        assert_eq!(bye.headers.to().unwrap().tag(), Some("r"));
    }

    #[test]
    fn a_strict_router_gets_its_own_uri_in_the_request_line() {
        let (bye, _) = dialog(&["<sip:last;lr>", "<sip:strict>"]).request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:strict");
        let routes: Vec<_> = bye.headers.get_all("Route").collect();
        assert_eq!(routes, ["<sip:last;lr>", "<sip:john@192.0.2.9:5071>"]);
    }

    #[test]
    fn the_far_sides_cseq_only_grows() {
        let mut dialog = dialog(&[]);
        assert_eq!([5, 5, 4, 9].map(|seq| dialog.accept_cseq(seq)), [true, false, false, true]);
    }

    #[test]
    fn a_refresh_moves_the_target_and_rubbish_does_not() {
        let mut dialog = dialog(&[]);
        let mut headers = Headers::new();
        headers.push("Contact", "<sip:john@192.0.2.10>");
        dialog.refresh_target(&headers);
        dialog.refresh_target(&Headers::new());
        assert_eq!(dialog.request(Method::Update).0.uri.to_string(), "sip:john@192.0.2.10");
    }

    #[test]
    fn headers_of_a_contact_do_not_reach_the_request_line() {
        let uri: Uri = "sip:a@b.example:5070;transport=tcp;ob?Route=%3Csip:x%3E".parse().unwrap();
        assert_eq!(request_uri(&uri).to_string(), "sip:a@b.example:5070;transport=tcp;ob");
    }
}
