//! Prompts, recordings and keys, with scripted users at the other end.

use media_engine::analysis::share_heard;
use media_engine::wav_file;
use serde_json::json;
use testkit::{FileServer, Options, User, melody, sound_of};

use crate::support::{Stage, prompts};

/// The documented rate of prompts and recordings.
const RATE_HZ: u32 = 16_000;

#[tokio::test]
async fn the_callee_hears_the_prompt() {
    let stage = Stage::new().await;
    let spoken = melody(1, 2_500, RATE_HZ);
    let files = FileServer::start([("/spoken.wav", wav_file(RATE_HZ, &spoken))]).await;
    let call = stage.established(User::USER1).await;

    let operation = stage.bot.start(&call, "playPrompt", &prompts(&[&files.url("/spoken.wav")])).await;
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    stage.end(&call).await;

    let heard = stage.server.data().join("heard").join(format!("{}-{call}.wav", User::USER1.id));
    let file = testkit::eventually("what was heard is written", async || {
        let file = std::fs::read(&heard).unwrap_or_default();
        (
            file.len() > spoken.len()
                && media_engine::read_wav(&file, &media_engine::WavLimits::PROMPT).is_ok(),
            file,
        )
    });
    let heard = sound_of(&file.await);
    let spoken = melody(1, 2_500, heard.rate_hz);
    let share = share_heard(&spoken, &heard.samples, heard.rate_hz);
    assert!(share > 0.9, "only {share:.2} of the prompt was heard");
}

#[tokio::test]
async fn prompts_of_any_rate_are_converted_and_named_ones_are_fetched_once() {
    let stage = Stage::new().await;
    let files = FileServer::start([
        ("/8.wav", wav_file(8_000, &melody(2, 300, 8_000))),
        ("/44.wav", wav_file(44_100, &melody(2, 300, 44_100))),
    ])
    .await;
    let call = stage.established(User::USER1).await;
    let named = |path: &str| {
        let media = json!({"uri": files.url(path), "resourceId": path});
        json!({"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": media})
    };

    for _ in 0..2 {
        let body = json!({"prompts": [named("/8.wav"), named("/44.wav")]});
        let operation = stage.bot.start(&call, "playPrompt", &body).await;
        let end = stage.webhook.expect_operation(&call, &operation).await;
        assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    }

    assert_eq!((files.asked_for("/8.wav"), files.asked_for("/44.wav")), (1, 1));
    stage.end(&call).await;
}

#[tokio::test]
async fn prefetched_media_is_there_before_it_is_played() {
    let stage = Stage::new().await;
    let files = FileServer::start([("/early.wav", wav_file(RATE_HZ, &melody(3, 200, RATE_HZ)))]).await;
    let media = json!({"uri": files.url("/early.wav"), "resourceId": "early"});
    let config =
        json!({"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": [media]});

    let call = stage.bot.call(&stage.request(User::USER1).with("mediaConfig", config)).await;
    stage.webhook.expect_state(&call, "established").await;
    testkit::eventually("the media is fetched", async || {
        let asked = files.asked_for("/early.wav");
        (asked == 1, asked)
    })
    .await;

    let body = json!({"prompts": [{"@odata.type": "#microsoft.graph.mediaPrompt", "mediaInfo": media}]});
    let operation = stage.bot.start(&call, "playPrompt", &body).await;
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    assert_eq!(files.asked_for("/early.wav"), 1);
    stage.end(&call).await;
}

#[tokio::test]
async fn a_recording_of_nothing_ends_by_its_initial_silence() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let body = json!({
        "playBeep": false,
        "initialSilenceTimeoutInSeconds": 1,
        "maxSilenceTimeoutInSeconds": 5,
        "maxRecordDurationInSeconds": 10,
    });

    let operation = stage.bot.start(&call, "recordResponse", &body).await;
    let end = stage.webhook.expect_operation(&call, &operation).await;

    assert_eq!(end.result(), Some((400, 8510)), "{}", end.body);
    assert_eq!(end.data()["completionReason"], "initialSilenceTimeout");
    stage.end(&call).await;
}

#[tokio::test]
async fn a_stop_tone_ends_a_recording() {
    let stage = Stage::new().await;
    let call = stage.established(User::JOHN).await;
    let body = json!({"maxRecordDurationInSeconds": 20, "playBeep": false, "stopTones": ["#", "1"]});

    let operation = stage.bot.start(&call, "recordResponse", &body).await;
    let end = stage.webhook.expect_operation(&call, &operation).await;

    assert_eq!(end.result(), Some((200, 8514)), "{}", end.body);
    assert_eq!(end.data()["completionReason"], "stopToneDetected");
    let sound = stage.recording(end.data()).await;
    let seconds = sound.samples.len() as f64 / f64::from(RATE_HZ);
    assert!((0.5..4.0).contains(&seconds), "John presses 1 after two seconds, not after {seconds}");
    stage.end(&call).await;
}

