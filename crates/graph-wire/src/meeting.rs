//! `chatInfo` and the kinds of `meetingInfo`, which requests carry.

use model::{ChatInfo, IdentitySet, MeetingInfo};
use serde_json::Value;

use crate::InvalidRequest;
use crate::invalid_request::Path;
use crate::wire::{Body, Definition, Fields, Member, Nulls, Shape, Wire, is_type, wire_object};

wire_object! {
    ChatInfo as "chatInfo" {
        thread_id: "threadId" required,
        message_id: "messageId" nullable,
        reply_chain_message_id: "replyChainMessageId" nullable,
    }
}

/// Its members imply the type where it does not say one.
impl Wire for MeetingInfo {
    fn shape() -> Shape {
        Shape::Named("meetingInfo")
    }

    fn read(value: &Value, at: &Path<'_>) -> Result<Self, InvalidRequest> {
        let meeting = Fields::any(value, at)?;
        let declared = meeting.declared_type()?;
        let is_meant = |name: &str, mark: &str| match declared {
            Some(declared) => is_type(declared, name),
            None => meeting.value(mark).is_some(),
        };
        if is_meant(BY_TOKEN, "token") {
            return Ok(Self::Token { token: meeting.required("token")? });
        }
        if is_meant(BY_NUMBER, "joinMeetingId") {
            return Ok(Self::JoinMeetingId {
                join_meeting_id: meeting.required("joinMeetingId")?,
                passcode: meeting.optional("passcode")?,
            });
        }
        if is_meant(BY_ORGANIZER, "organizer") {
            return Ok(Self::Organizer {
                organizer: Box::new(meeting.required("organizer")?),
                allow_conversation_without_host: meeting.optional("allowConversationWithoutHost")?,
            });
        }
        let types = "#microsoft.graph.organizerMeetingInfo, tokenMeetingInfo or joinMeetingIdMeetingInfo";
        Err(meeting.expected("@odata.type", types))
    }

    fn write(&self, nulls: Nulls) -> Value {
        let body = match self {
            Self::JoinMeetingId { join_meeting_id, passcode } => {
                let mut body = Body::of(BY_NUMBER, nulls);
                body.required("joinMeetingId", join_meeting_id);
                body.nullable("passcode", passcode);
                body
            }
            Self::Organizer { organizer, allow_conversation_without_host } => {
                let mut body = Body::of(BY_ORGANIZER, nulls);
                body.required("organizer", &**organizer);
                body.optional("allowConversationWithoutHost", allow_conversation_without_host);
                body
            }
            Self::Token { token } => {
                let mut body = Body::of(BY_TOKEN, nulls);
                body.required("token", token);
                body
            }
        };
        body.into()
    }
}

const BY_NUMBER: &str = "joinMeetingIdMeetingInfo";
const BY_ORGANIZER: &str = "organizerMeetingInfo";
const BY_TOKEN: &str = "tokenMeetingInfo";

/// The definitions of `meetingInfo` and its three subtypes.
pub(crate) fn meeting_info_definitions() -> Vec<Definition> {
    let derived = |name, members| Definition::Object { name, base: Some("meetingInfo"), members };
    vec![
        Definition::Object { name: "meetingInfo", base: None, members: Vec::new() },
        derived(
            BY_NUMBER,
            vec![Member::new("joinMeetingId", Shape::Text), Member::nullable("passcode", Shape::Text)],
        ),
        derived(
            BY_ORGANIZER,
            vec![
                Member::nullable("allowConversationWithoutHost", Shape::Boolean),
                Member::new("organizer", IdentitySet::shape()),
            ],
        ),
        derived(BY_TOKEN, vec![Member::new("token", Shape::Text)]),
    ]
}
