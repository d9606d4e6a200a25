//! Registrations of this side at a registrar, between two endpoints or at a hand-driven one.

use bytes::Bytes;
use sip_message::{Method, Request};
use sip_proto::{
    Config, Credentials, EndCause, Event, IncomingPolicy, Limits, NewCall, NewRegistration, Registration,
    RegistrationError, RegistrationFailure, RegistrationHandle, Target, Transport,
};

use crate::net::{ANSWER, Faults, HOME, Net, PEER, config, ms, seconds, status};

const AOR: &str = "john@contoso.example";

fn new_registration(net: &Net, from: u16, to: u16) -> NewRegistration {
    NewRegistration {
        registrar: "sip:contoso.example".parse().unwrap(),
        flow: net.flow(from, to),
        aor: "<sip:john@contoso.example>".parse().unwrap(),
        contact: None,
        credentials: Some(Credentials::new("john", "secret")),
        expires: seconds(600),
    }
}

/// A registrar at [`HOME`] that wants to know who calls, and a phone at [`PEER`].
fn stage(registration: Registration) -> Net {
    let mut net =
        Net::with(Config { registration, incoming: IncomingPolicy::Authenticate, ..Config::default() });
    net.add_endpoint(PEER, config());
    net
}

fn register(net: &mut Net, new: NewRegistration) -> RegistrationHandle {
    let registration = net.at(PEER, |endpoint, now| endpoint.register(new, now)).unwrap();
    net.exchange();
    registration
}

/// [`HOME`] registers at [`PEER`], which the test drives; gives its first REGISTER.
fn asking(net: &mut Net) -> (RegistrationHandle, Request) {
    let new = new_registration(net, HOME, PEER);
    let registration = net.at(HOME, |endpoint, now| endpoint.register(new, now)).unwrap();
    net.exchange();
    (registration, net.request(PEER, Method::Register))
}

fn grant(net: &mut Net, register: &Request, expires: &str) {
    let contact = format!("{};expires={expires}", register.headers.get("Contact").unwrap());
    net.reply(PEER, register, 200, &[("Contact", &contact)], "");
    net.exchange();
}

#[test]
fn a_registration_is_refreshed_at_once_where_that_is_wanted() {
    let mut net = Net::new();
    let (registration, first) = asking(&mut net);
    let refresh = |net: &mut Net| net.at(HOME, |endpoint, now| endpoint.refresh(registration, now));
    assert_eq!(refresh(&mut net), Ok(()));
    net.exchange();
    assert!(net.requests(PEER, &Method::Register).is_empty(), "one is under way");
    grant(&mut net, &first, "600");
    assert_eq!(refresh(&mut net), Ok(()));
    net.exchange();
    let second = net.request(PEER, Method::Register);
    assert_eq!(second.headers.call_id(), first.headers.call_id());
    grant(&mut net, &second, "600");
    net.at(HOME, |endpoint, now| endpoint.unregister(registration, now)).unwrap();
    assert_eq!(refresh(&mut net), Err(RegistrationError::Unknown));
    let expires = seconds(600);
    assert_eq!(net.events(HOME), vec![Event::RegistrationAccepted { registration, expires }; 2]);
}

