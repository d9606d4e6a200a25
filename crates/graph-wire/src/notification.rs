//! `commsNotifications`: what is posted to a `callbackUri`.

use model::{Call, CallDirection, CallState, ChangeType, Notification, NotificationBody, Outcome};
use serde_json::Value;

use crate::call::{changing, targets};
use crate::content_sharing::session_body;
use crate::incoming::write_incoming;
use crate::operation::operation_body;
use crate::roster::{delta_body, roster_data};
use crate::wire::{Body, Definition, Member, Nulls, Shape, Wire, wire_enum};

wire_enum! {
    ChangeType as "changeType" {
        ChangeType::Created = "created",
        ChangeType::Updated = "updated",
        ChangeType::Deleted = "deleted",
    }
}

/// The body of one POST to a `callbackUri`, with one or more notifications in their order.
pub fn notifications<'a>(value: impl IntoIterator<Item = &'a Notification>) -> Value {
    let mut body = Body::of("commsNotifications", Nulls::Omit);
    body.set("value", value.into_iter().map(notification).collect::<Vec<Value>>());
    body.into()
}

fn notification(notification: &Notification) -> Value {
    let call = notification.call;
    let place = match &notification.body {
        NotificationBody::Call(_) => format!("calls/{call}"),
        // In lower case in all of the API's examples of notifications.
        NotificationBody::ContentSharing(_) => format!("calls/{call}/contentsharingsessions"),
        NotificationBody::Operation(operation) => format!("calls/{call}/operations/{}", operation.id),
        NotificationBody::Roster(_) => format!("calls/{call}/participants"),
    };
    let resource_url = format!("/communications/{place}");
    let located = |mut data: Body| {
        data.set("@odata.id", resource_url.as_str());
        data
    };
    let named = |data: Body| {
        let mut data = located(data);
        data.set("@odata.etag", format!("W/\"{}\"", notification.sequence));
        Value::from(data)
    };
    let data = match &notification.body {
        // The page of `reject` shows nothing but which call it was.
        NotificationBody::Call(call) if is_rejected(call) => located(Body::of("call", Nulls::Omit)).into(),
        NotificationBody::Call(call) => named(call_data(call, notification.change)),
        NotificationBody::ContentSharing(session) => vec![Value::from(session_body(*session))].into(),
        NotificationBody::Operation(operation) => named(operation_body(operation, Nulls::Omit)),
        NotificationBody::Roster(roster) if roster.is_delta => named(delta_body(roster)),
        NotificationBody::Roster(roster) => roster_data(&roster.participants),
    };
    let mut body = Body::of("commsNotification", Nulls::Omit);
    body.required("changeType", &notification.change);
    body.set("resource", format!("/app/{place}"));
    body.set("resourceUrl", resource_url.as_str());
    body.set("callbackUri", notification.callback_uri.as_str());
    body.set("resourceData", data);
    body.into()
}

/// Whether the application has refused the call.
fn is_rejected(call: &Call) -> bool {
    call.state == CallState::Terminated && call.outcome.is_some_and(Outcome::is_rejection)
}

/// The members of a call that its notifications carry: the whole introduction of a new one, then what changes. The end of
/// a call that came in shows all of it once more, as the page of `redirect` does.
fn call_data(call: &Call, change: ChangeType) -> Body {
    let mut data = Body::of("call", Nulls::Omit);
    changing(&mut data, call);
    data.optional("answeredBy", &call.answered_by);
    data.optional("chatInfo", &call.chat);
    data.optional("meetingInfo", &call.meeting);
    let reason = call.outcome.and_then(Outcome::termination_reason);
    data.optional("terminationReason", &reason.map(str::to_owned));
    // A bot takes every toneInfo for another key, so only a running call's update carries one.
    if change == ChangeType::Updated && call.state == CallState::Established {
        data.optional("toneInfo", &call.tone);
    }
    let is_incoming = call.direction == CallDirection::Incoming;
    if change == ChangeType::Created || (change == ChangeType::Deleted && is_incoming) {
        data.set("callbackUri", call.callback_uri.as_str());
        data.set("myParticipantId", call.my_participant.to_string());
        data.required("requestedModalities", &call.requested_modalities);
        data.required("source", &call.source);
        data.optional("subject", &call.subject);
        data.set("targets", targets(call, Nulls::Omit));
        if let Some(incoming) = &call.incoming {
            write_incoming(&mut data, incoming, Nulls::Omit);
        }
    }
    data
}

/// The definitions of `commsNotifications` and `commsNotification`.
pub(crate) fn notification_definitions() -> Vec<Definition> {
    let text = |name| Member::new(name, Shape::Text);
    vec![
        Definition::Object {
            name: "commsNotification",
            base: None,
            members: vec![
                text("callbackUri"),
                Member::new("changeType", ChangeType::shape()),
                text("resource"),
                Member::new("resourceData", Shape::OneOrMany("entity")),
                text("resourceUrl"),
            ],
        },
        Definition::Object {
            name: "commsNotifications",
            base: None,
            members: vec![Member::new("value", Shape::List(Box::new(Shape::Named("commsNotification"))))],
        },
    ]
}
