use axum::extract::FromRequestParts;
use graph_wire::GraphError;
use http::request::Parts;
use model::CallId;

use crate::error::ApiError;
use crate::extract::path_parameter;
use crate::state::AppState;

/// A call and a one-time ticket for its media, as the path has them; nothing has been looked up.
pub(crate) struct TicketInPath {
    pub(crate) call: CallId,
    pub(crate) ticket: String,
}

impl FromRequestParts<AppState> for TicketInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let (call, ticket) = call_and(parts, state, "ticket").await?;
        Ok(Self { call, ticket })
    }
}

/// A call and the secret of its WHIP session, as the path has them.
pub(crate) struct SessionInPath {
    pub(crate) call: CallId,
    pub(crate) session: String,
}

impl FromRequestParts<AppState> for SessionInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let (call, session) = call_and(parts, state, "session").await?;
        Ok(Self { call, session })
    }
}

async fn call_and(parts: &mut Parts, state: &AppState, secret: &str) -> Result<(CallId, String), ApiError> {
    let call = path_parameter(parts, state, "call").await?;
    let secret = path_parameter(parts, state, secret).await?;
    let call = CallId::parse(&call).ok_or_else(address_not_found)?;
    Ok((call, secret))
}

/// 404 for whatever is wrong with an address: whoever guesses does not learn whether the call is there.
pub(super) fn address_not_found() -> ApiError {
    GraphError::item_not_found("There is no such address, or it was used before, or its time is over.").into()
}
