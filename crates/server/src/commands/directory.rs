//! `hookswitch directory apply`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ArgMatches;
use model::{Directory, OnlineMeeting};
use store::{DirectoryStore, MeetingStore, StoreError};

use crate::app::open_store;
use crate::directory::{Difference, difference};
use crate::directory_meetings::Meetings;
use crate::{cli, directory_file, realm};

/// How often a change by someone else is taken in before this gives up. Arbitrary; people rarely race twice.
const MAX_TRIES: usize = 5;

/// Makes the directory match a file.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    // clap lets nothing else through.
    let Some(("apply", matches)) = matches.subcommand() else { return Ok(()) };
    let settings = cli::settings(matches, cli::profile(matches))?.settings;
    let file = matches.get_one::<PathBuf>("file").context("FILE is missing")?;
    let realm = realm(&settings);
    let is_dry_run = matches.get_flag("dry-run");
    // Looking at what is not there must not make it.
    if is_dry_run && !settings.server.data_dir.exists() {
        return print(&report(&plan(file, realm, (&Directory::default(), &Meetings::new()))?, is_dry_run));
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().context("failed to start a runtime")?;
    let planned = runtime.block_on(async {
        let store = open_store(&settings, false)?;
        let planned = apply(store.as_ref(), store.as_ref(), file, (realm, is_dry_run)).await;
        store.close().await;
        planned
    })?;
    print(&report(&planned, is_dry_run))
}

/// Changes the directory. Another process may change it at the same time: then all is decided again.
async fn apply(
    store: &dyn DirectoryStore,
    meetings: &dyn MeetingStore,
    file: &Path,
    (realm, is_dry_run): (&str, bool),
) -> Result<Difference> {
    for _ in 0..MAX_TRIES {
        let snapshot = store.directory().await.context("failed to read the directory")?;
        let meetings = meetings.meetings_from_file().await.context("failed to read the meetings")?;
        let key = |meeting: OnlineMeeting| ((meeting.tenant.clone(), meeting.id.clone()), meeting);
        let meetings = meetings.into_iter().map(key).collect();
        let planned = plan(file, realm, (&snapshot.directory, &meetings))?;
        if is_dry_run || planned.changes.is_empty() {
            return Ok(planned);
        }
        match store.apply_directory(snapshot.version, planned.changes.clone()).await {
            Ok(_version) => return Ok(planned),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error).context("failed to change the directory"),
        }
    }
    bail!("someone else keeps changing the directory; nothing was changed, try again")
}

fn plan(file: &Path, realm: &str, (present, meetings): (&Directory, &Meetings)) -> Result<Difference> {
    let wanted = directory_file::read(file, realm, present)?;
    let mut difference = difference(present, &wanted.directory);
    difference.add_meetings(meetings, &wanted.meetings);
    Ok(difference)
}

fn report(planned: &Difference, is_dry_run: bool) -> String {
    let mut text: String = planned.lines.iter().map(|line| format!("{line}\n")).collect();
    text.push_str(match (planned.lines.is_empty(), is_dry_run) {
        (true, _) => "nothing to change\n",
        (false, true) => "dry run: nothing was changed\n",
        (false, false) => "done; a running server takes it over within seconds\n",
    });
    text
}

