//! An hour of a meeting of twenty in virtual time: what its conference decides is what its mixer lets be heard, over
//! networks that lose, delay and swap packets and clocks that drift.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::f64::consts::TAU;
use std::time::Duration;

use call_engine::{
    CommandId, Conference, ConferenceConfig, ConferenceEffect, ConferenceEvent, ConferenceInput,
    ConferenceRequest, EndCause, Joining, LegEvent,
};
use media_engine::analysis::amplitude_at;
use media_engine::{
    Audience, AudioReceiver, AudioSender, Codec, Frame, MAX_PAYLOAD_BYTES, MemberId, Mixer, ReceiverConfig,
    RtpPacketRef, Seat, SenderConfig,
};
use model::{
    AudioRoutingGroup, CallId, IdSource, Identity, IdentitySet, InvitationParticipant, Invitee, OperationId,
    Participant, ParticipantId, RosterParticipant, RoutingMode, Timestamp,
};
use uuid::Uuid;

const CODEC: Codec = Codec::Pcmu;
const ROUND_MS: u64 = 20;
const ROUNDS_A_SECOND: u64 = 50;
const PEOPLE: usize = 20;
/// One step: something happens, then some speak, and who hears whom is looked at.
const STEP_ROUNDS: u64 = 8 * ROUNDS_A_SECOND;
const STEPS: u64 = 3_600 / 8;
/// When in a step some begin to speak, when what is heard is looked at, and when they stop.
const SPEAK_AT: u64 = 2 * ROUNDS_A_SECOND;
const LOOK_AT: u64 = 4 * ROUNDS_A_SECOND;
const STOP_AT: u64 = LOOK_AT + ROUNDS_A_SECOND;
/// At most this long after they began, listeners hear somebody: jitter buffer, mixing, and two lost packets.
const LONGEST_DELAY_ROUNDS: u64 = 12;
/// Loudness of those who speak, and what counts as heard.
const SPOKEN: f64 = 4_000.0;
const HEARD: f64 = 1_000.0;

/// Numbers that look random and are the same on every run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

struct CountedIds(u128);

impl IdSource for CountedIds {
    fn next_guid(&mut self) -> Uuid {
        self.0 += 1;
        Uuid::from_u128(self.0)
    }
}

/// A person's phone, the network to here, and the leg.
struct Leg {
    ssrc: u32,
    pitch: f64,
    sender: AudioSender,
    /// Packets on their way: when they come, and what.
    flying: VecDeque<(u64, Vec<u8>, u16, u32)>,
    receiver: AudioReceiver,
    seat: Option<MemberId>,
    /// How much faster than ours its clock is, in millionths.
    drift_ppm: i64,
    /// The samples that it has sent by its own clock.
    sent: u64,
    is_speaking: bool,
    heard: Vec<i16>,
}

impl Leg {
    fn new(number: usize) -> Self {
        let ssrc = number as u32 + 1;
        let sender = SenderConfig {
            codec: CODEC,
            payload_type: 0,
            ssrc,
            first_sequence: 65_000,
            first_timestamp: 0,
            telephone_event: None,
        };
        Self {
            ssrc,
            pitch: 310.0 + 91.0 * number as f64,
            sender: AudioSender::new(sender),
            flying: VecDeque::new(),
            receiver: AudioReceiver::new(ReceiverConfig {
                codec: CODEC,
                payload_type: 0,
                telephone_event: None,
            }),
            seat: None,
            drift_ppm: (number as i64 - 10) * 12,
            sent: 0,
            is_speaking: false,
            heard: Vec::new(),
        }
    }

    /// Sends what is due by the phone's own clock; the network does what it does.
    fn send(&mut self, now_ms: u64, dice: &mut Dice) {
        let own_ms = now_ms as i64 * (1_000_000 + self.drift_ppm) / 1_000_000;
        while self.sent as i64 * (ROUND_MS as i64) <= own_ms {
            let mut frame = Frame::silence(CODEC.sample_rate());
            if self.is_speaking {
                let start = self.sent * frame.samples().len() as u64;
                for (n, slot) in frame.samples_mut().iter_mut().enumerate() {
                    let time = (start + n as u64) as f64 / 8_000.0;
                    *slot = (SPOKEN * (TAU * self.pitch * time).sin()) as i16;
                }
            }
            self.sent += 1;
            let mut payload = [0; MAX_PAYLOAD_BYTES];
            let packet = self.sender.send(Some(&frame), &mut payload).expect("a packet");
            if dice.roll(100) < 3 {
                continue;
            }
            // Now and then one is overtaken by the next.
            let delay = dice.roll(15) + if dice.roll(100) < 3 { 25 } else { 0 };
            let octets = payload[..packet.payload_len].to_vec();
            self.flying.push_back((now_ms + delay, octets, packet.sequence, packet.timestamp));
        }
    }

