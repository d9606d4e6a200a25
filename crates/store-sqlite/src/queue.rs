use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bounded queue between many callers and the threads of the store.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    /// Told of each item and of the end.
    changed: Condvar,
    /// Told once there are as many items as a batch holds, and of the end.
    filled: Condvar,
    max_items: usize,
    max_weight: usize,
    batch: usize,
}

struct State<T> {
    items: VecDeque<(T, usize)>,
    weight: usize,
    is_closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    Full,
}

impl<T> Queue<T> {
    /// A queue of so many items of so much weight together, `batch` of which are taken at a time.
    pub(crate) fn new(max_items: usize, max_weight: usize, batch: usize) -> Self {
        let state = Mutex::new(State { items: VecDeque::new(), weight: 0, is_closed: false });
        Self { state, changed: Condvar::new(), filled: Condvar::new(), max_items, max_weight, batch }
    }

    /// Adds an item at once, or not at all. An item heavier than the limit is taken while nothing waits.
    pub(crate) fn push(&self, item: T, weight: usize) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(Refused::Closed);
        }
        let total = state.weight.saturating_add(weight);
        if state.items.len() >= self.max_items || (total > self.max_weight && !state.items.is_empty()) {
            return Err(Refused::Full);
        }
        state.weight = total;
        state.items.push_back((item, weight));
        let is_filled = state.items.len() == self.batch;
        drop(state);
        self.changed.notify_one();
        if is_filled {
            self.filled.notify_all();
        }
        Ok(())
    }

    /// Waits for an item; `None` once the queue is closed and empty.
    pub(crate) fn pop(&self) -> Option<T> {
        self.wait_for_items().and_then(|mut state| take(&mut state))
    }

    /// Waits for an item, then up to `linger` for a whole batch, and takes what is there; empty once the queue is
    /// closed and empty.
    pub(crate) fn pop_batch(&self, linger: impl FnOnce() -> Duration) -> Vec<T> {
        let Some(mut state) = self.wait_for_items() else { return Vec::new() };
        if state.items.len() < self.batch && !state.is_closed {
            let is_waiting = |state: &mut State<T>| state.items.len() < self.batch && !state.is_closed;
            let waited = self.filled.wait_timeout_while(state, linger(), is_waiting);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let count = state.items.len().min(self.batch);
        (0..count).filter_map(|_| take(&mut state)).collect()
    }

    /// Refuses further items; those inside can still be taken.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
        self.filled.notify_all();
    }

    /// Refuses further items and drops those inside: nobody is left to take them.
    pub(crate) fn abandon(&self) {
        self.close();
        let left = std::mem::take(&mut self.lock().items);
        drop(left);
    }

    fn wait_for_items(&self) -> Option<MutexGuard<'_, State<T>>> {
        let state = self
            .changed
            .wait_while(self.lock(), |state| state.items.is_empty() && !state.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        (!state.items.is_empty()).then_some(state)
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<T>(state: &mut State<T>) -> Option<T> {
    let (item, weight) = state.items.pop_front()?;
    state.weight = state.weight.saturating_sub(weight);
    Some(item)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Queue, Refused};

    #[test]
    fn a_full_queue_refuses_and_takes_again_once_there_is_room() {
        let queue = Queue::new(2, 100, 8);
        assert_eq!(queue.push('a', 1), Ok(()));
        assert_eq!(queue.push('b', 1), Ok(()));
        assert_eq!(queue.push('c', 1), Err(Refused::Full));
        assert_eq!(queue.pop(), Some('a'));
        assert_eq!(queue.push('c', 1), Ok(()));
        assert_eq!(queue.pop_batch(|| Duration::ZERO), ['b', 'c']);
    }

    #[test]
    fn a_heavy_item_is_taken_only_alone() {
        let queue = Queue::new(10, 100, 8);
        assert_eq!(queue.push('a', 500), Ok(()));
        assert_eq!(queue.push('b', 1), Err(Refused::Full));
        assert_eq!(queue.pop(), Some('a'));
        assert_eq!(queue.push('b', 1), Ok(()));
        assert_eq!(queue.push('c', 100), Err(Refused::Full));
    }

    #[test]
    fn a_closed_queue_gives_out_what_it_holds_and_then_ends() {
        let queue = Queue::new(2, 100, 8);
        assert_eq!(queue.push('a', 1), Ok(()));
        queue.close();
        assert_eq!(queue.push('b', 1), Err(Refused::Closed));
        assert_eq!(queue.pop(), Some('a'));
        assert_eq!(queue.pop(), None);
        assert!(queue.pop_batch(|| Duration::ZERO).is_empty());
    }

    #[test]
    fn a_whole_batch_is_taken_without_lingering() {
        let queue = Queue::new(10, 100, 3);
        for item in 0..4 {
            assert_eq!(queue.push(item, 1), Ok(()));
        }
        assert_eq!(queue.pop_batch(|| panic!("nothing to wait for")), [0, 1, 2]);
        assert_eq!(queue.pop_batch(|| Duration::ZERO), [3]);
    }

    #[test]
    fn lingering_ends_as_the_batch_is_filled() {
        let queue = Queue::new(10, 100, 2);
        assert_eq!(queue.push('a', 1), Ok(()));
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| queue.pop_batch(|| Duration::from_secs(3_600)));
            assert_eq!(queue.push('b', 1), Ok(()));
            assert_eq!(taken.join().unwrap(), ['a', 'b']);
        });
    }
}
