//! A mixer on its media thread: brings legs and the engine's mixer together.

mod apart;

use std::time::Duration;

use media_engine::{AudioSender, FrameKind, MemberId, Seat};

use self::apart::Speaker;
use crate::command::Disposal;
use crate::conference::HOSTED_RATE;
use crate::event::MediaEvent;
use crate::leg::{Leg, Others, Workbench};
use crate::stream::Spoken;
use crate::thread::contained;
use crate::{LegId, MixerConfig, MixerId};

/// Weight of a mixer in the round beside its members, and members that weigh as much as a microsecond: most of them only
/// listen.
const BASE_WEIGHT: u32 = 4;
const MEMBERS_PER_MICROSECOND: u32 = 4;

/// Members of a mixer that is a call rather than a meeting: two ends, an application and a recorder.
const FEW_MEMBERS: u32 = 4;

/// The legs of a thread.
pub(crate) type Legs = [Option<Box<Leg>>];

/// A leg's place in a mixer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Membership {
    pub(crate) mixer: MixerId,
    pub(crate) member: MemberId,
    /// Among those that are listened to in every round.
    pub(crate) is_awake: bool,
}

/// See [`crate::MediaPlane::open_mixer`].
#[derive(Debug)]
pub(crate) struct Mixer {
    pub(crate) id: MixerId,
    pub(crate) engine: media_engine::Mixer,
    /// Place in the round while there is something to do, and the weight there.
    pub(crate) slot: Option<(usize, u32)>,
    members: u32,
    /// Members that are configured.
    connected: u32,
    /// Legs that something has come from and that are not silent again; some of them may be gone.
    awake: Vec<u32>,
    /// Members that are bots, without a far end.
    hosted: Vec<u32>,
    /// Members whose packets come through another task, which wakes nobody.
    piped: Vec<u32>,
    /// Members that hear each of the others by itself in this round.
    apart: Vec<(u32, MemberId)>,
    told_dominant: Option<u64>,
}

impl Mixer {
    pub(crate) fn new(id: MixerId, config: MixerConfig) -> Self {
        Self {
            id,
            engine: media_engine::Mixer::new(config.max_members, config.max_talkers),
            slot: None,
            members: 0,
            connected: 0,
            awake: Vec::with_capacity(config.max_members * 2),
            hosted: Vec::with_capacity(config.max_members),
            piped: Vec::with_capacity(config.max_members),
            apart: Vec::with_capacity(config.max_members),
            told_dominant: None,
        }
    }

    /// Whether all members may have their turn in one slot.
    pub(crate) fn is_small(&self) -> bool {
        self.members <= FEW_MEMBERS
    }

    pub(crate) fn weight(&self) -> u32 {
        BASE_WEIGHT + self.members / MEMBERS_PER_MICROSECOND
    }

    /// Whether anybody in it can say or hear anything.
    pub(crate) fn is_busy(&self, legs: &Legs) -> bool {
        let is_working = |index: &u32| leg_at(legs, *index).is_some_and(Leg::has_jobs);
        self.connected > 0 || self.hosted.iter().any(is_working)
    }

    /// Takes a leg in; gives the seat back where there is no place.
    pub(crate) fn join(&mut self, leg: &mut Leg, seat: Box<Seat>) -> Result<(), Box<Seat>> {
        let member = self.engine.join(seat)?;
        leg.membership = Some(Membership { mixer: self.id, member, is_awake: false });
        self.members += 1;
        if leg.is_piped() {
            self.piped.push(leg.id.index() as u32);
        }
        if leg.is_hosted() {
            self.hosted.push(leg.id.index() as u32);
        } else if leg.is_configured() {
            self.connected += 1;
            self.wake(leg);
        }
        Ok(())
    }

    /// Counts a member that has just been configured for the first time.
    pub(crate) fn connect(&mut self, leg: &mut Leg) {
        self.connected += 1;
        self.wake(leg);
    }

    /// Lets a leg go; it and the others fade out for each other in the next round, and [`Self::see_off`] then
    /// lets it go.
    pub(crate) fn leave(&mut self, member: MemberId) {
        self.engine.leave(member);
    }

