use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use http::{Method, StatusCode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::dev::{App, User};
use crate::dir::TempDir;
use crate::http_client::{Reply, bare, request, try_request};
use crate::log::Log;
use crate::ports::PortBlock;
use crate::process::Process;
use crate::wait::eventually;
use crate::webhook::Webhook;

/// How a server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    settings: Vec<(String, String)>,
    excused: Vec<String>,
    directory: Option<String>,
}

impl Options {
    /// The defaults of `dev`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes a setting, named as in the settings file.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Has this directory file in place of the dev tenant. It may name the secret file `app-secret`, with
    /// [`App::SECRET`], and `user-password`, with [`User::PASSWORD`].
    #[must_use]
    pub fn directory(mut self, file: &str) -> Self {
        self.directory = Some(file.to_owned());
        self
    }

    /// Expects ERROR lines with these words, which otherwise fail the test.
    #[must_use]
    pub fn excuse(mut self, words: &str) -> Self {
        self.excused.push(words.to_owned());
        self
    }
}

/// The program `hookswitch dev`, on ports and in a folder of its own.
///
/// Dropping it kills it, and fails the test where its log holds an ERROR or a panic.
#[derive(Debug)]
pub struct Server {
    program: PathBuf,
    options: Options,
    ports: PortBlock,
    dir: TempDir,
    log: Log,
    webhook: SocketAddr,
    process: Process,
}

impl Server {
    /// Starts `program` (`env!("CARGO_BIN_EXE_hookswitch")`) and waits until it is ready.
    ///
    /// `https://bot.contoso.com` is the webhook, as `dev` maps it to port 9000, and so is that port.
    ///
    /// # Panics
    ///
    /// Panics with its log where it does not become ready.
    pub async fn start(program: impl AsRef<OsStr>, webhook: &Webhook, options: Options) -> Self {
        let (ports, dir, log) = (PortBlock::take(), TempDir::new("server"), Log::new());
        let program = PathBuf::from(program.as_ref());
        let webhook = webhook.address();
        if let Some(file) = &options.directory {
            apply_directory(&program, file, &dir);
        }
        let command = command(&program, &options, &ports, &dir, webhook);
        let process = launch(command, &log);
        let mut server = Self { program, options, ports, dir, log, webhook, process };
        server.wait_until_ready().await;
        server
    }

    /// Ends it as a power cut would, without a chance to say or write anything.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same data and the same ports.
    ///
    /// # Panics
    ///
    /// Panics where it runs or does not become ready.
    pub async fn restart(&mut self) {
        assert!(!self.process.is_running(), "kill the server before it is started again");
        let command = command(&self.program, &self.options, &self.ports, &self.dir, self.webhook);
        self.process = launch(command, &self.log);
        self.wait_until_ready().await;
    }

    /// Asks it to end (SIGTERM), waits, and returns its exit code.
    ///
    /// # Panics
    ///
    /// Panics where it does not end.
    pub async fn terminate(&mut self) -> i32 {
        let id = i32::try_from(self.process.id()).expect("process ids are positive");
        kill(Pid::from_raw(id), Signal::SIGTERM).expect("failed to signal the server");
        let process = &mut self.process;
        let ended = eventually("the server ends when asked", async || {
            let code = process.exit_code();
            (code.is_some() || !process.is_running(), code)
        });
        ended.await.expect("the server was ended by a signal")
    }

    /// Whether it runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Where it serves HTTP.
    pub fn http(&self) -> SocketAddr {
        self.ports.address(1)
    }

    /// Where it serves HTTPS.
    pub fn https(&self) -> SocketAddr {
        self.ports.address(2)
    }

    /// Where it serves SIP, over UDP and TCP.
    pub fn sip(&self) -> SocketAddr {
        self.ports.address(3)
    }

    /// An address for a peer of this test, numbered from 0 to 15.
    pub fn peer_address(&self, n: u16) -> SocketAddr {
        self.ports.address(4 + n)
    }

    /// Its address for clients.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.http())
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Fetches a path without a token.
    pub async fn get(&self, path: &str) -> Reply {
        request(self.http(), bare(Method::GET, path)).await
    }

