use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{cargo, output, root};

/// Which of our crates each crate may use; the layers of ARCHITECTURE.md. `*` is all.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("graph-wire", &["model"]),
    ("phone-wire", &[]),
    ("meeting-wire", &[]),
    ("call-engine", &["model"]),
    ("sip-message", &[]),
    ("sip-proto", &["sip-message"]),
    ("rtc-proto", &[]),
    ("media-engine", &[]),
    ("trunk", &["model"]),
    ("attendant", &["model"]),
    ("store", &["model"]),
    ("store-sqlite", &["store", "model"]),
    ("transport", &[]),
    ("media-plane", &["media-engine", "rtc-proto"]),
    ("app-media", &["media-engine", "model"]),
    ("webrtc", &["rtc-proto"]),
    ("pictures", &["rtc-proto", "webrtc"]),
    ("outbound", &[]),
    ("pages", &[]),
    ("identity", &["store", "model"]),
    ("notifier", &["store", "outbound", "graph-wire", "model"]),
    (
        "node",
        &[
            "app-media",
            "attendant",
            "call-engine",
            "media-engine",
            "media-plane",
            "meeting-wire",
            "model",
            "phone-wire",
            "pictures",
            "rtc-proto",
            "sip-message",
            "sip-proto",
            "store",
            "trace",
            "transport",
            "trunk",
            "webrtc",
        ],
    ),
    ("softphone", &["media-engine", "media-plane", "rtc-proto", "sip-message", "sip-proto", "transport"]),
    (
        "api",
        &[
            "app-media",
            "call-engine",
            "graph-wire",
            "identity",
            "meeting-wire",
            "model",
            "node",
            "pages",
            "phone-wire",
            "store",
            "trace",
        ],
    ),
    ("settings", &[]),
    ("telemetry", &[]),
    ("trace", &["model"]),
    ("server", &["*"]),
    ("testkit", &["*"]),
    ("xtask", &[]),
];

/// Crates that decide and do not act: nothing in their trees may wait, open a socket or run tasks.
const PURE: &[&str] = &[
    "model",
    "graph-wire",
    "phone-wire",
    "meeting-wire",
    "call-engine",
    "sip-message",
    "sip-proto",
    "rtc-proto",
    "media-engine",
    "trunk",
    "attendant",
];
const IMPURE: &[&str] = &["async-std", "mio", "nix", "reqwest", "rustls", "smol", "socket2", "tokio"];

/// Only the root of the program names an adapter of storage.
const ROOT_ONLY: &[&str] = &["store-sqlite"];

/// One cryptographic library in the whole tree.
const BANNED: &[&str] = &["native-tls", "openssl-sys", "ring"];

/// Lines of production code in a file, tests not counted.
const MAX_LINES: usize = 600;

const MAX_ARCHITECTURE_LINES: usize = 300;
const MAX_ADR_LINES: usize = 40;

/// Holds the workspace against its own rules.
pub(crate) fn run() -> Result<()> {
    let workspace = Workspace::read()?;
    let mut complaints = Vec::new();
    workspace.check_layers(&mut complaints);
    workspace.check_purity(&mut complaints);
    check_banned(&mut complaints)?;
    check_documents(&workspace, &mut complaints)?;
    check_files(&mut complaints)?;
    if complaints.is_empty() {
        println!("tidy: {} crates, layers and sizes as ARCHITECTURE.md says", workspace.ours.len());
        return Ok(());
    }
    bail!("the workspace is untidy:\n  {}", complaints.join("\n  "))
}

/// What `cargo metadata` says.
struct Workspace {
    /// Our crates, each with the direct dependencies that it ships with.
    ours: BTreeMap<String, BTreeSet<String>>,
    /// Every package of the tree with its direct dependencies, by name; normal ones only.
    all: BTreeMap<String, BTreeSet<String>>,
}

