//! What most of these tests begin with.

use media_engine::analysis::{amplitude_at, sine};
use media_engine::{WavAudio, wav_file};
use serde_json::{Value, json};
use testkit::{
    App, Baresip, Bot, CallRequest, FileServer, Options, Received, Server, User, Webhook, sound_of,
};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_hookswitch");

/// A server, a bot that may do everything, and its webhook.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) webhook: Webhook,
    pub(crate) bot: Bot,
}

impl Stage {
    /// With the settings of `dev`.
    pub(crate) async fn new() -> Self {
        Self::with(Options::new()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let webhook = Webhook::start().await;
        let server = Server::start(PROGRAM, &webhook, options).await;
        let bot = Bot::of(&server).await;
        Self { server, webhook, bot }
    }

    /// The documented request for a call to a user.
    pub(crate) fn request(&self, user: User) -> CallRequest {
        CallRequest::to(user, &self.webhook.url())
    }

    /// Creates a call to a user.
    pub(crate) async fn call(&self, user: User) -> String {
        self.bot.call(&self.request(user)).await
    }

    /// Creates a call to a user and waits until it is established.
    pub(crate) async fn established(&self, user: User) -> String {
        let call = self.call(user).await;
        self.webhook.expect_state(&call, "established").await;
        call
    }

    /// Hangs up and waits for the end of the call.
    pub(crate) async fn end(&self, call: &str) {
        self.bot.hang_up(call).await.expect(204);
        let end = self.webhook.expect_end(call).await;
        assert_eq!(end.result(), Some((200, 7000)), "{}", end.body);
    }

    /// Lets a phone call a bot, and returns what the bot is told.
    pub(crate) async fn dial(&self, phone: &mut Baresip, app: App) -> Received {
        phone.command("dial", &format!("sip:{}@{}", app.id, self.server.sip())).await;
        self.incoming(app).await
    }

    /// Waits until a bot is told of a call that comes in.
    pub(crate) async fn incoming(&self, app: App) -> Received {
        let is_it = |one: &&Received| {
            let target = &one.data()["targets"][0]["identity"]["application"]["id"];
            one.change() == "created" && one.is_of_call() && *target == app.id
        };
        let told = self.webhook.wait_for("a call that comes in", |all| all.iter().find(is_it).cloned());
        told.await
    }

    /// What an operation has recorded, of which its notification tells.
    pub(crate) async fn recording(&self, data: &Value) -> WavAudio {
        let location = data["recordingLocation"].as_str().expect("a location");
        let path = location.strip_prefix(&self.server.base_url()).expect("on this server");
        let token = data["recordingAccessToken"].as_str().expect("a token");
        sound_of(&Bot::with_token(&self.server, token).get(path).await.expect(200).body)
    }

    /// Waits for the end of a call and returns its result.
    pub(crate) async fn result_of(&self, call: &str) -> (i64, i64) {
        let end = self.webhook.expect_end(call).await;
        end.result().unwrap_or_else(|| panic!("an end without a result: {}", end.body))
    }
}

/// Waits for a call that comes in, told of after the first `before`.
pub(crate) async fn incoming_call(webhook: &Webhook, before: usize) -> Value {
    let told = webhook.wait_for("a call that comes in", |received| {
        let is_it = |one: &&Received| one.change() == "created" && one.state() == "incoming";
        received.iter().skip(before).find(is_it).map(|one| one.data().clone())
    });
    told.await
}

/// A `mediaPrompt` for a URL.
pub(crate) fn prompt(url: &str) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.mediaPrompt",
        "mediaInfo": {"@odata.type": "#microsoft.graph.mediaInfo", "uri": url},
    })
}

/// The body of `playPrompt`.
pub(crate) fn prompts(urls: &[&str]) -> Value {
    let prompts: Vec<Value> = urls.iter().map(|url| prompt(url)).collect();
    json!({"clientContext": "prompts", "prompts": prompts})
}

/// Answers a call that comes in, with media of the server's.
pub(crate) async fn answer(stage: &Stage, call: &str) {
    let body = json!({
        "callbackUri": stage.webhook.url(),
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig", "preFetchMedia": []},
    });
    stage.bot.act(call, "answer", &body).await.expect(202);
    stage.webhook.expect_state(call, "established").await;
}

