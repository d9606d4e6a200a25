//! Who is due in which slot of the round.

use crate::clock::SLOTS;

/// What a mixer may weigh in one slot: half of it. What is more weighs on the slots that follow, which its work delays.
const MOST_OF_MIXER: u32 = 500;

/// Slots among which a leg and its small mixer find each other, that of the mixer first: what is mixed waits for no more than
/// the others of these.
const NEAR: usize = 3;
/// Differences of load below this are not worth a slot further away.
const NOTICEABLE: u32 = 250;

/// The places of a round. Each leg and mixer gets the least loaded slot, so that a thousand packets do not pile up on one
/// instant. Weights are in microseconds, roughly.
#[derive(Debug)]
pub(crate) struct Rota {
    legs: [Vec<u32>; SLOTS],
    mixers: [Vec<u32>; SLOTS],
    loads: [u32; SLOTS],
}

impl Rota {
    /// With room for so many of each.
    pub(crate) fn new(max: usize) -> Self {
        let places = || std::array::from_fn(|_| Vec::with_capacity(max));
        Self { legs: places(), mixers: places(), loads: [0; SLOTS] }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.loads.iter().all(|load| *load == 0)
    }

    /// Whether anybody is due in a slot.
    pub(crate) fn is_used(&self, slot: usize) -> bool {
        self.leg(slot, 0).is_some() || self.mixer(slot, 0).is_some()
    }

    /// The leg that is due in a slot after so many others.
    pub(crate) fn leg(&self, slot: usize, number: usize) -> Option<u32> {
        self.legs.get(slot)?.get(number).copied()
    }

    /// Whether a leg in the one slot comes as soon after a mixer in the other as legs of small mixers do.
    pub(crate) const fn is_right_after(leg: usize, mixer: usize) -> bool {
        (leg + SLOTS - mixer) % SLOTS < NEAR
    }

    /// How many mixers are due in a slot.
    pub(crate) fn mixers(&self, slot: usize) -> usize {
        self.mixers.get(slot).map_or(0, Vec::len)
    }

    /// The mixer that is due in a slot after so many others, before all legs.
    pub(crate) fn mixer(&self, slot: usize, number: usize) -> Option<u32> {
        self.mixers.get(slot)?.get(number).copied()
    }

    /// Gives a leg the least loaded slot, or one that comes right after the mixer in the slot that is named.
    pub(crate) fn enter_leg(&mut self, leg: u32, weight: u32, after: Option<usize>) -> usize {
        let near = |mixer| self.roomiest((0..NEAR).map(|ahead| (mixer + ahead) % SLOTS));
        let slot = after.map_or_else(|| self.least_loaded(), near);
        self.load(slot, weight);
        if let Some(legs) = self.legs.get_mut(slot) {
            legs.push(leg);
        }
        slot
    }

    pub(crate) fn leave_leg(&mut self, leg: u32, (slot, weight): (usize, u32)) {
        self.unload(slot, weight);
        if let Some(legs) = self.legs.get_mut(slot) {
            legs.retain(|other| *other != leg);
        }
    }

    /// Gives a mixer the least loaded slot, or one that comes right before the leg in the slot that is named.
    pub(crate) fn enter_mixer(&mut self, mixer: u32, weight: u32, before: Option<usize>) -> usize {
        let near = |leg| self.roomiest((0..NEAR).map(|back| (leg + SLOTS - back) % SLOTS));
        let slot = before.map_or_else(|| self.least_loaded(), near);
        self.weigh_mixer((slot, 0), weight);
        if let Some(mixers) = self.mixers.get_mut(slot) {
            mixers.push(mixer);
        }
        slot
    }

    pub(crate) fn leave_mixer(&mut self, mixer: u32, (slot, weight): (usize, u32)) {
        self.weigh_mixer((slot, weight), 0);
        if let Some(mixers) = self.mixers.get_mut(slot) {
            mixers.retain(|other| *other != mixer);
        }
    }

