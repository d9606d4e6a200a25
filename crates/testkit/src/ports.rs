use std::net::{Ipv4Addr, SocketAddr, TcpListener};

/// Some neighbouring ports of 127.0.0.1 that no other test uses, also in other processes.
///
/// The first port of the block is held as long as the value lives and marks the block as taken. The others are free to
/// bind, and to bind again: a server that is killed and started anew keeps its addresses.
#[derive(Debug)]
pub struct PortBlock {
    marker: TcpListener,
}

/// Above the ports that Linux gives out by itself (32768 to 60999), and those that the server gives to RTP.
pub(crate) const FIRST: u16 = 61_100;
const LAST: u16 = 65_500;
/// The marker and nineteen to use: three phones take three each.
pub(crate) const STEP: u16 = 20;

impl PortBlock {
    /// Takes a free block.
    ///
    /// # Panics
    ///
    /// Panics where all are taken, or something listens in each.
    pub fn take() -> Self {
        let blocks = (LAST - FIRST) / STEP;
        // Processes begin at different places, so that they seldom try the same block at once.
        let start = u16::try_from(std::process::id() % u32::from(blocks)).unwrap_or(0);
        let first_port = |at: u16| FIRST + (start + at) % blocks * STEP;
        let taken = (0..blocks).map(first_port).find_map(|port| {
            let marker = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
            let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
            (port + 1..port + STEP).all(is_free).then_some(Self { marker })
        });
        taken.expect("no block of free ports is left")
    }

    /// The address of the `n`th port, from 1 to 19.
    ///
    /// # Panics
    ///
    /// Panics for other numbers.
    pub fn address(&self, n: u16) -> SocketAddr {
        assert!((1..STEP).contains(&n), "a block has no port {n}");
        let marker = self.marker.local_addr().expect("a bound socket has an address");
        (Ipv4Addr::LOCALHOST, marker.port() + n).into()
    }
}
