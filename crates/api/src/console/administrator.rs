use axum::extract::FromRequestParts;
use axum::response::Response;
use graph_wire::GraphError;
use http::StatusCode;
use http::request::Parts;
use model::UserId;
use serde_json::Value;

use crate::error::ApiError;
use crate::reply;
use crate::state::{AppState, Shared};
use crate::web::{SameOrigin, Session, private, signed_in};

/// Somebody who is signed in and an administrator, at a page of this server.
pub(super) struct Administrator {
    pub(super) session: Session,
}

impl Administrator {
    pub(super) const fn user(&self) -> &UserId {
        &self.session.user
    }
}

impl FromRequestParts<AppState> for Administrator {
    type Rejection = ApiError;

    /// # Errors
    ///
    /// 401 where nobody is signed in, 403 where that is no administrator, or a page of another origin asks.
    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let (_, session) = signed_in(state, &parts.headers)?;
        SameOrigin::from_request_parts(parts, state).await?;
        if is_administrator(state, &session.user) {
            Ok(Self { session })
        } else {
            Err(GraphError::forbidden("This is for administrators only.").into())
        }
    }
}

/// Whether a user is one, as the directory has it now.
pub(super) fn is_administrator(state: &Shared, user: &UserId) -> bool {
    state.api.directory.load().users.get(user).is_some_and(|user| user.is_administrator)
}

/// An answer for their eyes only.
pub(super) fn answer(body: &Value) -> Response {
    private(reply::json(StatusCode::OK, body))
}
