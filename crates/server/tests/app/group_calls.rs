//! Calls with several people: who is called, who hears whom, and how it ends.

use media_engine::analysis::{amplitude_at, rms};
use media_engine::{WavAudio, wav_file};
use serde_json::{Value, json};
use testkit::{App, Baresip, Bot, FileServer, Phone, PhoneCodec, User, melody, sound_of};

use crate::support::{Stage, prompt, prompts};

const REQUEST: &str = include_str!("../../../graph-wire/tests/requests/03-group.json");

/// The pitches of three phones: none is a harmonic of another.
const PITCHES: [u32; 3] = [420, 730, 1_130];
/// The phones of these tests and who they belong to.
const USERS: [User; 3] = [User::JOHN, User::USER1, User::USER2];
/// How loud a tone has to be to count as heard: a fifth of what the phone says.
const HEARD: f64 = 1_200.0;
/// What is left of a tone that is not heard.
const UNHEARD: f64 = 150.0;

/// Phones that say a tone each, and a bot in a call with them.
struct Trio {
    stage: Stage,
    phones: Vec<Baresip>,
    call: String,
    /// Participant ids, in the order of the phones.
    people: Vec<String>,
}

impl Trio {
    /// In a group call.
    async fn new(codecs: [PhoneCodec; 3]) -> Self {
        let (stage, phones) = Self::registered(codecs).await;
        let call = stage.bot.call(&group_request(&stage, &USERS)).await;
        Self::answered(stage, phones, call).await
    }

    /// In a meeting of the dev tenant, which the bot joins by its number and invites the others to.
    async fn in_meeting() -> Self {
        let (stage, phones) = Self::registered([PhoneCodec::Pcmu; 3]).await;
        let info = json!({
            "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
            "joinMeetingId": "1234567",
            "passcode": "psw123",
        });
        let request = stage.request(USERS[0]).with("targets", Value::Null).with("meetingInfo", info);
        let call = stage.bot.call(&request.with("tenantId", json!(App::CONTOSO))).await;
        stage.webhook.expect_state(&call, "established").await;
        let invited = json!({"participants": USERS.map(|user| target(&user)), "clientContext": "all"});
        stage.bot.start(&call, "participants/invite", &invited).await;
        Self::answered(stage, phones, call).await
    }

    async fn registered(codecs: [PhoneCodec; 3]) -> (Stage, Vec<Baresip>) {
        let stage = Stage::new().await;
        let mut phones = Vec::new();
        for (place, (user, codec)) in USERS.into_iter().zip(codecs).enumerate() {
            let phone = Phone { codec, tone_hz: Some(PITCHES[place]), ..Phone::AUTOMATIC };
            let address = stage.server.peer_address(3 * place as u16);
            phones.push(Baresip::register(&stage.server, user, address, phone).await);
        }
        (stage, phones)
    }

    async fn answered(stage: Stage, mut phones: Vec<Baresip>, call: String) -> Self {
        for phone in &mut phones {
            phone.expect("CALL_ESTABLISHED").await;
        }
        let people = people_of(&stage, &call, 4).await;
        Self { stage, phones, call, people }
    }

    fn participant(&self, place: usize) -> String {
        format!("participants/{}", self.people[place])
    }

    /// Lets the bot record for two seconds: what it hears, and time for the phones to hear it too.
    async fn record(&self) -> WavAudio {
        let body = json!({"maxRecordDurationInSeconds": 2, "playBeep": false});
        let operation = self.stage.bot.start(&self.call, "recordResponse", &body).await;
        let end = self.stage.webhook.expect_operation(&self.call, &operation).await;
        assert_eq!(end.result(), Some((200, 8515)), "{}", end.body);
        self.stage.recording(end.data()).await
    }

    /// Hangs up on everyone, and reads what each phone but `other` heard in its last second.
    async fn finish_without(mut self, other: usize) -> Vec<Option<WavAudio>> {
        let mut heard = Vec::new();
        for place in 0..self.people.len() {
            let path = format!("/v1.0/communications/calls/{}/{}", self.call, self.participant(place));
            let reply = self.stage.bot.delete(&path).await;
            assert!([204, 404].contains(&reply.status.as_u16()), "{reply}");
        }
        self.stage.webhook.expect_end(&self.call).await;
        for (place, phone) in self.phones.iter_mut().enumerate() {
            heard.push(if place == other { None } else { Some(last_second(phone).await) });
        }
        heard
    }

    /// The same of all phones.
    async fn finish(self) -> Vec<WavAudio> {
        self.finish_without(usize::MAX).await.into_iter().flatten().collect()
    }
}

