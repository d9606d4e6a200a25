//! Legs that are brought from one media thread to another while packets flow.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]

mod support;

#[expect(clippy::disallowed_types, reason = "the far end of a test is a bare socket")]
use std::net::UdpSocket;
use std::time::Duration;

use media_engine::{RecordOutcome, Tone};
use media_plane::{
    Config, JobId, JobOutcome, LegId, MediaEvent, MemberConfig, MixerConfig, PlaneError, RecordingEnd,
    StreamConfig, ToneSound,
};
use rtc_proto::rtp::{Header, Packet};
use rtc_proto::srtp::Suite;
use rtc_proto::{Codec, rtcp, rtp};
use support::meeting::{CAPTURE, HEARD, MS, TONE};
use support::two::Two;
use support::{Rig, config, now, socket, terms, terms_to};

/// The next packet of the leg at a bare socket.
#[expect(clippy::disallowed_types, reason = "the far end of a test is a bare socket")]
fn next(far: &UdpSocket) -> (Header, std::net::SocketAddr) {
    let mut buffer = [0; 2_048];
    loop {
        let (len, from) = far.recv_from(&mut buffer).expect("a packet");
        if !rtp::is_rtcp(&buffer[..len]) {
            return (Packet::parse(&buffer[..len]).expect("RTP").header, from);
        }
    }
}

#[test]
fn a_far_end_notices_nothing_while_its_leg_goes_back_and_forth() {
    let mut two = Two::new();
    let ((far, address), (control, control_address)) = (socket("127.0.0.1"), socket("127.0.0.1"));
    control.set_nonblocking(true).unwrap();
    let opened = two.rig.plane.open_leg().unwrap();
    two.rig.plane.configure(opened.leg, &terms_to(Codec::Pcmu, address, control_address, None)).unwrap();
    let mut leg = opened.leg;
    let (mut last, _) = next(&far);
    let mut sent = 0u16;
    let mut reports = Vec::new();
    let mut buffer = [0; 2_048];
    let until = now() + Duration::from_secs(18);
    // It comes once the leg has moved two dozen times or more.
    while reports.is_empty() {
        assert!(now() < until, "no reports");
        for round in 0..5 {
            let mut packet = vec![0xd5; 172];
            let timestamp = u32::from(sent) * 160;
            let header = Header { marker: false, payload_type: 0, sequence: sent, timestamp, ssrc: 7 };
            header.write(&mut packet).unwrap();
            far.send_to(&packet, opened.rtp).unwrap();
            sent += 1;
            if round == 3 {
                leg = two.across(leg);
            }
            let (header, from) = next(&far);
            assert_eq!(from, opened.rtp);
            assert_eq!(header.ssrc, last.ssrc);
            assert_eq!(header.sequence, last.sequence.wrapping_add(1));
            assert_eq!(header.timestamp, last.timestamp.wrapping_add(160));
            last = header;
        }
        if let Ok((len, from)) = control.recv_from(&mut buffer) {
            assert_eq!(from, opened.rtcp);
            reports.push(buffer[..len].to_vec());
        }
    }

    // Something that the farewell tells of.
    next(&far);
    let stats = two.rig.close(leg);

    assert_eq!(stats.received_packets, u64::from(sent));
    assert_eq!((stats.garbage, stats.foreign, stats.receiver.received), (0, 0, u64::from(sent)));
    assert_eq!(two.flowing(), [opened.leg], "it flows for the first time once");
    control.set_nonblocking(false).unwrap();
    let len = loop {
        let (len, _) = control.recv_from(&mut buffer).unwrap();
        if rtcp::parse(&buffer[..len], last.ssrc).unwrap().is_bye {
            break len;
        }
    };
    let bye = rtcp::parse(&buffer[..len], last.ssrc).unwrap();
    assert_eq!(bye.sender.map(|sender| u64::from(sender.packets)), Some(stats.sent_packets));
    // Of one source with one name all along.
    reports.push(buffer[..len].to_vec());
    assert!(reports.iter().all(|report| name(report) == name(&reports[0])));
    assert!(reports.iter().all(|report| rtcp::parse(report, 0).unwrap().ssrc == last.ssrc));
}

