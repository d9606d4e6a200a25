//! `hookswitch phone`: a telephone for the command line and for CI.

mod options;

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ArgMatches;
use serde_json::{Value, json};
use softphone::{Failure, FailureKind, HeardSound, Moment, Outcome, Place, Report, Setup, StepReport, junit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub(crate) use self::options::command;

/// Where a call that failed leaves what was heard, unless it is recorded anyway.
const HEARD: &str = "hookswitch-phone-heard.wav";

/// Makes or takes one call; the verdict is the result.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("failed to start a runtime")?;
    runtime.block_on(call(matches))
}

async fn call(matches: &ArgMatches) -> Result<()> {
    let server = options::server(matches).await?;
    let setup = options::setup(matches, server)?;
    let (heard, name) = (setup.heard.clone(), name(&setup));
    let stop = CancellationToken::new();
    tokio::spawn(stop_on_signal(stop.clone()).context("failed to wait for signals")?);
    let output = Output { is_json: matches.get_flag("json") };
    let report = softphone::run(setup, stop, move |moment| output.show(moment)).await?;
    if output.is_json {
        print(&verdict(&report).to_string());
    }
    let junit = matches.get_one::<PathBuf>("junit");
    let written = junit.map(|path| write(path, junit::write(&name, &report).as_bytes(), "--junit"));
    let written = written.transpose();
    let record = matches.get_one::<PathBuf>("record");
    let kept = keep(&heard, &report, record.map(PathBuf::as_path));
    let Some(failure) = &report.failure else {
        written?;
        return kept.map(drop);
    };
    // The verdict comes first, whatever else went wrong.
    let mut words = complaint(failure, *kept.as_ref().unwrap_or(&None), matches);
    for error in [written.err(), kept.err()].into_iter().flatten() {
        words += &format!("; {error:#}");
    }
    bail!("{words}")
}

/// What was tested, for reports.
fn name(setup: &Setup) -> String {
    let user = setup.aor.uri.user().unwrap_or_default();
    match &setup.place {
        Place::Dial(to) => format!("{user} calls {to}"),
        Place::Wait(_) => format!("{user} is called"),
    }
}

/// Ends the call when the program is told to end.
fn stop_on_signal(stop: CancellationToken) -> io::Result<impl Future<Output = ()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.cancel();
    })
}

/// Keeps what was heard where that is wanted, or may tell why a call failed; says where.
fn keep<'a>(heard: &HeardSound, report: &Report, record: Option<&'a Path>) -> Result<Option<&'a Path>> {
    let wanted = record.or_else(|| report.failure.as_ref().map(|_| Path::new(HEARD)));
    let Some(path) = wanted.filter(|_| report.talked.is_some()) else { return Ok(None) };
    write(path, &heard.wav(), "--record")?;
    Ok(Some(path))
}

fn write(path: &Path, file: &[u8], option: &str) -> Result<()> {
    std::fs::write(path, file).with_context(|| format!("failed to write {} ({option})", path.display()))
}

/// What went wrong, with the fix where it may be the options'.
fn complaint(failure: &Failure, kept: Option<&Path>, matches: &ArgMatches) -> String {
    let server = options::text(matches, "server");
    let fix = match failure.kind {
        FailureKind::Registration => "; check --as and --password".to_owned(),
        FailureKind::Unreachable => format!("; is there a server at {server} (--server, --transport)?"),
        FailureKind::NobodyCalled => " (--wait-timeout)".to_owned(),
        FailureKind::Broken | FailureKind::Interrupted | FailureKind::Refused | FailureKind::Step => {
            String::new()
        }
    };
    let kept = kept.map(|path| format!("; what was heard is in {}", path.display()));
    format!("{failure}{fix}{}", kept.unwrap_or_default())
}

/// How what happens is shown.
#[derive(Clone, Copy)]
struct Output {
    is_json: bool,
}

impl Output {
    fn show(self, moment: &Moment) {
        if self.is_json {
            let at = millis(moment.at);
            print(&json!({"atMs": at, "isInCall": moment.is_in_call, "text": moment.text}).to_string());
        } else {
            print(&moment.to_string());
        }
    }
}

/// The last line of `--json`.
fn verdict(report: &Report) -> Value {
    let failure = report.failure.as_ref();
    json!({
        "verdict": if report.has_passed() { "passed" } else { "failed" },
        "steps": steps(report),
        "failure": failure.map(|failure| json!({"atMs": millis(failure.at), "text": failure.text})),
    })
}

/// What became of each step, for programs.
pub(crate) fn steps(report: &Report) -> Vec<Value> {
    let step = |step: &StepReport| {
        let label = &step.label;
        match step.outcome {
            Outcome::Failed { began } => {
                json!({"step": label, "outcome": "failed", "beganMs": millis(began)})
            }
            Outcome::Met { began, ended } => {
                json!({"step": label, "outcome": "met", "beganMs": millis(began), "endedMs": millis(ended)})
            }
            Outcome::NotReached => json!({"step": label, "outcome": "notReached"}),
        }
    };
    report.steps.iter().map(step).collect()
}

fn millis(at: std::time::Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

/// Prints a line; a reader that has gone does not matter to the call.
fn print(line: &str) {
    let mut stdout = io::stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
