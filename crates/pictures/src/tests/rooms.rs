//! Pages that see one another, in virtual time.

use std::time::Duration;

use super::far::{ANN, Arrived, BEN, CEM, Meeting, ONE, THREE};
use crate::{Event, Kind};

const SECOND: Duration = Duration::from_secs(1);

/// Checks that what came on a line can be decoded, and is shown in the right order.
fn assert_whole(arrived: &[Arrived]) {
    assert!(arrived[0].is_key, "nothing can be shown before a whole picture");
    for pair in arrived.windows(2) {
        let (before, after) = (pair[0], pair[1]);
        assert!(after.time > before.time, "{before:?} {after:?}");
        let follows =
            after.number == before.number + 1 && (after.tag, after.layer) == (before.tag, before.layer);
        assert!(follows || after.is_key, "{before:?} {after:?}");
    }
}

#[test]
fn two_pages_see_each_other() {
    let mut meeting = Meeting::of(&[(ANN, ONE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.show(BEN, Kind::Camera);
    meeting.watch(ANN, &[(BEN, Kind::Camera, 360)]);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.run(2 * SECOND);
    for (page, other) in [(ANN, 2), (BEN, 1)] {
        let arrived = meeting.page(page).on(0);
        assert!(arrived.len() > 40, "{}", arrived.len());
        assert!(arrived.iter().all(|frame| frame.tag == other));
        assert_whole(arrived);
    }
    meeting.events.sort_by_key(Event::page);
    let flowing = |page| Event::Flowing { page, kind: Kind::Camera };
    assert_eq!(meeting.events, [flowing(ANN), flowing(BEN)]);
}

#[test]
fn each_tile_gets_the_layer_that_is_large_enough() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    let tiles = [180, 300, 720].map(|height| (ANN, Kind::Camera, height));
    meeting.watch(BEN, &tiles);
    meeting.run(15 * SECOND);
    for line in 0..3 {
        let arrived = meeting.page(BEN).on(line);
        assert_whole(arrived);
        let last = arrived.last().unwrap();
        assert_eq!(usize::from(last.layer), line);
    }
    assert_eq!(meeting.page(BEN).on(3), []);
}

#[test]
fn another_size_is_another_layer_from_a_whole_picture_on() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 180)]);
    meeting.run(4 * SECOND);
    meeting.forget();
    meeting.watch(BEN, &[(ANN, Kind::Camera, 720)]);
    meeting.run(12 * SECOND);
    let (asked, arrived) = (meeting.page(ANN).asked, meeting.page(BEN).on(0).to_vec());
    let first = arrived.iter().position(|frame| frame.layer == 2).unwrap();
    assert!(arrived[first].is_key && first > 0, "the small one goes on until then");
    assert!((1..=4).contains(&asked), "{asked}");
    for pair in arrived.windows(2) {
        assert!(pair[1].time > pair[0].time);
        let (ticks, passed) = (pair[1].time - pair[0].time, pair[1].at - pair[0].at);
        assert!(passed < SECOND / 5 && ticks < 18_000, "{pair:?}");
    }
}

#[test]
fn a_narrow_way_gets_less_and_a_wide_one_more_again() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE), (CEM, ONE)]);
    meeting.show(ANN, Kind::Camera);
    for viewer in [BEN, CEM] {
        meeting.watch(viewer, &[(ANN, Kind::Camera, 720)]);
    }
    meeting.run(12 * SECOND);
    assert_eq!(meeting.page(BEN).on(0).last().unwrap().layer, 2);

    meeting.narrow(BEN, Some(500));
    meeting.run(10 * SECOND);
    meeting.forget();
    meeting.run(5 * SECOND);
    let arrived = meeting.page(BEN).on(0);
    assert!(arrived.iter().all(|frame| frame.layer < 2), "900 kbit/s do not fit into 500");
    assert!(arrived.len() > 100, "{}", arrived.len());
    let wide = meeting.page(CEM).on(0);
    assert!(wide.iter().all(|frame| frame.layer == 2) && wide.len() > 120, "others are not concerned");
    let stats = meeting.room.stats(BEN).unwrap();
    assert!((100_000..700_000).contains(&stats.estimate), "{stats:?}");

    meeting.narrow(BEN, None);
    meeting.run(30 * SECOND);
    assert_eq!(meeting.page(BEN).on(0).last().unwrap().layer, 2);
}

#[test]
fn a_layer_that_its_page_gives_up_is_not_waited_for() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 720)]);
    meeting.run(12 * SECOND);
    assert_eq!(meeting.page(BEN).on(0).last().unwrap().layer, 2);
    meeting.page(ANN).limit(2);
    meeting.run(3 * SECOND);
    meeting.forget();
    meeting.run(2 * SECOND);
    let arrived = meeting.page(BEN).on(0);
    assert!(arrived.len() > 40 && arrived.iter().all(|frame| frame.layer == 1), "{}", arrived.len());
    meeting.page(ANN).limit(3);
    meeting.run(6 * SECOND);
    assert_eq!(meeting.page(BEN).on(0).last().unwrap().layer, 2);
}

