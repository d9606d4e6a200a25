//! People in meetings by the page: who hears whom, who lets whom in, who comes back, and who is kept out.

use http::Method;
use media_engine::analysis::{amplitude_at, sine};
use media_engine::wav_file;
use serde_json::{Value, json};
use testkit::{
    App, FileServer, Options, Picture, Received, User, Visitor, WebMeeting, WebPictures, WebSession,
};
use tokio_tungstenite::tungstenite::Message;

use crate::dial_in::{heard_by, in_roster, joins};
use crate::support::{Stage, prompts};
use crate::trunks::directory;

/// What each says.
const BOB_HZ: u32 = 730;
const JOHN_HZ: u32 = 910;
const GUEST_HZ: u32 = 1_130;
/// What the bot plays.
const PROMPT_HZ: u32 = 440;

const GUEST: Visitor<'_> = Visitor::Guest("Ann");

/// A meeting of Bob's.
struct Meeting {
    /// Its address.
    url: String,
    /// What the bot joins it by.
    number: String,
    path: String,
}

impl Meeting {
    async fn new(stage: &Stage, further: &Value) -> Self {
        let mut body = json!({
            "subject": "Weekly <sync>",
            "startDateTime": "2030-01-01T10:00:00Z",
            "endDateTime": "2030-01-01T11:00:00Z",
            "lobbyBypassSettings": {"scope": "everyone", "isDialInBypassEnabled": true},
        });
        for (name, value) in further.as_object().expect("an object") {
            body[name] = value.clone();
        }
        let path = format!("/v1.0/users/{}/onlineMeetings", User::BOB.id);
        let made = stage.bot.post(&path, &body).await.expect(201).json();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        Self {
            url: text(&made["joinWebUrl"]),
            number: text(&made["joinMeetingIdSettings"]["joinMeetingId"]),
            path: format!("{path}/{}", text(&made["id"])),
        }
    }

    /// One that lets in nobody but its organizer, who alone presents.
    async fn closed(stage: &Stage) -> Self {
        let further = json!({
            "lobbyBypassSettings": {"scope": "organizer", "isDialInBypassEnabled": false},
            "allowedPresenters": "organizer",
        });
        Self::new(stage, &further).await
    }

    /// The bot joins, and wants to be told of screens.
    async fn join_as_bot(&self, stage: &Stage) -> String {
        let info = json!({
            "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": self.number,
        });
        let options = json!({
            "@odata.type": "#microsoft.graph.outgoingCallOptions",
            "isContentSharingNotificationEnabled": true,
        });
        let request = stage.request(User::JOHN).with("targets", Value::Null).with("meetingInfo", info);
        let request = request.with("tenantId", json!(App::CONTOSO)).with("callOptions", options);
        let call = stage.bot.call(&request).await;
        stage.webhook.expect_state(&call, "established").await;
        call
    }

    async fn join(&self, stage: &Stage, visitor: Visitor<'_>, tone_hz: u32) -> WebMeeting {
        WebMeeting::join(&stage.server, &self.url, visitor, tone_hz).await
    }

    /// Somebody is in.
    async fn enter(&self, stage: &Stage, visitor: Visitor<'_>, tone_hz: u32) -> (WebMeeting, String) {
        let page = self.join(stage, visitor, tone_hz).await;
        let id = page.is_now("in").await;
        (page, id)
    }
}

async fn sessions(stage: &Stage) -> (WebSession, WebSession) {
    (WebSession::of(&stage.server, User::BOB).await, WebSession::of(&stage.server, User::JOHN).await)
}

/// The streams of somebody in the roster of an application: kinds and directions.
fn streams(participant: &Value) -> Vec<(&str, &str)> {
    let streams = participant["mediaStreams"].as_array().expect("streams");
    streams
        .iter()
        .map(|it| (it["mediaType"].as_str().unwrap_or(""), it["direction"].as_str().unwrap_or("")))
        .collect()
}