    /// Lets a leg go that is gone itself or has moved: only the others hear it fade.
    pub(crate) fn forget(&mut self, leg: &mut Leg) {
        if let Some(membership) = leg.membership {
            self.engine.leave(membership.member);
            self.release(leg);
        }
    }

    fn release(&mut self, leg: &mut Leg) {
        leg.membership = None;
        self.members = self.members.saturating_sub(1);
        self.connected = self.connected.saturating_sub(u32::from(leg.is_configured()));
        for list in [&mut self.awake, &mut self.hosted, &mut self.piped] {
            list.retain(|index| *index as usize != leg.id.index());
        }
    }

    /// Listens to a leg from the next round on.
    pub(crate) fn wake(&mut self, leg: &mut Leg) {
        let Some(membership) = &mut leg.membership else { return };
        if !membership.is_awake && self.awake.len() < self.awake.capacity() {
            membership.is_awake = true;
            self.awake.push(leg.id.index() as u32);
        }
    }

    /// Those who have left are in no mixer from here on; their seats go to be freed.
    pub(crate) fn see_off(&mut self, legs: &mut Legs, bench: &mut Workbench) {
        while let Some((left, seat)) = self.engine.poll_left() {
            let is_here = |at: Membership| (at.mixer, at.member) == (self.id, left);
            let leg = leg_named(legs, seat.name());
            if let Some(leg) = leg.filter(|leg| leg.membership.is_some_and(is_here)) {
                self.release(leg);
                leg.end_hosted_jobs(bench);
            }
            bench.disposer.dispose(Disposal::Seat(seat));
        }
    }

    /// Its work of one round: listens to everybody, decides who is heard, and lets hosted legs hear.
    pub(crate) fn tick(
        &mut self,
        legs: &mut Legs,
        now: Duration,
        bench: &mut Workbench,
        closing: &mut Vec<LegId>,
    ) {
        self.engine.begin_round();
        self.see_off(legs, bench);
        self.find_apart(legs);
        self.drain(legs, bench, closing);
        self.listen(legs, now, bench, closing);
        self.hear_prompts(legs, bench);
        self.engine.select();
        for index in &self.hosted {
            let Some((leg, membership)) = member(self.id, legs, *index) else { continue };
            if leg.jobs.has_ears() {
                bench.heard.reset(HOSTED_RATE);
                if leg.wants_mix() {
                    let heard = self.engine.samples(membership.member, HOSTED_RATE);
                    bench.heard.samples_mut().copy_from_slice(heard);
                }
                leg.hear_mix(bench);
            }
        }
        self.tell_dominant(bench);
    }

    /// Takes what has come through pipes.
    fn drain(&mut self, legs: &mut Legs, bench: &mut Workbench, closing: &mut Vec<LegId>) {
        for at in 0..self.piped.len() {
            let index = self.piped.get(at).copied().unwrap_or_default();
            let Some((leg, membership)) = member(self.id, legs, index) else { continue };
            let mut has_come = false;
            if !contained(leg.id, || has_come = leg.drain(bench)) {
                closing.push(leg.id);
            }
            if has_come && !membership.is_awake {
                self.wake(leg);
            }
        }
    }

    fn listen(&mut self, legs: &mut Legs, now: Duration, bench: &mut Workbench, closing: &mut Vec<LegId>) {
        let mut at = 0;
        while let Some(index) = self.awake.get(at).copied() {
            let Some((leg, membership)) = member(self.id, legs, index) else {
                self.awake.swap_remove(at);
                continue;
            };
            let speaker = membership.member;
            let wants_sound = self.engine.wants_sound(speaker) || self.is_heard_apart(speaker);
            let mut kind = FrameKind::Silence;
            if !contained(leg.id, || kind = leg.listen(now, wants_sound, bench)) {
                closing.push(leg.id);
            }
            self.engine.hear(speaker, &bench.heard, kind);
            let id = leg.id;
            if leg.may_sleep() {
                leg.membership = Some(Membership { is_awake: false, ..membership });
                self.awake.swap_remove(at);
            } else {
                at += 1;
            }
            if kind != FrameKind::Silence {
                let is_speaking = self.engine.is_speaking(speaker);
                let speaker = Speaker { leg: id, member: speaker, is_speaking };
                self.pass_on(legs, speaker, &bench.heard, &mut bench.bridged);
            }
            if !bench.keys.is_empty() {
                self.pass_keys(legs, bench);
            }
        }
    }

