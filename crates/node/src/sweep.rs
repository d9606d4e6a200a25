//! Files that are kept for a while, and then deleted.

use std::io;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, UNIX_EPOCH};

use model::Timestamp;
use store::{Store, StoreError};

use crate::clock::Clock;
use crate::context::Config;

/// How often old files are looked for. Arbitrary; they live for minutes at least.
const PAUSE: Duration = Duration::from_secs(30);

/// Deletes recordings whose time is over, and what nobody knows any more, for as long as the node lives.
pub(crate) async fn sweep(config: Weak<Config>, store: Weak<dyn Store>, clock: Clock) {
    loop {
        tokio::time::sleep(PAUSE).await;
        let (Some(config), Some(store)) = (config.upgrade(), store.upgrade()) else { return };
        if let Err(error) = recordings(&config, &store, clock.wall()).await {
            tracing::warn!(%error, "failed to look for old recordings");
        }
        let folders = [Some(&config.recordings_dir), config.scripted_dir.as_ref()];
        for folder in folders.into_iter().flatten() {
            if let Err(error) = leftovers(folder, config.recording_lifetime, clock.wall()).await {
                tracing::warn!(folder = %folder.display(), %error, "failed to look for old files");
            }
        }
    }
}

/// Deletes the recordings that the store says are over, then their rows: a file without a row is found as a leftover,
/// a row without a file would be found for ever.
async fn recordings(config: &Config, store: &Arc<dyn Store>, now: Timestamp) -> Result<(), StoreError> {
    let mut gone = Vec::new();
    for recording in store.expired_recordings(now).await? {
        match tokio::fs::remove_file(config.recordings_dir.join(&recording.path)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(recording.id = %recording.id, %error, "failed to delete an old recording");
            }
            Ok(()) | Err(_) => gone.push(recording.id),
        }
    }
    if gone.is_empty() { Ok(()) } else { store.forget_recordings(gone).await }
}

/// Deletes files that nobody has written to for `lifetime`: what scripted endpoints kept, and what a process that was
/// killed had not finished.
async fn leftovers(folder: &Path, lifetime: Duration, now: Timestamp) -> io::Result<()> {
    let mut entries = tokio::fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let metadata = entry.metadata().await?;
        let written = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let is_old = Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0)) > written + lifetime;
        if metadata.is_file() && is_old {
            tokio::fs::remove_file(entry.path()).await?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::leftovers;
    use crate::clock::Clock;

    #[tokio::test]
    async fn only_files_that_are_old_enough_are_deleted() {
        let folder = std::env::temp_dir().join(format!("hookswitch-sweep-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("heard.wav");
        std::fs::write(&file, "RIFF").unwrap();
        let now = Clock::start().now();

        leftovers(&folder, Duration::from_secs(60), now.after(Duration::from_secs(30))).await.unwrap();
        assert!(file.exists());
        leftovers(&folder, Duration::from_secs(60), now.after(Duration::from_secs(90))).await.unwrap();
        assert!(!file.exists());

        std::fs::remove_dir_all(&folder).unwrap();
    }
}
