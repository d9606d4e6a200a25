use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use media_engine::PromptAudio;
use model::AppId;

/// What prompts take in memory, and whose they are: those that are kept, loaded and played, each once.
///
/// An application may take more only while that leaves free as much as it then has: one alone comes to half of the limit,
/// two to a third each, and there is always some left for somebody else.
pub(super) struct Ledger {
    apps: BTreeMap<AppId, Account>,
    limit_bytes: usize,
}

#[derive(Default)]
struct Account {
    prompts: Vec<Weak<PromptAudio>>,
    /// For conversions under way.
    reserved_bytes: usize,
}

impl Account {
    fn bytes(&self) -> usize {
        let prompts = self.prompts.iter().filter_map(Weak::upgrade);
        prompts.map(|prompt| prompt.bytes()).fold(self.reserved_bytes, usize::saturating_add)
    }
}

impl Ledger {
    pub(super) const fn new(limit_bytes: usize) -> Self {
        Self { apps: BTreeMap::new(), limit_bytes }
    }

    pub(super) fn has_room(&self, app: &AppId, bytes: usize) -> bool {
        let of_all = self.apps.values().map(Account::bytes).fold(bytes, usize::saturating_add);
        let of_app = self.apps.get(app).map_or(0, Account::bytes).saturating_add(bytes);
        bytes == 0 || of_app <= self.limit_bytes.saturating_sub(of_all)
    }

    /// Counts a prompt for as long as somebody holds it.
    pub(super) fn enter(&mut self, app: &AppId, prompt: &Arc<PromptAudio>) {
        for account in self.apps.values_mut() {
            account.prompts.retain(|prompt| prompt.strong_count() > 0);
        }
        self.apps.retain(|_, account| account.reserved_bytes > 0 || !account.prompts.is_empty());
        self.apps.entry(app.clone()).or_default().prompts.push(Arc::downgrade(prompt));
    }

    pub(super) fn reserve(&mut self, app: &AppId, bytes: usize) {
        self.apps.entry(app.clone()).or_default().reserved_bytes += bytes;
    }

    pub(super) fn release(&mut self, app: &AppId, bytes: usize) {
        if let Some(account) = self.apps.get_mut(app) {
            account.reserved_bytes = account.reserved_bytes.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(bytes: usize) -> Arc<PromptAudio> {
        Arc::new(PromptAudio::from_samples(vec![0; bytes / 2], 8_000))
    }

    /// Enters prompts of a kilobyte until there is no room; returns them.
    fn fill(ledger: &mut Ledger, app: &str) -> Vec<Arc<PromptAudio>> {
        let app = AppId::from(app);
        let mut held = Vec::new();
        while ledger.has_room(&app, 1_000) {
            held.push(prompt(1_000));
            ledger.enter(&app, &held[held.len() - 1]);
        }
        held
    }

    #[test]
    fn an_application_that_takes_all_it_may_leaves_room_for_others() {
        let mut ledger = Ledger::new(60_000);
        let one = fill(&mut ledger, "one");
        let two = fill(&mut ledger, "two");
        assert_eq!((one.len(), two.len()), (30, 15));
        assert!(ledger.has_room(&AppId::from("three"), 7_000));
    }

    #[test]
    fn what_nobody_holds_any_more_takes_nothing() {
        let mut ledger = Ledger::new(60_000);
        drop(fill(&mut ledger, "one"));
        assert!(ledger.has_room(&AppId::from("one"), 30_000));
        fill(&mut ledger, "two");
        assert_eq!(ledger.apps.len(), 1);
    }

    #[test]
    fn what_is_reserved_counts_until_it_is_released() {
        let mut ledger = Ledger::new(60_000);
        let app = AppId::from("one");
        ledger.reserve(&app, 30_000);
        assert!(!ledger.has_room(&app, 2));
        ledger.release(&app, 30_000);
        assert!(ledger.has_room(&app, 30_000));
    }
}
