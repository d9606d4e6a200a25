//! Calls that would cost somebody money who has not agreed to that are refused, logged and counted.

use serde_json::{Value, json};
use testkit::{App, Bot, CallRequest, Carrier, Options, Reply, Script};

use super::{
    CALLEE, INSTANCE, Places, directory, established, expect_metric, request, settle, stage_with, trunk,
};
use crate::support::Stage;

/// What the log says of each refusal.
const LOGGED: &str = "a call to the phone network was denied";

async fn stage(places: &Places) -> Stage {
    stage_with(&trunk("carrier", places.gateway(), "")).await
}

/// The request is refused so, which is in the log, with the application, and in the metrics.
async fn assert_refused(
    stage: &Stage,
    (bot, app): (&Bot, App),
    call: &CallRequest,
    how: (u16, &str, &str),
) -> Reply {
    let (status, code, reason) = how;
    let metric = format!("hookswitch_trunk_calls_denied_total{{reason=\"{reason}\"}}");
    let is_logged = |line: &&String| line.contains(LOGGED) && line.contains(app.id);
    let logged = || stage.server.log_lines().iter().filter(is_logged).count();
    let (logged_before, counted_before) = (logged(), counted(stage, &metric).await);

    let reply = bot.create(call).await.expect(status);

    assert_eq!(reply.error_code(), code, "{reply}");
    testkit::eventually("the refusal is in the log", async || (logged() == logged_before + 1, logged()))
        .await;
    expect_metric(stage, &metric, counted_before + 1.0).await;
    reply
}

/// A counter, which is not there before it has counted anything.
async fn counted(stage: &Stage, metric: &str) -> f64 {
    let text = stage.server.get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&text.body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(metric)?.trim().parse().ok());
    line.unwrap_or(0.0)
}

#[tokio::test]
async fn only_an_instance_of_the_application_calls_numbers() {
    let places = Places::take();
    let stage = stage(&places).await;
    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let nobodys = request(&stage, "11111111-2222-4333-8444-555555555555", CALLEE);

    let call = request(&stage, INSTANCE, CALLEE);
    assert_refused(&stage, (&other, App::TEST_BOT), &call, (403, "7507", "other_apps_instance")).await;
    let how = (403, "7507", "no_instance");
    assert_refused(&stage, (&stage.bot, App::CALLING_BOT), &nobodys, how).await;
    settle(&stage).await;
}

#[tokio::test]
async fn only_numbers_that_the_trunk_may_call_are_called() {
    let places = Places::take();
    let stage = stage(&places).await;
    for number in ["+442071838750", "+19005550100"] {
        let call = request(&stage, INSTANCE, number);
        let how = (403, "7502", "forbidden_prefix");
        assert_refused(&stage, (&stage.bot, App::CALLING_BOT), &call, how).await;
    }
    for number in
        ["12345678901", "+1234567890123456", "911", "+1 (234) 567;8901", "sip:+12345678901@192.0.2.1"]
    {
        let call = request(&stage, INSTANCE, number);
        let reply = stage.bot.create(&call).await.expect(400);
        assert_eq!(reply.error_code(), "BadRequest", "{number}: {reply}");
    }
    settle(&stage).await;
}

#[tokio::test]
async fn calls_that_begin_too_fast_are_refused_and_told_when_to_come_again() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.gateway(), "calls-per-second=1")).await;
    let mut carrier = Carrier::take(places.gateway(), &Script::called().answers().is_hung_up_on()).await;
    let call = super::call(&stage).await;

    let again = request(&stage, INSTANCE, CALLEE);
    let how = (429, "TooManyRequests", "too_fast");
    let reply = assert_refused(&stage, (&stage.bot, App::CALLING_BOT), &again, how).await;

    assert!(reply.header("retry-after").is_some(), "{reply}");
    stage.webhook.expect_state(&call, "established").await;
    stage.end(&call).await;
    carrier.finish().await;
}

#[tokio::test]
async fn no_more_calls_are_made_at_once_than_the_trunk_has_room_for() {
    let places = Places::take();
    let stage = stage_with(&trunk("carrier", places.gateway(), "concurrent-calls=1")).await;
    let mut carrier =
        Carrier::take_many(places.gateway(), &Script::called().answers().is_hung_up_on(), 2).await;
    let first = established(&stage).await;

    let again = request(&stage, INSTANCE, CALLEE);
    let how = (429, "8530", "too_many");
    assert_refused(&stage, (&stage.bot, App::CALLING_BOT), &again, how).await;

    stage.end(&first).await;
    settle(&stage).await;
    let second = established(&stage).await;
    stage.end(&second).await;
    carrier.finish().await;
}

#[tokio::test]
async fn an_application_that_has_used_up_its_day_calls_nobody() {
    let places = Places::take();
    let directory = directory(
        "trunk-budget={calls-per-day=1,minutes-per-day=60}",
        &trunk("carrier", places.gateway(), ""),
    );
    let stage = Stage::with(Options::new().directory(&directory)).await;
    let mut carrier = Carrier::take(places.gateway(), &Script::called().answers().is_hung_up_on()).await;
    let call = established(&stage).await;
    stage.end(&call).await;
    carrier.finish().await;

    let again = request(&stage, INSTANCE, CALLEE);
    let how = (403, "8529", "budget_spent");
    assert_refused(&stage, (&stage.bot, App::CALLING_BOT), &again, how).await;
    settle(&stage).await;
}
#[tokio::test]
async fn a_call_to_a_number_that_names_no_instance_is_refused() {
    let places = Places::take();
    let stage = stage(&places).await;
    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let as_application = |app: App| {
        json!({
            "@odata.type": "#microsoft.graph.participantInfo",
            "identity": {"application": {"id": app.id}},
        })
    };
    for (bot, app) in [(&other, App::TEST_BOT), (&stage.bot, App::CALLING_BOT)] {
        for source in [Value::Null, as_application(app)] {
            let call = request(&stage, INSTANCE, CALLEE).with("source", source);
            assert_refused(&stage, (bot, app), &call, (403, "7507", "no_instance")).await;
        }
    }
    settle(&stage).await;
}

#[tokio::test]
async fn a_restart_is_not_a_way_to_a_new_day() {
    let places = Places::take();
    let directory = directory(
        "trunk-budget={calls-per-day=1,minutes-per-day=60}",
        &trunk("carrier", places.gateway(), ""),
    );
    let mut stage = Stage::with(Options::new().directory(&directory)).await;
    let mut carrier = Carrier::take(places.gateway(), &Script::called().answers().is_hung_up_on()).await;
    let call = established(&stage).await;
    stage.end(&call).await;
    carrier.finish().await;

    stage.server.kill();
    stage.server.restart().await;

    stage.bot = Bot::of(&stage.server).await;
    let again = request(&stage, INSTANCE, CALLEE);
    let how = (403, "8529", "budget_spent");
    assert_refused(&stage, (&stage.bot, App::CALLING_BOT), &again, how).await;
}
