use serde::{Deserialize, Serialize};

/// Why a call or an operation ended (`resultInfo`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultInfo {
    /// A class in the manner of HTTP and SIP: 2xx success, 4xx the caller's, 5xx ours.
    pub code: i32,
    /// The exact reason within the class.
    pub subcode: i32,
    /// The reason in words.
    pub message: String,
}

/// Every ending that this server gives, by name. [`Outcome::result_info`] is the one table of codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// A media operation did what it should.
    ActionCompleted,
    /// The caller did not acknowledge the answer.
    AnswerNotAcknowledged,
    /// Someone else answered the call, which rang in several places.
    AnsweredElsewhere,
    /// The bot was not there to go on: the server restarted.
    ServerRestarted,
    /// The callee is busy.
    CalleeBusy,
    /// The callee declined.
    CalleeDeclined,
    /// The callee's endpoints did not react at all.
    CalleeSilent,
    /// No endpoint of the callee is registered.
    CalleeHasNoEndpoint,
    /// The callee is unreachable for another reason.
    CalleeUnreachable,
    /// The callee does not exist.
    CalleeNotFound,
    /// The callee's endpoint refused what it was offered.
    CalleeRefusedOffer,
    /// The caller hung up before the bot had answered.
    CancelledByCaller,
    /// The bot hung up.
    EndedByBot,
    /// The bot hung up before anyone answered.
    CancelledByBot,
    /// The other party of a two-party call hung up.
    EndedByPeer,
    /// A participant removed this one.
    RemovedByParticipant,
    /// Everyone else left.
    EveryoneElseLeft,
    /// Who had started the group call left.
    InitiatorLeft,
    /// Nobody else came back to the meeting.
    LeftAlone,
    /// Nobody joined.
    NobodyJoined,
    /// Only hidden participants are left.
    OnlyHiddenLeft,
    /// Nobody let it in from the lobby in time.
    LobbyTimedOut,
    /// Nobody may join the meeting any more.
    MeetingLocked,
    /// The conversation has as many participants as it may have.
    TooManyParticipants,
    /// The call took the place of another one.
    Replaced,
    /// An operation was cancelled.
    OperationCancelled,
    /// The call ended while an operation was under way.
    CallEndedDuringOperation,
    /// No keepAlive came in time.
    KeepAliveMissing,
    /// Media stopped flowing.
    MediaLost,
    /// Media could not be set up.
    MediaFailed,
    /// Nobody answered in time.
    NotAnswered,
    /// The bot did nothing about a call that came in.
    NotActedOn,
    /// The bot sent the call on, and someone answered it.
    Redirected,
    /// The bot did not take the call.
    Rejected,
    /// The bot did not take the call: it is busy.
    RejectedAsBusy,
    /// The bot did not take the call: the caller may not call it.
    RejectedAsForbidden,
    /// The other party was handed over to someone else.
    Transferred,
    /// The other party could not be handed over.
    TransferFailed,
    /// The other party could not be handed over to whom the bot had called before.
    ConsultativeTransferFailed,
    /// A prompt could not be fetched.
    PromptDownloadFailed,
    /// A prompt is not a sound file that can be played.
    PromptInvalid,
    /// Too many operations wait.
    TooManyOperations,
    /// A recording reached its longest duration.
    RecordedMaxDuration,
    /// A recording was ended by silence.
    RecordedMaxSilence,
    /// Nothing was heard to record.
    RecordedInitialSilence,
    /// A recording was ended by a key.
    RecordedStopTone,
    /// Nothing was received to record.
    RecordMediaTimeout,
    /// The phone network ended a call that came from there: with this SIP status, or 200 where the phone hung up.
    PstnIncoming(u16),
    /// The phone network ended a call to a number: with this SIP status, or 200 where the phone hung up.
    PstnOutgoing(u16),
    /// Something failed inside this server.
    InternalError,
}

