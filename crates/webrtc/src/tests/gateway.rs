//! Sessions over loopback.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use str0m::media::Direction;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::far::{Far, Speaks, start};
use crate::{
    Cause, Ended, Failure, Gateway, Handle, Limits, OfferError, Patience, ReofferError, RtpPort, State,
};

/// Long enough for a busy machine; tests wait for events, so it only matters when they fail.
const DEADLINE: Duration = Duration::from_secs(20);
const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const OPUS: u8 = 111;

/// A media thread that sends back what comes.
#[derive(Clone, Default)]
pub(super) struct Echo(Arc<Mutex<Leg>>);

#[derive(Default)]
struct Leg {
    waiting: VecDeque<Vec<u8>>,
    waker: Option<Waker>,
    is_closed: bool,
}

impl Echo {
    fn close(&self) {
        let mut leg = self.0.lock().unwrap();
        leg.is_closed = true;
        leg.waker.take().unwrap().wake();
    }
}

impl RtpPort for Echo {
    fn poll_sent(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Option<usize>> {
        let mut leg = self.0.lock().unwrap();
        if leg.is_closed {
            return Poll::Ready(None);
        }
        let Some(datagram) = leg.waiting.pop_front() else {
            leg.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        buffer[..datagram.len()].copy_from_slice(&datagram);
        Poll::Ready(Some(datagram.len()))
    }

    fn deliver(&mut self, datagram: &[u8]) {
        let mut leg = self.0.lock().unwrap();
        leg.waiting.push_back(datagram.to_vec());
        if let Some(waker) = leg.waker.take() {
            waker.wake();
        }
    }
}

/// A far end with a socket.
struct Client {
    far: Far,
    socket: UdpSocket,
}

impl Client {
    async fn new(ip: IpAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).await.unwrap();
        Self { far: Far::new(Speaks::Opus, socket.local_addr().unwrap(), start()), socket }
    }

    /// Lives until `is_done`.
    async fn run(&mut self, mut is_done: impl FnMut(&Far) -> bool) {
        let mut buffer = [0; 2_000];
        let live = async {
            while !is_done(&self.far) {
                for (to, octets) in self.far.transmits() {
                    self.socket.send_to(&octets, to).await.unwrap();
                }
                let wake =
                    Instant::from_std(self.far.timeout).min(Instant::now() + Duration::from_millis(20));
                match tokio::time::timeout_at(wake, self.socket.recv_from(&mut buffer)).await {
                    Ok(received) => {
                        let (length, from) = received.unwrap();
                        self.far.handle_datagram(from, &buffer[..length], start());
                    }
                    Err(_) => self.far.handle_timeout(start()),
                }
            }
        };
        timeout(DEADLINE, live).await.expect("it takes too long");
    }

    /// Sends packets until so many have come back.
    async fn talk(&mut self, first: u16, count: u16) {
        let already = self.far.received.len();
        for number in first..first + count {
            self.far.send(OPUS, number, &number.to_be_bytes(), start());
            let expected = already + usize::from(number - first) + 1;
            self.run(|far| far.received.len() >= expected).await;
        }
        for (number, (header, payload)) in (first..).zip(&self.far.received[already..]) {
            assert_eq!((header.payload_type, header.timestamp), (OPUS, u32::from(number) * 960));
            assert_eq!(payload[..], number.to_be_bytes());
        }
    }
}

struct Running {
    client: Client,
    handle: Handle,
    echo: Echo,
    task: JoinHandle<Ended>,
}

async fn gateway(limits: Limits) -> Gateway {
    Gateway::bind(SocketAddr::new(V4, 0), V4, limits).await.unwrap()
}

async fn connect(gateway: &Gateway, ip: IpAddr) -> Running {
    let mut client = Client::new(ip).await;
    let (answer, session, handle) = gateway.answer(&client.far.offer()).unwrap();
    let echo = Echo::default();
    let task = tokio::spawn(session.run(echo.clone()));
    client.far.accept(&answer.sdp);
    client.run(|far| far.is_connected).await;
    Running { client, handle, echo, task }
}

async fn ended(task: JoinHandle<Ended>) -> Cause {
    timeout(DEADLINE, task).await.unwrap().unwrap().cause
}

#[tokio::test]
async fn sessions_share_a_socket_and_each_hears_its_own() {
    let gateway = gateway(Limits::default()).await;
    let mut one = connect(&gateway, V4).await;
    let mut two = connect(&gateway, V4).await;
    assert_eq!(gateway.sessions(), 2);
    one.client.talk(0, 5).await;
    two.client.talk(100, 5).await;
    one.client.talk(5, 5).await;
    assert_eq!(*one.handle.state().borrow(), State::Connected);
    one.handle.close().await;
    assert_eq!(ended(one.task).await, Cause::Closed);
    one.client.run(|far| far.is_closed).await;
    assert_eq!(*one.handle.state().borrow(), State::Ended(Cause::Closed));
    two.client.talk(105, 5).await;
    two.echo.close();
    assert_eq!(ended(two.task).await, Cause::PortClosed);
    assert_eq!(gateway.sessions(), 0);
}

#[tokio::test]
async fn one_socket_serves_both_versions_of_ip() {
    for (bound, advertised, client) in [
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), V4, V4),
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), V6, V6),
        (V6, V6, V6),
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), V4, V4),
    ] {
        let gateway = Gateway::bind(SocketAddr::new(bound, 0), advertised, Limits::default()).await.unwrap();
        connect(&gateway, client).await.client.talk(0, 3).await;
    }
}