    fn receive(&mut self, now_ms: u64) {
        let ssrc = self.ssrc;
        for _ in 0..self.flying.len() {
            let Some(packet) = self.flying.pop_front() else { return };
            if packet.0 > now_ms {
                self.flying.push_back(packet);
                continue;
            }
            let (_, payload, sequence, timestamp) = &packet;
            let (sequence, timestamp) = (*sequence, *timestamp);
            let packet = RtpPacketRef {
                payload_type: 0,
                sequence,
                timestamp,
                ssrc,
                marker: false,
                level: None,
                payload,
            };
            self.receiver.handle_rtp(packet, Duration::from_millis(now_ms));
        }
    }
}

/// The conference, the mixer that obeys it, and the world around both.
struct World {
    conference: Conference,
    mixer: Mixer,
    legs: BTreeMap<ParticipantId, Leg>,
    ids: CountedIds,
    dice: Dice,
    round: u64,
    called: usize,
    asked: u64,
    /// The last roster that the application was told.
    told: Vec<RosterParticipant>,
}

fn bot() -> CallId {
    CallId::from(Uuid::from_u128(1))
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            conference: Conference::group(ConferenceConfig::default()),
            mixer: Mixer::new(PEOPLE + 2, 4),
            legs: BTreeMap::new(),
            ids: CountedIds(1 << 64),
            dice: Dice(0x5eed_cafe),
            round: 0,
            called: 0,
            asked: 0,
            told: Vec::new(),
        };
        let identity = IdentitySet::application(Identity::of("bot"));
        let joining = Joining {
            call: bot(),
            participant: ParticipantId::from(Uuid::from_u128(2)),
            info: Participant { identity, ..Participant::default() },
            is_guest: false,
            is_in_default_group: true,
            is_told_of_speakers: false,
            is_delta_roster: false,
            is_hidden: false,
            invitees: vec![person(0), person(1)],
        };
        world.called = 2;
        world.tell(ConferenceInput::Join(Box::new(joining)));
        for _ in 2..PEOPLE {
            world.invite();
        }
        world
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis((self.round * ROUND_MS) as i64)
    }

    fn tell(&mut self, input: ConferenceInput) {
        let now = self.now();
        self.conference.handle(input, now, &mut self.ids);
        self.obey();
    }

    fn ask(&mut self, request: ConferenceRequest) {
        self.asked += 1;
        let (command, operation) = (CommandId(self.asked), OperationId::next(&mut self.ids));
        self.tell(ConferenceInput::Ask { call: bot(), command, operation, request });
    }

    fn invite(&mut self) {
        self.called += 1;
        self.ask(ConferenceRequest::Invite(vec![person(self.called - 1)]));
    }

    /// Does what the conference says; whoever is called answers at once.
    fn obey(&mut self) {
        while let Some(effect) = self.conference.poll_effect() {
            match effect {
                ConferenceEffect::StartLeg { participant, .. } => {
                    // A phone that went frees its pitch.
                    let taken: BTreeSet<u64> = self.legs.values().map(|leg| leg.pitch as u64).collect();
                    let is_free = |n: &usize| !taken.contains(&(Leg::new(*n).pitch as u64));
                    let number = (0..).find(is_free).expect("numbers do not end");
                    let mut leg = Leg::new(number);
                    leg.sent = self.round;
                    self.legs.insert(participant, leg);
                    let now = self.now();
                    let event = LegEvent::Answered;
                    self.conference.handle(ConferenceInput::Leg { participant, event }, now, &mut self.ids);
                }
                ConferenceEffect::EndLeg(participant) => {
                    self.legs.remove(&participant);
                    let event = LegEvent::Ended(EndCause::LocalHangUp);
                    let now = self.now();
                    self.conference.handle(ConferenceInput::Leg { participant, event }, now, &mut self.ids);
                }
                ConferenceEffect::Connect(participant) => self.connect(participant),
                ConferenceEffect::Disconnect(participant) => {
                    let leg = self.legs.get_mut(&participant);
                    if let Some(seat) = leg.and_then(|leg| leg.seat.take()) {
                        self.mixer.leave(seat);
                    }
                }
                ConferenceEffect::SetMuted { participant, is_muted } => {
                    if let Some(seat) = self.seat(participant) {
                        self.mixer.set_muted(seat, is_muted);
                    }
                }
                ConferenceEffect::SetRoute { participant, is_in_default_group, audience } => {
                    let names = audience.map(|those| those.iter().map(|id| name_of(*id)).collect());
                    if let Some(seat) = self.seat(participant) {
                        self.mixer.set_audience(seat, Box::new(Audience::new(is_in_default_group, names)));
                    }
                }
                ConferenceEffect::Tell { event: ConferenceEvent::Roster(roster), .. } => {
                    self.told = roster.participants;
                }
                ConferenceEffect::Ended
                | ConferenceEffect::EndReplaced { .. }
                | ConferenceEffect::Released(_)
                | ConferenceEffect::SendTone { .. }
                | ConferenceEffect::ShowPictures { .. }
                | ConferenceEffect::Chime(_)
                | ConferenceEffect::StartSound { .. }
                | ConferenceEffect::TurnAway(_)
                | ConferenceEffect::Welcome(_)
                | ConferenceEffect::StopSound(_)
                | ConferenceEffect::Tell { .. }
                | ConferenceEffect::TellPerson { .. } => {}
            }
        }
    }

    fn connect(&mut self, participant: ParticipantId) {
        let Some(leg) = self.legs.get_mut(&participant) else { return };
        let rate = Some(CODEC.sample_rate());
        let seat = Seat::new(name_of(participant), rate, Audience::new(true, None), false);
        leg.seat = self.mixer.join(Box::new(seat)).ok();
        assert!(leg.seat.is_some(), "the mixer has a place for everyone in the conference");
    }

    fn seat(&self, participant: ParticipantId) -> Option<MemberId> {
        self.legs.get(&participant)?.seat
    }

    /// 20 ms of everyone's life.
    fn run_round(&mut self) {
        let now_ms = self.round * ROUND_MS;
        self.conference.handle_timeout(self.now());
        self.obey();
        self.mixer.begin_round();
        let mut frame = Frame::silence(CODEC.sample_rate());
        for leg in self.legs.values_mut() {
            leg.send(now_ms, &mut self.dice);
            leg.receive(now_ms);
            let kind = leg.receiver.pull(Duration::from_millis(now_ms), &mut frame);
            if let Some(seat) = leg.seat {
                self.mixer.hear(seat, &frame, kind);
            }
        }
        self.mixer.select();
        while self.mixer.poll_left().is_some() {}
        for leg in self.legs.values_mut() {
            if let Some(seat) = leg.seat {
                leg.heard.extend_from_slice(self.mixer.samples(seat, CODEC.sample_rate()));
            }
        }
        self.round += 1;
    }

    /// Something that happens in meetings.
    fn happen(&mut self) {
        let people: Vec<ParticipantId> = self.legs.keys().copied().collect();
        let of = |dice: &mut Dice| people[dice.roll(people.len() as u64) as usize];
        let (one, other) = (of(&mut self.dice), of(&mut self.dice));
        match self.dice.roll(8) {
            0 if people.len() < PEOPLE => self.invite(),
            0 | 1 if people.len() > PEOPLE / 2 => {
                let event = LegEvent::Ended(EndCause::HungUp);
                self.tell(ConferenceInput::Leg { participant: one, event });
                self.legs.remove(&one);
                self.invite();
            }
            2 => self.ask(ConferenceRequest::Mute(one)),
            3 => self.ask(ConferenceRequest::StartHoldMusic { participant: one, prompt: None }),
            4 => {
                let held = people.iter().find(|id| self.seat(**id).is_none()).copied();
                if let Some(held) = held {
                    self.ask(ConferenceRequest::StopHoldMusic(held));
                }
            }
            5 if one != other => {
                let id = format!("{one}");
                let (mode, sources, receivers) = (RoutingMode::OneToOne, vec![one], vec![other]);
                self.ask(ConferenceRequest::CreateGroup(AudioRoutingGroup { id, mode, sources, receivers }));
            }
            6 => {
                let group = self.conference.groups_for(bot()).next().map(|group| group.id.clone());
                if let Some(id) = group {
                    self.ask(ConferenceRequest::DeleteGroup(id));
                }
            }
            _ => self.ask(ConferenceRequest::MuteSelf),
        }
    }

    /// Who should hear whom by the roster and the private routes.
    fn expected(&self, listener: ParticipantId, speaker: ParticipantId) -> bool {
        let shown = |id: ParticipantId| self.told.iter().find(|participant| participant.id == id);
        let talks = |id| {
            shown(id).is_some_and(|participant| {
                participant.media_streams[0].direction == model::MediaDirection::SendReceive
            })
        };
        let is_muted = shown(speaker).is_none_or(|participant| participant.is_muted);
        let mut routes =
            self.conference.groups_for(bot()).filter(|group| group.sources.contains(&speaker)).peekable();
        let is_reached = routes.peek().is_none() || routes.any(|group| group.receivers.contains(&listener));
        listener != speaker && talks(listener) && talks(speaker) && !is_muted && is_reached
    }

    /// A step: something happens, some speak, and everyone hears whom the roster says. Returns after how many rounds
    /// anybody was heard.
    fn step(&mut self) -> Option<u64> {
        let step = self.round / STEP_ROUNDS;
        self.happen();
        let mut speakers = Vec::new();
        let mut first_heard = None;
        for at in 0..STEP_ROUNDS {
            if at == SPEAK_AT {
                let people: Vec<ParticipantId> = self.legs.keys().copied().collect();
                let chosen: BTreeSet<usize> =
                    (0..3).map(|_| self.dice.roll(people.len() as u64) as usize).collect();
                speakers = chosen.into_iter().map(|n| people[n]).collect();
                speakers.iter().for_each(|id| self.legs.get_mut(id).expect("a leg").is_speaking = true);
            }
            if at == LOOK_AT {
                self.legs.values_mut().for_each(|leg| leg.heard.clear());
            }
            if at == STOP_AT {
                self.check(step, &speakers);
                speakers.iter().for_each(|id| self.legs.get_mut(id).expect("a leg").is_speaking = false);
            }
            self.run_round();
            if at >= SPEAK_AT && first_heard.is_none() {
                let is_heard = |leg: &Leg| leg.heard.iter().rev().take(160).any(|x| x.unsigned_abs() > 1_000);
                first_heard = self.legs.values().any(is_heard).then(|| at - SPEAK_AT);
            }
            if at == SPEAK_AT - 1 {
                self.legs.values_mut().for_each(|leg| leg.heard.clear());
            }
        }
        self.legs.values_mut().for_each(|leg| leg.heard.clear());
        let can_be_heard = speakers
            .iter()
            .any(|speaker| self.legs.keys().any(|listener| self.expected(*listener, *speaker)));
        can_be_heard.then(|| first_heard.expect("somebody was heard"))
    }

    fn check(&self, step: u64, speakers: &[ParticipantId]) {
        let shown: BTreeSet<ParticipantId> = self.told.iter().map(|participant| participant.id).collect();
        let present = self.conference.roster_for(bot()).expect("the application is in");
        let there: BTreeSet<ParticipantId> = present.iter().map(|participant| participant.id).collect();
        assert_eq!(shown, there, "step {step}: the application was told of everyone who is there");
        for (listener, leg) in &self.legs {
            for speaker in speakers {
                let amplitude = amplitude_at(&leg.heard, self.legs[speaker].pitch, 8_000);
                assert_eq!(
                    amplitude > HEARD,
                    self.expected(*listener, *speaker),
                    "step {step}: {listener} hears {speaker} at {amplitude:.0}"
                );
            }
        }
    }
}

fn person(number: usize) -> Invitee {
    let name = format!("user{number}");
    let identity = IdentitySet::user(Identity::of(&*name).named(&*name));
    let target = InvitationParticipant { identity, ..InvitationParticipant::default() };
    Invitee { target, callee: name.as_str().into() }
}

/// What the mixer calls a participant.
fn name_of(participant: ParticipantId) -> u64 {
    participant.guid().as_u128() as u64
}

/// Memory that the process holds, in kilobytes.
fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of it");
    line.split_ascii_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

#[test]
fn an_hour_of_a_meeting_of_twenty_sounds_as_its_roster_says() {
    let mut world = World::new();
    let mut resident = 0;
    for step in 0..STEPS {
        if step == STEPS / 6 {
            resident = resident_kb();
        }
        if let Some(rounds) = world.step() {
            assert!(rounds <= LONGEST_DELAY_ROUNDS, "step {step}: heard after {} ms", rounds * ROUND_MS);
        }
    }
    let grown = resident_kb().saturating_sub(resident);
    assert!(grown < 2_048, "{grown} KB more than after ten minutes");
    assert_eq!(world.round, 180_000);
}
