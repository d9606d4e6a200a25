use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Who is told of each notification: its path, and its body.
pub(super) type Taker = Arc<dyn Fn(&str, &[u8]) + Send + Sync>;

/// Starts a receiver that answers 202 at once; returns its address.
pub(super) async fn start(taker: Taker) -> Result<SocketAddr> {
    let (listener, address) = listen().await?;
    serve(listener, taker);
    Ok(address)
}

/// Where a receiver will be.
pub(super) async fn listen() -> Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("failed to listen")?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Answers everything that comes with 202 at once.
pub(super) fn serve(listener: TcpListener, taker: Taker) {
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, Arc::clone(&taker)));
        }
    });
}

async fn receive(stream: TcpStream, taker: Taker) {
    // Where that fails, the times are a little worse.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request: Request<Incoming>| {
        let taker = Arc::clone(&taker);
        async move {
            let path = request.uri().path().to_owned();
            let mut answer = Response::new(Empty::<Bytes>::new());
            *answer.status_mut() = StatusCode::ACCEPTED;
            match request.into_body().collect().await {
                Ok(body) => taker(&path, &body.to_bytes()),
                Err(_gone) => *answer.status_mut() = StatusCode::BAD_REQUEST,
            }
            Ok::<_, Infallible>(answer)
        }
    });
    // The server closes connections when it ends.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
