//! Legs as connections: hold, strangers, floods, loss, ends.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]

mod support;

#[expect(clippy::disallowed_types, reason = "the far end of a test is a bare socket")]
use std::net::UdpSocket;
use std::time::Duration;

use media_plane::{Config, JobId, JobOutcome, MediaEvent, PlaneError, ToneSound};
use rtc_proto::Codec;
use rtc_proto::rtp::{Header, Packet};
use rtc_proto::sdp::{Direction, Negotiated};
use rtc_proto::{rtcp, rtp};
use support::{Rig, config, now, socket, speech, terms_to};

const MS: Duration = Duration::from_millis(1);

/// A receiver report on nothing: all that counts is that it comes.
const EMPTY_REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 7];

/// The header of the next RTP packet that comes.
#[expect(clippy::disallowed_types, reason = "the far end of a test is a bare socket")]
fn header(far: &UdpSocket) -> Option<Header> {
    let mut buffer = [0; 2_048];
    loop {
        let (len, _) = far.recv_from(&mut buffer).ok()?;
        if !rtp::is_rtcp(&buffer[..len]) {
            return Packet::parse(&buffer[..len]).ok().map(|packet| packet.header);
        }
    }
}

fn packet(ssrc: u32, sequence: u16) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let mut packet = vec![0xd5; 172];
    Header { marker: false, payload_type: 0, sequence, timestamp, ssrc }.write(&mut packet).expect("room");
    packet
}

#[test]
fn packets_leave_every_twenty_milliseconds_with_consecutive_numbers() {
    let rig = Rig::new();
    let (far, address) = socket("127.0.0.1");
    let leg = rig.plane.open_leg().unwrap();
    rig.plane.configure(leg.leg, &terms_to(Codec::Pcmu, address, address, None)).unwrap();

    let mut got = Vec::new();
    let mut buffer = [0; 2_048];
    while got.len() < 25 {
        let (len, from) = far.recv_from(&mut buffer).unwrap();
        if !rtp::is_rtcp(&buffer[..len]) {
            assert_eq!((from, len), (leg.rtp, 172));
            got.push(Packet::parse(&buffer[..len]).unwrap().header);
        }
    }

    for pair in got.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
        assert_eq!(pair[1].ssrc, pair[0].ssrc);
    }
}

#[test]
fn hold_stops_sending_and_resuming_goes_on_with_the_same_stream() {
    let mut rig = Rig::new();
    let (far, address) = socket("127.0.0.1");
    let leg = rig.plane.open_leg().unwrap();
    let talk = terms_to(Codec::Pcmu, address, address, None);
    let mut hold = talk.clone();
    hold.direction = Direction::RecvOnly;
    rig.plane.configure(leg.leg, &talk).unwrap();
    let before = header(&far).unwrap();

    rig.plane.configure(leg.leg, &hold).unwrap();
    let pause = ToneSound { frequency_hz: 400.0, amplitude: 1, duration: Some(100 * MS) };
    rig.plane.play_tone(leg.leg, JobId(1), pause).unwrap();
    assert_eq!(rig.job_done(leg.leg, JobId(1)), JobOutcome::Completed);
    far.set_nonblocking(true).unwrap();
    while header(&far).is_some() {}
    rig.plane.play_tone(leg.leg, JobId(2), pause).unwrap();
    rig.job_done(leg.leg, JobId(2));
    assert_eq!(header(&far), None);

    far.set_nonblocking(false).unwrap();
    rig.plane.configure(leg.leg, &talk).unwrap();
    let after = header(&far).unwrap();
    assert_eq!(after.ssrc, before.ssrc);
    assert!(after.sequence.wrapping_sub(before.sequence) < 20);
    assert!(after.timestamp.wrapping_sub(before.timestamp) > 200 * 8);
}

