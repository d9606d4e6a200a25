use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use app_media::{AudioPort, Heard, Source};
use media_engine::{Frame, SampleRate};
use media_plane::{STREAM_FRAME_SAMPLES, StreamPort};
use model::Timestamp;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::sources::Sources;
use crate::clock::Clock;
use crate::media::{Watched, watch};

/// A frame in 1/48,000 s.
const FRAME_48K: u64 = 960;

/// How far the media thread's count may be from the clock before it is set anew: a stream that stood still for a while.
/// Arbitrary; a busy machine is less late than this.
const DRIFT_48K: u64 = 4_800;

/// Sound that is so much longer than the time in which it came was made ahead.
const AHEAD: Duration = Duration::from_secs(1);

/// What is kept of sound that came in real time: what a late wake-up needs.
const KEPT_OF_REAL_TIME: usize = 5;

/// What an application says before anybody is there to hear it.
///
/// What was made ahead, like a greeting, is kept until the call is connected. What came in real time is worth nothing later,
/// and would make all that follows late.
#[derive(Debug, Default)]
struct Hold {
    frames: VecDeque<[i16; STREAM_FRAME_SAMPLES]>,
    /// When the first came, and how many have come.
    began: Option<Instant>,
    came: u32,
    is_ahead: bool,
    /// Frames that nobody will hear.
    dropped: u64,
    is_over: bool,
}

impl Hold {
    fn keep(&mut self, samples: [i16; STREAM_FRAME_SAMPLES], limit: usize) {
        let began = *self.began.get_or_insert_with(Instant::now);
        self.came = self.came.saturating_add(1);
        self.is_ahead |= FRAME * self.came > began.elapsed() + AHEAD;
        self.frames.push_back(samples);
        self.cut_to(limit);
    }

    /// The call is connected.
    fn end(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) && !self.is_ahead {
            self.cut_to(KEPT_OF_REAL_TIME);
        }
    }

    fn cut_to(&mut self, limit: usize) {
        while self.frames.len() > limit {
            self.frames.pop_front();
            self.dropped += 1;
        }
    }
}

/// The length of a frame.
const FRAME: Duration = Duration::from_millis(20);

/// What an application hears and says, between its session and a media thread.
#[derive(Debug)]
pub(super) struct StreamAudio {
    hold: Hold,
    /// Frames that may be held.
    max_held: usize,
    /// Whether anybody is there to hear it.
    is_connected: Arc<AtomicBool>,
    stream: AsyncFd<Watched<StreamPort>>,
    sources: Sources,
    clock: Clock,
    /// When the frame of number 0 was heard, in 1/48,000 s since 1970.
    began_48k: Option<u64>,
    frame: Frame,
}

impl StreamAudio {
    pub(super) fn new(
        stream: StreamPort,
        (sources, is_connected): (Sources, Arc<AtomicBool>),
        clock: Clock,
        max_queued: Duration,
    ) -> std::io::Result<Self> {
        Ok(Self {
            hold: Hold::default(),
            max_held: usize::try_from(max_queued.as_millis() / FRAME.as_millis()).unwrap_or(usize::MAX),
            is_connected,
            stream: watch(stream)?,
            sources,
            clock,
            began_48k: None,
            frame: Frame::silence(SampleRate::Hz16000),
        })
    }

    /// Lets be heard what was held, once somebody is there.
    fn release(&mut self) {
        if !self.is_connected.load(Ordering::Relaxed) {
            return;
        }
        self.hold.end();
        let stream = &mut self.stream.get_mut().0;
        while stream.room() > 0
            && let Some(samples) = self.hold.frames.pop_front()
        {
            stream.say(samples);
        }
    }

    fn is_holding(&self) -> bool {
        !self.hold.is_over || !self.hold.frames.is_empty()
    }

    fn port(&self) -> &StreamPort {
        &self.stream.get_ref().0
    }

