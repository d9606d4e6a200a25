//! `commsNotifications`: what is posted to a `callbackUri`.

use model::{Call, CallState, ChangeType, Notification, NotificationBody};
use serde_json::Value;

use crate::call::changing;
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
        NotificationBody::Operation(operation) => format!("calls/{call}/operations/{}", operation.id),
        NotificationBody::Roster(_) => format!("calls/{call}/participants"),
    };
    let resource_url = format!("/communications/{place}");
    let named = |mut data: Body| {
        data.set("@odata.id", resource_url.as_str());
        data.set("@odata.etag", format!("W/\"{}\"", notification.sequence));
        Value::from(data)
    };
    let data = match &notification.body {
        NotificationBody::Call(call) => named(call_data(call, notification.change)),
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

/// The members of a call that its notifications carry: the whole introduction of a new one, then what changes.
fn call_data(call: &Call, change: ChangeType) -> Body {
    let mut data = Body::of("call", Nulls::Omit);
    changing(&mut data, call);
    data.optional("answeredBy", &call.answered_by);
    data.optional("chatInfo", &call.chat);
    data.optional("meetingInfo", &call.meeting);
    // A bot takes every toneInfo for another key, so only a running call's update carries one.
    if change == ChangeType::Updated && call.state == CallState::Established {
        data.optional("toneInfo", &call.tone);
    }
    if change == ChangeType::Created {
        data.set("callbackUri", call.callback_uri.as_str());
        data.set("myParticipantId", call.my_participant.to_string());
        data.required("requestedModalities", &call.requested_modalities);
        data.required("source", &call.source);
        data.optional("subject", &call.subject);
        data.required("targets", &call.targets);
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
