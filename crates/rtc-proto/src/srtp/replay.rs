//! Replay protection: a sliding window over packet indices (RFC 3711, 3.3.2).

/// Indices that the window remembers below the highest; RFC 3711 asks for at least 64.
pub(super) const WINDOW: u64 = 128;

/// The highest index seen and a bit for each of the [`WINDOW`] at and below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ReplayWindow {
    highest: Option<u64>,
    seen: u128,
}

impl ReplayWindow {
    pub(super) fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Whether a packet with this index may be new.
    pub(super) fn admits(&self, index: u64) -> bool {
        let Some(highest) = self.highest else { return true };
        match highest.checked_sub(index) {
            None => true,
            Some(age) => age < WINDOW && self.seen & (1 << age) == 0,
        }
    }

    /// Marks an authenticated index as seen.
    pub(super) fn record(&mut self, index: u64) {
        let Some(highest) = self.highest else {
            *self = Self { highest: Some(index), seen: 1 };
            return;
        };
        if let Some(age) = highest.checked_sub(index) {
            if age < WINDOW {
                self.seen |= 1 << age;
            }
            return;
        }
        let step = index - highest;
        self.seen = if step < WINDOW { (self.seen << step) | 1 } else { 1 };
        self.highest = Some(index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn an_index_is_admitted_once_and_never_when_too_old() {
        let mut window = ReplayWindow::default();
        for index in [10, 200, 150] {
            assert!(window.admits(index));
            window.record(index);
        }

        assert!(!window.admits(200) && !window.admits(150));
        assert!(window.admits(199) && window.admits(73));
        assert!(!window.admits(72) && !window.admits(10));
    }

    proptest! {
        #[test]
        fn the_window_agrees_with_a_set(indices in proptest::collection::vec(0u64..400, 1..200)) {
            let mut window = ReplayWindow::default();
            let mut seen = BTreeSet::new();
            for index in indices {
                let too_old = seen.last().is_some_and(|highest| index + WINDOW <= *highest);
                prop_assert_eq!(window.admits(index), !too_old && !seen.contains(&index));
                if window.admits(index) {
                    window.record(index);
                    seen.insert(index);
                }
            }
        }
    }
}
