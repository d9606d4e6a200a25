//! Offers, real, wrong and hostile.

use std::net::SocketAddr;

use proptest::prelude::*;
use rtc_proto::Codec;
use rtc_proto::sdp::Direction;

use super::far::{HERE, start};
use crate::{Answer, OfferError, PLACEHOLDER_REMOTE, Patience, Peer, Reach};

const AIORTC: &str = include_str!("offers/aiortc.sdp");
const CHROME: &str = include_str!("offers/chrome.sdp");
const FIREFOX: &str = include_str!("offers/firefox.sdp");

fn answer(offer: &str) -> Result<Answer, OfferError> {
    Peer::answer(offer, &[HERE], Patience::default(), start()).map(|(_, answer)| answer)
}

#[test]
fn offers_of_aiortc_are_answered_in_opus() {
    let answer = answer(AIORTC).unwrap();
    let terms = &answer.terms;
    assert_eq!((terms.codec, terms.payload_type, terms.receive_payload_type), (Codec::Opus, 96, 96));
    assert_eq!((terms.remote_rtp, terms.remote_rtcp), (PLACEHOLDER_REMOTE, PLACEHOLDER_REMOTE));
    assert!(terms.has_rtcp_mux && terms.srtp.is_none() && terms.telephone_event.is_none());
    assert_eq!(terms.direction, Direction::SendRecv);
    for line in [
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 4000 UDP/TLS/RTP/SAVPF 96",
        "a=setup:passive",
        "a=rtcp-mux",
        "a=candidate:1 1 udp 2130706431 198.51.100.1 4000 typ host",
        "a=rtpmap:96 opus/48000/2",
    ] {
        assert!(answer.sdp.contains(&format!("{line}\r\n")), "{line} is not in {}", answer.sdp);
    }
}

#[test]
fn of_a_browsers_streams_one_is_taken() {
    let answer = answer(CHROME).unwrap();
    let event = answer.terms.telephone_event.unwrap();
    assert_eq!((answer.terms.codec, answer.terms.payload_type), (Codec::Opus, 111));
    assert_eq!((event.payload_type, event.clock), (110, 48_000));
    assert!(answer.terms.opus.has_inband_fec);
    let lines: Vec<_> = answer.sdp.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=audio 4000 UDP/TLS/RTP/SAVPF 111 110",
            "m=video 4000 UDP/TLS/RTP/SAVPF 96 97",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    assert!(answer.sdp.contains("a=group:BUNDLE 0 1\r\n"));
    assert_eq!(answer.sdp.matches("a=inactive\r\n").count(), 2);
}

#[test]
fn offers_of_firefox_are_answered_with_keys_of_their_session_part() {
    let answer = answer(FIREFOX).unwrap();
    assert_eq!((answer.terms.codec, answer.terms.payload_type), (Codec::Opus, 109));
    assert_eq!(answer.terms.telephone_event.unwrap().payload_type, 101);
}

#[test]
fn our_taste_decides_not_the_order_of_the_offer() {
    let lists = [("8 0 9 96", Codec::Opus), ("8 0 9", Codec::G722), ("8 0", Codec::Pcmu), ("8", Codec::Pcma)];
    for (list, codec) in lists {
        let offer = AIORTC.replace("SAVPF 96 9 0 8", &format!("SAVPF {list}"));
        assert_eq!(answer(&offer).unwrap().terms.codec, codec);
    }
}

#[test]
fn tones_of_another_clock_are_better_than_none() {
    let offer = CHROME.replace("110 telephone-event/48000", "110 x/48000");
    let event = answer(&offer).unwrap().terms.telephone_event.unwrap();
    assert_eq!((event.payload_type, event.clock), (126, 8_000));
}

#[test]
fn directions_are_turned_round() {
    let directions = [
        ("sendonly", Direction::RecvOnly),
        ("recvonly", Direction::SendOnly),
        ("inactive", Direction::Inactive),
    ];
    for (theirs, ours) in directions {
        let offer = AIORTC.replace("a=sendrecv", &format!("a={theirs}"));
        assert_eq!(answer(&offer).unwrap().terms.direction, ours);
    }
}

#[test]
fn both_versions_of_ip_are_told() {
    let v6: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
    let (_, answer) = Peer::answer(AIORTC, &[v6, HERE], Patience::default(), start()).unwrap();
    assert!(answer.sdp.contains("c=IN IP6 2001:db8::1\r\n"));
    assert!(answer.sdp.contains("a=candidate:1 1 udp 2130706431 2001:db8::1 4000 typ host\r\n"));
    assert!(answer.sdp.contains("a=candidate:2 1 udp 2130706175 198.51.100.1 4000 typ host\r\n"));
}

#[test]
fn who_lets_no_datagrams_through_is_told_of_tcp() {
    let v6: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
    let reach = Reach { candidates: &[HERE, v6], has_tcp: true };
    let (_, answer) = Peer::answer(AIORTC, reach, Patience::default(), start()).unwrap();
    let candidates: Vec<_> = answer.sdp.lines().filter(|line| line.starts_with("a=candidate")).collect();
    assert_eq!(
        candidates,
        [
            "a=candidate:1 1 udp 2130706431 198.51.100.1 4000 typ host",
            "a=candidate:2 1 udp 2130706175 2001:db8::1 4000 typ host",
            "a=candidate:3 1 tcp 2124414975 198.51.100.1 4000 typ host tcptype passive",
            "a=candidate:4 1 tcp 2124414719 2001:db8::1 4000 typ host tcptype passive",
        ]
    );
}

