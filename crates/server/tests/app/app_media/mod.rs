//! Calls whose application's own program hears and speaks: over a WebSocket that either side dials, or by packets.

mod stacks;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use media_engine::analysis::{amplitude_at, rms};
use serde_json::{Value, json};
use testkit::{App, Baresip, Bot, MediaBot, MediaDoor, Options, Phone, RtpBot, User, sound_of};

use crate::support::{Stage, prompts};

const PEER_TO_PEER: &str =
    include_str!("../../../../graph-wire/tests/requests/02-peer-to-peer-app-hosted.json");
const GROUP: &str = include_str!("../../../../graph-wire/tests/requests/04-group-app-hosted.json");
const MEETING: &str =
    include_str!("../../../../graph-wire/tests/requests/06-join-by-coordinates-app-hosted.json");

/// The bot's pitch, and those of phones: none is a harmonic of another.
const BOT_HZ: u32 = 570;
const PITCHES: [u32; 3] = [420, 730, 1_130];
/// Loud enough to count as heard: a fifth of what is said.
const HEARD: f64 = 1_200.0;
/// What is left of a tone that is not heard.
const UNHEARD: f64 = 150.0;
/// Longer than any of these calls.
const LONG_MILLIS: u32 = 60_000;

/// A documented request with this server's callback.
fn documented(text: &str, stage: &Stage) -> Value {
    let mut body: Value = serde_json::from_str(text).expect("JSON");
    body["callbackUri"] = json!(stage.webhook.url());
    body
}

async fn create(bot: &Bot, body: &Value) -> Value {
    bot.post("/v1.0/communications/calls", body).await.expect(201).json()
}

fn id_of(call: &Value) -> String {
    call["id"].as_str().expect("an id").to_owned()
}

fn blob_of(call: &Value) -> String {
    assert_eq!(call["mediaConfig"]["@odata.type"], "#microsoft.graph.appHostedMediaConfig", "{call}");
    call["mediaConfig"]["blob"].as_str().expect("a blob").to_owned()
}

/// Where the blob tells the application to dial in.
fn socket_url(call: &Value) -> String {
    let blob: Value = serde_json::from_str(&blob_of(call)).expect("JSON");
    blob["websocket"]["url"].as_str().expect("an address").to_owned()
}

async fn phone(stage: &Stage, place: u16, user: User) -> Baresip {
    let setup = Phone { tone_hz: Some(PITCHES[usize::from(place)]), ..Phone::AUTOMATIC };
    Baresip::register(&stage.server, user, stage.server.peer_address(3 * place), setup).await
}

/// What a phone heard in its last call: a second that ends so many milliseconds before the end.
async fn heard_before_end(phone: &mut Baresip, before_end_millis: usize) -> (Vec<i16>, u32) {
    phone.expect("CALL_CLOSED").await;
    let file = testkit::eventually("the phone has written what it heard", async || {
        let file = phone.dumps("dec").last().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        (media_engine::read_wav(&file, &media_engine::WavLimits::PROMPT).is_ok(), file)
    });
    let whole = sound_of(&file.await);
    let second = whole.rate_hz as usize;
    let end = whole.samples.len().saturating_sub(second * before_end_millis / 1000);
    (whole.samples.get(end.saturating_sub(second)..end).unwrap_or_default().to_vec(), whole.rate_hz)
}

#[track_caller]
fn assert_tones(who: &str, samples: &[i16], rate_hz: u32, heard: &[u32], unheard: &[u32]) {
    let of = |hz: &u32| amplitude_at(samples, f64::from(*hz), rate_hz);
    let all: Vec<_> = heard.iter().chain(unheard).map(|hz| (*hz, of(hz).round())).collect();
    assert!(heard.iter().all(|hz| of(hz) > HEARD), "{who} should hear {heard:?}: {all:?}");
    assert!(unheard.iter().all(|hz| of(hz) < UNHEARD), "{who} should not hear {unheard:?}: {all:?}");
}

