use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use model::AppId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Files that one application fetches at once: enough for a busy one, and no more than a fraction of what all may.
pub(super) const MAX_FETCHES_OF_APP: usize = 16;

/// Files that are fetched at once, each up to the largest size of a prompt.
pub(super) const MAX_FETCHES: usize = 256;

/// Prompts of one application that are read or converted at once, so that however many it has waiting, another's wait for
/// no more of them.
pub(super) const MAX_CONVERSIONS_OF_APP: usize = 2;

/// Prompts that are read or converted at once. Each takes a processor, and for ten minutes at 48 kHz 170 MB.
pub(super) const MAX_CONVERSIONS: usize = 4;

/// Who may fetch and convert at the moment.
pub(super) struct Turns {
    pub(super) fetches: Arc<Semaphore>,
    conversions: Arc<Semaphore>,
    /// Of applications that fetch or convert, or wait for it.
    apps: Mutex<BTreeMap<AppId, Weak<OfApp>>>,
}

/// What one application may do at once.
pub(super) struct OfApp {
    fetches: Arc<Semaphore>,
    conversions: Arc<Semaphore>,
}

/// Leave to fetch or convert one file.
pub(super) struct Turn {
    _of_app: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
    /// Known as long as its turns are out.
    _app: Arc<OfApp>,
}

impl Turns {
    pub(super) fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let (fetches, conversions) = (semaphore(MAX_FETCHES), semaphore(MAX_CONVERSIONS));
        Self { fetches, conversions, apps: Mutex::default() }
    }

    pub(super) async fn fetch(&self, app: &AppId) -> Option<Turn> {
        let of_app = self.of_app(app);
        take(&Arc::clone(&of_app.fetches), &self.fetches, of_app).await
    }

    pub(super) async fn convert(&self, app: &AppId) -> Option<Turn> {
        let of_app = self.of_app(app);
        take(&Arc::clone(&of_app.conversions), &self.conversions, of_app).await
    }

    pub(super) fn of_app(&self, app: &AppId) -> Arc<OfApp> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = apps.get(app).and_then(Weak::upgrade) {
            return known;
        }
        apps.retain(|_, turns| turns.strong_count() > 0);
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        let turns =
            OfApp { fetches: semaphore(MAX_FETCHES_OF_APP), conversions: semaphore(MAX_CONVERSIONS_OF_APP) };
        let turns = Arc::new(turns);
        apps.insert(app.clone(), Arc::downgrade(&turns));
        turns
    }

    #[cfg(test)]
    pub(super) fn apps(&self) -> usize {
        self.apps.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Waits for the application's turn first, so that one with many files does not stand in the way of others.
async fn take(of_app: &Arc<Semaphore>, of_all: &Arc<Semaphore>, app: Arc<OfApp>) -> Option<Turn> {
    let of_app = Arc::clone(of_app).acquire_owned().await.ok()?;
    let of_all = Arc::clone(of_all).acquire_owned().await.ok()?;
    Some(Turn { _of_app: of_app, _of_all: of_all, _app: app })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn an_application_with_much_to_convert_leaves_turns_to_others() {
        let turns = Turns::new();
        let greedy = AppId::from("greedy");
        let mut held = Vec::new();
        let waits = |app| tokio::time::timeout(Duration::ZERO, turns.convert(app));
        while let Ok(turn) = waits(&greedy).await {
            held.push(turn);
        }
        assert_eq!(held.len(), MAX_CONVERSIONS_OF_APP);
        let other = AppId::from("other");
        assert!(waits(&other).await.is_ok());
    }
}
