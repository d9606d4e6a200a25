//! Meetings: joined by their coordinates or their number, with a lobby in front.

use serde_json::{Value, json};
use testkit::{App, Bot, User};

use crate::support::Stage;

const BY_COORDINATES: &str = include_str!("../../../graph-wire/tests/requests/05-join-by-coordinates.json");
const WITH_PASSCODE: &str =
    include_str!("../../../graph-wire/tests/requests/07-join-by-id-with-passcode.json");
const WITHOUT_PASSCODE: &str = include_str!("../../../graph-wire/tests/requests/08-join-by-id.json");

const CALLS: &str = "/v1.0/communications/calls";

async fn bot_of_fabrikam(stage: &Stage) -> Bot {
    Bot::signed_in(&stage.server, App::CALLING_BOT, App::FABRIKAM).await
}

#[tokio::test]
async fn the_documented_join_is_told_of_by_the_three_documented_notifications() {
    let stage = Stage::new().await;
    let bot = bot_of_fabrikam(&stage).await;
    let call = bot.post_text(CALLS, BY_COORDINATES).await.expect(201).json();
    let id = call["id"].as_str().expect("an id").to_owned();
    let thread = "19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNWY2NmNkYTFm@thread.v2";
    assert_eq!(call["targets"], json!([]));
    assert_eq!(call["chatInfo"]["replyChainMessageId"], Value::Null);

    for state in ["establishing", "established"] {
        let told = stage.webhook.expect_state(&id, state).await;
        assert_eq!(told.data()["chatInfo"]["threadId"], thread, "{state}");
        assert_eq!(told.data()["chatInfo"]["messageId"], "0", "{state}");
        assert_eq!(told.data()["meetingInfo"]["@odata.type"], "#microsoft.graph.organizerMeetingInfo");
        assert_eq!(told.data()["meetingInfo"]["organizer"]["user"]["displayName"], "Bob", "{state}");
    }
    // John comes too, so that there are two.
    let contoso = stage.bot.post_text(CALLS, &BY_COORDINATES.replace(App::FABRIKAM, App::CONTOSO)).await;
    let other = contoso.expect(201).json()["id"].as_str().expect("an id").to_owned();
    let invite =
        json!({"participants": [{"identity": {"user": {"id": User::JOHN.id, "displayName": "John"}}}]});
    stage.webhook.expect_state(&other, "established").await;
    stage.bot.start(&other, "participants/invite", &invite).await;
    let roster = stage.webhook.expect_roster(&other, "a roster of two", |those| those.len() == 2).await;
    for participant in &roster {
        assert_eq!(participant["@odata.type"], "#microsoft.graph.participant");
        assert_eq!(participant["isInLobby"], false);
        assert_eq!(participant["mediaStreams"][0]["mediaType"], "audio");
        assert!(participant["mediaStreams"][0]["sourceId"].is_string(), "{participant}");
    }
    bot.hang_up(&id).await.expect(204);
    assert_eq!(stage.result_of(&id).await, (200, 7000));
}

#[tokio::test]
async fn a_meeting_is_joined_by_its_number_with_and_without_a_passcode() {
    let stage = Stage::new().await;
    let bot = bot_of_fabrikam(&stage).await;
    let own = WITHOUT_PASSCODE.replace("1234567", "7654321");
    for (request, thread) in [
        (WITH_PASSCODE, Some("19:meeting_Win6Ydo4wsMijFjZS00ZGVjLTk5MGUtOTRjNNkYTFm@thread.v2")),
        (own.as_str(), None),
    ] {
        let call = bot.post_text(CALLS, request).await.expect(201).json();
        let id = call["id"].as_str().expect("an id");
        if let Some(thread) = thread {
            assert_eq!(call["chatInfo"]["threadId"], thread);
        }
        assert_eq!(call["chatInfo"]["messageId"], "0");
        assert_eq!(call["meetingInfo"]["@odata.type"], "#microsoft.graph.joinMeetingIdMeetingInfo");
        stage.webhook.expect_state(id, "established").await;
    }
}

#[tokio::test]
async fn a_wrong_number_passcode_or_tenant_is_its_own_error() {
    let stage = Stage::new().await;
    let bot = bot_of_fabrikam(&stage).await;
    let rows = [
        (WITH_PASSCODE.replace("1234567", "5550000"), 404, "8561"),
        (WITH_PASSCODE.replace("psw123", "guess"), 403, "8561"),
        (WITHOUT_PASSCODE.to_owned(), 403, "8561"),
        (WITH_PASSCODE.replace(App::FABRIKAM, App::CONTOSO), 403, "7505"),
        (BY_COORDINATES.replace("Win6Ydo4", "Unknown1"), 404, "8561"),
    ];
    for (request, status, code) in rows {
        let reply = bot.post_text(CALLS, &request).await.expect(status);
        assert_eq!(reply.error_code(), code, "{reply}");
    }
}

