//! The pages for people, over HTTP, as `cargo xtask web` built them.
//!
//! The build script of this crate takes in `web/dist`, so the program carries its pages. A server that was built without
//! them says so to whoever asks for one. Nothing here knows who is signed in: pages are the same for everybody, and ask for
//! the rest themselves.
//!
//! | path | file | kept by browsers |
//! |---|---|---|
//! | `/phone` | `phone.html` | asked for again each time, answered 304 while it is the same |
//! | `/l/meetup-join/{thread}/{message}` | `meeting.html`, the same for every meeting | the same |
//! | `/console` | `console.html` | the same |
//! | `/assets/…` | the same name, with a hash of the content in it | for ever |

mod encoding;
mod file;

use axum::Router;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::file::{File, Lifetime};

/// What was built.
static BUILT: &[File] = &include!(concat!(env!("OUT_DIR"), "/built.rs"));

/// What a page may load and do: nothing but what comes from here, no script or style within it, in no frame of others.
///
/// A file of its own, so that the tests of the pages hold them against the same policy.
const CONTENT_SECURITY_POLICY: &str = include_str!("../policy.txt").trim_ascii_end();

/// The headers of every response.
const PROTECTION: [(&str, &str); 5] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

/// Which devices a page may ask for: none, one that is spoken into, or one that is seen, too.
#[derive(Clone, Copy)]
enum Devices {
    None,
    Sound,
    SoundAndPictures,
}

impl Devices {
    fn policy(self) -> &'static str {
        match self {
            Self::None => "microphone=(), camera=(), display-capture=(), geolocation=()",
            Self::Sound => "microphone=(self), camera=(), display-capture=(), geolocation=()",
            Self::SoundAndPictures => {
                "microphone=(self), camera=(self), display-capture=(self), geolocation=()"
            }
        }
    }
}

/// The routes of the pages.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    routes_of(BUILT)
}

fn routes_of<S: Clone + Send + Sync + 'static>(files: &'static [File]) -> Router<S> {
    let phone = move |headers: HeaderMap| async move { page(files, "phone.html", Devices::Sound, &headers) };
    let meeting = move |headers: HeaderMap| async move {
        page(files, "meeting.html", Devices::SoundAndPictures, &headers)
    };
    let console =
        move |headers: HeaderMap| async move { page(files, "console.html", Devices::None, &headers) };
    let asset = move |Path(name): Path<String>, headers: HeaderMap| async move {
        asset(files, &format!("assets/{name}"), &headers)
    };
    Router::new()
        .route("/phone", get(phone))
        .route("/l/meetup-join/{thread}/{message}", get(meeting))
        .route("/console", get(console))
        .route("/assets/{*name}", get(asset))
}

fn page(files: &[File], name: &str, devices: Devices, headers: &HeaderMap) -> Response {
    let response = match File::find(files, name) {
        Some(file) => file.answer(headers, Lifetime::UntilItChanges),
        None => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
    };
    protected(response, devices)
}

const NOT_BUILT: &str = "the pages were not built: run `cargo xtask web`, then build the server again\n";

fn asset(files: &[File], name: &str, headers: &HeaderMap) -> Response {
    let response = match File::find(files, name) {
        Some(file) => file.answer(headers, Lifetime::ForEver),
        None => (StatusCode::NOT_FOUND, "there is no such file; load the page again\n").into_response(),
    };
    protected(response, Devices::None)
}

