use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Trunk, TrunkTransport};
use sip_proto::{Candidate, Candidates, Locating, Places, Transport};
use tokio::time::timeout;
use trunk::Failure;

use super::invite::peer_uri;
use super::names::{self, Unanswered};
use crate::clock::Clock;
use crate::ids::random_seed;

/// Finds where the peers of trunks are. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Locator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    /// How long a search may take.
    limit: Duration,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    places: Places,
    names: BTreeMap<String, Name>,
}

/// What is kept of a name beside its places.
#[derive(Debug, Default)]
struct Name {
    /// Whoever searches; others wait for what that one finds.
    searching: Arc<tokio::sync::Mutex<()>>,
    /// What was found at last, for when the DNS does not answer.
    last: Vec<Candidate>,
}

/// How many names' places are kept: more than a server has trunks.
const MAX_NAMES: usize = 1024;

/// How long a place that failed is tried last: the next calls do not wait for it, and it is not forgotten for long.
/// Arbitrary.
const PAUSE: Duration = Duration::from_secs(30);

/// How long nobody searches again where the DNS did not answer. What was known before is used meanwhile, else calls fail at
/// once. Arbitrary.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(5);

impl Locator {
    pub(super) fn new(clock: Clock, limit: Duration) -> Self {
        let state = State { places: Places::new(MAX_NAMES), names: BTreeMap::new() };
        Self(Arc::new(Shared { clock, limit, state: Mutex::new(state) }))
    }

    /// Where the peer of a trunk is, the place to try first in front; none where nobody knows. It is known within the limit.
    pub(super) async fn locate(&self, trunk: &Trunk) -> Vec<Candidate> {
        let transport = transport_of(trunk);
        let Some(uri) = peer_uri(trunk) else { return Vec::new() };
        let uri = uri.with_param("transport", Some(param_of(transport)));
        let Some(search) = Locating::new(&uri, &[transport], random_seed()) else { return Vec::new() };
        let name = uri.to_string();
        if let Some(known) = self.known(&name) {
            return known;
        }
        let searching = Arc::clone(&self.state().name(&name).searching);
        let _searching = searching.lock().await;
        if let Some(known) = self.known(&name) {
            return known;
        }
        let found = timeout(self.0.limit, names::search(search)).await;
        let found = found.unwrap_or(Err(Unanswered)).inspect_err(|_unanswered| {
            tracing::warn!(trunk.id = %trunk.id, "the DNS does not say where a trunk's peer is");
        });
        self.keep(&name, found)
    }

    /// What is known of a name for now.
    fn known(&self, name: &str) -> Option<Vec<Candidate>> {
        self.state().places.get(name, self.0.clock.elapsed())
    }

    /// Keeps what a search has found, and says what that is.
    fn keep(&self, name: &str, found: Result<Candidates, Unanswered>) -> Vec<Candidate> {
        let now = self.0.clock.elapsed();
        let mut state = self.state();
        let found = match found {
            Ok(found) => {
                state.name(name).last.clone_from(&found.list);
                found
            }
            Err(Unanswered) => Candidates { list: state.name(name).last.clone(), lifetime: UNANSWERED_PAUSE },
        };
        state.places.keep(name, found, now);
        state.places.get(name, now).unwrap_or_default()
    }

    /// Notes what a request to a place has shown of it. Says whether another place is worth a try.
    pub(super) fn note(&self, place: &Candidate, failure: Option<Failure>) -> bool {
        let is_lost = failure.is_some_and(Failure::is_of_trunk);
        if is_lost {
            self.state().places.fail(place, PAUSE, self.0.clock.elapsed());
        } else {
            self.state().places.recover(place);
        }
        is_lost
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn name(&mut self, name: &str) -> &mut Name {
        if self.names.len() >= MAX_NAMES && !self.names.contains_key(name) {
            // Those of trunks that were changed long ago; all others come back with the next search.
            self.names.clear();
        }
        self.names.entry(name.to_owned()).or_default()
    }
}

const fn transport_of(trunk: &Trunk) -> Transport {
    match trunk.peer.transport {
        TrunkTransport::Tcp => Transport::Tcp,
        TrunkTransport::Tls => Transport::Tls,
        TrunkTransport::Udp => Transport::Udp,
    }
}

/// What a URI names the transport by.
const fn param_of(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Tls => "tls",
        Transport::Udp => "udp",
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::trunk_at;
    use super::*;

    fn place(last: u8) -> Candidate {
        let remote = ([192, 0, 2, last], 5060).into();
        Candidate { transport: Transport::Udp, remote, name: "carrier.example".to_owned() }
    }

    fn locator() -> Locator {
        Locator::new(Clock::start(), Duration::from_secs(60))
    }

    #[tokio::test]
    async fn an_address_leads_to_itself() {
        let trunk = trunk_at(([192, 0, 2, 1], 5060).into(), "a", 1);
        let found = locator().locate(&trunk).await;
        assert_eq!(found, [Candidate { name: "192.0.2.1".to_owned(), ..place(1) }]);
    }

    #[test]
    fn what_was_known_is_used_where_the_dns_does_not_answer() {
        let locator = locator();
        assert_eq!(locator.keep("a", Err(Unanswered)), []);
        assert_eq!(locator.known("a"), Some(Vec::new()), "nobody asks again at once");
        let found = Candidates { list: vec![place(1), place(2)], lifetime: Duration::ZERO };
        locator.keep("a", Ok(found));
        assert_eq!(locator.keep("a", Err(Unanswered)), [place(1), place(2)]);
        assert_eq!(locator.keep("b", Err(Unanswered)), []);
    }

    #[test]
    fn a_place_that_failed_is_tried_last_until_it_works() {
        let locator = locator();
        let found = Candidates { list: vec![place(1), place(2)], lifetime: Duration::from_secs(600) };
        locator.keep("a", Ok(found));
        assert!(locator.note(&place(1), Some(Failure::Timeout)), "another place is worth a try");
        assert_eq!(locator.known("a"), Some(vec![place(2), place(1)]));
        assert!(!locator.note(&place(1), Some(Failure::status(486))), "somebody was there");
        assert_eq!(locator.known("a"), Some(vec![place(1), place(2)]));
    }
}
