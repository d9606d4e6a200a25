//! Pages, as browsers have them, and a network between them and a room.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::crypto::from_feature_flags;
use str0m::format::{Codec, CodecExtra};
use str0m::media::{
    Direction, Frequency, KeyframeRequestKind, MediaKind, MediaTime, Mid, Rid, Simulcast, SimulcastLayer,
};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event as RtcEvent, Input, Output, Rtc, RtcConfig};
use webrtc::Patience;

use crate::{Event, Kind, PageId, Room, Tile};

/// Where the room is.
pub(super) const HERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 4_000);

/// One way.
const DELAY: Duration = Duration::from_millis(10);

/// What waits in front of a narrow way.
const MAX_BACKLOG: Duration = Duration::from_millis(300);

const FRAME_INTERVAL: Duration = Duration::from_millis(40);

/// What a page's camera makes: the name of a layer, its height, and its octets in a picture.
pub(super) type Layers = &'static [(&'static str, u16, usize)];

pub(super) const THREE: Layers = &[("l", 180, 500), ("m", 360, 1_500), ("h", 720, 4_500)];
pub(super) const ONE: Layers = &[("", 360, 1_500)];

pub(super) fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A picture that has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrived {
    /// Whose: the number that the page puts into its pictures.
    pub(super) tag: u8,
    pub(super) layer: u8,
    pub(super) number: u32,
    pub(super) is_key: bool,
    pub(super) time: u64,
    pub(super) at: Instant,
}

/// A picture of a source that makes some.
#[derive(Debug)]
struct Making {
    mid: Mid,
    layers: Layers,
    keys: BTreeSet<usize>,
    is_on: bool,
    most: usize,
    tag: u8,
}

pub(super) struct Far {
    pub(super) rtc: Rtc,
    pub(super) address: SocketAddr,
    pub(super) is_connected: bool,
    pub(super) is_closed: bool,
    pub(super) timeout: Instant,
    /// Whole pictures that were asked of it.
    pub(super) asked: usize,
    /// By line.
    pub(super) arrived: BTreeMap<String, Vec<Arrived>>,
    /// The lines for pictures of others.
    pub(super) lines: Vec<String>,
    /// Lines on which something was lost: as a decoder does, it waits for a whole picture.
    broken: BTreeSet<String>,
    pending: Option<SdpPendingOffer>,
    transmits: Vec<(SocketAddr, Vec<u8>)>,
    making: Vec<Making>,
    number: u32,
    next_frame: Instant,
}

impl Far {
    /// A page whose pictures have a number in them.
    pub(super) fn new(tag: u8, layers: Layers, address: SocketAddr, now: Instant) -> Self {
        Self::with(RtcConfig::new(), tag, (layers, address), now)
    }

    /// A page that sends packets of its own.
    fn raw(tag: u8, address: SocketAddr, now: Instant) -> Self {
        Self::with(RtcConfig::new().set_rtp_mode(true), tag, (ONE, address), now)
    }

    fn with(config: RtcConfig, tag: u8, (layers, address): (Layers, SocketAddr), now: Instant) -> Self {
        let config = config.set_crypto_provider(Arc::new(from_feature_flags()));
        let mut rtc = config.clear_codecs().enable_vp8(true).build(now);
        rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        let making = |layers, tag| Making {
            mid: "x".into(),
            layers,
            keys: BTreeSet::new(),
            is_on: false,
            most: 3,
            tag,
        };
        Self {
            rtc,
            address,
            is_connected: false,
            is_closed: false,
            timeout: now,
            asked: 0,
            arrived: BTreeMap::new(),
            lines: Vec::new(),
            broken: BTreeSet::new(),
            pending: None,
            transmits: Vec::new(),
            making: vec![making(layers, tag), making(ONE, tag + 100)],
            number: 0,
            next_frame: now,
        }
    }

