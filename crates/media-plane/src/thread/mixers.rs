//! The mixers of a media thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use media_engine::{Converters, MemberId, Seat};

use super::{MediaThread, contained};
use crate::command::Disposal;
use crate::leg::Leg;
use crate::mixer::{Membership, Mixer};
use crate::rota::Rota;
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
        self.draw_near(leg);
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
        self.draw_near(leg);
    }

    /// Sees to it that a leg with something to do gets round to it.
    pub(super) fn attend(&mut self, leg: LegId) {
        let Some(Some(leg)) = self.legs.get_mut(leg.index()) else { return };
        let mixer = leg.membership.and_then(|membership| mixer_mut(&mut self.mixers, membership.mixer));
        let Some(mixer) = mixer else { return leg.end_hosted_jobs(&mut self.bench) };
        mixer.wake(leg);
        let before = leg.slot.map(|(slot, _)| slot);
        if mixer.slot.is_none() && mixer.is_busy(&self.legs) {
            let (id, weight) = (mixer.id, mixer.weight());
            self.catch_up();
            let slot = self.rota.enter_mixer(id.index() as u32, weight, before);
            if let Some(mixer) = mixer_mut(&mut self.mixers, id) {
                mixer.slot = Some((slot, weight));
            }
        }
    }

    /// Gives a leg that is new in a small mixer a slot right after the mixer's, so that its far end is sent at once what is
    /// mixed; in a large one that would be too many at once. Its packets come earlier or later from here on, by less than
    /// a frame.
    fn draw_near(&mut self, leg: LegId) {
        let Some((mixer, _)) = self.member(leg).filter(|(mixer, _)| mixer.is_small()) else { return };
        let Some((mixer, _)) = mixer.slot else { return };
        let Some(Some(leg)) = self.legs.get_mut(leg.index()) else { return };
        let Some(place) = leg.slot.filter(|(slot, _)| !Rota::is_right_after(*slot, mixer)) else { return };
        let index = leg.id.index() as u32;
        self.rota.leave_leg(index, place);
        leg.slot = Some((self.rota.enter_leg(index, place.1, Some(mixer)), place.1));
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

#[cfg(test)]
mod tests {
    use super::super::tests::thread;
    use super::*;
    use crate::MixerConfig;
    use crate::command::Command;
    use crate::leg::{Media, Transport};
    use crate::pipe::{PIPED_PEER, Pipe};
    use crate::socket::Receiver;
    use media_engine::{Audience, SampleRate};
    use rtc_proto::sdp::{Direction, Negotiated, OpusFormat};

    fn media() -> Box<Media> {
        let terms = Negotiated {
            remote_rtp: PIPED_PEER,
            remote_rtcp: PIPED_PEER,
            has_rtcp_mux: true,
            codec: rtc_proto::Codec::Pcmu,
            payload_type: 0,
            receive_payload_type: 0,
            telephone_event: None,
            direction: Direction::SendRecv,
            srtp: None,
            ptime_ms: 20,
            opus: OpusFormat::default(),
            audio_level: None,
        };
        Box::new(Media::new(&terms, None).unwrap())
    }

    /// Slots of the legs of a mixer, counted from the mixer's, where they are configured before it is there or after they
    /// have joined.
    fn slots_after_the_mixer(legs: u32, is_configured_first: bool) -> Vec<usize> {
        let (mut thread, mut commands) = thread();
        let mut receiver = Receiver::new();
        let mixer = MixerId::new(1, 0, 0);
        let ids: Vec<LegId> = (0..legs).map(|index| LegId::new(1, 0, index)).collect();
        let mut tell = |thread: &mut MediaThread, command| {
            assert!(commands.push(command).is_ok());
            thread.take_commands(&mut receiver);
        };
        for id in &ids {
            let leg = Leg::new(*id, Transport::Pipe(Pipe::new().unwrap().0));
            tell(&mut thread, Command::Open(Box::new(leg)));
            if is_configured_first {
                tell(&mut thread, Command::Configure(*id, media()));
            }
        }
        tell(&mut thread, Command::OpenMixer(Box::new(Mixer::new(mixer, MixerConfig::default()))));
        for id in &ids {
            let seat = Seat::new(id.as_u64(), Some(SampleRate::Hz8000), Audience::default(), false);
            tell(&mut thread, Command::Join(*id, mixer, Box::new(seat)));
            if !is_configured_first {
                tell(&mut thread, Command::Configure(*id, media()));
            }
        }
        let at = mixer_mut(&mut thread.mixers, mixer).unwrap().slot.unwrap().0;
        let slots = thread.legs.iter().flatten().filter_map(|leg| leg.slot);
        slots.map(|(slot, _)| (slot + crate::clock::SLOTS - at) % crate::clock::SLOTS).collect()
    }

    #[test]
    fn legs_of_a_call_come_right_after_its_mixer() {
        for legs in 1..=4 {
            for is_configured_first in [true, false] {
                let slots = slots_after_the_mixer(legs, is_configured_first);
                assert_eq!(slots.len(), legs as usize);
                assert!(slots.iter().all(|slot| Rota::is_right_after(*slot, 0)), "{slots:?}");
            }
        }
    }

    #[test]
    fn legs_of_a_meeting_are_spread() {
        let slots = slots_after_the_mixer(8, true);
        assert!(slots[4..].iter().all(|slot| !slots[..4].contains(slot)), "{slots:?}");
    }
}
