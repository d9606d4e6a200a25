//! The private routes of sound within a call.

use call_engine::{Command, ConferenceRequest};
use model::{AudioRoutingGroup, RoutingMode};
use serde_json::{Value, json};

use crate::app::{App, BASE, refused};
use crate::conferences::{JOHN, id};

const COACH: &str = "632899f8-2ea1-4604-8413-27bd2892079f";
const ANN: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

fn known(group: &str) -> AudioRoutingGroup {
    AudioRoutingGroup {
        id: group.to_owned(),
        mode: RoutingMode::Multicast,
        sources: vec![id(COACH)],
        receivers: vec![id(JOHN), id(ANN)],
    }
}

/// A call that has one group.
async fn call_with(app: &App, group: &str) -> String {
    app.calls.groups.lock().unwrap().push(known(group));
    app.call().await
}

fn asked(app: &App) -> Option<ConferenceRequest> {
    let command = app.calls.commands.lock().unwrap().pop()?;
    let Command::Conference { request, client_context: None } = command else { panic!("{command:?}") };
    Some(request)
}

async fn patch(app: &App, path: &str, body: &Value) -> crate::app::Answer {
    let request = crate::app::request("PATCH", path, &app.token()).header("content-type", "application/json");
    app.send(request.body(axum::body::Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn the_documented_group_is_made_and_answered_with_a_200() {
    let app = App::new();
    let call = app.call().await;
    let body = json!({"id": "oneToOne", "routingMode": "oneToOne", "sources": [COACH], "receivers": [JOHN]});
    let answer = app.post(&format!("{call}/audioRoutingGroups"), &body).await;
    assert_eq!(answer.status, 200);
    let shown = answer.json();
    for (member, value) in body.as_object().unwrap() {
        assert_eq!(shown[member], *value, "{member}");
    }
    assert_eq!(shown["@odata.type"], "#microsoft.graph.audioRoutingGroup");
    let expected =
        AudioRoutingGroup { mode: RoutingMode::OneToOne, receivers: vec![id(JOHN)], ..known("oneToOne") };
    assert_eq!(asked(&app), Some(ConferenceRequest::CreateGroup(expected)));
}

#[tokio::test]
async fn groups_are_listed_and_shown() {
    let app = App::new();
    let call = call_with(&app, "multicast").await;
    let list = app.get(&format!("{call}/audioRoutingGroups")).await.json();
    let call_id = call.rsplit('/').next().unwrap();
    let context = format!("{BASE}/v1.0/$metadata#communications/calls('{call_id}')/audioRoutingGroups");
    assert_eq!((&list["@odata.context"], &list["value"][0]["id"]), (&json!(context), &json!("multicast")));
    let one = app.get(&format!("{call}/audioRoutingGroups/multicast?$select=receivers")).await.json();
    assert_eq!(one["receivers"], json!([JOHN, ANN]));
    assert_eq!(one["@odata.context"], format!("{context}(receivers)/$entity"));
}

#[tokio::test]
async fn a_change_is_merged_into_what_is_there() {
    let app = App::new();
    let call = call_with(&app, "multicast").await;
    let answer =
        patch(&app, &format!("{call}/audioRoutingGroups/multicast"), &json!({"receivers": [ANN]})).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["receivers"], json!([ANN]));
    let expected = AudioRoutingGroup { receivers: vec![id(ANN)], ..known("multicast") };
    assert_eq!(asked(&app), Some(ConferenceRequest::UpdateGroup(expected)));
}

#[tokio::test]
async fn a_group_is_ended_by_the_id_that_the_client_chose() {
    for (chosen, written) in [
        ("one to one", "one%20to%20one"),
        ("a/b", "a%2Fb"),
        ("\u{e9}", "%C3%A9"),
        ("calls", "calls"),
        ("57DAB8B1-894C-409A-B240-BD8BEAE78896", "57dab8b1894c409ab240bd8beae78896"),
    ] {
        let app = App::new();
        let call = call_with(&app, chosen).await;
        let answer = app.bare("DELETE", &format!("{call}/audioRoutingGroups/{written}")).await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (204, 0), "{chosen}");
        assert_eq!(asked(&app), Some(ConferenceRequest::DeleteGroup(chosen.to_owned())));
        let keyed = app.get(&format!("{call}/audioRoutingGroups('{written}')")).await;
        assert_eq!(keyed.json()["id"], chosen);
    }
}

#[tokio::test]
async fn a_group_that_is_not_there_is_not_found() {
    let app = App::new();
    let call = call_with(&app, "multicast").await;
    let path = format!("{call}/audioRoutingGroups/MULTICAST");
    assert_eq!(app.get(&path).await.error(), refused(404, "itemNotFound"));
    assert_eq!(app.bare("DELETE", &path).await.error(), refused(404, "itemNotFound"));
    assert_eq!(patch(&app, &path, &json!({})).await.error(), refused(404, "itemNotFound"));
}

#[tokio::test]
async fn groups_that_are_not_right_are_refused_by_their_place() {
    let app = App::new();
    let call = call_with(&app, "multicast").await;
    let valid = json!({"routingMode": "oneToOne", "sources": [COACH], "receivers": [JOHN]});
    let cases = [
        ("id", json!("x".repeat(129)), "id"),
        ("routingMode", Value::Null, "routingMode"),
        ("routingMode", json!("anycast"), "routingMode"),
        ("sources", Value::Null, "sources"),
        ("sources", json!(["coach"]), "sources[0]"),
        ("receivers", json!({}), "receivers"),
        ("receivers", json!([JOHN, 7]), "receivers[1]"),
    ];
    for (member, value, place) in cases {
        let mut body = valid.clone();
        body[member] = value;
        let answer = app.post(&format!("{call}/audioRoutingGroups"), &body).await;
        assert_eq!(answer.error(), refused(400, "BadRequest"), "{body}");
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(&format!("{place}: expected")), "{body}: {message}");
    }
    let empty = app.bare("POST", &format!("{call}/audioRoutingGroups")).await;
    assert_eq!(empty.error(), refused(400, "BadRequest"));
    assert_eq!(asked(&app), None);
}
