//! This side changes the session of an established call.

use bytes::Bytes;
use sip_message::digest::Authenticator;
use sip_message::{Method, Request};
use sip_proto::{CallError, CallHandle, Credentials, EndCause, Event};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, addr, in_dialog, ms, seconds, status};

const HOLD: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=hold\r\na=sendonly\r\n";
const THEIRS: &str = "v=0\r\no=- 2 2 IN IP4 127.0.0.1\r\ns=theirs\r\na=inactive\r\n";

fn sdp(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn try_offer(net: &mut Net, at: u16, handle: CallHandle) -> Result<(), CallError> {
    let result = net.at(at, |endpoint, now| endpoint.offer(handle, sdp(HOLD), now));
    net.exchange();
    result
}

/// An answered call in which this side offers to hold it; gives the re-INVITE, too.
fn offering(net: &mut Net, fields: &[(&str, &str)]) -> (CallHandle, Request, Request) {
    let (handle, invite) = net.answered(fields);
    try_offer(net, HOME, handle).unwrap();
    let again = net.request(PEER, Method::Invite);
    (handle, invite, again)
}

fn answer_theirs(net: &mut Net, handle: CallHandle) {
    net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Ok(sdp(ANSWER)), now)).unwrap();
    net.exchange();
}

#[test]
fn an_offer_goes_out_as_reinvite_and_its_answer_is_told_and_acknowledged() {
    let mut net = Net::new();
    let (handle, first, again) = offering(&mut net, &[("Allow", "INVITE, UPDATE")]);
    assert_eq!((again.body.clone(), again.headers.cseq().unwrap().seq), (sdp(HOLD), 2));
    assert_eq!(again.headers.call_id().unwrap(), first.headers.call_id().unwrap());

    net.accept(PEER, &again);
    net.accept(PEER, &again);
    net.exchange();

    assert_eq!(net.events(HOME), [Event::OfferAnswered { handle, sdp: sdp(ANSWER) }]);
    let acks = net.requests(PEER, &Method::Ack);
    assert_eq!(acks.iter().map(|ack| ack.headers.cseq().unwrap().seq).collect::<Vec<_>>(), [2, 2]);
    try_offer(&mut net, HOME, handle).unwrap();
    assert_eq!(net.request(PEER, Method::Invite).headers.cseq().unwrap().seq, 3);
}

#[test]
fn both_sides_of_a_call_can_change_it_in_turn() {
    let mut net = Net::pair();
    let (caller, callee) = net.connected();
    for (from, handle, to, other) in [(HOME, caller, PEER, callee), (PEER, callee, HOME, caller)] {
        try_offer(&mut net, from, handle).unwrap();
        assert_eq!(net.events(to), [Event::OfferReceived { handle: other, sdp: Some(sdp(HOLD)) }]);
        net.at(to, |endpoint, now| endpoint.answer_offer(other, Ok(sdp(ANSWER)), now)).unwrap();
        net.exchange();
        assert_eq!(net.events(from), [Event::OfferAnswered { handle, sdp: sdp(ANSWER) }]);
        assert_eq!(net.events(to), [Event::Confirmed { handle: other, sdp: None }]);
    }
}

#[test]
fn a_refused_offer_leaves_the_session_as_it_was() {
    let mut net = Net::new();
    let timed = [("Session-Expires", "120;refresher=uac")];
    let (handle, _, again) = offering(&mut net, &timed);
    net.reply(PEER, &again, 488, &[], "");
    net.exchange();
    assert_eq!(net.events(HOME), [Event::OfferRefused { handle, status: status(488) }]);

    net.run(seconds(60));
    let refresh = net.request(PEER, Method::Invite);
    assert_eq!(refresh.body, OFFER, "the refresh is still due, and describes what was agreed");
    net.accept_with(PEER, &refresh, &timed);
    net.exchange();
    assert_eq!(net.events(HOME), [Event::SessionRefreshed { handle, sdp: Some(sdp(ANSWER)) }]);
}

