//! What is different where a call leads into the phone network.

use model::{CallDirection, CallKind, MeetingInfo, Outcome};

use super::Call;
use crate::EndCause;
use crate::ending::{not_answered, outcome_of, outcome_of_unanswered};

impl Call {
    /// Whether an application instance called, or was called: others hand nobody over to a phone number.
    pub(super) fn is_of_instance(&self) -> bool {
        self.record.application_instance().is_some()
    }

    /// Whether numbers may be called into the conversation: not where the application was called by its own name, or has
    /// joined by a token (cloud-communications-calls-answer).
    pub(super) fn may_invite_numbers(&self) -> bool {
        let is_by_token = matches!(self.record.meeting, Some(MeetingInfo::Token { .. }));
        match self.record.direction {
            CallDirection::Incoming => self.is_of_instance(),
            CallDirection::Outgoing => !is_by_token,
        }
    }

    /// The ending of a call whose leg ended by itself.
    pub(super) fn outcome_of(&self, cause: EndCause) -> Outcome {
        let (is_connected, direction) = (self.record.state.is_connected(), self.record.direction);
        match (direction, cause) {
            (CallDirection::Incoming, EndCause::Cancelled | EndCause::HungUp)
                if self.record.is_with_phone_network() && !is_connected =>
            {
                Outcome::PstnIncoming(487)
            }
            (CallDirection::Incoming, EndCause::HungUp) if self.record.is_with_phone_network() => {
                Outcome::PstnIncoming(200)
            }
            (CallDirection::Outgoing, EndCause::HungUp) if self.record.is_with_phone_network() => {
                Outcome::PstnOutgoing(200)
            }
            (CallDirection::Incoming, _) if !is_connected => outcome_of_unanswered(cause),
            (CallDirection::Incoming | CallDirection::Outgoing, _) => outcome_of(cause, is_connected),
        }
    }

    /// The ending of a call that the application makes and that nobody answers.
    pub(super) fn not_answered(&self) -> Outcome {
        match &self.record.kind {
            CallKind::PeerToPeer { person } => not_answered(person),
            CallKind::Group | CallKind::Meeting => Outcome::NotAnswered,
        }
    }
}
