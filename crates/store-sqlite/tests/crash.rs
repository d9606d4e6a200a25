//! What was acknowledged outlives `kill -9`, and two processes can share a file.
//!
//! The children are this very test binary, started again for one ignored test with the database in the environment.

#![expect(clippy::unwrap_used, reason = "a test ends where something fails")]

mod common;

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use common::Folder;
use model::{CallId, TenantId};
use store::contract::{Samples, block_on};
use store::{CallStore, DirectoryChange, DirectoryStore, Outbox, StoreError};
use store_sqlite::{Options, SqliteStore};

const DATABASE: &str = "STORE_TEST_DATABASE";
const ROUND: &str = "STORE_TEST_ROUND";
const COMMITTERS: u64 = 8;

#[test]
fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let folder = Folder::new();
    let mut acknowledged = Vec::new();
    for (round, kill_after) in (0..).zip([1, 3, 50, 7, 120, 20, 64, 300]) {
        let mut child = start("commits_until_it_is_killed", &folder.database(), round);
        acknowledged.extend(kill_after_lines(&mut child, kill_after));

        let store = SqliteStore::open(&folder.database(), Options::default()).unwrap();
        for id in &acknowledged {
            assert!(block_on(store.call(*id)).unwrap().is_some(), "call {id} was acknowledged");
            assert_eq!(block_on(store.owed_of_call(*id, 0, 10)).unwrap().len(), 2, "call {id} is owed two");
        }
        for live in all_live(&store) {
            assert_eq!(block_on(store.owed_of_call(live, 0, 10)).unwrap().len(), 2, "call {live} came whole");
        }
    }
    assert!(acknowledged.len() >= 565);
}

#[test]
fn a_server_goes_on_while_another_process_changes_the_directory() {
    let folder = Folder::new();
    let server = SqliteStore::open(&folder.database(), Options::default()).unwrap();
    let mut child = start("applies_a_directory_thirty_times", &folder.database(), 0);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut samples = Samples::new(1);
    let mut seen = 0;
    while lines.any(|line| line.contains("applied one")) {
        block_on(server.commit(samples.new_call(2).1)).unwrap();
        let version = block_on(server.directory_version()).unwrap();
        assert!(version >= seen, "versions only grow");
        seen = version;
    }
    assert!(child.wait().unwrap().success());
    let snapshot = block_on(server.directory()).unwrap();
    assert_eq!((snapshot.version, snapshot.directory.tenants.len()), (30, 30));
    assert_eq!(all_live(&server).len(), 30);
}

#[test]
#[ignore = "started by the test above, in a process that is killed"]
fn commits_until_it_is_killed() {
    let Some((database, round)) = errand() else { return };
    let store = SqliteStore::open(&database, Options::default()).unwrap();
    thread::scope(|scope| {
        for committer in 0..COMMITTERS {
            let store = &store;
            scope.spawn(move || {
                let mut samples = Samples::new(round * COMMITTERS + committer + 1);
                loop {
                    let (call, transaction) = samples.new_call(2);
                    block_on(store.commit(transaction)).unwrap();
                    say(&format!("committed {}", call.id));
                }
            });
        }
    });
}

#[test]
#[ignore = "started by the test above, as the other process"]
fn applies_a_directory_thirty_times() {
    let Some((database, _)) = errand() else { return };
    let store = SqliteStore::open(&database, Options::default()).unwrap();
    for number in 0..30 {
        let tenant = model::Tenant {
            id: TenantId::new(format!("tenant-{number}")),
            name: "T".to_owned(),
            grants: [].into(),
            access_policies: [].into(),
            dial_in_numbers: [].into(),
        };
        let based_on = block_on(store.directory_version()).unwrap();
        let change = vec![DirectoryChange::PutTenant(Box::new(tenant))];
        let conflict = block_on(store.apply_directory(based_on + 1, change.clone())).unwrap_err();
        assert!(matches!(conflict, StoreError::Conflict { .. }));
        block_on(store.apply_directory(based_on, change)).unwrap();
        say("applied one");
    }
}

fn start(test: &str, database: &Path, round: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(DATABASE, database)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads that many acknowledgements, kills the child, and returns all that it had acknowledged.
fn kill_after_lines(child: &mut Child, count: usize) -> Vec<CallId> {
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    let mut lines = 0;
    while lines < count {
        let start = text.len();
        assert_ne!(output.read_line(&mut text).unwrap(), 0, "the child ended by itself");
        lines += usize::from(acknowledged(&text[start..]).is_some());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    output.read_to_string(&mut text).unwrap();
    // What follows the last line's end was cut off by the kill.
    text.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(acknowledged).collect()
}

fn acknowledged(line: &str) -> Option<CallId> {
    let (_, id) = line.trim_end().split_once("committed ")?;
    CallId::parse(id)
}

fn all_live(store: &SqliteStore) -> Vec<CallId> {
    let mut all = Vec::new();
    loop {
        let page = block_on(store.live_calls(all.last().copied(), 500)).unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.into_iter().map(|live| live.call.id));
    }
}

fn errand() -> Option<(PathBuf, u64)> {
    let round = env::var(ROUND).ok()?.parse().ok()?;
    Some((env::var_os(DATABASE)?.into(), round))
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}
