//! Calls that move: sent on by a bot before it answers, or handed over by it to somebody else.

use media_engine::analysis::amplitude_at;
use serde_json::{Value, json};
use testkit::{App, Baresip, Bot, Options, Phone, PhoneCodec, User};

use crate::support::{Stage, id_of};

/// What each phone says, in the order of [`USERS`]; none is a harmonic of another.
const PITCHES: [u32; 3] = [420, 730, 1_130];
const USERS: [User; 3] = [User::JOHN, User::USER1, User::USER2];

/// Starts a phone of one of [`USERS`], which says its tone.
async fn phone(stage: &Stage, place: usize, setup: Phone) -> Baresip {
    let setup = Phone { codec: PhoneCodec::Pcmu, tone_hz: Some(PITCHES[place]), ..setup };
    let address = stage.server.peer_address(3 * u16::try_from(place).expect("a small number"));
    Baresip::register(&stage.server, USERS[place], address, setup).await
}

/// The phones of these users, all of which answer by themselves.
async fn phones<const N: usize>(stage: &Stage, places: [usize; N]) -> Vec<Baresip> {
    let mut phones = Vec::new();
    for place in places {
        phones.push(phone(stage, place, Phone::AUTOMATIC).await);
    }
    phones
}

/// Lets a phone call a bot, and returns the call's id.
async fn dial(stage: &Stage, phone: &mut Baresip, app: App) -> String {
    id_of(stage.dial(phone, app).await.data())
}

fn user(user: User) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {
            "@odata.type": "#microsoft.graph.identitySet",
            "user": {"@odata.type": "#microsoft.graph.identity", "id": user.id, "displayName": user.name},
        },
    })
}

async fn redirect(stage: &Stage, call: &str, targets: &[Value]) {
    let body = json!({"targets": targets, "timeout": 15, "callbackUri": stage.webhook.url()});
    stage.bot.act(call, "redirect", &body).await.expect(202);
}

async fn transfer(stage: &Stage, call: &str, body: &Value) {
    stage.bot.act(call, "transfer", body).await.expect(202);
}

/// The states that a call was told in, in order, each once.
fn states(stage: &Stage, call: &str) -> Vec<String> {
    let mut states: Vec<String> =
        stage.webhook.of_call(call).iter().map(|one| one.state().to_owned()).collect();
    states.dedup();
    states
}

/// The two hear each other, and one of them hangs up on the other.
async fn talk(mut one: Baresip, mut other: Baresip, (of_one, of_other): (usize, usize)) {
    one.hears(PITCHES[of_other]).await;
    other.hears(PITCHES[of_one]).await;
    one.command("hangup", "").await;
    other.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_call_is_redirected_to_somebody_and_the_two_talk() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [0, 1]).await;
    let call = dial(&stage, &mut phones[0], App::CALLING_BOT).await;
    redirect(&stage, &call, &[user(User::USER1)]).await;
    let end = stage.webhook.expect_end(&call).await;
    assert_eq!(end.change(), "deleted", "{}", end.body);
    assert_eq!(end.data()["state"], "terminated", "{}", end.body);
    assert_eq!(end.data()["answeredBy"]["identity"]["user"]["id"], User::USER1.id, "{}", end.body);
    let [john, other] = <[Baresip; 2]>::try_from(phones).expect("two");
    talk(john, other, (0, 1)).await;
}

#[tokio::test]
async fn of_several_that_a_call_is_redirected_to_the_first_who_answers_gets_it() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, Phone::AUTOMATIC).await;
    let mut slow = phone(&stage, 1, Phone::MANUAL).await;
    let mut quick = phone(&stage, 2, Phone::MANUAL).await;
    let call = dial(&stage, &mut john, App::CALLING_BOT).await;
    redirect(&stage, &call, &[user(User::USER1), user(User::USER2)]).await;
    slow.expect("CALL_INCOMING").await;
    quick.expect("CALL_INCOMING").await;
    quick.command("accept", "").await;
    slow.expect("CALL_CLOSED").await;
    let end = stage.webhook.expect_end(&call).await;
    assert_eq!(end.data()["answeredBy"]["identity"]["user"]["id"], User::USER2.id, "{}", end.body);
    talk(john, quick, (0, 2)).await;
}