fn target(user: &User) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.invitationParticipantInfo",
        "identity": {"@odata.type": "#microsoft.graph.identitySet", "user": {"id": user.id, "displayName": user.name}},
    })
}

fn group_request(stage: &Stage, users: &[User]) -> testkit::CallRequest {
    let targets: Vec<Value> = users.iter().map(target).collect();
    stage.request(users[0]).with("targets", json!(targets))
}

/// Ids of the people in a call, in the order of [`USERS`], once a roster has so many in all.
async fn people_of(stage: &Stage, call: &str, count: usize) -> Vec<String> {
    let what = format!("a roster of {count}");
    let roster = stage.webhook.expect_roster(call, &what, |those| those.len() == count).await;
    let id_of = |user: &User| {
        let is_it = |it: &&Value| it["info"]["identity"]["user"]["id"] == user.id;
        roster.iter().find(is_it).and_then(|it| it["id"].as_str()).map(str::to_owned)
    };
    USERS.iter().filter_map(id_of).collect()
}

/// The last whole second of what a phone heard, without its very end, in which the call was taken down.
async fn last_second(phone: &mut Baresip) -> WavAudio {
    phone.expect("CALL_CLOSED").await;
    let file = testkit::eventually("the phone has written what it heard", async || {
        let file = phone.dumps("dec").last().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        (media_engine::read_wav(&file, &media_engine::WavLimits::PROMPT).is_ok(), file)
    });
    let whole = sound_of(&file.await);
    let second = whole.rate_hz as usize;
    let end = whole.samples.len().saturating_sub(second / 10);
    let samples = whole.samples.get(end.saturating_sub(second)..end).unwrap_or_default().to_vec();
    assert_eq!(samples.len(), second, "the call was shorter than a second");
    WavAudio { samples, rate_hz: whole.rate_hz }
}

/// Asserts which of the three tones are in a sound.
fn assert_hears(who: &str, sound: &WavAudio, expected: [bool; 3]) {
    let amplitudes = PITCHES.map(|hz| amplitude_at(&sound.samples, f64::from(hz), sound.rate_hz));
    for (place, is_expected) in expected.into_iter().enumerate() {
        let (amplitude, hz) = (amplitudes[place], PITCHES[place]);
        let fits = if is_expected { amplitude > HEARD } else { amplitude < UNHEARD };
        assert!(
            fits,
            "{who} should {}hear {hz} Hz; heard {amplitudes:.0?}",
            if is_expected { "" } else { "not " }
        );
    }
}

fn assert_trio(heard: &[WavAudio], expected: [[bool; 3]; 3]) {
    for (place, (sound, expected)) in heard.iter().zip(expected).enumerate() {
        assert_hears(USERS[place].name, sound, expected);
    }
}

#[tokio::test]
async fn three_phones_hear_each_other_and_not_themselves_and_the_bot_records_all() {
    let trio = Trio::new([PhoneCodec::Pcmu; 3]).await;
    let recorded = trio.record().await;
    assert_hears("the bot", &recorded, [true; 3]);
    let heard = trio.finish().await;
    assert_trio(&heard, [[false, true, true], [true, false, true], [true, true, false]]);
}

#[tokio::test]
async fn three_phones_in_a_meeting_hear_each_other_and_not_whoever_is_muted() {
    let mut trio = Trio::in_meeting().await;
    assert_hears("the bot", &trio.record().await, [true; 3]);
    let mute = format!("{}/mute", trio.participant(0));
    trio.stage.bot.act(&trio.call, &mute, &json!({"clientContext": "quiet"})).await.expect(200);
    assert_hears("the bot", &trio.record().await, [false, true, true]);

    for place in 0..3 {
        let path = format!("/v1.0/communications/calls/{}/{}", trio.call, trio.participant(place));
        trio.stage.bot.delete(&path).await.expect(204);
    }
    let expected = [[false, true, true], [false, false, true], [false, true, false]];
    for (place, phone) in trio.phones.iter_mut().enumerate() {
        assert_hears(USERS[place].name, &last_second(phone).await, expected[place]);
    }
    trio.stage.end(&trio.call).await;
}

#[tokio::test]
async fn phones_of_different_codecs_hear_each_other() {
    let trio = Trio::new([PhoneCodec::Opus, PhoneCodec::G722, PhoneCodec::Pcma]).await;
    assert_hears("the bot", &trio.record().await, [true; 3]);
    let heard = trio.finish().await;
    assert_trio(&heard, [[false, true, true], [true, false, true], [true, true, false]]);
}

