//! Legs that move leave nothing behind. Alone in its file, since it counts the open files of the process.

mod support;

use std::time::Duration;

use media_plane::{Config, LegId, MediaEvent, MemberConfig, PlaneError};
use rtc_proto::Codec;
use rtc_proto::srtp::Suite;
use support::meeting::MS;
use support::two::Two;
use support::{config, keys, open_files, terms};

#[test]
fn a_hundred_legs_move_at_once_and_leave_nothing_behind_nor_does_a_plane_that_stops_meanwhile() {
    move_a_hundred_legs();
    stop_while_legs_move();
}

fn move_a_hundred_legs() {
    let first_port = config().first_port;
    let config = Config {
        threads: 2,
        first_port,
        last_port: first_port + 203,
        quarantine: Duration::ZERO,
        max_legs_per_thread: 102,
        ..config()
    };
    let mut two = Two::with(config);
    let (plane, files) = (two.rig.plane.clone(), open_files());
    let mut pairs: Vec<_> = (0..50)
        .map(|number| {
            let suite = (number % 2 == 0).then_some(Suite::AeadAes128Gcm);
            let (a, b) = (plane.open_leg().expect("leg"), plane.open_leg().expect("leg"));
            if number % 3 == 0 {
                plane
                    .configure(a.leg, &terms(Codec::Pcmu, b, suite.map(|suite| keys(suite, 1, 2))))
                    .expect("configure");
            }
            (a, b, suite)
        })
        .collect();
    let mut moves = Vec::new();
    for mixer in [0, 1, 0].map(|at| two.mixers[at]) {
        for leg in pairs.iter_mut().flat_map(|(a, b, _)| [&mut a.leg, &mut b.leg]) {
            let (old, new) = (*leg, plane.bring(*leg, mixer).expect("bring"));
            moves.extend((new != old).then_some((old, new)));
            *leg = new;
        }
        for (old, new) in &moves {
            two.moved(*old, *new);
        }
    }
    assert!((200..=300).contains(&moves.len()), "{}", moves.len());
    for (a, b, suite) in &pairs {
        plane
            .configure(a.leg, &terms(Codec::Pcmu, *b, suite.map(|suite| keys(suite, 1, 2))))
            .expect("configure");
        plane
            .configure(b.leg, &terms(Codec::Pcmu, *a, suite.map(|suite| keys(suite, 2, 1))))
            .expect("configure");
        plane.join(a.leg, two.mixers[0], MemberConfig::default()).expect("join");
    }
    two.pass(400 * MS);
    // Nobody waits for the passage of the one before.
    for leg in pairs.iter_mut().flat_map(|(a, b, _)| [&mut a.leg, &mut b.leg]) {
        *leg = plane.bring(*leg, two.mixers[1]).expect("bring");
        plane.join(*leg, two.mixers[1], MemberConfig::default()).expect("join");
    }
    two.pass(400 * MS);
    for leg in pairs.iter().flat_map(|(a, b, _)| [a.leg, b.leg]) {
        plane.close(leg).expect("close");
    }
    for leg in pairs.iter().flat_map(|(a, b, _)| [a.leg, b.leg]) {
        two.rig.closed_or_seen(leg);
    }
    for event in &two.rig.seen {
        if let MediaEvent::Closed { stats, .. } = event {
            assert_eq!((stats.unauthenticated, stats.foreign, stats.garbage), (0, 0, 0));
            assert!(stats.received_packets > 5, "{stats:?}");
        }
    }
    assert_eq!((plane.stats().legs, open_files()), (2, files));
    // Every port and every place is free again.
    let again: Vec<LegId> = (0..100).map(|_| plane.open_leg().expect("leg").leg).collect();
    assert!(matches!(plane.open_leg(), Err(PlaneError::NoPort)));
    again.into_iter().for_each(|leg| plane.close(leg).expect("close"));
}

fn stop_while_legs_move() {
    let files = open_files();
    for _ in 0..10 {
        let two = Two::new();
        for _ in 0..10 {
            let (a, b) = two.rig.pair(Codec::Pcmu, None);
            two.across(two.across(a.leg));
            two.across(b.leg);
        }
        drop(two);
        assert_eq!(open_files(), files);
    }
}
