//! Far ends that are known by the address that they send from, such as trunks, and the calls that each may bring.

use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::flow::Flow;

/// Names a peer, as the user of the endpoint likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    base: IpAddr,
    bits: u8,
}

/// The text is no address or range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed range of addresses")]
pub struct InvalidRange;

impl AddressRange {
    /// The addresses that share the first `bits` with `base`, whose other bits are zero.
    ///
    /// # Errors
    ///
    /// For more bits than the address has, and for others that are set: such a range is more often a slip than meant.
    pub fn new(base: IpAddr, bits: u8) -> Result<Self, InvalidRange> {
        let range = Self { base, bits };
        let all = if base.is_ipv4() { 32 } else { 128 };
        (bits <= all && range.prefix(base) == octets(base)).then_some(range).ok_or(InvalidRange)
    }

    /// Whether the address is one of them. An IPv4 address mapped into IPv6 counts as what it stands for.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && self.prefix(address) == octets(self.base)
    }

    /// The address with all but the first bits cleared, in the upper bits of a number.
    fn prefix(&self, address: IpAddr) -> u128 {
        let mask = u128::MAX.checked_shl(u32::from(128_u8.saturating_sub(self.bits))).unwrap_or(0);
        octets(address) & mask
    }
}

/// The address in the upper bits of a number.
fn octets(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

impl FromStr for AddressRange {
    type Err = InvalidRange;

    /// `192.0.2.0/24`, or one address alone.
    fn from_str(text: &str) -> Result<Self, InvalidRange> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| InvalidRange)?;
        let bits = match bits {
            Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
                bits.parse().map_err(|_| InvalidRange)?
            }
            Some(_) => return Err(InvalidRange),
            None if base.is_ipv4() => 32,
            None => 128,
        };
        Self::new(base, bits)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// A far end whose calls are taken without a challenge, because of where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Names it in [`crate::Incoming::peer`]. Several entries of one name share their calls and are one peer.
    pub id: PeerId,
    /// Where it sends from. An address in ranges of several peers belongs to the narrowest.
    pub ranges: Vec<AddressRange>,
    /// Whether datagrams from there count, too. Anyone can write the source of a datagram: who forges it brings calls
    /// here, but never sees an answer, and is heard by nobody. Over streams nobody can.
    pub takes_datagrams: bool,
    /// Calls from there that have not ended; others get 503.
    pub calls: usize,
    /// INVITEs of new calls from there in a second, evenly or all at once; others get 503.
    pub calls_per_second: u32,
}

/// The peers, and how many calls each has.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    list: Vec<Peer>,
    /// Of every peer that has calls, or had some a moment ago. Never more than peers, once calls of those that
    /// are not listed any more have ended.
    loads: BTreeMap<PeerId, Load>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    calls: usize,
    /// Up to when the rate is used up.
    spent_until: Duration,
}

impl Peers {
    pub(crate) fn set(&mut self, list: Vec<Peer>) {
        self.list = list;
        let list = &self.list;
        self.loads.retain(|id, load| load.calls > 0 || list.iter().any(|peer| peer.id == *id));
    }

    /// The peer that sends over this way.
    pub(crate) fn find(&self, flow: &Flow) -> Option<&Peer> {
        let address = flow.remote.ip();
        let counts = |peer: &&Peer| peer.takes_datagrams || flow.is_reliable();
        let narrowest = |peer: &Peer| {
            let ranges = peer.ranges.iter().filter(|range| range.contains(address));
            ranges.map(|range| range.bits).max()
        };
        let found =
            self.list.iter().filter(counts).filter_map(|peer| narrowest(peer).map(|bits| (bits, peer)));
        // The first of equals, as `max_by_key` gives the last.
        found.rev().max_by_key(|(bits, _)| *bits).map(|(_, peer)| peer)
    }

    /// Whether another call of the peer may begin now, and counts it against the rate.
    pub(crate) fn admits(&mut self, flow: &Flow, now: Duration) -> bool {
        let Some(peer) = self.find(flow) else { return true };
        let (id, limit, rate) = (peer.id, peer.calls, peer.calls_per_second);
        let load = self.loads.entry(id).or_default();
        let Some(spacing) = Duration::from_secs(1).checked_div(rate) else { return false };
        let spent_until = load.spent_until.max(now).saturating_add(spacing);
        if load.calls >= limit || spent_until > now.saturating_add(Duration::from_secs(1)) {
            return false;
        }
        load.spent_until = spent_until;
        true
    }

    pub(crate) fn began(&mut self, id: PeerId) {
        self.loads.entry(id).or_default().calls += 1;
    }

    pub(crate) fn ended(&mut self, id: PeerId) {
        let is_listed = self.list.iter().any(|peer| peer.id == id);
        if let Some(load) = self.loads.get_mut(&id) {
            load.calls = load.calls.saturating_sub(1);
            if load.calls == 0 && !is_listed {
                self.loads.remove(&id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> AddressRange {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_holds_the_addresses_that_begin_alike() {
        let table = [
            ("192.0.2.0/24", "192.0.2.255", true),
            ("192.0.2.0/24", "192.0.3.0", false),
            ("192.0.2.0/24", "::ffff:192.0.2.1", true),
            ("192.0.2.7", "192.0.2.7", true),
            ("192.0.2.7", "192.0.2.6", false),
            ("0.0.0.0/0", "203.0.113.1", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "192.0.2.1", false),
            ("2001:db8::1", "2001:db8::1", true),
        ];
        for (text, address, is_inside) in table {
            assert_eq!(range(text).contains(address.parse().unwrap()), is_inside, "{address} in {text}");
        }
        assert_eq!(range("192.0.2.7").to_string(), "192.0.2.7/32");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in
            ["", "192.0.2.1/24", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/+8", "::/129", "a.example", "1/8"]
        {
            assert_eq!(text.parse::<AddressRange>(), Err(InvalidRange), "{text}");
        }
    }
}
