use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY,
};
use http::{HeaderMap, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::encoding::Accepted;

/// A file of the pages, with its compressed forms where those are smaller.
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) plain: &'static [u8],
    pub(crate) br: Option<&'static [u8]>,
    pub(crate) gzip: Option<&'static [u8]>,
}

/// How long browsers may use a file without asking.
#[derive(Clone, Copy)]
pub(crate) enum Lifetime {
    /// Its name changes with its content.
    ForEver,
    UntilItChanges,
}

impl File {
    pub(crate) fn find<'a>(files: &'a [Self], name: &str) -> Option<&'a Self> {
        files.iter().find(|file| file.name == name)
    }

    /// Answers a request with the smallest form that it accepts, or with 304 where it has that already (RFC 9110, 13.1.2).
    pub(crate) fn answer(&self, headers: &HeaderMap, lifetime: Lifetime) -> Response {
        let accepted = Accepted::by(headers.get(ACCEPT_ENCODING));
        let (encoding, content) = match (self.br, self.gzip) {
            (Some(br), _) if accepted.br => (Some("br"), br),
            (_, Some(gzip)) if accepted.gzip => (Some("gzip"), gzip),
            (_, _) => (None, self.plain),
        };
        let tag = tag(content);
        let mut response = if is_known(headers.get(IF_NONE_MATCH), &tag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let kind = HeaderValue::from_static(content_type(self.name));
            ([(CONTENT_TYPE, kind)], Body::from(content)).into_response()
        };
        let kept = match lifetime {
            Lifetime::ForEver => "public, max-age=31536000, immutable",
            Lifetime::UntilItChanges => "no-cache",
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        headers.extend(HeaderValue::try_from(tag).ok().map(|tag| (ETAG, tag)));
        if let Some(encoding) = encoding.filter(|_| response.status() == StatusCode::OK) {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

/// A strong tag; each form of a file has its own (RFC 9110, 8.8.3.3). Half a hash tells a few versions apart well enough.
fn tag(content: &[u8]) -> String {
    let hash = Sha256::digest(content);
    let hexadecimal: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hexadecimal}\"")
}

/// Compares weakly, as is asked of `If-None-Match`: proxies that compress anew weaken tags.
fn is_known(header: Option<&HeaderValue>, tag: &str) -> bool {
    let listed = header.and_then(|value| value.to_str().ok()).unwrap_or_default();
    listed.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("css") => "text/css; charset=utf-8",
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}
