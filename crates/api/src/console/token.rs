use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use identity::TokenSubject;
use model::{AppId, IndexedDirectory, PermissionSet, TenantId};
use serde_json::{Value, json};

use super::administrator::{Administrator, answer};
use super::console;
use crate::error::ApiError;
use crate::extract::RawBody;
use crate::state::AppState;

/// How long a token of the console lives: people write a request and send it.
const LIFETIME: Duration = Duration::from_secs(600);

/// An application in a tenant, as an administrator names it.
pub(super) struct Named {
    pub(super) app: AppId,
    pub(super) tenant: TenantId,
    pub(super) roles: PermissionSet,
}

impl Named {
    /// The application that a body names, in the tenant that it names, else in `fallback`, else in the first that knows it.
    ///
    /// # Errors
    ///
    /// 400 where it names none, 404 where that is not known.
    pub(super) fn of(
        directory: &IndexedDirectory,
        body: &Value,
        fallback: Option<&TenantId>,
    ) -> Result<Self, ApiError> {
        let app = body["app"].as_str();
        let app = app.ok_or_else(|| GraphError::invalid_argument("The body must have 'app'."))?;
        let app = directory.application_by_sip_name(app);
        let app = app.ok_or_else(|| GraphError::item_not_found("There is no such application."))?;
        let wanted = body["tenant"].as_str().or(fallback.map(TenantId::as_str));
        let mut tenants = directory.tenants.values();
        let tenant = tenants.find(|tenant| match wanted {
            Some(wanted) => tenant.id.as_str() == wanted,
            None => tenant.grants.contains_key(&app.id),
        });
        let tenant = tenant.ok_or_else(|| GraphError::item_not_found("There is no such tenant."))?;
        let roles = tenant.grants.get(&app.id).cloned().unwrap_or_default();
        Ok(Self { app: app.id.clone(), tenant: tenant.id.clone(), roles })
    }
}

/// `POST token`: an access token of an application that lives shortly.
pub(super) async fn issue(
    State(state): State<AppState>,
    administrator: Administrator,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let issuer = console(&state)?.issuer.as_ref();
    let issuer = issuer.ok_or_else(|| GraphError::conflict("This server issues no tokens."))?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let named = Named::of(&state.api.directory.load(), &body, None)?;
    let Named { app, tenant, roles } = &named;
    let subject = TokenSubject { app, tenant, roles, audience: "https://graph.microsoft.com" };
    let now = state.api.clock.now();
    let issued = issuer.issue_for(LIFETIME, &subject, now).map_err(|error| {
        tracing::error!(%error, "failed to issue a token for the console");
        GraphError::internal()
    })?;
    tracing::info!(
        user.id = administrator.user().as_str(), app.id = %app, tenant.id = %tenant,
        "an administrator has got a token of an application"
    );
    Ok(answer(&json!({
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_at.since(now).as_secs(),
        "tenant": tenant.as_str(),
    })))
}
