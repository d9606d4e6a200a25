//! Where messages come from and go to.

use core::fmt;
use std::net::SocketAddr;

/// The transport protocol of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// Datagrams; transactions repeat what is lost.
    Udp,
    /// A stream of messages.
    Tcp,
    /// A stream of messages that nobody between can read.
    Tls,
}

impl Transport {
    /// Whether the transport itself repeats what is lost.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        match self {
            Self::Udp => false,
            Self::Tcp | Self::Tls => true,
        }
    }

    pub(crate) const fn uri_name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        })
    }
}

/// One way between this node and a far end.
///
/// Answers, and calls to a registered phone, take the way on which the phone came: behind a NAT no
/// other one exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The transport protocol.
    pub transport: Transport,
    /// The address of this node as the far end can reach it; it is written into Via and Contact.
    pub local: SocketAddr,
    /// The address of the far end.
    pub remote: SocketAddr,
    /// The stream connection. `None` for datagrams, and for a connection that has yet to be opened.
    pub connection: Option<u64>,
}

impl Flow {
    /// Whether the transport itself repeats what is lost.
    #[must_use]
    pub const fn is_reliable(&self) -> bool {
        self.transport.is_reliable()
    }
}
