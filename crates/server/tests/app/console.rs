//! What administrators see: calls as they happen, what became of notifications, who is known. And that nobody else does.

use serde_json::{Value, json};
use testkit::{
    Answer, App, Baresip, ConsolePage, Options, Phone, User, WebPhone, WebSession, WebStack, eventually,
};

use crate::support::{Stage, prompts};

/// A stage and an administrator's page.
async fn opened() -> (Stage, ConsolePage) {
    let stage = Stage::new().await;
    let page = ConsolePage::of(&stage.server, User::JOHN).await;
    (stage, page)
}

fn words(entries: &Value, lane: &str) -> Vec<String> {
    let entries = entries.as_array().expect("a list");
    let of_lane = entries.iter().filter(|entry| entry["lane"] == lane);
    of_lane.map(|entry| entry["what"].as_str().unwrap_or_default().to_owned()).collect()
}

/// All that is known of a call, once it shows what is looked for.
async fn shown(page: &ConsolePage, call: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    eventually("the console shows it", async || {
        let shown = page.call(call).await;
        (is_it(&shown), shown)
    })
    .await
}

#[tokio::test]
async fn nobody_but_administrators_is_shown_anything() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let paths = [
        "overview".to_owned(),
        "calls".to_owned(),
        format!("calls/{call}"),
        format!("calls/{call}/timeline.json"),
        "events".to_owned(),
        format!("events?call={call}"),
        "meetings".to_owned(),
        "users".to_owned(),
        "trunks".to_owned(),
        "applications".to_owned(),
    ];
    let acts = [
        (format!("calls/{call}/notifications/1/resend"), json!({})),
        ("token".to_owned(), json!({"app": App::CALLING_BOT.id})),
        ("test-call".to_owned(), json!({"app": App::CALLING_BOT.id, "to": "john"})),
    ];
    let session = WebSession::of(&stage.server, User::USER1).await;
    assert_eq!(session.who(&[]).await.json()["administrator"], false);
    let nobody = ConsolePage::of_nobody(&stage.server);
    let forged = ConsolePage::with(&session.with_cookie("hookswitch_session=forged"));
    for (page, status, code) in [
        (&nobody, 401, "InvalidAuthenticationToken"),
        (&forged, 401, "InvalidAuthenticationToken"),
        (&ConsolePage::with(&session), 403, "Forbidden"),
    ] {
        for path in &paths {
            assert_eq!(page.ask(path).await.expect(status).error_code(), code, "{path}");
        }
        for (path, body) in &acts {
            assert_eq!(page.post(path, body).await.expect(status).error_code(), code, "{path}");
        }
    }
    let told = stage.webhook.of_call(&call).len();
    let session = WebSession::of(&stage.server, User::JOHN).await;
    assert_eq!(session.who(&[]).await.json()["administrator"], true);
    let page = ConsolePage::with(&session);
    page.ask("overview").await.expect(200);
    session.sign_out().await;
    page.ask("overview").await.expect(401);
    assert_eq!(stage.webhook.of_call(&call).len(), told, "nothing was sent again");
    stage.end(&call).await;
}

