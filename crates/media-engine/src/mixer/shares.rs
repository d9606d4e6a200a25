//! Payloads that many are sent: one for each mix and codec.
//!
//! Codecs with memory want care. The far end decodes on from what it got last, so a payload should come from an encoder
//! that has encoded what it heard so far. Those who hear the same are a share; the encoder of one of them, the leader,
//! works for all, and it stays the same one for as long as it is among them. An encoder that begins to work hears the
//! previous mix first. Who comes to a share that goes on needs nothing: within a frame its far end has forgotten that
//! what it got before was of another encoder.

use super::mixes::Key;
use crate::{Codec, MAX_PAYLOAD_BYTES};

/// Shares that are kept for a round. Who finds no place encodes for itself.
const MAX_SHARES: usize = 24;

/// Stands for no member.
pub(super) const NOBODY: u16 = u16::MAX;

/// Those who are sent the same payload in this round.
#[derive(Debug)]
pub(super) struct Share {
    key: Key,
    codec: Codec,
    pub(super) first: u16,
    /// Whose encoder works.
    pub(super) leader: u16,
    votes: u32,
    members: u32,
    length: Option<u16>,
    payload: [u8; MAX_PAYLOAD_BYTES],
}

/// See the module.
#[derive(Debug)]
pub(super) struct Shares {
    all: Vec<Share>,
}

impl Shares {
    pub(super) fn new() -> Self {
        Self { all: Vec::with_capacity(MAX_SHARES) }
    }

    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    /// Puts a member into a share, with a vote for the leader that it had before; returns the number of the share, if
    /// there is a place.
    pub(super) fn enter(&mut self, member: u16, (key, codec): (Key, Codec), before: u16) -> Option<u8> {
        let found = self.all.iter().position(|share| (share.key, share.codec) == (key, codec));
        let Some(at) = found else { return self.open(member, (key, codec), before) };
        let share = self.all.get_mut(at)?;
        share.members += 1;
        // The leader of most, if most had the same one (Boyer and Moore).
        if before == NOBODY {
            return u8::try_from(at).ok();
        }
        if before == share.leader {
            share.votes += 1;
        } else if share.votes > 0 {
            share.votes -= 1;
        } else {
            (share.leader, share.votes) = (before, 1);
        }
        u8::try_from(at).ok()
    }

    fn open(&mut self, member: u16, (key, codec): (Key, Codec), leader: u16) -> Option<u8> {
        if self.all.len() == MAX_SHARES {
            return None;
        }
        self.all.push(Share {
            key,
            codec,
            first: member,
            leader,
            votes: u32::from(leader != NOBODY),
            members: 1,
            length: None,
            payload: [0; MAX_PAYLOAD_BYTES],
        });
        u8::try_from(self.all.len() - 1).ok()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u8, &mut Share)> {
        (0..).zip(&mut self.all)
    }

    pub(super) fn get(&self, share: Option<u8>) -> Option<&Share> {
        self.all.get(usize::from(share?))
    }

    pub(super) fn get_mut(&mut self, share: Option<u8>) -> Option<&mut Share> {
        self.all.get_mut(usize::from(share?))
    }
}

impl Share {
    pub(super) fn is(&self, codec: Codec) -> bool {
        self.codec == codec
    }

    /// Whether more than one is sent it.
    pub(super) fn has_many(&self) -> bool {
        self.members > 1
    }

    /// The payload, once it is made.
    pub(super) fn payload(&self) -> Option<&[u8]> {
        self.payload.get(..usize::from(self.length?))
    }

    /// Takes the payload: the first octets of these.
    pub(super) fn fill(&mut self, payload: &[u8; MAX_PAYLOAD_BYTES], length: usize) {
        self.payload = *payload;
        self.length = u16::try_from(length.min(MAX_PAYLOAD_BYTES)).ok();
    }
}
