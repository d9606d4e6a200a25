use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use model::{Attempt, Notification};
use outbound::{Answer, Outbound, OutboundError};
use thiserror::Error;
use tokio::time::{Instant, timeout};

use crate::queue::{Outcome, Transmit};
use crate::{BearerError, BearerSource, Clock, SINK_URI};

const SCENARIO_ID: HeaderName = HeaderName::from_static("scenario-id");
const CHAIN_ID: HeaderName = HeaderName::from_static("x-microsoft-skype-chain-id");
const MESSAGE_ID: HeaderName = HeaderName::from_static("x-microsoft-skype-message-id");
const SEQUENCE: HeaderName = HeaderName::from_static("hookswitch-sequence");
const ATTEMPT: HeaderName = HeaderName::from_static("hookswitch-attempt");

/// What the sink answers.
const TAKEN: u16 = 204;

/// What is kept of an error's text; the rest is of no use to a reader.
const MAX_ERROR_CHARS: usize = 300;

/// What every POST needs.
pub(crate) struct Poster {
    pub(crate) outbound: Outbound,
    pub(crate) bearer: Arc<dyn BearerSource>,
    pub(crate) clock: Clock,
    pub(crate) user_agent: HeaderValue,
}

/// Why there was no answer.
#[derive(Debug, Error)]
enum PostError {
    #[error(transparent)]
    Bearer(#[from] BearerError),
    #[error("failed to write the notification as JSON")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    #[error("failed to get a token for the receiver in time")]
    TokenTimeout,
}

impl Poster {
    pub(crate) async fn post(&self, transmit: &Transmit) -> (Outcome, Attempt) {
        let (at, begun) = ((self.clock)(), Instant::now());
        if transmit.uri == SINK_URI {
            let status = Some(TAKEN);
            let attempt = Attempt { number: transmit.attempt, at, duration_ms: 0, status, error: None };
            return (Outcome::Delivered, attempt);
        }
        let result = self.exchange(transmit, begun).await;
        let duration_ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
        let (outcome, status, error) = match result {
            Ok(answer) => classify(answer),
            Err(error @ PostError::Outbound(OutboundError::Busy)) => {
                (Outcome::Unsent, None, Some(describe(&error)))
            }
            Err(error) => (Outcome::Failed, None, Some(describe(&error))),
        };
        (outcome, Attempt { number: transmit.attempt, at, duration_ms, status, error })
    }

    async fn exchange(&self, transmit: &Transmit, begun: Instant) -> Result<Answer, PostError> {
        let notification = &*transmit.notification;
        let asking = self.bearer.bearer(&notification.app, &notification.tenant);
        let token = timeout(transmit.timeout, asking).await.map_err(|_| PostError::TokenTimeout)??;
        let headers = self.headers(notification, transmit.attempt, &token);
        let body = serde_json::to_vec(&graph_wire::notifications([notification]))?;
        let left = transmit.timeout.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        let outbound = self.outbound.on_behalf_of(notification.app.as_str());
        Ok(outbound.post_json(&transmit.uri, headers, Bytes::from(body), left).await?)
    }

    fn headers(&self, notification: &Notification, attempt: u32, token: &str) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(10);
        let text = |value: &str| HeaderValue::from_str(value).ok();
        if let Some(mut value) = text(&format!("Bearer {token}")) {
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // A client chooses this one, and may choose what no header can hold.
        if let Some(scenario) = text(notification.scenario.as_str()) {
            headers.insert(CHAIN_ID, scenario.clone());
            headers.insert(SCENARIO_ID, scenario);
        }
        if let Some(id) = text(&notification.id.to_string()) {
            headers.insert(MESSAGE_ID, id);
        }
        headers.insert(SEQUENCE, HeaderValue::from(notification.sequence));
        headers.insert(ATTEMPT, HeaderValue::from(attempt));
        headers.insert(USER_AGENT, self.user_agent.clone());
        headers
    }
}

fn classify(answer: Answer) -> (Outcome, Option<u16>, Option<String>) {
    let status = Some(answer.status);
    match (answer.status, answer.location) {
        (200..=299, _) => (Outcome::Delivered, status, None),
        (410, _) => (Outcome::Gone, status, None),
        (302 | 307 | 308, Some(Ok(uri))) => (Outcome::Redirected(uri), status, None),
        (302 | 307 | 308, Some(Err(forbidden))) => {
            (Outcome::Failed, status, Some(format!("refused the redirect: {forbidden}")))
        }
        _ => (Outcome::Failed, status, None),
    }
}

/// The error and its sources in one line.
fn describe(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text.chars().take(MAX_ERROR_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use outbound::Forbidden;

    use super::*;

    #[test]
    fn a_status_says_what_happens_next() {
        let outcome = |status, location| classify(Answer { status, location }).0;
        for status in [200, 202, 204, 299] {
            assert_eq!(outcome(status, None), Outcome::Delivered);
        }
        let elsewhere = || Some(Ok("https://other.example/".to_owned()));
        for status in [302, 307, 308] {
            assert_eq!(
                outcome(status, elsewhere()),
                Outcome::Redirected("https://other.example/".to_owned())
            );
            assert_eq!(outcome(status, None), Outcome::Failed);
            assert_eq!(outcome(status, Some(Err(Forbidden::Address))), Outcome::Failed);
        }
        for status in [100, 300, 301, 303, 304, 400, 401, 404, 429, 500, 503, 999] {
            assert_eq!(outcome(status, elsewhere()), Outcome::Failed);
        }
        assert_eq!(outcome(410, None), Outcome::Gone);
    }

    #[test]
    fn an_error_is_described_with_its_causes_and_not_at_length() {
        let inner = std::io::Error::other("x".repeat(1000));
        let text = describe(&PostError::from(OutboundError::Connect(inner)));
        assert!(text.starts_with("failed to connect: xxx"), "{text}");
        assert_eq!(text.len(), MAX_ERROR_CHARS);
    }
}
