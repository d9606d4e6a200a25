//! Outgoing calls to one target.

use bytes::Bytes;
use sip_message::digest::{Algorithm, Authenticator, Ha1};
use sip_message::{Method, Response};
use sip_proto::{
    CallError, Config, Credentials, EndCause, Event, Limits, NewCall, Reason, Secret, SessionTimer, Transport,
};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, addr, in_dialog, ms, seconds, status};

#[test]
fn an_answered_call_is_acknowledged_and_hung_up_with_bye() {
    let mut net = Net::new();
    let handle = net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    let call_id = net.at(HOME, |endpoint, _| endpoint.call_id(handle).map(str::to_owned));
    assert_eq!(call_id.as_deref(), invite.headers.call_id().ok());
    assert_eq!(invite.body, OFFER.as_bytes());
    assert_eq!(invite.headers.max_forwards(), Ok(Some(70)));
    net.reply(PEER, &invite, 180, &[], "");
    net.accept(PEER, &invite);
    net.exchange();

    let events = net.events(HOME);
    assert_eq!(events[..2], [Event::Trying { handle }, Event::Ringing { handle, status: status(180) }]);
    assert!(matches!(&events[2], Event::Answered { sdp, target: 0, .. } if sdp == ANSWER));
    let ack = net.request(PEER, Method::Ack);
    assert_eq!(ack.uri.to_string(), format!("sip:peer@127.0.0.1:{PEER}"));
    assert_eq!(ack.headers.cseq().unwrap().seq, invite.headers.cseq().unwrap().seq);

    let reason = Reason { protocol: "SIP".to_owned(), cause: 200, text: "done".to_owned() };
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, Some(&reason), now)).unwrap();
    net.exchange();
    let bye = net.request(PEER, Method::Bye);
    assert_eq!(bye.headers.cseq().unwrap().seq, invite.headers.cseq().unwrap().seq + 1);
    assert_eq!(bye.headers.get("Reason"), Some("SIP;cause=200;text=\"done\""));
    net.reply(PEER, &bye, 200, &[], "");
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn a_far_end_that_hangs_up_gets_its_200() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    let mut bye = in_dialog(PEER, &invite, "BYE", 1, "");
    bye.headers.push("Reason", "Q.850;cause=16");
    net.send(PEER, HOME, bye);
    net.exchange();
    assert_eq!(net.response(PEER).status, status(200));
    assert_eq!(net.ended(HOME), EndCause::RemoteBye { reason: Some("Q.850;cause=16".to_owned()) });
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn a_refusal_ends_the_call_with_its_status_and_is_acknowledged() {
    for code in [302, 404, 480, 486, 500, 603] {
        let mut net = Net::new();
        net.call(&[PEER]);
        let invite = net.request(PEER, Method::Invite);
        net.reply(PEER, &invite, code, &[], "");
        net.exchange();
        let ack = net.request(PEER, Method::Ack);
        assert_eq!(ack.headers.top_via(), invite.headers.top_via());
        assert_eq!(ack.headers.to().unwrap().tag(), Some("peer6001"));
        let reason = status(code).reason().to_owned();
        let cause = EndCause::Rejected { status: status(code), reason, contacts: vec![], retry_after: None };
        assert_eq!(net.ended(HOME), cause);
        net.run(seconds(40));
        net.assert_idle(HOME);
    }
}

#[test]
fn a_refusal_says_when_to_try_again() {
    let mut net = Net::new();
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.reply(PEER, &invite, 503, &[("Retry-After", "40 (overloaded)")], "");
    net.exchange();
    assert!(matches!(net.ended(HOME), EndCause::Rejected { retry_after: Some(40), .. }));
}

