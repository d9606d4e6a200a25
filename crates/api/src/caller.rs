use std::sync::Arc;

use axum::extract::FromRequestParts;
use graph_wire::GraphError;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use identity::{Principal, PrincipalKind};
use model::{AppId, Application, Owner};

use crate::context::RequestContext;
use crate::error::ApiError;
use crate::state::{AppState, Shared};

/// The application that sent a request: its token verified, allowed to use calls, within its rate.
pub(crate) struct Caller {
    pub(crate) principal: Arc<Principal>,
    /// Whose calls it may act on.
    pub(crate) owner: Owner,
    /// The name that the directory has for it.
    pub(crate) name: String,
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let principal = verified(parts, state).await?;
        admit(state, principal, Needs::Calling)
    }
}

/// The same for meetings, which an application may make without being able to call.
pub(crate) struct MeetingCaller(pub(crate) Caller);

impl FromRequestParts<AppState> for MeetingCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let principal = verified(parts, state).await?;
        admit(state, principal, Needs::Nothing).map(Self)
    }
}

/// What an application has to be able to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Calling,
    Nothing,
}

async fn verified(parts: &Parts, state: &AppState) -> Result<Arc<Principal>, ApiError> {
    let token = bearer(&parts.headers).unwrap_or_default();
    let verified = state.api.verifier.verify(token, state.api.clock.now()).await;
    let principal =
        verified.inspect_err(|error| state.api.operations.observer.token_refused(error.reason()))?;
    if let Some(context) = parts.extensions.get::<Arc<RequestContext>>() {
        // Set once: nothing else of a request verifies a token.
        let _ = context.app.set(principal.app.clone());
    }
    Ok(principal)
}

impl Caller {
    pub(crate) fn app(&self) -> &AppId {
        &self.owner.app
    }

    /// # Errors
    ///
    /// 403 with code 7504 where the token carries none of these permissions.
    pub(crate) fn require_any(&self, permissions: &[&str]) -> Result<(), ApiError> {
        if self.has_any(permissions) { Ok(()) } else { Err(GraphError::insufficient_permissions().into()) }
    }

    pub(crate) fn has_any(&self, permissions: &[&str]) -> bool {
        permissions.iter().any(|name| self.principal.roles.has(name))
    }
}

/// The token of `Authorization: Bearer …`; the scheme's name in any case (RFC 9110, 11.1).
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

fn admit(state: &Shared, principal: Arc<Principal>, needs: Needs) -> Result<Caller, ApiError> {
    if principal.kind == PrincipalKind::Delegated {
        let message = "This server takes tokens of applications only, not of people who signed in.";
        return Err(GraphError::forbidden(message).into());
    }
    let directory = state.api.directory.load();
    let is_able = |app: &&Application| needs == Needs::Nothing || app.is_calling_enabled;
    let app = directory.applications.get(&principal.app).filter(is_able);
    let app = app.ok_or_else(GraphError::application_not_registered)?;
    // A trusted issuer elsewhere may have tenants that are none of this server's.
    if !directory.tenants.contains_key(&principal.tenant) {
        return Err(GraphError::tenant_mismatch().into());
    }
    if let Err(wait) = state.rate.admit(&principal.app, state.api.clock.elapsed()) {
        return Err(GraphError::too_many_requests(wait).into());
    }
    let owner = Owner { app: principal.app.clone(), tenant: principal.tenant.clone() };
    Ok(Caller { principal, owner, name: app.name.clone() })
}
