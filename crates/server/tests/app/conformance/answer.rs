//! Answering calls that come in: the page `call-answer`.

use media_engine::analysis::amplitude_at;
use serde_json::{Value, json};
use testkit::{App, MediaDoor, Phone, User};

use super::{CALLBACK, CALLBACK_PATH, assert_changes, assert_incoming, assert_state_told, phone};
use crate::support::{Stage, assert_says};

fn app_hosted(door: &MediaDoor) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.appHostedMediaConfig",
        "blob": door.blob("mixed"),
    })
}

/// What is told of a call that is answered, from its beginning to the bot's hang-up.
const ANSWERED: [(&str, &str); 5] = [
    ("created", "incoming"),
    ("updated", "establishing"),
    ("updated", "established"),
    ("updated", "terminating"),
    ("deleted", "terminated"),
];

#[tokio::test]
async fn row_15_an_answer_with_options_and_a_capacity_is_taken() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let door = MediaDoor::open().await;
    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let call = assert_incoming(&told, User::JOHN, App::CALLING_BOT);

    let options = json!({
        "@odata.type": "#microsoft.graph.incomingCallOptions",
        "isContentSharingNotificationEnabled": true,
        "isDeltaRosterEnabled": true,
    });
    let body = json!({
        "callbackUri": CALLBACK,
        "mediaConfig": app_hosted(&door),
        "acceptedModalities": ["audio"],
        "callOptions": options,
        "participantCapacity": 200,
    });
    let reply = stage.bot.act(&call, "answer", &body).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    let _media = door.accept().await;
    stage.webhook.expect_state(&call, "established").await;
    let shown = stage.bot.show(&call).await.expect(200).json();
    let documented = json!({"state": "established", "callbackUri": CALLBACK, "callOptions": options});
    assert_says(&shown, &documented, "$");
    stage.end(&call).await;
    phone.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn row_16_an_answer_of_a_call_between_two_with_media_of_the_service() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let call = assert_incoming(&told, User::JOHN, App::CALLING_BOT);
    assert_eq!(told.path, "/callback", "the webhook of the directory");

    let body = json!({
        "callbackUri": CALLBACK,
        "acceptedModalities": ["audio"],
        "mediaConfig": {
            "@odata.type": "#microsoft.graph.serviceHostedMediaConfig",
            "preFetchMedia": [
                {"uri": "https://cdn.contoso.com/beep.wav", "resourceId": "7c9d21a4-beep"},
                {"uri": "https://cdn.contoso.com/cool.wav", "resourceId": "7c9d21a4-cool"},
            ],
        },
    });
    let reply = stage.bot.act(&call, "answer", &body).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    phone.expect("CALL_ESTABLISHED").await;
    for state in ["establishing", "established"] {
        let told = stage.webhook.expect_state(&call, state).await;
        assert_state_told(&told, "updated", &call, state);
        assert_eq!(told.path, CALLBACK_PATH, "{state}");
        assert_eq!(told.notification()["callbackUri"], CALLBACK, "{state}");
    }
    stage.end(&call).await;
    assert_changes(&stage, &call, &ANSWERED);
    phone.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn row_17_an_answer_with_media_that_the_application_hosts() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let door = MediaDoor::open().await;
    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let call = assert_incoming(&told, User::JOHN, App::CALLING_BOT);

    let body = json!({
        "callbackUri": CALLBACK,
        "acceptedModalities": ["audio"],
        "mediaConfig": app_hosted(&door),
    });
    let reply = stage.bot.act(&call, "answer", &body).await.expect(202);

    assert!(reply.body.is_empty(), "{reply}");
    let media = door.accept().await;
    for state in ["establishing", "established"] {
        let told = stage.webhook.expect_state(&call, state).await;
        assert_state_told(&told, "updated", &call, state);
    }
    media.hear("", 500).await;
    let heard = media.hear("", 1_000).await;
    assert!(amplitude_at(&heard, 420.0, 16_000) > 3_000.0, "the application hears the phone's tone");
    stage.end(&call).await;
    assert_changes(&stage, &call, &ANSWERED);
    phone.expect("CALL_CLOSED").await;
}
