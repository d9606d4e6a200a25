//! What a user agent server refuses or answers by itself.

use sip_proto::{CallError, Config, Limits};

use crate::net::{HOME, Net, OFFER, PEER, PEER_2, config, request, seconds, status};

const BOT: &str = "sip:bot@127.0.0.1:5060";

type Fields<'a> = &'a [(&'a str, &'a str)];

/// The status of the answer to one request.
fn answer(net: &mut Net, method: &str, uri: &str, fields: Fields<'_>, body: &str) -> u16 {
    let mut fields = fields.to_vec();
    let branch = format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKs{}", net.next());
    fields.push(("Via", &branch));
    net.send(PEER, HOME, request(PEER, method, uri, &fields, body));
    net.exchange();
    net.response(PEER).status.as_u16()
}

#[test]
fn requests_that_cannot_be_served_get_the_status_that_says_why() {
    let mut net = Net::new();
    let to_tag = [("To", "<sip:bot@127.0.0.1>;tag=1f-0000")];
    let replaces = ("Replaces", "a;to-tag=b;from-tag=c");
    let table: [(&str, &str, Fields<'_>, &str, u16); 19] = [
        ("FLY", BOT, &[], "", 501),
        ("MESSAGE", BOT, &[], "", 405),
        ("SUBSCRIBE", BOT, &[], "", 405),
        ("OPTIONS", "tel:+15550100", &[], "", 416),
        ("INVITE", BOT, &[("Require", "100rel")], OFFER, 420),
        ("INVITE", BOT, &[("Content-Encoding", "gzip")], OFFER, 415),
        ("INVITE", BOT, &[("Accept", "text/plain")], OFFER, 406),
        ("INVITE", BOT, &[("Session-Expires", "60"), ("Supported", "timer")], OFFER, 422),
        ("INVITE", BOT, &to_tag, OFFER, 481),
        ("BYE", BOT, &to_tag, "", 481),
        ("BYE", BOT, &[], "", 481),
        ("UPDATE", BOT, &[], "", 481),
        ("UPDATE", BOT, &to_tag, "", 481),
        ("CANCEL", BOT, &[], "", 481),
        ("OPTIONS", BOT, &to_tag, "", 481),
        ("OPTIONS", BOT, &[replaces], "", 400),
        ("INVITE", BOT, &[("Replaces", "a;to-tag=b")], OFFER, 400),
        ("INVITE", BOT, &[replaces, ("Join", "a;to-tag=b;from-tag=c")], OFFER, 400),
        ("OPTIONS", BOT, &[("Max-Forwards", "0")], "", 200),
    ];
    for (method, uri, fields, body, expected) in table {
        assert_eq!(answer(&mut net, method, uri, fields, body), expected, "{method} {fields:?}");
    }
    assert_eq!(net.events(HOME), []);
    net.assert_idle(HOME);
}

#[test]
fn options_tell_what_the_endpoint_can_do() {
    let mut net = Net::new();
    net.send(PEER, HOME, request(PEER, "OPTIONS", BOT, &[], ""));
    net.exchange();
    let response = net.response(PEER);
    let headers = &response.headers;
    assert_eq!(
        headers.get("Allow"),
        Some("INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, NOTIFY, REGISTER")
    );
    assert_eq!(
        (headers.get("Accept"), headers.get("Supported")),
        (Some("application/sdp"), Some("timer, replaces, norefersub"))
    );
    assert!(headers.to().unwrap().tag().is_some());
}

#[test]
fn a_repeated_request_gets_the_same_answer_without_any_state() {
    let mut net = Net::new();
    for _ in 0..2 {
        net.send(PEER, HOME, request(PEER, "OPTIONS", BOT, &[], ""));
    }
    net.exchange();
    let responses = net.responses(PEER);
    assert_eq!((responses.len(), &responses[0]), (2, &responses[1]));
    net.assert_idle(HOME);
}

#[test]
fn an_unknown_body_that_may_be_ignored_is_ignored() {
    let mut net = Net::new();
    let mut invite =
        request(PEER, "INVITE", BOT, &[("Content-Disposition", "render; handling = optional")], "x");
    invite.headers.set("Content-Type", "text/plain");
    net.send(PEER, HOME, invite);
    net.exchange();
    assert!(
        matches!(net.events(HOME).as_slice(), [sip_proto::Event::Incoming(call)] if call.offer.is_none())
    );
}

#[test]
fn a_full_table_of_transactions_is_503_and_empties_again() {
    let limits = Limits { server_transactions: 2, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..config() });
    let invite = |net: &mut Net, call: usize| {
        let (id, via) = (format!("c{call}"), format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKi{call}"));
        net.send(PEER, HOME, request(PEER, "INVITE", BOT, &[("Call-ID", &id), ("Via", &via)], OFFER));
        net.exchange();
        net.responses(PEER).pop().unwrap().status.as_u16()
    };
    assert_eq!([1, 2, 3].map(|call| invite(&mut net, call)), [100, 100, 503]);
    for event in net.events(HOME) {
        let sip_proto::Event::Incoming(call) = event else { panic!("{event:?}") };
        net.at(HOME, |endpoint, now| endpoint.reject(call.handle, status(480), None, now)).unwrap();
    }
    net.run(seconds(40));
    net.inbox(PEER);
    assert_eq!(invite(&mut net, 4), 100);
}

#[test]
fn a_call_can_end_while_the_table_is_full() {
    let limits = Limits { server_transactions: 0, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..config() });
    let (_, invite) = net.answered(&[]);
    for (method, cseq, code) in [("OPTIONS", 1, 503), ("BYE", 2, 200)] {
        net.send(PEER, HOME, crate::net::in_dialog(PEER, &invite, method, cseq, ""));
        net.exchange();
        assert_eq!(net.response(PEER).status, status(code), "{method}");
    }
    assert_eq!(net.endpoint(HOME).calls(), 0);
}

