use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

/// A future that can be kept in a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A lookup under way.
#[must_use = "the addresses come out of it"]
pub struct Lookup(BoxFuture<'static, io::Result<Vec<IpAddr>>>);

impl Lookup {
    /// A lookup that ends as the future does.
    pub fn new(addresses: impl Future<Output = io::Result<Vec<IpAddr>>> + Send + 'static) -> Self {
        Self(Box::pin(addresses))
    }

    /// The addresses of the name, the preferred first.
    ///
    /// # Errors
    ///
    /// As the resolver says.
    pub async fn addresses(self) -> io::Result<Vec<IpAddr>> {
        self.0.await
    }
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").finish_non_exhaustive()
    }
}

/// Turns names into addresses. The guard looks at what it returns, so it need not.
pub trait Resolve: Send + Sync {
    /// Begins to look a name up, once `requester` may.
    ///
    /// Waiting for that is not part of the lookup: whoever gives up before has not asked any name server.
    fn resolve<'a>(&'a self, requester: &'a str, host: &'a str) -> BoxFuture<'a, Lookup>;
}

/// Names that may be looked up at once. Each takes a thread for as long as a name server keeps it waiting, which is long
/// after the request was given up; well below the threads that the runtime has for such work.
const MAX_LOOKUPS: usize = 128;

/// Asks the system, as every program on this host does.
///
/// One name is looked up once at a time, whoever asks, so a name server that hangs holds one thread for each name. A
/// requester may begin a lookup only while it has fewer than could still begin: one whose names all hang ends up with half
/// of the threads, two with a third each, and there is always one left for somebody else.
#[derive(Clone)]
pub struct SystemResolver {
    shared: Arc<Shared>,
}

struct Shared {
    running: Mutex<Running>,
    /// Told whenever a lookup ends.
    ended: Notify,
    ask_system: Box<dyn Fn(&str) -> Found + Send + Sync>,
}

#[derive(Debug, Default)]
struct Running {
    by_name: BTreeMap<String, watch::Receiver<Option<Found>>>,
    /// How many each requester began.
    by_requester: BTreeMap<String, usize>,
}

type Found = Result<Arc<[IpAddr]>, (io::ErrorKind, Arc<str>)>;

impl Default for SystemResolver {
    fn default() -> Self {
        Self::asking(look_up)
    }
}

impl fmt::Debug for SystemResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemResolver").finish_non_exhaustive()
    }
}

impl SystemResolver {
    fn asking(ask_system: impl Fn(&str) -> Found + Send + Sync + 'static) -> Self {
        let ask_system = Box::new(ask_system);
        let shared = Shared { running: Mutex::default(), ended: Notify::new(), ask_system };
        Self { shared: Arc::new(shared) }
    }

    async fn begin(&self, requester: &str, host: &str) -> watch::Receiver<Option<Found>> {
        loop {
            let mut ended = pin!(self.shared.ended.notified());
            // What ends between the look and the wait must not be missed.
            ended.as_mut().enable();
            if let Some(found) = self.join(requester, host) {
                return found;
            }
            ended.await;
        }
    }

    /// Begins a lookup or joins one; `None` where the requester has to wait.
    fn join(&self, requester: &str, host: &str) -> Option<watch::Receiver<Option<Found>>> {
        let mut running = self.shared.running();
        if let Some(found) = running.by_name.get(host) {
            return Some(found.clone());
        }
        let free = MAX_LOOKUPS.saturating_sub(running.by_name.len());
        if running.by_requester.get(requester).copied().unwrap_or(0) >= free {
            return None;
        }
        let (sender, receiver) = watch::channel(None);
        running.by_name.insert(host.to_owned(), receiver.clone());
        *running.by_requester.entry(requester.to_owned()).or_default() += 1;
        let place = Place {
            shared: Arc::clone(&self.shared),
            requester: requester.to_owned(),
            host: host.to_owned(),
        };
        tokio::task::spawn_blocking(move || {
            let found = (place.shared.ask_system)(&place.host);
            // Whoever asks from here on asks the system again.
            drop(place);
            let _ = sender.send(Some(found));
        });
        Some(receiver)
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, requester: &'a str, host: &'a str) -> BoxFuture<'a, Lookup> {
        Box::pin(async move {
            let mut found = self.begin(requester, host).await;
            Lookup::new(async move {
                let found = found.wait_for(Option::is_some).await.map_err(io::Error::other)?;
                match found.as_ref() {
                    Some(Ok(addresses)) => Ok(addresses.to_vec()),
                    Some(Err((kind, text))) => Err(io::Error::new(*kind, text.to_string())),
                    None => Err(io::Error::other("the lookup ended without a result")),
                }
            })
        })
    }
}

impl Shared {
    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lookup's entry among those that run; it goes however that ends.
struct Place {
    shared: Arc<Shared>,
    requester: String,
    host: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = self.shared.running();
        running.by_name.remove(&self.host);
        if let Some(count) = running.by_requester.get_mut(&self.requester) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                running.by_requester.remove(&self.requester);
            }
        }
        drop(running);
        self.shared.ended.notify_waiters();
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
    use std::net::Ipv4Addr;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// A name server that answers `slow…` only once the sender is gone, everything else at once.
    fn with_slow_names() -> (SystemResolver, mpsc::Sender<()>) {
        let (hold, held) = mpsc::channel::<()>();
        let held = Mutex::new(held);
        let resolver = SystemResolver::asking(move |host| {
            if host.starts_with("slow") {
                let _ = held.lock().unwrap().recv();
            }
            Ok([IpAddr::V4(Ipv4Addr::LOCALHOST)].into())
        });
        (resolver, hold)
    }

    /// Begins lookups for a requester until it has to wait; returns how many it could begin.
    fn exhaust(resolver: &SystemResolver, requester: &str) -> usize {
        let name = |number: &usize| format!("slow-{number}.{requester}");
        (0..1000).take_while(|number| resolver.join(requester, &name(number)).is_some()).count()
    }

    #[tokio::test]
    async fn a_name_is_resolved_for_all_who_ask_at_once() {
        let resolver = SystemResolver::default();
        let (one, two) = tokio::join!(resolver.resolve("a", "localhost"), resolver.resolve("b", "localhost"));
        assert!(one.addresses().await.unwrap().iter().all(IpAddr::is_loopback));
        assert!(!two.addresses().await.unwrap().is_empty());
        let running = resolver.shared.running();
        assert!(running.by_name.is_empty() && running.by_requester.is_empty());
    }

    #[tokio::test]
    async fn a_requester_whose_names_hang_leaves_lookups_to_others() {
        let (resolver, hold) = with_slow_names();
        assert_eq!(exhaust(&resolver, "one"), MAX_LOOKUPS / 2);
        assert_eq!(exhaust(&resolver, "two"), MAX_LOOKUPS / 4);
        let found = resolver.resolve("three", "quick.example").await.addresses().await;
        assert_eq!(found.unwrap(), [Ipv4Addr::LOCALHOST]);
        drop(hold);
    }

    #[tokio::test]
    async fn whoever_has_to_wait_begins_once_a_lookup_ends() {
        let (resolver, hold) = with_slow_names();
        exhaust(&resolver, "one");
        let mut waiting = resolver.resolve("one", "quick.example");
        assert!(tokio::time::timeout(Duration::ZERO, &mut waiting).await.is_err());
        drop(hold);
        assert_eq!(waiting.await.addresses().await.unwrap(), [Ipv4Addr::LOCALHOST]);
    }
}
