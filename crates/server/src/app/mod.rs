//! A running server: everything that the settings name, started in the order of dependence and stopped in reverse.

mod adapters;
mod base;
mod config;
mod doors;
mod lab;
mod meters;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use model::{MeetingId, OnlineMeeting, TenantId};
use node::{Clock, Node, SharedDirectory};
use notifier::Notifier;
use settings::{Profile, Settings};
use store::Store;
use store_sqlite::SqliteStore;
use telemetry::Metrics;

use self::base::Base;
pub(crate) use self::config::realm;
use self::doors::Doors;
use self::lab::Lab;
use crate::http::Listeners;

/// Where a running server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// HTTPS.
    pub https: Option<SocketAddr>,
    /// SIP over UDP.
    pub sip_udp: Option<SocketAddr>,
    /// SIP over TCP.
    pub sip_tcp: Option<SocketAddr>,
    /// SIP over TLS.
    pub sip_tls: Option<SocketAddr>,
    /// WebRTC, as applications are told it.
    pub webrtc: Option<SocketAddr>,
}

/// A running server.
pub struct App {
    addresses: Addresses,
    node: Node,
    notifier: Arc<Notifier>,
    listeners: Listeners,
    store: Arc<dyn Store>,
    is_ready: Arc<AtomicBool>,
    lab: Option<Arc<Lab>>,
    drain_timeout: Duration,
}

/// How often it is looked whether another process changed the directory.
const DIRECTORY_PAUSE: Duration = Duration::from_secs(1);

/// How often histograms are folded; they take memory until then.
const METRICS_PAUSE: Duration = Duration::from_secs(5);

/// How often old calls are looked for, and how many rounds at the most are made at once.
const PURGE_PAUSE: Duration = Duration::from_secs(60);

impl App {
    /// Starts a server and returns once it serves.
    ///
    /// # Errors
    ///
    /// Names the setting and the fix where it cannot start; nothing keeps running then.
    pub async fn start(settings: &Settings, profile: Profile) -> Result<Self> {
        make_private_folder(&settings.server.data_dir)?;
        let doors = Doors::open(settings, profile).await?;
        let base = Base::lay(settings, profile, &doors).await?;
        let notifier = Arc::new(base.start_notifier(settings).await?);
        let node = base.start_node(settings, &doors, &notifier).await?;

        let is_ready = Arc::new(AtomicBool::new(true));
        let (http, https) = doors.addresses();
        let lab = base.lab(settings, &node);
        let api = base.api(settings, profile, (&node, &doors), &is_ready);
        let console = base.console(settings, &node, &notifier);
        let router = api::router(api::Api { lab: lab.clone().map(|lab| lab as _), console, ..api });
        let webrtc = doors.webrtc().map(webrtc::Gateway::candidate);
        let listeners = Listeners::new(config::http(settings), config::proxies(settings));
        let listeners = doors.serve(listeners, router);
        base.start_chores(settings, node.calls());

        let sip = node.sip_addresses();
        let addresses =
            Addresses { http, https, sip_udp: sip.udp, sip_tcp: sip.tcp, sip_tls: sip.tls, webrtc };
        let (store, drain_timeout) = (base.store, settings.server.drain_timeout);
        Ok(Self { addresses, node, notifier, listeners, store, is_ready, lab, drain_timeout })
    }

    /// Where it is reached.
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Stops: no new requests, calls are hung up, what is owed is delivered as far as time allows; the rest is
    /// delivered at the next start.
    pub async fn drain(self) {
        self.is_ready.store(false, Ordering::Relaxed);
        let limit = self.drain_timeout;
        let ended = tokio::time::timeout(limit, async {
            if let Some(lab) = &self.lab {
                lab.drain().await;
            }
            self.node.drain().await;
            self.listeners.drain(limit).await;
        });
        if ended.await.is_err() {
            tracing::warn!("some calls did not end in time; they are ended at the next start");
        }
        if !self.notifier.drain(limit).await {
            tracing::info!("some notifications are still owed; they are delivered after the next start");
        }
        self.store.close().await;
    }
}

/// Makes the data folder readable by this user alone: it holds keys and recordings.
fn make_private_folder(data: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(data);
    made.with_context(|| {
        format!("failed to make the data folder {} (server.data_dir, --data)", data.display())
    })
}

/// Opens the database of a data folder.
///
/// A server has it for itself; a command may open it beside one.
pub(crate) fn open_store(settings: &Settings, is_server: bool) -> Result<Arc<dyn Store>> {
    let path = settings.server.data_dir.join("hookswitch.db");
    let options =
        store_sqlite::Options { is_server, readers: settings.store.readers as usize, ..Default::default() };
    let store = SqliteStore::open(&path, options).with_context(|| {
        format!("failed to open the database {} (server.data_dir, --data)", path.display())
    })?;
    Ok(Arc::new(store))
}

