//! Whole legs over simulated networks in virtual time: each run is decided by its seed.

use std::time::Duration;

use media_engine::analysis::{correlate, find, largest_step, rms, sine, speech_like};
use media_engine::{
    AudioReceiver, AudioSender, Codec, Frame, FrameKind, MAX_PAYLOAD_BYTES, ReceiverConfig, ReceiverStats,
    RtpPacketRef, SenderConfig, SentPacket, TelephoneEventFormat, Tone,
};
use proptest::prelude::*;

const CODECS: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
const SEEDS: std::ops::Range<u64> = 1..6;

/// A small generator of our own, so that a seed means the same for ever (xorshift64*).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// What a network does to packets.
#[derive(Clone, Copy, Default)]
struct Network {
    loss: f64,
    duplication: f64,
    /// Delay is uniform between 0 and this.
    jitter_ms: f64,
    /// Every so often (in packets) everything stalls for so long.
    stall: Option<(usize, f64)>,
    /// The sender's clock is faster by this.
    skew_ppm: f64,
}

#[derive(Clone)]
struct Packet {
    header: SentPacket,
    payload: Vec<u8>,
}

/// What the far end heard.
struct Heard {
    samples: Vec<i16>,
    concealed: usize,
    silent: usize,
    frames: usize,
    tones: Vec<Tone>,
    stats: ReceiverStats,
}

fn events(codec: Codec) -> TelephoneEventFormat {
    TelephoneEventFormat { payload_type: 101, clock_rate: codec.clock_rate() }
}

fn payload_type(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(111)
}

fn new_sender(codec: Codec) -> AudioSender {
    AudioSender::new(SenderConfig {
        codec,
        payload_type: payload_type(codec),
        ssrc: 1,
        first_sequence: 65_500,
        first_timestamp: u32::MAX - 100_000,
        telephone_event: Some(events(codec)),
    })
}

fn new_receiver(codec: Codec) -> AudioReceiver {
    AudioReceiver::new(ReceiverConfig {
        codec,
        payload_type: payload_type(codec),
        telephone_event: Some(events(codec)),
    })
}

fn frame_of(codec: Codec, samples: &[i16]) -> Frame {
    let mut frame = Frame::silence(codec.sample_rate());
    frame.samples_mut().copy_from_slice(samples);
    frame
}

/// Encodes the sound as packets, one every 20 ms.
fn packets(codec: Codec, sound: &[i16], tones: &[Tone]) -> Vec<Packet> {
    let mut sender = new_sender(codec);
    sender.send_tones(tones, 100).expect("as many as can wait");
    let mut buffer = [0; MAX_PAYLOAD_BYTES];
    sound
        .chunks_exact(codec.frame_samples())
        .map(|chunk| {
            let header = sender.send(Some(&frame_of(codec, chunk)), &mut buffer).expect("room");
            Packet { header, payload: buffer[..header.payload_len].to_vec() }
        })
        .collect()
}

/// Arrival times in milliseconds, in order of arrival.
fn transmit(packets: &[Packet], network: Network, interval_ms: f64, seed: u64) -> Vec<(f64, Packet)> {
    let mut random = Random::new(seed);
    let mut arrivals = Vec::new();
    for (n, packet) in packets.iter().enumerate() {
        let sent = n as f64 * interval_ms / (1.0 + network.skew_ppm / 1e6);
        let stalled = network.stall.map_or(0.0, |(every, ms)| {
            let since = (n % every) as f64 * interval_ms;
            if n >= every { (ms - since).max(0.0) } else { 0.0 }
        });
        for _ in 0..if random.unit() < network.duplication { 2 } else { 1 } {
            let delay = random.unit() * network.jitter_ms + stalled;
            if random.unit() >= network.loss {
                arrivals.push((sent + delay, packet.clone()));
            }
        }
    }
    arrivals.sort_by(|a, b| a.0.total_cmp(&b.0));
    arrivals
}

