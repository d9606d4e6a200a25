//! Random inputs: nothing panics, every call ends, nothing is left.

use bytes::Bytes;
use proptest::prelude::*;
use sip_message::{Message, Method, Request};
use sip_proto::{CallHandle, Config, Event, IncomingPolicy, Refer};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, PEER_2, in_dialog, ms, request, seconds, status};

#[derive(Debug, Clone)]
enum Input {
    /// The far end answers the latest INVITE it has.
    Answer {
        peer: bool,
        code: u16,
        fork: u8,
        body: bool,
    },
    AnswerOffer(bool),
    Call {
        both: bool,
    },
    FlowFails,
    Garble {
        at: usize,
        octet: u8,
    },
    HangUp,
    Incoming {
        number: u8,
        body: bool,
    },
    InDialog {
        method: u8,
        cseq: u32,
        body: bool,
    },
    Offer,
    TakeIncoming(u8),
    Transfer(u8),
    Wait(u64),
}

fn input() -> impl Strategy<Value = Input> {
    let code = prop::sample::select(vec![
        100, 180, 183, 199, 200, 202, 302, 401, 407, 408, 422, 481, 486, 491, 503, 603,
    ]);
    prop_oneof![
        4 => (any::<bool>(), code, 0..3_u8, any::<bool>())
            .prop_map(|(peer, code, fork, body)| Input::Answer { peer, code, fork, body }),
        1 => any::<bool>().prop_map(Input::AnswerOffer),
        2 => any::<bool>().prop_map(|both| Input::Call { both }),
        1 => Just(Input::FlowFails),
        1 => (0..400_usize, any::<u8>()).prop_map(|(at, octet)| Input::Garble { at, octet }),
        2 => Just(Input::HangUp),
        2 => (0..4_u8, any::<bool>()).prop_map(|(number, body)| Input::Incoming { number, body }),
        3 => (0..9_u8, 0..9_u32, any::<bool>()).prop_map(|(method, cseq, body)| Input::InDialog { method, cseq, body }),
        2 => Just(Input::Offer),
        2 => (0..4_u8).prop_map(Input::TakeIncoming),
        2 => (0..5_u8).prop_map(Input::Transfer),
        3 => (0..70_000_u64).prop_map(Input::Wait),
    ]
}

#[derive(Default)]
struct Seen {
    calls: Vec<CallHandle>,
    incoming: Vec<CallHandle>,
    invites: [Option<Request>; 2],
    ended: Vec<CallHandle>,
}

impl Seen {
    fn look(&mut self, net: &mut Net) {
        for (at, port) in [PEER, PEER_2].into_iter().enumerate() {
            for message in net.inbox(port) {
                if let Message::Request(request) = message
                    && request.method == Method::Invite
                {
                    self.invites[at] = Some(request);
                }
            }
        }
        for event in net.events(HOME) {
            match event {
                Event::Incoming(incoming) => {
                    self.calls.push(incoming.handle);
                    self.incoming.push(incoming.handle);
                }
                Event::Ended { handle, .. } => {
                    assert!(!self.ended.contains(&handle), "{handle} ended twice");
                    self.ended.push(handle);
                }
                event => {
                    let goes_on = event.handle().is_some_and(|handle| self.ended.contains(&handle));
                    assert!(!goes_on, "{event:?} after the end");
                }
            }
        }
    }
}

fn answer(net: &mut Net, seen: &Seen, how: (bool, u16, u8, bool)) {
    let (peer, code, fork, body) = how;
    let (at, port) = if peer { (0, PEER) } else { (1, PEER_2) };
    let Some(invite) = seen.invites[at].clone() else { return };
    let to = format!("<sip:john@contoso.example>;tag=peer{port}{fork}");
    let fields = [
        ("To", to.as_str()),
        ("Session-Expires", "90"),
        ("Min-SE", "1800"),
        ("Allow", if fork == 0 { "UPDATE" } else { "INVITE" }),
        ("Require", if fork == 1 { "100rel" } else { "timer" }),
        ("RSeq", if body { "1" } else { "2" }),
    ];
    net.reply(port, &invite, code, &fields, if body { ANSWER } else { "" });
}

fn transfer(net: &mut Net, seen: &Seen, how: u8) {
    let to = "sip:mary@contoso.example".parse().unwrap();
    let refer = Refer { to, replaces: None, referred_by: None };
    for handle in seen.calls.clone() {
        let _ = net.at(HOME, |endpoint, now| match how {
            0 => endpoint.refer(handle, refer.clone(), now),
            1 => endpoint.accept_refer(handle, now),
            2 => endpoint.refuse_refer(handle, status(603), now),
            3 => endpoint.notify_refer(handle, status(180), now),
            _ => endpoint.notify_refer(handle, status(200), now),
        });
    }
}

