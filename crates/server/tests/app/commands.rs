//! The commands that end by themselves, run as people run them.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use testkit::{App, CallRequest, TempDir, User, within};
use tokio::sync::mpsc;

use crate::support::{PROGRAM, Stage};

fn program(dir: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOOKSWITCH_"))
    {
        command.env_remove(name);
    }
    command.current_dir(dir.path()).args(arguments);
    command
}

fn run(dir: &TempDir, arguments: &[&str]) -> Output {
    program(dir, arguments).output().expect("failed to start the program")
}

/// A program that runs until it is dropped, and the lines that it writes.
struct Running {
    child: Child,
    out: mpsc::UnboundedReceiver<String>,
    err: mpsc::UnboundedReceiver<String>,
}

impl Running {
    fn start(dir: &TempDir, arguments: &[&str]) -> Self {
        let mut command = program(dir, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("failed to start the program");
        let (out, err) = (lines(child.stdout.take()), lines(child.stderr.take()));
        Self { child, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines(pipe: Option<impl Read + Send + 'static>) -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    let pipe = pipe.expect("a pipe");
    std::thread::spawn(move || {
        let mut read = BufReader::new(pipe).lines().map_while(Result::ok);
        read.try_for_each(|line| sender.send(line))
    });
    lines
}

async fn next(lines: &mut mpsc::UnboundedReceiver<String>) -> String {
    within("a line of the program", lines.recv()).await.expect("the program ended")
}

fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n{out}\n{err}", output.status)
}

#[test]
fn the_demo_does_all_that_it_promises() {
    let dir = TempDir::new("demo");

    let output = run(&dir, &["demo"]);

    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let shown = String::from_utf8_lossy(&output.stdout);
    for word in [
        "← establishing",
        "← established",
        "← playPrompt completed",
        "← tone 1",
        "← tone pound",
        "← record completed",
        "← terminated",
    ] {
        assert!(shown.contains(word), "the timeline does not show {word}:\n{shown}");
    }
    for sound in ["heard-by-user.wav", "heard-by-bot.wav"] {
        let file = std::fs::read(dir.path().join("demo").join(sound)).expect("both sounds are kept");
        assert!(testkit::sound_of(&file).samples.len() > 8_000, "{sound} is too short");
    }
    let timeline = std::fs::read(dir.path().join("demo/timeline.json")).expect("the timeline is kept");
    serde_json::from_slice::<Value>(&timeline).expect("the timeline is JSON");
}

#[tokio::test]
async fn listening_shows_each_state_of_a_call_with_a_verified_token() {
    let (stage, dir) = (Stage::new().await, TempDir::new("listen"));
    let keys = format!("{}/v1/.well-known/OpenIdConfiguration", stage.server.base_url());
    let mut listening = Running::start(&dir, &["listen", "--port", "0", "--openid-configuration", &keys]);
    let announced = next(&mut listening.err).await;
    let url = announced.split_whitespace().find(|word| word.starts_with("http://")).expect("an address");

    let call = stage.bot.call(&CallRequest::to(User::USER1, url)).await;

    for state in ["establishing", "established, audio active"] {
        let line = next(&mut listening.out).await;
        let (call, app) = (&call[..8], &App::CALLING_BOT.id[..8]);
        let words = line.split_once("  ").map(|(_time, words)| words.to_owned()).unwrap_or_default();
        let expected = format!("{call}  {state:<40}  verified, app {app}");
        assert_eq!(words, expected, "{line}");
    }
}

#[test]
fn wrong_use_ends_with_2_and_names_what_is_wrong() {
    let dir = TempDir::new("wrong-use");
    let cases: [(&[&str], &str); 5] = [
        (&["nonsense"], "nonsense"),
        (&["dev", "--no-such-option"], "--no-such-option"),
        (&["dev", "--http-listen", "somewhere"], "http.listen"),
        (&["dev", "--calls-ringing-timeout", "0s"], "calls.ringing_timeout"),
        (&["serve"], "server.external_url"),
    ];
    for (arguments, named) in cases {
        let output = run(&dir, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(complaint.contains(named), "{arguments:?} does not name {named}:\n{complaint}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_its_setting() {
    let dir = TempDir::new("taken");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("a bound socket has an address").to_string();

    let output = run(
        &dir,
        &[
            "dev",
            "--data",
            "data",
            "--http-listen",
            &address,
            "--sip-udp",
            "",
            "--sip-tcp",
            "",
            "--webrtc-udp",
            "",
        ],
    );

    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains(&address) && complaint.contains("http.listen"), "{complaint}");
}

#[test]
fn the_description_of_the_api_and_the_settings_can_be_printed() {
    let dir = TempDir::new("print");

    let description = run(&dir, &["openapi"]);
    let settings = run(&dir, &["settings", "--dev"]);

    let parsed: Value = serde_json::from_slice(&description.stdout).expect("JSON");
    assert!(parsed["paths"]["/communications/calls"]["post"].is_object(), "{}", said(&description));
    let shown = String::from_utf8_lossy(&settings.stdout);
    assert!(shown.contains("listen = \"127.0.0.1:8080\"") && shown.contains("# default"), "{shown}");
}

#[test]
fn a_directory_applied_twice_changes_nothing_the_second_time() {
    let dir = TempDir::new("directory");
    dir.write("secret", "a secret of some length\n");
    dir.write(
        "directory.toml",
        "[[tenants]]\nid = 't'\nname = 'Tenant'\ngrants = { bot = ['Calls.Initiate.All'] }\n\
         [[applications]]\nid = 'bot'\nname = 'Bot'\nsecret-files = ['secret']\n",
    );
    let apply = || {
        run(
            &dir,
            &[
                "directory",
                "apply",
                "directory.toml",
                "--data",
                "data",
                "--server-external-url",
                "https://calls.example.com",
                "--https-listen",
                "",
                "--http-listen",
                "127.0.0.1:0",
            ],
        )
    };

    let (first, second) = (apply(), apply());

    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(String::from_utf8_lossy(&first.stdout).contains("bot"), "{}", said(&first));
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert!(!String::from_utf8_lossy(&second.stdout).contains("+ "), "{}", said(&second));
}

#[test]
fn the_bench_makes_calls_that_are_whole() {
    let dir = TempDir::new("bench");

    let arguments = ["bench", "setup", "--rate", "20", "--seconds", "1", "--legs", "5", "--json"];
    let output = run(&dir, &arguments);

    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let figures = report["figures"].as_array().expect("figures");
    let value =
        |name: &str| figures.iter().find(|figure| figure["name"] == name).map(|found| &found["value"]);
    assert_eq!(value("calls held, established"), Some(&Value::from(5.0)), "{report}");
    assert_eq!(value("at 20/s: calls that failed or are not whole"), Some(&Value::from(0.0)), "{report}");
    assert_eq!(value("at 20/s: notifications delivered"), Some(&Value::from(60.0)), "{report}");
}

#[test]
fn the_bench_makes_and_takes_calls_over_a_trunk_that_leave_nothing_behind() {
    let dir = TempDir::new("bench");

    let arguments = ["bench", "trunk", "--rate", "20", "--seconds", "1", "--calls", "2000", "--json"];
    let output = run(&dir, &arguments);

    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let figures = report["figures"].as_array().expect("figures");
    let value = |name: &str| {
        let found = figures.iter().find(|figure| figure["name"] == name);
        found.and_then(|figure| figure["value"].as_f64()).unwrap_or_else(|| panic!("no {name}: {report}"))
    };
    for (who, notifications) in [("out", 60.0), ("in", 80.0)] {
        assert_eq!(value(&format!("{who}, 20/s: calls that failed or are not whole")), 0.0, "{report}");
        assert_eq!(value(&format!("{who}, 20/s: notifications delivered")), notifications, "{report}");
    }
    for left in [
        "calls that failed or are not whole",
        "calls, legs, deliveries left",
        "descriptors more than before",
        "threads more than before",
    ] {
        assert_eq!(value(&format!("in a row: {left}")), 0.0, "{report}");
    }
}

#[test]
fn the_bench_carries_sound_of_applications() {
    let dir = TempDir::new("bench");

    let arguments = ["bench", "app-media", "--streams", "3", "--clients", "2", "--seconds", "1", "--json"];
    let output = run(&dir, &arguments);

    let report: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let figures = report["figures"].as_array().expect("figures");
    let value = |name: &str| {
        let found = figures.iter().find(|figure| figure["name"] == name);
        found.and_then(|figure| figure["value"].as_f64()).unwrap_or_else(|| panic!("no {name}: {report}"))
    };
    for dialect in ["few streams", "hookswitch", "acs"] {
        assert!(value(&format!("{dialect}: knocks heard by the phone")) > 0.0, "{report}");
    }
    assert!(value("WebRTC: packets to applications") > 0.0, "{report}");
    assert!(value("WebRTC: packets to phones") > 0.0, "{report}");
}
