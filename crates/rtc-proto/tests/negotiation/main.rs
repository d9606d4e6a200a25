//! Offers and answers in the shapes that phones, servers and carriers send.

mod hostile;
mod levels;

use std::net::SocketAddr;

use rtc_proto::Codec::{G722, Opus, Pcma, Pcmu};
use rtc_proto::sdp::{
    Direction, LocalKeys, LocalMedia, Negotiated, NegotiationError, Negotiator, SrtpPolicy,
};
use rtc_proto::srtp::{MAX_MASTER_LEN, Suite};

const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("address")
}

fn local(srtp: SrtpPolicy) -> LocalMedia {
    LocalMedia {
        rtp: addr("192.0.2.1:30000"),
        rtcp: addr("192.0.2.1:30001"),
        codecs: vec![Opus, G722, Pcmu, Pcma],
        has_telephone_event: true,
        srtp,
        direction: Direction::SendRecv,
        session_id: 4711,
    }
}

fn keys(seed: u8) -> LocalKeys {
    LocalKeys::new(std::array::from_fn(|at| [seed ^ at as u8; MAX_MASTER_LEN]))
}

fn negotiator(srtp: SrtpPolicy) -> Negotiator {
    Negotiator::new(local(srtp), keys(0x40))
}

fn plain() -> Negotiator {
    negotiator(SrtpPolicy::Off)
}

fn sdp(lines: &[&str]) -> String {
    let head = ["v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0"];
    head.iter().chain(lines).map(|line| format!("{line}\r\n")).collect()
}

fn answered(offer: &str) -> (Negotiated, String) {
    negotiator(SrtpPolicy::Optional).answer(offer).expect("answer")
}

fn has_line(text: &str, line: &str) -> bool {
    text.split("\r\n").any(|other| other == line)
}

#[test]
fn a_baresip_offer_is_answered_with_opus_and_its_own_numbers() {
    let offer = sdp(&[
        "a=tool:baresip 1.0.0",
        "m=audio 20010 RTP/AVP 96 0 8 101",
        "b=AS:125",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 stereo=1;sprop-stereo=1;useinbandfec=1;maxaveragebitrate=28000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtcp:20011",
        "a=sendrecv",
        "a=label:1",
        "a=rtcp-rsize",
        "a=ssrc:1 cname:sip:john@contoso.example",
        "a=ptime:20",
    ]);

    let (negotiated, text) = answered(&offer);

    assert_eq!((negotiated.codec, negotiated.payload_type), (Opus, 96));
    assert_eq!(negotiated.remote_rtp, addr("198.51.100.7:20010"));
    assert_eq!(negotiated.remote_rtcp, addr("198.51.100.7:20011"));
    assert!(negotiated.opus.has_inband_fec);
    assert_eq!(negotiated.opus.max_average_bitrate, Some(28_000));
    let event = negotiated.telephone_event.unwrap();
    assert_eq!((event.payload_type, event.clock), (101, 8_000));
    assert!(has_line(&text, "m=audio 30000 RTP/AVP 96 101"), "{text}");
    assert!(has_line(&text, "a=rtpmap:96 opus/48000/2") && has_line(&text, "a=fmtp:96 useinbandfec=1"));
    assert!(has_line(&text, "c=IN IP4 192.0.2.1") && has_line(&text, "a=sendrecv"));
}

#[test]
fn a_linphone_offer_gets_tones_on_the_clock_of_opus_and_video_refused() {
    let offer = sdp(&[
        "b=AS:380",
        "a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics",
        "a=record:off",
        "m=audio 7078 RTP/AVPF 96 97 98 0 8 18 101 99 100",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:97 speex/16000",
        "a=fmtp:97 vbr=on",
        "a=rtpmap:98 speex/8000",
        "a=fmtp:18 annexb=yes",
        "a=rtpmap:101 telephone-event/48000",
        "a=rtpmap:99 telephone-event/16000",
        "a=rtpmap:100 telephone-event/8000",
        "a=rtcp-fb:* trr-int 1000",
        "a=rtcp-fb:* ccm tmmbr",
        "m=video 9078 RTP/AVPF 96",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:* ccm fir",
    ]);

    let (negotiated, text) = answered(&offer);

    assert_eq!(negotiated.codec, Opus);
    let event = negotiated.telephone_event.unwrap();
    assert_eq!((event.payload_type, event.clock), (101, 48_000));
    assert!(has_line(&text, "m=audio 30000 RTP/AVPF 96 101"), "{text}");
    assert!(has_line(&text, "m=video 0 RTP/AVPF 96"), "{text}");
}

