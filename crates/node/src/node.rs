use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::{Store, StoreError, TrunkUsageStore};
use tokio::sync::mpsc;
use trace::Recorder;

use crate::application::{Applications, Sockets};
use crate::browser::{Browsers, Pages};
use crate::calls::Calls;
use crate::clock::Clock;
use crate::conference::{Conferences, Sounds};
use crate::console::Console;
use crate::context::{Config, Context, Owed, SharedDirectory};
use crate::dial_in::GuessLimit;
use crate::media::Media;
use crate::observer::{Counts, Observer, SipRefused};
use crate::prompts::{PromptSource, Prompts};
use crate::sip::{Sip, SipAddresses, SipConfig};
use crate::sweep::sweep;
use crate::trunks::Trunks;

/// What a node is made of.
pub struct Parts {
    /// What it is told once.
    pub config: Config,
    /// The SIP side.
    pub sip: SipConfig,
    /// The media side.
    pub media: media_plane::Config,
    /// The clock that everything of this node goes by.
    pub clock: Clock,
    /// Where state is kept.
    pub store: Arc<dyn Store>,
    /// Who delivers notifications.
    pub owed: Arc<dyn Owed>,
    /// Who is known.
    pub directory: SharedDirectory,
    /// Who fetches prompts.
    pub prompts: Arc<dyn PromptSource>,
    /// Who measures.
    pub observer: Arc<dyn Observer>,
    /// Where it is kept what happens to calls.
    pub recorder: Recorder,
    /// The way to where applications listen.
    pub sockets: Arc<dyn Sockets>,
    /// Where WebRTC goes in and out; `None` serves none.
    pub webrtc: Option<webrtc::Gateway>,
}

/// Calls that may wait to be taken; taking one is a matter of microseconds.
const INCOMING_QUEUE: usize = 256;

