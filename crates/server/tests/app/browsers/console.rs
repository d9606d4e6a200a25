//! The console, with what a real server knows.

use serde_json::json;
use testkit::{Baresip, Browser, Page, Phone, User};

use super::MICROPHONE_HZ;
use crate::support::{Stage, play, prompt_of_a_tone};

/// Lists of the console, and something that each shows in the dev tenant.
const LISTS: [(&str, &str); 4] = [
    ("Meetings", "1234567"),
    ("Users", "john@contoso.example"),
    ("Trunks", "There is no trunk"),
    ("Applications", "Calling Bot"),
];

async fn console(stage: &Stage, browser: &Browser) -> Page {
    browser.open("The administrator", &format!("{}/console", stage.server.base_url())).await
}

#[tokio::test]
async fn an_administrator_sees_a_call_as_it_happens_and_nobody_else_does() {
    let (stage, files) = (Stage::new().await, prompt_of_a_tone().await);
    let mut phone =
        Baresip::register(&stage.server, User::BOB, stage.server.peer_address(0), Phone::AUTOMATIC).await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = console(&stage, &browser).await;
    page.finds("button", "Sign in").await;
    page.look("server-console-1-signed-out").await;
    page.sign_in(User::BOB).await;
    page.sees("for administrators only").await;
    page.click("Sign in as somebody else").await;
    page.sign_in(User::JOHN).await;
    page.sees("There is no call at the moment").await;

    let call = stage.established(User::BOB).await;
    page.finds("link", "Bob").await;
    page.look("server-console-2-calls").await;
    page.click_on("link", "Bob").await;
    page.finds("heading", "Timeline").await;
    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    play(&stage, &call, &files).await;
    phone.press("5").await;
    stage.webhook.expect_tones(&call, 1).await;
    page.click_text("As a list").await;
    page.sees("Heard: 5").await;
    page.finds("heading", "Sound").await;
    page.look("server-console-3-call").await;

    let before = stage.webhook.of_call(&call).len();
    page.click_text("As a list").await;
    page.click_text("Updated call").await;
    page.click("Resend notification 1").await;
    page.finds("cell", "Resend 1").await;
    stage
        .webhook
        .wait_for("the notification that was sent again", |all| {
            let mut again = all.iter().filter(|one| one.call() == call).skip(before);
            again.find(|one| one.sequence() == 1).map(|one| one.change().to_owned())
        })
        .await;
    stage.end(&call).await;
    page.sees("200 / 7000").await;
    page.look("server-console-4-ended").await;
    page.click_on("link", "Calls").await;
    page.sees("There is no call at the moment").await;
    for (number, (list, shown)) in LISTS.into_iter().enumerate() {
        page.click_on("link", list).await;
        page.sees(shown).await;
        page.look(&format!("server-console-{}-{}", number + 5, list.to_lowercase())).await;
    }
}

#[tokio::test]
async fn an_administrator_lets_a_bot_call_from_the_console() {
    let stage = Stage::new().await;
    let mut phone =
        Baresip::register(&stage.server, User::BOB, stage.server.peer_address(0), Phone::AUTOMATIC).await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let page = console(&stage, &browser).await;
    page.sign_in(User::JOHN).await;
    page.click_on("link", "Test call").await;
    page.fill("Whom to call", "bob").await;
    page.click("Call").await;
    phone.expect("CALL_ESTABLISHED").await;
    page.finds("heading", "Timeline").await;
    phone.expect("CALL_CLOSED").await;
    page.sees("200 / 7000").await;

    page.click_on("link", "Requests").await;
    page.click("Send").await;
    page.sees("201 Created").await;
    page.look("server-console-9-request").await;
    page.click_on("link", "Look at the call").await;
    page.finds("heading", "Timeline").await;
}
