use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HOST};
use http::{HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::dev::User;
use crate::http_client::{Reply, bare, request};
use crate::server::Server;
use crate::wait::{eventually, within};
use crate::web_phone::WebSession;

const BASE: &str = "/hookswitch/v1/console/";

/// A page of the console, of whoever has signed in.
#[derive(Clone, Debug)]
pub struct ConsolePage {
    server: SocketAddr,
    cookie: Option<String>,
}

impl ConsolePage {
    /// Of a user who signs in.
    pub async fn of(server: &Server, user: User) -> Self {
        Self::with(&WebSession::of(server, user).await)
    }

    /// Of whoever has signed in.
    pub fn with(session: &WebSession) -> Self {
        Self { server: session.server(), cookie: Some(session.cookie().to_owned()) }
    }

    /// Of nobody.
    pub fn of_nobody(server: &Server) -> Self {
        Self { server: server.http(), cookie: None }
    }

    /// Asks for something below the console's path.
    pub async fn ask(&self, path: &str) -> Reply {
        request(self.server, self.request(Method::GET, path, Bytes::new())).await
    }

    /// The same as JSON.
    pub async fn get(&self, path: &str) -> Value {
        self.ask(path).await.expect(200).json()
    }

    /// Posts JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        request(self.server, self.request(Method::POST, path, body.to_string().into())).await
    }

    /// All that is known of a call.
    pub async fn call(&self, id: &str) -> Value {
        self.get(&format!("calls/{id}")).await
    }

    /// Listens to what happens, and in one call.
    ///
    /// # Panics
    ///
    /// Panics where that is refused.
    pub async fn listen(&self, call: Option<&str>) -> ConsoleEvents {
        let path = call.map_or_else(|| "events".to_owned(), |call| format!("events?call={call}"));
        let mut asked = self.request(Method::GET, &path, Bytes::new());
        let host = HeaderValue::from_str(&self.server.to_string()).expect("an address is a host");
        asked.headers_mut().insert(HOST, host);
        let opening = async {
            let stream = TcpStream::connect(self.server).await.expect("a server");
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
            let connection = tokio::spawn(async move { drop(connection.await) });
            (sender.send_request(asked.map(Full::new)).await.expect("an answer"), connection)
        };
        let (response, connection) = within("a stream of events", opening).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        let kept = Arc::<Mutex<Kept>>::default();
        let (keeping, mut body) = (Arc::clone(&kept), response.into_body());
        let reading = tokio::spawn(async move {
            while let Some(Ok(frame)) = body.frame().await {
                if let Ok(data) = frame.into_data() {
                    lock(&keeping).take(&data);
                }
            }
            lock(&keeping).is_over = true;
        });
        let events = ConsoleEvents { kept, tasks: [connection, reading] };
        events.expect("hello", |_| true).await;
        events
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Bytes> {
        let mut asked = bare(method, &format!("{BASE}{path}")).map(|_| body);
        asked.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(cookie) = &self.cookie {
            asked.headers_mut().insert(COOKIE, HeaderValue::from_str(cookie).expect("a cookie"));
        }
        asked
    }
}

/// What the console tells as it happens. It keeps all events.
#[derive(Debug)]
pub struct ConsoleEvents {
    kept: Arc<Mutex<Kept>>,
    tasks: [JoinHandle<()>; 2],
}

#[derive(Debug, Default)]
struct Kept {
    unread: Vec<u8>,
    events: Vec<(String, Value)>,
    is_over: bool,
}

impl Kept {
    fn take(&mut self, data: &[u8]) {
        self.unread.extend_from_slice(data);
        while let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
            let event: Vec<u8> = self.unread.drain(..end + 2).collect();
            let text = String::from_utf8_lossy(&event);
            let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(name), Some(data)) = (field("event: "), field("data: ")) {
                self.events.push((name, serde_json::from_str(&data).expect("events are JSON")));
            }
        }
    }
}

impl ConsoleEvents {
    /// Waits for an event of that name that is looked for.
    pub async fn expect(&self, name: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let look = async || {
            let kept = lock(&self.kept);
            let found = kept.events.iter().find(|(known, data)| known == name && is_it(data));
            (found.is_some(), (found.map(|(_, data)| data.clone()), kept.events.clone()))
        };
        let (found, _) = eventually(&format!("an event '{name}'"), look).await;
        found.expect("it was found")
    }

    /// Everything of that name so far.
    pub fn all(&self, name: &str) -> Vec<Value> {
        let kept = lock(&self.kept);
        kept.events.iter().filter(|(known, _)| known == name).map(|(_, data)| data.clone()).collect()
    }

    /// Waits until the server ends the stream.
    pub async fn ended(&self) {
        let _ = eventually("the stream ends", async || (lock(&self.kept).is_over, ())).await;
    }
}

impl Drop for ConsoleEvents {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
