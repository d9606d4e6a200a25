//! Properties of the parser over mutations of the messages of RFC 4475.

#[path = "torture/table.rs"]
#[expect(dead_code, reason = "only the octets matter here")]
mod table;

use std::fmt::{Debug, Display};
use std::str::FromStr;

use bytes::Bytes;
use proptest::prelude::*;
use sip_message::digest::{Algorithm, Challenge, Credentials};
use sip_message::{
    CSeq, E164, Headers, Host, Limits, Message, Method, NameAddr, Params, Privacy, RAck, Replaces, Request,
    Response, StatusCode, StreamEvent, StreamParser, Telephone, Uri, Via, parse_datagram,
};
use table::CASES;

/// Octets that decide in the grammar, so that mutations hit it.
const DECISIVE: &[u8] = b"\r\n\t \"\\<>;:,=?&%@/[]()*.0123456789aAzZ\x00\x7f\x80\xff";

#[derive(Clone, Debug)]
enum Edit {
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, u8),
    Replace(prop::sample::Index, u8),
    Repeat(prop::sample::Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let octet = || prop_oneof![prop::sample::select(DECISIVE), any::<u8>()];
    prop_oneof![
        (any::<prop::sample::Index>(), 1_usize..20).prop_map(|(at, len)| Edit::Delete(at, len)),
        (any::<prop::sample::Index>(), octet()).prop_map(|(at, octet)| Edit::Insert(at, octet)),
        (any::<prop::sample::Index>(), octet()).prop_map(|(at, octet)| Edit::Replace(at, octet)),
        (any::<prop::sample::Index>(), 1_usize..40).prop_map(|(at, len)| Edit::Repeat(at, len)),
    ]
}

fn apply(octets: &mut Vec<u8>, edit: &Edit) {
    if octets.is_empty() {
        return;
    }
    let len = octets.len();
    match edit {
        Edit::Delete(at, count) => {
            let from = at.index(len);
            octets.drain(from..len.min(from + count));
        }
        Edit::Insert(at, octet) => octets.insert(at.index(len), *octet),
        Edit::Replace(at, octet) => octets[at.index(len)] = *octet,
        Edit::Repeat(at, count) => {
            let from = at.index(len);
            let part = octets[from..len.min(from + count)].to_vec();
            octets.splice(from..from, part);
        }
    }
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec(edit(), 0..6);
    (prop::sample::select(&CASES[..]), edits).prop_map(|(case, edits)| {
        let mut octets = case.octets.to_vec();
        for edit in &edits {
            apply(&mut octets, edit);
        }
        octets
    })
}

/// The message as it comes back: the writer adds the Content-Length that a datagram may leave out.
fn with_length(mut message: Message) -> Message {
    let length = message.body().len().to_string();
    message.headers_mut().set("Content-Length", length);
    message
}