#[tokio::test]
async fn a_call_that_nobody_takes_whom_it_was_redirected_to_is_refused_for_their_reason() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, Phone::AUTOMATIC).await;
    let mut busy = phone(&stage, 1, Phone::MANUAL).await;
    let call = dial(&stage, &mut john, App::CALLING_BOT).await;
    redirect(&stage, &call, &[user(User::USER1)]).await;
    busy.expect("CALL_INCOMING").await;
    busy.command("hangup", "scode=486 reason=Busy").await;
    let closed = john.expect("CALL_CLOSED").await;
    assert!(closed["param"].as_str().is_some_and(|why| why.starts_with("486")), "{closed}");
    assert_eq!(stage.result_of(&call).await, (486, 8539));
}

#[tokio::test]
async fn a_caller_who_gives_up_while_a_redirected_call_rings_ends_it() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, Phone::AUTOMATIC).await;
    let mut rings = phone(&stage, 1, Phone::MANUAL).await;
    let call = dial(&stage, &mut john, App::CALLING_BOT).await;
    redirect(&stage, &call, &[user(User::USER1)]).await;
    rings.expect("CALL_INCOMING").await;
    john.command("hangup", "").await;
    rings.expect("CALL_CLOSED").await;
    stage.webhook.expect_end(&call).await;
}

#[tokio::test]
async fn a_call_goes_on_to_another_bot_which_answers_it() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, Phone::AUTOMATIC).await;
    let first = dial(&stage, &mut john, App::CALLING_BOT).await;
    let target = json!({"identity": {"application": {"id": App::TEST_BOT.id, "displayName": "TestBot"}}});
    redirect(&stage, &first, &[target]).await;
    let told = stage.incoming(App::TEST_BOT).await.data().clone();
    assert_eq!(told["source"]["identity"]["user"]["id"], User::JOHN.id, "{told}");
    let route = &told["callRoutes"][0];
    assert_eq!(route["original"]["application"]["id"], App::CALLING_BOT.id, "{told}");
    assert_eq!(route["final"]["application"]["id"], App::TEST_BOT.id, "{told}");

    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let second = id_of(&told);
    let body = json!({
        "callbackUri": stage.webhook.url(),
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    other.act(&second, "answer", &body).await.expect(202);
    stage.webhook.expect_state(&second, "established").await;
    let end = stage.webhook.expect_end(&first).await;
    assert_eq!(end.data()["answeredBy"]["identity"]["application"]["id"], App::TEST_BOT.id, "{}", end.body);
    let recording = json!({"maxRecordDurationInSeconds": 1, "playBeep": false});
    let operation = other.start(&second, "recordResponse", &recording).await;
    let done = stage.webhook.expect_operation(&second, &operation).await;
    assert_eq!(done.result(), Some((200, 8515)), "{}", done.body);
    other.hang_up(&second).await.expect(204);
    john.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_bot_that_a_call_was_sent_on_to_transfers_it_like_any_other() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [0, 1]).await;
    let first = dial(&stage, &mut phones[0], App::CALLING_BOT).await;
    redirect(&stage, &first, &[json!({"identity": {"application": {"id": App::TEST_BOT.id}}})]).await;
    let second = id_of(stage.incoming(App::TEST_BOT).await.data());
    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let body = json!({
        "callbackUri": stage.webhook.url(),
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    other.act(&second, "answer", &body).await.expect(202);
    stage.webhook.expect_state(&second, "established").await;
    let target = json!({"transferTarget": user(User::USER1)});
    other.act(&second, "transfer", &target).await.expect(202);
    assert_eq!(stage.result_of(&second).await, (0, 7015));
    let [john, called] = <[Baresip; 2]>::try_from(phones).expect("two");
    talk(john, called, (0, 1)).await;
}

#[tokio::test]
async fn a_bot_that_rejects_what_was_sent_on_to_it_rejects_the_caller() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, Phone::AUTOMATIC).await;
    let first = dial(&stage, &mut john, App::CALLING_BOT).await;
    redirect(&stage, &first, &[json!({"identity": {"application": {"id": App::TEST_BOT.id}}})]).await;
    let told = stage.incoming(App::TEST_BOT).await.data().clone();
    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let second = id_of(&told);
    other.act(&second, "reject", &json!({"reason": "busy"})).await.expect(202);
    let closed = john.expect("CALL_CLOSED").await;
    assert!(closed["param"].as_str().is_some_and(|why| why.starts_with("486")), "{closed}");
    assert_eq!(stage.result_of(&first).await, (486, 8539));
}

