use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Addresses whose first bits are the same (CIDR, RFC 4632): `192.0.2.0/24`, or `192.0.2.7` for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpRange {
    address: IpAddr,
    prefix_length: u8,
}

impl IpRange {
    /// Whether `address` is one of them. An IPv4 address is the same as an IPv6 address too (RFC 4291, 2.5.5.2).
    pub fn contains(&self, address: IpAddr) -> bool {
        let (own, width) = bits(self.address);
        let (other, other_width) = bits(address.to_canonical());
        let free = width.saturating_sub(u32::from(self.prefix_length));
        width == other_width && (own ^ other).checked_shr(free).unwrap_or(0) == 0
    }
}

/// The bits of an address, and how many they are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

impl FromStr for IpRange {
    type Err = ParseRangeError;

    fn from_str(text: &str) -> Result<Self, ParseRangeError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(at, bits)| (at, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| ParseRangeError)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix_length = prefix.map_or(Ok(longest), |bits| bits.parse().map_err(|_| ParseRangeError))?;
        if prefix_length > longest { Err(ParseRangeError) } else { Ok(Self { address, prefix_length }) }
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_length)
    }
}

impl Serialize for IpRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IpRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A text is not a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address or a range of addresses; write it as 192.0.2.7 or 192.0.2.0/24")]
pub struct ParseRangeError;

#[cfg(test)]
mod tests {
    use super::IpRange;

    fn holds(range: &str, address: &str) -> bool {
        range.parse::<IpRange>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_range_holds_the_addresses_that_begin_like_it() {
        assert!(holds("192.0.2.0/24", "192.0.2.255") && !holds("192.0.2.0/24", "192.0.3.0"));
        assert!(holds("192.0.2.7", "192.0.2.7") && !holds("192.0.2.7", "192.0.2.6"));
        assert!(holds("0.0.0.0/0", "198.51.100.1") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && !holds("::/0", "198.51.100.1"));
        assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::1"));
    }

    #[test]
    fn an_ipv4_address_that_a_socket_shows_as_ipv6_is_the_same() {
        assert!(holds("192.0.2.0/24", "::ffff:192.0.2.9") && !holds("192.0.2.0/24", "::ffff:198.51.100.1"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "carrier.example", "192.0.2.0/33", "2001:db8::/129", "192.0.2.0/", "192.0.2/24"] {
            assert!(text.parse::<IpRange>().is_err(), "{text}");
        }
    }
}
