//! Datagrams of strangers, and pages that send what no browser would.

use std::time::Duration;

use proptest::prelude::*;
use webrtc::Patience;

use super::far::{ANN, BEN, Far, HERE, Meeting, ONE, THREE, start};
use crate::{Event, Kind, MAX_PAGES, PageId, Room};

const SECOND: Duration = Duration::from_secs(1);

/// A meeting in which one page sees the other.
fn watched() -> Meeting {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.run(SECOND);
    meeting
}

#[test]
fn datagrams_of_strangers_change_nothing() {
    let mut meeting = watched();
    let stranger = ([192, 0, 2, 66], 6_000).into();
    let mut other = watched();
    let later = other.now + SECOND;
    other.page(ANN).handle_timeout(later);
    let mut noise: Vec<Vec<u8>> = other.page(ANN).transmits().into_iter().map(|(_, octets)| octets).collect();
    assert!(!noise.is_empty());
    noise.extend([
        vec![],
        vec![0],
        vec![22; 40],
        vec![0x80; 60],
        vec![0x80; 1_501],
        vec![0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5],
    ]);
    let known = meeting.page(ANN).address;
    for octets in &noise {
        for from in [stranger, known] {
            assert!(!meeting.room.handle_datagram(ANN, from, octets, meeting.now));
        }
        assert!(!meeting.room.handle_datagram(PageId(99), stranger, octets, meeting.now));
    }
    while let Some(transmit) = meeting.room.poll_transmit() {
        assert_ne!(transmit.destination, stranger, "nothing is sent to strangers");
    }
    assert!(meeting.room.stats(ANN).unwrap().refused >= noise.len() as u64);
    meeting.forget();
    meeting.run(2 * SECOND);
    assert!(meeting.page(BEN).on(0).len() > 40);
}

#[test]
fn a_room_takes_so_many_pages_and_no_more() {
    let now = start();
    let mut room = Room::new(&[HERE], Patience::default());
    for page in 0..MAX_PAGES as u64 + 5 {
        room.allow(PageId(page), Kind::Camera, true, now);
        room.watch(PageId(page), Vec::new(), now);
    }
    assert_eq!(room.len(), MAX_PAGES);
    let offer = Far::new(1, ONE, HERE, now).offer(1);
    assert_eq!(room.join(PageId(1_000), &offer, now), Err(crate::OfferError::Full));
    assert!(room.join(PageId(1), &offer, now).is_ok());
    room.leave(PageId(2), now);
    assert!(room.join(PageId(1_000), &offer, now).is_ok());
}

#[test]
fn pages_of_which_nothing_is_shown_and_that_see_nobody_take_no_place() {
    let now = start();
    let mut room = Room::new(&[HERE], Patience::default());
    for page in 0..2 * MAX_PAGES as u64 {
        for kind in Kind::ALL {
            room.allow(PageId(page), kind, false, now);
        }
        room.watch(PageId(page), Vec::new(), now);
    }
    assert!(room.is_empty());
    room.allow(ANN, Kind::Camera, true, now);
    room.allow(ANN, Kind::Camera, false, now);
    assert_eq!(room.len(), 1, "what is known is heard");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_datagram_makes_a_room_panic(
        changes in proptest::collection::vec((any::<u16>(), any::<u8>(), 0u8..5), 40)
    ) {
        let mut meeting = watched();
        let mut changes = changes.into_iter().cycle();
        let mut count = 0;
        meeting.mangle = Some(Box::new(move |octets| {
            count += 1;
            if count % 3 != 0 {
                return;
            }
            let (at, with, kind) = changes.next().unwrap();
            let at = usize::from(at) % octets.len().max(1);
            match kind {
                0 => octets.truncate(at),
                1 => octets.extend(std::iter::repeat_n(with, at % 64)),
                // Of what is not encrypted.
                2 if octets.len() > 40 => octets[at % 40] ^= with,
                3 if octets.len() > 2 => octets[1] = 200 + with % 8,
                _ if at < octets.len() => octets[at] ^= with,
                _ => {}
            }
        }));
        meeting.run(SECOND);
        let gone = Event::Gone { page: ANN };
        prop_assert!(!meeting.events.contains(&gone));
    }

    #[test]
    fn no_packet_of_a_page_makes_a_room_panic(
        payloads in proptest::collection::vec(
            (proptest::collection::vec(any::<u8>(), 0..30), any::<u16>(), any::<u32>(), any::<bool>()), 1..60
        ),
    ) {
        let mut meeting = Meeting::new();
        meeting.join_raw(ANN);
        meeting.join(BEN, ONE);
        meeting.room.allow(ANN, Kind::Screen, true, meeting.now);
        meeting.watch(BEN, &[(ANN, Kind::Screen, 360)]);
        meeting.run(2 * SECOND);
        assert!(meeting.page(ANN).is_connected);
        for (number, (mut payload, skip, time, is_marked)) in (1..).zip(payloads) {
            // Mostly something that begins a picture.
            if skip % 3 > 0 {
                payload.splice(0..0, [0x10, (skip % 5 == 0).into(), 0, 0, 0x9d, 0x01, 0x2a, 0, 1, 0, 1]);
            }
            let now = meeting.now;
            let number = number * 2 + u64::from(skip % 2);
            meeting.page(ANN).send_raw(&payload, (number, time), is_marked, now);
            meeting.run(SECOND / 50);
        }
        meeting.run(SECOND);
    }
}
