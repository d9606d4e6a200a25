//! An hour of a meeting in virtual time: twenty participants, lossy and unordered networks, clocks that drift.

use std::time::Duration;

use media_engine::analysis::{find, rms, speech_like};
use media_engine::{
    Audience, AudioReceiver, AudioSender, Codec, Frame, MAX_PAYLOAD_BYTES, MemberId, Mixer, ReceiverConfig,
    RtpPacketRef, Seat, SenderConfig, Senders, SentPacket,
};

const CODEC: Codec = Codec::Pcmu;
const PARTICIPANTS: usize = 20;
/// Rounds in a second, and in the hour.
const SECOND: usize = 50;
const HOUR: usize = 3_600 * SECOND;
/// Share of packets that are lost on the way in.
const LOSS: f64 = 0.02;
/// Packets are under way for up to this long, so that some overtake others.
const JITTER_MS: f64 = 35.0;
/// The participant whose words are looked for in what another hears, and those it says are so long.
const WITNESS: usize = 7;
const TESTIMONY: usize = 2 * SECOND;

/// A small generator of our own, so that a seed means the same for ever (xorshift64*).
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }
}

struct Packet {
    arrives_ms: f64,
    header: SentPacket,
    payload: [u8; 160],
}

/// A phone and its leg.
struct Participant {
    id: MemberId,
    receiver: AudioReceiver,
    /// What the phone encodes with; it sends nothing while it is silent.
    phone: AudioSender,
    /// How much faster its clock is than ours.
    skew_ppm: f64,
    /// Frames that its clock has counted, and where in its sound it is.
    frames: usize,
    position: usize,
    under_way: Vec<Packet>,
    /// The rounds until which it speaks.
    speaks_until: usize,
}

struct Legs(Vec<AudioSender>);

impl Senders for Legs {
    fn sender(&mut self, name: u64) -> Option<&mut AudioSender> {
        self.0.get_mut(name as usize)
    }
}

fn sender(ssrc: u32) -> AudioSender {
    AudioSender::new(SenderConfig {
        codec: CODEC,
        payload_type: 0,
        ssrc,
        first_sequence: 65_000,
        first_timestamp: u32::MAX - 50_000,
        telephone_event: None,
    })
}

struct Meeting {
    mixer: Mixer,
    participants: Vec<Participant>,
    legs: Legs,
    sound: Vec<i16>,
    random: Random,
    round: usize,
    /// What the first participant's phone hears.
    listener: AudioReceiver,
    heard: Vec<i16>,
    lost: u64,
    most_waiting: usize,
}

impl Meeting {
    fn new() -> Self {
        let mut mixer = Mixer::new(PARTICIPANTS, 4);
        let mut participants = Vec::new();
        for number in 0..PARTICIPANTS {
            let seat = Seat::new(number as u64, Some(CODEC.sample_rate()), Audience::default(), false);
            participants.push(Participant {
                id: mixer.join(Box::new(seat)).expect("a place"),
                receiver: receiver(),
                phone: sender(number as u32 + 100),
                skew_ppm: 20.0 * (number as f64 - 10.0),
                frames: 0,
                position: 0,
                under_way: Vec::new(),
                speaks_until: 0,
            });
        }
        Self {
            mixer,
            participants,
            legs: Legs((0..PARTICIPANTS as u32).map(sender).collect()),
            sound: speech_like(8_000, 8_000 * 60).iter().map(|x| x / 2).collect(),
            random: Random(0x00C0_FFEE),
            round: 0,
            listener: receiver(),
            heard: Vec::new(),
            lost: 0,
            most_waiting: 0,
        }
    }

    /// Somebody begins to speak now and then: one or two at a time, for one to five seconds.
    fn converse(&mut self) {
        if self.random.unit() < 0.6 / SECOND as f64 {
            let speaker = 1 + self.random.below(PARTICIPANTS - 1);
            self.participants[speaker].speaks_until = self.round + SECOND + self.random.below(4 * SECOND);
        }
    }

    /// A round of the clock; whoever speaks sends as often as its own clock says.
    fn run(&mut self) {
        let now_ms = self.round as f64 * 20.0;
        self.mixer.begin_round();
        for participant in &mut self.participants {
            participant.send(now_ms, self.round, &self.sound, (&mut self.random, &mut self.lost));
            self.most_waiting = self.most_waiting.max(participant.under_way.len());
            participant.arrive(now_ms);
            let now = Duration::from_micros((now_ms * 1_000.0) as u64);
            let mut frame = Frame::silence(CODEC.sample_rate());
            let kind = if self.mixer.wants_sound(participant.id) {
                participant.receiver.pull(now, &mut frame)
            } else {
                participant.receiver.pull_voice(now, &mut frame)
            };
            self.mixer.hear(participant.id, &frame, kind);
        }
        self.mixer.select();
        for (number, participant) in self.participants.iter().enumerate() {
            self.mixer.set_codec(participant.id, Some(CODEC));
            let encoded = self.mixer.payload(participant.id, CODEC, &mut self.legs).expect("a payload");
            let mut shared = [0; 160];
            shared.copy_from_slice(encoded);
            let mut payload = [0; MAX_PAYLOAD_BYTES];
            let sent = self.legs.0[number].send_encoded(&shared, &mut payload).expect("a packet");
            if number == 0 {
                self.listener.handle_rtp(packet(&sent, &payload[..sent.payload_len]), millis(now_ms));
            }
        }
        let mut frame = Frame::silence(CODEC.sample_rate());
        self.listener.pull(millis(now_ms), &mut frame);
        self.heard.extend_from_slice(frame.samples());
        self.round += 1;
    }

