//! Answers to challenges of far ends.

use sip_message::digest::{Answer, Challenge, Ha1};
use sip_message::{Method, Response, StatusCode, Uri};

use crate::entropy::Entropy;
use crate::event::Credentials;

/// The request that was challenged.
pub(crate) struct Challenged<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
}

/// Puts the answer to a 401 or 407 among the `authorization` headers of the next try.
///
/// `false` means that no other try is worth it: the challenge is of no known kind, or it refuses
/// the very answer that it got.
pub(crate) fn answer(
    failure: &Response,
    request: Challenged<'_>,
    credentials: &Credentials,
    authorization: &mut Vec<(&'static str, String)>,
    entropy: &mut Entropy,
) -> bool {
    let (asks, answers) = if failure.status == StatusCode::PROXY_AUTHENTICATION_REQUIRED {
        ("Proxy-Authenticate", "Proxy-Authorization")
    } else {
        ("WWW-Authenticate", "Authorization")
    };
    let Some(challenge) = Challenge::strongest(&failure.headers, asks) else { return false };
    let answered = authorization.iter().any(|(name, _)| *name == answers);
    if answered && !challenge.is_stale {
        return false;
    }
    let ha1 = Ha1::new(challenge.algorithm, &credentials.username, &challenge.realm, &credentials.password);
    let answer = Answer {
        username: &credentials.username,
        ha1: &ha1,
        method: request.method,
        uri: request.uri,
        cnonce: &entropy.token(),
        count: 1,
    };
    let Some(value) = challenge.answer(&answer) else { return false };
    authorization.retain(|(name, _)| *name != answers);
    authorization.push((answers, value.to_string()));
    true
}
