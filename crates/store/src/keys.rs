use std::fmt;

use model::Timestamp;

use crate::Reply;

/// Keys that sign.
pub trait KeyStore: Send + Sync {
    /// The keys of a purpose, newest first, those that have expired included until they are removed.
    fn signing_keys(&self, purpose: KeyPurpose) -> Reply<'_, Vec<SigningKey>>;

    /// Adds a key, durably, and removes keys of its purpose that expired before it was created.
    ///
    /// A key of the same id is replaced.
    fn put_signing_key(&self, key: SigningKey) -> Reply<'_, ()>;
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyPurpose {
    /// The tokens that notifications carry.
    Notifications,
    /// The access tokens that applications get.
    Tokens,
}

/// A private key that signs tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// The key id (`kid`) in tokens and key sets.
    pub id: String,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// The private key: PKCS #8, DER.
    pub pkcs8: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is no longer used to sign, while others may still verify with it.
    pub retires_at: Timestamp,
    /// When nothing that it signed is valid any longer.
    pub expires_at: Timestamp,
}

impl fmt::Debug for SigningKey {
    /// Shows everything but the key itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .field("purpose", &self.purpose)
            .field("created_at", &self.created_at)
            .field("retires_at", &self.retires_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyPurpose, SigningKey};
    use model::Timestamp;

    #[test]
    fn a_private_key_is_never_shown() {
        let key = SigningKey {
            id: "k1".to_owned(),
            purpose: KeyPurpose::Tokens,
            pkcs8: vec![173, 173, 173],
            created_at: Timestamp::from_millis(1),
            retires_at: Timestamp::from_millis(2),
            expires_at: Timestamp::from_millis(3),
        };
        assert!(!format!("{key:?}").contains("173"));
        assert!(format!("{key:?}").contains("k1"));
    }
}
