//! Legs whose packets travel through another task.

mod support;

use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::time::Duration;

use media_engine::Tone;
use media_plane::{
    Config, JobId, JobOutcome, MediaEvent, MemberConfig, MixerConfig, PIPE_DATAGRAM_OCTETS, PipePort,
    PlaneError, ToneSound,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rtc_proto::Codec;
use rtc_proto::rtp::{self, Packet};
use support::meeting::{JOB, MS, Meeting, TONE};
use support::{Rig, config, socket, terms_to};

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);

/// The next datagram that a piped leg sends.
fn next_sent(port: &mut PipePort) -> Vec<u8> {
    let mut datagram = vec![0; PIPE_DATAGRAM_OCTETS];
    loop {
        if let Some(len) = port.next_sent(&mut datagram) {
            datagram.truncate(len);
            return datagram;
        }
        let mut waiting = [PollFd::new(port.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut waiting, PollTimeout::from(5_000_u16)).expect("poll"), 1, "nothing is sent");
    }
}

#[test]
fn a_piped_leg_sends_bare_packets_wherever_the_far_end_is() {
    let mut rig = Rig::new();
    let (leg, mut port) = rig.plane.open_piped_leg(None).unwrap();
    rig.plane.configure(leg, &terms_to(Codec::Pcmu, NOWHERE, NOWHERE, None)).unwrap();

    let sent: Vec<Vec<u8>> = (0..25).map(|_| next_sent(&mut port)).collect();

    let headers: Vec<_> = sent.iter().map(|octets| Packet::parse(octets).unwrap().header).collect();
    for pair in headers.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
    let stats = rig.close(leg);
    assert!(stats.sent_packets >= 25, "{stats:?}");
    while !port.is_closed() {
        let mut waiting = [PollFd::new(port.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut waiting, PollTimeout::from(5_000_u16)).unwrap(), 1, "the end is not told");
        while port.next_sent(&mut [0; PIPE_DATAGRAM_OCTETS]).is_some() {}
    }
    assert!(!port.deliver(&sent[0]));
}

#[test]
fn what_is_delivered_is_heard_and_keys_are_told() {
    let mut rig = Rig::new();
    let (far, near) = rig.piped_pair(Codec::Opus, None);
    rig.wait(|event| matches!(event, MediaEvent::Flowing { leg } if *leg == near).then_some(()));

    rig.plane.send_tones(far, JOB, &[Tone::Tone7], 40).unwrap();

    rig.wait(|event| {
        matches!(event, MediaEvent::Tone { leg, tone: Tone::Tone7 } if *leg == near).then_some(())
    });
    assert_eq!(rig.job_done(far, JOB), JobOutcome::Completed);
    let stats = rig.close(near);
    assert!(stats.received_packets > 0 && stats.garbage + stats.foreign == 0, "{stats:?}");
}

#[test]
fn a_piped_leg_is_never_lost_and_sends_no_reports() {
    let mut rig = Rig::with(Config { lost_after: 60 * MS, ..config() });
    let (leg, mut port) = rig.plane.open_piped_leg(None).unwrap();
    rig.plane.configure(leg, &terms_to(Codec::Pcmu, NOWHERE, NOWHERE, None)).unwrap();
    let (_far, address) = socket("127.0.0.1");
    let other = rig.plane.open_leg().unwrap().leg;
    rig.plane.configure(other, &terms_to(Codec::Pcmu, address, address, None)).unwrap();

    rig.wait(|event| matches!(event, MediaEvent::Lost { leg } if *leg == other).then_some(()));
    // Longer than the longest time between reports.
    let pause = ToneSound { frequency_hz: 1.0, amplitude: 1, duration: Some(Duration::from_millis(7_600)) };
    rig.plane.play_tone(other, TONE, pause).unwrap();
    let mut is_report = false;
    while !rig.seen.iter().any(|event| matches!(event, MediaEvent::JobDone { job: TONE, .. })) {
        is_report |= rtp::is_rtcp(&next_sent(&mut port));
        rig.seen.extend(rig.events.next());
    }
    assert!(!is_report);
    assert_eq!(rig.lost(), [other]);
}

#[test]
fn a_piped_phone_that_was_silent_for_long_is_heard_by_all() {
    let mut meeting = Meeting::of(&[Codec::Pcmu, Codec::Opus]);
    // Nobody listens to it until something comes.
    let (leg, port) = meeting.rig.plane.open_piped_leg(Some(meeting.mixer)).unwrap();
    meeting.rig.plane.configure(leg, &terms_to(Codec::G722, NOWHERE, NOWHERE, None)).unwrap();
    meeting.rig.plane.join(leg, meeting.mixer, MemberConfig::default()).unwrap();
    meeting.pass(600 * MS);
    let (far, far_port) = meeting.rig.plane.open_piped_leg(None).unwrap();
    meeting.rig.plane.configure(far, &terms_to(Codec::G722, NOWHERE, NOWHERE, None)).unwrap();
    std::thread::spawn(|| support::carry(port, far_port));
    meeting.phones.push(support::meeting::Phone { far, leg, pitch: 1_000.0 });
    meeting.speak(2);
    meeting.pass(400 * MS);

    assert_eq!(meeting.heard_by(&[0, 1, 2]), [[1, 2], [0, 2], [0, 1]]);
}

#[test]
fn a_piped_phone_moves_from_one_mixer_to_another() {
    let mut meeting = Meeting::of(&[Codec::Pcmu]);
    meeting.add_piped(Codec::Opus);
    meeting.add_piped(Codec::Pcmu);
    meeting.speak(1);
    meeting.speak(2);
    meeting.pass(400 * MS);
    assert_eq!(meeting.heard_by(&[0, 1, 2]), [[1, 2], [0, 2], [0, 1]]);

    let lobby = meeting.rig.plane.open_mixer(MixerConfig::default(), None).unwrap();
    for phone in [0, 1] {
        meeting.rig.plane.join(meeting.phones[phone].leg, lobby, MemberConfig::default()).unwrap();
    }
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[0, 1, 2]), [vec![1], vec![0], vec![]]);
}

#[test]
fn piped_legs_are_on_the_thread_of_their_mixer_and_count_as_legs() {
    let rig = Rig::with(Config { threads: 2, max_legs_per_thread: 1, ..config() });
    let mixer = rig.plane.open_mixer(MixerConfig::default(), None).unwrap();
    let (leg, _port) = rig.plane.open_piped_leg(Some(mixer)).unwrap();
    rig.plane.join(leg, mixer, MemberConfig::default()).unwrap();
    assert!(matches!(rig.plane.open_piped_leg(Some(mixer)), Err(PlaneError::TooManyLegs)));
    let (other, _other_port) = rig.plane.open_piped_leg(None).unwrap();
    assert!(matches!(rig.plane.join(other, mixer, MemberConfig::default()), Err(PlaneError::OtherThread)));
    assert!(matches!(rig.plane.play_tone(leg, JobId(1), TONE_SOUND), Err(PlaneError::NoLeg)));
    rig.plane.close_mixer(mixer).unwrap();
    assert!(matches!(rig.plane.open_piped_leg(Some(mixer)), Err(PlaneError::NoMixer)));
    assert_eq!(rig.plane.stats().legs, 2);
}

const TONE_SOUND: ToneSound = ToneSound { frequency_hz: 400.0, amplitude: 100, duration: None };
