//! Takes in what `cargo xtask web` left in `web/dist`; where it left nothing, a server without pages is built.

use std::fmt::Write as _;
use std::fs;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};

/// Relative to this crate.
const DIST: &str = "../../web/dist";

fn main() -> Result<()> {
    let dist = folder("CARGO_MANIFEST_DIR")?.join(DIST);
    // A folder that is not there counts as changed on each build. Where it cannot be made, that is so.
    let _ = fs::create_dir_all(&dist);
    println!("cargo:rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    collect(&dist, "", &mut files)?;
    files.sort();
    let mut table = "[\n".to_owned();
    for (name, path) in files.iter().filter(|(name, _)| !name.ends_with(".br") && !name.ends_with(".gz")) {
        let compressed = |suffix: &str| {
            let compressed = format!("{name}.{suffix}");
            let found = files.iter().find(|(other, _)| *other == compressed);
            found.map_or_else(|| "None".to_owned(), |(_, path)| format!("Some(include_bytes!({path:?}))"))
        };
        let (br, gzip) = (compressed("br"), compressed("gz"));
        let _ = writeln!(
            table,
            "File {{ name: {name:?}, plain: include_bytes!({path:?}), br: {br}, gzip: {gzip} }},"
        );
    }
    table.push(']');
    fs::write(folder("OUT_DIR")?.join("built.rs"), table)
}

/// All files below a folder, each with its name relative to the first one.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let name = name.map_err(|name| Error::other(format!("{} is not text", name.display())))?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{prefix}{name}/"), files)?;
        } else {
            files.push((format!("{prefix}{name}"), fs::canonicalize(entry.path())?));
        }
    }
    Ok(())
}

fn folder(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .ok_or_else(|| Error::other(format!("{variable} is not set")))
}