/// The SDES item with which a compound packet names its source (RFC 3550, 6.5). It is found by the lengths of the
/// packets before it, as their clocks and counters may look like one.
fn name(mut compound: &[u8]) -> Vec<u8> {
    const SDES: u8 = 202;
    loop {
        let length = 4 * (1 + usize::from(u16::from_be_bytes([compound[2], compound[3]])));
        let (packet, rest) = compound.split_at(length);
        if packet[1] == SDES {
            assert_eq!(packet[8..10], [1, 24], "a name of 24 octets");
            return packet[8..34].to_vec();
        }
        compound = rest;
    }
}

#[test]
fn both_ends_hear_each_other_after_either_has_moved_in_the_clear_and_protected() {
    let mut two = Two::new();
    let kinds = [
        (Codec::Pcmu, None),
        (Codec::G722, Some(Suite::AesCm128HmacSha1_80)),
        (Codec::Opus, Some(Suite::AeadAes256Gcm)),
    ];
    let mut pairs = kinds.map(|(codec, suite)| two.rig.pair(codec, suite)).map(|(a, b)| (a.leg, b.leg));
    for round in 0..3 {
        for (a, b) in &mut pairs {
            two.speak(*a, 400.0);
            *b = two.across(*b);
            two.speak(*b, 700.0);
        }
        for (a, b) in pairs {
            let levels = (two.level(a, 700.0), two.level(b, 400.0));
            assert!(levels.0 > HEARD && levels.1 > HEARD, "round {round}: {levels:?}");
        }
        pairs = pairs.map(|(a, b)| (b, a));
    }
    for leg in pairs.into_iter().flat_map(|(a, b)| [a, b]) {
        let stats = two.rig.close(leg);
        assert_eq!((stats.unauthenticated, stats.foreign, stats.garbage), (0, 0, 0));
        // A busy machine may lose some, a move none.
        assert!(stats.receiver.cumulative_lost < 10, "{stats:?}");
        assert!(stats.received_packets > 250, "{stats:?}");
    }
}

#[test]
fn a_leg_that_is_brought_to_a_mixer_hears_its_members_and_is_heard() {
    let mut two = Two::new();
    let mut calls = [0, 1].map(|thread| {
        let (phone, near) = two.rig.pair(Codec::Pcma, None);
        let leg = two.rig.plane.bring(near.leg, two.mixers[thread]).unwrap();
        two.rig.plane.join(leg, two.mixers[thread], MemberConfig::default()).unwrap();
        (phone.leg, leg)
    });
    two.speak(calls[0].0, 400.0);
    two.speak(calls[1].0, 700.0);
    assert!(two.level(calls[0].0, 700.0) < HEARD);

    // All that a caller does is said at once, and the leg comes when it comes.
    let plane = two.rig.plane.clone();
    let (phone, old) = calls[1];
    let joined = plane.join(old, two.mixers[0], MemberConfig::default());
    assert!(matches!(joined, Err(PlaneError::OtherThread)));
    let leg = plane.bring(old, two.mixers[0]).unwrap();
    plane.join(leg, two.mixers[0], MemberConfig { is_muted: true, ..MemberConfig::default() }).unwrap();
    plane.set_muted(leg, false).unwrap();
    calls[1].1 = leg;
    assert!(matches!(plane.leave(old), Err(PlaneError::NoLeg)));

    assert!(two.level(calls[0].0, 700.0) > HEARD);
    assert!(two.level(phone, 400.0) > HEARD);
    // It is no member of the one that it has left.
    plane.close_mixer(two.mixers[1]).unwrap();
    assert_eq!(plane.bring(leg, two.mixers[0]).unwrap(), leg);
    assert!(matches!(plane.bring(leg, two.mixers[1]), Err(PlaneError::NoMixer)));
    assert!(two.level(phone, 400.0) > HEARD, "nothing has happened");
}

#[test]
fn a_leg_may_move_before_it_is_configured() {
    let mut two = Two::new();
    let (far, opened) = (two.rig.plane.open_leg().unwrap(), two.rig.plane.open_leg().unwrap());
    let mut leg = opened.leg;
    for _ in 0..3 {
        leg = two.across(leg);
    }
    let mixer = two.mixers.into_iter().find(|mixer| leg.can_join(*mixer)).unwrap();
    two.rig.plane.join(leg, mixer, MemberConfig::default()).unwrap();
    two.rig.plane.configure(leg, &terms(Codec::G722, far, None)).unwrap();
    two.rig.plane.configure(far.leg, &terms(Codec::G722, opened, None)).unwrap();
    let bot = two.rig.plane.open_virtual_leg(mixer).unwrap();
    two.rig.plane.join(bot, mixer, MemberConfig::default()).unwrap();
    two.speak(bot, 500.0);
    two.speak(far.leg, 900.0);

    assert!(two.level(far.leg, 500.0) > HEARD);
    assert!(two.level(bot, 900.0) > HEARD);
}

