use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE};
use http::{HeaderValue, Method, Request};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::dev::User;
use crate::http_client::{Reply, bare, request};
use crate::server::Server;
use crate::wait::{eventually, within};
use crate::web_stack::WebStack;

/// Where people sign in.
const SESSION: &str = "/hookswitch/v1/web/session";

/// Somebody who has signed in, as the browser's cookie has it.
#[derive(Clone, Debug)]
pub struct WebSession {
    server: SocketAddr,
    cookie: String,
}

impl WebSession {
    /// Signs in.
    ///
    /// # Panics
    ///
    /// Panics where that is refused.
    pub async fn of(server: &Server, user: User) -> Self {
        let reply = Self::ask(server, user.sip_name, User::PASSWORD).await.expect(200);
        assert_eq!(reply.json()["user"]["id"], user.id, "{reply}");
        let cookie = reply.header("set-cookie").expect("a cookie");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Self { server: server.http(), cookie }
    }

    /// Tries to sign in.
    pub async fn ask(server: &Server, name: &str, password: &str) -> Reply {
        let body = json!({"user": name, "password": password}).to_string();
        let mut asked = bare(Method::POST, SESSION).map(|_| Bytes::from(body));
        asked.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request(server.http(), asked).await
    }

    /// The same session with something else in its cookie.
    #[must_use]
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { server: self.server, cookie: cookie.to_owned() }
    }

    /// Asks who is signed in, with further headers.
    pub async fn who(&self, headers: &[(&'static str, &str)]) -> Reply {
        request(self.server, self.request(Method::GET, headers)).await
    }

    /// Signs out.
    pub async fn sign_out(&self) -> Reply {
        let reply = request(self.server, self.request(Method::DELETE, &[])).await;
        assert!(reply.headers.contains_key(SET_COOKIE), "the cookie is taken back: {reply}");
        reply
    }

    fn request(&self, method: Method, headers: &[(&'static str, &str)]) -> Request<Bytes> {
        let mut asked = bare(method, SESSION);
        asked.headers_mut().insert(COOKIE, HeaderValue::from_str(&self.cookie).expect("a cookie"));
        for (name, value) in headers {
            asked.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        asked
    }
}

/// The page of a browser that is a telephone: its socket, and a media stack for each call.
///
/// It keeps all messages.
#[derive(Debug)]
pub struct WebPhone {
    session: WebSession,
    name: String,
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

impl WebPhone {
    /// A page of a user who signs in.
    pub async fn of(server: &Server, user: User) -> Self {
        Self::open(&WebSession::of(server, user).await, "a-phone-for-tests").await
    }

    /// A page of whoever has signed in.
    ///
    /// # Panics
    ///
    /// Panics where it gets no socket.
    pub async fn open(session: &WebSession, name: &str) -> Self {
        let page = Self::try_open(session, name, None).await.expect("a socket");
        page.expect("it is welcome", |message| message["type"] == "welcome").await;
        page
    }

    /// The same from a page of that origin, and with the status where it is refused.
    ///
    /// # Errors
    ///
    /// The HTTP status.
    ///
    /// # Panics
    ///
    /// Panics where there is no HTTP server.
    pub async fn try_open(session: &WebSession, name: &str, origin: Option<&str>) -> Result<Self, u16> {
        let url = format!("ws://{}/hookswitch/v1/web/phone?phone={name}", session.server);
        let mut asked = url.into_client_request().expect("an address");
        let headers = asked.headers_mut();
        headers.insert(COOKIE, HeaderValue::from_str(&session.cookie).expect("a cookie"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).expect("an origin"));
        }
        let stream = TcpStream::connect(session.server).await.expect("the server listens");
        match within("an answer", client_async(asked, stream)).await {
            Ok((socket, _)) => {
                let kept = Arc::<Mutex<Kept>>::default();
                let (sending, queue) = mpsc::unbounded_channel();
                let task = tokio::spawn(carry(socket, queue, Arc::clone(&kept)));
                Ok(Self { session: session.clone(), name: name.to_owned(), kept, sending, task })
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

    /// Waits for a message, however long ago it came.
    pub async fn expect(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(what, async || {
            let messages = self.messages();
            (messages.iter().any(&is_it), messages)
        });
        found.await.into_iter().rfind(|message| is_it(message)).expect("the message that was found")
    }

    /// Waits until a call rings, and returns its message.
    pub async fn rings(&self) -> Value {
        self.expect("it rings", |message| message["type"] == "incoming").await
    }

    /// Waits for the end of a call, and returns the reason.
    pub async fn ended(&self, call: &str) -> String {
        let is_it = |message: &Value| message["type"] == "ended" && message["call"] == call;
        let message = self.expect("the call ends", is_it).await;
        message["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the server has closed the socket, and says how.
    pub async fn expect_close(&self) -> (u16, String) {
        let closed = eventually("the server closes the socket", async || {
            let kept = self.kept();
            (kept.is_over, kept.closed.clone())
        });
        closed.await.expect("a code")
    }

    /// Takes a call, and says a tone of that pitch in it.
    pub async fn accept(&self, call: &str, tone_hz: u32) -> WebStack {
        let stack = WebStack::open(tone_hz).await;
        self.negotiate("accept", call, &stack, json!({})).await;
        stack
    }

    /// Calls somebody. The answer is awaited by [`Self::answered`].
    pub async fn call(&self, call: &str, to: &str, tone_hz: u32) -> WebStack {
        let stack = WebStack::open(tone_hz).await;
        let offer = stack.offer(false).await;
        self.say(&json!({"type": "call", "call": call, "to": to, "sdp": offer}));
        stack
    }

    /// Waits for the answer to what it has offered last.
    pub async fn answered(&self, call: &str, stack: &WebStack) {
        let is_it = |message: &Value| message["type"] == "answer" && message["call"] == call;
        let answer = self.expect("an answer", is_it).await;
        stack.answered(answer["sdp"].as_str().expect("a description")).await;
    }

    /// Makes a later offer, with a restart of ICE.
    pub async fn reoffer(&self, call: &str, stack: &WebStack) {
        self.kept().messages.retain(|message| message["type"] != "answer");
        let offer = stack.offer(true).await;
        self.say(&json!({"type": "offer", "call": call, "sdp": offer}));
        self.answered(call, stack).await;
    }

    async fn negotiate(&self, kind: &str, call: &str, stack: &WebStack, mut message: Value) {
        let offer = stack.offer(false).await;
        message["type"] = json!(kind);
        message["call"] = json!(call);
        message["sdp"] = json!(offer);
        self.say(&message);
        self.answered(call, stack).await;
    }

    /// Closes its socket, as a page does that is closed.
    pub async fn close(&self) {
        self.send(Message::Close(None));
        eventually("the socket is closed", async || (self.kept().is_over, ())).await;
    }

    /// Loses its socket without a good-bye, and comes back by another; returns what it is welcomed with.
    pub async fn come_back(&mut self) -> Value {
        self.task.abort();
        let again = Self::try_open(&self.session, &self.name, None).await.expect("a socket");
        *self = again;
        self.expect("it is welcome", |message| message["type"] == "welcome").await
    }

    /// All that it was told.
    pub fn messages(&self) -> Vec<Value> {
        self.kept().messages.clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WebPhone {
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