#[test]
fn a_phone_registers_refreshes_in_time_and_leaves() {
    for (transport, challenge) in
        [(Transport::Udp, sip_proto::Challenge::Md5), (Transport::Tcp, sip_proto::Challenge::Sha256)]
    {
        let rules = Registration { challenges: vec![challenge], ..Config::default().registration };
        let mut net = stage(rules);
        net.transport = transport;
        let new = new_registration(&net, PEER, HOME);
        let registration = register(&mut net, new);
        let expires = seconds(300);
        assert_eq!(net.events(PEER), [Event::RegistrationAccepted { registration, expires }]);
        let bindings = net.endpoint(HOME).bindings(AOR);
        let transport = if transport == Transport::Tcp { ";transport=tcp" } else { "" };
        assert_eq!(bindings[0].contact.to_string(), format!("sip:john@127.0.0.1:6001{transport}"));

        net.run(seconds(3600));
        assert_eq!(net.endpoint(HOME).bindings(AOR).len(), 1);
        let refreshed = net.events(PEER);
        assert_eq!(refreshed.len(), 13, "every 268 seconds");
        assert!(!net.events(HOME).iter().any(|event| matches!(event, Event::Unregistered { .. })));

        net.at(PEER, |endpoint, now| endpoint.unregister(registration, now)).unwrap();
        net.exchange();
        assert_eq!(net.events(PEER), [Event::RegistrationEnded { registration }]);
        assert_eq!(net.events(HOME).pop(), Some(Event::Unregistered { aor: AOR.to_owned() }));
        let again = net.at(PEER, |endpoint, now| endpoint.unregister(registration, now));
        assert_eq!(again, Err(RegistrationError::Unknown));
        net.run(seconds(40));
        net.assert_idle(PEER);
        assert_eq!(net.endpoint(PEER).poll_timeout(), None);
    }
}

