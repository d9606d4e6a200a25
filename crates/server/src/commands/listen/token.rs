//! Whether a token was signed by the server whose keys are known. Decides only; `keys` fetches.

use std::collections::BTreeMap;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use model::Timestamp;
use serde::Deserialize;

/// How far the clocks of both sides may be off; what receivers of such tokens commonly allow.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// Longest token that is looked at. Those of notifications have less than 1 KiB.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Keys taken from one list; issuers publish two to ten.
const MAX_KEYS: usize = 64;

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// The application that the notification is for (`aud`).
    pub(super) app: String,
}

/// Why a notification is not verified. Follows "not verified: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("the token is signed with {0}, not with RS256")]
    Algorithm(String),
    #[error("the token expired at {0}")]
    Expired(Timestamp),
    #[error("the token is of the issuer {found}, not of {expected}")]
    Issuer { expected: String, found: String },
    #[error("failed to fetch the keys from {url}: {reason}")]
    KeysUnavailable { url: String, reason: String },
    #[error("the token is malformed")]
    Malformed,
    #[error("it carries no bearer token")]
    Missing,
    #[error("the token is not valid before {0}")]
    NotYetValid(Timestamp),
    #[error("the token's signature does not fit its key")]
    Signature,
    #[error("the token's key {0} is not among the published ones")]
    UnknownKey(String),
}

/// The issuer of notifications and its keys, as published.
pub(super) struct Keys {
    issuer: String,
    keys: BTreeMap<String, DecodingKey>,
}

/// The members of an OpenID configuration that matter here.
#[derive(Deserialize)]
pub(super) struct Configuration {
    pub(super) issuer: String,
    pub(super) jwks_uri: String,
}

/// The claims as signed. Dates may have fractions (RFC 7519, 2).
#[derive(Deserialize)]
struct Signed {
    aud: String,
    iss: String,
    exp: f64,
    nbf: Option<f64>,
}

/// Takes the token of an `Authorization` header (RFC 6750, 2.1).
pub(super) fn bearer(authorization: Option<&str>) -> Result<&str, Refused> {
    let (scheme, token) = authorization.and_then(|text| text.split_once(' ')).ok_or(Refused::Missing)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Refused::Missing);
    }
    if token.len() > MAX_TOKEN_BYTES { Err(Refused::Malformed) } else { Ok(token) }
}

/// The name of the key that a token says it is signed with.
pub(super) fn key_id(token: &str) -> Result<String, Refused> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| Refused::Malformed)?;
    if header.alg != Algorithm::RS256 {
        return Err(Refused::Algorithm(format!("{:?}", header.alg)));
    }
    header.kid.ok_or(Refused::Malformed)
}

impl Keys {
    /// Takes the RSA keys of a published list; others cannot have signed a notification.
    pub(super) fn new(issuer: String, list: &JwkSet) -> Self {
        let rsa = list.keys.iter().filter(|key| matches!(key.algorithm, AlgorithmParameters::RSA(_)));
        let named =
            rsa.filter_map(|key| Some((key.common.key_id.clone()?, DecodingKey::from_jwk(key).ok()?)));
        Self { issuer, keys: named.take(MAX_KEYS).collect() }
    }

