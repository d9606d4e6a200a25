//! The registrar, from REGISTER to the call that uses the binding.

use sip_message::digest::{Algorithm, Answer, Challenge, Ha1};
use sip_message::{Method, Request, Response};
use sip_proto::{Config, Event, Flow, Limits, NewCall, Registration, Target, Transport};

use crate::net::{HOME, Net, PEER, PEER_2, addr, request, seconds, status};

const AOR: &str = "john@contoso.example";

/// A phone that registers from one port.
struct Phone {
    port: u16,
    username: &'static str,
    password: &'static str,
    algorithm: Algorithm,
    cseq: u32,
    challenge: Option<Challenge>,
    count: u32,
}

impl Phone {
    fn new(port: u16) -> Self {
        Self {
            port,
            username: "john",
            password: "secret",
            algorithm: Algorithm::Md5,
            cseq: 0,
            challenge: None,
            count: 0,
        }
    }

    /// A REGISTER, with credentials once there is a challenge.
    fn request(&mut self, fields: &[(&str, &str)]) -> Request {
        self.cseq += 1;
        let (cseq, port) = (self.cseq, self.port);
        let mut register = request(port, "REGISTER", "sip:contoso.example", &[], "");
        register.headers.set("Via", format!("SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKr{cseq}"));
        register.headers.set("CSeq", format!("{cseq} REGISTER"));
        register.headers.set("To", "<sip:john@contoso.example>");
        register.headers.set("Contact", format!("<sip:john@127.0.0.1:{port}>"));
        for (name, value) in fields {
            register.headers.set(name, *value);
        }
        if let Some(challenge) = &self.challenge {
            self.count += 1;
            let ha1 = Ha1::new(self.algorithm, self.username, &challenge.realm, self.password);
            let answer = Answer {
                username: self.username,
                ha1: &ha1,
                method: &register.method,
                uri: &register.uri,
                cnonce: "c",
                count: self.count,
            };
            register.headers.push("Authorization", challenge.answer(&answer).unwrap().to_string());
        }
        register
    }

    fn send(&mut self, net: &mut Net, fields: &[(&str, &str)]) -> Response {
        let register = self.request(fields);
        net.send(self.port, HOME, register);
        net.exchange();
        let response = net.response(self.port);
        if response.status == status(401) {
            let mut challenge = Challenge::strongest(&response.headers, "WWW-Authenticate").unwrap();
            challenge.algorithm = self.algorithm;
            self.challenge = Some(challenge);
            self.count = 0;
        }
        response
    }

    /// Registers through the challenge.
    fn register(&mut self, net: &mut Net, fields: &[(&str, &str)]) -> Response {
        let response = self.send(net, fields);
        if response.status == status(401) { self.send(net, fields) } else { response }
    }
}

fn contacts(net: &Net) -> Vec<String> {
    net.endpoint(HOME).bindings(AOR).iter().map(|binding| binding.contact.to_string()).collect()
}

#[test]
fn a_phone_registers_with_either_algorithm_and_either_name() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
        for username in ["john", AOR] {
            let mut net = Net::new();
            let mut phone = Phone { algorithm, username, ..Phone::new(PEER) };
            assert_eq!(phone.send(&mut net, &[]).status, status(401));
            let response = phone.send(&mut net, &[("Expires", "120")]);
            assert_eq!(response.status, status(200));
            let contact = response.headers.contact().unwrap().unwrap();
            assert_eq!(
                (contact.uri.to_string().as_str(), contact.expires()),
                ("sip:john@127.0.0.1:6001", Some(120))
            );
            assert_eq!(net.events(HOME), [Event::Registered { aor: AOR.to_owned(), contacts: 1 }]);
        }
    }
}

