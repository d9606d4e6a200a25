//! Browsers as phones of users: they ring, call, come back, and are kept apart from strangers.

use serde_json::{Value, json};
use testkit::{Answering, App, Baresip, Options, Phone, User, WebPhone, WebSession, WebStack};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{PROMPT_HZ, Stage, answer, assert_recorded, id_of, play, prompt_of_a_tone};

/// What pages say.
const PAGE_HZ: u32 = 730;
const OTHER_PAGE_HZ: u32 = 1_130;
/// What phones say.
const PHONE_HZ: u32 = 910;

fn call_of(message: &Value) -> String {
    message["call"].as_str().expect("a call").to_owned()
}

/// The bot calls John, whose page answers.
async fn answered(stage: &Stage, page: &WebPhone) -> (String, String, WebStack) {
    let call = stage.call(User::JOHN).await;
    let own = call_of(&page.rings().await);
    let stack = page.accept(&own, PAGE_HZ).await;
    stage.webhook.expect_state(&call, "established").await;
    (call, own, stack)
}

/// The page calls the bot, which answers.
async fn called(stage: &Stage, page: &WebPhone) -> (String, WebStack) {
    let stack = page.call("c1", App::CALLING_BOT.id, PAGE_HZ).await;
    let call = id_of(stage.incoming(App::CALLING_BOT).await.data());
    answer(stage, &call).await;
    page.answered("c1", &stack).await;
    (call, stack)
}

#[tokio::test]
async fn a_bot_calls_a_page_which_hears_a_prompt_is_recorded_and_presses_keys() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    let call = stage.call(User::JOHN).await;
    let rung = page.rings().await;
    assert_eq!(rung["from"]["name"], App::CALLING_BOT.name, "{rung}");
    let own = call_of(&rung);
    let stack = page.accept(&own, PAGE_HZ).await;
    stage.webhook.expect_state(&call, "established").await;

    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    play(&stage, &call, &files).await;
    stack.hears(PROMPT_HZ).await;
    stack.press("1#");
    assert_eq!(stage.webhook.expect_tones(&call, 2).await, ["tone1", "pound"]);
    stage.bot.act(&call, "cancelMediaProcessing", &json!({})).await.expect(200);
    assert_recorded(&stage, &call, PAGE_HZ).await;
    assert!(stage.server.metric("hookswitch_web_sockets").await > 0.5);
    stage.end(&call).await;
    assert_eq!(page.ended(&own).await, "hungUp");
}

#[tokio::test]
async fn a_page_hangs_up_or_declines_and_the_bot_is_told() {
    let stage = Stage::new().await;
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    let (call, own, _stack) = answered(&stage, &page).await;
    page.say(&json!({"type": "hangUp", "call": own}));
    assert_eq!(page.ended(&own).await, "hungUp");
    stage.webhook.expect_end(&call).await;

    let call = stage.call(User::JOHN).await;
    let is_second = |message: &Value| message["type"] == "incoming" && message["call"] != own.as_str();
    let second = call_of(&page.expect("it rings again", is_second).await);
    page.say(&json!({"type": "decline", "call": second}));
    assert_eq!(page.ended(&second).await, "declined");
    let declined = stage.result_of(&call).await;
    assert_eq!(declined.0, 603, "{declined:?}");
}

#[tokio::test]
async fn a_page_calls_a_bot_and_hears_it() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    let (call, stack) = called(&stage, &page).await;
    let shown = stage.bot.show(&call).await.expect(200).json();
    assert_eq!(shown["source"]["identity"]["user"]["id"], User::JOHN.id, "{shown}");
    play(&stage, &call, &files).await;
    stack.hears(PROMPT_HZ).await;
    stage.end(&call).await;
    assert_eq!(page.ended("c1").await, "hungUp");
}

