//! Whether a member speaks, and how loud.

use crate::level::{VoiceDetector, level_dbfs};
use crate::{Frame, FrameKind};

/// Rounds for which a member counts as speaking after its last voice: 400 ms, longer than the pauses between words.
const HANGOVER: u8 = 20;
/// Rounds for which a member counts as sending after its last sound: half a second, longer than a gap in a bad network.
const PRESENCE: u8 = 25;
/// Softest level; that of digital silence.
const SILENCE_DB: f32 = -100.0;
/// How fast the level falls, in dB a round: far enough in a pause that somebody else gets in.
const FALL_DB: f32 = 1.5;
/// What is softer than this counts as this in the mean, or a pause would outweigh a word.
const FLOOR_DB: f32 = -60.0;
/// What is left of the level of old in the slow mean after a round: it looks back half a second.
const MEMORY: f32 = 0.96;

/// What is known of one member's sound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Voice {
    detector: VoiceDetector,
    /// Rises at once, falls slowly.
    level_db: f32,
    mean_db: f32,
    hangover: u8,
    presence: u8,
    /// Rounds with voice less rounds without, from 0 to [`Self::MAX_RUN`].
    run: u8,
}

impl Default for Voice {
    fn default() -> Self {
        let detector = VoiceDetector::default();
        Self { detector, level_db: SILENCE_DB, mean_db: SILENCE_DB, hangover: 0, presence: 0, run: 0 }
    }
}

impl Voice {
    /// Where [`Self::run`] ends: after a second without voice it is nothing.
    const MAX_RUN: u8 = 50;

    /// Takes the frame of a round; true when there is voice in it.
    pub(super) fn handle_frame(&mut self, frame: &Frame, kind: FrameKind) -> bool {
        let (level, is_voice) = match kind {
            FrameKind::Audio | FrameKind::Concealed => {
                let level = level_dbfs(frame.samples());
                (level, self.detector.handle_level(level))
            }
            FrameKind::Quiet | FrameKind::Silence => (SILENCE_DB, false),
        };
        self.presence = if kind == FrameKind::Silence { self.presence.saturating_sub(1) } else { PRESENCE };
        self.follow(level, is_voice);
        is_voice
    }

    /// Lets a round pass in which nothing came.
    pub(super) fn handle_nothing(&mut self) {
        if self.presence > 0 || self.hangover > 0 || self.run > 0 {
            self.presence = self.presence.saturating_sub(1);
            self.follow(SILENCE_DB, false);
        }
    }

    /// Forgets that it was heard; what is known of the noise on its line stays.
    pub(super) fn silence(&mut self) {
        *self = Self { detector: self.detector, ..Self::default() };
    }

    /// Whether it speaks, short pauses included.
    pub(super) fn is_speaking(&self) -> bool {
        self.hangover > 0
    }

    /// Whether anything comes from it.
    pub(super) fn is_sending(&self) -> bool {
        self.presence > 0
    }

    /// How loud it is, in dB relative to full scale.
    pub(super) fn level_db(&self) -> f32 {
        self.level_db
    }

    /// How loud it was over the last half second.
    pub(super) fn mean_db(&self) -> f32 {
        self.mean_db
    }

    /// How long it has spoken, in rounds, less pauses.
    pub(super) fn run(&self) -> u8 {
        self.run
    }

    fn follow(&mut self, level: f32, is_voice: bool) {
        self.level_db = level.max(self.level_db - FALL_DB);
        self.mean_db = self.mean_db * MEMORY + level.max(FLOOR_DB) * (1.0 - MEMORY);
        if is_voice {
            (self.hangover, self.run) = (HANGOVER, (self.run + 1).min(Self::MAX_RUN));
        } else {
            (self.hangover, self.run) = (self.hangover.saturating_sub(1), self.run.saturating_sub(1));
        }
    }
}
