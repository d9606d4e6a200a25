//! Meetings: joined by their coordinates or their number, with a lobby in front.

use media_engine::analysis::{rms, share_heard};
use media_engine::{WavAudio, wav_file};
use serde_json::{Value, json};
use testkit::{App, Bot, CallRequest, FileServer, Options, User, melody};

use crate::support::{Stage, prompts};

const BY_COORDINATES: &str = include_str!("../../../graph-wire/tests/requests/05-join-by-coordinates.json");
const WITH_PASSCODE: &str =
    include_str!("../../../graph-wire/tests/requests/07-join-by-id-with-passcode.json");
const WITHOUT_PASSCODE: &str = include_str!("../../../graph-wire/tests/requests/08-join-by-id.json");

const CALLS: &str = "/v1.0/communications/calls";

/// What a guest plays, and where it is served.
const SPOKEN: &str = "/spoken.wav";
const SPOKEN_MILLIS: u32 = 1_500;

/// A meeting that the bot has made for John and has joined by its number. Guests wait in its lobby.
struct Interview {
    stage: Stage,
    /// Where the meeting is.
    path: String,
    request: CallRequest,
    host: String,
    /// The application that brings guests.
    other: Bot,
    files: FileServer,
}

/// Someone who came as a guest.
struct Guest {
    call: String,
    /// Its id in the roster.
    id: String,
}

impl Interview {
    async fn new() -> Self {
        Self::with(Options::new(), Value::Null).await
    }

    /// With settings of the server and with options of the host's call.
    async fn with(options: Options, call_options: Value) -> Self {
        let spoken = wav_file(16_000, &melody(5, SPOKEN_MILLIS, 16_000));
        let files = FileServer::start([(SPOKEN, spoken)]).await;
        let stage = Stage::with(options).await;
        let meetings = format!("/v1.0/users/{}/onlineMeetings", User::JOHN.id);
        let body = json!({
            "subject": "Interview",
            "startDateTime": "2030-01-01T10:00:00Z",
            "endDateTime": "2030-01-01T11:00:00Z",
            "joinMeetingIdSettings": {"isPasscodeRequired": true},
            "lobbyBypassSettings": {"scope": "organization", "isDialInBypassEnabled": false},
        });
        let meeting = stage.bot.post(&meetings, &body).await.expect(201).json();
        let settings = &meeting["joinMeetingIdSettings"];
        let info = json!({
            "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": settings["joinMeetingId"].as_str().expect("a number"),
            "passcode": settings["passcode"].as_str().expect("a passcode"),
        });
        let request = stage.request(User::JOHN).with("targets", Value::Null).with("meetingInfo", info);
        let request = request.with("tenantId", json!(App::CONTOSO));
        let host = stage.bot.call(&request.clone().with("callOptions", call_options)).await;
        stage.webhook.expect_state(&host, "established").await;
        let other = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;
        let path = format!("{meetings}/{}", meeting["id"].as_str().expect("an id"));
        Self { stage, path, request, host, other, files }
    }

    /// Somebody joins as a guest, and waits in the lobby.
    async fn guest(&self, name: &str) -> Guest {
        let source = json!({
            "@odata.type": "#microsoft.graph.participantInfo",
            "identity": {"@odata.type": "#microsoft.graph.identitySet",
                "guest": {"@odata.type": "#microsoft.graph.identity", "id": name, "displayName": name}},
        });
        let call = self.other.call(&self.request.clone().with("source", source)).await;
        let waits =
            |it: &Value| it["info"]["identity"]["guest"]["displayName"] == name && it["isInLobby"] == true;
        let roster = self.roster("a guest in the lobby", |those| those.iter().any(waits)).await;
        let id = roster.iter().find(|it| waits(it)).and_then(|it| it["id"].as_str());
        Guest { call, id: id.expect("an id").to_owned() }
    }

    /// Somebody joins as a guest, and is let in.
    async fn admitted(&self, name: &str) -> Guest {
        let guest = self.guest(name).await;
        self.beta(&format!("{}/admitFromLobby", guest.id), &json!({})).await.expect(204);
        self.stage.webhook.expect_state(&guest.call, "established").await;
        guest
    }

    /// Waits for a roster of the host's call.
    async fn roster(&self, what: &str, is_it: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        self.stage.webhook.expect_roster(&self.host, what, is_it).await
    }

