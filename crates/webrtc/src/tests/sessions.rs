//! Sessions in virtual time.

use std::time::Duration;

use proptest::prelude::*;
use rtc_proto::Codec;
use rtc_proto::sdp::Direction as Ours;
use str0m::media::Direction;

use super::far::{Call, Far, HERE, Speaks, start, there};
use crate::{Event, Failure, Patience, Peer, ReofferError};

const OPUS: u8 = 111;
const OPUS_EVENT: u8 = 110;
const PCMU: u8 = 0;
const PCMU_EVENT: u8 = 126;

#[test]
fn packets_of_opus_pass_both_ways_as_they_are() {
    let mut call = Call::connected(Speaks::Opus);
    assert_eq!(call.peer.terms().codec, Codec::Opus);
    call.talk(OPUS, 0);
    call.talk(OPUS, 10);
    let counts = call.peer.counts();
    assert_eq!((counts.sent, counts.received, counts.unsent), (20, 20, 0));
}

#[test]
fn packets_of_pcmu_pass_both_ways_as_they_are() {
    let mut call = Call::connected(Speaks::Pcmu);
    assert_eq!(call.peer.terms().codec, Codec::Pcmu);
    call.talk(PCMU, 0);
}

#[test]
fn tones_pass_at_the_clock_of_the_codec() {
    for (speaks, payload_type, clock) in
        [(Speaks::Opus, OPUS_EVENT, 48_000), (Speaks::Pcmu, PCMU_EVENT, 8_000)]
    {
        let mut call = Call::connected(speaks);
        let event = call.peer.terms().telephone_event.unwrap();
        assert_eq!((event.payload_type, event.receive_payload_type), (payload_type, payload_type));
        assert_eq!(event.clock, clock);
        call.talk(payload_type, 0);
    }
}

#[test]
fn what_was_not_negotiated_is_not_sent() {
    let mut call = Call::connected(Speaks::Opus);
    let mut datagram = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3];
    for payload_type in [PCMU, PCMU_EVENT, 96] {
        datagram[1] = payload_type;
        call.peer.send(&datagram, call.now);
    }
    let mut long = vec![0; 1_501];
    long[0] = 0x80;
    long[1] = OPUS;
    call.peer.send(&long, call.now);
    call.peer.send(b"noise", call.now);
    call.exchange();
    assert!(call.far.received.is_empty());
    assert_eq!(call.peer.counts().unsent, 5);
}

#[test]
fn nothing_is_sent_before_the_far_end_is_connected() {
    let mut call = Call::offered(Speaks::Opus);
    call.peer.send(&[0x80, OPUS, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1], call.now);
    assert_eq!(call.peer.poll_transmit(), None);
    assert_eq!(call.peer.counts().unsent, 1);
}

#[test]
fn a_restart_of_ice_keeps_the_session_and_finds_the_new_address() {
    let mut call = Call::connected(Speaks::Opus);
    call.talk(OPUS, 0);
    let name = call.peer.ufrag().to_owned();
    call.far.move_to(there(2_000));
    call.reoffer(Direction::SendRecv, true);
    assert_ne!(call.peer.ufrag(), name);
    call.run(Duration::from_secs(3));
    assert_eq!(call.events, []);
    call.talk(OPUS, 10);
    call.run(Duration::from_mins(1));
    call.talk(OPUS, 20);
}

#[test]
fn a_restart_of_ice_gives_the_far_end_its_time_anew() {
    let mut call = Call::connected(Speaks::Opus);
    call.is_cut = true;
    call.run(Duration::from_secs(10));
    call.reoffer(Direction::SendRecv, true);
    call.run(Duration::from_secs(10));
    assert_eq!(call.events, []);
    call.is_cut = false;
    call.run(Duration::from_secs(10));
    call.talk(OPUS, 0);
}

#[test]
fn a_far_end_may_send_from_other_sources_than_it_offered() {
    let mut call = Call::connected(Speaks::Opus);
    for first in 0..8 {
        call.talk(OPUS, first * 10);
        call.far.change_source();
    }
}