impl Workspace {
    fn read() -> Result<Self> {
        let arguments =
            ["metadata", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"];
        let metadata: Value = serde_json::from_str(&output(cargo().args(arguments))?)?;
        let list = |key: &str| metadata[key].as_array().cloned().unwrap_or_default();
        let names: BTreeMap<String, String> =
            list("packages").iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let members: BTreeSet<String> = list("workspace_members").iter().map(text).collect();
        let (mut ours, mut all) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
        for node in metadata["resolve"]["nodes"].as_array().context("cargo metadata shows no tree")? {
            let id = text(&node["id"]);
            let name = names.get(&id).cloned().unwrap_or_default();
            let used: BTreeSet<String> = node["deps"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|used| is_shipped(used))
                .filter_map(|used| names.get(&text(&used["pkg"])).cloned())
                .collect();
            if members.contains(&id) {
                ours.insert(name.clone(), used.clone());
            }
            all.entry(name).or_default().extend(used);
        }
        Ok(Self { ours, all })
    }

    fn check_layers(&self, complaints: &mut Vec<String>) {
        for (name, used) in &self.ours {
            let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| known == name) else {
                complaints.push(format!("{name}: give it a line in MAY_USE of xtask/src/tidy.rs"));
                continue;
            };
            for other in used.iter().filter(|other| self.ours.contains_key(*other)) {
                if !allowed.contains(&"*") && !allowed.contains(&other.as_str()) {
                    complaints
                        .push(format!("{name} may not use {other} (see the layers in ARCHITECTURE.md)"));
                }
                if ROOT_ONLY.contains(&other.as_str()) && !["server", "testkit"].contains(&name.as_str()) {
                    complaints.push(format!("{name} names {other}; only server may"));
                }
            }
        }
        for (name, _) in MAY_USE.iter().filter(|(name, _)| !self.ours.contains_key(*name)) {
            complaints.push(format!("{name} is gone; take its line out of MAY_USE of xtask/src/tidy.rs"));
        }
    }

    fn check_purity(&self, complaints: &mut Vec<String>) {
        for name in PURE {
            for impure in IMPURE.iter().filter(|impure| self.tree_of(name).contains(**impure)) {
                complaints.push(format!("{name} is pure, but its tree holds {impure}"));
            }
        }
    }

    fn tree_of(&self, name: &str) -> BTreeSet<String> {
        let (mut seen, mut open) = (BTreeSet::new(), vec![name.to_owned()]);
        while let Some(next) = open.pop() {
            if seen.insert(next.clone()) {
                open.extend(self.all.get(&next).into_iter().flatten().cloned());
            }
        }
        seen
    }
}

/// Looks at what is shipped. The metadata's tree would not do: there, the features that tests ask for are on too.
fn check_banned(complaints: &mut Vec<String>) -> Result<()> {
    let arguments =
        ["tree", "--package", "server", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
    let tree = output(cargo().args(arguments))?;
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    for banned in BANNED.iter().filter(|banned| names.contains(**banned)) {
        complaints.push(format!(
            "the server's tree holds {banned} (cargo tree --package server --invert {banned})"
        ));
    }
    Ok(())
}

/// Whether a dependency is part of what is shipped, not of tests or build scripts.
fn is_shipped(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
}

fn check_documents(workspace: &Workspace, complaints: &mut Vec<String>) -> Result<()> {
    let architecture = read(&root().join("ARCHITECTURE.md"))?;
    for name in workspace.ours.keys().filter(|name| !architecture.contains(&format!("`{name}`"))) {
        complaints.push(format!("ARCHITECTURE.md does not mention `{name}`"));
    }
    if architecture.lines().count() > MAX_ARCHITECTURE_LINES {
        complaints.push(format!("ARCHITECTURE.md is longer than {MAX_ARCHITECTURE_LINES} lines"));
    }
    for record in files_below(&root().join("docs/adr"), "md")? {
        let lines = read(&record)?.lines().count();
        if lines > MAX_ADR_LINES {
            complaints.push(format!("{}: {lines} lines, more than {MAX_ADR_LINES}", short(&record)));
        }
    }
    Ok(())
}

fn check_files(complaints: &mut Vec<String>) -> Result<()> {
    for folder in ["crates", "xtask"] {
        for file in files_below(&root().join(folder), "rs")? {
            let text = read(&file)?;
            let production = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
            if production > MAX_LINES {
                complaints
                    .push(format!("{}: {production} lines, more than {MAX_LINES}; split it", short(&file)));
            }
        }
    }
    Ok(())
}

fn files_below(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(folder) = open.pop() {
        let entries =
            std::fs::read_dir(&folder).with_context(|| format!("failed to list {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