#[tokio::test]
async fn a_bots_call_is_shown_with_its_states_operations_and_notifications() {
    let (stage, page) = opened().await;
    let call = stage.established(User::USER1).await;
    let live = page.get("calls?state=live").await;
    let summary = &live["value"][0];
    assert_eq!(summary["id"], call.as_str(), "{live}");
    assert_eq!((&summary["state"], &summary["who"]), (&json!("established"), &json!("user1")));
    assert_eq!(summary["app"]["name"], App::CALLING_BOT.name);
    assert!(summary["answered"].is_string() && summary["ended"].is_null(), "{summary}");

    let body = prompts(&["https://cdn.contoso.com/beep.wav"]);
    let operation = stage.bot.start(&call, "playPrompt", &body).await;
    stage.webhook.expect_operation(&call, &operation).await;
    stage.end(&call).await;

    let shown = shown(&page, &call, |shown| {
        let notifications = shown["notifications"].as_array().expect("a list");
        notifications.iter().all(|one| one["state"] == "delivered")
    })
    .await;
    assert_eq!(shown["isRemembered"], true);
    let states = words(&shown["timeline"], "state");
    assert_eq!(states.first().map(String::as_str), Some("establishing"), "{states:?}");
    assert!(states.contains(&"established".to_owned()), "{states:?}");
    assert_eq!(states.last().map(String::as_str), Some("terminated"), "{states:?}");
    assert!(words(&shown["timeline"], "leg").contains(&"answered".to_owned()));
    let operations = words(&shown["timeline"], "operation");
    assert!(operations.contains(&"running".to_owned()) && operations.contains(&"completed".to_owned()));
    assert_eq!(shown["operations"][0]["id"], operation.as_str());
    assert_eq!(shown["operations"][0]["status"], "completed");
    assert_eq!(shown["call"]["@odata.type"], "#microsoft.graph.call");
    assert_eq!(
        (&shown["summary"]["state"], &shown["summary"]["result"]["code"]),
        (&json!("terminated"), &json!(200))
    );

    let told = stage.webhook.of_call(&call);
    let notifications = shown["notifications"].as_array().expect("a list");
    assert_eq!(notifications.len(), told.len());
    for (shown, told) in notifications.iter().zip(&told) {
        assert_eq!(shown["body"], told.body);
        assert_eq!(
            (&shown["attempts"][0]["status"], &shown["attempts"][0]["number"]),
            (&json!(202), &json!(1))
        );
    }
    let ended = page.get("calls?state=ended&limit=1").await;
    assert_eq!(ended["value"][0]["id"], call.as_str());
    assert!(ended["value"][0]["ended"].is_string(), "{ended}");

    let file = page.ask(&format!("calls/{call}/timeline.json")).await.expect(200);
    let disposition = format!("attachment; filename=\"call-{call}.json\"");
    assert_eq!(file.header("content-disposition"), Some(disposition.as_str()));
    assert_eq!(file.json()["summary"]["id"], call.as_str());
}

#[tokio::test]
async fn what_a_failing_webhook_answered_is_shown_and_a_resend_reaches_it_once_more() {
    let (stage, page) = opened().await;
    stage.webhook.answer(Answer::Status(503));
    let call = stage.call(User::BOB).await;
    stage.webhook.wait_for("two attempts", |all| (all.len() >= 2).then_some(())).await;
    let failing = shown(&page, &call, |shown| shown["notifications"][0]["attempts"][1]["number"] == 2).await;
    let first = &failing["notifications"][0];
    assert_eq!(
        (&first["state"], &first["attempts"][0]["status"]),
        (&json!("pending"), &json!(503)),
        "{first}"
    );

    // It is received, and is owed all the same: what was asked for is none of the schedule's business.
    let before = stage.webhook.of_call(&call).len();
    let path = format!("calls/{call}/notifications/1/resend");
    let answer = page.post(&path, &json!({})).await.expect(200).json();
    assert_eq!((&answer["attempt"]["status"], &answer["attempt"]["resend"]), (&json!(503), &json!(true)));
    assert!(stage.webhook.of_call(&call).len() > before);
    let owed = page.call(&call).await;
    assert_eq!(owed["notifications"][0]["state"], "pending");

    stage.webhook.answer(Answer::Status(202));
    stage.bot.hang_up(&call).await.expect(204);
    stage.webhook.expect_end(&call).await;
    let done = shown(&page, &call, |shown| shown["notifications"][0]["state"] == "delivered").await;
    let id = done["notifications"][0]["id"].as_str().expect("an id").to_owned();
    let before = stage.webhook.of_call(&call).len();
    page.post(&path, &json!({})).await.expect(200);
    let told = stage.webhook.of_call(&call);
    assert_eq!(told.len(), before + 1);
    assert_eq!(told[before].header("x-microsoft-skype-message-id"), id, "it is the same message");
    let after = page.call(&call).await;
    let attempts = after["notifications"][0]["attempts"].as_array().expect("a list").clone();
    assert_eq!(attempts.iter().filter(|one| one["resend"] == true).count(), 2, "{attempts:?}");
    assert_eq!(after["notifications"][0]["state"], "delivered");
    assert!(words(&after["timeline"], "notification").contains(&"resend".to_owned()));
    let said = stage.server.log_lines();
    assert!(
        said.iter()
            .any(|line| line.contains("has sent a notification again") && line.contains(User::JOHN.id))
    );
    for path in ["notifications/99/resend", "notifications/0/resend", "notifications/x/resend"] {
        page.post(&format!("calls/{call}/{path}"), &json!({})).await.expect(404);
    }
}

