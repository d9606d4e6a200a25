//! Calls that take the place of others (RFC 3891).

use bytes::Bytes;
use sip_message::{Replaces, Response};
use sip_proto::{Event, Incoming};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, PEER_2, config, request, seconds, status};

const BOT: &str = "sip:bot@127.0.0.1:5060";

/// An INVITE of [`PEER_2`] to [`HOME`] with that Replaces.
fn replace(net: &mut Net, replaces: &Replaces) {
    let text = replaces.to_string();
    let fields =
        [("Replaces", text.as_str()), ("Require", "replaces"), ("Referred-By", "<sip:ann@contoso.example>")];
    net.send(PEER_2, HOME, request(PEER_2, "INVITE", BOT, &fields, OFFER));
    net.exchange();
}

fn refusal(net: &mut Net, replaces: &Replaces) -> Response {
    replace(net, replaces);
    assert_eq!(net.events(HOME), []);
    net.response(PEER_2)
}

fn told(net: &mut Net) -> Incoming {
    match net.events(HOME).as_slice() {
        [Event::Incoming(incoming)] => (**incoming).clone(),
        events => panic!("{events:?}"),
    }
}

#[test]
fn a_third_party_takes_the_place_of_one_that_told_it_how() {
    let mut net = Net::pair();
    let (at_home, at_peer) = net.connected();
    let (uri, replaces) = net.endpoint(PEER).replaceable(at_peer).unwrap();
    assert_eq!(uri.to_string(), "sip:bot@127.0.0.1:5060");
    assert_eq!(net.endpoint(HOME).replaced_call(&replaces), Some(at_home));

    replace(&mut net, &replaces);
    let incoming = told(&mut net);
    assert_eq!(incoming.replaces, Some(at_home));
    assert_eq!(incoming.referred_by.unwrap().uri.to_string(), "sip:ann@contoso.example");
    let answer = Bytes::from_static(ANSWER.as_bytes());
    net.at(HOME, |endpoint, now| endpoint.answer(incoming.handle, answer, now)).unwrap();
    net.at(HOME, |endpoint, now| endpoint.hang_up(at_home, None, now)).unwrap();
    net.exchange();
    assert!(matches!(net.events(PEER).as_slice(), [Event::Ended { handle, .. }] if *handle == at_peer));
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_dialog_that_is_unknown_by_any_of_its_names_is_481() {
    let mut net = Net::pair();
    let (_, at_peer) = net.connected();
    let (_, right) = net.endpoint(PEER).replaceable(at_peer).unwrap();
    let wrong = [
        Replaces { call_id: "other".to_owned(), ..right.clone() },
        Replaces { from_tag: "other".to_owned(), ..right.clone() },
        Replaces { to_tag: "other".to_owned(), ..right.clone() },
        Replaces { to_tag: format!("{}0", right.to_tag), ..right.clone() },
    ];
    for (n, replaces) in wrong.iter().enumerate() {
        let text = replaces.to_string();
        let via = format!("SIP/2.0/UDP 127.0.0.1:6002;branch=z9hG4bKw{n}");
        let call_id = format!("w{n}");
        let fields = [("Replaces", text.as_str()), ("Via", &via), ("Call-ID", &call_id)];
        net.send(PEER_2, HOME, request(PEER_2, "INVITE", BOT, &fields, OFFER));
        net.exchange();
        assert_eq!(net.response(PEER_2).status, status(481), "{text}");
        assert_eq!(net.endpoint(HOME).replaced_call(replaces), None);
    }
    assert_eq!((net.events(HOME), net.endpoint(HOME).calls()), (Vec::new(), 1));
}

#[test]
fn an_answered_call_is_not_taken_by_one_that_wants_early_ones_alone() {
    let mut net = Net::pair();
    let (_, at_peer) = net.connected();
    let (_, replaces) = net.endpoint(PEER).replaceable(at_peer).unwrap();
    let refused = refusal(&mut net, &Replaces { early_only: true, ..replaces });
    assert_eq!(refused.status, status(486));
    net.run(seconds(40));
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_call_that_rings_at_this_side_is_not_replaced() {
    let mut net = Net::pair();
    let new = net.new_call(&[HOME]);
    net.at(PEER, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let incoming = told(&mut net);
    net.at(HOME, |endpoint, now| endpoint.ring(incoming.handle, now)).unwrap();
    assert_eq!(net.endpoint(HOME).replaceable(incoming.handle), None);
    let from_tag = incoming.from.tag().unwrap().to_owned();
    let to_tag = format!("{}-0", incoming.handle);
    let replaces = Replaces { call_id: incoming.call_id, to_tag, from_tag, early_only: true };
    assert_eq!(refusal(&mut net, &replaces).status, status(481));
}

#[test]
fn a_call_that_waits_for_its_ack_only_to_hang_up_is_declined() {
    let mut net = Net::new();
    net.send(PEER, HOME, request(PEER, "INVITE", BOT, &[], OFFER));
    net.exchange();
    let incoming = told(&mut net);
    let answer = Bytes::from_static(ANSWER.as_bytes());
    net.at(HOME, |endpoint, now| endpoint.answer(incoming.handle, answer, now)).unwrap();
    net.exchange();
    let to = net.responses(PEER).pop().unwrap().headers.to().unwrap();
    let replaces = Replaces {
        call_id: incoming.call_id,
        to_tag: to.tag().unwrap().to_owned(),
        from_tag: incoming.from.tag().unwrap().to_owned(),
        early_only: false,
    };
    assert_eq!(net.endpoint(HOME).replaced_call(&replaces), Some(incoming.handle));
    net.at(HOME, |endpoint, now| endpoint.hang_up(incoming.handle, None, now)).unwrap();
    net.events(HOME);
    assert_eq!(refusal(&mut net, &replaces).status, status(603));
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_stranger_is_asked_who_it_is_before_it_learns_of_any_call() {
    let strict = sip_proto::Config { incoming: sip_proto::IncomingPolicy::Authenticate, ..config() };
    let mut net = Net::with(strict);
    net.add_endpoint(PEER, config());
    let (_, at_peer) = net.connected();
    let (_, replaces) = net.endpoint(PEER).replaceable(at_peer).unwrap();
    assert_eq!(refusal(&mut net, &replaces).status, status(401));
}
