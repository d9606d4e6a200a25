use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::DecodingKey;
use model::Timestamp;
use serde::Serialize;

use crate::signing_key::PublicJwk;
use crate::{KeyError, SigningKey};

const HOUR: Duration = Duration::from_secs(3600);

/// When keys change.
///
/// A key is published before it signs, because verifiers keep a copy of the key list; and it stays published after it
/// has signed its last token for as long as a token lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// How long after the youngest key the next one is made.
    pub every: Duration,
    /// How long a key is published before it signs; longer than anyone caches the key list.
    pub publish_ahead: Duration,
    /// How long a key stays published after it signed last; longer than a token lives.
    pub keep: Duration,
}

impl Default for Rotation {
    /// Every 30 days, published a day ahead and kept a day: verifiers are known to cache key lists for up to a day.
    fn default() -> Self {
        Self { every: 30 * 24 * HOUR, publish_ahead: 24 * HOUR, keep: 24 * HOUR }
    }
}

impl Rotation {
    /// When a key made at `created_at` signs no more, if its successor comes in time.
    pub fn retirement(&self, created_at: Timestamp) -> Timestamp {
        created_at.after(self.every).after(self.publish_ahead)
    }

    /// When it verifies no living token any more.
    pub fn expiry(&self, created_at: Timestamp) -> Timestamp {
        self.retirement(created_at).after(self.keep)
    }
}

/// The key list of an issuer, as `jwks_uri` serves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwks {
    keys: Vec<PublicJwk>,
}

/// The keys of one issuer: the next one, the one that signs, and former ones that still verify.
///
/// The caller looks at [`KeyRing::is_due`] now and then; when it says so, it makes a key off the serving threads, has
/// the store keep it, and only then calls [`KeyRing::add`]. So what is published survives a restart.
#[derive(Debug)]
pub struct KeyRing {
    rotation: Rotation,
    /// Oldest first.
    keys: ArcSwap<Vec<Arc<SigningKey>>>,
}

impl KeyRing {
    /// Takes the keys that a store kept, in any order; there may be none yet.
    pub fn new(rotation: Rotation, mut keys: Vec<SigningKey>) -> Self {
        keys.sort_by_key(SigningKey::created_at);
        let keys = keys.into_iter().map(Arc::new).collect();
        Self { rotation, keys: ArcSwap::from_pointee(keys) }
    }

    /// Whether a new key should be made.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.keys.load().last().is_none_or(|youngest| youngest.created_at().after(self.rotation.every) <= now)
    }

    /// Publishes a new key. The very first signs at once.
    pub fn add(&self, key: SigningKey) {
        let key = Arc::new(key);
        self.keys.rcu(|keys| {
            let mut keys = Vec::clone(keys);
            keys.push(Arc::clone(&key));
            keys.sort_by_key(|key| key.created_at());
            keys
        });
    }

    /// Withdraws the keys that verify no living token any more; returns their ids, for the store to drop.
    pub fn withdraw(&self, now: Timestamp) -> Vec<String> {
        let mut withdrawn = Vec::new();
        self.keys.rcu(|keys| {
            let former = keys
                .windows(2)
                .take_while(|pair| match pair {
                    [_, successor] => self.signs_from(successor).after(self.rotation.keep) <= now,
                    _ => false,
                })
                .count();
            withdrawn = keys.iter().take(former).map(|key| key.kid().to_owned()).collect();
            keys.iter().skip(former).cloned().collect::<Vec<_>>()
        });
        withdrawn
    }

    /// The key list to publish.
    pub fn jwks(&self) -> Jwks {
        Jwks { keys: self.keys.load().iter().map(|key| key.public().clone()).collect() }
    }

    /// Signs with the youngest key that has been published long enough, else with the oldest there is.
    pub(crate) fn sign(&self, claims: &impl Serialize, now: Timestamp) -> Result<String, KeyError> {
        let keys = self.keys.load();
        let published = keys.iter().rev().find(|key| self.signs_from(key) <= now);
        published.or_else(|| keys.first()).ok_or(KeyError::Sign)?.sign(claims)
    }

    pub(crate) fn verifier(&self, kid: &str) -> Option<DecodingKey> {
        self.keys.load().iter().find(|key| key.kid() == kid).map(|key| key.verifier().clone())
    }

    fn signs_from(&self, key: &SigningKey) -> Timestamp {
        key.created_at().after(self.rotation.publish_ahead)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Timestamp;

    use super::{HOUR, KeyRing, Rotation};
    use crate::SigningKey;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn signing_kid(ring: &KeyRing, now: Timestamp) -> String {
        let token = ring.sign(&serde_json::json!({}), now).unwrap();
        jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
    }

    fn rotation() -> Rotation {
        Rotation { every: 100 * HOUR, publish_ahead: 10 * HOUR, keep: 5 * HOUR }
    }

    #[test]
    fn a_ring_without_keys_asks_for_one_and_signs_nothing() {
        let ring = KeyRing::new(rotation(), Vec::new());
        assert!(ring.is_due(START));
        assert!(ring.sign(&serde_json::json!({}), START).is_err());
    }

    #[test]
    fn the_first_key_signs_at_once() {
        let first = SigningKey::generate(START).unwrap();
        let kid = first.kid().to_owned();
        let ring = KeyRing::new(rotation(), vec![first]);
        assert_eq!(signing_kid(&ring, START), kid);
        assert!(!ring.is_due(START.after(99 * HOUR)));
        assert!(ring.is_due(START.after(100 * HOUR)));
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_the_former_verifies_on_for_a_while() {
        let (first, second) = (SigningKey::generate(START), SigningKey::generate(START.after(100 * HOUR)));
        let (first, second) = (first.unwrap(), second.unwrap());
        let (former, next) = (first.kid().to_owned(), second.kid().to_owned());
        let ring = KeyRing::new(rotation(), vec![first]);
        ring.add(second);

        let before = START.after(110 * HOUR - Duration::from_millis(1));
        assert_eq!(ring.jwks().keys.len(), 2);
        assert_eq!(signing_kid(&ring, before), former);
        assert_eq!(signing_kid(&ring, START.after(110 * HOUR)), next);
        assert_eq!(rotation().expiry(START), START.after(115 * HOUR));
        assert_eq!(ring.withdraw(START.after(114 * HOUR)), Vec::<String>::new());
        assert!(ring.verifier(&former).is_some());
        assert_eq!(ring.withdraw(START.after(115 * HOUR)), vec![former.clone()]);
        assert!(ring.verifier(&former).is_none());
        assert!(ring.verifier(&next).is_some());
    }
}