#[tokio::test]
async fn operations_wait_for_one_another_and_are_cancelled_together() {
    let stage = Stage::new().await;
    let files = FileServer::start([("/long.wav", wav_file(RATE_HZ, &melody(5, 30_000, RATE_HZ)))]).await;
    let call = stage.established(User::USER1).await;
    let long = prompts(&[&files.url("/long.wav")]);
    let first = stage.bot.start(&call, "playPrompt", &long).await;
    let second = stage.bot.start(&call, "playPrompt", &long).await;

    let body = json!({"clientContext": "enough"});
    let cancelled = stage.bot.act(&call, "cancelMediaProcessing", &body).await.expect(200).json();

    assert_eq!(cancelled["@odata.type"], "#microsoft.graph.cancelMediaProcessingOperation");
    for operation in [first, second] {
        let end = stage.webhook.expect_operation(&call, &operation).await;
        assert_eq!(end.result(), Some((400, 8508)), "{}", end.body);
    }
    stage.end(&call).await;
}

#[tokio::test]
async fn operations_end_before_their_call_does() {
    let stage = Stage::new().await;
    let files = FileServer::start([("/long.wav", wav_file(RATE_HZ, &melody(6, 30_000, RATE_HZ)))]).await;
    let call = stage.established(User::USER1).await;
    let operation = stage.bot.start(&call, "playPrompt", &prompts(&[&files.url("/long.wav")])).await;

    stage.end(&call).await;

    let told = stage.webhook.of_call(&call);
    let of_operation = told.iter().position(|it| it.data()["id"] == operation).expect("the operation's end");
    assert_eq!(told[of_operation].result(), Some((400, 8528)), "{}", stage.webhook.summary());
    assert!(of_operation < told.len() - 1, "{}", stage.webhook.summary());
}

#[tokio::test]
async fn keys_are_sent_and_listed_with_the_other_operations() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let body =
        json!({"tones": ["tone1", "star", "pound"], "delayBetweenTonesMs": 20, "clientContext": "keys"});

    let started = stage.bot.act(&call, "sendDtmfTones", &body).await.expect(200).json();

    assert_eq!(started["@odata.type"], "#microsoft.graph.sendDtmfTonesOperation");
    let id = started["id"].as_str().expect("an id");
    let end = stage.webhook.expect_operation(&call, id).await;
    assert_eq!(end.data()["completionReason"], "completedSuccessfully", "{}", end.body);
    let listed =
        stage.bot.get(&format!("/v1.0/communications/calls/{call}/operations")).await.expect(200).json();
    assert_eq!(listed["value"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["value"][0]["id"], id);
    stage.end(&call).await;
}

#[tokio::test]
async fn a_prompt_that_cannot_be_had_or_played_fails_only_its_operation() {
    let stage = Stage::with(Options::new().with("outbound.fetch_timeout", "3s")).await;
    let files = FileServer::start([
        ("/text.wav", b"this is no sound".to_vec()),
        ("/cut.wav", wav_file(RATE_HZ, &melody(7, 500, RATE_HZ))[..60].to_vec()),
        ("/empty.wav", Vec::new()),
    ])
    .await;
    let call = stage.established(User::USER1).await;
    let cases = [
        (files.url("/missing.wav"), (400, 8536)),
        (files.url("/text.wav"), (400, 8535)),
        (files.url("/cut.wav"), (400, 8535)),
        (files.url("/empty.wav"), (400, 8535)),
        // Nothing listens there; nothing private may be asked; no such name.
        ("http://127.0.0.1:9/x.wav".to_owned(), (400, 8536)),
        ("https://10.255.255.1/x.wav".to_owned(), (400, 8536)),
        ("https://[::1]/x.wav".to_owned(), (400, 8536)),
        ("https://169.254.169.254/latest/meta-data".to_owned(), (400, 8536)),
        ("https://cdn.contoso.com/../../secret.wav".to_owned(), (400, 8536)),
    ];

    for (url, result) in cases {
        let operation = stage.bot.start(&call, "playPrompt", &prompts(&[&url])).await;
        let end = stage.webhook.expect_operation(&call, &operation).await;
        assert_eq!((end.result(), &end.data()["status"]), (Some(result), &json!("failed")), "{url}");
    }

    let body = prompts(&["https://cdn.contoso.com/beep.wav"]);
    let operation = stage.bot.start(&call, "playPrompt", &body).await;
    assert_eq!(stage.webhook.expect_operation(&call, &operation).await.result(), Some((200, 0)));
    stage.end(&call).await;
}
