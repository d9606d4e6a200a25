//! Calls over TLS, and `sips` URIs.

use sip_message::Method;
use sip_proto::{CallError, Event, NewCall, Target, Transport};

use crate::net::{HOME, Net, OFFER, PEER, PEER_2, in_dialog, ms, request, status};

/// A network on which everything goes over TLS.
fn tls() -> Net {
    let mut net = Net::new();
    net.transport = Transport::Tls;
    net
}

fn to_sips(net: &Net) -> NewCall {
    let new = net.new_call(&[PEER]);
    let uri = format!("sips:john@127.0.0.1:{PEER}").parse().unwrap();
    NewCall { targets: vec![Target { uri, ..new.targets[0].clone() }], ..new }
}

#[test]
fn a_call_over_tls_says_so_and_is_not_sent_twice() {
    let mut net = tls();
    net.call(&[PEER]);
    let invite = net.request(PEER, Method::Invite);
    assert!(invite.headers.get("Via").unwrap().starts_with("SIP/2.0/TLS 127.0.0.1:5060;"));
    assert_eq!(invite.headers.get("Contact"), Some("<sip:bot@127.0.0.1:5060;transport=tls>"));
    net.run(ms(5000));
    assert_eq!(net.count(HOME, "INVITE"), 1);
}

#[test]
fn a_call_to_a_sips_uri_has_a_sips_contact_until_it_ends() {
    let mut net = tls();
    let new = to_sips(&net);
    let handle = net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    assert_eq!(invite.headers.get("Contact"), Some("<sips:bot@127.0.0.1:5060>"));
    net.accept(PEER, &invite);
    net.exchange();
    net.inbox(PEER);
    net.at(HOME, |endpoint, now| endpoint.offer(handle, OFFER.into(), now)).unwrap();
    net.exchange();
    let again = net.request(PEER, Method::Invite);
    assert_eq!(again.headers.get("Contact"), Some("<sips:bot@127.0.0.1:5060>"));
}

#[test]
fn a_sips_uri_is_not_called_by_an_insecure_way() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut net = Net::new();
        net.transport = transport;
        let new = to_sips(&net);
        assert_eq!(net.at(HOME, |endpoint, now| endpoint.call(new, now)), Err(CallError::Insecure));
        net.assert_idle(HOME);
    }
}

#[test]
fn a_caller_who_wants_security_gets_a_sips_contact() {
    let sips = ("Contact", "<sips:peer@127.0.0.1:6001>");
    let cases = [
        ("sips:bot@127.0.0.1", vec![], true),
        ("sip:bot@127.0.0.1", vec![sips], true),
        ("sip:bot@127.0.0.1", vec![("Record-Route", "<sips:p.example;lr>")], true),
        ("sip:bot@127.0.0.1", vec![sips, ("Record-Route", "<sip:p.example;lr>")], false),
        ("sip:bot@127.0.0.1", vec![], false),
    ];
    for (uri, fields, is_secure) in cases {
        let mut net = tls();
        net.send(PEER, HOME, request(PEER, "INVITE", uri, &fields, OFFER));
        net.exchange();
        let events = net.events(HOME);
        let [Event::Incoming(incoming)] = events.as_slice() else { panic!("{events:?}") };
        let handle = incoming.handle;
        net.at(HOME, |endpoint, now| endpoint.ring(handle, now)).unwrap();
        net.exchange();
        let ringing = net.responses(PEER).pop().unwrap();
        let contact = ringing.headers.get("Contact").unwrap();
        assert_eq!(contact.starts_with("<sips:"), is_secure, "{contact} for {uri} {fields:?}");
        assert_eq!(ringing.status, status(180));
    }
}

#[test]
fn a_call_over_tls_is_not_moved_to_an_insecure_way() {
    let mut net = tls();
    let (handle, invite) = net.answered(&[]);
    net.transport = Transport::Tcp;
    net.send(PEER_2, HOME, in_dialog(PEER, &invite, "OPTIONS", 1, ""));
    net.exchange();
    assert_eq!(net.response(PEER_2).status, status(200));
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    net.request(PEER, Method::Bye);
}