#[tokio::test]
async fn a_callee_is_transferred_to_somebody_and_the_two_talk() {
    let stage = Stage::new().await;
    let phones = phones(&stage, [0, 1]).await;
    let call = stage.established(User::JOHN).await;
    transfer(&stage, &call, &json!({"transferTarget": user(User::USER1)})).await;
    assert_eq!(stage.result_of(&call).await, (0, 7015));
    let states = states(&stage, &call);
    let expected = ["establishing", "established", "transferring", "transferAccepted", "terminated"];
    assert_eq!(states, expected, "{}", stage.webhook.summary());
    let [john, other] = <[Baresip; 2]>::try_from(phones).expect("two");
    talk(john, other, (0, 1)).await;
}

#[tokio::test]
async fn a_transfer_that_the_target_declines_leaves_the_call_as_it_was() {
    let stage = Stage::new().await;
    let john = phone(&stage, 0, Phone::AUTOMATIC).await;
    let mut target = phone(&stage, 1, Phone::MANUAL).await;
    let call = stage.established(User::JOHN).await;
    transfer(&stage, &call, &json!({"transferTarget": user(User::USER1)})).await;
    target.expect("CALL_INCOMING").await;
    target.command("hangup", "scode=603 reason=Decline").await;
    let failed = stage.webhook.expect(&call, "the failure", |one| one.result() == Some((500, 7000))).await;
    assert_eq!(failed.state(), "established", "{}", failed.body);
    assert_eq!(stage.bot.show(&call).await.expect(200).json()["state"], "established");
    let body = json!({"maxRecordDurationInSeconds": 1, "playBeep": false});
    let operation = stage.bot.start(&call, "recordResponse", &body).await;
    let done = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(done.result(), Some((200, 8515)), "{}", done.body);
    stage.end(&call).await;
    drop(john);
}

#[tokio::test]
async fn a_caller_is_handed_over_to_somebody_whom_the_bot_has_asked_before() {
    let stage = Stage::new().await;
    let phones = phones(&stage, [0, 1]).await;
    let first = stage.established(User::JOHN).await;
    let second = stage.established(User::USER1).await;
    let mut target = user(User::USER1);
    target["replacesCallId"] = json!(second);
    transfer(&stage, &first, &json!({"transferTarget": target})).await;
    assert_eq!(stage.result_of(&first).await, (0, 7015));
    assert_eq!(stage.result_of(&second).await, (200, 5003));
    let [john, other] = <[Baresip; 2]>::try_from(phones).expect("two");
    talk(john, other, (0, 1)).await;
}

