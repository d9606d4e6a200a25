//! Legs in mixers: phones are legs of the same plane, outside of the mixer, that play tones and capture what they hear.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]

mod support;

use std::time::Duration;

use media_engine::analysis::{amplitude_at, largest_step, rms, sine};
use media_engine::{DEFAULT_TALKERS, PromptAudio, RecordOutcome, Tone};
use media_plane::{
    Config, JobId, JobOutcome, MediaEvent, MemberConfig, MixerConfig, PlaneError, RecordParams, RecordingEnd,
    Route, ToneSound,
};
use rtc_proto::Codec;
use rtc_proto::sdp::Negotiated;
use support::meeting::{CAPTURE, HEARD, JOB, LAP, MS, Meeting, Phone, SPOKEN, TONE};
use support::{Rig, config, path, read, socket, terms_to};

#[test]
fn every_phone_hears_the_other_two_and_not_itself() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let mut meeting = Meeting::of(&[codec; 3]);
        meeting.pass(400 * MS);
        assert_eq!(meeting.heard_by(&[0, 1, 2]), [[1, 2], [0, 2], [0, 1]], "{codec:?}");
        assert_eq!(meeting.rig.plane.stats().mixers, 1);
    }
}

#[test]
fn phones_of_different_codecs_hear_each_other() {
    let mut meeting = Meeting::of(&[Codec::Pcma, Codec::Opus, Codec::G722, Codec::Opus]);
    meeting.pass(400 * MS);
    assert_eq!(meeting.heard_by(&[0, 1, 2, 3]), [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]);
}

#[test]
fn a_leg_may_join_before_it_is_configured() {
    let mut meeting = Meeting::of(&[Codec::Pcmu; 2]);
    let near = meeting.rig.plane.open_leg_at(meeting.mixer).unwrap();
    let far = meeting.rig.plane.open_leg().unwrap();
    meeting.rig.plane.join(near.leg, meeting.mixer, MemberConfig::default()).unwrap();
    meeting.rig.plane.configure(near.leg, &support::terms(Codec::G722, far, None)).unwrap();
    meeting.rig.plane.configure(far.leg, &support::terms(Codec::G722, near, None)).unwrap();
    meeting.phones.push(Phone { far: far.leg, leg: near.leg, pitch: 1_000.0 });
    meeting.speak(2);
    meeting.pass(400 * MS);
    assert_eq!(meeting.heard_by(&[0, 2]), [vec![1, 2], vec![0, 1]]);
}

#[test]
fn muted_routed_and_gone_phones_are_heard_by_whom_they_should() {
    let mut meeting = Meeting::of(&[Codec::Pcmu; 4]);
    let [a, b, c, d] = [0, 1, 2, 3].map(|phone| meeting.phones[phone].leg);
    let plane = meeting.rig.plane.clone();
    plane.set_muted(a, true).unwrap();
    plane.set_route(b, Route { is_in_default_group: true, audience: Some(vec![c]) }).unwrap();
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[0, 1, 2, 3]), [vec![2, 3], vec![2, 3], vec![1, 3], vec![2]]);

    plane.set_muted(a, false).unwrap();
    plane.set_route(b, Route { is_in_default_group: false, audience: None }).unwrap();
    plane.leave(d).unwrap();
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[0, 1, 2, 3]), [vec![2], vec![], vec![0], vec![]]);
    assert!(matches!(plane.set_muted(d, true), Err(PlaneError::NoMixer)));

    plane.close(a).unwrap();
    plane.join(d, meeting.mixer, MemberConfig { is_muted: true, ..MemberConfig::default() }).unwrap();
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[2, 3]), [vec![], vec![2]]);

    plane.close_mixer(meeting.mixer).unwrap();
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[2, 3]), [vec![], vec![]]);
    assert!(matches!(plane.join(c, meeting.mixer, MemberConfig::default()), Err(PlaneError::NoMixer)));
}

