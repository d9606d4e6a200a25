//! Instructions that 20 ms of one leg may take: a packet comes in, a frame is pulled, a frame is sent. And those of a
//! mixer: frames come in, everybody is sent something.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

use std::sync::Arc;
use std::time::Duration;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use media_engine::analysis::speech_like;
use media_engine::{
    Audience, AudioReceiver, AudioSender, Codec, DEFAULT_TALKERS, Frame, FrameKind, MAX_PAYLOAD_BYTES,
    MemberId, Mixer, Player, PromptAudio, ReceiverConfig, RtpPacketRef, SampleRate, Seat, SenderConfig,
    Senders, SentPacket,
};

/// Ticks that are measured together: what happens only now and then, as every second, counts too.
const TICKS: u64 = 50;
/// Ticks before: the jitter buffer has filled and found its length.
const WARM_UP: u64 = 200;

/// What was measured for one tick (Debian 12, rustc 1.95), and a tenth on top: more than compilers and small fixes
/// move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = TICKS * (measured + measured / 10);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

/// A leg whose far end is the sound of speech, packet after packet without loss.
struct Leg {
    receiver: AudioReceiver,
    sender: AudioSender,
    frame: Frame,
    incoming: Vec<(SentPacket, Vec<u8>)>,
    payload: [u8; MAX_PAYLOAD_BYTES],
    ticks: u64,
}

impl Leg {
    fn in_the_middle_of_a_call(codec: Codec) -> Box<Self> {
        let payload_type = codec.static_payload_type().unwrap_or(111);
        let mut leg = Box::new(Self {
            receiver: AudioReceiver::new(ReceiverConfig { codec, payload_type, telephone_event: None }),
            sender: sender(codec, payload_type),
            frame: Frame::silence(codec.sample_rate()),
            incoming: spoken(codec, payload_type),
            payload: [0; MAX_PAYLOAD_BYTES],
            ticks: 0,
        });
        let kind = (0..WARM_UP).map(|_| leg.tick()).last();
        assert_eq!(kind, Some(FrameKind::Audio), "the far end is heard");
        leg
    }

    fn hear_a_second(&mut self) {
        for _ in 0..TICKS {
            self.tick();
        }
    }

    fn tick(&mut self) -> FrameKind {
        let now = Duration::from_millis(self.ticks * 20);
        if let Some((header, payload)) = self.incoming.get(self.ticks as usize) {
            self.receiver.handle_rtp(packet(header, payload), now);
        }
        let kind = self.receiver.pull(now, &mut self.frame);
        self.sender.send(Some(&self.frame), &mut self.payload);
        self.ticks += 1;
        kind
    }
}

fn sender(codec: Codec, payload_type: u8) -> AudioSender {
    AudioSender::new(SenderConfig {
        codec,
        payload_type,
        ssrc: 1,
        first_sequence: 0,
        first_timestamp: 0,
        telephone_event: None,
    })
}

/// The packets of the far end.
fn spoken(codec: Codec, payload_type: u8) -> Vec<(SentPacket, Vec<u8>)> {
    let rate = codec.sample_rate();
    let seconds = 1 + ((WARM_UP + TICKS) / 50) as usize;
    let sound = speech_like(rate.hz(), rate.hz() as usize * seconds);
    let prompt = Arc::new(PromptAudio::from_samples(sound, rate.hz()));
    let mut player = Player::new(&prompt, rate, true);
    let mut sender = sender(codec, payload_type);
    let mut frame = Frame::silence(rate);
    let mut payload = [0; MAX_PAYLOAD_BYTES];
    let mut speak = || {
        player.fill(&mut frame);
        let sent = sender.send(Some(&frame), &mut payload).expect("the buffer is large enough");
        (sent, payload[..sent.payload_len].to_vec())
    };
    (0..WARM_UP + TICKS).map(|_| speak()).collect()
}

fn packet<'a>(header: &SentPacket, payload: &'a [u8]) -> RtpPacketRef<'a> {
    RtpPacketRef {
        payload_type: header.payload_type,
        sequence: header.sequence,
        timestamp: header.timestamp,
        ssrc: 1,
        marker: header.marker,
        level: None,
        payload,
    }
}

/// Members of a mixer, of whom four speak.
struct Meeting {
    mixer: Mixer,
    members: Vec<(MemberId, Codec)>,
    senders: Encoders,
    spoken: Vec<Vec<Frame>>,
    /// Who hears the others one by one, beside the members.
    apart: Option<MemberId>,
    round: usize,
}

/// The senders of members, by name.
struct Encoders(Vec<AudioSender>);

impl Senders for Encoders {
    fn sender(&mut self, name: u64) -> Option<&mut AudioSender> {
        self.0.get_mut(name as usize)
    }
}

impl Meeting {
    fn in_the_middle(codecs: &[Codec]) -> Box<Self> {
        Self::of((codecs, DEFAULT_TALKERS), false)
    }

    /// All of them speak, and somebody else hears each by itself and all together.
    fn heard_one_by_one(codecs: &[Codec]) -> Box<Self> {
        Self::of((codecs, codecs.len()), true)
    }

