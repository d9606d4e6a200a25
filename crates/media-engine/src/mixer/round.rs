//! A round: the frames of all come in, and it is decided who is heard by whom.

use super::dominant::Speaker;
use super::members::{Member, Stay};
use super::mixes::Key;
use super::shares::NOBODY;
use super::sources::{MAX_SOURCES, State, places};
use super::{MemberId, Mixer, chorus, mask};
use crate::{Codec, Frame, FrameKind, MAX_TALKERS};

/// How much louder somebody has to be to take the place of a talker.
const MARGIN_DB: f32 = 6.0;
/// Rounds for which a talker keeps its place: 200 ms, so that two who are equally loud do not take turns.
const LEAST_AGE: u16 = 10;

impl Mixer {
    /// Begins a round.
    pub fn begin_round(&mut self) {
        self.round = self.round.wrapping_add(1);
        self.sources.begin(self.round);
        self.mixes.begin(self.round);
        self.candidates.clear();
        self.chorus.clear();
        self.finish_leaving(false);
        self.members.see_off();
    }

    /// Whether a member's frame should be whole, rather than only tell whether somebody speaks
    /// ([`crate::AudioReceiver::pull_voice`]).
    #[must_use]
    pub fn wants_sound(&self, member: MemberId) -> bool {
        let known = self.members.get(member.place).filter(|known| known.id == member);
        known.is_some_and(|member| member.is_audible() && (member.source.is_some() || !self.is_crowded))
    }

    /// Takes a member's frame of this round. Who sends nothing need not be mentioned.
    pub fn hear(&mut self, member: MemberId, frame: &Frame, kind: FrameKind) {
        let Some(heard) = self.members.known(member) else { return };
        heard.heard_in = self.round;
        if !heard.is_audible() {
            return;
        }
        let has_voice = heard.voice.handle_frame(frame, kind);
        let has_sound = matches!(kind, FrameKind::Audio | FrameKind::Concealed);
        match heard.source {
            // Its old sound fades out before the new one fades in.
            Some(at) if self.sources.get(at.into()).is_some_and(|source| source.rate() != frame.rate()) => {}
            Some(at) => self.sources.write(usize::from(at), frame.rate(), frame.samples()),
            None if has_sound && (has_voice || !self.is_crowded) => {
                self.candidates.offer(member.place, has_voice, heard.voice.level_db(), frame);
            }
            None => {}
        }
    }

    /// Takes the frame of this round of a member whose sound is heard whoever else speaks.
    ///
    /// However many prompts there are, they leave places for all talkers. Those that come after the first few share a
    /// place, and stay there until they end: all but they themselves hear them. A prompt with an audience of its own
    /// shares no place, and is not heard until there is one.
    pub fn hear_prompt(&mut self, member: MemberId, frame: &Frame) {
        let Some(heard) = self.members.known(member).filter(|member| member.is_audible()) else { return };
        heard.heard_in = self.round;
        let is_sharing = !heard.is_private && heard.shared_in == self.round.wrapping_sub(1);
        // One more is kept for those that share.
        let has_place = self.sources.own_prompts() + 1 < max_prompts(self.max_talkers);
        if heard.source.is_none() && has_place && !is_sharing {
            heard.source = self.sources.admit(member.place, true).map(|at| at as u8);
        }
        if let Some(at) = heard.source {
            self.sources.write(usize::from(at), frame.rate(), frame.samples());
        } else if !heard.is_private {
            heard.shared_in = self.round;
            self.chorus.add(self.round, frame, heard.seat.converters.as_deref_mut());
        }
    }

    /// Decides who is heard by whom in this round, once all frames are there.
    pub fn select(&mut self) {
        self.hear_chorus();
        let sending = self.count_sending();
        self.is_crowded = sending > self.max_talkers;
        let talkers = self.dismiss_silent();
        self.admit_candidates(talkers);
        self.sources.set_gains();
        self.route();
        self.share();
        self.follow_dominant();
    }

    /// Takes the prompts that share a place.
    fn hear_chorus(&mut self) {
        let Some(samples) = self.chorus.sum() else { return };
        if let Some(at) = self.sources.shared().or_else(|| self.sources.admit(NOBODY, true)) {
            self.sources.write(at, chorus::RATE, samples);
        }
    }

    fn count_sending(&mut self) -> usize {
        let mut sending = 0;
        for (_, member) in self.members.iter_mut() {
            if member.heard_in != self.round {
                member.voice.handle_nothing();
            }
            sending += usize::from(member.voice.is_sending() && member.is_audible());
        }
        sending
    }

    /// Lets those fade out who have nothing to say any more; returns how many talkers are left.
    fn dismiss_silent(&mut self) -> usize {
        let mut talkers = 0;
        for at in 0..MAX_SOURCES {
            let Some(source) = self.sources.get(at).filter(|source| source.state == State::Live) else {
                continue;
            };
            let owner = self.members.get(source.owner).filter(|owner| owner.is_audible());
            let may_stay = source.is_shared()
                || owner.is_some_and(|owner| {
                    let is_talking =
                        if self.is_crowded { owner.voice.is_speaking() } else { owner.voice.is_sending() };
                    source.is_prompt || is_talking
                });
            let stays = may_stay && self.sources.has_sound(at);
            if !stays {
                self.dismiss(at);
            } else if !source.is_prompt {
                talkers += 1;
            }
        }
        talkers
    }

