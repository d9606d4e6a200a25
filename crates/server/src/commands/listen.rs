//! `hookswitch listen`: a webhook receiver for people.
#![expect(clippy::print_stderr, reason = "a program for people tells them what goes on")]

mod keys;
mod show;
mod token;

use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use clap::ArgMatches;
use http::header::{ALLOW, AUTHORIZATION};
use http::{HeaderMap, Method, StatusCode};
use node::Clock;
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use self::keys::PublishedKeys;
use self::show::{Delivery, Style};
use self::token::{Claims, Refused};
use crate::http::{self as listening, Listeners};

/// What senders may take: a few servers, each with a few connections.
const LIMITS: listening::Limits =
    listening::Limits { connections: 256, header_bytes: 32 * 1024, request_timeout: Duration::from_secs(10) };

/// The largest body that is read. A notification has some kilobytes; a request to create a call, of which it may repeat
/// a part, has 1 MiB at most.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// How long a body may take to arrive: as long as the server waits for an answer at most.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);

/// How long answers under way may take when the program is told to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Receives notifications until it is told to end.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let port = matches.get_one::<u16>("port").copied().unwrap_or_default();
    let url = matches.get_one::<String>("openid-configuration").cloned().unwrap_or_default();
    let keys = PublishedKeys::new(url)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("failed to start a runtime")?;
    runtime.block_on(listen(port, keys, Output::new(matches.get_flag("json"))))
}

async fn listen(port: u16, keys: PublishedKeys, output: Output) -> Result<()> {
    // Taken before anything is announced, so that whoever waits for the announcement may end the program.
    let mut terminate = signal(SignalKind::terminate()).context("failed to wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to wait for signals")?;
    let is_closed = output.is_closed.clone();
    let receiver = Arc::new(Receiver { keys, output });
    let bound = listening::bind(SocketAddr::from(([127, 0, 0, 1], port))).await.with_context(|| {
        format!("failed to listen on 127.0.0.1:{port}; is the port taken? Choose another with --port")
    })?;
    let address = bound.address;
    let listeners = Listeners::new(LIMITS, api::Proxies::default());
    listeners.serve(bound, None, router(Arc::clone(&receiver)));
    eprintln!("listening on http://{address} (any path), times are UTC, Ctrl-C ends it");
    if let Err(refused) = receiver.keys.refresh(Clock::start().now()).await {
        eprintln!("{refused}; is the server running? It is asked again when a notification comes");
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = is_closed.cancelled() => {}
    }
    listeners.drain(DRAIN_TIMEOUT).await;
    Ok(())
}

/// Every path is the webhook.
fn router(receiver: Arc<Receiver>) -> Router {
    Router::new().fallback(receive).with_state(receiver)
}

struct Receiver {
    keys: PublishedKeys,
    output: Output,
}

