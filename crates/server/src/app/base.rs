//! What everything else in a server stands on, and the parts that are started from it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, anyhow};
use arc_swap::ArcSwap;
use identity::{Issuer, NotificationSigner, TokenEndpoint, Verifier};
use node::{Clock, Node, SharedDirectory, StartError};
use notifier::Notifier;
use outbound::Outbound;
use settings::{Profile, Settings};
use store::{DirectoryChange, KeyPurpose, Store};
use telemetry::Metrics;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trace::Recorder;

use super::adapters::{self, ApiClock, Bearers, Dialler, Keys, OwedTo, Prompts, Resender};
use super::doors::Doors;
use super::lab::{self, Lab};
use super::meters::{self, Meters};
use super::{config, fold_metrics, follow_directory, open_store, purge, purge_meetings};
use crate::{dev_tenant, directory, keys};

pub(super) struct Base {
    clock: Clock,
    pub(super) store: Arc<dyn Store>,
    directory: SharedDirectory,
    issuer: Arc<Issuer>,
    signer: Arc<NotificationSigner>,
    outbound: Outbound,
    metrics: Metrics,
    base_url: String,
    /// Where it is kept what happens to calls.
    recorder: Recorder,
    /// Who is signed in with a browser, where that can be done.
    web_sessions: Option<Arc<api::WebSessions>>,
}

impl Base {
    pub(super) async fn lay(settings: &Settings, profile: Profile, doors: &Doors) -> Result<Self> {
        let clock = Clock::start();
        let store = open_store(settings, true)?;
        let rotation = config::rotation(settings);
        let (tokens, notifications, directory) = tokio::try_join!(
            keys::ring(&store, KeyPurpose::Tokens, rotation, clock.wall()),
            keys::ring(&store, KeyPurpose::Notifications, rotation, clock.wall()),
            load_directory(&store, settings, profile),
        )?;
        let (http, https) = doors.addresses();
        let base_url = config::base_url(settings, http, https);
        let addresses: Vec<_> = [http, https].into_iter().flatten().collect();
        let issuer = Arc::new(Issuer::new(config::issuer(settings, &base_url, &addresses), tokens));
        let signer = Arc::new(NotificationSigner::new(config::notification_signer(settings), notifications));
        let outbound =
            Outbound::new(config::outbound(settings)?).context("failed to set up outgoing HTTP")?;
        let metrics = Metrics::new();
        // A second server in one process, as tests have, is served but not counted.
        metrics.install();
        let (recorder, web_sessions) = (config::recorder(settings), config::web_sessions(settings));
        Ok(Self {
            clock,
            store,
            directory,
            issuer,
            signer,
            outbound,
            metrics,
            base_url,
            recorder,
            web_sessions,
        })
    }

    /// Ends the calls that the last run left behind, then starts to deliver: so their `deleted` is the last.
    pub(super) async fn start_notifier(&self, settings: &Settings) -> Result<Notifier> {
        let orphans = node::end_orphans(&self.store, self.clock).await;
        let orphans = orphans.context("failed to end the calls that the last run left behind")?;
        if orphans > 0 {
            tracing::warn!(calls = orphans, "ended the calls that the last run left behind");
        }
        let clock = self.clock;
        let bearer = Arc::new(Bearers { signer: Arc::clone(&self.signer), clock });
        let now: notifier::Clock = Arc::new(move || clock.now());
        let (store, outbound) = (Arc::clone(&self.store), self.outbound.clone());
        let by = (now, adapters::told(self.recorder.clone()));
        Ok(Notifier::start(store, outbound, bearer, by, config::notifier(settings)))
    }

    pub(super) async fn start_node(
        &self,
        settings: &Settings,
        doors: &Doors,
        notifier: &Arc<Notifier>,
    ) -> Result<Node> {
        let parts = node::Parts {
            config: config::node(settings, &self.base_url),
            sip: config::sip(settings)?,
            media: config::media(settings),
            clock: self.clock,
            store: Arc::clone(&self.store),
            owed: Arc::new(OwedTo(Arc::clone(notifier))),
            directory: Arc::clone(&self.directory),
            prompts: Arc::new(Prompts::new(self.outbound.clone(), settings)),
            observer: Arc::new(Meters(self.metrics.clone())),
            recorder: self.recorder.clone(),
            sockets: Arc::new(Dialler {
                outbound: self.outbound.clone(),
                signer: Arc::clone(&self.signer),
                clock: self.clock,
            }),
            webrtc: doors.webrtc().cloned(),
        };
        Node::start(parts).await.map_err(|error| match error {
            StartError::Sip(transport::BindError { protocol, address, source }) => {
                let name = match protocol {
                    transport::Protocol::Tcp => "tcp",
                    transport::Protocol::Tls => "tls",
                    transport::Protocol::Udp => "udp",
                };
                anyhow!(
                    "failed to listen on {address} (sip.{name}): {source}; choose another with --sip-{name}"
                )
            }
            StartError::Media(_) | StartError::Recordings(_) | StartError::Usage(_) => error.into(),
        })
    }

