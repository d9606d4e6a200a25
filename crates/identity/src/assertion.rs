use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use model::{AppId, Application, Timestamp};
use serde_json::{Map, Value};

use crate::claims::Claims;

/// Longer than any assertion with a certificate chain in its header.
const MAX_BYTES: usize = 16 * 1024;
/// How far ahead an assertion may end: its id must be remembered until then. Clients choose 10 minutes.
const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// Used ids remembered for one application; one that needs more must wait for its old ones to end.
const MAX_USED: usize = 2048;

/// Checks client assertions (RFC 7523, 3) and remembers their ids, so that each serves once.
#[derive(Debug, Default)]
pub(crate) struct AssertionCheck {
    used: Mutex<BTreeMap<AppId, BTreeMap<String, Timestamp>>>,
}

/// Against what an assertion is held.
pub(crate) struct Expected<'a> {
    pub(crate) audiences: &'a [String],
    pub(crate) clock_skew: Duration,
    pub(crate) now: Timestamp,
}

impl AssertionCheck {
    /// Looks at everything but the signature's owner first, so that a forged assertion uses up no id.
    ///
    /// # Errors
    ///
    /// Says what is wrong, in words fit for the caller.
    pub(crate) fn check(
        &self,
        app: &Application,
        assertion: &str,
        expected: &Expected<'_>,
    ) -> Result<(), &'static str> {
        let claims = verified(app, assertion)?;
        let is_own = |name| claims.text(name) == Some(app.id.as_str());
        if !(is_own("iss") && is_own("sub")) {
            return Err("its issuer and subject must be the client id");
        }
        let is_for_us =
            |audience: &str| expected.audiences.iter().any(|own| own.eq_ignore_ascii_case(audience));
        if !claims.audiences().iter().any(|audience| is_for_us(audience)) {
            return Err("its audience is not this token endpoint");
        }
        let expires_at = claims.date("exp").ok_or("it has no end ('exp')")?.after(expected.clock_skew);
        if expires_at <= expected.now {
            return Err("it has ended");
        }
        if expires_at > expected.now.after(MAX_LIFETIME) {
            return Err("it lasts for more than a day");
        }
        if claims.date("nbf").is_some_and(|start| start > expected.now.after(expected.clock_skew)) {
            return Err("it has not begun");
        }
        let id = claims.text("jti").filter(|id| !id.is_empty() && id.len() <= 256);
        self.use_up(&app.id, id.ok_or("it has no id ('jti')")?, expires_at, expected.now)
    }

    fn use_up(
        &self,
        app: &AppId,
        id: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = used.entry(app.clone()).or_default();
        if used.len() >= MAX_USED {
            used.retain(|_, end| *end > now);
        }
        if used.len() >= MAX_USED {
            return Err("too many assertions of this application have not ended yet");
        }
        match used.insert(id.to_owned(), expires_at) {
            Some(end) if end > now => Err("it has been used already"),
            Some(_) | None => Ok(()),
        }
    }
}

/// Reads the claims, found signed with one of the application's keys.
fn verified(app: &Application, assertion: &str) -> Result<Claims, &'static str> {
    if assertion.len() > MAX_BYTES {
        return Err("it is too long");
    }
    let header = jsonwebtoken::decode_header(assertion).map_err(|_| "it is not a signed JWT")?;
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let keys = app.assertion_keys.iter().filter_map(|pem| decoding_key(pem, header.alg));
    keys.into_iter()
        .find_map(|key| jsonwebtoken::decode::<Map<String, Value>>(assertion, &key, &validation).ok())
        .map(|token| Claims::new(token.claims))
        .ok_or("it is not signed with a key of the application")
}

fn decoding_key(pem: &str, algorithm: Algorithm) -> Option<DecodingKey> {
    if algorithm == Algorithm::ES256 {
        return DecodingKey::from_ec_pem(pem.as_bytes()).ok();
    }
    if algorithm == Algorithm::RS256 || algorithm == Algorithm::PS256 {
        return DecodingKey::from_rsa_pem(pem.as_bytes()).ok();
    }
    None
}
