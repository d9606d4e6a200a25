use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result};
use node::Clock;
use serde_json::{Value, json};

/// What happened when: shown at once, kept for the file.
pub(super) struct Timeline {
    clock: Clock,
    is_json: bool,
    steps: Mutex<Vec<Value>>,
}

impl Timeline {
    pub(super) fn new(is_json: bool) -> Self {
        Self { clock: Clock::start(), is_json, steps: Mutex::default() }
    }

    /// Something about the demo itself.
    pub(super) fn note(&self, text: &str) {
        self.step("·", text, Value::Null);
    }

    /// A request of the bot.
    pub(super) fn sent(&self, text: &str, body: Value) {
        self.step("→", text, body);
    }

    /// A notification that reached the bot.
    pub(super) fn received(&self, text: &str, body: Value) {
        self.step("←", text, body);
    }

    /// Keeps everything.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let text = serde_json::to_string_pretty(&*steps)?;
        std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    fn step(&self, arrow: &str, text: &str, body: Value) {
        let at = self.clock.elapsed();
        let kind = match arrow {
            "→" => "request",
            "←" => "notification",
            _ => "note",
        };
        let step = json!({"atMs": at.as_millis() as u64, "kind": kind, "text": text, "body": body});
        if self.is_json {
            println!("{step}");
        } else {
            println!("{:>8.3} s  {arrow} {text}", at.as_secs_f64());
        }
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
    }
}