#[test]
fn a_target_that_sends_the_caller_elsewhere_says_where_and_not_everywhere() {
    let mut net = Net::new();
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    let many: Vec<_> = (0..50).map(|n| format!("<sip:mary{n}@contoso.example>")).collect();
    net.reply(PEER, &invite, 302, &[("Contact", &many.join(", "))], "");
    net.exchange();
    let EndCause::Rejected { status: code, contacts, .. } = net.ended(HOME) else { panic!("no refusal") };
    let limit = Limits::default().contacts;
    assert_eq!((code, contacts.len(), contacts[0].to_string()), (status(302), limit, many[0].clone()));
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.reply(PEER, &invite, 302, &[("Contact", "*")], "");
    net.exchange();
    assert!(matches!(net.ended(HOME), EndCause::Rejected { contacts, .. } if contacts.is_empty()));
}

#[test]
fn a_ringing_call_is_cancelled_and_a_silent_one_only_once_it_rings() {
    let mut net = Net::new();
    let handle = net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    assert!(net.inbox(PEER).is_empty(), "no CANCEL before a provisional response");

    net.reply(PEER, &invite, 100, &[], "");
    net.exchange();
    let cancel = net.request(PEER, Method::Cancel);
    assert_eq!(cancel.headers.top_via(), invite.headers.top_via());
    assert_eq!(cancel.headers.to(), invite.headers.to());
    net.reply(PEER, &cancel, 200, &[], "");
    net.reply(PEER, &invite, 487, &[], "");
    net.exchange();
    assert_eq!(net.requests(PEER, &Method::Ack).len(), 1);
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn a_2xx_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut net = Net::new();
    let handle = net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.reply(PEER, &invite, 180, &[], "");
    net.exchange();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.accept(PEER, &invite);
    net.exchange();
    let methods: Vec<_> = net
        .inbox(PEER)
        .into_iter()
        .filter_map(|message| message.headers().cseq().ok().map(|cseq| cseq.method))
        .collect();
    assert_eq!(methods, [Method::Cancel, Method::Ack, Method::Bye]);
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_cancelled_far_end_that_says_nothing_is_forgotten() {
    let mut net = Net::new();
    let handle = net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.reply(PEER, &invite, 180, &[], "");
    net.exchange();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn nobody_there_is_a_timeout_after_timer_b() {
    let mut net = Net::new();
    net.call(&[9]);
    net.run(seconds(31));
    assert_eq!(net.events(HOME), []);
    net.run(seconds(2));
    assert_eq!(net.ended(HOME), EndCause::Timeout);
    assert_eq!(net.count(HOME, "INVITE"), 7);
    net.assert_idle(HOME);
}

#[test]
fn endless_ringing_ends_at_the_limit() {
    let mut net = Net::new();
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.reply(PEER, &invite, 180, &[], "");
    net.run(Config::default().ring_limit);
    assert_eq!(net.ended(HOME), EndCause::Timeout);
    net.exchange();
    net.request(PEER, Method::Cancel);
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_flow_that_fails_ends_the_call_at_once() {
    let mut net = Net::new();
    net.call(&[PEER]);
    let flow = net.flow(HOME, PEER);
    net.at(HOME, |endpoint, now| endpoint.handle_transport_error(flow, now));
    assert_eq!(net.ended(HOME), EndCause::TransportFailed);
    net.assert_idle(HOME);
}

#[test]
fn a_stream_is_not_sent_to_twice() {
    let mut net = Net::new();
    net.transport = Transport::Tcp;
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    assert!(invite.headers.get("Contact").unwrap().contains(";transport=tcp"));
    net.run(seconds(33));
    assert_eq!(net.count(HOME, "INVITE"), 1);
    assert_eq!(net.ended(HOME), EndCause::Timeout);
    net.assert_idle(HOME);
}

#[test]
fn every_repeat_of_a_2xx_gets_the_same_ack() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    net.accept(PEER, &invite);
    net.accept(PEER, &invite);
    net.exchange();
    let acks = net.requests(PEER, &Method::Ack);
    assert_eq!(acks.len(), 2);
    assert_eq!(acks[0], acks[1]);
    assert_eq!(net.events(HOME), [], "told once");
}

#[test]
fn repeated_progress_is_told_once() {
    let mut net = Net::new();
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    for code in [183, 183, 180, 183, 199, 180] {
        net.reply(PEER, &invite, code, &[], "");
    }
    net.exchange();
    let told: Vec<_> = net
        .events(HOME)
        .into_iter()
        .filter_map(|event| match event {
            Event::Ringing { status, .. } => Some(status.as_u16()),
            _ => None,
        })
        .collect();
    assert_eq!(told, [183, 180]);
}

#[test]
fn a_2xx_without_a_description_ends_the_call() {
    let mut net = Net::new();
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    net.reply(PEER, &invite, 200, &[("Contact", "<sip:peer@127.0.0.1:6001>")], "");
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::MissingAnswer);
    assert_eq!(net.count(HOME, "ACK"), 1);
    assert_eq!(net.count(HOME, "BYE"), 1);
}

/// A 401 or 407 of a far end that knows `bot` with the password `pw`.
fn challenge(net: &mut Net, code: u16, algorithm: Algorithm, is_stale: bool) -> Option<sip_message::Request> {
    let invite = net.request(PEER, Method::Invite);
    let server = Authenticator::new("far", &[3; 32], seconds(300));
    let challenge = server.challenges(addr(HOME).ip(), net.now, [1; 8], is_stale);
    let challenge = challenge.iter().find(|challenge| challenge.algorithm == algorithm)?.to_string();
    let name = if code == 401 { "WWW-Authenticate" } else { "Proxy-Authenticate" };
    net.reply(PEER, &invite, code, &[(name, &challenge)], "");
    net.exchange();
    net.requests(PEER, &Method::Invite).pop()
}

#[test]
fn a_challenge_is_answered_with_the_credentials_of_the_call() {
    for (code, name) in [(401, "Authorization"), (407, "Proxy-Authorization")] {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let mut net = Net::new();
            let mut new = net.new_call(&[PEER]);
            new.credentials = Some(Credentials::new("bot", "pw"));
            net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
            net.exchange();
            let again = challenge(&mut net, code, algorithm, false).expect("another try");
            let mut server = Authenticator::new("far", &[3; 32], seconds(300));
            let credentials = server.credentials(&again, name).unwrap();
            let ha1 = Ha1::new(algorithm, "bot", "far", "pw");
            let claim = server.check(&credentials, &again, addr(HOME).ip(), net.now).unwrap();
            assert_eq!(server.verify(&claim, Some(&ha1)), Ok(()));
            assert_eq!(again.headers.cseq().unwrap().seq, 2);

            net.accept(PEER, &again);
            net.exchange();
            assert!(net.request(PEER, Method::Ack).headers.has(name));
            assert!(matches!(net.events(HOME).last(), Some(Event::Answered { .. })));
        }
    }
}

