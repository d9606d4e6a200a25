//! What a user agent server refuses before it looks at the meaning of a request (RFC 3261, 8.2).

use sip_message::{Method, Response, Scheme, StatusCode};

use crate::call::message::{ALLOW, OPTIONS, SDP, is_sdp_type};
use crate::inbound::Inbound;

/// The refusal of a request that this endpoint cannot serve, whatever it means.
pub(crate) fn refusal(inbound: &Inbound) -> Option<Response> {
    method(inbound)
        .or_else(|| scheme(inbound))
        .or_else(|| extensions(inbound))
        .or_else(|| replaces(inbound))
        .or_else(|| content(inbound))
        .or_else(|| acceptable(inbound))
}

/// RFC 3261, 8.2.1.
fn method(inbound: &Inbound) -> Option<Response> {
    let request = &inbound.request;
    match &request.method {
        Method::Ack
        | Method::Bye
        | Method::Cancel
        | Method::Invite
        | Method::Notify
        | Method::Options
        | Method::Refer
        | Method::Register
        | Method::Update => None,
        Method::Other(_) => {
            let mut response = request.response(StatusCode::NOT_IMPLEMENTED);
            response.headers.push("Allow", ALLOW);
            Some(response)
        }
        Method::Info | Method::Message | Method::Prack | Method::Publish | Method::Subscribe => {
            let mut response = request.response(StatusCode::METHOD_NOT_ALLOWED);
            response.headers.push("Allow", ALLOW);
            Some(response)
        }
    }
}

/// RFC 3261, 8.2.2.1.
fn scheme(inbound: &Inbound) -> Option<Response> {
    let request = &inbound.request;
    // Carriers dial numbers by either scheme (RFC 3261, 19.1.6).
    let is_number = request.method == Method::Invite && *request.uri.scheme() == Scheme::Tel;
    if !request.uri.is_sip() && !is_number {
        return Some(request.response(StatusCode::UNSUPPORTED_URI_SCHEME));
    }
    // The To of a REGISTER names the user to be reached, which only a SIP URI can (10.3, step 5).
    let nameless = request.method == Method::Register && !inbound.to.uri.is_sip();
    nameless.then(|| request.response(StatusCode::BAD_REQUEST))
}

/// RFC 3261, 8.2.2.3.
fn extensions(inbound: &Inbound) -> Option<Response> {
    let request = &inbound.request;
    let unknown: Vec<_> = request
        .headers
        .require()
        .into_iter()
        .filter(|option| !OPTIONS.iter().any(|known| known.eq_ignore_ascii_case(option)))
        .collect();
    if unknown.is_empty() || matches!(request.method, Method::Ack | Method::Cancel) {
        return None;
    }
    let mut response = request.response(StatusCode::BAD_EXTENSION);
    response.headers.push("Unsupported", unknown.join(", "));
    Some(response)
}

/// RFC 3891, 3: only an INVITE replaces a dialog, and one alone, which it does not join.
fn replaces(inbound: &Inbound) -> Option<Response> {
    let request = &inbound.request;
    if !request.headers.has("Replaces") || matches!(request.method, Method::Ack | Method::Cancel) {
        return None;
    }
    let is_one = request.method == Method::Invite && request.headers.replaces().is_ok();
    (!is_one || request.headers.has("Join")).then(|| request.response(StatusCode::BAD_REQUEST))
}

/// RFC 3261, 8.2.3. Only bodies that describe a session are read; others are nothing to refuse.
fn content(inbound: &Inbound) -> Option<Response> {
    let request = &inbound.request;
    let headers = &request.headers;
    if request.body.is_empty() || !matches!(request.method, Method::Invite | Method::Update) {
        return None;
    }
    let optional = headers.get("Content-Disposition").is_some_and(|value| {
        value.split(';').skip(1).any(|param| {
            let param: String = param.chars().filter(|char| !char.is_ascii_whitespace()).collect();
            param.eq_ignore_ascii_case("handling=optional")
        })
    });
    if optional {
        return None;
    }
    let encoded =
        headers.get("Content-Encoding").is_some_and(|value| !value.eq_ignore_ascii_case("identity"));
    let understood = headers.content_type().ok().flatten().is_some_and(is_sdp_type);
    if !encoded && understood {
        return None;
    }
    let mut response = request.response(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    response.headers.push("Accept", SDP);
    if encoded {
        response.headers.push("Accept-Encoding", "identity");
    }
    Some(response)
}

/// Whether the answer to an INVITE or UPDATE would be taken (RFC 3261, 20.1 and 21.4.7).
fn acceptable(inbound: &Inbound) -> Option<Response> {
    let request = &inbound.request;
    if !matches!(request.method, Method::Invite | Method::Update) || !request.headers.has("Accept") {
        return None;
    }
    let takes = |range: &&str| {
        let media = range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(media.as_str(), "*/*" | "application/*" | SDP)
    };
    let ranges = request.headers.tokens("Accept");
    // An empty Accept means that no format is taken, which a 2xx with a description would ignore.
    (!ranges.iter().any(takes)).then(|| request.response(StatusCode::NOT_ACCEPTABLE))
}
