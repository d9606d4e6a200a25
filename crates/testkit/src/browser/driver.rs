use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::log::Log;
use crate::process::collect;
use crate::wait::within;

/// How long a browser may take to close its windows before it is killed.
const CLOSING: Duration = Duration::from_secs(10);

/// Lines at the end of its log that a failed test shows.
const SHOWN: usize = 40;

/// The program that drives a browser, spoken with by lines of JSON.
#[derive(Debug)]
pub(super) struct Driver {
    child: Mutex<Child>,
    input: Mutex<Option<ChildStdin>>,
    shared: Arc<Mutex<Shared>>,
    asked: AtomicU64,
    /// Gets nothing, and ends with the program's output.
    ended: Mutex<Receiver<()>>,
    log: Log,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: BTreeMap<u64, oneshot::Sender<Result<Value, String>>>,
    complaints: Vec<String>,
    is_over: bool,
}

impl Driver {
    /// Starts it with a folder for everything that it and the browser write.
    pub(super) fn start(program: &Path, dir: &Path) -> Self {
        let mut command = Command::new("node");
        // The browser's own messages are in the log this way.
        command.arg(program).env("TMPDIR", dir).env("HOME", dir).env("DEBUG", "pw:browser");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("failed to start node: {error}"));
        let log = Log::new();
        collect(child.stderr.take(), &log);
        let shared = Arc::<Mutex<Shared>>::default();
        let (running, ended) = channel();
        if let Some(output) = child.stdout.take() {
            let (shared, log) = (Arc::clone(&shared), log.clone());
            thread::spawn(move || {
                let _running = running;
                listen(output, &shared, &log);
            });
        }
        let input = Mutex::new(child.stdin.take());
        Self {
            child: Mutex::new(child),
            input,
            shared,
            asked: AtomicU64::new(0),
            ended: Mutex::new(ended),
            log,
        }
    }

    /// Gives a command and waits for its answer.
    ///
    /// # Panics
    ///
    /// Panics with what the driver says, or with its log where it says nothing any more.
    pub(super) async fn ask(&self, what: &str, mut command: Value) -> Value {
        let id = self.asked.fetch_add(1, Ordering::Relaxed);
        let shown = format!("{what} {command}");
        command["id"] = json!(id);
        command["do"] = json!(what);
        let (reply, answer) = oneshot::channel();
        {
            let mut shared = lock(&self.shared);
            assert!(!shared.is_over, "the browser has ended before {shown}:\n{}", self.log_tail());
            shared.waiting.insert(id, reply);
        }
        if let Some(input) = lock(&self.input).as_mut() {
            // Where that fails, the output ends, too, and says so.
            let _ = writeln!(input, "{command}");
        }
        match within(&format!("the browser's {shown}"), answer).await {
            Ok(Ok(value)) => value,
            Ok(Err(error)) => panic!("the browser's {shown} failed: {error}"),
            Err(_gone) => panic!("the browser has ended at {shown}:\n{}", self.log_tail()),
        }
    }

    /// The end of its log, without what browsers always say on machines that have neither a desktop nor a sound card.
    fn log_tail(&self) -> String {
        let is_usual = |line: &str| {
            ["dbus", "DBus", "ALSA lib", "media/audio/alsa"].iter().any(|word| line.contains(word))
        };
        let lines: Vec<_> = self.log.lines().into_iter().filter(|line| !is_usual(line)).collect();
        lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
    }

    /// Closes the browser, and fails the test where one of its pages has complained.
    pub(super) fn end(&self) {
        drop(lock(&self.input).take());
        // Nothing is ever sent: it is over once the other end is gone.
        let is_closed = lock(&self.ended)
            .recv_timeout(CLOSING)
            .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Disconnected);
        let mut child = lock(&self.child);
        if !is_closed {
            let _ = child.kill();
        }
        let _ = child.wait();
        let complaints = std::mem::take(&mut lock(&self.shared).complaints);
        if thread::panicking() {
            let (log, complaints) = (self.log_tail(), complaints.join("\n"));
            let _ = writeln!(
                io::stdout(),
                "pages complain of:\n{complaints}\nthe browser's log ends with:\n{log}"
            );
        } else {
            assert!(complaints.is_empty(), "pages complain:\n{}", complaints.join("\n"));
            assert!(is_closed, "the browser did not close within {CLOSING:?}:\n{}", self.log_tail());
        }
    }
}

/// Hands answers to those who wait, to the end of the output.
fn listen(output: ChildStdout, shared: &Mutex<Shared>, log: &Log) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let Ok(mut message) = serde_json::from_str::<Value>(&line) else {
            log.push(line);
            continue;
        };
        let mut shared = lock(shared);
        if let Some(complaint) = message["complaint"].as_str() {
            shared.complaints.push(complaint.to_owned());
        } else if let Some(reply) = message["id"].as_u64().and_then(|id| shared.waiting.remove(&id)) {
            let answer = match message["error"].as_str() {
                Some(error) => Err(error.to_owned()),
                None => Ok(message["value"].take()),
            };
            // Whoever asked may be gone.
            let _ = reply.send(answer);
        }
    }
    let mut shared = lock(shared);
    shared.is_over = true;
    shared.waiting.clear();
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
