//! Reading a call, keeping it alive, hanging up: the pages `call-get`, `call-delete`, `call-keepalive`.

use serde_json::json;
use testkit::{App, User};

use super::{assert_changes, assert_notified, assert_state_told, group_call, of_app, result_info, target};
use crate::support::{Stage, assert_says, id_of};

#[tokio::test]
async fn row_11_a_call_between_two_reads_back() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let shown = stage.bot.show(&call).await.expect(200).json();
    let documented = json!({
        "@odata.context": format!("{}/v1.0/$metadata#communications/calls/$entity", stage.server.base_url()),
        "@odata.type": "#microsoft.graph.call",
        "id": call,
        "state": "established",
        "direction": "outgoing",
        "callbackUri": stage.webhook.url(),
        "callRoutes": [],
        "source": {"@odata.type": "#microsoft.graph.participantInfo", "identity": of_app(App::CALLING_BOT)},
        "targets": [target(User::USER1)],
        "requestedModalities": ["audio"],
        "activeModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        "mediaState": {"audio": "active"},
        "routingPolicies": [],
        "answeredBy": null,
        "chatInfo": null,
        "meetingCapability": null,
        "meetingInfo": null,
        "resultInfo": null,
        "ringingTimeoutInSeconds": null,
        "subject": null,
        "terminationReason": null,
        "toneInfo": null,
        "transcription": null,
    });
    assert_says(&shown, &documented, "$");
    stage.end(&call).await;
}

#[tokio::test]
async fn row_12_a_group_call_reads_back_and_says_that_nothing_is_transcribed() {
    let stage = Stage::new().await;
    let call = id_of(&group_call(&stage).await);
    let shown = stage.bot.show(&call).await.expect(200).json();
    let documented = json!({
        "@odata.context": format!("{}/v1.0/$metadata#communications/calls/$entity", stage.server.base_url()),
        "@odata.type": "#microsoft.graph.call",
        "id": call,
        "state": "established",
        "direction": "outgoing",
        "source": {"@odata.type": "#microsoft.graph.participantInfo", "identity": of_app(App::CALLING_BOT)},
        "targets": [target(User::USER1), target(User::JOHN)],
        "requestedModalities": ["audio"],
        "tenantId": App::CONTOSO,
        "chatInfo": null,
        "meetingInfo": null,
        "resultInfo": null,
        "toneInfo": null,
        "transcription": {
            "@odata.type": "#microsoft.graph.callTranscriptionInfo",
            "state": "notStarted",
            "lastModifiedDateTime": shown["transcription"]["lastModifiedDateTime"],
        },
    });
    assert_says(&shown, &documented, "$");
    let since = shown["transcription"]["lastModifiedDateTime"].as_str();
    assert!(since.is_some_and(|since| since.ends_with('Z')), "{shown:#}");
    stage.end(&call).await;
}

#[tokio::test]
async fn row_13_hanging_up_is_told_as_terminating_and_then_as_the_end() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;

    let reply = stage.bot.hang_up(&call).await.expect(204);

    assert!(reply.body.is_empty(), "{reply}");
    let end = stage.webhook.expect_end(&call).await;
    let ending = stage.webhook.expect_state(&call, "terminating").await;
    assert_state_told(&ending, "updated", &call, "terminating");
    let documented = json!({
        "@odata.type": "#microsoft.graph.call",
        "id": call,
        "state": "terminated",
        "resultInfo": result_info(200, 7000),
    });
    assert_notified(&end, "deleted", &format!("calls/{call}"), &documented);
    let expected = [
        ("updated", "establishing"),
        ("updated", "established"),
        ("updated", "terminating"),
        ("deleted", "terminated"),
    ];
    assert_changes(&stage, &call, &expected);
    assert_eq!(stage.bot.show(&call).await.expect(404).error_code(), "8522");
}

#[tokio::test]
async fn row_14_a_call_is_kept_alive_without_a_body_and_only_while_it_lasts() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let path = format!("/v1.0/communications/calls/{call}/keepAlive");
    let reply = stage.bot.post_text(&path, "").await.expect(200);
    assert!(reply.body.is_empty(), "{reply}");
    stage.end(&call).await;
    assert_eq!(stage.bot.post_text(&path, "").await.expect(404).error_code(), "8522");
}
