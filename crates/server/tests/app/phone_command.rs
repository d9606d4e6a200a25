//! `hookswitch phone`, run as people and CI run it, against bots.

use std::path::PathBuf;
use std::process::Stdio;

use media_engine::analysis::{share_heard, sine};
use media_engine::wav_file;
use serde_json::{Value, json};
use testkit::{App, FileServer, Options, TempDir, User, melody, sound_of, within};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{PROGRAM, Stage, id_of, prompts};

const RATE_HZ: u32 = 16_000;

/// `hookswitch phone` while it runs.
pub(crate) struct Phone {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    shown: Vec<String>,
    dir: TempDir,
}

/// What it ended with.
pub(crate) struct Ended {
    code: Option<i32>,
    pub(crate) shown: String,
    pub(crate) complaint: String,
    dir: TempDir,
}

impl Phone {
    /// Starts it as a user at the server of a stage.
    pub(crate) fn start(stage: &Stage, user: User, arguments: &[&str]) -> Self {
        let server = stage.server.sip().to_string();
        let common = ["--as", user.sip_name, "--server", &server, "--expect-timeout", "20s"];
        Self::run(TempDir::new("phone"), &[&common[..], arguments].concat())
    }

    fn run(dir: TempDir, arguments: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKSWITCH_"))
        {
            command.env_remove(name);
        }
        command.current_dir(dir.path()).arg("phone").args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("failed to start the program");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, lines, shown: Vec::new(), dir }
    }

    /// Waits until it shows these words.
    pub(crate) async fn expect(&mut self, words: &str) {
        let what = format!("the phone shows {words:?}");
        let shown = within(&what, async {
            while let Some(line) = self.lines.next_line().await.expect("text") {
                self.shown.push(line);
                if self.shown.last().is_some_and(|line| line.contains(words)) {
                    return true;
                }
            }
            false
        });
        if !shown.await {
            let ended = self.drain().await;
            panic!("it ended without {words:?}: {ended}");
        }
    }

    async fn drain(&mut self) -> String {
        let mut complaint = String::new();
        self.child.stderr.take().expect("a pipe").read_to_string(&mut complaint).await.expect("text");
        format!("{}\n{complaint}", self.shown.join("\n"))
    }

    /// Waits until it ends.
    pub(crate) async fn ended(mut self) -> Ended {
        let whole = within("the phone ends", async {
            while let Some(line) = self.lines.next_line().await.expect("text") {
                self.shown.push(line);
            }
            let mut complaint = String::new();
            self.child.stderr.take().expect("a pipe").read_to_string(&mut complaint).await.expect("text");
            (self.child.wait().await.expect("an exit code").code(), complaint)
        });
        let (code, complaint) = whole.await;
        Ended { code, shown: self.shown.join("\n"), complaint, dir: self.dir }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.shown, self.complaint);
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}\n{}", self.shown))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn bot() -> String {
    format!("sip:{}", App::CALLING_BOT.id)
}

fn service_hosted() -> Value {
    json!({
        "callbackUri": "https://bot.contoso.com/callback",
        "acceptedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
    })
}

/// The bot answers whoever calls it; gives the call's id.
pub(crate) async fn answer(stage: &Stage) -> String {
    let id = id_of(stage.incoming(App::CALLING_BOT).await.data());
    stage.bot.act(&id, "answer", &service_hosted()).await.expect(202);
    stage.webhook.expect_state(&id, "established").await;
    id
}

/// Some seconds of 440 Hz.
pub(crate) async fn tone_file() -> FileServer {
    FileServer::start([("/tone.wav", wav_file(RATE_HZ, &sine(440.0, RATE_HZ, 8_000.0, 64_000)))]).await
}

#[tokio::test]
async fn a_phone_calls_a_bot_hears_its_tone_presses_keys_and_says_that_all_is_well() {
    let (stage, files) = (Stage::new().await, tone_file().await);
    let target = bot();
    let arguments = ["--dial", &target, "--expect-tone", "440", "--dtmf", "1#", "--junit", "report.xml"];
    let phone = Phone::start(&stage, User::JOHN, &arguments);
    let id = answer(&stage).await;
    stage.bot.start(&id, "subscribeToTone", &json!({})).await;
    stage.bot.start(&id, "playPrompt", &prompts(&[&files.url("/tone.wav")])).await;

    let ended = phone.ended().await;

    ended.assert_code(0);
    assert_eq!(stage.webhook.expect_tones(&id, 2).await, ["tone1", "pound"]);
    stage.webhook.expect(&id, "the end", |one| one.change() == "deleted").await;
    for words in [
        "registered as sip:john@",
        "calls sip:",
        "answered",
        "--expect-tone 440",
        "heard the tone",
        "hung up",
    ] {
        assert!(ended.shown.contains(words), "{words} is not shown:\n{}", ended.shown);
    }
    let report = String::from_utf8(ended.file("report.xml")).expect("text");
    assert!(report.contains("tests=\"3\" failures=\"0\" errors=\"0\" skipped=\"0\""), "{report}");
    assert!(report.contains("name=\"--expect-tone 440\""), "{report}");
    assert!(!ended.path("hookswitch-phone-heard.wav").exists(), "a call that passed leaves nothing behind");
}

