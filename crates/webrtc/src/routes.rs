//! Whose a datagram is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// How long an address stays with the session that last proved to be there. Longer than the five seconds between two
/// checks of a far end (RFC 7675, 5.1), so that none takes the address of another that is alive.
const HOLD: Duration = Duration::from_secs(12);

/// A datagram of the network on its way to its session.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) octets: Box<[u8]>,
}

/// A datagram on its way to one of several far ends that share an [inbox](Inbox).
#[derive(Debug)]
pub struct Arrival {
    /// For which of them: as it was named when its route was opened.
    pub tag: u64,
    /// From where it came.
    pub from: SocketAddr,
    /// The datagram.
    pub octets: Box<[u8]>,
    /// Its place, which is free once it is taken in.
    _place: OwnedSemaphorePermit,
}

/// Where datagrams for several far ends wait, in the order in which they came, each far end's in bounds of its own: so none
/// fills the places of the others.
#[derive(Debug)]
pub struct Inbox {
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    sender: mpsc::UnboundedSender<Arrival>,
}

impl Inbox {
    /// An empty one.
    pub fn new() -> Self {
        let (sender, arrivals) = mpsc::unbounded_channel();
        Self { arrivals, sender }
    }

    /// The next datagram. It waits for one, even while no route leads here.
    pub async fn next(&mut self) -> Option<Arrival> {
        self.arrivals.recv().await
    }

    /// The next datagram, if there is one.
    pub fn next_now(&mut self) -> Option<Arrival> {
        self.arrivals.try_recv().ok()
    }

    /// A way here with so many places.
    pub(crate) fn way(&self, tag: u64, places: usize) -> Way {
        Way::Shared { tag, places: Arc::new(Semaphore::new(places)), sender: self.sender.clone() }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

/// The way to a far end's task.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    /// A channel of its own.
    Own(mpsc::Sender<Datagram>),
    /// An inbox with others; what waits there is bounded by the places.
    Shared { tag: u64, places: Arc<Semaphore>, sender: mpsc::UnboundedSender<Arrival> },
}

impl Way {
    /// Hands a datagram on; false where there is no place for it.
    pub(crate) fn hand(&self, from: SocketAddr, octets: &[u8]) -> bool {
        // Copies of the size that they have, for they may wait.
        match self {
            Self::Own(sender) => match sender.try_reserve() {
                Ok(place) => {
                    place.send(Datagram { from, octets: octets.into() });
                    true
                }
                Err(_) => false,
            },
            Self::Shared { tag, places, sender } => {
                let Ok(place) = Arc::clone(places).try_acquire_owned() else { return false };
                sender.send(Arrival { tag: *tag, from, octets: octets.into(), _place: place }).is_ok()
            }
        }
    }
}

/// Names a session for as long as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u64);

/// The ways to all sessions: by the name that requests use, and by the addresses that these have proven.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    next: u64,
    sessions: BTreeMap<Id, Way>,
    by_ufrag: BTreeMap<String, Id>,
    by_address: BTreeMap<SocketAddr, Owner>,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    id: Id,
    proven: Instant,
}

impl Routes {
    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn add(&mut self, ufrag: &str, way: Way) -> Id {
        self.next += 1;
        let id = Id(self.next);
        self.sessions.insert(id, way);
        self.by_ufrag.insert(ufrag.to_owned(), id);
        id
    }

    /// Gives a session another name, after ICE was restarted. The old one is of no use to anybody.
    pub(crate) fn rename(&mut self, id: Id, ufrag: &str) {
        self.by_ufrag.retain(|_, other| *other != id);
        self.by_ufrag.insert(ufrag.to_owned(), id);
    }

    pub(crate) fn remove(&mut self, id: Id) {
        self.sessions.remove(&id);
        self.by_ufrag.retain(|_, other| *other != id);
        self.by_address.retain(|_, owner| owner.id != id);
    }

    /// The way for a request that names a session.
    pub(crate) fn named(&self, ufrag: &str) -> Option<&Way> {
        self.sessions.get(self.by_ufrag.get(ufrag)?)
    }