    /// Lets only the witness speak for a while; returns how much later than it spoke the first participant heard it.
    fn testify(&mut self) -> f64 {
        for participant in &mut self.participants {
            participant.speaks_until = 0;
        }
        (0..SECOND).for_each(|_| self.run());
        self.heard.clear();
        let witness = &mut self.participants[WITNESS];
        witness.speaks_until = self.round + TESTIMONY;
        let from = witness.position * 160;
        (0..TESTIMONY + SECOND).for_each(|_| self.run());
        // The middle, when the jitter buffer has found its length.
        let said = &self.sound[from + 160 * SECOND..][..160 * SECOND * 3 / 5];
        let found = find(said, &self.heard).expect("the witness is heard");
        assert!(found.correlation > 0.5, "{found:?}");
        (found.offset as f64 - 160.0 * SECOND as f64) / 8.0
    }
}

impl Participant {
    fn send(&mut self, now_ms: f64, round: usize, sound: &[i16], (random, lost): (&mut Random, &mut u64)) {
        while self.frames as f64 * 20.0 / (1.0 + self.skew_ppm / 1e6) <= now_ms {
            let sent_ms = self.frames as f64 * 20.0 / (1.0 + self.skew_ppm / 1e6);
            self.frames += 1;
            if round >= self.speaks_until {
                self.phone.skip();
                continue;
            }
            if (self.position + TESTIMONY + SECOND) * 160 >= sound.len() {
                self.position = 0;
            }
            let mut frame = Frame::silence(CODEC.sample_rate());
            frame.samples_mut().copy_from_slice(&sound[self.position * 160..][..160]);
            self.position += 1;
            let mut payload = [0; MAX_PAYLOAD_BYTES];
            let header = self.phone.send(Some(&frame), &mut payload).expect("a packet");
            if random.unit() < LOSS {
                *lost += 1;
                continue;
            }
            let mut kept = [0; 160];
            kept.copy_from_slice(&payload[..160]);
            let arrives_ms = sent_ms + random.unit() * JITTER_MS;
            self.under_way.push(Packet { arrives_ms, header, payload: kept });
        }
    }

    fn arrive(&mut self, now_ms: f64) {
        self.under_way.sort_by(|a, b| a.arrives_ms.total_cmp(&b.arrives_ms));
        let arrived = self.under_way.partition_point(|packet| packet.arrives_ms <= now_ms);
        for arrived in self.under_way.drain(..arrived) {
            self.receiver.handle_rtp(packet(&arrived.header, &arrived.payload), millis(arrived.arrives_ms));
        }
    }
}

fn receiver() -> AudioReceiver {
    AudioReceiver::new(ReceiverConfig { codec: CODEC, payload_type: 0, telephone_event: None })
}

fn packet<'a>(header: &SentPacket, payload: &'a [u8]) -> RtpPacketRef<'a> {
    RtpPacketRef {
        payload_type: 0,
        sequence: header.sequence,
        timestamp: header.timestamp,
        ssrc: header.ssrc,
        marker: header.marker,
        level: None,
        payload,
    }
}

fn millis(ms: f64) -> Duration {
    Duration::from_micros((ms * 1_000.0) as u64)
}

#[test]
fn an_hour_of_a_meeting_sounds_at_its_end_as_at_its_start() {
    let mut meeting = Meeting::new();
    let first = meeting.testify();
    let (mut spoken, mut silent) = (0, 0);
    while meeting.round < HOUR {
        meeting.converse();
        meeting.heard.clear();
        meeting.run();
        if rms(&meeting.heard) > 100.0 { spoken += 1 } else { silent += 1 }
    }
    let last = meeting.testify();

    assert!((20.0..140.0).contains(&first) && (20.0..140.0).contains(&last), "{first} ms, then {last} ms");
    assert!((first - last).abs() < 45.0, "{first} ms, then {last} ms");
    assert!(spoken > HOUR / 5 && silent > HOUR / 10, "{spoken} frames with sound, {silent} without");
    assert!(meeting.most_waiting < 8, "{} packets under way at once", meeting.most_waiting);
    let mut missing = 0;
    for (number, participant) in meeting.participants.iter().enumerate() {
        let stats = participant.receiver.stats();
        let samples = stats.received * 160;
        missing += i64::from(stats.cumulative_lost);
        assert!(stats.discarded == 0 && stats.duplicates == 0, "{number}: {stats:?}");
        assert!(stats.late * 20 < stats.received.max(100), "{number}: {stats:?}");
        assert!(stats.concealed_samples < samples / 5 + 8_000, "{number}: {stats:?}");
        assert!(stats.target_delay_ms <= 100, "{number}: {stats:?}");
    }
    // The last of a spurt may be lost without being missed.
    assert!(
        missing > meeting.lost as i64 / 2 && missing <= meeting.lost as i64,
        "{missing} of {}",
        meeting.lost
    );
    let stats = meeting.listener.stats();
    assert_eq!((stats.cumulative_lost, stats.concealed_samples, stats.late), (0, 0, 0), "{stats:?}");
    assert!(stats.inserted_samples + stats.removed_samples < 800, "{stats:?}");
}
