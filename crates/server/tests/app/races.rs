//! Things that happen at once, and bots that do not answer: whatever comes first, each call ends once and everybody hears so.

use serde_json::{Value, json};
use testkit::{Answer, App, Baresip, Options, Phone, User, eventually};

use crate::support::{Stage, id_of};

async fn phone(stage: &Stage, place: u16, user: User, setup: Phone) -> Baresip {
    Baresip::register(&stage.server, user, stage.server.peer_address(3 * place), setup).await
}

fn service_hosted() -> Value {
    json!({
        "callbackUri": "https://bot.contoso.com/callback",
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": []},
    })
}

fn to(user: User) -> Value {
    json!({"identity": {"user": {"id": user.id}}})
}

/// The end of a call is told once, last, and nothing of it is left.
async fn expect_one_end(stage: &Stage, call: &str) {
    stage.webhook.expect_end(call).await;
    let told = stage.webhook.of_call(call);
    let ends = told.iter().filter(|one| one.is_of_call() && one.change() == "deleted").count();
    assert_eq!(ends, 1, "{}", stage.webhook.summary());
    assert_eq!(told.last().map(testkit::Received::change), Some("deleted"), "{}", stage.webhook.summary());
    stage.bot.show(call).await.expect(404);
    expect_idle(stage).await;
}

/// No call, leg or conversation is left.
async fn expect_idle(stage: &Stage) {
    eventually("nothing is left", async || {
        let metrics = String::from_utf8(stage.bot.get("/metrics").await.body.to_vec()).expect("text");
        let left: Vec<&str> = LEFT
            .iter()
            .filter_map(|name| metrics.lines().find_map(|line| line.strip_prefix(*name)))
            .collect();
        (left.iter().all(|value| *value == "0") && left.len() == LEFT.len(), ())
    })
    .await;
}

/// What says how much of a call is left.
const LEFT: [&str; 4] =
    ["hookswitch_calls_live ", "hookswitch_sip_calls ", "hookswitch_media_legs ", "hookswitch_conferences "];

/// Lets a phone call the bot, perhaps not for the first time.
async fn dial_anew(stage: &Stage, phone: &mut Baresip) -> String {
    let before = stage.webhook.received().len();
    phone.command("dial", &format!("sip:{}@{}", App::CALLING_BOT.id, stage.server.sip())).await;
    let told = stage.webhook.wait_for("a call that comes in", |all| {
        all.get(before..)?.iter().find(|one| one.change() == "created" && one.is_of_call()).cloned()
    });
    id_of(told.await.data())
}

#[tokio::test]
async fn a_caller_hangs_up_while_the_answer_is_on_its_way() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    for round in 0..6 {
        let call = dial_anew(&stage, &mut john).await;
        let body = service_hosted();
        let answering = stage.bot.act(&call, "answer", &body);
        let hanging_up = john.command("hangup", "");
        // Whoever is asked first is not always the first to arrive.
        let (answered, ()) = if round % 2 == 0 {
            tokio::join!(answering, hanging_up)
        } else {
            let ((), answered) = tokio::join!(hanging_up, answering);
            (answered, ())
        };
        assert!([202, 404, 409].contains(&answered.status.as_u16()), "{answered}");
        expect_one_end(&stage, &call).await;
    }
}

#[tokio::test]
async fn of_two_answers_one_is_taken() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let call = id_of(stage.dial(&mut john, App::CALLING_BOT).await.data());
    let body = service_hosted();
    let both = tokio::join!(stage.bot.act(&call, "answer", &body), stage.bot.act(&call, "answer", &body));
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 409]);
    stage.webhook.expect_state(&call, "established").await;
    stage.bot.hang_up(&call).await.expect(204);
    expect_one_end(&stage, &call).await;
}

#[tokio::test]
async fn an_answer_and_a_rejection_at_once_do_one_of_the_two() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let call = id_of(stage.dial(&mut john, App::CALLING_BOT).await.data());
    let (body, busy) = (service_hosted(), json!({"reason": "busy"}));
    let (answered, rejected) =
        tokio::join!(stage.bot.act(&call, "answer", &body), stage.bot.act(&call, "reject", &busy));
    match (answered.status.as_u16(), rejected.status.as_u16()) {
        (202, 409) => {
            stage.webhook.expect_state(&call, "established").await;
            stage.bot.hang_up(&call).await.expect(204);
        }
        (404 | 409, 202) => {}
        other => panic!("answered with {other:?}"),
    }
    john.expect("CALL_CLOSED").await;
    expect_one_end(&stage, &call).await;
}

