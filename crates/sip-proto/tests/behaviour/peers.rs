//! Calls from far ends that are known by where they send from, and the floods of others.

use bytes::Bytes;
use sip_message::{Request, Response};
use sip_proto::{
    CallHandle, Config, Event, Incoming, IncomingPolicy, Limits, Peer, PeerId, Refusals, Transport,
};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, config, in_dialog, ms, request, seconds, status};

const BOT: &str = "sip:bot@127.0.0.1:5060";

fn strict() -> Config {
    Config { incoming: IncomingPolicy::Authenticate, ..Config::default() }
}

/// A trunk at the address of all peers of the network.
fn trunk(id: u64) -> Peer {
    Peer {
        id: PeerId(id),
        ranges: vec!["127.0.0.0/8".parse().unwrap()],
        takes_datagrams: true,
        calls: 100,
        calls_per_second: 100,
    }
}

fn with_peers(config: Config, peers: Vec<Peer>) -> Net {
    let mut net = Net::with(config);
    net.at(HOME, |endpoint, _| endpoint.set_peers(peers));
    net
}

/// The n-th INVITE of [`PEER`].
fn invite(n: u64, fields: &[(&str, &str)]) -> Request {
    let (id, via) = (format!("t{n}"), format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKt{n}"));
    let mut all = vec![("Call-ID", id.as_str()), ("Via", &via)];
    all.extend_from_slice(fields);
    request(PEER, "INVITE", BOT, &all, OFFER)
}

/// The last answer to an INVITE.
fn answer(net: &mut Net, invite: Request) -> Response {
    net.send(PEER, HOME, invite);
    net.exchange();
    net.responses(PEER).pop().unwrap()
}

fn code(net: &mut Net, n: u64) -> u16 {
    answer(net, invite(n, &[])).status.as_u16()
}

fn incoming(net: &mut Net) -> Incoming {
    match <[Event; 1]>::try_from(net.events(HOME)) {
        Ok([Event::Incoming(incoming)]) => *incoming,
        events => panic!("{events:?}"),
    }
}

fn reject(net: &mut Net, handle: CallHandle) {
    net.at(HOME, |endpoint, now| endpoint.reject(handle, status(480), None, now)).unwrap();
    net.exchange();
    net.inbox(PEER);
}

#[test]
fn a_peer_calls_without_a_challenge_whatever_others_get() {
    let refuse = Config { incoming: IncomingPolicy::Refuse(status(403)), ..Config::default() };
    for config in [strict(), refuse, config()] {
        let mut net = with_peers(config, vec![trunk(7)]);
        assert_eq!(code(&mut net, 1), 100);
        let call = incoming(&mut net);
        assert_eq!((call.peer, call.caller), (Some(PeerId(7)), None));
        net.at(HOME, |endpoint, now| {
            endpoint.answer(call.handle, Bytes::from_static(ANSWER.as_bytes()), now)
        })
        .unwrap();
        net.exchange();
        assert_eq!(net.response(PEER).status, status(200));
    }
}

#[test]
fn a_call_that_is_forgotten_before_anything_was_sent_hears_nothing() {
    let mut net = with_peers(strict(), vec![trunk(1)]);
    let (flow, bytes) = (net.flow(HOME, PEER), invite(1, &[]).to_bytes());
    net.at(HOME, |endpoint, now| {
        endpoint.handle_receive(flow, &bytes, now);
        let Some(Event::Incoming(call)) = endpoint.poll_event() else { panic!("no call") };
        endpoint.forget(call.handle, now).unwrap();
        assert_eq!(endpoint.forget(call.handle, now), Err(sip_proto::CallError::Unknown));
    });
    net.exchange();
    assert_eq!(net.responses(PEER), []);
    assert!(matches!(net.events(HOME)[..], [Event::Ended { .. }]));
    net.assert_idle(HOME);
    assert_eq!(code(&mut net, 1), 100, "the same INVITE again is a new call");
}

#[test]
fn a_number_is_called_by_its_own_scheme_too() {
    let mut net = with_peers(strict(), vec![trunk(1)]);
    let mut invite = invite(1, &[]);
    invite.uri = "tel:+12015550123".parse().unwrap();
    assert_eq!(answer(&mut net, invite).status, status(100));
    assert_eq!(incoming(&mut net).request_uri.to_string(), "tel:+12015550123");
}

#[test]
fn whoever_sends_from_elsewhere_is_asked_who_it_is() {
    let elsewhere = Peer { ranges: vec!["192.0.2.0/24".parse().unwrap()], ..trunk(1) };
    let mut net = with_peers(strict(), vec![elsewhere]);
    assert_eq!(code(&mut net, 1), 401);
    assert_eq!(net.endpoint(HOME).refusals(), Refusals { unproven: 1, ..Refusals::default() });
    net.at(HOME, |endpoint, _| endpoint.set_peers(vec![trunk(1)]));
    assert_eq!(code(&mut net, 2), 100);
    net.at(HOME, |endpoint, _| endpoint.set_peers(Vec::new()));
    assert_eq!(code(&mut net, 3), 401);
    net.run(seconds(40));
    assert_eq!(net.endpoint(HOME).calls(), 1, "the call that was taken stays");
}

#[test]
fn a_datagram_counts_only_where_that_is_wanted() {
    for (transport, expected) in [(Transport::Udp, 401), (Transport::Tcp, 100), (Transport::Tls, 100)] {
        let mut net = with_peers(strict(), vec![Peer { takes_datagrams: false, ..trunk(1) }]);
        net.transport = transport;
        assert_eq!(code(&mut net, 1), expected, "{transport}");
    }
}

#[test]
fn an_address_belongs_to_the_peer_with_the_narrowest_range() {
    let exact =
        Peer { ranges: vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.1".parse().unwrap()], ..trunk(2) };
    for peers in [vec![trunk(1), exact.clone(), trunk(3)], vec![exact, trunk(3), trunk(1)]] {
        let mut net = with_peers(strict(), peers);
        code(&mut net, 1);
        assert_eq!(incoming(&mut net).peer, Some(PeerId(2)));
    }
    let mut net = with_peers(strict(), vec![trunk(5), trunk(4)]);
    code(&mut net, 1);
    assert_eq!(incoming(&mut net).peer, Some(PeerId(5)), "the first of equals");
}

#[test]
fn a_peer_brings_as_many_calls_as_it_may_have_and_another_one_once_one_ends() {
    let mut net = with_peers(strict(), vec![Peer { calls: 2, ..trunk(1) }]);
    assert_eq!([1, 2, 3].map(|n| code(&mut net, n)), [100, 100, 503]);
    assert_eq!(net.endpoint(HOME).refusals(), Refusals { busy: 1, ..Refusals::default() });
    let Some(Event::Incoming(first)) = net.events(HOME).into_iter().next() else { panic!("no call") };
    net.at(HOME, |endpoint, _| endpoint.set_peers(vec![Peer { calls: 2, ..trunk(1) }]));
    assert_eq!(code(&mut net, 4), 503, "the calls of a peer that stays are counted on");
    reject(&mut net, first.handle);
    assert_eq!([5, 6].map(|n| code(&mut net, n)), [100, 503]);
}

#[test]
fn a_peer_brings_calls_at_its_rate() {
    let mut net = with_peers(strict(), vec![Peer { calls_per_second: 3, ..trunk(1) }]);
    let mut burst = |first: u64| -> usize {
        let taken = (first..first + 10).filter(|n| code(&mut net, *n) == 100).count();
        net.run(seconds(2));
        taken
    };
    assert_eq!([burst(1), burst(20)], [3, 3]);
    let mut net = with_peers(strict(), vec![Peer { calls_per_second: 2, ..trunk(1) }]);
    let evenly = (0..20).filter(|n| {
        let taken = code(&mut net, *n) == 100;
        net.run(ms(500));
        taken
    });
    assert_eq!(evenly.count(), 20);
    assert_eq!(code(&mut with_peers(strict(), vec![Peer { calls_per_second: 0, ..trunk(1) }]), 1), 503);
}

#[test]
fn a_flood_of_strangers_leaves_nothing_behind_and_keeps_no_peer_away() {
    let limits = Limits { server_transactions: 4, incoming_calls: 2, ..Limits::default() };
    let mut net =
        with_peers(Config { limits, ..strict() }, vec![Peer { takes_datagrams: false, ..trunk(1) }]);
    for n in 0..3000 {
        net.send(PEER, HOME, invite(n, &[]));
        net.send(PEER, HOME, request(PEER, "OPTIONS", BOT, &[], ""));
        if n % 100 == 0 {
            net.exchange();
        }
    }
    net.exchange();
    net.assert_idle(HOME);
    let responses = net.responses(PEER);
    let of = |code: u16| responses.iter().filter(|response| response.status == status(code)).count();
    assert_eq!((responses.len(), of(401), of(200)), (6000, 3000, 3000), "one answer each");
    assert_eq!(net.endpoint(HOME).refusals().unproven, 3000);
    net.transport = Transport::Tcp;
    assert_eq!(code(&mut net, 5000), 100);
}

#[test]
fn an_identity_is_told_as_it_was_asserted() {
    let sip = "\"Ann\" <sip:+12015550123@carrier.example;user=phone>";
    type Fields<'a> = &'a [(&'a str, &'a str)];
    let table: [(Fields<'_>, &[&str], bool); 10] = [
        (&[], &[], false),
        (&[("P-Asserted-Identity", sip)], &[sip], false),
        (&[("P-Asserted-Identity", sip), ("Privacy", "id")], &[sip], true),
        (
            &[("P-Asserted-Identity", "<tel:+12015550123>"), ("Privacy", "none")],
            &["<tel:+12015550123>"],
            false,
        ),
        (&[("P-Asserted-Identity", "<tel:+1>, <tel:+2>"), ("Privacy", "id;none")], &[], true),
        (&[("P-Asserted-Identity", "junk"), ("Remote-Party-ID", "<sip:x@h>;screen=yes")], &[], false),
        (
            &[("Remote-Party-ID", "<sip:x@h>;screen=yes;privacy=full")],
            &["<sip:x@h>;screen=yes;privacy=full"],
            true,
        ),
        (&[("Remote-Party-ID", "<sip:x@h>;party=calling")], &[], false),
        (&[("Remote-Party-ID", "<sip:x@h>;party=called;screen=yes;privacy=full")], &[], false),
        (&[("Remote-Party-ID", "junk>")], &[], true),
    ];
    for (fields, asserted, is_private) in table {
        let mut net = with_peers(strict(), vec![trunk(1)]);
        answer(&mut net, invite(1, fields));
        let call = incoming(&mut net);
        let said: Vec<_> = call.asserted.iter().map(ToString::to_string).collect();
        assert_eq!(said, asserted, "{fields:?}");
        assert_eq!(call.is_private, is_private, "{fields:?}");
    }
}

#[test]
fn the_way_that_a_call_took_is_told_as_text_and_in_bounds() {
    let mut net = with_peers(strict(), vec![trunk(1)]);
    let mut call =
        invite(1, &[("Diversion", "<sip:+1@h>;reason=no-answer"), ("History-Info", "<sip:a@h>;index=1")]);
    for _ in 0..100 {
        call.headers.push("History-Info", "<sip:b@h>;index=1.1");
    }
    answer(&mut net, call);
    let history = incoming(&mut net).history;
    assert_eq!(history[0], ("Diversion".to_owned(), "<sip:+1@h>;reason=no-answer".to_owned()));
    assert_eq!((history[1].0.as_str(), history.len()), ("History-Info", 32));
}

#[test]
fn a_peer_that_changes_its_mind_is_let_go_of() {
    let mut net = with_peers(strict(), vec![Peer { calls: 1, ..trunk(1) }]);
    for n in 1..=3 {
        let ringing = invite(n, &[]);
        assert_eq!(answer(&mut net, ringing.clone()).status, status(100));
        let mut cancel = ringing.clone();
        cancel.method = sip_message::Method::Cancel;
        cancel.headers.set("CSeq", "1 CANCEL");
        cancel.body = Bytes::new();
        net.send(PEER, HOME, cancel);
        net.run(seconds(40));
        net.inbox(PEER);
    }
    assert_eq!(net.endpoint(HOME).calls(), 0);
    net.assert_idle(HOME);
}

#[test]
fn requests_of_a_peer_within_a_call_need_no_challenge_either() {
    let mut net = with_peers(strict(), vec![trunk(1)]);
    let (_, invite) = net.answered(&[]);
    net.send(PEER, HOME, in_dialog(PEER, &invite, "BYE", 1, ""));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(200));
}