#[tokio::test]
async fn events_arrive_as_they_happen_and_end_with_the_session() {
    let stage = Stage::new().await;
    let session = WebSession::of(&stage.server, User::JOHN).await;
    let page = ConsolePage::with(&session);
    let all = page.listen(None).await;
    let call = stage.call(User::BOB).await;
    all.expect("calls", |summary| summary["id"] == call.as_str() && summary["state"] == "establishing").await;
    let one = page.listen(Some(&call)).await;
    stage.bot.hang_up(&call).await.expect(204);
    one.expect("timeline", |entry| entry["lane"] == "state" && entry["what"] == "terminated").await;
    one.expect("notification", |one| one["change"] == "deleted" && one["state"] == "delivered").await;
    let told = one.expect("notification", |one| one["change"] == "deleted").await;
    assert_eq!(told["body"]["value"][0]["resourceData"]["state"], "terminated", "{told}");
    all.expect("calls", |summary| summary["state"] == "terminated").await;
    assert!(all.all("timeline").is_empty(), "only who asks for a call is told of it");

    let places: Vec<_> = futures_util::future::join_all((0..6).map(|_| page.listen(None))).await;
    page.ask("events").await.expect(429);
    assert_eq!(page.get("overview").await["counts"]["watchers"], 8);
    session.sign_out().await;
    for events in places.iter().chain([&all, &one]) {
        events.ended().await;
    }
}

#[tokio::test]
async fn the_sip_messages_of_a_real_phone_are_shown_without_its_secrets() {
    let (stage, page) = opened().await;
    let setup = Phone { is_encrypted: true, ..Phone::AUTOMATIC };
    let mut phone = Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), setup).await;
    let users = page.get("users").await;
    let john = users["value"].as_array().expect("a list").iter().find(|user| user["id"] == User::JOHN.id);
    let john = john.expect("John is listed");
    assert_eq!(john["phones"][0]["transport"], "udp", "{john}");
    assert_eq!(john["administrator"], true);

    let call = stage.established(User::JOHN).await;
    stage.end(&call).await;
    let is_whole = |shown: &Value| {
        let messages = shown["sip"].as_array().expect("a list");
        messages.iter().any(|one| one["method"] == "BYE" && one["status"] == 200)
    };
    let made = shown(&page, &call, is_whole).await;
    let steps = ladder(&made);
    assert_eq!(steps[0], "sent INVITE", "{steps:?}");
    for step in ["received 180 INVITE", "received 200 INVITE", "sent ACK", "sent BYE", "received 200 BYE"] {
        assert!(steps.contains(&step.to_owned()), "{step}: {steps:?}");
    }
    let text = made["sip"].to_string();
    assert!(text.contains("a=crypto:") && !text.contains("inline:"), "keys are not shown: {text}");
    assert!(made["sip"].as_array().expect("a list").iter().all(|one| one["dialog"] == "d1"));

    let told = stage.dial(&mut phone, App::CALLING_BOT).await;
    let call = told.call().to_owned();
    stage.bot.act(&call, "reject", &json!({"reason": "busy"})).await.expect(202);
    stage.webhook.expect_end(&call).await;
    let came = shown(&page, &call, |shown| ladder(shown).iter().any(|step| step == "sent 486 INVITE")).await;
    let steps = ladder(&came);
    assert!(steps.contains(&"received INVITE".to_owned()), "{steps:?}");
    let text = came["sip"].to_string();
    assert!(!text.contains("response="), "credentials are not shown: {text}");
    assert!(text.contains("Authorization: (redacted)"), "{text}");
}