fn protected(mut response: Response, devices: Devices) -> Response {
    let headers = response.headers_mut();
    for (name, value) in PROTECTION {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("permissions-policy", HeaderValue::from_static(devices.policy()));
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::{Method, Request};
    use tower::ServiceExt as _;

    use super::*;

    static FILES: &[File] = &[
        File { name: "meeting.html", plain: b"<p>meeting", br: None, gzip: None },
        File { name: "console.html", plain: b"<p>console", br: None, gzip: None },
        File { name: "phone.html", plain: b"<p>phone", br: None, gzip: None },
        File { name: "assets/phone-1.js", plain: b"plain", br: Some(b"brotli"), gzip: Some(b"gzip") },
    ];

    struct Answer {
        status: u16,
        headers: HeaderMap,
        body: Vec<u8>,
    }

    impl Answer {
        fn header(&self, name: &str) -> Option<&str> {
            self.headers.get(name).map(|value| value.to_str().unwrap())
        }
    }

    async fn ask(files: &'static [File], method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let router: Router = routes_of(files);
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
        Answer { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(path: &str, headers: &[(&str, &str)]) -> Answer {
        ask(FILES, Method::GET, path, headers).await
    }

    #[tokio::test]
    async fn the_page_is_asked_for_again_and_answered_in_short_while_it_is_the_same() {
        let first = get("/phone", &[]).await;
        assert_eq!((first.status, first.body.as_slice()), (200, b"<p>phone".as_slice()));
        assert_eq!(first.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(first.header("cache-control"), Some("no-cache"));
        let tag = first.header("etag").unwrap();
        let again = get("/phone", &[("if-none-match", &format!("\"other\", W/{tag}"))]).await;
        assert_eq!((again.status, again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), Some(tag));
        assert_eq!(get("/phone", &[("if-none-match", "\"other\"")]).await.status, 200);
        assert_eq!(get("/phone", &[("if-none-match", "*")]).await.status, 304);
    }

    #[tokio::test]
    async fn the_page_of_a_meeting_is_the_same_for_all_of_them_and_may_be_seen_through() {
        let thread = "/l/meetup-join/19%3ameeting_NDQ4%40thread.v2";
        let one = get(&format!("{thread}/0?context=%7b%22Tid%22%3a%22t%22%7d"), &[]).await;
        let other = get("/l/meetup-join/19:meeting_x@thread.v2/1", &[]).await;
        assert_eq!((one.status, one.body.as_slice()), (200, b"<p>meeting".as_slice()));
        assert_eq!(one.header("etag"), other.header("etag"));
        let others = [get("/phone", &[]).await, get("/console", &[]).await];
        let [meeting, phone, console] = [&one, &others[0], &others[1]]
            .map(|answer| answer.header("permissions-policy").unwrap().to_owned());
        assert!(meeting.contains("camera=(self), display-capture=(self)"), "{meeting}");
        assert!(phone.contains("microphone=(self), camera=(), display-capture=()"), "{phone}");
        assert!(console.contains("microphone=(), camera=(), display-capture=()"), "{console}");
        assert_eq!(get(thread, &[]).await.status, 404);
    }

    #[tokio::test]
    async fn each_page_has_its_address() {
        for (path, content) in [("/phone", "<p>phone"), ("/console", "<p>console")] {
            let answer = get(path, &[]).await;
            assert_eq!((answer.status, answer.body.as_slice()), (200, content.as_bytes()), "{path}");
        }
    }

    #[tokio::test]
    async fn files_named_by_their_content_are_kept_for_ever_and_sent_as_small_as_may_be() {
        let path = "/assets/phone-1.js";
        let brotli = get(path, &[("accept-encoding", "gzip, deflate, br, zstd")]).await;
        let gzip = get(path, &[("accept-encoding", "gzip, br;q=0")]).await;
        let plain = get(path, &[]).await;
        let encodings = [&brotli, &gzip, &plain].map(|answer| answer.header("content-encoding"));
        assert_eq!(encodings, [Some("br"), Some("gzip"), None]);
        let bodies = [&brotli, &gzip, &plain].map(|answer| answer.body.as_slice());
        assert_eq!(bodies, [b"brotli".as_slice(), b"gzip", b"plain"]);
        for answer in [&brotli, &gzip, &plain] {
            assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
            assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
        }
        assert_ne!(brotli.header("etag"), gzip.header("etag"));
        assert_ne!(gzip.header("etag"), plain.header("etag"));
    }

    #[tokio::test]
    async fn every_answer_says_what_the_page_may_do() {
        let answers = [
            get("/phone", &[]).await,
            get("/l/meetup-join/thread/0", &[]).await,
            get("/console", &[]).await,
            get("/assets/phone-1.js", &[]).await,
            get("/assets/none.js", &[]).await,
            ask(&[], Method::GET, "/phone", &[]).await,
        ];
        for answer in &answers {
            let policy = answer.header("content-security-policy").unwrap();
            assert!(
                policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert!(answer.header("permissions-policy").unwrap().contains("geolocation=()"));
        }
        let statuses = answers.map(|answer| answer.status);
        assert_eq!(statuses, [200, 200, 200, 200, 404, 503]);
    }

    #[tokio::test]
    async fn a_server_built_without_pages_says_how_to_build_them() {
        let answer = ask(&[], Method::GET, "/phone", &[]).await;
        assert!(String::from_utf8(answer.body).unwrap().contains("cargo xtask web"));
        assert!(answer.headers.get("cache-control").is_some_and(|value| value == "no-store"));
    }

    #[tokio::test]
    async fn nothing_but_what_was_built_is_served() {
        for path in
            ["/assets/phone.html", "/assets/../phone.html", "/assets/phone-1.js.br", "/assets/%2e%2e/x"]
        {
            assert_eq!(get(path, &[]).await.status, 404, "{path}");
        }
        assert_eq!(ask(FILES, Method::POST, "/phone", &[]).await.status, 405);
        let head = ask(FILES, Method::HEAD, "/phone", &[]).await;
        assert_eq!((head.status, head.body.len()), (200, 0));
    }

    #[test]
    fn pages_that_were_built_are_whole() {
        for page in BUILT.iter().filter(|file| file.name.ends_with(".html")) {
            let text = std::str::from_utf8(page.plain).unwrap();
            for named in text.split("\"/assets/").skip(1).filter_map(|rest| rest.split('"').next()) {
                assert!(
                    File::find(BUILT, &format!("assets/{named}")).is_some(),
                    "{} lacks {named}",
                    page.name
                );
            }
        }
    }
}
