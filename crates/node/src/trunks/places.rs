use model::{Trunk, TrunkTransport};
use sip_message::{Host, Uri};
use sip_proto::{Candidate, Locating, Transport};

use super::Trunks;
use crate::ids::random_seed;

impl Trunks {
    /// Where the peer of a trunk is, the place to try first in front; none where nobody knows.
    pub(super) async fn locate(&self, trunk: &Trunk) -> Vec<Candidate> {
        let Some(uri) = uri_of(trunk) else { return Vec::new() };
        let transports = [transport_of(trunk)];
        let Some(mut search) = Locating::new(&uri, &transports, random_seed()) else { return Vec::new() };
        // A host's name leads nowhere yet.
        search.poll_question().map_or_else(|| search.finish().list, |_question| Vec::new())
    }
}

/// Where a trunk's calls go, as a URI that says all that is known of that.
fn uri_of(trunk: &Trunk) -> Option<Uri> {
    let host: Host = trunk.peer.host.parse().ok()?;
    let transport = match trunk.peer.transport {
        TrunkTransport::Tcp => "tcp",
        TrunkTransport::Tls => "tls",
        TrunkTransport::Udp => "udp",
    };
    Some(Uri::sip("", host).with_port(trunk.peer.port).with_param("transport", Some(transport)))
}

const fn transport_of(trunk: &Trunk) -> Transport {
    match trunk.peer.transport {
        TrunkTransport::Tcp => Transport::Tcp,
        TrunkTransport::Tls => Transport::Tls,
        TrunkTransport::Udp => Transport::Udp,
    }
}
