use std::sync::OnceLock;

use http::HeaderMap;
use http::header::HeaderName;
use model::{AppId, ScenarioId};
use uuid::Uuid;

use crate::path::Version;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(crate) const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
pub(crate) const SCENARIO_ID: HeaderName = HeaderName::from_static("scenario-id");

/// What is known of a request beside the request itself; one for each, in its extensions.
#[derive(Debug)]
pub(crate) struct RequestContext {
    /// The id that this server gave it.
    pub(crate) id: Uuid,
    /// The id that the client gave it.
    pub(crate) client_id: Option<String>,
    /// The client's name for the call's traffic.
    pub(crate) scenario: Option<String>,
    /// Scheme and host as the client should use them.
    pub(crate) origin: String,
    /// The version that the client asked for.
    pub(crate) version: Version,
    /// The application, once its token was verified.
    pub(crate) app: OnceLock<AppId>,
    /// The route, once it was found.
    pub(crate) route: OnceLock<String>,
}

impl RequestContext {
    /// Scheme, host and version: what every address and context in a body starts with.
    pub(crate) fn base(&self) -> String {
        format!("{}/{}", self.origin, self.version.as_str())
    }

    pub(crate) fn scenario_id(&self) -> Option<ScenarioId> {
        self.scenario.as_deref().map(ScenarioId::from)
    }
}

/// Longest id of a client that is echoed and logged; a GUID in brackets has 38 characters.
const MAX_ID_CHARS: usize = 64;

/// A header that names something, where it is fit to be echoed and logged.
pub(crate) fn named(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:{}".contains(&byte);
    (!text.is_empty() && text.len() <= MAX_ID_CHARS && text.bytes().all(is_fit)).then(|| text.to_owned())
}
