use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// One of them.
    pub address: IpAddr,
    /// How many bits are the same.
    pub prefix_length: u8,
}

impl AddressRange {
    /// Whether an address is one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        let bits = |address: IpAddr| match address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 32),
            IpAddr::V6(v6) => (v6.to_bits(), 128),
        };
        let ((own, own_length), (other, other_length)) =
            (bits(self.address.to_canonical()), bits(address.to_canonical()));
        let differing = (own ^ other).leading_zeros();
        own_length == other_length && differing >= u32::from(self.prefix_length).min(own_length)
    }
}

/// Proxies in front of this server, and where they say whom a request is from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Where they are; what anybody else says of a request is not believed.
    pub ranges: Vec<AddressRange>,
    /// The header that they set. Another one, which they may pass on, is for whoever sends the request to choose.
    pub header: ForwardedHeader,
}

/// A header that tells of the hops of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `Forwarded` (RFC 7239).
    Standard,
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
}

/// Proxies that one request may pass; arbitrary, more than any chain has.
const MAX_HOPS: usize = 16;

impl Proxies {
    /// Whether an address is a proxy's.
    pub fn contain(&self, address: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(address))
    }

    /// Whom a request is from: the last hop that is none of the proxies, or the last that they tell of.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let name = match self.header {
            ForwardedHeader::Standard => "forwarded",
            ForwardedHeader::XForwardedFor => "x-forwarded-for",
        };
        let lines = headers.get_all(name).iter().map(|value| HeaderValue::to_str(value).unwrap_or_default());
        let lines: Vec<&str> = lines.collect();
        // Read from the end, where the proxies add: no quote of a client's can hide what follows it.
        let mut hops = lines.iter().rev().flat_map(|line| line.rsplit(',')).take(MAX_HOPS);
        let mut client = peer;
        while self.contain(client)
            && let Some(hop) = hops.next().and_then(|hop| self.address(hop))
        {
            client = hop;
        }
        client
    }

    fn address(&self, hop: &str) -> Option<IpAddr> {
        let node = match self.header {
            ForwardedHeader::Standard => hop.split(';').find_map(|pair| {
                let (name, value) = pair.split_once('=')?;
                name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
            })?,
            ForwardedHeader::XForwardedFor => hop.trim(),
        };
        let bare = node.strip_prefix('[').and_then(|node| node.strip_suffix(']')).unwrap_or(node);
        bare.parse().ok().or_else(|| node.parse::<SocketAddr>().ok().map(|address| address.ip()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn range(address: &str, prefix_length: u8) -> AddressRange {
        AddressRange { address: ip(address), prefix_length }
    }

    fn client(proxies: &Proxies, name: &'static str, lines: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(name, line.parse().unwrap());
        }
        proxies.client(ip("10.0.0.1"), &headers).to_string()
    }

    #[test]
    fn a_range_holds_the_addresses_that_begin_like_it() {
        assert!(
            range("10.0.0.0", 8).contains(ip("10.255.0.1")) && !range("10.0.0.0", 8).contains(ip("11.0.0.0"))
        );
        assert!(range("10.0.0.1", 32).contains(ip("::ffff:10.0.0.1")));
        assert!(!range("10.0.0.1", 32).contains(ip("10.0.0.2")));
        assert!(
            range("0.0.0.0", 0).contains(ip("192.0.2.1")) && !range("0.0.0.0", 0).contains(ip("2001:db8::1"))
        );
        assert!(range("2001:db8::", 32).contains(ip("2001:db8:1::1")));
        assert!(!range("2001:db8::", 32).contains(ip("2001:db9::1")));
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_proxy() {
        let proxies = Proxies { ranges: vec![range("10.0.0.0", 8)], header: ForwardedHeader::XForwardedFor };
        for (lines, expected) in [
            (&[][..], "10.0.0.1"),
            (&["192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.66, 192.0.2.1"], "192.0.2.1"),
            (&["192.0.2.66", "192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["192.0.2.1:4711, 10.0.0.2:80"], "192.0.2.1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["192.0.2.66, unknown, 10.0.0.2"], "10.0.0.2"),
            (&["10.0.0.3"], "10.0.0.3"),
            (&[""], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, "x-forwarded-for", lines), expected, "{lines:?}");
        }
        assert_eq!(client(&proxies, "forwarded", &["for=192.0.2.1"]), "10.0.0.1");
        let nobody = Proxies::default();
        assert_eq!(client(&nobody, "x-forwarded-for", &["192.0.2.1"]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_from_its_end_whatever_was_sent_before() {
        let proxies = Proxies { ranges: vec![range("10.0.0.0", 8)], header: ForwardedHeader::Standard };
        for (line, expected) in [
            ("for=192.0.2.1;proto=https;by=10.0.0.1", "192.0.2.1"),
            ("proto=https; For=\"[2001:db8::1]:4711\"", "2001:db8::1"),
            ("for=\"192.0.2.66, for=192.0.2.1", "192.0.2.1"),
            ("for=192.0.2.66, for=_hidden", "10.0.0.1"),
            ("for=192.0.2.66, proto=https", "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, "forwarded", &[line]), expected, "{line}");
        }
    }
}
