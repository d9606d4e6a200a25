//! UDP sockets of legs, and batched receiving.

use std::io::{self, IoSliceMut};
#[expect(clippy::disallowed_types, reason = "the sockets of legs belong to this crate")]
use std::net::UdpSocket;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, setsockopt, sockopt};

/// Datagrams taken by one system call.
pub(crate) const BATCH: usize = 16;

/// Octets of a receive buffer; longer datagrams are neither RTP nor RTCP of ours.
pub(crate) const BUFFER_LEN: usize = 2_048;

/// Kernel memory for datagrams that wait: about 60 ms of a stream even where the kernel counts 2 KiB for
/// each.
const RECEIVE_BUFFER_LEN: usize = 64 * 1024;

/// Wished for by a load generator; the system may give less.
const WIDE_BUFFER_LEN: usize = 4 * 1024 * 1024;

/// One non-blocking socket.
#[derive(Debug)]
#[expect(clippy::disallowed_types, reason = "the sockets of legs belong to this crate")]
pub(crate) struct Socket(UdpSocket);

impl Socket {
    #[expect(clippy::disallowed_types, reason = "the sockets of legs belong to this crate")]
    pub(crate) fn bind(ip: IpAddr, port: u16) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, port))?;
        socket.set_nonblocking(true)?;
        // A smaller buffer than wished only means earlier loss under a flood.
        let _ = setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER_LEN);
        Ok(Self(socket))
    }

    /// Any free port, with as much kernel memory as the system gives.
    pub(crate) fn bind_wide(ip: IpAddr) -> io::Result<Self> {
        let socket = Self::bind(ip, 0)?;
        let _ = setsockopt(&socket.0, sockopt::RcvBuf, &WIDE_BUFFER_LEN);
        Ok(socket)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    pub(crate) fn send_to(&self, packet: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.0.send_to(packet, to)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Buffers of a thread for one batch.
pub(crate) struct Receiver {
    headers: MultiHeaders<SockaddrStorage>,
    buffers: Box<[[u8; BUFFER_LEN]; BATCH]>,
    arrived: [Option<(usize, SocketAddr)>; BATCH],
}

impl Receiver {
    pub(crate) fn new() -> Self {
        let buffers =
            vec![[0; BUFFER_LEN]; BATCH].try_into().unwrap_or_else(|_| Box::new([[0; BUFFER_LEN]; BATCH]));
        Self { headers: MultiHeaders::preallocate(BATCH, None), buffers, arrived: [None; BATCH] }
    }

    /// Takes what has come, at most [`BATCH`] datagrams; returns how many.
    pub(crate) fn receive(&mut self, socket: &Socket) -> usize {
        self.arrived = [None; BATCH];
        let mut slices = self.buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(messages) = recvmmsg(socket.0.as_raw_fd(), &mut self.headers, slices.iter_mut(), flags, None)
        else {
            return 0;
        };
        let mut count = 0;
        for (message, slot) in messages.zip(&mut self.arrived) {
            count += 1;
            let is_whole = !message.flags.contains(MsgFlags::MSG_TRUNC);
            *slot = message.address.filter(|_| is_whole).and_then(plain).map(|from| (message.bytes, from));
        }
        count
    }

    /// The datagrams of the latest batch, for work in place.
    pub(crate) fn datagrams(&mut self) -> impl Iterator<Item = (&mut [u8], SocketAddr)> {
        self.buffers.iter_mut().zip(&self.arrived).filter_map(|(buffer, arrived)| {
            let (len, from) = (*arrived)?;
            Some((buffer.get_mut(..len)?, from))
        })
    }
}

fn plain(address: SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::from(*v6)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_brings_datagrams_with_their_senders() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let (a, b) = (Socket::bind(ip, 0).unwrap(), Socket::bind(ip, 0).unwrap());
        let (from, to) = (a.0.local_addr().unwrap(), b.0.local_addr().unwrap());
        a.send_to(b"one", to).unwrap();
        a.send_to(b"three", to).unwrap();
        a.send_to(&[0; BUFFER_LEN + 1], to).unwrap();

        let mut receiver = Receiver::new();
        let count = receiver.receive(&b);

        let got: Vec<_> = receiver.datagrams().map(|(octets, from)| (octets.to_vec(), from)).collect();
        assert_eq!(count, 3);
        assert_eq!(got, [(b"one".to_vec(), from), (b"three".to_vec(), from)]);
        assert_eq!(receiver.receive(&b), 0);
    }
}