#[test]
fn a_hosted_bot_is_heard_by_all_and_records_all() {
    let mut meeting = Meeting::of(&[Codec::Pcmu, Codec::Opus]);
    let plane = meeting.rig.plane.clone();
    let bot = plane.open_virtual_leg(meeting.mixer).unwrap();
    plane.join(bot, meeting.mixer, MemberConfig::default()).unwrap();
    let prompt = PromptAudio::from_samples(sine(1_500.0, 16_000, f64::from(SPOKEN), 16_000), 16_000);
    meeting.pass(300 * MS);
    meeting.rig.capture(bot, CAPTURE, "bot");
    plane.play(bot, JOB, &[prompt.into()], true).unwrap();
    meeting.pass(200 * MS);

    for capture in meeting.listen(&[0, 1]) {
        let level = amplitude_at(&capture[capture.len() - 3_200..], 1_500.0, 16_000);
        assert!(level > HEARD, "{level}");
    }
    plane.stop(bot, JOB).unwrap();
    assert_eq!(meeting.rig.job_done(bot, JOB), JobOutcome::Cancelled);
    let heard = meeting.rig.captured(bot, CAPTURE);
    assert_eq!(meeting.talkers(&heard), [0, 1]);
    assert!(amplitude_at(&heard[heard.len() / 2..], 1_500.0, 16_000) < 100.0);
    assert!(heard.len() > 16 * 600, "{}", heard.len());
}

#[test]
fn a_key_of_any_member_ends_a_recording_of_the_bot() {
    let mut meeting = Meeting::of(&[Codec::Pcmu, Codec::Pcmu]);
    let plane = meeting.rig.plane.clone();
    let bot = plane.open_virtual_leg(meeting.mixer).unwrap();
    plane.join(bot, meeting.mixer, MemberConfig::default()).unwrap();
    let params = RecordParams {
        path: path("key"),
        initial_silence: Duration::from_secs(10),
        max_silence: Duration::from_secs(10),
        max_duration: Duration::from_secs(20),
        stop_tones: [Tone::Pound].into_iter().collect(),
    };
    plane.record(bot, JOB, params).unwrap();
    meeting.pass(600 * MS);

    plane.send_tones(meeting.phones[1].far, JobId(9), &[Tone::Pound], 40).unwrap();

    let recording = meeting.rig.recorded(bot, JOB);
    assert_eq!(recording.end, RecordingEnd::Recorder(RecordOutcome::StopTone(Tone::Pound)));
    let told = meeting
        .rig
        .seen
        .iter()
        .any(|event| matches!(event, MediaEvent::Tone { leg, .. } if *leg == meeting.phones[1].leg));
    assert!(told || meeting.rig.wait(|event| matches!(event, MediaEvent::Tone { .. }).then_some(true)));
    let samples = read(&recording.path);
    assert!(amplitude_at(&samples[samples.len() / 2..], 400.0, 16_000) > HEARD * 0.7);
}

#[test]
fn jobs_of_a_hosted_bot_end_once_outside_of_a_mixer() {
    let mut rig = Rig::new();
    let mixer = rig.plane.open_mixer(MixerConfig::default(), None).unwrap();
    let bot = rig.plane.open_virtual_leg(mixer).unwrap();
    let tone = ToneSound { frequency_hz: 400.0, amplitude: 100, duration: None };
    rig.plane.play_tone(bot, TONE, tone).unwrap();
    assert_eq!(rig.job_done(bot, TONE), JobOutcome::Cancelled);

    rig.plane.join(bot, mixer, MemberConfig::default()).unwrap();
    // Nobody else is there, and time passes for its jobs all the same.
    rig.plane.play_tone(bot, LAP, ToneSound { duration: Some(100 * MS), ..tone }).unwrap();
    assert_eq!(rig.job_done(bot, LAP), JobOutcome::Completed);
    rig.plane.play_tone(bot, TONE, tone).unwrap();
    rig.capture(bot, CAPTURE, "alone");
    rig.plane.send_tones(bot, JOB, &[Tone::Tone1], 40).unwrap();
    assert!(matches!(rig.job_done(bot, JOB), JobOutcome::Failed(_)));
    rig.plane.leave(bot).unwrap();
    assert_eq!(rig.job_done(bot, TONE), JobOutcome::Cancelled);
    rig.recorded(bot, CAPTURE);

    rig.plane.join(bot, mixer, MemberConfig::default()).unwrap();
    rig.plane.play_tone(bot, JobId(7), tone).unwrap();
    rig.plane.close_mixer(mixer).unwrap();
    assert_eq!(rig.job_done(bot, JobId(7)), JobOutcome::Cancelled);
    rig.close(bot);
    let stats = rig.plane.stats();
    assert_eq!((stats.legs, stats.mixers), (0, 0));
}