#[test]
fn an_offer_without_any_map_is_understood_by_static_numbers() {
    let (negotiated, text) = answered(&sdp(&["m=audio 16384 RTP/AVP 18 9 0"]));

    assert_eq!((negotiated.codec, negotiated.payload_type), (G722, 9));
    assert_eq!(negotiated.telephone_event, None);
    assert!(has_line(&text, "m=audio 30000 RTP/AVP 9") && has_line(&text, "a=rtpmap:9 G722/8000"), "{text}");
}

const ZOIPER: &[&str] = &[
    "m=audio 8000 RTP/AVP 3 110 97 8 0 101",
    "a=rtpmap:110 speex/8000",
    "a=rtpmap:97 iLBC/8000",
    "a=fmtp:97 mode=30",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
];

const CISCO: &[&str] = &[
    "m=audio 16920 RTP/AVP 0 8 18 101",
    "c=IN IP4 203.0.113.9",
    "a=rtpmap:0 PCMU/8000/1",
    "a=rtpmap:8 PCMA/8000/1",
    "a=rtpmap:101 telephone-event/8000/1",
    "a=ptime:30",
    "a=sendrecv",
];

const ASTERISK: &[&str] = &[
    "m=audio 13446 RTP/AVP 8 0 101",
    "a=rtpmap:8 PCMA/8000",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=ptime:20",
    "a=maxptime:150",
    "a=sendrecv",
];

const FREESWITCH: &[&str] = &[
    "a=msid-semantic: WMS abc",
    "m=audio 24680 RTP/AVP 102 9 0 8 103 101 13",
    "a=rtpmap:102 OPUS/48000/2",
    "a=fmtp:102 useinbandfec=1; maxaveragebitrate=30000; maxplaybackrate=48000; ptime=20; minptime=10; maxptime=40",
    "a=rtpmap:103 telephone-event/48000",
    "a=fmtp:103 0-16",
    "a=rtpmap:101 telephone-event/8000",
    "a=rtcp:24681 IN IP4 198.51.100.8",
    "a=ptime:20",
];

const TWILIO: &[&str] = &[
    "m=audio 19212 RTP/AVP 0 101",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:101 0-16",
    "a=ptime:20",
    "a=maxptime:20",
    "a=sendrecv",
];

#[test]
fn shapes_of_phones_and_servers_give_what_they_ask_for() {
    let cases: [(&str, &[&str], _, &str, &str, _, u16); 5] = [
        ("zoiper", ZOIPER, (Pcma, 8), "198.51.100.7:8000", "198.51.100.7:8001", Some((101, 8_000)), 20),
        ("cisco", CISCO, (Pcmu, 0), "203.0.113.9:16920", "203.0.113.9:16921", Some((101, 8_000)), 30),
        ("asterisk", ASTERISK, (Pcma, 8), "198.51.100.7:13446", "198.51.100.7:13447", Some((101, 8_000)), 20),
        (
            "freeswitch",
            FREESWITCH,
            (Opus, 102),
            "198.51.100.7:24680",
            "198.51.100.7:24681",
            Some((103, 48_000)),
            20,
        ),
        ("twilio", TWILIO, (Pcmu, 0), "198.51.100.7:19212", "198.51.100.7:19213", Some((101, 8_000)), 20),
    ];
    for (name, lines, codec, rtp, rtcp, event, ptime_ms) in cases {
        let (negotiated, _) = answered(&sdp(lines));

        assert_eq!((negotiated.codec, negotiated.payload_type), codec, "{name}");
        assert_eq!((negotiated.remote_rtp, negotiated.remote_rtcp), (addr(rtp), addr(rtcp)), "{name}");
        assert_eq!(
            negotiated.telephone_event.map(|event| (event.payload_type, event.clock)),
            event,
            "{name}"
        );
        assert_eq!((negotiated.ptime_ms, negotiated.direction), (ptime_ms, Direction::SendRecv), "{name}");
        assert_eq!(negotiated.srtp, None, "{name}");
    }
}

