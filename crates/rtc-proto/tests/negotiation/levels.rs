//! The levels of packets (RFC 6464) in offers and answers.

use rtc_proto::sdp::{LocalMedia, Negotiator, SrtpPolicy};

use crate::{addr, answered, has_line, keys, local, negotiator, plain, sdp};

const LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// What far ends say of header extensions, and the number under which they then send levels.
const EXTENSIONS: &[(&[&str], Option<u8>)] = &[
    (&["a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level"], Some(1)),
    (&["a=extmap:14/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level vad=on"], Some(14)),
    (&["a=extmap:2/sendrecv URN:ietf:params:rtp-hdrext:ssrc-audio-level vad=off"], Some(2)),
    (
        &[
            "a=extmap-allow-mixed",
            "a=extmap:14 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        ],
        Some(14),
    ),
    (
        &[
            "a=extmap:17 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            "a=extmap:6 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        ],
        Some(6),
    ),
    (&["a=extmap:1 urn:ietf:params:rtp-hdrext:csrc-audio-level"], None),
    (&["a=extmap:1 urn:ietf:params:rtp-hdrext:encrypt urn:ietf:params:rtp-hdrext:ssrc-audio-level"], None),
    (&["a=extmap:1/recvonly urn:ietf:params:rtp-hdrext:ssrc-audio-level"], None),
    (&["a=extmap:1/inactive urn:ietf:params:rtp-hdrext:ssrc-audio-level"], None),
    (&["a=extmap:0 urn:ietf:params:rtp-hdrext:ssrc-audio-level"], None),
    (&["a=extmap:15 urn:ietf:params:rtp-hdrext:ssrc-audio-level"], None),
    (&["a=extmap:257 urn:ietf:params:rtp-hdrext:ssrc-audio-level"], None),
    (&["a=extmap:4096 urn:ietf:params:rtp-hdrext:ssrc-audio-level"], None),
    (&["a=extmap:1", "a=extmap:", "a=extmap", "a=extmap:/ x"], None),
    (&[], None),
];

#[test]
fn levels_are_taken_under_the_number_of_the_offer() {
    for (lines, id) in EXTENSIONS {
        let all: Vec<&str> = std::iter::once("m=audio 4000 RTP/AVP 0").chain(lines.iter().copied()).collect();

        let (negotiated, text) = answered(&sdp(&all));

        assert_eq!(negotiated.audio_level, *id, "{lines:?}");
        let line = id.map(|id| format!("a=extmap:{id}/recvonly {LEVEL}"));
        assert_eq!(text.lines().find(|line| line.starts_with("a=extmap")), line.as_deref(), "{lines:?}");
    }
}

#[test]
fn extensions_of_all_streams_hold_for_the_audio_too() {
    let offer = sdp(&["a=extmap:5 urn:ietf:params:rtp-hdrext:ssrc-audio-level", "m=audio 4000 RTP/AVP 0"]);
    assert_eq!(answered(&offer).0.audio_level, Some(5));
}

#[test]
fn levels_are_offered_unless_sound_must_be_protected() {
    let ours = format!("a=extmap:1/recvonly {LEVEL}");
    for (policy, is_offered) in
        [(SrtpPolicy::Off, true), (SrtpPolicy::Optional, true), (SrtpPolicy::Required, false)]
    {
        assert_eq!(has_line(&negotiator(policy).offer(), &ours), is_offered, "{policy:?}");
    }
    let mut plain = plain();
    plain.offer();
    for (line, id) in [
        (format!("a=extmap:1/sendonly {LEVEL}"), Some(1)),
        (format!("a=extmap:1 {LEVEL}"), Some(1)),
        (format!("a=extmap:1/inactive {LEVEL}"), None),
        (format!("a=extmap:3/sendonly {LEVEL}"), None),
        ("a=sendrecv".into(), None),
    ] {
        let negotiated = plain.complete(&sdp(&["m=audio 4000 RTP/AVP 0", &line])).unwrap();
        assert_eq!(negotiated.audio_level, id, "{line}");
    }

    let mut required = negotiator(SrtpPolicy::Required);
    let (_, answer) = answered(&required.offer());
    let answer = format!("{answer}a=extmap:1 {LEVEL}\r\n");
    assert_eq!(required.complete(&answer).unwrap().audio_level, None);
}

#[test]
fn levels_keep_the_number_that_the_far_end_gave_them() {
    let mut negotiator = plain();
    let line = format!("a=extmap:9 {LEVEL}");
    negotiator.answer(&sdp(&["m=audio 4000 RTP/AVP 0", &line])).unwrap();

    let offer = negotiator.offer();
    let (at_b, answer) =
        Negotiator::new(LocalMedia { rtp: addr("192.0.2.2:40000"), ..local(SrtpPolicy::Off) }, keys(1))
            .answer(&offer.replace("/recvonly", ""))
            .unwrap();

    assert!(has_line(&offer, &format!("a=extmap:9/recvonly {LEVEL}")), "{offer}");
    assert_eq!(at_b.audio_level, Some(9));
    let at_a = negotiator.complete(&answer.replace("9/recvonly", "9/sendonly")).unwrap();
    assert_eq!(at_a.audio_level, Some(9));
}