#[tokio::test]
async fn a_consultative_transfer_to_a_call_that_is_not_there_fails() {
    let stage = Stage::new().await;
    let _phones = phones(&stage, [0, 1]).await;
    let call = stage.established(User::JOHN).await;
    let other = stage.established(User::USER1).await;
    for replaced in [json!("57dab8b1-894c-409a-b240-bd8beae78896"), json!(other)] {
        let mut target = user(User::USER2);
        target["replacesCallId"] = replaced;
        let before = stage.webhook.of_call(&call).len();
        transfer(&stage, &call, &json!({"transferTarget": target})).await;
        let failed = stage.webhook.wait_for("the failure", |received| {
            let of_call: Vec<_> = received.iter().filter(|one| one.call() == call).collect();
            of_call
                .get(before..)?
                .iter()
                .find(|one| one.result() == Some((500, 7700)))
                .map(|one| one.state().to_owned())
        });
        assert_eq!(failed.await, "established");
    }
    stage.end(&call).await;
    stage.end(&other).await;
}

#[tokio::test]
async fn a_member_of_a_group_call_is_transferred_out_of_it() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [0, 1, 2]).await;
    let targets = json!([user(User::JOHN), user(User::USER1)]);
    let call = stage.bot.call(&stage.request(User::JOHN).with("targets", targets)).await;
    stage.webhook.expect_state(&call, "established").await;
    phones[0].expect("CALL_ESTABLISHED").await;
    phones[1].expect("CALL_ESTABLISHED").await;
    let transferee = json!({"identity": {"user": {"id": User::JOHN.id}}});
    let body = json!({"transferTarget": user(User::USER2), "transferee": transferee});
    transfer(&stage, &call, &body).await;
    assert_eq!(stage.result_of(&call).await, (0, 7015));
    let [john, _, other] = <[Baresip; 3]>::try_from(phones).expect("three");
    talk(john, other, (0, 2)).await;
}

#[tokio::test]
async fn whoever_a_phone_hands_its_place_to_does_not_follow_it_out_of_a_group_call() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [0, 1]).await;
    let mut rings = phone(&stage, 2, Phone::MANUAL).await;
    let targets = json!([user(User::JOHN), user(User::BOB)]);
    let call = stage.bot.call(&stage.request(User::JOHN).with("targets", targets)).await;
    stage.webhook.expect_state(&call, "established").await;
    phones[0].expect("CALL_ESTABLISHED").await;
    phones[0].command("transfer", &format!("sip:user2@{}", stage.server.sip())).await;
    rings.expect("CALL_INCOMING").await;
    let transferee = json!({"identity": {"user": {"id": User::JOHN.id}}});
    let body = json!({"transferTarget": user(User::USER1), "transferee": transferee});
    transfer(&stage, &call, &body).await;
    rings.expect("CALL_CLOSED").await;
    assert_eq!(stage.result_of(&call).await, (0, 7015));
    phones[1].expect("CALL_ESTABLISHED").await;
}

#[tokio::test]
async fn a_phone_calls_a_person_whose_phone_answers() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [0, 1]).await;
    let mut other = phones.pop().expect("a phone");
    let mut john = phones.pop().expect("a phone");
    john.command("dial", &format!("sip:user1@{}", stage.server.sip())).await;
    other.expect("CALL_ESTABLISHED").await;
    talk(john, other, (0, 1)).await;
    assert!(stage.webhook.received().is_empty());
}

#[tokio::test]
async fn people_who_talk_count_as_a_call_of_the_one_who_called() {
    let stage = Stage::with(Options::new().with("limits.calls_per_user", 1)).await;
    let mut phones = phones(&stage, [0, 1]).await;
    phones[0].command("dial", &format!("sip:user1@{}", stage.server.sip())).await;
    phones[0].expect("CALL_ESTABLISHED").await;
    phones[1].hears(PITCHES[0]).await;
    phones[0].command("dial", &format!("sip:{}@{}", App::CALLING_BOT.id, stage.server.sip())).await;
    let closed = phones[0].expect("CALL_CLOSED").await;
    assert!(closed["param"].as_str().is_some_and(|why| why.starts_with("486")), "{closed}");

    phones[1].command("hangup", "").await;
    phones[0].expect("CALL_CLOSED").await;
    dial(&stage, &mut phones[0], App::CALLING_BOT).await;
}