    /// The first offer: camera, screen, and lines for others.
    pub(super) fn offer(&mut self, lines: usize) -> String {
        let layers = self.making[0].layers;
        let simulcast = (layers.len() > 1).then(|| Simulcast {
            send: layers.iter().map(|(rid, ..)| SimulcastLayer::new(rid)).collect(),
            recv: Vec::new(),
        });
        let mut changes = self.rtc.sdp_api();
        self.making[0].mid = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, simulcast);
        self.making[1].mid = changes.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        for _ in 0..lines {
            let mid = changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
            self.lines.push(mid.to_string());
        }
        let (offer, pending) = changes.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// A later one, which restarts ICE.
    pub(super) fn restart(&mut self) -> String {
        let mut changes = self.rtc.sdp_api();
        changes.ice_restart(true);
        let (offer, pending) = changes.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub(super) fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    /// Turns the camera or the screen on or off.
    pub(super) fn make(&mut self, kind: Kind, is_on: bool) {
        let making = &mut self.making[usize::from(kind == Kind::Screen)];
        making.is_on = is_on;
        making.keys = (0..making.layers.len()).collect();
    }

    /// Makes only so many of the smaller layers of its camera, as browsers do whose way out is narrow.
    pub(super) fn limit(&mut self, layers: usize) {
        let making = &mut self.making[0];
        making.most = layers;
        making.keys = (0..making.layers.len()).collect();
    }

    /// Asks for a whole picture on a line.
    pub(super) fn ask(&mut self, line: &str, now: Instant) {
        let writer = self.rtc.writer(line.into());
        writer.unwrap().request_keyframe(None, KeyframeRequestKind::Pli).unwrap();
        self.handle_timeout(now);
    }

    /// Sends a packet as its screen; see [`Self::raw`].
    pub(super) fn send_raw(
        &mut self,
        payload: &[u8],
        (number, time): (u64, u32),
        is_marked: bool,
        now: Instant,
    ) {
        let vp8 = self.rtc.codec_config().params().iter().find(|params| params.spec().codec == Codec::Vp8);
        let pt = vp8.unwrap().pt();
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.making[1].mid, None).unwrap();
        let packet = RtpWrite::new(pt, number.into(), time, now, payload);
        stream.write_rtp(packet.marker(is_marked));
        self.handle_timeout(now);
    }

    /// What has come on a line, in the order in which it came.
    pub(super) fn on(&self, line: usize) -> &[Arrived] {
        self.arrived.get(&self.lines[line]).map_or(&[], Vec::as_slice)
    }

    pub(super) fn next(&self) -> Instant {
        if self.making.iter().any(|making| making.is_on) {
            self.timeout.min(self.next_frame)
        } else {
            self.timeout
        }
    }

    pub(super) fn handle_datagram(&mut self, from: SocketAddr, octets: &[u8], now: Instant) {
        let received = Receive::new(Protocol::Udp, from, self.address, octets).unwrap();
        self.rtc.handle_input(Input::Receive(now, received)).unwrap();
        self.drain(now);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.next_frame <= now {
            self.next_frame = now + FRAME_INTERVAL;
            self.make_frames(now);
        }
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain(now);
    }

