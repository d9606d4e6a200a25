use std::sync::Arc;

use call_engine::{Arriving, Way};
use model::{OnlineMeeting, UserId};

use crate::browser::PageSide;
use crate::conference::ConferenceTaskInput;
use crate::context::Context;
use crate::ringing::Party;

/// How often a conference may be over before somebody has come to it. Arbitrary: each time it takes a race.
const MAX_TRIES: usize = 8;

/// Somebody on the way to its meeting: a caller, or the page of one.
pub(crate) struct Arrival {
    pub(crate) meeting: Box<OnlineMeeting>,
    pub(crate) party: Party,
    /// Whose phone it is, where that is a user's.
    pub(crate) user: Option<UserId>,
    pub(crate) way: Way,
    /// Its page, where it has one.
    pub(crate) page: Option<PageSide>,
}

impl Arrival {
    /// Brings the caller with its leg to the conference of its meeting, which begins where nobody is in it yet. Where that
    /// cannot be, the caller is hung up on.
    pub(crate) fn enter(self, context: &Context) {
        let mut arrival = Box::new(self);
        for _ in 0..MAX_TRIES {
            match arrival.try_enter(context) {
                Ok(()) => return,
                Err(Some(back)) => arrival = back,
                Err(None) => return,
            }
        }
        tracing::error!("a caller came to no meeting: each was over before");
    }

    /// Comes back where the conference is over.
    fn try_enter(self: Box<Self>, context: &Context) -> Result<(), Option<Box<Self>>> {
        let Party { leg, person } = &self.party;
        let (media, events, participant) = (Arc::clone(&leg.media), leg.events.clone(), person.participant);
        let log = |error| {
            tracing::error!(%error, "failed to bring a caller to a meeting");
            None
        };
        let door = context.conferences.meeting(context, &self.meeting, Some(media.leg())).map_err(log)?;
        if let Err(error) = media.bring_to(door.mixer) {
            // One that has just begun for nobody is over once it is told anything.
            context.conferences.meeting_changed((*self.meeting).clone());
            return Err(log(error));
        }
        match door.inputs.end(ConferenceTaskInput::Arrive(self)) {
            Ok(()) => {
                media.move_to(door.inputs.clone(), participant, None);
                events.move_to_conference(door.inputs, participant);
                Ok(())
            }
            Err(ConferenceTaskInput::Arrive(back)) => Err(Some(back)),
            // Only what went in comes back.
            Err(_) => Err(None),
        }
    }

    /// The caller as the conference's engine takes it.
    pub(crate) fn arriving(&self) -> Arriving {
        let person = &self.party.person;
        Arriving {
            participant: person.participant,
            info: person.info.clone(),
            user: self.user.clone(),
            is_held: person.is_held,
            way: self.way,
        }
    }
}