#[tokio::test]
async fn a_bot_that_stays_silent_fails_the_call_with_the_moment_and_the_sound() {
    let stage = Stage::new().await;
    let target = bot();
    let arguments = [
        "--dial",
        &target,
        "--expect-timeout",
        "1s",
        "--expect-tone",
        "440",
        "--dtmf",
        "1#",
        "--json",
        "--junit",
        "report.xml",
    ];
    let server = stage.server.sip().to_string();
    let phone = Phone::run(
        TempDir::new("phone"),
        &[&["--as", "john@contoso.example", "--server", &server, "--transport", "tcp"][..], &arguments]
            .concat(),
    );
    answer(&stage).await;

    let ended = phone.ended().await;

    ended.assert_code(1);
    let reason = "expected a tone of 440 Hz within 1 s; heard silence (";
    assert!(ended.complaint.contains("hookswitch: failed at 00:0"), "{}", ended.complaint);
    assert!(ended.complaint.contains(reason), "{}", ended.complaint);
    assert!(
        ended.complaint.contains("what was heard is in hookswitch-phone-heard.wav"),
        "{}",
        ended.complaint
    );
    let heard = sound_of(&ended.file("hookswitch-phone-heard.wav"));
    assert!(heard.samples.len() > 8_000 && heard.rate_hz == RATE_HZ);
    let report = String::from_utf8(ended.file("report.xml")).expect("text");
    assert!(
        report.contains("<failure message=\"failed at 00:0") && report.contains("<skipped/>"),
        "{report}"
    );
    let last: Value = serde_json::from_str(ended.shown.lines().last().unwrap_or_default()).expect("JSON");
    assert_eq!((&last["verdict"], &last["steps"][1]["outcome"]), (&json!("failed"), &json!("notReached")));
}

#[tokio::test]
async fn a_bot_calls_a_waiting_phone_which_hears_the_prompt_and_presses_keys() {
    let stage = Stage::new().await;
    let spoken = wav_file(RATE_HZ, &melody(8, 3_000, RATE_HZ));
    let files = FileServer::start([("/spoken.wav", spoken.clone())]).await;
    let dir = TempDir::new("phone");
    dir.write("prompt.wav", &spoken);
    let server = stage.server.sip().to_string();
    let mut phone = Phone::run(
        dir,
        &[
            "--as",
            "john",
            "--server",
            &server,
            "--wait",
            "--expect-audio",
            "prompt.wav",
            "within",
            "20s",
            "--dtmf",
            "1#",
            "--pause",
            "500ms",
            "--record",
            "heard.wav",
            "--junit",
            "report.xml",
        ],
    );
    phone.expect("waits for a call").await;

    let call = stage.established(User::JOHN).await;
    stage.bot.start(&call, "subscribeToTone", &json!({})).await;
    stage.bot.start(&call, "playPrompt", &prompts(&[&files.url("/spoken.wav")])).await;
    assert_eq!(stage.webhook.expect_tones(&call, 2).await, ["tone1", "pound"]);
    assert_eq!(stage.result_of(&call).await, (200, 4521));

    let ended = phone.ended().await;
    ended.assert_code(0);
    assert!(ended.shown.contains("heard the sound, from 00:"), "{}", ended.shown);
    let heard = sound_of(&ended.file("heard.wav"));
    let share = share_heard(&melody(8, 3_000, RATE_HZ), &heard.samples, heard.rate_hz);
    assert!(share > 0.85, "only {share:.2} of the prompt is in what was recorded");
    let report = String::from_utf8(ended.file("report.xml")).expect("text");
    assert!(report.contains("name=\"--expect-audio prompt.wav within 20s\""), "{report}");
}

