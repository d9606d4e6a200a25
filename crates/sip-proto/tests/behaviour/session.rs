//! Established calls: hold, glare, session timers, and far ends that are gone.

use bytes::Bytes;
use sip_message::{Method, Refresher, Request};
use sip_proto::{CallError, EndCause, Event};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, in_dialog, seconds, status};

const HOLD: &str = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=hold\r\na=sendonly\r\n";

/// Every header a peer with session timers and UPDATE sends in its 2xx.
const TIMED: [(&str, &str); 3] = [
    ("Session-Expires", "120;refresher=uac"),
    ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE"),
    ("Supported", "timer"),
];

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn offer(net: &mut Net, invite: &Request, method: &str, cseq: u32, body: &str) {
    let request = in_dialog(PEER, invite, method, cseq, body);
    net.send(PEER, HOME, request);
    net.exchange();
}

fn ack(net: &mut Net, invite: &Request, cseq: u32, body: &str) {
    let mut ack = in_dialog(PEER, invite, "ACK", cseq, body);
    ack.headers.set("Via", format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKack{cseq}"));
    net.send(PEER, HOME, ack);
    net.exchange();
}

#[test]
fn hold_by_reinvite_is_offered_to_the_user_and_answered() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    offer(&mut net, &invite, "INVITE", 1, HOLD);
    assert_eq!(net.events(HOME), [Event::OfferReceived { handle, sdp: Some(sdp(HOLD)) }]);
    net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Ok(sdp(ANSWER)), now)).unwrap();
    net.exchange();
    let response = net.response(PEER);
    assert_eq!((response.status, response.body), (status(200), sdp(ANSWER)));
    ack(&mut net, &invite, 1, "");
    assert_eq!(net.events(HOME), [Event::Confirmed { handle, sdp: None }]);
    net.run(seconds(31));
    assert_eq!(net.count(HOME, "SIP/2.0 200"), 1);
}

#[test]
fn hold_by_update_is_offered_to_the_user_and_answered() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    offer(&mut net, &invite, "UPDATE", 1, HOLD);
    assert_eq!(net.events(HOME), [Event::OfferReceived { handle, sdp: Some(sdp(HOLD)) }]);
    net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Ok(sdp(ANSWER)), now)).unwrap();
    net.exchange();
    assert_eq!(net.response(PEER).body, ANSWER);
    let again = net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Ok(sdp(ANSWER)), now));
    assert_eq!(again, Err(CallError::WrongPhase));
}

#[test]
fn an_offer_can_be_refused_and_the_call_goes_on() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    offer(&mut net, &invite, "INVITE", 1, HOLD);
    net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Err(status(488)), now)).unwrap();
    net.exchange();
    assert_eq!(net.response(PEER).status, status(488));
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_reinvite_without_offer_gets_one_and_its_ack_the_answer() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    offer(&mut net, &invite, "INVITE", 1, "");
    assert_eq!(net.events(HOME), [Event::OfferReceived { handle, sdp: None }]);
    net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Ok(sdp(OFFER)), now)).unwrap();
    net.exchange();
    assert_eq!(net.response(PEER).body, OFFER);
    offer(&mut net, &invite, "INVITE", 2, HOLD);
    assert_eq!(net.response(PEER).status, status(491), "our offer has no answer yet");
    ack(&mut net, &invite, 1, ANSWER);
    assert_eq!(net.events(HOME), [Event::Confirmed { handle, sdp: Some(sdp(ANSWER)) }]);
}

#[test]
fn a_second_offer_has_to_wait_for_the_first() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    offer(&mut net, &invite, "INVITE", 1, HOLD);
    net.inbox(PEER);
    for (cseq, method) in [(2, "INVITE"), (3, "UPDATE")] {
        offer(&mut net, &invite, method, cseq, HOLD);
        let response = net.response(PEER);
        assert_eq!(response.status, status(500), "{method}");
        assert!(response.headers.retry_after().is_some_and(|wait| wait <= 10));
    }
}