#[tokio::test]
async fn a_transfer_target_that_hangs_up_while_it_rings_leaves_the_two_talking() {
    let stage = Stage::new().await;
    let _john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let mut target = phone(&stage, 1, User::USER1, Phone::MANUAL).await;
    let call = stage.established(User::JOHN).await;
    stage.bot.act(&call, "transfer", &json!({"transferTarget": to(User::USER1)})).await.expect(202);
    target.expect("CALL_INCOMING").await;
    target.command("hangup", "").await;
    stage.webhook.expect(&call, "the failure", |one| one.result() == Some((500, 7000))).await;
    let shown = stage.bot.show(&call).await.expect(200).json();
    assert_eq!(shown["state"], "established", "{shown}");
    stage.end(&call).await;
    expect_idle(&stage).await;
}

#[tokio::test]
async fn a_transfer_target_that_hangs_up_as_soon_as_it_has_answered_ends_both() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let mut target = phone(&stage, 1, User::USER1, Phone::MANUAL).await;
    let call = stage.established(User::JOHN).await;
    stage.bot.act(&call, "transfer", &json!({"transferTarget": to(User::USER1)})).await.expect(202);
    target.expect("CALL_INCOMING").await;
    target.command("accept", "").await;
    target.command("hangup", "").await;
    assert_eq!(stage.result_of(&call).await, (0, 7015));
    john.expect("CALL_CLOSED").await;
    expect_one_end(&stage, &call).await;
}

#[tokio::test]
async fn a_callee_who_hangs_up_during_its_transfer_ends_the_call_and_nobody_rings_any_more() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let mut target = phone(&stage, 1, User::USER1, Phone::MANUAL).await;
    let call = stage.established(User::JOHN).await;
    stage.bot.act(&call, "transfer", &json!({"transferTarget": to(User::USER1)})).await.expect(202);
    target.expect("CALL_INCOMING").await;
    john.command("hangup", "").await;
    target.expect("CALL_CLOSED").await;
    expect_one_end(&stage, &call).await;
}

#[tokio::test]
async fn a_bot_that_hangs_up_during_a_transfer_ends_it() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let mut target = phone(&stage, 1, User::USER1, Phone::MANUAL).await;
    let call = stage.established(User::JOHN).await;
    stage.bot.act(&call, "transfer", &json!({"transferTarget": to(User::USER1)})).await.expect(202);
    target.expect("CALL_INCOMING").await;
    let (gone, accepted) = tokio::join!(stage.bot.hang_up(&call), target.command("accept", ""));
    let () = accepted;
    assert!([204, 404].contains(&gone.status.as_u16()), "{gone}");
    stage.webhook.expect_end(&call).await;
    // Either the bot was first, and both phones are hung up on; or the phones talk to each other.
    if stage.result_of(&call).await != (0, 7015) {
        target.expect("CALL_CLOSED").await;
    } else {
        john.command("hangup", "").await;
    }
    expect_one_end(&stage, &call).await;
}

#[tokio::test]
async fn a_bot_that_does_nothing_for_too_long_loses_the_call() {
    let stage = Stage::with(Options::new().with("calls.incoming_timeout", "200ms")).await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    let call = id_of(stage.dial(&mut john, App::CALLING_BOT).await.data());
    let closed = john.expect("CALL_CLOSED").await;
    assert!(closed["param"].as_str().is_some_and(|why| why.starts_with("480")), "{closed}");
    let late = stage.bot.act(&call, "answer", &service_hosted()).await.expect(404);
    assert_eq!(late.error_code(), "8522");
    expect_one_end(&stage, &call).await;
}

#[tokio::test]
async fn a_webhook_that_is_slow_dead_or_wrong_loses_the_call_and_nothing_else() {
    let answers = [Answer::Hang, Answer::Status(404), Answer::Status(500)];
    for answer in answers {
        let stage = Stage::with(Options::new().with("calls.incoming_timeout", "700ms")).await;
        let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
        stage.webhook.answer(answer.clone());
        let call = id_of(stage.dial(&mut john, App::CALLING_BOT).await.data());
        let closed = john.expect("CALL_CLOSED").await;
        assert!(closed["param"].as_str().is_some_and(|why| why.starts_with("480")), "{answer:?}: {closed}");
        stage.bot.show(&call).await.expect(404);
        expect_idle(&stage).await;
    }
}

#[tokio::test]
async fn a_bot_whose_webhook_has_not_answered_yet_can_answer_the_call() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, User::JOHN, Phone::AUTOMATIC).await;
    stage.webhook.answer(Answer::Hang);
    let call = id_of(stage.dial(&mut john, App::CALLING_BOT).await.data());
    stage.webhook.answer(Answer::Status(202));
    stage.bot.act(&call, "answer", &service_hosted()).await.expect(202);
    john.expect("CALL_ESTABLISHED").await;
    stage.webhook.expect_state(&call, "established").await;
    stage.bot.hang_up(&call).await.expect(204);
    expect_one_end(&stage, &call).await;
}
