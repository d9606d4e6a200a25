//! What comes of a page's camera or screen.

use std::time::{Duration, Instant};

use crate::connection::Frame;
use crate::layers::Layer;
use crate::offer::MAX_LAYERS;
use crate::vp8;

/// Over how long a layer is measured.
const WINDOW: Duration = Duration::from_millis(500);

/// A layer of several of which nothing has come for so long has been given up by the page, for the while. Browsers do so when
/// their way out is narrow.
const SILENT: Duration = Duration::from_millis(1_500);

/// Between two questions for a whole picture: it is large, and everybody who watches gets it.
const KEY_INTERVAL: Duration = Duration::from_millis(800);

/// A camera or a screen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    /// Whether others may see it.
    pub(crate) is_allowed: bool,
    /// Whether it has been told that it comes.
    pub(crate) is_told: bool,
    streams: [Stream; MAX_LAYERS],
}

/// A layer, as it comes.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// The last picture.
    heard: Option<Instant>,
    height: u32,
    /// Bits in a second; 0 before the first window is over.
    bitrate: u64,
    since: Option<Instant>,
    octets: u64,
    asked: Option<Instant>,
}

impl Source {
    /// Takes a picture into account; true where its layer did not come until now.
    pub(crate) fn hear(&mut self, frame: &Frame, now: Instant) -> bool {
        let Some(stream) = self.streams.get_mut(frame.layer) else { return false };
        let is_new = stream.heard.is_none_or(|heard| heard + SILENT <= now);
        if is_new {
            *stream = Stream { asked: stream.asked, height: stream.height, ..Stream::default() };
        }
        stream.heard = Some(now);
        if let Some(height) = vp8::key_height(&frame.data).filter(|_| frame.is_key) {
            stream.height = height;
        }
        let since = *stream.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since);
        if passed >= WINDOW {
            let measured = rate(stream.octets, passed);
            // Half of what it was: a key frame does not decide alone.
            stream.bitrate = if stream.bitrate == 0 { measured } else { (stream.bitrate + measured) / 2 };
            (stream.since, stream.octets) = (Some(now), 0);
        }
        stream.octets += frame.data.len() as u64;
        is_new
    }

    /// The layers that come, from small to large.
    pub(crate) fn layers(&self, now: Instant) -> Vec<Option<Layer>> {
        let is_alive = |stream: &Stream| stream.heard.is_some_and(|heard| now < heard + SILENT);
        // A screen on which nothing moves is hardly ever sent: the one that came last stays.
        let last = self.streams.iter().filter_map(|stream| stream.heard).max();
        let layer = |stream: &Stream| {
            let is_there = is_alive(stream) || (stream.heard.is_some() && stream.heard == last);
            let bitrate = if stream.bitrate == 0 { rate(stream.octets, WINDOW) } else { stream.bitrate };
            is_there.then_some(Layer { height: stream.height, bitrate })
        };
        self.streams.iter().map(layer).collect()
    }

    /// Whether the page may be asked for a whole picture of a layer now. It counts as asked then.
    pub(crate) fn may_ask(&mut self, layer: usize, now: Instant) -> bool {
        let Some(stream) = self.streams.get_mut(layer) else { return false };
        let may = stream.asked.is_none_or(|asked| asked + KEY_INTERVAL <= now);
        if may {
            stream.asked = Some(now);
        }
        may
    }

    /// The page is another one, or away.
    pub(crate) fn reset(&mut self) {
        *self = Self { is_allowed: self.is_allowed, ..Self::default() };
    }
}

fn rate(octets: u64, time: Duration) -> u64 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    octets.saturating_mul(8_000) / milliseconds
}
