use std::num::NonZeroU32;

use bytes::Bytes;
use call_engine::Refusal;
use model::{Trunk, TrunkAccount, TrunkRegistration, TrunkSecret, TrunkTransport};
use sip_message::{Method, Request, Response};

use super::{Bench, CALLER, Carrier, DIAL_IN, PATIENT, SDP};
use crate::far_end::FarEndEvent;
use crate::sip::{IncomingCall, IncomingCaller, TrunkCallee, TrunkCaller};

/// The one who calls.
const STRANGER: &str = "sip:+4930123456@carrier.example";

impl Carrier {
    /// Sends an INVITE to a URI.
    async fn invite(&self, bench: &Bench, uri: &str, fields: &[(&str, &str)]) -> Request {
        let own = self.socket.local_addr().unwrap();
        let mut request = Request::new(Method::Invite, uri.parse().unwrap());
        request.headers.push("Via", format!("SIP/2.0/UDP {own};branch=z9hG4bK{}", bench.next_number()));
        request.headers.push("Max-Forwards", 70);
        request.headers.push("To", format!("<{uri}>"));
        request.headers.push("Call-ID", format!("call-{}", bench.next_number()));
        request.headers.push("CSeq", "1 INVITE");
        request.headers.push("Contact", format!("<sip:{own}>"));
        request.headers.push("Content-Type", "application/sdp");
        if !fields.iter().any(|(name, _)| *name == "From") {
            request.headers.push("From", format!("\"Ann\" <{STRANGER}>;tag=a"));
        }
        for (name, value) in fields {
            request.headers.set(name, *value);
        }
        request.body = Bytes::copy_from_slice(SDP.as_bytes());
        self.socket.send_to(&request.to_bytes(), bench.address).await.unwrap();
        request
    }

    /// What an INVITE is refused with.
    async fn refused(&mut self, bench: &Bench, uri: &str) -> Response {
        self.invite(bench, uri, &[]).await;
        self.response().await
    }
}

fn uri(number: &str) -> String {
    format!("sip:{number}@127.0.0.1")
}

async fn taken(bench: &mut Bench) -> (IncomingCall, TrunkCaller) {
    let call = bench.taken.recv().await.unwrap();
    match call.caller.clone() {
        IncomingCaller::Trunk(caller) => (call, *caller),
        IncomingCaller::User(user) => panic!("{user}"),
    }
}

/// Once the server knows its trunks' peers.
async fn with_peers(trunks: impl IntoIterator<Item = Trunk>) -> Bench {
    let bench = Bench::new(trunks, PATIENT).await;
    bench.is_driven().await;
    bench
}

#[tokio::test]
async fn a_call_of_a_peer_is_handed_on_with_whose_it_is_and_who_makes_it() {
    let carrier = Carrier::open().await;
    let mut bench = with_peers([carrier.trunk("a", 1)]).await;
    carrier.invite(&bench, &uri(CALLER), &[]).await;
    let (call, caller) = taken(&mut bench).await;
    assert_eq!(caller.to, TrunkCallee::Instance("instance".to_owned()));
    assert_eq!((caller.tenant.as_str(), caller.trunk.as_str()), ("t", "a"));
    assert_eq!((caller.called.as_str(), caller.name.as_deref()), (CALLER, Some("Ann")));
    assert_eq!(caller.number.map(|number| number.as_str().to_owned()).as_deref(), Some("+4930123456"));
    assert_eq!((call.dialled.as_str(), call.phone.is_trunk), (CALLER, true));
    assert_eq!(bench.calls(), 1);

    carrier.invite(&bench, &format!("tel:{DIAL_IN}"), &[]).await;
    let (_call, caller) = taken(&mut bench).await;
    assert_eq!((caller.to, caller.called.as_str()), (TrunkCallee::DialIn, DIAL_IN));
}

#[tokio::test]
async fn the_place_of_a_call_is_free_once_the_call_is_over() {
    let mut carrier = Carrier::open().await;
    let trunk = Trunk { concurrent_calls: NonZeroU32::MIN, ..carrier.trunk("a", 1) };
    let mut bench = with_peers([trunk]).await;
    let first = carrier.invite(&bench, &uri(CALLER), &[]).await;
    let (call, _) = taken(&mut bench).await;
    assert_eq!(carrier.refused(&bench, &uri(CALLER)).await.status.as_u16(), 486);
    call.phone.far_end.reject(Refusal::NotFound);
    let refused = loop {
        let response = carrier.response().await;
        if response.headers.call_id() == first.headers.call_id() {
            break response;
        }
    };
    assert_eq!((refused.status.as_u16(), bench.calls()), (404, 0));
    carrier.invite(&bench, &uri(CALLER), &[]).await;
    taken(&mut bench).await;
    assert_eq!(bench.trunks.stats().refused.too_many, 1);
}

