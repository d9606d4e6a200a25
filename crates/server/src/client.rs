//! A small HTTP client for the program's own server, used by the demo and the benchmarks.

use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// One connection to a server of this machine.
pub(crate) struct Client {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    bearer: Option<String>,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("the answer is not JSON")
    }

    /// The body, where the request was met.
    pub(crate) fn success(self, doing: &str) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        bail!("failed to {doing}: {} {}", self.status, String::from_utf8_lossy(&self.body))
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("failed to connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.context("failed to speak HTTP")?;
        // It ends with the client; an early end shows in the next request.
        tokio::spawn(connection);
        Ok(Self { address, sender, bearer: None })
    }

    /// Signs in with an application's secret; later requests carry the token.
    pub(crate) async fn sign_in(&mut self, tenant: &str, app: &str, secret: &str) -> Result<()> {
        let form = format!(
            "grant_type=client_credentials&client_id={app}&client_secret={secret}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
        );
        let path = format!("/{tenant}/oauth2/v2.0/token");
        let kind = "application/x-www-form-urlencoded";
        let answer =
            self.send(Method::POST, &path, Some((kind, form.into()))).await?.success("get a token")?;
        let token = answer.json()?["access_token"].as_str().map(str::to_owned);
        self.bearer = Some(token.context("the answer holds no token")?);
        Ok(())
    }

    /// Sends the token with later requests.
    pub(crate) fn set_bearer(&mut self, bearer: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.bearer, bearer)
    }

    pub(crate) async fn post(&mut self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Method::POST, path, Some(("application/json", body.to_string().into()))).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&mut self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, None).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<(&str, Bytes)>) -> Result<Answer> {
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, self.address.to_string());
        if let Some(bearer) = &self.bearer {
            request = request.header(header::AUTHORIZATION, format!("Bearer {bearer}"));
        }
        if let Some((kind, _)) = &body {
            request = request.header(header::CONTENT_TYPE, *kind);
        }
        let body = body.map(|(_, body)| body).unwrap_or_default();
        let request = request.body(Full::new(body)).context("failed to make a request")?;
        self.sender.ready().await.context("the server closed the connection")?;
        let response = self.sender.send_request(request).await.context("failed to send a request")?;
        let status = response.status();
        let body = response.into_body().collect().await.context("failed to read an answer")?.to_bytes();
        Ok(Answer { status, body })
    }
}
