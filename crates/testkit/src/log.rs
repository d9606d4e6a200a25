use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// The lines that a program has written, as they come.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    changed: watch::Sender<usize>,
}

/// Lines at the end of a log that a failed test shows.
const SHOWN: usize = 60;

impl Log {
    pub(crate) fn new() -> Self {
        Self { lines: Arc::default(), changed: watch::Sender::new(0) }
    }

    pub(crate) fn push(&self, line: String) {
        let mut lines = self.lock();
        lines.push(line);
        self.changed.send_replace(lines.len());
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lock().clone()
    }

    /// The last lines, for people.
    pub(crate) fn tail(&self) -> String {
        let lines = self.lock();
        lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default().join("\n")
    }

    /// Waits for a line after the first `seen` lines that `is_it`; returns how many lines have then been looked at.
    pub(crate) async fn wait_for(&self, seen: usize, is_it: impl Fn(&str) -> bool) -> usize {
        let mut changes = self.changed.subscribe();
        loop {
            changes.borrow_and_update();
            let found = self.lock().iter().skip(seen).position(|line| is_it(line));
            if let Some(at) = found {
                return seen + at + 1;
            }
            // The sender lives in `self`, so changes do not end.
            let _ = changes.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
