//! Bots call phone numbers.

use media_engine::analysis::sine;
use media_engine::wav_file;
use serde_json::{Value, json};
use sip_message::{Method, NameAddr, Request};
use testkit::{Carrier, FileServer, Options, RtpBot, Script, Way};

use super::{
    ACCOUNT, CALLEE, INSTANCE, NUMBER, Places, call, directory, established, of_instance, request, settle,
    stage_with, trunk,
};
use crate::support::{Stage, assert_says, documented_call_to_number, id_of, prompts};

const SERVICE_HOSTED: &str = include_str!("../../../../graph-wire/tests/requests/09-phone-number.json");
const APP_HOSTED: &str =
    include_str!("../../../../graph-wire/tests/requests/10-phone-number-app-hosted.json");

const CALLS: &str = "/v1.0/communications/calls";

/// The pitch of what callees say.
const CALLEE_HZ: f32 = 700.0;
/// The pitch of what bots say.
const BOT_HZ: u32 = 440;

const TALKING: fn() -> Script = || Script::called().replies(180).answers().is_hung_up_on();

/// A server whose trunk leads to a carrier's proxy, and a callee behind that.
async fn stage_and_carrier(script: &Script) -> (Stage, testkit::Kamailio, Carrier) {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.proxy(), "")).await;
    let proxy = places.proxy_for(&stage, None).await;
    let carrier = Carrier::take(places.gateway(), script).await;
    (stage, proxy, carrier)
}

#[tokio::test]
async fn the_documented_call_to_a_number_is_made_and_the_callee_hears_the_prompt() {
    let (stage, _proxy, mut carrier) = stage_and_carrier(&TALKING()).await;
    let tone = sine(f64::from(BOT_HZ), 16_000, 8_000.0, 16_000 * 10);
    let files = FileServer::start([("/tone.wav", wav_file(16_000, &tone))]).await;

    let reply = stage.bot.post_text(CALLS, SERVICE_HOSTED).await.expect(201);

    let id = id_of(&reply.json());
    let location = format!("{}{CALLS}/{id}", stage.server.base_url());
    assert_eq!(reply.header("location"), Some(location.as_str()));
    let media = json!({"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"});
    assert_says(&reply.json(), &documented_call_to_number(&stage.server.base_url(), &media), "$");
    assert_invite(&carrier.expect(&Method::Invite).await);
    carrier.speak(CALLEE_HZ).await;
    let told = stage.webhook.expect_state(&id, "established").await;
    assert_eq!(told.notification()["callbackUri"], super::CALLBACK);
    stage.bot.start(&id, "playPrompt", &prompts(&[&files.url("/tone.wav")])).await;
    carrier.hears(BOT_HZ).await;
    stage.end(&id).await;
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn the_documented_call_with_media_of_the_application_carries_tones_both_ways() {
    let (stage, _proxy, mut carrier) = stage_and_carrier(&TALKING()).await;
    let mut stack = RtpBot::open().await;
    // A blob that says something stands for the placeholder.
    let request = APP_HOSTED.replace("\"<Media Session Configuration>\"", &json!(stack.offer()).to_string());

    let created = stage.bot.post_text(CALLS, &request).await.expect(201).json();

    let media = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    assert_says(&created, &documented_call_to_number(&stage.server.base_url(), &media), "$");
    let id = id_of(&created);
    assert_invite(&carrier.expect(&Method::Invite).await);
    stack.answered(created["mediaConfig"]["blob"].as_str().expect("an answer"), BOT_HZ as f32);
    carrier.speak(CALLEE_HZ).await;
    carrier.hears(BOT_HZ).await;
    stack.hears(CALLEE_HZ as u32).await;
    stage.end(&id).await;
    carrier.finish().await;
}

#[tokio::test]
async fn the_documented_call_as_it_stands_says_where_the_application_dials_in_for_its_media() {
    let (stage, _proxy, mut carrier) = stage_and_carrier(&TALKING()).await;

    let created = stage.bot.post_text(CALLS, APP_HOSTED).await.expect(201).json();

    let media = json!({"@odata.type": "#microsoft.graph.appHostedMediaConfig"});
    assert_says(&created, &documented_call_to_number(&stage.server.base_url(), &media), "$");
    let blob: Value =
        serde_json::from_str(created["mediaConfig"]["blob"].as_str().expect("a blob")).expect("JSON");
    assert!(blob["websocket"]["url"].is_string(), "{blob}");
    let id = id_of(&created);
    assert_invite(&carrier.expect(&Method::Invite).await);
    stage.webhook.expect_state(&id, "established").await;
    stage.end(&id).await;
    carrier.finish().await;
}

#[tokio::test]
async fn an_instance_that_withholds_its_number_is_known_to_a_trusted_carrier_only() {
    for (more, is_told) in [("trusted=true", true), ("", false)] {
        let places = Places::take();
        let directory = directory("", &trunk("carrier", places.proxy(), more));
        let directory =
            directory.replace("numbers=['+12345678900']", "numbers=['+12345678900']\nwithheld=true");
        let stage = Stage::with(Options::new().directory(&directory)).await;
        let _proxy = places.proxy_for(&stage, None).await;
        let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

        let call = established(&stage).await;

        let invite = carrier.expect(&Method::Invite).await;
        assert!(invite.headers.from().expect("a From").is_anonymous(), "{invite:?}");
        assert_eq!(invite.headers.get("Privacy"), Some("id"), "{invite:?}");
        let asserted = invite.headers.asserted_identities().expect("identities that can be read");
        assert_eq!(asserted.iter().map(user_of).collect::<Vec<_>>(), vec![NUMBER; usize::from(is_told)]);
        stage.end(&call).await;
        carrier.finish().await;
    }
}

#[tokio::test]
async fn a_carrier_over_tcp_is_called_like_one_over_udp() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.proxy(), "transport='tcp'")).await;
    let _proxy = places.proxy_for(&stage, None).await;
    let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

    let call = established(&stage).await;
    assert!(carrier.expect(&Method::Invite).await.headers.get_all("Via").any(|via| via.contains("/TCP ")));
    stage.end(&call).await;
    carrier.finish().await;
}

