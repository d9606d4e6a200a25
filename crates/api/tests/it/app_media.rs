//! The ways of an application's media into its call.

use api::CallFault;
use app_media::{Dialect, Format, Rate};
use axum::body::Body;
use http::{Request, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use model::{CallId, Permission};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, http::StatusCode};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::app::{Answer, App, BASE, BOT, CONTOSO, FABRIKAM, OTHER_BOT, refused, request};

const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";
const TICKET: &str = "8mlgQ7uPp9cXB6yZ0r1sTt2Uu3Vv4Ww5Xx6Yy7Zz8Aa";

fn media(path: &str) -> String {
    format!("/hookswitch/v1/calls/{CALL}/media/{path}")
}

fn socket_path() -> String {
    media(&format!("socket/{TICKET}"))
}

/// What a WebSocket client sends, but for what a test changes.
fn handshake(path: &str, changes: &[(&str, Option<&str>)]) -> Request<Body> {
    let mut request = Request::builder().uri(path);
    let headers = [
        ("host", "calls.example"),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for (name, usual) in headers {
        let changed = changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
        if let Some(value) = changed.unwrap_or(Some(usual)) {
            request = request.header(name, value);
        }
    }
    request.body(Body::empty()).unwrap()
}

fn app_with_ticket() -> App {
    let app = App::new();
    *app.calls.ticket.lock().unwrap() = Some(TICKET.to_owned());
    app
}

fn has_ticket(app: &App) -> bool {
    app.calls.ticket.lock().unwrap().is_some()
}

/// A connection to the router through HTTP/1.1, as the server has it.
fn connect(app: &App) -> DuplexStream {
    let (client, server) = duplex(4096);
    let service = TowerToHyperService::new(app.service());
    tokio::spawn(async move {
        let builder = auto::Builder::new(TokioExecutor::new());
        let _ = builder.serve_connection_with_upgrades(TokioIo::new(server), service).await;
    });
    client
}

async fn dial(app: &App, path: &str) -> Result<WebSocketStream<DuplexStream>, tungstenite::Error> {
    client_async(format!("ws://calls.example{path}"), connect(app)).await.map(|(socket, _)| socket)
}

fn status(refused: Result<WebSocketStream<DuplexStream>, tungstenite::Error>) -> StatusCode {
    match refused {
        Err(tungstenite::Error::Http(response)) => response.status(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_application_dials_in_once_with_a_format_of_its_choice() {
    let app = app_with_ticket();
    let (attached, mut sockets) = mpsc::unbounded_channel();
    *app.calls.attached.lock().unwrap() = Some(attached);
    let path = format!("{}?dialect=hookswitch&sampleRate=48000", socket_path());
    let _client = dial(&app, &path).await.unwrap();
    let (call, format, _socket) = sockets.recv().await.unwrap();
    assert_eq!(call, CallId::parse(CALL).unwrap());
    let chosen = Format { dialect: Dialect::Hookswitch, rate: Rate::Hz48000, ..Format::default() };
    assert_eq!(format, chosen);

    assert_eq!(status(dial(&app, &path).await), 404, "the ticket is used up");
    let seen = app.observer.0.lock().unwrap().join("\n");
    assert!(seen.contains("GET /hookswitch/v1/calls/{call}/media/socket/{ticket} 101"), "{seen}");
    assert!(!seen.contains(TICKET), "{seen}");
}

#[tokio::test]
async fn a_mistake_does_not_use_up_the_ticket() {
    let app = app_with_ticket();
    assert_eq!(status(dial(&app, &format!("{}?sampleRate=8000", socket_path())).await), 400);
    for (path, expected) in [
        (media("socket/another"), 404),
        (socket_path().replace(CALL, "no-guid"), 404),
        (socket_path().replace("/socket/", "/sockets/"), 404),
    ] {
        assert_eq!(status(dial(&app, &path).await).as_u16(), expected, "{path}");
    }
    assert!(has_ticket(&app));
}

#[tokio::test]
async fn what_is_no_websocket_is_told_how_to_become_one() {
    let app = app_with_ticket();
    let path = format!("{}?channels=stereo", socket_path());
    let wrong_format = app.send(handshake(&path, &[("upgrade", None)])).await;
    assert_eq!(wrong_format.error(), refused(400, "8523"));
    assert!(wrong_format.message().contains("channels: stereo is not one of mixed, unmixed, both"));

    let plain = app.get(&socket_path()).await;
    assert_eq!(plain.error(), refused(400, "8523"));
    let mut over_http_2 = handshake(&socket_path(), &[]);
    *over_http_2.version_mut() = Version::HTTP_2;
    let over_http_2 = app.send(over_http_2).await;
    assert_eq!(over_http_2.error(), refused(400, "8523"));
    assert!(over_http_2.message().contains("HTTP/1.1"));
    assert!(has_ticket(&app));
}

#[tokio::test]
async fn over_a_real_connection_bad_headers_are_400_and_other_versions_426() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let app = app_with_ticket();
    for (changed, status) in [
        (("sec-websocket-version", Some("8")), "HTTP/1.1 426"),
        (("sec-websocket-key", Some("short")), "HTTP/1.1 400"),
        (("connection", Some("close")), "HTTP/1.1 400"),
    ] {
        let mut client = connect(&app);
        let request = handshake(&socket_path(), &[changed]);
        let mut text = format!("GET {} HTTP/1.1\r\n", request.uri());
        for (name, value) in request.headers() {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        client.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}}") {
            assert_ne!(client.read_buf(&mut answer).await.unwrap(), 0, "the body is an error of Graph");
        }
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(answer.starts_with(&status.to_lowercase()), "{answer}");
        assert_eq!(answer.contains("\r\nsec-websocket-version: 13\r\n"), status.ends_with("426"), "{answer}");
    }
    assert!(has_ticket(&app));
}

/// Sends a body with its type, without a token.
async fn offer(app: &App, path: &str, media_type: &str, body: &str) -> Answer {
    let request = Request::builder().method("POST").uri(path).header("content-type", media_type);
    app.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

fn fail_with(app: &App, fault: CallFault) {
    *app.calls.fault.lock().unwrap() = Some(fault);
}

fn whip() -> String {
    media(&format!("whip/{TICKET}"))
}

#[tokio::test]
async fn an_offer_of_webrtc_is_answered_with_the_address_of_its_session() {
    let app = app_with_ticket();
    let answer = offer(&app, &whip(), "application/sdp; charset=utf-8", "v=0\r\ns=mine\r\n").await;
    assert_eq!(answer.status, 201);
    assert_eq!((answer.header("content-type"), &*answer.body), ("application/sdp", &b"v=0\r\n"[..]));
    let session = answer.header("location").strip_prefix(BASE).unwrap().to_owned();
    assert_eq!(session, media("whip/session/secret"));
    assert_eq!(*app.calls.offers.lock().unwrap(), ["v=0\r\ns=mine\r\n"]);

    let again = offer(&app, &whip(), "application/sdp", "v=0\r\n").await;
    assert_eq!(again.error(), refused(404, "itemNotFound"));

    let delete = |path: &str| Request::delete(path).body(Body::empty()).unwrap();
    let patch = Request::patch(&session).body(Body::empty()).unwrap();
    let patched = app.send(patch).await;
    assert_eq!((patched.status.as_u16(), patched.header("allow")), (405, "DELETE,OPTIONS"));
    assert_eq!(app.send(delete(&session)).await.status, 200);
    let unknown = app.send(delete(&media("whip/session/other"))).await;
    assert_eq!(unknown.error(), refused(404, "itemNotFound"));
}

#[tokio::test]
async fn an_offer_that_is_refused_does_not_use_up_the_ticket() {
    let app = app_with_ticket();
    let json = offer(&app, &whip(), "application/json", "{}").await;
    assert_eq!(json.error(), refused(415, "invalidRequest"));
    assert!(json.message().contains("application/sdp"));
    let long = offer(&app, &whip(), "application/sdp", &"v=0".repeat(30_000)).await;
    assert_eq!(long.error(), refused(413, "invalidRequest"));
    fail_with(&app, CallFault::BadBlob("line 1: no v=0".to_owned()));
    let malformed = offer(&app, &whip(), "application/sdp", "x").await;
    assert_eq!(malformed.error(), refused(400, "8523"));
    assert_eq!(malformed.message(), "The session description is malformed: line 1: no v=0.");
    fail_with(&app, CallFault::UnusableOffer("no codec in common".to_owned()));
    let unusable = offer(&app, &whip(), "application/sdp", "v=0\r\n").await;
    assert_eq!(unusable.error(), refused(400, "8500"));
    assert_eq!(unusable.message(), "no codec in common");
    fail_with(&app, CallFault::MediaUnavailable);
    let busy = offer(&app, &whip(), "application/sdp", "v=0\r\n").await;
    assert_eq!(busy.error(), refused(503, "serviceNotAvailable"));
    assert_eq!(busy.header("retry-after"), "1");
    let wrong_call = whip().replace(CALL, "no-guid");
    let not_found = offer(&app, &wrong_call, "application/sdp", "v=0\r\n").await;
    assert_eq!(not_found.error(), refused(404, "itemNotFound"));
    assert!(has_ticket(&app));
}

#[tokio::test]
async fn whoever_asks_is_told_that_offers_are_sdp() {
    let app = App::new();
    let options = app.send(Request::options(whip()).body(Body::empty()).unwrap()).await;
    assert_eq!((options.status.as_u16(), options.header("accept-post")), (200, "application/sdp"));
    assert_eq!(options.header("access-control-allow-origin"), "*");
    let of_session = Request::options(media("whip/session/secret")).body(Body::empty()).unwrap();
    let methods = app.send(of_session).await;
    assert_eq!(methods.header("access-control-allow-methods"), "POST, DELETE, OPTIONS");
    let get = app.get(&whip()).await;
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn the_owner_of_a_call_negotiates_anew_or_asks_for_a_way_in() {
    let app = App::new();
    let call = app.call().await;
    let path = format!("{}/media", call.replace("/v1.0/communications", "/hookswitch/v1"));
    let post = async |token: &str, media_type: Option<&str>, body: &'static str| {
        let mut request = request("POST", &path, token);
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        app.send(request.body(Body::from(body)).unwrap()).await
    };
    let own = app.token();
    let answered = post(&own, Some("application/sdp"), "v=0\r\n").await;
    assert_eq!((answered.status.as_u16(), answered.header("content-type")), (200, "application/sdp"));
    assert_eq!(&*answered.body, b"v=0\r\ns=again\r\n");
    let invitation = post(&own, None, "").await;
    assert_eq!(
        (invitation.status.as_u16(), invitation.json().to_string()),
        (200, r#"{"websocket":{}}"#.to_owned())
    );
    let json = post(&own, Some("application/json"), "{}").await;
    assert_eq!(json.error(), refused(415, "invalidRequest"));

    let roles = [Permission::INITIATE, Permission::ACCESS_MEDIA];
    let foreign = post(&app.token_of(OTHER_BOT, CONTOSO, &roles), None, "").await;
    assert_eq!(foreign.error(), refused(404, "8522"));
    let elsewhere = post(&app.token_of(BOT, FABRIKAM, &roles), Some("application/sdp"), "v=0\r\n").await;
    assert_eq!(elsewhere.error(), refused(403, "7505"));
    let nobody = offer(&app, &path, "application/sdp", "v=0\r\n").await;
    assert_eq!(nobody.status, 401);
    assert_eq!(app.calls.offers.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_blob_refuses_the_call() {
    let app = App::new();
    let create = async |fault| {
        fail_with(&app, fault);
        app.post(crate::app::CALLS, &crate::app::peer_to_peer()).await
    };
    let bad = create(CallFault::BadBlob("url: no host".to_owned())).await;
    assert_eq!(
        (bad.error(), bad.message()),
        (refused(400, "8523"), "mediaConfig.blob: url: no host".to_owned())
    );
    let unusable = create(CallFault::UnusableOffer("no audio".to_owned())).await;
    assert_eq!(unusable.error(), refused(400, "8500"));
    assert_eq!(create(CallFault::MediaUnavailable).await.error(), refused(503, "serviceNotAvailable"));
}
