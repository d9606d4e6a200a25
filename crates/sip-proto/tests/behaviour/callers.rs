//! Who may call: users who show who they are, by password or by the connection of their phone.

use bytes::Bytes;
use sip_message::digest::{Algorithm, Answer, Challenge, Ha1};
use sip_message::{Request, Response};
use sip_proto::{Config, Credentials, EndCause, Event, IncomingPolicy, Limits, Transport};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, PEER_2, config, request, seconds, status};

const BOT: &str = "sip:bot@127.0.0.1:5060";
const JOHN: &str = "john@contoso.example";

/// An endpoint that wants to know who calls.
fn strict() -> Config {
    Config { incoming: IncomingPolicy::Authenticate, ..Config::default() }
}

fn credentials(username: &str, password: &str) -> Option<Credentials> {
    Some(Credentials::new(username, password))
}

/// The n-th request of [`PEER`], as john says.
fn from_john(method: &str, n: u32) -> Request {
    let via = format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKj{n}{method}");
    let cseq = format!("{n} {method}");
    let fields = [
        ("Via", via.as_str()),
        ("CSeq", &cseq),
        ("From", "<sip:john@contoso.example>;tag=j"),
        ("X-Own", "1"),
    ];
    request(PEER, method, BOT, &fields, if method == "INVITE" { OFFER } else { "" })
}

/// Answers the challenge of a response.
fn answered(mut request: Request, challenged: &Response, password: &str, count: u32) -> Request {
    let challenge = Challenge::strongest(&challenged.headers, "WWW-Authenticate").unwrap();
    let ha1 = Ha1::new(Algorithm::Md5, "john", "hookswitch", password);
    let (method, uri) = (request.method.clone(), request.uri.clone());
    let answer = Answer { username: "john", ha1: &ha1, method: &method, uri: &uri, cnonce: "c", count };
    request.headers.push("Authorization", challenge.answer(&answer).unwrap().to_string());
    request
}

fn send(net: &mut Net, request: Request) -> Response {
    net.send(PEER, HOME, request);
    net.exchange();
    net.response(PEER)
}

fn caller(net: &mut Net) -> Option<String> {
    match net.events(HOME).as_slice() {
        [Event::Incoming(incoming)] => incoming.caller.clone(),
        events => panic!("{events:?}"),
    }
}