#[test]
fn line_ends_without_carriage_return_and_an_early_end_are_read() {
    let offer = sdp(&["m=audio 16384 RTP/AVP 0"]).replace("\r\n", "\n");
    assert_eq!(answered(offer.trim_end()).0.codec, Pcmu);
}

#[test]
fn an_ipv6_offer_is_answered_by_an_ipv6_leg_only() {
    let offer = "v=0\r\no=- 1 1 IN IP6 2001:db8::7\r\ns=-\r\nc=IN IP6 2001:db8::7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let media = LocalMedia {
        rtp: addr("[2001:db8::1]:30000"),
        rtcp: addr("[2001:db8::1]:30001"),
        ..local(SrtpPolicy::Off)
    };

    let (negotiated, text) = Negotiator::new(media, keys(1)).answer(offer).unwrap();

    assert_eq!(negotiated.remote_rtp, addr("[2001:db8::7]:4000"));
    assert!(has_line(&text, "c=IN IP6 2001:db8::1"), "{text}");
    assert_eq!(plain().answer(offer), Err(NegotiationError::Address));
}

#[test]
fn an_ipv4_address_written_as_ipv6_is_an_ipv4_address() {
    let offer = sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 ::ffff:203.0.113.9"]);
    assert_eq!(answered(&offer).0.remote_rtp, addr("203.0.113.9:4000"));
}

#[test]
fn rtcp_goes_to_the_host_of_rtp_and_to_a_media_port() {
    let cases = [
        ("a=rtcp:4711", "198.51.100.7:4711"),
        ("a=rtcp:4711 IN IP4 198.51.100.7", "198.51.100.7:4711"),
        ("a=rtcp:4711 IN IP6 ::ffff:198.51.100.7", "198.51.100.7:4711"),
        ("a=rtcp:4711 IN IP4 203.0.113.9", "198.51.100.7:4001"),
        ("a=rtcp:4711 IN IP4 phone.example", "198.51.100.7:4001"),
        ("a=rtcp:53", "198.51.100.7:4001"),
        ("a=rtcp:0", "198.51.100.7:4001"),
        ("a=rtcp:many", "198.51.100.7:4001"),
    ];
    for (line, expected) in cases {
        let (negotiated, _) = answered(&sdp(&["m=audio 4000 RTP/AVP 0", line]));
        assert_eq!(negotiated.remote_rtcp, addr(expected), "{line}");
    }
}

#[test]
fn a_hold_by_the_unspecified_address_may_name_any_port() {
    let (negotiated, _) = answered(&sdp(&["m=audio 9 RTP/AVP 0", "c=IN IP4 0.0.0.0"]));
    assert_eq!((negotiated.remote_rtp, negotiated.direction), (addr("0.0.0.0:9"), Direction::RecvOnly));
}

#[test]
fn rtcp_multiplexing_is_accepted_where_offered() {
    let (negotiated, text) = answered(&sdp(&["m=audio 4000 RTP/AVP 0", "a=rtcp-mux"]));

    assert!(negotiated.has_rtcp_mux);
    assert_eq!(negotiated.remote_rtcp, negotiated.remote_rtp);
    assert!(has_line(&text, "a=rtcp-mux"), "{text}");
}

fn secure(profile: &str, crypto: &[&str]) -> String {
    let media = format!("m=audio 4000 {profile} 0");
    let lines: Vec<String> = crypto.iter().map(|line| format!("a=crypto:{line}")).collect();
    let all: Vec<&str> = std::iter::once(media.as_str()).chain(lines.iter().map(String::as_str)).collect();
    sdp(&all)
}

#[test]
fn the_first_usable_crypto_line_is_answered_with_its_tag_and_our_key() {
    let f8 = format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}");
    let sha_32 = format!("7 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^31|1:1");
    let sha_80 = format!("8 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    for profile in ["RTP/SAVP", "RTP/SAVPF", "RTP/AVP"] {
        let (negotiated, text) = answered(&secure(profile, &[&f8, &sha_32, &sha_80]));

        let srtp = negotiated.srtp.unwrap();
        assert_eq!((srtp.suite, srtp.remote.mki_len()), (Suite::AesCm128HmacSha1_32, 1));
        assert_ne!(srtp.local, srtp.remote);
        assert!(text.contains("a=crypto:7 AES_CM_128_HMAC_SHA1_32 inline:"), "{text}");
        assert!(text.contains(&format!("m=audio 30000 {profile} 0\r\n")), "{text}");
        assert_eq!(text.matches("a=crypto:").count(), 1);
    }
}

