use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media_engine::{AudioSender, Codec, Frame, MAX_PAYLOAD_BYTES, SampleRate, SenderConfig, ToneGenerator};
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::wait::eventually;

/// Octets of a header without extensions (RFC 3550, 5.1).
const HEADER_OCTETS: usize = 12;

/// Loudness of its tone: a quarter of full scale.
const AMPLITUDE: i16 = 8_000;

/// The media stack of an application that speaks plain RTP with PCMU: it says a tone and keeps what it hears, at 8 kHz.
#[derive(Debug)]
pub struct RtpBot {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    heard: Arc<Mutex<Vec<i16>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl RtpBot {
    /// Takes a port of this machine.
    pub async fn open() -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
        let address = socket.local_addr().expect("an address");
        Self { socket, address, heard: Arc::default(), tasks: Vec::new() }
    }

    /// Its offer (RFC 3264).
    pub fn offer(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\na=sendrecv\r\n"
        )
    }

    /// Begins to talk as the answer says.
    ///
    /// # Panics
    ///
    /// Panics where it is not the answer to its offer.
    pub fn answered(&mut self, answer: &str, tone_hz: f32) {
        let port =
            answer.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
        let to = SocketAddr::from(([127, 0, 0, 1], port.expect("an audio line")));
        self.tasks.push(tokio::spawn(say(Arc::clone(&self.socket), to, tone_hz)));
        self.tasks.push(tokio::spawn(hear(Arc::clone(&self.socket), Arc::clone(&self.heard))));
    }

    /// Waits until it has heard so much more, and returns that.
    pub async fn hear(&self, millis: usize) -> Vec<i16> {
        let length = millis * 8;
        let begun = self.heard().len();
        eventually("the application's media stack hears", async || {
            let heard = self.heard().len();
            (heard >= begun + length, heard)
        })
        .await;
        let heard = self.heard();
        heard.get(heard.len() - length..).unwrap_or_default().to_vec()
    }

    fn heard(&self) -> MutexGuard<'_, Vec<i16>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for RtpBot {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn say(socket: Arc<UdpSocket>, to: SocketAddr, tone_hz: f32) {
    let config = SenderConfig {
        codec: Codec::Pcmu,
        payload_type: 0,
        ssrc: 7,
        first_sequence: 1,
        first_timestamp: 1,
        telephone_event: None,
    };
    let (mut sender, mut tone) = (AudioSender::new(config), ToneGenerator::sine(tone_hz, AMPLITUDE));
    let (mut frame, mut payload) = (Frame::silence(SampleRate::Hz8000), [0; MAX_PAYLOAD_BYTES]);
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        tone.fill(&mut frame);
        let Some(sent) = sender.send(Some(&frame), &mut payload) else { continue };
        let mut packet = vec![0x80, sent.payload_type];
        packet.extend(sent.sequence.to_be_bytes());
        packet.extend(sent.timestamp.to_be_bytes());
        packet.extend(sent.ssrc.to_be_bytes());
        packet.extend(payload.iter().take(sent.payload_len));
        // The server's port is closed once the call is over.
        let _ = socket.send_to(&packet, to).await;
    }
}

async fn hear(socket: Arc<UdpSocket>, heard: Arc<Mutex<Vec<i16>>>) {
    let mut packet = [0; 2_048];
    while let Ok(length) = socket.recv(&mut packet).await {
        let is_audio = packet.get(1).is_some_and(|octet| octet & 0x7f == 0);
        if is_audio && let Some(payload) = packet.get(HEADER_OCTETS..length) {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            heard.extend(payload.iter().copied().map(mu_law));
        }
    }
}

/// A sample of G.711, mu-law.
fn mu_law(octet: u8) -> i16 {
    let octet = !octet;
    let magnitude = ((i16::from(octet & 0x0f) << 3) + 0x84) << ((octet & 0x70) >> 4);
    if octet & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}