#[tokio::test]
async fn a_muted_phone_is_not_heard_and_still_hears() {
    let trio = Trio::new([PhoneCodec::Pcmu; 3]).await;
    let mute = format!("{}/mute", trio.participant(0));
    let reply = trio.stage.bot.act(&trio.call, &mute, &json!({"clientContext": "quiet"})).await.expect(200);
    assert_eq!(reply.json()["status"], "completed", "{reply}");
    let is_muted =
        |those: &[Value]| those.iter().any(|it| it["id"] == trio.people[0].as_str() && it["isMuted"] == true);
    trio.stage.webhook.expect_roster(&trio.call, "John muted", is_muted).await;
    let _recorded = trio.record().await;
    let recorded = trio.record().await;
    assert_hears("the bot", &recorded, [false, true, true]);
    let heard = trio.finish().await;
    assert_trio(&heard, [[false, true, true], [false, false, true], [false, true, false]]);
}

#[tokio::test]
async fn a_phone_that_holds_the_call_neither_hears_nor_is_heard() {
    let mut trio = Trio::new([PhoneCodec::Pcmu; 3]).await;
    trio.phones[1].command("hold", "").await;
    let id = trio.people[1].clone();
    let is_held = |those: &[Value]| {
        those.iter().any(|it| it["id"] == id.as_str() && it["mediaStreams"][0]["direction"] == "inactive")
    };
    trio.stage.webhook.expect_roster(&trio.call, "user1 on hold", is_held).await;
    let _settled = trio.record().await;
    assert_hears("the bot", &trio.record().await, [true, false, true]);
    let heard = trio.finish_without(1).await;
    assert_hears("John", heard[0].as_ref().expect("a sound"), [false, false, true]);
    assert_hears("user2", heard[2].as_ref().expect("a sound"), [true, false, false]);
}

#[tokio::test]
async fn the_source_of_a_private_route_is_heard_by_its_receiver_only() {
    let trio = Trio::new([PhoneCodec::Pcmu; 3]).await;
    let group = json!({
        "@odata.type": "#microsoft.graph.audioRoutingGroup",
        "id": "oneToOne",
        "routingMode": "oneToOne",
        "sources": [trio.people[0]],
        "receivers": [trio.people[1]],
    });
    let reply = trio.stage.bot.act(&trio.call, "audioRoutingGroups", &group).await.expect(200);
    assert_eq!(reply.json()["id"], "oneToOne", "{reply}");
    let _settled = trio.record().await;
    assert_hears("the bot", &trio.record().await, [false, true, true]);
    let heard = trio.finish().await;
    assert_trio(&heard, [[false, true, true], [true, false, true], [false, true, false]]);
}

#[tokio::test]
async fn when_one_leaves_the_others_go_on_and_are_told() {
    let mut trio = Trio::new([PhoneCodec::Pcmu; 3]).await;
    trio.phones[2].command("hangup", "").await;
    let has_left = |those: &[Value]| those.len() == 3;
    trio.stage.webhook.expect_roster(&trio.call, "three left", has_left).await;
    let _settled = trio.record().await;
    assert_hears("the bot", &trio.record().await, [true, true, false]);
    let heard = trio.finish_without(2).await;
    assert_hears("John", heard[0].as_ref().expect("a sound"), [false, true, false]);
    assert_hears("user1", heard[1].as_ref().expect("a sound"), [true, false, false]);
}

#[tokio::test]
async fn a_prompt_is_heard_by_all_and_music_on_hold_by_the_one_on_hold() {
    let stage = Stage::new().await;
    let files = FileServer::start([("/spoken.wav", wav_file(16_000, &melody(8, 3_000, 16_000)))]).await;
    let mut phones = Vec::new();
    for (place, user) in [User::JOHN, User::USER1].into_iter().enumerate() {
        let address = stage.server.peer_address(3 * place as u16);
        let quiet = Phone { tone_hz: Some(0), ..Phone::AUTOMATIC };
        phones.push(Baresip::register(&stage.server, user, address, quiet).await);
    }
    let call = stage.bot.call(&group_request(&stage, &[User::JOHN, User::USER1])).await;
    let people = people_of(&stage, &call, 3).await;

    let operation = stage.bot.start(&call, "playPrompt", &prompts(&[&files.url("/spoken.wav")])).await;
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);

    let hold = format!("participants/{}/startHoldMusic", people[0]);
    let reply =
        stage.bot.act(&call, &hold, &json!({"customPrompt": prompt(&files.url("/spoken.wav"))})).await;
    let operation = reply.expect(202).json()["id"].as_str().expect("an operation").to_owned();
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    let body =
        json!({"maxRecordDurationInSeconds": 3, "playBeep": false, "initialSilenceTimeoutInSeconds": 5});
    let operation = stage.bot.start(&call, "recordResponse", &body).await;
    stage.webhook.expect_operation(&call, &operation).await;
    for person in &people {
        let path = format!("/v1.0/communications/calls/{call}/participants/{person}");
        assert!([204, 404].contains(&stage.bot.delete(&path).await.status.as_u16()));
    }
    stage.webhook.expect_end(&call).await;

    let spoken = melody(8, 3_000, 8_000);
    for phone in &mut phones {
        let whole = whole_of(phone).await;
        let share = media_engine::analysis::share_heard(&spoken, &whole.samples, whole.rate_hz);
        assert!(share > 0.85, "only {share:.2} of the prompt was heard");
    }
    let (held, other) = (last_second(&mut phones[0]).await, last_second(&mut phones[1]).await);
    let (held, other) = (rms(&held.samples), rms(&other.samples));
    assert!(
        held > 1_000.0 && other < 100.0,
        "music at {held:.0} for the one on hold and {other:.0} for the other"
    );
}