#[test]
fn a_member_hears_its_own_prompt_in_the_place_of_the_others_and_is_heard() {
    let mut meeting = Meeting::of(&[Codec::Pcmu, Codec::Opus]);
    meeting.pass(300 * MS);
    for phone in [0, 1] {
        let leg = meeting.phones[phone].leg;
        let music = ToneSound { frequency_hz: 2_000.0, amplitude: SPOKEN, duration: None };
        meeting.rig.plane.play_tone(leg, JOB, music).unwrap();
        meeting.pass(200 * MS);
        let heard = meeting.listen(&[phone, 1 - phone]);
        assert!(amplitude_at(&heard[0][4_000..], 2_000.0, 16_000) > HEARD);
        assert_eq!([meeting.talkers(&heard[0]), meeting.talkers(&heard[1])], [vec![], vec![phone]]);
        meeting.rig.plane.stop(leg, JOB).unwrap();
        meeting.rig.job_done(leg, JOB);
        meeting.pass(200 * MS);
        assert_eq!(meeting.heard_by(&[phone]), [[1 - phone]]);
    }
}

#[test]
fn whoever_speaks_is_told_to_be_dominant() {
    let mut meeting = Meeting::of(&[]);
    meeting.add(Codec::Pcmu);
    meeting.add(Codec::Pcmu);
    for phone in [1, 0] {
        meeting.speak(phone);
        let (mixer, expected) = (meeting.mixer, Some(meeting.phones[phone].leg));
        meeting.rig.wait(|event| match event {
            MediaEvent::Dominant { mixer: at, leg } if *at == mixer && *leg == expected => Some(()),
            _ => None,
        });
        meeting.rig.plane.stop(meeting.phones[phone].far, TONE).unwrap();
    }
    let leg = meeting.phones[0].leg;
    meeting.rig.plane.leave(leg).unwrap();
    meeting.rig.wait(|event| matches!(event, MediaEvent::Dominant { leg: None, .. }).then_some(()));
}

#[test]
fn a_leg_moves_from_one_mixer_to_another() {
    let mut meeting = Meeting::of(&[Codec::Pcmu; 3]);
    let plane = meeting.rig.plane.clone();
    let lobby = plane.open_mixer(MixerConfig { max_members: 1, ..MixerConfig::default() }, None).unwrap();
    let [a, b, _] = [0, 1, 2].map(|phone| meeting.phones[phone].leg);
    plane.join(a, lobby, MemberConfig::default()).unwrap();
    assert!(matches!(plane.join(b, lobby, MemberConfig::default()), Err(PlaneError::TooManyMembers)));
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[0, 1]), [vec![], vec![2]]);
    plane.join(a, meeting.mixer, MemberConfig::default()).unwrap();
    plane.join(b, lobby, MemberConfig::default()).unwrap();
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[0, 1, 2]), [vec![2], vec![], vec![0]]);
    // Back before it has faded out.
    plane.leave(a).unwrap();
    plane.join(a, meeting.mixer, MemberConfig::default()).unwrap();
    plane.leave(b).unwrap();
    plane.join(b, meeting.mixer, MemberConfig::default()).unwrap();
    meeting.pass(200 * MS);
    assert_eq!(meeting.heard_by(&[0, 1, 2]), [vec![1, 2], vec![0, 2], vec![0, 1]]);
}

#[test]
fn mixers_and_members_are_on_one_thread() {
    let rig = Rig::with(Config { threads: 2, ..config() });
    let legs = [(); 2].map(|()| rig.plane.open_leg().unwrap().leg);
    let mixer = rig.plane.open_mixer(MixerConfig::default(), Some(legs[1])).unwrap();
    let outcomes = legs.map(|leg| rig.plane.join(leg, mixer, MemberConfig::default()));
    assert!(matches!(outcomes, [Err(PlaneError::OtherThread), Ok(())]), "{outcomes:?}");
    assert_eq!(legs.map(|leg| leg.can_join(mixer)), [false, true]);
    for (max_members, max_talkers) in [(0, 4), (70_000, 4), (10, 0), (10, 99)] {
        let opened = rig.plane.open_mixer(MixerConfig { max_members, max_talkers }, None);
        assert!(matches!(opened, Err(PlaneError::Setting(_))));
    }
    let bot = rig.plane.open_virtual_leg(mixer).unwrap();
    assert!(
        rig.plane
            .configure(
                bot,
                &terms_to(Codec::Pcmu, "127.0.0.1:9".parse().unwrap(), "127.0.0.1:9".parse().unwrap(), None)
            )
            .is_err()
    );
}

