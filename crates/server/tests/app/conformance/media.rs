//! Prompts, recordings and keys: the pages `call-playprompt`, `call-record`, `call-cancelmediaprocessing`,
//! `call-subscribetotone` and `call-senddtmftones`.

use http::header::AUTHORIZATION;
use http::{HeaderValue, Method};
use media_engine::analysis::{amplitude_at, rms};
use serde_json::{Value, json};
use testkit::{Phone, Reply, User, bare, request, sound_of};

use super::{CONTEXT, assert_ended, assert_notified, assert_operation, phone, result_info};
use crate::support::{Stage, assert_says};

/// The documented rate of prompts and recordings.
const RATE_HZ: u32 = 16_000;

fn prompt(name: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {
            "@odata.type": "#microsoft.graph.mediaInfo",
            "uri": format!("https://cdn.contoso.com/{name}.wav"),
            "resourceId": format!("9b1deb4d-{name}"),
        },
    })
}

#[tokio::test]
async fn row_31_a_prompt_is_played_and_its_end_is_told() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;

    let body = json!({"clientContext": CONTEXT, "prompts": [prompt("cool")]});
    let reply = stage.bot.act(&call, "playPrompt", &body).await.expect(200);

    let id = assert_operation(&stage, &call, &reply, ("playPromptOperation", "running"));
    assert_says(&reply.json(), &json!({"resultInfo": null}), "$");
    let mut result = result_info(200, 0);
    result["message"] = json!("Action completed successfully.");
    let documented = json!({
        "@odata.type": "#microsoft.graph.playPromptOperation",
        "id": id,
        "status": "completed",
        "resultInfo": result,
    });
    assert_ended(&stage, &call, &id, &documented).await;
    let shown = stage.bot.get(&format!("/v1.0/communications/calls/{call}/operations/{id}")).await;
    assert_eq!(shown.expect(200).json()["status"], "completed");
    stage.end(&call).await;
}

#[tokio::test]
async fn row_32_a_recording_after_a_prompt_ends_by_its_longest_duration() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;

    let body = json!({
        "bargeInAllowed": true,
        "clientContext": CONTEXT,
        "prompts": [prompt("beep")],
        "maxRecordDurationInSeconds": 1,
        "initialSilenceTimeoutInSeconds": 5,
        "maxSilenceTimeoutInSeconds": 2,
        "playBeep": true,
        "stopTones": ["#", "1", "*"],
    });
    let reply = stage.bot.act(&call, "recordResponse", &body).await.expect(200);

    let id = assert_operation(&stage, &call, &reply, ("recordOperation", "running"));
    let nothing_yet = json!({"recordingLocation": null, "recordingAccessToken": null, "resultInfo": null});
    assert_says(&reply.json(), &nothing_yet, "$");
    let documented = json!({
        "@odata.type": "#microsoft.graph.recordOperation",
        "id": id,
        "status": "completed",
        "completionReason": "maxRecordDurationReached",
        "resultInfo": result_info(200, 8515),
    });
    let end = assert_ended(&stage, &call, &id, &documented).await;
    let sound = stage.recording(end.data()).await;
    let seconds = sound.samples.len() as f64 / f64::from(sound.rate_hz);
    assert!((0.9..=1.2).contains(&seconds), "a second was asked for, {seconds} were recorded");
    let tone = amplitude_at(&sound.samples, 420.0, sound.rate_hz);
    assert!(tone > 3_000.0, "the phone's tone was recorded with an amplitude of {tone:.0}");
    stage.end(&call).await;
    phone.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn row_33_a_recording_is_fetched_with_its_own_token_only() {
    let stage = Stage::new().await;
    let call = stage.established(User::JOHN).await;
    let body = json!({"clientContext": CONTEXT, "maxRecordDurationInSeconds": 1, "playBeep": false});
    let id = stage.bot.start(&call, "recordResponse", &body).await;
    let end = assert_ended(&stage, &call, &id, &json!({"status": "completed"})).await;
    let token = end.data()["recordingAccessToken"].as_str().expect("a token");

    fetch(&stage, end.data(), None).await.expect(401);
    fetch(&stage, end.data(), Some(stage.bot.token())).await.expect(401);
    let reply = fetch(&stage, end.data(), Some(token)).await.expect(200);

    assert_eq!(reply.header("content-type"), Some("application/octet-stream"), "{:?}", reply.headers);
    let format = [1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0];
    assert_eq!(reply.body.get(20..36), Some(&format[..]), "PCM, mono, 16 bit, 16 kHz");
    let sound = sound_of(&reply.body);
    assert_eq!(sound.rate_hz, RATE_HZ);
    let loudness = rms(&sound.samples);
    assert!(loudness > 1_000.0, "John speaks all the time, but the recording has a loudness of {loudness}");
    stage.end(&call).await;
}

