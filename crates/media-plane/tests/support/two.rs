//! Legs on two media threads.

use std::time::Duration;

use media_engine::analysis::amplitude_at;
use media_plane::{Config, LegId, MediaEvent, MemberConfig, MixerConfig, MixerId, ToneSound};
use rtc_proto::Codec;

use super::meeting::{CAPTURE, LAP, MS, SPOKEN, TONE};
use super::{Rig, config};

/// Two media threads, a mixer on each, and a leg that measures time.
pub(crate) struct Two {
    pub(crate) rig: Rig,
    pub(crate) mixers: [MixerId; 2],
    timer: LegId,
    /// The far end of the timer.
    other: LegId,
}

impl Two {
    pub(crate) fn new() -> Self {
        Self::with(Config { threads: 2, ..config() })
    }

    pub(crate) fn with(config: Config) -> Self {
        let rig = Rig::with(config);
        let (timer, other) = rig.pair(Codec::Pcmu, None);
        let mixers = [timer, other]
            .map(|leg| rig.plane.open_mixer(MixerConfig::default(), Some(leg.leg)).expect("mixer"));
        assert!(!timer.leg.can_join(mixers[1]), "they are on one thread");
        Self { rig, mixers, timer: timer.leg, other: other.leg }
    }

    /// Brings a leg to the thread on which it is not.
    pub(crate) fn across(&self, leg: LegId) -> LegId {
        let there = self.mixers.into_iter().find(|mixer| !leg.can_join(*mixer)).expect("another thread");
        let moved = self.rig.plane.bring(leg, there).expect("bring");
        assert!(moved.can_join(there) && moved != leg);
        moved
    }

    /// Lets a leg join the mixer of the thread that it is on.
    pub(crate) fn join(&self, leg: LegId) {
        let here = self.mixers.into_iter().find(|mixer| leg.can_join(*mixer)).expect("a mixer");
        self.rig.plane.join(leg, here, MemberConfig::default()).expect("join");
    }

    pub(crate) fn pass(&mut self, duration: Duration) {
        let lap = ToneSound { frequency_hz: 1.0, amplitude: 1, duration: Some(duration) };
        self.rig.plane.play_tone(self.timer, LAP, lap).expect("lap");
        self.rig.job_done(self.timer, LAP);
    }

    pub(crate) fn speak(&self, leg: LegId, pitch: f32) {
        let sound = ToneSound { frequency_hz: pitch, amplitude: SPOKEN, duration: None };
        self.rig.plane.play_tone(leg, TONE, sound).expect("tone");
    }

    /// How loud a pitch is to a leg in the half second that comes.
    pub(crate) fn level(&mut self, leg: LegId, pitch: f32) -> f64 {
        self.rig.capture(leg, CAPTURE, &format!("moves-{}-{pitch}", leg.as_u64()));
        self.pass(500 * MS);
        let heard = self.rig.captured(leg, CAPTURE);
        amplitude_at(&heard[heard.len() - 3_200..], pitch.into(), 16_000)
    }

    pub(crate) fn moved(&mut self, leg: LegId, to: LegId) {
        let wanted = MediaEvent::Moved { leg, to };
        if !self.rig.seen.contains(&wanted) {
            self.rig.wait(|event| (*event == wanted).then_some(()));
        }
    }

    /// Who has been said to hear something for the first time.
    pub(crate) fn flowing(&self) -> Vec<LegId> {
        let flowing = |event: &MediaEvent| match event {
            MediaEvent::Flowing { leg } if ![self.timer, self.other].contains(leg) => Some(*leg),
            _ => None,
        };
        self.rig.seen.iter().filter_map(flowing).collect()
    }

    /// What was said of a leg so far.
    pub(crate) fn said_of(&self, leg: LegId) -> Vec<&MediaEvent> {
        let is_of = |event: &&MediaEvent| match event {
            MediaEvent::Closed { leg: at, .. }
            | MediaEvent::Flowing { leg: at }
            | MediaEvent::JobDone { leg: at, .. }
            | MediaEvent::Lost { leg: at }
            | MediaEvent::Moved { leg: at, .. }
            | MediaEvent::Sampled { leg: at, .. }
            | MediaEvent::Tone { leg: at, .. } => *at == leg,
            MediaEvent::Dominant { .. } => false,
        };
        self.rig.seen.iter().filter(is_of).collect()
    }
}
