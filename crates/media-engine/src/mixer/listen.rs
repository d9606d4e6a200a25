//! What a member hears, as samples and as payloads.

use super::mixes::Key;
use super::round::has_memory;
use super::shares::NOBODY;
use super::sources::places;
use super::{MemberId, Mixer};
use crate::encoder::Effort;
use crate::{AudioSender, Codec, MAX_PAYLOAD_BYTES, SampleRate};

/// How often an encoder that begins to work hears the previous mix: after four times its step sizes and predictors, or
/// its gains, are those of one that has worked all the time; after once, the first 80 ms are audibly off.
const WARM_UPS: usize = 4;

/// Whoever has the senders of members.
pub trait Senders {
    /// The sender of the member with this name, unless it is gone or sends something else in this round than what it
    /// hears.
    fn sender(&mut self, name: u64) -> Option<&mut AudioSender>;
}

impl Mixer {
    /// What a member hears in this round at a rate. Each member may take it once in a round, in one way.
    pub fn samples(&mut self, member: MemberId, rate: SampleRate) -> &[i16] {
        let Some(listener) = self.members.known(member) else { return &[] };
        listener.has_listened = true;
        let key = listener.key;
        self.mixes.mix((key, rate), &mut self.sources, (&mut self.members, &mut self.chorus))
    }

    /// What a member hears in this round, encoded: by its own encoder, or by that of another member who hears the same.
    ///
    /// Returns nothing where there is no encoder for it.
    pub fn payload(&mut self, member: MemberId, codec: Codec, senders: &mut impl Senders) -> Option<&[u8]> {
        let listener = self.members.known(member)?;
        listener.has_listened = true;
        let (name, key, number) = (listener.name, listener.key, listener.share);
        if !self.shares.get(number).is_some_and(|share| share.is(codec)) {
            listener.followed = NOBODY;
            let mut payload = [0; MAX_PAYLOAD_BYTES];
            let sender = senders.sender(name)?;
            let length = self.encode((member.place, key), false, sender, &mut payload);
            self.solo = payload;
            return self.solo.get(..length);
        }
        if self.shares.get(number)?.payload().is_none() {
            self.fill_share(number, member.place, codec, senders)?;
        }
        let share = self.shares.get(number)?;
        self.members.known(member)?.followed = share.leader;
        share.payload()
    }

    /// What a member hears as it turns from the others to something else, and they fade away; nothing where it did not
    /// hear them. Its sender then goes on from what its far end got last.
    pub fn fade_out(&mut self, member: MemberId, sender: &mut AudioSender) -> Option<&[i16]> {
        let codec = sender.codec();
        let listener = self.members.known(member).filter(|listener| listener.had_listened)?;
        let before = listener.key.before;
        self.warm_up(member.place, sender);
        let listener = self.members.known(member)?;
        (listener.has_listened, listener.had_listened) = (false, false);
        let key = Key { before, now: 0 };
        (before != 0).then(|| {
            self.mixes.mix(
                (key, codec.sample_rate()),
                &mut self.sources,
                (&mut self.members, &mut self.chorus),
            )
        })
    }

    /// Has the leader of a share encode for all, or the member itself where the leader cannot.
    fn fill_share(
        &mut self,
        number: Option<u8>,
        member: u16,
        codec: Codec,
        senders: &mut impl Senders,
    ) -> Option<()> {
        let leader = self.shares.get(number)?.leader;
        let mut can_lead = |at: &u16| {
            let name = self.members.get(*at).map(|member| member.name);
            let sender = name.and_then(|name| senders.sender(name));
            sender.is_some_and(|sender| sender.codec() == codec)
        };
        let leader = [leader, member].into_iter().find(&mut can_lead)?;
        let (name, key) = self.members.get(leader).map(|leader| (leader.name, leader.key))?;
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        let is_shared = self.shares.get(number)?.has_many();
        let length = self.encode((leader, key), is_shared, senders.sender(name)?, &mut payload);
        let share = self.shares.get_mut(number)?;
        share.leader = leader;
        share.fill(&payload, length);
        Some(())
    }

    /// Encodes what a member hears with its sender; returns the octets written.
    fn encode(
        &mut self,
        (member, key): (u16, Key),
        is_shared: bool,
        sender: &mut AudioSender,
        payload: &mut [u8; MAX_PAYLOAD_BYTES],
    ) -> usize {
        self.warm_up(member, sender);
        let effort = Effort { is_shared, has_treble: self.has_treble(key) };
        let rate = sender.codec().sample_rate();
        let samples = self.mixes.mix((key, rate), &mut self.sources, (&mut self.members, &mut self.chorus));
        let length = sender.encode_for(samples, payload, effort);
        if let Some(member) = self.members.get_mut(member) {
            member.encoded_in = self.round;
        }
        length
    }

    /// Whether there may be sound above 8 kHz in a mix.
    fn has_treble(&self, key: Key) -> bool {
        let mut heard = places(key.before | key.now).filter_map(|at| self.sources.get(at));
        heard.any(|source| source.rate() > SampleRate::Hz16000)
    }

    /// Has an encoder that did not work for its member lately hear what the member heard in the round before.
    fn warm_up(&mut self, member: u16, sender: &mut AudioSender) {
        let codec = sender.codec();
        let Some(member) = self.members.get(member).filter(|member| member.had_listened) else { return };
        if has_memory(codec)
            && member.encoded_in != self.round.wrapping_sub(1)
            && let Some(past) = self.mixes.past(member.last_key, codec.sample_rate())
        {
            let effort = Effort { is_shared: false, has_treble: self.has_treble(member.last_key) };
            for _ in 0..WARM_UPS {
                sender.encode_for(past, &mut [0; MAX_PAYLOAD_BYTES], effort);
            }
        }
    }
}