/// Lets the phone hear the bot for a while, hangs up, and looks what it heard.
async fn finish(stage: &Stage, bot: &Bot, call: &str, phones: &mut [Baresip], heard: &[u32]) {
    bot.hang_up(call).await.expect(204);
    stage.webhook.expect_end(call).await;
    for phone in phones {
        let (samples, rate_hz) = heard_before_end(phone, 200).await;
        assert_tones("a phone", &samples, rate_hz, heard, &[]);
    }
}

#[tokio::test]
async fn the_documented_call_with_an_offer_is_answered_and_tones_go_both_ways() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await];
    let mut stack = RtpBot::open().await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"]["blob"] = json!(stack.offer());

    let call = create(&stage.bot, &body).await;
    let answer = blob_of(&call);
    assert!(answer.starts_with("v=0"), "{answer}");
    assert_eq!(call["targets"][0]["identity"]["user"]["displayName"], "John");
    stack.answered(&answer, BOT_HZ as f32);
    let id = id_of(&call);
    stage.webhook.expect_state(&id, "established").await;
    stack.hear(500).await;
    assert_tones("the bot", &stack.hear(1_500).await, 8_000, &[PITCHES[0]], &[BOT_HZ]);
    finish(&stage, &stage.bot, &id, &mut phones, &[BOT_HZ]).await;
}

#[tokio::test]
async fn the_documented_call_with_a_socket_that_the_server_dials_carries_tones_and_keys() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await];
    let door = MediaDoor::open().await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"]["blob"] = json!(door.blob("both"));

    let call = create(&stage.bot, &body).await;
    let id = id_of(&call);
    let accepted: Value = serde_json::from_str(&blob_of(&call)).expect("JSON");
    assert_eq!(accepted["transport"], "websocket");
    assert_eq!(accepted["dialect"], "hookswitch");
    let media = door.accept().await;
    let first = media.expect("the first message", |text| text["kind"] == "AudioMetadata").await;
    assert_eq!(first["audioMetadata"]["subscriptionId"], id.as_str(), "{first}");
    stage.webhook.expect_state(&id, "established").await;
    media.say_tone(BOT_HZ, LONG_MILLIS);

    media.hear("", 500).await;
    assert_tones("the bot", &media.hear("", 1_500).await, 16_000, &[PITCHES[0]], &[BOT_HZ]);
    let roster =
        stage.bot.get(&format!("/v1.0/communications/calls/{id}/participants")).await.expect(200).json();
    let is_john = |it: &&Value| it["info"]["identity"]["user"]["id"] == User::JOHN.id;
    let people = roster["value"].as_array().expect("a list");
    let john = people.iter().find(is_john).expect("John in the roster");
    let source = &john["mediaStreams"][0]["sourceId"];
    let is_roster = |text: &Value| {
        // A socket that comes late is told in its first message.
        [&text["participants"], &text["hookswitch"]["participants"]].into_iter().any(|shown| {
            let shown = shown.as_array().map(Vec::as_slice).unwrap_or_default();
            shown.len() == 1 && shown[0]["participantId"] == john["id"] && shown[0]["sourceId"] == *source
        })
    };
    media.expect("the roster of notifications", is_roster).await;
    let alone = media.hear(john["id"].as_str().expect("an id"), 1_000).await;
    assert_tones("the bot", &alone, 16_000, &[PITCHES[0]], &[BOT_HZ]);
    phones[0].press("7").await;
    let key = media.expect("a key", |text| text["kind"] == "DtmfData").await;
    assert_eq!(key["dtmfData"]["tone"], "tone7", "{key}");
    assert_eq!(key["dtmfData"]["participantId"], john["id"], "{key}");
    finish(&stage, &stage.bot, &id, &mut phones, &[BOT_HZ]).await;
    assert_eq!(media.expect_close().await, (1000, "the call has ended".to_owned()));
}

