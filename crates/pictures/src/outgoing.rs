//! A line on which a page gets the picture of somebody else.

use std::time::{Duration, Instant};

use crate::connection::Frame;
use crate::{Kind, PageId};

/// Of the clock of pictures, in a millisecond.
const TICKS: u64 = 90;

/// How far the times of a source may be from those of our clock before they are taken for another source's: its camera may
/// have been off, or its clock be another one.
const MAX_ASTRAY: u64 = 3_000 * TICKS;

/// The least distance between two pictures of different layers.
const STEP: u64 = TICKS;

/// A tile of a page: whose picture, and how large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) page: PageId,
    pub(crate) kind: Kind,
    pub(crate) height: u32,
}

/// A line.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) watched: Option<Watched>,
    /// The layer that goes out.
    current: Option<usize>,
    /// The layer that is to go out, as soon as a whole picture of it comes.
    target: Option<usize>,
    /// Something was lost or left out: nothing can be shown before the next whole picture.
    is_broken: bool,
    /// The page has asked for a whole picture.
    is_asked: bool,
    times: Times,
}

/// Makes one clock of the clocks of all that goes out on a line.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    /// Added to what comes.
    offset: u64,
    last: Option<(u64, Instant)>,
    is_anchored: bool,
}

impl Outgoing {
    /// Shows somebody else, or nobody.
    pub(crate) fn watch(&mut self, watched: Option<Watched>) {
        let source = |watched: &Watched| (watched.page, watched.kind);
        if self.watched.as_ref().map(source) != watched.as_ref().map(source) {
            self.stop();
        }
        self.watched = watched;
    }

    /// Nothing goes out until a layer is chosen again.
    pub(crate) fn stop(&mut self) {
        (self.current, self.target, self.is_broken, self.is_asked) = (None, None, false, false);
        self.times.is_anchored = false;
    }

    /// The layer that goes out, or is about to.
    pub(crate) fn chosen(&self) -> Option<usize> {
        self.target
    }

    /// Takes what has been chosen.
    pub(crate) fn choose(&mut self, layer: Option<usize>) {
        match layer {
            None => self.stop(),
            Some(_) => self.target = layer,
        }
    }

    /// The layer of which a whole picture is needed to go on.
    pub(crate) fn needs_key(&self) -> Option<usize> {
        let is_needed = self.target != self.current || self.is_broken || self.is_asked;
        self.target.filter(|_| is_needed)
    }

    /// The page cannot go on with what it has.
    pub(crate) fn ask(&mut self) {
        self.is_asked = self.target.is_some();
    }

    /// A picture was left out.
    pub(crate) fn leave_out(&mut self) {
        self.is_broken = true;
    }

    /// Whether a picture of the source goes out.
    pub(crate) fn takes(&mut self, frame: &Frame) -> bool {
        let layer = Some(frame.layer);
        if frame.is_key && layer == self.target {
            if layer != self.current {
                self.times.is_anchored = false;
            }
            (self.current, self.is_broken, self.is_asked) = (layer, false, false);
            return true;
        }
        if layer != self.current {
            return false;
        }
        self.is_broken |= !frame.is_contiguous && !frame.is_key;
        if frame.is_key {
            self.is_broken = false;
        }
        !self.is_broken
    }

    /// The time that a picture goes out with: it goes on where the last one was, whatever the layer.
    pub(crate) fn time(&mut self, time: u64, now: Instant) -> u64 {
        self.times.next(time, now)
    }
}

