//! Clients of WebRTC: they hum with Opus, and listen.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use str0m::change::SdpAnswer;
use str0m::crypto::from_feature_flags;
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::board::{Board, Numbers, Orders};

const ROUND: Duration = Duration::from_millis(20);
/// Ticks of the clock of Opus in 20 ms.
const TICKS: u32 = 960;
/// What str0m offers Opus as.
const OPUS: u8 = 111;
/// Encoded silence is a few octets, a hum many.
const SILENT_OCTETS: usize = 16;
const MAX_DATAGRAM: usize = 2_048;

/// An offer that waits for its answer.
pub(super) struct Offer {
    pub(super) stream: usize,
    pub(super) sdp: String,
    pub(super) answer: oneshot::Sender<String>,
}

/// One client.
pub(super) struct Peer {
    rtc: Rtc,
    mid: Mid,
    socket: UdpSocket,
    address: SocketAddr,
    number: u64,
    numbers: Numbers,
    board: Rc<Board>,
    orders: Arc<Orders>,
    payloads: Rc<Vec<Vec<u8>>>,
}

impl Peer {
    /// Offers, and is ready to talk once it has been answered.
    pub(super) async fn call(
        stream: usize,
        offers: &mpsc::Sender<Offer>,
        (board, orders): (&Rc<Board>, &Arc<Orders>),
        payloads: &Rc<Vec<Vec<u8>>>,
    ) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for a client")?;
        socket.writable().await?;
        let address = socket.local_addr()?;
        let config = RtcConfig::new().set_crypto_provider(Arc::new(from_feature_flags())).set_rtp_mode(true);
        let mut rtc = config.clear_codecs().enable_opus(true, false).build(Instant::now().into_std());
        rtc.add_local_candidate(Candidate::host(address, "udp")?);
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = changes.apply().context("nothing to offer")?;
        let (answer, answered) = oneshot::channel();
        let offer = Offer { stream, sdp: offer.to_sdp_string(), answer };
        offers.send(offer).await.ok().context("nobody takes offers")?;
        let answer = answered.await.context("an offer was not answered")?;
        rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer)?)?;
        Ok(Self {
            rtc,
            mid,
            socket,
            address,
            number: 0,
            numbers: Numbers::default(),
            board: Rc::clone(board),
            orders: Arc::clone(orders),
            payloads: Rc::clone(payloads),
        })
    }

    /// Talks until it is dropped, or the server goes away. `phase` moves its packets within the 20 ms.
    pub(super) async fn talk(mut self, phase: Duration) -> Result<()> {
        let mut buffer = [0; MAX_DATAGRAM];
        let mut due = Instant::now() + phase;
        while self.rtc.is_alive() {
            let timeout = self.drain()?;
            tokio::select! {
                biased;
                received = self.socket.recv_from(&mut buffer) => {
                    // An error is of an earlier datagram that was refused; the socket itself is well.
                    let Ok((length, from)) = received else { continue };
                    let datagram = buffer.get(..length).unwrap_or_default();
                    let received = Receive::new(Protocol::Udp, from, self.address, datagram)?;
                    self.rtc.handle_input(Input::Receive(now(), received))?;
                }
                () = sleep_until(due) => {
                    due += ROUND;
                    self.speak()?;
                }
                () = sleep_until(timeout) => self.rtc.handle_input(Input::Timeout(now()))?,
            }
        }
        Ok(())
    }

    fn speak(&mut self) -> Result<()> {
        if self.rtc.is_connected() {
            let payload = self.payloads.get(self.number as usize % self.payloads.len().max(1));
            let mut direct = self.rtc.direct_api();
            if let (Some(stream), Some(payload)) = (direct.stream_tx_by_mid(self.mid, None), payload) {
                let (number, time) = (self.number.into(), (self.number as u32).wrapping_mul(TICKS));
                stream.write_rtp(RtpWrite::new(OPUS.into(), number, time, now(), payload.as_slice()));
            }
            self.number += 1;
        }
        Ok(self.rtc.handle_input(Input::Timeout(now()))?)
    }

    /// Sends what is to be sent, and takes what has come.
    fn drain(&mut self) -> Result<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) => return Ok(at.into()),
                Output::Transmit(transmit) => {
                    // What the kernel does not take is lost, as on a network.
                    let _ = self.socket.try_send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let missing = self.numbers.take(packet.header.sequence_number);
                    if self.orders.count() {
                        let received = &mut self.board.found.borrow_mut().clients;
                        received.all += 1;
                        received.lost += missing;
                        received.silent += u64::from(packet.payload.len() < SILENT_OCTETS);
                    }
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
