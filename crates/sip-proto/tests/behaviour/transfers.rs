//! REFER in both directions: asked by a phone to call somebody else, and asking a phone to.

use bytes::Bytes;
use sip_message::digest::Authenticator;
use sip_message::{Message, Method, Request};
use sip_proto::{CallError, CallHandle, Config, Credentials, EndCause, Event, Refer, Referred, Transport};

use crate::net::{
    ANSWER, Faults, HOME, Net, OFFER, PEER, PEER_2, addr, config, in_dialog, ms, request, seconds, status,
};

const MARY: &str = "<sip:mary@contoso.example>";

/// How long the outcome of a REFER is awaited: the limit of ringing, and timer F.
fn limit() -> std::time::Duration {
    Config::default().ring_limit + seconds(32)
}

/// [`HOME`] and [`PEER`] in a call; gives both handles.
fn connected(net: &mut Net) -> (CallHandle, CallHandle) {
    let caller = net.call(&[PEER]);
    let Some(Event::Incoming(incoming)) = net.events(PEER).into_iter().next() else { panic!("no call") };
    let answer = Bytes::from_static(ANSWER.as_bytes());
    net.at(PEER, |endpoint, now| endpoint.answer(incoming.handle, answer, now)).unwrap();
    net.exchange();
    net.events(HOME);
    net.events(PEER);
    (caller, incoming.handle)
}

fn to_mary() -> Refer {
    Refer { to: "sip:mary@contoso.example".parse().unwrap(), replaces: None, referred_by: None }
}

/// A REFER of [`PEER`], which answered `invite`.
fn refer_from_peer(invite: &Request, cseq: u32, fields: &[(&str, &str)]) -> Request {
    let mut refer = in_dialog(PEER, invite, "REFER", cseq, "");
    refer.headers.set("Refer-To", MARY);
    for (name, value) in fields {
        refer.headers.set(name, *value);
    }
    refer
}

/// A call that [`PEER`] wants to be moved.
fn referred(net: &mut Net, fields: &[(&str, &str)]) -> (CallHandle, Request, Referred) {
    let (handle, invite) = net.answered(&[]);
    net.send(PEER, HOME, refer_from_peer(&invite, 7, fields));
    net.exchange();
    match net.events(HOME).as_slice() {
        [Event::Referred(referred)] => (handle, invite, (**referred).clone()),
        events => panic!("{events:?}"),
    }
}

/// The NOTIFY that reached [`PEER`], answered: its state and what it tells.
fn notified(net: &mut Net, code: u16) -> (String, String) {
    let notify = net.request(PEER, Method::Notify);
    assert_eq!(notify.headers.get("Event"), Some("refer;id=7"));
    assert_eq!(notify.headers.get("Content-Type"), Some("message/sipfrag;version=2.0"));
    assert!(notify.headers.has("Contact"));
    net.reply(PEER, &notify, code, &[], "");
    net.exchange();
    let state = notify.headers.get("Subscription-State").unwrap().to_owned();
    (state, String::from_utf8(notify.body.to_vec()).unwrap())
}

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
fn a_transfer_between_two_endpoints_tells_its_progress_and_end() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut net = Net::pair();
        net.transport = transport;
        let (asking, asked) = connected(&mut net);
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
    let (first, first_at_peer) = connected(&mut net);
    let (_, second_at_peer) = connected(&mut net);
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
fn an_accepted_wish_gets_202_and_a_notification_that_it_is_tried() {
    let mut net = Net::new();
    let (handle, _, wish) = referred(&mut net, &[("Referred-By", "<sip:john@contoso.example>")]);
    assert_eq!((wish.handle, &wish.replaces), (handle, &None));
    net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now)).unwrap();
    net.exchange();
    assert_eq!(net.count(HOME, "SIP/2.0 202"), 1);
    let told = notified(&mut net, 200);
    assert_eq!(told, ("active;expires=332".to_owned(), "SIP/2.0 100 Trying\r\n".to_owned()));
    net.at(HOME, |endpoint, now| endpoint.notify_refer(handle, status(486), now)).unwrap();
    net.exchange();
    let told = notified(&mut net, 200);
    assert_eq!(told, ("terminated;reason=noresource".to_owned(), "SIP/2.0 486 Busy Here\r\n".to_owned()));
    assert_eq!(net.endpoint(HOME).calls(), 1, "a transfer that failed leaves the call as it was");
}