#[tokio::test]
async fn how_loud_a_phone_is_and_how_its_packets_fare_is_told_while_somebody_watches() {
    let (stage, page) = opened().await;
    let at = stage.server.peer_address(0);
    let _phone = Baresip::register(&stage.server, User::JOHN, at, Phone::AUTOMATIC).await;
    let call = stage.established(User::JOHN).await;
    let events = page.listen(Some(&call)).await;
    let is_loud = |sample: &Value| {
        sample["participants"][0]["levelIn"].as_f64().is_some_and(|level| (-60.0..0.0).contains(&level))
    };
    let sample = events.expect("media", is_loud).await;
    let john = &sample["participants"][0];
    assert_eq!((&john["name"], &john["codec"]), (&json!(User::JOHN.name), &json!("PCMU")), "{sample}");
    assert!(john["packetsIn"].as_u64() > Some(0) && john["isFlowing"] == true, "{sample}");
    assert_eq!(page.call(&call).await["media"]["participants"][0]["id"], john["id"]);
    stage.end(&call).await;
    assert_eq!(page.call(&call).await["media"], Value::Null);
}

/// Who said what, in order.
fn ladder(shown: &Value) -> Vec<String> {
    let messages = shown["sip"].as_array().expect("a list");
    let step = |one: &Value| {
        let (direction, method) = (one["direction"].as_str(), one["method"].as_str());
        let status = one["status"].as_u64().map(|status| format!("{status} ")).unwrap_or_default();
        format!("{} {status}{}", direction.unwrap_or_default(), method.unwrap_or_default())
    };
    messages.iter().map(step).collect()
}

