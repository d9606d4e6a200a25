use model::{CallId, OperationId, RecordingId, Timestamp};

/// A recording that can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// The recording's id.
    pub id: RecordingId,
    /// The call that was recorded.
    pub call: CallId,
    /// The operation that recorded.
    pub operation: OperationId,
    /// The file, relative to the data directory.
    pub path: String,
    /// SHA-256 of the token that fetches it, so that this row alone opens nothing.
    pub token_sha256: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is to be deleted.
    pub expires_at: Timestamp,
}
