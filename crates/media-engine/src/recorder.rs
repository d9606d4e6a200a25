//! The decisions of a recording: when it ends and why, and its sound at 16 kHz.

use std::time::Duration;

use crate::level::VoiceDetector;
use crate::resample::FrameConverter;
use crate::{FRAME_MS, Frame, SampleRate, Tone, ToneSet};

/// Frames of voice in a row that count as speech; shorter sounds are clicks.
const FRAMES_OF_SPEECH: u32 = 3;

/// When a recording ends.
#[derive(Clone, Copy, Debug)]
pub struct RecorderConfig {
    /// Rate of the leg's frames.
    pub rate: SampleRate,
    /// How long nobody may begin to speak.
    pub initial_silence: Duration,
    /// How long a pause may be after somebody has spoken.
    pub max_silence: Duration,
    /// How long the recording may be.
    pub max_duration: Duration,
    /// Keys that end it.
    pub stop_tones: ToneSet,
}

/// Why a recording ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordOutcome {
    /// The caller ended it.
    Cancelled,
    /// Nobody began to speak in time.
    InitialSilence,
    /// The longest duration was reached.
    MaxDuration,
    /// The pause was too long.
    MaxSilence,
    /// A stop tone was pressed.
    StopTone(Tone),
}

/// What a frame did to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordStep {
    /// The frame was recorded and ended the recording.
    Ended(RecordOutcome),
    /// The recording had ended before; nothing was written.
    Idle,
    /// The frame was recorded.
    Recorded,
}

/// Records one leg.
///
/// Feed every frame and every key of the leg; write `out` to the file whenever a step says that it was recorded.
#[derive(Debug)]
pub struct Recorder {
    converter: FrameConverter,
    detector: VoiceDetector,
    initial_silence: u32,
    max_silence: u32,
    max_duration: u32,
    stop_tones: ToneSet,
    frames: u32,
    voiced_run: u32,
    silent_run: u32,
    has_spoken: bool,
    outcome: Option<RecordOutcome>,
}

impl Recorder {
    /// The rate of the recorded sound.
    pub const RATE: SampleRate = SampleRate::Hz16000;

    /// A recording that begins with the next frame.
    #[must_use]
    pub fn new(config: RecorderConfig) -> Self {
        Self {
            converter: FrameConverter::new(config.rate, Self::RATE),
            detector: VoiceDetector::default(),
            initial_silence: frames_in(config.initial_silence),
            max_silence: frames_in(config.max_silence),
            max_duration: frames_in(config.max_duration),
            stop_tones: config.stop_tones,
            frames: 0,
            voiced_run: 0,
            silent_run: 0,
            has_spoken: false,
            outcome: None,
        }
    }

    /// Records the next 20 ms of the leg; `out` gets them at [`Self::RATE`] unless the step is idle.
    pub fn handle_frame(&mut self, frame: &Frame, out: &mut Frame) -> RecordStep {
        if self.outcome.is_some() {
            return RecordStep::Idle;
        }
        self.converter.convert(frame, out);
        self.frames += 1;
        self.follow_voice(frame);
        self.outcome = if self.frames >= self.max_duration {
            Some(RecordOutcome::MaxDuration)
        } else if !self.has_spoken && self.silent_run >= self.initial_silence {
            Some(RecordOutcome::InitialSilence)
        } else if self.has_spoken && self.silent_run >= self.max_silence {
            Some(RecordOutcome::MaxSilence)
        } else {
            None
        };
        self.outcome.map_or(RecordStep::Recorded, RecordStep::Ended)
    }

    /// Takes a key of the leg; returns the outcome when it ends the recording.
    pub fn handle_tone(&mut self, tone: Tone) -> Option<RecordOutcome> {
        let ends = self.outcome.is_none() && self.stop_tones.contains(tone);
        ends.then(|| *self.outcome.insert(RecordOutcome::StopTone(tone)))
    }

    /// Ends the recording, unless it has ended; returns why it ended.
    pub fn cancel(&mut self) -> RecordOutcome {
        *self.outcome.get_or_insert(RecordOutcome::Cancelled)
    }

    /// Why it ended, once it has.
    #[must_use]
    pub fn outcome(&self) -> Option<RecordOutcome> {
        self.outcome
    }

