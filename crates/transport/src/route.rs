use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// The address of this machine that the system sends from to `remote`. Nothing is sent.
///
/// # Errors
///
/// The system knows no way there.
pub fn local_towards(remote: SocketAddr) -> io::Result<IpAddr> {
    // Connecting a socket for datagrams only looks up the way.
    let socket = Socket::new(Domain::for_address(remote), Type::DGRAM, Some(Protocol::UDP))?;
    socket.connect(&remote.into())?;
    let local = socket.local_addr()?.as_socket();
    local.map(|local| local.ip()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

#[cfg(test)]
mod tests {
    use super::local_towards;

    #[test]
    fn this_machine_is_reached_from_itself() {
        assert_eq!(local_towards(([127, 0, 0, 1], 5060).into()).unwrap(), std::net::Ipv4Addr::LOCALHOST);
    }
}
