//! Incoming calls, between two endpoints or from a hand-driven peer.

use bytes::Bytes;
use sip_message::{Method, Request};
use sip_proto::{CallError, CallHandle, Config, EndCause, Event, Rejection, Transport};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, PEER_2, request, seconds, status};

const BOT: &str = "sip:bot@127.0.0.1:5060";

fn answer() -> Bytes {
    Bytes::from_static(ANSWER.as_bytes())
}

/// A call of [`PEER`] to the endpoint; gives its INVITE and its handle there.
fn incoming(net: &mut Net, fields: &[(&str, &str)], offer: &str) -> (Request, CallHandle) {
    let invite = request(PEER, "INVITE", BOT, fields, offer);
    net.send(PEER, HOME, invite.clone());
    net.exchange();
    match net.events(HOME).as_slice() {
        [Event::Incoming(incoming)] => (invite, incoming.handle),
        events => panic!("{events:?}"),
    }
}

/// An ACK or other request of [`PEER`] in the dialog that the response opened.
fn follow_up(net: &mut Net, invite: &Request, method: &str, cseq: u32) -> Request {
    let response = net.responses(PEER).pop().expect("a response");
    let mut request = request(PEER, method, BOT, &[], "");
    request.headers.set("To", response.headers.to().unwrap());
    request.headers.set("Call-ID", invite.headers.call_id().unwrap());
    request.headers.set("CSeq", format!("{cseq} {method}"));
    request.headers.set("Via", format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKf{method}{cseq}"));
    request
}

#[test]
fn a_call_from_endpoint_to_endpoint_is_answered_and_confirmed() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut net = Net::pair();
        net.transport = transport;
        let caller = net.call(&[PEER]);
        let events = net.events(PEER);
        let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(incoming.offer.as_deref(), Some(OFFER.as_bytes()));
        assert_eq!(incoming.from.display.as_deref(), Some("A bot"));
        let callee = incoming.handle;
        net.at(PEER, |endpoint, now| endpoint.ring(callee, now)).unwrap();
        net.at(PEER, |endpoint, now| endpoint.answer(callee, answer(), now)).unwrap();
        net.exchange();
        assert!(matches!(
            net.events(HOME).as_slice(),
            [Event::Trying { .. }, Event::Ringing { .. }, Event::Answered { sdp, .. }] if sdp == ANSWER
        ));
        assert_eq!(net.events(PEER), [Event::Confirmed { handle: callee, sdp: None }]);
        net.at(PEER, |endpoint, now| endpoint.hang_up(callee, None, now)).unwrap();
        net.exchange();
        assert_eq!(
            net.events(HOME),
            [Event::Ended { handle: caller, cause: EndCause::RemoteBye { reason: None } }]
        );
        net.run(seconds(40));
        net.assert_idle(HOME);
        net.assert_idle(PEER);
    }
}