#[test]
fn jobs_end_cancelled_under_the_old_name_before_it_is_heard_of_for_the_last_time() {
    let mut two = Two::new();
    let (_, opened) = two.rig.pair(Codec::Pcmu, None);
    let (old, plane) = (opened.leg, two.rig.plane.clone());
    two.speak(old, 400.0);
    two.rig.capture(old, CAPTURE, "moves-jobs");
    plane.echo(old, true).unwrap();
    plane.send_tones(old, JobId(9), &[Tone::Tone1; 30], 100).unwrap();
    two.pass(200 * MS);

    let leg = two.across(old);
    two.moved(old, leg);

    let said = two.said_of(old);
    assert!(matches!(said.last(), Some(MediaEvent::Moved { .. })), "{said:?}");
    let outcome = |job: JobId| {
        let mut outcomes = said.iter().filter_map(|event| match event {
            MediaEvent::JobDone { job: done, outcome, .. } if *done == job => Some(outcome.clone()),
            _ => None,
        });
        (outcomes.next(), outcomes.next())
    };
    assert_eq!(outcome(TONE), (Some(JobOutcome::Cancelled), None));
    assert_eq!(outcome(JobId(9)), (Some(JobOutcome::Cancelled), None));
    let (Some(JobOutcome::Recorded(recording)), None) = outcome(CAPTURE) else { panic!("{said:?}") };
    assert_eq!(recording.end, RecordingEnd::Recorder(RecordOutcome::Cancelled));
    assert!(recording.samples > 1_600 && matches!(plane.stop(old, TONE), Err(PlaneError::NoLeg)));

    plane.send_tones(leg, JobId(9), &[Tone::Tone2], 40).unwrap();
    assert_eq!(two.rig.job_done(leg, JobId(9)), JobOutcome::Completed);
    two.rig.close(leg);
    assert!(!two.said_of(old).iter().any(|event| matches!(event, MediaEvent::Closed { .. })));
}

#[test]
fn bots_and_legs_with_pipes_move_as_well() {
    let mut two = Two::new();
    let plane = two.rig.plane.clone();
    let (far, near) = two.rig.piped_pair(Codec::Opus, Some(two.mixers[0]));
    let bot = plane.open_virtual_leg(two.mixers[0]).unwrap();
    let mut app = plane.open_stream(bot, StreamConfig::default()).unwrap();
    for leg in [near, bot] {
        plane.join(leg, two.mixers[0], MemberConfig::default()).unwrap();
    }

    let [near, bot] = [near, bot].map(|leg| two.across(leg));
    for leg in [near, bot] {
        plane.join(leg, two.mixers[1], MemberConfig::default()).unwrap();
    }
    two.speak(bot, 500.0);
    two.speak(far, 900.0);

    assert!(two.level(far, 500.0) > HEARD);
    assert!(two.level(bot, 900.0) > HEARD);
    // The application has heard, says something, and is heard.
    assert!(!app.is_closed() && app.next_heard().is_some());
    plane.stop(bot, TONE).unwrap();
    two.rig.job_done(bot, TONE);
    assert!(app.say([9; _]));
    let until = now() + Duration::from_secs(10);
    while app.played() == 0 {
        two.pass(20 * MS);
        assert!(now() < until, "nobody has heard it");
    }
}

#[test]
fn a_leg_is_closed_right_before_and_right_after_it_moves() {
    let mut two = Two::new();
    let plane = two.rig.plane.clone();
    let (closed, opened) = two.rig.pair(Codec::Pcmu, None);
    let before = plane.open_leg().unwrap();
    for leg in [closed.leg, before.leg] {
        plane.close(leg).unwrap();
        for mixer in two.mixers {
            assert!(matches!(plane.bring(leg, mixer), Err(PlaneError::NoLeg)));
        }
        two.rig.closed_or_seen(leg);
    }
    let unconfigured = plane.open_leg().unwrap().leg;

    for old in [opened.leg, unconfigured] {
        let leg = two.across(old);
        plane.close(leg).unwrap();
        assert!(matches!(plane.close(old), Err(PlaneError::NoLeg)));
        assert!(matches!(plane.close(leg), Err(PlaneError::NoLeg)));
        two.rig.closed_or_seen(leg);
        two.moved(old, leg);
    }

    assert_eq!(plane.stats().legs, 2);
}