#[tokio::test]
async fn a_user_a_guest_and_the_bot_hear_each_other_and_names_come_out_as_they_went_in() {
    let stage = Stage::new().await;
    let tone = sine(f64::from(PROMPT_HZ), 8_000, 8_000.0, 60 * 8_000);
    let files = FileServer::start([("/tone.wav", wav_file(8_000, &tone))]).await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let call = joins(&stage, &meeting.number, None).await;
    let john = WebSession::of(&stage.server, User::JOHN).await;
    let name = "<img src=x> & \"Ann\"";
    let (john, john_id) = meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await;
    let (mut guest, guest_id) = meeting.enter(&stage, Visitor::Guest(name), GUEST_HZ).await;
    john.stack.hears(GUEST_HZ).await;
    guest.stack.hears(JOHN_HZ).await;
    stage.bot.start(&call, "playPrompt", &prompts(&[&files.url("/tone.wav")])).await;
    john.stack.hears(PROMPT_HZ).await;
    guest.stack.hears(PROMPT_HZ).await;
    stage.bot.act(&call, "cancelMediaProcessing", &json!({})).await.expect(200);
    let heard = heard_by(&stage, &call).await;
    for hz in [JOHN_HZ, GUEST_HZ] {
        // Piece by piece: a buffer that has just begun stretches and shortens sound.
        let pieces = heard.samples.chunks(heard.rate_hz as usize / 5);
        let tone = pieces.map(|it| amplitude_at(it, f64::from(hz), heard.rate_hz)).fold(0.0, f64::max);
        assert!(tone > 3_000.0, "the bot recorded {hz} Hz with an amplitude of {tone:.0}");
    }

    let people = john.sees("three are in", |people| people.len() == 3).await;
    let of = |id: &str| people.iter().find(|it| it["id"] == id).cloned().expect("somebody");
    let (own, other) = (of(&john_id), of(&guest_id));
    assert_eq!((&own["kind"], &own["name"]), (&json!("user"), &json!(User::JOHN.name)), "{own}");
    assert_eq!((&other["kind"], &other["name"]), (&json!("guest"), &json!(name)), "{other}");
    assert_eq!(
        (&other["isMuted"], &other["camera"], &other["hand"]),
        (&json!(false), &json!(false), &Value::Null)
    );
    assert!(people.iter().any(|it| it["kind"] == "application"), "{people:?}");
    john.expect("it is told who speaks", |message| message["type"] == "speaker").await;

    let is_guest = |it: &Value| it["info"]["identity"]["guest"]["displayName"] == name;
    let shown = in_roster(&stage, &call, "the guest", is_guest).await;
    assert_eq!(shown["id"], guest_id.as_str(), "{shown}");
    let is_john = |it: &Value| it["info"]["identity"]["user"]["id"] == User::JOHN.id;
    let shown = in_roster(&stage, &call, "John", is_john).await;
    let quiet =
        [("audio", "sendReceive"), ("video", "receiveOnly"), ("videoBasedScreenSharing", "receiveOnly")];
    assert_eq!(streams(&shown), quiet, "{shown}");
    john.say(&json!({"type": "camera", "on": true}));
    let films = |it: &Value| is_john(it) && streams(it).contains(&("video", "sendReceive"));
    in_roster(&stage, &call, "John's camera", films).await;
    guest.sees_of(&john_id, "John's camera", |it| it["camera"] == true).await;
    assert!(stage.server.metric("hookswitch_web_meeting_pages").await > 1.5);

    guest.say(&json!({"type": "leave"}));
    assert_eq!(guest.ended().await, "left");
    john.sees("two are in", |people| people.len() == 2).await;
    guest.come_again(Visitor::Guest(name)).await;
    let again = guest.is_now("in").await;
    assert_ne!(again, guest_id, "whoever comes again is a new participant");
    john.sees_of(&again, "the guest is back", |it| it["name"] == name).await;
}

