use std::time::Duration;

use model::Timestamp;
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::InvalidRequest;

/// An error as the API answers it: `{"error": {"code", "message", "innerError": {…}}}`.
///
/// Clients branch on the code. The constructors are the whole table of codes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct GraphError {
    /// The HTTP status.
    pub status: u16,
    /// The code: a word, or the platform's number as a string.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// Goes into `Retry-After`, in whole seconds rounded up.
    pub retry_after: Option<Duration>,
}

/// What correlates an error with its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InnerError<'a> {
    /// When it was answered.
    pub date: Timestamp,
    /// The id that the server gave the request (`request-id`).
    pub request_id: Uuid,
    /// The id that the client gave it; the server's where it gave none.
    pub client_request_id: Option<&'a str>,
}

impl GraphError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// 400, code 8523: an argument is wrong in a way that a decoder does not see.
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(400, "8523", message)
    }

    /// 400, code 8500: the action belongs to media that the other side hosts.
    pub fn wrong_media_mode(message: impl Into<String>) -> Self {
        Self::new(400, "8500", message)
    }

    /// 400, code 8526: the token of a meeting is not one of this server's, or not for the application.
    pub fn bad_join_token() -> Self {
        Self::new(400, "8526", "The meeting's join token is not valid.")
    }

    /// 400, code 8548: the action is for calls of several.
    pub fn not_a_group_call() -> Self {
        Self::new(400, "8548", "The action is for group calls and meetings.")
    }

    /// 400: `/me` stands for whoever signed in, and an application is nobody's.
    pub fn me_without_user() -> Self {
        let message = "/me is for tokens of people who signed in; an application asks below /users/{id}.";
        Self::new(400, "BadRequest", message)
    }

    /// 401: the token is missing, expired, badly signed or for another audience.
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(401, "InvalidAuthenticationToken", message)
    }

    /// 403, code 7503: calling is not enabled for the application.
    pub fn application_not_registered() -> Self {
        Self::new(403, "7503", "Application is not registered in our store.")
    }

    /// 403, code 7504: none of the permissions that the request needs is granted.
    pub fn insufficient_permissions() -> Self {
        Self::new(403, "7504", "Insufficient enterprise tenant permissions, cannot access this API.")
    }

    /// 403, code 7505: the token's tenant is unknown, or not the one that is asked for.
    pub fn tenant_mismatch() -> Self {
        Self::new(403, "7505", "Request authorization tenant mismatch.")
    }

    /// 403, code 7505: the call is the application's, but was made in another tenant than the token's.
    pub fn other_tenants_call() -> Self {
        let message = "Mismatch between request authorization tenant and call tenant.";
        Self::new(403, "7505", message)
    }

    /// 403, code 7507: `source` names someone that the application may not speak for.
    pub fn bad_source_identity() -> Self {
        Self::new(403, "7507", "The source identity does not belong to the application.")
    }

    /// 403, code 7507: phone numbers are called by an application instance that the application has, and this is none.
    pub fn no_application_instance(message: impl Into<String>) -> Self {
        Self::new(403, "7507", message)
    }

    /// 403, code 7502: the tenant's trunks do not call the number.
    pub fn number_not_enabled(message: impl Into<String>) -> Self {
        Self::new(403, "7502", message)
    }

    /// 403, code 8529: the application has used up what it may spend on the phone network.
    pub fn budget_spent() -> Self {
        Self::new(
            403,
            "8529",
            "The application has used up its calls or minutes to phone numbers for today (UTC).",
        )
    }

    /// 429, code 8530: there are as many calls over the phone network as there may be.
    pub fn too_many_phone_calls(retry_after: Duration) -> Self {
        let message = "There are as many calls to phone numbers as there may be at once.";
        Self { retry_after: Some(retry_after), ..Self::new(429, "8530", message) }
    }

    /// 403, code 8560: nobody may join the meeting any more.
    pub fn meeting_locked() -> Self {
        Self::new(403, "8560", "The meeting is locked.")
    }

    /// 403, code 8561: the meeting has a passcode, and this is not it.
    pub fn wrong_passcode() -> Self {
        Self::new(403, "8561", "The meeting's passcode is missing or wrong.")
    }

    /// 403, code `Unauthorized`: the tenant has no application access policy that lets the application act for the user,
    /// or for anybody where none is named.
    pub fn no_access_policy(app: &str, user: Option<&str>) -> Self {
        let user = user.map_or_else(|| "anybody".to_owned(), |user| format!("user {user}"));
        let message = format!(
            "No application access policy of the tenant lets application {app} act for {user}; an administrator \
             grants one."
        );
        Self::new(403, "Unauthorized", message)
    }

    /// 403: any other refusal, such as a user's token where only an application's is taken.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(403, "Forbidden", message)
    }

    /// 404, code 8522: the call is unknown, over, or another application's.
    pub fn call_not_found() -> Self {
        Self::new(404, "8522", "Call not found.")
    }

    /// 404, code 8558: the call has no such participant.
    pub fn participant_not_found() -> Self {
        Self::new(404, "8558", "The call has no such participant.")
    }

    /// 404, code 8561: there is no such meeting.
    pub fn meeting_not_found(message: impl Into<String>) -> Self {
        Self::new(404, "8561", message)
    }

    /// 404: something within a call is unknown.
    pub fn item_not_found(message: impl Into<String>) -> Self {
        Self::new(404, "itemNotFound", message)
    }

    /// 404: no resource has this path.
    pub fn no_such_resource(path: &str) -> Self {
        Self::new(
            404,
            "UnknownError",
            format!("No HTTP resource was found that matches the request path '{path}'."),
        )
    }

    /// 405: the resource exists, the method does not.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "notAllowed", "The method is not allowed for this resource.")
    }

    /// 409, code 8519: something else is in the way.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(409, "8519", message)
    }

    /// 409, code 8585: the action does not fit the call's state.
    pub fn invalid_state(message: impl Into<String>) -> Self {
        Self::new(409, "8585", message)
    }

    /// 409, code 8607: the call is being transferred already.
    pub fn transfer_under_way() -> Self {
        Self::new(409, "8607", "The call is being transferred.")
    }

    /// 409, code 8521: the call has been sent on as often as it may be.
    pub fn too_many_hops() -> Self {
        Self::new(409, "8521", "The call has been redirected as often as it may be.")
    }

    /// 408: the body did not arrive in time.
    pub fn request_timeout() -> Self {
        Self::new(408, "invalidRequest", "The request body did not arrive in time.")
    }

    /// 413: the body is longer than the server reads.
    pub fn body_too_large(limit_bytes: usize) -> Self {
        Self::new(413, "invalidRequest", format!("The request body is longer than {limit_bytes} bytes."))
    }

    /// 415: the body is not JSON.
    pub fn unsupported_media_type() -> Self {
        Self::new(415, "invalidRequest", "The Content-Type must be application/json.")
    }

    /// 429: over a limit for now.
    pub fn too_many_requests(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(429, "TooManyRequests", "Please retry again later.")
        }
    }

    /// 500: this server failed.
    pub fn internal() -> Self {
        Self::new(500, "GeneralException", "An internal server error occurred.")
    }

    /// 501, code 8520: known to the API, not served here.
    pub fn not_implemented(message: impl Into<String>) -> Self {
        Self::new(501, "8520", message)
    }

    /// 503: not able to serve for now.
    pub fn unavailable(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(503, "serviceNotAvailable", "The service is temporarily unavailable.")
        }
    }

    /// The value of `Retry-After`, where one is due.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
            .map(|pause| pause.as_secs().saturating_add(u64::from(pause.subsec_nanos() > 0)).max(1))
    }

    /// The body.
    pub fn to_json(&self, inner: &InnerError<'_>) -> Value {
        let request_id = inner.request_id.as_hyphenated().to_string();
        let mut inner_error = json!({
            "date": date_without_zone(inner.date),
            "client-request-id": inner.client_request_id.unwrap_or(&request_id),
            "request-id": request_id,
        });
        if self.status == 429 {
            inner_error["code"] = json!("429");
            inner_error["status"] = json!("429");
        }
        json!({"error": {"code": self.code, "message": self.message, "innerError": inner_error}})
    }
}