/// A running node.
pub struct Node {
    calls: Calls,
    sip: Sip,
    sip_addresses: SipAddresses,
    context: Context,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The media threads.
    #[error("failed to start the media threads")]
    Media(#[source] media_plane::PlaneError),
    /// A folder that must be there.
    #[error("failed to make the folder for recordings")]
    Recordings(#[source] io::Error),
    /// A SIP address.
    #[error(transparent)]
    Sip(#[from] transport::BindError),
    /// What applications have used of trunks today.
    #[error("failed to read what applications have used of trunks today")]
    Usage(#[source] StoreError),
}

impl Node {
    /// Starts the media threads and the SIP endpoint. What a former process left is ended before: [`crate::end_orphans`].
    ///
    /// # Errors
    ///
    /// See [`StartError`]. Nothing keeps running then.
    pub async fn start(parts: Parts) -> Result<Self, StartError> {
        let Parts { config, sip, media, clock, store, owed, directory, prompts, observer, .. } = parts;
        let Parts { recorder, sockets, webrtc, .. } = parts;
        make_private(&config.recordings_dir).await.map_err(StartError::Recordings)?;
        if let Some(dir) = &config.scripted_dir {
            make_private(dir).await.map_err(StartError::Recordings)?;
        }
        let browsers = Browsers::new(media.bind_ip, config.pages);
        let media = Media::start(media).map_err(StartError::Media)?;
        let (incoming_calls, mut incoming) = mpsc::channel(INCOMING_QUEUE);
        let usage = Arc::clone(&store) as Arc<dyn TrunkUsageStore>;
        let trunks = Trunks::new(
            Arc::clone(&directory),
            clock,
            Arc::clone(&observer),
            usage,
            config.trunk_attempt_timeout,
        );
        trunks.restore_usage().await.map_err(StartError::Usage)?;
        let by = (clock, recorder.clone());
        let (sip, sip_addresses) =
            Sip::start(sip, Arc::clone(&directory), by, trunks.clone(), incoming_calls).await?;
        let prompts = Prompts::new(prompts, config.prompt_memory);
        let of_applications = (config.app_media.clone(), config.max_calls);
        let applications = Applications::new(of_applications, sockets, webrtc, clock);
        trunks.drive(&sip);
        let context = Context {
            config: Arc::new(config),
            clock,
            store,
            owed,
            directory,
            media,
            sip: sip.clone(),
            trunks,
            prompts,
            sounds: Sounds::default(),
            guesses: GuessLimit::default(),
            conferences: Conferences::default(),
            applications,
            browsers,
            legs: Arc::new(AtomicU64::new(1)),
            observer,
            recorder,
        };
        tokio::spawn(sweep(Arc::downgrade(&context.config), Arc::downgrade(&context.store), clock));
        let calls = Calls::new(context.clone());
        let taking = calls.clone();
        tokio::spawn(async move {
            // Ends with the SIP endpoint.
            while let Some(call) = incoming.recv().await {
                taking.take(call);
            }
        });
        Ok(Self { calls, sip, sip_addresses, context })
    }

    /// The door to the calls.
    pub fn calls(&self) -> Calls {
        self.calls.clone()
    }

    /// What the console looks at.
    pub fn console(&self) -> Console {
        Console::new(self.calls.clone(), self.sip.clone())
    }

    /// The way to the pages of browsers.
    pub fn pages(&self) -> Pages {
        Pages::new(self.calls.clone(), self.context.browsers.clone())
    }

    /// Where phones register.
    pub const fn sip_addresses(&self) -> SipAddresses {
        self.sip_addresses
    }

    /// Shows what it holds, whenever asked and for as long as it lives.
    pub fn counts(&self) -> impl Fn() -> Counts + Send + Sync + 'static {
        let (calls, sip, media) = (self.calls.clone(), self.sip.clone(), self.context.media.clone());
        let (conferences, applications) =
            (self.context.conferences.clone(), self.context.applications.clone());
        let (trunks, browsers) = (self.context.trunks.clone(), self.context.browsers.clone());
        move || {
            let sip = sip.counts();
            Counts {
                calls: calls.live(),
                conferences: conferences.count(),
                registered_users: sip.registered_users.load(Ordering::Relaxed),
                sip_calls: sip.calls.load(Ordering::Relaxed),
                sip_refused: SipRefused {
                    busy: sip.refused_busy.load(Ordering::Relaxed),
                    unproven: sip.refused_unproven.load(Ordering::Relaxed),
                },
                is_sip_idle: sip.is_idle.load(Ordering::Relaxed) != 0,
                trunks: trunks.stats(),
                media: media.stats(),
                applications: applications.counts.stats(),
                pages: browsers.count(),
                meeting_pages: browsers.count_in_meetings(),
            }
        }
    }

    /// Hangs up every call, waits for the ends to be durable and the files to be finished, then stops the SIP endpoint.
    pub async fn drain(self) {
        self.calls.drain().await;
        self.context.browsers.drain().await;
        self.context.conferences.close();
        self.context.trunks.drain().await;
        self.sip.drain().await;
        self.context.applications.tasks.close();
        self.context.applications.tasks.wait().await;
        self.context.media.idle().await;
    }
}

/// Makes a folder for what people said, and closes one that is there to everyone else on this machine.
async fn make_private(dir: &Path) -> io::Result<()> {
    tokio::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).await?;
    if tokio::fs::metadata(dir).await?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let closed = tokio::fs::set_permissions(dir, Permissions::from_mode(0o700)).await;
    // Not every file system has modes, and somebody else may have made the folder.
    if let Err(error) = closed {
        tracing::warn!(dir = %dir.display(), %error, "a folder with recordings is open to other users of this machine");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_of_recordings_is_closed_to_others_also_where_it_was_open() {
        let top = std::env::temp_dir().join(format!("hookswitch-private-{}", std::process::id()));
        let dir = top.join("recordings");
        let mode = || std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777;
        make_private(&dir).await.unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        make_private(&dir).await.unwrap();
        assert_eq!(mode(), 0o700);
        std::fs::remove_dir_all(top).unwrap();
    }
}
