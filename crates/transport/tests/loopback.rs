//! Bytes over the loopback interface, against plain sockets of tokio.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use transport::{CloseCause, Config, Destination, Incoming, Protocol, SendError, Transports};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn config() -> Config {
    Config { udp: vec![LOOPBACK], tcp: vec![LOOPBACK], ..Config::default() }
}

async fn bound(config: Config) -> (Transports, SocketAddr, SocketAddr) {
    let transports = Transports::bind(config).await.unwrap();
    let udp = transports.udp_addresses().next().unwrap();
    let tcp = transports.tcp_addresses().first().copied().unwrap();
    (transports, udp, tcp)
}

async fn received(transports: &mut Transports) -> (transport::Flow, Bytes) {
    match transports.recv().await.unwrap() {
        Incoming::Received { flow, bytes } => (flow, bytes),
        closed @ Incoming::Closed { .. } => panic!("{closed:?}"),
    }
}

async fn closed(transports: &mut Transports) -> CloseCause {
    loop {
        if let Incoming::Closed { cause, .. } = transports.recv().await.unwrap() {
            return cause;
        }
    }
}

#[tokio::test]
async fn a_datagram_is_answered_the_way_it_came() {
    let (mut transports, udp, _) = bound(config()).await;
    let peer = UdpSocket::bind(LOOPBACK).await.unwrap();

    peer.send_to(b"ping", udp).await.unwrap();
    let (flow, bytes) = received(&mut transports).await;
    transports.sender().send(flow.into(), bytes).unwrap();

    assert_eq!((flow.protocol, flow.local, flow.remote), (Protocol::Udp, udp, peer.local_addr().unwrap()));
    let mut buffer = [0; 16];
    let (length, from) = peer.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..length], from), (&b"ping"[..], udp));
}

#[tokio::test]
async fn a_socket_that_was_just_bound_sends_at_once() {
    let (transports, udp, _) = bound(config()).await;
    let peer = UdpSocket::bind(LOOPBACK).await.unwrap();

    let to = Destination::udp(peer.local_addr().unwrap());
    let sent = transports.sender().send(to, Bytes::from_static(b"first"));

    assert!(matches!(sent, Ok(None)), "{sent:?}");
    assert_eq!(peer.recv_from(&mut [0; 16]).await.unwrap(), (5, udp));
}

#[tokio::test]
async fn datagrams_keep_their_bounds_and_their_order_in_a_burst() {
    let (mut transports, udp, _) = bound(config()).await;
    let peer = UdpSocket::bind(LOOPBACK).await.unwrap();
    for number in 0..200_u32 {
        peer.send_to(&number.to_be_bytes(), udp).await.unwrap();
    }
    for number in 0..200_u32 {
        assert_eq!(received(&mut transports).await.1, &number.to_be_bytes()[..]);
    }
}

#[tokio::test]
async fn a_datagram_without_a_socket_of_its_family_is_refused() {
    let (transports, ..) = bound(config()).await;
    let sent = transports.sender().send(Destination::udp("[::1]:5060".parse().unwrap()), Bytes::new());
    assert!(matches!(sent, Err(SendError::NoSocket)));
}

#[tokio::test]
async fn an_accepted_stream_is_answered_on_its_connection_and_its_end_is_told() {
    let (mut transports, _, tcp) = bound(config()).await;
    let mut peer = TcpStream::connect(tcp).await.unwrap();

    peer.write_all(b"hello").await.unwrap();
    let (flow, bytes) = received(&mut transports).await;
    let used = transports.sender().send(flow.into(), bytes).unwrap();
    let mut buffer = [0; 5];
    peer.read_exact(&mut buffer).await.unwrap();
    drop(peer);

    assert_eq!((&buffer, used), (b"hello", flow.connection));
    assert_eq!(closed(&mut transports).await, CloseCause::Peer);
    assert_eq!(transports.sender().connections(), 0);
}

#[tokio::test]
async fn an_opened_connection_is_used_again_for_the_same_peer() {
    let (mut transports, ..) = bound(config()).await;
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let to = Destination::tcp(listener.local_addr().unwrap());

    let first = transports.sender().send(to.clone(), Bytes::from_static(b"one ")).unwrap();
    let second = transports.sender().send(to, Bytes::from_static(b"two")).unwrap();
    let (mut peer, _) = listener.accept().await.unwrap();
    let mut buffer = [0; 7];
    peer.read_exact(&mut buffer).await.unwrap();
    peer.write_all(b"back").await.unwrap();

    assert_eq!((&buffer, first), (b"one two", second));
    assert_eq!(received(&mut transports).await.0.connection, first);
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_is_told_as_closed() {
    let (mut transports, ..) = bound(config()).await;
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);

    let id = transports.sender().send(Destination::tcp(nobody), Bytes::from_static(b"x")).unwrap().unwrap();

    let cause = CloseCause::ConnectFailed;
    let told = transports.recv().await.unwrap();
    assert_eq!(told, Incoming::Closed { connection: id, remote: nobody, cause });
}

