//! Outgoing calls to several targets, or to one that turns out to be several.

use sip_message::{Message, Method, Request};
use sip_proto::{EndCause, Event};

use crate::net::{HOME, Net, PEER, PEER_2, PEER_3, seconds, status};

/// A call to three peers; gives the INVITE of each.
fn fork(net: &mut Net) -> [Request; 3] {
    net.call(&[PEER, PEER_2, PEER_3]);
    [PEER, PEER_2, PEER_3].map(|port| net.request(port, Method::Invite))
}

fn methods(net: &mut Net, port: u16) -> Vec<Method> {
    net.inbox(port)
        .into_iter()
        .filter_map(|message| match message {
            Message::Request(request) => Some(request.method),
            Message::Response(_) => None,
        })
        .collect()
}

#[test]
fn the_first_answer_wins_and_the_others_are_cancelled() {
    let mut net = Net::new();
    let invites = fork(&mut net);
    assert_eq!(invites[0].headers.get("Call-ID"), invites[2].headers.get("Call-ID"));
    for (port, invite) in [PEER, PEER_2].into_iter().zip(&invites) {
        net.reply(port, invite, 180, &[], "");
    }
    net.exchange();
    net.accept(PEER_2, &invites[1]);
    net.exchange();
    assert!(matches!(net.events(HOME).last(), Some(Event::Answered { target: 1, .. })));
    assert_eq!(methods(&mut net, PEER_2), [Method::Ack]);
    assert_eq!(methods(&mut net, PEER_3), [], "not before its provisional response");
    net.reply(PEER_3, &invites[2], 180, &[], "");
    net.exchange();
    for (port, invite) in [(PEER, &invites[0]), (PEER_3, &invites[2])] {
        let cancel = net.request(port, Method::Cancel);
        let reason = cancel.headers.get("Reason").unwrap();
        assert_eq!(reason, "SIP;cause=200;text=\"Call completed elsewhere\"", "no phone shows a missed call");
        net.reply(port, invite, 487, &[], "");
    }
    net.exchange();
    assert_eq!([PEER, PEER_3].map(|port| methods(&mut net, port)), [[Method::Ack], [Method::Ack]]);
    assert_eq!(net.events(HOME), []);
}

#[test]
fn a_loser_that_answers_after_all_is_acknowledged_and_hung_up() {
    let mut net = Net::new();
    let invites = fork(&mut net);
    net.accept(PEER, &invites[0]);
    net.accept(PEER_2, &invites[1]);
    net.exchange();
    assert_eq!(methods(&mut net, PEER), [Method::Ack]);
    assert_eq!(methods(&mut net, PEER_2), [Method::Ack, Method::Bye]);
    assert!(matches!(net.events(HOME).as_slice(), [Event::Answered { target: 0, .. }]));
}

#[test]
fn a_second_2xx_from_behind_one_target_is_acknowledged_and_hung_up() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    let other = "<sip:john@contoso.example>;tag=other";
    for _ in 0..2 {
        net.accept_with(PEER, &invite, &[("To", other)]);
        net.exchange();
    }
    let sent: Vec<_> = net
        .inbox(PEER)
        .into_iter()
        .filter_map(|message| match message {
            Message::Request(request) => {
                Some((request.method.clone(), request.headers.to().unwrap().tag()?.to_owned()))
            }
            Message::Response(_) => None,
        })
        .collect();
    let of_other = |method| (method, "other".to_owned());
    assert_eq!(sent, [of_other(Method::Ack), of_other(Method::Bye), of_other(Method::Ack)]);
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_stream_of_forked_answers_is_bounded() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    for fork in 0..50 {
        let to = format!("<sip:john@contoso.example>;tag=fork{fork}");
        net.accept_with(PEER, &invite, &[("To", &to)]);
    }
    net.exchange();
    assert_eq!(net.requests(PEER, &Method::Bye).len(), 7);
}

#[test]
fn a_target_that_was_answered_elsewhere_says_less_than_a_busy_one_and_more_than_silence() {
    let reason = [("Reason", "SIP;cause=200;text=\"Call completed elsewhere\"")];
    for (other, best) in [(480, None), (486, Some(486)), (503, None)] {
        let mut net = Net::new();
        let invites = fork(&mut net);
        net.reply(PEER, &invites[0], 487, &reason, "");
        net.reply(PEER_2, &invites[1], other, &[], "");
        net.reply(PEER_3, &invites[2], 503, &reason, "");
        net.exchange();
        match (net.ended(HOME), best) {
            (EndCause::AnsweredElsewhere, None) => {}
            (EndCause::Rejected { status: code, .. }, Some(best)) => assert_eq!(code, status(best)),
            (cause, _) => panic!("{cause:?} beside {other}"),
        }
    }
}

#[test]
fn one_busy_phone_does_not_stop_the_others() {
    let mut net = Net::new();
    let invites = fork(&mut net);
    net.reply(PEER, &invites[0], 486, &[], "");
    net.reply(PEER_2, &invites[1], 503, &[], "");
    net.exchange();
    assert!(!net.events(HOME).iter().any(|event| matches!(event, Event::Ended { .. })));
    net.accept(PEER_3, &invites[2]);
    net.exchange();
    assert!(matches!(net.events(HOME).last(), Some(Event::Answered { target: 2, .. })));
}

#[test]
fn when_all_fail_the_most_telling_failure_counts() {
    for (codes, best) in [([408, 486, 480], 486), ([503, 404, 500], 404), ([482, 480, 503], 480)] {
        let mut net = Net::new();
        let invites = fork(&mut net);
        for ((port, invite), code) in [PEER, PEER_2, PEER_3].into_iter().zip(&invites).zip(codes) {
            net.reply(port, invite, code, &[], "");
        }
        net.exchange();
        assert!(matches!(net.ended(HOME), EndCause::Rejected { status: code, .. } if code == status(best)));
    }
}

#[test]
fn a_decline_for_everybody_ends_the_call_at_once() {
    let mut net = Net::new();
    let invites = fork(&mut net);
    net.reply(PEER_2, &invites[1], 180, &[], "");
    net.reply(PEER, &invites[0], 603, &[], "");
    net.exchange();
    assert!(matches!(net.ended(HOME), EndCause::Rejected { status: code, .. } if code == status(603)));
    assert_eq!(methods(&mut net, PEER_2), [Method::Cancel]);
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_refusal_says_more_than_silence() {
    let mut net = Net::new();
    net.call(&[9, PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.reply(PEER, &invite, 480, &[], "");
    net.run(seconds(33));
    assert!(matches!(net.ended(HOME), EndCause::Rejected { status: code, .. } if code == status(480)));
    net.run(seconds(33));
    net.assert_idle(HOME);
}
