//! What connects crates that do not know each other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use identity::{KeySource, KeySourceError, KeySourceFuture, NotificationSigner};
use model::{AppId, Notification, TenantId, Timestamp};
use node::{Clock, Owed, PromptSource};
use notifier::{BearerError, BearerSource, Notifier};
use outbound::{FetchLimits, Outbound};
use settings::Settings;
use store::BoxFuture;

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