    fn dismiss(&mut self, at: usize) {
        let owner = self.sources.get(at).map_or(NOBODY, |source| source.owner);
        self.sources.dismiss(at);
        if let Some(owner) = self.members.get_mut(owner) {
            owner.source = None;
        }
    }

    /// Gives free places to those who would like to be heard, and to the clearly louder those of the softest.
    fn admit_candidates(&mut self, mut talkers: usize) {
        for number in 0..self.max_talkers {
            let Some(candidate) = self.candidates.get(number) else { return };
            if !candidate.has_voice && self.is_crowded {
                return;
            }
            if talkers == self.max_talkers {
                let least = candidate.level_db - MARGIN_DB;
                let Some(softest) = self.softest_talker().filter(|(_, level)| *level < least) else { return };
                self.dismiss(softest.0);
                talkers -= 1;
            }
            let Some(candidate) = self.candidates.get(number) else { return };
            let Some(at) = self.sources.admit(candidate.member, false) else { return };
            self.sources.write(at, candidate.frame.rate(), candidate.frame.samples());
            if let Some(member) = self.members.get_mut(candidate.member) {
                member.source = Some(at as u8);
            }
            talkers += 1;
        }
    }

    /// The softest of those whose place may be taken, with its level.
    fn softest_talker(&self) -> Option<(usize, f32)> {
        let level = |owner| self.members.get(owner).map_or(f32::MIN, |owner: &Member| owner.voice.level_db());
        let talkers = self.sources.live().filter(|(_, source)| !source.is_prompt && source.age >= LEAST_AGE);
        talkers.map(|(at, source)| (at, level(source.owner))).min_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// Writes down whom each member hears.
    fn route(&mut self) {
        let (mut public, mut private) = (0, 0);
        for (at, source) in self.sources.live() {
            match self.members.get(source.owner) {
                Some(owner) if owner.is_private => private |= mask(at),
                Some(owner) if owner.is_in_default_group => public |= mask(at),
                None if source.is_shared() => public |= mask(at),
                Some(_) | None => {}
            }
        }
        let shared = self.sources.shared();
        for at in self.members.numbers() {
            let Some(member) = self.members.get(at) else { continue };
            let mut now = if member.is_in_default_group { public } else { 0 };
            for source in places(private) {
                let owner = self.sources.get(source).and_then(|source| self.members.get(source.owner));
                if owner.is_some_and(|owner| owner.seat.audience.names(member.name)) {
                    now |= mask(source);
                }
            }
            let own = member.source.map(usize::from);
            let own = own.or_else(|| shared.filter(|_| member.shared_in == self.round));
            now &= !own.map_or(0, mask);
            if member.stay != Stay::In {
                now = 0;
            }
            if let Some(member) = self.members.get_mut(at) {
                let before = if member.has_listened { member.key.now } else { 0 };
                (member.last_key, member.key) = (member.key, Key { before, now });
                (member.had_listened, member.has_listened) = (member.has_listened, false);
            }
        }
    }

    /// Finds those who are sent the same.
    fn share(&mut self) {
        self.shares.clear();
        for (at, member) in self.members.iter_mut() {
            let codec = member.codec;
            member.share =
                codec.and_then(|codec| self.shares.enter(at, (member.key, codec), member.followed));
        }
        for (number, share) in self.shares.iter_mut() {
            let leader = self.members.get(share.leader);
            if leader.is_none_or(|leader| leader.share != Some(number)) {
                share.leader = share.first;
            }
        }
    }

    fn follow_dominant(&mut self) {
        let speakers =
            self.sources.live().filter(|(_, source)| !source.is_prompt).filter_map(|(_, source)| {
                let owner = self.members.get(source.owner)?;
                let (name, voice) = (owner.name, &owner.voice);
                (owner.is_in_default_group && !owner.is_private).then_some(Speaker {
                    name,
                    mean_db: voice.mean_db(),
                    run: voice.run(),
                    is_speaking: voice.is_speaking(),
                })
            });
        self.dominant.observe(speakers);
    }
}

/// Places for prompts: those that so many talkers do not need, and as many who fade as they take over.
const fn max_prompts(max_talkers: usize) -> usize {
    MAX_SOURCES - 2 * max_talkers
}

// Even with the most talkers some prompts have places of their own.
const _: () = assert!(max_prompts(MAX_TALKERS) >= 2);

/// Whether payloads of a codec depend on those before.
pub(super) const fn has_memory(codec: Codec) -> bool {
    match codec {
        Codec::G722 | Codec::Opus => true,
        Codec::Pcma | Codec::Pcmu => false,
    }
}