#[test]
fn challenges_come_in_the_order_of_the_configuration() {
    let challenges = vec![sip_proto::Challenge::Sha256, sip_proto::Challenge::Md5];
    let registration = Registration { challenges, ..Config::default().registration };
    let mut net = Net::with(Config { registration, ..Config::default() });
    let response = Phone::new(PEER).send(&mut net, &[]);
    let algorithms: Vec<_> = response
        .headers
        .get_all("WWW-Authenticate")
        .map(|value| value.parse::<Challenge>().unwrap().algorithm)
        .collect();
    assert_eq!(algorithms, [Algorithm::Sha256, Algorithm::Md5]);
    net.assert_idle(HOME);
}

#[test]
fn calls_take_the_way_on_which_the_registration_came() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.register(&mut net, &[("Contact", "<sip:john@10.0.0.7:9999;ob>")]);
    let binding = net.endpoint(HOME).bindings(AOR).remove(0);
    assert_eq!(
        (binding.flow.remote, binding.expires_at),
        (addr(PEER), net.now + seconds(300) - crate::net::ms(19))
    );
    let mut new = net.new_call(&[PEER]);
    new.targets = vec![Target { uri: binding.contact, flow: binding.flow }];
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    assert_eq!(invite.uri.to_string(), "sip:john@10.0.0.7:9999;ob");
}

#[test]
fn a_wrong_password_is_forbidden_and_an_unknown_user_looks_the_same() {
    for (username, password) in [("john", "guess"), ("nobody", "secret")] {
        let mut net = Net::new();
        let mut phone = Phone { username, password, ..Phone::new(PEER) };
        assert_eq!(phone.register(&mut net, &[]).status, status(403));
        assert_eq!(contacts(&net), [""; 0]);
        assert_eq!(net.events(HOME), []);
    }
}

#[test]
fn nobody_registers_for_somebody_else() {
    let mut net = Net::new();
    for to in ["<sip:mary@contoso.example>", "<sip:john@fabrikam.example>"] {
        let mut phone = Phone::new(PEER);
        phone.cseq = net.now.as_secs() as u32;
        assert_eq!(phone.register(&mut net, &[("To", to)]).status, status(403), "{to}");
        net.run(seconds(40));
    }
    let mut phone = Phone::new(PEER_2);
    assert_eq!(phone.register(&mut net, &[("To", "<sip:john@127.0.0.1:5060>")]).status, status(200));
    assert_eq!(net.endpoint(HOME).bindings(AOR).len(), 1);
}

#[test]
fn a_stale_nonce_and_a_replay_are_challenged_again_without_blame() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.register(&mut net, &[]);
    net.run(seconds(301));
    let stale = phone.send(&mut net, &[]);
    assert_eq!(stale.status, status(401));
    assert!(phone.challenge.as_ref().unwrap().is_stale);
    assert_eq!(phone.send(&mut net, &[]).status, status(200));

    phone.count -= 1;
    let replay = phone.send(&mut net, &[]);
    assert_eq!(replay.status, status(401), "a nonce count is good once");
    assert_eq!(phone.send(&mut net, &[]).status, status(200));
}

#[test]
fn a_retransmission_is_no_replay() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.send(&mut net, &[]);
    let register = phone.request(&[]);
    for _ in 0..2 {
        net.send(PEER, HOME, register.clone());
        net.exchange();
        assert_eq!(net.response(PEER).status, status(200));
    }
    assert_eq!(net.events(HOME).len(), 1);
}

#[test]
fn guessing_is_stopped_for_a_while() {
    let limits = Limits { failures: 3, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..Config::default() });
    let mut guesser = Phone { password: "guess", ..Phone::new(PEER) };
    guesser.send(&mut net, &[]);
    for _ in 0..3 {
        assert_eq!(guesser.send(&mut net, &[]).headers.retry_after(), None);
    }
    let mut phone = Phone::new(PEER_2);
    let refused = phone.send(&mut net, &[]);
    assert_eq!((refused.status, refused.headers.retry_after()), (status(403), Some(59)));
    net.run(seconds(60));
    assert_eq!(phone.register(&mut net, &[]).status, status(200));
}