#[tokio::test]
async fn who_and_what_is_known_is_listed_without_secrets() {
    let (stage, page) = opened().await;
    let web = WebPhone::of(&stage.server, User::USER2).await;
    let overview = page.get("overview").await;
    assert_eq!(overview["counts"]["pages"], 1, "{overview}");
    assert!(overview["version"].is_string() && overview["startedAt"].is_string());

    let names = |list: &Value| {
        let all = list["value"].as_array().expect("a list").clone();
        all.iter().map(|one| one["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let users = page.get("users?limit=2").await;
    assert_eq!(names(&users), ["Bob", "John"]);
    let after = users["nextAfter"].as_str().expect("there is more");
    let rest = page.get(&format!("users?limit=2&after={after}")).await;
    assert_eq!(names(&rest), ["user1", "user2"]);
    assert_eq!(rest["value"][1]["pages"], 1);

    let applications = page.get("applications").await;
    let bot =
        applications["value"].as_array().expect("a list").iter().find(|one| one["id"] == App::CALLING_BOT.id);
    let bot = bot.expect("the bot is listed");
    assert_eq!(bot["instances"][0]["numbers"][0], "+12345678900");
    assert_eq!(bot["tenants"].as_array().map(Vec::len), Some(2));
    let meetings = page.get("meetings?limit=4").await;
    assert_eq!(meetings["value"].as_array().map(Vec::len), Some(4));
    let address = meetings["value"][0]["joinWebUrl"].as_str().unwrap_or_default();
    assert!(address.contains("/l/meetup-join/19%3ameeting_"), "{meetings}");
    let after = meetings["nextAfter"].as_str().expect("there is more").replace('\n', "%0A");
    let rest = page.get(&format!("meetings?limit=4&after={after}")).await;
    assert_eq!(rest["value"].as_array().map(Vec::len), Some(2));
    assert_eq!(page.get("trunks").await["value"], json!([]));
    for secret in ["argon2", "psw123", "md5", "dev-secret"] {
        for list in [&users, &applications, &meetings] {
            assert!(!list.to_string().contains(secret), "{secret} in {list}");
        }
    }
    for bad in
        ["calls?limit=x", "calls?after=nothing", "calls?state=all", "users?after=nobody", "meetings?after=x"]
    {
        page.ask(bad).await.expect(400);
    }
    page.ask("calls/00000000-0000-4000-8000-000000000000").await.expect(404);
    drop(web);
}

#[tokio::test]
async fn a_token_for_the_composer_is_good_and_lives_shortly() {
    let (stage, page) = opened().await;
    let body = json!({"app": App::CALLING_BOT.id, "tenant": App::FABRIKAM});
    let token = page.post("token", &body).await.expect(200).json();
    assert_eq!((&token["tenant"], &token["token_type"]), (&json!(App::FABRIKAM), &json!("Bearer")));
    assert!(token["expires_in"].as_u64().is_some_and(|seconds| seconds <= 600), "{token}");
    let bot = testkit::Bot::with_token(&stage.server, token["access_token"].as_str().expect("a token"));
    bot.get("/v1.0/communications/calls/00000000-0000-4000-8000-000000000000").await.expect(404);
    page.post("token", &json!({"app": "nobody"})).await.expect(404);
    page.post("token", &json!({"app": App::CALLING_BOT.id, "tenant": "nobody"})).await.expect(404);
    page.post("token", &json!({})).await.expect(400);
    let said = stage.server.log_lines();
    assert!(said.iter().any(|line| line.contains("has got a token") && line.contains(User::JOHN.id)));
}

#[tokio::test]
async fn a_test_call_says_something_and_hangs_up() {
    let (stage, page) = opened().await;
    let web = WebPhone::of(&stage.server, User::USER1).await;
    let body = json!({"app": App::CALLING_BOT.id, "to": "user1@contoso.example"});
    let placed = page.post("test-call", &body).await.expect(201).json();
    let call = placed["id"].as_str().expect("a call").to_owned();
    let rung = web.rings().await;
    let own = rung["call"].as_str().expect("a call").to_owned();
    let _stack: WebStack = web.accept(&own, 700).await;
    assert_eq!(web.ended(&own).await, "hungUp");
    let done = shown(&page, &call, |shown| shown["summary"]["state"] == "terminated").await;
    assert!(words(&done["timeline"], "operation").contains(&"completed".to_owned()), "{}", done["timeline"]);
    let is_taken = |shown: &Value| {
        let all = shown["notifications"].as_array().expect("a list");
        all.iter().all(|one| one["state"] == "delivered" && one["attempts"][0]["status"] == 204)
    };
    shown(&page, &call, is_taken).await;
    assert!(stage.webhook.of_call(&call).is_empty(), "the bot is not told of it");

    for (to, status) in [("nobody@contoso.example", 400), ("", 400)] {
        let body = json!({"app": App::CALLING_BOT.id, "to": to});
        page.post("test-call", &body).await.expect(status);
    }
    let body = json!({"app": App::NO_RIGHTS.id, "to": "user1"});
    page.post("test-call", &body).await.expect(403);
}

#[tokio::test]
async fn a_call_that_is_forgotten_or_from_before_a_restart_is_shown_as_far_as_its_notifications_tell() {
    let mut stage = Stage::with(Options::new().with("console.ended_calls", 1)).await;
    let page = ConsolePage::of(&stage.server, User::JOHN).await;
    let first = stage.established(User::USER1).await;
    stage.end(&first).await;
    let second = stage.established(User::USER1).await;
    stage.end(&second).await;
    let forgotten = shown(&page, &first, |shown| shown["isRemembered"] == false).await;
    assert_eq!(page.call(&second).await["isRemembered"], true);
    let states = words(&forgotten["timeline"], "state");
    assert_eq!(states, ["establishing", "established", "terminating", "terminated"]);
    assert_eq!(forgotten["sip"], json!([]));

    stage.server.kill();
    stage.server.restart().await;
    let page = ConsolePage::of(&stage.server, User::JOHN).await;
    assert_eq!(page.call(&second).await["isRemembered"], false);
    let ended = page.get("calls?state=ended").await;
    let ids: Vec<_> =
        ended["value"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!(second), json!(first)]);
    let after = page.get(&format!("calls?state=ended&limit=5&after={second}")).await;
    assert_eq!(after["value"][0]["id"], first.as_str());
}