#[test]
fn a_screen_is_sent_beside_cameras_and_before_them() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.show(ANN, Kind::Screen);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 720), (ANN, Kind::Screen, 720)]);
    meeting.run(3 * SECOND);
    let flowing = |kind| Event::Flowing { page: ANN, kind };
    assert!(
        meeting.events.contains(&flowing(Kind::Camera)) && meeting.events.contains(&flowing(Kind::Screen))
    );
    let screen = meeting.page(BEN).on(1);
    assert_whole(screen);
    assert!(screen.iter().all(|frame| frame.tag == 101));
    meeting.narrow(BEN, Some(400));
    meeting.run(10 * SECOND);
    meeting.forget();
    meeting.run(3 * SECOND);
    let (camera, screen) = (meeting.page(BEN).on(0).len(), meeting.page(BEN).on(1).len());
    assert!(screen > 40, "the screen is {screen} pictures, the camera {camera}");
}

#[test]
fn nobody_sees_what_is_not_allowed_or_not_any_more() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.page(ANN).make(Kind::Camera, true);
    meeting.page(ANN).make(Kind::Screen, true);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 720), (ANN, Kind::Screen, 720)]);
    meeting.room.allow(ANN, Kind::Screen, true, meeting.now);
    meeting.run(2 * SECOND);
    assert_eq!(meeting.page(BEN).on(0), []);
    assert!(!meeting.page(BEN).on(1).is_empty());
    assert_eq!(meeting.events, [Event::Flowing { page: ANN, kind: Kind::Screen }]);

    meeting.room.allow(ANN, Kind::Camera, true, meeting.now);
    meeting.run(2 * SECOND);
    assert_whole(meeting.page(BEN).on(0));
    meeting.room.allow(ANN, Kind::Camera, false, meeting.now);
    meeting.run(SECOND);
    meeting.forget();
    meeting.run(2 * SECOND);
    assert_eq!(meeting.page(BEN).on(0), []);
    assert!(!meeting.page(BEN).on(1).is_empty());
    meeting.events.clear();
    meeting.room.allow(ANN, Kind::Camera, true, meeting.now);
    meeting.run(2 * SECOND);
    assert_whole(meeting.page(BEN).on(0));
    assert_eq!(meeting.events, [Event::Flowing { page: ANN, kind: Kind::Camera }]);
}

#[test]
fn who_watches_somebody_before_he_comes_sees_him_once_he_is_there() {
    let mut meeting = Meeting::of(&[(BEN, ONE)]);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 180)]);
    meeting.run(SECOND);
    meeting.room.allow(ANN, Kind::Camera, true, meeting.now);
    meeting.join(ANN, THREE);
    meeting.page(ANN).make(Kind::Camera, true);
    meeting.run(3 * SECOND);
    assert_whole(meeting.page(BEN).on(0));
}

#[test]
fn nothing_is_left_of_a_page_that_leaves() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.show(BEN, Kind::Camera);
    meeting.watch(ANN, &[(BEN, Kind::Camera, 360)]);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.run(2 * SECOND);
    meeting.room.leave(ANN, meeting.now);
    meeting.run(SECOND);
    assert!(meeting.page(ANN).is_closed, "it hears the goodbye");
    meeting.forget();
    meeting.events.clear();
    meeting.run(3 * SECOND);
    assert!(meeting.page(BEN).on(0).is_empty() && meeting.page(ANN).on(0).is_empty());
    assert_eq!((meeting.room.len(), meeting.room.stats(ANN)), (1, None));
    assert_eq!(meeting.events, []);
    meeting.room.close(meeting.now);
    meeting.run(SECOND);
    assert!(meeting.room.is_empty() && meeting.room.poll_timeout().is_none());
    assert!(meeting.page(BEN).is_closed);
    // Who comes under the same name is another one, of whom nothing is allowed.
    meeting.join(ANN, THREE);
    meeting.join(BEN, ONE);
    meeting.page(ANN).make(Kind::Camera, true);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.run(3 * SECOND);
    assert_eq!(meeting.page(BEN).on(0), []);
}