fn text() -> impl Strategy<Value = String> {
    "[ -~\r\n\"\\\\;,<>äß]{0,24}"
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn whatever_is_accepted_is_written_and_read_back_the_same(octets in mutated()) {
        let limits = Limits::default();
        if let Ok(message) = parse_datagram(&octets.into(), &limits) {
            let written = message.to_bytes();
            prop_assert_eq!(parse_datagram(&written, &limits), Ok(with_length(message)));
        }
    }

    #[test]
    fn an_answer_to_a_refused_request_adds_no_fields(octets in mutated()) {
        let refused = parse_datagram(&octets.into(), &Limits::default()).err();
        if let Some(reply) = refused.and_then(|reject| reject.reply) {
            let written = reply.to_bytes();
            let breaks = written.iter().filter(|octet| matches!(octet, b'\r' | b'\n')).count();
            // The status line, each field, Content-Length and the empty line.
            prop_assert_eq!(breaks, 2 * (reply.headers.len() + 3));
        }
    }

    #[test]
    fn a_stream_says_the_same_however_it_is_cut(octets in mutated(), cuts in prop::collection::vec(1_usize..200, 1..8)) {
        let mut whole = StreamParser::new(Limits::default());
        whole.push(&octets);
        let expected: Vec<StreamEvent> = std::iter::from_fn(|| whole.poll()).collect();

        let mut pieces = StreamParser::new(Limits::default());
        let mut events = Vec::new();
        let (mut rest, mut at) = (&octets[..], 0);
        while !rest.is_empty() {
            let cut = cuts[at % cuts.len()].min(rest.len());
            pieces.push(&rest[..cut]);
            events.extend(std::iter::from_fn(|| pieces.poll()));
            rest = &rest[cut..];
            at += 1;
        }

        prop_assert_eq!(events, expected);
    }

    #[test]
    fn no_value_of_ours_can_add_a_field(user in text(), name in text(), value in text(), phrase in text()) {
        let uri = Uri::sip(&user, Host::Name("example.com".into())).with_param(&name, Some(&value)).with_header(&name, &value);
        let mut headers = Headers::new();
        // The prefix keeps the name from being Content-Length, which the writer writes itself.
        headers.push(&format!("N{name}"), value.as_str());
        headers.push("", value.as_str());
        let mut params = Params::new();
        params.set(&name, &value);
        headers.push("X-Params", params.to_string());
        let request = Request { method: Method::Other(value), uri, headers: headers.clone(), body: Bytes::new() };
        let mut response = Response::new(StatusCode::OK);
        (response.reason, response.headers) = (phrase, headers);

        for written in [request.to_bytes(), response.to_bytes()] {
            let breaks = written.iter().filter(|octet| matches!(octet, b'\r' | b'\n')).count();
            prop_assert_eq!(breaks, 2 * 6, "{:?}", written);
        }
    }

    #[test]
    fn a_uri_is_equivalent_to_itself_written_and_read(text in "sips?:([a-z;%&/?]{1,8}(:[a-z$]{0,4})?@)?[a-z0-9]{1,8}(:[0-9]{1,4})?(;[a-z]{1,4}(=[a-z%0-9]{1,4})?){0,2}(\\?[a-z]{1,3}=[a-z%]{0,3})?") {
        if let Ok(uri) = text.parse::<Uri>() {
            prop_assert_eq!(uri.to_string().parse(), Ok(uri.clone()));
            prop_assert!(uri.equivalent(&uri));
        }
    }

    #[test]
    fn values_that_are_accepted_are_written_and_read_back_the_same(text in value()) {
        read_back::<Via>(&text)?;
        read_back::<NameAddr>(&text)?;
        read_back::<CSeq>(&text)?;
        read_back::<Uri>(&text)?;
        read_back::<Challenge>(&text)?;
        read_back::<Credentials>(&text)?;
        read_back::<Replaces>(&text)?;
        read_back::<Privacy>(&text)?;
        read_back::<RAck>(&text)?;
    }

    #[test]
    fn a_number_is_the_same_in_every_uri_that_dials_it(digits in "[1-9][0-9]{0,14}", at in 0_usize..15, mark in "[-.()]{0,3}") {
        let number: E164 = format!("+{digits}").parse().unwrap();
        let (head, tail) = digits.split_at(at.min(digits.len()));
        let spaced: Uri = format!("tel:+{head}{mark}{tail};ext=1").parse().unwrap();
        let bare = Uri::sip(&number.to_string(), Host::Name("h".into()));

        for uri in [number.to_tel(), number.to_sip(Host::Name("h".into())), spaced, bare] {
            prop_assert_eq!(uri.to_string().parse(), Ok(uri.clone()));
            prop_assert_eq!(uri.telephone(), Some(Telephone::Global(number.clone())));
        }
    }

    #[test]
    fn whatever_stands_in_a_uri_its_number_is_plain(user in "[-+0-9a-fA-F*#.()ä ;=%]{0,24}", phone: bool) {
        let uri = Uri::sip(&user, Host::Name("h".into())).with_param("user", phone.then_some("phone").or(Some("ip")));
        match uri.telephone() {
            Some(Telephone::Global(number)) => prop_assert!(number.digits().bytes().all(|byte| byte.is_ascii_digit())),
            Some(Telephone::Local { digits, .. }) => {
                prop_assert!(phone && !digits.is_empty());
                prop_assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit() || b"*#".contains(&byte)));
            }
            None => {}
        }
    }

    #[test]
    fn identities_that_are_accepted_are_at_most_two_and_keep_their_kind(values in prop::collection::vec(value(), 0..4)) {
        let mut headers = Headers::new();
        for value in &values {
            headers.push("P-Asserted-Identity", value.as_str());
        }
        if let Ok(list) = headers.asserted_identities() {
            prop_assert!(list.len() <= 2);
            prop_assert!(list.iter().all(|identity| identity.uri.is_sip() || identity.uri.to_string().starts_with("tel:")));
        }
        // Whatever it says, it is read without a panic.
        let _ = headers.remote_parties();
    }

    #[test]
    fn digest_values_of_ours_keep_what_they_hold(realm in "[^\r\n]{0,20}", nonce in "[^\r\n]{0,20}", opaque in "[^\r\n]{0,9}", is_stale: bool) {
        let challenge = Challenge { realm, nonce, opaque: Some(opaque), algorithm: Algorithm::Md5, is_stale, offers_auth: true };

        prop_assert_eq!(challenge.to_string().parse(), Ok(challenge));
    }
}

/// Pieces of header values in any order, now and then with others between.
fn value() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "SIP/2.0/UDP ",
        "h",
        ":5060",
        ";branch=z9hG4bKx",
        ";rport",
        ";received=[::1]",
        ";ttl=1",
        "\"a \\\" b\" ",
        "<",
        "sip:",
        "a%20b@",
        "[2001:db8::1]",
        ">",
        ";tag=1",
        ";to-tag=1",
        ";from-tag=2",
        ";early-only",
        "?x=y",
        "&z=",
        ",",
        " ",
        "1 ",
        "INVITE",
        "Digest ",
        "realm=\"r\", ",
        "nonce=\"n\"",
        ", qop=\"auth\"",
        ", algorithm=SHA-256",
        "username=\"u\", ",
        "uri=\"sip:h\", ",
        "response=\"0\", ",
        ", qop=auth, nc=00000001, cnonce=\"c\"",
        "tel:+1",
        "id;",
        "user",
        "none",
        "ä",
        "\0",
        "\"",
        "\\",
    ]);
    prop::collection::vec(piece, 0..9).prop_map(|pieces| pieces.concat())
}

fn read_back<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Result<(), TestCaseError> {
    if let Ok(value) = text.parse::<T>() {
        let written = value.to_string();
        let read = written.parse::<T>().ok();
        prop_assert_eq!(read, Some(value), "{:?} from {:?}", written, text);
    }
    Ok(())
}
