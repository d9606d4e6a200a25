//! A softphone of another maker, registered as John with digest.

use media_engine::analysis::share_heard;
use media_engine::wav_file;
use serde_json::json;
use sip_message::Message;
use testkit::{
    App, Baresip, FileServer, Options, Phone, PhoneCodec, PhoneTransport, Registration, Server, SipSocket,
    Sipp, User, find_stretch, melody, sound_of,
};

use crate::support::{Stage, prompt, prompts};

const RATE_HZ: u32 = 16_000;

async fn phone(server: &Server, phone: Phone) -> Baresip {
    Baresip::register(server, User::JOHN, server.peer_address(0), phone).await
}

#[tokio::test]
async fn a_softphone_rings_answers_hears_presses_keys_is_recorded_and_hangs_up() {
    let stage = Stage::new().await;
    let files = FileServer::start([("/spoken.wav", wav_file(RATE_HZ, &melody(8, 3_000, RATE_HZ)))]).await;
    let mut phone = phone(&stage.server, Phone::MANUAL).await;

    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    phone.command("accept", "").await;
    phone.expect("CALL_ESTABLISHED").await;
    stage.webhook.expect_state(&call, "established").await;

    let operation = stage.bot.start(&call, "playPrompt", &prompts(&[&files.url("/spoken.wav")])).await;
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);

    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    phone.press("15#").await;
    assert_eq!(stage.webhook.expect_tones(&call, 3).await, ["tone1", "tone5", "pound"]);

    let body = json!({"maxRecordDurationInSeconds": 3, "playBeep": false});
    let operation = stage.bot.start(&call, "recordResponse", &body).await;
    let recorded = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(recorded.result(), Some((200, 8515)), "{}", recorded.body);

    phone.command("hangup", "").await;
    assert_eq!(stage.result_of(&call).await, (200, 4521));

    assert_phone_heard(&mut phone).await;
    let path = recorded.data()["recordingLocation"].as_str().expect("a location").to_owned();
    assert_recorded(&stage, &path, recorded.data()["recordingAccessToken"].as_str().expect("a token")).await;
}

/// The prompt is in the file that the phone keeps of what it heard.
async fn assert_phone_heard(phone: &mut Baresip) {
    let file = testkit::eventually("the phone has written what it heard", async || {
        let file = phone.dumps("dec").last().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        (media_engine::read_wav(&file, &media_engine::WavLimits::PROMPT).is_ok(), file)
    });
    let heard = sound_of(&file.await);
    let share = share_heard(&melody(8, 3_000, heard.rate_hz), &heard.samples, heard.rate_hz);
    assert!(share > 0.85, "only {share:.2} of the prompt was heard");
}

/// A stretch of the recording is in what the phone said: the clearest one, as a busy machine lets a packet come late.
async fn assert_recorded(stage: &Stage, location: &str, token: &str) {
    let path = location.strip_prefix(&stage.server.base_url()).expect("the recording is on this server");
    let recording = testkit::Bot::with_token(&stage.server, token).get(path).await.expect(200);
    let recording = sound_of(&recording.body);
    let said = Baresip::spoken(recording.rate_hz);
    let said = said.get(..12 * recording.rate_hz as usize).expect("a minute is said");
    let stretches = (2..6).map(|n| find_stretch(&recording, n * 400, 400, said));
    let found = stretches.max_by(|a, b| a.correlation.total_cmp(&b.correlation)).expect("four stretches");
    assert!(found.correlation > 0.85, "what the phone said is recorded only with {found:?}");
}

#[tokio::test]
async fn every_codec_carries_sound_and_keys_both_ways() {
    for codec in [PhoneCodec::Pcma, PhoneCodec::G722, PhoneCodec::Opus] {
        assert_talks(Phone { codec, ..Phone::AUTOMATIC }).await;
    }
}

#[tokio::test]
async fn an_encrypted_phone_hears_and_is_heard() {
    assert_talks(Phone { is_encrypted: true, ..Phone::AUTOMATIC }).await;
}

#[tokio::test]
async fn a_phone_over_tcp_hears_and_is_heard() {
    assert_talks(Phone { transport: PhoneTransport::Tcp, ..Phone::AUTOMATIC }).await;
}