#[test]
fn news_wait_for_the_answer_to_earlier_news_and_the_latest_goes_first() {
    let mut net = Net::new();
    let (handle, ..) = referred(&mut net, &[]);
    net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now)).unwrap();
    for code in [180, 183, 200] {
        net.at(HOME, |endpoint, now| endpoint.notify_refer(handle, status(code), now)).unwrap();
    }
    net.exchange();
    assert_eq!(notified(&mut net, 200).1, "SIP/2.0 100 Trying\r\n");
    assert_eq!(notified(&mut net, 200).1, "SIP/2.0 200 OK\r\n");
    net.run(seconds(80));
    assert_eq!(net.count(HOME, "NOTIFY"), 2);
}

#[test]
fn a_refused_wish_leaves_the_call_and_another_may_follow() {
    let mut net = Net::new();
    let (handle, invite, _) = referred(&mut net, &[]);
    net.at(HOME, |endpoint, now| endpoint.refuse_refer(handle, status(603), now)).unwrap();
    net.exchange();
    assert_eq!(net.response(PEER).status, status(603));
    let again = net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now));
    assert_eq!(again, Err(CallError::WrongPhase));
    net.send(PEER, HOME, refer_from_peer(&invite, 8, &[]));
    net.exchange();
    assert!(matches!(net.events(HOME).as_slice(), [Event::Referred(_)]));
}

#[test]
fn a_wish_that_nobody_decides_on_is_refused_in_time() {
    let mut net = Net::new();
    let (handle, ..) = referred(&mut net, &[]);
    net.run(seconds(11));
    assert_eq!(net.response(PEER).status, status(500));
    let late = net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now));
    assert_eq!(late, Err(CallError::WrongPhase));
}

#[test]
fn wishes_that_cannot_be_understood_get_the_status_that_says_why() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    let long = format!("<sip:mary@h?{}a=b>", "a=b&".repeat(80));
    let table = [
        ("", 400),
        ("rubbish", 400),
        ("<sip:a@h>, <sip:b@h>", 400),
        ("<sip:a@h?Replaces=x>", 400),
        ("<sip:a@h?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc&Replaces=x>", 400),
        (long.as_str(), 400),
        ("<http://example.com>", 416),
        ("<mailto:a@h>", 416),
        ("<sip:a@h;method=BYE>", 501),
    ];
    for (cseq, (to, code)) in (1..).zip(table) {
        net.send(PEER, HOME, refer_from_peer(&invite, cseq, &[("Refer-To", to)]));
        net.exchange();
        assert_eq!(net.response(PEER).status, status(code), "{to}");
    }
    let mut nowhere = refer_from_peer(&invite, 20, &[]);
    nowhere.headers.remove("Refer-To");
    net.send(PEER, HOME, nowhere);
    net.exchange();
    assert_eq!(net.response(PEER).status, status(400));
    assert_eq!(net.events(HOME), []);
}

#[test]
fn telephone_numbers_and_dialogs_to_replace_are_understood() {
    let mut net = Net::new();
    let (.., wish) = referred(&mut net, &[("Refer-To", "<tel:+15550100>")]);
    assert_eq!((wish.refer_to.to_string().as_str(), wish.replaces), ("tel:+15550100", None));
    let mut net = Net::new();
    let to = "<sip:mary@h;method=INVITE;x=1?Replaces=a%40h%3Bto-tag%3Db%3Bfrom-tag%3Dc&Subject=x>";
    let (.., wish) = referred(&mut net, &[("Refer-To", to)]);
    assert_eq!(wish.refer_to.to_string(), "sip:mary@h;x=1");
    assert_eq!(wish.replaces.unwrap().to_string(), "a@h;to-tag=b;from-tag=c");
}

#[test]
fn a_second_wish_has_to_wait_for_the_first() {
    let mut net = Net::new();
    let (handle, invite, _) = referred(&mut net, &[]);
    net.send(PEER, HOME, refer_from_peer(&invite, 8, &[]));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(491));
    net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now)).unwrap();
    net.exchange();
    net.inbox(PEER);
    net.send(PEER, HOME, refer_from_peer(&invite, 9, &[]));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(491));
    assert_eq!(net.events(HOME), []);
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
fn a_far_end_that_wants_no_subscription_gets_none() {
    let mut net = Net::new();
    let (handle, invite, _) = referred(&mut net, &[("Refer-Sub", "false"), ("Require", "norefersub")]);
    net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now)).unwrap();
    net.exchange();
    let accepted = net.response(PEER);
    assert_eq!((accepted.status, accepted.headers.get("Refer-Sub")), (status(202), Some("false")));
    for code in [180, 200] {
        net.at(HOME, |endpoint, now| endpoint.notify_refer(handle, status(code), now)).unwrap();
    }
    net.exchange();
    assert_eq!(net.count(HOME, "NOTIFY"), 0);
    net.send(PEER, HOME, refer_from_peer(&invite, 8, &[]));
    net.exchange();
    assert!(matches!(net.events(HOME).as_slice(), [Event::Referred(_)]), "the first one is over");
}

