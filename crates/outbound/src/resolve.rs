use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, watch};

/// A future that can be kept in a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Turns names into addresses. The guard looks at what it returns, so it need not.
pub trait Resolve: Send + Sync {
    /// The addresses of a name, the preferred first.
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// Names that may be looked up at once. Each takes a thread for as long as a name server keeps it waiting, which is long
/// after the request was given up; well below the threads that the runtime has for such work.
const MAX_LOOKUPS: usize = 128;

/// Asks the system, as every program on this host does.
///
/// One name is looked up once at a time, whoever asks, so a name server that hangs holds one thread for each name.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    running: Arc<Mutex<BTreeMap<String, watch::Receiver<Option<Found>>>>>,
    lookups: Arc<Semaphore>,
}

type Found = Result<Arc<[IpAddr]>, (io::ErrorKind, Arc<str>)>;

impl Default for SystemResolver {
    fn default() -> Self {
        Self { running: Arc::default(), lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)) }
    }
}

impl SystemResolver {
    fn join(&self, host: &str) -> Option<watch::Receiver<Option<Found>>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = running.get(host) {
            return Some(found.clone());
        }
        let permit = Arc::clone(&self.lookups).try_acquire_owned().ok()?;
        let (sender, receiver) = watch::channel(None);
        running.insert(host.to_owned(), receiver.clone());
        let (running, host) = (Arc::clone(&self.running), host.to_owned());
        tokio::task::spawn_blocking(move || {
            let found = look_up(&host);
            running.lock().unwrap_or_else(PoisonError::into_inner).remove(&host);
            let _ = sender.send(Some(found));
            drop(permit);
        });
        Some(receiver)
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let mut found =
                self.join(host).ok_or_else(|| io::Error::other("too many names are being resolved"))?;
            let found = found.wait_for(Option::is_some).await.map_err(io::Error::other)?;
            match found.as_ref() {
                Some(Ok(addresses)) => Ok(addresses.to_vec()),
                Some(Err((kind, text))) => Err(io::Error::new(*kind, text.to_string())),
                None => Err(io::Error::other("the lookup ended without a result")),
            }
        })
    }
}

fn look_up(host: &str) -> Found {
    match (host, 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.map(|address: SocketAddr| address.ip()).collect()),
        Err(error) => Err((error.kind(), error.to_string().into())),
    }
}

#[cfg(test)]
mod tests {
    use super::{Resolve, SystemResolver};

    #[tokio::test]
    async fn a_name_is_resolved_for_all_who_ask_at_once() {
        let resolver = SystemResolver::default();
        let (one, two) = tokio::join!(resolver.resolve("localhost"), resolver.resolve("localhost"));
        assert!(one.unwrap().iter().all(std::net::IpAddr::is_loopback));
        assert!(!two.unwrap().is_empty());
        assert!(resolver.running.lock().unwrap().is_empty());
    }
}