/// A prompt is heard, keys arrive, and what is said is recorded.
async fn assert_talks(setup: Phone) {
    let options = match setup.transport {
        // No datagram can take the place of the connection.
        PhoneTransport::Tcp => Options::new().with("sip.udp", ""),
        PhoneTransport::Udp => Options::new(),
    };
    let stage = Stage::with(options).await;
    let files = FileServer::start([("/spoken.wav", wav_file(RATE_HZ, &melody(8, 3_000, RATE_HZ)))]).await;
    let mut phone = phone(&stage.server, setup).await;
    let call = stage.established(User::JOHN).await;
    if setup.is_encrypted {
        phone.expect_log("SRTP is Enabled").await;
    }

    let body = json!({
        "prompts": [prompt(&files.url("/spoken.wav"))],
        "maxRecordDurationInSeconds": 3,
        "playBeep": false,
    });
    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    let operation = stage.bot.start(&call, "recordResponse", &body).await;
    let recorded = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(recorded.result(), Some((200, 8515)), "{setup:?}: {}", recorded.body);
    phone.press("9").await;
    assert_eq!(stage.webhook.expect_tones(&call, 1).await, ["tone9"], "{setup:?}");
    stage.end(&call).await;

    assert_phone_heard(&mut phone).await;
    let path = recorded.data()["recordingLocation"].as_str().expect("a location").to_owned();
    assert_recorded(&stage, &path, recorded.data()["recordingAccessToken"].as_str().expect("a token")).await;
}

#[tokio::test]
async fn a_busy_phone_ends_the_call_as_busy() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage.server, Phone::MANUAL).await;
    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    // What baresip calls hanging up a ringing call is 486.
    phone.command("hangup", "").await;
    assert_eq!(stage.result_of(&call).await, (486, 8539));
}

#[tokio::test]
async fn a_phone_that_declines_ends_the_call_as_declined() {
    let stage = Stage::new().await;
    let scenario = include_str!("../sipp/decline.xml");
    let mut phone = Sipp::answer(&stage.server, User::JOHN, stage.server.peer_address(0), scenario, 1).await;
    let call = stage.call(User::JOHN).await;
    assert_eq!(stage.result_of(&call).await, (603, 8538));
    phone.finish().await;
}

