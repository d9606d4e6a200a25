//! The pictures of a page: a peer connection with a camera, a screen and lines for pictures of others, which are VP8 only as far as
//! it is looked at on the way.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::crypto::from_feature_flags;
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, MediaTime, Mid};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::wait::eventually;

/// Between two pictures.
const INTERVAL: Duration = Duration::from_millis(50);
/// A picture's number has this many units more than the one before (RFC 7741, 4.1).
const CLOCK: u64 = 90 * INTERVAL.as_millis() as u64;
/// Octets of a picture.
const OCTETS: usize = 800;
/// Where a picture says whose it is.
const TAG: usize = 10;

/// What it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// The camera.
    Camera,
    /// The screen.
    Screen,
}

/// It sends pictures that have a number, and counts those that come by line and number.
#[derive(Debug)]
pub struct WebPictures {
    orders: mpsc::UnboundedSender<Order>,
    seen: Seen,
    task: JoinHandle<()>,
}

/// How many came on a line with a number.
type Seen = Arc<Mutex<BTreeMap<(String, u8), usize>>>;

#[derive(Debug)]
enum Order {
    Answer { sdp: String, done: oneshot::Sender<()> },
    Offer { lines: usize, reply: oneshot::Sender<(String, Vec<String>)> },
    Restart { reply: oneshot::Sender<String> },
    Show { picture: Picture, tag: Option<u8> },
}

impl WebPictures {
    /// Takes a port of this machine.
    ///
    /// # Panics
    ///
    /// Panics where there is none.
    pub async fn open() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        socket.writable().await.expect("a socket");
        let (orders, received) = mpsc::unbounded_channel();
        let seen = Seen::default();
        let task = tokio::spawn(Stack::new(socket, Arc::clone(&seen)).run(received));
        Self { orders, seen, task }
    }

    /// The first offer, with so many lines for others, and the names of those.
    pub async fn offer(&self, lines: usize) -> (String, Vec<String>) {
        let (reply, offer) = oneshot::channel();
        let _ = self.orders.send(Order::Offer { lines, reply });
        offer.await.expect("the stack runs")
    }

    /// A later offer, with a restart of ICE.
    pub async fn restart(&self) -> String {
        let (reply, offer) = oneshot::channel();
        let _ = self.orders.send(Order::Restart { reply });
        offer.await.expect("the stack runs")
    }

    /// Takes the answer.
    pub async fn answered(&self, sdp: &str) {
        let (done, is_done) = oneshot::channel();
        let _ = self.orders.send(Order::Answer { sdp: sdp.to_owned(), done });
        is_done.await.expect("the stack takes the answer");
    }

    /// Sends pictures with this number from here on, or none any more.
    pub fn show(&self, picture: Picture, tag: Option<u8>) {
        let _ = self.orders.send(Order::Show { picture, tag });
    }

    /// Waits until further pictures with this number come on a line.
    pub async fn sees(&self, line: &str, tag: u8) {
        let before = self.count(line, tag);
        eventually(&format!("pictures of {tag} come on line {line}"), async || {
            let now = self.count(line, tag);
            (now > before + 2, now)
        })
        .await;
    }

    /// Waits until no more pictures with this number come on a line.
    pub async fn sees_no(&self, line: &str, tag: u8) {
        let mut last = (self.count(line, tag), Instant::now());
        eventually(&format!("no more pictures of {tag} come on line {line}"), async || {
            let now = self.count(line, tag);
            if now != last.0 {
                last = (now, Instant::now());
            }
            (last.1.elapsed() > INTERVAL * 8, now)
        })
        .await;
    }

    /// How many pictures with this number have come on a line.
    pub fn count(&self, line: &str, tag: u8) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&(line.to_owned(), tag)).copied().unwrap_or_default()
    }
}

impl Drop for WebPictures {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A camera or a screen.
#[derive(Default)]
struct Source {
    mid: Option<Mid>,
    tag: Option<u8>,
    owes_whole: bool,
}

struct Stack {
    rtc: Rtc,
    pending: Option<SdpPendingOffer>,
    socket: UdpSocket,
    address: SocketAddr,
    sources: [Source; 2],
    number: u64,
    seen: Seen,
}

impl Stack {
    fn new(socket: UdpSocket, seen: Seen) -> Self {
        let address = socket.local_addr().expect("an address");
        let config = RtcConfig::new()
            .set_crypto_provider(Arc::new(from_feature_flags()))
            .clear_codecs()
            .enable_vp8(true);
        let mut rtc = config.build(now());
        rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
        Self { rtc, pending: None, socket, address, sources: Default::default(), number: 0, seen }
    }

    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut buffer = [0; 2_048];
        let mut ticks = interval(INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
            Order::Offer { lines, reply } => {
                let mut changes = self.rtc.sdp_api();
                for source in &mut self.sources {
                    let mid = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
                    source.mid = Some(mid);
                }
                let receive = |_| {
                    changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None).to_string()
                };
                let lines = (0..lines).map(receive).collect();
                let (offer, pending) = changes.apply().expect("something to offer");
                self.pending = Some(pending);
                let _ = reply.send((offer.to_sdp_string(), lines));
            }
            Order::Restart { reply } => {
                let mut changes = self.rtc.sdp_api();
                changes.ice_restart(true);
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
            Order::Show { picture, tag } => {
                let [camera, screen] = &mut self.sources;
                let source = if picture == Picture::Camera { camera } else { screen };
                source.tag = tag;
                source.owes_whole = true;
            }
        }
    }

    /// Sends a picture of each source that shows something.
    fn tick(&mut self) {
        self.number += 1;
        if !self.rtc.is_connected() {
            return;
        }
        let time = MediaTime::new(self.number * CLOCK, Frequency::NINETY_KHZ);
        for source in &mut self.sources {
            let Some((mid, tag)) = source.mid.zip(source.tag) else { continue };
            let Some(writer) = self.rtc.writer(mid) else { continue };
            let vp8 = writer.payload_params().find(|params| params.spec().codec == Codec::Vp8);
            let number = vp8.expect("VP8 was agreed on").pt();
            let picture = picture(std::mem::take(&mut source.owes_whole), tag);
            writer.write(number, now(), time, picture).expect("a picture is taken");
            self.rtc.handle_input(Input::Timeout(now())).expect("the stack of a page goes on");
        }
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
                Output::Event(Event::KeyframeRequest(asked)) => {
                    let asked = self.sources.iter_mut().filter(|source| source.mid == Some(asked.mid));
                    asked.for_each(|source| source.owes_whole = true);
                }
                Output::Event(Event::MediaData(media)) => {
                    let tag = media.data.get(TAG).copied().unwrap_or_default();
                    let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    *seen.entry((media.mid.to_string(), tag)).or_default() += 1;
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// A picture that no decoder would show, but with all that is looked at on the way (RFC 6386, 9.1).
fn picture(is_whole: bool, tag: u8) -> Vec<u8> {
    let (width, height) = (640u16.to_le_bytes(), 360u16.to_le_bytes());
    let mut picture = vec![0x10 | u8::from(!is_whole), 0, 0];
    if is_whole {
        picture.extend([0x9d, 0x01, 0x2a]);
        picture.extend([width, height].concat());
    }
    picture.resize(TAG, 0);
    picture.push(tag);
    picture.resize(OCTETS, 7);
    picture
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
