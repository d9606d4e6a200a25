use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;
use model::{AppId, Application};
use tokio::sync::Semaphore;

use crate::cache::Cache;
use crate::secret::{NOBODYS_HASH, verify_secret};
use crate::{OAuthError, random};

/// Argon2 runs at one time: each takes a core and 19 MiB.
const MAX_RUNNING: usize = 2;
/// Proofs that may wait for their turn; each turn takes some 20 ms, so the last one waits for less than a second.
const MAX_WAITING: usize = 64;
/// Proven secrets remembered, some 200 bytes each.
const MAX_PROVEN: usize = 4096;

/// Looks whether a secret is an application's.
///
/// A secret that has been proven is remembered by its keyed digest, so that the next token costs microseconds. What
/// is remembered holds only as long as the directory has the hash that it was proven against.
#[derive(Debug)]
pub(crate) struct SecretCheck {
    key: hmac::Key,
    proven: Mutex<Cache<Digest, String>>,
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

type Digest = Vec<u8>;

impl SecretCheck {
    pub(crate) fn new() -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()),
            proven: Mutex::new(Cache::new(MAX_PROVEN)),
            running: Arc::new(Semaphore::new(MAX_RUNNING)),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
        }
    }

    /// Returns whether `secret` is one of the application's.
    ///
    /// Does the same work for an unknown application as for any: `rounds` comparisons, at least as many as any
    /// application of the directory has secrets.
    ///
    /// # Errors
    ///
    /// [`OAuthError`] 503 where too many proofs wait.
    pub(crate) async fn is_proven(
        &self,
        app: Option<&Application>,
        secret: &str,
        rounds: usize,
    ) -> Result<bool, OAuthError> {
        if app.is_some_and(|app| self.is_remembered(app, secret)) {
            return Ok(true);
        }
        let digest = app.map(|app| self.digest(&app.id, secret));
        let hashes = app.map(|app| app.secret_hashes.clone()).unwrap_or_default();
        let fitting = self.compare(hashes, secret.to_owned(), rounds).await?;
        if let (Some(hash), Some(digest)) = (&fitting, digest) {
            self.proven.lock().unwrap_or_else(PoisonError::into_inner).put(digest, hash.clone());
        }
        Ok(fitting.is_some())
    }

    /// Whether `secret` has been proven to be the application's, and still is one of its secrets.
    pub(crate) fn is_remembered(&self, app: &Application, secret: &str) -> bool {
        let hash = self.remembered(&self.digest(&app.id, secret));
        hash.is_some_and(|hash| app.secret_hashes.contains(&hash))
    }

    async fn compare(
        &self,
        hashes: Vec<String>,
        secret: String,
        rounds: usize,
    ) -> Result<Option<String>, OAuthError> {
        let _waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| OAuthError::busy())?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| OAuthError::busy())?;
        let comparison = tokio::task::spawn_blocking(move || {
            let _running = running;
            let padded = hashes.iter().map(String::as_str).chain(std::iter::repeat(NOBODYS_HASH));
            let rounds = rounds.max(hashes.len()).max(1);
            let fitting: Vec<_> = padded.take(rounds).filter(|hash| verify_secret(&secret, hash)).collect();
            fitting.first().map(|hash| (*hash).to_owned())
        });
        comparison.await.map_err(|_| OAuthError::busy())
    }

    fn remembered(&self, digest: &Digest) -> Option<String> {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).find(digest)
    }

    fn digest(&self, app: &AppId, secret: &str) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(app.as_str().as_bytes());
        context.update(&[0]);
        context.update(secret.as_bytes());
        context.sign().as_ref().to_vec()
    }
}
