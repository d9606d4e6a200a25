//! Whose a datagram is.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

/// How long an address stays with the session that last proved to be there. Longer than the five seconds between two
/// checks of a far end (RFC 7675, 5.1), so that none takes the address of another that is alive.
const HOLD: Duration = Duration::from_secs(12);

/// A datagram of the network on its way to its session.
#[derive(Debug)]
pub(crate) struct Datagram {
    pub(crate) from: SocketAddr,
    pub(crate) octets: Box<[u8]>,
}

/// Names a session for as long as the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Id(u64);

/// The ways to all sessions: by the name that requests use, and by the addresses that these have proven.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    next: u64,
    sessions: BTreeMap<Id, mpsc::Sender<Datagram>>,
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

    pub(crate) fn add(&mut self, ufrag: &str, sender: mpsc::Sender<Datagram>) -> Id {
        self.next += 1;
        let id = Id(self.next);
        self.sessions.insert(id, sender);
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
    pub(crate) fn named(&self, ufrag: &str) -> Option<&mpsc::Sender<Datagram>> {
        self.sessions.get(self.by_ufrag.get(ufrag)?)
    }

    /// The way for everything else.
    pub(crate) fn at(&self, address: SocketAddr) -> Option<&mpsc::Sender<Datagram>> {
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
        (routes.add(ufrag, sender), receiver)
    }

    #[test]
    fn an_address_stays_with_whoever_is_alive_there() {
        let now = tokio::time::Instant::now().into_std();
        let mut routes = Routes::default();
        let (first, one) = session(&mut routes, "one");
        let (second, two) = session(&mut routes, "two");
        routes.claim(first, address(1), now, 4);
        routes.claim(second, address(1), now + HOLD / 2, 4);
        assert!(routes.at(address(1)).unwrap().same_channel(routes.named("one").unwrap()));
        routes.claim(first, address(1), now + HOLD / 2, 4);
        routes.claim(second, address(1), now + HOLD, 4);
        assert!(routes.at(address(1)).unwrap().same_channel(routes.named("one").unwrap()));
        routes.claim(second, address(1), now + 2 * HOLD, 4);
        assert!(routes.at(address(1)).unwrap().same_channel(routes.named("two").unwrap()));
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
}