#[tokio::test]
async fn a_guest_waits_in_the_lobby_until_the_organizer_lets_it_in_or_sends_it_away() {
    let stage = Stage::new().await;
    let meeting = Meeting::closed(&stage).await;
    let (bob, john) = sessions(&stage).await;
    let (bob, bob_id) = meeting.enter(&stage, Visitor::User(&bob), BOB_HZ).await;
    let guest = meeting.join(&stage, GUEST, GUEST_HZ).await;
    let guest_id = guest.is_now("lobby").await;
    let waits = |it: &Value| it["isInLobby"] == true;
    bob.sees_of(&guest_id, "the guest waits", waits).await;
    let seen = guest.sees("it sees itself only", |people| people.len() == 1).await;
    assert!(seen[0]["id"] == guest_id.as_str() && waits(&seen[0]), "{seen:?}");
    guest.say(&json!({"type": "hand", "raised": true}));
    guest.expect("whoever waits raises no hand", |message| message["type"] == "denied").await;
    guest.forget("denied");
    bob.stack.hears_no(GUEST_HZ).await;
    guest.stack.hears_no(BOB_HZ).await;

    let mut waiting = meeting.join(&stage, Visitor::User(&john), JOHN_HZ).await;
    let john_id = waiting.is_now("lobby").await;
    bob.say(&json!({"type": "remove", "participant": john_id}));
    assert_eq!(waiting.ended().await, "notAdmitted");
    bob.say(&json!({"type": "admit", "participant": guest_id}));
    assert_eq!(guest.is_now("in").await, guest_id);
    guest.stack.hears(BOB_HZ).await;
    bob.stack.hears(GUEST_HZ).await;

    waiting.come_again(Visitor::User(&john)).await;
    let john_id = waiting.is_now("lobby").await;
    guest.say(&json!({"type": "admit", "participant": john_id}));
    let is_denied = |message: &Value| message["type"] == "denied";
    let denied = guest.expect("an attendee lets nobody in", is_denied).await;
    assert_eq!(denied["message"], "your role in the meeting does not allow that");
    guest.forget("denied");
    guest.say(&json!({"type": "remove", "participant": bob_id}));
    guest.expect("an attendee sends nobody away", is_denied).await;
    guest.forget("denied");
    guest.say(&json!({"type": "muteOther", "participant": "nobody"}));
    guest.expect("nobody is nobody", is_denied).await;
    bob.say(&json!({"type": "admit"}));
    waiting.is_now("in").await;
    bob.say(&json!({"type": "remove", "participant": john_id}));
    assert_eq!(waiting.ended().await, "removed");
}

#[tokio::test]
async fn who_is_muted_by_others_unmutes_itself_and_hands_are_seen_in_their_order() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let (bob, john) = sessions(&stage).await;
    let (bob, bob_id) = meeting.enter(&stage, Visitor::User(&bob), BOB_HZ).await;
    let (john, john_id) = meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await;
    bob.stack.hears(JOHN_HZ).await;
    bob.say(&json!({"type": "muteOther", "participant": john_id}));
    john.sees_of(&john_id, "it is muted", |it| it["isMuted"] == true).await;
    bob.stack.hears_no(JOHN_HZ).await;
    john.say(&json!({"type": "mute", "muted": false}));
    bob.sees_of(&john_id, "it is not muted any more", |it| it["isMuted"] == false).await;
    bob.stack.hears(JOHN_HZ).await;
    john.say(&json!({"type": "mute", "muted": true}));
    bob.stack.hears_no(JOHN_HZ).await;

    john.say(&json!({"type": "hand", "raised": true}));
    let raised = |it: &Value| it["hand"].is_u64();
    let first = bob.sees_of(&john_id, "a hand", raised).await["hand"].as_u64();
    bob.say(&json!({"type": "hand", "raised": true}));
    let second = john.sees_of(&bob_id, "another hand", raised).await["hand"].as_u64();
    assert!(first < second, "{first:?} before {second:?}");
    john.say(&json!({"type": "hand", "raised": false}));
    bob.sees_of(&john_id, "no hand", |it| it["hand"].is_null()).await;
}