async fn receive(State(receiver): State<Arc<Receiver>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if head.method != Method::POST {
        let words = "hookswitch listen: notifications are posted here\n";
        return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "POST")], words).into_response();
    }
    let body = match tokio::time::timeout(BODY_TIMEOUT, to_bytes(body, MAX_BODY_BYTES)).await {
        Ok(Ok(body)) => body,
        Ok(Err(_)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let now = Clock::start().now();
    let verified = receiver.keys.verify(header(&head.headers, AUTHORIZATION.as_str()), now).await;
    let notifications = serde_json::from_slice(&body).ok().filter(show::is_notifications);
    let status = status(&verified, notifications.as_ref());
    let delivery = Delivery {
        at: now,
        attempt: header(&head.headers, "hookswitch-attempt").and_then(|text| text.parse().ok()),
        token: verified.as_ref(),
        notifications: notifications.as_ref(),
    };
    receiver.output.show(&delivery, &body);
    status.into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

const fn status(verified: &Result<Claims, Refused>, notifications: Option<&Value>) -> StatusCode {
    match (verified, notifications) {
        (Err(Refused::KeysUnavailable { .. }), _) => StatusCode::SERVICE_UNAVAILABLE,
        (Err(_), _) => StatusCode::UNAUTHORIZED,
        (Ok(_), None) => StatusCode::BAD_REQUEST,
        (Ok(_), Some(_)) => StatusCode::ACCEPTED,
    }
}

/// Where what is received is shown.
struct Output {
    is_json: bool,
    style: Style,
    /// Nobody reads any more, as after `| head`.
    is_closed: CancellationToken,
}

impl Output {
    fn new(is_json: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let style = Style { is_coloured: io::stdout().is_terminal() && !no_color };
        Self { is_json, style, is_closed: CancellationToken::new() }
    }

    /// Shows a delivery. What is not verified never gets among the raw bodies: a program may trust those.
    fn show(&self, delivery: &Delivery<'_>, body: &[u8]) {
        let lines = delivery.lines(self.style);
        let written = match (self.is_json, delivery.token) {
            (true, Ok(_)) => print(&[body, b"\n"]),
            (true, Err(_)) => {
                lines.iter().for_each(|line| eprintln!("{line}"));
                Ok(())
            }
            (false, _) => lines.iter().try_for_each(|line| print(&[line.as_bytes(), b"\n"])),
        };
        if written.is_err() {
            self.is_closed.cancel();
        }
    }
}

fn print(parts: &[&[u8]]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    parts.iter().try_for_each(|part| stdout.write_all(part))?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use http::{Request, StatusCode};
    use identity::{KeyRing, NotificationSigner, NotificationSignerSettings, Rotation, SigningKey};
    use node::Clock;
    use tower::ServiceExt as _;

    use super::keys::PublishedKeys;
    use super::{LIMITS, MAX_BODY_BYTES, Output, Receiver, router};
    use crate::http::{Listeners, bind};

    /// A receiver, a server that publishes keys for it, and a token by one of them.
    struct Pair {
        router: Router,
        token: Arc<str>,
        listeners: Listeners,
    }

    impl Pair {
        async fn start() -> Self {
            let now = Clock::start().now();
            let ring = KeyRing::new(Rotation::default(), vec![SigningKey::generate(now).unwrap()]);
            let jwks = serde_json::to_string(&ring.jwks()).unwrap();
            let signer = NotificationSigner::new(NotificationSignerSettings::default(), ring);
            let token = signer.bearer(&"app".into(), &"tenant".into(), now).unwrap();

            let listeners = Listeners::new(LIMITS, api::Proxies::default());
            let bound = bind(([127, 0, 0, 1], 0).into()).await.unwrap();
            let address = bound.address;
            let document = serde_json::json!({
                "issuer": signer.settings().issuer, "jwks_uri": format!("http://{address}/keys"),
            });
            let published = Router::new()
                .route("/keys", get(|| async move { jwks }))
                .route("/open", get(|| async move { document.to_string() }));
            listeners.serve(bound, None, published);

            let keys = PublishedKeys::new(format!("http://localhost:{}/open", address.port())).unwrap();
            let receiver = Receiver { keys, output: Output::new(false) };
            Self { router: router(Arc::new(receiver)), token, listeners }
        }

        async fn send(&self, method: &str, token: &str, body: impl Into<Body>) -> StatusCode {
            let request = Request::builder()
                .method(method)
                .uri("/any/path?with=query")
                .header("authorization", token)
                .body(body.into())
                .unwrap();
            self.router.clone().oneshot(request).await.unwrap().status()
        }
    }

    #[tokio::test]
    async fn each_delivery_is_answered_by_what_it_is_worth() {
        let pair = Pair::start().await;
        let bearer = format!("Bearer {}", pair.token);
        let body = r#"{"value": [{"changeType": "updated", "resourceUrl": "/communications/calls/1"}]}"#;

        assert_eq!(pair.send("POST", &bearer, body).await, StatusCode::ACCEPTED);
        assert_eq!(pair.send("POST", &bearer.to_lowercase(), body).await, StatusCode::UNAUTHORIZED);
        assert_eq!(pair.send("POST", "Basic eDp5", body).await, StatusCode::UNAUTHORIZED);
        assert_eq!(pair.send("POST", &bearer, "{}").await, StatusCode::BAD_REQUEST);
        assert_eq!(pair.send("GET", &bearer, "").await, StatusCode::METHOD_NOT_ALLOWED);
        let large = vec![b' '; MAX_BODY_BYTES + 1];
        assert_eq!(pair.send("POST", &bearer, large).await, StatusCode::PAYLOAD_TOO_LARGE);
        pair.listeners.drain(std::time::Duration::from_secs(5)).await;
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_not_the_senders_fault() {
        let keys = PublishedKeys::new("http://127.0.0.1:1/none".to_owned()).unwrap();
        let router = router(Arc::new(Receiver { keys, output: Output::new(false) }));
        let request =
            Request::post("/").header("authorization", "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AA");
        let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
