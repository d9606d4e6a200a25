//! What far ends let hear before they answer, and their reliable provisional responses.

use sip_message::{Message, Method, NameAddr, Request};
use sip_proto::{CallHandle, Credentials, EndCause, Event, NewCall};

use crate::net::{ANSWER, HOME, Net, OFFER, PEER, PEER_2, in_dialog, request, seconds, status};

const TONE: &str = "v=0\r\no=- 3 1 IN IP4 127.0.0.1\r\ns=tone\r\n";

type Fields<'a> = &'a [(&'a str, &'a str)];

/// A call to [`PEER`], and the INVITE that it got.
fn dialled(net: &mut Net) -> (CallHandle, Request) {
    let handle = net.call(&[PEER]);
    (handle, net.request(PEER, Method::Invite))
}

fn progress(net: &mut Net, invite: &Request, code: u16, fields: Fields<'_>, body: &str) {
    let mut all = vec![("Contact", "<sip:peer@127.0.0.1:6001>")];
    all.extend_from_slice(fields);
    net.reply(PEER, invite, code, &all, body);
    net.exchange();
}

/// 183 with a description that wants a PRACK.
fn reliable(net: &mut Net, invite: &Request, rseq: &str, body: &str) {
    progress(net, invite, 183, &[("Require", "100rel"), ("RSeq", rseq)], body);
}

fn to(tag: &str) -> String {
    format!("<sip:john@contoso.example>;tag={tag}")
}

/// Target, tag and description of what was heard early.
fn heard(net: &mut Net) -> Vec<(usize, String, String)> {
    let early = net.events(HOME).into_iter().filter_map(|event| match event {
        Event::EarlyMedia { target, remote, sdp, .. } => {
            Some((target, remote.tag().unwrap().to_owned(), String::from_utf8(sdp.to_vec()).unwrap()))
        }
        _ => None,
    });
    early.collect()
}

#[test]
fn early_media_is_told_once_and_ringing_does_not_end_it() {
    let mut net = Net::new();
    let (handle, invite) = dialled(&mut net);
    progress(&mut net, &invite, 183, &[], TONE);
    progress(&mut net, &invite, 183, &[], ANSWER);
    progress(&mut net, &invite, 180, &[], "");
    let events = net.events(HOME);
    let remote: NameAddr = to("peer6001").parse().unwrap();
    let expected = [
        Event::Trying { handle },
        Event::Ringing { handle, status: status(183) },
        Event::EarlyMedia { handle, target: 0, remote: Box::new(remote.clone()), sdp: TONE.into() },
        Event::Ringing { handle, status: status(180) },
    ];
    assert_eq!(events, expected);
    assert_eq!(net.inbox(PEER), [], "nothing wants a PRACK");
    net.accept(PEER, &invite);
    net.exchange();
    let answered = Event::Answered { handle, sdp: ANSWER.into(), remote: Box::new(remote), target: 0 };
    assert_eq!(net.events(HOME), [answered]);
}

#[test]
fn far_ends_behind_one_target_are_told_apart_and_the_first_that_answers_has_the_call() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    progress(&mut net, &invite, 183, &[("To", &to("one"))], TONE);
    progress(&mut net, &invite, 180, &[("To", &to("two"))], OFFER);
    let said = [(0, "one".to_owned(), TONE.to_owned()), (0, "two".to_owned(), OFFER.to_owned())];
    assert_eq!(heard(&mut net), said);
    net.accept_with(PEER, &invite, &[("To", &to("two"))]);
    net.accept_with(PEER, &invite, &[("To", &to("one"))]);
    net.exchange();
    let events = net.events(HOME);
    assert!(matches!(events.as_slice(), [Event::Answered { remote, .. }] if remote.tag() == Some("two")));
    let bye = net.request(PEER, Method::Bye);
    assert_eq!(bye.headers.to().unwrap().tag(), Some("one"));
}

#[test]
fn early_media_of_several_targets_names_the_target() {
    let mut net = Net::new();
    net.call(&[PEER, PEER_2]);
    for port in [PEER_2, PEER] {
        let invite = net.request(port, Method::Invite);
        net.reply(port, &invite, 183, &[], TONE);
        net.exchange();
    }
    let said = [(1, "peer6002".to_owned(), TONE.to_owned()), (0, "peer6001".to_owned(), TONE.to_owned())];
    assert_eq!(heard(&mut net), said);
}

