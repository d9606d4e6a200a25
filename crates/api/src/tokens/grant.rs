use std::net::{IpAddr, Ipv4Addr};

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::header::{AUTHORIZATION, CACHE_CONTROL};
use http::{HeaderMap, HeaderValue, StatusCode};
use identity::{EndpointVersion, TokenRequest};

use crate::context::RequestContext;
use crate::error::ApiError;
use crate::extract::{Context, RawBody, TenantInPath};
use crate::reply;
use crate::state::{AppState, Shared};
use crate::tokens::refuse;
use crate::{Connection, Proxies};

/// `POST /{tenant}/oauth2/token`
pub(crate) async fn grant_v1(
    State(state): State<AppState>,
    Context(context): Context,
    TenantInPath(tenant): TenantInPath,
    origin: Origin,
    RawBody(form): RawBody,
) -> Result<Response, ApiError> {
    let request = origin.request(&state.api.settings.proxies, &tenant, EndpointVersion::V1, &form);
    grant(&state, &context, &request).await
}

/// `POST /{tenant}/oauth2/v2.0/token`
pub(crate) async fn grant_v2(
    State(state): State<AppState>,
    Context(context): Context,
    TenantInPath(tenant): TenantInPath,
    origin: Origin,
    RawBody(form): RawBody,
) -> Result<Response, ApiError> {
    let request = origin.request(&state.api.settings.proxies, &tenant, EndpointVersion::V2, &form);
    grant(&state, &context, &request).await
}

/// Where a request came from and with which credentials.
pub(crate) type Origin = (Option<Extension<Connection>>, HeaderMap);

trait AsRequest {
    fn request<'a>(
        &'a self,
        proxies: &Proxies,
        tenant: &'a str,
        version: EndpointVersion,
        form: &'a [u8],
    ) -> TokenRequest<'a>;
}

impl AsRequest for Origin {
    fn request<'a>(
        &'a self,
        proxies: &Proxies,
        tenant: &'a str,
        version: EndpointVersion,
        form: &'a [u8],
    ) -> TokenRequest<'a> {
        let (connection, headers) = self;
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let peer = connection.as_ref().map_or(unknown, |Extension(connection)| connection.peer.ip());
        TokenRequest {
            tenant,
            version,
            form,
            authorization: headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()),
            address: proxies.client(peer, headers),
        }
    }
}

async fn grant(
    state: &Shared,
    context: &RequestContext,
    request: &TokenRequest<'_>,
) -> Result<Response, ApiError> {
    let service = state.api.tokens.as_ref().ok_or_else(GraphError::internal)?;
    let directory = state.api.directory.load_full();
    match service.endpoint.grant(request, &directory, state.api.clock.now()).await {
        Ok(granted) => {
            state.api.operations.observer.token_issued();
            // Set once: this is the only proof in such a request.
            let _ = context.app.set(granted.app.clone());
            let mut response = reply::json(StatusCode::OK, &granted.body());
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(response)
        }
        Err(error) => {
            state.api.operations.observer.token_refused(error.error);
            Ok(refuse(&error, context, state))
        }
    }
}
