//! How a page comes to its meeting.

use std::sync::Arc;

use call_engine::{Refusal, Way};
use meeting_wire::EndReason;
use model::{OnlineMeeting, Participant, TenantId, UserId};
use store::MeetingKey;
use tokio::sync::mpsc;

use super::super::call::PageCall;
use super::{PageSide, Told, What};
use crate::conference::Person;
use crate::context::Context;
use crate::dial_in::Arrival;
use crate::far_end::FarEndEvents;
use crate::leg::Leg;
use crate::ringing::Party;
use crate::sip::CallingPhone;

/// Somebody on the way into a meeting.
pub(super) struct Joining {
    pub(super) tenant: TenantId,
    /// Which meeting.
    pub(super) thread: String,
    pub(super) info: Participant,
    /// Who it is, where it is a user.
    pub(super) user: Option<UserId>,
    pub(super) side: PageSide,
}

impl Joining {
    /// Brings the page in with its sound, and lives until that is over.
    pub(super) async fn run(self, call: PageCall, offer: String) {
        let context = call.context.clone();
        match self.look_up(&context).await {
            Ok(meeting) => {
                let events = FarEndEvents::held();
                call.call(offer, events, move |phone| self.bring(&context, phone, meeting)).await;
            }
            Err(why) => self.side.say(What::Barred(why)),
        }
    }

    /// The meeting as it is now: it may have been locked since the page was loaded.
    async fn look_up(&self, context: &Context) -> Result<Box<OnlineMeeting>, EndReason> {
        let found = context.store.meeting(self.tenant.clone(), MeetingKey::Thread(self.thread.clone())).await;
        match found {
            Ok(Some(meeting)) if meeting.is_locked => Err(EndReason::Locked),
            Ok(Some(meeting)) => Ok(Box::new(meeting)),
            Ok(None) => Err(EndReason::Over),
            Err(error) => {
                tracing::error!(%error, "failed to look up a meeting for its page");
                Err(EndReason::Failed)
            }
        }
    }

    /// Answers the page's far end, and takes the leg to the meeting's conference.
    fn bring(self, context: &Context, phone: CallingPhone, meeting: Box<OnlineMeeting>) {
        let far_end = phone.far_end.clone();
        // What the leg reports before it is in the conference is of no use: it has done nothing.
        let answered = context.media.open_for_script().map_err(|error| {
            tracing::error!(%error, "failed to open a media leg");
        });
        let answered =
            answered.and_then(|(port, _)| Leg::answer(context, phone, Arc::new(port)).map_err(drop));
        let Ok((leg, acceptance)) = answered else { return far_end.reject(Refusal::Unavailable) };
        acceptance.send();
        let Self { info, user, side, .. } = self;
        let person = Person { participant: side.participant, info, is_held: leg.is_held };
        tracing::info!(
            participant.id = %person.participant,
            is_guest = user.is_none(),
            "somebody comes to a meeting by its page"
        );
        let party = Party { leg, person };
        Arrival { meeting, party, user, way: Way::Page, page: Some(side) }.enter(context);
    }
}

impl PageSide {
    pub(super) fn new(participant: model::ParticipantId, page: mpsc::UnboundedSender<Told>) -> Self {
        Self { participant, page }
    }
}
