use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use http::HeaderValue;
use http::header::{COOKIE, ORIGIN};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::{eventually, within};

/// The socket of a page, whatever page that is. It keeps all messages.
#[derive(Debug)]
pub struct WebPage {
    server: SocketAddr,
    path: String,
    cookie: Option<String>,
    kept: Arc<Mutex<Kept>>,
    sending: mpsc::UnboundedSender<Message>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Kept {
    messages: Vec<Value>,
    closed: Option<(u16, String)>,
    is_over: bool,
}

impl WebPage {
    /// Opens the socket of a page of that origin; the HTTP status where it is refused.
    pub(crate) async fn open(
        server: SocketAddr,
        path: &str,
        cookie: Option<&str>,
        origin: Option<&str>,
    ) -> Result<Self, u16> {
        let mut asked = format!("ws://{server}{path}").into_client_request().expect("an address");
        for (name, value) in [(COOKIE, cookie), (ORIGIN, origin)] {
            if let Some(value) = value {
                asked.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header"));
            }
        }
        let stream = TcpStream::connect(server).await.expect("the server listens");
        match within("an answer", client_async(asked, stream)).await {
            Ok((socket, _)) => {
                let kept = Arc::<Mutex<Kept>>::default();
                let (sending, queue) = mpsc::unbounded_channel();
                let task = tokio::spawn(carry(socket, queue, Arc::clone(&kept)));
                let (path, cookie) = (path.to_owned(), cookie.map(str::to_owned));
                Ok(Self { server, path, cookie, kept, sending, task })
            }
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no answer: {error}"),
        }
    }

    /// Says something.
    pub fn say(&self, message: &Value) {
        self.send(Message::text(message.to_string()));
    }

    /// Sends whatever it is.
    pub fn send(&self, message: Message) {
        // A page whose socket is gone says nothing more.
        let _ = self.sending.send(message);
    }

    /// Waits for a message, however long ago it came; the latest of those.
    pub async fn expect(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(what, async || {
            let messages = self.messages();
            (messages.iter().any(&is_it), messages)
        });
        found.await.into_iter().rfind(|message| is_it(message)).expect("the message that was found")
    }

    /// Waits until it is welcomed.
    pub(crate) async fn welcomed(&self) -> Value {
        self.expect("it is welcome", |message| message["type"] == "welcome").await
    }

    /// Waits until the server has closed the socket, and says how.
    pub async fn expect_close(&self) -> (u16, String) {
        let closed = eventually("the server closes the socket", async || {
            let kept = self.kept();
            (kept.is_over, kept.closed.clone())
        });
        closed.await.expect("a code")
    }

    /// Closes its socket, as a page does that is closed.
    pub async fn close(&self) {
        self.send(Message::Close(None));
        eventually("the socket is closed", async || (self.kept().is_over, ())).await;
    }

    /// Loses its socket without a good-bye, and comes back by another; returns what it is welcomed with.
    pub(crate) async fn come_back(&mut self) -> Value {
        self.task.abort();
        let again = Self::open(self.server, &self.path, self.cookie.as_deref(), None).await;
        *self = again.expect("a socket");
        self.welcomed().await
    }

    /// All that it was told.
    pub fn messages(&self) -> Vec<Value> {
        self.kept().messages.clone()
    }

    /// Forgets what it was told of this kind, so that the next of it is awaited.
    pub fn forget(&self, kind: &str) {
        self.kept().messages.retain(|message| message["type"] != kind);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WebPage {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut socket: WebSocketStream<TcpStream>,
    mut queue: mpsc::UnboundedReceiver<Message>,
    kept: Arc<Mutex<Kept>>,
) {
    let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    lock().messages.push(serde_json::from_str(&text).expect("messages are JSON"));
                }
                Some(Ok(Message::Close(frame))) => {
                    lock().closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                }
                Some(Ok(Message::Binary(_) | Message::Frame(_) | Message::Ping(_) | Message::Pong(_))) => {}
                Some(Err(_)) | None => break,
            },
            Some(message) = queue.recv() => {
                // How it is over is read, even where nothing can be written any more.
                let _ = socket.send(message).await;
            }
        }
    }
    lock().is_over = true;
}