#[test]
fn an_answered_offer_refreshes_the_session_and_is_what_later_refreshes_describe() {
    let mut net = Net::new();
    let timed = [("Session-Expires", "120;refresher=uac")];
    let (handle, _) = net.answered(&timed);
    net.run(seconds(50));
    try_offer(&mut net, HOME, handle).unwrap();
    let again = net.request(PEER, Method::Invite);
    assert!(again.headers.has("Session-Expires"));
    net.accept_with(PEER, &again, &timed);
    net.run(seconds(59));
    assert_eq!(net.requests(PEER, &Method::Invite), []);
    net.run(seconds(2));
    assert_eq!(net.requests(PEER, &Method::Invite)[0].body, HOLD);
}

#[test]
fn an_answer_without_description_ends_the_call() {
    let mut net = Net::new();
    let (_, _, again) = offering(&mut net, &[]);
    net.reply(PEER, &again, 200, &[("Contact", "<sip:peer@127.0.0.1:6001>")], "");
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::MissingAnswer);
    let inbox = net.inbox(PEER);
    assert_eq!(inbox.len(), 2, "ACK and BYE: {inbox:?}");
}

#[test]
fn a_far_end_that_forgot_the_call_or_stays_silent_ends_it() {
    for (code, wait) in [(Some(481), ms(20)), (Some(408), ms(20)), (None, seconds(33))] {
        let mut net = Net::new();
        let (_, _, again) = offering(&mut net, &[]);
        if let Some(code) = code {
            net.reply(PEER, &again, code, &[], "");
        }
        net.run(wait);
        assert_eq!(net.ended(HOME), EndCause::SessionExpired, "{code:?}");
        net.run(seconds(80));
        net.assert_idle(HOME);
    }
}

#[test]
fn two_offers_that_meet_are_refused_and_the_owner_of_the_call_id_waits_longer() {
    let mut net = Net::pair();
    let (caller, callee) = net.connected();
    net.at(HOME, |endpoint, now| endpoint.offer(caller, sdp(HOLD), now)).unwrap();
    net.at(PEER, |endpoint, now| endpoint.offer(callee, sdp(THEIRS), now)).unwrap();
    net.exchange();
    assert_eq!((net.count(HOME, "SIP/2.0 491"), net.count(PEER, "SIP/2.0 491")), (1, 1));
    assert_eq!((net.events(HOME), net.events(PEER)), (vec![], vec![]));

    net.run(ms(2050));

    let events = net.events(HOME);
    let given_back = Event::OfferRefused { handle: caller, status: status(491) };
    assert_eq!(events, [given_back, Event::OfferReceived { handle: caller, sdp: Some(sdp(THEIRS)) }]);
    answer_theirs(&mut net, caller);
    assert_eq!(net.events(PEER), [Event::OfferAnswered { handle: callee, sdp: sdp(ANSWER) }]);
    net.run(seconds(10));
    assert_eq!(net.count(HOME, "INVITE"), 2, "what was given back is not offered again");
    try_offer(&mut net, HOME, caller).unwrap();
    assert_eq!(net.events(PEER).pop(), Some(Event::OfferReceived { handle: callee, sdp: Some(sdp(HOLD)) }));
}

#[test]
fn an_offer_that_met_another_one_is_made_again_when_the_far_end_lets_it_be() {
    let mut net = Net::new();
    let (handle, _, again) = offering(&mut net, &[]);
    net.reply(PEER, &again, 491, &[], "");
    net.run(ms(2050));
    assert_eq!(net.requests(PEER, &Method::Invite), [], "the owner of the Call-ID waits at least 2.1 s");
    assert_eq!(try_offer(&mut net, HOME, handle), Err(CallError::WrongPhase), "one offer at a time");
    net.run(seconds(2));
    let third = net.requests(PEER, &Method::Invite).remove(0);
    net.accept(PEER, &third);
    net.exchange();
    assert_eq!(net.events(HOME), [Event::OfferAnswered { handle, sdp: sdp(ANSWER) }]);
}