#[tokio::test]
async fn another_sound_than_the_expected_one_is_not_taken_for_it() {
    let (stage, files) = (Stage::new().await, tone_file().await);
    let dir = TempDir::new("phone");
    dir.write("prompt.wav", wav_file(RATE_HZ, &melody(8, 2_000, RATE_HZ)));
    let (server, target) = (stage.server.sip().to_string(), bot());
    let phone = Phone::run(
        dir,
        &[
            "--as",
            "john",
            "--server",
            &server,
            "--dial",
            &target,
            "--expect-audio",
            "prompt.wav",
            "within",
            "2s",
        ],
    );
    let id = answer(&stage).await;
    stage.bot.start(&id, "playPrompt", &prompts(&[&files.url("/tone.wav")])).await;

    let ended = phone.ended().await;

    ended.assert_code(1);
    let reason = "expected the sound to begin within 2 s; heard other sound (-";
    assert!(ended.complaint.contains(reason), "{}", ended.complaint);
}

#[tokio::test]
async fn a_held_bot_is_told_and_told_when_it_is_back() {
    let stage = Stage::new().await;
    let target = bot();
    let phone = Phone::start(&stage, User::JOHN, &["--dial", &target, "--hold", "500ms", "--pause", "500ms"]);
    let id = answer(&stage).await;
    let media = |state: &'static str| {
        let is_it = move |one: &testkit::Received| one.data()["mediaState"]["audio"] == state;
        stage.webhook.expect(&id, state, is_it)
    };
    let held = media("inactive").await.sequence();
    let is_back =
        move |one: &testkit::Received| one.data()["mediaState"]["audio"] == "active" && one.sequence() > held;
    stage.webhook.expect(&id, "the phone is back", is_back).await;
    phone.ended().await.assert_code(0);
}

#[tokio::test]
async fn two_phones_call_each_other_and_hear_each_other() {
    let stage = Stage::new().await;
    let waiting = ["--wait", "--tone", "440", "--expect-tone", "620"];
    let mut waits = Phone::start(&stage, User::BOB, &waiting);
    waits.expect("waits for a call").await;
    let calling =
        ["--dial", "bob", "--expect-tone", "440", "--tone", "620", "for", "2s", "--hang-up-after", "20s"];
    let calls = Phone::start(&stage, User::JOHN, &calling);
    let waited = waits.ended().await;
    waited.assert_code(0);
    // Whom it called may have heard enough while it still played.
    let called = calls.ended().await;
    assert!(called.shown.contains("heard the tone"), "{}\n{}", called.shown, called.complaint);
}

#[tokio::test]
async fn keys_of_one_phone_come_to_the_other_in_their_order() {
    let stage = Stage::new().await;
    let mut waits = Phone::start(&stage, User::BOB, &["--wait", "--expect-dtmf", "1223#", "--dtmf", "*0"]);
    waits.expect("waits for a call").await;
    let calls =
        Phone::start(&stage, User::JOHN, &["--dial", "bob", "--dtmf", "1223#", "--expect-dtmf", "*0"]);
    calls.ended().await.assert_code(0);
    waits.ended().await.assert_code(0);
}

#[tokio::test]
async fn a_phone_hands_its_call_over_to_somebody_else_and_a_transfer_to_nobody_fails() {
    let stage = Stage::new().await;
    let target = bot();
    let phone = Phone::start(&stage, User::JOHN, &["--dial", &target, "--transfer", "user1"]);
    answer(&stage).await;
    let ended = phone.ended().await;
    ended.assert_code(0);

    let phone = Phone::start(&stage, User::BOB, &["--dial", "user1", "--transfer", "nobody"]);
    let ended = phone.ended().await;
    ended.assert_code(1);
    assert!(ended.complaint.contains("(404)"), "{}", ended.complaint);
}

#[tokio::test]
async fn a_verdict_comes_first_where_a_report_cannot_be_written() {
    let stage = Stage::new().await;
    let calling = ["--dial", "nobody", "--junit", "/nowhere/at/all.xml"];
    let ended = Phone::start(&stage, User::JOHN, &calling).ended().await;
    ended.assert_code(1);
    let verdict = ended.complaint.find("(404)");
    let report = ended.complaint.find("--junit");
    assert!(verdict.is_some() && verdict < report, "{}", ended.complaint);
}

#[tokio::test]
async fn a_wrong_password_is_named_with_the_option() {
    let stage = Stage::with(Options::new()).await;
    let target = bot();
    let ended = Phone::start(&stage, User::JOHN, &["--dial", &target, "--password", "guess"]).ended().await;
    ended.assert_code(1);
    assert!(ended.complaint.contains("the password is wrong"), "{}", ended.complaint);
    assert!(ended.complaint.contains("check --as and --password"), "{}", ended.complaint);
    assert!(stage.webhook.received().is_empty(), "nobody was called");
}