#[tokio::test]
async fn a_page_calls_another_page_and_both_hear_each_other() {
    let stage = Stage::new().await;
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    let other = WebPhone::of(&stage.server, User::BOB).await;
    let stack = page.call("c1", User::BOB.sip_name, PAGE_HZ).await;
    page.expect("it hears that it rings", |message| message["type"] == "ringing").await;
    let rung = other.rings().await;
    assert_eq!(rung["from"]["name"], User::JOHN.name, "{rung}");
    let other_stack = other.accept(&call_of(&rung), OTHER_PAGE_HZ).await;
    page.answered("c1", &stack).await;
    stack.hears(OTHER_PAGE_HZ).await;
    other_stack.hears(PAGE_HZ).await;

    page.say(&json!({"type": "hold", "call": "c1", "held": true}));
    other_stack.hears_no(PAGE_HZ).await;
    stack.hears_no(OTHER_PAGE_HZ).await;
    page.say(&json!({"type": "hold", "call": "c1", "held": false}));
    other_stack.hears(PAGE_HZ).await;
    stack.hears(OTHER_PAGE_HZ).await;
    other.say(&json!({"type": "hangUp", "call": call_of(&rung)}));
    assert_eq!(page.ended("c1").await, "hungUp");
}

#[tokio::test]
async fn whom_nobody_answers_for_is_told_by_reason() {
    let stage = Stage::new().await;
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    for (call, to, reason) in [("c1", "nobody", "notFound"), ("c2", User::USER2.sip_name, "declined")] {
        let _stack = page.call(call, to, PAGE_HZ).await;
        assert_eq!(page.ended(call).await, reason, "{to}");
    }
    let _stack = page.call("c3", User::BOB.sip_name, PAGE_HZ).await;
    page.expect("it rings", |message| message["type"] == "ringing" && message["call"] == "c3").await;
    page.say(&json!({"type": "hangUp", "call": "c3"}));
    assert_eq!(page.ended("c3").await, "cancelled");
    page.say(&json!({"type": "call", "call": "c4", "to": "bob", "sdp": "v=0\r\n"}));
    page.expect("the offer is refused", |message| message["type"] == "refused").await;
    assert_eq!(page.ended("c4").await, "failed");
}

#[tokio::test]
async fn phones_and_pages_ring_together_and_the_first_that_answers_has_the_call() {
    let stage = Stage::new().await;
    let session = WebSession::of(&stage.server, User::JOHN).await;
    let page = WebPhone::open(&session, "the-first-of-two-pages").await;
    let other = WebPhone::open(&session, "the-second-of-two-pages").await;
    let setup = Phone { answering: Answering::Manual, tone_hz: Some(PHONE_HZ), ..Phone::AUTOMATIC };
    let mut phone = Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), setup).await;

    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    let (own, others) = (call_of(&page.rings().await), call_of(&other.rings().await));
    let _stack = page.accept(&own, PAGE_HZ).await;
    stage.webhook.expect_state(&call, "established").await;
    assert_eq!(other.ended(&others).await, "answeredElsewhere");
    phone.expect("CALL_CLOSED").await;
    assert_recorded(&stage, &call, PAGE_HZ).await;
    stage.end(&call).await;
    assert_eq!(page.ended(&own).await, "hungUp");

    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    let is_second = |message: &Value| message["type"] == "incoming" && message["call"] != own.as_str();
    let second = call_of(&page.expect("it rings again", is_second).await);
    phone.command("accept", "").await;
    stage.webhook.expect_state(&call, "established").await;
    assert_eq!(page.ended(&second).await, "answeredElsewhere");
    assert_recorded(&stage, &call, PHONE_HZ).await;
    stage.end(&call).await;
}

#[tokio::test]
async fn a_page_that_loses_its_socket_comes_back_to_its_call() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let mut page = WebPhone::of(&stage.server, User::JOHN).await;
    let (call, own, stack) = answered(&stage, &page).await;
    let welcome = page.come_back().await;
    let shown = &welcome["calls"][0];
    assert_eq!((&shown["call"], &shown["state"]), (&json!(own), &json!("connected")), "{welcome}");
    assert_eq!(shown["direction"], "incoming", "{welcome}");
    assert!(shown["since"].is_string(), "{welcome}");
    page.reoffer(&own, &stack).await;
    play(&stage, &call, &files).await;
    stack.hears(PROMPT_HZ).await;

    // Another peer connection, as a page has that was loaded anew.
    drop(stack);
    let stack = WebStack::open(PAGE_HZ).await;
    page.come_back().await;
    let offer = stack.offer(false).await;
    page.say(&json!({"type": "offer", "call": own, "sdp": offer}));
    page.answered(&own, &stack).await;
    stack.hears(PROMPT_HZ).await;
    stage.bot.act(&call, "cancelMediaProcessing", &json!({})).await.expect(200);
    assert_recorded(&stage, &call, PAGE_HZ).await;
    page.say(&json!({"type": "offer", "call": own, "sdp": "v=0\r\n"}));
    page.expect("the offer is refused", |message| message["type"] == "refused").await;
    stage.end(&call).await;
    assert_eq!(page.ended(&own).await, "hungUp");
}