#[test]
fn made_up_nonces_lock_nobody_out_and_open_no_transaction() {
    let limits = Limits { failures: 3, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..Config::default() });
    let mut sender = Phone { password: "guess", ..Phone::new(PEER) };
    for nonce in ["junk", "", &"0".repeat(64), "made up", "again"] {
        sender.challenge = Some(Challenge {
            realm: "hookswitch".to_owned(),
            nonce: nonce.to_owned(),
            opaque: None,
            algorithm: Algorithm::Md5,
            is_stale: false,
            offers_auth: true,
        });
        assert_eq!(sender.send(&mut net, &[]).status, status(401), "{nonce}");
        net.assert_idle(HOME);
    }
    assert_eq!(Phone::new(PEER_2).register(&mut net, &[]).status, status(200));
}

#[test]
fn a_nonce_is_good_for_the_address_alone_that_asked_for_it() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.send(&mut net, &[]);
    let register = phone.request(&[]).to_bytes();
    let elsewhere = Flow { remote: ([10, 0, 0, 9], PEER).into(), ..net.flow(HOME, PEER) };
    net.at(HOME, |endpoint, now| endpoint.handle_receive(elsewhere, &register, now));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(401));
    assert_eq!(contacts(&net), [""; 0]);
    net.assert_idle(HOME);
}

#[test]
fn credentials_that_cannot_be_judged_open_no_transaction() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.send(&mut net, &[]);
    phone.challenge.as_mut().unwrap().offers_auth = false;
    assert_eq!(phone.send(&mut net, &[]).status, status(400));
    net.assert_idle(HOME);
}

#[test]
fn several_phones_are_bound_up_to_a_limit_and_the_oldest_goes() {
    let limits = Limits { contacts: 2, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..Config::default() });
    let mut phone = Phone::new(PEER);
    for port in [1, 2, 1, 3] {
        let contact = format!("<sip:john@127.0.0.1:{port}>");
        assert_eq!(phone.register(&mut net, &[("Contact", &contact)]).status, status(200));
    }
    assert_eq!(contacts(&net), ["sip:john@127.0.0.1:3", "sip:john@127.0.0.1:1"]);
    let many = "<sip:a@h>, <sip:b@h>, <sip:c@h>";
    assert_eq!(phone.register(&mut net, &[("Contact", many)]).status, status(403));
}

#[test]
fn as_many_phones_as_a_user_may_register_ring() {
    const PHONES: u16 = 10;
    let limits = Limits { contacts: PHONES.into(), ..Limits::default() };
    let mut net = Net::with(Config { limits, ..Config::default() });
    let mut phone = Phone::new(PEER);
    for port in 1..=PHONES {
        let contact = format!("<sip:john@127.0.0.1:{port}>");
        assert_eq!(phone.register(&mut net, &[("Contact", &contact)]).status, status(200));
    }
    let bindings = net.endpoint(HOME).bindings(AOR);
    let targets = bindings.into_iter().map(|binding| Target { uri: binding.contact, flow: binding.flow });
    let new = NewCall { targets: targets.collect(), ..net.new_call(&[]) };

    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    assert_eq!(net.requests(PEER, &Method::Invite).len(), PHONES.into());
}

#[test]
fn the_number_of_registered_users_is_bounded() {
    let limits = Limits { registrations: 0, ..Limits::default() };
    let mut net = Net::with(Config { limits, ..Config::default() });
    let response = Phone::new(PEER).register(&mut net, &[]);
    assert_eq!((response.status, response.headers.retry_after()), (status(503), Some(60)));
}

