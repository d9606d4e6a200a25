//! Calls over a network that loses, doubles and reorders.

use bytes::Bytes;
use sip_proto::{EndCause, Event};

use crate::net::{ANSWER, Faults, HOME, Net, PEER, ms, seconds};

/// One call from endpoint to endpoint that is answered after a while and hung up by the caller.
fn call(net: &mut Net) -> bool {
    let handle = net.call(&[PEER]);
    net.run(seconds(20));
    let Some(Event::Incoming(incoming)) = net.events(PEER).into_iter().next() else { return false };
    net.at(PEER, |endpoint, now| endpoint.ring(incoming.handle, now)).unwrap();
    net.at(PEER, |endpoint, now| {
        endpoint.answer(incoming.handle, Bytes::from_static(ANSWER.as_bytes()), now)
    })
    .unwrap();
    net.run(seconds(25));
    let answered = net.events(HOME).iter().filter(|event| matches!(event, Event::Answered { .. })).count();
    assert!(answered <= 1, "answered twice");
    let confirmed = net.events(PEER).iter().filter(|event| matches!(event, Event::Confirmed { .. })).count();
    assert!(confirmed <= 1, "confirmed twice");
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.run(seconds(120));
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    let ended = matches!(net.ended(PEER), EndCause::RemoteBye { .. });
    net.assert_idle(HOME);
    net.assert_idle(PEER);
    answered == 1 && confirmed == 1 && ended
}

#[test]
fn calls_succeed_when_a_third_of_all_datagrams_is_lost() {
    for seed in 1..=30 {
        let mut net = Net::pair();
        net.seed(seed * 7919);
        net.faults = Faults { loss: 333, ..Faults::default() };
        assert!(call(&mut net), "seed {seed}");
    }
}

#[test]
fn copies_and_reordering_change_nothing() {
    for seed in 1..=30 {
        let mut net = Net::pair();
        net.seed(seed * 104_729);
        net.faults = Faults { duplicates: 500, delay_ms: 400, ..Faults::default() };
        assert!(call(&mut net), "seed {seed}");
    }
}

#[test]
fn everything_at_once_still_ends_every_call() {
    for seed in 1..=60 {
        let mut net = Net::pair();
        net.seed(seed * 15_485_863);
        net.faults = Faults { loss: 450, duplicates: 300, delay_ms: 900 };
        let handle = net.call(&[PEER]);
        net.run(ms(700 * (seed % 7)));
        for event in net.events(PEER) {
            if let Event::Incoming(incoming) = event {
                let answer = Bytes::from_static(ANSWER.as_bytes());
                net.at(PEER, |endpoint, now| endpoint.answer(incoming.handle, answer, now)).unwrap();
            }
        }
        net.run(ms(900 * (seed % 5)));
        let _ = net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now));
        net.run(seconds(4 * 3600));
        assert_eq!((net.endpoint(HOME).calls(), net.endpoint(PEER).calls()), (0, 0), "seed {seed}");
        net.assert_idle(HOME);
        net.assert_idle(PEER);
    }
}