#[test]
fn only_the_signalled_host_is_heard_and_its_port_is_adopted() {
    let mut rig = Rig::new();
    let ((signalled, address), (moved, moved_address)) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let ((stranger, _), (neighbour, _)) = (socket("127.0.0.2"), socket("127.0.0.1"));
    let leg = rig.plane.open_leg().unwrap();
    rig.plane.configure(leg.leg, &terms_to(Codec::Pcmu, address, address, None)).unwrap();
    assert!(header(&signalled).is_some());

    stranger.send_to(&packet(1, 1), leg.rtp).unwrap();
    moved.send_to(&packet(2, 1), leg.rtp).unwrap();
    rig.wait(|event| matches!(event, MediaEvent::Flowing { leg: at } if *at == leg.leg).then_some(()));
    neighbour.send_to(&packet(3, 1), leg.rtp).unwrap();
    stranger.send_to(&packet(2, 2), leg.rtp).unwrap();
    moved.send_to(&packet(2, 2), leg.rtp).unwrap();

    let mut buffer = [0; 2_048];
    let (_, from) = moved.recv_from(&mut buffer).unwrap();
    assert_eq!((from, moved.local_addr().unwrap()), (leg.rtp, moved_address));
    let stats = rig.close(leg.leg);
    assert_eq!((stats.received_packets, stats.foreign), (2, 3));
}

#[test]
fn unprotected_packets_are_refused_where_srtp_was_agreed_on() {
    let mut rig = Rig::new();
    let (far, address) = socket("127.0.0.1");
    let leg = rig.plane.open_leg().unwrap();
    let keys = support::keys(rtc_proto::srtp::Suite::AesCm128HmacSha1_80, 1, 2);
    rig.plane.configure(leg.leg, &terms_to(Codec::Pcmu, address, address, Some(keys))).unwrap();
    let mut buffer = [0; 2_048];
    far.recv_from(&mut buffer).unwrap();

    for sequence in 0..5 {
        far.send_to(&packet(1, sequence), leg.rtp).unwrap();
    }
    for _ in 0..5 {
        far.recv_from(&mut buffer).unwrap();
    }

    let stats = rig.close(leg.leg);
    assert_eq!((stats.received_packets, stats.unauthenticated), (0, 5));
}

#[test]
fn a_leg_tells_how_it_is_and_how_loud_since_it_was_asked_before() {
    let mut rig = Rig::new();
    let (a, b) = rig.pair(Codec::Pcmu, None);
    rig.wait(|event| matches!(event, MediaEvent::Flowing { leg } if *leg == b.leg).then_some(()));
    let ask = |rig: &mut Rig| {
        rig.seen.clear();
        rig.plane.sample(b.leg).unwrap();
        rig.wait(|event| match event {
            MediaEvent::Sampled { leg, sample } if *leg == b.leg => Some(**sample),
            _ => None,
        })
    };
    assert_eq!(ask(&mut rig).level_db, None);
    let tone = ToneSound { frequency_hz: 400.0, amplitude: 9_000, duration: None };
    rig.plane.play_tone(a.leg, JobId(1), tone).unwrap();
    let loud = loop {
        let sample = ask(&mut rig);
        if sample.level_db.is_some_and(|level| level > -20.0) {
            break sample;
        }
    };
    assert_eq!(loud.codec, Some(media_engine::Codec::Pcmu));
    assert!(loud.stats.received_packets > 0 && loud.stats.receiver.received > 0);
    rig.close(b.leg);
    assert!(rig.plane.sample(b.leg).is_err());
}

