//! The mixers of a media thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use media_engine::{Converters, MemberId, Seat};

use super::{MediaThread, contained};
use crate::command::Disposal;
use crate::leg::Leg;
use crate::mixer::{Membership, Mixer};
use crate::{LegId, MixerId};

impl MediaThread {
    pub(super) fn open_mixer(&mut self, mixer: Box<Mixer>) {
        // The number may come back before the close of whoever had it.
        if let Some(Some(old)) = self.mixers.get(mixer.id.index()) {
            self.close_mixer(old.id);
        }
        if let Some(place) = self.mixers.get_mut(mixer.id.index()) {
            *place = Some(mixer);
        }
    }

    pub(super) fn close_mixer(&mut self, id: MixerId) {
        let place = self.mixers.get_mut(id.index());
        let place = place.filter(|mixer| mixer.as_ref().is_some_and(|mixer| mixer.id == id));
        let Some(mixer) = place.and_then(Option::take) else { return };
        if let Some(slot) = mixer.slot {
            self.rota.leave_mixer(id.index() as u32, slot);
        }
        for leg in self.legs.iter_mut().flatten() {
            if leg.membership.is_some_and(|membership| membership.mixer == id) {
                leg.membership = None;
                leg.end_hosted_jobs(&mut self.bench);
            }
        }
        self.bench.disposer.dispose(Disposal::Mixer(mixer));
    }

    pub(super) fn join(&mut self, leg: LegId, mixer: MixerId, seat: Box<Seat>) {
        let is_there = self.leg(leg).is_some() && mixer_mut(&mut self.mixers, mixer).is_some();
        if !is_there {
            return self.bench.disposer.dispose(Disposal::Seat(seat));
        }
        self.move_out(leg);
        let Some(Some(joining)) = self.legs.get_mut(leg.index()) else { return };
        let Some(joined) = mixer_mut(&mut self.mixers, mixer) else { return };
        if let Err(seat) = joined.join(joining, seat) {
            tracing::error!(
                leg.id = leg.as_u64(),
                mixer.id = mixer.as_u64(),
                "no place in a mixer for a leg"
            );
            self.bench.disposer.dispose(Disposal::Seat(seat));
        }
        joined.see_off(&mut self.legs, &mut self.bench);
        self.attend(leg);
        self.weigh(mixer);
    }

    pub(super) fn leave(&mut self, leg: LegId) {
        let Some((mixer, member)) = self.member(leg) else { return };
        mixer.leave(member);
        // It fades out in the round to come, if there is one.
        let id = mixer.id;
        if let Some(mixer) = mixer_mut(&mut self.mixers, id).filter(|mixer| mixer.slot.is_none()) {
            mixer.rest(&mut self.legs, &mut self.bench);
        }
    }

    /// Takes a leg out of the mixer that it leaves for another.
    fn move_out(&mut self, leg: LegId) {
        let Some(Some(leg)) = self.legs.get_mut(leg.index()) else { return };
        let Some(before) = leg.membership.map(|membership| membership.mixer) else { return };
        match mixer_mut(&mut self.mixers, before) {
            Some(mixer) => mixer.forget(leg),
            None => leg.membership = None,
        }
        self.weigh(before);
    }

    /// Lets the mixer of a leg that is closed go on without it.
    pub(super) fn forget_member(&mut self, leg: &mut Leg) {
        let Some(membership) = leg.membership else { return };
        if let Some(mixer) = mixer_mut(&mut self.mixers, membership.mixer) {
            mixer.forget(leg);
        }
        self.weigh(membership.mixer);
    }

    /// The mixer that a leg is in, and its place there.
    pub(super) fn member(&mut self, leg: LegId) -> Option<(&mut Mixer, MemberId)> {
        let membership = self.leg(leg)?.0.membership?;
        Some((mixer_mut(&mut self.mixers, membership.mixer)?, membership.member))
    }

    /// Gives the others' converters for a leg's new rate to its mixer.
    pub(super) fn convert_for_others(&mut self, leg: LegId, converters: Option<Box<Converters>>) {
        let Some(converters) = converters else { return };
        let unused = match self.member(leg) {
            Some((mixer, member)) => mixer.engine.set_converters(member, converters),
            None => Some(converters),
        };
        if let Some(unused) = unused {
            self.bench.disposer.dispose(Disposal::Converters(unused));
        }
    }

    /// Lets the others hear a leg that has just been configured for the first time.
    pub(super) fn connect(&mut self, leg: LegId) {
        let Some(Some(connected)) = self.legs.get_mut(leg.index()) else { return };
        let Some(membership) = connected.membership else { return };
        if let Some(mixer) = mixer_mut(&mut self.mixers, membership.mixer) {
            mixer.connect(connected);
        }
        self.attend(leg);
    }

    /// Sees to it that a leg with something to do gets round to it.
    pub(super) fn attend(&mut self, leg: LegId) {
        let Some(Some(leg)) = self.legs.get_mut(leg.index()) else { return };
        let mixer = leg.membership.and_then(|membership| mixer_mut(&mut self.mixers, membership.mixer));
        let Some(mixer) = mixer else { return leg.end_hosted_jobs(&mut self.bench) };
        mixer.wake(leg);
        if mixer.slot.is_none() && mixer.is_busy(&self.legs) {
            let (id, weight) = (mixer.id, mixer.weight());
            self.catch_up();
            let slot = self.rota.enter_mixer(id.index() as u32, weight);
            if let Some(mixer) = mixer_mut(&mut self.mixers, id) {
                mixer.slot = Some((slot, weight));
            }
        }
    }

    /// Notes what a mixer weighs since its members changed.
    fn weigh(&mut self, mixer: MixerId) {
        let Some(mixer) = mixer_mut(&mut self.mixers, mixer) else { return };
        let weight = mixer.weight();
        if let Some(slot) = &mut mixer.slot {
            self.rota.weigh_mixer(*slot, weight);
            slot.1 = weight;
        }
    }

    /// A mixer's work of one round. A defect in it ends the mixer, not the thread.
    pub(super) fn tick_mixer(&mut self, index: u32, now: Duration) {
        let Some(Some(mixer)) = self.mixers.get_mut(index as usize) else { return };
        let id = mixer.id;
        let work = || mixer.tick(&mut self.legs, now, &mut self.bench, &mut self.closing);
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!(mixer.id = id.as_u64(), "a mixer panicked and is closed");
            return self.close_mixer(id);
        }
        let Some(Some(mixer)) = self.mixers.get_mut(index as usize) else { return };
        if !mixer.is_busy(&self.legs)
            && let Some(slot) = mixer.slot.take()
        {
            mixer.rest(&mut self.legs, &mut self.bench);
            self.rota.leave_mixer(index, slot);
        } else {
            self.weigh(id);
        }
    }

    /// The work of one round of a leg in a mixer; false where it panicked.
    pub(super) fn tick_member(
        &mut self,
        id: LegId,
        membership: Membership,
        times: (Duration, Duration),
    ) -> bool {
        let Some(mixer) = mixer_mut(&mut self.mixers, membership.mixer) else { return true };
        let (legs, bench) = (&mut self.legs, &mut self.bench);
        contained(id, || {
            let others = mixer.for_leg(legs, (id, membership.member));
            if let Some(Some(leg)) = legs.get_mut(id.index()) {
                leg.tick_heard(others, times, bench);
            }
        })
    }
}

/// A mixer by its name.
pub(super) fn mixer_mut(mixers: &mut [Option<Box<Mixer>>], id: MixerId) -> Option<&mut Mixer> {
    mixers.get_mut(id.index())?.as_deref_mut().filter(|mixer| mixer.id == id)
}
