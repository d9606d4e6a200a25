//! A phone that asks this side to call somebody else: REFER, and what it is told.

use bytes::Bytes;
use sip_message::{Message, Method, Request};
use sip_proto::{CallError, CallHandle, EndCause, Event, Referred};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, PEER_2, config, in_dialog, ms, request, seconds, status};
use crate::transfers::{MARY, limit};

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