#[tokio::test]
async fn a_carrier_that_asks_for_a_password_gets_what_the_account_says() {
    let places = Places::take();
    let account = "account={username='contoso',password-file='user-password'}";
    let stage = stage_with(&trunk("carrier", places.proxy(), account)).await;
    let _proxy = places.proxy_for(&stage, Some(ACCOUNT)).await;
    let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

    let call = established(&stage).await;
    stage.end(&call).await;
    carrier.finish().await;
    assert_eq!(carrier.sipp().requests(&Method::Invite).len(), 1, "what is not authorised reaches nobody");
}

#[tokio::test]
async fn an_account_of_one_realm_is_shown_to_that_realm_only() {
    let places = Places::take();
    let account = "account={username='contoso',password-file='user-password',realm='carrier.example'}";
    let stage = stage_with(&trunk("carrier", places.gateway(), account)).await;
    for (realm, is_shown) in [("carrier.example", true), ("elsewhere.example", false)] {
        let asking = Script::called();
        let script = if is_shown {
            asking.challenges(realm, "contoso", testkit::User::PASSWORD).answers().is_hung_up_on()
        } else {
            let challenge = format!("WWW-Authenticate: Digest realm=\"{realm}\", nonce=\"5d2a0b7e\"");
            asking.replies_with(401, &challenge)
        };
        let mut carrier = Carrier::take(places.gateway(), &script).await;
        let call = call(&stage).await;
        if is_shown {
            stage.webhook.expect_state(&call, "established").await;
            stage.end(&call).await;
        } else {
            stage.result_of(&call).await;
        }
        carrier.finish().await;
    }
}

#[tokio::test]
async fn what_is_said_before_the_answer_is_acknowledged_where_that_is_wanted() {
    for early in [Script::called().sounds_early_reliably(), Script::called().sounds_early()] {
        let (stage, _proxy, mut carrier) =
            stage_and_carrier(&early.replies(180).answers().is_hung_up_on()).await;

        let call = established(&stage).await;
        stage.end(&call).await;
        carrier.finish().await;
    }
}

#[tokio::test]
async fn keys_of_the_callee_are_told_as_events_and_as_sound() {
    for script in [TALKING(), TALKING().with_keys_as_sound()] {
        let (stage, _proxy, mut carrier) = stage_and_carrier(&script).await;
        let call = established(&stage).await;
        stage.bot.act(&call, "subscribeToTone", &json!({"clientContext": "keys"})).await.expect(200);
        carrier.speak(1.0).await;
        carrier.press("42#");
        assert_eq!(stage.webhook.expect_tones(&call, 3).await, ["tone4", "tone2", "pound"]);
        stage.end(&call).await;
        carrier.finish().await;
    }
}

