use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::{IndexedDirectory, IpRange, Trunk, TrunkId, TrunkTransport};
use sip_proto::{AddressRange, Peer, PeerId, PingFailure};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use trunk::{Effect, Failure};

use super::invite::peer_uri;
use super::registering::Kept;
use super::{MAX_PLACES, Trunks, WeakTrunks, means_same};
use crate::sip::WeakSip;

/// Does what follows from what the trunks' state decides, until the node is gone or leaves.
pub(super) struct Driver {
    pub(super) trunks: WeakTrunks,
    pub(super) sip: WeakSip,
    pub(super) changed: Arc<Notify>,
    pub(super) stop: CancellationToken,
    links: BTreeMap<TrunkId, Link>,
}

/// What goes on with a trunk's peer beside calls.
struct Link {
    /// As it was when this began.
    trunk: Trunk,
    presence: Arc<Presence>,
    /// Ends the registration.
    stop: CancellationToken,
    registering: Option<JoinHandle<()>>,
}

/// What probes show.
#[derive(Debug, Default)]
pub(super) struct Presence {
    is_missed: AtomicBool,
    /// The peer is there again, and may have forgotten who is registered.
    pub(super) is_back: Notify,
}

impl Presence {
    fn note(&self, is_there: bool) {
        if self.is_missed.swap(!is_there, Ordering::Relaxed) && is_there {
            self.is_back.notify_one();
        }
    }
}

impl Driver {
    pub(super) fn new(
        trunks: WeakTrunks,
        sip: WeakSip,
        changed: Arc<Notify>,
        stop: CancellationToken,
    ) -> Self {
        Self { trunks, sip, changed, stop, links: BTreeMap::new() }
    }

    pub(super) async fn run(mut self) {
        /// Without a deadline the timer is far away rather than absent, so that one form of the loop serves.
        const FAR_AWAY: Duration = Duration::from_secs(3600);
        loop {
            let Some(trunks) = self.trunks.upgrade() else { break };
            if trunks.take_directory_change() {
                self.follow(&trunks).await;
            }
            let (effects, due) = trunks.advance();
            for effect in effects {
                self.perform(&trunks, &effect);
            }
            let clock = trunks.0.clock;
            let until = clock.instant_of(due.unwrap_or(clock.now().after(FAR_AWAY)));
            drop(trunks);
            tokio::select! {
                () = self.changed.notified() => {}
                () = sleep_until(until) => {}
                () = self.stop.cancelled() => break,
            }
        }
        self.links.into_values().for_each(|link| link.stop.cancel());
    }

    /// Begins and ends what the directory wants.
    async fn follow(&mut self, trunks: &Trunks) {
        let Some(sip) = self.sip.upgrade() else { return };
        let directory = trunks.0.directory.load_full();
        sip.set_peers(peers(&directory)).await;
        let mut ending = BTreeMap::new();
        self.links.retain(|id, link| {
            let stays = directory.trunks.get(id).is_some_and(|trunk| means_same(trunk, &link.trunk));
            if !stays {
                link.stop.cancel();
                ending.extend(link.registering.take().map(|task| (id.clone(), task)));
            }
            stays
        });
        for (id, trunk) in &directory.trunks {
            if self.links.contains_key(id) {
                continue;
            }
            let (presence, stop) = (Arc::<Presence>::default(), CancellationToken::new());
            let kept = Kept::new(trunk, trunks, (&self.sip, &presence, &stop));
            let before = ending.remove(id);
            let registering = kept.map(|kept| trunks.0.tasks.spawn(kept.run(before)));
            self.links.insert(id.clone(), Link { trunk: trunk.clone(), presence, stop, registering });
        }
    }