    /// How much has been recorded.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_millis(u64::from(self.frames) * u64::from(FRAME_MS))
    }

    /// True once somebody has spoken.
    #[must_use]
    pub fn has_spoken(&self) -> bool {
        self.has_spoken
    }

    fn follow_voice(&mut self, frame: &Frame) {
        self.silent_run += 1;
        if self.detector.handle_frame(frame) {
            self.voiced_run += 1;
        } else {
            self.voiced_run = 0;
        }
        if self.voiced_run >= FRAMES_OF_SPEECH {
            self.has_spoken = true;
            self.silent_run = 0;
        }
    }
}

/// Whole frames that cover a duration; at least one.
fn frames_in(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(u128::from(FRAME_MS))).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ToneGenerator;
    use crate::analysis::amplitude_at;

    /// Amplitudes and milliseconds.
    type Parts<'a> = &'a [(i16, u32)];

    fn recorder(initial_s: u64, silence_s: u64, duration_s: u64) -> Recorder {
        Recorder::new(RecorderConfig {
            rate: SampleRate::Hz8000,
            initial_silence: Duration::from_secs(initial_s),
            max_silence: Duration::from_secs(silence_s),
            max_duration: Duration::from_secs(duration_s),
            stop_tones: [Tone::Pound].into_iter().collect(),
        })
    }

    /// Feeds parts of (amplitude, milliseconds); returns when and why it ended, and the sound.
    fn run(recorder: &mut Recorder, parts: Parts) -> (u64, Option<RecordOutcome>, Vec<i16>) {
        let mut sound = Vec::new();
        let mut out = Frame::silence(SampleRate::Hz16000);
        for (amplitude, ms) in parts {
            let mut generator = ToneGenerator::sine(500.0, *amplitude);
            for _ in 0..ms / FRAME_MS {
                let mut frame = Frame::silence(SampleRate::Hz8000);
                generator.fill(&mut frame);
                if recorder.handle_frame(&frame, &mut out) != RecordStep::Idle {
                    sound.extend_from_slice(out.samples());
                }
            }
        }
        (recorder.duration().as_millis() as u64, recorder.outcome(), sound)
    }

    #[test]
    fn timelines_end_for_their_documented_reason() {
        let rows: [(Parts, u64, RecordOutcome); 5] = [
            (&[(0, 9000)], 3000, RecordOutcome::InitialSilence),
            (&[(0, 1000), (6000, 1000), (0, 9000)], 4000, RecordOutcome::MaxSilence),
            (&[(6000, 1000), (0, 1900), (6000, 1000), (0, 9000)], 5900, RecordOutcome::MaxSilence),
            (&[(6000, 20_000)], 10_000, RecordOutcome::MaxDuration),
            (&[(0, 1000), (6000, 40), (0, 9000)], 3000, RecordOutcome::InitialSilence),
        ];
        for (parts, ended_ms, outcome) in rows {
            let (ms, why, sound) = run(&mut recorder(3, 2, 10), parts);
            assert_eq!((ms, why), (ended_ms, Some(outcome)), "{parts:?}");
            assert_eq!(sound.len() as u64, ended_ms * 16);
        }
    }

    #[test]
    fn a_stop_tone_ends_it_once_and_other_keys_do_not() {
        let mut recorder = recorder(3, 2, 10);
        run(&mut recorder, &[(6000, 500)]);
        assert_eq!(recorder.handle_tone(Tone::Tone1), None);
        assert_eq!(recorder.handle_tone(Tone::Pound), Some(RecordOutcome::StopTone(Tone::Pound)));
        assert_eq!(recorder.handle_tone(Tone::Pound), None);
        assert_eq!(recorder.cancel(), RecordOutcome::StopTone(Tone::Pound));
        assert_eq!(run(&mut recorder, &[(6000, 500)]).2, []);
    }

    #[test]
    fn cancelling_ends_it() {
        let mut recorder = recorder(3, 2, 10);
        assert_eq!(recorder.cancel(), RecordOutcome::Cancelled);
    }

    #[test]
    fn the_sound_is_kept_at_sixteen_kilohertz() {
        let (_, _, sound) = run(&mut recorder(3, 2, 10), &[(6000, 1000)]);
        assert!((amplitude_at(&sound[1600..14_400], 500.0, 16_000) - 6000.0).abs() < 60.0);
    }
}
