//! Example 1 of the documentation of `POST /communications/calls`, pasted.

use serde_json::{Value, json};
use testkit::App;

use crate::support::{Stage, assert_says};

const REQUEST: &str = include_str!("../../../graph-wire/tests/requests/01-peer-to-peer.json");

#[tokio::test]
async fn the_documented_request_is_answered_with_every_documented_member() {
    let stage = Stage::new().await;

    let reply = stage.bot.post_text("/v1.0/communications/calls", REQUEST).await.expect(201);

    let call = reply.json();
    let id = call["id"].as_str().expect("an id");
    let location = format!("{}/v1.0/communications/calls/{id}", stage.server.base_url());
    assert_eq!(reply.header("location"), Some(location.as_str()));
    assert_eq!(reply.header("content-type").map(|it| it.starts_with("application/json")), Some(true));
    assert!(reply.header("request-id").is_some() && reply.header("scenario-id").is_some(), "{reply}");
    assert_says(&call, &documented(&stage.server.base_url()), "$");
    for member in ["callChainId", "myParticipantId"] {
        assert_eq!(call[member].as_str().map(str::len), Some(36), "{member} is a GUID");
    }
    stage.webhook.expect_state(id, "established").await;
}

#[tokio::test]
async fn a_bot_is_told_of_a_call_from_its_beginning_to_its_end() {
    let stage = Stage::new().await;

    let reply = stage.bot.post_text("/v1.0/communications/calls", REQUEST).await.expect(201);
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    stage.webhook.expect_state(&id, "established").await;
    stage.end(&id).await;

    let told = stage.webhook.of_call(&id);
    let states: Vec<_> = told.iter().map(|it| (it.change(), it.state())).collect();
    assert_eq!(states.first().map(|(_, state)| *state), Some("establishing"), "{states:?}");
    assert_eq!(states.last(), Some(&("deleted", "terminated")), "{states:?}");
    for (at, received) in told.iter().enumerate() {
        assert_eq!(received.path, "/callback");
        assert_eq!(received.body["@odata.type"], "#microsoft.graph.commsNotifications");
        assert_eq!(received.notification()["callbackUri"], "https://bot.contoso.com/callback");
        assert_eq!(received.sequence(), told[0].sequence() + at as u64, "{states:?}");
        assert_eq!(received.header("hookswitch-attempt"), "1");
        assert_eq!(received.header("scenario-id"), reply.header("scenario-id").unwrap_or_default());
    }
    stage.webhook.verify_tokens(&stage.server, App::CALLING_BOT.id, App::CONTOSO).await;
}

#[tokio::test]
async fn a_call_is_read_kept_alive_and_ended_under_every_name_of_its_path() {
    let stage = Stage::new().await;
    let reply = stage.bot.post_text("/v1.0/app/calls", REQUEST).await.expect(201);
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    stage.webhook.expect_state(&id, "established").await;

    for path in [
        format!("/v1.0/communications/calls/{id}"),
        format!("/v1.0/app/calls/{id}"),
        format!("/beta/communications/calls('{id}')"),
    ] {
        let shown = stage.bot.get(&path).await.expect(200).json();
        assert_eq!((&shown["id"], &shown["state"]), (&json!(id), &json!("established")), "{path}");
        assert_eq!(shown["@odata.type"], "#microsoft.graph.call");
        assert_eq!(shown["mediaState"]["audio"], "active");
    }
    let keep_alive = format!("/v1.0/communications/calls/{id}/microsoft.graph.keepAlive");
    assert!(stage.bot.post_text(&keep_alive, "").await.expect(200).body.is_empty());
    stage.end(&id).await;

    assert_eq!(stage.bot.show(&id).await.expect(404).error_code(), "8522");
    assert_eq!(stage.bot.hang_up(&id).await.expect(404).error_code(), "8522");
}

#[tokio::test]
async fn what_became_of_each_notification_can_be_read_after_the_call() {
    let stage = Stage::new().await;
    let reply = stage.bot.post_text("/v1.0/communications/calls", REQUEST).await.expect(201);
    let id = reply.json()["id"].as_str().expect("an id").to_owned();
    stage.webhook.expect_state(&id, "established").await;
    stage.end(&id).await;

    let path = format!("/hookswitch/v1/calls/{id}/notifications");
    let all = testkit::eventually("every notification is noted as delivered", async || {
        let all = stage.bot.get(&path).await.expect(200).json();
        let items = all["value"].as_array().cloned().unwrap_or_default();
        (items.iter().all(|item| item["state"] == "delivered"), items)
    });
    let all = all.await;

    assert_eq!(all.len(), stage.webhook.of_call(&id).len());
    for item in &all {
        assert_eq!(item["attempts"][0]["status"], 202, "{item}");
        assert_eq!(item["attempts"][0]["number"], 1, "{item}");
    }
}

/// The documented response, with what this server says instead of `graph.microsoft.com`; without the ids, and without
/// `preFetchMedia`, which the request does not have.
fn documented(base: &str) -> Value {
    json!({
        "@odata.context": format!("{base}/v1.0/$metadata#app/calls/$entity"),
        "@odata.type": "#microsoft.graph.call",
        "state": "establishing",
        "direction": "outgoing",
        "callbackUri": "https://bot.contoso.com/callback",
        "source": {
            "@odata.type": "#microsoft.graph.participantInfo",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "application": {
                    "@odata.type": "#microsoft.graph.identity",
                    "displayName": "Calling Bot",
                    "id": "2891555a-92ff-42e6-80fa-6e1300c6b5c6",
                },
            },
            "countryCode": null,
            "endpointType": null,
            "region": null,
            "languageId": null,
        },
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "user": {
                    "@odata.type": "#microsoft.graph.identity",
                    "displayName": "John",
                    "id": "112f7296-5fa4-42ca-bae8-6a692b15d4b8",
                },
            },
            "endpointType": null,
            "replacesCallId": null,
        }],
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        "subject": null,
        "ringingTimeoutInSeconds": null,
        "mediaState": null,
        "resultInfo": null,
        "answeredBy": null,
        "chatInfo": null,
        "meetingInfo": null,
        "transcription": null,
        "toneInfo": null,
    })
}
