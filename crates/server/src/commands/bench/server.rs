use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::ArgMatches;
use node::Clock;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// A real server in a process of its own; it ends with this value.
pub(super) struct Server {
    child: Child,
    pid: u32,
    pub(super) http: SocketAddr,
    pub(super) sip: SocketAddr,
    /// From its start to its word that it serves.
    pub(super) ready_after: Duration,
}

/// A folder for one run, removed with this value.
pub(super) struct Folder(PathBuf);

/// The settings of the server that is measured.
#[derive(Clone, Debug)]
pub(super) struct Given(BTreeMap<&'static str, String>);

/// How long a start may take.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Linux counts processor time in hundredths of a second in `/proc/PID/stat`, whatever its own clock.
const TICK: Duration = Duration::from_millis(10);

impl Folder {
    pub(super) fn make() -> Result<Self> {
        let path = std::env::temp_dir().join(format!("hookswitch-bench-{}", identity::random_guid()));
        std::fs::create_dir(&path).with_context(|| format!("failed to make {}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// Makes the directory of a server that has not begun.
    pub(super) async fn apply(&self, directory: &str, secret: &str) -> Result<()> {
        std::fs::write(self.0.join("secret"), secret).context("failed to write a secret")?;
        let file = self.0.join("directory.toml");
        std::fs::write(&file, directory).context("failed to write a directory")?;
        let program = std::env::current_exe().context("failed to find this program")?;
        let mut command = Command::new(program);
        command.args(["directory", "apply"]).arg(file).arg("--data").arg(self.data());
        let output = command.output().await.context("failed to start this program")?;
        if !output.status.success() {
            bail!("the directory cannot be applied: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    fn log(&self) -> PathBuf {
        self.0.join("server.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed lies in a folder for temporary things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Server {
    /// Starts `hookswitch dev` on free ports with limits that the load does not reach. It inherits this thread's core.
    ///
    /// Its log goes to a file, as a service's does.
    pub(super) async fn start(folder: &Folder, given: &Given) -> Result<Self> {
        let program = std::env::current_exe().context("failed to find this program")?;
        let log = File::create(folder.log()).context("failed to make the server's log")?;
        let mut command = Command::new(program);
        command
            .arg("dev")
            .arg("--data")
            .arg(folder.data())
            .args(given.arguments())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true);
        let clock = Clock::start();
        let mut child = command.spawn().context("failed to start a server")?;
        let out = child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(out).lines();
        let ready = tokio::time::timeout(START_LIMIT, lines.next_line()).await;
        let ready_after = clock.elapsed();
        let Ok(Ok(Some(ready))) = ready else {
            let log = std::fs::read_to_string(folder.log()).unwrap_or_default();
            bail!("the server did not start: {log}");
        };
        // What it says later is of no interest, but it must not wait for a reader.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let address = |after: &str| {
            let found = ready.split_once(after).and_then(|(_, rest)| rest.split([' ', ',']).next());
            found.and_then(|text| text.parse().ok()).with_context(|| format!("no address in: {ready}"))
        };
        let (http, sip) = (address("http ")?, address("sip udp ")?);
        let pid = child.id().context("the server has ended")?;
        Ok(Self { child, pid, http, sip, ready_after })
    }

    /// Processor time that it has used, in all its threads, in its own code and in the kernel's.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        let stat = self.proc("stat")?;
        // The name of the program may hold spaces; fields count from after its bracket.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks = fields.split_ascii_whitespace().skip(11).take(2).map(str::parse::<u32>);
        let ticks = ticks.sum::<Result<u32, _>>().context("an odd /proc/PID/stat")?;
        Ok(TICK * ticks)
    }

    /// Resident memory in octets.
    pub(super) fn memory(&self) -> Result<u64> {
        let status = self.proc("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next()?.parse::<u64>().ok());
        Ok(kilobytes.context("an odd /proc/PID/status")? * 1024)
    }

    /// How many descriptors (files, sockets) and threads it has.
    pub(super) fn resources(&self) -> Result<(usize, usize)> {
        let count = |what: &str| -> Result<usize> {
            let path = Path::new("/proc").join(self.pid.to_string()).join(what);
            Ok(std::fs::read_dir(path)
                .with_context(|| format!("failed to list {what} of the server"))?
                .count())
        };
        Ok((count("fd")?, count("task")?))
    }

    /// Ends it at once: nothing of it is wanted any more.
    pub(super) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("failed to end the server")
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = Path::new("/proc").join(self.pid.to_string()).join(file);
        std::fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    }
}

/// Free ports, and limits that the load does not reach.
const DEFAULTS: [(&str, &str); 10] = [
    ("http.listen", "127.0.0.1:0"),
    ("https.listen", "127.0.0.1:0"),
    ("limits.calls", "100000"),
    ("limits.calls_per_app", "100000"),
    ("limits.requests_per_second", "100000"),
    // Below the ports that the kernel gives to other sockets.
    ("media.ports", "10000-32767"),
    ("outbound.allowed_hosts", "127.0.0.1"),
    ("sip.tcp", "127.0.0.1:0"),
    ("sip.udp", "127.0.0.1:0"),
    ("webrtc.udp", "127.0.0.1:0"),
];

impl From<&ArgMatches> for Given {
    fn from(matches: &ArgMatches) -> Self {
        let defaults = DEFAULTS.iter().map(|(key, value)| (*key, (*value).to_owned()));
        let given = settings::keys()
            .iter()
            .filter_map(|key| Some((key.name, matches.get_one::<String>(key.name)?.clone())));
        Self(defaults.chain(given).collect())
    }
}

impl Given {
    /// The same, with these settings.
    pub(super) fn with(mut self, settings: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        self.0.extend(settings.into_iter().map(|(key, value)| (key, value.to_owned())));
        self
    }

    fn arguments(&self) -> impl Iterator<Item = String> + '_ {
        self.0.iter().map(|(key, value)| format!("--{}={value}", key.replace(['.', '_'], "-")))
    }
}