#[test]
fn a_far_end_that_asks_for_a_password_to_hang_up_gets_it_once() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.credentials = Some(Credentials::new("bot", "pw"));
    let handle = net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    net.accept(PEER, &invite);
    net.exchange();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    let server = Authenticator::new("far", &[3; 32], seconds(300));
    let challenge = server.challenges(addr(HOME).ip(), net.now, [1; 8], false)[0].to_string();
    let bye = net.request(PEER, Method::Bye);
    net.reply(PEER, &bye, 407, &[("Proxy-Authenticate", &challenge)], "");
    net.exchange();
    let again = net.requests(PEER, &Method::Bye).pop().unwrap();
    let credentials = server.credentials(&again, "Proxy-Authorization").unwrap();
    assert!(server.check(&credentials, &again, addr(HOME).ip(), net.now).is_ok());
    assert_eq!(again.headers.cseq().unwrap().seq, bye.headers.cseq().unwrap().seq + 1);
    net.reply(PEER, &again, 407, &[("Proxy-Authenticate", &challenge)], "");
    net.exchange();
    assert_eq!(net.count(HOME, "BYE"), 2, "no further one");
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
}

#[test]
fn digests_alone_answer_challenges_of_their_realm_and_algorithm() {
    let md5 = Ha1::new(Algorithm::Md5, "bot", "far", "pw");
    let sha256 = Ha1::new(Algorithm::Sha256, "bot", "far", "pw");
    let cases = [
        (Algorithm::Md5, "far", vec![sha256.clone(), md5.clone()], true),
        (Algorithm::Sha256, "far", vec![md5.clone(), sha256], true),
        (Algorithm::Sha256, "far", vec![md5.clone()], false),
        (Algorithm::Md5, "near", vec![md5], false),
    ];
    for (algorithm, realm, ha1s, answers) in cases {
        let mut net = Net::new();
        let secret = Secret::Digests { realm: realm.to_owned(), ha1s };
        let credentials = Credentials { username: "bot".to_owned(), secret };
        assert_eq!(format!("{credentials:?}"), "Credentials { .. }");
        let new = NewCall { credentials: Some(credentials), ..net.new_call(&[PEER]) };
        net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
        net.exchange();
        let Some(again) = challenge(&mut net, 401, algorithm, false) else {
            assert!(!answers, "{algorithm:?} {realm}");
            continue;
        };
        let mut server = Authenticator::new("far", &[3; 32], seconds(300));
        let credentials = server.credentials(&again, "Authorization").unwrap();
        let ha1 = Ha1::new(algorithm, "bot", "far", "pw");
        let claim = server.check(&credentials, &again, addr(HOME).ip(), net.now).unwrap();
        assert_eq!((server.verify(&claim, Some(&ha1)), answers), (Ok(()), true));
    }
}