fn receive(receiver: &mut AudioReceiver, codec: Codec, arrivals: &[(f64, Packet)], ms: usize) -> Heard {
    let mut heard = Heard {
        samples: Vec::new(),
        concealed: 0,
        silent: 0,
        frames: 0,
        tones: Vec::new(),
        stats: receiver.stats(),
    };
    let mut waiting = arrivals.iter().peekable();
    let mut out = Frame::silence(codec.sample_rate());
    for tick in 0..ms / 20 {
        // The ticks of the two ends are 7 ms apart.
        let now_ms = tick as f64 * 20.0 + 7.0;
        while let Some((at, packet)) = waiting.next_if(|(at, _)| *at <= now_ms) {
            receiver.handle_rtp(as_ref(packet), Duration::from_secs_f64(at / 1000.0));
        }
        let kind = receiver.pull(Duration::from_secs_f64(now_ms / 1000.0), &mut out);
        heard.frames += 1;
        heard.concealed += usize::from(kind == FrameKind::Concealed);
        heard.silent += usize::from(kind == FrameKind::Silence);
        heard.samples.extend_from_slice(out.samples());
        heard.tones.extend(std::iter::from_fn(|| receiver.poll_tone()).map(|event| event.tone));
    }
    heard.stats = receiver.stats();
    heard
}

fn as_ref(packet: &Packet) -> RtpPacketRef<'_> {
    RtpPacketRef {
        payload_type: packet.header.payload_type,
        sequence: packet.header.sequence,
        timestamp: packet.header.timestamp,
        ssrc: packet.header.ssrc,
        marker: packet.header.marker,
        level: None,
        payload: &packet.payload,
    }
}

/// Something said, and its packets.
struct Said {
    codec: Codec,
    samples: Vec<i16>,
    packets: Vec<Packet>,
}

fn said(codec: Codec, seconds: usize) -> Said {
    let samples = speech(codec, seconds);
    let packets = packets(codec, &samples, &[]);
    Said { codec, samples, packets }
}

fn run(said: &Said, network: Network, seed: u64) -> Heard {
    let arrivals = transmit(&said.packets, network, 20.0, seed);
    receive(&mut new_receiver(said.codec), said.codec, &arrivals, said.packets.len() * 20)
}

fn speech(codec: Codec, seconds: usize) -> Vec<i16> {
    let rate = codec.sample_rate().hz();
    speech_like(rate, rate as usize * seconds)
}

/// How long after it was said a quarter of a second from `at_ms` on is heard, in milliseconds, and how alike it is.
fn delay_at(codec: Codec, sound: &[i16], heard: &[i16], at_ms: usize) -> (f64, f64) {
    // At 8 kHz the search is quick, and speech is below 4 kHz.
    let step = codec.sample_rate().frame_samples() / 160;
    let thin = |from_ms: usize, ms: usize, samples: &[i16]| -> Vec<i16> {
        samples.iter().step_by(step).skip(from_ms * 8).take(ms * 8).copied().collect()
    };
    // With a fast sender a sound is heard earlier, by our clock, than its place in the stream.
    let found = find(&thin(at_ms, 250, sound), &thin(at_ms - 500, 1500, heard)).expect("something was heard");
    (found.offset as f64 / 8.0 - 500.0, found.correlation)
}

#[test]
fn a_perfect_network_is_heard_perfectly_and_soon() {
    for codec in CODECS {
        let said = said(codec, 6);
        let heard = run(&said, Network::default(), 1);
        assert_eq!(heard.concealed, 0, "{codec:?}");
        assert!(heard.silent <= 3, "{codec:?}: {} silent", heard.silent);
        let (delay, alike) = delay_at(codec, &said.samples, &heard.samples, 4000);
        assert!(alike > 0.9, "{codec:?}: {alike}");
        assert!(delay < 65.0, "{codec:?}: {delay} ms");
        assert_eq!((heard.stats.late, heard.stats.discarded, heard.stats.cumulative_lost), (0, 0, 0));
        assert_eq!((heard.stats.removed_samples, heard.stats.inserted_samples), (0, 0), "{codec:?}");
    }
}

/// As [`run`], with packets that come so much later in the 20 ms of the one who pulls.
fn run_in_phase(said: &Said, network: Network, phase_ms: f64) -> Heard {
    let mut arrivals = transmit(&said.packets, network, 20.0, 1);
    arrivals.iter_mut().for_each(|(at, _)| *at += phase_ms);
    receive(&mut new_receiver(said.codec), said.codec, &arrivals, said.packets.len() * 20)
}

#[test]
fn a_network_that_stays_calm_is_heard_sooner_in_the_end() {
    for codec in CODECS {
        let said = said(codec, 24);
        for phase_ms in [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0] {
            let heard = run_in_phase(&said, Network { jitter_ms: 1.0, ..Network::default() }, phase_ms);
            let delay = |at_ms| delay_at(codec, &said.samples, &heard.samples, at_ms);
            let ((early, _), (late, alike)) = (delay(4000), delay(20_000));
            // What is pulled at 7 ms was heard at 0.
            let (early, late) = (early - phase_ms + 7.0, late - phase_ms + 7.0);
            // The target, what it may be off by, the jitter, and what Opus itself takes.
            assert!(
                late <= early.min(25.0 + 10.0 + 1.0 + 7.0),
                "{codec:?} {phase_ms}: {early} ms, then {late} ms"
            );
            assert!(alike > 0.9, "{codec:?} {phase_ms}: {alike}");
            assert_eq!((heard.concealed, heard.stats.late), (0, 0), "{codec:?} {phase_ms}");
            assert!(largest_step(&heard.samples) <= largest_step(&said.samples) * 11 / 10, "{codec:?}");
        }
    }
}

