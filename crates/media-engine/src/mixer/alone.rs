//! What one member says, for those who hear each by itself.
//!
//! It does not matter whether the member is among the few that the others hear. Where it is, its sound is converted once
//! for both, and goes on without a seam where it comes among them or is no longer.

use super::members::{Member, Stay};
use super::{MemberId, Mixer};
use crate::Frame;

impl Mixer {
    /// Whether a member may hear another, by what was said of them and not by how loud they are. Nobody hears itself.
    #[must_use]
    pub fn may_hear(&self, listener: MemberId, speaker: MemberId) -> bool {
        let (Some(listener), Some(speaker)) = (self.member(listener), self.member(speaker)) else {
            return false;
        };
        let may_hear = if speaker.is_private {
            speaker.seat.audience.names(listener.name)
        } else {
            speaker.is_in_default_group && listener.is_in_default_group
        };
        may_hear && speaker.is_audible() && listener.stay == Stay::In && listener.id != speaker.id
    }

    /// Whether a member speaks, short pauses included.
    #[must_use]
    pub fn is_speaking(&self, member: MemberId) -> bool {
        self.member(member).is_some_and(|member| member.voice.is_speaking())
    }

    /// Writes what a member says in this round at the rate of `out`; false where that cannot be had, for it is muted or
    /// its converters are for another rate. `frame` is what [`Self::hear`] was given before; once in a round.
    pub fn alone(&mut self, speaker: MemberId, frame: &Frame, out: &mut Frame) -> bool {
        let round = self.round;
        let Some(heard) = self.members.known(speaker).filter(|heard| heard.is_audible()) else {
            return false;
        };
        if frame.rate() == out.rate() {
            out.copy_from(frame);
            return true;
        }
        let mut converters = heard.seat.converters.as_deref_mut();
        // One that the others hear is converted where they find it.
        let source = heard.source.map(usize::from);
        let source = source
            .filter(|at| self.sources.get(*at).is_some_and(|source| source.rate() == frame.rate()))
            .filter(|at| self.sources.has_sound(*at));
        if let Some(at) = source {
            self.sources.convert(at, out.rate(), converters.as_deref_mut());
            if let Some(samples) = self.sources.samples(at, out.rate()) {
                for (slot, x) in out.samples_mut().iter_mut().zip(samples) {
                    *slot = *x;
                }
                return true;
            }
        }
        let to = (out.rate(), out.samples_mut());
        converters.is_some_and(|converters| converters.convert(round, (frame.rate(), frame.samples()), to))
    }

    fn member(&self, id: MemberId) -> Option<&Member> {
        self.members.get(id.place).filter(|member| member.id == id)
    }
}