/// Fetches a recording from where its operation says it is.
async fn fetch(stage: &Stage, operation: &Value, token: Option<&str>) -> Reply {
    let location = operation["recordingLocation"].as_str().expect("a location");
    let path = location.strip_prefix(&stage.server.base_url()).expect("the recording is on this server");
    let mut fetching = bare(Method::GET, path);
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("a token is plain text");
        fetching.headers_mut().insert(AUTHORIZATION, value);
    }
    request(stage.server.http(), fetching).await
}

#[tokio::test]
async fn row_34_a_recording_that_is_cancelled_fails_without_a_file() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let body = json!({"clientContext": CONTEXT, "maxRecordDurationInSeconds": 60});
    let recording = stage.bot.start(&call, "recordResponse", &body).await;

    let reply = stage.bot.act(&call, "cancelMediaProcessing", &json!({"clientContext": CONTEXT})).await;

    let reply = reply.expect(200);
    assert_operation(&stage, &call, &reply, ("cancelMediaProcessingOperation", "completed"));
    let documented = json!({
        "@odata.type": "#microsoft.graph.recordOperation",
        "id": recording,
        "status": "failed",
        "completionReason": "operationCanceled",
        "recordingLocation": "",
        "recordingAccessToken": "",
        "resultInfo": result_info(400, 8508),
    });
    assert_ended(&stage, &call, &recording, &documented).await;
    stage.end(&call).await;
}

#[tokio::test]
async fn row_35_keys_are_told_to_whoever_subscribed() {
    let stage = Stage::new().await;
    let call = stage.established(User::JOHN).await;

    let reply = stage.bot.act(&call, "subscribeToTone", &json!({"clientContext": CONTEXT})).await.expect(200);

    assert_operation(&stage, &call, &reply, ("subscribeToToneOperation", "completed"));
    assert_eq!(stage.webhook.expect_tones(&call, 2).await, ["tone1", "pound"], "what John presses");
    let all = stage.webhook.of_call(&call);
    let told: Vec<_> = all.iter().filter(|one| one.tone().is_some()).collect();
    for (one, tone) in told.iter().zip(["tone1", "pound"]) {
        let documented = json!({
            "@odata.type": "#microsoft.graph.call",
            "id": call,
            "state": "established",
            "toneInfo": {"@odata.type": "#microsoft.graph.toneInfo", "tone": tone},
        });
        assert_notified(one, "updated", &format!("calls/{call}"), &documented);
    }
    let number = |one: &testkit::Received| one.data()["toneInfo"]["sequenceId"].as_i64().expect("a number");
    assert!(number(told[0]) < number(told[1]), "{}", told[1].body);
    stage.end(&call).await;
}

/// The documented body: twelve keys, so far apart.
fn twelve_keys(delay_ms: u32) -> Value {
    json!({
        "tones": [
            "tone4", "tone9", "tone1", "tone5", "tone2", "tone0", "tone8", "tone6", "tone3", "tone7", "star",
            "pound",
        ],
        "delayBetweenTonesMs": delay_ms,
        "clientContext": CONTEXT,
    })
}

#[tokio::test]
async fn row_36_twelve_keys_are_sent_and_all_arrive() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    phone.expect("CALL_ESTABLISHED").await;

    let reply = stage.bot.act(&call, "microsoft.graph.sendDtmfTones", &twelve_keys(40)).await.expect(200);

    let id = assert_operation(&stage, &call, &reply, ("sendDtmfTonesOperation", "running"));
    let documented = json!({
        "@odata.type": "#microsoft.graph.sendDtmfTonesOperation",
        "id": id,
        "status": "completed",
        "completionReason": "completedSuccessfully",
    });
    assert_ended(&stage, &call, &id, &documented).await;
    for key in "4915208637*#".chars() {
        let pressed = phone.expect("CALL_DTMF_START").await;
        assert_eq!(pressed["param"], key.to_string(), "{pressed}");
    }
    stage.end(&call).await;
}

#[tokio::test]
async fn row_36_keys_a_second_apart_are_cancelled() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let keys = twelve_keys(1_000);
    let reply = stage.bot.act(&call, "microsoft.graph.sendDtmfTones", &keys).await.expect(200);
    let id = assert_operation(&stage, &call, &reply, ("sendDtmfTonesOperation", "running"));

    stage.bot.start(&call, "cancelMediaProcessing", &json!({"clientContext": CONTEXT})).await;

    let documented = json!({
        "@odata.type": "#microsoft.graph.sendDtmfTonesOperation",
        "id": id,
        "status": "completed",
        "completionReason": "mediaOperationCanceled",
    });
    assert_ended(&stage, &call, &id, &documented).await;
    stage.end(&call).await;
}