#[tokio::test]
async fn a_phone_that_rings_too_long_is_cancelled() {
    let stage = Stage::with(Options::new().with("calls.ringing_timeout", "1s")).await;
    let mut phone = phone(&stage.server, Phone::MANUAL).await;
    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    assert_eq!(stage.result_of(&call).await, (487, 10004));
    phone.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_phone_stops_ringing_when_the_bot_hangs_up() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage.server, Phone::MANUAL).await;
    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    stage.bot.hang_up(&call).await.expect(204);
    assert_eq!(stage.result_of(&call).await, (487, 0));
    phone.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_bot_that_hangs_up_ends_the_call_of_the_phone() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage.server, Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    phone.expect("CALL_ESTABLISHED").await;
    stage.end(&call).await;
    phone.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_phone_that_vanishes_without_bye_ends_the_call_as_lost() {
    let stage = Stage::with(Options::new().with("media.timeout", "2s").with("sip.timer_t1", "50ms")).await;
    let mut phone = phone(&stage.server, Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    phone.kill();
    assert_eq!(stage.result_of(&call).await, (410, 301005));
}

#[tokio::test]
async fn a_phone_that_is_gone_does_not_respond() {
    let stage = Stage::with(Options::new().with("sip.timer_t1", "20ms")).await;
    let mut phone = phone(&stage.server, Phone::AUTOMATIC).await;
    phone.kill();
    let call = stage.call(User::JOHN).await;
    assert_eq!(stage.result_of(&call).await, (408, 10057));
}

#[tokio::test]
async fn a_phone_holds_and_resumes_and_keys_still_arrive() {
    let stage = Stage::with(Options::new().with("media.timeout", "2s")).await;
    // Longer than three times the time-out, which is the most that any phone is waited for.
    let files = FileServer::start([("/long.wav", wav_file(RATE_HZ, &melody(8, 7_000, RATE_HZ)))]).await;
    let mut phone = phone(&stage.server, Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    phone.expect("CALL_ESTABLISHED").await;
    stage.bot.start(&call, "subscribeToTone", &json!({})).await;

    phone.command("hold", "").await;
    expect_audio(&stage, &call, "inactive", 1).await;
    let held = stage.bot.start(&call, "playPrompt", &prompts(&[&files.url("/long.wav")])).await;
    let end = stage.webhook.expect_operation(&call, &held).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    phone.command("resume", "").await;
    expect_audio(&stage, &call, "active", 2).await;
    phone.press("7").await;

    assert_eq!(stage.webhook.expect_tones(&call, 1).await, ["tone7"]);
    let shown = stage.bot.show(&call).await.expect(200).json();
    assert_eq!(shown["state"], "established");
    stage.end(&call).await;
}

/// Waits until so many notifications of an established call without a key say this of its audio.
async fn expect_audio(stage: &Stage, call: &str, audio: &str, count: usize) {
    let what = format!("audio {audio} of call {call}");
    let told = stage.webhook.wait_for(&what, |all| {
        let of_call = all.iter().filter(|it| it.call() == call && it.is_of_call() && it.tone().is_none());
        let told = of_call.filter(|it| it.data()["mediaState"]["audio"] == audio).count();
        (told >= count).then_some(())
    });
    told.await;
}

#[tokio::test]
async fn a_phone_shows_the_name_that_the_directory_has_for_the_bot_and_what_the_call_is_about() {
    let stage = Stage::new().await;
    let mut phone = SipSocket::bind(stage.server.peer_address(0), stage.server.sip()).await;
    assert_eq!(phone.register(Registration::of(User::JOHN)).await, 200);
    let identity = json!({"application": {"id": App::CALLING_BOT.id, "displayName": "Your Bank"}});

    let asked = stage.request(User::JOHN).with("source", json!({"identity": identity}));
    let asked = asked.with("subject", json!("Your order\r\nTo: nobody"));
    let created = stage.bot.create(&asked).await.expect(201).json();

    let Message::Request(invite) = phone.receive().await else { panic!("the call is an INVITE") };
    let from = invite.headers.from().expect("an INVITE has a From");
    assert_eq!(from.display.as_deref(), Some(App::CALLING_BOT.name));
    assert_eq!(invite.headers.get("Subject"), Some("Your order  To: nobody"));
    assert_eq!(created["source"]["identity"]["application"]["displayName"], "Your Bank");
}

#[tokio::test]
async fn the_first_phone_that_answers_takes_the_call_and_the_others_stop_ringing() {
    let stage = Stage::new().await;
    let at = |n| stage.server.peer_address(n);
    let mut ringing = Baresip::register(&stage.server, User::JOHN, at(0), Phone::MANUAL).await;
    let mut answering = Baresip::register(&stage.server, User::JOHN, at(3), Phone::MANUAL).await;

    let call = stage.call(User::JOHN).await;
    ringing.expect("CALL_INCOMING").await;
    answering.expect("CALL_INCOMING").await;
    answering.command("accept", "").await;

    stage.webhook.expect_state(&call, "established").await;
    ringing.expect("CALL_CLOSED").await;
    stage.end(&call).await;
    answering.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn only_the_right_password_registers_a_phone() {
    let stage = Stage::new().await;
    let mut socket = SipSocket::bind(stage.server.peer_address(0), stage.server.sip()).await;
    let of = |user, password| Registration { password, ..Registration::of(user) };
    let nobody = User { sip_name: "nobody", ..User::JOHN };

    assert_eq!(socket.register(of(User::JOHN, "wrong")).await, 403);
    assert_eq!(socket.register(of(nobody, User::PASSWORD)).await, 403);
    assert_eq!(socket.register(of(User::JOHN, User::PASSWORD)).await, 200);
    assert_eq!(socket.register(Registration { expires: 0, ..Registration::of(User::JOHN) }).await, 200);

    // Without a phone the script takes the call again.
    let call = stage.established(User::JOHN).await;
    stage.end(&call).await;
}