#[tokio::test]
async fn the_documented_group_call_without_a_blob_says_where_to_dial_in() {
    let stage = Stage::new().await;
    let bot = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let mut phones = [phone(&stage, 0, User::USER1).await, phone(&stage, 1, User::USER2).await];

    let call = create(&bot, &documented(GROUP, &stage)).await;
    let id = id_of(&call);
    assert_eq!(call["mediaConfig"]["removeFromDefaultAudioGroup"], false);
    let media = MediaBot::dial(&socket_url(&call), "mixed").await;
    media.say_tone(BOT_HZ, LONG_MILLIS);
    for phone in &mut phones {
        phone.expect("CALL_ESTABLISHED").await;
    }
    media.hear("", 500).await;
    assert_tones("the bot", &media.hear("", 1_500).await, 16_000, &[PITCHES[0], PITCHES[1]], &[BOT_HZ]);
    bot.hang_up(&id).await.expect(204);
    stage.webhook.expect_end(&id).await;
    // The call of the application is over; the phones go on with each other until it took them along or they hang up.
    assert_eq!(media.expect_close().await.0, 1000);
    for (place, phone) in phones.iter_mut().enumerate() {
        phone.command("hangup", "").await;
        let (samples, rate_hz) = heard_before_end(phone, 0).await;
        assert_tones("a phone", &samples, rate_hz, &[], &[PITCHES[place]]);
    }
}

#[tokio::test]
async fn the_documented_join_of_a_meeting_hears_and_is_heard_by_two_phones() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await, phone(&stage, 1, User::USER1).await];
    let call = create(&stage.bot, &documented(MEETING, &stage)).await;
    let id = id_of(&call);
    let media = MediaBot::dial(&socket_url(&call), "both").await;
    media.say_tone(BOT_HZ, LONG_MILLIS);
    stage.webhook.expect_state(&id, "established").await;
    let target = |user: User| json!({"identity": {"user": {"id": user.id, "displayName": user.name}}});
    let invited = json!({"participants": [target(User::JOHN), target(User::USER1)], "clientContext": "both"});
    stage.bot.start(&id, "participants/invite", &invited).await;
    let people = stage.webhook.expect_roster(&id, "a roster of three", |those| those.len() == 3).await;

    media.hear("", 500).await;
    assert_tones("the bot", &media.hear("", 1_500).await, 16_000, &PITCHES[..2], &[BOT_HZ]);
    for (place, user) in [User::JOHN, User::USER1].into_iter().enumerate() {
        let person =
            people.iter().find(|it| it["info"]["identity"]["user"]["id"] == user.id).expect("a person");
        let alone = media.hear(person["id"].as_str().expect("an id"), 1_000).await;
        assert_tones(user.name, &alone, 16_000, &[PITCHES[place]], &[PITCHES[1 - place], BOT_HZ]);
    }
    for person in people.iter().filter(|it| it["info"]["identity"]["user"]["id"].is_string()) {
        let person = person["id"].as_str().expect("an id");
        stage.bot.delete(&format!("/v1.0/communications/calls/{id}/participants/{person}")).await.expect(204);
    }
    for (place, phone) in phones.iter_mut().enumerate() {
        let (samples, rate_hz) = heard_before_end(phone, 200).await;
        assert_tones("a phone", &samples, rate_hz, &[BOT_HZ], &[PITCHES[place]]);
    }
    stage.end(&id).await;
}

#[tokio::test]
async fn a_bot_whose_socket_was_killed_comes_back_and_the_phone_hears_noise_meanwhile() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await];
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let call = create(&stage.bot, &body).await;
    let id = id_of(&call);
    let media = MediaBot::dial(&socket_url(&call), "mixed").await;
    let first = media.expect("the first message", |text| text["kind"] == "AudioMetadata").await;
    let resume_url = first["hookswitch"]["resumeUrl"].as_str().expect("an address").to_owned();
    stage.webhook.expect_state(&id, "established").await;
    media.hear("", 1_000).await;
    media.kill();
    testkit::eventually("the server has noticed", async || {
        let lost = stage.server.metric("hookswitch_app_sockets_lost_total").await;
        (lost >= 1.0, lost)
    })
    .await;

    let again = MediaBot::dial(&resume_url, "mixed").await;
    assert_tones("the bot", &again.hear("", 1_000).await, 16_000, &[PITCHES[0]], &[]);
    again.say_tone(BOT_HZ, LONG_MILLIS);
    again.hear("", 2_000).await;
    assert_eq!(MediaBot::try_dial(&resume_url).await.err(), Some(404), "an address is good once");
    finish(&stage, &stage.bot, &id, &mut phones, &[BOT_HZ]).await;
}

