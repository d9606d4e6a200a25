//! How a leg is, for people who look.

use std::time::Duration;

use media_engine::{Frame, FrameKind, level_dbfs};

use super::{Leg, Workbench};
use crate::LegSample;
use crate::event::MediaEvent;

/// How long it is measured after somebody has asked: longer than the pause until they ask again.
const ATTENTION: Duration = Duration::from_secs(3);

/// The level of nothing.
const SILENCE_DB: f32 = -100.0;

/// How loud the far end is, while somebody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    until: Duration,
    loudest_db: Option<f32>,
}

impl Meter {
    pub(super) fn hear(&mut self, kind: FrameKind, frame: &Frame, now: Duration) {
        if now < self.until && kind == FrameKind::Audio {
            let level = level_dbfs(frame.samples());
            self.loudest_db = Some(self.loudest_db.map_or(level, |loudest| loudest.max(level)));
        }
    }

    /// The loudest since the last time; `None` where nobody had asked before.
    fn take(&mut self, now: Duration) -> Option<f32> {
        let was_measured = now < self.until;
        self.until = now + ATTENTION;
        let loudest = self.loudest_db.take();
        was_measured.then(|| loudest.unwrap_or(SILENCE_DB))
    }
}

impl Leg {
    /// Fills a sample in and sends it back.
    pub(crate) fn sample(&mut self, mut sample: Box<LegSample>, now: Duration, bench: &mut Workbench) {
        sample.stats = self.stats;
        if let Some(link) = &self.link {
            sample.stats.receiver = link.media.receiver.stats();
        }
        sample.codec = self.codec();
        sample.level_db = self.meter.take(now);
        bench.events.send(MediaEvent::Sampled { leg: self.id, sample }, &bench.stats);
    }
}

#[cfg(test)]
mod tests {
    use media_engine::SampleRate;

    use super::*;

    #[test]
    fn the_loudest_counts_and_only_while_somebody_asks() {
        let second = Duration::from_secs;
        let mut frame = Frame::silence(SampleRate::Hz8000);
        let mut meter = Meter::default();
        frame.samples_mut().fill(16_384);
        meter.hear(FrameKind::Audio, &frame, second(1));
        assert_eq!(meter.take(second(1)), None);
        meter.hear(FrameKind::Audio, &frame, second(2));
        frame.samples_mut().fill(100);
        meter.hear(FrameKind::Audio, &frame, second(2));
        let level = meter.take(second(2)).unwrap();
        assert!((level + 6.0).abs() < 0.1, "{level}");
        assert_eq!(meter.take(second(3)), Some(SILENCE_DB));
        assert_eq!(meter.take(second(60)), None, "nobody had asked for a while");
    }
}