#[test]
fn an_offer_that_the_user_forgets_is_refused_in_time() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    offer(&mut net, &invite, "UPDATE", 1, HOLD);
    net.events(HOME);
    net.run(seconds(11));
    assert_eq!(net.response(PEER).status, status(500));
    assert_eq!(net.events(HOME), [Event::OfferWithdrawn { handle }]);
}

#[test]
fn a_cancelled_reinvite_is_withdrawn() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    offer(&mut net, &invite, "INVITE", 1, HOLD);
    let mut cancel = in_dialog(PEER, &invite, "CANCEL", 1, "");
    cancel.headers.set("Via", "SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKINVITE1");
    net.send(PEER, HOME, cancel);
    net.exchange();
    let codes: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
    assert_eq!(codes, [100, 200, 487]);
    assert_eq!(net.events(HOME).pop(), Some(Event::OfferWithdrawn { handle }));
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_bye_answers_a_pending_reinvite_with_487() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    offer(&mut net, &invite, "INVITE", 1, HOLD);
    offer(&mut net, &invite, "BYE", 2, "");
    let mut codes: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [100, 200, 487]);
    assert!(matches!(net.ended(HOME), EndCause::RemoteBye { .. }));
}

#[test]
fn requests_in_the_dialog_are_judged_by_tags_and_sequence() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    offer(&mut net, &invite, "OPTIONS", 5, "");
    let response = net.response(PEER);
    assert_eq!(response.status, status(200));
    assert!(response.headers.allow().contains(&Method::Update));
    offer(&mut net, &invite, "OPTIONS", 4, "");
    assert_eq!(net.response(PEER).status, status(500), "a lower CSeq");
    offer(&mut net, &invite, "INFO", 6, "");
    assert_eq!(net.response(PEER).status, status(405));
    let mut stranger = in_dialog(PEER, &invite, "BYE", 7, "");
    stranger.headers.set("From", "<sip:john@contoso.example>;tag=guess");
    net.send(PEER, HOME, stranger);
    net.exchange();
    assert_eq!(net.response(PEER).status, status(481));
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_repeated_bye_gets_its_200_again() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&[]);
    offer(&mut net, &invite, "BYE", 1, "");
    offer(&mut net, &invite, "BYE", 1, "");
    let codes: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
    assert_eq!(codes, [200, 200]);
    net.ended(HOME);
}

#[test]
fn this_side_refreshes_by_update_at_half_the_interval() {
    let mut net = Net::new();
    let (handle, _) = net.answered(&TIMED);
    for _ in 0..3 {
        net.run(seconds(60));
        let update = net.request(PEER, Method::Update);
        assert!(update.body.is_empty());
        let expires = update.headers.session_expires().unwrap().unwrap();
        assert_eq!((expires.delta_seconds, expires.refresher), (120, Some(Refresher::Uac)));
        net.reply(PEER, &update, 200, &TIMED[..1], "");
        net.exchange();
        assert_eq!(net.events(HOME), [Event::SessionRefreshed { handle, sdp: None }]);
    }
}

#[test]
fn without_update_this_side_refreshes_by_reinvite_with_its_own_description() {
    let mut net = Net::new();
    let (handle, _) = net.answered(&TIMED[..1]);
    net.run(seconds(60));
    let again = net.request(PEER, Method::Invite);
    assert_eq!(again.body, OFFER);
    net.accept_with(PEER, &again, &TIMED[..1]);
    net.accept_with(PEER, &again, &TIMED[..1]);
    net.exchange();
    let acks = net.requests(PEER, &Method::Ack);
    assert_eq!((acks.len(), &acks[0]), (2, &acks[1]));
    assert_eq!(net.events(HOME), [Event::SessionRefreshed { handle, sdp: Some(sdp(ANSWER)) }]);
}

#[test]
fn an_update_that_is_not_allowed_after_all_becomes_a_reinvite() {
    let mut net = Net::new();
    net.answered(&TIMED);
    net.run(seconds(60));
    let update = net.request(PEER, Method::Update);
    net.reply(PEER, &update, 405, &[], "");
    net.exchange();
    assert_eq!(net.requests(PEER, &Method::Invite).len(), 1);
}

