//! Whom a leg listens to: symmetric RTP, locked to the signalled peer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Silence of the known address after which another port of the same host may take its place (a new
/// translation).
const RELATCH_AFTER: Duration = Duration::from_secs(2);

/// Packets in a row that a new source needs while the old one may still be there (RFC 3550, A.1).
const PROBATION: u8 = 2;

/// The far end's address as signalled, and as seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    signalled: SocketAddr,
    latched: Option<SocketAddr>,
    ssrc: Option<u32>,
    candidate: (u32, u8),
    last_at: Duration,
}

impl Peer {
    pub(crate) fn new(signalled: SocketAddr) -> Self {
        Self { signalled, latched: None, ssrc: None, candidate: (0, 0), last_at: Duration::ZERO }
    }

    pub(crate) fn signalled(&self) -> SocketAddr {
        self.signalled
    }

    pub(crate) fn ip(&self) -> IpAddr {
        self.signalled.ip()
    }

    /// Where to send: where packets come from, else where we were told; `None` where there is no address yet.
    pub(crate) fn destination(&self) -> Option<SocketAddr> {
        let to = self.latched.unwrap_or(self.signalled);
        (!to.ip().is_unspecified() && to.port() != 0).then_some(to)
    }

    /// Whether a datagram from there is worth looking at.
    ///
    /// The signalled address always is. Another port of its host is a guess about a translation, and whoever was heard
    /// first from there must not keep the peer itself out.
    pub(crate) fn admits(&self, from: SocketAddr, now: Duration) -> bool {
        match self.latched {
            Some(latched) if latched == from || from == self.signalled => true,
            Some(_) => from.ip() == self.ip() && now.saturating_sub(self.last_at) > RELATCH_AFTER,
            None => from.ip() == self.ip(),
        }
    }

    /// Takes a valid packet; false where its source has to prove itself first.
    pub(crate) fn accept(&mut self, from: SocketAddr, ssrc: u32, now: Duration) -> bool {
        let is_peer_itself = from == self.signalled && self.latched.is_some_and(|latched| latched != from);
        let is_new = self.ssrc.is_some_and(|known| known != ssrc);
        if is_new && !is_peer_itself && !self.is_proven(ssrc) {
            return false;
        }
        self.ssrc = Some(ssrc);
        self.candidate = (0, 0);
        self.latched = Some(from);
        self.last_at = now;
        true
    }

    fn is_proven(&mut self, ssrc: u32) -> bool {
        let (candidate, seen) = self.candidate;
        let seen = if candidate == ssrc { seen + 1 } else { 1 };
        self.candidate = (ssrc, seen);
        seen >= PROBATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn only_the_signalled_host_latches_and_its_port_is_adopted() {
        let mut peer = Peer::new(at("192.0.2.1:4000"));
        assert!(!peer.admits(at("192.0.2.2:4000"), s(1)));
        assert!(peer.admits(at("192.0.2.1:4002"), s(1)));

        assert!(peer.accept(at("192.0.2.1:4002"), 7, s(1)));

        assert_eq!(peer.destination(), Some(at("192.0.2.1:4002")));
        assert!(!peer.admits(at("192.0.2.1:4004"), s(2)));
        assert!(peer.admits(at("192.0.2.1:4004"), s(4)));
        assert!(!peer.admits(at("192.0.2.9:4000"), s(4)));
    }

    #[test]
    fn the_signalled_address_takes_over_at_once_from_whoever_was_heard_first() {
        let mut peer = Peer::new(at("192.0.2.1:4000"));
        assert!(peer.accept(at("192.0.2.1:6666"), 7, s(1)));

        assert!(peer.admits(at("192.0.2.1:4000"), s(1)));
        assert!(peer.accept(at("192.0.2.1:4000"), 8, s(1)));

        assert_eq!(peer.destination(), Some(at("192.0.2.1:4000")));
        assert!(!peer.admits(at("192.0.2.1:6666"), s(2)));
    }

    #[test]
    fn a_new_source_is_taken_at_its_second_packet_in_a_row() {
        let mut peer = Peer::new(at("192.0.2.1:4000"));
        let from = at("192.0.2.1:4000");
        assert!(peer.accept(from, 7, s(1)));
        assert!(!peer.accept(from, 8, s(1)));
        assert!(peer.accept(from, 7, s(1)));
        assert!(!peer.accept(from, 8, s(1)));
        assert!(peer.accept(from, 8, s(1)));
    }

    #[test]
    fn an_unspecified_address_is_not_sent_to() {
        assert_eq!(Peer::new(at("0.0.0.0:4000")).destination(), None);
    }
}
