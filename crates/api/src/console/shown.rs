//! What is known of a call, as JSON.

use model::{Attempt, ChangeType, NotificationBody, NotificationState};
use serde_json::{Value, json};
use store::Delivery;
use trace::{Direction, Entry, Message};

use super::secrets::{address_without_secrets, without_secrets};

pub(super) fn entry(entry: &Entry) -> Value {
    json!({
        "sequence": entry.sequence,
        "at": entry.at.to_string(),
        "lane": entry.lane.as_str(),
        "what": entry.what,
        "text": entry.text,
        "ref": entry.reference,
    })
}

pub(super) fn message(message: &Message) -> Value {
    let status = message.status();
    json!({
        "sequence": message.sequence,
        "at": message.at.to_string(),
        "direction": match message.direction {
            Direction::Received => "received",
            Direction::Sent => "sent",
        },
        "peer": message.peer,
        "dialog": format!("d{}", message.dialog),
        "isRequest": status.is_none(),
        "method": message.method(),
        "status": status,
        "cseq": message.cseq,
        "startLine": message.start_line(),
        "text": message.text,
        "isCut": message.is_cut,
    })
}

pub(super) fn notification(delivery: &Delivery) -> Value {
    let notification = &delivery.notification;
    let scheduled = delivery.attempts.iter().map(|one| (one, false));
    let mut attempts: Vec<_> = scheduled.chain(delivery.resends.iter().map(|one| (one, true))).collect();
    attempts.sort_by_key(|(one, _)| one.at);
    json!({
        "id": notification.id.to_string(),
        "sequence": notification.sequence,
        "state": match delivery.state {
            NotificationState::Abandoned => "abandoned",
            NotificationState::Delivered => "delivered",
            NotificationState::Pending => "pending",
        },
        "createdAt": notification.created_at.to_string(),
        "callbackUri": address_without_secrets(&notification.callback_uri),
        "change": match notification.change {
            ChangeType::Created => "created",
            ChangeType::Deleted => "deleted",
            ChangeType::Updated => "updated",
        },
        "about": match &notification.body {
            NotificationBody::Call(_) => "call",
            NotificationBody::ContentSharing(_) => "contentSharing",
            NotificationBody::Operation(_) => "operation",
            NotificationBody::Roster(_) => "participants",
        },
        "body": without_secrets(graph_wire::notifications([notification])),
        "attempts": attempts.into_iter().map(|(one, is_resend)| attempt(one, is_resend)).collect::<Vec<_>>(),
    })
}

pub(super) fn attempt(attempt: &Attempt, is_resend: bool) -> Value {
    json!({
        "number": attempt.number,
        "at": attempt.at.to_string(),
        "durationMs": attempt.duration_ms,
        "status": attempt.status,
        "error": attempt.error,
        "resend": is_resend,
    })
}
