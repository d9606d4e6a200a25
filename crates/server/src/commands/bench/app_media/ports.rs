//! The doors of sessions to the media threads, as the node has them, without who is heard by itself.

use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use app_media::{AudioPort, Heard, Source};
use media_engine::{Frame, SampleRate};
use media_plane::{PipePort, STREAM_FRAME_SAMPLES, StreamPort};
use tokio::io::unix::AsyncFd;

/// A frame in 1/48,000 s.
const FRAME_48K: u64 = 960;

/// A port that the runtime waits for by its descriptor.
struct Watched<P>(P);

impl<P: AsRawFd> AsRawFd for Watched<P> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[expect(
    deprecated,
    reason = "its successor asks for unsafe code to promise what the ends of rings keep: one descriptor for life"
)]
fn watch<P: AsRawFd>(port: P) -> std::io::Result<AsyncFd<Watched<P>>> {
    AsyncFd::new(Watched(port))
}

/// What a session over WebSockets hears and says.
pub(super) struct StreamAudio {
    stream: AsyncFd<Watched<StreamPort>>,
    frame: Frame,
}

impl StreamAudio {
    pub(super) fn new(stream: StreamPort) -> std::io::Result<Self> {
        Ok(Self { stream: watch(stream)?, frame: Frame::silence(SampleRate::Hz16000) })
    }
}

impl AudioPort for StreamAudio {
    fn rate(&self) -> SampleRate {
        SampleRate::Hz16000
    }

    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard<'_>>> {
        loop {
            let Ok(mut guard) = ready!(self.stream.poll_read_ready_mut(cx)) else { return Poll::Ready(None) };
            let port = &mut guard.get_inner_mut().0;
            if let Some(heard) = port.next_heard() {
                self.frame.samples_mut().copy_from_slice(&heard.samples);
                return Poll::Ready(Some(Heard {
                    source: Source::Mixed,
                    timestamp_48k: heard.number * FRAME_48K,
                    frame: &self.frame,
                    is_silent: heard.is_silent,
                }));
            }
            if port.is_closed() {
                return Poll::Ready(None);
            }
            guard.clear_ready();
        }
    }

    fn room(&self) -> usize {
        self.stream.get_ref().0.room()
    }

    fn say(&mut self, frame: &Frame) -> bool {
        let samples = <[i16; STREAM_FRAME_SAMPLES]>::try_from(frame.samples());
        samples.is_ok_and(|samples| self.stream.get_mut().0.say(samples))
    }

    fn flush(&mut self) {
        self.stream.get_mut().0.flush();
    }

    fn gone(&self) -> u64 {
        self.stream.get_ref().0.gone()
    }
}

/// The packets of a session over WebRTC.
pub(super) struct PipedPackets(AsyncFd<Watched<PipePort>>);

impl PipedPackets {
    pub(super) fn new(pipe: PipePort) -> std::io::Result<Self> {
        watch(pipe).map(Self)
    }
}

impl webrtc::RtpPort for PipedPackets {
    fn poll_sent(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Option<usize>> {
        loop {
            let Ok(mut guard) = ready!(self.0.poll_read_ready_mut(cx)) else { return Poll::Ready(None) };
            let pipe = &mut guard.get_inner_mut().0;
            if let Some(octets) = pipe.next_sent(buffer) {
                return Poll::Ready(Some(octets));
            }
            if pipe.is_closed() {
                return Poll::Ready(None);
            }
            guard.clear_ready();
        }
    }

    fn deliver(&mut self, datagram: &[u8]) {
        self.0.get_mut().0.deliver(datagram);
    }
}
