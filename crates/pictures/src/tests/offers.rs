//! Offers, real, wrong and hostile.

use proptest::prelude::*;
use webrtc::{OfferError as Description, Patience};

use super::far::{ANN, HERE, start};
use crate::{OfferError, Room};

const CHROME: &str = include_str!("offers/chrome.sdp");

fn answer(offer: &str) -> Result<String, OfferError> {
    let mut room = Room::new(&[HERE], Patience::default());
    room.join(ANN, offer, start()).map(|answer| answer.sdp)
}

#[test]
fn offers_of_chrome_are_answered_with_three_layers() {
    let answer = answer(CHROME).unwrap();
    let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=video 4000 UDP/TLS/RTP/SAVPF 96 97",
            "m=video 4000 UDP/TLS/RTP/SAVPF 96 97",
            "m=video 4000 UDP/TLS/RTP/SAVPF 96 97",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
        ]
    );
    let media: Vec<_> = answer.split("m=video").collect();
    for line in [
        "a=group:BUNDLE 0 1 2",
        "a=ice-lite",
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 198.51.100.1 4000 typ host",
        "a=rtcp-rsize",
        "a=extmap:4 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 transport-cc",
        "a=rtcp-fb:96 nack pli",
        "a=fmtp:97 apt=96",
    ] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line} is not in {answer}");
    }
    for line in ["a=recvonly", "a=rid:l recv", "a=rid:m recv", "a=rid:h recv", "a=simulcast:recv l;m;h"] {
        assert!(media[1].contains(&format!("{line}\r\n")), "{line} is not in {}", media[1]);
    }
    assert!(media[2].contains("a=recvonly\r\n") && !media[2].contains("simulcast"));
    assert!(media[3].contains("a=sendonly\r\n") && media[3].contains("a=ssrc-group:FID "));
    assert!(!answer.contains("toffset") && !answer.contains("H264"));
}

#[test]
fn layers_are_read_as_far_as_they_are_of_use() {
    let simulcasts = [
        ("a=simulcast:send l;m;h", "l;m;h"),
        ("a=simulcast:send ~l;m,x;h;l", "l;m;h"),
        ("a=simulcast:recv a;b send l;m", "l;m"),
        ("a=simulcast:send l;undeclared;h", "l;h"),
        ("a=simulcast:send l;\u{e9};h", "l;h"),
    ];
    for (simulcast, layers) in simulcasts {
        let answer = answer(&CHROME.replace("a=simulcast:send l;m;h", simulcast)).unwrap();
        assert!(answer.contains(&format!("a=simulcast:recv {layers}\r\n")), "{simulcast}: {answer}");
    }
    let without = CHROME.replace("a=extmap:10 ", "a=extmap:20 ");
    assert!(!answer(&without).unwrap().contains("simulcast"));
}

#[test]
fn lines_that_are_off_keep_their_part() {
    let off = CHROME.replacen("a=sendonly", "a=inactive", 1);
    let answered = answer(&off).unwrap();
    let media: Vec<_> = answered.split("m=video").collect();
    assert!(media[1].contains("a=inactive\r\n") && media[2].contains("a=recvonly\r\n"));
    // The second video line is the screen, even where the first is disabled: the group is told by the others then.
    let disabled = CHROME.replacen("m=video 9", "m=video 0", 1).replace("BUNDLE 0 1", "BUNDLE 1");
    let answered = answer(&disabled).unwrap();
    assert!(answered.contains("m=video 0 ") && answered.contains("a=group:BUNDLE 1 2\r\n"));
    assert!(answered.split("m=video").nth(3).unwrap().contains("a=sendonly\r\n"));
}