impl Outcome {
    /// The documented numbers and words of this ending.
    pub fn result_info(self) -> ResultInfo {
        let (code, subcode, message) = match self {
            Self::ActionCompleted => (200, 0, "Action completed successfully."),
            Self::AnswerNotAcknowledged => (408, 1106, "The caller did not acknowledge the answer."),
            Self::AnsweredElsewhere => (487, 10003, "The call was answered elsewhere."),
            Self::ServerRestarted => {
                (500, 9001, "The call ended because the server that held its media restarted.")
            }
            Self::CalleeBusy => (486, 8539, "The callee is busy."),
            Self::CalleeDeclined => (603, 8538, "The callee declined the call."),
            Self::CalleeSilent => (408, 10057, "The callee's endpoints did not respond."),
            Self::CalleeHasNoEndpoint => (480, 10037, "The callee has no endpoint registered."),
            Self::CalleeUnreachable => (480, 10076, "The callee is unreachable."),
            Self::CalleeNotFound => (404, 8543, "The callee was not found."),
            Self::CalleeRefusedOffer => {
                (488, 8500, "The callee's endpoint did not accept the media that was offered.")
            }
            Self::EndedByBot => (200, 7000, "The call was ended by the application."),
            Self::CancelledByBot => (487, 0, "The call was cancelled before it was answered."),
            Self::CancelledByCaller => (487, 0, "The caller hung up before the call was answered."),
            Self::EndedByPeer => (200, 4521, "The call was ended by the other party."),
            Self::RemovedByParticipant => (200, 5000, "The participant was removed by another one."),
            Self::EveryoneElseLeft => (200, 5002, "Everyone else has left the conversation."),
            Self::InitiatorLeft => (200, 5007, "The initiator of the group call has left."),
            Self::LeftAlone => (200, 5010, "The participant was left alone in the conversation."),
            Self::NobodyJoined => (200, 5013, "Nobody joined the conversation."),
            Self::OnlyHiddenLeft => (200, 5020, "Only hidden participants are left in the conversation."),
            Self::LobbyTimedOut => (200, 5855, "The time to wait in the lobby is over."),
            Self::MeetingLocked => (403, 8560, "The meeting is locked."),
            Self::TooManyParticipants => {
                (400, 8523, "The conversation has as many participants as it may have.")
            }
            Self::Replaced => (200, 5003, "The participant has moved to another conversation."),
            Self::OperationCancelled => (400, 8508, "Action was cancelled."),
            Self::CallEndedDuringOperation => (400, 8528, "The call ended before the action completed."),
            Self::KeepAliveMissing => {
                (408, 8537, "The call was ended because keepAlive was not received in time.")
            }
            Self::MediaLost => (410, 301005, "Media connectivity was lost."),
            Self::MediaFailed => (500, 1005, "Media could not be established."),
            Self::NotAnswered => (487, 10004, "The callee did not answer in time."),
            Self::NotActedOn => (408, 8587, "The application did not act on the call in time."),
            Self::Redirected => (200, 0, "The call was redirected."),
            Self::Rejected => (603, 8538, "The application declined the call."),
            Self::RejectedAsBusy => (486, 8539, "The application is busy."),
            Self::RejectedAsForbidden => (403, 0, "The caller may not call the application."),
            // The documented notifications have 0 here, the table of codes 200.
            Self::Transferred => (0, 7015, "GracefulTransferCompleted"),
            Self::TransferFailed => (500, 7000, "The transfer failed; the call goes on."),
            Self::ConsultativeTransferFailed => {
                (500, 7700, "The consultative transfer failed; both calls go on.")
            }
            Self::PromptDownloadFailed => (400, 8536, "The prompt could not be downloaded."),
            Self::PromptInvalid => (400, 8535, "The prompt's file format is not valid."),
            Self::TooManyOperations => (400, 8516, "Too many media operations are waiting."),
            Self::RecordedMaxDuration => {
                (200, 8515, "Action was completed as the maximum duration was reached.")
            }
            Self::RecordedMaxSilence => {
                (200, 8509, "Action was completed as the maximum silence was reached.")
            }
            Self::RecordedInitialSilence => (400, 8510, "Action failed as nothing was heard in time."),
            Self::RecordedStopTone => (200, 8514, "Action was completed by a stop tone."),
            Self::RecordMediaTimeout => (400, 8513, "Action failed as no media was received."),
            Self::PstnIncoming(status) => pstn(540_000, status),
            Self::PstnOutgoing(status) => pstn(560_000, status),
            Self::InternalError => (500, 9999, "The server failed internally."),
        };
        ResultInfo { code, subcode, message: message.to_owned() }
    }

    /// What the API says beside the numbers where a call ended by it (`terminationReason`).
    pub const fn termination_reason(self) -> Option<&'static str> {
        if matches!(self, Self::Transferred) { Some("AppTransferred") } else { None }
    }

    /// Whether it is the application's refusal of a call that came in.
    pub const fn is_rejection(self) -> bool {
        matches!(self, Self::Rejected | Self::RejectedAsBusy | Self::RejectedAsForbidden)
    }
}

/// Code, subcode and words of a SIP status of the phone network, whose subcodes are of one family. A hang-up has the
/// subcode that the family begins with.
fn pstn(family: i32, status: u16) -> (i32, i32, &'static str) {
    let subcode = if status == 200 { family } else { family + i32::from(status) };
    (i32::from(status), subcode, pstn_message(status))
}

/// What the phone network means by a SIP status.
const fn pstn_message(status: u16) -> &'static str {
    match status {
        200 => "The phone hung up.",
        403 => "The phone network does not let the call through.",
        404 | 604 => "The phone number does not exist.",
        408 => "The phone network did not answer in time.",
        480 => "Nobody answers at the phone number.",
        484 => "The phone number is not complete.",
        486 | 600 => "The phone number is busy.",
        487 => "The call was cancelled before it was answered.",
        488 | 606 => "The phone network did not accept the media that was offered.",
        500..=599 => "The phone network failed.",
        603 | 607 => "The call was declined at the phone number.",
        _ => "The phone network did not connect the call.",
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn each_sip_status_of_the_phone_network_has_its_code_in_the_family_of_its_direction() {
        let hung_up = Outcome::PstnOutgoing(200).result_info();
        assert_eq!((hung_up.code, hung_up.subcode), (200, 560_000));
        for status in [403, 404, 408, 480, 486, 487, 488, 500, 503, 603] {
            let of = |outcome: Outcome| (outcome.result_info().code, outcome.result_info().subcode);
            let code = i32::from(status);
            assert_eq!(of(Outcome::PstnOutgoing(status)), (code, 560_000 + code));
            assert_eq!(of(Outcome::PstnIncoming(status)), (code, 540_000 + code));
        }
    }

    #[test]
    fn the_phone_networks_words_are_those_of_the_status() {
        let said = |status| Outcome::PstnOutgoing(status).result_info().message;
        assert_eq!((said(486), said(600)), (said(600), "The phone number is busy.".to_owned()));
        assert_eq!(said(200), "The phone hung up.");
        assert_eq!(said(499), "The phone network did not connect the call.");
        assert_eq!((said(502), said(503)), (said(504), "The phone network failed.".to_owned()));
    }
}
