use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{MAX_DOCUMENT_BYTES, StoreError};

use crate::error::{Failure, corrupt};

/// Writes a value as the text that is stored.
pub(crate) fn write(value: &impl Serialize) -> Result<String, StoreError> {
    let text = serde_json::to_string(value)
        .map_err(|source| StoreError::Failed { doing: "write a value as JSON", source: Box::new(source) })?;
    if text.len() > MAX_DOCUMENT_BYTES {
        return Err(StoreError::Invalid("a value that is too large to be stored"));
    }
    Ok(text)
}

/// Reads a value back; `what` names its kind where that fails.
pub(crate) fn read<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|source| corrupt(what, source))
}