    /// Whether a key of this name is published.
    pub(super) fn has(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Judges a token: key, signature, issuer, times.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Refused> {
        let kid = key_id(token)?;
        let key = self.keys.get(&kid).ok_or(Refused::UnknownKey(kid))?;
        let mut validation = Validation::new(Algorithm::RS256);
        // The library would read the clock itself, and compare audiences with a list.
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let signed = jsonwebtoken::decode::<Signed>(token, key, &validation).map_err(refused)?.claims;
        if signed.iss != self.issuer {
            return Err(Refused::Issuer { expected: self.issuer.clone(), found: signed.iss });
        }
        let expires_at = timestamp(signed.exp);
        if now >= expires_at.after(CLOCK_SKEW) {
            return Err(Refused::Expired(expires_at));
        }
        match signed.nbf.map(timestamp) {
            Some(start) if start > now.after(CLOCK_SKEW) => Err(Refused::NotYetValid(start)),
            Some(_) | None => Ok(Claims { app: signed.aud }),
        }
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the enum is open; all but one mean that it cannot be read"
)]
fn refused(error: jsonwebtoken::errors::Error) -> Refused {
    match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Refused::Signature,
        _ => Refused::Malformed,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a number beyond the range ends up at its edge")]
fn timestamp(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1000.0) as i64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use identity::{KeyRing, NotificationSigner, NotificationSignerSettings, Rotation, SigningKey};
    use model::Timestamp;

    use super::{CLOCK_SKEW, Claims, Keys, Refused, bearer, key_id};

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn ring() -> KeyRing {
        KeyRing::new(Rotation::default(), vec![SigningKey::generate(NOW).unwrap()])
    }

    fn keys(issuer: &str, ring: &KeyRing) -> Keys {
        let list = serde_json::from_value(serde_json::to_value(ring.jwks()).unwrap()).unwrap();
        Keys::new(issuer.to_owned(), &list)
    }

    /// A token for `app` and the keys that verify it.
    fn token() -> (String, Keys) {
        let settings = NotificationSignerSettings::default();
        let ring = ring();
        let keys = keys(&settings.issuer, &ring);
        let signer = NotificationSigner::new(settings, ring);
        (signer.bearer(&"app".into(), &"tenant".into(), NOW).unwrap().to_string(), keys)
    }

    #[test]
    fn a_servers_own_token_is_verified_and_says_for_whom_it_is() {
        let (token, keys) = token();
        assert_eq!(keys.verify(&token, NOW), Ok(Claims { app: "app".to_owned() }));
        assert!(keys.has(&key_id(&token).unwrap()));
    }

    #[test]
    fn a_token_holds_for_its_time_and_what_clocks_are_off() {
        let (token, keys) = token();
        let end = NOW.after(HOUR);
        assert!(keys.verify(&token, end.after(CLOCK_SKEW - Duration::from_millis(1))).is_ok());
        assert_eq!(keys.verify(&token, end.after(CLOCK_SKEW)), Err(Refused::Expired(end)));
        let early = Timestamp::from_millis(NOW.as_millis() - 300_001);
        assert_eq!(keys.verify(&token, early), Err(Refused::NotYetValid(NOW)));
    }

    #[test]
    fn a_token_of_another_issuer_key_or_content_is_refused_and_says_why() {
        let (token, keys) = token();
        let other = Keys { issuer: "https://other.example".to_owned(), keys: keys.keys.clone() };
        assert_eq!(
            other.verify(&token, NOW).unwrap_err().to_string(),
            "the token is of the issuer https://api.botframework.com, not of https://other.example"
        );

        let strangers = self::keys("https://api.botframework.com", &ring());
        assert!(matches!(strangers.verify(&token, NOW), Err(Refused::UnknownKey(_))));

        let (head, rest) = token.split_once('.').unwrap();
        let (_claims, signature) = rest.split_once('.').unwrap();
        let changed = format!("{head}.e30.{signature}");
        assert_eq!(keys.verify(&changed, NOW), Err(Refused::Signature));
    }

    #[test]
    fn only_rs256_is_taken_however_the_header_calls_it() {
        let (_, keys) = token();
        // {"alg":"HS256","kid":"k"} and {"alg":"none"}
        let symmetric = "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsifQ.e30.AA";
        assert_eq!(keys.verify(symmetric, NOW), Err(Refused::Algorithm("HS256".to_owned())));
        assert_eq!(keys.verify("eyJhbGciOiJub25lIn0.e30.", NOW), Err(Refused::Malformed));
        assert_eq!(keys.verify("gibberish", NOW), Err(Refused::Malformed));
    }

    #[test]
    fn the_token_is_found_in_its_header() {
        assert_eq!(bearer(Some("Bearer abc")), Ok("abc"));
        assert_eq!(bearer(Some("bearer  abc")), Ok("abc"));
        for header in [None, Some("Bearer"), Some("Bearer "), Some("Basic abc")] {
            assert_eq!(bearer(header), Err(Refused::Missing), "{header:?}");
        }
        assert_eq!(bearer(Some(&format!("Bearer {}", "a".repeat(20_000)))), Err(Refused::Malformed));
    }
}