#[test]
fn a_session_on_hold_is_silent_until_it_is_resumed() {
    let mut call = Call::connected(Speaks::Opus);
    call.talk(OPUS, 0);
    let answer = call.reoffer(Direction::SendOnly, false);
    assert_eq!(answer.terms.direction, Ours::RecvOnly);
    assert!(answer.sdp.contains("a=recvonly\r\n"));
    call.peer.send(&[0x80, OPUS, 0, 10, 0, 0, 0, 0, 0, 0, 0, 9, 1], call.now);
    call.far.received.clear();
    call.run(Duration::from_secs(1));
    assert!(call.far.received.is_empty());
    let answer = call.reoffer(Direction::Inactive, false);
    assert_eq!(answer.terms.direction, Ours::Inactive);
    let answer = call.reoffer(Direction::SendRecv, false);
    assert_eq!(answer.terms.direction, Ours::SendRecv);
    call.talk(OPUS, 10);
}

#[test]
fn another_certificate_is_another_peer_connection() {
    let mut call = Call::connected(Speaks::Opus);
    let other = Far::new(Speaks::Opus, there(1_000), call.now).offer();
    assert_eq!(call.peer.reoffer(&other, call.now), Err(ReofferError::NewPeerConnection));
    assert!(matches!(call.peer.reoffer("v=0", call.now), Err(ReofferError::Offer(_))));
    call.talk(OPUS, 0);
}

#[test]
fn other_payload_types_need_another_session() {
    let mut call = Call::connected(Speaks::Pcmu);
    let offer = call.far.reoffer(Direction::SendOnly, false);
    let offer = offer.replace("SAVPF 0 ", "SAVPF 97 ").replace("rtpmap:0 ", "rtpmap:97 ");
    let refused = call.peer.reoffer(&offer, call.now);
    assert_eq!(refused, Err(ReofferError::Changed("the payload types")));
}

#[test]
fn a_far_end_that_never_connects_is_given_up() {
    let mut call = Call::offered(Speaks::Opus);
    call.is_cut = true;
    call.run(Duration::from_millis(29_990));
    assert_eq!(call.events, []);
    call.run(Duration::from_millis(20));
    assert_eq!(call.events, [Event::Ended(Failure::NeverConnected)]);
    assert_eq!(call.peer.poll_timeout(), None);
}

#[test]
fn a_far_end_that_falls_silent_is_given_up() {
    let mut call = Call::connected(Speaks::Opus);
    call.run(Duration::from_mins(2));
    assert_eq!(call.events, [], "checks of ICE alone keep a session");
    call.far.send(OPUS, 0, b"last", call.now);
    call.exchange();
    call.events.clear();
    call.is_cut = true;
    call.run(Duration::from_millis(14_990));
    assert_eq!(call.events, []);
    call.run(Duration::from_millis(20));
    assert_eq!(call.events, [Event::Ended(Failure::Lost)]);
    assert_eq!(call.peer.reoffer("", call.now), Err(ReofferError::Gone));
}

#[test]
fn a_far_end_that_says_goodbye_ends_the_session() {
    let mut call = Call::connected(Speaks::Opus);
    call.far.rtc.close().unwrap();
    call.far.handle_timeout(call.now);
    call.exchange();
    assert_eq!(call.events, [Event::Ended(Failure::Closed)]);
}

#[test]
fn the_far_end_hears_our_goodbye() {
    let mut call = Call::connected(Speaks::Opus);
    call.peer.close(call.now);
    call.exchange();
    assert!(call.far.is_closed);
    assert_eq!(call.events, []);
    assert_eq!(call.peer.poll_timeout(), None);
}

#[test]
fn a_session_can_be_closed_before_it_is_connected() {
    let mut call = Call::offered(Speaks::Opus);
    call.peer.close(call.now);
    call.run(Duration::from_secs(60));
    assert_eq!(call.events, []);
}

