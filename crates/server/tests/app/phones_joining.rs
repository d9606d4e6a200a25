//! Phones that join two calls of theirs, and phones that take a call from another phone of their user.

use media_engine::analysis::amplitude_at;
use serde_json::json;
use sip_proto::{EndCause, Event};
use testkit::{App, Baresip, Phone, SipPhone, User};

use crate::support::{Stage, id_of};

/// What the phones of other makers say.
const PITCHES: [u32; 2] = [420, 730];

async fn baresip(stage: &Stage, place: u16, user: User) -> Baresip {
    let setup = Phone { tone_hz: Some(PITCHES[usize::from(place)]), ..Phone::AUTOMATIC };
    Baresip::register(&stage.server, user, stage.server.peer_address(3 * place), setup).await
}

/// Lets a phone call the bot, which answers; returns both sides of the call.
async fn call_bot(stage: &Stage, phone: &mut SipPhone) -> (sip_proto::CallHandle, String) {
    let call = phone.call(App::CALLING_BOT.id, Vec::new());
    phone.expect("that it rings", |event| matches!(event, Event::Ringing { .. }).then_some(())).await;
    let id = id_of(stage.incoming(App::CALLING_BOT).await.data());
    let body = json!({
        "callbackUri": stage.webhook.url(),
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    });
    stage.bot.act(&id, "answer", &body).await.expect(202);
    phone.expect("an answer", |event| matches!(event, Event::Answered { .. }).then_some(())).await;
    stage.webhook.expect_state(&id, "established").await;
    (call, id)
}

async fn hand_over(phone: &mut SipPhone, call: sip_proto::CallHandle, name: &str) {
    phone.hand_over(call, name);
    let is_accepted = |event: &Event| matches!(event, Event::ReferAccepted { .. }).then_some(());
    phone.expect("that it is accepted", is_accepted).await;
}

/// Whether a phone has done what it was asked to, which it says at the end.
async fn transferred(phone: &mut SipPhone) -> bool {
    phone
        .expect("how it went", |event| {
            let Event::ReferEnded { status, .. } = event else { return None };
            Some(status.is_some_and(|status| status.is_success()))
        })
        .await
}

/// How loud the bot hears a pitch, of what it hears in a second.
async fn heard(stage: &Stage, call: &str, hz: u32) -> f64 {
    let body = json!({"maxRecordDurationInSeconds": 1, "playBeep": false});
    let operation = stage.bot.start(call, "recordResponse", &body).await;
    let done = stage.webhook.expect_operation(call, &operation).await;
    assert_eq!(done.result(), Some((200, 8515)), "{}", done.body);
    let sound = stage.recording(done.data()).await;
    amplitude_at(&sound.samples, f64::from(hz), sound.rate_hz)
}