#[tokio::test]
async fn whoever_is_taken_aside_by_a_bot_hears_and_sees_nobody_until_it_is_back() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let call = meeting.join_as_bot(&stage).await;
    let (bob, john) = sessions(&stage).await;
    let (bob, bob_id) = meeting.enter(&stage, Visitor::User(&bob), BOB_HZ).await;
    let (john, john_id) = meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await;
    let (of_bob, of_john) = (WebPictures::open().await, WebPictures::open().await);
    bob.offer_pictures(&of_bob, 1).await;
    // What it shows may be told before there are any pictures.
    john.say(&watch("none", &bob_id, "camera"));
    let [line] = &john.offer_pictures(&of_john, 1).await[..] else { panic!("one line") };
    of_bob.show(Picture::Camera, Some(1));
    bob.say(&json!({"type": "camera", "on": true}));
    john.say(&watch(line, &bob_id, "camera"));
    of_john.sees(line, 1).await;
    john.stack.hears(BOB_HZ).await;

    let act = async |what: &str| {
        stage.bot.act(&call, &format!("participants/{john_id}/{what}"), &json!({})).await.expect(202)
    };
    act("startHoldMusic").await;
    assert_eq!(john.is_now("held").await, john_id);
    john.stack.hears_no(BOB_HZ).await;
    of_john.sees_no(line, 1).await;
    act("stopHoldMusic").await;
    john.is_now("in").await;
    john.stack.hears(BOB_HZ).await;
    of_john.sees(line, 1).await;
    stage.end(&call).await;
}

#[tokio::test]
async fn a_page_that_loses_its_socket_comes_back_to_its_place() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let bob = WebSession::of(&stage.server, User::BOB).await;
    let (bob, _) = meeting.enter(&stage, Visitor::User(&bob), BOB_HZ).await;
    let (mut guest, guest_id) = meeting.enter(&stage, GUEST, GUEST_HZ).await;
    bob.stack.hears(GUEST_HZ).await;
    let welcome = guest.come_back().await;
    assert_eq!((&welcome["state"], &welcome["you"]), (&json!("in"), &json!(guest_id)), "{welcome}");
    guest.sees("it is shown who is there", |people| people.len() == 2).await;
    guest.restart().await;
    guest.stack.hears(BOB_HZ).await;

    let welcome = guest.come_back().await;
    assert_eq!(welcome["you"], guest_id.as_str(), "{welcome}");
    guest.replace_stack().await;
    guest.stack.hears(BOB_HZ).await;
    bob.stack.hears(GUEST_HZ).await;
    guest.say(&json!({"type": "offer", "sdp": "v=0\r\n"}));
    let refused = guest.expect("the offer is refused", |message| message["type"] == "refused").await;
    assert_eq!(refused["of"], "offer", "{refused}");
    bob.sees("both are there", |people| people.len() == 2).await;
}

#[tokio::test]
async fn a_page_that_does_not_come_back_loses_its_place() {
    let stage = Stage::with(Options::new().with("web.reconnect_timeout", "300ms")).await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let bob = WebSession::of(&stage.server, User::BOB).await;
    let (bob, _) = meeting.enter(&stage, Visitor::User(&bob), BOB_HZ).await;
    let (guest, _) = meeting.enter(&stage, GUEST, GUEST_HZ).await;
    bob.sees("both are there", |people| people.len() == 2).await;
    drop(guest);
    bob.sees("nobody else is there", |people| people.len() == 1).await;
}

#[tokio::test]
async fn a_user_with_two_pages_is_there_twice_until_he_signs_out() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let (bob, john) = sessions(&stage).await;
    let (bob, _) = meeting.enter(&stage, Visitor::User(&bob), BOB_HZ).await;
    let (first, first_id) = meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await;
    let (second, second_id) = meeting.enter(&stage, Visitor::User(&john), GUEST_HZ).await;
    assert_ne!(first_id, second_id);
    let johns = |people: &[Value]| people.iter().filter(|it| it["name"] == User::JOHN.name).count();
    bob.sees("John is there twice", |people| johns(people) == 2).await;
    john.sign_out().await.expect(204);
    for page in [&first, &second] {
        assert_eq!(page.expect_close().await, (1008, "signed out".to_owned()));
    }
    bob.sees("John has gone", |people| johns(people) == 0).await;
}

/// What of a person's pictures another page watches, and on which line.
fn watch(line: &str, participant: &str, kind: &str) -> Value {
    json!({"type": "watch", "tiles": [
        {"line": line, "participant": participant, "kind": kind, "height": 360},
    ]})
}