#[test]
fn a_certificate_that_is_not_the_offers_is_refused() {
    let now = start();
    let mut far = Far::new(Speaks::Opus, there(1_000), now);
    let offer = far.offer();
    let at = offer.find("sha-256 ").unwrap() + 8;
    let mut forged = offer.clone();
    forged.replace_range(at..at + 2, if &offer[at..at + 2] == "00" { "01" } else { "00" });
    let (peer, answer) = Peer::answer(&forged, &[HERE], Patience::default(), now).unwrap();
    far.accept(&answer.sdp);
    let mut call = Call { far, peer, now, events: Vec::new(), is_cut: false };
    call.run(Duration::from_secs(3));
    assert!(matches!(call.events[..], [Event::Ended(Failure::Handshake(_))]), "{:?}", call.events);
}

#[test]
fn datagrams_of_strangers_change_nothing() {
    let mut call = Call::connected(Speaks::Opus);
    call.talk(OPUS, 0);
    // A request of the far end's own, but with a password that is not ours.
    let mut liar = Far::new(Speaks::Opus, there(3_000), call.now);
    liar.offer();
    let mut wrong = Call::connected(Speaks::Opus);
    wrong.far.handle_timeout(wrong.now + Duration::from_secs(5));
    let mut noise: Vec<Vec<u8>> = wrong.far.transmits().into_iter().map(|(_, octets)| octets).collect();
    noise.push(request(call.peer.ufrag()));
    noise.extend([
        vec![],
        vec![0],
        vec![22; 40],
        vec![0x80; 60],
        vec![0x80, OPUS, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5],
    ]);
    let before = call.peer.counts();
    for octets in &noise {
        // From nowhere, and in the far end's name.
        for from in [there(3_000), call.far.address] {
            assert!(!call.peer.handle_datagram(from, octets, call.now), "{octets:x?}");
        }
    }
    while let Some(transmit) = call.peer.poll_transmit() {
        assert_eq!(transmit.destination, call.far.address, "nothing is sent to strangers");
    }
    assert_eq!(call.peer.counts().received, before.received);
    call.talk(OPUS, 10);
    call.run(Duration::from_secs(30));
    call.talk(OPUS, 20);
}

/// A binding request that names a session, without the password.
fn request(ufrag: &str) -> Vec<u8> {
    let username = format!("{ufrag}:them");
    let mut attributes = vec![0, 6, 0, username.len() as u8];
    attributes.extend(username.as_bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0, 0x24, 0, 4, 1, 2, 3, 4, 0, 8, 0, 20]);
    attributes.extend([9; 20]);
    let mut datagram = vec![0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xa4, 0x42];
    datagram.extend([7; 12]);
    datagram.extend(attributes);
    datagram
}

#[test]
fn noise_in_the_far_ends_name_does_not_keep_a_session() {
    let mut call = Call::connected(Speaks::Opus);
    call.is_cut = true;
    for _ in 0..160 {
        let noise = [0x80, OPUS, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let request = request(call.peer.ufrag());
        call.peer.handle_datagram(call.far.address, &noise, call.now);
        call.peer.handle_datagram(call.far.address, &request, call.now);
        call.run(Duration::from_millis(100));
    }
    assert_eq!(call.events, [Event::Ended(Failure::Lost)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_datagram_makes_a_session_panic(
        starts in proptest::collection::vec((0u8..4, proptest::collection::vec(any::<u8>(), 0..80)), 1..60),
        is_connected in any::<bool>(),
    ) {
        let mut call =
            if is_connected { Call::connected(Speaks::Opus) } else { Call::offered(Speaks::Opus) };
        for (kind, tail) in starts {
            let mut octets = match kind {
                0 => request(call.peer.ufrag()),
                1 => vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, tail.len() as u8],
                2 => vec![0x80, OPUS],
                _ => vec![],
            };
            let at = tail.first().map_or(0, |at| usize::from(*at) % octets.len().max(1));
            if let Some(octet) = octets.get_mut(at) {
                *octet ^= tail.last().copied().unwrap_or_default();
            }
            octets.extend(&tail);
            call.peer.handle_datagram(call.far.address, &octets, call.now);
            call.peer.send(&octets, call.now);
        }
        call.run(Duration::from_millis(100));
    }
}