#[test]
fn news_that_are_refused_or_lost_end_the_subscription_and_not_the_call() {
    for code in [Some(481), Some(405), Some(500), None] {
        let mut net = Net::new();
        let (handle, ..) = referred(&mut net, &[]);
        net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now)).unwrap();
        net.exchange();
        match code {
            Some(code) => drop(notified(&mut net, code)),
            None => net.run(seconds(33)),
        }
        for code in [180, 200] {
            net.at(HOME, |endpoint, now| endpoint.notify_refer(handle, status(code), now)).unwrap();
        }
        net.run(seconds(40));
        assert_eq!(
            net.requests(PEER, &Method::Notify)
                .iter()
                .filter(|notify| notify.body.ends_with(b"OK\r\n"))
                .count(),
            0
        );
        assert_eq!((net.events(HOME), net.endpoint(HOME).calls()), (Vec::new(), 1), "{code:?}");
    }
}

#[test]
fn a_subscription_that_nobody_ends_ends_by_itself() {
    let mut net = Net::new();
    let (handle, ..) = referred(&mut net, &[]);
    net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now)).unwrap();
    net.exchange();
    notified(&mut net, 200);
    net.at(HOME, |endpoint, now| endpoint.notify_refer(handle, status(180), now)).unwrap();
    net.exchange();
    notified(&mut net, 200);
    net.run(limit());
    assert_eq!(
        notified(&mut net, 200),
        ("terminated;reason=timeout".to_owned(), "SIP/2.0 180 Ringing\r\n".to_owned())
    );
    let late = net.at(HOME, |endpoint, now| endpoint.notify_refer(handle, status(200), now));
    assert_eq!(late, Err(CallError::WrongPhase));
}

#[test]
fn a_far_end_that_hangs_up_while_its_wish_waits_gets_both_answers() {
    let mut net = Net::new();
    let (handle, invite, _) = referred(&mut net, &[]);
    net.send(PEER, HOME, in_dialog(PEER, &invite, "BYE", 8, ""));
    net.exchange();
    let mut codes: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [200, 487]);
    assert!(matches!(net.ended(HOME), EndCause::RemoteBye { .. }));
    let late = net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now));
    assert_eq!(late, Err(CallError::Unknown));
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn the_last_word_on_a_transfer_goes_out_before_the_hang_up() {
    let mut net = Net::new();
    let (handle, ..) = referred(&mut net, &[]);
    net.at(HOME, |endpoint, now| endpoint.accept_refer(handle, now)).unwrap();
    net.at(HOME, |endpoint, now| endpoint.notify_refer(handle, status(200), now)).unwrap();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    let sent = net.inbox(PEER).into_iter().filter_map(|message| match message {
        Message::Request(request) => Some((request.method, request.body)),
        Message::Response(_) => None,
    });
    let told = |text: &'static str| (Method::Notify, Bytes::from_static(text.as_bytes()));
    let bye = (Method::Bye, Bytes::new());
    assert_eq!(sent.collect::<Vec<_>>(), [told("SIP/2.0 100 Trying\r\n"), told("SIP/2.0 200 OK\r\n"), bye]);
    net.run(seconds(80));
    net.assert_idle(HOME);
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
    new.credentials = Some(Credentials { username: "bot".to_owned(), password: "pw".to_owned() });
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

#[test]
fn a_wish_for_an_incoming_call_that_waits_for_its_ack_is_answered() {
    let mut net = Net::with(config());
    let invite = request(PEER_2, "INVITE", "sip:bot@127.0.0.1:5060", &[], OFFER);
    net.send(PEER_2, HOME, invite);
    net.exchange();
    let events = net.events(HOME);
    let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
    let handle = incoming.handle;
    let answer = Bytes::from_static(ANSWER.as_bytes());
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer, now)).unwrap();
    net.exchange();
    let to = net.responses(PEER_2).pop().unwrap().headers.to().unwrap();
    let mut refer =
        request(PEER_2, "REFER", "sip:bot@127.0.0.1:5060", &[("CSeq", "2 REFER"), ("Refer-To", MARY)], "");
    refer.headers.set("To", &to);
    net.send(PEER_2, HOME, refer);
    net.exchange();
    assert!(matches!(net.events(HOME).as_slice(), [Event::Referred(_)]));
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.run(ms(100));
    assert_eq!(net.count(HOME, "SIP/2.0 487"), 1);
}

#[test]
fn transfers_reach_their_end_over_a_network_that_loses_and_doubles() {
    for seed in 1..=40 {
        let mut net = Net::pair();
        let (asking, asked) = connected(&mut net);
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
