//! Signing keys: read from the store, made where they are missing, renewed when it is time.

use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context as _, Result};
use identity::{Issuer, KeyRing, NotificationSigner, Rotation, SigningKey, StoredKey};
use model::Timestamp;
use node::Clock;
use store::{KeyPurpose, Store};

/// How often it is looked whether keys are due. Arbitrary; they live for weeks.
const LOOK_PAUSE: Duration = Duration::from_secs(600);

/// The key ring of one purpose, with at least one key.
pub(crate) async fn ring(
    store: &Arc<dyn Store>,
    purpose: KeyPurpose,
    rotation: Rotation,
    now: Timestamp,
) -> Result<KeyRing> {
    let stored = store.signing_keys(purpose).await.context("failed to read the signing keys")?;
    let keys = stored
        .into_iter()
        .filter(|key| now < key.expires_at)
        .map(|key| {
            SigningKey::from_stored(&StoredKey { kid: key.id, pkcs8: key.pkcs8, created_at: key.created_at })
        })
        .collect::<Result<Vec<_>, _>>()
        .context("failed to read a signing key")?;
    let ring = KeyRing::new(rotation, keys);
    renew(store, purpose, rotation, &ring, now).await?;
    Ok(ring)
}

/// Makes a key where one is due. It is kept before it is used, so that what it signs can be verified after a restart.
async fn renew(
    store: &Arc<dyn Store>,
    purpose: KeyPurpose,
    rotation: Rotation,
    ring: &KeyRing,
    now: Timestamp,
) -> Result<()> {
    if !ring.is_due(now) {
        return Ok(());
    }
    let key = tokio::task::spawn_blocking(move || SigningKey::generate(now)).await?;
    let key = key.context("failed to make a signing key")?;
    let StoredKey { kid, pkcs8, created_at } = key.to_stored().context("failed to encode a signing key")?;
    let (retires_at, expires_at) = (rotation.retirement(created_at), rotation.expiry(created_at));
    let row = store::SigningKey { id: kid, purpose, pkcs8, created_at, retires_at, expires_at };
    store.put_signing_key(row).await.context("failed to keep a signing key")?;
    ring.add(key);
    Ok(())
}

/// Who signs.
pub(crate) struct Rings {
    pub(crate) issuer: Weak<Issuer>,
    pub(crate) signer: Weak<NotificationSigner>,
}

/// Renews keys for as long as their issuers live.
pub(crate) async fn rotate(store: Weak<dyn Store>, rings: Rings, rotation: Rotation, clock: Clock) {
    loop {
        tokio::time::sleep(LOOK_PAUSE).await;
        let (Some(store), Some(issuer), Some(signer)) =
            (store.upgrade(), rings.issuer.upgrade(), rings.signer.upgrade())
        else {
            return;
        };
        let rings = [(KeyPurpose::Tokens, issuer.keys()), (KeyPurpose::Notifications, signer.keys())];
        for (purpose, ring) in rings {
            if let Err(error) = renew(&store, purpose, rotation, ring, clock.wall()).await {
                tracing::error!(error = format!("{error:#}"), ?purpose, "failed to renew a signing key");
            }
            ring.withdraw(clock.wall());
        }
    }
}