/// Everything that a phone heard in its last call.
async fn whole_of(phone: &mut Baresip) -> WavAudio {
    let file = testkit::eventually("the phone has written what it heard", async || {
        let file = phone.dumps("dec").last().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        (media_engine::read_wav(&file, &media_engine::WavLimits::PROMPT).is_ok(), file)
    });
    sound_of(&file.await)
}

#[tokio::test]
async fn the_documented_group_call_is_answered_and_told_as_documented() {
    let stage = Stage::new().await;
    let bot = Bot::signed_in(&stage.server, App::TEST_BOT, App::CONTOSO).await;

    let call = bot.post_text("/v1.0/communications/calls", REQUEST).await.expect(201).json();
    let id = call["id"].as_str().expect("an id").to_owned();
    assert_eq!(call["subject"], "Create a group call with service hosted media");
    assert_eq!(call["targets"].as_array().map(Vec::len), Some(2));
    assert_eq!(call["state"], "establishing");

    stage.webhook.expect_state(&id, "established").await;
    let roster = stage.webhook.expect_roster(&id, "a roster of two", |those| those.len() == 2).await;
    let names: Vec<_> = roster
        .iter()
        .map(|it| {
            let identity = &it["info"]["identity"];
            identity["application"]["displayName"].as_str().or(identity["user"]["displayName"].as_str())
        })
        .collect();
    assert_eq!(names, [Some("TestBot"), Some("user1")], "user2 declines");
    bot.hang_up(&id).await.expect(204);
    assert_eq!(stage.result_of(&id).await, (200, 7000));
}

#[tokio::test]
async fn a_group_call_that_nobody_takes_ends_as_nobody_joined() {
    let stage = Stage::new().await;
    let request = group_request(&stage, &[User::USER2, User::USER2]);
    let call = stage.bot.call(&request).await;
    assert_eq!(stage.result_of(&call).await, (200, 5013));
}

#[tokio::test]
async fn inviting_into_a_call_between_two_makes_it_a_group_call() {
    let stage = Stage::new().await;
    let call = stage.established(User::USER1).await;
    let invite = json!({
        "participants": [{"identity": {"user": {"id": User::JOHN.id, "displayName": "John"}}}],
        "clientContext": "more",
    });
    let operation = stage.bot.start(&call, "participants/invite", &invite).await;
    let end = stage.webhook.expect_operation(&call, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    stage.webhook.expect_roster(&call, "a roster of three", |those| those.len() == 3).await;
    // John presses 1 and pound.
    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    assert_eq!(stage.webhook.expect_tones(&call, 2).await, ["tone1", "pound"]);
    stage.end(&call).await;
}

#[tokio::test]
async fn people_go_on_without_the_bot_until_the_server_ends() {
    let mut stage = Stage::new().await;
    let call = stage.bot.call(&group_request(&stage, &[User::USER1, User::JOHN])).await;
    people_of(&stage, &call, 3).await;
    stage.end(&call).await;
    let metrics = stage.server.get("/metrics").await.expect(200);
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(text.lines().any(|line| line == "hookswitch_conferences 1"), "{text}");

    assert_eq!(stage.server.terminate().await, 0, "nobody keeps the server from ending");
}

#[tokio::test]
async fn a_participant_that_replaces_a_call_ends_that_call() {
    let stage = Stage::new().await;
    let first = stage.established(User::JOHN).await;
    let group = stage.established(User::USER1).await;
    let invite = json!({
        "participants": [{"identity": {"user": {"id": User::JOHN.id}}, "replacesCallId": first}],
    });
    let operation = stage.bot.start(&group, "participants/invite", &invite).await;
    let end = stage.webhook.expect_operation(&group, &operation).await;
    assert_eq!(end.result(), Some((200, 0)), "{}", end.body);
    assert_eq!(stage.result_of(&first).await, (200, 5003));
    stage.end(&group).await;
}
