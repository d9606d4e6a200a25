//! Who is due in which slot of the round.

use crate::clock::SLOTS;

/// What a mixer may weigh in one slot: half of it. What is more weighs on the slots that follow, which its work delays.
const MOST_OF_MIXER: u32 = 500;

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

    /// How many mixers are due in a slot.
    pub(crate) fn mixers(&self, slot: usize) -> usize {
        self.mixers.get(slot).map_or(0, Vec::len)
    }

    /// The mixer that is due in a slot after so many others, before all legs.
    pub(crate) fn mixer(&self, slot: usize, number: usize) -> Option<u32> {
        self.mixers.get(slot)?.get(number).copied()
    }

    /// Gives a leg a slot.
    pub(crate) fn enter_leg(&mut self, leg: u32, weight: u32) -> usize {
        let slot = self.least_loaded();
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

    /// Gives a mixer a slot.
    pub(crate) fn enter_mixer(&mut self, mixer: u32, weight: u32) -> usize {
        let slot = self.least_loaded();
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
        let slot = rota.enter_mixer(7, 1_200);
        let legs: Vec<usize> = (0..34).map(|leg| rota.enter_leg(leg, 8)).collect();
        assert!(legs.iter().all(|leg| !(slot..slot + 3).contains(leg)), "{legs:?}");
        assert_eq!(rota.mixer(slot, 0), Some(7));
        assert!(rota.is_used(slot) && !rota.is_used((slot + 1) % SLOTS));
    }

    #[test]
    fn nothing_is_left_when_all_have_left() {
        let mut rota = Rota::new(100);
        let mixer = (rota.enter_mixer(0, 30), 30);
        rota.weigh_mixer(mixer, 700);
        let legs: Vec<usize> = (0..40).map(|leg| rota.enter_leg(leg, 8)).collect();
        assert!(!rota.is_empty());
        for (leg, slot) in (0..).zip(legs) {
            rota.leave_leg(leg, (slot, 8));
        }
        rota.leave_mixer(0, (mixer.0, 700));
        assert!(rota.is_empty() && (0..SLOTS).all(|slot| !rota.is_used(slot)));
    }
}
