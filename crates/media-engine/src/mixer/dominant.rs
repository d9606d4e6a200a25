//! Who leads the conversation.

/// Rounds of voice before somebody can be the dominant speaker: 300 ms, more than a cough.
const LEAST_RUN: u8 = 15;
/// Rounds for which somebody else has to be the loudest: 300 ms.
const CHALLENGE: u8 = 15;
/// How much louder somebody else has to be while the dominant speaker speaks.
const MARGIN_DB: f32 = 3.0;
/// Rounds without voice after which nobody is dominant: two seconds.
const PATIENCE: u8 = 100;

/// What counts of one who is heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker {
    pub(super) name: u64,
    /// Over the last half second.
    pub(super) mean_db: f32,
    /// Rounds with voice, less those without.
    pub(super) run: u8,
    pub(super) is_speaking: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Dominant {
    current: Option<u64>,
    challenger: Option<u64>,
    rounds: u8,
    silent: u8,
}

impl Dominant {
    pub(super) fn current(&self) -> Option<u64> {
        self.current
    }

    /// Forgets one who has left or must not be heard.
    pub(super) fn forget(&mut self, name: u64) {
        if self.current == Some(name) {
            *self = Self::default();
        }
    }

    /// Looks at those that are heard in this round.
    pub(super) fn observe(&mut self, speakers: impl Iterator<Item = Speaker> + Clone) {
        let current = speakers.clone().find(|speaker| Some(speaker.name) == self.current);
        let is_speaking = current.is_some_and(|current| current.is_speaking);
        self.silent = if is_speaking { 0 } else { self.silent.saturating_add(1) };
        if self.silent >= PATIENCE {
            self.current = None;
        }
        let others = speakers.filter(|speaker| {
            Some(speaker.name) != self.current && speaker.is_speaking && speaker.run >= LEAST_RUN
        });
        let loudest = others.max_by(|a, b| a.mean_db.total_cmp(&b.mean_db));
        let floor = current.filter(|_| is_speaking).map_or(f32::MIN, |current| current.mean_db + MARGIN_DB);
        let Some(loudest) = loudest.filter(|loudest| loudest.mean_db > floor) else {
            (self.challenger, self.rounds) = (None, 0);
            return;
        };
        if self.challenger == Some(loudest.name) {
            self.rounds = self.rounds.saturating_add(1);
        } else {
            (self.challenger, self.rounds) = (Some(loudest.name), 1);
        }
        // Nobody has to wait for the end of one who has stopped, or where nobody leads.
        if !is_speaking || self.rounds >= CHALLENGE {
            *self = Self { current: Some(loudest.name), ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of speakers as (name, level), each of whom has spoken for as long as it is listed.
    fn run(dominant: &mut Dominant, rounds: u32, speakers: &[(u64, f32)], before: &mut [u8; 10]) -> u32 {
        let mut changed = 0;
        for round in 1..=rounds {
            for (name, run) in before.iter_mut().enumerate() {
                let speaks = speakers.iter().any(|(speaker, _)| *speaker == name as u64);
                *run = if speaks { (*run + 1).min(50) } else { run.saturating_sub(1) };
            }
            let was = dominant.current();
            let heard = speakers.iter().map(|(name, mean_db)| Speaker {
                name: *name,
                mean_db: *mean_db,
                run: before[*name as usize],
                is_speaking: true,
            });
            dominant.observe(heard);
            if dominant.current() != was {
                changed = round;
            }
        }
        changed
    }

    #[test]
    fn somebody_leads_after_a_third_of_a_second_of_voice() {
        let (mut dominant, mut runs) = (Dominant::default(), [0; 10]);
        assert_eq!(run(&mut dominant, 40, &[(1, -30.0)], &mut runs), 15);
        assert_eq!(dominant.current(), Some(1));
    }

    #[test]
    fn who_leads_is_replaced_by_a_clearly_louder_one_only() {
        let (mut dominant, mut runs) = (Dominant::default(), [0; 10]);
        run(&mut dominant, 40, &[(1, -30.0)], &mut runs);
        assert_eq!(run(&mut dominant, 100, &[(1, -30.0), (2, -28.0)], &mut runs), 0);
        let changed = run(&mut dominant, 100, &[(1, -30.0), (2, -20.0)], &mut runs);
        assert_eq!((changed, dominant.current()), (15, Some(2)));
    }

    #[test]
    fn a_cough_changes_nothing_and_an_answer_does() {
        let (mut dominant, mut runs) = (Dominant::default(), [0; 10]);
        run(&mut dominant, 40, &[(1, -30.0)], &mut runs);
        assert_eq!(run(&mut dominant, 10, &[(1, -30.0), (3, -5.0)], &mut runs), 0);
        assert_eq!(run(&mut dominant, 60, &[(4, -40.0)], &mut runs), 15);
        assert_eq!(dominant.current(), Some(4));
    }

    #[test]
    fn nobody_leads_after_two_seconds_without_voice_or_when_the_leader_is_gone() {
        let (mut dominant, mut runs) = (Dominant::default(), [0; 10]);
        run(&mut dominant, 40, &[(1, -30.0)], &mut runs);
        assert_eq!(run(&mut dominant, 300, &[], &mut runs), 100);
        run(&mut dominant, 40, &[(1, -30.0)], &mut runs);
        dominant.forget(2);
        assert_eq!(dominant.current(), Some(1));
        dominant.forget(1);
        assert_eq!(dominant.current(), None);
    }
}