    /// When the frame of that number began, as the media thread counts, which is steadier than any wake-up.
    fn timestamp_48k(&mut self, number: u64) -> u64 {
        let now = since_1970_48k(self.clock.now()).saturating_sub(FRAME_48K);
        let heard = number.saturating_mul(FRAME_48K);
        let counted = self.began_48k.map(|began| began.saturating_add(heard));
        match counted.filter(|counted| counted.abs_diff(now) <= DRIFT_48K) {
            Some(counted) => counted,
            None => {
                self.began_48k = Some(now.saturating_sub(heard));
                now.max(heard)
            }
        }
    }
}

impl AudioPort for StreamAudio {
    fn rate(&self) -> SampleRate {
        SampleRate::Hz16000
    }

    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard<'_>>> {
        self.release();
        let (heard, source) = loop {
            let mut guard = match ready!(self.stream.poll_read_ready_mut(cx)) {
                Ok(guard) => guard,
                Err(error) => {
                    tracing::error!(%error, "failed to listen to a media thread");
                    return Poll::Ready(None);
                }
            };
            let port = &mut guard.get_inner_mut().0;
            let Some(heard) = port.next_heard() else {
                if port.is_closed() {
                    return Poll::Ready(None);
                }
                guard.clear_ready();
                continue;
            };
            match heard.source {
                None => break (heard, Source::Mixed),
                // Of somebody who has just come nothing is heard before the roster has them.
                Some(leg) => {
                    if let Some(participant) = self.sources.of(leg) {
                        break (heard, Source::Participant(participant));
                    }
                }
            }
        };
        self.frame.samples_mut().copy_from_slice(&heard.samples);
        let timestamp_48k = self.timestamp_48k(heard.number);
        Poll::Ready(Some(Heard { source, timestamp_48k, frame: &self.frame, is_silent: heard.is_silent }))
    }

    fn room(&self) -> usize {
        match (self.hold.is_over, self.hold.frames.is_empty()) {
            (false, _) => KEPT_OF_REAL_TIME,
            (true, false) => 0,
            (true, true) => self.port().room(),
        }
    }

    fn say(&mut self, frame: &Frame) -> bool {
        let Ok(samples) = <[i16; STREAM_FRAME_SAMPLES]>::try_from(frame.samples()) else { return false };
        if self.is_holding() {
            self.hold.keep(samples, self.max_held);
            return true;
        }
        self.stream.get_mut().0.say(samples)
    }

    fn flush(&mut self) {
        self.hold.cut_to(0);
        self.stream.get_mut().0.flush();
    }

    fn gone(&self) -> u64 {
        self.hold.dropped + self.port().gone()
    }
}

fn since_1970_48k(now: Timestamp) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or_default().saturating_mul(48)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: [i16; STREAM_FRAME_SAMPLES] = [0; STREAM_FRAME_SAMPLES];

    #[tokio::test(start_paused = true)]
    async fn a_greeting_that_was_made_ahead_is_kept_until_the_call_is_connected() {
        let mut hold = Hold::default();
        (0..100).for_each(|_| hold.keep(SAMPLES, 6_000));
        tokio::time::advance(Duration::from_mins(1)).await;
        hold.end();
        assert_eq!((hold.frames.len(), hold.dropped), (100, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_came_in_real_time_does_not_make_all_that_follows_late() {
        let mut hold = Hold::default();
        for _ in 0..500 {
            hold.keep(SAMPLES, 6_000);
            tokio::time::advance(FRAME).await;
        }
        hold.end();
        assert_eq!((hold.frames.len(), hold.dropped), (KEPT_OF_REAL_TIME, 495));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_bounded_and_the_newest_is_kept() {
        let mut hold = Hold::default();
        for n in 0..50 {
            hold.keep([n; STREAM_FRAME_SAMPLES], 10);
        }
        assert_eq!((hold.frames.len(), hold.dropped), (10, 40));
        assert_eq!(hold.frames.front().map(|frame| frame[0]), Some(40));
    }
}
