use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::UdpSocket;

use crate::transports::Shared;
use crate::{Flow, Incoming, Protocol};

/// The largest datagram there is.
const DATAGRAM_BYTES: usize = 65_535;

/// Datagrams taken before other tasks get a turn. Arbitrary; a few hundred microseconds of reading.
const BATCH: usize = 64;

/// What the kernel may hold for us; it caps this at its own limit. About a second of a busy trunk.
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;

pub(crate) async fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(address).await?;
    let options = SockRef::from(&socket);
    // A smaller buffer still works, so a refusal is not an error.
    let _ = options.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
    let _ = options.set_send_buffer_size(KERNEL_BUFFER_BYTES);
    // Sending never waits, and until the runtime has seen the socket ready it would refuse.
    socket.writable().await?;
    Ok(socket)
}

/// Hands up datagrams until the drain is over or nobody listens.
pub(crate) async fn receive(socket: Arc<UdpSocket>, local: SocketAddr, shared: Arc<Shared>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        let ready = tokio::select! {
            () = shared.draining.cancelled() => return,
            ready = socket.readable() => ready,
        };
        if let Err(error) = ready {
            tracing::error!(%error, %local, "failed to wait for datagrams");
            return;
        }
        for _ in 0..BATCH {
            let (length, remote) = match socket.try_recv_from(&mut buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // An earlier datagram of ours was refused; the socket itself is well.
                Err(_) => continue,
            };
            // A copy, so that whoever keeps a few bytes does not keep the whole buffer.
            let bytes = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            let flow = Flow { local, remote, protocol: Protocol::Udp, connection: None };
            if shared.incoming.send(Incoming::Received { flow, bytes }).await.is_err() {
                return;
            }
        }
        tokio::task::yield_now().await;
    }
}
