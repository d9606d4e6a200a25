use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::UserId;

/// Streams in all, and of one user: a person has a few windows.
const MAX_STREAMS: usize = 64;
const MAX_OF_USER: usize = 8;

/// Who listens to what happens.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<BTreeMap<UserId, usize>>);

/// A stream's place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    streams: Arc<Streams>,
    user: UserId,
}

impl Streams {
    pub(super) fn take(self: &Arc<Self>, user: &UserId) -> Option<Seat> {
        let mut streams = self.lock();
        let all: usize = streams.values().sum();
        let own = streams.get(user).copied().unwrap_or(0);
        if all >= MAX_STREAMS || own >= MAX_OF_USER {
            return None;
        }
        streams.insert(user.clone(), own + 1);
        Some(Seat { streams: Arc::clone(self), user: user.clone() })
    }

    pub(super) fn count(&self) -> usize {
        self.lock().values().sum()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut streams = self.streams.lock();
        let left = streams.get(&self.user).map_or(0, |own| own.saturating_sub(1));
        if left == 0 {
            streams.remove(&self.user);
        } else {
            streams.insert(self.user.clone(), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_users_streams_are_bounded_and_so_are_all() {
        let streams = Arc::<Streams>::default();
        let user = |number: usize| UserId::from(format!("user {number}").as_str());
        let mut own: Vec<_> = std::iter::from_fn(|| streams.take(&user(0))).collect();
        assert_eq!(own.len(), MAX_OF_USER);
        own.pop();
        assert!(streams.take(&user(0)).is_some());
        drop(own);
        assert_eq!(streams.count(), 0);
        let all: Vec<_> = (0..100).filter_map(|number| streams.take(&user(number))).collect();
        assert_eq!(all.len(), MAX_STREAMS);
    }
}