    /// Changes what a mixer weighs, which may be more than one slot has room for.
    pub(crate) fn weigh_mixer(&mut self, (slot, before): (usize, u32), now: u32) {
        for (ahead, part) in parts(before) {
            self.unload((slot + ahead) % SLOTS, part);
        }
        for (ahead, part) in parts(now) {
            self.load((slot + ahead) % SLOTS, part);
        }
    }

    fn least_loaded(&self) -> usize {
        (0..SLOTS).min_by_key(|slot| self.loads.get(*slot)).unwrap_or(0)
    }

    /// The first of these slots that is not noticeably fuller than another.
    fn roomiest(&self, slots: impl Iterator<Item = usize>) -> usize {
        slots.min_by_key(|slot| self.loads.get(*slot).map(|load| load / NOTICEABLE)).unwrap_or(0)
    }

    fn load(&mut self, slot: usize, weight: u32) {
        if let Some(load) = self.loads.get_mut(slot) {
            *load += weight;
        }
    }

    fn unload(&mut self, slot: usize, weight: u32) {
        if let Some(load) = self.loads.get_mut(slot) {
            *load = load.saturating_sub(weight);
        }
    }
}

/// A mixer's weight, slot by slot.
fn parts(weight: u32) -> impl Iterator<Item = (usize, u32)> {
    let count = weight.div_ceil(MOST_OF_MIXER).min(SLOTS as u32);
    (0..count).map(move |n| (n as usize, (weight - n * MOST_OF_MIXER).min(MOST_OF_MIXER)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legs_keep_out_of_the_way_of_a_large_mixer() {
        let mut rota = Rota::new(100);
        let slot = rota.enter_mixer(7, 1_200, None);
        let legs: Vec<usize> = (0..34).map(|leg| rota.enter_leg(leg, 8, None)).collect();
        assert!(legs.iter().all(|leg| !(slot..slot + 3).contains(leg)), "{legs:?}");
        assert_eq!(rota.mixer(slot, 0), Some(7));
        assert!(rota.is_used(slot) && !rota.is_used((slot + 1) % SLOTS));
    }

    #[test]
    fn a_leg_comes_after_its_mixer_and_all_slots_are_loaded_alike() {
        let mut rota = Rota::new(1000);
        for call in 0..500 {
            // Some are answered before they have a mixer, some after.
            let (mixer, leg) = if call % 2 == 0 {
                let mixer = rota.enter_mixer(call, 4, None);
                (mixer, rota.enter_leg(call, 8, Some(mixer)))
            } else {
                let leg = rota.enter_leg(call, 8, None);
                (rota.enter_mixer(call, 4, Some(leg)), leg)
            };
            assert!(Rota::is_right_after(leg, mixer), "mixer {mixer}, leg {leg}");
        }
        let (least, most) = (rota.loads.iter().min().unwrap(), rota.loads.iter().max().unwrap());
        assert!(most - least <= 24, "{least} to {most}");
    }

    #[test]
    fn a_full_slot_sends_legs_to_the_ones_that_follow() {
        let mut rota = Rota::new(100);
        assert_eq!(rota.enter_mixer(0, 4, None), 0);
        assert_eq!([0, 1].map(|leg| rota.enter_leg(leg, 300, Some(0))), [0, 1]);
        assert_eq!(rota.enter_leg(2, 8, Some(0)), 2);
        assert_eq!(rota.enter_mixer(1, 4, Some(1)), SLOTS - 1);
    }

    #[test]
    fn nothing_is_left_when_all_have_left() {
        let mut rota = Rota::new(100);
        let mixer = (rota.enter_mixer(0, 30, None), 30);
        rota.weigh_mixer(mixer, 700);
        let legs: Vec<usize> = (0..40).map(|leg| rota.enter_leg(leg, 8, None)).collect();
        assert!(!rota.is_empty());
        for (leg, slot) in (0..).zip(legs) {
            rota.leave_leg(leg, (slot, 8));
        }
        rota.leave_mixer(0, (mixer.0, 700));
        assert!(rota.is_empty() && (0..SLOTS).all(|slot| !rota.is_used(slot)));
    }
}
