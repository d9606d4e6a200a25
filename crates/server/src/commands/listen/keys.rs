//! The keys that the server publishes for its notifications.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use model::Timestamp;
use outbound::{FetchLimits, Outbound, Policy};
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::token::{self, Claims, Configuration, Keys, Refused};
use crate::cli::WrongUse;

/// How long fetched keys are taken as current: short, as people restart servers with other settings.
const FRESH: Duration = Duration::from_secs(300);

/// How often keys are fetched at most, however many tokens name unknown ones.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

/// Both documents have some kilobytes.
const LIMITS: FetchLimits =
    FetchLimits { max_bytes: 256 * 1024, timeout: Duration::from_secs(4), max_redirects: 3 };

/// Fetches keys when they are needed, and keeps them.
pub(super) struct PublishedKeys {
    url: String,
    outbound: Outbound,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    keys: Option<(Arc<Keys>, Timestamp)>,
    tried_at: Option<Timestamp>,
}

impl PublishedKeys {
    /// Takes the address of an OpenID configuration; fetches nothing.
    ///
    /// The host is the user's choice, so it may be plain HTTP and private, and what it says about its keys may too where
    /// that is on this machine.
    pub(super) fn new(url: String) -> Result<Self> {
        let host = Url::parse(&url).ok().and_then(|url| Some(url.host_str()?.to_owned()));
        let allowed = ["localhost", "127.0.0.1", "[::1]"].into_iter().chain(host.as_deref());
        let policy = Policy::new(allowed, []).map_err(|error| wrong_use(&url, &error))?;
        policy.check(&url).map_err(|error| wrong_use(&url, &error))?;
        let outbound = Outbound::new(outbound::Config { policy, ..outbound::Config::default() })?;
        Ok(Self { url, outbound, held: Mutex::default() })
    }

    /// Judges the token of an `Authorization` header.
    pub(super) async fn verify(
        &self,
        authorization: Option<&str>,
        now: Timestamp,
    ) -> Result<Claims, Refused> {
        let token = token::bearer(authorization)?;
        let kid = token::key_id(token)?;
        self.keys_with(&kid, now).await?.verify(token, now)
    }

    /// Fetches the keys anew.
    pub(super) async fn refresh(&self, now: Timestamp) -> Result<(), Refused> {
        let mut held = self.held.lock().await;
        self.fetch_into(&mut held, now).await.map(drop)
    }

    /// The keys, fetched where they are old or lack this one; old ones serve while fetching fails.
    async fn keys_with(&self, kid: &str, now: Timestamp) -> Result<Arc<Keys>, Refused> {
        let mut held = self.held.lock().await;
        if let Some((keys, fetched_at)) = &held.keys {
            let is_current = keys.has(kid) && now.since(*fetched_at) < FRESH;
            let is_too_soon = held.tried_at.is_some_and(|tried_at| now.since(tried_at) < REFRESH_INTERVAL);
            if is_current || is_too_soon {
                return Ok(Arc::clone(keys));
            }
        }
        let former = held.keys.as_ref().map(|(keys, _)| Arc::clone(keys));
        let fetched = self.fetch_into(&mut held, now).await;
        fetched.or_else(|refused| former.ok_or(refused))
    }

    async fn fetch_into(&self, held: &mut Held, now: Timestamp) -> Result<Arc<Keys>, Refused> {
        held.tried_at = Some(now);
        let keys = self.fetch().await.map_err(|error| Refused::KeysUnavailable {
            url: self.url.clone(),
            reason: format!("{error:#}"),
        })?;
        let keys = Arc::new(keys);
        held.keys = Some((Arc::clone(&keys), now));
        Ok(keys)
    }

    async fn fetch(&self) -> Result<Keys> {
        let Configuration { issuer, jwks_uri } = self.document(&self.url).await?;
        let list = self.document(&jwks_uri).await.with_context(|| format!("the keys at {jwks_uri}"))?;
        Ok(Keys::new(issuer, &list))
    }

    async fn document<T: DeserializeOwned>(&self, url: &str) -> Result<T> {
        let body = self.outbound.fetch(url, LIMITS).await?;
        serde_json::from_slice(&body).context("the answer is not what was expected")
    }
}

fn wrong_use(url: &str, error: &dyn std::error::Error) -> WrongUse {
    let example = "http://127.0.0.1:8080/v1/.well-known/OpenIdConfiguration";
    WrongUse(format!(
        "--openid-configuration cannot be '{url}' ({error}); write an address such as {example}"
    ))
}

#[cfg(test)]
mod tests {
    use super::PublishedKeys;
    use crate::cli::WrongUse;

    #[test]
    fn an_address_that_is_none_is_refused_with_the_option_and_an_example() {
        for url in ["", "8080", "ftp://127.0.0.1/keys", "http://user:secret@127.0.0.1/"] {
            let error = PublishedKeys::new(url.to_owned()).err().unwrap();
            assert!(
                error.is::<WrongUse>() && error.to_string().contains("--openid-configuration"),
                "{error:#}"
            );
        }
        assert!(PublishedKeys::new("http://calls.internal:8080/keys".to_owned()).is_ok());
    }
}
