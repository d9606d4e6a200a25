use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use model::{IndexedDirectory, LegId, Notification};
use store::Store;
use trace::Recorder;

use crate::application::{ApplicationConfig, Applications};
use crate::browser::Browsers;
use crate::clock::Clock;
use crate::conference::{Conferences, Sounds};
use crate::dial_in::GuessLimit;
use crate::media::Media;
use crate::observer::Observer;
use crate::prompts::{PromptMemory, Prompts};
use crate::sip::Sip;
use crate::trunks::Trunks;

/// Who is known, as it is at the moment; replaced whole when the directory changes.
pub type SharedDirectory = Arc<ArcSwap<IndexedDirectory>>;

/// Takes notifications that have just become durable, so that they go out without being read back.
pub trait Owed: Send + Sync {
    /// Never waits. What is not taken here is found in the store later.
    fn offer(&self, notifications: Vec<Notification>);
}

/// What a node is told once, at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Deadlines and limits of every call.
    pub call: call_engine::Config,
    /// Deadlines and limits of every group call and meeting.
    pub conference: call_engine::ConferenceConfig,
    /// How many calls may be alive at once.
    pub max_calls: usize,
    /// How many calls an application may have for a phone to call it.
    pub max_calls_per_app: usize,
    /// How many calls that their phones have made a user may have.
    pub max_calls_per_user: usize,
    /// The address that recordings are fetched under: an absolute URL without a slash at its end.
    pub recordings_url: String,
    /// Where recordings are kept.
    pub recordings_dir: PathBuf,
    /// How long a recording is kept after the call.
    pub recording_lifetime: Duration,
    /// What prompts may take in memory.
    pub prompt_memory: PromptMemory,
    /// Where scripted endpoints keep what they heard; `None` keeps nothing.
    pub scripted_dir: Option<PathBuf>,
    /// Whether users without a phone are stood in for by their scripts.
    pub is_lab_enabled: bool,
    /// Whether media of phones may go to other addresses than the ones that their signalling comes from.
    pub allows_foreign_media: bool,
    /// Whether the phone of whoever is transferred is asked to call the target by itself (REFER).
    pub refers_phones: bool,
    /// Whether SRTP is offered to phones.
    pub srtp: rtc_proto::sdp::SrtpPolicy,
    /// How long a trunk's peer may take to answer anything before a call is made over the next trunk.
    pub trunk_attempt_timeout: Duration,
    /// Pages of browsers.
    pub pages: PageLimits,
    /// Media of applications that host it themselves.
    pub app_media: ApplicationConfig,
}

/// The bounds of pages of browsers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// How long a page may be away, from its socket or with its sound, before its calls end.
    pub patience: Duration,
    /// Pages of one user at once that are telephones, and as many that are in meetings.
    pub per_user: usize,
    /// Pages of guests at once, in all meetings.
    pub guests: usize,
    /// The same from one network.
    pub guests_per_network: usize,
}

/// What every call of a node shares.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) owed: Arc<dyn Owed>,
    pub(crate) directory: SharedDirectory,
    pub(crate) media: Media,
    pub(crate) sip: Sip,
    pub(crate) trunks: Trunks,
    pub(crate) prompts: Prompts,
    pub(crate) sounds: Sounds,
    pub(crate) guesses: GuessLimit,
    pub(crate) conferences: Conferences,
    pub(crate) applications: Applications,
    pub(crate) browsers: Browsers,
    pub(crate) legs: Arc<AtomicU64>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) recorder: Recorder,
}

impl Context {
    pub(crate) fn next_leg(&self) -> LegId {
        LegId(self.legs.fetch_add(1, Ordering::Relaxed))
    }
}
