use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use media_engine::analysis::amplitude_at;
use media_engine::{
    AudioSender, Codec, Frame, MAX_PAYLOAD_BYTES, SampleRate, SenderConfig, TelephoneEventFormat, Tone,
    ToneGenerator,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::wait::eventually;

/// Octets of a header without extensions (RFC 3550, 5.1).
const HEADER_OCTETS: usize = 12;

/// Loudness of its tone: a quarter of full scale.
const AMPLITUDE: i16 = 8_000;

/// How much of a tone is listened to: a third of a second, at 8 kHz.
const HEARD_SAMPLES: usize = 2_640;
/// How loud it has to be.
const HEARD_AMPLITUDE: f64 = 1_200.0;

/// What stands for keys (RFC 4733).
const KEYS: TelephoneEventFormat = TelephoneEventFormat { payload_type: 101, clock_rate: 8_000 };
/// Silence between keys.
const KEY_GAP_MILLIS: u32 = 100;

/// The media stack of one who speaks plain RTP with PCMU: it says a tone, presses keys, and keeps what it hears, at 8 kHz.
#[derive(Debug)]
pub struct RtpBot {
    socket: Arc<UdpSocket>,
    address: SocketAddr,
    heard: Arc<Mutex<Vec<i16>>>,
    keys: mpsc::UnboundedSender<Vec<Tone>>,
    pressed: Option<mpsc::UnboundedReceiver<Vec<Tone>>>,
    are_keys_events: bool,
    tasks: Vec<JoinHandle<()>>,
}

impl RtpBot {
    /// Takes a port of this machine.
    pub async fn open() -> Self {
        let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.expect("a free port"));
        let address = socket.local_addr().expect("an address");
        let (keys, pressed) = mpsc::unbounded_channel();
        Self {
            socket,
            address,
            heard: Arc::default(),
            keys,
            pressed: Some(pressed),
            are_keys_events: true,
            tasks: Vec::new(),
        }
    }

    /// Its keys are sound, not telephone events.
    #[must_use]
    pub fn with_keys_as_sound(mut self) -> Self {
        self.are_keys_events = false;
        self
    }

    /// Where its sound comes in.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its offer (RFC 3264).
    pub fn offer(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        format!(
            "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n\
             a=rtpmap:0 PCMU/8000\r\na=rtcp-mux\r\na=sendrecv\r\n"
        )
    }

    /// Begins to talk as the other side's description says.
    ///
    /// # Panics
    ///
    /// Panics where that has no audio, or another one came before.
    pub fn answered(&mut self, answer: &str, tone_hz: f32) {
        let port =
            answer.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
        let to = SocketAddr::from(([127, 0, 0, 1], port.expect("an audio line")));
        let pressed = self.pressed.take().expect("it talks already");
        let events = self.are_keys_events.then_some(KEYS);
        let speech = Speech { tone_hz, events, pressed };
        self.tasks.push(tokio::spawn(say(Arc::clone(&self.socket), to, speech)));
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

    /// Waits until the latest that it hears is a tone of this pitch.
    ///
    /// # Panics
    ///
    /// Panics where it is not.
    pub async fn hears(&self, hz: u32) {
        eventually(&format!("{hz} Hz are heard"), async || {
            let heard = self.heard();
            let latest = heard.len().checked_sub(HEARD_SAMPLES).and_then(|from| heard.get(from..));
            let loudness = latest.map_or(0.0, |latest| amplitude_at(latest, f64::from(hz), 8_000));
            (loudness > HEARD_AMPLITUDE, loudness)
        })
        .await;
    }

    /// Presses keys, one after the other, as telephone events unless they are sound.
    ///
    /// # Panics
    ///
    /// Panics where one is no key.
    pub fn press(&self, keys: &str) {
        let tone = |key| Tone::from_char(key).unwrap_or_else(|| panic!("no phone has a key '{key}'"));
        // Its task ends with the test.
        let _ = self.keys.send(keys.chars().map(tone).collect());
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

/// What is said.
struct Speech {
    tone_hz: f32,
    /// How keys are sent; without it as sound.
    events: Option<TelephoneEventFormat>,
    pressed: mpsc::UnboundedReceiver<Vec<Tone>>,
}

async fn say(socket: Arc<UdpSocket>, to: SocketAddr, mut speech: Speech) {
    let config = SenderConfig {
        codec: Codec::Pcmu,
        payload_type: 0,
        ssrc: 7,
        first_sequence: 1,
        first_timestamp: 1,
        telephone_event: speech.events,
    };
    let (mut sender, mut tone) = (AudioSender::new(config), ToneGenerator::sine(speech.tone_hz, AMPLITUDE));
    let (mut frame, mut payload) = (Frame::silence(SampleRate::Hz8000), [0; MAX_PAYLOAD_BYTES]);
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        ticks.tick().await;
        while let Ok(keys) = speech.pressed.try_recv() {
            sender.send_tones(&keys, KEY_GAP_MILLIS).expect("fewer keys than wait");
        }
        tone.fill(&mut frame);
        let Some(sent) = sender.send(Some(&frame), &mut payload) else { continue };
        let mut packet = vec![0x80, sent.payload_type | if sent.marker { 0x80 } else { 0 }];
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
