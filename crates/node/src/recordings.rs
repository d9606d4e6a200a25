use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::{CallId, OperationId, RecordingId, Timestamp};
use sha2::{Digest, Sha256};
use store::Recording;

use crate::context::Config;
use crate::ids::RandomIds;

/// A recording that is being made.
pub(crate) struct NewRecording {
    id: RecordingId,
    /// Where it is written.
    pub(crate) path: PathBuf,
    /// What will fetch it.
    pub(crate) access_token: String,
}

/// Names a recording and the token that will fetch it.
///
/// # Errors
///
/// Where the system has no randomness.
pub(crate) fn prepare(config: &Config) -> Result<NewRecording, getrandom::Error> {
    let id = RecordingId::next(&mut RandomIds);
    let mut token = [0; 32];
    getrandom::fill(&mut token)?;
    let path = config.recordings_dir.join(file_name(id));
    Ok(NewRecording { id, path, access_token: URL_SAFE_NO_PAD.encode(token) })
}

impl NewRecording {
    /// Where it will be fetched.
    pub(crate) fn location(&self, config: &Config) -> String {
        format!("{}/{}", config.recordings_url, self.id)
    }

    /// What is kept of it.
    pub(crate) fn into_row(
        self,
        config: &Config,
        call: CallId,
        operation: OperationId,
        now: Timestamp,
    ) -> Recording {
        Recording {
            id: self.id,
            call,
            operation,
            path: file_name(self.id),
            token_sha256: Sha256::digest(self.access_token.as_bytes()).into(),
            created_at: now,
            expires_at: now.after(config.recording_lifetime),
        }
    }
}

fn file_name(id: RecordingId) -> String {
    format!("{id}.wav")
}
