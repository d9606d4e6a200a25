use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use model::Timestamp;
use serde_json::{Map, Value};

use crate::cache::Cache;
use crate::claims::Claims;
use crate::outside::OutsideKeys;
use crate::{Issuer, KeySource, OutsideIssuer, Principal};

/// Longer than any access token; header limits of the server are of this order too.
const MAX_BYTES: usize = 16 * 1024;
/// Verified tokens remembered, about 1 KiB each; one for every application and tenant that calls is enough.
const MAX_VERIFIED: usize = 8192;

/// How tokens are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifierSettings {
    /// How far the clocks of others may be off.
    pub clock_skew: Duration,
}

impl Default for VerifierSettings {
    /// Five minutes, as everyone on the platform allows.
    fn default() -> Self {
        Self { clock_skew: Duration::from_secs(300) }
    }
}

/// Why a token is not accepted. Only [`TokenError::KeysUnavailable`] is not the caller's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The signature does not fit.
    #[error("the access token's signature is not valid")]
    BadSignature,
    /// Its time is over.
    #[error("the access token has expired")]
    Expired,
    /// The keys of its issuer could not be fetched.
    #[error("the keys of the access token's issuer are not available")]
    KeysUnavailable,
    /// It is no JWT, or lacks claims.
    #[error("the access token is malformed")]
    Malformed,
    /// There is none.
    #[error("the access token is missing")]
    Missing,
    /// Its time has not come.
    #[error("the access token is not valid yet")]
    NotYetValid,
    /// No such issuer is trusted.
    #[error("the access token's issuer is not trusted")]
    UnknownIssuer,
    /// Its issuer has no such key.
    #[error("the access token's key is unknown")]
    UnknownKey,
    /// It is for another resource.
    #[error("the access token is for another audience")]
    WrongAudience,
}

impl TokenError {
    /// The error in a word, for metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Malformed => "malformed",
            Self::Missing => "missing",
            Self::NotYetValid => "not_yet_valid",
            Self::UnknownIssuer => "unknown_issuer",
            Self::UnknownKey => "unknown_key",
            Self::WrongAudience => "wrong_audience",
        }
    }
}

/// Verifies access tokens: this server's own and those of outside issuers, in either format.
pub struct Verifier {
    settings: VerifierSettings,
    own: Option<Arc<Issuer>>,
    outside: Vec<OutsideKeys>,
    source: Box<dyn KeySource>,
    verified: Mutex<Cache<Vec<u8>, Arc<Principal>>>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Trusts `own` tokens, where this server issues any, and those of `outside` issuers.
    pub fn new(
        settings: VerifierSettings,
        own: Option<Arc<Issuer>>,
        outside: Vec<OutsideIssuer>,
        source: Box<dyn KeySource>,
    ) -> Self {
        let outside = outside.into_iter().map(OutsideKeys::new).collect();
        let verified = Mutex::new(Cache::new(MAX_VERIFIED));
        Self { settings, own, outside, source, verified }
    }

    /// Reads who a token speaks for.
    ///
    /// A token seen before costs a digest; one seen for the first time a signature check, some 30 µs.
    ///
    /// # Errors
    ///
    /// [`TokenError`] says what is wrong.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Principal>, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > MAX_BYTES {
            return Err(TokenError::Malformed);
        }
        let key = digest(&SHA256, token.as_bytes()).as_ref().to_vec();
        let known = self.verified.lock().unwrap_or_else(PoisonError::into_inner).find(&key);
        if let Some(principal) = known {
            self.ensure_current(principal.expires_at, now)?;
            return Ok(principal);
        }
        let principal = Arc::new(self.verify_anew(token, now).await?);
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        verified.put(key, Arc::clone(&principal));
        Ok(principal)
    }

    async fn verify_anew(&self, token: &str, now: Timestamp) -> Result<Principal, TokenError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Malformed)?;
        let claimed = jsonwebtoken::dangerous::insecure_decode_claims::<Map<String, Value>>(token);
        let claimed = Claims::new(claimed.map_err(|_| TokenError::Malformed)?);
        let issuer = claimed.text("iss").ok_or(TokenError::Malformed)?;
        let tenant = claimed.text("tid").unwrap_or_default();

        if let Some(own) = self.own.as_ref().filter(|own| own.is_issuer_of(issuer, tenant))
            && let Some(key) = header.kid.as_deref().and_then(|kid| own.keys().verifier(kid))
        {
            let claims = signed_claims(token, &header, &key, &[Algorithm::RS256])?;
            let settings = own.settings();
            ensure_audience(&claims, settings.audiences.iter().chain(&settings.bases))?;
            let expires_at = self.ensure_in_time(&claims, now)?;
            return claims.own_principal(expires_at);
        }
        let Some(keys) = self.outside.iter().find(|keys| keys.is_issuer_of(issuer, tenant)) else {
            let is_own = self.own.as_ref().is_some_and(|own| own.is_issuer_of(issuer, tenant));
            return Err(if is_own { TokenError::UnknownKey } else { TokenError::UnknownIssuer });
        };
        let kid = header.kid.as_deref().ok_or(TokenError::UnknownKey)?;
        let key = keys.key(kid, self.source.as_ref(), now).await?;
        let claims = signed_claims(token, &header, &key, &PUBLIC_KEY_ALGORITHMS)?;
        ensure_audience(&claims, &keys.issuer().audiences)?;
        let expires_at = self.ensure_in_time(&claims, now)?;
        claims.outside_principal(keys.issuer(), expires_at)
    }

    fn ensure_in_time(&self, claims: &Claims, now: Timestamp) -> Result<Timestamp, TokenError> {
        let expires_at = claims.date("exp").ok_or(TokenError::Malformed)?;
        self.ensure_current(expires_at, now)?;
        match claims.date("nbf") {
            Some(start) if start > now.after(self.settings.clock_skew) => Err(TokenError::NotYetValid),
            Some(_) | None => Ok(expires_at),
        }
    }

    fn ensure_current(&self, expires_at: Timestamp, now: Timestamp) -> Result<(), TokenError> {
        if now >= expires_at.after(self.settings.clock_skew) { Err(TokenError::Expired) } else { Ok(()) }
    }
}

/// A slash at the end makes no other audience.
fn ensure_audience<'a>(
    claims: &Claims,
    accepted: impl IntoIterator<Item = &'a String>,
) -> Result<(), TokenError> {
    let audiences: Vec<_> = claims.audiences().into_iter().map(|named| named.trim_end_matches('/')).collect();
    let is_ours = accepted.into_iter().any(|own| audiences.contains(&own.trim_end_matches('/')));
    if is_ours { Ok(()) } else { Err(TokenError::WrongAudience) }
}

/// What outside issuers sign with; never a symmetric algorithm.
const PUBLIC_KEY_ALGORITHMS: [Algorithm; 6] = [
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::PS256,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
];

/// The claims, where the signature fits the key. Times are looked at by the caller, who has the clock.
fn signed_claims(
    token: &str,
    header: &Header,
    key: &DecodingKey,
    accepted: &[Algorithm],
) -> Result<Claims, TokenError> {
    if !accepted.contains(&header.alg) {
        return Err(TokenError::BadSignature);
    }
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let token = jsonwebtoken::decode::<Map<String, Value>>(token, key, &validation);
    token.map(|token| Claims::new(token.claims)).map_err(|_| TokenError::BadSignature)
}
