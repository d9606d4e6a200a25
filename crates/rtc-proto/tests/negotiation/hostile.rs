//! Texts that are no descriptions, or only nearly.

use proptest::prelude::*;
use rtc_proto::sdp::SrtpPolicy;

use crate::{KEY, negotiator, sdp};

const VALUES: &[&str] = &[
    "a=extmap:",
    "a=extmap:3/ urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:3/sendonly urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:99999999999999999999 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=rtpmap:96 opus/48000/2",
    "a=rtpmap:999 x/1/1",
    "a=rtpmap:",
    "a=rtpmap:0",
    "a=fmtp:96 useinbandfec=",
    "a=ptime:-1",
    "a=rtcp:0",
    "a=rtcp:99999 IN",
    "a=rtcp:5 IN IP4 ::1",
    "a=crypto:1",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:||||",
    "c=IN IP4 0.0.0.0",
    "c=IN IP6 ::",
    "c=",
    "c=IN IP4",
    "m=audio 65535 RTP/AVP 0 96",
    "m=audio 1/2 RTP/SAVP 255 -1 x",
    "m=",
    "m=audio",
    "a=sendonly",
    "a=inactive:1",
    "b=AS:x",
    "k=prompt",
    "t=0 0",
    "v=0",
    "o=- 1 99999999999999999999 IN IP4 x",
];

proptest! {
    #[test]
    fn no_text_makes_the_negotiator_panic(text in "\\PC{0,400}") {
        let _ = negotiator(SrtpPolicy::Optional).answer(&text);
    }

    #[test]
    fn no_mix_of_odd_lines_makes_the_negotiator_panic(picks in proptest::collection::vec(0..VALUES.len(), 0..24)) {
        let lines: Vec<&str> = picks.into_iter().map(|pick| VALUES[pick]).collect();
        let mut negotiator = negotiator(SrtpPolicy::Optional);
        negotiator.offer();
        let _ = negotiator.complete(&sdp(&lines));
        if let Ok((_, text)) = negotiator.answer(&sdp(&lines)) {
            prop_assert!(text.starts_with("v=0\r\no=- 4711 "));
        }
    }

    #[test]
    fn a_damaged_offer_never_panics(at in 0usize..600, octet in any::<u8>()) {
        let crypto = format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4");
        let mut offer = sdp(&["m=audio 4000 RTP/SAVP 96 0 101", "a=rtpmap:96 opus/48000/2", "a=rtcp:4001 IN IP4 198.51.100.7", &crypto]).into_bytes();
        let at = at % offer.len();
        offer[at] = octet;
        if let Ok(text) = String::from_utf8(offer) {
            let _ = negotiator(SrtpPolicy::Optional).answer(&text);
        }
    }
}
