//! Whole conferences: packets in, packets out.

use std::collections::BTreeMap;
use std::time::Duration;

use media_engine::analysis::{correlate, find, largest_step, rms, speech_like};
use media_engine::{
    Audience, AudioReceiver, AudioSender, Codec, Frame, FrameKind, MAX_PAYLOAD_BYTES, MemberId, Mixer,
    ReceiverConfig, RtpPacketRef, Seat, SenderConfig, Senders,
};

fn sender(codec: Codec) -> AudioSender {
    AudioSender::new(SenderConfig {
        codec,
        payload_type: 0,
        ssrc: 1,
        first_sequence: 0,
        first_timestamp: 0,
        telephone_event: None,
    })
}

fn receiver(codec: Codec) -> AudioReceiver {
    AudioReceiver::new(ReceiverConfig { codec, payload_type: 0, telephone_event: None })
}

/// The senders of all members, and how often each was asked for.
#[derive(Default)]
struct Encoders {
    senders: BTreeMap<u64, AudioSender>,
    asked: BTreeMap<u64, u32>,
}

impl Senders for Encoders {
    fn sender(&mut self, name: u64) -> Option<&mut AudioSender> {
        *self.asked.entry(name).or_default() += 1;
        self.senders.get_mut(&name)
    }
}

/// One in a conference, whose far end hears without loss.
struct Party {
    id: MemberId,
    name: u64,
    codec: Codec,
    far_end: AudioReceiver,
    heard: Vec<i16>,
    /// The same without sharing: an encoder and a far end of its own.
    own: (AudioSender, AudioReceiver),
    expected: Vec<i16>,
    /// What was encoded.
    mix: Vec<i16>,
}

/// Some who are in a mixer, who say what they are told frame by frame.
struct Room {
    mixer: Mixer,
    /// What everybody says, each from another place on.
    sound: Vec<i16>,
    /// Whether each party also has an encoder of its own, to compare with.
    compares: bool,
    encoders: Encoders,
    parties: Vec<Party>,
    round: u64,
}

impl Room {
    fn of(count: usize, codec: Codec, compares: bool) -> Self {
        let hz = codec.sample_rate().hz();
        let sound = speech_like(hz, hz as usize * 14).iter().map(|x| x / 2).collect();
        let (mixer, encoders) = (Mixer::new(400, 4), Encoders::default());
        let mut room = Self { mixer, sound, compares, encoders, parties: Vec::new(), round: 0 };
        (0..count).for_each(|_| room.join(codec));
        room
    }

    fn join(&mut self, codec: Codec) {
        let name = self.parties.len() as u64;
        let seat = Seat::new(name, Some(codec.sample_rate()), Audience::default(), false);
        let id = self.mixer.join(Box::new(seat)).expect("a place");
        self.encoders.senders.insert(name, sender(codec));
        self.parties.push(Party {
            id,
            name,
            codec,
            far_end: receiver(codec),
            heard: Vec::new(),
            own: (sender(codec), receiver(codec)),
            expected: Vec::new(),
            mix: Vec::new(),
        });
    }

    /// A round in which these speak.
    fn run(&mut self, speaking: &[usize]) {
        self.mixer.begin_round();
        for speaker in speaking {
            let party = &self.parties[*speaker];
            let samples = party.codec.frame_samples();
            let mut frame = Frame::silence(party.codec.sample_rate());
            let start = (self.round as usize + 23 * party.name as usize) * samples;
            frame.samples_mut().copy_from_slice(&self.sound[start..start + samples]);
            self.mixer.hear(party.id, &frame, FrameKind::Audio);
        }
        self.mixer.select();
        for party in &mut self.parties {
            self.mixer.set_codec(party.id, Some(party.codec));
            let mut payload = [0; MAX_PAYLOAD_BYTES];
            let shared = self.mixer.payload(party.id, party.codec, &mut self.encoders).expect("a payload");
            payload[..shared.len()].copy_from_slice(shared);
            let shared = &payload[..shared.len()];
            pass(&mut party.far_end, party.codec, (self.round, shared), &mut party.heard);
            if !self.compares {
                continue;
            }
            let mix = self.mixer.samples(party.id, party.codec.sample_rate());
            party.mix.extend(mix);
            let mut payload = [0; MAX_PAYLOAD_BYTES];
            let length = party.own.0.encode(mix, &mut payload);
            pass(&mut party.own.1, party.codec, (self.round, &payload[..length]), &mut party.expected);
        }
        self.round += 1;
    }
}

