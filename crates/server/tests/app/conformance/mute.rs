//! The bot mutes itself in a group call: the pages `call-mute` and `call-unmute`.

use serde_json::{Value, json};
use testkit::App;

use super::{CONTEXT, assert_notified, assert_operation, group_call, of_app};
use crate::support::{Stage, assert_says, id_of};

/// The bot does that, is answered that it is done, and is told in a roster.
async fn assert_muted(stage: &Stage, call: &Value, action: &str, is_muted: bool) {
    let id = id_of(call);
    let before = stage.webhook.of_call(&id).last().map_or(0, testkit::Received::sequence);

    let body = json!({"clientContext": CONTEXT});
    let reply = stage.bot.act(&id, action, &body).await.expect(200);

    let type_name = format!("{action}ParticipantOperation");
    assert_operation(stage, &id, &reply, (&type_name, "completed"));
    let context = format!("{}/v1.0/$metadata#{type_name}", stage.server.base_url());
    assert_eq!(reply.json()["@odata.context"], context, "{reply}");
    let myself = |those: &[Value]| {
        those.iter().find(|it| it["id"] == call["myParticipantId"]).cloned().unwrap_or_default()
    };
    let is_it = |told: &testkit::Received| {
        let is_so = |those: &[Value]| myself(those)["isMuted"] == is_muted;
        told.sequence() > before && told.participants().is_some_and(is_so)
    };
    let told = stage.webhook.expect(&id, "a roster after that", is_it).await;
    let roster = told.data().clone();
    assert_notified(&told, "updated", &format!("calls/{id}/participants"), &roster);
    let documented = json!({
        "@odata.type": "#microsoft.graph.participant",
        "info": {"@odata.type": "#microsoft.graph.participantInfo", "identity": of_app(App::CALLING_BOT)},
        "isInLobby": false,
        "isMuted": is_muted,
    });
    let shown = myself(told.participants().unwrap_or_default());
    assert_says(&shown, &documented, "$");
    let documented = json!({
        "@odata.type": "#microsoft.graph.mediaStream",
        "mediaType": "audio",
        "direction": "sendReceive",
    });
    assert_says(&shown["mediaStreams"][0], &documented, "$.mediaStreams[0]");
    assert_eq!(roster.as_array().map(Vec::len), Some(3), "everyone is in it: {roster:#}");
}

#[tokio::test]
async fn row_29_the_bot_mutes_itself_in_a_group_call() {
    let stage = Stage::new().await;
    let call = group_call(&stage).await;
    assert_muted(&stage, &call, "mute", true).await;
    stage.end(&id_of(&call)).await;
}

#[tokio::test]
async fn row_30_the_bot_unmutes_itself_in_a_group_call() {
    let stage = Stage::new().await;
    let call = group_call(&stage).await;
    assert_muted(&stage, &call, "mute", true).await;
    assert_muted(&stage, &call, "unmute", false).await;
    stage.end(&id_of(&call)).await;
}
