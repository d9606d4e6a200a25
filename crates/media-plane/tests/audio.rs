//! What one leg says is what the other hears.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]

mod support;

use std::time::Duration;

use media_engine::analysis::{amplitude_at, find};
use media_engine::{RecordOutcome, SampleRate, Tone};
use media_plane::{JobId, JobOutcome, MediaEvent, RecordParams, RecordingEnd, ToneSound};
use rtc_proto::Codec;
use rtc_proto::srtp::Suite;
use support::{Rig, path, read, speech};

const PLAY: JobId = JobId(1);
const CAPTURE: JobId = JobId(2);
const KEYS: JobId = JobId(3);

/// How well most fifths of a second of `played` are found in `heard`. Pieces, because the jitter buffer of a busy
/// machine stretches what lies between them; the median, because it may also lose one.
fn likeness(played: &[i16], heard: &[i16]) -> f64 {
    let pieces = played.chunks_exact(3_200);
    let mut all: Vec<f64> =
        pieces.map(|piece| find(piece, heard).map_or(0.0, |found| found.correlation)).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Plays two seconds from one leg to the other and returns how well the capture matches.
fn played_and_heard(codec: Codec, suite: Option<Suite>) -> f64 {
    let mut rig = Rig::new();
    let (a, b) = rig.pair(codec, suite);
    let name = format!("{codec:?}-{}", suite.map_or("plain", Suite::name));
    rig.capture(b.leg, CAPTURE, &name);
    let prompt = speech(2);
    rig.plane.play(a.leg, PLAY, std::slice::from_ref(&prompt), false).expect("play");
    assert_eq!(rig.job_done(a.leg, PLAY), JobOutcome::Completed);
    // What is still under way is heard before a key that follows it.
    rig.plane.send_tones(a.leg, KEYS, &[Tone::Tone1], 40).expect("tones");
    rig.wait(|event| matches!(event, MediaEvent::Tone { leg, .. } if *leg == b.leg).then_some(()));
    assert_eq!(rig.job_done(a.leg, KEYS), JobOutcome::Completed);
    let heard = rig.captured(b.leg, CAPTURE);
    likeness(&prompt.at_rate(SampleRate::Hz16000)[4_000..28_000], &heard)
}

#[test]
fn a_prompt_is_heard_with_every_codec() {
    for (codec, least) in [(Codec::Pcmu, 0.9), (Codec::Pcma, 0.9), (Codec::G722, 0.9), (Codec::Opus, 0.8)] {
        let likeness = played_and_heard(codec, None);
        assert!(likeness > least, "{codec:?}: {likeness}");
    }
}

#[test]
fn a_prompt_is_heard_under_every_suite() {
    for suite in Suite::ALL {
        let likeness = played_and_heard(Codec::Pcmu, Some(suite));
        assert!(likeness > 0.9, "{suite:?}: {likeness}");
    }
}

#[test]
fn a_prompt_and_a_capture_go_on_when_the_codec_changes() {
    let mut rig = Rig::new();
    let (a, b) = rig.pair(Codec::Pcmu, None);
    rig.capture(b.leg, CAPTURE, "codec-change");
    let prompt = speech(3);
    rig.plane.play(a.leg, PLAY, std::slice::from_ref(&prompt), false).unwrap();
    rig.wait(|event| matches!(event, MediaEvent::Flowing { leg } if *leg == b.leg).then_some(()));

    for (leg, other) in [(a, b), (b, a)] {
        rig.plane.configure(leg.leg, &support::terms(Codec::Opus, other, None)).unwrap();
    }

    assert_eq!(rig.job_done(a.leg, PLAY), JobOutcome::Completed);
    rig.plane.send_tones(a.leg, KEYS, &[Tone::Tone1], 40).unwrap();
    rig.wait(|event| matches!(event, MediaEvent::Tone { leg, .. } if *leg == b.leg).then_some(()));
    let heard = rig.captured(b.leg, CAPTURE);
    let likeness = likeness(&prompt.at_rate(SampleRate::Hz16000)[16_000..44_000], &heard);
    assert!(likeness > 0.8, "{likeness}");
}

#[test]
fn keys_arrive_in_both_directions_and_in_order() {
    let mut rig = Rig::new();
    let (a, b) = rig.pair(Codec::Pcmu, None);
    let keys = [Tone::Tone1, Tone::Tone1, Tone::Pound, Tone::Star, Tone::D];
    for from in [a.leg, b.leg] {
        rig.plane.send_tones(from, KEYS, &keys, 60).expect("tones");
    }

    let mut heard = (Vec::new(), Vec::new());
    rig.wait(|event| {
        match event {
            MediaEvent::Tone { leg, tone } if *leg == a.leg => heard.0.push(*tone),
            MediaEvent::Tone { leg, tone } if *leg == b.leg => heard.1.push(*tone),
            _ => {}
        }
        (heard.0.len() == keys.len() && heard.1.len() == keys.len()).then_some(())
    });

    assert_eq!(heard, (keys.to_vec(), keys.to_vec()));
}

#[test]
fn keys_that_wait_are_sent_when_the_codec_changes() {
    let mut rig = Rig::new();
    let (a, b) = rig.pair(Codec::Pcmu, None);
    let keys = [Tone::Tone1, Tone::Tone2, Tone::Pound];
    rig.plane.send_tones(a.leg, KEYS, &keys, 1_000).unwrap();
    rig.wait(|event| matches!(event, MediaEvent::Tone { leg, .. } if *leg == b.leg).then_some(()));
    // Into the pause after the first key.
    let pause = ToneSound { frequency_hz: 400.0, amplitude: 1, duration: Some(Duration::from_millis(400)) };
    rig.plane.play_tone(b.leg, PLAY, pause).unwrap();
    rig.job_done(b.leg, PLAY);

    for (leg, other) in [(b, a), (a, b)] {
        rig.plane.configure(leg.leg, &support::terms(Codec::Opus, other, None)).unwrap();
    }

    assert_eq!(rig.job_done(a.leg, KEYS), JobOutcome::Completed);
    let heard = rig.seen.iter().filter_map(|event| match event {
        MediaEvent::Tone { leg, tone } if *leg == b.leg => Some(*tone),
        _ => None,
    });
    assert_eq!(heard.collect::<Vec<_>>(), keys);
}

#[test]
fn keys_as_sound_are_found_where_events_were_not_agreed_on() {
    let mut rig = Rig::new();
    let (a, b) = (rig.plane.open_leg().unwrap(), rig.plane.open_leg().unwrap());
    for (leg, other) in [(a, b), (b, a)] {
        let mut terms = support::terms(Codec::Pcmu, other, None);
        terms.telephone_event = None;
        rig.plane.configure(leg.leg, &terms).unwrap();
    }

    rig.plane.send_tones(a.leg, KEYS, &[Tone::Tone7], 60).unwrap();

    let tone = rig.wait(|event| match event {
        MediaEvent::Tone { leg, tone } if *leg == b.leg => Some(*tone),
        _ => None,
    });
    assert_eq!(tone, Tone::Tone7);
}

#[test]
fn an_echo_returns_the_tone_that_it_hears() {
    let mut rig = Rig::new();
    let (a, b) = rig.pair(Codec::Pcmu, None);
    rig.plane.echo(b.leg, true).unwrap();
    rig.capture(a.leg, CAPTURE, "echo");
    let sound =
        ToneSound { frequency_hz: 700.0, amplitude: 8_000, duration: Some(Duration::from_millis(1_500)) };
    rig.plane.play_tone(a.leg, PLAY, sound).unwrap();

    assert_eq!(rig.job_done(a.leg, PLAY), JobOutcome::Completed);

    let heard = rig.captured(a.leg, CAPTURE);
    let tail = &heard[heard.len() - 8_000..];
    assert!(amplitude_at(tail, 700.0, 16_000) > 5_000.0);
}

#[test]
fn a_recording_ends_at_its_stop_tone_and_holds_what_was_said() {
    let mut rig = Rig::new();
    let (a, b) = rig.pair(Codec::Pcmu, None);
    let params = RecordParams {
        path: path("stop-tone"),
        initial_silence: Duration::from_secs(10),
        max_silence: Duration::from_secs(10),
        max_duration: Duration::from_secs(20),
        stop_tones: [Tone::Pound].into_iter().collect(),
    };
    rig.plane.record(b.leg, CAPTURE, params).unwrap();
    let sound = ToneSound { frequency_hz: 500.0, amplitude: 8_000, duration: Some(Duration::from_secs(1)) };
    rig.plane.play_tone(a.leg, PLAY, sound).unwrap();
    rig.job_done(a.leg, PLAY);

    rig.plane.send_tones(a.leg, KEYS, &[Tone::Pound], 40).unwrap();

    let recording = rig.recorded(b.leg, CAPTURE);
    assert_eq!(recording.end, RecordingEnd::Recorder(RecordOutcome::StopTone(Tone::Pound)));
    assert_eq!(recording.lost_samples, 0);
    let samples = read(&recording.path);
    assert!(recording.duration >= Duration::from_millis(900), "{:?}", recording.duration);
    let loud = samples.chunks(1_600).filter(|part| amplitude_at(part, 500.0, 16_000) > 5_000.0).count();
    assert!(loud >= 8, "{loud} tenths of a second");
    assert!(!recording.path.with_extension("wav.part").exists());
}

#[test]
fn a_recording_ends_by_silence_where_nobody_speaks() {
    let mut rig = Rig::new();
    let (_, b) = rig.pair(Codec::Pcmu, None);
    let params = RecordParams {
        path: path("silence"),
        initial_silence: Duration::from_millis(500),
        max_silence: Duration::from_secs(1),
        max_duration: Duration::from_secs(20),
        stop_tones: [].into_iter().collect(),
    };

    rig.plane.record(b.leg, CAPTURE, params).unwrap();

    let recording = rig.recorded(b.leg, CAPTURE);
    assert_eq!(recording.end, RecordingEnd::Recorder(RecordOutcome::InitialSilence));
    assert_eq!(recording.duration, Duration::from_millis(500));
}

#[test]
fn a_recording_that_cannot_be_written_fails_as_a_job() {
    let mut rig = Rig::new();
    let (_, b) = rig.pair(Codec::Pcmu, None);
    let params = media_plane::TapeParams {
        path: "/nonexistent/folder/x.wav".into(),
        max_duration: Duration::from_millis(100),
    };

    rig.plane.capture(b.leg, CAPTURE, params).unwrap();

    assert_eq!(rig.job_done(b.leg, CAPTURE), JobOutcome::Failed("recording could not be written"));
}

#[test]
fn a_stopped_or_replaced_prompt_ends_cancelled_and_a_loop_goes_on() {
    let mut rig = Rig::new();
    let (a, _) = rig.pair(Codec::Pcmu, None);
    let short = std::sync::Arc::new(media_engine::PromptAudio::from_samples(vec![1_000; 160], 8_000));
    rig.plane.play(a.leg, JobId(10), &[short.clone(), short.clone()], true).unwrap();
    rig.plane.play(a.leg, JobId(11), &[speech(20)], false).unwrap();
    assert_eq!(rig.job_done(a.leg, JobId(10)), JobOutcome::Cancelled);

    rig.plane.stop(a.leg, JobId(11)).unwrap();

    assert_eq!(rig.job_done(a.leg, JobId(11)), JobOutcome::Cancelled);
    rig.plane.play(a.leg, JobId(12), &[short.clone(), short], false).unwrap();
    assert_eq!(rig.job_done(a.leg, JobId(12)), JobOutcome::Completed);
}
