use model::{Outcome, Person};

/// Why a leg ended, in the words of call control; the leg drivers translate from their protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndCause {
    /// Someone else answered the call, which rang in several places.
    AnsweredElsewhere,
    /// The callee is busy.
    Busy,
    /// The leg was cancelled from this side before an answer.
    Cancelled,
    /// The callee declined.
    Declined,
    /// The far end hung up.
    HungUp,
    /// Something failed on this side.
    Internal,
    /// This side hung up.
    LocalHangUp,
    /// Media could not be set up.
    MediaFailed,
    /// Media stopped flowing.
    MediaLost,
    /// The callee did not answer within its own time.
    NoAnswer,
    /// No endpoint is registered.
    NoEndpoint,
    /// The caller did not acknowledge the answer.
    NotAcknowledged,
    /// The callee does not exist.
    NotFound,
    /// The phone network does not connect the call, or not any more, for the reason that this SIP status says.
    PhoneNetwork(u16),
    /// The callee does not accept the offer.
    RefusedOffer,
    /// No endpoint reacted.
    Silent,
    /// The callee cannot be reached for another reason.
    Unreachable,
    /// The far end vanished during the call: a session timer ran out, or it no longer knows the dialog.
    Vanished,
}

/// The ending of a call to somebody who does not answer.
pub(crate) const fn not_answered(callee: &Person) -> Outcome {
    if callee.is_in_phone_network() { Outcome::PstnOutgoing(480) } else { Outcome::NotAnswered }
}

/// The ending of a call whose leg ended by itself.
pub(crate) const fn outcome_of(cause: EndCause, was_established: bool) -> Outcome {
    match cause {
        EndCause::AnsweredElsewhere => Outcome::AnsweredElsewhere,
        EndCause::Busy => Outcome::CalleeBusy,
        EndCause::Cancelled => Outcome::CancelledByBot,
        EndCause::Declined => Outcome::CalleeDeclined,
        EndCause::HungUp => Outcome::EndedByPeer,
        EndCause::Internal => Outcome::InternalError,
        EndCause::LocalHangUp => Outcome::EndedByBot,
        EndCause::MediaFailed => Outcome::MediaFailed,
        EndCause::MediaLost | EndCause::Vanished => Outcome::MediaLost,
        EndCause::NoAnswer => Outcome::NotAnswered,
        EndCause::NoEndpoint => Outcome::CalleeHasNoEndpoint,
        EndCause::NotAcknowledged => Outcome::AnswerNotAcknowledged,
        EndCause::NotFound => Outcome::CalleeNotFound,
        EndCause::PhoneNetwork(status) => Outcome::PstnOutgoing(status),
        EndCause::RefusedOffer => Outcome::CalleeRefusedOffer,
        EndCause::Silent if was_established => Outcome::MediaLost,
        EndCause::Silent => Outcome::CalleeSilent,
        EndCause::Unreachable => Outcome::CalleeUnreachable,
    }
}

/// The ending of a call that came in, where its leg ended by itself before the caller and the application were connected.
pub(crate) const fn outcome_of_unanswered(cause: EndCause) -> Outcome {
    match cause {
        EndCause::Cancelled | EndCause::HungUp => Outcome::CancelledByCaller,
        EndCause::AnsweredElsewhere
        | EndCause::Busy
        | EndCause::Declined
        | EndCause::Internal
        | EndCause::LocalHangUp
        | EndCause::MediaFailed
        | EndCause::MediaLost
        | EndCause::NoAnswer
        | EndCause::NoEndpoint
        | EndCause::NotAcknowledged
        | EndCause::NotFound
        | EndCause::PhoneNetwork(_)
        | EndCause::RefusedOffer
        | EndCause::Silent
        | EndCause::Unreachable
        | EndCause::Vanished => outcome_of(cause, false),
    }
}