impl Times {
    fn next(&mut self, time: u64, now: Instant) -> u64 {
        let Some((last, at)) = self.last else {
            // Far from where they would wrap, and from zero.
            self.offset = MAX_ASTRAY.wrapping_sub(time);
            self.is_anchored = true;
            self.last = Some((MAX_ASTRAY, now));
            return MAX_ASTRAY;
        };
        let passed = now.saturating_duration_since(at).min(Duration::from_secs(3_600));
        let expected = last + (u64::try_from(passed.as_millis()).unwrap_or(0) * TICKS).max(STEP);
        let mut out = time.wrapping_add(self.offset);
        if !self.is_anchored || out <= last || out.abs_diff(expected) > MAX_ASTRAY {
            out = expected;
            self.offset = out.wrapping_sub(time);
            self.is_anchored = true;
        }
        self.last = Some((out, now));
        out
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn start() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn frame(layer: usize, is_key: bool, is_contiguous: bool) -> Frame {
        Frame {
            kind: Kind::Camera,
            layer,
            time: 0,
            is_key,
            is_contiguous,
            orientation: None,
            data: Arc::from([0]),
        }
    }

    #[test]
    fn a_layer_goes_out_from_its_first_whole_picture_on() {
        let mut line = Outgoing::default();
        assert!(!line.takes(&frame(0, true, true)), "nothing is chosen");
        line.choose(Some(0));
        assert_eq!(line.needs_key(), Some(0));
        assert!(!line.takes(&frame(0, false, true)));
        assert!(line.takes(&frame(0, true, true)));
        assert!(line.takes(&frame(0, false, true)));
        assert_eq!(line.needs_key(), None);
    }

    #[test]
    fn the_old_layer_goes_on_until_the_new_one_can_be_shown() {
        let mut line = Outgoing::default();
        line.choose(Some(0));
        line.takes(&frame(0, true, true));
        line.choose(Some(2));
        assert_eq!(line.needs_key(), Some(2));
        assert!(line.takes(&frame(0, false, true)) && !line.takes(&frame(2, false, true)));
        assert!(line.takes(&frame(2, true, true)));
        assert!(!line.takes(&frame(0, false, true)) && !line.takes(&frame(0, true, true)));
        assert_eq!(line.needs_key(), None);
    }

    #[test]
    fn what_builds_on_something_lost_is_not_shown() {
        let mut line = Outgoing::default();
        line.choose(Some(0));
        line.takes(&frame(0, true, true));
        assert!(!line.takes(&frame(0, false, false)));
        assert!(!line.takes(&frame(0, false, true)));
        assert_eq!(line.needs_key(), Some(0));
        assert!(line.takes(&frame(0, true, false)));
        line.leave_out();
        assert!(!line.takes(&frame(0, false, true)));
        assert!(line.takes(&frame(0, true, true)));
    }

    #[test]
    fn who_asks_for_a_whole_picture_gets_the_others_meanwhile() {
        let mut line = Outgoing::default();
        line.ask();
        assert_eq!(line.needs_key(), None, "of nothing there is none");
        line.choose(Some(1));
        line.takes(&frame(1, true, true));
        line.ask();
        assert_eq!(line.needs_key(), Some(1));
        assert!(line.takes(&frame(1, false, true)) && line.takes(&frame(1, true, true)));
        assert_eq!(line.needs_key(), None);
    }

    #[test]
    fn times_go_on_from_layer_to_layer() {
        let now = start();
        let after = |milliseconds| now + Duration::from_millis(milliseconds);
        let mut line = Outgoing::default();
        let first = line.time(7_000_000, now);
        assert_eq!(line.time(7_003_000, after(33)), first + 3_000, "distances are the source's");
        line.stop();
        assert_eq!(line.time(55, after(83)), first + 3_000 + 4_500, "another one begins where our clock is");
        assert_eq!(line.time(3_055, after(90)), first + 3_000 + 4_500 + 3_000);
    }

    #[test]
    fn times_never_go_back_nor_astray() {
        let now = start();
        let mut line = Outgoing::default();
        let mut last = line.time(1_000_000, now);
        for (number, time) in (1..).zip([999_000, 1_000_000, 0, u64::MAX, 5, u64::MAX / 2, 1_000_000]) {
            let next = line.time(time, now + Duration::from_millis(40 * number));
            assert!(next > last && next < last + 2 * MAX_ASTRAY, "{time}");
            last = next;
        }
    }
}