    /// The value of a gauge or counter without labels in `/metrics`.
    ///
    /// # Panics
    ///
    /// Panics where there is none of this name.
    pub async fn metric(&self, name: &str) -> f64 {
        let reply = self.get("/metrics").await.expect(200);
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("there is no metric {name} in:\n{text}"))
    }

    /// How many descriptors (files, sockets) and threads its process has.
    pub fn resources(&self) -> (usize, usize) {
        let count = |what: &str| {
            let folder = format!("/proc/{}/{what}", self.process.id());
            std::fs::read_dir(folder).map(Iterator::count).unwrap_or(0)
        };
        (count("fd"), count("task"))
    }

    /// The memory of its process that is in use, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse().ok()).unwrap_or(0)
    }

    /// The last lines of its log.
    pub fn log_tail(&self) -> String {
        self.log.tail()
    }

    /// Every line that it has written.
    pub fn log_lines(&self) -> Vec<String> {
        self.log.lines()
    }

    async fn wait_until_ready(&mut self) {
        let (address, log) = (self.http(), self.log.clone());
        let process = &mut self.process;
        let _ = eventually("the server is ready", async || {
            assert!(process.is_running(), "the server ended before it was ready:\n{}", log.tail());
            let ready = try_request(address, bare(Method::GET, "/readyz")).await;
            (ready.as_ref().is_ok_and(|reply| reply.status == StatusCode::OK), (ready, log.tail()))
        })
        .await;
    }

    /// Lines that a healthy server does not write.
    fn complaints(&self) -> Vec<String> {
        let is_excused = |line: &str| self.options.excused.iter().any(|words| line.contains(words));
        let lines = self.log.lines().into_iter();
        lines.filter(|line| is_complaint(line) && !is_excused(line)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            return;
        }
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "the server complained:\n{}", complaints.join("\n"));
    }
}

fn is_complaint(line: &str) -> bool {
    let parsed: Option<Value> = serde_json::from_str(line).ok();
    parsed.is_some_and(|event| event["level"] == "ERROR") || line.contains("panicked at")
}

fn launch(mut command: Command, log: &Log) -> Process {
    Process::start("hookswitch dev", &mut command, log.clone())
}

/// Puts a directory into the data folder of a server that has not begun.
fn apply_directory(program: &Path, file: &str, dir: &TempDir) {
    dir.write("directory.toml", file);
    dir.write("app-secret", App::SECRET);
    dir.write("user-password", User::PASSWORD);
    let mut command = bare_command(program);
    command.args(["directory", "apply"]).arg(dir.path().join("directory.toml"));
    command.arg("--data").arg(dir.path().join("data"));
    let output = command.output().expect("failed to start the program");
    let why = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the directory cannot be applied: {why}");
}

/// The program without what the person who runs the tests has set for their own server.
fn bare_command(program: &Path) -> Command {
    let mut command = Command::new(program);
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("HOOKSWITCH_")) {
        command.env_remove(name);
    }
    command
}

fn command(
    program: &Path,
    options: &Options,
    ports: &PortBlock,
    dir: &TempDir,
    webhook: SocketAddr,
) -> Command {
    let mut command = bare_command(program);
    let sip = ports.address(3);
    let hosts = format!(
        "https://bot.contoso.com=http://{webhook},http://127.0.0.1:9000=http://{webhook},https://cdn.contoso.com=bundled:sounds"
    );
    let settings = [
        ("http.listen", ports.address(1).to_string()),
        ("https.listen", ports.address(2).to_string()),
        ("sip.udp", sip.to_string()),
        ("sip.tcp", sip.to_string()),
        ("webrtc.udp", "127.0.0.1:0".to_owned()),
        ("outbound.hosts", hosts),
        ("log.format", "json".to_owned()),
    ];
    command.arg("dev").arg("--data").arg(dir.path().join("data"));
    let changed = options.settings.iter().map(|(key, value)| (key.as_str(), value.clone()));
    let unchanged =
        settings.into_iter().filter(|(key, _)| options.settings.iter().all(|(set, _)| set != key));
    for (key, value) in unchanged.chain(changed) {
        command.arg(format!("--{}", key.replace(['.', '_'], "-"))).arg(value);
    }
    command
}
