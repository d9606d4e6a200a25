//! The tick does not allocate, and an idle leg stays small.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use media_engine::analysis::speech_like;
use media_engine::{
    AudioReceiver, AudioSender, Codec, DtmfDetector, Echo, Frame, LevelMeter, MAX_PAYLOAD_BYTES, Player,
    PromptAudio, ReceiverConfig, Recorder, RecorderConfig, RtpPacketRef, SenderConfig, TelephoneEventFormat,
    Tone, ToneSet,
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
        let prompt = PromptAudio::from_samples(sound, rate.hz());
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