#[test]
fn a_reliable_response_is_acknowledged_on_the_route_that_it_sets() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    assert!(invite.headers.supported().contains(&"100rel"));
    progress(&mut net, &invite, 180, &[], "");
    let route = ("Record-Route", "<sip:127.0.0.1:6001;lr>");
    progress(&mut net, &invite, 183, &[("Require", "100rel"), ("RSeq", "776656"), route], TONE);
    let prack = net.request(PEER, Method::Prack);
    assert_eq!(prack.uri.to_string(), "sip:peer@127.0.0.1:6001");
    assert_eq!(
        (prack.headers.get("RAck"), prack.headers.get("CSeq")),
        (Some("776656 1 INVITE"), Some("2 PRACK"))
    );
    assert_eq!(
        (prack.headers.get("Route"), prack.headers.get("To")),
        (Some("<sip:127.0.0.1:6001;lr>"), Some(to("peer6001").as_str()))
    );
    assert_eq!(heard(&mut net).len(), 1);
}

#[test]
fn a_repeat_or_a_response_before_its_turn_is_not_acknowledged() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    let mut acknowledged = |rseq: &str| {
        reliable(&mut net, &invite, rseq, "");
        let pracks = net.requests(PEER, &Method::Prack);
        for prack in &pracks {
            net.reply(PEER, prack, 200, &[], "");
        }
        pracks.len()
    };
    let counts = ["5", "5", "7", "6", "4", "7", "0", "x", "4294967296"].map(&mut acknowledged);
    assert_eq!(counts, [1, 0, 0, 1, 0, 1, 0, 0, 0]);
}

#[test]
fn a_response_before_its_turn_says_nothing() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    reliable(&mut net, &invite, "1", "");
    reliable(&mut net, &invite, "3", TONE);
    assert_eq!(heard(&mut net), []);
    reliable(&mut net, &invite, "2", ANSWER);
    assert_eq!(heard(&mut net), [(0, "peer6001".to_owned(), ANSWER.to_owned())]);
}

#[test]
fn a_prack_is_repeated_until_it_is_answered() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    reliable(&mut net, &invite, "1", TONE);
    net.run(seconds(2));
    let pracks = net.requests(PEER, &Method::Prack);
    assert_eq!(pracks.len(), 3);
    assert_eq!(pracks[0], pracks[2]);
    net.reply(PEER, &pracks[0], 200, &[], "");
    net.run(seconds(20));
    assert_eq!(net.requests(PEER, &Method::Prack), []);
}

#[test]
fn the_dialog_of_the_answer_goes_on_where_the_early_one_was() {
    let mut net = Net::new();
    let (handle, invite) = dialled(&mut net);
    reliable(&mut net, &invite, "1", TONE);
    reliable(&mut net, &invite, "2", "");
    for prack in net.requests(PEER, &Method::Prack) {
        net.reply(PEER, &prack, 200, &[], "");
    }
    net.accept(PEER, &invite);
    net.exchange();
    assert_eq!(net.request(PEER, Method::Ack).headers.cseq().unwrap().seq, 1);
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    let bye = net.request(PEER, Method::Bye);
    assert_eq!(bye.headers.cseq().unwrap().seq, 4);
    net.reply(PEER, &bye, 200, &[], "");
    net.run(seconds(80));
    net.assert_idle(HOME);
}

#[test]
fn a_2xx_need_not_repeat_the_answer_that_was_given_early() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    reliable(&mut net, &invite, "1", TONE);
    net.reply(PEER, &invite, 200, &[("Contact", "<sip:peer@127.0.0.1:6001>")], "");
    net.exchange();
    let events = net.events(HOME);
    assert!(matches!(events.last(), Some(Event::Answered { sdp, .. }) if sdp == TONE), "{events:?}");

    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    progress(&mut net, &invite, 183, &[("To", &to("other"))], TONE);
    net.reply(PEER, &invite, 200, &[("Contact", "<sip:peer@127.0.0.1:6001>")], "");
    net.exchange();
    assert_eq!(net.ended(HOME), EndCause::MissingAnswer, "the answer of somebody else is none");
}

#[test]
fn another_invite_begins_the_numbers_anew() {
    let mut net = Net::new();
    let new = NewCall { credentials: Some(Credentials::new("bot", "pw")), ..net.new_call(&[PEER]) };
    net.at(HOME, |endpoint, now| endpoint.call(new, now)).unwrap();
    net.exchange();
    let invite = net.request(PEER, Method::Invite);
    reliable(&mut net, &invite, "9", TONE);
    let challenges = [
        "Digest realm=\"far\", nonce=\"n\", algorithm=SHA-512-256, qop=\"auth\"",
        "Digest realm=\"far\", nonce=\"n\", algorithm=MD5, qop=\"auth\"",
        "Digest realm=\"far\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"",
    ];
    let mut challenged = invite.response(status(407));
    challenged.headers.set_to_tag("peer6001").unwrap();
    for challenge in challenges {
        challenged.headers.push("Proxy-Authenticate", challenge);
    }
    net.inbox(PEER);
    net.send(PEER, HOME, challenged);
    net.exchange();
    let again = net.request(PEER, Method::Invite);
    let answers: Vec<_> = again.headers.get_all("Proxy-Authorization").collect();
    assert!(matches!(answers.as_slice(), [answer] if answer.contains("algorithm=SHA-256")), "{answers:?}");
    reliable(&mut net, &again, "4", TONE);
    let prack = net.request(PEER, Method::Prack);
    assert_eq!((prack.headers.get("RAck"), prack.headers.get("CSeq")), (Some("4 2 INVITE"), Some("3 PRACK")));
}

