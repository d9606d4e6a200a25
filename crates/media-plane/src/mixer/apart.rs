//! Members of a mixer that hear each of the others by itself: applications with such a stream.

use media_engine::{Frame, MemberId};

use super::{Legs, Mixer, leg_at, member};
use crate::LegId;
use crate::conference::HOSTED_RATE;
use crate::stream::Stream;

/// One from whom sound comes in this round.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speaker {
    pub(super) leg: LegId,
    pub(super) member: MemberId,
    /// Whether that is speech, or a prompt, rather than what an idle line sounds like.
    pub(super) is_speaking: bool,
}

impl Mixer {
    /// Notes who hears the others one by one in this round.
    pub(super) fn find_apart(&mut self, legs: &Legs) {
        self.apart.clear();
        for index in &self.hosted {
            let Some(leg) = leg_at(legs, *index) else { continue };
            if let Some(membership) = leg.membership.filter(|membership| membership.mixer == self.id)
                && leg.jobs.stream.as_deref().is_some_and(Stream::has_unmixed)
            {
                self.apart.push((*index, membership.member));
            }
        }
    }

    /// Whether anybody hears a member by itself.
    pub(super) fn is_heard_apart(&self, speaker: MemberId) -> bool {
        self.apart.iter().any(|(_, listener)| self.engine.may_hear(*listener, speaker))
    }

    /// Passes what a member says on to those who hear it by itself, once the engine has heard it; `out` is for its sound
    /// at their rate.
    pub(super) fn pass_on(&mut self, legs: &mut Legs, speaker: Speaker, frame: &Frame, out: &mut Frame) {
        let mut is_made = false;
        for (index, listener) in &self.apart {
            if !self.engine.may_hear(*listener, speaker.member) {
                continue;
            }
            if !is_made {
                out.reset(HOSTED_RATE);
                is_made = self.engine.alone(speaker.member, frame, out);
                if !is_made {
                    return;
                }
            }
            if let Some((leg, _)) = member(self.id, legs, *index)
                && let Some(stream) = &mut leg.jobs.stream
            {
                stream.hear_source(speaker.leg, out, speaker.is_speaking);
            }
        }
    }
}
