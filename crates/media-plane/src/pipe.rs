//! Legs whose packets travel through another task: two bounded rings in the place of two sockets.
//!
//! That task has the connection, with its own addresses, keys, reports and signs of life, as one over ICE and DTLS has.
//! The leg takes bare RTP from it and gives bare RTP to it. What the task delivers waits for the leg's next round and bears
//! the time at which it came, so that the jitter buffer sees the network and not the round; no end makes a system call
//! for it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use media_engine::MAX_PAYLOAD_BYTES;
use nix::sys::eventfd::EventFd;
use rtc_proto::rtp::FIXED_HEADER_LEN;
use rtc_proto::srtp::MAX_OVERHEAD;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::bell::Bell;
use crate::command::Command;
use crate::leg::{Leg, Transport};
use crate::{LegId, MediaPlane, MixerId, PlaneError, clock};

/// Octets of the longest datagram of a pipe: what one packet of an Ethernet holds. The longest payload of Opus has 1,275.
pub const PIPE_DATAGRAM_OCTETS: usize = 1_500;

/// Datagrams that may wait each way: more than half a second of voice, and all that a leg takes in one round.
const PIPE_DATAGRAMS: usize = 32;

/// Stands for the far end, whose address only the other task knows.
pub(crate) const PIPED_PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

// Whatever a leg sends finds room.
const _: () = assert!(FIXED_HEADER_LEN + MAX_PAYLOAD_BYTES + MAX_OVERHEAD <= PIPE_DATAGRAM_OCTETS);

/// One datagram on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram {
    /// When it was given to the pipe.
    pub(crate) at: Duration,
    len: u16,
    octets: [u8; PIPE_DATAGRAM_OCTETS],
}

impl Datagram {
    /// Copies a datagram; `None` where it is too long.
    fn new(octets: &[u8], at: Duration) -> Option<Self> {
        let mut datagram =
            Self { at, len: u16::try_from(octets.len()).ok()?, octets: [0; PIPE_DATAGRAM_OCTETS] };
        datagram.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(datagram)
    }

