//! A page's socket, whatever is said over it: it comes and goes, and the page's task stays.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

/// What may wait for a page's task. What its socket says waits with the socket.
pub(super) const MAX_ORDERS: usize = 32;

/// Messages that may wait for a page to be read; one that is slower is dropped.
const MAX_UNREAD: usize = 64;

/// Why a page closes its socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Farewell {
    /// The server is leaving.
    #[default]
    Leaving,
    /// The page has come by another socket.
    Replaced,
    /// It does not read.
    TooSlow,
}

/// Why a page does not get a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageRefused {
    /// The server is leaving.
    #[error("the server is shutting down")]
    Draining,
    /// There are as many pages as may be, of this user or in all.
    #[error("there are as many pages as may be")]
    Full,
}

/// What a page's task is told by its sockets, over which `S` is said and `T` is told.
pub(super) enum FromSocket<S, T> {
    /// Take this socket in place of any other.
    Attach(Attached<T>),
    /// The socket of that number is gone, without a good-bye where it is lost.
    Detach { number: u64, is_lost: bool },
    /// The user has signed out.
    Leave(u64),
    /// The socket says something.
    Said(u64, S),
}

/// The page's end of a socket.
pub(super) struct Attached<T> {
    number: u64,
    to: mpsc::Sender<T>,
    why: Arc<Mutex<Farewell>>,
}

/// A socket's end of a page. Dropping it leaves the page waiting for another one.
pub struct PageSocket<S: Send + 'static, T: Send + 'static> {
    number: u64,
    page: mpsc::Sender<FromSocket<S, T>>,
    messages: mpsc::Receiver<T>,
    why: Arc<Mutex<Farewell>>,
    is_lost: bool,
}

impl<S: Send + 'static, T: Send + 'static> PageSocket<S, T> {
    /// Connects the page that is found or begun.
    pub(super) async fn attach(
        mut find: impl FnMut() -> Result<mpsc::Sender<FromSocket<S, T>>, PageRefused> + Send,
    ) -> Result<Self, PageRefused> {
        let (to, messages) = mpsc::channel(MAX_UNREAD);
        let (number, why) = (next_number(), Arc::<Mutex<Farewell>>::default());
        let mut attached = Attached { number, to, why: Arc::clone(&why) };
        loop {
            let page = find()?;
            match page.send(FromSocket::Attach(attached)).await {
                Ok(()) => return Ok(Self { number, page, messages, why, is_lost: true }),
                // It has gone in this moment.
                Err(mpsc::error::SendError(FromSocket::Attach(again))) => attached = again,
                Err(_) => return Err(PageRefused::Draining),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Passes on what the page says; false once there is no use in it.
    pub async fn say(&self, message: S) -> bool {
        self.page.send(FromSocket::Said(self.number, message)).await.is_ok()
    }

    /// What the page is to be told next; `None` where the socket is to be closed.
    pub async fn next(&mut self) -> Option<T> {
        self.messages.recv().await
    }

    /// Why it is to be closed.
    pub fn farewell(&self) -> Farewell {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page closes its socket: what it takes part in waits for it, but nothing else does.
    pub fn close(mut self) {
        self.is_lost = false;
    }

    /// The user has signed out: what the page takes part in ends at once.
    pub async fn leave(self) {
        // A page that is gone has left.
        let _ = self.page.send(FromSocket::Leave(self.number)).await;
    }
}

impl<S: Send + 'static, T: Send + 'static> Drop for PageSocket<S, T> {
    fn drop(&mut self) {
        let page = self.page.clone();
        let order = FromSocket::Detach { number: self.number, is_lost: self.is_lost };
        if let Err(mpsc::error::TrySendError::Full(order)) = page.try_send(order) {
            tokio::spawn(async move { page.send(order).await });
        }
    }
}

/// Where a page's socket is while it has one.
pub(super) struct Seat<T>(Option<Attached<T>>);

impl<T> Seat<T> {
    pub(super) const fn empty() -> Self {
        Self(None)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether the socket of that number is the one that counts.
    pub(super) fn has(&self, number: u64) -> bool {
        self.0.as_ref().is_some_and(|socket| socket.number == number)
    }

    /// Takes a socket in place of any other.
    pub(super) fn take(&mut self, socket: Attached<T>) {
        self.close(Farewell::Replaced);
        self.0 = Some(socket);
    }

    /// The socket is gone.
    pub(super) fn lose(&mut self) {
        self.0 = None;
    }

    fn close(&mut self, why: Farewell) {
        if let Some(socket) = self.0.take() {
            *socket.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
        }
    }

    /// Tells the page, if it is there; one that does not read loses its socket.
    pub(super) fn say(&mut self, message: T) {
        let Some(socket) = &self.0 else { return };
        if socket.to.try_send(message).is_err() {
            self.close(Farewell::TooSlow);
        }
    }
}

fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
