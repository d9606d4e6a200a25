//! RFC 4475 at the user agent: what becomes of every message, over the wire.

#[path = "../../../sip-message/tests/torture/table.rs"]
mod table;

use bytes::Bytes;
use sip_message::digest::{Algorithm, Answer, Challenge, Ha1};
use sip_message::{Limits, Message, Request, parse_datagram};
use sip_proto::{Config, Endpoint, Event, Flow, Transport, UserCredentials, UserTable};

use self::table::{CASES, Case, Layer, Parsed, Treatment};
use crate::net::{addr, seconds};

const FLOW: Flow =
    Flow { transport: Transport::Udp, local: address(5060), remote: address(6001), connection: None };

const fn address(port: u16) -> std::net::SocketAddr {
    std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), port)
}

/// What the user agent does with the messages that RFC 4475 calls acceptable.
///
/// `None` in place of a status is no answer; `Some(100)` stands for a call that is put to the user.
const ACCEPTED: [(&str, Option<u16>); 19] = [
    // In a dialog, as its To has a tag, that is not known.
    ("wsinv", Some(481)),
    ("intmeth", Some(501)),
    ("esc01", Some(100)),
    ("escnull", Some(401)),
    ("esc02", Some(501)),
    ("lwsdisp", Some(200)),
    ("longreq", Some(100)),
    ("dblreq", Some(401)),
    ("semiuri", Some(200)),
    ("transports", Some(200)),
    ("mpart01", Some(405)),
    // Responses to nothing that was asked.
    ("unreason", None),
    ("noreason", None),
    ("baddate", Some(100)),
    ("zeromf", Some(200)),
    ("cparam01", Some(401)),
    ("cparam02", Some(401)),
    ("regescrt", Some(401)),
    ("inv2543", Some(100)),
];

fn endpoint(users: UserTable) -> Endpoint {
    Endpoint::new(crate::net::config(), [1; 32], Box::new(users))
}

/// What the user agent answers, as it is shipped, to what it would answer so if it put calls to its user.
fn refused(offered: Option<u16>) -> Option<u16> {
    match offered {
        Some(100) => Some(480),
        other => other,
    }
}

fn receive(endpoint: &mut Endpoint, octets: &Bytes) -> (Vec<Message>, Vec<Event>) {
    endpoint.handle_receive(FLOW, octets, seconds(1000));
    let sent = std::iter::from_fn(|| endpoint.poll_transmit())
        .map(|transmit| parse_datagram(&transmit.bytes, &Limits::default()));
    // The answer to a malformed Via repeats it, and is no message that this parser would take.
    let sent = sent.filter_map(Result::ok).collect();
    (sent, std::iter::from_fn(|| endpoint.poll_event()).collect())
}

fn statuses(sent: &[Message]) -> Vec<u16> {
    sent.iter()
        .map(|message| match message {
            Message::Response(response) => response.status.as_u16(),
            Message::Request(request) => panic!("{request:?}"),
        })
        .collect()
}

fn expected(case: &Case) -> Option<u16> {
    match case.treatment {
        Treatment::Accepted => ACCEPTED.iter().find(|(name, _)| *name == case.name).expect(case.name).1,
        // Matched by the rules of RFC 2543 and served.
        Treatment::AcceptedOrAnswered(_) => Some(200),
        Treatment::Answered(status) | Treatment::Refused(status) => Some(status),
        Treatment::Discarded => None,
    }
}

#[test]
fn every_message_gets_its_treatment() {
    assert_treated(&crate::net::config(), expected);
}

#[test]
fn every_message_gets_its_treatment_where_calls_are_refused() {
    assert_treated(&Config::default(), |case| refused(expected(case)));
}