#[tokio::test]
async fn a_camera_and_a_screen_are_seen_by_others_and_the_bot_is_told_of_the_screen() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let call = meeting.join_as_bot(&stage).await;
    let john = WebSession::of(&stage.server, User::JOHN).await;
    let (john, john_id) = meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await;
    let (mut guest, guest_id) = meeting.enter(&stage, GUEST, GUEST_HZ).await;
    let (of_john, of_guest) = (WebPictures::open().await, WebPictures::open().await);
    john.offer_pictures(&of_john, 1).await;
    let [line] = &guest.offer_pictures(&of_guest, 1).await[..] else { panic!("one line") };

    of_john.show(Picture::Camera, Some(1));
    guest.say(&watch(line, &john_id, "camera"));
    john.say(&json!({"type": "camera", "on": true}));
    of_guest.sees(line, 1).await;
    john.say(&json!({"type": "camera", "on": false}));
    of_guest.sees_no(line, 1).await;

    guest.say(&watch(line, &john_id, "screen"));
    john.say(&json!({"type": "screen", "on": true}));
    let told = async |change: &str| {
        let is_it = |told: &Received| {
            let resource = told.notification()["resourceUrl"].as_str().unwrap_or_default();
            resource.contains("/contentsharingsessions") && told.change() == change
        };
        stage.webhook.expect(&call, &format!("a screen is {change}"), is_it).await
    };
    told("created").await;
    guest.sees_of(&john_id, "John's screen", |it| it["screen"] == true).await;
    of_john.show(Picture::Screen, Some(2));
    of_guest.sees(line, 2).await;
    told("updated").await;
    let is_john = |it: &Value| it["info"]["identity"]["user"]["id"] == User::JOHN.id;
    let shares = |it: &Value| is_john(it) && streams(it).contains(&("videoBasedScreenSharing", "sendOnly"));
    in_roster(&stage, &call, "John's screen", shares).await;

    // The guest comes back by another socket, and by another way.
    guest.come_back().await;
    guest.restart().await;
    guest.restart_pictures(&of_guest).await;
    of_guest.sees(line, 2).await;

    // Of screens there is one.
    guest.say(&json!({"type": "screen", "on": true}));
    john.sees_of(&john_id, "its screen was taken from it", |it| it["screen"] == false).await;
    john.sees_of(&guest_id, "the guest's screen", |it| it["screen"] == true).await;
    of_guest.sees_no(line, 2).await;
    guest.say(&json!({"type": "screen", "on": false}));
    told("deleted").await;
    stage.end(&call).await;
}

#[tokio::test]
async fn whoever_waits_outside_sees_no_pictures_and_bad_offers_are_refused() {
    let stage = Stage::new().await;
    let meeting = Meeting::closed(&stage).await;
    let bob = WebSession::of(&stage.server, User::BOB).await;
    let (bob, bob_id) = meeting.enter(&stage, Visitor::User(&bob), BOB_HZ).await;
    let guest = meeting.join(&stage, GUEST, GUEST_HZ).await;
    let guest_id = guest.is_now("lobby").await;
    let (of_bob, of_guest) = (WebPictures::open().await, WebPictures::open().await);
    let is_refused = |message: &Value| message["type"] == "refused" && message["of"] == "pictures";
    let (offer, _) = of_guest.offer(1).await;
    guest.say(&json!({"type": "pictures", "sdp": offer}));
    guest.expect("it is not in", is_refused).await;
    bob.say(&json!({"type": "pictures", "sdp": "v=0\r\n"}));
    bob.expect("the offer is refused", is_refused).await;
    bob.offer_pictures(&of_bob, 1).await;
    of_bob.show(Picture::Camera, Some(1));
    bob.say(&json!({"type": "camera", "on": true}));
    bob.say(&json!({"type": "admit", "participant": guest_id}));
    guest.is_now("in").await;
    let of_guest = WebPictures::open().await;
    let lines = guest.offer_pictures(&of_guest, 2).await;
    guest.say(&watch(&lines[1], &bob_id, "camera"));
    of_guest.sees(&lines[1], 1).await;
    bob.say(&json!({"type": "leave"}));
    of_guest.sees_no(&lines[1], 1).await;
    assert_eq!(of_guest.count(&lines[0], 1), 0, "nothing comes on a line that is not named");
}