#[tokio::test]
async fn a_page_that_is_loaded_anew_while_it_calls_is_answered_there() {
    let stage = Stage::new().await;
    let mut page = WebPhone::of(&stage.server, User::JOHN).await;
    let other = WebPhone::of(&stage.server, User::BOB).await;
    drop(page.call("c1", User::BOB.sip_name, PAGE_HZ).await);
    let rung = other.rings().await;
    let welcome = page.come_back().await;
    assert_eq!(welcome["calls"][0]["state"], "ringing", "{welcome}");
    assert_eq!(welcome["calls"][0]["peer"]["name"], User::BOB.name, "{welcome}");
    let stack = WebStack::open(PAGE_HZ).await;
    page.say(&json!({"type": "offer", "call": "c1", "sdp": "v=0\r\n"}));
    page.expect("the offer is refused", |message| message["type"] == "refused").await;
    let offer = stack.offer(false).await;
    page.say(&json!({"type": "offer", "call": "c1", "sdp": offer}));
    // What a page says is taken in one after another, so the offer has been once this is refused.
    page.say(&json!({"type": "hangUp", "call": "c9"}));
    page.expect("the page is heard", |message| message["type"] == "error").await;
    let other_stack = other.accept(&call_of(&rung), OTHER_PAGE_HZ).await;
    page.answered("c1", &stack).await;
    stack.hears(OTHER_PAGE_HZ).await;
    other_stack.hears(PAGE_HZ).await;
}

#[tokio::test]
async fn a_page_that_does_not_come_back_loses_its_call() {
    let stage = Stage::with(Options::new().with("web.reconnect_timeout", "300ms")).await;
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    let (call, _own, _stack) = answered(&stage, &page).await;
    drop(page);
    assert_eq!(stage.result_of(&call).await, (410, 301_005));
}

#[tokio::test]
async fn a_page_that_was_closed_rings_no_more_and_the_script_stands_in_again() {
    let stage = Stage::new().await;
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    page.close().await;
    testkit::eventually("the page has gone", async || {
        let pages = stage.server.metric("hookswitch_web_pages").await;
        (pages < 0.5, pages)
    })
    .await;
    let call = stage.established(User::JOHN).await;
    stage.end(&call).await;
}

#[tokio::test]
async fn a_session_that_is_over_by_time_closes_its_sockets() {
    let stage = Stage::with(Options::new().with("web.session_lifetime", "1s")).await;
    let session = WebSession::of(&stage.server, User::JOHN).await;
    let page = WebPhone::open(&session, "a-phone-for-tests").await;
    assert_eq!(page.expect_close().await, (1008, "the session is over".to_owned()));
    session.who(&[]).await.expect(401);
}

#[tokio::test]
async fn without_the_setting_nothing_is_served() {
    let stage = Stage::with(Options::new().with("web.enabled", "false")).await;
    WebSession::ask(&stage.server, "john", User::PASSWORD).await.expect(404);
}

#[tokio::test]
async fn a_page_hands_its_call_over() {
    let stage = Stage::new().await;
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    let other = WebPhone::of(&stage.server, User::BOB).await;
    let (call, own, _stack) = answered(&stage, &page).await;
    page.say(&json!({"type": "transfer", "call": own, "to": User::BOB.sip_name}));
    let rung = other.rings().await;
    let _other_stack = other.accept(&call_of(&rung), OTHER_PAGE_HZ).await;
    let is_done = |message: &Value| message["type"] == "transfer" && message["status"] == "done";
    page.expect("it is handed over", is_done).await;
    page.ended(&own).await;
    assert_recorded(&stage, &call, OTHER_PAGE_HZ).await;
    stage.end(&call).await;
}

