//! What happens to notifications when their receiver misbehaves.

use testkit::{Answer, App, Options, User, Webhook};

use crate::support::Stage;

#[tokio::test]
async fn a_receiver_that_fails_at_first_gets_everything_in_order() {
    let stage = Stage::new().await;
    stage.webhook.answer(Answer::Status(500));
    let call = stage.call(User::BOB).await;
    stage.webhook.wait_for("three attempts", |all| (all.len() >= 3).then_some(())).await;
    stage.webhook.answer(Answer::Status(202));
    stage.bot.hang_up(&call).await.expect(204);
    stage
        .webhook
        .expect(&call, "its accepted end", |it| it.change() == "deleted" && it.answered == Some(202))
        .await;

    let told = stage.webhook.of_call(&call);
    let attempts: Vec<_> = told.iter().map(|it| (it.sequence(), it.header("hookswitch-attempt"))).collect();
    let first = told[0].sequence();
    assert_eq!(&attempts[..3], [(first, "1"), (first, "2"), (first, "3")], "{}", stage.webhook.summary());
    assert!(told.windows(2).all(|pair| pair[1].sequence() - pair[0].sequence() <= 1), "{attempts:?}");
    let id = |at: usize| told[at].header("x-microsoft-skype-message-id").to_owned();
    assert_eq!(id(0), id(1), "a retry is the same message");
    assert_ne!(id(0), id(told.len() - 1));
}

#[tokio::test]
async fn a_receiver_that_hangs_or_answers_garbage_costs_only_its_own_call() {
    let stage = Stage::with(Options::new().with("notifications.live_timeout", "1s")).await;
    let hanging = stage.call(User::BOB).await;
    stage.webhook.answer_for(&hanging, Answer::Hang);
    let garbled = stage.call(User::BOB).await;
    stage.webhook.answer_for(&garbled, Answer::Garbage);

    let healthy = stage.established(User::USER1).await;
    stage.end(&healthy).await;

    stage.bot.hang_up(&garbled).await.expect(204);
    stage.webhook.expect_end(&garbled).await;
    stage.bot.hang_up(&hanging).await.expect(204);
}

#[tokio::test]
async fn a_redirect_is_followed_for_the_rest_of_the_call() {
    let stage = Stage::new().await;
    let other = Webhook::start().await;
    stage.webhook.answer(Answer::Redirect(307, format!("http://{}/elsewhere", other.address())));

    let call = stage.call(User::USER2).await;
    other.expect_end(&call).await;

    assert_eq!(stage.webhook.of_call(&call).len(), 1, "{}", stage.webhook.summary());
    assert!(other.of_call(&call).iter().all(|it| it.path == "/elsewhere"), "{}", other.summary());
    other.verify_tokens(&stage.server, App::CALLING_BOT.id, App::CONTOSO).await;
}

#[tokio::test]
async fn a_redirect_to_a_private_place_is_not_followed() {
    let stage = Stage::new().await;
    stage.webhook.answer(Answer::Redirect(307, "http://10.1.2.3/metadata".to_owned()));
    let call = stage.call(User::BOB).await;
    stage.webhook.wait_for("a second attempt", |all| (all.len() >= 2).then_some(())).await;
    stage.webhook.answer(Answer::Status(202));

    stage.bot.hang_up(&call).await.expect(204);
    stage.webhook.expect_end(&call).await;
    assert_eq!(stage.webhook.of_call(&call)[1].header("hookswitch-attempt"), "2");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_asked_no_more() {
    let stage = Stage::new().await;
    let gone = stage.call(User::BOB).await;
    stage.webhook.answer_for(&gone, Answer::Status(410));
    stage.webhook.expect_state(&gone, "establishing").await;
    stage.bot.hang_up(&gone).await.expect(204);

    let path = format!("/hookswitch/v1/calls/{gone}/notifications");
    testkit::eventually("the rest is given up", async || {
        let all = stage.bot.get(&path).await.expect(200).json();
        let states: Vec<_> =
            all["value"].as_array().into_iter().flatten().map(|it| it["state"].clone()).collect();
        let is_over = states.iter().filter(|state| *state == "abandoned").count() >= 1
            && states.iter().all(|state| state != "pending");
        (is_over, states)
    })
    .await;
}
