use std::task::{Context, Poll, ready};

use app_media::{AudioPort, Heard, Source};
use media_engine::{Frame, SampleRate};
use media_plane::{STREAM_FRAME_SAMPLES, StreamPort};
use model::Timestamp;
use tokio::io::unix::AsyncFd;

use super::sources::Sources;
use crate::clock::Clock;
use crate::media::{Watched, watch};

/// A frame in 1/48,000 s.
const FRAME_48K: u64 = 960;

/// How far the media thread's count may be from the clock before it is set anew: a stream that stood still for a while.
/// Arbitrary; a busy machine is less late than this.
const DRIFT_48K: u64 = 4_800;

/// What an application hears and says, between its session and a media thread.
#[derive(Debug)]
pub(super) struct StreamAudio {
    stream: AsyncFd<Watched<StreamPort>>,
    sources: Sources,
    clock: Clock,
    /// When the frame of number 0 was heard, in 1/48,000 s since 1970.
    began_48k: Option<u64>,
    frame: Frame,
}

impl StreamAudio {
    pub(super) fn new(stream: StreamPort, sources: Sources, clock: Clock) -> std::io::Result<Self> {
        let frame = Frame::silence(SampleRate::Hz16000);
        Ok(Self { stream: watch(stream)?, sources, clock, began_48k: None, frame })
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
        self.port().room()
    }

    fn say(&mut self, frame: &Frame) -> bool {
        let samples = <[i16; STREAM_FRAME_SAMPLES]>::try_from(frame.samples());
        samples.is_ok_and(|samples| self.stream.get_mut().0.say(samples))
    }

    fn flush(&mut self) {
        self.stream.get_mut().0.flush();
    }

    fn gone(&self) -> u64 {
        self.port().gone()
    }
}

fn since_1970_48k(now: Timestamp) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or_default().saturating_mul(48)
}