#[test]
fn an_offer_that_waits_while_the_call_ends_is_answered_too() {
    let mut net = Net::new();
    let (_, invite) = net.answered(&TIMED);
    net.run(seconds(60));
    let update = net.request(PEER, Method::Update);
    offer(&mut net, &invite, "INVITE", 1, HOLD);
    net.reply(PEER, &update, 481, &[], "");
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::SessionExpired);
    assert_eq!(net.response(PEER).status, status(487));
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_far_end_that_is_gone_is_found_by_the_refresh() {
    let mut net = Net::new();
    net.answered(&TIMED);
    net.run(seconds(59));
    assert_eq!(net.events(HOME), []);
    net.run(seconds(40));
    assert_eq!(net.ended(HOME), EndCause::SessionExpired);
    assert!(net.count(HOME, "BYE") >= 1);
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_far_end_that_forgot_the_call_is_found_by_the_refresh() {
    let mut net = Net::new();
    net.answered(&TIMED);
    net.run(seconds(60));
    let update = net.request(PEER, Method::Update);
    net.reply(PEER, &update, 481, &[], "");
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::SessionExpired);
}

#[test]
fn a_refresher_that_stays_silent_is_hung_up_on() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[("Session-Expires", "120;refresher=uas")]);
    net.run(seconds(80));
    let mut update = in_dialog(PEER, &invite, "UPDATE", 1, "");
    update.headers.push("Supported", "timer");
    update.headers.push("Session-Expires", "120;refresher=uac");
    net.send(PEER, HOME, update);
    net.run(seconds(80));
    assert_eq!(net.events(HOME), [Event::SessionRefreshed { handle, sdp: None }]);
    net.inbox(PEER);
    net.run(seconds(9));
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::SessionExpired);
    assert!(net.requests(PEER, &Method::Bye)[0].headers.get("Reason").unwrap().contains("408"));
}

#[test]
fn a_far_end_without_session_timers_is_asked_whether_it_lives() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.session_timer = Some(sip_proto::SessionTimer { interval: seconds(200), min: seconds(90) });
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    net.accept(PEER, &invite);
    net.exchange();
    net.run(seconds(100));
    let again = net.request(PEER, Method::Invite);
    net.reply(PEER, &again, 488, &[], "");
    net.exchange();
    net.run(seconds(100));
    assert_eq!(net.requests(PEER, &Method::Invite).len(), 1, "any answer is a sign of life");
    net.run(seconds(40));
    assert_eq!(net.ended(HOME), EndCause::SessionExpired);
}

#[test]
fn glare_is_answered_with_491_and_waited_out() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&TIMED[..1]);
    net.run(seconds(60));
    let ours = net.request(PEER, Method::Invite);
    offer(&mut net, &invite, "INVITE", 1, HOLD);
    assert_eq!(net.response(PEER).status, status(491));
    net.reply(PEER, &ours, 491, &[], "");
    net.exchange();
    net.run(seconds(2));
    assert_eq!(net.requests(PEER, &Method::Invite), [], "the owner of the Call-ID waits at least 2.1 s");
    offer(&mut net, &invite, "INVITE", 2, HOLD);
    assert_eq!(net.events(HOME), [Event::OfferReceived { handle, sdp: Some(sdp(HOLD)) }]);
    net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Ok(sdp(ANSWER)), now)).unwrap();
    net.exchange();
    ack(&mut net, &invite, 2, "");
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn two_endpoints_keep_a_call_alive_for_hours() {
    let mut net = Net::pair();
    net.call(&[PEER]);
    let Some(Event::Incoming(incoming)) = net.events(PEER).into_iter().next() else { panic!("no call") };
    net.at(PEER, |endpoint, now| endpoint.answer(incoming.handle, sdp(ANSWER), now)).unwrap();
    net.run(seconds(4 * 3600));
    assert_eq!((net.endpoint(HOME).calls(), net.endpoint(PEER).calls()), (1, 1));
    let refreshed = |events: Vec<Event>| {
        events.iter().filter(|event| matches!(event, Event::SessionRefreshed { .. })).count()
    };
    assert!((15..=16).contains(&refreshed(net.events(HOME))));
    assert!((15..=16).contains(&refreshed(net.events(PEER))));
}