    /// Sends an action with participants that only beta has.
    async fn beta(&self, action: &str, body: &Value) -> testkit::Reply {
        let path = format!("/beta/communications/calls/{}/participants/{action}", self.host);
        self.stage.bot.post(&path, body).await
    }

    /// Lets a guest play something while the host records, and returns what was recorded.
    async fn heard_from(&self, guest: &Guest) -> WavAudio {
        let body = json!({
            "maxRecordDurationInSeconds": 3, "initialSilenceTimeoutInSeconds": 10, "playBeep": false,
        });
        let recording = self.stage.bot.start(&self.host, "recordResponse", &body).await;
        let prompt = prompts(&[&self.files.url(SPOKEN)]);
        let playing = self.other.start(&guest.call, "playPrompt", &prompt).await;
        let played = self.stage.webhook.expect_operation(&guest.call, &playing).await;
        assert_eq!(played.result(), Some((200, 0)), "{}", played.body);
        let recorded = self.stage.webhook.expect_operation(&self.host, &recording).await;
        assert_eq!(recorded.result(), Some((200, 8515)), "{}", recorded.body);
        self.stage.recording(recorded.data()).await
    }
}

/// Whether the roster has someone of this id of whom that is true.
fn has(those: &[Value], id: &str, is_so: impl Fn(&Value) -> bool) -> bool {
    those.iter().any(|it| it["id"] == id && is_so(it))
}

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
    let there = Interview::new().await;
    let gwen = there.admitted("Gwen").await;

    let heard = there.heard_from(&gwen).await;
    let share = share_heard(&melody(5, SPOKEN_MILLIS, heard.rate_hz), &heard.samples, heard.rate_hz);
    assert!(share > 0.85, "only {share:.2} of what the guest plays was heard");
    there.stage.bot.act(&there.host, &format!("participants/{}/mute", gwen.id), &json!({})).await.expect(200);
    there.roster("a muted guest", |those| has(those, &gwen.id, |it| it["isMuted"] == true)).await;
    let heard = rms(&there.heard_from(&gwen).await.samples);
    assert!(heard < 50.0, "a muted guest is heard at {heard:.0}");

    let path = format!("{CALLS}/{}/participants/{}", there.host, gwen.id);
    there.stage.bot.delete(&path).await.expect(204);
    assert_eq!(there.stage.result_of(&gwen.call).await, (200, 5000));
    there.roster("the host alone", |those| those.len() == 1).await;
    there.stage.end(&there.host).await;
    there.stage.bot.delete(&there.path).await.expect(204);
    let late = there.stage.bot.create(&there.request).await;
    assert_eq!(late.status, 404, "a meeting that was deleted is joined by nobody");
}

#[tokio::test]
async fn whoever_waits_in_the_lobby_is_sent_away_or_let_in_with_all_others() {
    let there = Interview::new().await;
    let (mallory, gwen, hugo) =
        (there.guest("Mallory").await, there.guest("Gwen").await, there.guest("Hugo").await);
    there.beta(&format!("{}/removeFromLobby", mallory.id), &json!({})).await.expect(204);
    assert_eq!(there.stage.result_of(&mallory.call).await, (200, 5000));
    there.beta("admitAllFromLobby", &json!({})).await.expect(204);
    for guest in [&gwen, &hugo] {
        there.stage.webhook.expect_state(&guest.call, "established").await;
    }
    let are_in = |those: &[Value]| those.len() == 3 && those.iter().all(|it| it["isInLobby"] == false);
    there.roster("nobody in the lobby", are_in).await;
    let again = there.beta(&format!("{}/removeFromLobby", gwen.id), &json!({})).await;
    assert_eq!((again.status.as_u16(), again.error_code()), (404, "8558".to_owned()), "{again}");
}

#[tokio::test]
async fn everyone_but_the_one_who_asks_is_muted() {
    let there = Interview::new().await;
    let (gwen, hugo) = (there.admitted("Gwen").await, there.admitted("Hugo").await);
    let operation = there.beta("muteAll", &json!({"participants": [], "clientContext": "quiet"})).await;
    let operation = operation.expect(200).json();
    assert_eq!(operation["status"], "completed", "{operation}");
    assert_eq!(operation["clientContext"], "quiet", "{operation}");
    let is_quiet = |those: &[Value]| {
        let is_guest =
            |it: &Value| [gwen.id.as_str(), &hugo.id].contains(&it["id"].as_str().unwrap_or_default());
        those.len() == 3 && those.iter().all(|it| it["isMuted"] == is_guest(it))
    };
    there.roster("both guests muted, and the host not", is_quiet).await;
}