fn apply(net: &mut Net, seen: &mut Seen, input: &Input) {
    let body = |wanted: bool| if wanted { ANSWER } else { "" };
    match input {
        Input::Answer { peer, code, fork, body } => answer(net, seen, (*peer, *code, *fork, *body)),
        Input::AnswerOffer(accept) => {
            let answer = if *accept { Ok(Bytes::from_static(ANSWER.as_bytes())) } else { Err(status(488)) };
            for handle in seen.calls.clone() {
                let _ = net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, answer.clone(), now));
            }
        }
        Input::Call { both } => {
            let new = net.new_call(if *both { &[PEER, PEER_2] } else { &[PEER] });
            if let Ok(handle) = net.at(HOME, |endpoint, now| endpoint.call(new, now)) {
                seen.calls.push(handle);
            }
        }
        Input::FlowFails => {
            let flow = net.flow(HOME, PEER);
            net.at(HOME, |endpoint, now| endpoint.handle_flow_closed(flow, now));
        }
        Input::Garble { at, octet } => {
            let mut bytes = request(PEER, "INVITE", "sip:bot@127.0.0.1", &[], OFFER).to_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = *octet;
            net.put(PEER, HOME, bytes.into());
        }
        Input::HangUp => {
            if let Some(handle) = seen.calls.last().copied() {
                let _ = net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now));
            }
        }
        Input::Incoming { number, body: wanted } => {
            let (id, via) =
                (format!("c{number}"), format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKn{number}"));
            let invite = request(
                PEER,
                "INVITE",
                "sip:bot@127.0.0.1",
                &[("Call-ID", &id), ("Via", &via)],
                body(*wanted),
            );
            net.send(PEER, HOME, invite);
        }
        Input::InDialog { method, cseq, body: wanted } => {
            let Some(invite) = seen.invites[0].clone() else { return };
            let methods = ["INVITE", "UPDATE", "BYE", "ACK", "CANCEL", "OPTIONS", "INFO", "REFER", "NOTIFY"];
            let method = methods[usize::from(*method)];
            let mut request = in_dialog(PEER, &invite, method, *cseq, body(*wanted));
            request.headers.set("From", "<sip:john@contoso.example>;tag=peer60010");
            request.headers.set("Refer-To", "<sip:mary@contoso.example>");
            request.headers.set("Event", "refer");
            request.headers.set("Subscription-State", if *wanted { "active" } else { "terminated" });
            net.send(PEER, HOME, request);
        }
        Input::TakeIncoming(how) => {
            let Some(handle) = seen.incoming.last().copied() else { return };
            let _ = net.at(HOME, |endpoint, now| match how {
                0 => endpoint.ring(handle, now),
                1 | 2 => endpoint.answer(handle, Bytes::from_static(ANSWER.as_bytes()), now),
                _ => endpoint.reject(handle, status(486), None, now),
            });
        }
        Input::Offer => {
            for handle in seen.calls.iter().chain(&seen.incoming) {
                let offer = Bytes::from_static(OFFER.as_bytes());
                let _ = net.at(HOME, |endpoint, now| endpoint.offer(*handle, offer, now));
            }
        }
        Input::Transfer(how) => transfer(net, seen, *how),
        Input::Wait(wait) => net.run(ms(*wait)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_every_call_ends_once_and_nothing_is_left(inputs in prop::collection::vec(input(), 1..60)) {
        let mut net = Net::new();
        let mut seen = Seen::default();
        for input in &inputs {
            apply(&mut net, &mut seen, input);
            net.exchange();
            seen.look(&mut net);
        }
        // Far ends are silent from here on: calls end by their timers.
        net.run(seconds(3 * 3600));
        seen.look(&mut net);
        let (mut calls, mut ended) = (seen.calls, seen.ended);
        calls.sort_unstable();
        ended.sort_unstable();
        prop_assert_eq!(calls, ended);
        prop_assert!(net.endpoint(HOME).is_idle());
    }

    #[test]
    fn made_up_credentials_never_make_a_call(text in "[ -~]{0,300}", is_digest: bool) {
        let strict = Config { incoming: IncomingPolicy::Authenticate, ..Config::default() };
        let mut net = Net::with(strict);
        let scheme = if is_digest { "Digest username=\"john\", realm=\"hookswitch\", qop=auth, " } else { "" };
        let authorization = format!("{scheme}{text}");
        net.send(PEER, HOME, request(PEER, "INVITE", "sip:bot@127.0.0.1", &[("Authorization", &authorization)], OFFER));
        net.exchange();
        prop_assert_eq!(net.events(HOME), []);
        prop_assert!(net.endpoint(HOME).is_idle());
    }

    #[test]
    fn random_octets_never_panic(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut net = Net::new();
        net.put(PEER, HOME, octets.into());
        net.exchange();
        prop_assert_eq!(net.endpoint(HOME).calls(), 0);
    }
}