fn assert_treated(config: &Config, expected: impl Fn(&Case) -> Option<u16>) {
    for case in &CASES {
        let mut endpoint = Endpoint::new(config.clone(), [1; 32], Box::new(UserTable::new()));
        endpoint.handle_receive(FLOW, &Bytes::from_static(case.octets), seconds(1000));
        let first = endpoint.poll_transmit();
        let status = first.as_ref().map(|transmit| {
            let line = String::from_utf8_lossy(&transmit.bytes).into_owned();
            line.split(' ').nth(1).unwrap().parse::<u16>().unwrap()
        });
        assert_eq!(status, expected(case), "{} ({}): {}", case.name, case.section, case.reason);
        assert_eq!(endpoint.poll_transmit(), None, "{}", case.name);
        let calls = usize::from(status == Some(100));
        assert_eq!(endpoint.calls(), calls, "{}", case.name);
        if case.layer == Layer::UserAgent && case.parsed == Parsed::Request {
            assert!(first.is_some(), "{}", case.name);
        }
    }
}

#[test]
fn refusals_name_what_would_be_taken() {
    for (name, header, value) in [
        ("bext01", "Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),
        ("invut", "Accept", "application/sdp"),
        ("mpart01", "Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, NOTIFY, REGISTER"),
    ] {
        let case = CASES.iter().find(|case| case.name == name).unwrap();
        let (sent, _) = receive(&mut endpoint(UserTable::new()), &Bytes::from_static(case.octets));
        assert_eq!(sent[0].headers().get(header), Some(value), "{name}");
    }
}

/// Registers with the REGISTER of that name, as the user whom its To names.
fn register(name: &str) -> Vec<String> {
    let case = CASES.iter().find(|case| case.name == name).unwrap();
    let Ok(Message::Request(request)) = parse_datagram(&Bytes::from_static(case.octets), &Limits::default())
    else {
        panic!("{name} is a request");
    };
    let to = request.headers.to().unwrap().uri;
    let (user, aor) = (to.user().unwrap(), format!("{}@{}", to.user().unwrap(), to.host().unwrap()));
    let ha1 = Ha1::new(Algorithm::Md5, &user, "hookswitch", "pw");
    let credentials = UserCredentials { aor: aor.clone(), ha1_md5: Some(ha1.clone()), ha1_sha256: None };
    let mut endpoint = endpoint([(user.clone(), credentials)].into());

    let (sent, _) = receive(&mut endpoint, &request.to_bytes());
    let challenge = Challenge::strongest(sent[0].headers(), "WWW-Authenticate").unwrap();
    let again = answered(request, &user, &ha1, &challenge);
    let (sent, events) = receive(&mut endpoint, &again.to_bytes());
    assert_eq!(statuses(&sent), [200], "{name}");
    let bindings = endpoint.bindings(&aor);
    assert_eq!(events, [Event::Registered { aor, contacts: bindings.len() }], "{name}");
    assert_eq!(bindings[0].flow.remote, addr(6001));
    bindings.iter().map(|binding| binding.contact.to_string()).collect()
}

fn answered(mut request: Request, user: &str, ha1: &Ha1, challenge: &Challenge) -> Request {
    let (method, uri) = (request.method.clone(), request.uri.clone());
    let answer = Answer { username: user, ha1, method: &method, uri: &uri, cnonce: "c", count: 1 };
    request.headers.push("Authorization", challenge.answer(&answer).unwrap().to_string());
    let mut via = request.headers.top_via().unwrap();
    via.params.set("branch", "z9hG4bKagain");
    request.headers.replace_first("Via", &via);
    request
}

#[test]
fn parameters_of_a_contact_stay_where_they_belong() {
    assert_eq!(register("cparam01"), ["sip:+19725552222@gw1.example.net"]);
    assert_eq!(register("cparam02"), ["sip:+19725552222@gw1.example.net;unknownparam"]);
    assert_eq!(register("regescrt"), ["sip:user@example.com?Route=%3Csip:sip.example.com%3E"]);
    assert_eq!(register("escnull").len(), 2);
}
