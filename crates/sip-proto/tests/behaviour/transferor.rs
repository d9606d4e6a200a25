//! This side asks a phone to call somebody else: REFER, and what the phone tells.

use bytes::Bytes;
use sip_message::digest::Authenticator;
use sip_message::{Method, Request};
use sip_proto::{CallError, CallHandle, Credentials, EndCause, Event, Refer};

use crate::net::{HOME, Net, PEER, addr, in_dialog, seconds, status};
use crate::transfers::{limit, to_mary};

/// A NOTIFY of [`PEER`] about the REFER that it got.
fn notify(invite: &Request, cseq: u32, state: &str, fragment: &str) -> Request {
    let mut notify = in_dialog(PEER, invite, "NOTIFY", cseq, "");
    notify.headers.set("Event", "refer");
    notify.headers.set("Subscription-State", state);
    if !fragment.is_empty() {
        notify.headers.set("Content-Type", "message/sipfrag");
        notify.body = Bytes::copy_from_slice(fragment.as_bytes());
    }
    notify
}

/// A REFER to [`PEER`], which answered it.
fn asked(net: &mut Net, code: u16) -> (CallHandle, Request) {
    let (handle, invite) = net.answered(&[]);
    net.at(HOME, |endpoint, now| endpoint.refer(handle, to_mary(), now)).unwrap();
    net.exchange();
    let refer = net.request(PEER, Method::Refer);
    net.reply(PEER, &refer, code, &[], "");
    net.exchange();
    (handle, invite)
}

#[test]
fn a_far_end_is_asked_with_everything_that_it_needs() {
    let mut net = Net::new();
    let (handle, _) = net.answered(&[]);
    let replaces = "a@h;to-tag=b;from-tag=c".parse().unwrap();
    let refer = Refer { replaces: Some(replaces), ..to_mary() };
    net.at(HOME, |endpoint, now| endpoint.refer(handle, refer.clone(), now)).unwrap();
    let twice = net.at(HOME, |endpoint, now| endpoint.refer(handle, refer, now));
    assert_eq!(twice, Err(CallError::WrongPhase));
    net.exchange();
    let refer = net.request(PEER, Method::Refer);
    assert_eq!(
        refer.headers.get("Refer-To"),
        Some("<sip:mary@contoso.example?Replaces=a%40h%3Bto-tag%3Db%3Bfrom-tag%3Dc>")
    );
    assert_eq!(refer.headers.get("Referred-By"), Some("<sip:bot@contoso.example>"));
    assert_eq!(refer.headers.to().unwrap().tag(), Some("peer6001"));
    assert!(refer.headers.has("Contact"));
}

#[test]
fn only_an_established_call_is_moved() {
    let mut net = Net::new();
    let handle = net.call(&[PEER]);
    let early = net.at(HOME, |endpoint, now| endpoint.refer(handle, to_mary(), now));
    assert_eq!(early, Err(CallError::WrongPhase));
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    let late = net.at(HOME, |endpoint, now| endpoint.refer(handle, to_mary(), now));
    assert_eq!(late, Err(CallError::Unknown));
}

#[test]
fn a_refusal_or_silence_is_told_and_another_try_is_allowed() {
    for code in [403, 405, 501, 603] {
        let mut net = Net::new();
        let (handle, _) = asked(&mut net, code);
        assert_eq!(net.events(HOME), [Event::ReferRefused { handle, status: status(code) }]);
        assert!(net.at(HOME, |endpoint, now| endpoint.refer(handle, to_mary(), now)).is_ok());
    }
    let mut net = Net::new();
    let (handle, _) = net.answered(&[]);
    net.at(HOME, |endpoint, now| endpoint.refer(handle, to_mary(), now)).unwrap();
    net.run(seconds(33));
    assert_eq!(net.events(HOME), [Event::ReferRefused { handle, status: status(408) }]);
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_challenge_is_answered_with_the_credentials_of_the_call() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.credentials = Some(Credentials::new("bot", "pw"));
    let handle = net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    net.accept(PEER, &invite);
    net.exchange();
    net.events(HOME);
    net.at(HOME, |endpoint, now| endpoint.refer(handle, to_mary(), now)).unwrap();
    net.exchange();
    let server = Authenticator::new("far", &[3; 32], seconds(300));
    for round in 0..3 {
        let refer = net.request(PEER, Method::Refer);
        assert_eq!(refer.headers.has("Authorization"), round > 0);
        let challenge = server.challenges(addr(HOME).ip(), net.now, [1; 8], true)[1].to_string();
        net.reply(PEER, &refer, 401, &[("WWW-Authenticate", &challenge)], "");
        net.exchange();
    }
    assert_eq!(net.events(HOME), [Event::ReferRefused { handle, status: status(401) }]);
}