#[tokio::test]
async fn a_meeting_from_its_making_to_its_end() {
    let stage = Stage::new().await;
    // The bot makes the meeting for John, and only the organization comes straight in.
    let path = format!("/v1.0/users/{}/onlineMeetings", User::JOHN.id);
    let body = json!({
        "subject": "Interview",
        "startDateTime": "2030-01-01T10:00:00Z",
        "endDateTime": "2030-01-01T11:00:00Z",
        "joinMeetingIdSettings": {"isPasscodeRequired": true},
        "lobbyBypassSettings": {"scope": "organization", "isDialInBypassEnabled": false},
    });
    let meeting = stage.bot.post(&path, &body).await.expect(201).json();
    let settings = &meeting["joinMeetingIdSettings"];
    let join = |name: &str| settings[name].as_str().unwrap_or_else(|| panic!("no {name}: {meeting}"));
    let info = json!({
        "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
        "joinMeetingId": join("joinMeetingId"),
        "passcode": join("passcode"),
    });
    let request = stage.request(User::JOHN).with("targets", Value::Null).with("meetingInfo", info);
    let request = request.with("tenantId", json!(App::CONTOSO));

    // It joins by the meeting's number; a guest of another application waits in the lobby.
    let host = stage.bot.call(&request).await;
    stage.webhook.expect_state(&host, "established").await;
    let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
    let guest = json!({
        "@odata.type": "#microsoft.graph.participantInfo",
        "identity": {"@odata.type": "#microsoft.graph.identitySet",
            "guest": {"@odata.type": "#microsoft.graph.identity", "id": "g-1", "displayName": "Gwen"}},
    });
    let guest = other.call(&request.clone().with("source", guest)).await;
    let waits = |those: &[Value]| those.iter().any(|it| it["isInLobby"] == true);
    let roster = stage.webhook.expect_roster(&host, "a guest in the lobby", waits).await;
    let gwen = roster.iter().find(|it| it["isInLobby"] == true).expect("who waits");
    assert_eq!(gwen["info"]["identity"]["guest"]["displayName"], "Gwen");
    let gwen = gwen["id"].as_str().expect("an id").to_owned();

    // It is let in, speaks, is muted, and is sent away.
    let admit = format!("/beta/communications/calls/{host}/participants/{gwen}/admitFromLobby");
    let reply = stage.bot.post(&admit, &json!({})).await;
    assert!(reply.status.is_success(), "{reply}");
    stage.webhook.expect_state(&guest, "established").await;
    let body =
        json!({"maxRecordDurationInSeconds": 2, "playBeep": false, "initialSilenceTimeoutInSeconds": 10});
    let recording = stage.bot.start(&host, "recordResponse", &body).await;
    let spoken = json!({"prompts": [crate::support::prompt("https://cdn.contoso.com/cool.wav")]});
    other.start(&guest, "playPrompt", &spoken).await;
    let recorded = stage.webhook.expect_operation(&host, &recording).await;
    assert!([Some((200, 8515)), Some((200, 8509))].contains(&recorded.result()), "{}", recorded.body);
    let mute = format!("participants/{gwen}/mute");
    stage.bot.act(&host, &mute, &json!({})).await.expect(200);
    let is_muted =
        |those: &[Value]| those.iter().any(|it| it["id"] == gwen.as_str() && it["isMuted"] == true);
    stage.webhook.expect_roster(&host, "a muted guest", is_muted).await;
    let path = format!("{CALLS}/{host}/participants/{gwen}");
    stage.bot.delete(&path).await.expect(204);
    assert_eq!(stage.result_of(&guest).await, (200, 5000));
    stage.webhook.expect_roster(&host, "the host alone", |those| those.len() == 1).await;

    // Everyone leaves.
    stage.end(&host).await;
    let id = meeting["id"].as_str().expect("an id");
    let path = format!("/v1.0/users/{}/onlineMeetings/{id}", User::JOHN.id);
    stage.bot.delete(&path).await.expect(204);
    assert_eq!(
        stage.bot.create(&request).await.status,
        404,
        "a meeting that was deleted is joined by nobody"
    );
}
