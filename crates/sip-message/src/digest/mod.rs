//! Digest authentication as SIP uses it (RFC 7616, RFC 8760; `qop=auth` only).
//!
//! A server challenges with [`Authenticator::challenges`], reads the [`Credentials`] of the repeated request, looks
//! up the [`Ha1`] of their user and asks [`Authenticator::check`], then [`Authenticator::verify`]. A client picks a
//! [`Challenge`] with [`Challenge::strongest`] and answers it with [`Challenge::answer`].

mod challenge;
mod credentials;
mod fields;
mod server;

use std::fmt;

use md5::{Digest as _, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

pub use challenge::{Answer, Challenge};
pub use credentials::Credentials;
pub use server::{Authenticator, Claim, Refusal};

/// Why a digest header field cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The parameters do not follow the grammar, or one is missing.
    #[error("malformed digest parameters")]
    Malformed,
    /// The scheme is not Digest.
    #[error("not the Digest scheme")]
    OtherScheme,
    /// The algorithm or quality of protection is not supported.
    #[error("unsupported digest algorithm or quality of protection")]
    Unsupported,
}

/// A digest algorithm. The greater one is the stronger one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, which most telephones still need.
    Md5,
    /// SHA-256 (RFC 8760).
    Sha256,
}

impl Algorithm {
    /// The registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    pub(crate) fn parse(text: Option<&str>) -> Result<Self, DigestError> {
        match text {
            None => Ok(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Ok(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Ok(Self::Sha256),
            Some(_) => Err(DigestError::Unsupported),
        }
    }

    /// The hash of the parts joined with colons, in lower-case hexadecimal.
    fn hash(self, parts: &[&str]) -> String {
        match self {
            Self::Md5 => hash_parts(Md5::new(), parts),
            Self::Sha256 => hash_parts(Sha256::new(), parts),
        }
    }

    const fn hex_octets(self) -> usize {
        match self {
            Self::Md5 => 32,
            Self::Sha256 => 64,
        }
    }
}

fn hash_parts(mut hash: impl md5::Digest, parts: &[&str]) -> String {
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            hash.update(b":");
        }
        hash.update(part.as_bytes());
    }
    hex(&hash.finalize())
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .flat_map(|octet| [octet >> 4, octet & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// The hash of user, realm and password, which is all that a server needs to keep. It is as secret as the password
/// within its realm, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ha1 {
    algorithm: Algorithm,
    hex: String,
}

impl Ha1 {
    /// The hash for a password.
    pub fn new(algorithm: Algorithm, user: &str, realm: &str, password: &str) -> Self {
        Self { algorithm, hex: algorithm.hash(&[user, realm, password]) }
    }

    /// A hash that was kept; `None` when the text is not the algorithm's number of lower-case hexadecimal digits.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        let valid = hex.len() == algorithm.hex_octets()
            && hex.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
        valid.then(|| Self { algorithm, hex: hex.to_owned() })
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash in lower-case hexadecimal, to be kept.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The response of RFC 7616, 3.4.1 for `qop=auth`, or of RFC 2069 without.
    fn response(&self, question: &Question<'_>) -> String {
        let ha2 = self.algorithm.hash(&[question.method, question.uri]);
        match question.count {
            Some((nc, cnonce)) => {
                let nc = format!("{nc:08x}");
                let parts = [&self.hex, question.nonce, &nc, cnonce, "auth", &ha2];
                self.algorithm.hash(&parts)
            }
            None => self.algorithm.hash(&[&self.hex, question.nonce, &ha2]),
        }
    }
}

impl fmt::Debug for Ha1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ha1").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// What a response is computed over, besides the secret.
struct Question<'a> {
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    count: Option<(u32, &'a str)>,
}

/// Compares without telling by the time taken where the texts differ.
fn same_secret(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616, 3.9.1.
    fn rfc7616(algorithm: Algorithm) -> String {
        let ha1 = Ha1::new(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
        ha1.response(&Question {
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            count: Some((1, "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        })
    }

    #[test]
    fn the_examples_of_rfc_7616_come_out() {
        assert_eq!(rfc7616(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            rfc7616(Algorithm::Sha256),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn the_example_of_rfc_2617_comes_out() {
        let ha1 = Ha1::new(Algorithm::Md5, "Mufasa", "testrealm@host.com", "Circle Of Life");

        let response = ha1.response(&Question {
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            count: Some((1, "0a4f113b")),
        });

        assert_eq!(ha1.hex(), "939e7578ed9e3c518a452acee763bce9");
        assert_eq!(response, "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn a_kept_hash_is_checked_and_never_shown() {
        let ha1 = Ha1::new(Algorithm::Sha256, "a", "b", "c");

        assert_eq!(Ha1::from_hex(Algorithm::Sha256, ha1.hex()), Some(ha1.clone()));
        assert_eq!(Ha1::from_hex(Algorithm::Md5, ha1.hex()), None);
        assert!(!format!("{ha1:?}").contains(ha1.hex()));
    }
}
