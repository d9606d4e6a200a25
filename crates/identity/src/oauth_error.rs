use std::time::Duration;

use model::Timestamp;
use serde_json::{Value, json};
use time::macros::format_description;
use uuid::Uuid;

use crate::random;

/// A refusal of the token endpoint: the error of RFC 6749 5.2 with the numbers that Entra adds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error} ({code}): {message}")]
pub struct OAuthError {
    /// The HTTP status.
    pub status: u16,
    /// The name that RFC 6749 gives it.
    pub error: &'static str,
    /// Entra's number for it (`AADSTS…`).
    pub code: u32,
    /// The reason in words, fit for the caller.
    pub message: String,
    /// How long the caller should wait, where waiting helps.
    pub retry_after: Option<Duration>,
}

impl OAuthError {
    /// The body to send. `correlation` is the caller's `client-request-id`, where it sent one.
    pub fn body(&self, correlation: Option<Uuid>, now: Timestamp) -> Value {
        let (trace, correlation) = (random::random_guid(), correlation.unwrap_or_else(random::random_guid));
        let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
        let timestamp = now.to_utc().format(format).unwrap_or_default();
        let (code, message) = (self.code, &self.message);
        json!({
            "error": self.error,
            "error_description": format!(
                "AADSTS{code}: {message} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {timestamp}"
            ),
            "error_codes": [code],
            "timestamp": timestamp,
            "trace_id": trace,
            "correlation_id": correlation,
        })
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::bad("invalid_request", 900_144, format!("The form must contain the parameter '{parameter}'."))
    }

    pub(crate) fn malformed(what: &str) -> Self {
        Self::bad("invalid_request", 9_000_411, format!("The request is malformed: {what}."))
    }

    pub(crate) fn unsupported_grant() -> Self {
        let message = "This server grants tokens for 'client_credentials' only.";
        Self::bad("unsupported_grant_type", 70_003, message.to_owned())
    }

    pub(crate) fn unknown_tenant(tenant: &str) -> Self {
        Self::bad("invalid_request", 90_002, format!("There is no tenant '{}'.", shown(tenant)))
    }

    pub(crate) fn tenant_needed() -> Self {
        let message = "Several tenants know this application: name one of them in the address.";
        Self::bad("invalid_request", 50_194, message.to_owned())
    }

    pub(crate) fn app_not_in_tenant() -> Self {
        let message = "The tenant does not know this application.";
        Self::bad("unauthorized_client", 700_016, message.to_owned())
    }

    pub(crate) fn bad_scope(scope: &str) -> Self {
        let message = format!(
            "The scope '{}' is not valid: client credentials need one resource with '/.default' at its end.",
            shown(scope)
        );
        Self::bad("invalid_scope", 1_002_012, message)
    }

    pub(crate) fn unknown_resource(resource: &str) -> Self {
        let message = format!("The resource '{}' is not served here.", shown(resource));
        Self::bad("invalid_resource", 500_011, message)
    }

    pub(crate) fn wrong_secret() -> Self {
        let message = "The application is unknown or its secret is not this one.".to_owned();
        Self { status: 401, ..Self::bad("invalid_client", 7_000_215, message) }
    }

    pub(crate) fn wrong_assertion(reason: &str) -> Self {
        let message = format!("The client assertion is not accepted: {reason}.");
        Self { status: 401, ..Self::bad("invalid_client", 700_027, message) }
    }

    pub(crate) fn no_proof() -> Self {
        let message = "The form must contain 'client_secret' or 'client_assertion'.".to_owned();
        Self { status: 401, ..Self::bad("invalid_client", 7_000_218, message) }
    }

    pub(crate) fn wait(retry_after: Duration) -> Self {
        let message = "Too many proofs failed: wait before the next.".to_owned();
        let error = Self::bad("temporarily_unavailable", 50_196, message);
        Self { status: 429, retry_after: Some(retry_after), ..error }
    }

    pub(crate) fn busy() -> Self {
        let error = Self::bad("temporarily_unavailable", 90_033, "The server is busy.".to_owned());
        Self { status: 503, retry_after: Some(Duration::from_secs(1)), ..error }
    }

    fn bad(error: &'static str, code: u32, message: String) -> Self {
        Self { status: 400, error, code, message, retry_after: None }
    }
}

/// What the caller wrote, cut to a length that a message can bear.
fn shown(text: &str) -> String {
    text.chars().take(80).filter(|char| !char.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use uuid::Uuid;

    use super::OAuthError;

    #[test]
    fn a_body_has_the_members_that_clients_of_entra_read() {
        let correlation = Uuid::from_u128(7);
        let body =
            OAuthError::missing("scope").body(Some(correlation), Timestamp::from_millis(1_452_304_932_000));
        assert_eq!(body["error"], "invalid_request");
        assert_eq!(body["error_codes"], serde_json::json!([900_144]));
        assert_eq!(body["timestamp"], "2016-01-09 02:02:12Z");
        assert_eq!(body["correlation_id"], correlation.to_string());
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with("AADSTS900144: "), "{description}");
        assert!(description.contains(body["trace_id"].as_str().unwrap()));
    }

    #[test]
    fn a_refusal_shows_little_of_what_it_refuses() {
        let error = OAuthError::unknown_tenant(&"x\n".repeat(1000));
        assert!(error.message.len() < 200);
        assert!(!error.message.contains('\n'));
    }
}