/// What the bot hears of a call in a second.
async fn heard(stage: &Stage, call: &str, place: usize) -> f64 {
    let body = json!({"maxRecordDurationInSeconds": 1, "playBeep": false});
    let operation = stage.bot.start(call, "recordResponse", &body).await;
    let done = stage.webhook.expect_operation(call, &operation).await;
    assert_eq!(done.result(), Some((200, 8515)), "{}", done.body);
    let sound = stage.recording(done.data()).await;
    amplitude_at(&sound.samples, f64::from(PITCHES[place]), sound.rate_hz)
}

#[tokio::test]
async fn a_phone_hands_a_bot_over_to_somebody_else_and_the_call_goes_on() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [0, 1]).await;
    let call = stage.established(User::JOHN).await;
    phones[0].expect("CALL_ESTABLISHED").await;
    assert!(heard(&stage, &call, 0).await > 1_200.0);
    phones[0].command("transfer", &format!("sip:user1@{}", stage.server.sip())).await;
    phones[1].expect("CALL_ESTABLISHED").await;
    phones[0].expect("CALL_CLOSED").await;
    let shown = stage.bot.show(&call).await.expect(200).json();
    assert_eq!(shown["targets"][0]["identity"]["user"]["id"], User::USER1.id, "{shown}");
    assert!(heard(&stage, &call, 1).await > 1_200.0);
    assert!(heard(&stage, &call, 0).await < 150.0);
    stage.end(&call).await;
    phones[1].expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_phone_that_hands_over_to_somebody_who_declines_is_told_so() {
    let stage = Stage::new().await;
    let mut john = phone(&stage, 0, Phone::AUTOMATIC).await;
    stage.established(User::JOHN).await;
    john.expect("CALL_ESTABLISHED").await;
    // A scripted user, who declines.
    john.command("transfer", &format!("sip:user2@{}", stage.server.sip())).await;
    john.expect_log("transfer failed: 603").await;
}

#[tokio::test]
async fn a_phone_hands_one_person_over_to_another() {
    let stage = Stage::new().await;
    let mut phones = phones(&stage, [0, 1, 2]).await;
    phones[0].command("dial", &format!("sip:user1@{}", stage.server.sip())).await;
    phones[0].expect("CALL_ESTABLISHED").await;
    phones[0].command("transfer", &format!("sip:user2@{}", stage.server.sip())).await;
    phones[2].expect("CALL_ESTABLISHED").await;
    phones[0].expect("CALL_CLOSED").await;
    let [_, one, other] = <[Baresip; 3]>::try_from(phones).expect("three");
    talk(one, other, (1, 2)).await;
}

#[tokio::test]
async fn a_phone_that_is_asked_to_calls_the_target_of_a_transfer_by_itself() {
    let stage = Stage::with(Options::new().with("sip.refer", "true")).await;
    let phones = phones(&stage, [0, 1]).await;
    let call = stage.established(User::JOHN).await;
    transfer(&stage, &call, &json!({"transferTarget": user(User::USER1)})).await;
    assert_eq!(stage.result_of(&call).await, (0, 7015));
    let states = states(&stage, &call);
    let expected = ["establishing", "established", "transferring", "transferAccepted", "terminated"];
    assert_eq!(states, expected, "{}", stage.webhook.summary());
    let [john, other] = <[Baresip; 2]>::try_from(phones).expect("two");
    talk(john, other, (0, 1)).await;
}

#[tokio::test]
async fn a_scripted_user_who_cannot_call_by_itself_is_transferred_all_the_same() {
    let stage = Stage::with(Options::new().with("sip.refer", "true")).await;
    let other = phone(&stage, 1, Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    transfer(&stage, &call, &json!({"transferTarget": user(User::USER1)})).await;
    assert_eq!(stage.result_of(&call).await, (0, 7015));
    drop(other);
}
