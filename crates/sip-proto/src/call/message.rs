//! What calls write into their messages and read from them.

use bytes::Bytes;
use sip_message::{Headers, NameAddr, Request, Response, StatusCode};

use super::session_timer;

/// What this endpoint takes, for Allow.
pub(crate) const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, REFER, NOTIFY, REGISTER";

/// The option tags that a request may require: session timers (RFC 4028), calls that take the place of
/// others (RFC 3891), and REFER without a subscription (RFC 4488).
pub(crate) const OPTIONS: [&str; 3] = [session_timer::OPTION, "replaces", "norefersub"];

/// The only body that calls carry.
pub(crate) const SDP: &str = "application/sdp";

/// Headers of a request that belong to the machine and not to its user.
const RESERVED: [&str; 22] = [
    "Accept",
    "Allow",
    "Authorization",
    "Call-ID",
    "Contact",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "From",
    "Max-Forwards",
    "Min-SE",
    "Proxy-Authorization",
    "Record-Route",
    "Require",
    "Route",
    "Session-Expires",
    "Supported",
    "To",
    "User-Agent",
    "Via",
];

/// Headers that tell people or their phones something and ask nothing of the machine. None of them is
/// an identity: what a caller asserts of itself is worth nothing until somebody has checked it.
const INFORMING: [&str; 9] = [
    "Accept-Language",
    "Alert-Info",
    "Call-Info",
    "In-Reply-To",
    "Organization",
    "Priority",
    "Reply-To",
    "Subject",
    "User-to-User",
];

/// How many headers of a caller are passed on; several times what phones send.
const MAX_PASSED_ON: usize = 32;

/// The headers of an INVITE that may go on to whoever is called in the end.
pub(super) fn passed_on(headers: &Headers) -> Vec<(String, String)> {
    let is_own = |name: &str| name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-"));
    let is_informing = |name: &str| INFORMING.iter().any(|known| known.eq_ignore_ascii_case(name));
    headers
        .iter()
        .filter(|(name, _)| is_own(name) || is_informing(name))
        .take(MAX_PASSED_ON)
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// How a call came here, as it is told along the way.
pub(super) fn history(headers: &Headers) -> Vec<(String, String)> {
    let fields = ["Diversion", "History-Info"]
        .into_iter()
        .flat_map(|name| headers.get_all(name).map(move |value| (name.to_owned(), value.to_owned())));
    fields.take(MAX_PASSED_ON).collect()
}

/// Who calls, as whoever sent the request asserts, and whether that is to be hidden from the callee.
pub(super) fn asserted(headers: &Headers) -> (Vec<NameAddr>, bool) {
    let hides = headers.privacy().map(|privacy| privacy.is_some_and(|privacy| privacy.hides_caller()));
    let hides = hides.unwrap_or(true);
    if headers.has("P-Asserted-Identity") {
        // What is malformed asserts nothing.
        return (headers.asserted_identities().unwrap_or_default(), hides);
    }
    let Ok(parties) = headers.remote_parties() else { return (Vec::new(), true) };
    let Some(caller) = parties.into_iter().find(|party| party.is_calling) else { return (Vec::new(), hides) };
    let hides = hides || caller.is_private;
    (caller.is_screened.then_some(caller.address).into_iter().collect(), hides)
}

/// Whether a user may set this header of an INVITE.
pub(crate) fn is_free(name: &str) -> bool {
    // Through `Headers`, which knows the compact forms.
    let mut headers = Headers::new();
    headers.push(name, "");
    !RESERVED.iter().any(|reserved| headers.has(reserved))
}

/// The session description of a message, if it has one.
pub(crate) fn sdp(headers: &Headers, body: &Bytes) -> Option<Bytes> {
    let is_sdp = headers.content_type().ok().flatten().is_some_and(is_sdp_type);
    (is_sdp && !body.is_empty()).then(|| body.clone())
}

/// Whether a Content-Type is that of a session description.
pub(crate) fn is_sdp_type(value: &str) -> bool {
    value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case(SDP))
}

/// Puts a session description into a message.
pub(crate) fn put_sdp(headers: &mut Headers, body: &mut Bytes, sdp: Bytes) {
    headers.set("Content-Type", SDP);
    *body = sdp;
}

/// Says what this side can do, in a request or 2xx that makes or refreshes a session.
pub(crate) fn put_abilities(headers: &mut Headers) {
    headers.push("Allow", ALLOW);
    headers.push("Supported", OPTIONS.join(", "));
}

/// A response within or opening a dialog.
pub(crate) fn response(request: &Request, status: StatusCode, local_tag: Option<&str>) -> Response {
    let mut response = request.response(status);
    if let Some(tag) = local_tag {
        // It can only fail on a To that the request was already refused for.
        let _ = response.headers.set_to_tag(tag);
    }
    response
}

/// A response that has to carry the route of the dialog back (RFC 3261, 12.1.1).
pub(crate) fn put_record_routes(request: &Request, response: &mut Response) {
    for route in request.headers.get_all("Record-Route") {
        response.headers.push("Record-Route", route);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_the_machine_cannot_be_set_even_by_their_short_names() {
        assert_eq!(["From", "v", "CONTACT", "x"].map(is_free), [false; 4]);
        assert_eq!(["Subject", "X-Tenant", "Call-Info"].map(is_free), [true; 3]);
    }

    #[test]
    fn only_session_descriptions_are_taken_for_one() {
        assert!(is_sdp_type("Application/SDP;charset=utf-8"));
        assert!(!is_sdp_type("application/sdp2"));
        let mut headers = Headers::new();
        headers.push("c", "text/plain");
        assert_eq!(sdp(&headers, &Bytes::from_static(b"v=0")), None);
    }
}
