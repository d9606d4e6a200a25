//! What connects crates that do not know each other.

use std::error::Error;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use app_media::Socket;
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use identity::{KeySource, KeySourceError, KeySourceFuture, NotificationSigner};
use model::{AppId, Notification, TenantId, Timestamp};
use node::{Clock, Owed, PromptSource, SocketDialling, Sockets};
use notifier::{BearerError, BearerSource, Notifier};
use outbound::{FetchLimits, Outbound};
use settings::Settings;
use store::BoxFuture;
use url::Url;

/// The node's clock as the API wants it.
pub(super) struct ApiClock(pub(super) Clock);

impl api::Clock for ApiClock {
    fn now(&self) -> Timestamp {
        self.0.wall()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Hands a node's notifications to the notifier.
pub(super) struct OwedTo(pub(super) Arc<Notifier>);

impl Owed for OwedTo {
    fn offer(&self, notifications: Vec<Notification>) {
        self.0.offer(notifications);
    }
}

/// Signs what the notifier sends.
pub(super) struct Bearers {
    pub(super) signer: Arc<NotificationSigner>,
    pub(super) clock: Clock,
}

impl BearerSource for Bearers {
    fn bearer<'a>(
        &'a self,
        app: &'a AppId,
        tenant: &'a TenantId,
    ) -> BoxFuture<'a, Result<Arc<str>, BearerError>> {
        let bearer = self.signer.bearer(app, tenant, self.clock.wall());
        Box::pin(async move { bearer.map_err(|error| BearerError(Box::new(error))) })
    }
}

/// Fetches the keys of outside issuers.
pub(super) struct Keys(pub(super) Outbound);

/// A key list is a few kilobytes; verifying waits for it.
const KEYS: FetchLimits =
    FetchLimits { max_bytes: 256 * 1024, timeout: Duration::from_secs(5), max_redirects: 2 };

impl KeySource for Keys {
    fn fetch<'a>(&'a self, url: &'a str) -> KeySourceFuture<'a> {
        Box::pin(async move {
            let fetched = self.0.fetch(url, KEYS).await.map_err(|error| KeySourceError(error.to_string()))?;
            String::from_utf8(fetched.to_vec()).map_err(|error| KeySourceError(error.to_string()))
        })
    }
}

/// Fetches prompts.
pub(super) struct Prompts {
    outbound: Outbound,
    limits: FetchLimits,
}

impl Prompts {
    pub(super) fn new(outbound: Outbound, settings: &Settings) -> Self {
        let limits = FetchLimits {
            max_bytes: usize::try_from(settings.media.max_prompt_size.0).unwrap_or(usize::MAX),
            timeout: settings.outbound.fetch_timeout,
            max_redirects: settings.outbound.max_redirects as usize,
        };
        Self { outbound, limits }
    }
}

impl PromptSource for Prompts {
    fn fetch<'a>(&'a self, app: Option<&'a AppId>, uri: &'a str) -> BoxFuture<'a, Result<Bytes, String>> {
        let outbound = self.outbound.on_behalf_of(app.map_or("", AppId::as_str));
        Box::pin(async move { outbound.fetch(uri, self.limits).await.map_err(|error| error.to_string()) })
    }
}

/// Opens WebSockets to where applications listen.
pub(super) struct Dialler {
    pub(super) outbound: Outbound,
    pub(super) signer: Arc<NotificationSigner>,
    pub(super) clock: Clock,
}

/// How long opening one may take, name, TLS and handshake together: half of the time that an application has to come back by
/// default, so that there is another try.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// Whose call it is, for an application with many.
const CALL_ID: HeaderName = HeaderName::from_static("x-hookswitch-call-id");

impl Dialler {
    /// The application verifies who dials as it verifies who sends it notifications.
    fn headers(&self, to: &SocketDialling<'_>) -> Result<HeaderMap, Box<dyn Error + Send + Sync>> {
        let bearer = self.signer.bearer(to.app, to.tenant, self.clock.wall())?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {bearer}"))?;
        authorization.set_sensitive(true);
        let call = HeaderValue::try_from(to.call.to_string())?;
        Ok(HeaderMap::from_iter([(AUTHORIZATION, authorization), (CALL_ID, call)]))
    }

    async fn open(&self, to: &SocketDialling<'_>) -> Result<Socket, Box<dyn Error + Send + Sync>> {
        let headers = self.headers(to)?;
        let outbound = self.outbound.on_behalf_of(to.app.as_str());
        let (stream, url) = outbound.open(to.url.as_str(), DIAL_LIMIT).await?;
        Ok(Socket::dialled(stream, &url, headers).await?)
    }
}

impl Sockets for Dialler {
    fn check(&self, url: &Url) -> Result<(), String> {
        self.outbound.policy().check_socket(url.as_str()).map(drop).map_err(|why| why.to_string())
    }

    fn dial<'a>(&'a self, to: SocketDialling<'a>) -> BoxFuture<'a, Result<Socket, String>> {
        Box::pin(async move {
            let opened = tokio::time::timeout(DIAL_LIMIT, self.open(&to)).await;
            let opened = opened.map_err(|_elapsed| "it took too long".to_owned())?;
            opened.map_err(|error| explained(&*error))
        })
    }

    fn may_send_to(&self, ip: IpAddr) -> bool {
        self.outbound.policy().may_send_to(ip)
    }
}

/// An error with what is behind it, on one line.
fn explained(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
