//! What phones meet that dial bots: names, limits, webhooks that send on, others who are faster.

use serde_json::{Value, json};
use testkit::{App, Baresip, Phone, User};

use crate::support::{Stage, id_of, incoming_call};

async fn phone(stage: &Stage) -> Baresip {
    Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), Phone::AUTOMATIC).await
}

/// Lets the phone call a bot by what it writes before the `@`; returns the call as the bot is told of it then.
async fn dial(stage: &Stage, phone: &mut Baresip, name: &str) -> Value {
    let before = stage.webhook.received().len();
    phone.command("dial", &format!("sip:{name}@{}", stage.server.sip())).await;
    incoming_call(&stage.webhook, before).await
}

fn path(call: &str, action: &str) -> String {
    format!("/v1.0/communications/calls/{call}/{action}")
}

fn service_hosted() -> Value {
    json!({
        "callbackUri": "https://bot.contoso.com/callback",
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": []},
    })
}

#[tokio::test]
async fn a_bot_is_dialled_by_its_alias_too() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage).await;
    let call = dial(&stage, &mut phone, "Calling-Bot").await;
    assert_eq!(call["targets"][0]["identity"]["application"]["id"], App::CALLING_BOT.id, "{call}");
    stage.bot.post(&path(&id_of(&call), "answer"), &service_hosted()).await.expect(202);
    phone.expect("CALL_ESTABLISHED").await;
    stage.end(&id_of(&call)).await;
}