#[test]
fn policies_decide_what_becomes_of_protected_and_plain_offers() {
    let usable = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let unusable = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP");
    let cases = [
        (SrtpPolicy::Off, secure("RTP/SAVP", &[&usable]), Err(NegotiationError::Srtp)),
        (SrtpPolicy::Off, secure("RTP/AVP", &[&usable]), Ok(false)),
        (SrtpPolicy::Optional, secure("RTP/SAVP", &[&usable]), Ok(true)),
        (SrtpPolicy::Optional, secure("RTP/SAVP", &[&unusable]), Err(NegotiationError::NoKey)),
        (SrtpPolicy::Optional, secure("RTP/SAVP", &[]), Err(NegotiationError::NoKey)),
        (SrtpPolicy::Optional, secure("RTP/AVP", &[]), Ok(false)),
        (SrtpPolicy::Required, secure("RTP/AVP", &[]), Err(NegotiationError::Srtp)),
        (SrtpPolicy::Required, secure("RTP/AVP", &[&usable]), Ok(true)),
    ];
    for (policy, offer, expected) in cases {
        let outcome = negotiator(policy).answer(&offer).map(|(negotiated, _)| negotiated.srtp.is_some());
        assert_eq!(outcome, expected, "{policy:?} {offer}");
    }
}

#[test]
fn of_a_protected_and_a_plain_stream_the_protected_one_is_taken() {
    let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let offer = sdp(&["m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/SAVP 8", &crypto]);

    let (negotiated, text) = answered(&offer);
    let (without, plain_text) = plain().answer(&offer).unwrap();

    assert_eq!(negotiated.remote_rtp, addr("198.51.100.7:4002"));
    assert!(text.contains("m=audio 0 RTP/AVP 0\r\nm=audio 30000 RTP/SAVP 8\r\n"), "{text}");
    assert_eq!(without.remote_rtp, addr("198.51.100.7:4000"));
    assert!(plain_text.contains("m=audio 0 RTP/SAVP 8\r\n"), "{plain_text}");
}

