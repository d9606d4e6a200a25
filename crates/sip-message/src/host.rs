//! Hosts of URIs and Via values.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A host name or address literal. Names keep their case and compare without it.
#[derive(Clone, Debug, Eq)]
pub enum Host {
    /// A domain name.
    Name(String),
    /// An IPv4 literal.
    V4(Ipv4Addr),
    /// An IPv6 literal, in brackets on the wire (RFC 5118).
    V6(Ipv6Addr),
}

impl Host {
    /// The address, when the host is a literal.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Name(_) => None,
            Self::V4(ip) => Some(IpAddr::V4(*ip)),
            Self::V6(ip) => Some(IpAddr::V6(*ip)),
        }
    }
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(a), Self::Name(b)) => a.eq_ignore_ascii_case(b),
            (Self::V4(a), Self::V4(b)) => a == b,
            (Self::V6(a), Self::V6(b)) => a == b,
            (Self::Name(_) | Self::V4(_) | Self::V6(_), _) => false,
        }
    }
}

impl From<IpAddr> for Host {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6(ip),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(ip) => write!(f, "{ip}"),
            Self::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// The text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a host name, IPv4 address or bracketed IPv6 address")]
pub struct InvalidHost;

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        if let Some(inner) = text.strip_prefix('[') {
            let literal = inner.strip_suffix(']').ok_or(InvalidHost)?;
            return literal.parse().map(Self::V6).map_err(|_| InvalidHost);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::V4(ip));
        }
        // Underscores are outside the grammar but common in real host names, and harmless.
        let valid = !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
            && !text.starts_with(['.', '-'])
            && !text.contains("..");
        if valid { Ok(Self::Name(text.to_owned())) } else { Err(InvalidHost) }
    }
}

/// Splits `host [ ":" port ]`; blanks may stand around the colon where `blanks` says so (Via).
pub(crate) fn host_port(text: &str, blanks: bool) -> Option<(Host, Option<u16>)> {
    let end = match text.strip_prefix('[') {
        Some(_) => text.find(']')? + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at_checked(end)?;
    let clean = |part| if blanks { crate::lex::trim(part) } else { part };
    let port = match clean(port) {
        "" => None,
        port => Some(crate::lex::number(clean(port.strip_prefix(':')?))?),
    };
    Some((clean(host).parse().ok()?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_names_are_told_apart() {
        assert_eq!("192.0.2.1".parse(), Ok(Host::V4([192, 0, 2, 1].into())));
        assert_eq!("[::1]".parse(), Ok(Host::V6(Ipv6Addr::LOCALHOST)));
        assert_eq!("EXAMPLE.com".parse(), Ok(Host::Name("example.com".into())));
    }

    #[test]
    fn an_unbracketed_ipv6_address_is_refused() {
        assert_eq!(host_port("2001:db8::10:5070", false), None);
        assert_eq!("fe80::1".parse::<Host>(), Err(InvalidHost));
    }
}
