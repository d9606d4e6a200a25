use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use model::Timestamp;
use serde::Serialize;

/// An RSA key pair that signs tokens with RS256.
///
/// Kept parsed: parsing a private key costs more than signing with it.
pub struct SigningKey {
    kid: String,
    created_at: Timestamp,
    pair: RsaKeyPair,
    public: PublicJwk,
    verifier: DecodingKey,
}

/// A signing key as a store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Names the key in token headers.
    pub kid: String,
    /// When it was made; rotation goes by it.
    pub created_at: Timestamp,
    /// The private key: PKCS#8, DER. A secret.
    pub pkcs8: Vec<u8>,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredKey")
            .field("kid", &self.kid)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

/// A key that cannot be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The cryptography library made none.
    #[error("failed to generate a signing key")]
    Generate,
    /// What the store kept is not an RSA private key in PKCS#8.
    #[error("failed to read a stored signing key")]
    Read,
    /// The claims could not be signed.
    #[error("failed to sign a token")]
    Sign,
}

/// A public key as a JWKS document shows it (RFC 7517).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    kty: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: String,
    n: String,
    e: String,
}

impl SigningKey {
    /// Makes a 2048-bit key, the size that Entra's own keys have.
    ///
    /// Takes 50 to 300 ms of CPU: keep it off the threads that serve.
    ///
    /// # Errors
    ///
    /// [`KeyError::Generate`] where the cryptography library fails.
    pub fn generate(now: Timestamp) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
        Self::from_pair(pair, now).ok_or(KeyError::Generate)
    }

    /// Reads a key that a store kept.
    ///
    /// # Errors
    ///
    /// [`KeyError::Read`] where it is not an RSA private key.
    pub fn from_stored(stored: &StoredKey) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_pkcs8(&stored.pkcs8).map_err(|_| KeyError::Read)?;
        Self::from_pair(pair, stored.created_at).ok_or(KeyError::Read)
    }

    /// The key for a store to keep.
    ///
    /// # Errors
    ///
    /// [`KeyError::Read`] where the cryptography library cannot encode it.
    pub fn to_stored(&self) -> Result<StoredKey, KeyError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| KeyError::Read)?;
        Ok(StoredKey { kid: self.kid.clone(), created_at: self.created_at, pkcs8: der.as_ref().to_vec() })
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn created_at(&self) -> Timestamp {
        self.created_at
    }

    pub(crate) fn public(&self) -> &PublicJwk {
        &self.public
    }

    pub(crate) fn verifier(&self) -> &DecodingKey {
        &self.verifier
    }

    /// Writes and signs a token in compact form (RFC 7515, 7.1).
    ///
    /// `x5t` repeats the key id, as Entra's tokens do; some verifiers look only there.
    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let header = serde_json::json!({ "typ": "JWT", "alg": "RS256", "x5t": self.kid, "kid": self.kid });
        let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Sign)?;
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Sign)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The key id is the digest of the public key, so that the same key is called the same everywhere.
    fn from_pair(pair: RsaKeyPair, created_at: Timestamp) -> Option<Self> {
        let kid = URL_SAFE_NO_PAD.encode(digest(&SHA256, pair.public_key().as_ref()).as_ref().get(..20)?);
        let (modulus, exponent) = (pair.public_key().modulus(), pair.public_key().exponent());
        let (n, e) = (modulus.big_endian_without_leading_zero(), exponent.big_endian_without_leading_zero());
        let public = PublicJwk {
            kty: "RSA",
            r#use: "sig",
            alg: "RS256",
            kid: kid.clone(),
            n: URL_SAFE_NO_PAD.encode(n),
            e: URL_SAFE_NO_PAD.encode(e),
        };
        let verifier = DecodingKey::from_rsa_raw_components(n, e);
        Some(Self { kid, created_at, pair, public, verifier })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::{KeyError, SigningKey, StoredKey};

    #[test]
    fn a_stored_key_is_the_same_key_when_read_again() {
        let key = SigningKey::generate(Timestamp::from_millis(7)).unwrap();
        let again = SigningKey::from_stored(&key.to_stored().unwrap()).unwrap();
        assert_eq!(again.kid(), key.kid());
        assert_eq!(again.created_at(), key.created_at());
        assert_eq!(again.public(), key.public());
        assert_eq!(again.sign(&"x"), key.sign(&"x"));
    }

    #[test]
    fn a_damaged_stored_key_is_an_error() {
        let damaged =
            StoredKey { kid: "x".into(), created_at: Timestamp::default(), pkcs8: vec![0x30, 0x82] };
        assert_eq!(SigningKey::from_stored(&damaged).unwrap_err(), KeyError::Read);
    }

    #[test]
    fn a_key_never_shows_its_private_part_in_logs() {
        let key = SigningKey::generate(Timestamp::default()).unwrap();
        assert!(!format!("{:?}", key.to_stored().unwrap()).contains("pkcs8"));
        assert!(!format!("{key:?}").contains("pair"));
    }
}