    pub(super) fn api(
        &self,
        settings: &Settings,
        profile: Profile,
        (node, doors): (&Node, &Doors),
        is_ready: &Arc<AtomicBool>,
    ) -> api::Api {
        let own = settings.identity.token_endpoint.then(|| Arc::clone(&self.issuer));
        let service = |issuer: &Arc<Issuer>| api::TokenService {
            endpoint: Arc::new(TokenEndpoint::new(
                config::token_endpoint(settings, profile),
                Arc::clone(issuer),
            )),
            issuer: Arc::clone(issuer),
        };
        api::Api {
            calls: Arc::new(node.calls()),
            store: Arc::clone(&self.store),
            directory: Arc::clone(&self.directory),
            verifier: Arc::new(Verifier::new(
                config::verifier(settings),
                own.clone(),
                config::outside_issuers(settings),
                Box::new(Keys(self.outbound.clone())),
            )),
            tokens: own.as_ref().map(service),
            notification_signer: Arc::clone(&self.signer),
            clock: Arc::new(ApiClock(self.clock)),
            operations: self.operations((node, doors), is_ready),
            lab: None,
            web: self.web_sessions.clone().map(|sessions| api::Web {
                pages: node.pages(),
                sessions,
                lets_guests_in: settings.web.guests,
            }),
            console: None,
            settings: config::api(settings, profile, self.base_url.clone()),
        }
    }

    /// What administrators see, where they can sign in.
    pub(super) fn console(
        &self,
        settings: &Settings,
        node: &Node,
        notifier: &Arc<Notifier>,
    ) -> Option<api::Console> {
        self.web_sessions.as_ref()?;
        let issuer = settings.identity.token_endpoint.then(|| Arc::clone(&self.issuer));
        Some(api::Console {
            node: node.console(),
            counts: Arc::new(node.counts()),
            recorder: self.recorder.clone(),
            resend: Arc::new(Resender(Arc::clone(notifier))),
            issuer,
            greeting_uri: adapters::GREETING_URI,
            sink_uri: notifier::SINK_URI,
        })
    }