fn print(text: &str) -> Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("failed to print what has changed")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;

    use model::Directory;
    use store::{DirectoryChange, DirectorySnapshot, DirectoryStore, Reply, StoreError};
    use store_sqlite::SqliteStore;

    use super::{MAX_TRIES, apply, report};

    const FILE: &str = "
        [[tenants]]
        id = 't'
        name = 'Contoso'

        [[users]]
        id = 'john'
        tenant = 't'
        name = 'John'
        address = 'john@contoso.example'

        [[meetings]]
        tenants = ['t']
        thread = '19:meeting_a@thread.v2'
        organizer = 'john'
        subject = 'Standup'
        join-meeting-id = '1234567'
    ";

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("hookswitch-apply-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("directory.toml"), FILE).unwrap();
            Self(folder)
        }

        fn file(&self) -> PathBuf {
            self.0.join("directory.toml")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A directory that someone else changes just before the first changes of ours.
    struct Contested {
        conflicts: Mutex<usize>,
        applied: Mutex<Vec<(u64, Vec<DirectoryChange>)>>,
    }

    impl Contested {
        fn new(conflicts: usize) -> Self {
            Self { conflicts: Mutex::new(conflicts), applied: Mutex::default() }
        }
    }

    impl DirectoryStore for Contested {
        fn directory(&self) -> Reply<'_, DirectorySnapshot> {
            let version = 9 - *self.conflicts.lock().unwrap() as u64;
            Box::pin(async move { Ok(DirectorySnapshot { version, directory: Directory::default() }) })
        }

        fn apply_directory(&self, based_on: u64, changes: Vec<DirectoryChange>) -> Reply<'_, u64> {
            let mut conflicts = self.conflicts.lock().unwrap();
            if let Some(fewer) = conflicts.checked_sub(1) {
                *conflicts = fewer;
                return Box::pin(async move {
                    Err(StoreError::Conflict { expected: based_on, found: based_on + 1 })
                });
            }
            self.applied.lock().unwrap().push((based_on, changes));
            Box::pin(async move { Ok(based_on + 1) })
        }

        fn directory_version(&self) -> Reply<'_, u64> {
            Box::pin(async { Ok(0) })
        }
    }

    #[tokio::test]
    async fn a_second_run_changes_nothing_and_says_so() {
        let folder = Folder::new("second");
        let store =
            SqliteStore::open(&folder.0.join("hookswitch.db"), store_sqlite::Options::default()).unwrap();

        let first = apply(&store, &store, &folder.file(), ("contoso.example", false)).await.unwrap();
        let second = apply(&store, &store, &folder.file(), ("contoso.example", false)).await.unwrap();

        assert_eq!(
            report(&first, false),
            "+ tenant t (Contoso)\n+ user john (john@contoso.example)\n\
             + meeting 19:meeting_a@thread.v2 of t (Standup)\ndone; a running server takes it over within seconds\n"
        );
        assert_eq!(report(&second, false), "nothing to change\n");
        assert_eq!(store.directory_version().await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_dry_run_says_what_would_change_and_changes_nothing() {
        let folder = Folder::new("dry");
        let store =
            SqliteStore::open(&folder.0.join("hookswitch.db"), store_sqlite::Options::default()).unwrap();

        let planned = apply(&store, &store, &folder.file(), ("contoso.example", true)).await.unwrap();

        assert!(report(&planned, true).ends_with("of t (Standup)\ndry run: nothing was changed\n"));
        assert_eq!(store.directory().await.unwrap(), DirectorySnapshot::default());
    }

    #[tokio::test]
    async fn changes_are_decided_again_where_someone_else_was_faster() {
        let folder = Folder::new("conflict");
        let store = Contested::new(2);
        let meetings =
            SqliteStore::open(&folder.0.join("hookswitch.db"), store_sqlite::Options::default()).unwrap();

        apply(&store, &meetings, &folder.file(), ("contoso.example", false)).await.unwrap();

        let applied = store.applied.lock().unwrap();
        assert_eq!(
            applied.iter().map(|(based_on, changes)| (*based_on, changes.len())).collect::<Vec<_>>(),
            [(9, 3)]
        );
    }

    #[tokio::test]
    async fn a_race_without_end_is_given_up() {
        let folder = Folder::new("race");
        let meetings =
            SqliteStore::open(&folder.0.join("hookswitch.db"), store_sqlite::Options::default()).unwrap();
        let contested = Contested::new(MAX_TRIES);
        let error = apply(&contested, &meetings, &folder.file(), ("contoso.example", false)).await.err();
        assert!(error.unwrap().to_string().contains("nothing was changed"));
    }
}