#[tokio::test]
async fn who_calls_is_what_a_trusted_peer_asserts_and_nobody_where_that_is_withheld() {
    let asserted = ("P-Asserted-Identity", "\"Bob\" <tel:+33140506070>");
    let withheld = ("Privacy", "id");
    let said = ("From", "<sip:0049-30-123456@carrier.example>;tag=b");
    let nobody = ("From", "<sip:anonymous@anonymous.invalid>;tag=c");
    let cases = [
        (true, vec![asserted], Some("+33140506070"), Some("Bob")),
        (false, vec![asserted], Some("+4930123456"), Some("Ann")),
        (true, vec![asserted, withheld], None, None),
        (true, vec![said], Some("+4930123456"), None),
        (true, vec![nobody], None, None),
    ];
    for (is_trusted, fields, number, name) in cases {
        let carrier = Carrier::open().await;
        let incoming_rules =
            vec![model::NumberRule { from: "00".to_owned(), to: "+".to_owned(), digits: None }];
        let mut bench = with_peers([Trunk { is_trusted, incoming_rules, ..carrier.trunk("a", 1) }]).await;
        carrier.invite(&bench, &uri(CALLER), &fields).await;
        let (_call, caller) = taken(&mut bench).await;
        let told = caller.number.as_ref().map(|number| number.as_str());
        assert_eq!((told, caller.name.as_deref()), (number, name), "{fields:?}");
    }
}

#[tokio::test]
async fn a_call_to_a_registered_address_is_for_the_number_in_to() {
    let carrier = Carrier::open().await;
    let registration = TrunkRegistration {
        address: "customer@127.0.0.1".to_owned(),
        expires: std::time::Duration::from_secs(600),
    };
    let account = TrunkAccount {
        username: "customer".to_owned(),
        secret: TrunkSecret::Password("secret".to_owned()),
        registration: Some(registration),
    };
    let mut bench = with_peers([Trunk { account: Some(account), ..carrier.trunk("a", 1) }]).await;
    let to = format!("<{}>", uri(CALLER));
    carrier.invite(&bench, "sip:customer@127.0.0.1", &[("To", &to)]).await;
    assert_eq!(taken(&mut bench).await.1.called.as_str(), CALLER);
}

#[tokio::test]
async fn a_number_that_nobody_has_is_refused_and_a_flood_of_them_is_not_answered() {
    let mut carrier = Carrier::open().await;
    let bench = with_peers([carrier.trunk("a", 1)]).await;
    assert_eq!(carrier.refused(&bench, &uri("+12015559999")).await.status.as_u16(), 404);
    for _ in 0..50 {
        carrier.invite(&bench, &uri("+12015559999"), &[]).await;
    }
    // The last of them has been looked at once another request is answered.
    bench.refused_at_least(51).await;
    let refused = bench.trunks.stats().refused;
    assert_eq!(refused.unknown_number, 51);
    assert!(refused.dropped > 30, "{refused:?}");
    assert_eq!(bench.calls(), 0);
}

#[tokio::test]
async fn a_peer_that_is_to_use_a_stream_is_not_known_by_its_datagrams() {
    let mut carrier = Carrier::open().await;
    let mut trunk = carrier.trunk("a", 1);
    trunk.peer.transport = TrunkTransport::Tls;
    let bench = with_peers([trunk]).await;
    let status = carrier.refused(&bench, &uri(CALLER)).await.status.as_u16();
    assert_eq!(status, 480, "as whoever is not known");
}

#[tokio::test]
async fn a_peer_that_hands_its_call_over_is_refused() {
    let mut carrier = Carrier::open().await;
    let mut bench = with_peers([carrier.trunk("a", 1)]).await;
    let invite = carrier.invite(&bench, &uri(CALLER), &[]).await;
    let (mut call, _) = taken(&mut bench).await;
    call.phone.far_end.answer(Bytes::from_static(SDP.as_bytes()));
    let accepted = carrier.response().await;
    carrier.in_dialog(&bench, (&invite, &accepted), (Method::Ack, 1), &[]).await;
    let confirmed = call.inputs.1.next().await;
    assert!(
        matches!(&confirmed, Some(crate::task::CallInput::FarEnd(report))
            if matches!(report.event, FarEndEvent::Confirmed { .. })),
        "the call is connected"
    );
    let to = ("Refer-To", "<sip:+4930999999@127.0.0.1>");
    carrier.in_dialog(&bench, (&invite, &accepted), (Method::Refer, 2), &[to]).await;
    assert_eq!(carrier.response().await.status.as_u16(), 403);
}

impl Carrier {
    /// Sends a request of the dialog that an INVITE and its response made.
    async fn in_dialog(
        &self,
        bench: &Bench,
        (invite, accepted): (&Request, &Response),
        (method, cseq): (Method, u32),
        fields: &[(&str, &str)],
    ) {
        let own = self.socket.local_addr().unwrap();
        let contact = accepted.headers.contact().unwrap().unwrap().uri;
        let mut request = Request::new(method.clone(), contact);
        request.headers.push("Via", format!("SIP/2.0/UDP {own};branch=z9hG4bK{}", bench.next_number()));
        request.headers.push("Max-Forwards", 70);
        request.headers.push("From", invite.headers.get("From").unwrap());
        request.headers.push("To", accepted.headers.get("To").unwrap());
        request.headers.push("Call-ID", invite.headers.call_id().unwrap());
        request.headers.push("CSeq", format!("{cseq} {method}"));
        request.headers.push("Contact", format!("<sip:{own}>"));
        for (name, value) in fields {
            request.headers.push(name, *value);
        }
        self.socket.send_to(&request.to_bytes(), bench.address).await.unwrap();
    }
}