#[test]
fn a_rejected_call_tells_its_status_and_when_to_try_again() {
    let mut net = Net::new();
    let (_, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.reject(handle, status(480), Some(30), now)).unwrap();
    net.exchange();
    let response = net.response(PEER);
    assert_eq!((response.status, response.headers.retry_after()), (status(480), Some(30)));
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn a_call_is_rejected_with_every_status_that_says_why() {
    for code in [302, 403, 480, 486, 487, 500, 503, 603] {
        let mut net = Net::pair();
        net.call(&[PEER]);
        let Some(Event::Incoming(incoming)) = net.events(PEER).pop() else { panic!("no call") };
        let rejection = Rejection::new(status(code));
        net.at(PEER, |endpoint, now| endpoint.reject_with(incoming.handle, &rejection, now)).unwrap();
        net.exchange();
        let reason = status(code).reason().to_owned();
        let cause = EndCause::Rejected { status: status(code), reason, contacts: vec![], retry_after: None };
        assert_eq!(net.ended(HOME), cause);
        assert_eq!(net.ended(PEER), EndCause::LocalHangUp);
        net.run(seconds(40));
        net.assert_idle(HOME);
        net.assert_idle(PEER);
    }
}

#[test]
fn a_caller_is_sent_elsewhere_with_contacts_in_order() {
    let mut net = Net::new();
    let (_, handle) = incoming(&mut net, &[], OFFER);
    let contacts = ["<sip:mary@contoso.example>;q=0.9", "<tel:+15550100>"].map(|text| text.parse().unwrap());
    let mut rejection = Rejection::redirect(contacts.into());
    rejection.reason = Some("Ask\r\nMary".to_owned());
    rejection.headers = vec![("X-Why".to_owned(), "lunch".to_owned()), ("To".to_owned(), "me".to_owned())];
    net.at(HOME, |endpoint, now| endpoint.reject_with(handle, &rejection, now)).unwrap();
    net.exchange();
    let response = net.response(PEER);
    assert_eq!((response.status, response.reason.as_str()), (status(302), "AskMary"));
    let contacts: Vec<_> = response.headers.get_all("Contact").collect();
    assert_eq!(contacts, ["<sip:mary@contoso.example>;q=0.9", "<tel:+15550100>"]);
    assert_eq!((response.headers.get("X-Why"), response.headers.get_all("To").count()), (Some("lunch"), 1));
}

#[test]
fn repeats_of_an_invite_are_absorbed_and_told_nobody() {
    let mut net = Net::new();
    let (invite, handle) = incoming(&mut net, &[], OFFER);
    net.send(PEER, HOME, invite.clone());
    net.send(PEER, HOME, invite);
    net.exchange();
    assert_eq!(net.events(HOME), []);
    let repeats: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
    assert_eq!(repeats, [100, 100, 100]);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    assert_eq!(net.endpoint(HOME).calls(), 1);
}

#[test]
fn a_2xx_repeats_until_its_ack_and_a_missing_ack_ends_the_call() {
    let mut net = Net::new();
    let (_, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    net.run(seconds(31));
    assert_eq!(net.count(HOME, "SIP/2.0 200"), 10, "T1 doubling to T2");
    net.run(seconds(1));
    assert_eq!(net.ended(HOME), EndCause::NoAck);
    assert_eq!(net.count(HOME, "BYE"), 1);
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn an_ack_stops_the_repeats() {
    let mut net = Net::new();
    let (invite, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    net.exchange();
    let ack = follow_up(&mut net, &invite, "ACK", 1);
    net.send(PEER, HOME, ack);
    net.run(seconds(31));
    assert_eq!(net.count(HOME, "SIP/2.0 200"), 1);
    assert_eq!(net.events(HOME), [Event::Confirmed { handle, sdp: None }]);
}

#[test]
fn an_invite_without_an_offer_gets_one_and_answers_in_its_ack() {
    let mut net = Net::new();
    let invite = request(PEER, "INVITE", BOT, &[], "");
    net.send(PEER, HOME, invite.clone());
    net.exchange();
    let events = net.events(HOME);
    let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(incoming.offer, None);
    let handle = incoming.handle;
    net.at(HOME, |endpoint, now| endpoint.answer(handle, Bytes::from_static(OFFER.as_bytes()), now)).unwrap();
    net.exchange();
    let mut ack = follow_up(&mut net, &invite, "ACK", 1);
    ack.headers.push("Content-Type", "application/sdp");
    ack.body = answer();
    net.send(PEER, HOME, ack);
    net.exchange();
    assert_eq!(net.events(HOME), [Event::Confirmed { handle, sdp: Some(answer()) }]);
}

#[test]
fn an_ack_without_the_answer_to_our_offer_ends_the_call() {
    let mut net = Net::new();
    let (invite, handle) = incoming(&mut net, &[], "");
    net.at(HOME, |endpoint, now| endpoint.answer(handle, Bytes::from_static(OFFER.as_bytes()), now)).unwrap();
    net.exchange();
    let ack = follow_up(&mut net, &invite, "ACK", 1);
    net.send(PEER, HOME, ack);
    net.exchange();
    assert_eq!(net.events(HOME), [Event::Ended { handle, cause: EndCause::MissingAnswer }]);
    let bye = net.request(PEER, Method::Bye);
    net.reply(PEER, &bye, 200, &[], "");
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn a_caller_that_gives_up_gets_487_with_the_tag_of_its_ringing() {
    let mut net = Net::new();
    let (invite, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.ring(handle, now)).unwrap();
    let mut cancel = request(PEER, "CANCEL", BOT, &[], "");
    cancel.headers.set("Via", invite.headers.get("Via").unwrap());
    net.send(PEER, HOME, cancel);
    net.exchange();
    let responses = net.responses(PEER);
    let tag = |at: usize| responses[at].headers.to().unwrap().tag().map(str::to_owned);
    assert_eq!((tag(1), tag(2)), (tag(3), tag(3)));
    let codes: Vec<_> = responses
        .iter()
        .map(|response| (response.status.as_u16(), response.headers.cseq().unwrap().method))
        .collect();
    let invite = Method::Invite;
    assert_eq!(codes[1..], [(180, invite.clone()), (200, Method::Cancel), (487, invite)]);
    assert_eq!(net.ended(HOME), EndCause::Cancelled);
    let refused = net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now));
    assert_eq!(refused, Err(CallError::Unknown));
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn a_caller_whose_call_was_answered_elsewhere_says_so_in_the_cancel() {
    let mut net = Net::new();
    let (invite, _) = incoming(&mut net, &[], OFFER);
    let reason = ("Reason", "SIP ;cause=200 ;text=\"Call completed elsewhere\"");
    let mut cancel = request(PEER, "CANCEL", BOT, &[reason], "");
    cancel.headers.set("Via", invite.headers.get("Via").unwrap());
    net.send(PEER, HOME, cancel);
    net.exchange();
    assert_eq!(net.responses(PEER).last().unwrap().status, status(487));
    assert_eq!(net.ended(HOME), EndCause::AnsweredElsewhere);
}

#[test]
fn a_bye_before_the_answer_ends_the_call_with_487() {
    let mut net = Net::new();
    let (invite, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.ring(handle, now)).unwrap();
    net.exchange();
    let bye = follow_up(&mut net, &invite, "BYE", 2);
    net.send(PEER, HOME, bye);
    net.exchange();
    let codes: Vec<_> = net.responses(PEER).iter().map(|response| response.status.as_u16()).collect();
    assert_eq!(codes, [200, 487]);
    assert!(matches!(net.ended(HOME), EndCause::RemoteBye { .. }));
}

#[test]
fn a_hang_up_right_after_the_answer_waits_for_the_ack() {
    let mut net = Net::new();
    let (invite, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    assert_eq!((net.count(HOME, "BYE"), net.endpoint(HOME).calls()), (0, 0));
    let ack = follow_up(&mut net, &invite, "ACK", 1);
    net.send(PEER, HOME, ack);
    net.exchange();
    let bye = net.request(PEER, Method::Bye);
    net.reply(PEER, &bye, 200, &[], "");
    net.run(seconds(40));
    assert_eq!(net.events(HOME), []);
    net.assert_idle(HOME);
}

#[test]
fn a_hang_up_whose_ack_never_comes_sends_its_bye_in_the_end() {
    let mut net = Net::new();
    let (_, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.run(seconds(33));
    assert_eq!(net.count(HOME, "BYE"), 2, "the first one and its repeat");
    net.run(seconds(40));
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    net.assert_idle(HOME);
}

#[test]
fn a_call_that_nobody_answers_ends_at_the_limit() {
    let mut net = Net::new();
    incoming(&mut net, &[], OFFER);
    net.run(Config::default().ring_limit);
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::Timeout);
    assert_eq!(net.response(PEER).status, status(480));
}

#[test]
fn the_same_invite_by_another_way_is_a_loop() {
    let mut net = Net::new();
    let (mut invite, _) = incoming(&mut net, &[], OFFER);
    invite.headers.set("Via", "SIP/2.0/UDP 127.0.0.1:6002;branch=z9hG4bKother");
    net.send(PEER_2, HOME, invite);
    net.exchange();
    assert_eq!(net.response(PEER_2).status, status(482));
    assert_eq!(net.events(HOME), []);
}

#[test]
fn a_route_is_recorded_and_followed() {
    let mut net = Net::new();
    let fields = [("Record-Route", "<sip:127.0.0.1:6001;lr>, <sip:proxy.example;lr>")];
    let (invite, handle) = incoming(&mut net, &fields, OFFER);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    net.exchange();
    let ack = follow_up(&mut net, &invite, "ACK", 1);
    net.send(PEER, HOME, ack);
    net.exchange();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    let bye = net.request(PEER, Method::Bye);
    let routes: Vec<_> = bye.headers.routes().unwrap().iter().map(|route| route.uri.to_string()).collect();
    assert_eq!(routes, ["sip:127.0.0.1:6001;lr", "sip:proxy.example;lr"]);
    assert_eq!(bye.uri.to_string(), "sip:peer@127.0.0.1:6001");
}

#[test]
fn responses_go_to_the_port_of_via_unless_rport_asks_for_the_source() {
    let mut net = Net::new();
    for (port, params, to) in [(6002, "", 6001), (6002, ";rport", 6002)] {
        let via = format!("SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKv{to}{params}");
        net.send(port, HOME, request(PEER, "OPTIONS", BOT, &[("Via", &via)], ""));
        net.exchange();
        let via = net.response(to).headers.top_via().unwrap();
        assert_eq!(via.rport(), (to == 6002).then_some(6002));
    }
}

#[test]
fn an_incoming_call_on_a_connection_that_breaks_is_over() {
    let mut net = Net::new();
    net.transport = Transport::Tcp;
    let (_, _) = incoming(&mut net, &[], OFFER);
    let flow = net.flow(HOME, PEER);
    net.at(HOME, |endpoint, now| endpoint.handle_flow_closed(flow, now));
    assert_eq!(net.ended(HOME), EndCause::TransportFailed);
    net.assert_idle(HOME);
}

#[test]
fn an_offer_that_overtakes_the_ack_confirms_the_call() {
    let mut net = Net::new();
    let (invite, handle) = incoming(&mut net, &[], OFFER);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    net.exchange();
    let mut update = follow_up(&mut net, &invite, "UPDATE", 2);
    update.headers.push("Content-Type", "application/sdp");
    update.body = answer();
    net.send(PEER, HOME, update);
    net.exchange();
    let offered = Event::OfferReceived { handle, sdp: Some(answer()) };
    assert_eq!(net.events(HOME), [Event::Confirmed { handle, sdp: None }, offered]);
}

#[test]
fn a_refresh_that_fails_while_a_bye_waits_is_not_told() {
    let mut net = Net::new();
    let fields = [("Allow", "UPDATE"), ("Session-Expires", "90;refresher=uas")];
    let (invite, handle) = incoming(&mut net, &fields, OFFER);
    net.at(HOME, |endpoint, now| endpoint.answer(handle, answer(), now)).unwrap();
    net.exchange();
    let ack = follow_up(&mut net, &invite, "ACK", 1);
    net.send(PEER, HOME, ack.clone());
    net.run(seconds(45));
    let refresh = net.request(PEER, Method::Update);
    let mut again = ack;
    again.method = Method::Invite;
    again.headers.set("CSeq", "2 INVITE");
    again.headers.set("Via", "SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKagain");
    net.send(PEER, HOME, again);
    net.exchange();
    net.at(HOME, |endpoint, now| endpoint.answer_offer(handle, Ok(answer()), now)).unwrap();
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.reply(PEER, &refresh, 481, &[], "");
    net.run(seconds(80));
    assert_eq!(net.ended(HOME), EndCause::LocalHangUp);
    net.assert_idle(HOME);
}
