//! The tick does not allocate, and an idle leg stays small.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use media_engine::analysis::speech_like;
use media_engine::{
    Audience, AudioReceiver, AudioSender, Codec, DtmfDetector, Echo, Frame, FrameKind, LevelMeter,
    MAX_PAYLOAD_BYTES, Mixer, Player, PromptAudio, ReceiverConfig, Recorder, RecorderConfig, RtpPacketRef,
    Seat, SenderConfig, Senders, TelephoneEventFormat, Tone, ToneGenerator, ToneSet,
};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

/// Counts what this thread allocates.
struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written without; it only counts and passes on")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        BYTES.with(|n| n.set(n.get() + layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        ALLOCATIONS.with(|n| n.set(n.get() + 1));
        BYTES.with(|n| n.set(n.get() - layout.size() as isize));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];

fn leg(codec: Codec) -> (AudioReceiver, AudioSender) {
    let payload_type = codec.static_payload_type().unwrap_or(111);
    let telephone_event = Some(TelephoneEventFormat { payload_type: 101, clock_rate: codec.clock_rate() });
    let receiver = AudioReceiver::new(ReceiverConfig { codec, payload_type, telephone_event });
    let sender = AudioSender::new(SenderConfig {
        codec,
        payload_type,
        ssrc: 1,
        first_sequence: 0,
        first_timestamp: 0,
        telephone_event,
    });
    (receiver, sender)
}

#[test]
fn a_leg_is_small() {
    for (codec, limit) in
        [(Codec::Pcmu, 14_000), (Codec::Pcma, 14_000), (Codec::G722, 18_000), (Codec::Opus, 36_000)]
    {
        let before = BYTES.get();
        let (receiver, sender) = leg(codec);
        let heap = BYTES.get() - before;
        let whole = heap as usize + size_of_val(&receiver) + size_of_val(&sender);
        // Opus' own states come from C and are not counted here.
        assert!(whole < limit, "{codec:?}: {whole} bytes");
    }
}

#[test]
fn the_tick_does_not_allocate_even_on_a_bad_line() {
    for codec in CODECS {
        let rate = codec.sample_rate();
        let (mut receiver, mut sender) = leg(codec);
        let sound = speech_like(rate.hz(), rate.hz() as usize * 4);
        let prompt = Arc::new(PromptAudio::from_samples(sound, rate.hz()));
        let mut player = Player::new(&prompt, rate, true);
        let mut recorder = Recorder::new(RecorderConfig {
            rate,
            initial_silence: Duration::from_secs(5),
            max_silence: Duration::from_secs(5),
            max_duration: Duration::from_secs(60),
            stop_tones: ToneSet::default(),
        });
        let (mut detector, mut meter, mut echo) =
            (DtmfDetector::new(rate), LevelMeter::default(), Echo::new(5));
        let mut frame = Frame::silence(rate);
        let mut recorded = Frame::silence(rate);
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        let before = ALLOCATIONS.get();
        for tick in 0..2000_u64 {
            let now = Duration::from_millis(tick * 20);
            if tick % 100 == 50 {
                sender.send_tones(&[Tone::Tone1, Tone::Pound], 80).unwrap();
            }
            player.fill(&mut frame);
            let sent = sender.send(Some(&frame), &mut payload).unwrap();
            let is_stalled = tick % 400 > 380;
            if tick * 7 % 11 != 0 && !is_stalled {
                receiver.handle_rtp(
                    RtpPacketRef {
                        payload_type: sent.payload_type,
                        sequence: sent.sequence,
                        timestamp: sent.timestamp,
                        ssrc: if tick > 1500 { 2 } else { 1 },
                        marker: sent.marker,
                        level: None,
                        payload: &payload[..sent.payload_len],
                    },
                    now + Duration::from_millis(tick * 13 % 60),
                );
            }
            receiver.pull(now, &mut frame);
            while receiver.poll_tone().is_some() {}
            recorder.handle_frame(&frame, &mut recorded);
            detector.handle_frame(&frame);
            meter.handle_frame(&frame);
            echo.exchange(&mut frame);
            receiver.report_block();
        }
        assert_eq!(ALLOCATIONS.get() - before, 0, "{codec:?}");
        assert!(receiver.stats().concealed_samples > 0, "{codec:?}");
    }
}

/// The senders of a mixer's members, by name.
struct Legs(Vec<AudioSender>);

impl Senders for Legs {
    fn sender(&mut self, name: u64) -> Option<&mut AudioSender> {
        self.0.get_mut(name as usize)
    }
}

#[test]
fn a_round_of_a_mixer_does_not_allocate_whoever_comes_speaks_and_goes() {
    let mut mixer = Mixer::new(8, 2);
    let seat = |name: u64| {
        let rate = CODECS[name as usize % 4].sample_rate();
        Box::new(Seat::new(name, Some(rate), Audience::default(), false))
    };
    let mut ids: Vec<_> = (0..8).map(|name| mixer.join(seat(name)).unwrap()).collect();
    let mut legs = Legs((0..8).map(|name| leg(CODECS[name % 4]).1).collect());
    let mut frames: Vec<Frame> = CODECS.iter().map(|codec| Frame::silence(codec.sample_rate())).collect();
    for frame in &mut frames {
        ToneGenerator::sine(500.0, 8_000).fill(frame);
    }
    let mut audiences: Vec<_> =
        (0..10).map(|n| Box::new(Audience::new(n % 3 > 0, (n % 2 == 0).then(|| (0..n).collect())))).collect();
    let mut seats: Vec<_> = (0..5).map(|_| seat(3)).collect();
    let (mut old_audiences, mut old_seats) = (Vec::with_capacity(20), Vec::with_capacity(20));

    let mut sent = 0;
    let before = ALLOCATIONS.get();
    for round in 0..500_usize {
        mixer.begin_round();
        old_seats.extend(std::iter::from_fn(|| mixer.poll_left()));
        for (name, id) in ids.iter().enumerate() {
            if round / 20 % 8 != name && (round / 7 + name) % 3 > 0 {
                mixer.hear(*id, &frames[name % 4], FrameKind::Audio);
            }
        }
        mixer.hear_prompt(ids[round / 50 % 8], &frames[2]);
        mixer.select();
        for (name, id) in ids.iter().enumerate() {
            mixer.set_codec(*id, Some(CODECS[name % 4]));
            // One of them is gone for a round.
            let Some(encoded) = mixer.payload(*id, CODECS[name % 4], &mut legs) else { continue };
            let (mut copy, mut payload) = ([0; MAX_PAYLOAD_BYTES], [0; MAX_PAYLOAD_BYTES]);
            copy[..encoded.len()].copy_from_slice(encoded);
            let length = encoded.len();
            sent += usize::from(legs.0[name].send_encoded(&copy[..length], &mut payload).is_some());
        }
        match round % 100 {
            30 => mixer.leave(ids[3]),
            33 => ids[3] = mixer.join(seats.pop().unwrap()).unwrap(),
            50 => mixer.set_muted(ids[round / 100], true),
            70 => mixer.set_muted(ids[round / 100], false),
            _ => {}
        }
        if round % 50 == 0 {
            old_audiences.push(mixer.set_audience(ids[round / 50 % 8], audiences.pop().unwrap()));
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert_eq!((old_seats.len(), old_audiences.len()), (5, 10));
    assert!(sent > 8 * 490, "{sent}");
}
