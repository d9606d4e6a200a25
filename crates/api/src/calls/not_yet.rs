use graph_wire::GraphError;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::CallInPath;

/// `POST …/answer`, `…/reject`, `…/redirect` and `…/transfer`: described, and not served before calls come in.
pub(crate) async fn not_yet(_: Caller, CallInPath(_): CallInPath) -> ApiError {
    GraphError::not_implemented("Not implemented: calls that come in, and their transfer.").into()
}
