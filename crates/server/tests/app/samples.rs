//! The samples, each started by the last line of its README, in a call with a phone of another maker.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use media_engine::WavAudio;
use media_engine::analysis::{amplitude_at, rms, share_heard};
use serde_json::json;
use testkit::{Answer, Baresip, Phone, PhoneCodec, User, sound_of};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::{PROGRAM, Stage};

/// Where the samples are with all that they need.
const PREPARED: &str = "PREPARED_SAMPLES";

/// What the phone says while a sample sends it back.
const TONE_HZ: u32 = 440;

/// How long it is listened to, in packets: three seconds.
const TALK: f64 = 150.0;
/// A second.
const SECOND: f64 = 50.0;

#[tokio::test]
async fn the_python_sample_sends_back_what_it_hears() {
    assert_echoes("echo-python").await;
}

#[tokio::test]
async fn the_node_sample_sends_back_what_it_hears() {
    assert_echoes("echo-node").await;
}

#[tokio::test]
async fn the_rust_sample_sends_back_what_it_hears() {
    assert_echoes("echo-rust").await;
}

#[tokio::test]
async fn the_webrtc_sample_sends_back_what_it_hears() {
    assert_echoes("echo-webrtc-python").await;
}

/// An echo is heard by everyone: each phone hears itself beside the other.
#[tokio::test]
async fn the_webrtc_sample_sends_back_what_it_hears_of_two_phones_in_a_meeting() {
    let stage = Stage::new().await;
    let (people, pitches) = ([User::JOHN, User::USER1], [420, 730]);
    let mut phones = Vec::new();
    for (place, (user, hz)) in people.into_iter().zip(pitches).enumerate() {
        let address = stage.server.peer_address(6 + 3 * place as u16);
        let setup = Phone { tone_hz: Some(hz), ..Phone::AUTOMATIC };
        phones.push(Baresip::register(&stage.server, user, address, setup).await);
    }
    let meeting = [("MEETING_ID", "1234567"), ("PASSCODE", "psw123")];
    let mut sample = Sample::start_with("echo-webrtc-python", &stage, &meeting);
    let call = sample.expect("created ").await;
    sample.expect("call is established").await;
    let target = |user: User| json!({"identity": {"user": {"id": user.id, "displayName": user.name}}});
    let invited = json!({"participants": people.map(target), "clientContext": "both"});
    stage.bot.start(&call, "participants/invite", &invited).await;
    for phone in &mut phones {
        phone.expect("CALL_ESTABLISHED").await;
    }
    talk(&stage, 2.0 * TALK).await;

    for phone in &mut phones {
        phone.command("hangup", "").await;
        let heard = heard_by(phone).await;
        let end = heard.samples.len() - heard.rate_hz as usize / 5;
        let last = &heard.samples[end - heard.rate_hz as usize..end];
        let amplitudes = pitches.map(|hz| amplitude_at(last, f64::from(hz), heard.rate_hz).round());
        assert!(amplitudes.iter().all(|amplitude| *amplitude > 1_200.0), "{amplitudes:?}");
    }
    stage.bot.hang_up(&call).await.expect(204);
    sample.expect("call is terminated").await;
}

#[tokio::test]
async fn the_voice_agent_answers_when_somebody_stops_and_stops_when_somebody_speaks() {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, Phone { codec: PhoneCodec::G722, ..Phone::AUTOMATIC }).await;
    let mut sample = Sample::start("voice-agent-python", &stage);
    let call = sample.expect("created ").await;
    phone.expect("CALL_ESTABLISHED").await;

    talk(&stage, SECOND).await;
    // From here on the phone says nothing.
    phone.command("mute", "").await;
    let heard: f64 = sample.expect("heard ").await.trim_end_matches(" s").parse().expect("a length");
    assert!((0.5..10.0).contains(&heard), "somebody spoke for {heard} s");
    assert_eq!(sample.expect("said ").await, "answer 1");

    phone.command("mute", "").await;
    talk(&stage, SECOND).await;
    phone.command("mute", "").await;
    sample.expect("heard ").await;
    // It speaks for two seconds and a half, and is interrupted.
    phone.command("mute", "").await;
    sample.expect("interrupted ").await;

    let heard = end(&stage, &call, &mut phone, sample).await;
    let answer =
        sound_of(&std::fs::read(folder("voice-agent-python").join("answer.wav")).expect("an answer"));
    assert_eq!(answer.rate_hz, heard.rate_hz);
    let share = share_heard(&answer.samples, &heard.samples, heard.rate_hz);
    assert!(share > 0.7, "only {share:.2} of the answer was heard");
}

#[tokio::test]
async fn the_menu_sample_is_called_says_its_tone_and_hears_keys() {
    let stage = Stage::new().await;
    let mut sample = Sample::start("menu-python", &stage);
    sample.expect("waits for a call").await;
    // The webhook that the directory has for the bot sends on what it is told.
    let callback = format!("http://{}/callback", stage.server.peer_address(3));
    stage.webhook.answer(Answer::Redirect(307, callback));
    let server = stage.server.sip().to_string();
    let output = Command::new(PROGRAM)
        .args(["phone", "--as", "john", "--server", &server, "--dial", "sip:calling-bot"])
        .args(["--expect-tone", "440", "--dtmf", "1#"])
        .output()
        .await
        .expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(sample.expect("called by ").await, User::JOHN.name);
    assert_eq!(sample.expect("key ").await, "1");
    assert_eq!(sample.expect("key ").await, "#");
    sample.expect("call is over").await;
    let status = testkit::within("the sample ends", sample.child.wait()).await.expect("a status");
    assert!(status.success(), "{status}");
}

