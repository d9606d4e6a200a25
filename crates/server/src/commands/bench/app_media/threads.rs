//! Processor time of the threads of this process, by their names.

use std::time::Duration;

use anyhow::{Context as _, Result};

/// What threads have used, each with its name.
pub(super) struct Used(Vec<(String, Duration)>);

impl Used {
    /// What they have used so far.
    pub(super) fn now() -> Result<Self> {
        let tasks = std::fs::read_dir("/proc/self/task").context("failed to look at the threads")?;
        let mut used = Vec::new();
        for task in tasks {
            let path = task.context("failed to look at a thread")?.path();
            let read = |name| std::fs::read_to_string(path.join(name));
            // A thread that ends meanwhile counts no more.
            let (Ok(name), Ok(schedule)) = (read("comm"), read("schedstat")) else { continue };
            let nanos = schedule.split_ascii_whitespace().next().and_then(|text| text.parse().ok());
            used.push((name.trim().to_owned(), Duration::from_nanos(nanos.unwrap_or(0))));
        }
        Ok(Self(used))
    }

    /// What those have used whose names begin like this, since an earlier look at them.
    pub(super) fn since(&self, before: &Self, name: &str) -> Duration {
        let sum = |used: &Self| -> Duration {
            used.0.iter().filter(|(of, _)| of.starts_with(name)).map(|(_, used)| *used).sum()
        };
        sum(self).saturating_sub(sum(before))
    }
}