#[test]
fn rare_delays_keep_what_they_need_and_losses_what_there_is() {
    for codec in CODECS {
        let said = said(codec, 40);
        for phase_ms in [0.0, 4.0, 8.0, 12.0, 16.0] {
            // Of 150 packets one is late: too few to count for the target.
            let heard =
                run_in_phase(&said, Network { stall: Some((150, 9.0)), ..Network::default() }, phase_ms);
            assert_eq!((heard.concealed, heard.stats.late), (0, 0), "{codec:?} {phase_ms}");
            let heard = run_in_phase(&said, Network { loss: 0.04, ..Network::default() }, phase_ms);
            assert_eq!(heard.stats.removed_samples, 0, "{codec:?} {phase_ms}");
        }
    }
}

#[test]
fn loss_is_concealed_without_clicks_and_counted() {
    for codec in CODECS {
        let said = said(codec, 20);
        let clean = run(&said, Network::default(), 1);
        for seed in SEEDS {
            let heard = run(&said, Network { loss: 0.05, ..Network::default() }, seed);
            let share = heard.concealed as f64 / heard.frames as f64;
            assert!((0.02..0.09).contains(&share), "{codec:?} {seed}: {share}");
            assert!((20..90).contains(&heard.stats.cumulative_lost), "{codec:?} {seed}");
            let step = f64::from(largest_step(&heard.samples)) / f64::from(largest_step(&clean.samples));
            // After a loss the prediction of G.722 is off for a moment, whatever is done about the gap.
            let limit = if codec == Codec::G722 { 2.0 } else { 1.3 };
            assert!(step < limit, "{codec:?} {seed}: steps grew {step} times");
            let level = rms(&heard.samples) / rms(&clean.samples);
            assert!((0.9..1.1).contains(&level), "{codec:?} {seed}: {level}");
        }
    }
}

#[test]
fn jitter_with_reordering_is_absorbed_within_its_own_size() {
    for codec in CODECS {
        let said = said(codec, 20);
        for (jitter_ms, longest_ms) in [(30.0, 90.0), (70.0, 130.0), (120.0, 190.0)] {
            for seed in SEEDS {
                let heard = run(&said, Network { jitter_ms, ..Network::default() }, seed);
                let share = heard.concealed as f64 / heard.frames as f64;
                assert!(share < 0.06, "{codec:?} {jitter_ms} ms, {seed}: {share}");
                let (delay, alike) = delay_at(codec, &said.samples, &heard.samples, 15_000);
                assert!(alike > 0.6, "{codec:?} {jitter_ms} ms, {seed}: {alike}");
                assert!(delay < longest_ms, "{codec:?} {jitter_ms} ms, {seed}: {delay} ms");
            }
        }
    }
}

#[test]
fn duplicates_change_nothing_that_is_heard() {
    let codec = Codec::Pcma;
    let said = said(codec, 5);
    let clean = run(&said, Network::default(), 1);
    let doubled = run(&said, Network { duplication: 1.0, ..Network::default() }, 1);
    assert!(clean.samples == doubled.samples);
    assert_eq!(doubled.stats.duplicates + doubled.stats.late, 250);
}

#[test]
fn clock_drift_is_followed_without_gaps() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let said = said(codec, 60);
        for skew_ppm in [-500.0, -100.0, 100.0, 500.0] {
            let heard = run(&said, Network { skew_ppm, jitter_ms: 4.0, ..Network::default() }, 3);
            assert!(heard.concealed <= 2, "{codec:?} {skew_ppm}: {} concealed", heard.concealed);
            let late = heard.stats.late + heard.stats.discarded;
            assert!(late <= 2, "{codec:?} {skew_ppm}: {late} late");
            let (delay, _) = delay_at(codec, &said.samples, &heard.samples, 55_000);
            let drifted = 55_000.0 * skew_ppm / 1e6;
            assert!((0.0..75.0).contains(&(delay + drifted)), "{codec:?} {skew_ppm}: {delay} ms");
        }
    }
}