#[tokio::test]
async fn a_phone_joins_a_bot_with_somebody_whom_it_has_asked_before() {
    let stage = Stage::new().await;
    let mut other = baresip(&stage, 0, User::USER1).await;
    let mut john = SipPhone::of(&stage.server, User::JOHN).await;
    let (with_bot, id) = call_bot(&stage, &mut john).await;
    let with_other = john.connect("user1", Vec::new()).await;
    other.expect("CALL_ESTABLISHED").await;

    john.join(with_bot, with_other);
    assert!(transferred(&mut john).await);
    for call in [with_bot, with_other] {
        assert!(matches!(john.expect_end(call).await, EndCause::RemoteBye { .. }));
    }
    assert!(heard(&stage, &id, PITCHES[0]).await > 1_200.0);
    let shown = stage.bot.show(&id).await.expect(200).json();
    assert_eq!(shown["source"]["identity"]["user"]["id"], User::USER1.id, "{shown}");
    stage.end(&id).await;
    other.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_phone_joins_two_people_who_talk_on_without_it() {
    let stage = Stage::new().await;
    let mut one = baresip(&stage, 0, User::USER1).await;
    let mut other = baresip(&stage, 1, User::USER2).await;
    let mut john = SipPhone::of(&stage.server, User::JOHN).await;
    let first = john.connect("user1", Vec::new()).await;
    let second = john.connect("user2", Vec::new()).await;
    john.join(first, second);
    john.expect_end(first).await;
    john.expect_end(second).await;
    one.hears(PITCHES[1]).await;
    other.hears(PITCHES[0]).await;
    one.command("hangup", "").await;
    other.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_bot_is_not_given_to_anybody_who_does_not_hold_its_call() {
    let stage = Stage::new().await;
    let mut other = baresip(&stage, 0, User::USER1).await;
    let mut john = SipPhone::of(&stage.server, User::JOHN).await;
    let (with_bot, id) = call_bot(&stage, &mut john).await;
    let with_other = john.connect("user1", Vec::new()).await;
    // The other way round: the bot's call is to be taken out of.
    john.join(with_other, with_bot);
    assert!(!transferred(&mut john).await);
    stage.end(&id).await;
    john.expect_end(with_bot).await;
    other.command("hangup", "").await;
    john.expect_end(with_other).await;
}

#[tokio::test]
async fn a_call_is_taken_over_by_another_phone_of_the_same_user_and_by_nobody_else() {
    let stage = Stage::new().await;
    let mut desk = SipPhone::of(&stage.server, User::JOHN).await;
    let mut mobile = SipPhone::of(&stage.server, User::JOHN).await;
    let mut stranger = SipPhone::of(&stage.server, User::USER1).await;
    let (at_desk, id) = call_bot(&stage, &mut desk).await;
    desk.expect_sound().await;

    let taken = stranger.call(App::CALLING_BOT.id, vec![desk.replaces(at_desk)]);
    let refused = stranger.expect_end(taken).await;
    assert!(matches!(&refused, EndCause::Rejected { status, .. } if status.as_u16() == 403), "{refused:?}");
    let on_the_way = mobile.connect(App::CALLING_BOT.id, vec![desk.replaces(at_desk)]).await;
    assert!(matches!(desk.expect_end(at_desk).await, EndCause::RemoteBye { .. }));
    mobile.expect_sound().await;
    assert_eq!(stage.bot.show(&id).await.expect(200).json()["state"], "established");
    stage.end(&id).await;
    mobile.expect_end(on_the_way).await;
}

#[tokio::test]
async fn a_phone_that_cannot_take_a_call_over_leaves_it_where_it_is() {
    let stage = Stage::new().await;
    let mut desk = SipPhone::of(&stage.server, User::JOHN).await;
    let mut mobile = SipPhone::of(&stage.server, User::JOHN).await;
    let (at_desk, id) = call_bot(&stage, &mut desk).await;
    let picture = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 40000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n";
    let headers = vec![desk.replaces(at_desk)];
    let refused = mobile.offer(App::CALLING_BOT.id, headers, picture.into());
    assert!(matches!(mobile.expect_end(refused).await, EndCause::Rejected { .. }));
    desk.expect_sound().await;
    assert_eq!(stage.bot.show(&id).await.expect(200).json()["state"], "established");
    stage.end(&id).await;
    desk.expect_end(at_desk).await;
}

#[tokio::test]
async fn a_phone_may_hang_up_before_the_one_answers_whom_it_hands_over_to() {
    let stage = Stage::new().await;
    let setup = Phone { tone_hz: Some(PITCHES[0]), ..Phone::MANUAL };
    let mut other = Baresip::register(&stage.server, User::USER1, stage.server.peer_address(0), setup).await;
    let mut john = SipPhone::of(&stage.server, User::JOHN).await;
    let (call, id) = call_bot(&stage, &mut john).await;
    hand_over(&mut john, call, "user1").await;
    other.expect("CALL_INCOMING").await;
    john.hang_up(call);
    john.expect_end(call).await;
    assert_eq!(stage.bot.show(&id).await.expect(200).json()["state"], "established");

    let invited = json!({"participants": [{"identity": {"user": {"id": User::BOB.id}}}]});
    let reply = stage.bot.act(&id, "participants/invite", &invited).await.expect(409);
    assert_eq!(reply.error_code(), "8607", "nobody joins a call whose other party is about to change");
    other.command("accept", "").await;
    other.expect("CALL_ESTABLISHED").await;
    assert!(heard(&stage, &id, PITCHES[0]).await > 1_200.0);
    stage.end(&id).await;
    other.expect("CALL_CLOSED").await;
}

#[tokio::test]
async fn a_call_ends_with_the_phone_that_left_it_where_nobody_comes_in_its_place() {
    let stage = Stage::new().await;
    let mut other =
        Baresip::register(&stage.server, User::USER1, stage.server.peer_address(0), Phone::MANUAL).await;
    let mut john = SipPhone::of(&stage.server, User::JOHN).await;
    let (call, id) = call_bot(&stage, &mut john).await;
    hand_over(&mut john, call, "user1").await;
    other.expect("CALL_INCOMING").await;
    john.hang_up(call);
    john.expect_end(call).await;
    other.command("hangup", "").await;
    assert_eq!(stage.result_of(&id).await, (200, 4521));
}
