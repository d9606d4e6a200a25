use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use identity::{Issuer, NotificationSigner, TokenEndpoint, Verifier};
use model::{IndexedDirectory, Timestamp};
use store::Store;

use crate::{CallControl, Console, Lab, Proxies, Web};

/// Everything that the endpoints need.
pub struct Api {
    /// The calls.
    pub calls: Arc<dyn CallControl>,
    /// Recordings, and the notifications of calls.
    pub store: Arc<dyn Store>,
    /// Who is known.
    pub directory: Arc<ArcSwap<IndexedDirectory>>,
    /// Verifies bearer tokens.
    pub verifier: Arc<Verifier>,
    /// Issues tokens; `None` where only outside issuers are trusted, and then nothing is served at its paths.
    pub tokens: Option<TokenService>,
    /// Its keys are published.
    pub notification_signer: Arc<NotificationSigner>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What operators look at.
    pub operations: Operations,
    /// Calls of scripted users; `None` where the lab is off, and then nothing is served at its paths.
    pub lab: Option<Arc<dyn Lab>>,
    /// People with browsers; `None` where there are none, and then nothing is served at their paths.
    pub web: Option<Web>,
    /// What administrators see; `None` shows nothing. It needs [`Api::web`], where they sign in.
    pub console: Option<Console>,
    /// How it behaves.
    pub settings: Settings,
}

/// The token endpoint and the issuer behind it.
#[derive(Clone)]
pub struct TokenService {
    /// Grants tokens.
    pub endpoint: Arc<TokenEndpoint>,
    /// Its keys are published.
    pub issuer: Arc<Issuer>,
}

/// What operators and their machines look at.
#[derive(Clone)]
pub struct Operations {
    /// Whether requests should be sent here (`/readyz`).
    pub is_ready: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Writes the metrics in Prometheus' text format (`/metrics`); `None` serves none.
    pub metrics: Option<Arc<dyn Fn() -> String + Send + Sync>>,
    /// Is told what to measure.
    pub observer: Arc<dyn Observer>,
}

/// Is told of what happens, to measure it. Nothing here waits.
pub trait Observer: Send + Sync {
    /// A request has come in.
    fn request_began(&self);
    /// It was answered, or its client went away.
    fn request_ended(&self, request: &EndedRequest<'_>);
    /// An access token was issued.
    fn token_issued(&self);
    /// A token, or a request for one, was refused. Reasons are few and fixed.
    fn token_refused(&self, reason: &'static str);
}

/// A request that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedRequest<'a> {
    /// The method; `other` for one that HTTP does not define.
    pub method: &'static str,
    /// The template of its route; `unmatched` where nothing has its path.
    pub route: &'a str,
    /// The status; 499 where the client went away before there was one.
    pub status: u16,
    /// From the end of its head to the start of the answer.
    pub duration: Duration,
}

/// The time, both as a date and as a duration that never jumps.
pub trait Clock: Send + Sync {
    /// The moment.
    fn now(&self) -> Timestamp;
    /// How long the clock has run.
    fn elapsed(&self) -> Duration;
}

/// How the API behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The address that clients reach this server at, without a slash at the end. `None` shows each client the address
    /// that it used, which only a server for one's own machine should do.
    pub public_base: Option<String>,
    /// Scheme and host of meetings' join links, without a slash at the end. `None` shows the address that clients reach
    /// this server at.
    pub join_base: Option<String>,
    /// How long meetings are kept after their end; `None` for ever.
    pub keep_ended_meetings: Option<Duration>,
    /// Where recordings are, the folder that `store::Recording::path` is relative to.
    pub recordings_dir: PathBuf,
    /// How much one application may ask for.
    pub app_limits: AppLimits,
    /// How much one request may ask for.
    pub wire_limits: graph_wire::Limits,
    /// Longest body.
    pub max_body_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Proxies that may say whom a request is from.
    pub proxies: Proxies,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            public_base: None,
            join_base: None,
            keep_ended_meetings: None,
            recordings_dir: PathBuf::new(),
            app_limits: AppLimits::default(),
            wire_limits: graph_wire::Limits { plain_http_hosts: BTreeSet::new(), ..Default::default() },
            max_body_bytes: MAX_BODY_BYTES,
            body_timeout: BODY_TIMEOUT,
            proxies: Proxies::default(),
        }
    }
}

/// How long a body may take to arrive; arbitrary, enough for a megabyte over a slow phone.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest body that is read, as Graph documents none: many times any real request.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How much one application may ask for, over all its tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppLimits {
    /// Requests in a second.
    pub requests_per_second: u32,
    /// Calls at one time.
    pub concurrent_calls: usize,
    /// Meetings made for one person in a calendar month, whichever application makes them.
    pub meetings_per_user: u32,
}

impl Default for AppLimits {
    /// The documented values.
    fn default() -> Self {
        Self { requests_per_second: 2000, concurrent_calls: 100, meetings_per_user: 2000 }
    }
}

/// The connection that a request came on; the server puts it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The other end.
    pub peer: SocketAddr,
    /// Whether it is encrypted.
    pub is_tls: bool,
}