/// The phone hears the tone that it says.
async fn assert_echoes(name: &str) {
    let stage = Stage::new().await;
    let mut phone = phone(&stage, Phone { tone_hz: Some(TONE_HZ), ..Phone::AUTOMATIC }).await;
    let mut sample = Sample::start(name, &stage);
    let call = sample.expect("created ").await;
    phone.expect("CALL_ESTABLISHED").await;
    talk(&stage, TALK).await;

    let heard = end(&stage, &call, &mut phone, sample).await;

    let second = heard.rate_hz as usize;
    let loudest = heard.samples.chunks(second / 2).max_by(|a, b| rms(a).total_cmp(&rms(b)));
    let loudest = loudest.expect("the phone heard something");
    let tone = amplitude_at(loudest, f64::from(TONE_HZ), heard.rate_hz);
    assert!(tone > 3_000.0, "the tone of {name} comes back with an amplitude of {tone:.0}");
    let share = tone / (rms(loudest) * std::f64::consts::SQRT_2);
    assert!(share > 0.9, "only {share:.2} of what {name} says is the tone");
}

/// Lets a call go on until its phones have been sent so many packets more, of 20 ms each.
async fn talk(stage: &Stage, packets: f64) {
    let sent = async || stage.server.metric("hookswitch_rtp_packets_sent_total").await;
    let begun = sent().await;
    testkit::eventually("the call goes on", async || {
        let sent = sent().await;
        (sent >= begun + packets, sent)
    })
    .await;
}

async fn phone(stage: &Stage, phone: Phone) -> Baresip {
    Baresip::register(&stage.server, User::JOHN, stage.server.peer_address(0), phone).await
}

/// Hangs up, waits for the sample to end as it says that it does, and returns what the phone has heard.
async fn end(stage: &Stage, call: &str, phone: &mut Baresip, mut sample: Sample) -> WavAudio {
    stage.bot.hang_up(call).await.expect(204);
    sample.expect("call is terminated").await;
    let status = testkit::within("the sample ends", sample.child.wait()).await.expect("a status");
    assert!(status.success(), "{status}");
    heard_by(phone).await
}

/// What a phone has heard in its call, which is over.
async fn heard_by(phone: &mut Baresip) -> WavAudio {
    phone.expect("CALL_CLOSED").await;
    let file = testkit::eventually("the phone has written what it heard", async || {
        let file = phone.dumps("dec").last().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        (media_engine::read_wav(&file, &media_engine::WavLimits::PROMPT).is_ok(), file)
    });
    sound_of(&file.await)
}

/// A sample that runs.
struct Sample {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
    said: Vec<String>,
}

impl Sample {
    /// Starts it where it was prepared.
    fn start(name: &str, stage: &Stage) -> Self {
        Self::start_with(name, stage, &[])
    }

    /// The same with more in its environment.
    fn start_with(name: &str, stage: &Stage, environment: &[(&str, &str)]) -> Self {
        let folder = folder(name);
        assert_is_current(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples").join(name), &folder);
        let readme = std::fs::read_to_string(folder.join("README.md")).expect("a README");
        let command = command(&readme);
        let mut child = Command::new("sh")
            .args(["-c", &format!("exec {command}")])
            .current_dir(folder)
            .env("HOOKSWITCH_URL", stage.server.base_url())
            .env("TOKEN", stage.bot.token())
            .env("USER_ID", User::JOHN.id)
            .env("CALLBACK", format!("http://{}/callback", stage.server.peer_address(3)))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start `{command}`: {error}"));
        let says = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        Self { child, says, said: Vec::new() }
    }

    /// Waits for a line that begins with these words and returns the rest of it.
    async fn expect(&mut self, words: &str) -> String {
        let finding = async {
            loop {
                let line = self.says.next_line().await.expect("readable output");
                let line =
                    line.unwrap_or_else(|| panic!("it ended before '{words}' and has said {:#?}", self.said));
                self.said.push(line.clone());
                if let Some(rest) = line.strip_prefix(words) {
                    return rest.to_owned();
                }
            }
        };
        testkit::within(&format!("the sample says '{words}'"), finding).await
    }
}

/// Where a sample has been made ready to run.
fn folder(name: &str) -> PathBuf {
    let prepared = std::env::var_os(PREPARED);
    let prepared = prepared
        .unwrap_or_else(|| panic!("{PREPARED} is not set; run `cargo xtask test app`, which sets it"));
    Path::new(&prepared).join(name)
}

/// The last line of the commands in a README.
fn command(readme: &str) -> &str {
    let block = readme.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("\n```"));
    let (block, _) = block.expect("a block of commands");
    block.lines().last().expect("a command")
}

/// What was prepared is what is in the repository.
fn assert_is_current(sample: &Path, prepared: &Path) {
    let ignored = include_str!("../../../../samples/.gitignore");
    for entry in std::fs::read_dir(sample).expect("a sample").map(|entry| entry.expect("an entry")) {
        let (path, copy) = (entry.path(), prepared.join(entry.file_name()));
        if ignored.lines().any(|ignored| entry.file_name() == ignored) {
            continue;
        }
        if path.is_dir() {
            assert_is_current(&path, &copy);
            continue;
        }
        let is_same = std::fs::read(&copy).ok() == std::fs::read(&path).ok();
        assert!(is_same, "{} is of another version; run `cargo xtask test app`", copy.display());
    }
}
