use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::Connection;
use tokio::sync::watch;

use crate::queue::Queue;

/// A question to the database; it answers whoever asked by itself.
pub(crate) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Starts a thread that answers questions until the queue is closed and empty. `running` is dropped as it ends.
pub(crate) fn spawn(
    connection: Connection,
    queue: Arc<Queue<Read>>,
    running: Arc<watch::Sender<()>>,
) -> io::Result<JoinHandle<()>> {
    thread::Builder::new().name("store-reader".to_owned()).spawn(move || {
        while let Some(read) = queue.pop() {
            read(&connection);
        }
        drop(connection);
        drop(running);
    })
}
