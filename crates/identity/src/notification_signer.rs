use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{AppId, TenantId, Timestamp};
use serde::Serialize;

use crate::{KeyError, KeyRing};

/// A token is renewed when less than this is left, so that it outlives a slow delivery and the receiver's clock.
const RENEW_BEFORE_END: Duration = Duration::from_secs(600);
/// Applications with tokens at hand; past it, those whose tokens have ended are dropped, then all.
const MAX_SLOTS: usize = 10_000;

/// How notification tokens look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotificationSignerSettings {
    /// The `iss` of tokens.
    pub issuer: String,
    /// How long a token is good.
    pub lifetime: Duration,
    /// How long a meeting can be joined by the token of a notification; keys are kept for as long.
    pub meeting_token_lifetime: Duration,
}

impl Default for NotificationSignerSettings {
    /// The issuer that receivers of Graph's notifications expect, an hour, and a day for meetings.
    fn default() -> Self {
        Self {
            issuer: "https://api.botframework.com".to_owned(),
            lifetime: Duration::from_secs(3600),
            meeting_token_lifetime: Duration::from_secs(24 * 3600),
        }
    }
}

/// Signs the tokens that go with notifications, so that an application knows who calls it.
#[derive(Debug)]
pub struct NotificationSigner {
    settings: NotificationSignerSettings,
    keys: KeyRing,
    slots: Mutex<BTreeMap<(AppId, TenantId), Arc<Slot>>>,
}

#[derive(Debug, Default)]
struct Slot(Mutex<Option<(Arc<str>, Timestamp)>>);

#[derive(Serialize)]
struct NotificationClaims<'a> {
    aud: &'a AppId,
    iss: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    tid: &'a TenantId,
}

impl NotificationSigner {
    /// A signer with these keys.
    pub fn new(settings: NotificationSignerSettings, keys: KeyRing) -> Self {
        Self { settings, keys, slots: Mutex::default() }
    }

    /// The keys, to publish and to rotate.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// How tokens look.
    pub fn settings(&self) -> &NotificationSignerSettings {
        &self.settings
    }

    /// A token for notifications to `app` about `tenant`, good for ten minutes at least.
    ///
    /// Signing takes 1.4 ms of CPU, so a token is used for most of its life; whoever asks while one is being signed
    /// waits for that one.
    ///
    /// # Errors
    ///
    /// [`KeyError::Sign`] where there is no key yet.
    pub fn bearer(&self, app: &AppId, tenant: &TenantId, now: Timestamp) -> Result<Arc<str>, KeyError> {
        let slot = self.slot(app, tenant, now);
        let mut held = slot.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, expires_at)) = held.as_ref()
            && now.after(RENEW_BEFORE_END) < *expires_at
        {
            return Ok(Arc::clone(token));
        }
        let expires_at = now.after(self.settings.lifetime);
        let claims = NotificationClaims {
            aud: app,
            iss: &self.settings.issuer,
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: expires_at.as_secs(),
            tid: tenant,
        };
        let token: Arc<str> = self.keys.sign(&claims, now)?.into();
        *held = Some((Arc::clone(&token), expires_at));
        Ok(token)
    }

    fn slot(&self, app: &AppId, tenant: &TenantId, now: Timestamp) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_SLOTS {
            slots.retain(|_, slot| slot.is_good(now));
        }
        if slots.len() >= MAX_SLOTS {
            slots.clear();
        }
        Arc::clone(slots.entry((app.clone(), tenant.clone())).or_default())
    }
}

impl Slot {
    /// Whether it holds a token that has not ended, or is getting one.
    fn is_good(&self, now: Timestamp) -> bool {
        self.0.try_lock().map_or(true, |held| held.as_ref().is_some_and(|(_, end)| now < *end))
    }
}