#[test]
fn garbage_is_counted_and_a_flood_leaves_other_legs_in_time() {
    let mut rig = Rig::new();
    let (far, address) = socket("127.0.0.1");
    let flooded = rig.plane.open_leg().unwrap();
    rig.plane.configure(flooded.leg, &terms_to(Codec::Pcmu, address, address, None)).unwrap();
    let (a, b) = rig.pair(Codec::Pcmu, None);
    rig.wait(|event| matches!(event, MediaEvent::Flowing { leg } if *leg == b.leg).then_some(()));
    rig.plane.play(a.leg, JobId(1), &[speech(1)], false).unwrap();

    let mut sent = 0u32;
    let mut octets = [0u8; 200];
    let is_done = |event: MediaEvent| matches!(event, MediaEvent::JobDone { leg, .. } if leg == a.leg);
    let until = now() + Duration::from_secs(20);
    while !rig.events.next().is_some_and(is_done) {
        octets[0] = sent as u8;
        far.send_to(&octets[..(sent % 200) as usize], flooded.rtp).unwrap();
        sent += 1;
        assert!(now() < until, "prompt never ended");
    }

    let heard = rig.close(b.leg);
    assert!(heard.received_packets >= 45, "{heard:?}");
    let stats = rig.close(flooded.leg);
    assert!(stats.garbage > 0 && stats.garbage <= u64::from(sent), "{stats:?} of {sent}");
    // One budget and one batch of each socket in each round, for the second that it took, with room for a
    // slow machine.
    assert!(stats.garbage < 64 * 50 * 20, "{stats:?}");
}

#[test]
fn a_leg_that_hears_nothing_is_reported_lost_once_and_not_on_hold() {
    let mut rig = Rig::with(Config { lost_after: 200 * MS, ..config() });
    let (_far, address) = socket("127.0.0.1");
    let talk = terms_to(Codec::Pcmu, address, address, None);
    for direction in [Direction::Inactive, Direction::RecvOnly] {
        let held = rig.plane.open_leg().unwrap();
        rig.plane.configure(held.leg, &Negotiated { direction, ..talk.clone() }).unwrap();
    }
    let silent = rig.plane.open_leg().unwrap();
    rig.plane.configure(silent.leg, &talk).unwrap();

    rig.wait(|event| matches!(event, MediaEvent::Lost { leg } if *leg == silent.leg).then_some(()));
    // Longer than the patience with those who only listen.
    let pause = ToneSound { frequency_hz: 400.0, amplitude: 1, duration: Some(800 * MS) };
    rig.plane.play_tone(silent.leg, JobId(1), pause).unwrap();
    rig.job_done(silent.leg, JobId(1));

    let lost = rig.seen.iter().filter(|event| matches!(event, MediaEvent::Lost { .. })).count();
    assert_eq!(lost, 1, "{:?}", rig.seen);
}

#[test]
fn a_muted_far_end_lives_by_its_reports_and_one_that_vanishes_is_lost() {
    let mut rig = Rig::with(Config { lost_after: 500 * MS, ..config() });
    let ((far, address), (control, _)) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let open = || rig.plane.open_leg().unwrap();
    let (deaf, muted, vanishing) = (open(), open(), open());
    let talk = terms_to(Codec::Pcmu, address, address, None);
    let listen = Negotiated { direction: Direction::SendOnly, ..talk.clone() };
    for (leg, terms) in [(deaf, &listen), (muted, &talk), (vanishing, &talk)] {
        rig.plane.configure(leg.leg, terms).unwrap();
    }
    control.send_to(&EMPTY_REPORT, vanishing.rtcp).unwrap();

    let mut order = Vec::new();
    let pause = ToneSound { frequency_hz: 400.0, amplitude: 1, duration: Some(40 * MS) };
    for round in 0..250 {
        if round < 3 {
            far.send_to(&packet(1, round), muted.rtp).unwrap();
            far.send_to(&packet(2, round), vanishing.rtp).unwrap();
        }
        control.send_to(&EMPTY_REPORT, muted.rtcp).unwrap();
        rig.plane.play_tone(muted.leg, JobId(round.into()), pause).unwrap();
        rig.job_done(muted.leg, JobId(round.into()));
        order = rig.lost();
        if order.contains(&deaf.leg) {
            break;
        }
    }

    // The one that listens is waited for three times as long as the one that has vanished.
    assert_eq!(order, [vanishing.leg, deaf.leg]);
    rig.wait(|event| matches!(event, MediaEvent::Lost { leg } if *leg == muted.leg).then_some(()));
}

