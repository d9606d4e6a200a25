use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

use crate::wait::{eventually, within};

/// The rate of all that it says and hears.
const RATE_HZ: u32 = 16_000;

/// Loudness of its tone: a quarter of full scale.
const AMPLITUDE: f64 = 8_000.0;

/// Octets before the samples of what it hears.
const HEADER_OCTETS: usize = 32;

/// An application that hosts its own media: it speaks the dialect `hookswitch` over a WebSocket at 16 kHz.
///
/// It keeps all that it hears, of everybody apart and together, and all messages.
#[derive(Debug)]
pub struct MediaBot {
    kept: Arc<Mutex<Kept>>,
    sending: mpsc::UnboundedSender<Message>,
    task: JoinHandle<()>,
}

/// Waits for the server to dial it.
#[derive(Debug)]
pub struct MediaDoor {
    listener: TcpListener,
    address: SocketAddr,
}

#[derive(Debug, Default)]
struct Kept {
    /// By the participant's id; the mix by the empty one.
    heard: BTreeMap<String, Vec<i16>>,
    texts: Vec<Value>,
    /// How the server closed: code and reason.
    closed: Option<(u16, String)>,
    is_over: bool,
}

impl MediaDoor {
    /// Listens on a port of this machine.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        Self { listener, address }
    }

    /// What a request's blob says, for this dialect's defaults and these channels.
    pub fn blob(&self, channels: &str) -> String {
        let url = format!("ws://{}/media", self.address);
        json!({"transport": "websocket", "url": url, "dialect": "hookswitch", "channels": channels})
            .to_string()
    }

    /// Waits until the server has dialled.
    pub async fn accept(&self) -> MediaBot {
        let (stream, _) = within("the server dials the bot", self.listener.accept()).await.expect("a stream");
        MediaBot::over(accept_async(stream).await.expect("a WebSocket"))
    }
}

impl MediaBot {
    /// Dials the one-time address that the server gave.
    ///
    /// # Panics
    ///
    /// Panics where it is refused.
    pub async fn dial(url: &str, channels: &str) -> Self {
        let joint = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{joint}dialect=hookswitch&channels={channels}");
        Self::try_dial(&url).await.expect("a WebSocket")
    }

    /// The same with whatever query, and with the status where it is refused.
    ///
    /// # Errors
    ///
    /// The HTTP status.
    ///
    /// # Panics
    ///
    /// Panics where there is no HTTP server.
    pub async fn try_dial(url: &str) -> Result<Self, u16> {
        let authority =
            url.strip_prefix("ws://").and_then(|rest| rest.split('/').next()).expect("a ws address");
        let stream = TcpStream::connect(authority).await.expect("the server listens");
        match within("an answer", client_async(url, stream)).await {
            Ok((socket, _)) => Ok(Self::over(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no answer from {url}: {error}"),
        }
    }

    fn over(socket: WebSocketStream<TcpStream>) -> Self {
        let kept = Arc::<Mutex<Kept>>::default();
        let (sending, queue) = mpsc::unbounded_channel();
        let task = tokio::spawn(carry(socket, queue, Arc::clone(&kept)));
        Self { kept, sending, task }
    }

    /// Sends a tone of that length at once, to be said in real time.
    pub fn say_tone(&self, hz: u32, millis: u32) {
        let samples = (0..RATE_HZ * millis / 1000).map(|n| {
            let phase = TAU * f64::from(hz) * f64::from(n) / f64::from(RATE_HZ);
            (AMPLITUDE * phase.sin()) as i16
        });
        let octets: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        for piece in octets.chunks(64_000) {
            self.send(Message::binary(piece.to_vec()));
        }
    }

    /// Sends a message of the dialect.
    pub fn tell(&self, message: &Value) {
        self.send(Message::text(message.to_string()));
    }

    /// Sends whatever text.
    pub fn tell_text(&self, text: &str) {
        self.send(Message::text(text.to_owned()));
    }

    /// Sends whatever octets.
    pub fn send_octets(&self, octets: Vec<u8>) {
        self.send(Message::binary(octets));
    }

    fn send(&self, message: Message) {
        // A bot whose socket is gone says nothing more.
        let _ = self.sending.send(message);
    }

    /// Breaks the connection without a good-bye.
    pub fn kill(self) {
        self.task.abort();
    }

    /// Waits until it has heard so much more of a participant (the mix by an empty id), and returns the last of it.
    pub async fn hear(&self, of: &str, millis: usize) -> Vec<i16> {
        let length = millis * RATE_HZ as usize / 1000;
        let begun = self.kept().heard.get(of).map_or(0, Vec::len);
        let what = format!("{millis} ms of {of:?} are heard");
        eventually(&what, async || {
            let heard = self.kept().heard.get(of).map_or(0, Vec::len);
            (heard >= begun + length, heard)
        })
        .await;
        let heard = self.kept().heard.get(of).cloned().unwrap_or_default();
        heard.get(heard.len() - length..).unwrap_or_default().to_vec()
    }

    /// Waits for a message that is it.
    pub async fn expect(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let found = eventually(what, async || {
            let texts = self.kept().texts.clone();
            (texts.iter().any(&is_it), texts)
        });
        found.await.into_iter().find(|text| is_it(text)).expect("the message that was found")
    }

    /// Waits until the server has closed the socket, and says how.
    pub async fn expect_close(&self) -> (u16, String) {
        let closed = eventually("the server closes the socket", async || {
            let kept = self.kept();
            (kept.is_over, kept.closed.clone())
        });
        closed.await.expect("a code")
    }

    /// Ids of those of whom anything has been heard apart.
    pub fn heard_of(&self) -> Vec<String> {
        self.kept().heard.keys().filter(|id| !id.is_empty()).cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for MediaBot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    mut socket: WebSocketStream<TcpStream>,
    mut queue: mpsc::UnboundedReceiver<Message>,
    kept: Arc<Mutex<Kept>>,
) {
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) => keep(&kept, message),
                Some(Err(_)) | None => break,
            },
            Some(message) = queue.recv() => {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        }
    }
    kept.lock().unwrap_or_else(PoisonError::into_inner).is_over = true;
}

fn keep(kept: &Mutex<Kept>, message: Message) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    match message {
        Message::Text(text) => kept.texts.push(serde_json::from_str(&text).expect("messages are JSON")),
        Message::Binary(octets) => {
            let (header, samples) = octets.split_at_checked(HEADER_OCTETS).expect("a header");
            let is_mix = header.get(1) == Some(&0);
            let id = if is_mix { String::new() } else { guid(header.get(16..).unwrap_or_default()) };
            let samples =
                samples.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(i16::from_le_bytes);
            kept.heard.entry(id).or_default().extend(samples);
        }
        Message::Close(frame) => {
            kept.closed = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
        }
        Message::Frame(_) | Message::Ping(_) | Message::Pong(_) => {}
    }
}

/// Sixteen octets as a GUID is written.
fn guid(octets: &[u8]) -> String {
    let digits: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default().to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}