#[tokio::test]
async fn what_there_is_to_know_of_a_meeting_is_told_by_its_address() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let john = WebSession::of(&stage.server, User::JOHN).await;
    let shown = WebMeeting::ask(&stage.server, &meeting.url, Some(&john)).await.expect(200).json();
    assert_eq!(shown["meeting"]["subject"], "Weekly <sync>", "{shown}");
    assert_eq!(shown["meeting"]["organizer"], User::BOB.name, "{shown}");
    assert!(shown["meeting"]["startsAt"].as_str().is_some_and(|at| at.starts_with("2030-01-01T10:00")));
    assert_eq!((&shown["user"]["id"], &shown["guests"]), (&json!(User::JOHN.id), &json!(true)), "{shown}");
    let stranger = WebMeeting::ask(&stage.server, &meeting.url, None).await.expect(200).json();
    assert_eq!(stranger["user"], Value::Null, "{stranger}");
    // As the page has it: a path and a query.
    let (_, path) = meeting.url.split_once("/l/").expect("a path");
    WebMeeting::ask(&stage.server, &format!("/l/{path}"), None).await.expect(200);
    for other in ["", "/phone", &meeting.url.replace("thread.v2", "thread.v3")] {
        WebMeeting::ask(&stage.server, other, None).await.expect(404);
    }
}

#[tokio::test]
async fn strangers_pages_of_other_origins_and_guests_without_a_name_are_kept_out() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let open = async |origin, url: &str, visitor: Visitor<'_>| {
        let page = WebMeeting::try_open(&stage.server, (url, origin), visitor, GUEST_HZ).await;
        page.map(drop).unwrap_err()
    };
    assert_eq!(open(Some("https://evil.example"), &meeting.url, GUEST).await, 403);
    assert_eq!(open(None, "/l/meetup-join/nothing/0?context={}", GUEST).await, 404);
    let mut page =
        WebMeeting::try_open(&stage.server, (&meeting.url, None), GUEST, GUEST_HZ).await.expect("a socket");
    for name in [None, Some(""), Some("a\nb"), Some("\u{202e}nnA"), Some(&*"a".repeat(65))] {
        page.forget("refused");
        page.say(&json!({"type": "join", "name": name, "sdp": "v=0"}));
        let refused = page.expect("it is refused", |message| message["type"] == "refused").await;
        assert_eq!(refused["of"], "join", "{refused}");
    }
    page.say(&json!({"type": "hand", "raised": true}));
    page.expect("it is not in", |message| message["type"] == "error").await;
    page.forget("refused");
    page.say(&json!({"type": "join", "name": "Ann", "sdp": "v=0\r\n"}));
    page.expect("the offer is refused", |message| message["type"] == "refused").await;
    page.come_again(GUEST).await;
    page.is_now("in").await;
}

#[tokio::test]
async fn nobody_comes_in_to_a_meeting_that_was_deleted_after_the_page_was_loaded() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let page = WebMeeting::try_open(&stage.server, (&meeting.url, None), GUEST, GUEST_HZ).await;
    let page = page.expect("a socket");
    stage.bot.send(testkit::bare(Method::DELETE, &meeting.path)).await.expect(204);
    page.offer_to_come_in(GUEST).await;
    assert_eq!(page.ended().await, "over");
}

#[tokio::test]
async fn nobody_comes_in_to_a_locked_meeting() {
    let (tenant, john) = (App::CONTOSO, User::JOHN.id);
    let meeting = format!(
        "[[meetings]]\ntenants=['{tenant}']\nthread='19:meeting_x@thread.v2'\norganizer='{john}'\n\
         join-meeting-id='1234567'\nlobby-bypass='everyone'\nlocked=true\n"
    );
    let stage = Stage::with(Options::new().directory(&directory("", &meeting))).await;
    let url = format!(
        "/l/meetup-join/19:meeting_x@thread.v2/0?context={{\"Tid\":\"{tenant}\",\"Oid\":\"{john}\"}}"
    );
    let page = WebMeeting::try_open(&stage.server, (&url, None), GUEST, GUEST_HZ).await.expect("a socket");
    page.offer_to_come_in(GUEST).await;
    assert_eq!(page.ended().await, "locked");
}

#[tokio::test]
async fn guests_are_kept_out_where_the_setting_says_so() {
    let stage = Stage::with(Options::new().with("web.guests", "false")).await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let shown = WebMeeting::ask(&stage.server, &meeting.url, None).await.expect(200).json();
    assert_eq!(shown["guests"], false, "{shown}");
    let guest = WebMeeting::try_open(&stage.server, (&meeting.url, None), GUEST, GUEST_HZ).await;
    assert_eq!(guest.map(drop).unwrap_err(), 401);
    let john = WebSession::of(&stage.server, User::JOHN).await;
    meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await;
}

