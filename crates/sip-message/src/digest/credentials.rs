//! Authorization and Proxy-Authorization values.

use std::fmt;
use std::str::FromStr;

use super::fields::Fields;
use super::{Algorithm, DigestError};
use crate::lex;

/// The credentials of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The realm.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// The Request-URI as the client saw it.
    pub uri: String,
    /// The proof, in lower-case hexadecimal.
    pub response: String,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What the challenge asked to repeat.
    pub opaque: Option<String>,
    /// Nonce count and client nonce of `qop=auth`; `None` for answers without `qop` (RFC 2069).
    pub count: Option<(u32, String)>,
}

impl FromStr for Credentials {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let fields = Fields::parse(text)?;
        let count = match fields.get("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = fields.need("nc")?;
                let valid = nc.len() == 8 && nc.bytes().all(|digit| digit.is_ascii_hexdigit());
                let count = u32::from_str_radix(&nc, 16).ok().filter(|_| valid);
                let count = count.ok_or(DigestError::Malformed)?;
                Some((count, fields.need("cnonce")?))
            }
            Some(_) => return Err(DigestError::Unsupported),
        };
        Ok(Self {
            username: fields.need("username")?,
            realm: fields.need("realm")?,
            nonce: fields.need("nonce")?,
            uri: fields.need("uri")?,
            response: fields.need("response")?,
            algorithm: Algorithm::parse(fields.get("algorithm"))?,
            opaque: fields.optional("opaque"),
            count,
        })
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = [
            ("username", &self.username),
            ("realm", &self.realm),
            ("nonce", &self.nonce),
            ("uri", &self.uri),
            ("response", &self.response),
        ];
        f.write_str("Digest ")?;
        for (name, value) in quoted {
            write!(f, "{name}={}, ", lex::quote(value))?;
        }
        write!(f, "algorithm={}", self.algorithm.as_str())?;
        if let Some((count, cnonce)) = &self.count {
            let cnonce = lex::quote(cnonce);
            write!(f, ", cnonce={cnonce}, qop=auth, nc={count:08x}")?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", lex::quote(opaque))?;
        }
        Ok(())
    }
}
