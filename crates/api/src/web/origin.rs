use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use graph_wire::GraphError;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName};

use crate::Connection;
use crate::error::ApiError;
use crate::extract::Context;
use crate::state::AppState;

/// RFC: Fetch Metadata Request Headers; every browser of the last years sends it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A request that no page of another origin has made; 403 for those.
pub(crate) struct SameOrigin {
    /// Whom it is from.
    pub(super) source: IpAddr,
    /// Whether the browser came by HTTPS, here or to a proxy in front of it.
    pub(super) is_secure: bool,
}

impl FromRequestParts<AppState> for SameOrigin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let Context(context) = Context::from_request_parts(parts, state).await?;
        let used = parts.uri.authority().map(Authority::as_str);
        if is_same(&parts.headers, used, &context.origin) {
            let connection = parts.extensions.get::<Connection>();
            let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            let peer = connection.map_or(unknown, |connection| connection.peer.ip());
            let is_tls = connection.is_some_and(|connection| connection.is_tls);
            Ok(Self {
                source: state.api.settings.proxies.client(peer, &parts.headers),
                is_secure: is_tls || context.origin.starts_with("https:"),
            })
        } else {
            Err(GraphError::forbidden("This is not for pages of other origins.").into())
        }
    }
}

/// Whether no page of another origin asks: one at the host that is asked, or at `public`.
fn is_same(headers: &HeaderMap, used: Option<&str>, public: &str) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let is_near = text(&SEC_FETCH_SITE).is_none_or(|site| ["same-origin", "none"].contains(&site));
    let host = used.or_else(|| text(&HOST));
    let is_here = |origin: &str| {
        let (scheme, rest) = origin.split_once("://").unwrap_or_default();
        let authority = |text: &str| text.to_ascii_lowercase();
        ["http", "https"].contains(&scheme)
            && (host.is_some_and(|host| authority(host) == authority(rest))
                || authority(public) == authority(origin))
    };
    is_near && headers.get_all(ORIGIN).iter().count() <= 1 && text(&ORIGIN).is_none_or(is_here)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn is_let_in(headers: &[(HeaderName, &'static str)]) -> bool {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
        is_same(&headers, None, "https://calls.contoso.com")
    }

    #[test]
    fn pages_of_other_origins_are_refused() {
        let host = || (HOST, "localhost:8080");
        assert!(is_let_in(&[host()]), "a program sends no origin");
        assert!(is_let_in(&[host(), (ORIGIN, "http://LOCALHOST:8080"), (SEC_FETCH_SITE, "same-origin")]));
        assert!(is_let_in(&[host(), (ORIGIN, "https://calls.contoso.com")]), "a proxy may change the host");
        for origin in [
            "http://localhost:8081",
            "http://localhost",
            "https://evil.example",
            "https://calls.contoso.com.evil.example",
            "ftp://localhost:8080",
            "null",
            "",
        ] {
            assert!(!is_let_in(&[host(), (ORIGIN, origin)]), "{origin}");
        }
        assert!(!is_let_in(&[host(), (ORIGIN, "http://localhost:8080"), (ORIGIN, "http://localhost:8080")]));
        for site in ["cross-site", "same-site", "?"] {
            assert!(!is_let_in(&[host(), (SEC_FETCH_SITE, site)]), "{site}");
        }
    }
}
