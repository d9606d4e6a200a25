use app_media::{Format, Socket};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use graph_wire::GraphError;
use http::header::{CONNECTION, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderMap, HeaderValue, Method, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use model::CallId;

use super::address::{TicketInPath, address_not_found};
use crate::call_control::Attach;
use crate::error::ApiError;
use crate::state::AppState;

/// `GET /hookswitch/v1/calls/{id}/media/socket/{ticket}?dialect=&sampleRate=&channels=`: an application dials in with a
/// WebSocket (RFC 6455).
///
/// The ticket is used up last, so that whoever has made a mistake can correct it: 400 for an unknown format or what is no
/// WebSocket, 426 for another version of it, 404 for a bad ticket, else 101. Not over HTTP/2 (RFC 8441): clients choose
/// HTTP/1.1 for WebSockets as long as nothing else is offered.
pub(crate) async fn socket(
    State(state): State<AppState>,
    TicketInPath { call, ticket }: TicketInPath,
    mut request: Request,
) -> Result<Response, ApiError> {
    let format = Format::default().with_query(request.uri().query().unwrap_or_default());
    let format =
        format.map_err(|error| GraphError::invalid_argument(format!("The address asks for {error}.")))?;
    if request.method() != Method::GET {
        return Err(GraphError::method_not_allowed().into());
    }
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let Some(upgrade) = upgrade.filter(|_| request.version() == Version::HTTP_11) else {
        return Err(needs_http_1());
    };
    let accepted = match app_media::accept(request.headers()) {
        Ok(accepted) => accepted,
        Err(_) if is_other_version(request.headers()) => return Ok(other_version()),
        Err(error) => return Err(GraphError::invalid_argument(format!("The request is {error}.")).into()),
    };
    let attach = state.api.calls.redeem(call, &ticket).ok_or_else(address_not_found)?;
    tokio::spawn(hand_over(call, upgrade, attach, format));
    Ok(accepted.map(|()| Body::empty()))
}

/// Waits for the response to be written, which ends with the connection at the latest, and gives the socket away.
async fn hand_over(call: CallId, upgrade: OnUpgrade, attach: Attach, format: Format) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => TokioIo::new(upgraded),
        Err(error) => {
            tracing::debug!(call.id = %call, %error, "an application went away while it dialled in");
            return;
        }
    };
    let socket = Socket::accepted(upgraded).await;
    if let Err(fault) = attach(format, socket).await {
        tracing::debug!(call.id = %call, error = %fault, "a call does not take its application's socket");
    }
}

fn needs_http_1() -> ApiError {
    GraphError::invalid_argument("A WebSocket is opened with HTTP/1.1 and the headers of RFC 6455.").into()
}

/// Whether it would be a WebSocket if it were of the version that there is.
fn is_other_version(headers: &HeaderMap) -> bool {
    let is_websocket =
        headers.get(UPGRADE).is_some_and(|protocol| protocol.as_bytes().eq_ignore_ascii_case(b"websocket"));
    is_websocket && headers.get(SEC_WEBSOCKET_VERSION).is_some_and(|version| version != "13")
}

/// 426 with the version that is spoken (RFC 6455, 4.4).
fn other_version() -> Response {
    let message = "The version of WebSocket that is spoken here is 13.";
    let error = GraphError { status: 426, ..GraphError::invalid_argument(message) };
    let mut response = ApiError(error).into_response();
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    response
}
