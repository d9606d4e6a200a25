//! The meeting page: people at browsers, at phones, and bots in one meeting.

use serde_json::{Value, json};
use testkit::{App, Baresip, Browser, Cable, Colour, Options, Page, Phone, PortBlock, User, eventually};

use super::{MENDED, MICROPHONE_HZ, OTHER_MICROPHONE_HZ};
use crate::support::{PROMPT_HZ, Stage, assert_recorded, play, prompt_of_a_tone};

/// What phones say.
const PHONE_HZ: u32 = 910;

/// A meeting that John has called, and in which the bot is.
struct Meeting {
    stage: Stage,
    call: String,
    /// Where people join, without the host.
    path: String,
}

impl Meeting {
    async fn new() -> Self {
        Self::with(Options::new()).await
    }

    async fn with(options: Options) -> Self {
        let stage = Stage::with(options).await;
        let meetings = format!("/v1.0/users/{}/onlineMeetings", User::JOHN.id);
        let body = json!({"subject": "Planning", "lobbyBypassSettings": {"scope": "organization"}});
        let meeting = stage.bot.post(&meetings, &body).await.expect(201).json();
        let info = json!({
            "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": meeting["joinMeetingIdSettings"]["joinMeetingId"],
            "passcode": meeting["joinMeetingIdSettings"]["passcode"],
        });
        let options = json!({
            "@odata.type": "#microsoft.graph.outgoingCallOptions",
            "isContentSharingNotificationEnabled": true,
        });
        let request = stage.request(User::JOHN).with("targets", Value::Null).with("meetingInfo", info);
        let request = request.with("callOptions", options).with("tenantId", json!(App::CONTOSO));
        let call = stage.bot.call(&request).await;
        stage.webhook.expect_state(&call, "established").await;
        let url = meeting["joinWebUrl"].as_str().expect("an address");
        let path = url.find("/l/").and_then(|at| url.get(at..)).expect("a path").to_owned();
        Self { stage, call, path }
    }

    /// The address of its page.
    fn url(&self) -> String {
        self.stage.server.base_url() + &self.path
    }

    /// Waits until the bot's roster has somebody of whom that is true.
    async fn roster_has(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let roster = self.stage.webhook.expect_roster(&self.call, what, |those| those.iter().any(&is_it));
        roster.await.into_iter().find(|it| is_it(it)).expect("somebody")
    }

    /// Waits until the bot was told so much of what is shared, and returns how it was told.
    async fn sharing(&self, count: usize) -> Vec<(String, String)> {
        let url = format!("/communications/calls/{}/contentsharingsessions", self.call);
        self.stage
            .webhook
            .wait_for("a shared screen", |all| {
                let told: Vec<_> = all
                    .iter()
                    .filter(|one| one.notification()["resourceUrl"] == url)
                    .map(|one| {
                        let id = one.data()[0]["id"].as_str().unwrap_or_default();
                        (one.change().to_owned(), id.to_owned())
                    })
                    .collect();
                (told.len() >= count).then_some(told)
            })
            .await
    }
}

/// A user joins by a page.
async fn join(page: &Page, user: User) {
    page.click("Sign in").await;
    page.sign_in(user).await;
    page.sees("You join as").await;
    page.click("Join").await;
    page.finds("button", "Leave").await;
}

