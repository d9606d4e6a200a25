use call_engine::{EndCause, Refusal};
use sip_message::StatusCode;

/// The words of call control for the end of a SIP call.
pub(super) fn end_cause(cause: &sip_proto::EndCause) -> EndCause {
    match cause {
        sip_proto::EndCause::AnsweredElsewhere => EndCause::AnsweredElsewhere,
        sip_proto::EndCause::Cancelled | sip_proto::EndCause::LocalHangUp => EndCause::LocalHangUp,
        sip_proto::EndCause::MissingAnswer => EndCause::MediaFailed,
        sip_proto::EndCause::NoAck | sip_proto::EndCause::SessionExpired => EndCause::Vanished,
        sip_proto::EndCause::Rejected { status, .. } => refusal(status.as_u16()),
        sip_proto::EndCause::RemoteBye { .. } => EndCause::HungUp,
        sip_proto::EndCause::Timeout => EndCause::Silent,
        sip_proto::EndCause::TransportFailed => EndCause::Unreachable,
    }
}

/// The same for a phone that called.
pub(super) fn end_cause_of_caller(cause: &sip_proto::EndCause) -> EndCause {
    match cause {
        sip_proto::EndCause::Cancelled => EndCause::HungUp,
        sip_proto::EndCause::NoAck => EndCause::NotAcknowledged,
        sip_proto::EndCause::AnsweredElsewhere
        | sip_proto::EndCause::LocalHangUp
        | sip_proto::EndCause::MissingAnswer
        | sip_proto::EndCause::Rejected { .. }
        | sip_proto::EndCause::RemoteBye { .. }
        | sip_proto::EndCause::SessionExpired
        | sip_proto::EndCause::Timeout
        | sip_proto::EndCause::TransportFailed => end_cause(cause),
    }
}

/// What a caller is answered who is refused (RFC 3261, 21.4 and 21.6).
///
/// Not 503 where there are too many calls: a phone that gets one may send nothing at all here for a while (21.5.4), and
/// its registration and its calls to others are not in the way of anything.
pub(super) const fn status_of(why: Refusal) -> StatusCode {
    match why {
        Refusal::Busy | Refusal::CallerAtLimit => StatusCode::BUSY_HERE,
        Refusal::Declined => StatusCode::DECLINE,
        Refusal::Forbidden => StatusCode::FORBIDDEN,
        Refusal::NotAnswered | Refusal::Occupied | Refusal::Unavailable => {
            StatusCode::TEMPORARILY_UNAVAILABLE
        }
        Refusal::NotFound => StatusCode::NOT_FOUND,
    }
}

/// In how many seconds the caller may try again, where that is worth it (RFC 3261, 20.33). A guess: calls end when people
/// hang up.
pub(super) const fn retry_after(why: Refusal) -> Option<u32> {
    match why {
        Refusal::Occupied => Some(5),
        Refusal::Busy
        | Refusal::CallerAtLimit
        | Refusal::Declined
        | Refusal::Forbidden
        | Refusal::NotAnswered
        | Refusal::NotFound
        | Refusal::Unavailable => None,
    }
}

/// What a final response says about the callee (RFC 3261, 21.4 to 21.6).
const fn refusal(status: u16) -> EndCause {
    match status {
        486 | 600 => EndCause::Busy,
        // 607: RFC 8197.
        403 | 603 | 607 => EndCause::Declined,
        404 | 410 | 484 | 604 => EndCause::NotFound,
        408 => EndCause::NoAnswer,
        415 | 488 | 606 => EndCause::RefusedOffer,
        487 => EndCause::Cancelled,
        _ => EndCause::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_meets_a_limit_hears_whose_and_when_to_try_again() {
        let told = |why| (status_of(why), retry_after(why));
        assert_eq!(told(Refusal::CallerAtLimit), (StatusCode::BUSY_HERE, None));
        assert_eq!(told(Refusal::Occupied), (StatusCode::TEMPORARILY_UNAVAILABLE, Some(5)));
        assert_eq!(told(Refusal::Unavailable), (StatusCode::TEMPORARILY_UNAVAILABLE, None));
    }

    #[test]
    fn a_call_that_was_answered_elsewhere_ends_as_that_for_either_side() {
        let elsewhere = sip_proto::EndCause::AnsweredElsewhere;
        assert_eq!(end_cause(&elsewhere), EndCause::AnsweredElsewhere);
        assert_eq!(end_cause_of_caller(&elsewhere), EndCause::AnsweredElsewhere);
        assert_eq!(end_cause_of_caller(&sip_proto::EndCause::Cancelled), EndCause::HungUp);
    }

    #[test]
    fn refusals_say_what_a_caller_wants_to_know() {
        assert_eq!(refusal(486), EndCause::Busy);
        assert_eq!(refusal(603), EndCause::Declined);
        assert_eq!(refusal(404), EndCause::NotFound);
        assert_eq!(refusal(488), EndCause::RefusedOffer);
        assert_eq!(refusal(480), EndCause::Unreachable);
        assert_eq!(refusal(503), EndCause::Unreachable);
    }
}
