//! Calls that a test asks the lab for: a user of the directory calls a bot, and no phone is needed.

use media_engine::wav_file;
use serde_json::{Value, json};
use testkit::{App, Bot, FileServer, Options, User, sound_of};

use crate::phone_command::{answer, tone_file};
use crate::support::{Stage, prompts};

const PATH: &str = "/lab/v1/calls";

fn body(steps: Value) -> Value {
    json!({"from": "john", "to": format!("sip:{}", App::CALLING_BOT.id), "expectTimeout": "20s", "steps": steps})
}

/// Waits until a call of the lab is over.
async fn over(stage: &Stage, path: &str) -> Value {
    testkit::eventually("the lab's call is over", async || {
        let shown = stage.bot.get(path).await.expect(200).json();
        (shown["state"] == "over", shown)
    })
    .await
}

/// Where a call is that was placed.
fn path_of(stage: &Stage, placed: &Value) -> String {
    let heard = placed["heardLocation"].as_str().expect("a location");
    let path = heard.strip_prefix(&stage.server.base_url()).expect("on this server");
    path.strip_suffix("/heard").expect("what was heard").to_owned()
}

#[tokio::test]
async fn a_user_calls_the_bot_hears_its_tone_presses_keys_and_the_verdict_is_shown() {
    let (stage, files) = (Stage::new().await, tone_file().await);
    let steps = json!([{"expectTone": 440}, {"dtmf": "1#"}, {"hold": "200ms"}]);
    let placed = stage.bot.post(PATH, &body(steps)).await.expect(201).json();
    assert_eq!((&placed["state"], &placed["verdict"]), (&json!("calling"), &Value::Null), "{placed}");
    assert_eq!(placed["from"], User::JOHN.id, "{placed}");
    let id = answer(&stage).await;
    let shown = stage.bot.show(&id).await.expect(200).json();
    assert_eq!(shown["source"]["identity"]["user"]["id"], User::JOHN.id, "{shown}");
    stage.bot.start(&id, "subscribeToTone", &json!({})).await;
    stage.bot.start(&id, "playPrompt", &prompts(&[&files.url("/tone.wav")])).await;
    assert_eq!(stage.webhook.expect_tones(&id, 2).await, ["tone1", "pound"]);
    stage.webhook.expect(&id, "the end", |one| one.change() == "deleted").await;

    let path = path_of(&stage, &placed);
    let shown = over(&stage, &path).await;

    assert_eq!((&shown["verdict"], &shown["failure"]), (&json!("passed"), &Value::Null), "{shown:#}");
    let outcomes: Vec<_> = shown["steps"].as_array().into_iter().flatten().collect();
    assert!(outcomes.len() == 3 && outcomes.iter().all(|step| step["outcome"] == "met"), "{shown:#}");
    let texts: Vec<_> = shown["happened"].as_array().into_iter().flatten().map(|one| &one["text"]).collect();
    assert!(texts.contains(&&json!("heard the tone")), "{shown:#}");
    let heard = stage.bot.get(&format!("{path}/heard")).await.expect(200);
    assert!(sound_of(&heard.body).samples.len() > 2_000);
}

#[tokio::test]
async fn a_silent_bot_fails_the_call_and_a_bundled_sound_is_said() {
    let stage = Stage::new().await;
    let mut body = body(json!([{"say": "https://cdn.contoso.com/beep.wav"}, {"expectTone": 440}]));
    body["expectTimeout"] = json!("500ms");
    let placed = stage.bot.post(PATH, &body).await;
    let placed = if placed.status.as_u16() == 201 { placed.json() } else { panic!("{placed}") };
    answer(&stage).await;
    let shown = over(&stage, &path_of(&stage, &placed)).await;
    assert_eq!(shown["verdict"], "failed", "{shown:#}");
    let text = shown["failure"]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with("expected a tone of 440 Hz within 500 ms; heard silence"), "{shown:#}");
}

#[tokio::test]
async fn a_call_is_ended_by_its_application_and_is_nobody_elses() {
    let stage = Stage::new().await;
    let placed = stage.bot.post(PATH, &body(json!([{"expectDtmf": "1"}]))).await.expect(201).json();
    let path = path_of(&stage, &placed);
    let id = answer(&stage).await;
    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    other.get(&path).await.expect(404);
    other.delete(&path).await.expect(404);
    stage.bot.delete(&path).await.expect(204);
    stage.webhook.expect(&id, "the end", |one| one.change() == "deleted").await;
    let shown = over(&stage, &path).await;
    assert_eq!(shown["failure"]["text"], "interrupted before expectDtmf 1 was done", "{shown:#}");
}

#[tokio::test]
async fn only_so_many_calls_are_placed_at_once() {
    let stage = Stage::new().await;
    for _ in 0..8 {
        stage.bot.post(PATH, &body(json!([]))).await.expect(201);
    }
    let refused = stage.bot.post(PATH, &body(json!([]))).await.expect(429);
    assert!(refused.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn what_cannot_be_done_is_named_before_anybody_is_called() {
    let stage = Stage::new().await;
    for (steps, words) in [
        (
            json!([{"expectTone": 5}]),
            "steps[0].expectTone: expected something that can be done; '5' is no pitch",
        ),
        (json!([{"dtmf": "1"}, {"hold": "soon"}]), "steps[1].hold: expected something that can be done"),
        (
            json!([{"say": "https://cdn.contoso.com/absent.wav"}]),
            "steps[0].say: expected something that can be done; it cannot be fetched",
        ),
        (json!([{"transfer": "bob"}, {"dtmf": "1"}]), "cannot follow a transfer"),
    ] {
        let refused = stage.bot.post(PATH, &body(steps)).await.expect(400);
        let message = refused.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(message.contains(words), "{message}");
    }
    assert!(stage.webhook.received().is_empty());
}

#[tokio::test]
async fn the_sounds_of_a_call_are_bounded_together_and_one_counts_once() {
    let stage = Stage::new().await;
    // Three minutes each, of which nobody hears anything.
    let quiet = wav_file(8_000, &vec![0; 8_000 * 180]);
    let files = FileServer::start([("/one.wav", quiet.clone()), ("/two.wav", quiet)]).await;
    let say = |path: &str| json!({"say": files.url(path)});
    let refused = stage.bot.post(PATH, &body(json!([say("/one.wav"), say("/two.wav")]))).await.expect(400);
    let message = refused.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("steps[1].say") && message.contains("300 s together"), "{message}");

    let steps = json!([say("/one.wav"), say("/one.wav"), say("/one.wav")]);
    stage.bot.post(PATH, &body(steps)).await.expect(201);
}

#[tokio::test]
async fn without_the_lab_or_a_token_there_is_nothing() {
    let stage = Stage::with(Options::new().with("lab.enabled", "false")).await;
    stage.bot.post(PATH, &body(json!([]))).await.expect(404);
    let stage = Stage::new().await;
    Bot::with_token(&stage.server, "none").post(PATH, &body(json!([]))).await.expect(401);
}