fn is_of(user: User) -> impl Fn(&Value) -> bool {
    move |it| it["info"]["identity"]["user"]["id"] == user.id
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Kind, direction and number of each stream of somebody in a roster.
fn streams(person: &Value) -> Vec<(&str, &str, &str)> {
    let streams = person["mediaStreams"].as_array().into_iter().flatten();
    streams.map(|it| (text(&it["mediaType"]), text(&it["direction"]), text(&it["sourceId"]))).collect()
}

#[tokio::test]
async fn john_at_a_browser_a_phone_and_the_bot_hear_each_other_and_a_guest_is_let_in() {
    let (meeting, files) = (Meeting::new().await, prompt_of_a_tone().await);
    let (stage, call) = (&meeting.stage, &meeting.call);
    let setup = Phone { tone_hz: Some(PHONE_HZ), ..Phone::AUTOMATIC };
    let mut phone = Baresip::register(&stage.server, User::BOB, stage.server.peer_address(0), setup).await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let john = browser.open("John", &meeting.url()).await;
    john.finds("heading", "Planning").await;
    john.look("server-meeting-before").await;
    join(&john, User::JOHN).await;
    let invite =
        json!({"participants": [{"identity": {"user": {"id": User::BOB.id}}}], "clientContext": "Bob"});
    stage.bot.start(call, "participants/invite", &invite).await;
    phone.expect("CALL_ESTABLISHED").await;
    play(stage, call, &files).await;

    john.hears(PHONE_HZ).await;
    john.hears(PROMPT_HZ).await;
    phone.hears(MICROPHONE_HZ).await;
    phone.hears(PROMPT_HZ).await;
    stage.bot.act(call, "cancelMediaProcessing", &json!({})).await.expect(200);
    assert_recorded(stage, call, MICROPHONE_HZ).await;
    assert_recorded(stage, call, PHONE_HZ).await;

    let ann = browser.open_with_tone("Ann", &meeting.url(), OTHER_MICROPHONE_HZ).await;
    ann.fill("Your name", "Ann <b>").await;
    ann.click("Join").await;
    ann.sees("Somebody will let you in soon").await;
    let is_ann = |it: &Value| it["info"]["identity"]["guest"]["displayName"] == "Ann <b>";
    meeting.roster_has("Ann in the lobby", |it| is_ann(it) && it["isInLobby"] == true).await;
    ann.look("server-meeting-lobby").await;
    john.click("Admit Ann <b>").await;
    meeting.roster_has("Ann, let in", |it| is_ann(it) && it["isInLobby"] == false).await;
    ann.hears(MICROPHONE_HZ).await;
    ann.hears(PHONE_HZ).await;
    john.hears(OTHER_MICROPHONE_HZ).await;
    phone.hears(OTHER_MICROPHONE_HZ).await;
    john.click("People").await;
    // The bot has invited him by his id.
    john.finds("button", "Mute Bob").await;
    john.look("server-meeting-people").await;
    john.click("Mute Ann <b>").await;
    john.hears_no(OTHER_MICROPHONE_HZ).await;
    ann.click("Mute").await;
    john.hears(OTHER_MICROPHONE_HZ).await;
    ann.click("Raise hand").await;
    john.sees("raises a hand").await;
    john.click("Remove Ann <b>").await;
    john.click("Send out").await;
    ann.sees("You were sent out of the meeting").await;
    john.click("Leave").await;
    john.sees("You left the meeting").await;
    let is_without_john = |those: &[Value]| those.len() == 2 && !those.iter().any(is_of(User::JOHN));
    stage.webhook.expect_roster(call, "the bot and Bob", is_without_john).await;
}

#[tokio::test]
async fn bob_shares_his_screen_which_john_sees_and_the_bot_is_told_of() {
    let meeting = Meeting::new().await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let john = browser.open("John", &meeting.url()).await;
    join(&john, User::JOHN).await;
    let bob = browser.open_with_tone("Bob", &meeting.url(), OTHER_MICROPHONE_HZ).await;
    join(&bob, User::BOB).await;
    john.hears(OTHER_MICROPHONE_HZ).await;

    bob.click("Camera").await;
    // Of three sizes, the one that fits his tile.
    john.shows(Colour::ORANGE, 300..=400).await;
    bob.paint_screen(Colour::BLUE).await;
    bob.click("Share screen").await;
    john.shows(Colour::BLUE, 360..).await;
    let told = meeting.sharing(2).await;
    let id = &told[0].1;
    assert_eq!(told, [("created".to_owned(), id.clone()), ("updated".to_owned(), id.clone())]);
    let is_sharing =
        |it: &Value| is_of(User::BOB)(it) && streams(it).len() == 3 && streams(it)[2].1 == "sendOnly";
    let seen = meeting.roster_has("Bob, who shares", is_sharing).await;
    let kinds = [("audio", "sendReceive"), ("video", "sendReceive"), ("videoBasedScreenSharing", "sendOnly")];
    assert_eq!(
        streams(&seen).iter().map(|(kind, way, _)| (*kind, *way)).collect::<Vec<_>>(),
        kinds,
        "{seen}"
    );
    let session = format!("/v1.0/communications/calls/{}/contentSharingSessions/{id}", meeting.call);
    assert_eq!(&meeting.stage.bot.get(&session).await.expect(200).json()["id"], id);
    john.shows(Colour::ORANGE, 100..=200).await;
    john.look("server-meeting-screen").await;

    bob.paint_screen(Colour::GREEN).await;
    john.shows(Colour::GREEN, 360..).await;
    // Whoever comes later sees a screen that stands still, too.
    let ann = browser.open("Ann", &meeting.url()).await;
    join(&ann, User::USER1).await;
    ann.shows(Colour::GREEN, 360..).await;
    ann.shows(Colour::ORANGE, 90..).await;

    bob.click("Share screen").await;
    john.shows_no(Colour::GREEN).await;
    assert_eq!(meeting.sharing(3).await[2], ("deleted".to_owned(), id.clone()));
    john.shows(Colour::ORANGE, 90..).await;
    bob.click("Camera").await;
    john.shows_no(Colour::ORANGE).await;
    let is_unseen = |it: &Value| {
        is_of(User::BOB)(it) && streams(it).iter().skip(1).all(|(_, way, _)| *way == "receiveOnly")
    };
    meeting.roster_has("Bob, who shows nothing any more", is_unseen).await;
    john.look("server-meeting-in").await;
}

#[tokio::test]
async fn a_meeting_is_heard_and_seen_again_when_the_network_is_lost_or_the_page_loaded_anew() {
    let ports = PortBlock::take();
    let media = ports.address(1);
    let meeting = Meeting::with(Cable::options(media)).await;
    let cable = Cable::to(&meeting.stage.server, media).await;
    let browser = Browser::start(MICROPHONE_HZ).await;
    let john = browser.open("John", &(cable.base_url() + &meeting.path)).await;
    join(&john, User::JOHN).await;
    let bob = browser.open_with_tone("Bob", &(cable.base_url() + &meeting.path), OTHER_MICROPHONE_HZ).await;
    join(&bob, User::BOB).await;
    bob.click("Camera").await;
    john.shows(Colour::ORANGE, 90..).await;
    john.hears(OTHER_MICROPHONE_HZ).await;
    john.watch(OTHER_MICROPHONE_HZ).await;
    cable.change_network();
    let silence = eventually("sound was lost, and is back", async || {
        let silence = john.silence().await;
        (silence.is_over(), silence)
    });
    let silence = silence.await;
    assert!(silence.longest < MENDED, "{silence:?}");
    bob.hears(MICROPHONE_HZ).await;
    john.shows(Colour::ORANGE, 90..).await;

    john.reload().await;
    john.hears(OTHER_MICROPHONE_HZ).await;
    john.shows(Colour::ORANGE, 90..).await;
    bob.hears(MICROPHONE_HZ).await;
    let people = |those: &[Value]| those.iter().filter(|it| is_of(User::JOHN)(it)).count() == 1;
    meeting.stage.webhook.expect_roster(&meeting.call, "John once", people).await;
}