#[tokio::test]
async fn a_page_that_floods_or_says_what_is_no_message_loses_its_socket() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let open = async || {
        WebMeeting::try_open(&stage.server, (&meeting.url, None), GUEST, GUEST_HZ).await.expect("a socket")
    };
    let page = open().await;
    page.say(&json!({"type": "sing"}));
    page.expect("what makes no sense is told", |message| message["type"] == "error").await;
    for (message, reason) in [
        (Message::binary(vec![1]), "messages are text"),
        (Message::text("[]"), "messages are JSON objects"),
        (Message::text("x".repeat(65 * 1024)), "the message is longer than 64 KiB"),
    ] {
        let page = open().await;
        page.send(message);
        assert_eq!(page.expect_close().await, (1008, reason.to_owned()));
    }
    for _ in 0..200 {
        page.say(&json!({"type": "hand", "raised": true}));
    }
    assert_eq!(page.expect_close().await.0, 1008);

    let page = open().await;
    for _ in 0..10 {
        page.say(&json!({"type": "join", "name": "Ann", "sdp": "v=0"}));
        page.say(&json!({"type": "leave"}));
    }
    let is_slowed = |message: &Value| {
        message["message"].as_str().is_some_and(|text| text.starts_with("too many have come in"))
    };
    page.expect("whoever comes in again and again is slowed down", is_slowed).await;
}

#[tokio::test]
async fn what_all_are_told_of_and_offers_are_slowed_down_one_page_at_a_time() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let (john, _) = {
        let john = WebSession::of(&stage.server, User::JOHN).await;
        meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await
    };
    let (guest, guest_id) = meeting.enter(&stage, GUEST, GUEST_HZ).await;
    let asks_to_wait = |message: &Value, kind: &str, of: &str| {
        let is_it = message["type"] == kind && (of.is_empty() || message["of"] == of);
        is_it && message["message"].as_str().is_some_and(|text| text.ends_with("try again in a moment"))
    };
    for number in 0..20 {
        guest.say(&json!({"type": "hand", "raised": number % 2 == 0}));
    }
    guest.expect("hands go up and down too often", |told| asks_to_wait(told, "error", "")).await;
    for kind in ["offer", "pictures"] {
        for _ in 0..12 {
            guest.say(&json!({"type": kind, "sdp": "v=0"}));
        }
        guest.expect("there are too many offers", |told| asks_to_wait(told, "refused", kind)).await;
    }
    // Another page has what is its own, and the guest is still there.
    john.say(&json!({"type": "hand", "raised": true}));
    john.sees("a hand is up", |people| people.iter().any(|it| it["id"] != guest_id && !it["hand"].is_null()))
        .await;
    john.sees_of(&guest_id, "the guest", |it| it["isInLobby"] == false).await;
}

#[tokio::test]
async fn who_has_signed_in_does_not_wait_for_strangers_of_the_same_network() {
    let stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let john = WebSession::of(&stage.server, User::JOHN).await;
    let mut answers: Vec<u16> = Vec::new();
    while answers.last() != Some(&429) {
        assert!(answers.len() < 5_000, "strangers are never slowed down");
        answers.push(WebMeeting::ask(&stage.server, &meeting.url, None).await.status.as_u16());
    }
    WebMeeting::ask(&stage.server, &meeting.url, Some(&john)).await.expect(200);
    meeting.enter(&stage, Visitor::User(&john), JOHN_HZ).await;
}

#[tokio::test]
async fn a_server_that_leaves_says_good_bye_to_pages() {
    let mut stage = Stage::new().await;
    let meeting = Meeting::new(&stage, &json!({})).await;
    let (guest, _) = meeting.enter(&stage, GUEST, GUEST_HZ).await;
    let (code, ended) = (stage.server.terminate().await, guest.ended().await);
    assert_eq!((code, ended.as_str()), (0, "over"));
    assert_eq!(guest.expect_close().await, (1001, "the server is leaving".to_owned()));
}
