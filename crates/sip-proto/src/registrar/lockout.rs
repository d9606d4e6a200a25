//! Who has guessed wrong too often.

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::core::Core;

/// Failed attempts by source address.
#[derive(Debug, Default)]
pub(super) struct Lockout(BTreeMap<IpAddr, Failures>);

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    /// When the count is forgotten, or the source let in again.
    until: Duration,
    locked: bool,
}

impl Lockout {
    /// How long a source has to wait still.
    pub(super) fn remaining(&self, source: IpAddr, now: Duration) -> Option<Duration> {
        let failures = self.0.get(&source).filter(|failures| failures.locked)?;
        failures.until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Counts a wrong password.
    pub(super) fn note_failure(&mut self, source: IpAddr, core: &Core) {
        let until = core.after(core.config.registration.lockout);
        let limits = core.config.limits;
        if !self.0.contains_key(&source) && self.0.len() >= limits.sources {
            self.0.retain(|_, failures| failures.until > core.now);
            // Sources that change faster than they are forgotten: the one that is free soonest makes room.
            if self.0.len() >= limits.sources
                && let Some(first) =
                    self.0.iter().min_by_key(|(_, failures)| failures.until).map(|(ip, _)| *ip)
            {
                self.0.remove(&first);
            }
        }
        let failures = self.0.entry(source).or_insert(Failures { count: 0, until, locked: false });
        if failures.until <= core.now {
            *failures = Failures { count: 0, until, locked: false };
        }
        failures.count = failures.count.saturating_add(1);
        if failures.count >= limits.failures {
            failures.locked = true;
            failures.until = until;
        }
    }
}