#[test]
fn while_nobody_takes_calls_an_invite_gets_one_answer_and_leaves_nothing_behind() {
    let mut net = Net::with(Config::default());
    let invite = request(PEER, "INVITE", BOT, &[], OFFER);
    let refuse = |net: &mut Net| {
        net.send(PEER, HOME, invite.clone());
        net.exchange();
        net.assert_idle(HOME);
        let mut responses = net.responses(PEER);
        assert_eq!(responses.len(), 1, "{responses:?}");
        responses.remove(0)
    };
    let first = refuse(&mut net);
    assert_eq!((&first, first.status), (&refuse(&mut net), status(480)));

    let mut ack = request(PEER, "ACK", BOT, &[], "");
    ack.headers.set("To", first.headers.to().unwrap());
    ack.headers.set("Via", invite.headers.get("Via").unwrap());
    net.send(PEER, HOME, ack);
    net.run(seconds(40));
    assert_eq!((net.inbox(PEER), net.events(HOME)), (Vec::new(), Vec::new()));
}

#[test]
fn calls_from_outside_leave_room_for_those_of_this_side() {
    let limits = Limits { calls: 2, incoming_calls: 3, server_transactions: 2, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..config() });
    for call in ["1", "2", "3"] {
        let via = format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKf{call}");
        net.send(PEER, HOME, request(PEER, "INVITE", BOT, &[("Call-ID", call), ("Via", &via)], OFFER));
    }
    net.exchange();
    assert_eq!((net.endpoint(HOME).calls(), net.count(HOME, "SIP/2.0 503")), (2, 1));
    let new = net.new_call(&[PEER_2]);
    assert!(net.at(HOME, |endpoint, now| endpoint.call(new.clone(), now)).is_ok());
    assert!(net.at(HOME, |endpoint, now| endpoint.call(new.clone(), now)).is_ok());
    assert_eq!(net.at(HOME, |endpoint, now| endpoint.call(new, now)), Err(CallError::Full));
}

#[test]
fn keep_alives_and_rubbish_get_no_answer() {
    let mut net = Net::new();
    for text in ["\r\n\r\n", "", "\0\0\0\0", "GET / HTTP/1.1\r\n\r\n", "SIP/2.0 200 OK\r\n\r\n"] {
        net.send(PEER, HOME, text.to_owned());
    }
    net.exchange();
    assert!(net.inbox(PEER).is_empty());
    net.assert_idle(HOME);
}

#[test]
fn an_endpoint_may_live_on_any_thread() {
    let endpoint = sip_proto::Endpoint::new(Config::default(), [2; 32], Box::new(crate::net::users()));
    let is_idle = std::thread::spawn(move || endpoint.is_idle()).join();
    assert!(is_idle.unwrap());
}
