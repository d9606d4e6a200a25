//! Framing, limits and answers of datagrams and streams.

use bytes::Bytes;
use sip_message::{
    Limits, Message, Method, Reject, Request, StatusCode, StreamEvent, StreamParser, is_keep_alive,
    parse_datagram,
};

const FIELDS: &str = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n\
                      To: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n";

fn options(more: &str, body: &str) -> String {
    format!("OPTIONS sip:b@example.com SIP/2.0\r\n{FIELDS}{more}\r\n{body}")
}

fn datagram(text: impl AsRef<[u8]>) -> Result<Message, Reject> {
    parse_datagram(&Bytes::copy_from_slice(text.as_ref()), &Limits::default())
}

fn body(result: Result<Message, Reject>) -> Bytes {
    result.expect("it is a message").body().clone()
}

fn reason(result: Result<Message, Reject>) -> (u16, String) {
    let reject = result.expect_err("it is no message");
    (reject.status.as_u16(), reject.reason)
}

fn events(stream: &mut StreamParser) -> Vec<StreamEvent> {
    std::iter::from_fn(|| stream.poll()).collect()
}

#[test]
fn a_datagram_without_length_has_a_body_to_its_end() {
    assert_eq!(body(datagram(options("", "abc"))), "abc");
    assert_eq!(body(datagram(options("l: 2\r\n", "abc"))), "ab");
    assert_eq!(body(datagram(format!("\r\n\r\n{}", options("", "abc")))), "abc");
}

#[test]
fn each_flaw_has_its_reason() {
    let cases = [
        (options("l: 4\r\n", "abc"), 400, "Content-Length Exceeds Datagram"),
        (options("l: 1\r\nContent-Length: 1\r\n", "abc"), 400, "Repeated Content-Length"),
        (options("l: +1\r\n", "abc"), 400, "Malformed Content-Length"),
        (options("No Colon\r\n", ""), 400, "Header Field Without Colon"),
        (options("A b: c\r\n", ""), 400, "Malformed Header Field Name"),
        (options("A: b\nC: d\r\n", ""), 400, "Stray Line Break"),
        (options("Max-Forwards: 256\r\n", ""), 400, "Malformed Max-Forwards"),
        (options("From: <sip:x>\r\n", ""), 400, "Repeated From"),
        (options("Route: <sip:x>,,\r\n", ""), 400, "Malformed Route"),
        (options("", "").trim_end().to_owned(), 400, "Missing Empty Line After Header Fields"),
        (options("", "").replace("\r\n", "\n"), 400, "Malformed Request-Line"),
        (options("", "").replace("OPTIONS sip", "INVITE sip"), 400, "CSeq Method Does Not Match"),
        (options("", "").replace("/2.0\r", "/2.1\r"), 505, "Version Not Supported"),
        (options("", "").replace("/2.0\r", "/x\r"), 400, "Malformed SIP-Version"),
        (String::from("x"), 400, "Malformed Request-Line"),
        (String::new(), 400, "Malformed Request-Line"),
    ];

    for (text, status, expected) in cases {
        assert_eq!(reason(datagram(&text)), (status, expected.to_owned()), "{text}");
    }
}

#[test]
fn limits_are_kept() {
    let long = "x".repeat(9000);
    let many = "A: b\r\n".repeat(300);
    let uri = options("", "").replace("b@example.com SIP", &format!("{long}@h SIP"));

    assert_eq!(reason(datagram(options(&format!("A: {long}\r\n"), ""))).1, "Header Field Too Long");
    assert_eq!(
        reason(datagram(options(&format!("A: b\r\n{}", " c\r\n".repeat(9000)), ""))).1,
        "Header Field Too Long"
    );
    assert_eq!(reason(datagram(options(&many, ""))).1, "Too Many Header Fields");
    assert_eq!(reason(datagram(uri)).0, 414);
    assert_eq!(reason(datagram(options("", &"x".repeat(70_000)))).0, 513);
}

#[test]
fn the_answer_to_a_refused_request_is_a_response_to_it() {
    let reject = datagram(options("l: 4\r\n", "abc")).expect_err("the length is wrong");

    let reply = reject.reply.expect("it can be answered");
    let Ok(Message::Response(read)) = datagram(reply.to_bytes()) else {
        panic!("the answer is a response");
    };
    assert_eq!(read.status, StatusCode::BAD_REQUEST);
    assert_eq!(read.reason, "Content-Length Exceeds Datagram");
    assert_eq!(read.headers.cseq().expect("it is copied").method, Method::Options);
    assert!(read.headers.to().expect("it is copied").tag().is_some());
    let again = datagram(options("l: 4\r\n", "abc")).expect_err("the length is wrong");
    assert_eq!(again.reply, Some(reply), "a retransmission gets the same answer");
}