#[tokio::test]
async fn while_the_application_is_away_its_people_hear_faint_noise() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await];
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let id = id_of(&create(&stage.bot, &body).await);
    stage.webhook.expect_state(&id, "established").await;
    testkit::eventually("the phone has been sent to for more than a second", async || {
        let sent = stage.server.metric("hookswitch_rtp_packets_sent_total").await;
        (sent >= 75.0, sent)
    })
    .await;
    stage.bot.hang_up(&id).await.expect(204);
    stage.webhook.expect_end(&id).await;
    let (samples, _) = heard_before_end(&mut phones[0], 200).await;
    let loudness = rms(&samples);
    assert!((1.0..200.0).contains(&loudness), "the phone heard {loudness:.1}");
}

#[tokio::test]
async fn a_bot_that_does_not_come_back_ends_the_call_with_the_code_of_lost_media() {
    let options = Options::new().with("app_media.reattach_timeout", "300ms");
    let stage = Stage::with(options).await;
    let _phone = phone(&stage, 0, User::JOHN).await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let call = create(&stage.bot, &body).await;
    let media = MediaBot::dial(&socket_url(&call), "mixed").await;
    stage.webhook.expect_state(&id_of(&call), "established").await;
    media.kill();
    assert_eq!(stage.result_of(&id_of(&call)).await, (410, 301_005));
}

#[tokio::test]
async fn a_bot_that_never_dials_in_ends_the_call_too() {
    let options = Options::new().with("app_media.attach_timeout", "300ms");
    let stage = Stage::with(options).await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let call = create(&stage.bot, &body).await;
    assert_eq!(stage.result_of(&id_of(&call)).await, (410, 301_005));
}

#[tokio::test]
async fn five_talkers_are_heard_together_and_each_apart() {
    let stage = Stage::new().await;
    let mut phones = Vec::new();
    for (place, user) in [User::JOHN, User::USER1, User::USER2].into_iter().enumerate() {
        phones.push(phone(&stage, place as u16, user).await);
    }
    let listener = create(&stage.bot, &documented(MEETING, &stage)).await;
    let id = id_of(&listener);
    let media = MediaBot::dial(&socket_url(&listener), "both").await;
    stage.webhook.expect_state(&id, "established").await;
    // Two more talkers are applications themselves.
    let mut talkers = Vec::new();
    for hz in [1_930, 2_570] {
        let call = create(&stage.bot, &documented(MEETING, &stage)).await;
        let talker = MediaBot::dial(&socket_url(&call), "mixed").await;
        talker.say_tone(hz, LONG_MILLIS);
        stage.webhook.expect_state(&id_of(&call), "established").await;
        talkers.push((hz, call["myParticipantId"].as_str().expect("an id").to_owned(), talker));
    }
    let target = |user: User| json!({"identity": {"user": {"id": user.id, "displayName": user.name}}});
    let invited = json!({"participants": [target(User::JOHN), target(User::USER1), target(User::USER2)]});
    stage.bot.start(&id, "participants/invite", &invited).await;
    let people = stage.webhook.expect_roster(&id, "a roster of six", |those| those.len() == 6).await;

    let mut sources: Vec<(u32, String)> = talkers.iter().map(|(hz, id, _)| (*hz, id.clone())).collect();
    for (place, user) in [User::JOHN, User::USER1, User::USER2].into_iter().enumerate() {
        let person =
            people.iter().find(|it| it["info"]["identity"]["user"]["id"] == user.id).expect("a person");
        sources.push((PITCHES[place], person["id"].as_str().expect("an id").to_owned()));
    }
    let all: Vec<u32> = sources.iter().map(|(hz, _)| *hz).collect();
    media.hear("", 1_000).await;
    assert_tones("the bot", &media.hear("", 1_500).await, 16_000, &all, &[]);
    for (hz, source) in &sources {
        let others: Vec<u32> = all.iter().copied().filter(|other| other != hz).collect();
        let alone = media.hear(source, 1_000).await;
        assert_tones(source, &alone, 16_000, &[*hz], &others);
    }
    assert_eq!(media.heard_of().len(), 5);
}

