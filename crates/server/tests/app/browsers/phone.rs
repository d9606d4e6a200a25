use serde_json::json;
use testkit::{App, Browser, Page, User};

use super::MICROPHONE_HZ;
use crate::support::{PROMPT_HZ, Stage, assert_recorded, play, prompt_of_a_tone};

/// The phone of John, who has signed in.
async fn phone(stage: &Stage, browser: &Browser) -> Page {
    let page = browser.open("John's phone", &format!("{}/phone", stage.server.base_url())).await;
    page.sign_in(User::JOHN).await;
    page.sees("Ready ·").await;
    page
}

#[tokio::test]
async fn john_answers_in_the_browser_hears_the_prompt_presses_keys_and_is_recorded() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = phone(&stage, &browser).await;
    let call = stage.call(User::JOHN).await;
    page.finds("region", &format!("{} is calling", App::CALLING_BOT.name)).await;
    page.click("Answer").await;
    stage.webhook.expect_state(&call, "established").await;
    page.sees("Connected").await;

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
