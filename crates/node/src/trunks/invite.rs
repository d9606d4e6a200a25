use bytes::Bytes;
use model::{Trunk, TrunkAccount, TrunkSecret};
use sip_message::digest::{Algorithm, Ha1};
use sip_message::{Host, Uri};
use sip_proto::{Candidate, Credentials, Secret};
use trunk::Route;

use crate::leg::subject_header;
use crate::sip::{Asserted, TrunkInvite};

/// What a trunk's peer is told of a call beside the way that it takes.
pub(super) struct Invitation {
    /// What each attempt offers.
    pub(super) offer: Bytes,
    /// The caller's name to show.
    pub(super) name: Option<String>,
    /// Whether the callee must not learn who calls.
    pub(super) is_private: bool,
    pub(super) subject: Option<String>,
}

impl Invitation {
    /// The INVITE to one place of a trunk; `None` where the trunk's host is none.
    pub(super) fn to(&self, trunk: &Trunk, route: &Route, place: Candidate) -> Option<TrunkInvite> {
        let uri = peer_uri(trunk)?;
        let registered = trunk.account.as_ref().and_then(|account| account.registration.as_ref());
        let domain = registered.and_then(|registration| registration.address.split_once('@')?.1.parse().ok());
        let is_told = !self.is_private || trunk.is_trusted;
        Some(TrunkInvite {
            place,
            uri: number_uri(&route.called, uri.host()?.clone()).with_port(trunk.peer.port),
            caller: route.caller.clone(),
            domain,
            name: self.name.clone(),
            is_private: self.is_private,
            asserted: if is_told { Asserted::Caller } else { Asserted::Nobody },
            headers: self.subject.as_deref().map(subject_header).into_iter().collect(),
            credentials: trunk.account.as_ref().map(credentials),
            offer: self.offer.clone(),
        })
    }
}

/// Where a trunk's requests go that are for nobody in particular; `None` where the trunk's host is none.
pub(super) fn peer_uri(trunk: &Trunk) -> Option<Uri> {
    let host: Host = trunk.peer.host.parse().ok()?;
    Some(Uri::sip("", host).with_port(trunk.peer.port))
}

/// A number as a trunk wants it, in a URI. Only one that means the same everywhere says that it is one: others would need
/// to say where they mean something (RFC 3966, 5.1.5).
pub(crate) fn number_uri(number: &str, host: Host) -> Uri {
    let uri = Uri::sip(number, host);
    if number.starts_with('+') { uri.with_param("user", Some("phone")) } else { uri }
}

/// What answers the challenges of a trunk's peer.
pub(super) fn credentials(account: &TrunkAccount) -> Credentials {
    let secret = match &account.secret {
        TrunkSecret::Digests { realm, md5, sha256 } => Secret::Digests {
            realm: realm.clone(),
            ha1s: [(Algorithm::Md5, md5), (Algorithm::Sha256, sha256)]
                .into_iter()
                .filter_map(|(algorithm, hex)| Ha1::from_hex(algorithm, hex))
                .collect(),
        },
        TrunkSecret::Password(password) => Secret::Password(password.clone()),
    };
    Credentials { username: account.username.clone(), secret }
}
