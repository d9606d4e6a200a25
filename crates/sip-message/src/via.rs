//! Via values (RFC 3261, 20.42; RFC 3581).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::host::{Host, host_port};
use crate::{lex, params::Params};

/// The branch prefix of transactions as RFC 3261 matches them (8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// The transport of a Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// SCTP.
    Sctp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// UDP.
    Udp,
    /// WebSocket (RFC 7118).
    Ws,
    /// Secure WebSocket (RFC 7118).
    Wss,
    /// Any other token, as received.
    Other(String),
}

impl Transport {
    /// The transport as a Via value spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sctp => "SCTP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Udp => "UDP",
            Self::Ws => "WS",
            Self::Wss => "WSS",
            Self::Other(token) => token,
        }
    }

    /// Whether the transport delivers reliably, which decides the retransmission timers.
    pub fn is_reliable(&self) -> bool {
        *self != Self::Udp
    }

    fn parse(text: &str) -> Option<Self> {
        let known = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss, Self::Sctp];
        if !lex::is_token(text) {
            return None;
        }
        let found = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text));
        Some(found.unwrap_or_else(|| Self::Other(text.to_owned())))
    }
}

/// One Via value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// How the message was sent.
    pub transport: Transport,
    /// The host of sent-by.
    pub host: Host,
    /// The port of sent-by.
    pub port: Option<u16>,
    /// All parameters, the ones below included.
    pub params: Params,
}

impl Via {
    /// A Via value with a branch and a request for `rport`.
    pub fn new(transport: Transport, host: Host, port: Option<u16>, branch: &str) -> Self {
        let mut params = Params::new();
        params.set("branch", branch);
        params.set_flag("rport");
        Self { transport, host, port, params }
    }

    /// The branch, cookie included.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// The branch after the cookie of RFC 3261; `None` when the cookie is absent or nothing follows it.
    pub fn rfc3261_branch(&self) -> Option<&str> {
        let branch = self.branch()?;
        let (cookie, rest) = branch.split_at_checked(MAGIC_COOKIE.len())?;
        (cookie.eq_ignore_ascii_case(MAGIC_COOKIE) && !rest.is_empty()).then_some(rest)
    }

    /// The address the request came from, as the receiver noted it; IPv6 with or without brackets (RFC 5118, 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        bare.parse().ok()
    }

    /// Whether the sender asks for symmetric response routing (RFC 3581).
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// The port the request came from, as the receiver noted it.
    pub fn rport(&self) -> Option<u16> {
        lex::number(self.params.get("rport")?)
    }

    /// Notes where a request came from (RFC 3261, 18.2.1; RFC 3581, 4).
    pub fn note_source(&mut self, ip: IpAddr, port: u16) {
        let rport = self.wants_rport();
        if rport || self.host.ip() != Some(ip) {
            self.params.put("received", Some(ip.to_string()));
        } else {
            self.params.remove("received");
        }
        if rport {
            self.params.put("rport", Some(port.to_string()));
        }
    }

    /// Where responses go instead of the sent-by host.
    pub fn maddr(&self) -> Option<&str> {
        self.params.get("maddr")
    }

    /// The multicast time to live.
    pub fn ttl(&self) -> Option<u8> {
        lex::number(self.params.get("ttl")?)
    }
}

/// The text is no Via value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed Via value")]
pub struct InvalidVia;

impl FromStr for Via {
    type Err = InvalidVia;

    fn from_str(text: &str) -> Result<Self, InvalidVia> {
        parse(text).ok_or(InvalidVia)
    }
}

fn parse(text: &str) -> Option<Via> {
    let (protocol, rest) = lex::trim(text).split_once('/')?;
    let (version, rest) = rest.split_once('/')?;
    if !lex::trim(protocol).eq_ignore_ascii_case("SIP") || lex::trim(version) != "2.0" {
        return None;
    }
    let (transport, rest) = lex::take_while(lex::trim_start(rest), lex::is_token_byte);
    let sent_by = rest.strip_prefix([' ', '\t'])?;
    let end = sent_by.find(';').unwrap_or(sent_by.len());
    let (sent_by, params) = sent_by.split_at_checked(end)?;
    let (host, port) = host_port(lex::trim(sent_by), true)?;
    let via = Via { transport: Transport::parse(transport)?, host, port, params: Params::parse(params)? };
    let in_range = |name: &str, is_valid: bool| via.params.get(name).is_none() || is_valid;
    let valid = in_range("ttl", via.ttl().is_some())
        && in_range("rport", via.rport().is_some())
        && in_range("received", via.received().is_some());
    valid.then_some(via)
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport.as_str(), self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via {
        text.parse().unwrap()
    }

    #[test]
    fn the_source_is_noted_as_rfc_3261_and_3581_want() {
        let source = "192.0.2.9".parse().unwrap();
        let cases = [
            ("SIP/2.0/UDP 192.0.2.9;branch=b", "SIP/2.0/UDP 192.0.2.9;branch=b"),
            ("SIP/2.0/UDP h;branch=b", "SIP/2.0/UDP h;branch=b;received=192.0.2.9"),
            (
                "SIP/2.0/UDP 192.0.2.9;rport;branch=b",
                "SIP/2.0/UDP 192.0.2.9;rport=5071;branch=b;received=192.0.2.9",
            ),
            // What the sender claims about itself does not count.
            ("SIP/2.0/UDP 192.0.2.9;received=1.2.3.4", "SIP/2.0/UDP 192.0.2.9"),
        ];

        for (before, after) in cases {
            let mut via = via(before);
            via.note_source(source, 5071);
            assert_eq!(via.to_string(), after);
        }
    }

    #[test]
    fn ipv6_addresses_are_read_as_rfc_5118_shows_them() {
        let bracketed = via("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3");
        let bare = via("SIP/2.0/UDP [2001:db8::9:1]:5060;received=2001:db8::9:255;branch=z9hG4bKas3");

        assert_eq!(bracketed.received(), bare.received());
        assert_eq!(bare.port, Some(5060));
        assert_eq!(bracketed.host.to_string(), "[2001:db8::9:1]");
    }

    #[test]
    fn only_a_cookie_with_something_after_it_is_an_rfc_3261_branch() {
        assert_eq!(via("SIP/2.0/UDP h;branch=z9hG4bKx").rfc3261_branch(), Some("x"));
        assert_eq!(via("SIP/2.0/UDP h;branch=z9hG4bK").rfc3261_branch(), None);
        assert_eq!(via("SIP/2.0/UDP h;branch=1").rfc3261_branch(), None);
    }

    #[test]
    fn malformed_values_are_refused() {
        let malformed = [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0 h",
            "SIP/3.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP h;ttl=256",
            "SIP/2.0/UDP h;rport=99999",
            "SIP/2.0/UDP h;received=h",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/U@P h",
            "SIP/2.0/UDP ::1",
            "SIP/2.0/UDP h i",
            "SIP/2.0/UDP h;;",
        ];

        for text in malformed {
            assert_eq!(text.parse::<Via>(), Err(InvalidVia), "{text}");
        }
    }
}