/// Takes over changes that `hookswitch directory apply` makes while the server runs.
async fn follow_directory(store: std::sync::Weak<dyn Store>, directory: SharedDirectory, calls: node::Calls) {
    let mut known = None;
    let mut meetings = FileMeetings::default();
    loop {
        let Some(store) = store.upgrade() else { return };
        match store.directory_version().await {
            Ok(version) if known != Some(version) => match store.directory().await {
                Ok(snapshot) => {
                    if known.is_some() {
                        tracing::info!(version = snapshot.version, "the directory has changed");
                    }
                    known = Some(snapshot.version);
                    directory.store(Arc::new(snapshot.directory.into()));
                    calls.directory_changed();
                    match store.meetings_from_file().await {
                        Ok(now) => {
                            meetings.take(now).into_iter().for_each(|changed| calls.meeting_changed(changed));
                        }
                        Err(error) => tracing::warn!(%error, "failed to read the meetings of the directory"),
                    }
                }
                Err(error) => tracing::warn!(%error, "failed to read the directory"),
            },
            Ok(_same) => {}
            Err(store::StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "failed to look for changes of the directory"),
        }
        drop(store);
        tokio::time::sleep(DIRECTORY_PAUSE).await;
    }
}

/// The meetings of the directory file, as they were looked at last.
#[derive(Default)]
struct FileMeetings(Option<BTreeMap<(TenantId, MeetingId), u64>>);

impl FileMeetings {
    /// Those that have changed since; none the first time.
    fn take(&mut self, now: Vec<OnlineMeeting>) -> Vec<OnlineMeeting> {
        let key = |meeting: &OnlineMeeting| (meeting.tenant.clone(), meeting.id.clone());
        let revisions = now.iter().map(|meeting| (key(meeting), meeting.revision)).collect();
        let Some(before) = self.0.replace(revisions) else { return Vec::new() };
        let has_changed = |meeting: &OnlineMeeting| before.get(&key(meeting)) != Some(&meeting.revision);
        now.into_iter().filter(has_changed).collect()
    }
}

/// Forgets calls that ended long ago.
async fn purge(store: std::sync::Weak<dyn Store>, keep: Duration, clock: Clock) {
    loop {
        tokio::time::sleep(PURGE_PAUSE).await;
        let Some(store) = store.upgrade() else { return };
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let before = model::Timestamp::from_millis(clock.now().as_millis().saturating_sub(keep_ms));
        // A round forgets a bounded number; rounds go on until nothing is left, without holding the writer for long.
        loop {
            match store.purge(before).await {
                Ok(0) => break,
                Ok(calls) => tracing::debug!(calls, "forgot calls that ended long ago"),
                Err(store::StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "failed to forget old calls");
                    break;
                }
            }
        }
    }
}

/// Forgets meetings that ended long ago, and how many were made in former months.
async fn purge_meetings(store: std::sync::Weak<dyn Store>, keep: Option<Duration>, clock: Clock) {
    loop {
        tokio::time::sleep(PURGE_PAUSE).await;
        let Some(store) = store.upgrade() else { return };
        let now = clock.now();
        let keep_ms = keep.map_or(i64::MAX, |keep| i64::try_from(keep.as_millis()).unwrap_or(i64::MAX));
        let before = model::Timestamp::from_millis(now.as_millis().saturating_sub(keep_ms));
        loop {
            match store.purge_meetings(before, store::Month::of(now)).await {
                Ok(0) => break,
                Ok(meetings) => tracing::debug!(meetings, "forgot meetings that ended long ago"),
                Err(store::StoreError::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "failed to forget old meetings");
                    break;
                }
            }
        }
    }
}

async fn fold_metrics(metrics: Metrics) {
    loop {
        tokio::time::sleep(METRICS_PAUSE).await;
        metrics.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use model::OnlineMeeting;

    use super::FileMeetings;
    use crate::dev_tenant;

    #[test]
    fn only_what_a_file_changes_while_the_server_runs_is_told() {
        let mut meetings = dev_tenant::meetings();
        let mut known = FileMeetings::default();
        assert!(known.take(meetings.clone()).is_empty(), "nobody is in any meeting yet");
        assert!(known.take(meetings.clone()).is_empty());
        meetings[1].revision += 1;
        let added = OnlineMeeting { tenant: "another".into(), ..meetings[0].clone() };
        meetings.push(added.clone());
        assert_eq!(known.take(meetings.clone()), [meetings[1].clone(), added]);
        meetings.clear();
        assert!(known.take(meetings).is_empty());
    }
}