#[tokio::test]
async fn what_the_service_does_in_its_own_calls_is_refused() {
    let stage = Stage::new().await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let call = create(&stage.bot, &body).await;
    let id = id_of(&call);
    stage.webhook.expect_state(&id, "established").await;
    for (action, body) in [
        ("playPrompt", prompts(&["https://cdn.contoso.com/cool.wav"])),
        ("recordResponse", json!({"maxRecordDurationInSeconds": 2})),
        ("subscribeToTone", json!({})),
        ("cancelMediaProcessing", json!({})),
    ] {
        let refused = stage.bot.act(&id, action, &body).await.expect(400);
        assert_eq!(refused.error_code(), "8500", "{action}: {refused}");
    }
    stage.bot.act(&id, "keepAlive", &json!({})).await.expect(200);
    stage.end(&id).await;
}

#[tokio::test]
async fn a_blob_that_cannot_be_used_creates_no_call() {
    let stage = Stage::new().await;
    let bomb = format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n{}",
        "m=audio 4000 RTP/AVP 0\r\n".repeat(2_000)
    );
    let video = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 4000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n";
    let elsewhere =
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    for (blob, code) in [
        ("<Media Session>", "8523"),
        ("{\"transport\":\"carrier pigeon\"}", "8523"),
        ("{\"transport\":\"websocket\",\"url\":\"ws://192.168.0.1/\"}", "8523"),
        ("{\"transport\":\"websocket\",\"dialect\":\"acs\",\"sampleRate\":8000}", "8523"),
        ("v=0", "8500"),
        (&bomb, "8500"),
        (video, "8500"),
        (elsewhere, "8500"),
    ] {
        let mut body = documented(PEER_TO_PEER, &stage);
        body["mediaConfig"]["blob"] = json!(blob);
        let refused = stage.bot.post("/v1.0/communications/calls", &body).await.expect(400);
        let shown: String = blob.chars().take(60).collect();
        assert_eq!(refused.error_code(), code, "{shown}: {refused}");
    }
    assert_eq!(stage.server.metric("hookswitch_calls_live").await, 0.0);
    assert!(stage.webhook.received().is_empty());
}

#[tokio::test]
async fn a_socket_that_does_what_it_must_not_is_closed_with_the_reason_and_others_go_on() {
    let stage = Stage::new().await;
    let mut calls = Vec::new();
    for _ in 0..2 {
        let call = create(&stage.bot, &documented(MEETING, &stage)).await;
        stage.webhook.expect_state(&id_of(&call), "established").await;
        calls.push(call);
    }
    let other = MediaBot::dial(&socket_url(&calls[0]), "mixed").await;
    other.say_tone(BOT_HZ, LONG_MILLIS);

    let mut url = socket_url(&calls[1]);
    type Misdeed = fn(&MediaBot);
    let misdeeds: [(u16, Misdeed); 5] = [
        (1007, |media| media.tell(&json!({"kind": "AudioData", "audioData": {"data": "%%%"}}))),
        (1007, |media| media.send_octets(vec![1, 2, 3])),
        (1007, |media| media.tell_text("{")),
        (1003, |media| media.tell(&json!({"kind": "AudioMetadata", "audioMetadata": {"sampleRate": 8000}}))),
        (1008, |media| (0..50_000).for_each(|_| media.tell(&json!({"kind": "Clear"})))),
    ];
    for (place, (code, misdeed)) in misdeeds.into_iter().enumerate() {
        let media = MediaBot::dial(&url, "mixed").await;
        let first = media.expect("the first message", |text| text["kind"] == "AudioMetadata").await;
        url = first["hookswitch"]["resumeUrl"].as_str().expect("an address").to_owned();
        misdeed(&media);
        let (closed, reason) = media.expect_close().await;
        assert_eq!(closed, code, "misdeed {place}: {reason}");
        assert!(!reason.is_empty(), "misdeed {place}");
    }
    let media = MediaBot::dial(&url, "mixed").await;
    media.hear("", 300).await;
    assert_tones("the bot", &media.hear("", 1_000).await, 16_000, &[BOT_HZ], &[]);
}