    /// The lab's telephones, where it is on and phones can call at all.
    pub(super) fn lab(&self, settings: &Settings, node: &Node) -> Option<Arc<Lab>> {
        let server = lab::own_address(node.sip_addresses()).filter(|_| settings.lab.enabled)?;
        Some(Arc::new(Lab {
            directory: Arc::clone(&self.directory),
            prompts: Prompts::new(self.outbound.clone(), settings),
            clock: self.clock,
            server,
            calls: Arc::default(),
            preparing: tokio::sync::Semaphore::new(lab::PREPARING),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// Starts what is done now and then, for as long as the store lives.
    pub(super) fn start_chores(&self, settings: &Settings, calls: node::Calls) {
        let store = Arc::downgrade(&self.store);
        let rings =
            keys::Rings { issuer: Arc::downgrade(&self.issuer), signer: Arc::downgrade(&self.signer) };
        tokio::spawn(keys::rotate(store.clone(), rings, config::rotation(settings), self.clock));
        tokio::spawn(follow_directory(store.clone(), Arc::clone(&self.directory), calls));
        tokio::spawn(purge_meetings(store.clone(), config::kept_meetings(settings), self.clock));
        tokio::spawn(purge(store, settings.store.keep_ended_calls, self.clock));
        tokio::spawn(fold_metrics(self.metrics.clone()));
    }

    fn operations(&self, (node, doors): (&Node, &Doors), is_ready: &Arc<AtomicBool>) -> api::Operations {
        let (is_ready, shown, counts) = (Arc::clone(is_ready), self.metrics.clone(), node.counts());
        let (webrtc, web) = (doors.webrtc().cloned(), self.web_sessions.clone());
        let render = move || {
            meters::show(&shown, &counts(), webrtc.as_ref());
            if let Some(web) = &web {
                meters::show_web(&shown, web);
            }
            shown.render()
        };
        api::Operations {
            is_ready: Arc::new(move || is_ready.load(Ordering::Relaxed)),
            metrics: Some(Arc::new(render)),
            observer: Arc::new(Meters(self.metrics.clone())),
        }
    }
}

/// The directory of the store; in `dev` the dev tenant where it is empty, or has the dev tenant of an earlier release, with
/// its meetings where that was before there were any.
async fn load_directory(
    store: &Arc<dyn Store>,
    settings: &Settings,
    profile: Profile,
) -> Result<SharedDirectory> {
    let mut snapshot = store.directory().await.context("failed to read the directory")?;
    let realm = config::realm(settings);
    let wanted = match profile {
        Profile::Serve => None,
        Profile::Dev if snapshot.directory == model::Directory::default() => {
            let hash = tokio::task::spawn_blocking(|| identity::hash_secret(dev_tenant::SECRET)).await??;
            Some(dev_tenant::directory(realm, &hash))
        }
        Profile::Dev => dev_tenant::of_earlier_release(&snapshot.directory, realm),
    };
    if let Some(wanted) = wanted {
        let mut tenants = snapshot.directory.tenants.values();
        let had_meetings = tenants.any(|tenant| !tenant.access_policies.is_empty());
        let meetings = if had_meetings { Vec::new() } else { dev_tenant::meetings() };
        let meetings = meetings.into_iter().map(Box::new).map(DirectoryChange::PutMeeting);
        let changes = directory::difference(&snapshot.directory, &wanted).changes;
        let changes = changes.into_iter().chain(meetings).collect();
        store.apply_directory(snapshot.version, changes).await.context("failed to write the dev tenant")?;
        snapshot.directory = wanted;
    }
    Ok(Arc::new(ArcSwap::from_pointee(snapshot.directory.into())))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use settings::{Profile, Settings, Sources};
    use store::Store;

    use super::load_directory;
    use crate::app::open_store;
    use crate::{dev_tenant, directory};

    fn settings(name: &str) -> Settings {
        let sources = Sources {
            profile: Profile::Dev,
            file: None,
            environment: &[],
            other_variables: &[],
            overrides: &[],
        };
        let mut settings = settings::load(sources).unwrap().settings;
        settings.server.data_dir =
            std::env::temp_dir().join(format!("hookswitch-base-{name}-{}", std::process::id()));
        settings
    }

    async fn loaded(store: &Arc<dyn Store>, settings: &Settings, profile: Profile) -> model::Directory {
        let shared = load_directory(store, settings, profile).await.unwrap();
        let directory: &model::Directory = &shared.load();
        assert_eq!(store.directory().await.unwrap().directory, *directory);
        directory.clone()
    }

    #[tokio::test]
    async fn the_dev_tenant_of_an_earlier_release_gets_its_policies_and_meetings_once() {
        let settings = settings("earlier");
        let store = open_store(&settings, false).unwrap();
        let now = dev_tenant::directory("contoso.example", "hash");
        let mut earlier = now.clone();
        earlier.tenants.values_mut().for_each(|tenant| {
            tenant.access_policies.clear();
            tenant.dial_in_numbers.clear();
        });
        earlier.applications.values_mut().for_each(|application| application.alias = None);
        earlier.users.values_mut().for_each(|user| user.is_administrator = false);
        let changes = directory::difference(&model::Directory::default(), &earlier).changes;
        store.apply_directory(0, changes).await.unwrap();

        assert_eq!(loaded(&store, &settings, Profile::Serve).await, earlier);
        assert_eq!(loaded(&store, &settings, Profile::Dev).await, now);
        assert_eq!(store.meetings_from_file().await.unwrap().len(), 6);

        let gone = store.meetings_from_file().await.unwrap().remove(0);
        store.delete_meeting(gone.tenant, gone.id).await.unwrap();
        assert_eq!(loaded(&store, &settings, Profile::Dev).await, now);
        assert_eq!(store.meetings_from_file().await.unwrap().len(), 5, "what was deleted stays deleted");
        std::fs::remove_dir_all(&settings.server.data_dir).unwrap();
    }

    #[tokio::test]
    async fn the_dev_tenant_of_later_releases_gets_what_it_has_not_and_no_meetings_again() {
        for (has_aliases, has_number) in [(false, false), (true, false), (true, true)] {
            let settings = settings(&format!("later-{has_aliases}-{has_number}"));
            let store = open_store(&settings, false).unwrap();
            let now = dev_tenant::directory("contoso.example", "hash");
            let mut earlier = now.clone();
            earlier.users.values_mut().for_each(|user| user.is_administrator = false);
            if !has_number {
                earlier.tenants.values_mut().for_each(|tenant| tenant.dial_in_numbers.clear());
            }
            if !has_aliases {
                earlier.applications.values_mut().for_each(|application| application.alias = None);
            }
            let changes = directory::difference(&model::Directory::default(), &earlier).changes;
            store.apply_directory(0, changes).await.unwrap();

            assert_eq!(loaded(&store, &settings, Profile::Dev).await, now);
            assert!(store.meetings_from_file().await.unwrap().is_empty(), "what was deleted stays deleted");
            std::fs::remove_dir_all(&settings.server.data_dir).unwrap();
        }
    }

    #[tokio::test]
    async fn a_directory_that_somebody_wrote_is_left_alone() {
        let settings = settings("own");
        let store = open_store(&settings, false).unwrap();
        let mut own = dev_tenant::directory("contoso.example", "hash");
        own.tenants.values_mut().for_each(|tenant| tenant.access_policies.clear());
        own.users.pop_last();
        let changes = directory::difference(&model::Directory::default(), &own).changes;
        store.apply_directory(0, changes).await.unwrap();
        assert_eq!(loaded(&store, &settings, Profile::Dev).await, own);
        assert!(store.meetings_from_file().await.unwrap().is_empty());
        std::fs::remove_dir_all(&settings.server.data_dir).unwrap();
    }
}