#[tokio::test]
async fn a_delta_roster_tells_who_came_changed_and_left() {
    let options =
        json!({"@odata.type": "#microsoft.graph.outgoingCallOptions", "isDeltaRosterEnabled": true});
    let there = Interview::with(Options::new(), options).await;
    // Only the application that asked for it has its rosters told so.
    let gwen = there.other.call(&there.request).await;
    there.stage.webhook.expect_roster(&gwen, "a whole roster of two", |those| those.len() == 2).await;
    let changed = async |what: &str, is_it: &dyn Fn(&Value) -> bool| {
        let is_it = |received: &testkit::Received| {
            let people = received.data()["participants"].as_array().map(Vec::as_slice).unwrap_or_default();
            received.data()["@odata.type"] == "#microsoft.graph.deltaParticipants" && people.iter().any(is_it)
        };
        there.stage.webhook.expect(&there.host, what, is_it).await
    };
    let is_gwen = |it: &Value| it["info"]["identity"]["application"]["displayName"] == App::TEST_BOT.name;
    let came = changed("who came", &is_gwen).await;
    assert!(came.notification()["resourceUrl"].as_str().is_some_and(|url| url.ends_with("/participants")));
    there.beta("muteAll", &json!({})).await.expect(200);
    let muted = changed("who is muted", &|it| is_gwen(it) && it["isMuted"] == true).await;
    there.other.hang_up(&gwen).await.expect(204);
    let left = changed("who left", &|it| is_gwen(it) && it["removedState"]["reason"].is_string()).await;

    let told = there.stage.webhook.of_call(&there.host);
    let all = told.iter().filter_map(|received| received.data()["sequenceNumber"].as_u64());
    let all: Vec<u64> = all.collect();
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>());
    for alone in [&muted, &left] {
        assert_eq!(alone.data()["participants"].as_array().map(Vec::len), Some(1), "{}", alone.body);
    }
    assert!(told.iter().all(|received| received.participants().is_none()), "no whole roster besides");
}

#[tokio::test]
async fn a_recording_and_a_large_gallery_are_shown_in_the_roster() {
    let there = Interview::new().await;
    let body = json!({"clientContext": "legal", "status": "recording"});
    let operation = there.stage.bot.act(&there.host, "updateRecordingStatus", &body).await.expect(200).json();
    assert_eq!(operation["@odata.type"], "#microsoft.graph.updateRecordingStatusOperation");
    assert_eq!(operation["status"], "completed", "{operation}");
    let records =
        |those: &[Value]| those.iter().any(|it| it["recordingInfo"]["recordingStatus"] == "recording");
    let roster = there.roster("a recording", records).await;
    let by = &roster[0]["recordingInfo"]["initiator"]["application"]["displayName"];
    assert_eq!(by, App::CALLING_BOT.name);

    let body = json!({"clientContext": "gallery"});
    let operation = there.stage.bot.act(&there.host, "addLargeGalleryView", &body).await.expect(202).json();
    assert_eq!(operation["@odata.type"], "#microsoft.graph.addLargeGalleryViewOperation");
    let operation = operation["id"].as_str().expect("an operation");
    let end = there.stage.webhook.expect_operation(&there.host, operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    let is_gallery =
        |it: &Value| it["info"]["identity"]["application"]["ApplicationType"] == "LargeGallery-V2";
    let roster = there.roster("a gallery", |those| those.iter().any(is_gallery)).await;
    assert_eq!(roster.len(), 2, "{roster:?}");
}

#[tokio::test]
async fn screens_are_shared_only_with_media_of_the_applications_own() {
    let there = Interview::new().await;
    let reply = there.stage.bot.act(&there.host, "changeScreenSharingRole", &json!({"role": "sharer"})).await;
    assert_eq!((reply.status.as_u16(), reply.error_code()), (400, "8500".to_owned()), "{reply}");
}

#[tokio::test]
async fn whoever_comes_when_the_meeting_is_full_is_told_so() {
    let there = Interview::with(Options::new().with("limits.participants", 2), Value::Null).await;
    there.admitted("Gwen").await;
    let late = there.other.call(&there.request).await;
    assert_eq!(there.stage.result_of(&late).await, (400, 8523));
    there.stage.end(&there.host).await;
}
