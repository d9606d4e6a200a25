//! Absolute addresses of resources, as `Location` carries them.

use model::{CallId, MeetingId, OperationId};

use crate::MeetingCollection;
use crate::online_meeting::encode;

/// Where a call is. `base` is scheme, host and version of the API.
pub fn call(base: &str, call: CallId) -> String {
    format!("{base}/communications/calls/{call}")
}

/// Where an operation of a call is. `base` is scheme, host and version of the API.
pub fn operation(base: &str, call: CallId, operation: OperationId) -> String {
    format!("{base}/communications/calls/{call}/operations/{operation}")
}

/// Where a meeting is, in the collection that it was asked for in. `base` is scheme, host and version of the API.
pub fn meeting(base: &str, collection: &MeetingCollection, meeting: &MeetingId) -> String {
    format!("{base}/{}/{}", collection.path(), encode(meeting.as_str()))
}