#[test]
fn a_challenge_without_credentials_or_after_a_wrong_answer_ends_the_call() {
    let mut net = Net::new();
    net.call(&[PEER]);
    assert_eq!(challenge(&mut net, 401, Algorithm::Md5, false), None);
    assert!(matches!(net.ended(HOME), EndCause::Rejected { status: code, .. } if code == status(401)));

    let mut new = net.new_call(&[PEER]);
    new.credentials = Some(Credentials::new("bot", "wrong"));
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let again = challenge(&mut net, 407, Algorithm::Md5, false).unwrap();
    net.send(PEER, HOME, Response::clone(&again.response(status(407))));
    net.exchange();
    assert!(matches!(net.ended(HOME), EndCause::Rejected { status: code, .. } if code == status(407)));
}

#[test]
fn an_endless_row_of_stale_challenges_comes_to_an_end() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.credentials = Some(Credentials::new("bot", "pw"));
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let server = Authenticator::new("far", &[3; 32], seconds(300));
    let challenge = server.challenges(addr(HOME).ip(), net.now, [1; 8], true)[1].to_string();
    for _ in 0..10 {
        for invite in net.requests(PEER, &Method::Invite) {
            net.reply(PEER, &invite, 401, &[("WWW-Authenticate", &challenge)], "");
        }
        net.exchange();
    }
    assert_eq!(net.count(HOME, "INVITE"), 4);
    assert!(matches!(net.ended(HOME), EndCause::Rejected { .. }));
}

#[test]
fn a_session_interval_that_is_too_small_is_raised() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.session_timer = Some(SessionTimer { interval: seconds(120), min: seconds(90) });
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    assert_eq!(invite.headers.session_expires().unwrap().unwrap().delta_seconds, 120);
    net.reply(PEER, &invite, 422, &[("Min-SE", "600")], "");
    net.exchange();
    let again = net.requests(PEER, &Method::Invite).pop().unwrap();
    assert_eq!(again.headers.session_expires().unwrap().unwrap().delta_seconds, 600);
    assert_eq!(again.headers.min_se(), Ok(Some(600)));
}