#[test]
fn a_registered_phone_is_called_and_calls() {
    let mut net = stage(Config::default().registration);
    let new = new_registration(&net, PEER, HOME);
    register(&mut net, new);
    net.events(PEER);
    let binding = net.endpoint(HOME).bindings(AOR).remove(0);
    let targets = vec![Target { uri: binding.contact, flow: binding.flow }];
    let new = NewCall { targets, ..net.new_call(&[]) };
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let Some(Event::Incoming(incoming)) = net.events(PEER).pop() else { panic!("no call") };
    let answer = Bytes::from_static(ANSWER.as_bytes());
    net.at(PEER, |endpoint, now| endpoint.answer(incoming.handle, answer, now)).unwrap();
    net.exchange();
    assert!(matches!(net.events(HOME).last(), Some(Event::Answered { .. })));

    let mut new = net.new_call(&[HOME]);
    new.credentials = Some(Credentials::new(AOR, "secret"));
    net.at(PEER, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let Some(Event::Incoming(incoming)) = net.events(HOME).pop() else { panic!("no call") };
    assert_eq!(incoming.caller.as_deref(), Some(AOR));
}

#[test]
fn a_phone_on_a_connection_calls_without_being_asked_again() {
    let mut net = stage(Config::default().registration);
    net.transport = Transport::Tcp;
    let new = new_registration(&net, PEER, HOME);
    register(&mut net, new);
    let mut new = net.new_call(&[HOME]);
    new.from = "<sip:john@contoso.example>".parse().unwrap();
    net.at(PEER, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let Some(Event::Incoming(incoming)) = net.events(HOME).pop() else { panic!("no call") };
    assert_eq!(incoming.caller.as_deref(), Some(AOR));
    assert_eq!(net.count(PEER, "INVITE"), 1);
}

#[test]
fn an_interval_that_is_too_brief_is_raised() {
    let mut net = stage(Registration { min_expires: seconds(120), ..Config::default().registration });
    let new = NewRegistration { expires: seconds(60), ..new_registration(&net, PEER, HOME) };
    let registration = register(&mut net, new);
    let accepted = [Event::RegistrationAccepted { registration, expires: seconds(120) }];
    assert_eq!(net.events(PEER), accepted);
    net.log.clear();
    net.run(seconds(100));
    assert_eq!(net.events(PEER), accepted);
    assert_eq!(net.count(HOME, "SIP/2.0 423"), 0, "a refresh asks for what was granted");
}

#[test]
fn a_refusal_is_told_with_all_that_it_says_and_ends_the_registration() {
    let mut net = Net::new();
    let (registration, ask) = asking(&mut net);
    net.reply(PEER, &ask, 503, &[("Retry-After", "30")], "");
    net.exchange();
    let reason = status(503).reason().to_owned();
    let cause = RegistrationFailure::Refused { status: status(503), reason, retry_after: Some(30) };
    assert_eq!(net.events(HOME), [Event::RegistrationFailed { registration, cause }]);
    let late = net.at(HOME, |endpoint, now| endpoint.unregister(registration, now));
    assert_eq!(late, Err(RegistrationError::Unknown));
    net.run(seconds(400));
    net.assert_idle(HOME);
    assert_eq!(net.requests(PEER, &Method::Register), []);
}

#[test]
fn a_wrong_password_fails_and_is_not_tried_again() {
    let mut net = stage(Config::default().registration);
    let mut new = new_registration(&net, PEER, HOME);
    new.credentials = Some(Credentials::new("john", "guess"));
    register(&mut net, new);
    let events = net.events(PEER);
    let [Event::RegistrationFailed { cause: RegistrationFailure::Refused { status: code, .. }, .. }] =
        events.as_slice()
    else {
        panic!("{events:?}")
    };
    assert_eq!((*code, net.count(PEER, "REGISTER")), (status(403), 2));
}

#[test]
fn endless_challenges_and_intervals_come_to_an_end() {
    let challenge = "Digest realm=\"far\", nonce=\"n\", algorithm=MD5, qop=\"auth\", stale=true";
    let fields: [(u16, (&str, &str)); 2] =
        [(401, ("WWW-Authenticate", challenge)), (423, ("Min-Expires", "4294967295"))];
    for (code, field) in fields {
        let mut net = Net::new();
        let (_, first) = asking(&mut net);
        let mut next = Some(first);
        for _ in 0..10 {
            if let Some(register) = next.take() {
                net.reply(PEER, &register, code, &[field], "");
                net.exchange();
                next = net.requests(PEER, &Method::Register).pop();
            }
        }
        assert!(net.count(HOME, "REGISTER") <= 4);
        assert!(matches!(net.events(HOME).as_slice(), [Event::RegistrationFailed { .. }]), "{code}");
    }
}

#[test]
fn a_registrar_that_is_gone_is_a_timeout_at_first_and_at_a_refresh() {
    let mut net = Net::new();
    let (registration, ask) = asking(&mut net);
    grant(&mut net, &ask, "100");
    assert_eq!(net.events(HOME), [Event::RegistrationAccepted { registration, expires: seconds(100) }]);
    net.run(seconds(67));
    assert_eq!(net.requests(PEER, &Method::Register), []);
    net.run(seconds(1));
    let refresh = net.request(PEER, Method::Register);
    assert_eq!(refresh.headers.call_id(), ask.headers.call_id());
    assert_eq!(refresh.headers.cseq().unwrap().seq, ask.headers.cseq().unwrap().seq + 1);
    net.run(seconds(33));
    let cause = RegistrationFailure::Timeout;
    assert_eq!(net.events(HOME), [Event::RegistrationFailed { registration, cause }]);
    net.assert_idle(HOME);
}

#[test]
fn a_registrar_that_grants_next_to_nothing_is_not_hurried() {
    for granted in ["0", "1", "4294967295"] {
        let mut net = Net::new();
        let (_, ask) = asking(&mut net);
        grant(&mut net, &ask, granted);
        net.run(ms(4900));
        assert_eq!(net.requests(PEER, &Method::Register), [], "{granted}");
    }
}

#[test]
fn a_connection_that_ends_takes_the_registration_with_it() {
    let mut net = stage(Config::default().registration);
    net.transport = Transport::Tcp;
    let new = new_registration(&net, PEER, HOME);
    let registration = register(&mut net, new);
    net.events(PEER);
    let flow = net.flow(PEER, HOME);
    net.at(PEER, |endpoint, now| endpoint.handle_flow_closed(flow, now));
    let cause = RegistrationFailure::TransportFailed;
    assert_eq!(net.events(PEER), [Event::RegistrationFailed { registration, cause }]);
    net.run(seconds(40));
    net.assert_idle(PEER);
    assert_eq!(net.endpoint(PEER).poll_timeout(), None);
}

#[test]
fn leaving_waits_for_the_answer_that_is_under_way() {
    for code in [200, 503] {
        let mut net = Net::new();
        let (registration, ask) = asking(&mut net);
        net.at(HOME, |endpoint, now| endpoint.unregister(registration, now)).unwrap();
        net.exchange();
        assert_eq!(net.requests(PEER, &Method::Register), []);
        net.reply(PEER, &ask, code, &[], "");
        net.exchange();
        let leave = net.request(PEER, Method::Register);
        assert_eq!(leave.headers.expires(), Ok(Some(0)));
        assert_eq!(net.events(HOME), []);
        net.reply(PEER, &leave, 500, &[], "");
        net.exchange();
        assert_eq!(net.events(HOME), [Event::RegistrationEnded { registration }], "whatever it says");
        net.run(seconds(40));
        net.assert_idle(HOME);
    }
    let mut net = Net::new();
    let (registration, _) = asking(&mut net);
    net.at(HOME, |endpoint, now| endpoint.unregister(registration, now)).unwrap();
    net.run(seconds(33));
    assert_eq!(net.events(HOME), [Event::RegistrationEnded { registration }]);
}

#[test]
fn the_number_of_registrations_is_bounded() {
    let limits = Limits { registrations: 1, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..config() });
    asking(&mut net);
    let new = new_registration(&net, HOME, PEER);
    let refused = net.at(HOME, |endpoint, now| endpoint.register(new, now));
    assert_eq!(refused, Err(RegistrationError::Full));
}

#[test]
fn a_contact_of_the_users_choice_is_registered_as_it_is() {
    let mut net = Net::new();
    let contact = Some("sip:desk@192.0.2.7:5080".parse().unwrap());
    let new = NewRegistration { contact, ..new_registration(&net, HOME, PEER) };
    net.at(HOME, |endpoint, now| endpoint.register(new, now)).unwrap();
    net.exchange();
    let register = net.request(PEER, Method::Register);
    assert_eq!(register.headers.get("Contact"), Some("<sip:desk@192.0.2.7:5080>"));
    assert_eq!(register.uri.to_string(), "sip:contoso.example");
    assert_eq!(register.headers.to().unwrap().tag(), None);
    assert!(register.headers.from().unwrap().tag().is_some());
    // The contacts of other phones of the user do not count.
    net.reply(PEER, &register, 200, &[("Contact", "<sip:other@h>;expires=20"), ("Expires", "90")], "");
    net.exchange();
    assert!(matches!(
        net.events(HOME).as_slice(),
        [Event::RegistrationAccepted { expires, .. }] if *expires == seconds(90)
    ));
}

#[test]
fn a_phone_stays_registered_over_a_network_that_loses_and_doubles() {
    for seed in 1..=10 {
        let mut net = stage(Config::default().registration);
        net.seed(seed * 7919);
        net.faults = Faults { loss: 250, duplicates: 250, delay_ms: 300 };
        let new = new_registration(&net, PEER, HOME);
        net.at(PEER, |endpoint, now| endpoint.register(new, now)).unwrap();
        net.run(seconds(30));
        for _ in 0..20 {
            assert_eq!(net.endpoint(HOME).bindings(AOR).len(), 1, "seed {seed}");
            net.run(seconds(100));
        }
        assert!(!net.events(PEER).iter().any(|event| matches!(event, Event::RegistrationFailed { .. })));
    }
}

#[test]
fn a_call_refused_for_want_of_credentials_is_told_so() {
    let mut net = stage(Config::default().registration);
    let new = net.new_call(&[HOME]);
    net.at(PEER, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    assert!(matches!(net.ended(PEER), EndCause::Rejected { status: code, .. } if code == status(401)));
}