#[tokio::test]
async fn refusals_are_named_and_can_be_expected() {
    let stage = Stage::new().await;
    let ended = Phone::start(&stage, User::JOHN, &["--dial", "nobody"]).ended().await;
    ended.assert_code(1);
    assert!(ended.complaint.contains("not found (404)"), "{}", ended.complaint);

    let target = bot();
    let phone = Phone::start(&stage, User::JOHN, &["--dial", &target, "--expect-refused", "486"]);
    let id = id_of(stage.incoming(App::CALLING_BOT).await.data());
    stage.bot.act(&id, "reject", &json!({"reason": "busy"})).await.expect(202);
    let ended = phone.ended().await;
    ended.assert_code(0);
    assert!(ended.shown.contains("refused, as expected: busy (486)"), "{}", ended.shown);
}

#[tokio::test]
async fn a_call_without_steps_lasts_until_the_bot_hangs_up_and_one_with_a_time_until_then() {
    let stage = Stage::new().await;
    let target = bot();
    let phone = Phone::start(&stage, User::JOHN, &["--dial", &target]);
    let id = answer(&stage).await;
    stage.end(&id).await;
    let ended = phone.ended().await;
    ended.assert_code(0);
    assert!(ended.shown.contains("the far end hung up"), "{}", ended.shown);

    let phone = Phone::start(&stage, User::USER1, &["--dial", &target, "--hang-up-after", "300ms"]);
    let other = |one: &&testkit::Received| one.change() == "created" && one.data()["id"] != id.as_str();
    let told = stage.webhook.wait_for("another call", |all| all.iter().find(other).cloned()).await;
    let second = id_of(told.data());
    stage.bot.act(&second, "answer", &service_hosted()).await.expect(202);
    phone.ended().await.assert_code(0);
}

#[tokio::test]
async fn a_phone_that_is_interrupted_hangs_up_and_fails() {
    let stage = Stage::new().await;
    let target = bot();
    let mut phone = Phone::start(&stage, User::JOHN, &["--dial", &target, "--expect-dtmf", "1"]);
    let id = answer(&stage).await;
    phone.expect("--expect-dtmf 1").await;
    let process = i32::try_from(phone.child.id().expect("it runs")).expect("process ids are positive");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), nix::sys::signal::Signal::SIGINT)
        .expect("a signal");
    let ended = phone.ended().await;
    ended.assert_code(1);
    assert!(ended.complaint.contains("interrupted before --expect-dtmf 1 was done"), "{}", ended.complaint);
    stage.webhook.expect(&id, "the end", |one| one.change() == "deleted").await;
}

#[tokio::test]
async fn wrong_use_and_an_absent_server_are_told_apart() {
    for (arguments, code, words) in [
        (&["--as", "john"][..], 2, "--dial"),
        (&["--as", "john", "--dial", "bot", "--expect-tone", "high"], 2, "--expect-tone: 'high' is no pitch"),
        (&["--as", "john", "--dial", "bot", "--say", "absent.wav"], 2, "failed to read absent.wav"),
        (
            &["--as", "john", "--dial", "bot", "--transport", "tcp", "--server", "127.0.0.1:9"],
            1,
            "is there a server at 127.0.0.1:9",
        ),
    ] {
        let ended = Phone::run(TempDir::new("phone"), arguments).ended().await;
        ended.assert_code(code);
        assert!(ended.complaint.contains(words), "{arguments:?}: {}", ended.complaint);
    }
}

#[tokio::test]
async fn what_a_phone_says_is_heard_by_the_bot() {
    let stage = Stage::new().await;
    let dir = TempDir::new("phone");
    dir.write("hello.wav", wav_file(RATE_HZ, &melody(5, 2_000, RATE_HZ)));
    let (server, target) = (stage.server.sip().to_string(), bot());
    let arguments = [
        "--as",
        "john",
        "--server",
        &server,
        "--dial",
        &target,
        "--expect-dtmf",
        "5",
        "--say",
        "hello.wav",
        "--pause",
        "20s",
    ];
    let _phone = Phone::run(dir, &arguments);
    let id = answer(&stage).await;
    let body = json!({"maxRecordDurationInSeconds": 4, "playBeep": false});
    let operation = stage.bot.start(&id, "recordResponse", &body).await;
    stage.bot.act(&id, "sendDtmfTones", &json!({"tones": ["tone5"], "delayBetweenTonesMs": 100})).await;
    let end = stage.webhook.expect_operation(&id, &operation).await;
    let recorded = stage.recording(end.data()).await;
    let share = share_heard(&melody(5, 2_000, recorded.rate_hz), &recorded.samples, recorded.rate_hz);
    assert!(share > 0.85, "only {share:.2} of what the phone said was recorded");
}