    /// Takes what hosted legs say.
    fn hear_prompts(&mut self, legs: &mut Legs, bench: &mut Workbench) {
        for at in 0..self.hosted.len() {
            let index = self.hosted.get(at).copied().unwrap_or_default();
            let Some((leg, membership)) = member(self.id, legs, index) else { continue };
            let id = leg.id;
            let spoken = leg.prompt(bench);
            if spoken != Spoken::Nothing {
                self.engine.hear_prompt(membership.member, &bench.said);
            }
            if spoken == Spoken::Sound {
                let speaker = Speaker { leg: id, member: membership.member, is_speaking: true };
                self.pass_on(legs, speaker, &bench.said, &mut bench.bridged);
            }
        }
    }

    /// Lets keys that a member pressed end recordings of the hosted legs.
    fn pass_keys(&mut self, legs: &mut Legs, bench: &mut Workbench) {
        for index in &self.hosted {
            let Some((leg, _)) = member(self.id, legs, *index) else { continue };
            for key in &bench.keys {
                leg.jobs.hear_tone(*key);
            }
        }
        bench.keys.clear();
    }

    /// What a leg is told of the others in this round.
    pub(crate) fn for_leg(&mut self, legs: &mut Legs, (leg, member): (LegId, MemberId)) -> Others<'_> {
        let listener = leg_named(legs, leg.as_u64());
        let codec = listener.as_ref().and_then(|listener| listener.listening_codec());
        self.engine.set_codec(member, codec);
        let Some(codec) = codec else {
            let sender = listener.and_then(Leg::busy_sender);
            let fading = sender.and_then(|sender| self.engine.fade_out(member, sender));
            return fading.map_or(Others::Silent, Others::Fading);
        };
        let mut senders = MemberSenders { legs, mixer: self.id, asker: leg };
        self.engine.payload(member, codec, &mut senders).map_or(Others::Silent, Others::Payload)
    }

    /// While events wait, only the latest speaker is worth telling of.
    fn tell_dominant(&mut self, bench: &mut Workbench) {
        let dominant = self.engine.dominant();
        if dominant == self.told_dominant || bench.events.has_waiting() {
            return;
        }
        self.told_dominant = dominant;
        let event = MediaEvent::Dominant { mixer: self.id, leg: dominant.map(LegId) };
        bench.events.send(event, &bench.stats);
    }

    /// Ends all that is under way, for nobody is there.
    pub(crate) fn rest(&mut self, legs: &mut Legs, bench: &mut Workbench) {
        self.engine.rest();
        self.see_off(legs, bench);
        self.tell_dominant(bench);
    }
}

/// Encoders of a mixer's members.
struct MemberSenders<'a> {
    legs: &'a mut Legs,
    mixer: MixerId,
    /// Who asks.
    asker: LegId,
}

impl media_engine::Senders for MemberSenders<'_> {
    fn sender(&mut self, name: u64) -> Option<&mut AudioSender> {
        let asker = self.asker;
        let leg = leg_named(self.legs, name)?;
        let is_here = leg.membership.is_some_and(|at| at.mixer == self.mixer);
        let sender = leg.sender().filter(|_| is_here)?;
        // Keys that are sent as sound go through the encoder and would be heard by all.
        (name == asker.as_u64() || !sender.has_tones()).then_some(sender)
    }
}

/// The leg at an index, where it is a member.
fn member(mixer: MixerId, legs: &mut Legs, index: u32) -> Option<(&mut Leg, Membership)> {
    let leg = legs.get_mut(index as usize)?.as_deref_mut()?;
    let membership = leg.membership.filter(|membership| membership.mixer == mixer)?;
    Some((leg, membership))
}

fn leg_at(legs: &Legs, index: u32) -> Option<&Leg> {
    legs.get(index as usize)?.as_deref()
}

/// The leg whose number a member is called by.
fn leg_named(legs: &mut Legs, name: u64) -> Option<&mut Leg> {
    let id = LegId(name);
    legs.get_mut(id.index())?.as_deref_mut().filter(|leg| leg.id == id)
}