/// What [`prompt_of_a_tone`] sounds like.
pub(crate) const PROMPT_HZ: u32 = 440;

/// A prompt of a minute, so that it is heard whenever somebody listens.
pub(crate) async fn prompt_of_a_tone() -> FileServer {
    let tone = sine(f64::from(PROMPT_HZ), 8_000, 8_000.0, 60 * 8_000);
    FileServer::start([("/tone.wav", wav_file(8_000, &tone))]).await
}

/// Plays it.
pub(crate) async fn play(stage: &Stage, call: &str, files: &FileServer) {
    stage.bot.start(call, "playPrompt", &prompts(&[&files.url("/tone.wav")])).await;
}

/// Records two seconds, and checks that a tone is in them.
pub(crate) async fn assert_recorded(stage: &Stage, call: &str, hz: u32) {
    let body = json!({"maxRecordDurationInSeconds": 2, "playBeep": false});
    let operation = stage.bot.start(call, "recordResponse", &body).await;
    let end = stage.webhook.expect_operation(call, &operation).await;
    let recorded = stage.recording(end.data()).await;
    // Piece by piece: a buffer that has just begun stretches and shortens sound, and tones fall out of step with themselves.
    let pieces = recorded.samples.chunks(recorded.rate_hz as usize / 5);
    let tones = pieces.map(|piece| amplitude_at(piece, f64::from(hz), recorded.rate_hz));
    let tone = tones.fold(0.0, f64::max);
    assert!(tone > 3_000.0, "the bot recorded {hz} Hz with an amplitude of {tone:.0}");
}

/// The id of a call or an operation.
pub(crate) fn id_of(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_else(|| panic!("no id in {resource:#}")).to_owned()
}

/// The documented response to a call to a number, with what this server says instead of `graph.microsoft.com`; without the
/// ids, and without `preFetchMedia`, which the request does not have.
pub(crate) fn documented_call_to_number(base: &str, media: &Value) -> Value {
    json!({
        "@odata.context": format!("{base}/v1.0/$metadata#app/calls/$entity"),
        "@odata.type": "#microsoft.graph.call",
        "state": "establishing",
        "direction": "outgoing",
        "callbackUri": "https://bot.contoso.com/callback",
        "callRoutes": [],
        "source": {
            "@odata.type": "#microsoft.graph.participantInfo",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "applicationInstance": {
                    "@odata.type": "#microsoft.graph.identity",
                    "displayName": "Calling Bot",
                    "id": App::INSTANCE,
                },
            },
            "countryCode": null,
            "endpointType": null,
            "region": null,
            "languageId": null,
        },
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": {
                "@odata.type": "#microsoft.graph.identitySet",
                "phone": {"@odata.type": "#microsoft.graph.identity", "id": "+12345678901"},
            },
            "endpointType": null,
            "replacesCallId": null,
        }],
        "requestedModalities": ["audio"],
        "activeModalities": [],
        "mediaConfig": media,
        "routingPolicies": [],
        "tenantId": App::CONTOSO,
        "subject": null,
        "terminationReason": null,
        "ringingTimeoutInSeconds": null,
        "mediaState": null,
        "resultInfo": null,
        "answeredBy": null,
        "chatInfo": null,
        "meetingInfo": null,
        "transcription": null,
        "meetingCapability": null,
        "toneInfo": null,
    })
}

/// Everything that is documented is there, also where it is null.
#[track_caller]
pub(crate) fn assert_says(body: &Value, documented: &Value, place: &str) {
    match (body, documented) {
        (Value::Object(members), Value::Object(expected)) => {
            for (name, expected) in expected {
                let member =
                    members.get(name).unwrap_or_else(|| panic!("{place}.{name} is missing in {body:#}"));
                assert_says(member, expected, &format!("{place}.{name}"));
            }
        }
        (Value::Array(items), Value::Array(expected)) => {
            assert_eq!(items.len(), expected.len(), "{place}");
            for (item, expected) in items.iter().zip(expected) {
                assert_says(item, expected, &format!("{place}[]"));
            }
        }
        (body, documented) => assert_eq!(body, documented, "{place}"),
    }
}