#[tokio::test]
async fn an_address_that_nobody_has_is_not_advertised() {
    let address = SocketAddr::new(V4, 0);
    let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    assert!(Gateway::bind(address, unspecified, Limits::default()).await.is_err());
}

#[tokio::test]
async fn a_session_is_held_resumed_and_restarted() {
    let gateway = gateway(Limits::default()).await;
    let mut running = connect(&gateway, V4).await;
    running.client.talk(0, 3).await;
    for (direction, restarts) in
        [(Direction::SendOnly, false), (Direction::SendRecv, false), (Direction::SendRecv, true)]
    {
        let offer = running.client.far.reoffer(direction, restarts);
        let answer = running.handle.reoffer(offer).await.unwrap();
        running.client.far.accept(&answer.sdp);
    }
    let until = Instant::now() + Duration::from_millis(500);
    running.client.run(|_| Instant::now() > until).await;
    running.client.talk(10, 3).await;
    let other = Client::new(V4).await.far.offer();
    assert_eq!(running.handle.reoffer(other).await, Err(ReofferError::NewPeerConnection));
    drop(running.handle);
    assert_eq!(ended(running.task).await, Cause::Closed);
}

#[tokio::test]
async fn a_far_end_that_closes_ends_its_session() {
    let gateway = gateway(Limits::default()).await;
    let mut running = connect(&gateway, V4).await;
    running.client.far.rtc.close().unwrap();
    running.client.far.handle_timeout(start());
    let task = running.task;
    running.client.run(|_| task.is_finished()).await;
    assert_eq!(ended(task).await, Cause::Failed(Failure::Closed));
    assert_eq!(running.handle.reoffer("").await, Err(ReofferError::Gone));
}

#[tokio::test]
async fn there_are_no_more_sessions_than_may_be() {
    let gateway = gateway(Limits { sessions: 1, ..Limits::default() }).await;
    let offer = Client::new(V4).await.far.offer();
    let (_, session, handle) = gateway.answer(&offer).unwrap();
    assert_eq!(gateway.answer(&offer).unwrap_err(), OfferError::Full);
    drop(session);
    assert_eq!(*handle.state().borrow(), State::Ended(Cause::Closed));
    assert!(gateway.answer(&offer).is_ok());
}

#[tokio::test]
async fn an_offer_is_looked_at_without_a_session() {
    let gateway = gateway(Limits { sessions: 1, ..Limits::default() }).await;
    let offer = Client::new(V4).await.far.offer();
    let codec = gateway.codec_of(&offer).unwrap();
    assert_eq!(gateway.codec_of("v=0").unwrap_err(), gateway.answer("v=0").unwrap_err());
    assert_eq!(gateway.sessions(), 0);
    let (answer, _session, _handle) = gateway.answer(&offer).unwrap();
    assert_eq!(answer.terms.codec, codec);
    assert_eq!(gateway.codec_of(&offer), Err(OfferError::Full));
}

#[tokio::test]
async fn who_does_not_come_is_not_waited_for() {
    let patience = Patience { connect: Duration::from_millis(50), ..Patience::default() };
    let gateway = gateway(Limits { patience, ..Limits::default() }).await;
    let (_, session, _handle) = gateway.answer(&Client::new(V4).await.far.offer()).unwrap();
    let ended = timeout(DEADLINE, session.run(Echo::default())).await.unwrap();
    assert_eq!(ended.cause, Cause::Failed(Failure::NeverConnected));
    assert_eq!(gateway.sessions(), 0);
}

#[tokio::test]
async fn datagrams_of_strangers_reach_nobody() {
    let gateway = gateway(Limits::default()).await;
    let mut running = connect(&gateway, V4).await;
    let stranger = UdpSocket::bind((V4, 0)).await.unwrap();
    let noise = [&b""[..], &[0; 20], &[22; 100], &[0x80; 100], &[0x80; 1_501], b"GET / HTTP/1.1"];
    for datagram in noise {
        stranger.send_to(datagram, gateway.candidate()).await.unwrap();
    }
    let until = Instant::now() + DEADLINE;
    running.client.run(|_| gateway.traffic().unknown == 6 || Instant::now() > until).await;
    assert_eq!(gateway.traffic().unknown, 6);
    running.client.talk(0, 3).await;
}
