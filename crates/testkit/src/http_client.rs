use std::net::SocketAddr;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::wait::within;

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    ///
    /// Panics where it is something else.
    pub fn json(&self) -> Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("the answer is not JSON ({error}): {self}"))
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The code of a Graph error.
    pub fn error_code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Itself, once its status is as expected.
    ///
    /// # Panics
    ///
    /// Panics with the whole answer where it is not.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}\n{}", self.status, self.headers, String::from_utf8_lossy(&self.body))
    }
}

/// Sends one request on a connection of its own; `Host` is added.
///
/// # Errors
///
/// Says why there is no answer.
pub(crate) async fn try_request(server: SocketAddr, mut request: Request<Bytes>) -> Result<Reply, String> {
    let said = |error: &dyn std::error::Error| error.to_string();
    let stream = TcpStream::connect(server).await.map_err(|error| said(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| said(&error))?;
    tokio::spawn(connection);
    if let Ok(host) = HeaderValue::from_str(&server.to_string()) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    let response = sender.send_request(request.map(Full::new)).await.map_err(|error| said(&error))?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| said(&error))?.to_bytes();
    Ok(Reply { status: parts.status, headers: parts.headers, body })
}

/// Sends one request on a connection of its own.
///
/// # Panics
///
/// Panics where no answer comes.
pub async fn request(server: SocketAddr, request: Request<Bytes>) -> Reply {
    let shown = format!("{} {}", request.method(), request.uri());
    let answer = within(&format!("an answer to {shown}"), try_request(server, request)).await;
    answer.unwrap_or_else(|error| panic!("no answer to {shown}: {error}"))
}

/// A request without a body.
///
/// # Panics
///
/// Panics where the path is none.
pub fn bare(method: Method, path: &str) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap_or_else(|error| panic!("{path} is no path: {error}"));
    request
}
