//! Many hear many: who is heard, how loud, by whom.
//!
//! Every member hears all others and not itself. What a member says comes in at the rate of its codec, and each listener
//! gets a sum at the rate of its own; what is said is converted for a rate once, if somebody listens at it. Equal sums
//! are made once, and encoded once for each codec.
//!
//! | step | file |
//! |---|---|
//! | who has joined, and what it brought along | `members`, `seat` |
//! | who speaks | `voice`; who would like to be heard: `candidates`; who is heard: `round` |
//! | the sound of those that are heard | `sources`, how loud: `gain`; of too many prompts: `chorus` |
//! | what is heard | `mixes`; as payloads: `shares` |
//! | what one of them says, for those who hear each by itself | `alone` |
//! | who leads | `dominant` |
//!
//! A round of 20 ms: [`Mixer::begin_round`]; for each member whose far end sends, [`Mixer::hear`]; for each with a prompt,
//! [`Mixer::hear_prompt`]; [`Mixer::select`]; then, at any time until the next round, each member may take once what it
//! hears, as a payload ([`Mixer::payload`]) or as samples ([`Mixer::samples`]). Who hears each by itself takes what it says
//! once it was heard ([`Mixer::alone`]). Nothing in a round allocates.

mod alone;
mod candidates;
mod chorus;
mod dominant;
mod gain;
mod listen;
mod members;
mod mixes;
mod round;
mod seat;
mod shares;
mod sources;
mod voice;

use std::collections::VecDeque;

use self::candidates::Candidates;
use self::chorus::Chorus;
use self::dominant::Dominant;
pub use self::listen::Senders;
use self::members::Members;
use self::mixes::Mixes;
pub use self::seat::{Audience, Converters, Seat};
use self::shares::Shares;
use self::sources::Sources;
use crate::{Codec, MAX_PAYLOAD_BYTES};

/// Members of a mixer that are heard at once unless it is made for another number: all of a lively conversation.
pub const DEFAULT_TALKERS: usize = 5;

/// The most members that can be heard at once. With more, nobody is understood, and every one makes the others softer.
pub const MAX_TALKERS: usize = 6;

/// A member of a mixer, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberId {
    place: u16,
    /// How many joined before.
    number: u32,
}

/// See the module.
#[derive(Debug)]
pub struct Mixer {
    max_talkers: usize,
    round: u32,
    members: Members,
    /// Seats of those who have left.
    left: VecDeque<(MemberId, Box<Seat>)>,
    sources: Sources,
    candidates: Candidates,
    chorus: Chorus,
    mixes: Mixes,
    shares: Shares,
    dominant: Dominant,
    /// More send than can be heard at once, so that only those who speak are.
    is_crowded: bool,
    /// For a payload that nobody shares.
    solo: [u8; MAX_PAYLOAD_BYTES],
}

impl Mixer {
    /// A mixer for so many members, at most 65,535, of which so many talkers are heard at once, at most [`MAX_TALKERS`];
    /// allocates everything that it will ever need.
    #[must_use]
    pub fn new(max_members: usize, max_talkers: usize) -> Self {
        let members = Members::new(max_members);
        Self {
            max_talkers: max_talkers.clamp(1, MAX_TALKERS),
            // Numbers begin late enough that none of the first rounds looks like one that never was.
            round: 1,
            members,
            left: VecDeque::with_capacity(max_members),
            sources: Sources::new(),
            candidates: Candidates::new(),
            chorus: Chorus::new(),
            mixes: Mixes::new(),
            shares: Shares::new(),
            dominant: Dominant::default(),
            is_crowded: false,
            solo: [0; MAX_PAYLOAD_BYTES],
        }
    }

    /// Takes a member in.
    ///
    /// # Errors
    ///
    /// Gives the seat back where there are as many members as there may be.
    pub fn join(&mut self, seat: Box<Seat>) -> Result<MemberId, Box<Seat>> {
        if self.members.is_full() {
            self.finish_leaving(true);
        }
        self.members.enter(seat)
    }

    /// Lets a member go: it fades out with the next round, and is gone with the one after.
    pub fn leave(&mut self, member: MemberId) {
        if let Some(leaving) = self.members.known(member) {
            self.dominant.forget(leaving.name);
            self.members.leave(member.place);
        }
    }

    /// One who has left, and its seat, to be dropped where that may take its time.
    pub fn poll_left(&mut self) -> Option<(MemberId, Box<Seat>)> {
        self.left.pop_front()
    }

    /// Says whether nobody hears a member.
    pub fn set_muted(&mut self, member: MemberId, is_muted: bool) {
        let Some(member) = self.members.known(member) else { return };
        member.is_muted = is_muted;
        if is_muted {
            member.voice.silence();
            self.dominant.forget(member.name);
        }
    }

    /// Says who hears a member and whom it hears; returns what was said before, to be dropped elsewhere.
    pub fn set_audience(&mut self, member: MemberId, audience: Box<Audience>) -> Box<Audience> {
        let Some(member) = self.members.known(member) else { return audience };
        member.is_in_default_group = audience.is_in_default_group();
        member.is_private = audience.is_private();
        if !member.is_in_default_group || member.is_private {
            self.dominant.forget(member.name);
        }
        std::mem::replace(&mut member.seat.audience, audience)
    }

    /// Gives a member converters for the rate of its frames from here on; returns those it had, or these where it has
    /// such, to be dropped elsewhere.
    pub fn set_converters(
        &mut self,
        member: MemberId,
        converters: Box<Converters>,
    ) -> Option<Box<Converters>> {
        let Some(member) = self.members.known(member) else { return Some(converters) };
        if member.seat.converters.as_ref().is_some_and(|present| present.from() == converters.from()) {
            return Some(converters);
        }
        member.seat.converters.replace(converters)
    }

    /// Says with which codec a member is going to take payloads; none while it takes none.
    ///
    /// [`Self::payload`] answers in any case; only what is announced is shared.
    pub fn set_codec(&mut self, member: MemberId, codec: Option<Codec>) {
        if let Some(member) = self.members.known(member) {
            member.codec = codec;
        }
    }

    /// The dominant speaker of those who hear each other, by name.
    #[must_use]
    pub fn dominant(&self) -> Option<u64> {
        self.dominant.current()
    }

    /// Ends all that is under way, for no round follows soon: nobody is heard, and who leaves is gone.
    pub fn rest(&mut self) {
        self.finish_leaving(true);
        self.sources.clear();
        self.chorus.clear();
        self.shares.clear();
        self.dominant = Dominant::default();
        self.is_crowded = false;
        for (_, member) in self.members.iter_mut() {
            (member.source, member.share) = (None, None);
            (member.key, member.last_key) = Default::default();
            (member.has_listened, member.had_listened) = (false, false);
            member.voice.silence();
        }
    }

    /// Takes out those who have faded, or all who leave.
    fn finish_leaving(&mut self, is_now: bool) {
        while let Some(member) = self.members.take_gone(is_now) {
            self.sources.forget(member.id.place);
            self.left.push_back((member.id, member.seat));
        }
    }
}

/// The bit of a source in a set of them.
const fn mask(source: usize) -> u16 {
    1 << source
}
