use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};

use crate::process::{cache, output, root, run};
use crate::tools::{self, ensure, find};

/// The oldest Node that the build of the pages runs on: `engines` of web/package.json.
const OLDEST_NODE: (u32, u32) = (20, 19);

/// Builds the pages into `web/dist`, from where the server takes them when it is compiled.
pub(crate) fn build() -> Result<()> {
    prepare()?;
    npm(&["run", "build"])
}

/// The same, unless nothing has changed since: the server is not compiled again then.
pub(crate) fn build_what_changed() -> Result<()> {
    let built = modified(&folder().join("dist/phone.html")).ok();
    if built.is_some_and(|built| newest_source(&folder()).is_ok_and(|newest| newest < built)) {
        return prepare();
    }
    build()
}

/// When the latest of all that pages are made from was written, tests not counted.
fn newest_source(folder: &Path) -> Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if path.is_file() {
            newest = newest.max(modified(&path)?);
        } else if !["dist", "e2e", "node_modules"].iter().any(|other| name == *other) {
            newest = newest.max(newest_source(&path)?);
        }
    }
    Ok(newest)
}

fn modified(path: &Path) -> Result<SystemTime> {
    Ok(std::fs::metadata(path)?.modified()?)
}

/// Where tests leave pictures of the pages for people to look at.
pub(crate) fn screenshots() -> Result<PathBuf> {
    Ok(cache()?.join("screenshots"))
}

/// Everything that is tested of the pages: types, lints, decisions, and calls in a browser.
pub(crate) fn test() -> Result<()> {
    build()?;
    for script in ["typecheck", "lint", "unit"] {
        npm(&["run", script])?;
    }
    ensure(tools::BROWSER)?;
    let screenshots = screenshots()?;
    println!("screenshots: {}", screenshots.display());
    run(command(&["run", "e2e"]).env("SCREENSHOTS", screenshots))
}

/// Installs what the pages are built with, unless that was done.
fn prepare() -> Result<()> {
    ensure(tools::NODE)?;
    let version = output(Command::new("node").arg("--version"))?;
    if !is_recent(&version) {
        let (major, minor) = OLDEST_NODE;
        bail!(
            "the pages are built with Node {major}.{minor} or later, and this is {}; install a later one, as from nodejs.org",
            version.trim()
        );
    }
    let wanted = std::fs::read_to_string(folder().join("package-lock.json"));
    let wanted = wanted.context("failed to read web/package-lock.json")?;
    let stamp = folder().join("node_modules/.installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing what the pages are built with (once)");
    npm(&["ci"])?;
    std::fs::write(&stamp, wanted).context("failed to note what was installed")
}

/// Whether `version`, as `node --version` prints it, will do.
fn is_recent(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= OLDEST_NODE,
        _ => false,
    }
}

fn npm(arguments: &[&str]) -> Result<()> {
    run(&mut command(arguments))
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(find("npm").unwrap_or_else(|| "npm".into()));
    command.args(arguments).current_dir(folder());
    command.envs([("npm_config_audit", "false"), ("npm_config_fund", "false")]);
    command.env("npm_config_update_notifier", "false");
    command
}

fn folder() -> PathBuf {
    root().join("web")
}

#[cfg(test)]
mod tests {
    use super::is_recent;

    #[test]
    fn node_is_recent_from_the_oldest_version_that_builds_the_pages() {
        assert!(is_recent("v20.19.0\n") && is_recent("v22.1.0") && is_recent("v100.0.0"));
        assert!(!is_recent("v20.18.3") && !is_recent("v18.20.4\n") && !is_recent("") && !is_recent("node"));
    }
}
