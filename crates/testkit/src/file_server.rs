use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{StatusCode, Uri};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A web server with some files, which counts how often each path is asked for.
#[derive(Debug)]
pub struct FileServer {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shelf {
    files: BTreeMap<&'static str, Bytes>,
    asked: Mutex<Vec<String>>,
}

impl FileServer {
    /// Serves files by their paths, which begin with a slash; everything else is a 404.
    ///
    /// # Panics
    ///
    /// Panics where no port is free.
    pub async fn start(files: impl IntoIterator<Item = (&'static str, Vec<u8>)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("no port for files");
        let address = listener.local_addr().expect("a bound socket has an address");
        let files = files.into_iter().map(|(path, file)| (path, Bytes::from(file))).collect();
        let shelf = Arc::new(Shelf { files, asked: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shelf));
        let serving = tokio::spawn(async move {
            // Serving ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Self { address, shelf, serving }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How often a path was asked for.
    pub fn asked_for(&self, path: &str) -> usize {
        let asked = self.shelf.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|asked| *asked == path).count()
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(State(shelf): State<Arc<Shelf>>, uri: Uri) -> Response {
    shelf.asked.lock().unwrap_or_else(PoisonError::into_inner).push(uri.path().to_owned());
    match shelf.files.get(uri.path()) {
        Some(file) => file.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