    pub(super) fn transmits(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.transmits)
    }

    fn make_frames(&mut self, now: Instant) {
        self.number += 1;
        if !self.is_connected || self.is_closed {
            return;
        }
        for making in &mut self.making {
            if !making.is_on {
                continue;
            }
            for (at, (rid, height, octets)) in making.layers.iter().enumerate().take(making.most) {
                let is_key = making.keys.remove(&at);
                let name = [making.tag, at as u8];
                let frame = frame(is_key, (*height, *octets), name, self.number);
                let mut writer = self.rtc.writer(making.mid).unwrap();
                let vp8 = writer.payload_params().find(|params| params.spec().codec == Codec::Vp8);
                let pt = vp8.unwrap().pt();
                if !rid.is_empty() {
                    writer = writer.rid(Rid::from(*rid));
                }
                // Each layer has a clock of its own.
                let time = u64::from(self.number) * 3_600 + at as u64 * 1_000_000;
                let time = MediaTime::new(time, Frequency::NINETY_KHZ);
                writer.write(pt, now, time, frame).unwrap();
                self.rtc.handle_input(Input::Timeout(now)).unwrap();
            }
        }
    }

    fn drain(&mut self, now: Instant) {
        loop {
            // A handshake that nobody answers ends with an error.
            let Ok(output) = self.rtc.poll_output() else { return };
            match output {
                Output::Timeout(timeout) => {
                    self.timeout = timeout;
                    return;
                }
                Output::Transmit(transmit) => {
                    self.transmits.push((transmit.destination, transmit.contents.into()));
                }
                Output::Event(RtcEvent::Connected) => self.is_connected = true,
                Output::Event(RtcEvent::Closed) => self.is_closed = true,
                Output::Event(RtcEvent::KeyframeRequest(request)) => {
                    self.asked += 1;
                    for making in &mut self.making {
                        if making.mid == request.mid {
                            let is_layer = |(rid, ..): &(&str, u16, usize)| {
                                request.rid.is_none_or(|asked| asked == Rid::from(*rid))
                            };
                            making.keys.extend(making.layers.iter().position(is_layer));
                        }
                    }
                }
                Output::Event(RtcEvent::MediaData(media)) => {
                    // A page that does not keep to it may send anything.
                    let Some(name) = media.data.get(10..16) else { continue };
                    let number = u32::from_be_bytes(name[2..].try_into().unwrap());
                    let is_key = matches!(media.codec_extra, CodecExtra::Vp8(extra) if extra.is_keyframe);
                    let line = media.mid.to_string();
                    if is_key {
                        self.broken.remove(&line);
                    } else if !media.contiguous && self.broken.insert(line.clone()) {
                        let writer = self.rtc.writer(media.mid);
                        writer.unwrap().request_keyframe(None, KeyframeRequestKind::Pli).unwrap();
                        self.rtc.handle_input(Input::Timeout(now)).unwrap();
                    }
                    if self.broken.contains(&line) {
                        continue;
                    }
                    self.arrived.entry(line).or_default().push(Arrived {
                        tag: name[0],
                        layer: name[1],
                        number,
                        is_key,
                        time: media.time.numer(),
                        at: now,
                    });
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// A picture that no decoder would show, but with all that is looked at on the way.
fn frame(is_key: bool, (height, octets): (u16, usize), name: [u8; 2], number: u32) -> Vec<u8> {
    let mut frame = vec![0x10 | u8::from(!is_key), 0, 0];
    if is_key {
        frame.extend([0x9d, 0x01, 0x2a]);
        frame.extend((height / 9 * 16).to_le_bytes());
        frame.extend(height.to_le_bytes());
    }
    frame.resize(10, 0);
    frame.extend(name);
    frame.extend(number.to_be_bytes());
    // Whole pictures are larger.
    frame.resize(if is_key { octets * 3 } else { octets }, 7);
    frame
}

/// The way to a page.
#[derive(Default)]
struct Way {
    /// Bits in a second, where it is narrow.
    width: Option<u64>,
    busy_until: Option<Instant>,
    is_cut: bool,
    waiting: VecDeque<(Instant, Vec<u8>)>,
}

/// What becomes of a datagram on its way to the room; an empty one is lost.
pub(super) type Mangle = Box<dyn FnMut(&mut Vec<u8>)>;

/// A room, its pages, and the network between.
pub(super) struct Meeting {
    pub(super) room: Room,
    pub(super) pages: BTreeMap<PageId, Far>,
    pub(super) now: Instant,
    pub(super) events: Vec<Event>,
    pub(super) mangle: Option<Mangle>,
    ways: BTreeMap<PageId, Way>,
    uphill: VecDeque<(Instant, PageId, SocketAddr, Vec<u8>)>,
}

pub(super) const ANN: PageId = PageId(1);
pub(super) const BEN: PageId = PageId(2);
pub(super) const CEM: PageId = PageId(3);

impl Meeting {
    pub(super) fn new() -> Self {
        Self {
            room: Room::new(&[HERE], Patience::default()),
            pages: BTreeMap::new(),
            now: start(),
            events: Vec::new(),
            mangle: None,
            ways: BTreeMap::new(),
            uphill: VecDeque::new(),
        }
    }

    /// With pages that are connected.
    pub(super) fn of(pages: &[(PageId, Layers)]) -> Self {
        let mut meeting = Self::new();
        for (page, layers) in pages {
            meeting.join(*page, layers);
        }
        meeting.run(Duration::from_secs(2));
        for (page, far) in &meeting.pages {
            assert!(far.is_connected, "{page:?} is not connected");
        }
        meeting
    }

    /// Brings a page in, or brings it in again with another connection.
    pub(super) fn join(&mut self, page: PageId, layers: Layers) {
        let port = 1_000 + page.0 as u16 + 100 * u16::from(self.pages.contains_key(&page));
        let address = SocketAddr::from(([192, 0, 2, 7], port));
        let far = Far::new(page.0 as u8, layers, address, self.now);
        self.bring(page, far);
    }

    /// Brings a page in that sends packets of its own.
    pub(super) fn join_raw(&mut self, page: PageId) {
        let far = Far::raw(page.0 as u8, ([192, 0, 2, 8], 1_000).into(), self.now);
        self.bring(page, far);
    }

    fn bring(&mut self, page: PageId, mut far: Far) {
        let offer = far.offer(4);
        let answer = self.room.join(page, &offer, self.now).unwrap();
        far.accept(&answer.sdp);
        self.pages.insert(page, far);
        self.ways.entry(page).or_default();
    }

    pub(super) fn page(&mut self, page: PageId) -> &mut Far {
        self.pages.get_mut(&page).unwrap()
    }

    /// Makes the way to a page narrow, in kilobits in a second.
    pub(super) fn narrow(&mut self, page: PageId, kilobits: Option<u64>) {
        self.ways.get_mut(&page).unwrap().width = kilobits.map(|kilobits| kilobits * 1_000);
    }

    /// Nothing arrives there any more, or comes from there.
    pub(super) fn cut(&mut self, page: PageId, is_cut: bool) {
        self.ways.get_mut(&page).unwrap().is_cut = is_cut;
    }

    /// Turns a page's camera or screen on, and lets others see it.
    pub(super) fn show(&mut self, page: PageId, kind: Kind) {
        self.page(page).make(kind, true);
        self.room.allow(page, kind, true, self.now);
    }

    /// Lets a page see pictures, each on the next line.
    pub(super) fn watch(&mut self, page: PageId, tiles: &[(PageId, Kind, u32)]) {
        let lines = self.pages[&page].lines.clone();
        let tiles = lines.into_iter().zip(tiles);
        let tiles = tiles.map(|(line, (page, kind, height))| Tile {
            line,
            page: *page,
            kind: *kind,
            height: *height,
        });
        self.room.watch(page, tiles.collect(), self.now);
    }

    /// Forgets what has arrived.
    pub(super) fn forget(&mut self) {
        for far in self.pages.values_mut() {
            far.arrived.clear();
            far.asked = 0;
        }
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.collect();
            let fars = self.pages.values().map(Far::next);
            let ways = self.ways.values().filter_map(|way| way.waiting.front()).map(|(at, _)| *at);
            let uphill = self.uphill.front().map(|(at, ..)| *at);
            let next = fars.chain(ways).chain(uphill).chain(self.room.poll_timeout()).min().unwrap_or(end);
            // A step of time at least, so that who is always busy does not stop it.
            self.now = next.max(self.now + Duration::from_micros(500)).min(end);
            self.deliver();
            for far in self.pages.values_mut() {
                if far.next() <= self.now {
                    far.handle_timeout(self.now);
                }
            }
            if self.room.poll_timeout().is_some_and(|at| at <= self.now) {
                self.room.handle_timeout(self.now);
            }
        }
        self.collect();
    }

    /// Brings what is due.
    fn deliver(&mut self) {
        while self.uphill.front().is_some_and(|(at, ..)| *at <= self.now) {
            let (_, page, from, mut octets) = self.uphill.pop_front().unwrap();
            if let Some(mangle) = &mut self.mangle {
                mangle(&mut octets);
            }
            self.room.handle_datagram(page, from, &octets, self.now);
            self.collect();
        }
        for (page, way) in &mut self.ways {
            while way.waiting.front().is_some_and(|(at, _)| *at <= self.now) {
                let (_, octets) = way.waiting.pop_front().unwrap();
                if let Some(far) = self.pages.get_mut(page) {
                    far.handle_datagram(HERE, &octets, self.now);
                }
            }
        }
    }

    /// Puts what was sent on its way.
    fn collect(&mut self) {
        for (page, far) in &mut self.pages {
            for (to, octets) in far.transmits() {
                if to == HERE && !self.ways[page].is_cut {
                    self.uphill.push_back((self.now + DELAY, *page, far.address, octets));
                }
            }
        }
        while let Some(transmit) = self.room.poll_transmit() {
            let Some(page) =
                self.pages.iter().find(|(_, far)| far.address == transmit.destination).map(|(page, _)| *page)
            else {
                continue;
            };
            let way = self.ways.get_mut(&page).unwrap();
            if way.is_cut {
                continue;
            }
            let mut at = self.now;
            if let Some(width) = way.width {
                let free = way.busy_until.unwrap_or(self.now).max(self.now);
                if free > self.now + MAX_BACKLOG {
                    continue;
                }
                at = free + Duration::from_micros(transmit.octets.len() as u64 * 8_000_000 / width);
                way.busy_until = Some(at);
            }
            way.waiting.push_back((at + DELAY, transmit.octets));
        }
        while let Some(event) = self.room.poll_event() {
            self.events.push(event);
        }
    }
}
