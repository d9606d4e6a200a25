//! What became of a call's notifications.

use std::sync::Arc;

use axum::body::Body;
use model::{
    Attempt, Call, CallId, ChangeType, Notification, NotificationBody, NotificationId, NotificationState,
    Permission,
};
use store::Delivery;
use uuid::Uuid;

use crate::app::{App, BOT, CONTOSO, FABRIKAM, NOW, OTHER_BOT, refused, request};

fn delivery(call: &Call, sequence: u64, state: NotificationState) -> Delivery {
    let attempt = Attempt { number: 1, at: NOW, duration_ms: 12, status: Some(503), error: None };
    let notification = Notification {
        id: NotificationId::from(Uuid::from_u128(sequence.into())),
        sequence,
        call: call.id,
        app: call.app.clone(),
        tenant: call.tenant.clone(),
        scenario: call.scenario.clone(),
        callback_uri: call.callback_uri.clone(),
        created_at: NOW,
        change: ChangeType::Updated,
        body: NotificationBody::Call(Arc::new(call.clone())),
    };
    Delivery { notification, state, attempts: vec![attempt], resends: Vec::new() }
}

/// An app whose store holds a call with three notifications; and the path to them.
async fn app_with_deliveries() -> (App, String) {
    let app = App::new();
    let path = app.call().await;
    let id = path.rsplit('/').next().unwrap().to_owned();
    let call = app.calls.live.lock().unwrap()[&CallId::parse(&id).unwrap()].0.clone();
    let states = [NotificationState::Delivered, NotificationState::Abandoned, NotificationState::Pending];
    let deliveries = (1..).zip(states).map(|(sequence, state)| delivery(&call, sequence, state));
    app.store.deliveries.lock().unwrap().extend(deliveries);
    app.store.calls.lock().unwrap().push(call);
    (app, format!("/hookswitch/v1/calls/{id}/notifications"))
}

#[tokio::test]
async fn the_owner_sees_every_notification_with_its_attempts() {
    let (app, path) = app_with_deliveries().await;
    let body = app.get(&path).await.json();
    let states: Vec<_> = (0..3).map(|index| body["value"][index]["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["delivered", "abandoned", "pending"]);
    let first = &body["value"][0];
    assert_eq!((&first["sequence"], &first["attempts"][0]["status"]), (&1.into(), &503.into()));
    assert_eq!(first["attempts"][0]["at"], "2027-01-15T08:00:00Z");
    assert_eq!(first["body"]["@odata.type"], "#microsoft.graph.commsNotifications");
    assert_eq!(body.get("nextAfter"), None);
}

#[tokio::test]
async fn a_long_list_is_read_in_pages() {
    let (app, path) = app_with_deliveries().await;
    let first = app.get(&format!("{path}?limit=2")).await.json();
    assert_eq!((first["value"].as_array().unwrap().len(), &first["nextAfter"]), (2, &2.into()));
    let second = app.get(&format!("{path}?limit=2&after=2")).await.json();
    assert_eq!(second["value"][0]["sequence"], 3);
    assert_eq!(second.get("nextAfter"), None);
    assert_eq!(app.get(&format!("{path}?after=x")).await.error(), refused(400, "8523"));
}

#[tokio::test]
async fn another_application_does_not_see_them() {
    let (app, path) = app_with_deliveries().await;
    let token = app.token_of(OTHER_BOT, CONTOSO, &[Permission::INITIATE]);
    let answer = app.send(request("GET", &path, &token).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.error(), refused(404, "8522"));
}

#[tokio::test]
async fn the_owner_does_not_see_them_from_another_tenant() {
    let (app, path) = app_with_deliveries().await;
    let token = app.token_of(BOT, FABRIKAM, &[Permission::INITIATE]);
    let answer = app.send(request("GET", &path, &token).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.error(), refused(403, "7505"));
}