#[test]
fn after_a_stall_everything_is_heard_and_the_delay_shrinks_again() {
    for codec in CODECS {
        let said = said(codec, 20);
        let heard = run(&said, Network { stall: Some((300, 250.0)), ..Network::default() }, 1);
        let share = heard.concealed as f64 / heard.frames as f64;
        assert!(share < 0.06, "{codec:?}: {share}");
        assert!(heard.stats.late <= 30, "{codec:?}: {} late", heard.stats.late);
        let (delay, alike) = delay_at(codec, &said.samples, &heard.samples, 10_000);
        assert!(alike > 0.6 && delay < 260.0, "{codec:?}: {delay} ms, {alike}");
    }
}

#[test]
fn every_customary_packet_length_is_taken() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let sound = speech(codec, 8);
        let stream: Vec<u8> = packets(codec, &sound, &[]).into_iter().flat_map(|p| p.payload).collect();
        for ms in [10, 20, 30, 40, 60] {
            let cut: Vec<Packet> = stream
                .chunks_exact(8 * ms)
                .enumerate()
                .map(|(n, payload)| Packet {
                    header: SentPacket {
                        payload_type: payload_type(codec),
                        sequence: n as u16,
                        timestamp: (n * ms * 8) as u32,
                        ssrc: 1,
                        marker: n == 0,
                        payload_len: payload.len(),
                    },
                    payload: payload.to_vec(),
                })
                .collect();
            let network = Network { jitter_ms: 5.0, ..Network::default() };
            let arrivals = transmit(&cut, network, ms as f64, 2);
            let heard = receive(&mut new_receiver(codec), codec, &arrivals, 7900);
            assert!(heard.concealed <= 4, "{codec:?} {ms} ms: {}", heard.concealed);
            let (delay, alike) = delay_at(codec, &sound, &heard.samples, 6000);
            assert!(alike > 0.9 && delay < 90.0, "{codec:?} {ms} ms: {delay} ms, {alike}");
        }
    }
}

type Change = fn(&mut SentPacket);

#[test]
fn a_stream_that_begins_anew_is_heard_again_at_once() {
    let codec = Codec::Pcmu;
    let changes: [(&str, Change); 5] = [
        ("source", |h| {
            (h.ssrc, h.sequence, h.timestamp) =
                (9, h.sequence.wrapping_add(33_333), h.timestamp.wrapping_add(1 << 30))
        }),
        ("sequence", |h| h.sequence = h.sequence.wrapping_add(20_000)),
        ("timestamp ahead", |h| h.timestamp = h.timestamp.wrapping_add(1_000_000)),
        ("timestamp back", |h| h.timestamp = h.timestamp.wrapping_sub(1_000_000)),
        ("timestamp across", |h| h.timestamp ^= 0x8000_0000),
    ];
    let sound = sine(300.0, 8000, 8000.0, 8000 * 6);
    for (name, change) in changes {
        let mut sent = packets(codec, &sound, &[]);
        for packet in &mut sent[150..] {
            change(&mut packet.header);
        }
        let arrivals = transmit(&sent, Network { jitter_ms: 0.5, ..Network::default() }, 20.0, 1);
        let heard = receive(&mut new_receiver(codec), codec, &arrivals, 6000);
        assert!(heard.concealed + heard.silent < 15, "{name}: {} + {}", heard.concealed, heard.silent);
        assert!(largest_step(&heard.samples) < 3000, "{name}: {}", largest_step(&heard.samples));
        assert!(rms(&heard.samples[8 * 3300..]) > 5000.0, "{name}");
    }
}

#[test]
fn a_far_end_that_stops_its_clock_while_silent_is_heard_again() {
    let codec = Codec::Pcma;
    let sound = sine(300.0, 8000, 8000.0, 8000 * 4);
    for pause_ms in [60.0, 300.0, 1500.0, 20_000.0] {
        let mut arrivals = transmit(&packets(codec, &sound, &[]), Network::default(), 20.0, 1);
        for (at, _) in &mut arrivals[100..] {
            *at += pause_ms;
        }
        let total = 4000 + pause_ms as usize;
        let heard = receive(&mut new_receiver(codec), codec, &arrivals, total);
        let after = &heard.samples[8 * (2000 + pause_ms as usize + 200)..];
        assert!(rms(&after[..8 * 1500]) > 5000.0, "{pause_ms} ms: {}", rms(&after[..8 * 1500]));
        assert!(largest_step(&heard.samples) < 3000, "{pause_ms} ms");
    }
}