impl From<InvalidRequest> for GraphError {
    /// 400, code `BadRequest`, with the place in the message.
    fn from(invalid: InvalidRequest) -> Self {
        Self::new(400, "BadRequest", invalid.to_string())
    }
}

/// `2020-02-13T17:30:24`: UTC to the second, as clients' naive parsers expect it.
fn date_without_zone(moment: Timestamp) -> String {
    let seconds = Timestamp::from_millis(moment.as_secs().saturating_mul(1000));
    let text = seconds.to_utc().format(&Rfc3339).unwrap_or_default();
    text.trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::Timestamp;
    use serde_json::json;
    use uuid::Uuid;

    use super::{GraphError, InnerError};
    use crate::InvalidRequest;

    const INNER: InnerError<'_> = InnerError {
        date: Timestamp::from_millis(1_581_615_024_789),
        request_id: Uuid::from_u128(7),
        client_request_id: None,
    };

    #[test]
    fn a_body_carries_both_ids_and_a_date_without_zone() {
        let inner = InnerError { client_request_id: Some("mine"), ..INNER };
        assert_eq!(
            GraphError::call_not_found().to_json(&inner),
            json!({"error": {"code": "8522", "message": "Call not found.", "innerError": {
                "date": "2020-02-13T17:30:24",
                "request-id": "00000000-0000-0000-0000-000000000007",
                "client-request-id": "mine",
            }}})
        );
    }

    #[test]
    fn a_client_that_named_no_request_is_given_the_servers_id_twice() {
        let body = GraphError::internal().to_json(&INNER);
        let inner = &body["error"]["innerError"];
        assert_eq!(inner["request-id"], inner["client-request-id"]);
    }

    #[test]
    fn a_throttled_request_repeats_the_status_and_waits_whole_seconds() {
        let error = GraphError::too_many_requests(Duration::from_millis(2128));
        assert_eq!(error.retry_after_seconds(), Some(3));
        assert_eq!(error.to_json(&INNER)["error"]["innerError"]["code"], "429");
        assert_eq!(GraphError::unavailable(Duration::ZERO).retry_after_seconds(), Some(1));
        assert_eq!(GraphError::internal().retry_after_seconds(), None);
    }

    #[test]
    fn an_invalid_request_is_a_400_that_names_the_place() {
        let invalid = InvalidRequest::Malformed { line: 3, column: 14, problem: "expected value".to_owned() };
        let error = GraphError::from(invalid);
        assert_eq!((error.status, error.code), (400, "BadRequest"));
        assert_eq!(error.message, "malformed JSON at line 3, column 14: expected value");
    }
}