    fn of((codecs, speakers): (&[Codec], usize), is_heard_apart: bool) -> Box<Self> {
        let mut mixer = Mixer::new(codecs.len() + 1, DEFAULT_TALKERS);
        let mut join = |(name, codec): (u64, &Codec)| {
            let seat = Seat::new(name, Some(codec.sample_rate()), Audience::default(), false);
            (mixer.join(Box::new(seat)).expect("a place"), *codec)
        };
        let members = (0..).zip(codecs).map(&mut join).collect();
        let senders = Encoders(codecs.iter().map(|codec| sender(*codec, 0)).collect());
        let spoken = codecs.iter().take(speakers).map(|codec| frames(*codec)).collect();
        let apart = is_heard_apart.then(|| {
            let seat = Seat::new(u64::MAX, Some(SampleRate::Hz16000), Audience::default(), false);
            mixer.join(Box::new(seat)).expect("a place")
        });
        let mut meeting = Box::new(Self { mixer, members, senders, spoken, apart, round: 0 });
        (0..WARM_UP).for_each(|_| meeting.tick());
        meeting
    }

    fn talk_a_second(&mut self) {
        (0..TICKS).for_each(|_| self.tick());
    }

    fn tick(&mut self) {
        self.mixer.begin_round();
        for ((member, _), spoken) in self.members.iter().zip(&self.spoken) {
            if let Some(frame) = spoken.get(self.round) {
                self.mixer.hear(*member, frame, FrameKind::Audio);
                if let Some(listener) = self.apart {
                    assert!(self.mixer.may_hear(listener, *member));
                    let mut alone = Frame::silence(SampleRate::Hz16000);
                    assert!(self.mixer.alone(*member, frame, &mut alone));
                    std::hint::black_box(&alone);
                }
            }
        }
        self.mixer.select();
        if let Some(listener) = self.apart {
            std::hint::black_box(self.mixer.samples(listener, SampleRate::Hz16000));
        }
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        for (number, (member, codec)) in self.members.iter().enumerate() {
            self.mixer.set_codec(*member, Some(*codec));
            let encoded = self.mixer.payload(*member, *codec, &mut self.senders).expect("a payload");
            let mut copy = [0; MAX_PAYLOAD_BYTES];
            let copy = copy.get_mut(..encoded.len()).expect("room");
            copy.copy_from_slice(encoded);
            self.senders.0[number].send_encoded(copy, &mut payload);
        }
        self.round += 1;
    }
}

/// What a member says.
fn frames(codec: Codec) -> Vec<Frame> {
    let rate = codec.sample_rate();
    let seconds = 1 + ((WARM_UP + TICKS) / 50) as usize;
    let sound = speech_like(rate.hz(), rate.hz() as usize * seconds);
    let frame = |samples: &[i16]| {
        let mut frame = Frame::silence(rate);
        frame.samples_mut().copy_from_slice(samples);
        frame
    };
    sound.chunks_exact(rate.frame_samples()).map(frame).collect()
}

#[library_benchmark(config = budget(3_491))]
#[bench::speech(Leg::in_the_middle_of_a_call(Codec::Pcmu))]
fn second_of_pcmu(mut leg: Box<Leg>) -> Box<Leg> {
    leg.hear_a_second();
    leg
}

#[library_benchmark(config = budget(247_987))]
#[bench::speech(Leg::in_the_middle_of_a_call(Codec::G722))]
fn second_of_g722(mut leg: Box<Leg>) -> Box<Leg> {
    leg.hear_a_second();
    leg
}

#[library_benchmark(config = budget(705_648))]
#[bench::speech(Leg::in_the_middle_of_a_call(Codec::Opus))]
fn second_of_opus(mut leg: Box<Leg>) -> Box<Leg> {
    leg.hear_a_second();
    leg
}

#[library_benchmark(config = budget(68_336))]
#[bench::twenty(Meeting::in_the_middle(&[Codec::Pcmu; 20]))]
fn second_of_a_narrow_meeting(mut meeting: Box<Meeting>) -> Box<Meeting> {
    meeting.talk_a_second();
    meeting
}

// Half the talkers are converted for half the listeners.
#[library_benchmark(config = budget(643_176))]
#[bench::twenty(Meeting::in_the_middle(&[[Codec::Pcmu, Codec::G722]; 10].concat()))]
fn second_of_a_mixed_meeting(mut meeting: Box<Meeting>) -> Box<Meeting> {
    meeting.talk_a_second();
    meeting
}

#[library_benchmark(config = budget(821_232))]
#[bench::twenty(Meeting::heard_one_by_one(&[Codec::Pcmu; 20]))]
fn second_of_a_meeting_heard_one_by_one(mut meeting: Box<Meeting>) -> Box<Meeting> {
    meeting.talk_a_second();
    meeting
}

// A browser and a phone.
#[library_benchmark(config = budget(684_099))]
#[bench::two(Meeting::in_the_middle(&[Codec::Pcmu, Codec::Opus]))]
fn second_of_a_bridge_to_opus(mut meeting: Box<Meeting>) -> Box<Meeting> {
    meeting.talk_a_second();
    meeting
}

library_benchmark_group!(name = legs, benchmarks = [second_of_pcmu, second_of_g722, second_of_opus]);
library_benchmark_group!(
    name = meetings,
    benchmarks = [
        second_of_a_narrow_meeting,
        second_of_a_mixed_meeting,
        second_of_a_meeting_heard_one_by_one,
        second_of_a_bridge_to_opus
    ]
);
main!(library_benchmark_groups = legs, meetings);
