//! The phones: they hum, knock once a second, and listen.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use media_engine::Codec;
use rtc_proto::rtp::{FIXED_HEADER_LEN, Header, Packet, is_rtcp};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use super::board::{Board, Numbers, Orders};
use super::sound::{Ear, hum, knock};

/// Sockets that all phones share, so that no kernel buffer is the bottleneck.
const SINKS: usize = 64;

/// A packet of each phone is due in it.
const ROUND: Duration = Duration::from_millis(20);

/// Packets of a phone from one knock to the next: a second.
const KNOCK_EVERY: usize = 50;
/// Moves the knocks of neighbours apart.
const STEP: usize = 7;

/// Longer than any packet of PCMU.
const MAX_DATAGRAM: usize = 512;

/// Where the phones receive.
pub(super) struct Sinks(Vec<Rc<UdpSocket>>);

impl Sinks {
    pub(super) async fn bind() -> Result<Self> {
        let mut sinks = Vec::new();
        for _ in 0..SINKS {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for a phone")?;
            // Until the runtime has seen it ready, sending without waiting would be refused.
            socket.writable().await?;
            sinks.push(Rc::new(socket));
        }
        Ok(Self(sinks))
    }

    /// Their addresses; phones use them in turn.
    pub(super) fn addresses(&self) -> Result<Vec<SocketAddr>> {
        self.0.iter().map(|socket| Ok(socket.local_addr()?)).collect()
    }

    /// Listens to the legs, until the tasks are dropped.
    pub(super) fn listen(&self, legs: &[SocketAddr], board: &Rc<Board>, orders: &Arc<Orders>) {
        let mut streams = vec![usize::MAX; usize::from(u16::MAX) + 1];
        for (stream, leg) in legs.iter().enumerate() {
            if let Some(place) = streams.get_mut(usize::from(leg.port())) {
                *place = stream;
            }
        }
        let streams = Rc::new(streams);
        for socket in &self.0 {
            let listener = Listener {
                socket: Rc::clone(socket),
                streams: Rc::clone(&streams),
                numbers: vec![Numbers::default(); legs.len()],
                board: Rc::clone(board),
                orders: Arc::clone(orders),
            };
            tokio::task::spawn_local(listener.run());
        }
    }

    /// Says what phones say, until it is over.
    pub(super) async fn speak(&self, legs: &[SocketAddr], board: &Board, orders: &Orders) {
        let (hum, knock) = (hum(Codec::Pcmu), knock());
        let (mut number, start) = (0u16, Instant::now());
        let streams = u32::try_from(legs.len()).unwrap_or(u32::MAX).max(1);
        while !orders.are_over() {
            let round = start + ROUND * u32::from(number);
            for ((stream, leg), place) in legs.iter().enumerate().zip(0u32..) {
                sleep_until(round + ROUND * place / streams).await;
                let is_knock = (usize::from(number) + stream * STEP).is_multiple_of(KNOCK_EVERY);
                if is_knock && orders.count() {
                    board.knocked(stream);
                }
                let payload = if is_knock { Some(&knock) } else { hum.first() };
                if let (Some(payload), Some(socket)) = (payload, self.0.get(stream % SINKS)) {
                    send(socket, *leg, (stream, number), payload);
                }
            }
            number = number.wrapping_add(1);
        }
    }
}

fn send(socket: &UdpSocket, to: SocketAddr, (stream, number): (usize, u16), payload: &[u8]) {
    let header = Header {
        marker: number == 0,
        payload_type: 0,
        sequence: number,
        timestamp: u32::from(number) * 160,
        ssrc: u32::try_from(stream).unwrap_or(u32::MAX),
    };
    let mut packet = [0; MAX_DATAGRAM];
    let Some(start) = header.write(&mut packet) else { return };
    let end = start + payload.len();
    if let Some(room) = packet.get_mut(start..end) {
        room.copy_from_slice(payload);
        // What the kernel does not take is lost, as on a network, and shows as a gap.
        let _ = socket.try_send_to(packet.get(..end).unwrap_or_default(), to);
    }
}

/// Reads one socket.
struct Listener {
    socket: Rc<UdpSocket>,
    /// The stream of each port of the server.
    streams: Rc<Vec<usize>>,
    numbers: Vec<Numbers>,
    board: Rc<Board>,
    orders: Arc<Orders>,
}

impl Listener {
    async fn run(mut self) {
        let mut buffer = [0; MAX_DATAGRAM];
        // An error is of an earlier datagram that was refused; the socket itself is well.
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer).await {
            let stream = self.streams.get(usize::from(from.port())).copied();
            let datagram = buffer.get(..length).filter(|datagram| !is_rtcp(datagram)).unwrap_or_default();
            if let (Some(stream), true) = (stream, length > FIXED_HEADER_LEN) {
                self.take(stream, datagram);
            }
        }
    }

    fn take(&mut self, stream: usize, datagram: &[u8]) {
        let (Some(numbers), Ok(packet)) = (self.numbers.get_mut(stream), Packet::parse(datagram)) else {
            return;
        };
        let missing = numbers.take(packet.header.sequence);
        let ear = Ear::of_pcmu(packet.payload);
        if let Some(offset) = ear.knock {
            self.board.is_back(stream, offset);
        }
        if self.orders.count() {
            let received = &mut self.board.found.borrow_mut().phones;
            received.all += 1;
            received.lost += missing;
            received.silent += u64::from(ear.is_silent);
        }
    }
}
