use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, LOCATION,
};
use http::{HeaderName, HeaderValue, StatusCode};
use node::WhipAnswer;

use super::address::{SessionInPath, TicketInPath, address_not_found};
use super::offer::{SDP, SdpBody, answer, refused};
use crate::CallFault;
use crate::error::ApiError;
use crate::extract::Context;
use crate::reply;
use crate::state::AppState;

/// RFC 9725, 4.1, by way of RFC 5789.
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");

/// `POST /hookswitch/v1/calls/{id}/media/whip/{ticket}`: an application offers WebRTC (RFC 9725).
///
/// 201 with the answer and the address of the session. The ticket is used up only then: 400 for a malformed offer, with
/// code 8500 for one that cannot be used, 404 for a bad ticket. There is no trickle: the offer and the answer have all
/// candidates.
pub(crate) async fn offer(
    State(state): State<AppState>,
    Context(context): Context,
    TicketInPath { call, ticket }: TicketInPath,
    SdpBody(sdp): SdpBody,
) -> Result<Response, ApiError> {
    let answered = state.api.calls.whip(call, &ticket, sdp).await.map_err(known_to_nobody)?;
    let WhipAnswer { sdp, session } = answered;
    let location = format!("{}/hookswitch/v1/calls/{call}/media/whip/session/{session}", context.origin);
    Ok(reply::with_header(answer(StatusCode::CREATED, sdp), LOCATION, &location))
}

/// `OPTIONS` of the same: what may be posted there, whether or not the ticket is good.
pub(crate) async fn options() -> Response {
    reply::with_header(StatusCode::OK.into_response(), ACCEPT_POST, SDP)
}

/// `OPTIONS` of a session, which pages ask before they end it.
pub(crate) async fn session_options() -> StatusCode {
    StatusCode::OK
}

/// Lets pages of any origin offer and end (RFC 9725, 4.1): the address itself is what permits it, and nothing that a
/// browser sends along by itself does.
pub(crate) async fn for_pages(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "POST, DELETE, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, Authorization"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "Location"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `DELETE /hookswitch/v1/calls/{id}/media/whip/session/{session}`: the application takes its media away.
pub(crate) async fn end(
    State(state): State<AppState>,
    SessionInPath { call, session }: SessionInPath,
) -> Result<StatusCode, ApiError> {
    state.api.calls.end_whip(call, &session).await.map_err(known_to_nobody)?;
    Ok(StatusCode::OK)
}

fn known_to_nobody(fault: CallFault) -> ApiError {
    if matches!(fault, CallFault::NotFound) { address_not_found() } else { refused(fault) }
}