    /// The way for everything else.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<&Way> {
        self.sessions.get(&self.by_address.get(&address)?.id)
    }

    /// Tells that a session's far end has proven to be at an address. The address of another session is only taken over
    /// when nothing has been proven there for a while.
    pub(crate) fn claim(&mut self, id: Id, address: SocketAddr, now: Instant, most: usize) {
        match self.by_address.get_mut(&address) {
            Some(owner) if owner.id == id || owner.proven + HOLD <= now => *owner = Owner { id, proven: now },
            Some(_) => {}
            None => {
                let owned = self.by_address.iter().filter(|(_, owner)| owner.id == id);
                let (count, oldest) =
                    owned.fold((0, None::<(SocketAddr, Instant)>), |(count, oldest), at| {
                        let (address, proven) = (*at.0, at.1.proven);
                        let is_older = oldest.is_none_or(|(_, other)| proven < other);
                        (count + 1, if is_older { Some((address, proven)) } else { oldest })
                    });
                if let Some((oldest, _)) = oldest.filter(|_| count >= most) {
                    self.by_address.remove(&oldest);
                }
                self.by_address.insert(address, Owner { id, proven: now });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    fn session(routes: &mut Routes, ufrag: &str) -> (Id, mpsc::Receiver<Datagram>) {
        let (sender, receiver) = mpsc::channel(1);
        (routes.add(ufrag, Way::Own(sender)), receiver)
    }

    fn is_named(routes: &Routes, at: SocketAddr, ufrag: &str) -> bool {
        match (routes.at(at), routes.named(ufrag)) {
            (Some(Way::Own(one)), Some(Way::Own(other))) => one.same_channel(other),
            _ => false,
        }
    }

    #[test]
    fn an_address_stays_with_whoever_is_alive_there() {
        let now = tokio::time::Instant::now().into_std();
        let mut routes = Routes::default();
        let (first, one) = session(&mut routes, "one");
        let (second, two) = session(&mut routes, "two");
        routes.claim(first, address(1), now, 4);
        routes.claim(second, address(1), now + HOLD / 2, 4);
        assert!(is_named(&routes, address(1), "one"));
        routes.claim(first, address(1), now + HOLD / 2, 4);
        routes.claim(second, address(1), now + HOLD, 4);
        assert!(is_named(&routes, address(1), "one"));
        routes.claim(second, address(1), now + 2 * HOLD, 4);
        assert!(is_named(&routes, address(1), "two"));
        drop((one, two));
    }

    #[test]
    fn nothing_is_left_of_a_session_that_is_over() {
        let now = tokio::time::Instant::now().into_std();
        let mut routes = Routes::default();
        let (first, _one) = session(&mut routes, "one");
        routes.rename(first, "uno");
        assert!(routes.named("one").is_none() && routes.named("uno").is_some());
        for port in 1..9 {
            routes.claim(first, address(port), now + Duration::from_secs(port.into()), 4);
        }
        assert_eq!(routes.by_address.len(), 4);
        assert!(routes.at(address(4)).is_none() && routes.at(address(5)).is_some());
        routes.remove(first);
        assert!(routes.len() == 0 && routes.by_ufrag.is_empty() && routes.by_address.is_empty());
    }

    #[tokio::test]
    async fn who_fills_the_places_in_an_inbox_leaves_those_of_others() {
        let mut inbox = Inbox::new();
        let (one, two) = (inbox.way(1, 2), inbox.way(2, 2));
        let handed: Vec<_> = (0..4).map(|octet| one.hand(address(1), &[octet])).collect();
        assert_eq!(handed, [true, true, false, false]);
        assert!(two.hand(address(2), b"two"));
        let mut arrived = Vec::new();
        while let Some(arrival) = inbox.next_now() {
            arrived.push((arrival.tag, arrival.octets.to_vec()));
        }
        assert_eq!(arrived, [(1, vec![0]), (1, vec![1]), (2, b"two".to_vec())]);
        assert!(one.hand(address(1), b"again"), "a place is free once its datagram is taken in");
        assert_eq!(inbox.next().await.unwrap().from, address(1));
    }
}