#[test]
fn responses_and_acks_and_requests_without_via_are_never_answered() {
    let ack = options("l: 4\r\n", "").replace("OPTIONS", "ACK");
    let response = format!("SIP/2.0 200 OK\r\n{FIELDS}l: 4\r\n\r\n");
    let anonymous = options("l: 4\r\n", "").replace("Via", "Other");

    for text in [ack, response, anonymous] {
        assert_eq!(datagram(&text).expect_err("the length is wrong").reply, None, "{text}");
    }
}

#[test]
fn octets_that_are_not_utf_8_are_refused_in_fields_and_kept_in_bodies() {
    let mut text = options("", "").into_bytes();
    text.push(0xff);
    assert_eq!(body(datagram(&text)), [0xff].as_slice());

    let at = text.windows(2).position(|two| two == b"b@").expect("the user is there");
    text[at] = 0xff;
    let reject = datagram(&text).expect_err("the user is not UTF-8");
    assert_eq!(reject.reason, "Header Fields Are Not UTF-8");
    assert!(reject.reply.is_some());
}

#[test]
fn keep_alives_are_told_from_messages() {
    assert!(is_keep_alive(b"") && is_keep_alive(b"\r\n\r\n") && is_keep_alive(b"\0\0\0\0"));
    assert!(!is_keep_alive(b"\r\nOPTIONS"));
}

#[test]
fn a_stream_yields_messages_and_pings_octet_by_octet() {
    let text = format!("\r\n\r\n{}\r\n{}\r\n\r\n", options("l: 3\r\n", "abc"), options("l: 0\r\n", ""));
    let mut stream = StreamParser::new(Limits::default());
    let mut seen = String::new();

    for octet in text.bytes() {
        stream.push(&[octet]);
        for event in events(&mut stream) {
            seen.push(match event {
                StreamEvent::Message(_) => 'm',
                StreamEvent::Ping => 'p',
                StreamEvent::Broken(_) | StreamEvent::Rejected(_) => 'x',
            });
        }
    }

    assert_eq!(seen, "pmmp");
    assert!(stream.is_between_messages());
}

#[test]
fn a_stream_goes_on_after_a_refused_message_whose_end_is_known() {
    let bad = options("l: 3\r\nRoute: x\r\n", "abc");
    let mut stream = StreamParser::new(Limits::default());

    stream.push(format!("{bad}{}", options("l: 0\r\n", "")).as_bytes());

    let events = events(&mut stream);
    assert!(matches!(&events[..], [StreamEvent::Rejected(_), StreamEvent::Message(_)]), "{events:?}");
}

#[test]
fn a_stream_ends_where_the_framing_is_lost() {
    let endless = format!("OPTIONS sip:h SIP/2.0\r\n{FIELDS}A: {}", "x".repeat(70_000));
    let huge = options("l: 99999999999999999999\r\n", "");
    let large = options("l: 70000\r\n", "");
    let none = options("", "");
    let statuses = [(endless, 513), (huge, 400), (large, 513), (none, 400)];

    for (text, status) in statuses {
        let mut stream = StreamParser::new(Limits::default());
        stream.push(text.as_bytes());
        let Some(StreamEvent::Broken(reject)) = stream.poll() else {
            panic!("the framing is lost");
        };
        assert_eq!(reject.status.as_u16(), status);
        assert!(reject.reply.is_some());
        stream.push(options("l: 0\r\n", "").as_bytes());
        assert_eq!(stream.poll(), None);
        assert!(stream.is_between_messages(), "nothing is kept");
    }
}

#[test]
fn a_response_copies_what_identifies_the_request() {
    let text = options("v: SIP/2.0/TCP h\r\nTimestamp: 5\r\nRecord-Route: <sip:r;lr>\r\nl: 0\r\n", "");
    let Ok(Message::Request(request)) = datagram(text) else {
        panic!("it is a request");
    };

    let trying: Vec<_> = names(&request, StatusCode::TRYING);
    let ok = names(&request, StatusCode::OK);

    assert_eq!(trying, ["Via", "From", "To", "Call-ID", "CSeq", "Via", "Timestamp"]);
    assert_eq!(ok, ["Via", "From", "To", "Call-ID", "CSeq", "Via"]);
}

fn names(request: &Request, status: StatusCode) -> Vec<String> {
    let response = request.response(status);
    response.headers.iter().map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_writer_states_the_true_length_once() {
    let Ok(Message::Request(mut request)) = datagram(options("l: 3\r\n", "abc")) else {
        panic!("it is a request");
    };
    request.body = Bytes::from_static(b"abcdef");
    request.headers.push("l", "99");

    let written = request.to_bytes();

    let text = std::str::from_utf8(&written).expect("it is text");
    assert_eq!(text.matches("Content-Length: 6\r\n").count(), 1);
    assert!(!text.contains("99") && text.ends_with("\r\n\r\nabcdef"));
}
