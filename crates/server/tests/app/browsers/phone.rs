//! The phone page.

use serde_json::json;
use testkit::{Answering, App, Baresip, Browser, Cable, Page, Phone, PortBlock, User, eventually};

use super::{MENDED, MICROPHONE_HZ, OTHER_MICROPHONE_HZ};
use crate::support::{
    PROMPT_HZ, Stage, answer, assert_recorded, id_of, incoming_call, play, prompt_of_a_tone,
};

/// What phones say.
const PHONE_HZ: u32 = 910;

/// As people write it.
const NUMBER_OF_THE_BOT: &str = "+1 (234) 567-8900";

/// What would be an element if it were not text.
const MARKUP: &str = "<img src=x onerror=alert(1)>";

/// The phone of John, who has signed in.
async fn phone(stage: &Stage, browser: &Browser) -> Page {
    phone_at(&stage.server.base_url(), browser).await
}

async fn phone_at(server: &str, browser: &Browser) -> Page {
    let page = browser.open("John's phone", &format!("{server}/phone")).await;
    page.sign_in(User::JOHN).await;
    page.sees("Ready ·").await;
    page
}

/// The phone of Bob, who says something else.
async fn bob(server: &str, browser: &Browser) -> Page {
    let page = browser.open_with_tone("Bob's phone", &format!("{server}/phone"), OTHER_MICROPHONE_HZ).await;
    page.sign_in(User::BOB).await;
    page.sees("Ready ·").await;
    page
}

/// The bot calls John, who answers in the browser.
async fn answered(stage: &Stage, page: &Page) -> String {
    let call = stage.call(User::JOHN).await;
    page.finds("region", &format!("{} is calling", App::CALLING_BOT.name)).await;
    page.click("Answer").await;
    stage.webhook.expect_state(&call, "established").await;
    page.sees("Connected").await;
    call
}

#[tokio::test]
async fn john_answers_in_the_browser_hears_the_prompt_presses_keys_and_is_recorded() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone(&stage, &browser).await;
    let call = answered(&stage, &page).await;
    page.finds("heading", App::CALLING_BOT.name).await;

    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    play(&stage, &call, &files).await;
    page.hears(PROMPT_HZ).await;
    page.hears_most(PROMPT_HZ).await;
    page.press(&["1", "#"]).await;
    assert_eq!(stage.webhook.expect_tones(&call, 2).await, ["tone1", "pound"]);
    stage.bot.act(&call, "cancelMediaProcessing", &json!({})).await.expect(200);
    assert_recorded(&stage, &call, MICROPHONE_HZ).await;
    stage.end(&call).await;
    page.finds("heading", "New call").await;
}

#[tokio::test]
async fn john_calls_the_bot_from_the_browser_hears_it_and_hangs_up() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone(&stage, &browser).await;
    page.fill("Name, address or number", App::CALLING_BOT.id).await;
    page.press(&["Enter"]).await;
    let told = stage.incoming(App::CALLING_BOT).await;
    let call = id_of(told.data());
    assert_eq!(told.data()["source"]["identity"]["user"]["id"], User::JOHN.id, "{}", told.body);
    answer(&stage, &call).await;
    page.sees("Connected").await;
    page.finds("heading", App::CALLING_BOT.name).await;

    play(&stage, &call, &files).await;
    page.hears(PROMPT_HZ).await;
    stage.bot.act(&call, "cancelMediaProcessing", &json!({})).await.expect(200);
    page.hears_no(PROMPT_HZ).await;
    assert_recorded(&stage, &call, MICROPHONE_HZ).await;
    page.click("Hang up").await;
    assert_eq!(stage.result_of(&call).await, (200, 4_521));
    page.finds("heading", "New call").await;

    let before = stage.webhook.received().len();
    page.fill("Name, address or number", NUMBER_OF_THE_BOT).await;
    page.press(&["Enter"]).await;
    let call = incoming_call(&stage.webhook, before).await;
    page.click("Hang up").await;
    assert_eq!(stage.result_of(&id_of(&call)).await.0, 487);
}

#[tokio::test]
async fn john_declines_one_call_and_hands_another_one_over_to_bob_whose_page_came_by_https() {
    let stage = Stage::new().await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone(&stage, &browser).await;
    let call = stage.bot.call(&stage.request(User::JOHN).with("subject", json!(MARKUP))).await;
    page.sees(MARKUP).await;
    page.click("Decline").await;
    assert_eq!(stage.result_of(&call).await.0, 603);

    let other = bob(&format!("https://{}", stage.server.https()), &browser).await;
    let call = answered(&stage, &page).await;
    page.click("Transfer").await;
    page.fill("Transfer Calling Bot to", User::BOB.sip_name).await;
    page.press(&["Enter"]).await;
    other.click("Answer").await;
    other.sees("Connected").await;
    page.finds("heading", "New call").await;
    assert_recorded(&stage, &call, OTHER_MICROPHONE_HZ).await;
    stage.end(&call).await;
    other.finds("heading", "New call").await;
}

