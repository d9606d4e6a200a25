//! Where a far end is.

use std::net::SocketAddr;

use crate::{MAX_DATAGRAM_OCTETS, stun};

/// Addresses from which datagrams are taken at once: a far end with a few interfaces, each behind a translator.
pub(crate) const MAX_ADDRESSES: usize = 16;

/// Addresses that a far end may come from between two restarts of ICE, for str0m remembers all of them.
const MAX_CHANGES: usize = 256;

/// The addresses that a far end has proven, by requests with the password of ICE: 16 at once, 256 between restarts.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// The latest last.
    known: Vec<SocketAddr>,
    changes: usize,
}

impl Addresses {
    /// Whether a datagram is to be looked at: a request that names us by `ufrag`, or anything else from a proven address.
    pub fn admit(&self, from: SocketAddr, octets: &[u8], ufrag: &str) -> bool {
        let is_known = self.known.contains(&from);
        let is_wanted = if stun::is_stun(octets) {
            stun::local_ufrag(octets) == Some(ufrag) && (is_known || self.changes < MAX_CHANGES)
        } else {
            is_known
        };
        is_wanted && octets.len() <= MAX_DATAGRAM_OCTETS
    }

    /// Where our reply to a request goes, if that is what we send: whoever gets it has known the password.
    pub fn proven(destination: SocketAddr, octets: &[u8]) -> Option<SocketAddr> {
        stun::is_binding_success(octets).then_some(destination)
    }

    /// Keeps an address that has been proven.
    pub fn remember(&mut self, from: SocketAddr) {
        if let Some(at) = self.known.iter().position(|address| *address == from) {
            self.known[at..].rotate_left(1);
            return;
        }
        self.changes += 1;
        if self.known.len() >= MAX_ADDRESSES {
            self.known.remove(0);
        }
        self.known.push(from);
    }

    /// ICE begins anew, and may find as many addresses again.
    pub fn restart(&mut self) {
        self.changes = 0;
    }
}