#[test]
fn a_session_interval_below_the_floor_of_the_standard_is_not_asked_for() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.session_timer = Some(SessionTimer { interval: seconds(8), min: seconds(4) });
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    assert_eq!(invite.headers.session_expires().unwrap().unwrap().delta_seconds, 90);
    assert_eq!(invite.headers.min_se(), Ok(Some(90)));
}

#[test]
fn headers_of_the_user_are_sent_unless_they_belong_to_the_dialog() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.headers = [("X-Tenant", "t1"), ("i", "mine"), ("Subject", "a\r\nb: c")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    assert_eq!(invite.headers.get("X-Tenant"), Some("t1"));
    assert_eq!(invite.headers.get_all("Call-ID").count(), 1);
    assert_eq!((invite.headers.get("Subject"), invite.headers.get("b")), (Some("a  b: c"), None));
}

#[test]
fn a_full_endpoint_refuses_calls_of_both_directions() {
    let limits = Limits { calls: 1, incoming_calls: 0, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..crate::net::config() });
    let new = net.new_call(&[PEER, PEER, PEER, PEER, PEER, PEER, PEER, PEER, PEER]);
    let call = |net: &mut Net, new| net.at(HOME, |endpoint, now| endpoint.call(new, now));
    assert_eq!(call(&mut net, new), Err(CallError::TooManyTargets));
    let new = net.new_call(&[]);
    assert_eq!(call(&mut net, new), Err(CallError::NoTarget));
    let handle = net.call(&[PEER]);
    let new = net.new_call(&[PEER]);
    assert_eq!(call(&mut net, new), Err(CallError::Full));
    net.inbox(PEER);
    net.send(PEER, HOME, crate::net::request(PEER, "INVITE", "sip:bot@contoso.example", &[], OFFER));
    net.exchange();
    let refused = net.response(PEER);
    assert_eq!((refused.status, refused.headers.retry_after()), (status(503), Some(5)));

    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    assert_eq!(net.endpoint(HOME).calls(), 0);
    net.call(&[PEER]);
}

#[test]
fn requests_for_a_call_that_has_ended_are_refused() {
    let mut net = Net::new();
    let handle = net.call(&[PEER]);
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    let sdp = Bytes::from_static(b"x");
    let refused = net.at(HOME, |endpoint, now| {
        [
            endpoint.hang_up(handle, None, now),
            endpoint.ring(handle, now),
            endpoint.answer(handle, sdp.clone(), now),
            endpoint.reject(handle, status(486), None, now),
        ]
    });
    assert_eq!(refused, [Err(CallError::Unknown); 4]);
}

#[test]
fn two_hundred_calls_in_a_row_leave_nothing() {
    let mut net = Net::pair();
    for round in 0..200 {
        let handle = net.call(&[PEER]);
        let Some(Event::Incoming(incoming)) = net.events(PEER).into_iter().next() else { panic!("no call") };
        net.at(PEER, |endpoint, now| endpoint.ring(incoming.handle, now)).unwrap();
        net.at(PEER, |endpoint, now| endpoint.answer(incoming.handle, Bytes::from_static(b"v=0"), now))
            .unwrap();
        net.run(ms(100));
        let by = if round % 2 == 0 { (HOME, handle) } else { (PEER, incoming.handle) };
        net.at(by.0, |endpoint, now| endpoint.hang_up(by.1, None, now)).unwrap();
        net.run(ms(100));
        assert_eq!((net.endpoint(HOME).calls(), net.endpoint(PEER).calls()), (0, 0));
        let other = if by.0 == HOME { PEER } else { HOME };
        assert!(matches!(net.ended(other), EndCause::RemoteBye { .. }));
        assert_eq!(net.ended(by.0), EndCause::LocalHangUp);
    }
    net.run(seconds(40));
    net.assert_idle(HOME);
    net.assert_idle(PEER);
}
