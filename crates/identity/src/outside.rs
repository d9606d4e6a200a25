use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{Jwk, JwkSet};
use model::{TenantId, Timestamp};
use tokio::sync::Mutex;

use crate::TokenError;

/// How long a fetched key list is taken as current.
const FRESH: Duration = Duration::from_secs(3600);
/// How often a key list is fetched at most, however many tokens name unknown keys.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);
/// Keys taken from one list; issuers publish two to ten.
const MAX_KEYS: usize = 64;

/// An issuer elsewhere whose access tokens are accepted: Entra ID, Keycloak and their like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideIssuer {
    /// The `iss` of its tokens; `{tenantid}` stands for the token's `tid`.
    pub issuer: String,
    /// Any of these must be among a token's audiences.
    pub audiences: Vec<String>,
    /// Where its keys are.
    pub jwks_url: String,
    /// The claim that holds the permissions: `roles`, or a path such as `realm_access.roles`.
    pub role_claim: String,
    /// The tenant of its tokens, where they carry no `tid`.
    pub tenant: Option<TenantId>,
    /// What tokens of applications have and those of people have not; `None` for what Entra ID and Keycloak have.
    pub application_mark: Option<ApplicationMark>,
}

/// A claim, by name or path, with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationMark {
    /// The claim.
    pub claim: String,
    /// Its value, or one of them.
    pub value: String,
}

/// Fetches key lists; whoever implements it bounds size and time, and guards against forbidden addresses.
pub trait KeySource: Send + Sync {
    /// Fetches the JWKS document at `url`.
    fn fetch<'a>(&'a self, url: &'a str) -> KeySourceFuture<'a>;
}

/// A fetch under way.
pub type KeySourceFuture<'a> = Pin<Box<dyn Future<Output = Result<String, KeySourceError>> + Send + 'a>>;

/// A key list that could not be fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to fetch a key list: {0}")]
pub struct KeySourceError(pub String);

/// The keys of one outside issuer, as far as they are known.
pub(crate) struct OutsideKeys {
    issuer: OutsideIssuer,
    fetched: ArcSwap<Fetched>,
    last_try: Mutex<Option<Timestamp>>,
}

#[derive(Default)]
struct Fetched {
    at: Option<Timestamp>,
    keys: Vec<(String, DecodingKey)>,
}

impl OutsideKeys {
    pub(crate) fn new(issuer: OutsideIssuer) -> Self {
        Self { issuer, fetched: ArcSwap::default(), last_try: Mutex::default() }
    }

    pub(crate) fn issuer(&self) -> &OutsideIssuer {
        &self.issuer
    }

    pub(crate) fn is_issuer_of(&self, issuer: &str, tenant: &str) -> bool {
        self.issuer.issuer.replace("{tenantid}", tenant) == issuer
    }

    /// The key of this name, fetched where it is not known or not fresh; an old copy serves while fetching fails.
    ///
    /// # Errors
    ///
    /// [`TokenError::UnknownKey`], or [`TokenError::KeysUnavailable`] where no list could be had at all.
    pub(crate) async fn key(
        &self,
        kid: &str,
        source: &dyn KeySource,
        now: Timestamp,
    ) -> Result<DecodingKey, TokenError> {
        if let Some(key) = self.fresh(kid, now) {
            return Ok(key);
        }
        let mut last_try = self.last_try.lock().await;
        if let Some(key) = self.fresh(kid, now) {
            return Ok(key);
        }
        if last_try.is_none_or(|last| now.since(last) >= REFRESH_INTERVAL) {
            *last_try = Some(now);
            self.refresh(source, now).await;
        }
        let fetched = self.fetched.load();
        match fetched.find(kid) {
            Some(key) => Ok(key),
            None if fetched.at.is_none() => Err(TokenError::KeysUnavailable),
            None => Err(TokenError::UnknownKey),
        }
    }

    fn fresh(&self, kid: &str, now: Timestamp) -> Option<DecodingKey> {
        let fetched = self.fetched.load();
        fetched.at.filter(|at| now.since(*at) < FRESH)?;
        fetched.find(kid)
    }

    async fn refresh(&self, source: &dyn KeySource, now: Timestamp) {
        let url = &self.issuer.jwks_url;
        let list = source.fetch(url).await.and_then(|text| {
            serde_json::from_str::<JwkSet>(&text).map_err(|error| KeySourceError(error.to_string()))
        });
        match list {
            Ok(list) => {
                let keys = list.keys.iter().filter_map(usable).take(MAX_KEYS).collect();
                self.fetched.store(Fetched { at: Some(now), keys }.into());
            }
            Err(error) => {
                tracing::warn!(url, error = %error, "the keys of an outside issuer are unavailable")
            }
        }
    }
}

impl Fetched {
    fn find(&self, kid: &str) -> Option<DecodingKey> {
        self.keys.iter().find(|(name, _)| name == kid).map(|(_, key)| key.clone())
    }
}

/// Only public keys: a symmetric one in a published list would let anyone sign.
fn usable(jwk: &Jwk) -> Option<(String, DecodingKey)> {
    use jsonwebtoken::jwk::AlgorithmParameters::{EllipticCurve, RSA};
    let kid = jwk.common.key_id.clone()?;
    matches!(jwk.algorithm, EllipticCurve(_) | RSA(_)).then_some(())?;
    DecodingKey::from_jwk(jwk).ok().map(|key| (kid, key))
}
