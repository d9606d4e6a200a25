//! Absolute addresses of resources, as `Location` carries them.

use model::{CallId, OperationId};

/// Where a call is. `base` is scheme, host and version of the API.
pub fn call(base: &str, call: CallId) -> String {
    format!("{base}/communications/calls/{call}")
}

/// Where an operation of a call is. `base` is scheme, host and version of the API.
pub fn operation(base: &str, call: CallId, operation: OperationId) -> String {
    format!("{base}/communications/calls/{call}/operations/{operation}")
}
