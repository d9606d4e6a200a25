//! RFC 4475: every message gets its treatment, as far as the message layer is concerned.

#[path = "torture/table.rs"]
mod table;

use bytes::Bytes;
use sip_message::{Contacts, Limits, Message, Method, Request, StreamEvent, StreamParser, parse_datagram};
use table::{CASES, Case, Layer, Parsed, Treatment};

fn parse(case: &Case) -> Parsed {
    match parse_datagram(&Bytes::from_static(case.octets), &Limits::default()) {
        Ok(Message::Request(_)) => Parsed::Request,
        Ok(Message::Response(_)) => Parsed::Response,
        Err(reject) => match reject.reply {
            Some(reply) => {
                assert_eq!(reply.status, reject.status, "{}", case.name);
                Parsed::Refused(reply.status.as_u16())
            }
            None => Parsed::Discarded,
        },
    }
}

fn request(name: &str) -> Request {
    let case = CASES.iter().find(|case| case.name == name).expect("the name is in the table");
    match parse_datagram(&Bytes::from_static(case.octets), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name} is a request, not {other:?}"),
    }
}

#[test]
fn every_message_is_parsed_or_refused_as_the_table_says() {
    for case in &CASES {
        assert_eq!(parse(case), case.parsed, "{} ({})", case.name, case.section);
    }
}

#[test]
fn the_table_is_consistent_and_says_why_where_it_departs() {
    for case in &CASES {
        let early = matches!(case.parsed, Parsed::Refused(_) | Parsed::Discarded);
        match case.treatment {
            Treatment::Refused(status) => assert_eq!(case.parsed, Parsed::Refused(status), "{}", case.name),
            Treatment::Discarded => assert_ne!(case.parsed, Parsed::Request, "{}", case.name),
            Treatment::Accepted | Treatment::Answered(_) | Treatment::AcceptedOrAnswered(_) => {
                assert!(!early, "{}", case.name);
            }
        }
        let is_invalid = case.section.starts_with("3.1.2");
        let departs = (case.layer != Layer::Message && early) || (is_invalid && !early);
        assert!(!departs || !case.reason.is_empty(), "{}", case.name);
    }
    let valid = CASES.iter().filter(|case| case.section.starts_with("3.1.1."));
    assert_eq!(valid.filter(|case| case.treatment == Treatment::Accepted).count(), 13);
}

#[test]
fn the_tortuous_invite_is_understood() {
    let invite = request("wsinv");

    let vias = invite.headers.vias().unwrap();
    assert_eq!(vias.len(), 3);
    assert_eq!(vias[1].to_string(), "SIP/2.0/TCP spindle.example.com;branch=z9hG4bK9ikj8");
    assert_eq!(invite.headers.from().unwrap().display.as_deref(), Some("J Rosenberg \\\""));
    assert_eq!(invite.headers.to().unwrap().tag(), Some("1918181833n"));
    assert_eq!(invite.headers.cseq().unwrap().seq, 9);
    assert_eq!(invite.headers.max_forwards(), Ok(Some(68)));
    assert_eq!(invite.headers.get("subject"), Some(""));
    assert_eq!(invite.headers.get("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(invite.headers.routes().unwrap()[0].uri.param("unknownwith").as_deref(), Some("value"));
    let contact = invite.headers.contact().unwrap().unwrap();
    assert_eq!(contact.display.as_deref(), Some("Quoted string \"\""));
    assert_eq!(contact.params.get("newparam"), Some("newvalue"));
    assert_eq!(invite.body.len(), 150);
}

#[test]
fn unusual_characters_are_understood() {
    let request = request("intmeth");

    assert_eq!(request.method, Method::Other("!interesting-Method0123456789_*+`.%indeed'~".into()));
    assert_eq!(request.headers.to().unwrap().display.as_deref(), Some("BEL:\x07 NUL:\0 DEL:\x7f"));
    assert_eq!(
        request.headers.from().unwrap().params.unquoted("fromparam''~+*_!.-%").as_deref(),
        Some("работающий")
    );
    assert_eq!(request.uri.password(), Some("&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"));
}

#[test]
fn escapes_are_undone_where_they_are_escapes() {
    let invite = request("esc01");

    assert_eq!(invite.uri.user().as_deref(), Some("sips:user@example.com"));
    assert_eq!(invite.headers.to().unwrap().uri.user().as_deref(), Some("user"));
    let contact = invite.headers.contact().unwrap().unwrap();
    assert_eq!(contact.uri.user().as_deref(), Some("caller"));
    assert!(!contact.uri.params().has("lr"), "an escaped name stays as it is written");

    let other = request("esc02");
    assert_eq!(other.method.as_str(), "RE%47IST%45R");
    assert!(matches!(other.headers.contacts(), Ok(Contacts::List(list)) if list.len() == 2));

    let nulls = request("escnull");
    assert_eq!(nulls.headers.to().unwrap().uri.user().as_deref(), Some("null-\0-null"));
}

#[test]
fn a_semicolon_in_the_user_part_is_no_parameter() {
    let options = request("semiuri");

    assert_eq!(options.uri.user().as_deref(), Some("user;par=u@example.net"));
    assert!(options.uri.params().is_empty());
}

#[test]
fn a_contact_parameter_belongs_to_the_field_unless_brackets_say_otherwise() {
    let field = request("cparam01").headers.contact().unwrap().unwrap();
    let uri = request("cparam02").headers.contact().unwrap().unwrap();

    assert!(field.params.has("unknownparam") && !field.uri.params().has("unknownparam"));
    assert!(uri.uri.params().has("unknownparam") && !uri.params.has("unknownparam"));
    let bound = request("regescrt").headers.contact().unwrap().unwrap().uri;
    assert_eq!(bound.headers().next(), Some(("Route".into(), "<sip:sip.example.com>".into())));
}

#[test]
fn the_binary_body_is_framed_by_its_length() {
    let message = request("mpart01");

    assert_eq!(message.body.len(), 553);
    assert!(message.body.ends_with(b"--7a9cbec02ceef655--\r\n"));
}

#[test]
fn a_stream_holds_both_requests_that_a_datagram_does_not() {
    let case = CASES.iter().find(|case| case.name == "dblreq").unwrap();
    let mut stream = StreamParser::new(Limits::default());

    stream.push(case.octets);

    // The second body is longer than its Content-Length says, so only two events are of interest.
    let methods: Vec<Method> = std::iter::from_fn(|| stream.poll())
        .take(2)
        .filter_map(|event| match event {
            StreamEvent::Message(Message::Request(request)) => Some(request.method),
            StreamEvent::Message(Message::Response(_))
            | StreamEvent::Broken(_)
            | StreamEvent::Ping
            | StreamEvent::Rejected(_) => None,
        })
        .collect();
    assert_eq!(methods, [Method::Register, Method::Invite]);
}

#[test]
fn a_body_that_would_hide_in_a_datagram_breaks_a_stream_without_length() {
    let case = CASES.iter().find(|case| case.name == "inv2543").unwrap();
    let mut stream = StreamParser::new(Limits::default());

    stream.push(case.octets);

    assert!(
        matches!(stream.poll(), Some(StreamEvent::Broken(reject)) if reject.reason == "Missing Content-Length")
    );
    assert_eq!(stream.poll(), None);
}