#[test]
fn another_connection_takes_the_place_of_the_one_before() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.show(BEN, Kind::Camera);
    meeting.watch(ANN, &[(BEN, Kind::Camera, 360)]);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.run(2 * SECOND);
    meeting.events.clear();
    meeting.forget();
    meeting.join(ANN, THREE);
    meeting.page(ANN).make(Kind::Camera, true);
    // Lines have new names, so what is watched is said anew.
    meeting.watch(ANN, &[(BEN, Kind::Camera, 360)]);
    meeting.run(4 * SECOND);
    assert_whole(meeting.page(ANN).on(0));
    let arrived = meeting.page(BEN).on(0);
    assert!(arrived.len() > 60 && arrived.windows(2).all(|pair| pair[1].time > pair[0].time));
    assert_eq!(meeting.room.len(), 2);
    assert_eq!(meeting.events, [Event::Flowing { page: ANN, kind: Kind::Camera }]);
}

#[test]
fn a_restart_of_ice_finds_another_way() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.run(2 * SECOND);
    meeting.cut(BEN, true);
    meeting.run(10 * SECOND);
    meeting.cut(BEN, false);
    let offer = meeting.page(BEN).restart();
    let answer = meeting.room.join(BEN, &offer, meeting.now).unwrap();
    meeting.page(BEN).accept(&answer.sdp);
    meeting.forget();
    meeting.run(6 * SECOND);
    assert_whole(meeting.page(BEN).on(0));
    assert!(!meeting.events.contains(&Event::Gone { page: BEN }));
}

#[test]
fn a_page_that_is_not_heard_any_more_is_gone_until_it_offers_again() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.run(2 * SECOND);
    meeting.events.clear();
    meeting.cut(ANN, true);
    meeting.run(20 * SECOND);
    assert_eq!(meeting.events, [Event::Gone { page: ANN }]);
    meeting.events.clear();
    meeting.forget();
    meeting.cut(ANN, false);
    meeting.join(ANN, THREE);
    meeting.page(ANN).make(Kind::Camera, true);
    meeting.run(4 * SECOND);
    assert_whole(meeting.page(BEN).on(0));
    assert_eq!(meeting.events, [Event::Flowing { page: ANN, kind: Kind::Camera }], "it is still allowed");
}

#[test]
fn a_page_that_closes_its_connection_is_gone() {
    let mut meeting = Meeting::of(&[(ANN, ONE), (BEN, ONE)]);
    meeting.page(ANN).rtc.close().unwrap();
    meeting.run(SECOND);
    assert_eq!(meeting.events, [Event::Gone { page: ANN }]);
}

#[test]
fn who_does_not_connect_is_gone() {
    let mut meeting = Meeting::new();
    meeting.join(ANN, ONE);
    meeting.cut(ANN, true);
    meeting.run(31 * SECOND);
    assert_eq!(meeting.events, [Event::Gone { page: ANN }]);
}

#[test]
fn a_page_that_asks_for_whole_pictures_all_the_time_gets_few() {
    let mut meeting = Meeting::of(&[(ANN, ONE), (BEN, ONE), (CEM, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    meeting.watch(CEM, &[(ANN, Kind::Camera, 360)]);
    meeting.run(3 * SECOND);
    meeting.forget();
    let line = meeting.page(BEN).lines[0].clone();
    for _ in 0..100 {
        let now = meeting.now;
        meeting.page(BEN).ask(&line, now);
        meeting.run(SECOND / 20);
    }
    let asked = meeting.page(ANN).asked;
    assert!((3..=8).contains(&asked), "{asked}");
    assert_eq!(meeting.page(CEM).on(0).iter().filter(|frame| frame.is_key).count(), asked);
}

#[test]
fn a_page_that_takes_next_to_nothing_in_makes_nobody_wait() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE), (CEM, ONE)]);
    meeting.show(ANN, Kind::Camera);
    for viewer in [BEN, CEM] {
        meeting.watch(viewer, &[(ANN, Kind::Camera, 720)]);
    }
    meeting.narrow(BEN, Some(100));
    meeting.run(10 * SECOND);
    let stats = meeting.room.stats(BEN).unwrap();
    assert!(stats.left_out > 0, "{stats:?}");
    meeting.forget();
    meeting.run(4 * SECOND);
    assert!(meeting.page(CEM).on(0).len() > 95, "{}", meeting.page(CEM).on(0).len());
}

#[test]
fn lost_packets_are_sent_again() {
    let mut meeting = Meeting::of(&[(ANN, THREE), (BEN, ONE)]);
    meeting.show(ANN, Kind::Camera);
    meeting.watch(BEN, &[(ANN, Kind::Camera, 360)]);
    let mut count = 0;
    meeting.mangle = Some(Box::new(move |octets| {
        count += 1;
        if count % 25 == 0 {
            octets.clear();
        }
    }));
    meeting.run(8 * SECOND);
    let arrived = meeting.page(BEN).on(0);
    assert!(arrived.len() > 150, "{}", arrived.len());
    assert!(arrived.windows(2).all(|pair| pair[1].time > pair[0].time));
}
