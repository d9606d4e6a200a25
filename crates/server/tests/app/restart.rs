//! `kill -9` at any moment: what was owed is delivered after the restart, in order, the end last.

use std::collections::BTreeMap;

use serde_json::Value;
use testkit::{Answer, Options, Received, User};
use tokio::task::JoinSet;

use crate::support::Stage;

/// Kills at different moments. Each takes about a second.
const ROUNDS: usize = 12;
/// Calls that are created at once in each round, to three users in turn.
const CALLS: usize = 24;

#[tokio::test]
async fn every_notification_survives_kills_in_the_middle_of_a_storm() {
    let settings = Options::new().with("limits.calls_per_app", "100000").with("sip.timer_t1", "100ms");
    // After the end of a call retries are seconds apart; what was refused before a kill shall not wait for them here.
    let settings = settings.with("notifications.ended_schedule", vec!["100ms"; 100].join(","));
    let mut stage = Stage::with(settings).await;
    let mut calls = Vec::new();

    for round in 0..ROUNDS {
        let seen = stage.webhook.received().len();
        // In every third round the receiver fails until the server is back, so that much is owed.
        let is_failing = round % 3 == 2;
        stage.webhook.answer(Answer::Status(if is_failing { 500 } else { 202 }));
        let storm = create_many(&stage);
        let moment = 1 + round * 3;
        stage
            .webhook
            .wait_for(&format!("{moment} notifications of round {round}"), |all| {
                (all.len() >= seen + moment).then_some(())
            })
            .await;

        stage.server.kill();
        calls.extend(finished(storm).await);
        stage.webhook.answer(Answer::Status(202));
        stage.server.restart().await;
    }

    assert!(calls.len() > ROUNDS, "hardly a call was created before a kill");
    for call in &calls {
        let is_its_end =
            |it: &Received| it.change() == "deleted" && it.is_of_call() && it.answered == Some(202);
        stage.webhook.expect(call, "its end", is_its_end).await;
    }
    stage
        .webhook
        .wait_for("the end of every call that was ever told of", |all| {
            accepted_by_call(all)
                .values()
                .all(|told| told.last().is_some_and(|it| it.change() == "deleted"))
                .then_some(())
        })
        .await;
    assert_complete(&stage, &calls).await;
}

#[tokio::test]
async fn a_call_whose_media_died_with_the_server_ends_with_its_operations_and_a_named_result() {
    let mut stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let body = serde_json::json!({"maxRecordDurationInSeconds": 60, "initialSilenceTimeoutInSeconds": 60});
    let operation = stage.bot.start(&call, "recordResponse", &body).await;

    stage.server.kill();
    stage.server.restart().await;

    let end = stage.webhook.expect_end(&call).await;
    assert_eq!(end.result(), Some((500, 9001)), "{}", end.body);
    let ended = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(ended.result(), Some((400, 8528)), "{}", ended.body);
    assert!(ended.sequence() < end.sequence(), "{}", stage.webhook.summary());
    assert_eq!(stage.bot.show(&call).await.expect(404).error_code(), "8522");
}

#[tokio::test]
async fn tokens_and_keys_outlive_the_server() {
    let mut stage = Stage::new().await;
    let before = stage.server.get("/common/discovery/v2.0/keys").await.expect(200).json();

    stage.server.kill();
    stage.server.restart().await;

    assert_eq!(stage.server.get("/common/discovery/v2.0/keys").await.expect(200).json(), before);
    let call = stage.established(User::USER1).await;
    stage.end(&call).await;
}

/// Creates calls at once; each task returns the id where the server lived to answer.
fn create_many(stage: &Stage) -> JoinSet<Option<String>> {
    let mut storm = JoinSet::new();
    for at in 0..CALLS {
        let user = [User::USER2, User::USER1, User::BOB][at % 3];
        let (bot, request) = (stage.bot.clone(), stage.request(user));
        storm.spawn(async move {
            let reply = bot.try_create(&request).await.ok()?;
            reply.expect(201).json()["id"].as_str().map(str::to_owned)
        });
    }
    storm
}

async fn finished(mut storm: JoinSet<Option<String>>) -> Vec<String> {
    let mut ids = Vec::new();
    while let Some(created) = storm.join_next().await {
        ids.extend(created.expect("creating a call panicked"));
    }
    ids
}

/// What each call's receiver accepted, each notification once, by call.
fn accepted_by_call(all: &[Received]) -> BTreeMap<String, Vec<Received>> {
    let mut by_call: BTreeMap<String, Vec<Received>> = BTreeMap::new();
    for received in all.iter().filter(|it| it.answered == Some(202)) {
        let told = by_call.entry(received.call().to_owned()).or_default();
        if told.iter().all(|known| known.sequence() != received.sequence()) {
            told.push(received.clone());
        }
    }
    by_call
}

/// Every row of the outbox was received; nothing came before what precedes it; the end came last and has one row.
async fn assert_complete(stage: &Stage, created: &[String]) {
    let all = stage.webhook.received();
    let by_call = accepted_by_call(&all);
    for call in created {
        assert!(by_call.contains_key(call), "call {call} was answered 201 and never told of");
    }
    for (call, told) in &by_call {
        let first = told[0].sequence();
        let numbers: Vec<u64> = told.iter().map(Received::sequence).collect();
        let expected: Vec<u64> = (first..).take(told.len()).collect();
        assert_eq!(numbers, expected, "call {call} was told of out of order, or with gaps");
        let ends = told.iter().filter(|it| it.is_of_call() && it.change() == "deleted").count();
        assert_eq!(ends, 1, "call {call} ended {ends} times");
        // What was accepted and not yet noted when the server died comes again, with what follows it: once a kill.
        let attempts: Vec<u64> = all.iter().filter(|it| it.call() == call).map(Received::sequence).collect();
        let steps_back = attempts.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!(steps_back <= ROUNDS, "call {call}: something was tried before its turn: {attempts:?}");
        let steps_ahead = attempts.windows(2).filter(|pair| pair[1] > pair[0] + 1).count();
        assert_eq!(steps_ahead, 0, "call {call}: something was passed over: {attempts:?}");

        let path = format!("/hookswitch/v1/calls/{call}/notifications?limit=500");
        let rows = stage.bot.get(&path).await.expect(200).json();
        let rows: Vec<u64> = rows["value"].as_array().into_iter().flatten().filter_map(sequence_of).collect();
        assert_eq!(numbers, rows, "call {call}: what was received is not what was owed");
    }
}

fn sequence_of(row: &Value) -> Option<u64> {
    row["sequence"].as_u64()
}
