//! A bot's webhook: a real HTTP server that answers as a test says.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A POST that came.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Post {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.header("hookswitch-sequence").parse().unwrap()
    }

    pub(crate) fn attempt(&self) -> u32 {
        self.header("hookswitch-attempt").parse().unwrap()
    }
}

pub(crate) enum Reply {
    Hang,
    Redirect(u16, String),
    Status(u16),
}

type Script = dyn Fn(&Post) -> Reply + Send + Sync;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    posts: mpsc::UnboundedReceiver<Post>,
}

impl Receiver {
    pub(crate) async fn start(script: impl Fn(&Post) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, posts) = mpsc::unbounded_channel();
        let script: Arc<Script> = Arc::new(script);
        let app = Router::new().fallback(receive).with_state((script, sender));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, posts }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next POST, whenever it comes.
    pub(crate) async fn next(&mut self) -> Post {
        self.posts.recv().await.unwrap()
    }

    /// The POSTs that have come.
    pub(crate) fn come(&mut self) -> Vec<Post> {
        std::iter::from_fn(|| self.posts.try_recv().ok()).collect()
    }
}

async fn receive(
    State((script, posts)): State<(Arc<Script>, mpsc::UnboundedSender<Post>)>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<String> {
    let body = String::from_utf8(body.to_vec()).unwrap();
    let post = Post { path: uri.path().to_owned(), headers, body };
    let reply = script(&post);
    let _ = posts.send(post);
    let (status, location) = match reply {
        Reply::Hang => std::future::pending().await,
        Reply::Redirect(status, location) => (status, Some(location)),
        Reply::Status(status) => (status, None),
    };
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    if let Some(location) = location {
        response.headers_mut().insert(header::LOCATION, location.try_into().unwrap());
    }
    response
}
