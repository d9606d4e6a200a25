use graph_wire::GraphError;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::CallInPath;

/// `POST …/redirect` and `…/transfer`: described, and not served yet.
pub(crate) async fn not_yet(_: Caller, CallInPath(_): CallInPath) -> ApiError {
    GraphError::not_implemented("Not implemented: sending calls on, and their transfer.").into()
}
