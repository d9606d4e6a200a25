//! Sessions whose datagrams go over TCP.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::far::{Far, Speaks, start};
use super::gateway::Echo;
use crate::{Cause, Gateway, Limits, State};

const DEADLINE: Duration = Duration::from_secs(20);
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OPUS: u8 = 111;

/// A far end with a connection.
struct Client {
    far: Far,
    stream: TcpStream,
    read: Vec<u8>,
}

impl Client {
    async fn new(gateway: &Gateway) -> Self {
        let stream = TcpStream::connect(gateway.candidate()).await.unwrap();
        let far = Far::over_tcp(Speaks::Opus, stream.local_addr().unwrap(), start());
        Self { far, stream, read: Vec::new() }
    }

    /// Lives until `is_done`.
    async fn run(&mut self, mut is_done: impl FnMut(&Far) -> bool) {
        let live = async {
            while !is_done(&self.far) {
                for (_, octets) in self.far.transmits() {
                    let length = u16::try_from(octets.len()).unwrap();
                    self.stream.write_all(&[&length.to_be_bytes()[..], &octets].concat()).await.unwrap();
                }
                let wake =
                    Instant::from_std(self.far.timeout).min(Instant::now() + Duration::from_millis(20));
                match timeout_at(wake, self.stream.read_buf(&mut self.read)).await {
                    Ok(length) => assert!(length.unwrap() > 0, "the connection is closed"),
                    Err(_) => self.far.handle_timeout(start()),
                }
                self.take();
            }
        };
        timeout(DEADLINE, live).await.expect("it takes too long");
    }

    fn take(&mut self) {
        let from = self.stream.peer_addr().unwrap();
        while let Some((length, rest)) = self.read.split_first_chunk::<2>() {
            let Some((octets, rest)) = rest.split_at_checked(u16::from_be_bytes(*length).into()) else {
                return;
            };
            self.far.handle_datagram(from, octets, start());
            self.read = rest.to_vec();
        }
    }

    async fn talk(&mut self, count: u16) {
        for number in 0..count {
            self.far.send(OPUS, number, b"over TCP", start());
            let expected = usize::from(number) + 1;
            self.run(|far| far.received.len() >= expected).await;
        }
        assert!(self.far.received.iter().all(|(_, payload)| payload == b"over TCP"));
    }
}

async fn gateway(bound: IpAddr, limits: Limits) -> Gateway {
    loop {
        let gateway = Gateway::bind(SocketAddr::new(bound, 0), V4, limits).await.unwrap();
        // The number that UDP got may be taken for TCP.
        if gateway.reach().has_tcp || limits.connections == 0 {
            return gateway;
        }
    }
}

/// Waits until the gateway has so many connections.
async fn settled(gateway: &Gateway, connections: usize) {
    let wait = async {
        while gateway.connections() != connections {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, wait).await.expect("it takes too long");
}

#[tokio::test]
async fn sound_passes_over_tcp_beside_udp() {
    for bound in [V4, IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
        let gateway = gateway(bound, Limits::default()).await;
        let mut client = Client::new(&gateway).await;
        let (answer, session, handle) = gateway.answer(&client.far.offer()).unwrap();
        let task = tokio::spawn(session.run(Echo::default()));
        client.far.accept(&answer.sdp);
        client.run(|far| far.is_connected).await;
        client.talk(20).await;
        assert_eq!((gateway.connections(), gateway.traffic().unknown), (1, 0));
        assert_eq!(*handle.state().borrow(), State::Connected);
        handle.close().await;
        assert_eq!(timeout(DEADLINE, task).await.unwrap().unwrap().cause, Cause::Closed);
        client.run(|far| far.is_closed).await;
        drop(client);
        settled(&gateway, 0).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_proves_nothing_is_closed() {
    let gateway = gateway(V4, Limits::default()).await;
    let mut silent = TcpStream::connect(gateway.candidate()).await.unwrap();
    let mut noisy = TcpStream::connect(gateway.candidate()).await.unwrap();
    noisy.write_all(&[0, 3, 1, 2, 3, 0, 0, 0, 1, 22]).await.unwrap();
    let mut long = TcpStream::connect(gateway.candidate()).await.unwrap();
    long.write_all(&[0xff, 0xff, 1, 2, 3]).await.unwrap();
    for stream in [&mut silent, &mut noisy, &mut long] {
        // With unread octets a connection is reset rather than closed.
        let end = timeout(DEADLINE, stream.read(&mut [0; 8])).await.unwrap();
        assert!(end.is_err() || end.unwrap() == 0);
    }
    settled(&gateway, 0).await;
    assert_eq!(gateway.traffic().unknown, 3);
}

#[tokio::test]
async fn one_connection_too_many_is_closed_at_once() {
    let gateway = gateway(V4, Limits { connections: 1, ..Limits::default() }).await;
    let first = TcpStream::connect(gateway.candidate()).await.unwrap();
    settled(&gateway, 1).await;
    let mut second = TcpStream::connect(gateway.candidate()).await.unwrap();
    assert_eq!(timeout(DEADLINE, second.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
    drop(first);
    settled(&gateway, 0).await;
}

#[tokio::test]
async fn where_tcp_is_not_wanted_there_is_none() {
    let gateway = gateway(V4, Limits { connections: 0, ..Limits::default() }).await;
    assert!(TcpStream::connect(gateway.candidate()).await.is_err());
    assert!(!gateway.reach().has_tcp);
}