    pub(crate) fn octets_mut(&mut self) -> &mut [u8] {
        self.octets.get_mut(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The other task's end of a piped leg; readable when the leg may have sent something, or is closed. Dropping it leaves a
/// leg that hears and reaches nobody.
#[derive(Debug)]
pub struct PipePort {
    arrived: Producer<Datagram>,
    sent: Consumer<Datagram>,
    signal: Arc<EventFd>,
    refused: u64,
}

impl PipePort {
    /// Gives the leg an RTP datagram of the far end: whole and in the clear, at most [`PIPE_DATAGRAM_OCTETS`].
    ///
    /// False where it is too long, the leg is closed, or as many wait as may; it is lost then, and counted. Waits for
    /// nothing and makes no system call; the leg takes it in its next round, 20 ms later at most.
    pub fn deliver(&mut self, datagram: &[u8]) -> bool {
        let datagram = Datagram::new(datagram, clock::monotonic());
        let is_taken =
            !self.is_closed() && datagram.is_some_and(|datagram| self.arrived.push(datagram).is_ok());
        self.refused += u64::from(!is_taken);
        is_taken
    }

    /// Takes the next RTP datagram that the leg has sent, in the clear; returns its octets, `None` where there is none for
    /// the moment. One that `buf` is too short for is left out; [`PIPE_DATAGRAM_OCTETS`] are enough for all.
    pub fn next_sent(&mut self, buf: &mut [u8]) -> Option<usize> {
        loop {
            let mut datagram = self.sent.pop().ok().or_else(|| {
                // Reset first and look again: what is pushed afterwards signals anew.
                let _ = self.signal.read();
                self.sent.pop().ok()
            })?;
            let octets = datagram.octets_mut();
            if let Some(room) = buf.get_mut(..octets.len()) {
                room.copy_from_slice(octets);
                return Some(octets.len());
            }
        }
    }

    /// Whether the leg is closed, so that nothing is sent or taken any more.
    pub fn is_closed(&self) -> bool {
        self.arrived.is_abandoned()
    }

    /// Datagrams that [`Self::deliver`] did not take.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

impl AsFd for PipePort {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }
}

impl AsRawFd for PipePort {
    fn as_raw_fd(&self) -> RawFd {
        self.signal.as_fd().as_raw_fd()
    }
}

/// The media thread's end.
#[derive(Debug)]
pub(crate) struct Pipe {
    arrived: Consumer<Datagram>,
    sent: Producer<Datagram>,
    bell: Bell,
}

impl Pipe {
    pub(crate) fn new() -> Result<(Self, PipePort), PlaneError> {
        let (bell, signal) = Bell::new()?;
        let (arrived, arrived_out) = RingBuffer::new(PIPE_DATAGRAMS);
        let (sent, sent_out) = RingBuffer::new(PIPE_DATAGRAMS);
        let port = PipePort { arrived, sent: sent_out, signal, refused: 0 };
        Ok((Self { arrived: arrived_out, sent, bell }, port))
    }

    /// How many datagrams of the far end wait. A round takes these and no more, however fast others come.
    pub(crate) fn waiting(&self) -> usize {
        self.arrived.slots()
    }

    /// The next datagram of the far end.
    pub(crate) fn next(&mut self) -> Option<Datagram> {
        self.arrived.pop().ok()
    }

    /// Gives a datagram to the other task; false where it is lost because that task is late. Where it is gone, nobody
    /// misses anything.
    pub(crate) fn send(&mut self, octets: &[u8], at: Duration) -> bool {
        if self.sent.is_abandoned() {
            return true;
        }
        let is_sent = Datagram::new(octets, at).is_some_and(|datagram| self.sent.push(datagram).is_ok());
        self.bell.ring();
        is_sent
    }
}

impl MediaPlane {
    /// Opens a leg without sockets whose packets travel through the port, on the thread of a mixer so that it can be a
    /// member, or else on the least loaded one.
    ///
    /// It is configured, given jobs and put into mixers as one of [`Self::open_leg`], except that the addresses that were
    /// negotiated are not looked at, that it sends no reports, and that it is never [`crate::MediaEvent::Lost`]: whether
    /// the far end is still there, the other task knows. Until it is configured it takes nothing.
    ///
    /// # Errors
    ///
    /// Returns [`PlaneError::NoMixer`], [`PlaneError::TooManyLegs`], [`PlaneError::Busy`] or [`PlaneError::System`].
    pub fn open_piped_leg(&self, mixer: Option<MixerId>) -> Result<(LegId, PipePort), PlaneError> {
        let (pipe, port) = Pipe::new()?;
        let leg = match mixer {
            Some(mixer) => self.registry().reserve_at(mixer)?,
            None => self.registry().reserve()?,
        };
        let opened = self.push(leg.thread(), Command::Open(Box::new(Leg::new(leg, Transport::Pipe(pipe)))));
        if opened.is_err() {
            self.registry().release(leg, None, clock::monotonic());
        }
        opened.map(|()| (leg, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pipe() -> (Pipe, PipePort) {
        Pipe::new().unwrap()
    }

    #[test]
    fn datagrams_pass_whole_and_in_order_both_ways() {
        let (mut pipe, mut port) = pipe();
        let longest = [7; PIPE_DATAGRAM_OCTETS];
        assert!(port.deliver(b"one") && port.deliver(&longest));
        assert!(pipe.send(b"three", Duration::ZERO) && pipe.send(&longest, Duration::ZERO));

        assert_eq!(pipe.waiting(), 2);
        assert_eq!(pipe.next().unwrap().octets_mut(), b"one");
        assert_eq!(pipe.next().unwrap().octets_mut(), longest);
        assert!(pipe.next().is_none());
        let mut buf = [0; PIPE_DATAGRAM_OCTETS];
        assert_eq!(port.next_sent(&mut buf[..100]), Some(5));
        assert_eq!(&buf[..5], b"three");
        assert_eq!(port.next_sent(&mut buf[..100]), None, "there is no room for the longest");
    }

    #[test]
    fn what_is_too_long_or_too_much_is_refused_and_counted() {
        let (mut pipe, mut port) = pipe();
        assert!(!port.deliver(&[0; PIPE_DATAGRAM_OCTETS + 1]));
        assert!((0..PIPE_DATAGRAMS).all(|_| port.deliver(b"RTP")));
        assert!(!port.deliver(b"RTP"));
        assert_eq!(port.refused(), 2);

        assert!((0..PIPE_DATAGRAMS).all(|_| pipe.send(b"RTP", Duration::ZERO)));
        assert!(!pipe.send(b"RTP", Duration::ZERO));
    }

    #[test]
    fn the_end_of_either_side_is_told_to_the_other() {
        let (closed, mut port) = pipe();
        assert!(!port.is_closed());
        drop(closed);
        assert!(port.is_closed() && !port.deliver(b"RTP"));
        assert!(port.signal.read().is_ok(), "the end is signalled");

        let (mut pipe, gone) = pipe();
        drop(gone);
        assert!((0..2 * PIPE_DATAGRAMS).all(|_| pipe.send(b"RTP", Duration::ZERO)));
    }
}