#[test]
fn a_far_end_that_only_listens_is_lost_without_its_reports() {
    let mut rig = Rig::with(Config { lost_after: 500 * MS, ..config() });
    let ((_far, address), (control, _)) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let (deaf, reporting) = (rig.plane.open_leg().unwrap(), rig.plane.open_leg().unwrap());
    let mut terms = terms_to(Codec::Pcmu, address, address, None);
    terms.direction = Direction::SendOnly;
    let started = now();
    rig.plane.configure(deaf.leg, &terms).unwrap();
    rig.plane.configure(reporting.leg, &terms).unwrap();

    let pause = ToneSound { frequency_hz: 400.0, amplitude: 1, duration: Some(40 * MS) };
    for round in (0..250).map(JobId) {
        control.send_to(&EMPTY_REPORT, reporting.rtcp).unwrap();
        rig.plane.play_tone(deaf.leg, round, pause).unwrap();
        rig.job_done(deaf.leg, round);
        if rig.seen.contains(&MediaEvent::Lost { leg: deaf.leg }) {
            break;
        }
    }

    assert!(rig.seen.contains(&MediaEvent::Lost { leg: deaf.leg }));
    assert!(now() - started >= 1_500 * MS);
    assert!(!rig.seen.contains(&MediaEvent::Lost { leg: reporting.leg }));
}

#[test]
fn reports_and_a_farewell_are_sent() {
    let mut rig = Rig::new();
    let ((_far, address), (control, control_address)) = (socket("127.0.0.1"), socket("127.0.0.1"));
    let leg = rig.plane.open_leg().unwrap();
    rig.plane.configure(leg.leg, &terms_to(Codec::Pcmu, address, control_address, None)).unwrap();
    let pause = ToneSound { frequency_hz: 400.0, amplitude: 1, duration: Some(100 * MS) };
    rig.plane.play_tone(leg.leg, JobId(1), pause).unwrap();
    rig.job_done(leg.leg, JobId(1));

    let stats = rig.close(leg.leg);

    let mut buffer = [0; 2_048];
    let (len, from) = control.recv_from(&mut buffer).unwrap();
    let received = rtcp::parse(&buffer[..len], 0).unwrap();
    assert_eq!(from, leg.rtcp);
    assert!(received.is_bye);
    assert_eq!(received.sender.map(|sender| u64::from(sender.packets)), Some(stats.sent_packets));
}

#[test]
fn closing_a_leg_ends_its_jobs_before_its_last_event() {
    let mut rig = Rig::new();
    let (a, _) = rig.pair(Codec::Pcmu, None);
    rig.plane.play(a.leg, JobId(1), &[speech(20)], true).unwrap();
    rig.capture(a.leg, JobId(2), "closed");

    rig.close(a.leg);

    let jobs: Vec<u64> = rig
        .seen
        .iter()
        .filter_map(|event| match event {
            MediaEvent::JobDone { leg, job, .. } if *leg == a.leg => Some(job.0),
            _ => None,
        })
        .collect();
    assert_eq!(jobs, [1, 2]);
    assert!(matches!(rig.plane.stop(a.leg, JobId(1)), Err(PlaneError::NoLeg)));
}

#[test]
fn settings_out_of_range_are_named() {
    for config in [
        Config { threads: 0, ..config() },
        Config { max_legs_per_thread: 0, ..config() },
        Config { first_port: 20_001, last_port: 20_002, ..config() },
        Config { advertised_ip: [0u16, 0, 0, 0, 0, 0, 0, 1].into(), ..config() },
    ] {
        assert!(matches!(media_plane::MediaPlane::start(config), Err(PlaneError::Setting(_))));
    }
}

#[test]
fn a_range_without_free_ports_says_so_and_recovers_after_the_rest() {
    let config = Config { last_port: config().first_port + 1, quarantine: Duration::ZERO, ..config() };
    let config = Config { first_port: config.last_port - 1, ..config };
    let mut rig = Rig::with(config);
    let leg = rig.plane.open_leg().unwrap();
    assert!(matches!(rig.plane.open_leg(), Err(PlaneError::NoPort)));
    rig.close(leg.leg);
    assert_eq!(rig.plane.open_leg().unwrap().rtp, leg.rtp);
}