#[test]
fn news_that_overtake_the_202_are_heard_and_acceptance_is_told_once() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    net.at(HOME, |endpoint, now| endpoint.refer(handle, to_mary(), now)).unwrap();
    net.exchange();
    let refer = net.request(PEER, Method::Refer);
    net.send(PEER, HOME, notify(&invite, 1, "active;expires=60", "SIP/2.0 180 Ringing\r\n"));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(200));
    net.reply(PEER, &refer, 202, &[], "");
    net.exchange();
    let progress = Event::ReferProgress { handle, status: status(180) };
    assert_eq!(net.events(HOME), [Event::ReferAccepted { handle }, progress]);
}

#[test]
fn the_end_is_told_once_and_what_follows_it_is_only_answered() {
    let cases: [(&str, &str, Option<u16>); 4] = [
        ("terminated;reason=noresource", "SIP/2.0 503 Service Unavailable", Some(503)),
        ("active;expires=60", "SIP/2.0 200 OK", Some(200)),
        ("terminated;reason=timeout", "", None),
        ("terminated", "SIP/2.0 180 Ringing", None),
    ];
    for (state, fragment, code) in cases {
        let mut net = Net::new();
        let (handle, invite) = asked(&mut net, 202);
        net.send(PEER, HOME, notify(&invite, 1, state, fragment));
        net.exchange();
        let end = Event::ReferEnded { handle, status: code.map(status) };
        assert_eq!(net.events(HOME), [Event::ReferAccepted { handle }, end], "{state} {fragment}");
        net.send(PEER, HOME, notify(&invite, 2, "terminated", "SIP/2.0 200 OK"));
        net.exchange();
        let codes: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
        assert_eq!((codes, net.events(HOME)), (vec![200, 200], Vec::new()));
    }
}

#[test]
fn news_are_refused_that_are_not_about_the_wish() {
    let mut net = Net::new();
    let (handle, invite) = asked(&mut net, 202);
    assert_eq!(net.events(HOME), [Event::ReferAccepted { handle }]);
    let cases: [(&str, &str, u16); 7] = [
        ("Event", "presence", 489),
        ("Event", ";id=1", 400),
        ("Event", "refer;id=99", 481),
        ("Event", "refer;id=x", 481),
        ("Subscription-State", ";expires=1", 400),
        ("Content-Type", "text/plain", 415),
        ("From", "<sip:john@contoso.example>;tag=guess", 481),
    ];
    for (cseq, (name, value, code)) in (1..).zip(cases) {
        let mut notify = notify(&invite, cseq, "terminated", "SIP/2.0 200 OK");
        notify.headers.set(name, value);
        net.send(PEER, HOME, notify);
        net.exchange();
        assert_eq!(net.response(PEER).status, status(code), "{name}: {value}");
    }
    for missing in ["Event", "Subscription-State"] {
        let mut notify = notify(&invite, 20 + missing.len() as u32, "terminated", "SIP/2.0 200 OK");
        notify.headers.remove(missing);
        net.send(PEER, HOME, notify);
        net.exchange();
        assert!(net.response(PEER).status.class() == 4, "{missing}");
    }
    assert_eq!(net.events(HOME), []);
}

#[test]
fn the_same_news_again_and_again_are_told_once() {
    let mut net = Net::new();
    let (handle, invite) = asked(&mut net, 202);
    for cseq in 1..=100 {
        net.send(PEER, HOME, notify(&invite, cseq, "active", "SIP/2.0 183 Session Progress"));
        net.exchange();
    }
    let progress = Event::ReferProgress { handle, status: status(183) };
    assert_eq!(net.events(HOME), [Event::ReferAccepted { handle }, progress]);
}

#[test]
fn a_far_end_that_never_says_how_it_went_is_not_waited_for_for_ever() {
    let mut net = Net::new();
    let (handle, invite) = asked(&mut net, 202);
    net.events(HOME);
    net.run(limit());
    assert_eq!(net.events(HOME), [Event::ReferEnded { handle, status: None }]);
    net.send(PEER, HOME, in_dialog(PEER, &invite, "BYE", 1, ""));
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_side_that_hangs_up_hears_no_more_of_what_it_asked_for() {
    let mut net = Net::new();
    let (handle, invite) = asked(&mut net, 202);
    net.events(HOME);
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    let bye = net.request(PEER, Method::Bye);
    net.reply(PEER, &bye, 200, &[], "");
    net.send(PEER, HOME, notify(&invite, 1, "terminated", "SIP/2.0 200 OK"));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(481));
    assert_eq!(net.events(HOME), []);
    net.run(seconds(40));
    net.assert_idle(HOME);
}
