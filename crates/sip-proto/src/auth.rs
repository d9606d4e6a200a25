//! Answers to challenges of far ends.

use std::borrow::Cow;

use sip_message::digest::{Answer, Challenge, Ha1};
use sip_message::{Method, Response, StatusCode, Uri};

use crate::entropy::Entropy;
use crate::event::{Credentials, Secret};

/// The request that was challenged.
pub(crate) struct Challenged<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
}

/// Puts the answer to a 401 or 407 among the `authorization` headers of the next try.
///
/// `false` means that no other try is worth it: there is no secret for the challenge, or it refuses the
/// very answer that it got.
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
    let usable = |challenge: &Challenge| ha1(credentials, challenge).is_some();
    let Some(challenge) = Challenge::strongest_of(&failure.headers, asks, usable) else { return false };
    let answered = authorization.iter().any(|(name, _)| *name == answers);
    if answered && !challenge.is_stale {
        return false;
    }
    let Some(ha1) = ha1(credentials, &challenge) else { return false };
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

/// The secret for a challenge, if there is one.
fn ha1<'a>(credentials: &'a Credentials, challenge: &Challenge) -> Option<Cow<'a, Ha1>> {
    match &credentials.secret {
        Secret::Digests { realm, ha1s } => {
            let mut ha1s = ha1s.iter().filter(|_| *realm == challenge.realm);
            ha1s.find(|ha1| ha1.algorithm() == challenge.algorithm).map(Cow::Borrowed)
        }
        Secret::Password(password) => {
            let username = &credentials.username;
            Some(Cow::Owned(Ha1::new(challenge.algorithm, username, &challenge.realm, password)))
        }
    }
}