#[test]
fn a_far_end_that_sends_nothing_while_silent_is_heard_again_in_time() {
    let codec = Codec::Pcmu;
    let sound = speech(codec, 12);
    let mut arrivals = transmit(&packets(codec, &sound, &[]), Network::default(), 20.0, 1);
    arrivals.retain(|(at, _)| !(2000.0..7000.0).contains(at));
    let heard = receive(&mut new_receiver(codec), codec, &arrivals, 12_000);
    let (delay, alike) = delay_at(codec, &sound, &heard.samples, 7500);
    assert!(delay < 70.0 && alike > 0.95, "{delay} ms, {alike}");
    assert!(heard.samples[8 * 2400..8 * 6900].iter().all(|x| *x == 0));
}

#[test]
fn keys_on_a_bad_line_arrive_once_and_in_order() {
    let keys: Vec<Tone> = "112233*#0099AABBCDD5550".chars().filter_map(Tone::from_char).collect();
    for codec in [Codec::Pcmu, Codec::G722, Codec::Opus] {
        let sound = speech(codec, 9);
        for seed in 1..21 {
            let network = Network { loss: 0.15, duplication: 0.1, jitter_ms: 40.0, ..Network::default() };
            let arrivals = transmit(&packets(codec, &sound, &keys), network, 20.0, seed);
            let heard = receive(&mut new_receiver(codec), codec, &arrivals, 9000);
            assert_eq!(heard.tones, keys, "{codec:?}, seed {seed}");
        }
    }
}

#[test]
fn opus_recovers_lost_speech_from_the_next_packet() {
    let codec = Codec::Opus;
    let said = said(codec, 10);
    let clean = run(&said, Network::default(), 1);
    let mut arrivals = transmit(&said.packets, Network::default(), 20.0, 1);
    let mut n = 0;
    arrivals.retain(|_| {
        n += 1;
        n % 10 != 9
    });
    let heard = receive(&mut new_receiver(codec), codec, &arrivals, 10_000);
    let alike = correlate(&clean.samples[48_000..], &heard.samples[48_000..], 1);
    // Without the copies in the next packets it is 0.8.
    assert!(alike > 0.87, "{alike}");
}

#[test]
fn comfort_noise_and_unknown_payload_types_do_no_harm() {
    let codec = Codec::Pcmu;
    let mut receiver = new_receiver(codec);
    let mut out = Frame::silence(codec.sample_rate());
    for n in 0..100_u16 {
        let payload_type = if n % 2 == 0 { 13 } else { 96 };
        let packet = RtpPacketRef {
            payload_type,
            sequence: n,
            timestamp: u32::from(n) * 160,
            ssrc: 1,
            marker: false,
            level: None,
            payload: &[70],
        };
        receiver.handle_rtp(packet, Duration::from_millis(u64::from(n) * 20));
        assert_eq!(receiver.pull(Duration::from_millis(u64::from(n) * 20), &mut out), FrameKind::Silence);
    }
    assert_eq!((receiver.stats().received, receiver.stats().discarded), (100, 50));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_packets_make_a_receiver_panic(
        codec in proptest::sample::select(&CODECS[..]),
        packets in proptest::collection::vec(
            (0_u8..3, any::<u16>(), any::<u32>(), 0_u32..2, proptest::collection::vec(any::<u8>(), 0..700), 0_u64..100),
            1..120,
        ),
        is_near in any::<bool>(),
    ) {
        let mut receiver = new_receiver(codec);
        let mut out = Frame::silence(codec.sample_rate());
        let mut now = Duration::ZERO;
        for (n, (kind, sequence, timestamp, ssrc, payload, wait_ms)) in packets.into_iter().enumerate() {
            let payload_type = [payload_type(codec), 101, 13][usize::from(kind)];
            // Near ones pass the checks of the stream and get to the buffer.
            let (sequence, timestamp, ssrc) = if is_near {
                (n as u16 + sequence % 3, n as u32 * 160 + timestamp % 2000, 1)
            } else {
                (sequence, timestamp, ssrc)
            };
            receiver.handle_rtp(
                RtpPacketRef { payload_type, sequence, timestamp, ssrc, marker: false, level: None, payload: &payload },
                now,
            );
            now += Duration::from_millis(wait_ms);
            if wait_ms % 3 != 0 {
                receiver.pull(now, &mut out);
                prop_assert_eq!(out.samples().len(), codec.frame_samples());
            }
            receiver.poll_tone();
            receiver.report_block();
        }
        receiver.pull(Duration::MAX, &mut out);
    }
}