#[test]
fn changes_before_the_answer_are_answered_and_change_nothing() {
    let table: [(&str, &str, &str, u16); 7] = [
        ("UPDATE", "", "", 200),
        ("UPDATE", "", TONE, 491),
        ("UPDATE", TONE, TONE, 488),
        ("UPDATE", TONE, "", 200),
        ("INVITE", TONE, TONE, 491),
        ("OPTIONS", TONE, "", 200),
        ("BYE", TONE, "", 481),
    ];
    for (method, early, body, code) in table {
        let mut net = Net::new();
        let (_, invite) = dialled(&mut net);
        progress(&mut net, &invite, 183, &[], early);
        net.events(HOME);
        net.send(PEER, HOME, in_dialog(PEER, &invite, method, 1, body));
        net.exchange();
        assert_eq!(net.response(PEER).status, status(code), "{method} {early:?} {body:?}");
        assert_eq!(net.events(HOME), []);
        net.accept(PEER, &invite);
        net.exchange();
        assert!(matches!(net.events(HOME).as_slice(), [Event::Answered { .. }]));
    }
}

#[test]
fn an_update_before_the_answer_moves_its_target_and_counts() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    reliable(&mut net, &invite, "1", TONE);
    let mut update = in_dialog(PEER, &invite, "UPDATE", 5, "");
    update.headers.set("Contact", "<sip:moved@127.0.0.1:6001>");
    net.send(PEER, HOME, update);
    net.exchange();
    let updated = net.response(PEER);
    assert_eq!(
        (updated.status, updated.headers.get("Contact")),
        (status(200), invite.headers.get("Contact"))
    );
    reliable(&mut net, &invite, "2", "");
    assert_eq!(net.request(PEER, Method::Prack).uri.to_string(), "sip:moved@127.0.0.1:6001");
    net.send(PEER, HOME, in_dialog(PEER, &invite, "UPDATE", 4, ""));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(500), "out of order");
    net.accept(PEER, &invite);
    net.exchange();
    net.inbox(PEER);
    net.send(PEER, HOME, in_dialog(PEER, &invite, "OPTIONS", 5, ""));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(500), "also after the answer");
}

#[test]
fn a_request_of_nobody_known_is_refused() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    progress(&mut net, &invite, 183, &[], TONE);
    let mut update = in_dialog(PEER, &invite, "UPDATE", 1, "");
    update.headers.set("From", to("stranger"));
    net.send(PEER, HOME, update);
    net.exchange();
    assert_eq!(net.response(PEER).status, status(481));
    net.send(PEER, HOME, request(PEER, "PRACK", "sip:bot@127.0.0.1:5060", &[], ""));
    net.exchange();
    assert_eq!(net.response(PEER).status, status(405));
}

#[test]
fn a_stream_of_far_ends_or_of_reliable_responses_is_bounded() {
    let mut net = Net::new();
    let (_, invite) = dialled(&mut net);
    for fork in 0..50 {
        progress(&mut net, &invite, 183, &[("To", &to(&format!("fork{fork}")))], TONE);
    }
    assert_eq!(heard(&mut net).len(), 8);
    for rseq in 1..200_u32 {
        let fields = [("To", to("fork0")), ("Require", "100rel".to_owned()), ("RSeq", rseq.to_string())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        progress(&mut net, &invite, 183, &fields, "");
    }
    let numbers: std::collections::BTreeSet<_> = net
        .requests(PEER, &Method::Prack)
        .into_iter()
        .map(|prack| prack.headers.rack().unwrap().rseq)
        .collect();
    assert_eq!(numbers.len(), 64);
}

#[test]
fn a_call_that_is_given_up_while_something_is_heard_leaves_nothing() {
    let mut net = Net::new();
    let (handle, invite) = dialled(&mut net);
    reliable(&mut net, &invite, "1", TONE);
    net.at(HOME, |endpoint, now| endpoint.hang_up(handle, None, now)).unwrap();
    net.exchange();
    reliable(&mut net, &invite, "2", "");
    let methods: Vec<_> = net
        .inbox(PEER)
        .into_iter()
        .filter_map(|message| match message {
            Message::Request(request) => Some(request.method),
            Message::Response(_) => None,
        })
        .collect();
    assert_eq!(methods, [Method::Prack, Method::Cancel, Method::Prack]);
    assert_eq!(heard(&mut net).len(), 1);
    net.reply(PEER, &invite, 487, &[], "");
    net.run(seconds(80));
    net.assert_idle(HOME);
}
