//! A session between a media thread and an application, all of them in virtual time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use app_media::{AudioPort, Config, Ended, Handle, Heard, Session, Socket, Source};
use futures_util::{SinkExt, StreamExt};
use http::HeaderMap;
use media_engine::{Frame, SampleRate};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// Longer than anything takes that happens at all; virtual.
const PATIENCE: Duration = Duration::from_mins(10);
/// What a pipe holds, as small buffers of a kernel would.
const PIPE_OCTETS: usize = 16 * 1024;
/// 2024-11-15T19:16:12.925Z.
pub(crate) const START_48K: u64 = 1_731_698_172_925 * 48;

/// What a media thread shares with its port.
#[derive(Default)]
struct Shared {
    heard: VecDeque<(Source, u64, Frame, bool)>,
    said: VecDeque<Frame>,
    gone: u64,
    is_closed: bool,
    waker: Option<Waker>,
}

/// A media thread that a test drives, tick by tick.
#[derive(Clone)]
pub(crate) struct MediaThread {
    rate: SampleRate,
    shared: Arc<Mutex<Shared>>,
}

pub(crate) struct Port {
    thread: MediaThread,
    current: Frame,
}

impl MediaThread {
    pub(crate) fn new(rate: SampleRate) -> (Self, Port) {
        let thread = Self { rate, shared: Arc::default() };
        (thread.clone(), Port { thread, current: Frame::silence(rate) })
    }

    /// One tick: these frames are heard, and what was said is sent.
    pub(crate) fn tick(&self, at_48k: u64, heard: &[(Source, &[i16])]) -> Option<Vec<i16>> {
        let mut shared = self.shared.lock().unwrap();
        for (source, samples) in heard {
            let mut frame = Frame::silence(self.rate);
            frame.samples_mut().copy_from_slice(samples);
            let is_silent = samples.iter().all(|x| *x == 0);
            shared.heard.push_back((*source, at_48k, frame, is_silent));
        }
        let said = shared.said.pop_front();
        shared.gone += u64::from(said.is_some());
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
        said.map(|frame| frame.samples().to_vec())
    }

    pub(crate) fn close(&self) {
        let mut shared = self.shared.lock().unwrap();
        shared.is_closed = true;
        if let Some(waker) = shared.waker.take() {
            waker.wake();
        }
    }

    /// Runs ticks in their time; what is heard is made by `heard`, what was sent is given back, silence where nothing was.
    pub(crate) async fn run(&self, ticks: usize, heard: impl Fn(usize) -> Vec<i16>) -> Vec<i16> {
        self.run_with(ticks, |tick| Some(heard(tick))).await
    }

    /// Runs ticks in which nobody speaks.
    pub(crate) async fn rest(&self, ticks: usize) -> Vec<i16> {
        self.run(ticks, |_| vec![0; self.rate.frame_samples()]).await
    }

    /// Runs ticks in which nothing is heard at all.
    pub(crate) async fn idle(&self, ticks: usize) -> Vec<i16> {
        self.run_with(ticks, |_| None).await
    }

    async fn run_with(&self, ticks: usize, heard: impl Fn(usize) -> Option<Vec<i16>>) -> Vec<i16> {
        let mut clock = interval(Duration::from_millis(20));
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut sent = Vec::new();
        for tick in 0..ticks {
            clock.tick().await;
            let samples = heard(tick);
            let heard: Vec<_> = samples.iter().map(|samples| (Source::Mixed, samples.as_slice())).collect();
            let said = self.tick(START_48K + 960 * tick as u64, &heard);
            sent.extend(said.unwrap_or_else(|| vec![0; self.rate.frame_samples()]));
        }
        sent
    }
}

impl AudioPort for Port {
    fn rate(&self) -> SampleRate {
        self.thread.rate
    }

    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard<'_>>> {
        let mut shared = self.thread.shared.lock().unwrap();
        let Some((source, timestamp_48k, frame, is_silent)) = shared.heard.pop_front() else {
            if shared.is_closed {
                return Poll::Ready(None);
            }
            shared.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.current = frame;
        Poll::Ready(Some(Heard { source, timestamp_48k, frame: &self.current, is_silent }))
    }

