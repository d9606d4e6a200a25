//! The timeline of a call that is not remembered, as far as its notifications tell it.

use model::{CallState, NotificationBody, Outcome};
use serde_json::{Value, json};
use store::Delivery;

use super::summary::state;

/// What the notifications of a call say of it, in order.
pub(super) fn of_notifications(deliveries: &[Delivery]) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut last: Option<CallState> = None;
    let mut push =
        |at: String, lane: &str, what: &str, (text, reference): (Option<String>, Option<String>)| {
            let sequence = entries.len() + 1;
            entries.push(json!({
                "sequence": sequence, "at": at, "lane": lane, "what": what, "text": text, "ref": reference,
            }));
        };
    for Delivery { notification, .. } in deliveries {
        let at = notification.created_at.to_string();
        let about = match &notification.body {
            NotificationBody::Call(call) => {
                if let Some(tone) = call.tone {
                    push(at.clone(), "tone", "heard", (Some(tone.tone.key().to_string()), None));
                } else if last.replace(call.state) != Some(call.state) {
                    let why = call.outcome.map(Outcome::result_info).map(|result| result.message);
                    push(at.clone(), "state", state(call.state), (why, None));
                }
                "call"
            }
            NotificationBody::ContentSharing(_) => "contentSharing",
            NotificationBody::Operation(operation) => {
                let why = operation.outcome.map(Outcome::result_info).map(|result| result.message);
                let what =
                    if operation.status == model::OperationStatus::Failed { "failed" } else { "completed" };
                push(at.clone(), "operation", what, (why, Some(operation.id.to_string())));
                "operation"
            }
            NotificationBody::Roster(_) => "participants",
        };
        let text = (Some(about.to_owned()), Some(notification.sequence.to_string()));
        push(at, "notification", "queued", text);
    }
    entries
}
