//! The media thread's half of a recording: frames go in, samples go into a ring that the file thread empties.

use std::time::Duration;

use media_engine::{FRAME_MS, Frame, FrameConverter, RecordStep, Recorder, RecorderConfig, SampleRate, Tone};
use rtrb::Producer;

use crate::event::RecordingEnd;
use crate::{JobId, LegId};
use media_engine::RecordOutcome;

/// Samples that may wait for the file thread: one second, and it looks every 50 ms.
pub(crate) const RING_SAMPLES: usize = 16_000;

/// A recording or capture of one leg.
#[derive(Debug)]
pub(crate) struct Tape {
    pub(crate) leg: LegId,
    pub(crate) job: JobId,
    /// Rate of the leg's frames when it began.
    pub(crate) rate: SampleRate,
    pub(crate) lost_samples: u32,
    pub(crate) end: Option<RecordingEnd>,
    kind: Kind,
    ring: Producer<i16>,
}

#[derive(Debug)]
enum Kind {
    /// Everything that is heard.
    Capture { converter: FrameConverter, frames_left: u64 },
    /// With the rules of a recording.
    Record(Recorder),
}

impl Tape {
    pub(crate) fn record(leg: LegId, job: JobId, config: RecorderConfig, ring: Producer<i16>) -> Self {
        let (rate, kind) = (config.rate, Kind::Record(Recorder::new(config)));
        Self { leg, job, rate, lost_samples: 0, end: None, kind, ring }
    }

    pub(crate) fn capture(
        leg: LegId,
        job: JobId,
        (rate, max): (SampleRate, Duration),
        ring: Producer<i16>,
    ) -> Self {
        let converter = FrameConverter::new(rate, Recorder::RATE);
        let frames_left = (max.as_millis() / u128::from(FRAME_MS)) as u64;
        Self {
            leg,
            job,
            rate,
            lost_samples: 0,
            end: None,
            kind: Kind::Capture { converter, frames_left },
            ring,
        }
    }

    /// Takes the next 20 ms; `scratch` is overwritten.
    pub(crate) fn handle_frame(&mut self, frame: &Frame, scratch: &mut Frame) {
        if self.end.is_some() {
            return;
        }
        match &mut self.kind {
            Kind::Capture { converter, frames_left } => {
                converter.convert(frame, scratch);
                *frames_left = frames_left.saturating_sub(1);
                if *frames_left == 0 {
                    self.end = Some(RecordingEnd::Recorder(RecordOutcome::MaxDuration));
                }
            }
            Kind::Record(recorder) => match recorder.handle_frame(frame, scratch) {
                RecordStep::Ended(outcome) => self.end = Some(RecordingEnd::Recorder(outcome)),
                RecordStep::Idle => return,
                RecordStep::Recorded => {}
            },
        }
        if self.ring.push_entire_slice(scratch.samples()).is_err() {
            self.lost_samples = self.lost_samples.saturating_add(scratch.samples().len() as u32);
        }
    }

    pub(crate) fn handle_tone(&mut self, tone: Tone) {
        if let (Kind::Record(recorder), None) = (&mut self.kind, self.end) {
            self.end = recorder.handle_tone(tone).map(RecordingEnd::Recorder);
        }
    }

    pub(crate) fn stop(&mut self, end: RecordingEnd) {
        self.end.get_or_insert(end);
    }
}