#[tokio::test]
async fn an_address_to_dial_in_is_good_once_and_for_its_call_and_is_in_no_log() {
    let stage = Stage::with(Options::new().with("log.level", "trace")).await;
    let calls = [
        create(&stage.bot, &documented(MEETING, &stage)).await,
        create(&stage.bot, &documented(MEETING, &stage)).await,
    ];
    let (first, second) = (socket_url(&calls[0]), socket_url(&calls[1]));
    let (ticket, other) =
        (first.rsplit('/').next().expect("a token"), second.rsplit('/').next().expect("a token"));
    let crossed = first.replace(ticket, other);
    assert_eq!(MediaBot::try_dial(&crossed).await.err(), Some(404));
    assert_eq!(MediaBot::try_dial(&format!("{first}?sampleRate=8000")).await.err(), Some(400));
    let media = MediaBot::dial(&first, "mixed").await;
    assert_eq!(MediaBot::try_dial(&first).await.err(), Some(404));
    media.hear("", 200).await;
    let logged = stage.server.log_lines();
    assert!(!logged.iter().any(|line| line.contains(ticket) || line.contains(other)));

    let fresh = stage.bot.post_text(&format!("/hookswitch/v1/calls/{}/media", id_of(&calls[0])), "").await;
    let fresh = fresh.expect(200).json();
    let url = fresh["websocket"]["url"].as_str().expect("an address");
    let again = MediaBot::dial(url, "mixed").await;
    again.hear("", 200).await;
    assert_eq!(media.expect_close().await.0, 1008);
}

#[tokio::test]
async fn an_application_that_hangs_up_at_once_is_dialled_a_few_times_and_then_given_up() {
    let options =
        Options::new().with("app_media.attach_timeout", "2s").with("app_media.reattach_timeout", "2s");
    let stage = Stage::with(options).await;
    let door = MediaDoor::open().await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"]["blob"] = json!(door.blob("mixed"));
    let dialled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dialled);
    let answering = tokio::spawn(async move {
        loop {
            drop(door.accept().await);
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let call = create(&stage.bot, &body).await;
    assert_eq!(stage.result_of(&id_of(&call)).await, (410, 301_005));
    answering.abort();
    let dialled = dialled.load(Ordering::Relaxed);
    assert!((2..10).contains(&dialled), "dialled {dialled} times");
}

#[tokio::test]
async fn a_greeting_from_before_anybody_answers_is_heard_and_real_time_is_not_late() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await];
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let call = create(&stage.bot, &body).await;
    let media = MediaBot::dial(&socket_url(&call), "mixed").await;
    media.say_tone(BOT_HZ, 10_000);
    media.tell(&json!({"kind": "Mark", "name": "end"}));
    let id = id_of(&call);
    stage.webhook.expect_state(&id, "established").await;
    media.hear("", 2_000).await;
    media.tell(&json!({"kind": "Clear"}));
    let cleared = media.expect("what was dropped", |text| text["kind"] == "Cleared").await;
    let heard = cleared["heardMs"].as_u64().expect("a number");
    assert!((1_500..6_000).contains(&heard), "{cleared}");
    finish_after(&stage, &id, &mut phones, 300).await;
}

/// Hangs up; the phone has heard the bot until so long before the end.
async fn finish_after(stage: &Stage, id: &str, phones: &mut [Baresip], before_end_millis: usize) {
    stage.bot.hang_up(id).await.expect(204);
    stage.webhook.expect_end(id).await;
    let (samples, rate_hz) = heard_before_end(&mut phones[0], before_end_millis).await;
    assert_tones("the phone", &samples, rate_hz, &[BOT_HZ], &[]);
}
