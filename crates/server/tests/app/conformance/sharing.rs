//! A screen is shared in a meeting: the pages `call-changescreensharingrole`, `call-list-contentsharingsessions` and
//! `contentsharingsession-get`, and what the first example of `application-post-calls` is told of a screen.

use serde_json::{Value, json};
use testkit::{App, MediaBot, Received};

use super::{assert_notified, of_app};
use crate::support::{Stage, assert_says, id_of};

const MEETING: &str =
    include_str!("../../../../graph-wire/tests/requests/06-join-by-coordinates-app-hosted.json");

/// A bot with media of its own that is in a meeting, and is told of screens.
struct Sharer {
    stage: Stage,
    call: Value,
    _media: MediaBot,
}

impl Sharer {
    async fn new() -> Self {
        let stage = Stage::new().await;
        let mut body: Value = serde_json::from_str(MEETING).expect("JSON");
        body["callbackUri"] = json!(stage.webhook.url());
        body["callOptions"] = json!({
            "@odata.type": "#microsoft.graph.outgoingCallOptions",
            "isContentSharingNotificationEnabled": true,
        });
        let call = stage.bot.post("/v1.0/communications/calls", &body).await.expect(201).json();
        let blob = call["mediaConfig"]["blob"].as_str().expect("a blob");
        let blob: Value = serde_json::from_str(blob).expect("JSON");
        let media = MediaBot::dial(blob["websocket"]["url"].as_str().expect("an address"), "mixed").await;
        stage.webhook.expect_state(&id_of(&call), "established").await;
        Self { stage, call, _media: media }
    }

    fn id(&self) -> String {
        id_of(&self.call)
    }

    /// Takes that side, which is answered without a body.
    async fn takes_side(&self, role: &str) {
        let reply = self.stage.bot.act(&self.id(), "changeScreenSharingRole", &json!({"role": role})).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (202, 0), "{reply}");
    }

    /// Waits for a roster in which the bot sends its screen, or does not.
    async fn is_shown(&self, sends: bool) -> Value {
        let sends_screen = |it: &Value| {
            it["mediaStreams"].as_array().is_some_and(|streams| {
                streams.iter().any(|stream| {
                    stream["mediaType"] == "videoBasedScreenSharing" && stream["direction"] == "sendOnly"
                })
            })
        };
        let id = self.call["myParticipantId"].clone();
        let is_it = |those: &[Value]| those.iter().any(|it| it["id"] == id && sends_screen(it) == sends);
        let roster = self.stage.webhook.expect_roster(&self.id(), "that side", is_it).await;
        roster.into_iter().find(|it| it["id"] == id).expect("the bot")
    }

    /// Waits until the call was told of the screen in that way.
    async fn told(&self, change: &'static str) -> Received {
        let url = format!("/communications/calls/{}/contentsharingsessions", self.id());
        let is_it = |told: &Received| told.notification()["resourceUrl"] == url && told.change() == change;
        self.stage.webhook.expect(&self.id(), change, is_it).await
    }

    /// The one session, as the list has it.
    async fn session(&self) -> String {
        let base = format!("{}/v1.0/$metadata#communications/calls", self.stage.server.base_url());
        let path = format!("/v1.0/communications/calls/{}/contentSharingSessions", self.id());
        let list = self.stage.bot.get(&path).await.expect(200).json();
        assert_eq!(list["@odata.context"], format!("{base}('{}')/contentSharingSessions", self.id()));
        let [session] = list["value"].as_array().expect("a list").as_slice() else { panic!("one: {list}") };
        assert_eq!(session["@odata.type"], "#microsoft.graph.contentSharingSession", "{list}");
        session["id"].as_str().expect("an id").to_owned()
    }
}

#[tokio::test]
async fn row_37_a_bot_takes_the_screen_and_gives_it_back() {
    let sharer = Sharer::new().await;
    sharer.takes_side("sharer").await;
    let shown = sharer.is_shown(true).await;
    assert_says(&shown["info"]["identity"], &of_app(App::CALLING_BOT), "$");
    let session = sharer.session().await;
    sharer.takes_side("viewer").await;
    sharer.is_shown(false).await;
    for change in ["created", "deleted"] {
        let documented = json!([{"@odata.type": "#microsoft.graph.contentSharingSession", "id": session}]);
        let place = format!("calls/{}/contentsharingsessions", sharer.id());
        assert_notified(&sharer.told(change).await, change, &place, &documented);
    }
    sharer.stage.end(&sharer.id()).await;
}

#[tokio::test]
async fn row_58_what_is_shared_is_listed() {
    let sharer = Sharer::new().await;
    let path = format!("/v1.0/communications/calls/{}/contentSharingSessions", sharer.id());
    assert_eq!(sharer.stage.bot.get(&path).await.expect(200).json()["value"], json!([]));
    sharer.takes_side("sharer").await;
    sharer.session().await;
    sharer.takes_side("viewer").await;
    assert_eq!(sharer.stage.bot.get(&path).await.expect(200).json()["value"], json!([]));
    sharer.stage.end(&sharer.id()).await;
}

#[tokio::test]
async fn row_59_one_that_is_shared_is_shown_while_it_is() {
    let sharer = Sharer::new().await;
    sharer.takes_side("sharer").await;
    let session = sharer.session().await;
    let path = format!("/v1.0/communications/calls/{}/contentSharingSessions/{session}", sharer.id());
    let shown = sharer.stage.bot.get(&path).await.expect(200).json();
    let documented = json!({"@odata.type": "#microsoft.graph.contentSharingSession", "id": session});
    assert_says(&shown, &documented, "$");
    sharer.takes_side("viewer").await;
    assert_eq!(sharer.stage.bot.get(&path).await.status, 404);
    sharer.stage.end(&sharer.id()).await;
}
