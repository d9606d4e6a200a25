//! Callers who dial in to meetings: what they are asked, who hears them, and who is not let in.

use media_engine::WavAudio;
use media_engine::analysis::{amplitude_at, rms};
use serde_json::{Value, json};
use testkit::{App, Options, User};

use crate::online_meetings::patch;
use crate::phone_command::Phone;
use crate::support::Stage;

/// The number of the dev tenant.
const NUMBER: &str = "+12345678999";

/// The file of something that callers are told.
fn spoken(name: &str) -> String {
    format!("{}/../node/sounds/en/{name}.wav", env!("CARGO_MANIFEST_DIR"))
}

/// A phone that dials in and does these steps; what is expected to be heard is named.
fn dials_in(stage: &Stage, user: User, number: &str, steps: &[(&str, &str)]) -> Phone {
    let target = format!("sip:{number}@{}", stage.server.sip());
    let mut arguments = vec!["--dial".to_owned(), target];
    for (step, what) in steps {
        arguments.push((*step).to_owned());
        match *step {
            "--expect-audio" => arguments.push(spoken(what)),
            _ => arguments.extend(what.split(' ').map(str::to_owned)),
        }
    }
    Phone::start(stage, user, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The bot joins a meeting of the tenant.
pub(crate) async fn joins(stage: &Stage, number: &str, passcode: Option<&str>) -> String {
    let info = json!({
        "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
        "joinMeetingId": number,
        "passcode": passcode,
    });
    let request = stage.request(User::JOHN).with("targets", Value::Null).with("meetingInfo", info);
    let call = stage.bot.call(&request.with("tenantId", json!(App::CONTOSO))).await;
    stage.webhook.expect_state(&call, "established").await;
    call
}

/// Somebody in the roster, of the user or in the lobby as `is_it` says.
pub(crate) async fn in_roster(
    stage: &Stage,
    call: &str,
    what: &str,
    is_it: impl Fn(&Value) -> bool,
) -> Value {
    let roster = stage.webhook.expect_roster(call, what, |those| those.iter().any(&is_it)).await;
    roster.into_iter().find(|it| is_it(it)).expect("somebody")
}

fn is_of(user: User) -> impl Fn(&Value) -> bool {
    move |it| it["info"]["identity"]["user"]["id"] == user.id
}

/// What is heard in the meeting for some seconds.
pub(crate) async fn heard_by(stage: &Stage, call: &str) -> WavAudio {
    let body = json!({"maxRecordDurationInSeconds": 3, "playBeep": false});
    let operation = stage.bot.start(call, "recordResponse", &body).await;
    let recorded = stage.webhook.expect_operation(call, &operation).await;
    assert_eq!(recorded.result(), Some((200, 8515)), "{}", recorded.body);
    stage.recording(recorded.data()).await
}

/// The tone is most of what the last second holds.
#[track_caller]
pub(crate) fn assert_tone(heard: &WavAudio) {
    let from = heard.samples.len().saturating_sub(heard.rate_hz as usize);
    let last = heard.samples.get(from..).expect("a second");
    let share = amplitude_at(last, 440.0, heard.rate_hz) / (rms(last) * std::f64::consts::SQRT_2);
    assert!(rms(last) > 300.0 && share > 0.9, "{share:.2} of {:.0} is the tone", rms(last));
}

/// Nobody is on any line any more.
async fn assert_nothing_is_left(stage: &Stage) {
    for what in ["hookswitch_media_legs", "hookswitch_conferences", "hookswitch_sip_calls"] {
        let left = testkit::eventually(what, async || {
            let left = stage.server.metric(what).await;
            (left == 0.0, left)
        });
        assert_eq!(left.await, 0.0, "{what}");
    }
}

#[tokio::test]
async fn a_caller_keys_in_the_id_and_a_passcode_with_letters_and_is_heard_in_the_meeting() {
    let stage = Stage::new().await;
    let call = joins(&stage, "1234567", Some("psw123")).await;
    let steps = [
        ("--expect-audio", "welcome"),
        ("--expect-audio", "ask-meeting-id"),
        ("--dtmf", "1234567#"),
        ("--expect-audio", "ask-passcode"),
        ("--dtmf", "779123#"),
        ("--expect-audio", "joined"),
        ("--tone", "440 for 8s"),
    ];
    let mut phone = dials_in(&stage, User::JOHN, NUMBER, &steps);
    phone.expect("--tone").await;
    let john = in_roster(&stage, &call, "John", is_of(User::JOHN)).await;
    assert_eq!(john["isInLobby"], false, "{john}");
    assert_tone(&heard_by(&stage, &call).await);
    phone.ended().await.assert_code(0);
    stage.webhook.expect_roster(&call, "nobody else", |those| those.len() == 1).await;
    stage.end(&call).await;
    assert_nothing_is_left(&stage).await;
}

#[tokio::test]
async fn a_meeting_without_a_passcode_is_joined_with_its_id_and_without_the_plus() {
    let stage = Stage::new().await;
    let call = joins(&stage, "7654321", None).await;
    let steps = [("--pause", "500ms"), ("--dtmf", "7654321"), ("--expect-audio", "joined")];
    let phone = dials_in(&stage, User::USER1, NUMBER.trim_start_matches('+'), &steps);
    phone.ended().await.assert_code(0);
    in_roster(&stage, &call, "user1", is_of(User::USER1)).await;
    stage.end(&call).await;
    assert_nothing_is_left(&stage).await;
}

#[tokio::test]
async fn whoever_enters_a_wrong_id_three_times_is_hung_up_on() {
    let stage = Stage::new().await;
    let steps = [
        ("--pause", "500ms"),
        ("--dtmf", "5550001#"),
        ("--expect-audio", "unknown-meeting"),
        ("--dtmf", "5550002#"),
        ("--expect-audio", "unknown-meeting"),
        ("--dtmf", "5550003#"),
        ("--expect-audio", "good-bye"),
        ("--pause", "20s"),
    ];
    let ended = dials_in(&stage, User::JOHN, NUMBER, &steps).ended().await;
    ended.assert_code(1);
    assert!(ended.complaint.contains("the far end hung up before --pause 20s"), "{}", ended.complaint);
    assert_nothing_is_left(&stage).await;
}

#[tokio::test]
async fn whoever_guesses_in_one_call_after_another_is_not_heard_any_more() {
    let stage = Stage::new().await;
    let wrong = [("--pause", "500ms"), ("--dtmf", "1#"), ("--expect-audio", "unknown-meeting")];
    for _ in 0..6 {
        dials_in(&stage, User::JOHN, NUMBER, &wrong).ended().await.assert_code(0);
    }
    let right = [("--pause", "500ms"), ("--dtmf", "7654321#"), ("--expect-audio", "too-many-tries")];
    dials_in(&stage, User::JOHN, NUMBER, &right).ended().await.assert_code(0);
    let other = [("--pause", "500ms"), ("--dtmf", "7654321#"), ("--expect-audio", "joined")];
    dials_in(&stage, User::USER1, NUMBER, &other).ended().await.assert_code(0);
    assert_nothing_is_left(&stage).await;
}

#[tokio::test]
async fn a_caller_waits_in_the_lobby_and_is_heard_once_let_in() {
    let stage = Stage::new().await;
    let body = json!({
        "subject": "Interview",
        "startDateTime": "2030-01-01T10:00:00Z",
        "endDateTime": "2030-01-01T11:00:00Z",
        "lobbyBypassSettings": {"scope": "organization", "isDialInBypassEnabled": false},
    });
    let path = format!("/v1.0/users/{}/onlineMeetings", User::BOB.id);
    let meeting = stage.bot.post(&path, &body).await.expect(201).json();
    let id = meeting["joinMeetingIdSettings"]["joinMeetingId"].as_str().expect("an id").to_owned();
    let conferencing = &meeting["audioConferencing"];
    assert_eq!(
        (conferencing["conferenceId"].as_str(), &conferencing["tollNumber"]),
        (Some(&*id), &json!(NUMBER))
    );
    let call = joins(&stage, &id, None).await;
    // From now on people of the tenant wait, too.
    let path = format!("{path}/{}", meeting["id"].as_str().expect("an id"));
    let scope = json!({"lobbyBypassSettings": {"scope": "organizer", "isDialInBypassEnabled": false}});
    patch(&stage.bot, &path, &scope).await.expect(200);

    let keys = format!("{id}#");
    let steps = [
        ("--pause", "500ms"),
        ("--dtmf", &keys),
        ("--expect-audio", "waiting"),
        ("--expect-audio", "joined"),
        ("--tone", "440 for 8s"),
    ];
    let mut phone = dials_in(&stage, User::JOHN, NUMBER, &steps);
    let waits =
        in_roster(&stage, &call, "John in the lobby", |it| is_of(User::JOHN)(it) && it["isInLobby"] == true);
    let john = waits.await["id"].as_str().expect("an id").to_owned();
    phone.expect("heard").await;
    let admit = format!("/beta/communications/calls/{call}/participants/{john}/admitFromLobby");
    stage.bot.post(&admit, &json!({})).await.expect(204);
    phone.expect("--tone").await;
    assert_tone(&heard_by(&stage, &call).await);
    phone.ended().await.assert_code(0);
    stage.end(&call).await;
    assert_nothing_is_left(&stage).await;
}

#[tokio::test]
async fn a_caller_counts_as_a_call_of_its_user() {
    let stage = Stage::with(Options::new().with("limits.calls_per_user", 1)).await;
    let mut first =
        dials_in(&stage, User::JOHN, NUMBER, &[("--expect-audio", "welcome"), ("--pause", "20s")]);
    first.expect("heard").await;
    let second = dials_in(&stage, User::JOHN, NUMBER, &[("--expect-refused", "486")]);
    second.ended().await.assert_code(0);
    let other = dials_in(&stage, User::USER1, NUMBER, &[("--expect-audio", "welcome")]);
    other.ended().await.assert_code(0);
}

/// A meeting of Bob's that everybody comes straight into, where coming and going is announced; gives its id.
async fn announced_meeting(stage: &Stage) -> String {
    let body = json!({
        "startDateTime": "2030-01-01T10:00:00Z",
        "endDateTime": "2030-01-01T11:00:00Z",
        "lobbyBypassSettings": {"scope": "everyone"},
        "isEntryExitAnnounced": true,
    });
    let path = format!("/v1.0/users/{}/onlineMeetings", User::BOB.id);
    let meeting = stage.bot.post(&path, &body).await.expect(201).json();
    meeting["joinMeetingIdSettings"]["joinMeetingId"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn those_who_are_in_hear_a_chime_when_a_caller_comes_and_another_one_when_it_goes() {
    let stage = Stage::new().await;
    let id = announced_meeting(&stage).await;
    let call = joins(&stage, &id, None).await;
    let body = json!({
        "maxRecordDurationInSeconds": 15, "initialSilenceTimeoutInSeconds": 15, "maxSilenceTimeoutInSeconds": 15,
        "playBeep": false,
    });
    let operation = stage.bot.start(&call, "recordResponse", &body).await;
    let keys = format!("{id}#");
    let steps = [("--pause", "500ms"), ("--dtmf", &*keys), ("--expect-audio", "joined")];
    dials_in(&stage, User::JOHN, NUMBER, &steps).ended().await.assert_code(0);
    stage.webhook.expect_roster(&call, "nobody else again", |those| those.len() == 1).await;
    let recorded = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(recorded.result(), Some((200, 8515)), "{}", recorded.body);

    let heard = stage.recording(recorded.data()).await;
    let level = |window: &[i16], hz| amplitude_at(window, hz, heard.rate_hz);
    let windows: Vec<_> = heard.samples.chunks(heard.rate_hz as usize / 10).collect();
    let is_note = |window: &&[i16], this: f64, other: f64| {
        level(window, this) > 1_000.0 && level(window, other) < 700.0
    };
    let lows = windows.iter().enumerate().filter(|(_, it)| is_note(it, 587.3, 784.0)).map(|(n, _)| n);
    let highs = windows.iter().enumerate().filter(|(_, it)| is_note(it, 784.0, 587.3)).map(|(n, _)| n);
    let (lows, highs): (Vec<_>, Vec<_>) = (lows.collect(), highs.collect());
    let edges = (lows.first(), lows.last(), highs.first(), highs.last());
    let (Some(first_low), Some(last_low), Some(first_high), Some(last_high)) = edges else {
        panic!("low notes at {lows:?}, high ones at {highs:?}");
    };
    assert!(first_low < first_high && last_high < last_low, "low notes at {lows:?}, high ones at {highs:?}");
    stage.end(&call).await;
}

#[tokio::test]
async fn a_caller_for_whom_there_is_no_room_is_told_so_and_hung_up_on() {
    let stage = Stage::with(Options::new().with("limits.participants", 2)).await;
    let call = joins(&stage, "7654321", None).await;
    let other = joins(&stage, "7654321", None).await;
    let steps = [
        ("--pause", "500ms"),
        ("--dtmf", "7654321#"),
        ("--expect-audio", "full"),
        ("--expect-audio", "good-bye"),
        ("--pause", "20s"),
    ];
    let ended = dials_in(&stage, User::JOHN, NUMBER, &steps).ended().await;
    assert!(ended.complaint.contains("the far end hung up before --pause 20s"), "{}", ended.complaint);
    stage.end(&call).await;
    stage.end(&other).await;
    assert_nothing_is_left(&stage).await;
}

#[tokio::test]
async fn whoever_hangs_up_at_any_moment_leaves_nothing_behind() {
    let stage = Stage::new().await;
    let ways: [&[(&str, &str)]; 7] = [
        &[("--pause", "1ms")],
        &[("--pause", "300ms")],
        &[("--dtmf", "12")],
        &[("--pause", "300ms"), ("--dtmf", "1234567#")],
        &[("--pause", "300ms"), ("--dtmf", "1234567#779")],
        &[("--pause", "300ms"), ("--dtmf", "7654321#")],
        &[("--pause", "300ms"), ("--dtmf", "1234567#779123#"), ("--pause", "500ms")],
    ];
    let phones: Vec<_> = ways.iter().map(|steps| dials_in(&stage, User::JOHN, NUMBER, steps)).collect();
    for phone in phones {
        phone.ended().await.assert_code(0);
    }
    assert_nothing_is_left(&stage).await;
}

#[tokio::test]
async fn callers_who_come_to_a_meeting_at_once_or_as_it_ends_all_come_in() {
    let stage = Stage::new().await;
    let steps = [("--pause", "500ms"), ("--dtmf", "7654321#"), ("--expect-audio", "joined")];
    for _ in 0..2 {
        let phones: Vec<_> = (0..5).map(|_| dials_in(&stage, User::JOHN, NUMBER, &steps)).collect();
        for phone in phones {
            phone.ended().await.assert_code(0);
        }
    }
    assert_nothing_is_left(&stage).await;
}