/// One far end does its worst while two others talk.
fn worst(misbehave: impl Fn(&mut Vec<u8>, u32) -> usize) {
    let mut meeting = Meeting::of(&[Codec::Pcmu, Codec::Pcmu]);
    let (far, address) = socket("127.0.0.1");
    let plane = meeting.rig.plane.clone();
    let bad = plane.open_leg().expect("leg");
    plane.configure(bad.leg, &terms_to(Codec::Pcmu, address, address, None)).expect("configure");
    plane.join(bad.leg, meeting.mixer, MemberConfig::default()).expect("join");
    meeting.pass(300 * MS);
    meeting.rig.capture(meeting.phones[0].far, CAPTURE, &format!("worst-{}", bad.rtp.port()));
    for round in 0..30_u32 {
        for burst in 0..64 {
            let number = round * 64 + burst;
            let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
            packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
            packet[4..8].copy_from_slice(&(number * 160).to_be_bytes());
            packet.resize(172, 0xFF);
            let length = misbehave(&mut packet, number);
            far.send_to(&packet[..length], bad.rtp).expect("send");
        }
        meeting.pass(40 * MS);
    }
    let heard = meeting.rig.captured(meeting.phones[0].far, CAPTURE);
    let steady = &heard[..heard.len() - 1_600];
    assert_eq!(meeting.talkers(steady), [1]);
    // Nothing but the tone: its steps, and its level.
    let natural = largest_step(&sine(700.0, 16_000, f64::from(SPOKEN), 1_600));
    assert!(largest_step(steady) < natural * 12 / 10, "{}", largest_step(steady));
    let level = rms(steady) / (f64::from(SPOKEN) / 2.0_f64.sqrt());
    assert!((0.9..1.1).contains(&level), "{level}");
}

#[test]
fn a_flood_of_silence_and_garbage_disturbs_nobody() {
    worst(|packet, number| {
        if number % 3 == 0 {
            packet.fill(number as u8);
        }
        (number % 173) as usize
    });
}

#[test]
fn changing_sources_sequences_and_clocks_disturbs_nobody() {
    worst(|packet, number| {
        match number % 16 {
            0..4 => packet[11] = (number >> 6) as u8,
            4..8 => packet[2] ^= 0x80,
            8..12 => packet[4] ^= 0x40,
            _ => packet[1] ^= 0x80,
        }
        packet.len()
    });
}

/// Whether a far end that shouts is heard beside others although its packets say, in this element of a header extension,
/// that they are this loud; `agreed` is the element that was agreed on.
fn is_heard(agreed: Option<u8>, sent: u8, level: u8) -> bool {
    let mut meeting = Meeting::of(&[Codec::Pcmu; DEFAULT_TALKERS + 1]);
    let (far, address) = socket("127.0.0.1");
    let plane = meeting.rig.plane.clone();
    let loud = plane.open_leg().expect("leg");
    let terms = Negotiated { audio_level: agreed, ..terms_to(Codec::Pcmu, address, address, None) };
    plane.configure(loud.leg, &terms).expect("configure");
    plane.join(loud.leg, meeting.mixer, MemberConfig::default()).expect("join");
    // More send than are heard at once, so that only those are decoded of whom it is not known that they are silent;
    // and some say nothing any more, so that there is a place.
    meeting.pass(400 * MS);
    for phone in 3..=DEFAULT_TALKERS {
        plane.stop(meeting.phones[phone].far, TONE).expect("stop");
    }
    meeting.pass(600 * MS);
    meeting.rig.capture(meeting.phones[0].far, CAPTURE, &format!("level-{}", loud.rtp.port()));
    for number in 0..40_u32 {
        let mut packet =
            vec![0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0xBE, 0xDE, 0, 1, sent << 4, level, 0, 0];
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(number * 160).to_be_bytes());
        // 2 kHz, at -12 dB.
        packet.extend([0xA0, 0xA0, 0x20, 0x20].repeat(40));
        far.send_to(&packet, loud.rtp).expect("send");
        meeting.pass(20 * MS);
    }
    let heard = meeting.rig.captured(meeting.phones[0].far, CAPTURE);
    amplitude_at(&heard[heard.len() - 4_800..], 2_000.0, 16_000) > HEARD
}

#[test]
fn one_whose_packets_say_that_nobody_speaks_is_not_decoded() {
    assert!(!is_heard(Some(3), 3, 127));
    assert!(is_heard(Some(3), 3, 12));
}

#[test]
fn levels_that_were_not_agreed_on_are_passed_over() {
    assert!(is_heard(None, 3, 127));
    assert!(is_heard(Some(4), 3, 127));
}