#[tokio::test]
async fn the_browser_and_a_phone_ring_together_and_the_first_that_answers_has_the_call() {
    let stage = Stage::new().await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone(&stage, &browser).await;
    let setup = Phone { answering: Answering::Manual, tone_hz: Some(PHONE_HZ), ..Phone::AUTOMATIC };
    let mut phone = Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), setup).await;

    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    page.click("Answer").await;
    stage.webhook.expect_state(&call, "established").await;
    phone.expect("CALL_CLOSED").await;
    assert_recorded(&stage, &call, MICROPHONE_HZ).await;
    stage.end(&call).await;

    let call = stage.call(User::JOHN).await;
    phone.expect("CALL_INCOMING").await;
    page.finds("button", "Answer").await;
    phone.command("accept", "").await;
    stage.webhook.expect_state(&call, "established").await;
    page.sees("Answered elsewhere").await;
    assert_recorded(&stage, &call, PHONE_HZ).await;
    stage.end(&call).await;
}

#[tokio::test]
async fn john_and_bob_speak_in_two_browsers_and_mute_and_hold_are_heard() {
    let stage = Stage::new().await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone(&stage, &browser).await;
    let other = bob(&stage.server.base_url(), &browser).await;
    page.fill("Name, address or number", User::BOB.sip_name).await;
    page.press(&["Enter"]).await;
    other.finds("region", &format!("{} is calling", User::JOHN.name)).await;
    other.click("Answer").await;
    page.hears(OTHER_MICROPHONE_HZ).await;
    other.hears(MICROPHONE_HZ).await;

    page.click("Mute").await;
    other.hears_no(MICROPHONE_HZ).await;
    page.hears(OTHER_MICROPHONE_HZ).await;
    page.click("Mute").await;
    other.hears(MICROPHONE_HZ).await;
    page.click("Hold").await;
    other.hears_no(MICROPHONE_HZ).await;
    page.hears_no(OTHER_MICROPHONE_HZ).await;
    page.click("Hold").await;
    page.hears(OTHER_MICROPHONE_HZ).await;
    other.hears(MICROPHONE_HZ).await;
    other.click("Hang up").await;
    page.finds("heading", "New call").await;
}

#[tokio::test]
async fn a_call_is_heard_again_within_three_seconds_when_the_socket_or_the_network_is_lost() {
    let ports = PortBlock::take();
    let media = ports.address(1);
    let (stage, files) = (Stage::with(Cable::options(media)).await, prompt_of_a_tone().await);
    let cable = Cable::to(&stage.server, media).await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone_at(&cable.base_url(), &browser).await;
    let call = answered(&stage, &page).await;
    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    play(&stage, &call, &files).await;
    page.hears(PROMPT_HZ).await;
    page.watch(PROMPT_HZ).await;

    cable.cut_streams();
    page.sees("The server cannot be reached").await;
    page.sees_no("The server cannot be reached").await;
    page.sees("Connected").await;
    page.hears(PROMPT_HZ).await;
    let silence = page.silence().await;
    assert!(silence.longest.max(silence.now) < MENDED, "{silence:?}");

    page.watch(PROMPT_HZ).await;
    cable.change_network();
    let silence = eventually("sound was lost, and is back", async || {
        let silence = page.silence().await;
        (silence.is_over(), silence)
    });
    let silence = silence.await;
    assert!(silence.longest < MENDED, "{silence:?}");

    page.sees("Connected").await;
    page.finds("heading", App::CALLING_BOT.name).await;
    page.press(&["5"]).await;
    assert_eq!(stage.webhook.expect_tones(&call, 1).await, ["tone5"]);
    stage.bot.act(&call, "cancelMediaProcessing", &json!({})).await.expect(200);
    assert_recorded(&stage, &call, MICROPHONE_HZ).await;
    assert_eq!(stage.bot.show(&call).await.expect(200).json()["state"], "established");
    page.click("Hang up").await;
    assert_eq!(stage.result_of(&call).await, (200, 4_521));
}

#[tokio::test]
async fn a_call_goes_on_when_the_page_is_loaded_anew() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone(&stage, &browser).await;
    let call = answered(&stage, &page).await;
    play(&stage, &call, &files).await;
    page.hears(PROMPT_HZ).await;
    page.reload().await;
    page.finds("heading", App::CALLING_BOT.name).await;
    page.hears(PROMPT_HZ).await;
    stage.bot.act(&call, "cancelMediaProcessing", &json!({})).await.expect(200);
    assert_recorded(&stage, &call, MICROPHONE_HZ).await;
    stage.end(&call).await;
    page.finds("heading", "New call").await;
}

#[tokio::test]
async fn the_phone_can_be_used_by_everybody_in_every_light() {
    let stage = Stage::new().await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = browser.open("John's phone", &format!("{}/phone", stage.server.base_url())).await;
    page.finds("button", "Sign in").await;
    page.look("server-phone-1-signed-out").await;
    page.sign_in(User::JOHN).await;
    page.sees("Ready ·").await;
    page.look("server-phone-2-idle").await;
    let call = stage.bot.call(&stage.request(User::JOHN).with("subject", json!("About lunch"))).await;
    page.finds("button", "Answer").await;
    page.look("server-phone-3-ringing").await;
    page.click("Answer").await;
    stage.webhook.expect_state(&call, "established").await;
    page.click("Keypad").await;
    page.press(&["4"]).await;
    page.look("server-phone-4-in-call").await;
    stage.end(&call).await;
    page.finds("heading", "New call").await;
    page.look("server-phone-5-after-a-call").await;
}
