//! Calls that phones make to bots: told of, answered, rejected, given up.

use media_engine::analysis::{amplitude_at, share_heard};
use media_engine::wav_file;
use serde_json::{Value, json};
use testkit::{App, Baresip, FileServer, Phone, User, melody, sound_of};

use crate::support::{Stage, id_of, prompts};

/// What the phone says.
const TONE_HZ: u32 = 730;

async fn phone(stage: &Stage) -> Baresip {
    let setup = Phone { tone_hz: Some(TONE_HZ), ..Phone::AUTOMATIC };
    Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), setup).await
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
async fn a_bot_is_told_of_a_call_answers_plays_records_and_hangs_up() {
    let stage = Stage::new().await;
    let files = FileServer::start([("/spoken.wav", wav_file(8_000, &melody(8, 3_000, 8_000)))]).await;
    let mut phone = phone(&stage).await;
    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let (call, id) = (told.data(), id_of(told.data()));
    assert_eq!(call["state"], "incoming", "{call}");
    assert_eq!(call["direction"], "incoming", "{call}");
    assert_eq!(call["source"]["identity"]["user"]["id"], User::JOHN.id, "{call}");
    assert_eq!(call["source"]["identity"]["user"]["displayName"], User::JOHN.name, "{call}");
    assert_eq!(call["targets"][0]["identity"]["application"]["id"], App::CALLING_BOT.id, "{call}");
    assert_eq!(stage.bot.show(&id).await.expect(200).json()["state"], "incoming");

    stage.bot.post(&path(&id, "answer"), &service_hosted()).await.expect(202);
    stage.webhook.expect_state(&id, "established").await;
    phone.expect("CALL_ESTABLISHED").await;
    let again = stage.bot.post(&path(&id, "answer"), &service_hosted()).await;
    assert_eq!(again.status.as_u16(), 409, "{again}");

    let operation = stage.bot.start(&id, "playPrompt", &prompts(&[&files.url("/spoken.wav")])).await;
    let end = stage.webhook.expect_operation(&id, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    let body = json!({"maxRecordDurationInSeconds": 2, "playBeep": false});
    let operation = stage.bot.start(&id, "recordResponse", &body).await;
    let end = stage.webhook.expect_operation(&id, &operation).await;
    let recorded = stage.recording(end.data()).await;
    let tone = amplitude_at(&recorded.samples, f64::from(TONE_HZ), recorded.rate_hz);
    assert!(tone > 3_000.0, "the bot recorded the phone's tone with an amplitude of {tone:.0}");
    stage.end(&id).await;

    phone.expect("CALL_CLOSED").await;
    let file = testkit::eventually("the phone has written what it heard", async || {
        let file = phone.dumps("dec").last().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        (media_engine::read_wav(&file, &media_engine::WavLimits::PROMPT).is_ok(), file)
    });
    let heard = sound_of(&file.await);
    let share = share_heard(&melody(8, 3_000, heard.rate_hz), &heard.samples, heard.rate_hz);
    assert!(share > 0.85, "only {share:.2} of the prompt was heard");
}

#[tokio::test]
async fn a_bot_rejects_in_three_ways_and_the_phone_is_told_which() {
    for (reason, status) in [("busy", "486"), ("forbidden", "403"), ("none", "603")] {
        let stage = Stage::new().await;
        let mut phone = phone(&stage).await;
        let id = id_of(stage.dial(&mut phone, App::CALLING_BOT).await.data());
        stage.bot.post(&path(&id, "reject"), &json!({"reason": reason})).await.expect(202);
        let closed = phone.expect("CALL_CLOSED").await;
        let why = closed["param"].as_str().unwrap_or_default();
        assert!(why.starts_with(status), "{reason}: {closed}");
        stage.webhook.expect(&id, "the end", |one| one.change() == "deleted").await;
        stage.bot.show(&id).await.expect(404);
    }
}

#[tokio::test]
async fn a_caller_who_gives_up_while_it_rings_ends_the_call() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage).await;
    let id = id_of(stage.dial(&mut phone, App::CALLING_BOT).await.data());
    phone.command("hangup", "").await;
    stage.webhook.expect(&id, "the end", |one| one.change() == "deleted").await;
    stage.bot.post(&path(&id, "answer"), &service_hosted()).await.expect(404);
}

#[tokio::test]
async fn who_is_no_application_of_the_tenant_is_not_found() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage).await;
    phone.command("dial", &format!("sip:nobody@{}", stage.server.sip())).await;
    let closed = phone.expect("CALL_CLOSED").await;
    assert!(closed["param"].as_str().is_some_and(|why| why.starts_with("404")), "{closed}");
    assert!(stage.webhook.received().is_empty());
}

#[tokio::test]
async fn a_call_that_rings_when_the_server_is_killed_is_told_as_over_after_the_restart() {
    let mut stage = Stage::new().await;
    let mut phone = phone(&stage).await;
    let id = id_of(stage.dial(&mut phone, App::CALLING_BOT).await.data());
    stage.server.kill();
    stage.server.restart().await;
    let end = stage.webhook.expect(&id, "the end", |one| one.change() == "deleted").await;
    assert_eq!(end.result(), Some((500, 9001)), "{}", end.body);
    stage.bot.post(&path(&id, "answer"), &service_hosted()).await.expect(404);
}