#[test]
fn a_user_with_the_right_password_calls_as_that_user_whatever_from_says() {
    for (username, transport) in [("john", Transport::Udp), (JOHN, Transport::Tcp)] {
        let mut net = Net::with(strict());
        net.transport = transport;
        net.add_endpoint(PEER, config());
        let mut new = net.new_call(&[HOME]);
        new.from = "\"Not john\" <sip:mary@fabrikam.example>".parse().unwrap();
        new.credentials = credentials(username, "secret");
        let handle = net.at(PEER, |endpoint, now| endpoint.call(new, now)).unwrap();
        net.exchange();
        let events = net.events(HOME);
        let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(incoming.caller.as_deref(), Some(JOHN));
        assert_eq!(incoming.from.display.as_deref(), Some("Not john"));
        let called = incoming.handle;
        let answer = Bytes::from_static(ANSWER.as_bytes());
        net.at(HOME, |endpoint, now| endpoint.answer(called, answer, now)).unwrap();
        net.exchange();
        assert_eq!(net.events(HOME), [Event::Confirmed { handle: called, sdp: None }]);
        net.at(PEER, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
        net.run(seconds(40));
        assert!(matches!(net.ended(HOME), EndCause::RemoteBye { .. }));
        net.assert_idle(HOME);
        net.assert_idle(PEER);
    }
}

#[test]
fn a_caller_without_credentials_is_challenged_and_leaves_nothing_behind() {
    let mut net = Net::with(strict());
    for n in 1..=3 {
        let challenged = send(&mut net, from_john("INVITE", n));
        assert_eq!(challenged.status, status(401));
        assert!(
            challenged.headers.has("WWW-Authenticate") && challenged.headers.to().unwrap().tag().is_some()
        );
        let mut ack = from_john("ACK", n);
        ack.headers.set("To", challenged.headers.to().unwrap());
        ack.headers.set("Via", format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKj{n}INVITE"));
        net.send(PEER, HOME, ack);
        net.exchange();
        net.assert_idle(HOME);
    }
    assert_eq!((net.events(HOME), net.inbox(PEER)), (Vec::new(), Vec::new()));
}

#[test]
fn a_wrong_password_is_forbidden_and_an_unknown_user_looks_the_same() {
    for (username, password) in [("john", "guess"), ("nobody", "secret")] {
        let mut net = Net::with(strict());
        net.add_endpoint(PEER, config());
        let mut new = net.new_call(&[HOME]);
        new.credentials = credentials(username, password);
        net.at(PEER, |endpoint, now| endpoint.call(new, now)).unwrap();
        net.exchange();
        assert!(matches!(net.ended(PEER), EndCause::Rejected { status: code, .. } if code == status(403)));
        assert_eq!(net.events(HOME), []);
        net.run(seconds(40));
        net.assert_idle(HOME);
    }
}

#[test]
fn guessing_by_calls_is_stopped_for_a_while() {
    let limits = Limits { failures: 2, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..strict() });
    let challenged = send(&mut net, from_john("INVITE", 1));
    for n in 2..=3 {
        let refused = send(&mut net, answered(from_john("INVITE", n), &challenged, "guess", n));
        assert_eq!((refused.status, refused.headers.retry_after()), (status(403), None));
    }
    let refused = send(&mut net, answered(from_john("INVITE", 4), &challenged, "secret", 4));
    assert_eq!((refused.status, refused.headers.retry_after()), (status(403), Some(59)));
    assert_eq!(net.events(HOME), []);
}

#[test]
fn an_answer_counts_once_and_a_retransmission_is_no_replay() {
    let mut net = Net::with(strict());
    let challenged = send(&mut net, from_john("INVITE", 1));
    let invite = answered(from_john("INVITE", 2), &challenged, "secret", 1);
    net.send(PEER, HOME, invite.clone());
    net.send(PEER, HOME, invite);
    net.exchange();
    assert_eq!(caller(&mut net).as_deref(), Some(JOHN));
    let codes: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
    assert_eq!(codes, [100, 100]);

    let replayed = send(&mut net, answered(from_john("INVITE", 3), &challenged, "secret", 1));
    assert_eq!(replayed.status, status(401));
    assert_eq!(net.events(HOME), []);
}

#[test]
fn the_connection_of_a_registered_phone_speaks_for_its_user_alone() {
    let mut net = Net::with(strict());
    net.transport = Transport::Tcp;
    let register = |n| {
        let mut register = from_john("REGISTER", n);
        register.headers.set("To", "<sip:john@contoso.example>");
        register
    };
    let challenged = send(&mut net, register(1));
    assert_eq!(send(&mut net, answered(register(2), &challenged, "secret", 1)).status, status(200));
    net.events(HOME);

    let mut as_mary = from_john("INVITE", 3);
    as_mary.headers.set("From", "<sip:mary@contoso.example>;tag=m");
    assert_eq!(send(&mut net, as_mary).status, status(401), "another name than the phone's");
    net.send(
        PEER_2,
        HOME,
        request(PEER_2, "INVITE", BOT, &[("From", "<sip:john@contoso.example>;tag=x")], OFFER),
    );
    net.exchange();
    assert_eq!(net.response(PEER_2).status, status(401), "another connection");

    net.send(PEER, HOME, from_john("INVITE", 4));
    net.exchange();
    assert_eq!(caller(&mut net).as_deref(), Some(JOHN));
    net.inbox(PEER);

    let mut gone = answered(register(5), &challenged, "secret", 2);
    gone.headers.set("Expires", "0");
    assert_eq!(send(&mut net, gone).status, status(200));
    let mut late = from_john("INVITE", 6);
    late.headers.set("Call-ID", "late");
    assert_eq!(send(&mut net, late).status, status(401), "the phone is not registered any more");
}

#[test]
fn the_source_of_a_datagram_speaks_for_nobody() {
    let mut net = Net::with(strict());
    let register = |n| {
        let mut register = from_john("REGISTER", n);
        register.headers.set("To", "<sip:john@contoso.example>");
        register
    };
    let challenged = send(&mut net, register(1));
    assert_eq!(send(&mut net, answered(register(2), &challenged, "secret", 1)).status, status(200));
    assert_eq!(send(&mut net, from_john("INVITE", 3)).status, status(401));
}

#[test]
fn a_call_tells_its_subject_and_only_headers_that_ask_nothing_of_anybody() {
    let mut net = Net::new();
    let fields = [
        ("s", "lunch"),
        ("X-Tenant", "t1"),
        ("Alert-Info", "<http://x/bell>"),
        ("P-Asserted-Identity", "<sip:chief@contoso.example>"),
    ];
    net.send(PEER, HOME, request(PEER, "INVITE", BOT, &fields, OFFER));
    net.exchange();
    let events = net.events(HOME);
    let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((incoming.subject.as_deref(), &incoming.caller), (Some("lunch"), &None));
    let passed: Vec<_> =
        incoming.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(passed, [("Subject", "lunch"), ("X-Tenant", "t1"), ("Alert-Info", "<http://x/bell>")]);
}

#[test]
fn a_caller_with_a_thousand_headers_passes_on_few() {
    let mut net = Net::new();
    let mut invite = request(PEER, "INVITE", BOT, &[], OFFER);
    for n in 0..200 {
        invite.headers.push(&format!("X-{n}"), "1");
    }
    net.send(PEER, HOME, invite);
    net.exchange();
    let events = net.events(HOME);
    assert!(matches!(events.as_slice(), [Event::Incoming(incoming)] if incoming.headers.len() == 32));
}

#[test]
fn a_cancel_that_crosses_the_answer_changes_nothing() {
    let mut net = Net::new();
    let invite = request(PEER, "INVITE", BOT, &[], OFFER);
    net.send(PEER, HOME, invite.clone());
    net.exchange();
    let events = net.events(HOME);
    let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
    let handle = incoming.handle;
    let answer = Bytes::from_static(ANSWER.as_bytes());
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer, now)).unwrap();
    let mut cancel = request(PEER, "CANCEL", BOT, &[], "");
    cancel.headers.set("Via", invite.headers.get("Via").unwrap());
    net.send(PEER, HOME, cancel);
    net.exchange();
    let responses = net.responses(PEER);
    let tags: Vec<_> = responses[1..].iter().map(|response| response.headers.to().unwrap()).collect();
    assert_eq!((tags.len(), &tags[0]), (2, &tags[1]), "one tag in the 200 of INVITE and CANCEL");
    assert_eq!((net.events(HOME), net.endpoint(HOME).calls()), (Vec::new(), 1));
}
