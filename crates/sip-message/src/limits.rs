//! How much of a peer's input is accepted.

/// Bounds for one message. Larger input is refused before it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a whole message. The default, 64 KiB, is the largest UDP datagram, which RFC 3261, 18.1.1 wants
    /// accepted, so every transport takes the same messages.
    pub message_octets: usize,
    /// Octets of one line, folds included. The default, 8 KiB, is what HTTP servers commonly take, and twenty times
    /// what real SIP fields need.
    pub line_octets: usize,
    /// Header fields of a message. The default, 256, is above 70 hops with Via, Record-Route and Route each.
    pub header_count: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { message_octets: 64 * 1024, line_octets: 8 * 1024, header_count: 256 }
    }
}
