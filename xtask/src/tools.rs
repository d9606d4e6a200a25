use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process::{cache, cargo, run};

/// A program of the system, and the Debian package that brings it.
pub(crate) struct Tool {
    program: &'static str,
    package: &'static str,
    why: &'static str,
    /// What the package would run from now on, and nobody here wants to run.
    service: Option<&'static str>,
}

impl Tool {
    const fn new(program: &'static str, package: &'static str, why: &'static str) -> Self {
        Self { program, package, why, service: None }
    }
}

/// What every build needs.
pub(crate) const BUILD: &[Tool] = &[
    Tool::new("cc", "gcc libc6-dev", "builds the C parts of SQLite, AWS-LC and Opus"),
    Tool::new("cmake", "cmake", "builds Opus"),
    Tool::new("make", "make", "builds Opus"),
];

/// What the tests need beyond that.
pub(crate) const PEERS: &[Tool] = &[
    Tool::new("baresip", "baresip-core", "the softphone that tests call"),
    Tool::new(
        "sipp",
        "sip-tester",
        "the SIP peer for refusals and for many calls in a row, and the phone network",
    ),
    Tool {
        program: "kamailio",
        package: "kamailio",
        why: "the proxy of a carrier; it is run by the tests alone, not as a service",
        service: Some("kamailio.service"),
    },
    Tool::new("python3", "python3", "runs the Graph SDK and samples against the server"),
    Tool::new("node", "nodejs", "runs a sample against the server"),
    Tool::new("npm", "npm", "installs what that sample needs"),
];

/// What builds the pages.
pub(crate) const NODE: &[Tool] = &[
    Tool::new("node", "nodejs", "builds the pages"),
    Tool::new("npm", "npm", "installs what the pages are built with"),
];

/// What the pages are tried in.
pub(crate) const BROWSER: &[Tool] = &[Tool::new("chromium", "chromium", "the browser that tests call with")];

/// What measures.
pub(crate) const COUNTERS: &[Tool] = &[Tool::new("valgrind", "valgrind", "counts instructions")];

/// Installs what is missing, or says exactly what to install.
pub(crate) fn ensure(tools: &[Tool]) -> Result<()> {
    let missing: Vec<_> = tools.iter().filter(|tool| find(tool.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for tool in &missing {
        println!("missing: {} ({})", tool.program, tool.why);
    }
    let packages: Vec<_> = missing.iter().flat_map(|tool| tool.package.split(' ')).collect();
    let services: Vec<_> = missing.iter().filter_map(|tool| tool.service).collect();
    without_services(&services, || install(&packages))
}

/// Installs something whose services are neither started now nor with the system. They would take ports that the server
/// of whoever works here has.
fn without_services(services: &[&str], install: impl FnOnce() -> Result<()>) -> Result<()> {
    let is_run_by_systemd = Path::new("/run/systemd/system").is_dir();
    if services.is_empty() || !is_run_by_systemd || !is_root() {
        return install();
    }
    let systemctl = |arguments: &[&str]| run(Command::new("systemctl").args(arguments).args(services));
    systemctl(&["mask", "--runtime", "--quiet"])?;
    let installed = install();
    systemctl(&["unmask", "--runtime", "--quiet"])?;
    installed?;
    systemctl(&["disable", "--quiet"])
}

/// Installs Debian packages where this process may.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if find("apt-get").is_none() {
        bail!("install the programs above; on Debian or Ubuntu: {by_hand}");
    }
    if !is_root() {
        bail!("not root, so nothing was installed; run: sudo {by_hand}");
    }
    println!("installing: {}", packages.join(" "));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null());
        command
    };
    run(apt().arg("update")).with_context(|| format!("failed to install; try by hand: {by_hand}"))?;
    run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
        .with_context(|| format!("failed to install; try by hand: {by_hand}"))
}

/// A program written in Rust, built once for each version and kept; returns its path.
/// `options` are further ones of `cargo install`.
pub(crate) fn cargo_tool(name: &str, version: &str, options: &[&str]) -> Result<PathBuf> {
    let root = cache()?.join(format!("{name}-{version}"));
    let program = root.join("bin").join(name);
    if program.is_file() {
        return Ok(program);
    }
    println!("building {name} {version}, once; it is kept in {}", root.display());
    let target = cache()?.join("build");
    run(cargo()
        .args([
            "install",
            name,
            "--version",
            version,
            "--locked",
            "--no-default-features",
            "--quiet",
            "--root",
        ])
        .arg(&root)
        .args(options)
        .env("CARGO_TARGET_DIR", &target))?;
    // Its build products are of no further use and take gigabytes.
    std::fs::remove_dir_all(&target).context("failed to clean up")?;
    Ok(program)
}

/// The first program of this name in `PATH`, or where Debian has servers, which is not in everybody's.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn is_root() -> bool {
    std::fs::metadata(Path::new("/proc/self"))
        .map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0)
        .unwrap_or(false)
}