#[test]
fn a_leg_for_which_there_is_no_place_stays_what_it_was() {
    let mut two = Two::with(Config { threads: 2, max_legs_per_thread: 2, ..config() });
    let plane = two.rig.plane.clone();
    let (a, b) = two.rig.pair(Codec::Pcmu, None);
    for leg in [a.leg, b.leg] {
        let there = two.mixers.into_iter().find(|mixer| !leg.can_join(*mixer)).unwrap();
        assert!(matches!(plane.bring(leg, there), Err(PlaneError::TooManyLegs)));
    }
    two.speak(a.leg, 400.0);
    assert!(two.level(b.leg, 400.0) > HEARD);

    // Where one leaves, the other finds its place once it is free.
    two.rig.close(a.leg);
    let moved = two.across(b.leg);
    two.moved(b.leg, moved);
    assert_eq!(plane.stats().legs, 3);
}

/// Numbers that look random, the same ones for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }
}

/// Does whatever a caller may do to legs of three threads, in any order and without waiting for anything; returns all
/// names that were given.
fn play_with(rig: &Rig, dice: &mut Dice) -> Vec<LegId> {
    let plane = &rig.plane;
    let mixers = [(); 3].map(|()| {
        let near = plane.open_leg().expect("leg");
        plane.configure(near.leg, &terms(Codec::Opus, near, None)).expect("configure");
        (near, plane.open_mixer(MixerConfig::default(), Some(near.leg)).expect("mixer"))
    });
    let mut names: Vec<LegId> = mixers.iter().map(|(near, _)| near.leg).collect();
    let mut legs: Vec<_> = (0..6).map(|_| plane.open_leg().expect("leg")).collect();
    names.extend(legs.iter().map(|leg| leg.leg));
    for number in 0..400 {
        let at = dice.below(legs.len());
        let leg = legs[at].leg;
        let mixer = mixers[dice.below(3)].1;
        let job = JobId(number);
        let done = match dice.below(12) {
            0..4 => plane.bring(leg, mixer).map(|moved| {
                names.extend((moved != leg).then_some(moved));
                legs[at].leg = moved;
            }),
            4 => plane.configure(leg, &terms(Codec::Pcmu, legs[dice.below(6)], None)),
            5 => plane.join(leg, mixer, MemberConfig::default()),
            6 => plane.leave(leg),
            7 => plane.set_muted(leg, number % 2 == 0),
            8 => plane.play_tone(leg, job, ToneSound { frequency_hz: 400.0, amplitude: 1, duration: None }),
            9 => plane.send_tones(leg, job, &[Tone::Tone1], 40),
            10 => plane.echo(leg, true),
            _ => {
                plane.close(leg).expect("close");
                legs[at] = plane.open_leg().expect("leg");
                names.push(legs[at].leg);
                Ok(())
            }
        };
        let is_usual = match done {
            Ok(()) | Err(PlaneError::NoLeg | PlaneError::NoMixer | PlaneError::OtherThread) => true,
            Err(_) => false,
        };
        assert!(is_usual, "{done:?}");
    }
    for leg in legs.iter().map(|leg| leg.leg).chain(mixers.iter().map(|(near, _)| near.leg)) {
        plane.close(leg).expect("close");
    }
    for (_, mixer) in mixers {
        plane.close_mixer(mixer).expect("close");
    }
    names
}

#[test]
fn every_name_ends_once_whatever_is_done_to_its_leg() {
    for seed in 1..=20 {
        let mut rig = Rig::with(Config { threads: 3, ..config() });
        let names = play_with(&rig, &mut Dice(seed * 0x9E37_79B9));
        let ended = |seen: &[MediaEvent]| -> Vec<LegId> {
            let end = |event: &MediaEvent| match event {
                MediaEvent::Closed { leg, .. } | MediaEvent::Moved { leg, .. } => Some(*leg),
                _ => None,
            };
            seen.iter().filter_map(end).collect()
        };
        while ended(&rig.seen).len() < names.len() {
            rig.wait(|event| {
                matches!(event, MediaEvent::Closed { .. } | MediaEvent::Moved { .. }).then_some(())
            });
        }
        let (mut ended, mut names) = (ended(&rig.seen), names);
        ended.sort_unstable();
        names.sort_unstable();
        assert_eq!(ended, names, "seed {seed}");
        let stats = rig.plane.stats();
        assert_eq!((stats.legs, stats.mixers), (0, 0), "seed {seed}");
    }
}
