//! Requests to servers on the loopback interface, good and bad.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use outbound::{BoxFuture, Config, FetchLimits, Forbidden, Lookup, Outbound, OutboundError, Policy, Resolve};
use rustls::pki_types::PrivateKeyDer;
use server::{Reply, Server, reply};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;

const LONG: Duration = Duration::from_secs(20);
const LIMITS: FetchLimits = FetchLimits { max_bytes: 1000, timeout: LONG, max_redirects: 3 };

fn client() -> Outbound {
    Outbound::new(Config { policy: Policy::new(["127.0.0.1"], []).unwrap(), ..Config::default() }).unwrap()
}

async fn post(outbound: &Outbound, url: &str) -> Result<outbound::Answer, OutboundError> {
    outbound.post_json(url, HeaderMap::new(), Bytes::from_static(b"{}"), LONG).await
}

#[tokio::test]
async fn posts_go_with_their_headers_on_one_kept_connection() {
    let server = Server::start(|_| reply("202 Accepted", "", ""), None).await;
    let outbound = client();
    for number in 0..20 {
        let mut headers = HeaderMap::new();
        headers.insert("hookswitch-sequence", HeaderValue::from(number));
        let body = Bytes::from_static(b"{\"value\":[]}");
        let answer = outbound.post_json(&server.url("/callback?a=b"), headers, body, LONG).await.unwrap();
        assert_eq!((answer.status, answer.location), (202, None));
    }
    let last = server.requests.lock().unwrap().last().unwrap().to_lowercase();
    assert!(last.starts_with("post /callback?a=b http/1.1\r\n"), "{last}");
    assert!(last.contains(&format!("\r\nhost: {}\r\n", server.address)), "{last}");
    assert!(last.contains("\r\nhookswitch-sequence: 19\r\n"), "{last}");
    assert!(last.contains("\r\ncontent-type: application/json\r\n"), "{last}");
    assert!(last.ends_with("\r\n\r\n{\"value\":[]}"), "{last}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced_unseen() {
    let server = Server::start(|_| reply("204 No Content", "Connection: close\r\n", ""), None).await;
    let outbound = client();
    for _ in 0..5 {
        assert_eq!(post(&outbound, &server.url("/")).await.unwrap().status, 204);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn a_post_returns_every_status_and_an_absolute_checked_location() {
    let script = |line: &str| match line.split(' ').nth(1) {
        Some("/relative") => reply("307 Temporary Redirect", "Location: there?x=1\r\n", ""),
        Some("/private") => reply("302 Found", "Location: https://10.0.0.1/\r\n", ""),
        Some("/none") => reply("308 Permanent Redirect", "", ""),
        Some(_) | None => reply("503 Service Unavailable", "Location: /ignored\r\n", "busy"),
    };
    let server = Server::start(script, None).await;
    let outbound = client();
    let relative = post(&outbound, &server.url("/relative")).await.unwrap();
    assert_eq!((relative.status, relative.location), (307, Some(Ok(server.url("/there?x=1")))));
    let private = post(&outbound, &server.url("/private")).await.unwrap();
    assert_eq!((private.status, private.location), (302, Some(Err(Forbidden::Address))));
    assert_eq!(post(&outbound, &server.url("/none")).await.unwrap().location, None);
    let busy = post(&outbound, &server.url("/busy")).await.unwrap();
    assert_eq!((busy.status, busy.location), (503, None));
    assert_eq!(server.requests.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_status_counts_although_its_body_never_ends() {
    let endless = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx";
    let server = Server::start(move |_| Reply::Bytes(endless.to_owned()), None).await;
    let outbound = client();
    assert_eq!(post(&outbound, &server.url("/")).await.unwrap().status, 200);
    assert_eq!(post(&outbound, &server.url("/")).await.unwrap().status, 200);
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_host_that_hangs_or_answers_garbage_is_a_typed_error() {
    let script = |line: &str| match line.split(' ').nth(1) {
        Some("/hang") => Reply::Hang,
        Some("/headers") => Reply::Bytes(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000))),
        Some(_) | None => Reply::Bytes("SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned()),
    };
    let server = Server::start(script, None).await;
    let outbound = client();
    let brief = Duration::from_millis(50);
    let hung = outbound.post_json(&server.url("/hang"), HeaderMap::new(), Bytes::new(), brief).await;
    assert!(matches!(hung, Err(OutboundError::Timeout)), "{hung:?}");
    for path in ["/garbage", "/headers"] {
        let broken = post(&outbound, &server.url(path)).await;
        assert!(matches!(broken, Err(OutboundError::Broken(_))), "{broken:?}");
    }
    let refused = post(&outbound, "http://127.0.0.1:1/").await;
    assert!(matches!(refused, Err(OutboundError::Connect(_))), "{refused:?}");
}

#[tokio::test]
async fn a_fetch_follows_redirects_up_to_its_limit() {
    let script = |line: &str| match line.split(' ').nth(1).unwrap_or_default() {
        "/3" => reply("301 Moved Permanently", "Location: /2\r\n", "moved"),
        "/2" => reply("302 Found", "Location: 1?x\r\n", ""),
        "/1?x" => reply("307 Temporary Redirect", "Location: /0\r\n", ""),
        "/0" => reply("200 OK", "", "sound"),
        "/nowhere" => reply("302 Found", "", ""),
        "/private" => reply("302 Found", "Location: https://[::1]/\r\n", ""),
        "/plain" => reply("302 Found", "Location: http://public.example/\r\n", ""),
        "/4" => reply("302 Found", "Location: /3\r\n", ""),
        _ => reply("404 Not Found", "", ""),
    };
    let server = Server::start(script, None).await;
    let outbound = client();
    assert_eq!(outbound.fetch(&server.url("/3"), LIMITS).await.unwrap(), "sound");
    assert_eq!(
        server.first_lines(),
        ["GET /3 HTTP/1.1", "GET /2 HTTP/1.1", "GET /1?x HTTP/1.1", "GET /0 HTTP/1.1"]
    );
    let failed = |path: &'static str| {
        let (outbound, url) = (outbound.clone(), server.url(path));
        async move { outbound.fetch(&url, LIMITS).await.unwrap_err() }
    };
    assert!(matches!(failed("/4").await, OutboundError::Redirects));
    assert!(matches!(failed("/nowhere").await, OutboundError::Redirects));
    assert!(matches!(failed("/private").await, OutboundError::Forbidden(Forbidden::Address)));
    assert!(matches!(failed("/plain").await, OutboundError::Forbidden(Forbidden::Scheme)));
    assert!(matches!(failed("/missing").await, OutboundError::Status(404)));
}

#[tokio::test]
async fn a_fetch_stops_at_its_size_whether_announced_or_not() {
    let script = |line: &str| match line.split(' ').nth(1).unwrap_or_default() {
        "/fits" => reply("200 OK", "", &"x".repeat(1000)),
        "/announced" => Reply::Bytes("HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".to_owned()),
        _ => {
            let chunks = format!("190\r\n{}\r\n", "x".repeat(400)).repeat(3);
            Reply::Bytes(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"))
        }
    };
    let server = Server::start(script, None).await;
    let outbound = client();
    assert_eq!(outbound.fetch(&server.url("/fits"), LIMITS).await.unwrap().len(), 1000);
    for path in ["/announced", "/chunked"] {
        let failed = outbound.fetch(&server.url(path), LIMITS).await;
        assert!(matches!(failed, Err(OutboundError::TooLarge)), "{failed:?}");
    }
}

#[tokio::test]
async fn bundled_bytes_are_fetched_but_take_no_post() {
    let policy = Policy::new([], [("https://cdn.contoso.com", "bundled")]).unwrap();
    let bundled = Arc::new(|path: &str| (path == "beep.wav").then(|| Bytes::from_static(b"RIFF")));
    let outbound = Outbound::new(Config { policy, bundled, ..Config::default() }).unwrap();
    assert_eq!(outbound.fetch("https://cdn.contoso.com/beep.wav", LIMITS).await.unwrap(), "RIFF");
    let missing = outbound.fetch("https://cdn.contoso.com/other.wav", LIMITS).await;
    assert!(matches!(missing, Err(OutboundError::Status(404))));
    let posted = post(&outbound, "https://cdn.contoso.com/beep.wav").await;
    assert!(matches!(posted, Err(OutboundError::Forbidden(Forbidden::Bundled))));
}

#[tokio::test]
async fn past_the_limit_of_requests_one_more_is_refused() {
    let outbound = Outbound::new(Config { max_requests: 0, ..Config::default() }).unwrap();
    assert!(matches!(post(&outbound, "https://bot.example/").await, Err(OutboundError::Busy)));
}

#[tokio::test]
async fn a_websockets_connection_goes_where_requests_go_and_counts_only_until_it_is_open() {
    let server = Server::start(|_| reply("426 Upgrade Required", "", ""), None).await;
    let mapped = format!("http://{}", server.address);
    let policy = Policy::new([], [("https://bot.contoso.com", mapped.as_str())]).unwrap();
    let outbound = Outbound::new(Config { policy, max_requests: 1, ..Config::default() }).unwrap();
    let mut opened = Vec::new();
    for _ in 0..3 {
        let (mut stream, asked) = outbound.open("wss://bot.contoso.com/media?a=b", LONG).await.unwrap();
        assert_eq!(asked.as_str(), "wss://bot.contoso.com/media?a=b");
        stream.write_all(b"GET /media HTTP/1.1\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 426");
        opened.push(stream);
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 3);

    let full = Outbound::new(Config { max_requests: 0, ..Config::default() }).unwrap();
    assert!(matches!(full.open("wss://bot.example/", LONG).await, Err(OutboundError::Busy)));
    let plain = full.open("ws://bot.example/", LONG).await;
    assert!(matches!(plain, Err(OutboundError::Forbidden(Forbidden::SocketScheme))));
}

/// Begins lookups that do not end.
struct Never;

impl Resolve for Never {
    fn resolve<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Lookup> {
        Box::pin(async { Lookup::new(std::future::pending()) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_websockets_connection_is_given_up_in_time() {
    let outbound = Outbound::new(Config { resolver: Arc::new(Never), ..Config::default() }).unwrap();
    let late = outbound.open("wss://bot.example/", Duration::from_millis(100)).await;
    assert!(matches!(late, Err(OutboundError::Timeout)));
}

/// Says that every name is this host.
struct Here;

impl Resolve for Here {
    fn resolve<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, Lookup> {
        Box::pin(async { Lookup::new(async { Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]) }) })
    }
}

#[tokio::test]
async fn https_trusts_the_extra_ca_and_checks_the_name() {
    let made = rcgen::generate_simple_self_signed(["bot.test".to_owned()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![made.cert.der().clone()],
            PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let server = Server::start(|_| reply("200 OK", "", "secret"), Some(acceptor)).await;
    let port = server.address.port();
    let outbound = |extra_ca_pem| {
        let policy = Policy::new(["bot.test", "other.test"], []).unwrap();
        Outbound::new(Config { policy, resolver: Arc::new(Here), extra_ca_pem, ..Config::default() }).unwrap()
    };

    let trusting = outbound(Some(made.cert.pem().into_bytes()));
    assert_eq!(trusting.fetch(&format!("https://bot.test:{port}/"), LIMITS).await.unwrap(), "secret");
    let (mut stream, _) = trusting.open(&format!("wss://bot.test:{port}/"), LONG).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    stream.read_exact(&mut [0; 8]).await.unwrap();
    let wrong_name = trusting.fetch(&format!("https://other.test:{port}/"), LIMITS).await;
    assert!(matches!(wrong_name, Err(OutboundError::Connect(_))), "{wrong_name:?}");
    let untrusted = outbound(None).fetch(&format!("https://bot.test:{port}/"), LIMITS).await;
    assert!(matches!(untrusted, Err(OutboundError::Connect(_))), "{untrusted:?}");
}

#[tokio::test]
async fn a_name_that_resolves_to_this_host_is_refused() {
    let outbound = Outbound::new(Config { resolver: Arc::new(Here), ..Config::default() }).unwrap();
    let refused = post(&outbound, "https://innocent.example/callback").await;
    assert!(matches!(refused, Err(OutboundError::Forbidden(Forbidden::Address))));
    let socket = outbound.open("wss://innocent.example/media", LONG).await;
    assert!(matches!(socket, Err(OutboundError::Forbidden(Forbidden::Address))));
}

#[test]
fn an_extra_ca_that_holds_no_certificate_is_an_error() {
    for pem in ["", "no certificate"] {
        let config = Config { extra_ca_pem: Some(pem.into()), ..Config::default() };
        assert!(Outbound::new(config).is_err());
    }
}
