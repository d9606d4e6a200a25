use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use model::{PhoneNumber, Trunk, TrunkTransport};
use sip_message::{NameAddr, StatusCode, Uri};
use sip_proto::{Incoming, Transport};
use trunk::{Denied, Inbound, Refused, received, screen};

use super::{Seat, Trunks};
use crate::sip::{TrunkCallee, TrunkCaller};

/// Why a call that comes in over a trunk is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrunkRefusal {
    /// The peer is told this status, and in how many seconds it may try again.
    Answered(StatusCode, Option<u32>),
    /// The peer is told nothing: it has been told often enough.
    Unanswered,
}

impl Trunks {
    /// Says whose a call is that a trunk's peer makes, and gives it its seat.
    ///
    /// # Errors
    ///
    /// What the peer is told in place of that. It has been counted.
    pub(crate) fn admit(&self, incoming: &Incoming) -> Result<(TrunkCaller, Seat), TrunkRefusal> {
        let directory = self.0.directory.load();
        let source = incoming.flow.remote.ip();
        let dialled = dialled(&incoming.request_uri);
        let mut full = Vec::new();
        loop {
            let takes = |trunk: &Trunk| {
                is_as_secure(trunk, incoming.flow.transport) && full.iter().all(|(id, _)| *id != trunk.id)
            };
            let called = |dialled: &str| match screen(&directory, source, dialled, takes) {
                Inbound::DialIn { trunk, tenant, number } => {
                    Ok((trunk, TrunkCallee::DialIn, tenant.id.clone(), number))
                }
                Inbound::Instance { trunk, instance, number } => {
                    Ok((trunk, TrunkCallee::Instance(instance.id.clone()), instance.tenant.clone(), number))
                }
                Inbound::UnknownNumber { trunk } => Err((Refused::UnknownNumber, Some(trunk))),
                Inbound::Unlisted => Err((Refused::Unlisted, None)),
            };
            let found = match called(&dialled) {
                // A peer that calls a registered address says in To which number that stands for.
                Err((Refused::UnknownNumber, Some(trunk))) if is_registered(trunk, &dialled) => {
                    called(&self::dialled(&incoming.to.uri))
                }
                found => found,
            };
            let (trunk, to, tenant, number) = match (found, full.first()) {
                (Ok(found), _) => found,
                (Err(_), Some((_, denied))) => return Err(self.refuse_full(source, *denied)),
                (Err((refused, _)), None) => return Err(self.refuse(source, refused)),
            };
            match self.with(|state, now| state.dialler.incoming(&trunk.id, now)) {
                Ok(call) => {
                    let seat = Seat { trunks: self.clone(), call };
                    let (caller, name) = caller(trunk, incoming);
                    let trunk = trunk.id.clone();
                    return Ok((
                        TrunkCaller { tenant, trunk, number: caller, name, called: number, to },
                        seat,
                    ));
                }
                // Another one of the same peer may have room.
                Err(denied) => full.push((trunk.id.clone(), denied)),
            }
        }
    }

    fn refuse_full(&self, source: IpAddr, denied: Denied) -> TrunkRefusal {
        match denied {
            Denied::TooFast { retry_after } => {
                let refusal = self.refuse(source, Refused::TooFast);
                match refusal {
                    TrunkRefusal::Answered(status, _) => {
                        TrunkRefusal::Answered(status, Some(whole_seconds(retry_after)))
                    }
                    TrunkRefusal::Unanswered => refusal,
                }
            }
            // A trunk that is gone from the directory in this moment.
            Denied::NoTrunk => self.refuse(source, Refused::Unlisted),
            Denied::AllDown
            | Denied::BudgetSpent
            | Denied::ForbiddenPrefix
            | Denied::NoInstance
            | Denied::NoNumber
            | Denied::OtherAppsInstance
            | Denied::TooMany => self.refuse(source, Refused::TooMany),
        }
    }

    fn refuse(&self, source: IpAddr, refused: Refused) -> TrunkRefusal {
        if !self.with(|state, now| state.guard.is_answered(source, refused, now)) {
            return TrunkRefusal::Unanswered;
        }
        tracing::info!(%source, ?refused, "refused a call of the phone network");
        TrunkRefusal::Answered(status_of(refused), None)
    }
}

/// What a peer is told. It is the caller's line that is busy where a trunk is full: with 503 a peer may send nothing at all for
/// a while (RFC 3261, 21.5.4), which is what it should do where its calls come too fast.
const fn status_of(refused: Refused) -> StatusCode {
    match refused {
        Refused::TooFast => StatusCode::SERVICE_UNAVAILABLE,
        Refused::TooMany => StatusCode::BUSY_HERE,
        Refused::UnknownNumber => StatusCode::NOT_FOUND,
        Refused::Unlisted => StatusCode::FORBIDDEN,
    }
}

/// The number in a URI, as it is written there: the user part, or what a `tel` URI consists of.
fn dialled(uri: &Uri) -> Cow<'_, str> {
    match uri.opaque() {
        Some(number) => Cow::Borrowed(number),
        None => Cow::Owned(uri.user().unwrap_or_default()),
    }
}

/// Whether this is the address that the trunk is registered by.
fn is_registered(trunk: &Trunk, dialled: &str) -> bool {
    let registration = trunk.account.as_ref().and_then(|account| account.registration.as_ref());
    let user = registration.and_then(|registration| registration.address.split('@').next());
    user.is_some_and(|user| user == dialled)
}

/// Whether a call came as securely as the trunk wants it.
const fn is_as_secure(trunk: &Trunk, transport: Transport) -> bool {
    match (trunk.peer.transport, transport) {
        (TrunkTransport::Tls, Transport::Tls)
        | (TrunkTransport::Tcp, Transport::Tcp | Transport::Tls)
        | (TrunkTransport::Udp, _) => true,
        (TrunkTransport::Tls, Transport::Tcp | Transport::Udp) | (TrunkTransport::Tcp, Transport::Udp) => {
            false
        }
    }
}

/// Who calls: the number, and the name to show.
fn caller(trunk: &Trunk, incoming: &Incoming) -> (Option<PhoneNumber>, Option<String>) {
    if incoming.is_private {
        return (None, None);
    }
    let number_of = |address: &NameAddr| received(trunk, &dialled(&address.uri));
    let asserted = incoming.asserted.iter().filter(|_| trunk.is_trusted);
    let stated = asserted.chain([&incoming.from]).find_map(|address| Some((number_of(address)?, address)));
    let (number, address) = match stated {
        Some((number, address)) => (Some(number), address),
        None => (None, &incoming.from),
    };
    (number, address.display.clone().filter(|name| !name.trim().is_empty()))
}

/// In how many whole seconds; at least one.
fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}
