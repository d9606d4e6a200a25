use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::process::{cache, cargo, output, root, run};
use crate::tools::{self, cargo_tool, ensure, find};

/// A stage of the test run.
struct Stage {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

/// Fast ones first: what is cheap to find out is found out before anything is built.
const STAGES: &[Stage] = &[
    Stage { name: "fmt", about: "formatting", run: fmt },
    Stage { name: "tidy", about: "structure of the workspace", run: crate::tidy::run },
    Stage { name: "deny", about: "licences, sources and banned crates", run: deny },
    Stage { name: "web", about: "the pages: built, and tried in a browser", run: crate::web::test },
    Stage { name: "clippy", about: "lints", run: clippy },
    Stage { name: "unit", about: "every crate's own tests", run: unit },
    Stage { name: "budget", about: "instructions that the hot paths take", run: budget },
    Stage { name: "app", about: "the whole program, with real phones, browsers, SDKs and samples", run: app },
];

/// The version that the lock file of its own release builds with our toolchain.
const CARGO_DENY: &str = "0.20.2";

/// The version of the library in the workspace's Cargo.toml; the two talk to each other.
const GUNGRAUN: &str = "0.20.0";

/// The crates with a `benches/budget.rs`.
const BUDGETED: &[&str] = &[
    "app-media",
    "call-engine",
    "graph-wire",
    "media-engine",
    "rtc-proto",
    "sip-message",
    "sip-proto",
    "trunk",
];

/// Pinned together: what the Graph SDK test was written against.
const PYTHON_PACKAGES: &[&str] = &["msgraph-sdk==1.65.0", "azure-identity==1.27.0"];

/// Runs all stages, or those named.
pub(crate) fn test(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| STAGES.iter().all(|stage| stage.name != **name)) {
        let known: Vec<_> = STAGES.iter().map(|stage| stage.name).collect();
        bail!("there is no stage '{unknown}'; the stages are {}", known.join(", "));
    }
    ensure(tools::BUILD)?;
    let wanted = |stage: &&Stage| names.is_empty() || names.iter().any(|name| name == stage.name);
    let started = now();
    for stage in STAGES.iter().filter(wanted) {
        println!("\n== {}: {}", stage.name, stage.about);
        let stage_started = now();
        (stage.run)()
            .with_context(|| format!("stage '{}' (again: cargo xtask test {})", stage.name, stage.name))?;
        println!("== {}: done in {:.0?}", stage.name, stage_started.elapsed());
    }
    println!("\nall stages passed in {:.0?}", started.elapsed());
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "people want to know how long a stage takes")]
fn now() -> Instant {
    Instant::now()
}

fn fmt() -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"])).context("run `cargo fmt --all`")?;
    let sample = ["fmt", "--manifest-path", "samples/echo-rust/Cargo.toml"];
    run(cargo().args(sample).arg("--check")).with_context(|| format!("run `cargo {}`", sample.join(" ")))
}

fn deny() -> Result<()> {
    let deny = cargo_tool("cargo-deny", CARGO_DENY, &[])?;
    run(std::process::Command::new(deny).current_dir(root()).args([
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ]))
}

fn clippy() -> Result<()> {
    run(cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

/// The tests that need neither peers nor the built program.
fn unit() -> Result<()> {
    nextest(&["--workspace", "--exclude", "server"])
}

/// Counts instructions and fails where a limit is exceeded. Unlike time, they are the same on every run.
fn budget() -> Result<()> {
    ensure(tools::COUNTERS)?;
    // Unoptimised, it is built in less than half the time, and has little to do.
    let options = ["--features", "runner", "--debug", "--config", "profile.dev.debug=0"];
    let runner = cargo_tool("gungraun-runner", GUNGRAUN, &options)?;
    let packages = BUDGETED.iter().flat_map(|name| ["--package", name]);
    run(cargo()
        .args(["bench", "--no-fail-fast", "--bench", "budget"])
        .args(packages)
        .env("GUNGRAUN_RUNNER", runner))
    .context("a hot path takes more instructions; if that is right, raise its budget in benches/budget.rs")
}

/// The tests that start the program and call it from outside.
fn app() -> Result<()> {
    ensure(tools::PEERS)?;
    ensure(tools::BROWSER)?;
    crate::web::build_what_changed()?;
    let (python, samples) = (python_environment()?, crate::samples::prepare()?);
    let mut command = cargo();
    command.env("GRAPH_SDK_PYTHON", python).env("PREPARED_SAMPLES", samples);
    command.env("SCREENSHOTS", crate::web::screenshots()?);
    nextest_with(command, &["--package", "server"])
}

fn nextest(arguments: &[&str]) -> Result<()> {
    nextest_with(cargo(), arguments)
}

/// Uses nextest where it is installed: it is faster and shows which test hangs. `cargo test` runs the same tests.
fn nextest_with(mut command: std::process::Command, arguments: &[&str]) -> Result<()> {
    if find("cargo-nextest").is_some() {
        run(command.args(["nextest", "run", "--no-fail-fast"]).args(arguments))
    } else {
        run(command.args(["test", "--no-fail-fast"]).args(arguments))
    }
}

/// A Python environment with the Graph SDK; large, so it is kept.
fn python_environment() -> Result<std::path::PathBuf> {
    let environment = cache()?.join("python-msgraph");
    let python = environment.join("bin/python");
    let wanted = PYTHON_PACKAGES.join("\n");
    let stamp = environment.join("packages");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    println!("installing {} (large, once)", PYTHON_PACKAGES.join(" and "));
    if output(std::process::Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .is_err()
    {
        tools::install(&["python3-venv"])?;
        output(std::process::Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))?;
    }
    let mut pip = std::process::Command::new(&python);
    run(pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PYTHON_PACKAGES))?;
    std::fs::write(&stamp, wanted).context("failed to note what was installed")?;
    Ok(python)
}