#[test]
fn lifetimes_are_bounded_and_the_contact_speaks_before_the_header() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    let brief = phone.register(&mut net, &[("Expires", "5")]);
    assert_eq!((brief.status, brief.headers.min_expires()), (status(423), Ok(Some(30))));
    let long = phone.register(&mut net, &[("Expires", "999999")]);
    assert_eq!(long.headers.contact().unwrap().unwrap().expires(), Some(300));
    let fields = [("Expires", "999"), ("Contact", "<sip:john@127.0.0.1:6001>;expires=60")];
    let own = phone.register(&mut net, &fields);
    assert_eq!(own.headers.contact().unwrap().unwrap().expires(), Some(60));
}

#[test]
fn bindings_end_by_time_by_zero_and_by_star() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.register(&mut net, &[("Expires", "60")]);
    net.run(seconds(61));
    assert_eq!(net.events(HOME).pop(), Some(Event::Unregistered { aor: AOR.to_owned() }));

    phone.register(&mut net, &[]);
    let response = phone.register(&mut net, &[("Expires", "0")]);
    assert_eq!((response.status, response.headers.has("Contact")), (status(200), false));
    assert_eq!(net.events(HOME).pop(), Some(Event::Unregistered { aor: AOR.to_owned() }));

    phone.register(&mut net, &[]);
    assert_eq!(phone.register(&mut net, &[("Contact", "*"), ("Expires", "60")]).status, status(400));
    assert_eq!(phone.register(&mut net, &[("Contact", "*"), ("Expires", "0")]).status, status(200));
    assert_eq!(contacts(&net), [""; 0]);
    net.run(seconds(40));
    net.assert_idle(HOME);
}

#[test]
fn an_empty_register_asks_for_the_bindings() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.register(&mut net, &[]);
    let mut query = phone.request(&[]);
    query.headers.remove("Contact");
    net.send(PEER, HOME, query);
    net.exchange();
    assert_eq!(
        net.response(PEER).headers.contact().unwrap().unwrap().uri.to_string(),
        "sip:john@127.0.0.1:6001"
    );
}

#[test]
fn an_older_register_of_the_same_phone_is_out_of_order() {
    let mut net = Net::new();
    let mut phone = Phone::new(PEER);
    phone.cseq = 10;
    phone.register(&mut net, &[]);
    phone.cseq = 5;
    assert_eq!(phone.send(&mut net, &[]).status, status(500));
    assert_eq!(net.endpoint(HOME).bindings(AOR).len(), 1);
}

#[test]
fn a_connection_that_ends_leaves_only_what_can_be_reached_again() {
    let mut net = Net::new();
    net.transport = Transport::Tcp;
    let mut phone = Phone::new(PEER);
    phone
        .register(&mut net, &[("Contact", "<sip:john@127.0.0.1:7001;transport=tcp>, <sip:x@phone.invalid>")]);
    let flow = net.flow(HOME, PEER);
    net.at(HOME, |endpoint, now| endpoint.handle_flow_closed(flow, now));
    let bindings = net.endpoint(HOME).bindings(AOR);
    assert_eq!(bindings.len(), 1);
    assert_eq!((bindings[0].flow.remote, bindings[0].flow.connection), (addr(7001), None));
}

#[test]
fn no_connection_is_opened_to_an_address_that_the_phone_did_not_come_from() {
    let mut net = Net::new();
    net.transport = Transport::Tcp;
    Phone::new(PEER).register(&mut net, &[("Contact", "<sip:john@10.0.0.7:6379;transport=tcp>")]);
    assert_eq!(net.endpoint(HOME).bindings(AOR).len(), 1);
    let flow = net.flow(HOME, PEER);
    net.at(HOME, |endpoint, now| endpoint.handle_flow_closed(flow, now));
    assert_eq!(contacts(&net), [""; 0]);
    assert_eq!(net.events(HOME).pop(), Some(Event::Unregistered { aor: AOR.to_owned() }));
}

#[test]
fn a_contact_that_is_no_sip_uri_is_refused() {
    let mut net = Net::new();
    let response = Phone::new(PEER).register(&mut net, &[("Contact", "<mailto:john@contoso.example>")]);
    assert_eq!(response.status, status(416));
}