#[tokio::test]
async fn past_the_limit_a_connection_is_closed_at_once() {
    let (mut transports, _, tcp) = bound(Config { max_connections: 1, ..config() }).await;
    let mut first = TcpStream::connect(tcp).await.unwrap();
    first.write_all(b"in").await.unwrap();
    received(&mut transports).await;

    let mut second = TcpStream::connect(tcp).await.unwrap();

    // Zero bytes or a reset, by what the kernel saw first.
    assert!(matches!(second.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    let other = Destination::tcp("127.0.0.1:9".parse().unwrap());
    let refused = transports.sender().send(other, Bytes::from_static(b"x"));
    assert!(matches!(refused, Err(SendError::TooManyConnections)));
}

#[tokio::test]
async fn past_the_limit_of_one_address_its_connections_are_closed_and_others_can_be_opened() {
    let (mut transports, _, tcp) = bound(Config { max_connections_per_peer: 1, ..config() }).await;
    let mut first = TcpStream::connect(tcp).await.unwrap();
    first.write_all(b"in").await.unwrap();
    received(&mut transports).await;

    let mut second = TcpStream::connect(tcp).await.unwrap();

    assert!(matches!(second.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let own = Destination::tcp(listener.local_addr().unwrap());
    assert!(transports.sender().send(own, Bytes::from_static(b"x")).is_ok());
    drop(first);
    assert_eq!(closed(&mut transports).await, CloseCause::Peer);
    let mut third = TcpStream::connect(tcp).await.unwrap();
    third.write_all(b"again").await.unwrap();
    assert_eq!(received(&mut transports).await.1, "again");
}

#[tokio::test]
async fn a_peer_that_does_not_read_loses_its_connection() {
    let (mut transports, _, tcp) = bound(Config { write_queue: 4, ..config() }).await;
    let mut peer = TcpStream::connect(tcp).await.unwrap();
    peer.write_all(b"in").await.unwrap();
    let (flow, _) = received(&mut transports).await;

    let (sender, chunk) = (transports.sender(), Bytes::from(vec![0; 1 << 20]));
    while sender.send(flow.into(), chunk.clone()).is_ok() {
        tokio::task::yield_now().await;
    }

    assert_eq!(closed(&mut transports).await, CloseCause::Slow);
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_the_idle_time() {
    let (mut transports, _, tcp) =
        bound(Config { idle_timeout: Duration::from_millis(20), ..config() }).await;
    let _peer = TcpStream::connect(tcp).await.unwrap();
    assert_eq!(closed(&mut transports).await, CloseCause::Idle);
}

#[tokio::test]
async fn only_a_peer_that_opens_a_connection_has_to_speak_first() {
    let quick = Config { first_bytes_timeout: Duration::from_millis(100), ..config() };
    let (mut transports, _, tcp) = bound(quick).await;
    let mut speaker = TcpStream::connect(tcp).await.unwrap();
    speaker.write_all(b"hello").await.unwrap();
    let (flow, _) = received(&mut transports).await;
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let own = Destination::tcp(listener.local_addr().unwrap());
    let opened = transports.sender().send(own, Bytes::from_static(b"x")).unwrap();
    let (mut callee, _) = listener.accept().await.unwrap();
    let _silent = TcpStream::connect(tcp).await.unwrap();

    assert_eq!(closed(&mut transports).await, CloseCause::Idle);

    speaker.write_all(b"more").await.unwrap();
    assert_eq!(received(&mut transports).await.0, flow);
    callee.write_all(b"answer").await.unwrap();
    assert_eq!(received(&mut transports).await.0.connection, opened);
}

#[tokio::test]
async fn a_drain_writes_what_is_queued_and_ends_everything() {
    let (mut transports, _, tcp) = bound(config()).await;
    let mut peer = TcpStream::connect(tcp).await.unwrap();
    peer.write_all(b"in").await.unwrap();
    let (flow, _) = received(&mut transports).await;
    let sender = transports.sender();
    for _ in 0..10 {
        sender.send(flow.into(), Bytes::from_static(b"last words ")).unwrap();
    }

    assert!(transports.drain(Duration::from_secs(5)).await);

    let mut heard = String::new();
    peer.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "last words ".repeat(10));
    assert_eq!(transports.recv().await, None);
    assert!(matches!(sender.send(flow.into(), Bytes::new()), Err(SendError::Draining)));
}
