use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Trunk, TrunkTransport};
use sip_message::Uri;
use sip_proto::{Candidate, Candidates, Locating, Places, Transport};
use trunk::Failure;

use super::invite::peer_uri;
use crate::clock::Clock;
use crate::ids::random_seed;

/// Finds where the peers of trunks are. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Locator(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    places: Mutex<Places>,
}

/// How many names' places are kept: more than a server has trunks.
const MAX_NAMES: usize = 1024;

/// How long a place that failed is tried last: the next calls do not wait for it, and it is not forgotten for long.
/// Arbitrary.
const PAUSE: Duration = Duration::from_secs(30);

impl Locator {
    pub(super) fn new(clock: Clock) -> Self {
        Self(Arc::new(Shared { clock, places: Mutex::new(Places::new(MAX_NAMES)) }))
    }

    /// Where the peer of a trunk is, the place to try first in front; none where nobody knows.
    pub(super) async fn locate(&self, trunk: &Trunk) -> Vec<Candidate> {
        let transport = transport_of(trunk);
        let Some(uri) = peer_uri(trunk) else { return Vec::new() };
        let uri = uri.with_param("transport", Some(param_of(transport)));
        let name = uri.to_string();
        let now = self.0.clock.elapsed();
        if let Some(known) = self.places().get(&name, now) {
            return known;
        }
        let Some(found) = search(&uri, transport).await else { return Vec::new() };
        let mut places = self.places();
        places.keep(&name, found, now);
        places.get(&name, now).unwrap_or_default()
    }

    /// Notes what a request to a place has shown of it. Says whether another place is worth a try.
    pub(super) fn note(&self, place: &Candidate, failure: Option<Failure>) -> bool {
        let is_lost = failure.is_some_and(Failure::is_of_trunk);
        if is_lost {
            self.places().fail(place, PAUSE, self.0.clock.elapsed());
        } else {
            self.places().recover(place);
        }
        is_lost
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks for where a URI leads.
async fn search(uri: &Uri, transport: Transport) -> Option<Candidates> {
    let mut search = Locating::new(uri, &[transport], random_seed())?;
    // A host's name leads nowhere yet.
    search.poll_question().is_none().then(|| search.finish())
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
