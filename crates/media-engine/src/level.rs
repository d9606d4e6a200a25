//! How loud a frame is, and whether somebody speaks in it.

use crate::Frame;

/// The level of digital silence; also the lowest level that is reported.
const SILENCE_DB: f32 = -100.0;
/// Noise floor before anything was heard.
const INITIAL_FLOOR_DB: f32 = -60.0;
/// The floor never rises above this, so that steady loud sound, such as a test tone, stays "voice".
const HIGHEST_FLOOR_DB: f32 = -36.0;
/// How fast the floor follows rising noise: 3 dB a second, slower than any pause between words lasts.
const FLOOR_RISE_DB: f32 = 0.06;
/// How fast the floor follows falling noise, as a share of the distance per frame.
const FLOOR_FALL: f32 = 0.2;
/// How far over the floor a frame must be to be voice.
const VOICE_OVER_FLOOR_DB: f32 = 9.0;
/// Nothing softer than this is voice.
pub(crate) const QUIETEST_VOICE_DB: f32 = -50.0;

/// The level of the samples in dB relative to full scale: 0 is a square wave at the limit, silence is -100.
#[must_use]
pub fn level_dbfs(samples: &[i16]) -> f32 {
    let sum: f32 = samples.iter().map(|x| f32::from(*x) * f32::from(*x)).sum();
    let mean = sum / samples.len().max(1) as f32;
    (10.0 * (mean / (32_768.0 * 32_768.0)).max(1e-10).log10()).max(SILENCE_DB)
}

/// Smoothed and peak level of a stream of frames.
#[derive(Clone, Copy, Debug)]
pub struct LevelMeter {
    smoothed_db: f32,
    peak: u16,
}

impl Default for LevelMeter {
    fn default() -> Self {
        Self { smoothed_db: SILENCE_DB, peak: 0 }
    }
}

impl LevelMeter {
    /// Takes the next frame; rises at once, falls by at most 2 dB a frame.
    pub fn handle_frame(&mut self, frame: &Frame) {
        let level = level_dbfs(frame.samples());
        self.smoothed_db = level.max(self.smoothed_db - 2.0);
        let peak = frame.samples().iter().map(|x| x.unsigned_abs()).max().unwrap_or(0);
        self.peak = self.peak.max(peak);
    }

    /// The level in dB relative to full scale, -100 to 0.
    #[must_use]
    pub fn level_dbfs(&self) -> f32 {
        self.smoothed_db
    }

    /// The level as the audio-level header extension carries it: 0 (loudest) to 127 (RFC 6464, 3).
    #[must_use]
    pub fn rfc6464_level(&self) -> u8 {
        (-self.smoothed_db).clamp(0.0, 127.0) as u8
    }

    /// The largest sample since the previous call.
    pub fn take_peak(&mut self) -> u16 {
        std::mem::take(&mut self.peak)
    }
}

/// Tells voice from background noise by level, against a noise floor that follows the line.
#[derive(Clone, Copy, Debug)]
pub struct VoiceDetector {
    floor_db: f32,
}

impl Default for VoiceDetector {
    fn default() -> Self {
        Self { floor_db: INITIAL_FLOOR_DB }
    }
}

impl VoiceDetector {
    /// Takes the next frame and tells whether it sounds like voice.
    pub fn handle_frame(&mut self, frame: &Frame) -> bool {
        self.handle_level(level_dbfs(frame.samples()))
    }

    /// Takes the level of the next frame, in dB relative to full scale, and tells whether it sounds like voice.
    pub fn handle_level(&mut self, level: f32) -> bool {
        let is_voice = level > QUIETEST_VOICE_DB && level > self.floor_db + VOICE_OVER_FLOOR_DB;
        if level < self.floor_db {
            self.floor_db += (level - self.floor_db) * FLOOR_FALL;
        } else {
            self.floor_db = (self.floor_db + FLOOR_RISE_DB).min(HIGHEST_FLOOR_DB).min(level);
        }
        is_voice
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SampleRate, ToneGenerator};

    fn tone_frame(amplitude: i16) -> Frame {
        let mut frame = Frame::silence(SampleRate::Hz8000);
        ToneGenerator::sine(400.0, amplitude).fill(&mut frame);
        frame
    }

    #[test]
    fn levels_are_relative_to_full_scale() {
        assert!((level_dbfs(&[i16::MIN; 100])).abs() < 0.01);
        assert!((level_dbfs(tone_frame(3277).samples()) + 23.0).abs() < 0.1);
        assert!((level_dbfs(&[0; 100]) + 100.0).abs() < 0.01);
        assert!((level_dbfs(&[]) + 100.0).abs() < 0.01);
    }

    #[test]
    fn the_meter_rises_at_once_and_falls_slowly() {
        let mut meter = LevelMeter::default();
        meter.handle_frame(&tone_frame(10_000));
        assert!((meter.level_dbfs() + 13.3).abs() < 0.2);
        assert_eq!(meter.rfc6464_level(), 13);
        meter.handle_frame(&tone_frame(0));
        assert!((meter.level_dbfs() + 15.3).abs() < 0.2);
        assert!(meter.take_peak() > 9_900);
        assert_eq!(meter.take_peak(), 0);
    }

    #[test]
    fn steady_noise_stops_being_voice_and_speech_above_it_is_voice() {
        let mut detector = VoiceDetector::default();
        let noise = tone_frame(400);
        for _ in 0..300 {
            detector.handle_frame(&noise);
        }
        assert!(!detector.handle_frame(&noise));
        assert!(detector.handle_frame(&tone_frame(2500)));
    }

    #[test]
    fn a_loud_steady_tone_stays_voice() {
        let mut detector = VoiceDetector::default();
        assert!((0..3000).all(|_| detector.handle_frame(&tone_frame(4000))));
    }
}
