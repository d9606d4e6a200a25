//! WWW-Authenticate and Proxy-Authenticate values, and how a client answers them.

use std::fmt;
use std::str::FromStr;

use super::fields::Fields;
use super::{Algorithm, Credentials, DigestError, Ha1, Question};
use crate::{Headers, Method, Uri, lex};

/// A challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: String,
    /// The nonce.
    pub nonce: String,
    /// What the answer has to repeat.
    pub opaque: Option<String>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Whether only the nonce was wrong, so that the same password may be tried with this one.
    pub is_stale: bool,
    /// Whether `qop=auth` is offered; servers of RFC 2069 leave it out.
    pub offers_auth: bool,
}

/// What a client answers a challenge with.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The user name.
    pub username: &'a str,
    /// The secret; its algorithm must be the challenge's.
    pub ha1: &'a Ha1,
    /// The method of the request.
    pub method: &'a Method,
    /// The Request-URI.
    pub uri: &'a Uri,
    /// Random text, new for each nonce.
    pub cnonce: &'a str,
    /// How many requests were sent with this nonce, this one included; from 1.
    pub count: u32,
}

impl Challenge {
    /// The strongest challenge of a response's header fields of that name.
    pub fn strongest(headers: &Headers, name: &str) -> Option<Self> {
        Self::strongest_of(headers, name, |_| true)
    }

    /// The strongest of those challenges that are `usable`.
    pub fn strongest_of(headers: &Headers, name: &str, usable: impl Fn(&Self) -> bool) -> Option<Self> {
        // Of equals the first counts, for that is the server's preference (RFC 8760, 2.4).
        headers
            .get_all(name)
            .filter_map(|value| value.parse::<Self>().ok())
            .filter(usable)
            .reduce(|best, next| if next.algorithm > best.algorithm { next } else { best })
    }

    /// The credentials for a request; `None` when the secret is for another algorithm.
    pub fn answer(&self, answer: &Answer<'_>) -> Option<Credentials> {
        if answer.ha1.algorithm() != self.algorithm {
            return None;
        }
        let uri = answer.uri.to_string();
        let count = self.offers_auth.then_some((answer.count, answer.cnonce));
        let response = answer.ha1.response(&Question {
            method: answer.method.as_str(),
            uri: &uri,
            nonce: &self.nonce,
            count,
        });
        Some(Credentials {
            username: answer.username.to_owned(),
            realm: self.realm.clone(),
            nonce: self.nonce.clone(),
            uri,
            response,
            algorithm: self.algorithm,
            opaque: self.opaque.clone(),
            count: count.map(|(count, cnonce)| (count, cnonce.to_owned())),
        })
    }
}

impl FromStr for Challenge {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let fields = Fields::parse(text)?;
        let offers_auth = match fields.get("qop") {
            None => false,
            Some(list) if lex::elements(list).any(|qop| qop.eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(DigestError::Unsupported),
        };
        Ok(Self {
            realm: fields.need("realm")?,
            nonce: fields.need("nonce")?,
            opaque: fields.optional("opaque"),
            algorithm: Algorithm::parse(fields.get("algorithm"))?,
            is_stale: fields.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            offers_auth,
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (realm, nonce) = (lex::quote(&self.realm), lex::quote(&self.nonce));
        let algorithm = self.algorithm.as_str();
        write!(f, "Digest realm={realm}, nonce={nonce}, algorithm={algorithm}")?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", lex::quote(opaque))?;
        }
        if self.offers_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if self.is_stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_challenge_is_taken_of_those_that_can_be_answered() {
        let mut headers = Headers::new();
        for (realm, algorithm) in [("a", "MD5"), ("b", "SHA-256"), ("c", "MD5"), ("d", "SHA-512")] {
            let value = format!("Digest realm=\"{realm}\", nonce=\"n\", algorithm={algorithm}, qop=\"auth\"");
            headers.push("WWW-Authenticate", value);
        }
        let realm = |usable: fn(&Challenge) -> bool| {
            Challenge::strongest_of(&headers, "WWW-Authenticate", usable).map(|challenge| challenge.realm)
        };
        assert_eq!(Challenge::strongest(&headers, "WWW-Authenticate").unwrap().realm, "b");
        assert_eq!(realm(|challenge| challenge.algorithm == Algorithm::Md5).as_deref(), Some("a"));
        assert_eq!(realm(|challenge| challenge.realm == "c").as_deref(), Some("c"));
        assert_eq!(realm(|_| false), None);
    }
}
