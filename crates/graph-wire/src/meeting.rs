//! `chatInfo` and the kinds of `meetingInfo`, which requests carry.

use model::IdentitySet;

use crate::ChatInfo;
use crate::wire::{Definition, Member, Shape, Wire, wire_object};

wire_object! {
    ChatInfo as "chatInfo" {
        thread_id: "threadId" required,
        message_id: "messageId" nullable,
        reply_chain_message_id: "replyChainMessageId" nullable,
    }
}

/// The definitions of `meetingInfo` and its three subtypes.
pub(crate) fn meeting_info_definitions() -> Vec<Definition> {
    let derived = |name, members| Definition::Object { name, base: Some("meetingInfo"), members };
    vec![
        Definition::Object { name: "meetingInfo", base: None, members: Vec::new() },
        derived(
            "joinMeetingIdMeetingInfo",
            vec![Member::new("joinMeetingId", Shape::Text), Member::nullable("passcode", Shape::Text)],
        ),
        derived(
            "organizerMeetingInfo",
            vec![
                Member::nullable("allowConversationWithoutHost", Shape::Boolean),
                Member::new("organizer", IdentitySet::shape()),
            ],
        ),
        derived("tokenMeetingInfo", vec![Member::new("token", Shape::Text)]),
    ]
}
