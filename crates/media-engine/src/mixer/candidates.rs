//! Who would like to be heard in this round and is not yet: the loudest of them, with their frames.

use crate::{Frame, MAX_TALKERS, SampleRate};

/// Puts anybody who speaks before everybody who does not.
const VOICE_DB: f32 = 1_000.0;

/// One who would like to be heard.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) member: u16,
    /// Whether there is voice in the frame, rather than some other sound.
    pub(super) has_voice: bool,
    pub(super) level_db: f32,
    pub(super) frame: Frame,
}

/// As many as can be heard at once, the loudest first.
#[derive(Debug)]
pub(super) struct Candidates {
    all: Vec<Candidate>,
    count: usize,
}

impl Candidates {
    pub(super) fn new() -> Self {
        let none = || Candidate {
            member: 0,
            has_voice: false,
            level_db: 0.0,
            frame: Frame::silence(SampleRate::Hz8000),
        };
        Self { all: std::iter::repeat_with(none).take(MAX_TALKERS).collect(), count: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.count = 0;
    }

    /// Takes one, unless enough are there who are louder.
    pub(super) fn offer(&mut self, member: u16, has_voice: bool, level_db: f32, frame: &Frame) {
        let rank = rank(has_voice, level_db);
        let present = self.all.get(..self.count).unwrap_or_default();
        let place = present.iter().position(|other| rank > rank_of(other)).unwrap_or(self.count);
        if place >= self.all.len() {
            return;
        }
        self.count = (self.count + 1).min(self.all.len());
        // The last one, free or the softest, moves up and is written over.
        let moved = self.all.get_mut(place..self.count).unwrap_or_default();
        moved.rotate_right(1);
        if let Some(candidate) = moved.first_mut() {
            (candidate.member, candidate.has_voice, candidate.level_db) = (member, has_voice, level_db);
            candidate.frame.copy_from(frame);
        }
    }

    pub(super) fn get(&self, at: usize) -> Option<&Candidate> {
        self.all.get(at).filter(|_| at < self.count)
    }
}

fn rank_of(candidate: &Candidate) -> f32 {
    rank(candidate.has_voice, candidate.level_db)
}

fn rank(has_voice: bool, level_db: f32) -> f32 {
    if has_voice { level_db + VOICE_DB } else { level_db }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loudest_are_kept_and_voice_comes_first() {
        let mut candidates = Candidates::new();
        let mut frame = Frame::silence(SampleRate::Hz8000);
        for member in 0..20_u16 {
            frame.samples_mut().fill(member as i16);
            candidates.offer(member, member % 5 == 0, -f32::from(member * 7 % 20), &frame);
        }
        let kept = (0..9).map_while(|at| candidates.get(at));
        let members: Vec<u16> = kept
            .inspect(|kept| assert_eq!(kept.frame.samples()[0], kept.member as i16))
            .map(|kept| kept.member)
            .collect();
        assert_eq!(members, [0, 15, 10, 5, 3, 6]);
        candidates.clear();
        assert!(candidates.get(0).is_none());
    }
}
