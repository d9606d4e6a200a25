//! Transfers between two endpoints, and the requests that move calls in each phase of a call.

use bytes::Bytes;
use sip_proto::{CallError, Config, Event, Refer, Transport};

use crate::net::{ANSWER, Faults, HOME, Net, OFFER, PEER, request, seconds, status};

pub(crate) const MARY: &str = "<sip:mary@contoso.example>";

/// How long the outcome of a REFER is awaited: the limit of ringing, and timer F.
pub(crate) fn limit() -> std::time::Duration {
    Config::default().ring_limit + seconds(32)
}

pub(crate) fn to_mary() -> Refer {
    Refer { to: "sip:mary@contoso.example".parse().unwrap(), replaces: None, referred_by: None }
}

#[test]
fn a_transfer_between_two_endpoints_tells_its_progress_and_end() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut net = Net::pair();
        net.transport = transport;
        let (asking, asked) = net.connected();
        net.at(HOME, |endpoint, now| endpoint.refer(asking, to_mary(), now)).unwrap();
        net.exchange();
        let events = net.events(PEER);
        let [Event::Referred(wish)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!((wish.handle, wish.refer_to.to_string()), (asked, "sip:mary@contoso.example".to_owned()));
        assert_eq!(wish.referred_by.as_ref().unwrap().uri.to_string(), "sip:bot@contoso.example");

        net.at(PEER, |endpoint, now| endpoint.accept_refer(asked, now)).unwrap();
        net.exchange();
        for code in [180, 180, 200] {
            net.at(PEER, |endpoint, now| endpoint.notify_refer(asked, status(code), now)).unwrap();
            net.exchange();
        }
        let handle = asking;
        assert_eq!(
            net.events(HOME),
            [
                Event::ReferAccepted { handle },
                Event::ReferProgress { handle, status: status(100) },
                Event::ReferProgress { handle, status: status(180) },
                Event::ReferEnded { handle, status: Some(status(200)) },
            ]
        );
        let again = net.at(PEER, |endpoint, now| endpoint.notify_refer(asked, status(200), now));
        assert_eq!(again, Err(CallError::WrongPhase), "the last word was said");
        net.at(HOME, |endpoint, now| endpoint.hang_up(asking, None, now)).unwrap();
        net.run(seconds(40));
        net.assert_idle(HOME);
        net.assert_idle(PEER);
    }
}

#[test]
fn a_consultative_transfer_brings_the_dialog_to_be_replaced() {
    let mut net = Net::pair();
    let (first, first_at_peer) = net.connected();
    let (_, second_at_peer) = net.connected();
    let (to, replaces) = net.endpoint(PEER).replaceable(second_at_peer).unwrap();
    let refer = Refer { to, replaces: Some(replaces), referred_by: Some(MARY.parse().unwrap()) };
    net.at(PEER, |endpoint, now| endpoint.refer(first_at_peer, refer, now)).unwrap();
    net.exchange();
    let events = net.events(HOME);
    let [Event::Referred(wish)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(wish.handle, first);
    assert_eq!(wish.referred_by.as_ref().unwrap().to_string(), MARY);
    assert_eq!(wish.refer_to.to_string(), "sip:bot@127.0.0.1:5060", "without the header fields");
    let second = net.endpoint(HOME).replaced_call(wish.replaces.as_ref().unwrap());
    assert!(second.is_some_and(|second| second != first), "the phone's other call with this side");
}

#[test]
fn a_wish_outside_any_call_is_forbidden_and_stray_news_are_481() {
    let mut net = Net::new();
    for (method, code) in [("REFER", 403), ("NOTIFY", 481)] {
        net.send(PEER, HOME, request(PEER, method, "sip:bot@127.0.0.1", &[("Refer-To", MARY)], ""));
        net.exchange();
        assert_eq!(net.response(PEER).status, status(code));
    }
    net.assert_idle(HOME);
}

#[test]
fn each_request_that_moves_calls_has_an_answer_in_each_phase() {
    #[derive(Debug, PartialEq)]
    enum Phase {
        Ringing,
        Answered,
        Closing,
        Over,
    }
    let table = [
        (Phase::Ringing, "REFER", 500),
        (Phase::Ringing, "NOTIFY", 500),
        (Phase::Ringing, "UPDATE", 500),
        (Phase::Answered, "NOTIFY", 481),
        (Phase::Closing, "REFER", 481),
        (Phase::Closing, "NOTIFY", 481),
        (Phase::Closing, "INVITE", 481),
        (Phase::Over, "REFER", 481),
        (Phase::Over, "NOTIFY", 481),
    ];
    for (phase, method, code) in table {
        let mut net = Net::new();
        net.send(PEER, HOME, request(PEER, "INVITE", "sip:bot@127.0.0.1", &[], OFFER));
        net.exchange();
        let Some(Event::Incoming(incoming)) = net.events(HOME).pop() else { panic!("no call") };
        let handle = incoming.handle;
        net.at(HOME, |endpoint, now| endpoint.ring(handle, now)).unwrap();
        net.exchange();
        let to = net.responses(PEER).pop().unwrap().headers.to().unwrap();
        let answer = Bytes::from_static(ANSWER.as_bytes());
        if phase == Phase::Over {
            net.at(HOME, |endpoint, now| endpoint.reject(handle, status(486), None, now)).unwrap();
        } else if phase != Phase::Ringing {
            net.at(HOME, |endpoint, now| endpoint.answer(handle, answer, now)).unwrap();
        }
        if phase == Phase::Closing {
            net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
        }
        net.exchange();
        net.inbox(PEER);
        net.events(HOME);
        let cseq = format!("2 {method}");
        let fields = [
            ("CSeq", cseq.as_str()),
            ("Event", "refer"),
            ("Subscription-State", "terminated"),
            ("Refer-To", MARY),
        ];
        let mut request = request(PEER, method, "sip:bot@127.0.0.1", &fields, "");
        request.headers.set("To", &to);
        net.send(PEER, HOME, request);
        net.exchange();
        let answers = net
            .responses(PEER)
            .into_iter()
            .filter(|response| response.headers.cseq().is_ok_and(|cseq| cseq.seq == 2));
        let codes: Vec<_> = answers.map(|response| response.status.as_u16()).collect();
        assert_eq!((codes, net.events(HOME)), (vec![code], Vec::new()), "{phase:?} {method}");
    }
}

#[test]
fn transfers_reach_their_end_over_a_network_that_loses_and_doubles() {
    for seed in 1..=40 {
        let mut net = Net::pair();
        let (asking, asked) = net.connected();
        net.seed(seed * 7919);
        net.faults = Faults { loss: 300, duplicates: 300, delay_ms: 300 };
        net.at(HOME, |endpoint, now| endpoint.refer(asking, to_mary(), now)).unwrap();
        net.run(seconds(9));
        let wished = net.events(PEER).iter().filter(|event| matches!(event, Event::Referred(_))).count();
        assert_eq!(wished, 1, "seed {seed}");
        net.at(PEER, |endpoint, now| endpoint.accept_refer(asked, now)).unwrap();
        for code in [180, 200] {
            net.run(seconds(9));
            net.at(PEER, |endpoint, now| endpoint.notify_refer(asked, status(code), now)).unwrap();
        }
        net.run(seconds(60));
        let events = net.events(HOME);
        let end = Event::ReferEnded { handle: asking, status: Some(status(200)) };
        assert_eq!(events.first(), Some(&Event::ReferAccepted { handle: asking }), "seed {seed}");
        assert_eq!(events.last(), Some(&end), "seed {seed}");
        assert_eq!(events.iter().filter(|event| **event == end).count(), 1);
    }
}
