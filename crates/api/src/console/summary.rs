use model::{
    Call, CallDirection, CallKind, CallState, IndexedDirectory, MediaState, Outcome, Person, TenantId,
    Timestamp,
};
use serde_json::{Value, json};

/// A call at a glance.
pub(super) fn summary(
    directory: &IndexedDirectory,
    call: &Call,
    answered_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
) -> Value {
    let app = directory.applications.get(&call.app).map(|app| app.name.as_str());
    let result = call.outcome.filter(|_| call.state == CallState::Terminated).map(Outcome::result_info);
    let result = result
        .map(|result| json!({"code": result.code, "subcode": result.subcode, "message": result.message}));
    let is_held = call.state == CallState::Established && call.media_state == Some(MediaState::Inactive);
    json!({
        "id": call.id.to_string(),
        "app": {"id": call.app.as_str(), "name": app},
        "tenant": tenant(directory, &call.tenant),
        "state": state(call.state),
        "direction": match call.direction {
            CallDirection::Incoming => "incoming",
            CallDirection::Outgoing => "outgoing",
        },
        "kind": match &call.kind {
            CallKind::Group => "group",
            CallKind::Meeting => "meeting",
            CallKind::PeerToPeer { .. } => "peerToPeer",
        },
        "who": who(directory, call),
        "subject": call.subject,
        "held": is_held,
        "since": call.created_at.to_string(),
        "answered": answered_at.map(|at| at.to_string()),
        "ended": ended_at.map(|at| at.to_string()),
        "result": result,
        "notifications": call.notified,
    })
}

/// A tenant by its id, and its name where it is known.
pub(super) fn tenant(directory: &IndexedDirectory, id: &TenantId) -> Value {
    let name = directory.tenants.get(id).map(|tenant| tenant.name.as_str());
    json!({"id": id.as_str(), "name": name})
}

/// A state as the API writes it.
pub(super) const fn state(state: CallState) -> &'static str {
    match state {
        CallState::Established => "established",
        CallState::Establishing => "establishing",
        CallState::Incoming => "incoming",
        CallState::Redirecting => "redirecting",
        CallState::Terminated => "terminated",
        CallState::Terminating => "terminating",
        CallState::TransferAccepted => "transferAccepted",
        CallState::Transferring => "transferring",
    }
}

/// Whom the call is with, for people.
fn who(directory: &IndexedDirectory, call: &Call) -> String {
    match &call.kind {
        CallKind::Group => format!("{} people", call.targets.len()),
        CallKind::Meeting => call.subject.clone().unwrap_or_else(|| "a meeting".to_owned()),
        CallKind::PeerToPeer { person: Person::Phone(number) } => number.as_str().to_owned(),
        CallKind::PeerToPeer { person: Person::Withheld } => "a withheld number".to_owned(),
        CallKind::PeerToPeer { person: Person::User(user) } => {
            directory.users.get(user).map_or_else(|| user.to_string(), |user| user.name.clone())
        }
    }
}