#[test]
fn who_waits_for_the_handshake_gets_it_begun() {
    let offer = AIORTC.replace("a=setup:actpass", "a=setup:passive");
    assert!(answer(&offer).unwrap().sdp.contains("a=setup:active\r\n"));
}

#[test]
fn what_cannot_be_answered_says_why() {
    let without = |start: &str| -> String {
        AIORTC.lines().filter(|line| !line.starts_with(start)).map(|line| format!("{line}\r\n")).collect()
    };
    let cases = [
        (String::new(), OfferError::Syntax),
        ("hello".to_owned(), OfferError::Syntax),
        (AIORTC.replace("m=audio", "m=video"), OfferError::NoAudio),
        (AIORTC.replace("m=audio 39203", "m=audio 0"), OfferError::NoAudio),
        (AIORTC.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), OfferError::NoAudio),
        (AIORTC.replace("96 9 0 8", "3 18"), OfferError::NoCodec),
        (without("a=fingerprint:sha-256"), OfferError::NoFingerprint),
        (AIORTC.replace("sha-256 F2", "sha-256 F"), OfferError::NoFingerprint),
        (without("a=ice-ufrag"), OfferError::NoIce),
        (without("a=ice-pwd"), OfferError::NoIce),
        (AIORTC.replace("a=ice-ufrag:8PM3", "a=ice-ufrag:8"), OfferError::NoIce),
        (without("a=rtcp-mux"), OfferError::NoMux),
        (AIORTC.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"), OfferError::IceLite),
        (AIORTC.replace("setup:actpass", "setup:holdconn"), OfferError::Setup),
        (AIORTC.replace("a=mid:0", &format!("a=mid:{}", "0".repeat(300))), OfferError::Syntax),
    ];
    for (offer, error) in cases {
        assert_eq!(answer(&offer), Err(error), "{offer}");
    }
}

#[test]
fn bombs_are_refused_before_they_are_looked_at() {
    let many = |line: &str, times: usize| format!("{AIORTC}{}", line.repeat(times));
    let formats: String = (0..200).map(|number| format!(" {number}")).collect();
    let bombs = [
        many("a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n", 10_000),
        many("\n", 3_000),
        many("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", 40),
        "x".repeat(70_000),
        AIORTC.replace("96 9 0 8", &formats),
    ];
    for bomb in bombs {
        assert_eq!(answer(&bomb), Err(OfferError::TooLarge));
    }
    let many_but_well = many("a=candidate:1 1 udp 1 abc.local 9 typ host\r\n", 500);
    assert!(answer(&many_but_well).is_ok());
}

#[test]
fn nothing_that_is_echoed_begins_a_line() {
    let offer = AIORTC.replace("a=mid:0", "a=mid:0\ra=setup:active");
    let answer = answer(&offer);
    assert!(answer.is_err() || !answer.unwrap().sdp.contains("a=setup:active"));
}

/// A change of one line of an offer.
fn mutation() -> impl Strategy<Value = (u8, usize, usize, String)> {
    (0u8..8, 0usize..120, 0usize..200, "[ -~]{0,12}")
}

fn mutate(offer: &str, mutations: &[(u8, usize, usize, String)]) -> String {
    let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
    for (kind, at, inside, text) in mutations {
        let at = at % lines.len().max(1);
        let Some(line) = lines.get(at).cloned() else { continue };
        let inside = inside % (line.len() + 1);
        match kind {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, line),
            2 => lines.insert(inside % (lines.len() + 1), line),
            3 => lines[at].truncate(inside),
            4 => lines[at].insert_str(inside, text),
            5 => lines[at] = text.clone(),
            6 => lines[at].extend(std::iter::repeat_n(text.as_str(), 40)),
            _ => lines[at] = line.replacen(|c: char| c.is_ascii_digit(), text, 2),
        }
    }
    lines.join("\r\n") + "\r\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_offer_makes_us_panic_and_every_line_is_answered(
        which in 0usize..3, mutations in proptest::collection::vec(mutation(), 1..6)
    ) {
        let offer = mutate([AIORTC, CHROME, FIREFOX][which], &mutations);
        match answer(&offer) {
            Ok(answer) => {
                let media = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
                prop_assert_eq!(media(&answer.sdp), media(&offer));
                prop_assert!(answer.sdp.lines().all(|line| line.as_bytes().get(1) == Some(&b'=')));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn no_later_offer_makes_us_panic(
        which in 0usize..3, mutations in proptest::collection::vec(mutation(), 1..4)
    ) {
        let offer = [AIORTC, CHROME, FIREFOX][which];
        let (mut peer, _) = Peer::answer(offer, &[HERE], Patience::default(), start()).unwrap();
        let _ = peer.reoffer(&mutate(offer, &mutations), start());
        prop_assert!(peer.reoffer(offer, start()).is_ok());
    }

    #[test]
    fn no_text_makes_us_panic(text in "(v=0\r\n|o=- 1 1 IN IP4 0\r\n|s=-\r\n|t=0 0\r\n|m=audio 9 |UDP/TLS/RTP/SAVPF 0\r\n|a=|\\PC|\r\n){0,60}") {
        let _ = answer(&text);
    }
}
