//! The media stack of a page: WebRTC with Opus, by a full agent of ICE.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media_engine::analysis::amplitude_at;
use media_engine::{
    AudioReceiver, AudioSender, Codec, Frame, MAX_PAYLOAD_BYTES, ReceiverConfig, RtpPacketRef, SampleRate,
    SenderConfig, TelephoneEventFormat, Tone, ToneGenerator,
};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::crypto::from_feature_flags;
use str0m::format::{Codec as RtcCodec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::wait::eventually;

const ROUND: Duration = Duration::from_millis(20);
const RATE_HZ: u32 = 48_000;
/// What str0m offers Opus as.
const OPUS: u8 = 111;
/// What stands for keys (RFC 4733).
const KEYS: TelephoneEventFormat = TelephoneEventFormat { payload_type: 110, clock_rate: RATE_HZ };
/// Silence between keys.
const KEY_GAP_MILLIS: u32 = 100;
/// Loudness of its tone: a quarter of full scale.
const AMPLITUDE: i16 = 8_000;
/// How much of a tone is listened to: a third of a second.
const HEARD_SAMPLES: usize = RATE_HZ as usize / 3;
/// How loud it has to be.
const HEARD_AMPLITUDE: f64 = 1_200.0;

/// It says a tone, presses keys, and keeps what it hears, at 48 kHz.
#[derive(Debug)]
pub struct WebStack {
    orders: mpsc::UnboundedSender<Order>,
    heard: Arc<Mutex<Vec<i16>>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
enum Order {
    Offer { is_restart: bool, reply: oneshot::Sender<String> },
    Answer { sdp: String, done: oneshot::Sender<()> },
    Press(Vec<Tone>),
}

impl WebStack {
    /// Takes a port of this machine.
    ///
    /// # Panics
    ///
    /// Panics where there is none.
    pub async fn open(tone_hz: u32) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        socket.writable().await.expect("a socket");
        let (orders, received) = mpsc::unbounded_channel();
        let heard = Arc::<Mutex<Vec<i16>>>::default();
        let task = tokio::spawn(Stack::new(socket, tone_hz as f32, Arc::clone(&heard)).run(received));
        Self { orders, heard, task }
    }

    /// An offer, the first or a later one.
    pub async fn offer(&self, is_restart: bool) -> String {
        let (reply, offer) = oneshot::channel();
        let _ = self.orders.send(Order::Offer { is_restart, reply });
        offer.await.expect("the stack runs")
    }

    /// Takes the answer to the offer.
    pub async fn answered(&self, sdp: &str) {
        let (done, is_done) = oneshot::channel();
        let _ = self.orders.send(Order::Answer { sdp: sdp.to_owned(), done });
        is_done.await.expect("the stack takes the answer");
    }

    /// Waits until the latest that it hears is a tone of this pitch.
    pub async fn hears(&self, hz: u32) {
        eventually(&format!("the page hears {hz} Hz"), async || {
            let loudness = self.loudness(hz);
            (loudness > HEARD_AMPLITUDE, loudness)
        })
        .await;
    }

    /// Waits until the latest that it hears is no tone of this pitch.
    pub async fn hears_no(&self, hz: u32) {
        eventually(&format!("the page does not hear {hz} Hz any more"), async || {
            let loudness = self.loudness(hz);
            (loudness < HEARD_AMPLITUDE / 4.0, loudness)
        })
        .await;
    }

    /// All that it has heard, at 48 kHz.
    pub fn heard(&self) -> Vec<i16> {
        self.lock().clone()
    }

    /// Presses keys, one after the other, as telephone events.
    ///
    /// # Panics
    ///
    /// Panics where one is no key.
    pub fn press(&self, keys: &str) {
        let tone = |key| Tone::from_char(key).unwrap_or_else(|| panic!("no phone has a key '{key}'"));
        // Its task ends with the test.
        let _ = self.orders.send(Order::Press(keys.chars().map(tone).collect()));
    }

    fn loudness(&self, hz: u32) -> f64 {
        let heard = self.lock();
        let latest = heard.len().checked_sub(HEARD_SAMPLES).and_then(|from| heard.get(from..));
        latest.map_or(0.0, |latest| amplitude_at(latest, f64::from(hz), RATE_HZ))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<i16>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WebStack {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Stack {
    rtc: Rtc,
    mid: Option<Mid>,
    pending: Option<SdpPendingOffer>,
    socket: UdpSocket,
    address: SocketAddr,
    started: Instant,
    sender: AudioSender,
    tone: ToneGenerator,
    receiver: AudioReceiver,
    heard: Arc<Mutex<Vec<i16>>>,
}

impl Stack {
    fn new(socket: UdpSocket, tone_hz: f32, heard: Arc<Mutex<Vec<i16>>>) -> Self {
        let address = socket.local_addr().expect("an address");
        let config = RtcConfig::new().set_crypto_provider(Arc::new(from_feature_flags())).set_rtp_mode(true);
        let mut config = config.clear_codecs().enable_opus(true, false);
        let keys = (KEYS.payload_type.into(), Frequency::FORTY_EIGHT_KHZ, FormatParams::default());
        config.codec_config().add_config(keys.0, None, RtcCodec::Tele, keys.1, None, keys.2);
        let started = Instant::now();
        let mut rtc = config.build(started.into_std());
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        let sent = SenderConfig {
            codec: Codec::Opus,
            payload_type: OPUS,
            ssrc: 7,
            first_sequence: 1,
            first_timestamp: 1,
            telephone_event: Some(KEYS),
        };
        let taken = ReceiverConfig { codec: Codec::Opus, payload_type: OPUS, telephone_event: Some(KEYS) };
        Self {
            rtc,
            mid: None,
            pending: None,
            socket,
            address,
            started,
            sender: AudioSender::new(sent),
            tone: ToneGenerator::sine(tone_hz, AMPLITUDE),
            receiver: AudioReceiver::new(taken),
            heard,
        }
    }

    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut buffer = [0; 2_048];
        let mut ticks = interval(ROUND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            let timeout = self.drain();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.order(order),
                    None => return,
                },
                received = self.socket.recv_from(&mut buffer) => {
                    // An error is of an earlier datagram that was refused; the socket itself is well.
                    let Ok((length, from)) = received else { continue };
                    let datagram = buffer.get(..length).unwrap_or_default();
                    if let Ok(received) = Receive::new(Protocol::Udp, from, self.address, datagram) {
                        self.input(Input::Receive(now(), received));
                    }
                }
                _ = ticks.tick() => self.tick(),
                () = sleep_until(timeout) => self.input(Input::Timeout(now())),
            }
        }
    }

    fn input(&mut self, input: Input<'_>) {
        self.rtc.handle_input(input).expect("the stack of a page goes on");
    }

    fn order(&mut self, order: Order) {
        match order {
            Order::Offer { is_restart, reply } => {
                let mut changes = self.rtc.sdp_api();
                match self.mid {
                    None => {
                        let mid = changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
                        self.mid = Some(mid);
                    }
                    Some(mid) => changes.set_direction(mid, Direction::SendRecv),
                }
                if is_restart {
                    changes.ice_restart(true);
                }
                let (offer, pending) = changes.apply().expect("something to offer");
                self.pending = Some(pending);
                let _ = reply.send(offer.to_sdp_string());
            }
            Order::Answer { sdp, done } => {
                let answer = SdpAnswer::from_sdp_string(&sdp).expect("an answer");
                let pending = self.pending.take().expect("an offer");
                self.rtc.sdp_api().accept_answer(pending, answer).expect("the answer goes with the offer");
                let _ = done.send(());
            }
            Order::Press(keys) => {
                self.sender.send_tones(&keys, KEY_GAP_MILLIS).expect("fewer keys than wait");
            }
        }
    }

    /// Says 20 ms, and hears as much.
    fn tick(&mut self) {
        let mut frame = Frame::silence(SampleRate::Hz48000);
        self.receiver.pull(self.started.elapsed(), &mut frame);
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).extend(frame.samples());
        if !self.rtc.is_connected() {
            return;
        }
        let mut payload = [0; MAX_PAYLOAD_BYTES];
        self.tone.fill(&mut frame);
        let sent = self.sender.send(Some(&frame), &mut payload);
        let mut direct = self.rtc.direct_api();
        if let (Some(sent), Some(mid)) = (sent, self.mid)
            && let Some(stream) = direct.stream_tx_by_mid(mid, None)
        {
            let octets = payload.get(..sent.payload_len).unwrap_or_default();
            let number = u64::from(sent.sequence).into();
            let packet = RtpWrite::new(sent.payload_type.into(), number, sent.timestamp, now(), octets);
            stream.write_rtp(packet.marker(sent.marker));
        }
        self.input(Input::Timeout(now()));
    }

    /// Sends what is to be sent, and takes what has come.
    fn drain(&mut self) -> Instant {
        loop {
            match self.rtc.poll_output().expect("the stack of a page goes on") {
                Output::Timeout(at) => return at.into(),
                Output::Transmit(transmit) => {
                    // What the kernel does not take is lost, as on a network.
                    let _ = self.socket.try_send_to(&transmit.contents, transmit.destination);
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    let header = &packet.header;
                    let packet = RtpPacketRef {
                        payload_type: *header.payload_type,
                        sequence: header.sequence_number,
                        timestamp: header.timestamp,
                        ssrc: *header.ssrc,
                        marker: header.marker,
                        level: None,
                        payload: &packet.payload,
                    };
                    self.receiver.handle_rtp(packet, self.started.elapsed());
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
