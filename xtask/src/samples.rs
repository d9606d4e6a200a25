use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{cache, cargo, root, run};

/// Where READMEs say what is run.
const README: &str = "README.md";

/// What names the packages that a sample needs. Those of `Cargo.lock` are cargo's own affair.
const PACKAGES: &[&str] = &["package.json", "requirements.txt"];

/// Makes the samples ready to run, and returns the folder that has a folder for each.
///
/// Each is copied into the cache, where its packages stay, and prepared there by the lines of its README but the last, which
/// starts it.
pub(crate) fn prepare() -> Result<PathBuf> {
    let (samples, prepared) = (root().join("samples"), cache()?.join("samples"));
    let ignored = read(&samples.join(".gitignore"))?;
    let ignored: Vec<&str> = ignored.lines().collect();
    for folder in entries(&samples)?.into_iter().filter(|path| path.join(README).is_file()) {
        let name = folder.file_name().context("a folder has a name")?;
        let copy = prepared.join(name);
        copy_changed(&folder, &copy, &ignored)?;
        install(&copy).with_context(|| format!("failed to prepare the sample {}", name.display()))?;
    }
    Ok(prepared)
}

/// Installs what the sample names, unless that was done.
fn install(sample: &Path) -> Result<()> {
    if sample.join("Cargo.toml").is_file() {
        // Cargo knows itself whether there is something to do; without a network, once it has the crates.
        return run(cargo().args(["build", "--locked", "--quiet"]).current_dir(sample));
    }
    let commands = commands(&read(&sample.join(README))?)?;
    let mut wanted = commands.clone();
    for path in PACKAGES.iter().map(|name| sample.join(name)).filter(|path| path.is_file()) {
        wanted += &read(&path)?;
    }
    let stamp = sample.join(".prepared");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    println!("installing what {} needs (once):\n{commands}", sample.display());
    let mut shell = Command::new("sh");
    shell.args(["-ec", &commands]).current_dir(sample);
    shell.envs([("PIP_QUIET", "1"), ("PIP_DISABLE_PIP_VERSION_CHECK", "1")]);
    shell.envs([("npm_config_audit", "false"), ("npm_config_fund", "false")]);
    run(&mut shell)?;
    std::fs::write(&stamp, wanted).context("failed to note what was installed")
}

/// The lines of the one block of commands in a README, but the last.
fn commands(readme: &str) -> Result<String> {
    let block = readme.split_once("```sh\n").and_then(|(_, rest)| rest.split_once("\n```"));
    let (block, _) = block.context("its README has no block of commands")?;
    Ok(block.rsplit_once('\n').map(|(installing, _)| format!("{installing}\n")).unwrap_or_default())
}

/// Copies what has changed, so that nothing is built anew without need.
fn copy_changed(from: &Path, to: &Path, ignored: &[&str]) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("failed to make {}", to.display()))?;
    for path in entries(from)? {
        let name = path.file_name().context("an entry has a name")?;
        if ignored.iter().any(|ignored| name == *ignored) {
            continue;
        }
        let copy = to.join(name);
        if path.is_dir() {
            copy_changed(&path, &copy, ignored)?;
            continue;
        }
        let content = std::fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
        if std::fs::read(&copy).ok().as_ref() != Some(&content) {
            std::fs::write(&copy, content).with_context(|| format!("failed to write {}", copy.display()))?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("failed to read {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}
