//! Calls somebody and sends back what it hears: 20 ms of sound by WebSocket, in the dialect `hookswitch`.
//!
//! HOOKSWITCH_URL, TOKEN and USER_ID say where, as whom and to whom; CALLBACK is where notifications come in. Plain HTTP,
//! as `hookswitch dev` serves it.

use std::env::var;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

/// Before the samples of every piece: whose they are, and when they were heard.
const HEADER_OCTETS: usize = 32;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let callback = var("CALLBACK").unwrap_or_else(|_| "http://127.0.0.1:9000/callback".to_owned());
    let mut states = listen(&callback.parse()?).await?;
    // Without a url the answer tells where to dial in.
    let call = create_call(&callback, &json!({"transport": "websocket", "dialect": "hookswitch"})).await?;
    println!("created {}", call["id"].as_str().context("no id")?);
    let blob: Value = serde_json::from_str(call["mediaConfig"]["blob"].as_str().context("no blob")?)?;
    echo(blob["websocket"]["url"].as_str().context("nowhere to dial in")?).await?;
    while let Some(state) = states.recv().await {
        if state == "terminated" {
            break;
        }
    }
    Ok(())
}

/// Echoes until the server closes the socket.
async fn echo(url: &str) -> Result<()> {
    let (mut socket, _) = connect_async(url).await?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Binary(piece) => {
                socket.send(Message::Binary(piece.slice(HEADER_OCTETS.min(piece.len())..))).await?;
            }
            Message::Text(text) => {
                let event: Value = serde_json::from_str(&text)?;
                println!("told {}", event["kind"].as_str().unwrap_or_default());
            }
            Message::Close(Some(frame)) => println!("closed {} {}", frame.code, frame.reason),
            _ => {}
        }
    }
    Ok(())
}

/// Asks for a call whose sound is ours, and gives back its answer.
async fn create_call(callback: &str, blob: &Value) -> Result<Value> {
    let url: Uri = format!("{}/v1.0/communications/calls", var("HOOKSWITCH_URL")?).parse()?;
    let host = url.authority().context("no host in HOOKSWITCH_URL")?.to_string();
    let user = json!({"@odata.type": "#microsoft.graph.identity", "id": var("USER_ID")?});
    let call = json!({
        "@odata.type": "#microsoft.graph.call",
        "callbackUri": callback,
        "targets": [{
            "@odata.type": "#microsoft.graph.invitationParticipantInfo",
            "identity": {"@odata.type": "#microsoft.graph.identitySet", "user": user},
        }],
        "requestedModalities": ["audio"],
        "mediaConfig": {"@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": blob.to_string()},
    });
    let request = Request::post(url.path())
        .header("Host", &host)
        .header("Authorization", format!("Bearer {}", var("TOKEN")?))
        .header("Content-Type", "application/json")
        .body(Full::new(Bytes::from(call.to_string())))?;
    let stream = TokioIo::new(TcpStream::connect(&host).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    ensure!(status == StatusCode::CREATED, "{status}: {}", String::from_utf8_lossy(&body));
    Ok(serde_json::from_slice(&body)?)
}

/// Takes in notifications: the states of the call. A bot for others to reach verifies their tokens first.
async fn listen(callback: &Uri) -> Result<mpsc::UnboundedReceiver<String>> {
    let listener = TcpListener::bind(callback.authority().context("no host in CALLBACK")?.as_str()).await?;
    let (sender, states) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let sender = sender.clone();
            let receive = service_fn(move |request| notified(request, sender.clone()));
            let server = hyper::server::conn::http1::Builder::new();
            tokio::spawn(server.serve_connection(TokioIo::new(stream), receive));
        }
    });
    Ok(states)
}

async fn notified(
    request: Request<Incoming>,
    states: mpsc::UnboundedSender<String>,
) -> Result<Response<Full<Bytes>>> {
    let body: Value = serde_json::from_slice(&request.into_body().collect().await?.to_bytes())?;
    for change in body["value"].as_array().into_iter().flatten() {
        if let Some(state) = change["resourceData"]["state"].as_str() {
            println!("call is {state}");
            states.send(state.to_owned())?;
        }
    }
    let mut response = Response::default();
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}