#[test]
fn what_cannot_be_agreed_on_is_named() {
    let cases = [
        (sdp(&[]), NegotiationError::NoAudio),
        (sdp(&["m=audio 0 RTP/AVP 0"]), NegotiationError::NoAudio),
        (sdp(&["m=video 4000 RTP/AVP 96"]), NegotiationError::NoAudio),
        (sdp(&["m=audio 4000 UDP/TLS/RTP/SAVPF 0"]), NegotiationError::NoAudio),
        (sdp(&["m=audio 4000 RTP/AVP 18 3"]), NegotiationError::NoCodec),
        (sdp(&["m=audio 4000 RTP/AVP 0", "a=rtpmap:0 GSM/8000"]), NegotiationError::NoCodec),
        (sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP4 phone.example"]), NegotiationError::Address),
        (sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP4 224.2.1.1/127"]), NegotiationError::Address),
        (sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP4 255.255.255.255"]), NegotiationError::Address),
        (sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP4 240.0.0.1"]), NegotiationError::Address),
        (sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.7"]), NegotiationError::Address),
        (sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 ff02::1"]), NegotiationError::Address),
        (sdp(&["m=audio 4000 RTP/AVP 0", "c=IN IP6 ::ffff:224.2.1.1"]), NegotiationError::Address),
        (sdp(&["m=audio 1023 RTP/AVP 0"]), NegotiationError::Address),
        (sdp(&["m=audio 53 RTP/AVP 0"]), NegotiationError::Address),
        (sdp(&["m=audio 99999 RTP/AVP 0"]), NegotiationError::Syntax),
        ("hello".into(), NegotiationError::Syntax),
        (String::new(), NegotiationError::Syntax),
        (sdp(&[&format!("a=x:{}", "y".repeat(20_000))]), NegotiationError::TooLarge),
        (sdp(&["m=video 1 RTP/AVP 96"; 17]), NegotiationError::TooLarge),
        (sdp(&["a=x"; 600]), NegotiationError::TooLarge),
        (sdp(&[&format!("m=audio 4000 RTP/AVP{}", " 0".repeat(129))]), NegotiationError::TooLarge),
    ];
    for (offer, expected) in cases {
        assert_eq!(plain().answer(&offer).unwrap_err(), expected, "{}", &offer[..offer.len().min(300)]);
    }
}

#[test]
fn an_offer_of_ours_reaches_agreement_with_ourselves() {
    for (caller, callee, is_protected) in [
        (SrtpPolicy::Off, SrtpPolicy::Off, false),
        (SrtpPolicy::Off, SrtpPolicy::Optional, false),
        (SrtpPolicy::Optional, SrtpPolicy::Off, false),
        (SrtpPolicy::Optional, SrtpPolicy::Optional, true),
        (SrtpPolicy::Optional, SrtpPolicy::Required, true),
        (SrtpPolicy::Required, SrtpPolicy::Optional, true),
    ] {
        let mut a = negotiator(caller);
        let mut b = Negotiator::new(LocalMedia { rtp: addr("192.0.2.2:40000"), ..local(callee) }, keys(0x10));

        let (at_b, answer) = b.answer(&a.offer()).unwrap();
        let at_a = a.complete(&answer).unwrap();

        assert_eq!((at_a.codec, at_a.payload_type), (at_b.codec, at_b.payload_type));
        assert_eq!(at_a.telephone_event, at_b.telephone_event);
        assert_eq!(at_a.remote_rtp, addr("192.0.2.2:40000"));
        assert_eq!(at_a.srtp.is_some(), is_protected, "{caller:?} {callee:?}");
        if let (Some(ours), Some(theirs)) = (at_a.srtp, at_b.srtp) {
            assert_eq!((ours.local, ours.remote), (theirs.remote, theirs.local));
        }
    }
}

#[test]
fn an_answer_may_use_numbers_of_its_own() {
    let mut negotiator = plain();
    negotiator.offer();

    let negotiated = negotiator
        .complete(&sdp(&[
            "m=audio 4000 RTP/AVP 120 121",
            "a=rtpmap:120 opus/48000/2",
            "a=rtpmap:121 telephone-event/48000",
        ]))
        .unwrap();

    assert_eq!((negotiated.payload_type, negotiated.receive_payload_type), (120, 111));
    let event = negotiated.telephone_event.unwrap();
    assert_eq!((event.payload_type, event.receive_payload_type), (121, 110));
}

#[test]
fn answers_that_do_not_fit_the_offer_are_refused() {
    let crypto = format!("a=crypto:9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
    let mut plain = plain();
    let mut required = negotiator(SrtpPolicy::Required);
    assert_eq!(plain.complete(&sdp(&["m=audio 4000 RTP/AVP 0"])), Err(NegotiationError::NoOffer));
    plain.offer();
    required.offer();

    let cases = [
        (&plain, sdp(&["m=audio 0 RTP/AVP 0"]), NegotiationError::Refused),
        (&plain, sdp(&[]), NegotiationError::NoAudio),
        (&plain, sdp(&["m=audio 4000 RTP/SAVP 0", &crypto]), NegotiationError::Profile),
        (&plain, sdp(&["m=audio 4000 UDP/TLS/RTP/SAVPF 0"]), NegotiationError::Profile),
        (&plain, sdp(&["m=audio 4000 RTP/AVP 18"]), NegotiationError::NoCodec),
        (&required, sdp(&["m=audio 4000 RTP/AVP 0"]), NegotiationError::Profile),
        (&required, sdp(&["m=audio 4000 RTP/SAVP 0"]), NegotiationError::NoKey),
        (&required, sdp(&["m=audio 4000 RTP/SAVP 0", &crypto]), NegotiationError::NoKey),
    ];
    for (negotiator, answer, expected) in cases {
        assert_eq!(negotiator.complete(&answer), Err(expected), "{answer}");
    }
}

#[test]
fn hold_and_resume_follow_the_far_end() {
    let cases: [(&[&str], Direction, &str); 7] = [
        (&["m=audio 4000 RTP/AVP 0", "a=sendonly"], Direction::RecvOnly, "a=recvonly"),
        (&["m=audio 4000 RTP/AVP 0", "a=inactive"], Direction::Inactive, "a=inactive"),
        (&["m=audio 4000 RTP/AVP 0", "a=recvonly"], Direction::SendOnly, "a=sendonly"),
        (&["a=sendonly", "m=audio 4000 RTP/AVP 0"], Direction::RecvOnly, "a=recvonly"),
        (&["a=inactive", "m=audio 4000 RTP/AVP 0", "a=sendrecv"], Direction::SendRecv, "a=sendrecv"),
        (&["m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"], Direction::RecvOnly, "a=recvonly"),
        (&["m=audio 4000 RTP/AVP 0"], Direction::SendRecv, "a=sendrecv"),
    ];
    let mut negotiator = plain();
    for (lines, direction, attribute) in cases {
        let (negotiated, text) = negotiator.answer(&sdp(lines)).unwrap();
        assert_eq!(negotiated.direction, direction, "{lines:?}");
        assert!(has_line(&text, attribute), "{text}");
    }
}

#[test]
fn our_hold_is_offered_and_met() {
    let (mut a, mut b) = (plain(), plain());
    let (_, answer) = b.answer(&a.offer()).unwrap();
    a.complete(&answer).unwrap();

    a.set_direction(Direction::SendOnly);
    let (at_b, answer) = b.answer(&a.offer()).unwrap();

    assert_eq!(at_b.direction, Direction::RecvOnly);
    assert_eq!(a.complete(&answer).unwrap().direction, Direction::SendOnly);
}

#[test]
fn the_version_grows_only_with_a_change() {
    let mut negotiator = plain();
    let origin = |text: &str| text.lines().find(|line| line.starts_with("o=")).unwrap().to_owned();
    let offer = sdp(&["m=audio 4000 RTP/AVP 0"]);

    let first = negotiator.answer(&offer).unwrap().1;
    let again = negotiator.answer(&offer).unwrap().1;
    let held = negotiator.answer(&sdp(&["m=audio 4000 RTP/AVP 0", "a=sendonly"])).unwrap().1;
    let moved = negotiator.answer(&sdp(&["m=audio 5000 RTP/AVP 8"])).unwrap();

    assert_eq!(origin(&first), "o=- 4711 1 IN IP4 192.0.2.1");
    assert_eq!(first, again);
    assert_eq!(origin(&held), "o=- 4711 2 IN IP4 192.0.2.1");
    assert_eq!(origin(&moved.1), "o=- 4711 3 IN IP4 192.0.2.1");
    assert_eq!((moved.0.codec, moved.0.remote_rtp.port()), (Pcma, 5000));
}

#[test]
fn a_later_offer_keeps_streams_profile_and_numbers() {
    let mut negotiator = plain();
    negotiator
        .answer(&sdp(&[
            "m=video 9078 RTP/AVP 97",
            "m=audio 4000 RTP/AVPF 101 111",
            "a=rtpmap:101 opus/48000/2",
            "a=rtpmap:111 telephone-event/48000",
        ]))
        .unwrap();

    let text = negotiator.offer();

    let streams: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(streams, ["m=video 0 RTP/AVP 97", "m=audio 30000 RTP/AVPF 101 9 0 8 111 110"]);
    assert!(has_line(&text, "a=rtpmap:110 telephone-event/8000"), "{text}");
}

#[test]
fn a_failed_answer_leaves_the_leg_as_it_was() {
    let mut negotiator = plain();
    let offer = sdp(&["m=audio 4000 RTP/AVP 0"]);
    let before = negotiator.answer(&offer).unwrap();

    assert!(negotiator.answer(&sdp(&["m=audio 4000 RTP/AVP 18"])).is_err());

    assert_eq!(negotiator.answer(&offer).unwrap(), before);
}

#[test]
fn an_rtcp_port_that_is_not_above_rtp_is_named() {
    let media = LocalMedia { rtcp: addr("192.0.2.1:40001"), ..local(SrtpPolicy::Off) };
    let text = Negotiator::new(media, keys(1)).offer();
    assert!(has_line(&text, "a=rtcp:40001 IN IP4 192.0.2.1"), "{text}");
}
