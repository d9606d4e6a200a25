use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use bytes::Bytes;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// The bot's callback address: whatever is posted there, in order.
pub(super) struct Webhook {
    pub(super) address: SocketAddr,
    received: mpsc::Receiver<Posted>,
}

/// A request that reached the callback address.
pub(super) struct Posted {
    /// The token that came with it.
    pub(super) bearer: Option<String>,
    pub(super) body: Value,
}

/// Notifications that may wait for the bot; a call of the demo has about ten.
const QUEUE: usize = 64;

impl Webhook {
    pub(super) async fn start() -> Result<Self> {
        let listener =
            TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await.context("failed to listen")?;
        let address = listener.local_addr()?;
        let (posted, received) = mpsc::channel(QUEUE);
        let router = Router::new().route("/callback", post(take)).with_state(posted);
        tokio::spawn(axum::serve(listener, router).into_future());
        Ok(Self { address, received })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Result<Posted> {
        self.received.recv().await.context("the bot's webhook has ended")
    }
}

async fn take(State(posted): State<mpsc::Sender<Posted>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = authorization.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
    let Ok(body) = serde_json::from_slice(&body) else { return StatusCode::BAD_REQUEST };
    match posted.try_send(Posted { bearer, body }) {
        Ok(()) => StatusCode::ACCEPTED,
        Err(_full) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
