//! The applications: they send back all that they hear.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use app_media::BINARY_HEADER_OCTETS;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::board::{Board, Numbers, Orders};
use super::sound::Ear;

/// Where applications listen.
pub(super) struct Bots(TcpListener);

impl Bots {
    pub(super) async fn bind() -> Result<Self> {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no port for applications")?;
        Ok(Self(listener))
    }

    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.0.local_addr()?)
    }

    /// Takes in sockets and echoes on them, until the tasks are dropped.
    pub(super) fn serve(self, board: Rc<Board>, orders: Arc<Orders>) {
        tokio::task::spawn_local(async move {
            while let Ok((stream, _)) = self.0.accept().await {
                let (board, orders) = (Rc::clone(&board), Arc::clone(&orders));
                let bot = Bot { stream: 0, numbers: Numbers::default(), board, orders };
                tokio::task::spawn_local(bot.run(stream));
            }
        });
    }
}

/// One application.
struct Bot {
    stream: usize,
    numbers: Numbers,
    board: Rc<Board>,
    orders: Arc<Orders>,
}

/// What is read of a message in the dialect `acs`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Heard<'a> {
    #[serde(borrow)]
    audio_data: Option<AudioData<'a>>,
}

#[derive(Deserialize)]
struct AudioData<'a> {
    timestamp: &'a str,
    data: &'a str,
}

impl Bot {
    async fn run(mut self, stream: TcpStream) {
        // Whatever ends it shows in the figures.
        let _ = self.echo(stream).await;
    }

    async fn echo(&mut self, stream: TcpStream) -> Result<()> {
        stream.set_nodelay(true)?;
        #[expect(clippy::result_large_err, reason = "the callback's type")]
        let note = |request: &Request, response: Response| {
            self.stream = request.uri().path().trim_start_matches('/').parse().unwrap_or(usize::MAX);
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(stream, note).await?;
        while let Some(message) = socket.next().await {
            match message? {
                Message::Binary(octets) => {
                    let sound = octets.slice(BINARY_HEADER_OCTETS.min(octets.len())..);
                    self.hear(number_of(&octets), &sound);
                    if self.orders.has_echo() {
                        socket.send(Message::Binary(sound)).await?;
                    }
                }
                Message::Text(text) => {
                    let heard: Heard<'_> = serde_json::from_str(&text)?;
                    let Some(audio) = heard.audio_data else { continue };
                    self.hear(frames_of(audio.timestamp), &STANDARD.decode(audio.data)?);
                    let echo = format!(r#"{{"kind":"AudioData","audioData":{{"data":"{}"}}}}"#, audio.data);
                    if self.orders.has_echo() {
                        socket.send(Message::text(echo)).await?;
                    }
                }
                Message::Close(_) | Message::Frame(_) | Message::Ping(_) | Message::Pong(_) => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, number: u16, sound: &[u8]) {
        let missing = self.numbers.take(number);
        let ear = Ear::of_pcm(sound);
        if let Some(offset) = ear.knock {
            self.board.at_bot(self.stream, offset);
        }
        if self.orders.count() {
            let received = &mut self.board.found.borrow_mut().clients;
            received.all += 1;
            received.lost += missing;
            received.silent += u64::from(ear.is_silent);
        }
    }
}

/// The number of a frame in the dialect `hookswitch`, by its time in 1/48,000 s.
fn number_of(octets: &Bytes) -> u16 {
    let time = octets.get(8..16).and_then(|octets| octets.try_into().ok()).map_or(0, u64::from_le_bytes);
    (time / 960) as u16
}

/// The same in the dialect `acs`, by the milliseconds at the end of `2024-11-15T19:16:12.925Z`, within the minute.
fn frames_of(timestamp: &str) -> u16 {
    let digits = timestamp.trim_end_matches('Z').rsplit(':').next().unwrap_or_default();
    let seconds: f64 = digits.parse().unwrap_or(0.0);
    (seconds * 50.0).round() as u16
}
