use std::task::{Context, Poll, ready};

use media_plane::PipePort;
use tokio::io::unix::AsyncFd;

use crate::media::{Watched, watch};

/// The packets of a leg whose connection is WebRTC, between its session and a media thread.
#[derive(Debug)]
pub(super) struct PipedPackets(AsyncFd<Watched<PipePort>>);

impl PipedPackets {
    pub(super) fn new(pipe: PipePort) -> std::io::Result<Self> {
        watch(pipe).map(Self)
    }
}

impl webrtc::RtpPort for PipedPackets {
    fn poll_sent(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<Option<usize>> {
        loop {
            let mut guard = match ready!(self.0.poll_read_ready_mut(cx)) {
                Ok(guard) => guard,
                Err(error) => {
                    tracing::error!(%error, "failed to listen to a media thread");
                    return Poll::Ready(None);
                }
            };
            let pipe = &mut guard.get_inner_mut().0;
            if let Some(octets) = pipe.next_sent(buf) {
                return Poll::Ready(Some(octets));
            }
            if pipe.is_closed() {
                return Poll::Ready(None);
            }
            guard.clear_ready();
        }
    }

    fn deliver(&mut self, datagram: &[u8]) {
        // What finds no room is lost, as on any network, and counted there.
        self.0.get_mut().0.deliver(datagram);
    }
}
