//! Payloads that many are sent: one for each mix and codec.
//!
//! Codecs with memory want care. The far end decodes on from what it got last, so a payload should come from an encoder
//! that has encoded what it heard so far. Those who hear the same are a share; the encoder of one of them, the leader,
//! works for all, and it stays the same one for as long as it is among them. Who comes from another encoder to a share
//! that goes on, such as a talker who falls silent, goes on encoding for itself for a while ([`SETTLING`]): both encoders
//! are given the same sound, and become alike. Who begins to encode while others go on has its encoder hear the
//! previous mix first.

use super::mixes::Key;
use crate::{Codec, MAX_PAYLOAD_BYTES};

/// Shares that are kept for a round. Who finds no place encodes for itself.
const MAX_SHARES: usize = 48;

/// Rounds for which a member that comes from another encoder goes on with its own: 200 ms. The memory of G.722's
/// predictors has faded to a four-hundredth then.
pub(super) const SETTLING: u8 = 10;

/// Members that settle at once. In a crowd that moves together, the rest comes over at once.
pub(super) const MAX_SETTLING: usize = 8;

/// Stands for no member.
pub(super) const NOBODY: u16 = u16::MAX;

/// Those who are sent the same payload in this round.
#[derive(Debug)]
pub(super) struct Share {
    key: Key,
    codec: Codec,
    /// The only one in it, where that settles.
    only: Option<u16>,
    pub(super) first: u16,
    /// Whose encoder works.
    pub(super) leader: u16,
    votes: u32,
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
        let found = self
            .all
            .iter()
            .position(|share| share.only.is_none() && (share.key, share.codec) == (key, codec));
        let Some(at) = found else { return self.open(member, (key, codec), before, None) };
        let share = self.all.get_mut(at)?;
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

    /// Gives a member a share of its own.
    pub(super) fn enter_alone(&mut self, member: u16, (key, codec): (Key, Codec)) -> Option<u8> {
        self.open(member, (key, codec), member, Some(member))
    }

    fn open(
        &mut self,
        member: u16,
        (key, codec): (Key, Codec),
        leader: u16,
        only: Option<u16>,
    ) -> Option<u8> {
        if self.all.len() == MAX_SHARES {
            return None;
        }
        self.all.push(Share {
            key,
            codec,
            only,
            first: member,
            leader,
            votes: u32::from(leader != NOBODY),
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