#[tokio::test]
async fn strangers_and_pages_of_other_origins_get_nothing() {
    let stage = Stage::new().await;
    let session = WebSession::of(&stage.server, User::JOHN).await;
    let here = format!("http://{}", stage.server.http());
    assert_eq!(session.who(&[("origin", &here)]).await.expect(200).json()["user"]["id"], User::JOHN.id);
    session.who(&[("origin", "https://evil.example")]).await.expect(403);
    session.who(&[("sec-fetch-site", "cross-site")]).await.expect(403);
    let name = "a-phone-for-tests";
    let refused = |asked: Result<WebPhone, u16>| asked.map(drop).unwrap_err();
    assert_eq!(refused(WebPhone::try_open(&session, name, Some("https://evil.example")).await), 403);
    let stolen = session.with_cookie("hookswitch_session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
    stolen.who(&[]).await.expect(401);
    assert_eq!(refused(WebPhone::try_open(&stolen, name, None).await), 401);
    assert_eq!(refused(WebPhone::try_open(&session, "short", None).await), 400);

    let page = WebPhone::try_open(&session, name, Some(&here)).await.expect("a socket");
    page.expect("it is welcome", |message| message["type"] == "welcome").await;
    session.sign_out().await.expect(204);
    assert_eq!(page.expect_close().await, (1008, "signed out".to_owned()));
    session.who(&[]).await.expect(401);
    assert_eq!(refused(WebPhone::try_open(&session, name, None).await), 401);
}

#[tokio::test]
async fn who_guesses_passwords_has_to_wait() {
    let stage = Stage::new().await;
    for name in ["john", "JOHN", "john@contoso.example", " john", "john"] {
        WebSession::ask(&stage.server, name, "wrong").await.expect(401);
    }
    let reply = WebSession::ask(&stage.server, "john", User::PASSWORD).await;
    // The fifth wrong one is the last that is free.
    let waits = reply.expect(429);
    assert!(waits.header("retry-after").is_some(), "{waits}");
    WebSession::ask(&stage.server, "bob", User::PASSWORD).await.expect(200);
    WebSession::ask(&stage.server, "bob@contoso.example", User::PASSWORD).await.expect(200);
    let cookie = WebSession::ask(&stage.server, "bob", User::PASSWORD).await.expect(200);
    let cookie = cookie.header("set-cookie").unwrap_or_default().to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict") && !cookie.contains("Secure"), "{cookie}");
}

#[tokio::test]
async fn a_page_that_floods_or_says_what_is_no_message_loses_its_socket() {
    let stage = Stage::new().await;
    let session = WebSession::of(&stage.server, User::JOHN).await;
    let page = WebPhone::open(&session, "a-page-that-makes-no-sense").await;
    page.say(&json!({"type": "hangUp", "call": "s9"}));
    page.say(&json!({"type": "sing", "call": "s9"}));
    let is_error = |message: &Value| message["type"] == "error";
    page.expect("what makes no sense is told", is_error).await;
    for (message, reason) in [
        (Message::binary(vec![1]), "messages are text"),
        (Message::text("[]"), "messages are JSON objects"),
        (Message::text("x".repeat(65 * 1024)), "the message is longer than 64 KiB"),
    ] {
        let page = WebPhone::open(&session, "a-page-that-makes-no-sense").await;
        page.send(message);
        assert_eq!(page.expect_close().await, (1008, reason.to_owned()));
    }
    let page = WebPhone::open(&session, "a-page-that-makes-no-sense").await;
    for _ in 0..200 {
        page.say(&json!({"type": "hangUp", "call": "s9"}));
    }
    assert_eq!(page.expect_close().await.0, 1008);
}

#[tokio::test]
async fn a_server_that_leaves_says_good_bye_to_pages() {
    let mut stage = Stage::new().await;
    let page = WebPhone::of(&stage.server, User::JOHN).await;
    let (_call, own, _stack) = answered(&stage, &page).await;
    let (code, ended) = (stage.server.terminate().await, page.ended(&own).await);
    assert_eq!((code, ended.as_str()), (0, "hungUp"));
    assert_eq!(page.expect_close().await, (1001, "the server is leaving".to_owned()));
}
