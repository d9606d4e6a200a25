//! Several phones that call several bots at once, each with a webhook of its own.

use media_engine::analysis::amplitude_at;
use serde_json::{Value, json};
use testkit::{App, Baresip, Bot, Options, Phone, Server, User, Webhook};

use crate::support::{Stage, incoming_call};

/// What the two phones say.
const TONES_HZ: [u32; 2] = [730, 1_150];

/// Two bots with a webhook each, and two users.
fn directory(webhooks: [&str; 2]) -> String {
    let (tenant, domain) = (App::CONTOSO, User::DOMAIN);
    let bots = [App::CALLING_BOT, App::TEST_BOT].into_iter().zip(webhooks).map(|(App { id, name }, webhook)| {
        format!("[[applications]]\nid='{id}'\nname='{name}'\nsecret-files=['app-secret']\nwebhook='{webhook}'\n")
    });
    let users = [User::JOHN, User::USER1].map(|User { id, name, sip_name }| {
        format!(
            "[[users]]\nid='{id}'\ntenant='{tenant}'\nname='{name}'\naddress='{sip_name}@{domain}'\n\
             password-file='user-password'\n"
        )
    });
    let permissions = "['Calls.Initiate.All','Calls.JoinGroupCall.All','Calls.AccessMedia.All']";
    let (bot, other) = (App::CALLING_BOT.id, App::TEST_BOT.id);
    let tenant = format!(
        "[[tenants]]\nid='{tenant}'\nname='Contoso'\ngrants={{'{bot}'={permissions},'{other}'={permissions}}}\n"
    );
    bots.chain(users).chain([tenant]).collect()
}

async fn phone(server: &Server, user: User, at: u16, tone_hz: u32) -> Baresip {
    let setup = Phone { tone_hz: Some(tone_hz), ..Phone::AUTOMATIC };
    Baresip::register(server, user, server.peer_address(at), setup).await
}

/// Lets a phone call a bot; returns the id of the call that its webhook is told of.
async fn dial(server: &Server, phone: &mut Baresip, app: App, webhook: &Webhook) -> String {
    let before = webhook.received().len();
    phone.command("dial", &format!("sip:{}@{}", app.id, server.sip())).await;
    let call = incoming_call(webhook, before).await;
    assert_eq!(call["targets"][0]["identity"]["application"]["id"], app.id, "{call}");
    call["id"].as_str().expect("an id").to_owned()
}

async fn answer(bot: &Bot, call: &str) -> u16 {
    let body = json!({
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    bot.post(&format!("/v1.0/communications/calls/{call}/answer"), &body).await.status.as_u16()
}

/// The calls that a webhook was told of, each once, in the order of their beginning.
fn told_of(webhook: &Webhook) -> Vec<String> {
    let mut calls: Vec<String> = Vec::new();
    for received in webhook.received() {
        if !calls.iter().any(|call| call == received.call()) {
            calls.push(received.call().to_owned());
        }
    }
    calls
}

fn is_with(event: &Value, app: App) -> bool {
    event["peeruri"].as_str().is_some_and(|uri| uri.contains(app.id))
}

#[tokio::test]
async fn calls_of_two_phones_to_two_bots_are_told_answered_and_ended_each_for_itself() {
    let (first, second) = (Webhook::start().await, Webhook::start().await);
    let options = Options::new().directory(&directory([&first.url(), &second.url()]));
    let server = Server::start(crate::support::PROGRAM, &first, options).await;
    let (bot, other) = (Bot::of(&server).await, Bot::signed_in(&server, App::TEST_BOT, App::CONTOSO).await);
    let mut john = phone(&server, User::JOHN, 0, TONES_HZ[0]).await;
    let mut user1 = phone(&server, User::USER1, 4, TONES_HZ[1]).await;

    let to_bot = dial(&server, &mut john, App::CALLING_BOT, &first).await;
    let to_other = dial(&server, &mut john, App::TEST_BOT, &second).await;
    let of_user1 = dial(&server, &mut user1, App::TEST_BOT, &second).await;
    assert_eq!(server.metric("hookswitch_calls_live").await, 3.0);
    assert_eq!(answer(&bot, &of_user1).await, 404, "it is another bot's call");

    assert_eq!(answer(&other, &of_user1).await, 202);
    second.expect_state(&of_user1, "established").await;
    user1.expect("CALL_ESTABLISHED").await;
    assert_eq!(answer(&bot, &to_bot).await, 202);
    first.expect_state(&to_bot, "established").await;
    assert!(is_with(&john.expect("CALL_ESTABLISHED").await, App::CALLING_BOT));

    let stage = Stage { server, webhook: second, bot: other };
    let body = json!({"maxRecordDurationInSeconds": 1, "playBeep": false});
    let operation = stage.bot.start(&of_user1, "recordResponse", &body).await;
    let end = stage.webhook.expect_operation(&of_user1, &operation).await;
    let recorded = stage.recording(end.data()).await;
    let [johns, user1s] = TONES_HZ.map(|hz| amplitude_at(&recorded.samples, f64::from(hz), recorded.rate_hz));
    assert!(user1s > 3_000.0 && johns < 300.0, "{user1s:.0} of whom it is with, {johns:.0} of the other");

    let reject = format!("/v1.0/communications/calls/{to_other}/reject");
    stage.bot.post(&reject, &json!({"reason": "busy"})).await.expect(202);
    assert!(is_with(&john.expect("CALL_CLOSED").await, App::TEST_BOT));
    stage.webhook.expect(&to_other, "the end", |one| one.change() == "deleted").await;
    for (bot, call) in [(&bot, &to_bot), (&stage.bot, &of_user1)] {
        assert_eq!(bot.show(call).await.expect(200).json()["state"], "established", "those go on");
    }
    stage.end(&of_user1).await;
    user1.expect("CALL_CLOSED").await;
    assert_eq!(bot.show(&to_bot).await.expect(200).json()["state"], "established");
    john.command("hangup", "").await;
    assert_eq!(first.expect_end(&to_bot).await.result(), Some((200, 4521)));

    assert_eq!(told_of(&first), [to_bot]);
    assert_eq!(told_of(&stage.webhook), [to_other, of_user1]);
    first.verify_tokens(&stage.server, App::CALLING_BOT.id, App::CONTOSO).await;
    stage.webhook.verify_tokens(&stage.server, App::TEST_BOT.id, App::CONTOSO).await;
}
