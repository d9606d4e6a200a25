//! WebSockets of applications, as connections of the HTTP server that have become something else.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use testkit::{MediaBot, Options};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::Stage;

const MEETING: &str =
    include_str!("../../../graph-wire/tests/requests/06-join-by-coordinates-app-hosted.json");

/// Joins the documented meeting and returns where the application dials in.
async fn invited(stage: &Stage) -> String {
    let mut body: Value = serde_json::from_str(MEETING).expect("JSON");
    body["callbackUri"] = json!(stage.webhook.url());
    let call = stage.bot.post("/v1.0/communications/calls", &body).await.expect(201).json();
    stage.webhook.expect_state(call["id"].as_str().expect("an id"), "established").await;
    let blob: Value =
        serde_json::from_str(call["mediaConfig"]["blob"].as_str().expect("a blob")).expect("JSON");
    blob["websocket"]["url"].as_str().expect("an address").to_owned()
}

/// A connection to the server's HTTPS that offers these protocols.
async fn over_tls(stage: &Stage, protocols: &[&str]) -> TlsStream<TcpStream> {
    let pem = std::fs::read(stage.server.data().join("ca.pem")).expect("the authority of `dev`");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.expect("a certificate")).expect("an authority");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(stage.server.https()).await.expect("the server listens");
    let name = ServerName::try_from("localhost").expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a handshake")
}

#[tokio::test]
async fn a_socket_lasts_longer_than_a_request_may() {
    let stage = Stage::with(Options::new().with("limits.request_timeout", "300ms")).await;
    let media = MediaBot::dial(&invited(&stage).await, "mixed").await;
    media.hear("", 1_500).await;
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_does_not_wait_for_sockets() {
    let mut stage = Stage::with(Options::new().with("server.drain_timeout", "10min")).await;
    let media = MediaBot::dial(&invited(&stage).await, "mixed").await;
    media.hear("", 200).await;
    assert_eq!(stage.server.terminate().await, 0);
    let (code, reason) = media.expect_close().await;
    assert_eq!(code, 1000, "{reason}");
}

#[tokio::test]
async fn an_application_dials_in_over_tls_with_any_client_of_http_1() {
    let stage = Stage::new().await;
    for protocols in [&[][..], &["http/1.1"]] {
        let url = invited(&stage).await;
        let path = url.split_once("/hookswitch/").expect("a path").1;
        let mut stream = over_tls(&stage, protocols).await;
        let request = format!(
            "GET /hookswitch/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut answer = Vec::new();
        testkit::eventually("the first message", async || {
            stream.read_buf(&mut answer).await.expect("bytes");
            let text = String::from_utf8_lossy(&answer).into_owned();
            (text.contains("\"kind\":\"AudioMetadata\""), text)
        })
        .await;
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        assert!(text.starts_with("http/1.1 101 "), "{text}");
        assert!(text.contains("\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n"), "{text}");
    }
}

#[tokio::test]
async fn over_http_2_an_application_is_told_what_to_use_and_keeps_its_address() {
    let stage = Stage::new().await;
    let url = invited(&stage).await;
    let stream = TokioIo::new(over_tls(&stage, &["h2"]).await);
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), stream).await.expect("a connection of HTTP/2");
    tokio::spawn(connection);
    let path = url.split_once("/hookswitch/").expect("a path").1;
    let request = Request::get(format!("https://localhost/hookswitch/{path}")).body(Empty::<Bytes>::new());
    let answer = sender.send_request(request.expect("a request")).await.expect("an answer");
    assert_eq!(answer.status(), 400);
    let body = answer.into_body().collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("HTTP/1.1"), "{body:?}");
    MediaBot::dial(&url, "mixed").await.hear("", 200).await;
}
