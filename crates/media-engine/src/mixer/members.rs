//! Who is in a mixer.

use super::MemberId;
use super::mixes::Key;
use super::seat::Seat;
use super::shares::NOBODY;
use super::voice::Voice;
use crate::Codec;

/// How far somebody is in leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    In,
    /// Has been heard and has heard for the last time.
    Gone,
    /// Fades out, and hears the others fade out, in the next round.
    Leaving,
}

/// One in a mixer. What it brought along lies elsewhere, so that a round over thousands touches little memory.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) id: MemberId,
    pub(super) seat: Box<Seat>,
    pub(super) name: u64,
    pub(super) stay: Stay,
    pub(super) is_muted: bool,
    pub(super) is_in_default_group: bool,
    pub(super) is_private: bool,
    /// Its place among those that are heard.
    pub(super) source: Option<u8>,
    pub(super) voice: Voice,
    /// The round of its last frame.
    pub(super) heard_in: u32,
    /// The last round in which its prompt shared a place with others.
    pub(super) shared_in: u32,
    /// In what it is sent what it hears.
    pub(super) codec: Option<Codec>,
    pub(super) key: Key,
    pub(super) last_key: Key,
    /// Whether it took what it hears, in this round and in the one before.
    pub(super) has_listened: bool,
    pub(super) had_listened: bool,
    pub(super) share: Option<u8>,
    /// Whose encoder made what it was sent last.
    pub(super) followed: u16,
    /// The last round that its encoder has heard.
    pub(super) encoded_in: u32,
}

impl Member {
    fn new(id: MemberId, seat: Box<Seat>) -> Self {
        Self {
            id,
            name: seat.name,
            stay: Stay::In,
            is_muted: seat.is_muted,
            is_in_default_group: seat.audience.is_in_default_group(),
            is_private: seat.audience.is_private(),
            seat,
            source: None,
            voice: Voice::default(),
            heard_in: 0,
            shared_in: 0,
            codec: None,
            key: Key::default(),
            last_key: Key::default(),
            has_listened: false,
            had_listened: false,
            share: None,
            followed: NOBODY,
            encoded_in: 0,
        }
    }

    /// Whether anybody may hear it.
    pub(super) fn is_audible(&self) -> bool {
        self.stay == Stay::In && !self.is_muted && (self.is_in_default_group || self.is_private)
    }
}

/// See the module.
#[derive(Debug)]
pub(super) struct Members {
    all: Vec<Option<Member>>,
    free: Vec<u16>,
    leaving: Vec<u16>,
    max: usize,
    /// How many have joined.
    joined: u32,
}

impl Members {
    pub(super) fn new(max: usize) -> Self {
        let max = max.min(usize::from(NOBODY));
        let (free, leaving) = (Vec::with_capacity(max), Vec::with_capacity(max));
        Self { all: Vec::with_capacity(max), free, leaving, max, joined: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty() && self.all.len() >= self.max
    }

    /// Takes one in; gives the seat back where all places are taken.
    pub(super) fn enter(&mut self, seat: Box<Seat>) -> Result<MemberId, Box<Seat>> {
        if self.is_full() {
            return Err(seat);
        }
        let place = self.free.pop().unwrap_or(self.all.len() as u16);
        let id = MemberId { place, number: self.joined };
        self.joined = self.joined.wrapping_add(1);
        let member = Some(Member::new(id, seat));
        match self.all.get_mut(usize::from(place)) {
            Some(free) => *free = member,
            None => self.all.push(member),
        }
        Ok(id)
    }

    /// Lets one leave with the next round.
    pub(super) fn leave(&mut self, at: u16) {
        if let Some(member) = self.get_mut(at).filter(|member| member.stay == Stay::In) {
            member.stay = Stay::Leaving;
            self.leaving.push(at);
        }
    }

    /// Those on their way out, whose last round begins with this.
    pub(super) fn see_off(&mut self) {
        for at in 0..self.leaving.len() {
            let Some(member) = self.leaving.get(at).copied().and_then(|at| self.get_mut(at)) else {
                continue;
            };
            member.stay = Stay::Gone;
        }
    }

    /// The next of those that are gone; with `is_now` also one that has not faded out.
    pub(super) fn take_gone(&mut self, is_now: bool) -> Option<Member> {
        let is_gone = |at: &u16| {
            let member = self.all.get(usize::from(*at)).and_then(Option::as_ref);
            is_now || member.is_none_or(|member| member.stay == Stay::Gone)
        };
        let at = self.leaving.iter().position(is_gone)?;
        let at = self.leaving.swap_remove(at);
        let member = self.all.get_mut(usize::from(at)).and_then(Option::take)?;
        self.free.push(at);
        Some(member)
    }

    /// The member that is known to the outside by this, unless it is gone.
    pub(super) fn known(&mut self, id: MemberId) -> Option<&mut Member> {
        self.get_mut(id.place).filter(|member| member.id == id)
    }

    pub(super) fn get(&self, at: u16) -> Option<&Member> {
        self.all.get(usize::from(at))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u16) -> Option<&mut Member> {
        self.all.get_mut(usize::from(at))?.as_mut()
    }

    /// The numbers that members have, and some that none has.
    pub(super) fn numbers(&self) -> std::ops::Range<u16> {
        0..self.all.len() as u16
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u16, &mut Member)> {
        (0..).zip(&mut self.all).filter_map(|(at, member)| Some((at, member.as_mut()?)))
    }
}
