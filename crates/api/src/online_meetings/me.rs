use graph_wire::GraphError;

use crate::caller::MeetingCaller;
use crate::error::ApiError;

/// `/me/onlineMeetings…`: belongs to people who signed in, and this server takes tokens of applications only.
pub(crate) async fn me(_: MeetingCaller) -> ApiError {
    GraphError::me_without_user().into()
}