#[test]
fn an_offer_waits_for_the_ack_of_this_sides_own_answer() {
    let mut net = Net::new();
    let (handle, invite) = net.answered(&[]);
    let theirs = in_dialog(PEER, &invite, "INVITE", 1, THEIRS);
    net.send(PEER, HOME, theirs);
    net.exchange();
    assert_eq!(try_offer(&mut net, HOME, handle), Err(CallError::WrongPhase), "theirs has no answer yet");
    answer_theirs(&mut net, handle);
    net.inbox(PEER);
    net.events(HOME);

    try_offer(&mut net, HOME, handle).unwrap();
    assert_eq!(net.requests(PEER, &Method::Invite), []);
    let mut ack = in_dialog(PEER, &invite, "ACK", 1, "");
    ack.headers.set("Via", "SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKack1");
    net.send(PEER, HOME, ack);
    net.exchange();

    assert_eq!(net.request(PEER, Method::Invite).body, HOLD);
    assert_eq!(net.events(HOME), [Event::Confirmed { handle, sdp: None }]);
}

#[test]
fn an_offer_waits_for_a_refresh_and_then_goes_out_at_once() {
    let mut net = Net::new();
    let timed = [("Session-Expires", "120;refresher=uac"), ("Allow", "UPDATE")];
    let (handle, _) = net.answered(&timed);
    net.run(seconds(60));
    let update = net.request(PEER, Method::Update);
    try_offer(&mut net, HOME, handle).unwrap();
    assert_eq!(net.inbox(PEER), []);
    net.reply(PEER, &update, 200, &timed[..1], "");
    net.exchange();
    assert_eq!(net.request(PEER, Method::Invite).body, HOLD);
}

#[test]
fn a_challenged_offer_is_made_again_with_the_credentials_of_the_call() {
    let mut net = Net::new();
    let mut new = net.new_call(&[PEER]);
    new.credentials = Some(Credentials::new("bot", "pw"));
    let handle = net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    net.accept(PEER, &invite);
    net.exchange();
    net.inbox(PEER);
    net.events(HOME);
    try_offer(&mut net, HOME, handle).unwrap();
    let again = net.request(PEER, Method::Invite);
    let server = Authenticator::new("far", &[3; 32], seconds(300));
    let challenge = server.challenges(addr(HOME).ip(), net.now, [1; 8], false)[1].to_string();
    net.reply(PEER, &again, 401, &[("WWW-Authenticate", &challenge)], "");
    net.exchange();
    let third = net.request(PEER, Method::Invite);
    assert!(third.headers.has("Authorization"));
    assert_eq!(third.body, HOLD);
    net.accept(PEER, &third);
    net.exchange();
    assert_eq!(net.events(HOME), [Event::OfferAnswered { handle, sdp: sdp(ANSWER) }]);
}

#[test]
fn nothing_is_offered_in_a_call_that_is_not_established() {
    let mut net = Net::new();
    let handle = net.call(&[PEER]);
    assert_eq!(try_offer(&mut net, HOME, handle), Err(CallError::WrongPhase));
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    assert_eq!(try_offer(&mut net, HOME, handle), Err(CallError::Unknown));

    let (handle, _, _) = offering(&mut Net::new(), &[]);
    let mut other = Net::new();
    assert_eq!(try_offer(&mut other, HOME, handle), Err(CallError::Unknown));
}

#[test]
fn a_call_ends_while_its_offer_is_under_way_and_nothing_is_left() {
    for bye in [false, true] {
        let mut net = Net::new();
        let (handle, invite, again) = offering(&mut net, &[]);
        if bye {
            let bye = in_dialog(PEER, &invite, "BYE", 1, "");
            net.send(PEER, HOME, bye);
        } else {
            net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
        }
        net.exchange();
        net.reply(PEER, &again, 487, &[], "");
        net.exchange();
        net.ended(HOME);
        net.run(seconds(80));
        net.assert_idle(HOME);
    }
}