#[tokio::test]
async fn the_callee_holds_the_call_resumes_it_and_refreshes_the_session() {
    let held = Script::called().answers().offers(Way::Out).offers(Way::Both).refreshes(1_800);
    let (stage, _proxy, mut carrier) = stage_and_carrier(&held.is_hung_up_on()).await;

    let call = established(&stage).await;
    // The UPDATE comes after both changes.
    carrier.sipp().expect_answer(&Method::Update).await;
    stage.end(&call).await;
    carrier.finish().await;
}

#[tokio::test]
async fn a_call_that_the_bot_gives_up_while_it_rings_is_cancelled() {
    let (stage, _proxy, mut carrier) = stage_and_carrier(&Script::called().replies(180).is_cancelled()).await;

    let call = call(&stage).await;
    carrier.expect(&Method::Invite).await;
    stage.bot.hang_up(&call).await.expect(204);
    assert_eq!(stage.result_of(&call).await, (487, 0));
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn an_answer_that_crosses_the_cancel_is_hung_up_on() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.gateway(), "")).await;
    let script = Script::called().replies(180).is_cancelled_too_late().is_hung_up_on();
    let mut carrier = Carrier::take(places.gateway(), &script).await;

    let call = call(&stage).await;
    carrier.expect(&Method::Invite).await;
    stage.bot.hang_up(&call).await.expect(204);
    assert_eq!(stage.result_of(&call).await, (487, 0));
    carrier.finish().await;
    settle(&stage).await;
}

#[tokio::test]
async fn numbers_are_written_as_the_trunk_wants_them() {
    let places = Places::take();
    let rules = "outgoing-rules=[{from='+1',to='001'}]\ncaller-form='digits'";
    let stage = stage_with(&trunk("carrier", places.gateway(), rules)).await;
    let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

    let call = established(&stage).await;
    let invite = carrier.expect(&Method::Invite).await;
    assert_eq!(invite.uri.user().as_deref(), Some("0012345678901"));
    assert_eq!(user_of(&identity(&invite)), NUMBER.trim_start_matches('+'));
    stage.end(&call).await;
    carrier.finish().await;
}

#[tokio::test]
async fn an_instance_with_several_numbers_calls_from_the_one_that_the_source_names() {
    let places = Places::take();
    let both = "numbers=['+12345678900','+12345678950']";
    let known = directory("", &trunk("carrier", places.gateway(), ""));
    let known = known.replace("numbers=['+12345678900']", both);
    let stage = Stage::with(Options::new().directory(&known)).await;
    let from = |number: &str| {
        let mut source = of_instance(INSTANCE);
        source["identity"]["phone"] = json!({"id": number});
        request(&stage, INSTANCE, CALLEE).with("source", source)
    };
    let mut carrier = Carrier::take(places.gateway(), &TALKING()).await;

    let call = stage.bot.call(&from("+12345678950")).await;

    assert_eq!(user_of(&identity(&carrier.expect(&Method::Invite).await)), "+12345678950");
    stage.webhook.expect_state(&call, "established").await;
    stage.end(&call).await;
    carrier.finish().await;
    let foreign = stage.bot.create(&from("+12345678951")).await.expect(403);
    assert_eq!(foreign.error_code(), "7507", "{foreign}");
}

/// The carrier sees the number that is called, and whose number calls.
#[track_caller]
fn assert_invite(invite: &Request) {
    assert_eq!(invite.uri.user().as_deref(), Some(CALLEE), "{invite:?}");
    let to = invite.headers.to().expect("a To");
    assert_eq!(user_of(&to), CALLEE);
    let from = invite.headers.from().expect("a From");
    assert_eq!(user_of(&from), NUMBER);
    assert_eq!(user_of(&identity(invite)), NUMBER);
    assert!(!invite.headers.has("Privacy"), "nobody wants this caller hidden: {invite:?}");
    let offer = String::from_utf8_lossy(&invite.body).into_owned();
    let audio = offer.lines().find(|line| line.starts_with("m=audio ")).expect("an offer of audio");
    assert!(audio.contains(" RTP/AVP ") && offer.contains("PCMU/8000"), "{offer}");
    assert!(offer.contains("telephone-event/8000"), "{offer}");
}

fn identity(invite: &Request) -> NameAddr {
    let asserted = invite.headers.asserted_identities().expect("identities that can be read");
    assert_eq!(asserted.len(), 1, "{invite:?}");
    asserted.into_iter().next().expect("an asserted identity")
}

fn user_of(address: &NameAddr) -> String {
    address.uri.user().unwrap_or_default()
}
