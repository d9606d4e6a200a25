//! Far ends that are only listened to for voice: what is quiet is not decoded, and what is spoken is heard whole.

use std::time::Duration;

use media_engine::analysis::{correlate, largest_step, rms, speech_like};
use media_engine::{
    AudioReceiver, AudioSender, Codec, Frame, FrameKind, MAX_PAYLOAD_BYTES, ReceiverConfig, RtpPacketRef,
    SenderConfig,
};

/// How a frame is asked for.
type Pull = fn(&mut AudioReceiver, u64, Duration, &mut Frame) -> FrameKind;

const ALWAYS: Pull = |receiver, _, now, out| receiver.pull(now, out);
const FOR_VOICE: Pull = |receiver, _, now, out| receiver.pull_voice(now, out);
const IN_TURNS: Pull = |receiver, tick, now, out| match tick / 5 % 2 {
    0 => receiver.pull(now, out),
    _ => receiver.pull_voice(now, out),
};

/// Two seconds of a quiet room, three of speech, two of the room.
fn sound(codec: Codec) -> Vec<i16> {
    let hz = codec.sample_rate().hz() as usize;
    let mut state = 1_u32;
    let mut room: Vec<i16> = (0..7 * hz)
        .map(|_| {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (state >> 16) as i16 >> 12
        })
        .collect();
    room[2 * hz..5 * hz].copy_from_slice(&speech_like(hz as u32, 3 * hz));
    room
}

fn run(codec: Codec, level: fn(u64) -> Option<u8>, pull: Pull) -> (Vec<i16>, Vec<FrameKind>) {
    let payload_type = codec.static_payload_type().unwrap_or(111);
    let mut receiver = AudioReceiver::new(ReceiverConfig { codec, payload_type, telephone_event: None });
    let mut sender = AudioSender::new(SenderConfig {
        codec,
        payload_type,
        ssrc: 1,
        first_sequence: 0,
        first_timestamp: 0,
        telephone_event: None,
    });
    let (mut heard, mut kinds) = (Vec::new(), Vec::new());
    let mut frame = Frame::silence(codec.sample_rate());
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    for (tick, chunk) in (0..).zip(sound(codec).chunks_exact(codec.frame_samples())) {
        let now = Duration::from_millis(tick * 20);
        frame.reset(codec.sample_rate());
        frame.samples_mut().copy_from_slice(chunk);
        let sent = sender.send(Some(&frame), &mut payload).expect("room");
        let packet = RtpPacketRef {
            payload_type,
            sequence: sent.sequence,
            timestamp: sent.timestamp,
            ssrc: 1,
            marker: sent.marker,
            level: level(tick),
            payload: &payload[..sent.payload_len],
        };
        receiver.handle_rtp(packet, now);
        kinds.push(pull(&mut receiver, tick, now, &mut frame));
        heard.extend_from_slice(frame.samples());
    }
    (heard, kinds)
}

fn share(kinds: &[FrameKind], kind: FrameKind) -> f64 {
    kinds.iter().filter(|k| **k == kind).count() as f64 / kinds.len() as f64
}

#[test]
fn opus_says_itself_that_nobody_speaks_and_is_heard_whole_when_somebody_does() {
    let hz = 48_000;
    let (whole, _) = run(Codec::Opus, |_| None, ALWAYS);
    let (heard, kinds) = run(Codec::Opus, |_| None, FOR_VOICE);
    // The encoder takes a second or so to know the room, and after speech to trust it.
    assert!(share(&kinds[60..100], FrameKind::Quiet) > 0.95, "{:?}", &kinds[..100]);
    assert!(share(&kinds[320..], FrameKind::Quiet) > 0.95, "{:?}", &kinds[320..]);
    assert!(rms(&heard[320 * 960..]) < 2.0);
    for at in (hz * 21 / 10..hz * 49 / 10).step_by(hz / 5) {
        let (a, b) = (&whole[at..at + hz / 5], &heard[at..at + hz / 5]);
        if rms(a) > 300.0 {
            let alike = correlate(a, b, 1);
            assert!(alike > 0.95, "{alike} at {at}");
        }
    }
}

#[test]
fn a_level_in_the_packet_counts_with_every_codec() {
    let level = |tick| Some(if (100..250).contains(&tick) { 20 } else { 70 });
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let (whole, _) = run(codec, |_| None, ALWAYS);
        let (heard, kinds) = run(codec, level, FOR_VOICE);
        assert_eq!(share(&kinds[10..100], FrameKind::Quiet), 1.0, "{codec:?}");
        assert_eq!(share(&kinds[110..245], FrameKind::Audio), 1.0, "{codec:?}");
        let frame = codec.frame_samples();
        let alike = correlate(&whole[105 * frame..245 * frame], &heard[105 * frame..245 * frame], 1);
        assert!(alike > 0.95, "{codec:?}: {alike}");
    }
}

#[test]
fn changing_between_both_ways_makes_no_click() {
    let level = |_| Some(70);
    for codec in [Codec::Pcmu, Codec::Opus] {
        let (whole, _) = run(codec, level, ALWAYS);
        let (heard, kinds) = run(codec, level, IN_TURNS);
        assert!(share(&kinds, FrameKind::Quiet) > 0.4 && share(&kinds, FrameKind::Audio) > 0.4);
        let (most, least) = (largest_step(&heard), largest_step(&whole));
        assert!(most <= least * 12 / 10, "{codec:?}: {most}, not {least}");
    }
}