    fn perform(&self, trunks: &Trunks, effect: &Effect) {
        match effect {
            Effect::Down(trunk) => tracing::warn!(trunk.id = %trunk, "a trunk is down"),
            Effect::HangUp(call) => trunks.cut(*call),
            Effect::Probe(id) => {
                if let Some(link) = self.links.get(id) {
                    let trunk = link.trunk.clone();
                    let probe = probe(trunks, self.sip.clone(), trunk, Arc::clone(&link.presence));
                    tokio::spawn(probe);
                }
            }
            Effect::Up(trunk) => tracing::info!(trunk.id = %trunk, "a trunk is up"),
        }
    }
}

/// Asks a trunk's peer whether it is there, at one place after another.
fn probe(
    trunks: &Trunks,
    sip: WeakSip,
    trunk: Trunk,
    presence: Arc<Presence>,
) -> impl Future<Output = ()> + Send + 'static {
    let (weak, locator, limit) = (trunks.downgrade(), trunks.0.locator.clone(), trunks.0.attempt_timeout);
    async move {
        let places = locator.locate(&trunk).await;
        let mut failure = Some(Failure::Unreachable);
        for place in places.into_iter().take(MAX_PLACES) {
            let (Some(sip), Some(uri)) = (sip.upgrade(), peer_uri(&trunk)) else { return };
            failure = match timeout(limit, sip.ping(place.clone(), uri)).await {
                Ok(Ok(status)) if status.is_success() => None,
                Ok(Ok(status)) => Some(Failure::status(status.as_u16())),
                Ok(Err(PingFailure::TransportFailed)) => Some(Failure::Unreachable),
                Ok(Err(PingFailure::Timeout)) | Err(_) => Some(Failure::Timeout),
            };
            if !locator.note(&place, failure) {
                break;
            }
        }
        presence.note(!failure.is_some_and(Failure::is_of_trunk));
        if let Some(trunks) = weak.upgrade() {
            trunks.probed(&trunk, failure);
        }
    }
}

/// The far ends that are known by where they send from.
fn peers(directory: &IndexedDirectory) -> Vec<Peer> {
    let numbered = (0..).map(PeerId).zip(directory.trunks.values());
    let peer = |(id, trunk): (PeerId, &Trunk)| Peer {
        id,
        ranges: trunk.sources.iter().filter_map(address_range).collect(),
        // Whoever is to be spoken to over streams is known by them: anyone can write the source of a datagram.
        takes_datagrams: trunk.peer.transport == TrunkTransport::Udp,
        // How many calls there may be is decided here, with the number that they are for.
        calls: usize::MAX,
        calls_per_second: u32::MAX,
    };
    numbered.map(peer).collect()
}

/// The same range without the bits that do not count.
fn address_range(range: &IpRange) -> Option<AddressRange> {
    let text = range.to_string();
    let (base, bits) = match text.split_once('/') {
        Some((base, bits)) => (base.parse().ok()?, Some(bits.parse().ok()?)),
        None => (text.parse().ok()?, None),
    };
    match base {
        IpAddr::V4(v4) => {
            let bits: u8 = bits.unwrap_or(32);
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            AddressRange::new(IpAddr::V4((v4.to_bits() & mask).into()), bits).ok()
        }
        IpAddr::V6(v6) => {
            let bits: u8 = bits.unwrap_or(128);
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            AddressRange::new(IpAddr::V6((v6.to_bits() & mask).into()), bits).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::address_range;

    #[test]
    fn a_source_is_a_range_with_and_without_bits_that_do_not_count() {
        for (source, address, is_inside) in [
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("192.0.2.7/24", "192.0.2.255", true),
            ("192.0.2.7/24", "192.0.3.7", false),
            ("0.0.0.0/0", "203.0.113.9", true),
            ("2001:db8::1/32", "2001:db8:ffff::1", true),
            ("2001:db8::1", "2001:db8::2", false),
        ] {
            let range = address_range(&source.parse().unwrap()).unwrap();
            assert_eq!(range.contains(address.parse().unwrap()), is_inside, "{address} in {source}");
        }
    }
}