#[test]
fn what_cannot_be_answered_says_why() {
    let without = |start: &str| -> String {
        CHROME.lines().filter(|line| !line.starts_with(start)).map(|line| format!("{line}\r\n")).collect()
    };
    let line = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:x\r\na=rtcp-mux\r\na=rtpmap:96 VP8/90000\r\n";
    let many = |count: usize| -> String {
        (0..count).map(|at| line.replace("mid:x", &format!("mid:{at}"))).collect()
    };
    let cases = [
        (String::new(), Description::Syntax.into()),
        (CHROME.replace("m=video 9", "m=audio 9"), OfferError::NoVideo),
        (CHROME.replace("m=video 9", "m=video 0"), OfferError::NoVideo),
        (CHROME.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), OfferError::NoVideo),
        (CHROME.replacen("VP8/90000", "VP9/90000", 1), OfferError::NoVp8),
        (CHROME.replace("VP8/90000", "VP9/90000"), OfferError::NoVp8),
        (without("a=rtcp-mux"), Description::NoMux.into()),
        (without("a=ice-pwd"), Description::NoIce.into()),
        (without("a=fingerprint"), Description::NoFingerprint.into()),
        (without("a=extmap:9"), OfferError::NoMidExtension),
        (CHROME.replace("a=extmap:9 ", "a=extmap:15 "), OfferError::NoMidExtension),
        (CHROME.replacen("a=extmap:4 ", "a=extmap:5 ", 1), OfferError::Numbers("extensions of headers")),
        (
            CHROME.replacen("96 97", "97 96", 1).replacen("rtpmap:96 VP8", "rtpmap:97 VP8", 1),
            OfferError::Numbers("VP8"),
        ),
        (without("a=mid:1"), OfferError::NotBundled),
        (without("a=mid:0"), OfferError::Mid),
        (CHROME.replace("a=mid:1", "a=mid:2"), OfferError::Mid),
        (
            CHROME
                .replace("a=mid:0", "a=mid:12345678901234567")
                .replace("BUNDLE 0", "BUNDLE 12345678901234567"),
            OfferError::Mid,
        ),
        (CHROME.replace("BUNDLE 0 1 2 3", "BUNDLE 0 1"), OfferError::NotBundled),
        (CHROME.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n"), Description::IceLite.into()),
        (CHROME.replace("setup:actpass", "setup:holdconn"), Description::Setup.into()),
        ("x".repeat(70_000), Description::TooLarge.into()),
    ];
    for (offer, error) in cases {
        assert_eq!(answer(&offer), Err(error), "{offer}");
    }
    let head = CHROME.split("m=video").next().unwrap();
    let keys: String = CHROME
        .lines()
        .filter(|line| {
            ["a=ice-ufrag", "a=ice-pwd", "a=fingerprint"].iter().any(|name| line.starts_with(name))
        })
        .take(3)
        .map(|line| format!("{line}\r\n"))
        .collect();
    let mids: Vec<String> = (0..19).map(|at| at.to_string()).collect();
    let head = head.replace("BUNDLE 0 1 2 3", &format!("BUNDLE {}", mids.join(" "))) + &keys;
    let extension = "a=extmap:9 urn:ietf:params:rtp-hdrext:sdes:mid\r\n";
    let offer =
        |count: usize| head.clone() + &many(count).replace("a=rtcp-mux", &format!("{extension}a=rtcp-mux"));
    assert!(answer(&offer(18)).is_ok());
    assert_eq!(answer(&offer(19)), Err(OfferError::TooManyLines));
}

#[test]
fn a_later_offer_keeps_lines_and_numbers() {
    let now = start();
    let mut room = Room::new(&[HERE], Patience::default());
    room.join(ANN, CHROME, now).unwrap();
    let changes = [
        (CHROME.replace("96", "98"), "the payload types or extensions"),
        (CHROME.replace("a=extmap:4 ", "a=extmap:5 "), "the payload types or extensions"),
        (CHROME.replace("a=mid:2", "a=mid:x").replace("1 2", "1 x"), "the video lines"),
        (CHROME.replace("send l;m;h", "send l;m"), "the video lines"),
        (CHROME.rsplit_once("m=video").unwrap().0.to_owned(), "the video lines"),
    ];
    for (offer, what) in changes {
        assert_eq!(room.join(ANN, &offer, now), Err(OfferError::Changed(what)));
    }
    assert!(room.join(ANN, CHROME, now).unwrap().sdp.contains("o=- "));
    let another = CHROME.replace("7B:8B", "7B:8C");
    assert!(room.join(ANN, &another.replace("96", "98"), now).is_ok(), "another connection begins anew");
}

/// A change of one line of an offer.
fn mutation() -> impl Strategy<Value = (u8, usize, usize, String)> {
    (0u8..7, 0usize..120, 0usize..200, "[ -~]{0,12}")
}

fn mutate(offer: &str, mutations: &[(u8, usize, usize, String)]) -> String {
    let mut lines: Vec<String> = offer.lines().map(str::to_owned).collect();
    for (kind, at, inside, text) in mutations {
        let at = at % lines.len().max(1);
        let Some(line) = lines.get(at).cloned() else { continue };
        let inside = inside % (line.len() + 1);
        match kind {
            0 => drop(lines.remove(at)),
            1 => lines.insert(inside % (lines.len() + 1), line),
            2 => lines[at].truncate(inside),
            3 => lines[at].insert_str(inside, text),
            4 => lines[at] = text.clone(),
            5 => lines[at].extend(std::iter::repeat_n(text.as_str(), 40)),
            _ => lines[at] = line.replacen(|c: char| c.is_ascii_digit(), text, 2),
        }
    }
    lines.join("\r\n") + "\r\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_offer_makes_us_panic_and_every_line_is_answered(
        mutations in proptest::collection::vec(mutation(), 1..6), later in proptest::collection::vec(mutation(), 1..4)
    ) {
        let now = start();
        let mut room = Room::new(&[HERE], Patience::default());
        for mutations in [mutations, later] {
            let offer = mutate(CHROME, &mutations);
            match room.join(ANN, &offer, now) {
                Ok(answer) => {
                    let media = |text: &str| text.lines().filter(|line| line.starts_with("m=")).count();
                    prop_assert_eq!(media(&answer.sdp), media(&offer));
                    let is_line = |line: &str| line.as_bytes().get(1) == Some(&b'=');
                    prop_assert!(answer.sdp.lines().all(is_line));
                }
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
            room.handle_timeout(now);
        }
    }
}