/// Lets a far end hear a payload.
fn pass(far_end: &mut AudioReceiver, codec: Codec, (round, payload): (u64, &[u8]), heard: &mut Vec<i16>) {
    let now = Duration::from_millis(round * 20);
    let packet = RtpPacketRef {
        payload_type: 0,
        sequence: round as u16,
        timestamp: round as u32 * codec.frame_ticks(),
        ssrc: 1,
        marker: false,
        level: None,
        payload,
    };
    far_end.handle_rtp(packet, now);
    let mut frame = Frame::silence(codec.sample_rate());
    far_end.pull(now, &mut frame);
    heard.extend_from_slice(frame.samples());
}

/// How much less alike the mix is in what a party heard than in what it would have heard from an encoder of its own,
/// frame by frame.
fn losses(party: &Party) -> Vec<f64> {
    let frame = party.codec.frame_samples();
    let known = 30 * frame..40 * frame;
    let near = &party.expected[known.start..known.end + 8 * frame];
    let delay = find(&party.mix[known], near).expect("the mix is there").offset;
    let alike = |n: usize, heard: &[i16]| {
        let mix = &party.mix[n * frame..(n + 1) * frame];
        if rms(mix) < 500.0 {
            1.0
        } else {
            correlate(mix, &heard[n * frame + delay..(n + 1) * frame + delay], 1)
        }
    };
    let frames = party.mix.len() / frame - 10;
    (20..frames).map(|n| alike(n, &party.expected) - alike(n, &party.heard)).collect()
}

#[test]
fn nobody_hears_that_an_encoder_took_over_from_another() {
    for codec in [Codec::Pcma, Codec::G722, Codec::Opus] {
        let mut room = Room::of(8, codec, true);
        for round in 0..500 {
            // Now this one of the listeners speaks, now that one, the leader among them.
            let extra = (round / 50 % 2 == 1).then_some([4, 2, 6, 7, 2][round / 100]);
            room.run(&[0, 1].into_iter().chain(extra).collect::<Vec<_>>());
        }
        for party in &room.parties {
            let losses = losses(party);
            let name = party.name;
            assert!(losses.iter().all(|loss| *loss < 0.2), "{codec:?} {name}: {losses:?}");
            let worse = losses.iter().filter(|loss| **loss > 0.05).count();
            assert!(worse <= 4, "{codec:?} {name}: {worse} frames are worse");
            let (heard, expected) = (largest_step(&party.heard), largest_step(&party.expected));
            assert!(heard <= expected * 11 / 10, "{codec:?} {name}: a step of {heard}, not {expected}");
        }
    }
}

#[test]
fn those_who_hear_the_same_are_sent_what_one_of_them_encoded() {
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut room = Room::of(60, codec, false);
        (0..40).for_each(|_| room.run(&[0, 1, 2, 3]));
        room.encoders.asked.clear();
        room.run(&[0, 1, 2, 3]);
        // Four who hear three, and one for the rest. Whether it can is asked first.
        let asked: Vec<u32> = room.encoders.asked.values().copied().collect();
        assert_eq!(asked, [2; 5], "{codec:?}");
        let rest = &room.parties[4..];
        assert!(
            rest.iter().all(|party| party.heard == rest[0].heard || party.heard.len() == rest[0].heard.len())
        );
    }
}

#[test]
fn when_a_leader_leaves_the_rest_follow_another_at_once() {
    let mut room = Room::of(40, Codec::G722, false);
    (0..40).for_each(|_| room.run(&[0, 1]));
    room.encoders.asked.clear();
    room.run(&[0, 1]);
    let leader = *room.encoders.asked.keys().nth(2).expect("a leader of the rest");
    room.mixer.leave(room.parties[leader as usize].id);
    room.parties.remove(leader as usize);
    room.run(&[0, 1]);
    for _ in 0..20 {
        room.encoders.asked.clear();
        room.run(&[0, 1]);
        let asked: Vec<u64> = room.encoders.asked.keys().copied().collect();
        assert_eq!(asked.len(), 3, "{asked:?}");
        assert!(!asked.contains(&leader));
    }
}

#[test]
fn who_plays_something_else_does_not_encode_for_others() {
    let mut room = Room::of(6, Codec::Opus, false);
    (0..20).for_each(|_| room.run(&[0]));
    let leader = room.encoders.senders.remove(&1);
    assert!(leader.is_some());
    for party in [2, 3, 4, 5] {
        room.parties[party].heard.clear();
    }
    room.parties.remove(1);
    (0..20).for_each(|_| room.run(&[0]));
    assert!(room.parties[2..].iter().all(|party| rms(&party.heard[10 * 960..]) > 300.0));
}
