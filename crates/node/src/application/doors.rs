//! What applications come in by: one-time tokens in addresses.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use app_media::{Format, Socket, TICKET_OCTETS, Ticket, Tickets, invitation_blob};
use model::{AppId, CallId, TenantId};
use store::BoxFuture;
use tokio_util::task::TaskTracker;
use url::Url;

use super::counts::ApplicationCounts;
use crate::clock::Clock;

/// How a node deals with applications that host their own media.
#[derive(Clone, Debug)]
pub struct ApplicationConfig {
    /// The address that applications dial in at: `http` or `https`, without a slash at its end.
    pub base_url: String,
    /// How long an address with a token is good.
    pub ticket_lifetime: Duration,
    /// How long an application may take to come.
    pub attach_within: Duration,
    /// How long it may take to come back.
    pub reattach_within: Duration,
    /// Whether what waits to be said is kept for when it comes back.
    pub keeps_queue: bool,
    /// How much may wait to be said.
    pub max_queued: Duration,
}

/// Whom a WebSocket is dialled for, and where.
#[derive(Clone, Copy, Debug)]
pub struct SocketDialling<'a> {
    /// The application.
    pub app: &'a AppId,
    /// The tenant of the call.
    pub tenant: &'a TenantId,
    /// The call.
    pub call: CallId,
    /// Where the application listens.
    pub url: &'a Url,
}

/// The way to where applications listen.
pub trait Sockets: Send + Sync {
    /// Whether the server may go there; the text says why not.
    ///
    /// # Errors
    ///
    /// Why not.
    fn check(&self, url: &Url) -> Result<(), String>;

    /// Opens a WebSocket, in bounded time; the text says why not.
    fn dial<'a>(&'a self, to: SocketDialling<'a>) -> BoxFuture<'a, Result<Socket, String>>;

    /// Whether sound may be sent to that address.
    fn may_send_to(&self, ip: IpAddr) -> bool;
}

/// What calls share whose applications host their media.
#[derive(Clone)]
pub(crate) struct Applications {
    pub(crate) config: Arc<ApplicationConfig>,
    pub(crate) sockets: Arc<dyn Sockets>,
    /// Where WebRTC goes in and out; `None` where it is off.
    pub(crate) webrtc: Option<webrtc::Gateway>,
    pub(crate) counts: Arc<ApplicationCounts>,
    /// What carries audio; awaited at the end.
    pub(crate) tasks: TaskTracker,
    clock: Clock,
    tickets: Arc<Mutex<Tickets>>,
}

/// A token that was used up: it lets one socket in.
#[derive(Debug)]
pub struct MediaPass {
    pub(crate) call: CallId,
}

/// The addresses of one call end with these, below `/hookswitch/v1/calls/{id}/media`.
const SOCKET: &str = "socket";
const WHIP: &str = "whip";

/// How long an address is good where an application comes back: as long as a call may last, and then some.
const RESUME_LIFETIME: Duration = Duration::from_hours(24 * 30);

impl Applications {
    pub(crate) fn new(
        (config, max_calls): (ApplicationConfig, usize),
        sockets: Arc<dyn Sockets>,
        webrtc: Option<webrtc::Gateway>,
        clock: Clock,
    ) -> Self {
        Self {
            config: Arc::new(config),
            sockets,
            webrtc,
            counts: Arc::default(),
            tasks: TaskTracker::new(),
            clock,
            tickets: Arc::new(Mutex::new(Tickets::new(max_calls))),
        }
    }

    /// The blob that tells an application where to dial in; `None` where the system has no randomness.
    pub(crate) fn invitation(&self, app: &AppId, call: CallId, format: Format) -> Option<String> {
        let lifetime = self.config.ticket_lifetime;
        let socket = self.socket_address(app, call, format, lifetime)?;
        let whip = self.address(app, call, (self.config.base_url.clone(), WHIP), lifetime)?;
        Some(invitation_blob(format, &socket, &whip))
    }

    /// Where an application that has just dialled in dials the next time.
    pub(crate) fn resume_url(&self, app: &AppId, call: CallId, format: Format) -> Option<String> {
        self.socket_address(app, call, format, RESUME_LIFETIME)
    }

    fn socket_address(
        &self,
        app: &AppId,
        call: CallId,
        format: Format,
        lifetime: Duration,
    ) -> Option<String> {
        let address = self.address(app, call, (socket_base(&self.config.base_url), SOCKET), lifetime)?;
        let query = format.to_query();
        Some(if query.is_empty() { address } else { format!("{address}?{query}") })
    }

    /// Takes a token; it is not good any more after that.
    pub(crate) fn redeem(&self, call: CallId, token: &str) -> Option<MediaPass> {
        let found = self.lock().redeem(call, token, self.clock.elapsed());
        if found.is_none() {
            self.counts.token_refused();
        }
        found.map(|_app| MediaPass { call })
    }

    /// Whether a token is good.
    pub(crate) fn knows(&self, call: CallId, token: &str) -> bool {
        let is_known = self.lock().knows(call, token, self.clock.elapsed());
        if !is_known {
            self.counts.token_refused();
        }
        is_known
    }

    /// Forgets the tokens of a call that is over.
    pub(crate) fn revoke(&self, call: CallId) {
        self.lock().revoke(call);
    }

    fn address(
        &self,
        app: &AppId,
        call: CallId,
        (base, door): (String, &str),
        lifetime: Duration,
    ) -> Option<String> {
        let now = self.clock.elapsed();
        let issued = self.lock().issue((app, call), random()?, now + lifetime, now);
        // There is room for every call that may be alive, since those that end give their tokens back.
        let ticket = issued.ok()?;
        Some(format!("{base}/hookswitch/v1/calls/{call}/media/{door}/{}", ticket.text()))
    }

    fn lock(&self) -> MutexGuard<'_, Tickets> {
        self.tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A secret that names a session of WHIP; `None` where the system has no randomness.
pub(crate) fn secret() -> Option<Ticket> {
    random().map(Ticket::new)
}

fn random() -> Option<[u8; TICKET_OCTETS]> {
    let mut random = [0; TICKET_OCTETS];
    getrandom::fill(&mut random).ok()?;
    Some(random)
}

/// `ws` for `http`, `wss` for `https`.
fn socket_base(base_url: &str) -> String {
    base_url.strip_prefix("http").map_or_else(|| base_url.to_owned(), |rest| format!("ws{rest}"))
}