    fn room(&self) -> usize {
        5 - self.thread.shared.lock().unwrap().said.len()
    }

    fn say(&mut self, frame: &Frame) -> bool {
        let mut shared = self.thread.shared.lock().unwrap();
        assert_eq!(frame.rate(), self.thread.rate, "frames come at the port's rate");
        shared.said.push_back(frame.clone());
        shared.said.len() <= 5
    }

    fn flush(&mut self) {
        let mut shared = self.thread.shared.lock().unwrap();
        shared.gone += shared.said.len() as u64;
        shared.said.clear();
    }

    fn gone(&self) -> u64 {
        self.thread.shared.lock().unwrap().gone
    }
}

/// A session that runs, and the media thread behind it.
pub(crate) struct Stage {
    pub(crate) handle: Handle,
    pub(crate) thread: MediaThread,
    pub(crate) task: JoinHandle<Ended>,
}

impl Stage {
    pub(crate) fn new(config: Config, rate: SampleRate) -> Self {
        let (thread, port) = MediaThread::new(rate);
        let (session, handle) = Session::new(config, port);
        Self { handle, thread, task: tokio::spawn(session.run()) }
    }

    /// An application that has dialled in.
    pub(crate) async fn dial_in(&self) -> App {
        self.dial_in_from(None).await
    }

    /// The same, told where it may dial in again.
    pub(crate) async fn dial_in_from(&self, resume_url: Option<&str>) -> App {
        let (near, far) = duplex(PIPE_OCTETS);
        let socket = Socket::accepted(near).await;
        self.handle.attach(socket, resume_url.map(str::to_owned)).await.unwrap();
        App(WebSocketStream::from_raw_socket(far, Role::Client, None).await)
    }

    /// An application that the server has dialled.
    pub(crate) async fn dial_out(&self) -> App {
        let (near, far) = duplex(PIPE_OCTETS);
        let accepting = tokio::spawn(accept_async(far));
        let url = "wss://bot.example/media".parse().unwrap();
        let socket = Socket::dialled(near, &url, HeaderMap::new()).await.unwrap();
        self.handle.attach(socket, None).await.unwrap();
        App(accepting.await.unwrap().unwrap())
    }

    pub(crate) async fn ended(self) -> Ended {
        timeout(PATIENCE, self.task).await.expect("the session ends").unwrap()
    }
}

/// The far end of a socket.
pub(crate) struct App(pub(crate) WebSocketStream<DuplexStream>);

impl App {
    pub(crate) async fn send(&mut self, value: Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
    }

    pub(crate) async fn send_binary(&mut self, octets: Vec<u8>) {
        self.0.send(Message::binary(octets)).await.unwrap();
    }

    /// Says samples, as the dialect of JSON has it.
    pub(crate) async fn say(&mut self, samples: &[i16]) {
        self.send(json!({"kind": "AudioData", "audioData": {"data": base64(samples)}})).await;
    }

    /// The next message that is neither a ping nor audio.
    pub(crate) async fn control(&mut self) -> Value {
        loop {
            match self.message().await {
                Message::Text(text) => {
                    let value: Value = serde_json::from_str(&text).unwrap();
                    if value["kind"] != "AudioData" {
                        return value;
                    }
                }
                Message::Binary(_) | Message::Ping(_) => {}
                other @ (Message::Close(_) | Message::Frame(_) | Message::Pong(_)) => {
                    panic!("unexpected {other:?}")
                }
            }
        }
    }

    pub(crate) async fn message(&mut self) -> Message {
        let message = timeout(PATIENCE, self.0.next()).await.expect("a message comes");
        message.expect("the socket is open").unwrap()
    }

    /// Reads on until the socket is closed: the code and the reason.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.message().await {
                let frame = frame.expect("a code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }
}

pub(crate) fn octets(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|x| x.to_le_bytes()).collect()
}

pub(crate) fn samples(octets: &[u8]) -> Vec<i16> {
    let (pairs, _) = octets.as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

pub(crate) fn base64(samples: &[i16]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(octets(samples))
}

pub(crate) fn from_base64(text: &str) -> Vec<i16> {
    use base64::Engine as _;
    samples(&base64::engine::general_purpose::STANDARD.decode(text).unwrap())
}
