//! The same by packets of the application's own media stack, which comes, holds, leaves and comes back.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::{Value, json};
use testkit::{Bot, MediaBot, Options, RtpBot, User};

use super::{
    BOT_HZ, PEER_TO_PEER, PITCHES, assert_tones, blob_of, create, documented, finish, id_of, phone,
    socket_url,
};
use crate::support::Stage;

/// An address of this server without its scheme and host.
fn path_of<'a>(stage: &Stage, url: &'a str) -> &'a str {
    url.strip_prefix(&stage.server.base_url()).unwrap_or_else(|| panic!("{url} is elsewhere"))
}

async fn send_sdp(bot: &Bot, path: &str, sdp: &str) -> testkit::Reply {
    let mut request = testkit::bare(Method::POST, path).map(|_| Bytes::from(sdp.to_owned()));
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/sdp"));
    bot.send(request).await
}

#[tokio::test]
async fn an_application_comes_by_whip_leaves_and_comes_back_with_another_stack() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await];
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let call = create(&stage.bot, &body).await;
    let id = id_of(&call);
    let blob: Value = serde_json::from_str(&blob_of(&call)).expect("JSON");
    let whip = path_of(&stage, blob["whip"]["url"].as_str().expect("an address")).to_owned();
    stage.webhook.expect_state(&id, "established").await;

    assert_eq!(send_sdp(&stage.bot, &whip, "v=0\r\n").await.expect(400).error_code(), "8500");
    let mut stack = RtpBot::open().await;
    let created = send_sdp(&stage.bot, &whip, &stack.offer()).await.expect(201);
    let location = created.headers["location"].to_str().expect("text").to_owned();
    stack.answered(&String::from_utf8_lossy(&created.body), BOT_HZ as f32);
    stack.hear(500).await;
    assert_tones("the bot", &stack.hear(1_000).await, 8_000, &[PITCHES[0]], &[]);
    send_sdp(&stage.bot, &whip, &stack.offer()).await.expect(404);
    stage.bot.delete(path_of(&stage, &location)).await.expect(200);
    stage.bot.delete(path_of(&stage, &location)).await.expect(404);
    drop(stack);

    let mut stack = RtpBot::open().await;
    let media = format!("/hookswitch/v1/calls/{id}/media");
    let answer = send_sdp(&stage.bot, &media, &stack.offer()).await.expect(200);
    stack.answered(&String::from_utf8_lossy(&answer.body), 880.0);
    stack.hear(500).await;
    assert_tones("the bot", &stack.hear(1_500).await, 8_000, &[PITCHES[0]], &[]);
    finish(&stage, &stage.bot, &id, &mut phones, &[880]).await;
}

#[tokio::test]
async fn a_later_offer_of_the_same_stack_holds_and_resumes() {
    let stage = Stage::new().await;
    let mut phones = [phone(&stage, 0, User::JOHN).await];
    let mut stack = RtpBot::open().await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"]["blob"] = json!(stack.offer());
    let call = create(&stage.bot, &body).await;
    let id = id_of(&call);
    stack.answered(&blob_of(&call), BOT_HZ as f32);
    stage.webhook.expect_state(&id, "established").await;
    stack.hear(500).await;

    let media = format!("/hookswitch/v1/calls/{id}/media");
    let held = stack.offer().replace("a=sendrecv", "a=inactive").replace("o=- 1 1", "o=- 1 2");
    let answer = send_sdp(&stage.bot, &media, &held).await.expect(200);
    assert!(String::from_utf8_lossy(&answer.body).contains("a=inactive"), "{answer}");
    let resumed = stack.offer().replace("o=- 1 1", "o=- 1 3");
    send_sdp(&stage.bot, &media, &resumed).await.expect(200);
    stack.hear(300).await;
    assert_tones("the bot", &stack.hear(1_500).await, 8_000, &[PITCHES[0]], &[]);
    assert_eq!(send_sdp(&stage.bot, &media, "v=0\r\n").await.expect(400).error_code(), "8500");
    stack.hear(300).await;
    finish(&stage, &stage.bot, &id, &mut phones, &[BOT_HZ]).await;
}

#[tokio::test]
async fn a_media_stack_that_vanishes_ends_the_call_with_the_code_of_lost_media() {
    let stage = Stage::with(Options::new().with("media.timeout", "1s")).await;
    let _phone = phone(&stage, 0, User::JOHN).await;
    let mut stack = RtpBot::open().await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"]["blob"] = json!(stack.offer());
    let call = create(&stage.bot, &body).await;
    stack.answered(&blob_of(&call), BOT_HZ as f32);
    stage.webhook.expect_state(&id_of(&call), "established").await;
    stack.hear(300).await;
    drop(stack);
    assert_eq!(stage.result_of(&id_of(&call)).await, (410, 301_005));
}

#[tokio::test]
async fn a_media_stack_takes_the_place_of_a_socket_which_is_told_so_and_may_come_back_as_it_was() {
    let stage = Stage::new().await;
    let _phone = phone(&stage, 0, User::JOHN).await;
    let mut body = documented(PEER_TO_PEER, &stage);
    body["mediaConfig"] = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    let call = create(&stage.bot, &body).await;
    let id = id_of(&call);
    let media = MediaBot::dial(&socket_url(&call), "both").await;
    stage.webhook.expect_state(&id, "established").await;
    media.hear("", 300).await;

    let path = format!("/hookswitch/v1/calls/{id}/media");
    let mut stack = RtpBot::open().await;
    let answer = send_sdp(&stage.bot, &path, &stack.offer()).await.expect(200);
    stack.answered(&String::from_utf8_lossy(&answer.body), BOT_HZ as f32);
    assert_eq!(media.expect_close().await, (1008, "another socket took over".to_owned()));
    stack.hear(300).await;
    assert_tones("the bot", &stack.hear(1_000).await, 8_000, &[PITCHES[0]], &[]);

    let fresh = stage.bot.post_text(&path, "").await.expect(200).json();
    assert_eq!(fresh["websocket"]["dialect"], "hookswitch", "{fresh}");
    assert_eq!(fresh["websocket"]["channels"], "both", "{fresh}");
    let url = fresh["websocket"]["url"].as_str().expect("an address");
    let again = MediaBot::try_dial(url).await.expect("a WebSocket");
    again.hear("", 300).await;
    assert_tones("the bot", &again.hear("", 1_000).await, 16_000, &[PITCHES[0]], &[]);
    stage.end(&id).await;
}
