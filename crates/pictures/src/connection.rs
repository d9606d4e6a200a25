//! One page's peer connection, and the one place that knows str0m.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use str0m::bwe::{Bitrate, BweKind};
use str0m::change::SdpOffer;
use str0m::config::CryptoProvider;
use str0m::crypto::from_feature_flags;
use str0m::format::{Codec, CodecExtra, FormatParams};
use str0m::media::{Frequency, KeyframeRequestKind, MediaData, MediaTime, Mid, Rid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::VideoOrientation;
use str0m::{Candidate, Input, Output, Rtc, RtcConfig};
use webrtc::parts::{Addresses, Local, Setup, Transport, session_id};
use webrtc::{Patience, Reach, Transmit};

use crate::describe::{self, Sources};
use crate::offer::{Extension, Numbers, Offer, Role, VideoLine};
use crate::{Kind, OfferError};

/// Packets of a line that are kept to be sent again: over a second of a large picture.
const SEND_BUFFER: usize = 256;

/// What is sent before anything is known of the path, in bits in a second.
pub(crate) const FIRST_ESTIMATE: u64 = 1_000_000;

/// Octets of a picture. A key frame of a large screen has a few hundred thousand.
pub(crate) const MAX_FRAME_OCTETS: usize = 1024 * 1024;

/// Sources of a page between two restarts of ICE, for str0m remembers all of them: those of its own two pictures, with what
/// is sent again, and a few changes of each.
const MAX_SOURCES: usize = 64;

/// Octets of one line that wait to be sent, before a picture is left out.
const MAX_QUEUED_OCTETS: usize = 512 * 1024;

/// How long the first of them may have waited.
const MAX_QUEUED: Duration = Duration::from_millis(700);

/// Timeouts in a row that are due at once before the rest waits for the next millisecond.
const MAX_ROUNDS: usize = 16;

/// Pictures of a page in a row that cannot be read.
const MAX_ERRORS: usize = 16;

/// Cryptography is aws-lc-rs, chosen for each connection rather than for the whole process, so nobody need install it.
static CRYPTO: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(from_feature_flags()));

/// A page's connection.
#[derive(Debug)]
pub(crate) struct Connection {
    rtc: Rtc,
    offer: Offer,
    mids: Vec<Mid>,
    candidates: Vec<SocketAddr>,
    has_tcp: bool,
    patience: Patience,
    session_id: u64,
    version: u64,
    ufrag: String,
    addresses: Addresses,
    sources: Vec<u32>,
    state: State,
    wake: Instant,
    refused: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting { until: Instant },
    Connected { heard: Instant },
    Over,
}

/// A picture.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// Which layer of its simulcast, from small to large.
    pub(crate) layer: usize,
    /// At 90 kHz.
    pub(crate) time: u64,
    pub(crate) is_key: bool,
    /// Whether all that it builds on has come.
    pub(crate) is_contiguous: bool,
    pub(crate) orientation: Option<VideoOrientation>,
    pub(crate) data: Arc<[u8]>,
}

/// What a connection has to tell.
#[derive(Debug)]
pub(crate) enum Told {
    /// A picture of the page's own has come.
    Frame(Frame),
    /// Packets go both ways from now on.
    Connected,
    /// The page cannot go on with what it gets on this line, without a whole picture.
    KeyWanted { line: usize },
    /// What the way to the page carries, in bits in a second.
    Estimate(u64),
    /// It is over.
    Over,
}

/// Where a connection puts what it has.
#[derive(Debug, Default)]
pub(crate) struct Sink {
    pub(crate) transmits: Vec<Transmit>,
    pub(crate) told: Vec<Told>,
    proven: Option<SocketAddr>,
}

impl Connection {
    /// Makes a connection of a first offer.
    pub(crate) fn new(
        offer: Offer,
        Reach { candidates, has_tcp }: Reach<'_>,
        patience: Patience,
        now: Instant,
    ) -> Result<Self, OfferError> {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&CRYPTO))
            .set_ice_lite(true)
            .clear_extension_map()
            .clear_codecs()
            .set_send_buffer_video(SEND_BUFFER)
            .enable_bwe(Some(Bitrate::bps(FIRST_ESTIMATE)));
        for (extension, number) in &offer.numbers.extensions {
            config = config.set_extension(*number, of_str0m(*extension));
        }
        let Numbers { vp8, rtx, .. } = offer.numbers;
        config.codec_config().add_config(
            vp8.into(),
            rtx.map(Into::into),
            Codec::Vp8,
            Frequency::NINETY_KHZ,
            None,
            FormatParams::default(),
        );
        let mut rtc = config.build(now);
        for address in candidates {
            rtc.add_local_candidate(Candidate::host(*address, "udp").map_err(unusable)?);
        }
        let mut connection = Self {
            rtc,
            mids: Vec::new(),
            offer,
            candidates: candidates.to_vec(),
            has_tcp,
            patience,
            session_id: 0,
            version: 0,
            ufrag: String::new(),
            addresses: Addresses::default(),
            sources: Vec::new(),
            state: State::Connecting { until: now + patience.connect },
            wake: now,
            refused: 0,
        };
        connection.take(connection.offer.clone())?;
        connection.session_id = session_id(&connection.ufrag);
        Ok(connection)
    }

    /// Takes a later offer of the same page; it must be of the [same peer connection](Self::is_of). True where it restarts ICE.
    pub(crate) fn reoffer(&mut self, offer: Offer, now: Instant) -> Result<bool, OfferError> {
        offer.continues(&self.offer)?;
        let credentials = |transport: &Transport| (transport.ufrag.clone(), transport.password.clone());
        let restarts = credentials(&offer.transport) != credentials(&self.offer.transport);
        self.take(offer)?;
        if restarts {
            self.addresses.restart();
            self.sources.clear();
            // Who restarts ICE is alive, and has a way to find first.
            self.hear(now);
        }
        self.wake = now;
        Ok(restarts)
    }

    fn take(&mut self, offer: Offer) -> Result<(), OfferError> {
        let canonical = SdpOffer::from_sdp_string(&describe::canonical(&offer)).map_err(unusable)?;
        self.rtc.sdp_api().accept_offer(canonical).map_err(unusable)?;
        self.mids = offer.lines.iter().map(|line| Mid::from(line.mid.as_str())).collect();
        self.offer = offer;
        self.ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        Ok(())
    }

    /// Whether an offer is of this peer connection, rather than of another one of the page.
    pub(crate) fn is_of(&self, offer: &Offer) -> bool {
        self.state != State::Over && self.offer.transport.fingerprint == offer.transport.fingerprint
    }

    /// The answer to the last offer.
    pub(crate) fn answer(&mut self) -> String {
        self.version += 1;
        let mut direct = self.rtc.direct_api();
        let credentials = direct.local_ice_credentials();
        let fingerprint = direct.local_dtls_fingerprint().bytes.clone();
        let mut sources = Vec::new();
        for mid in &self.mids {
            let stream = direct.stream_tx_by_mid(*mid, None);
            sources.push(
                stream.map(|stream| Sources { packets: *stream.ssrc(), rtx: stream.rtx().map(|ssrc| *ssrc) }),
            );
        }
        let local = Local {
            reach: Reach { candidates: &self.candidates, has_tcp: self.has_tcp },
            ufrag: &credentials.ufrag,
            password: &credentials.pass,
            fingerprint: &fingerprint,
            is_active: self.offer.transport.setup == Setup::Passive,
            session_id: self.session_id,
            version: self.version,
        };
        describe::answer(&self.offer, &local, &sources)
    }

    /// What names this connection in requests of the page; another one after a restart of ICE.
    pub(crate) fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The video lines, in their order.
    pub(crate) fn lines(&self) -> &[VideoLine] {
        &self.offer.lines
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected { .. })
    }

    /// Datagrams that were not looked at, or not read.
    pub(crate) fn refused(&self) -> u64 {
        self.refused
    }

    /// Takes in a datagram. True where it proves that the page is at `from`.
    pub(crate) fn handle_datagram(
        &mut self,
        from: SocketAddr,
        octets: &[u8],
        now: Instant,
        sink: &mut Sink,
    ) -> bool {
        let to = self.candidates.iter().find(|candidate| candidate.is_ipv4() == from.is_ipv4()).copied();
        let is_wanted = self.state != State::Over
            && self.addresses.admit(from, octets, &self.ufrag)
            && self.admits_source(octets);
        let (Some(to), true) = (to, is_wanted) else {
            self.refused += 1;
            return false;
        };
        let taken = Receive::new(Protocol::Udp, from, to, octets)
            .map_err(|error| error.to_string())
            .and_then(|received| {
                let input = Input::Receive(now, received);
                self.rtc.handle_input(input).map_err(|error| error.to_string())
            });
        if let Err(reason) = taken {
            // Anybody can send noise; only what breaks the connection matters.
            self.refused += 1;
            tracing::trace!(%reason, "a datagram was refused");
        }
        sink.proven = None;
        let told = sink.told.len();
        self.advance(now, sink);
        let is_proven = sink.proven == Some(from);
        if is_proven {
            self.addresses.remember(from);
        }
        if is_proven || sink.told.iter().skip(told).any(|told| matches!(told, Told::Frame(_))) {
            self.hear(now);
        }
        is_proven
    }

    /// Whether a packet of RTP is of a source that is known, or of one of the few others that may come.
    fn admits_source(&mut self, octets: &[u8]) -> bool {
        if rtc_proto::rtp::is_rtcp(octets) {
            return true;
        }
        let Ok(packet) = rtc_proto::rtp::Packet::parse(octets) else { return true };
        let ssrc = packet.header.ssrc;
        // Source 0 is for probes of the path.
        if ssrc == 0 || self.sources.contains(&ssrc) {
            return true;
        }
        if self.sources.len() >= MAX_SOURCES {
            return false;
        }
        self.sources.push(ssrc);
        true
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, sink: &mut Sink) {
        match self.state {
            State::Connecting { until } if until <= now => self.end(sink),
            State::Connected { heard } if heard + self.patience.silence <= now => self.end(sink),
            State::Connecting { .. } | State::Connected { .. } => {
                if self.rtc.handle_input(Input::Timeout(now)).is_err() && !self.rtc.is_alive() {
                    self.end(sink);
                } else {
                    self.advance(now, sink);
                }
            }
            State::Over => {}
        }
    }

    /// When [`Self::handle_timeout`] is due; nothing once it is over.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { until } => Some(self.wake.min(until)),
            State::Connected { heard } => Some(self.wake.min(heard + self.patience.silence)),
            State::Over => None,
        }
    }

    /// Whether pictures wait on a line because the way to the page is too narrow for them.
    pub(crate) fn is_clogged(&mut self, line: usize, now: Instant) -> bool {
        let Some(mid) = self.mids.get(line) else { return true };
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(*mid, None) else { return true };
        stream.queue_info().is_some_and(|queue| {
            let is_late = queue.first_unsent().is_some_and(|since| since + MAX_QUEUED <= now);
            is_late || queue.byte_size() > MAX_QUEUED_OCTETS
        })
    }

    /// Sends a picture on a line; false where that is not possible.
    pub(crate) fn write(&mut self, line: usize, frame: &Frame, now: Instant, sink: &mut Sink) -> bool {
        let is_sent = self.offer.lines.get(line).is_some_and(|line| line.direction.sends());
        let Some(mid) = self.mids.get(line).filter(|_| is_sent && self.is_connected()) else { return false };
        let Some(mut writer) = self.rtc.writer(*mid) else { return false };
        if let Some(orientation) = frame.orientation {
            writer = writer.video_orientation(orientation);
        }
        let time = MediaTime::new(frame.time, Frequency::NINETY_KHZ);
        let vp8 = self.offer.numbers.vp8.into();
        if let Err(error) = writer.write(vp8, now, time, Arc::clone(&frame.data)) {
            tracing::debug!(%error, "a picture was not sent");
            return false;
        }
        self.handle_timeout(now, sink);
        true
    }

    /// Asks the page for a whole picture of one of its layers.
    pub(crate) fn ask_for_key(&mut self, kind: Kind, layer: usize, now: Instant, sink: &mut Sink) {
        let Some(at) = self.offer.lines.iter().position(|line| line.role == Role::Own(kind)) else { return };
        let (Some(line), Some(mid)) = (self.offer.lines.get(at), self.mids.get(at)) else { return };
        let rid = line.rids.get(layer).map(|rid| Rid::from(rid.as_str()));
        let Some(mut writer) = self.rtc.writer(*mid) else { return };
        if let Err(error) = writer.request_keyframe(rid, KeyframeRequestKind::Pli) {
            tracing::trace!(%error, "a whole picture was not asked for");
            return;
        }
        self.handle_timeout(now, sink);
    }

    /// What the way to the page should carry: what is padded up to, and what is wanted in the end, in bits in a second.
    pub(crate) fn set_bitrates(&mut self, least: u64, wanted: u64) {
        self.rtc.bwe().set_bitrate(Bitrate::bps(least), Bitrate::bps(wanted));
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, now: Instant, sink: &mut Sink) {
        if self.state == State::Over {
            return;
        }
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "a connection was closed before it could say so");
        }
        // It hands the goodbye out in this very call; what it says of itself does not matter any more.
        self.state = State::Over;
        let told = sink.told.len();
        self.advance(now, sink);
        sink.told.truncate(told);
    }

    /// Takes out of str0m all that it has.
    fn advance(&mut self, now: Instant, sink: &mut Sink) {
        for _ in 0..MAX_ROUNDS {
            let Some(wake) = self.drain(now, sink) else {
                self.end(sink);
                return;
            };
            self.wake = wake;
            if wake > now || self.state == State::Over {
                return;
            }
            if self.rtc.handle_input(Input::Timeout(now)).is_err() && !self.rtc.is_alive() {
                self.end(sink);
                return;
            }
        }
        self.wake = now + Duration::from_millis(1);
    }

    /// Gives when there will be more; nothing where the connection is broken.
    fn drain(&mut self, now: Instant, sink: &mut Sink) -> Option<Instant> {
        let mut errors = 0;
        loop {
            let output = match self.rtc.poll_output() {
                Ok(output) => output,
                Err(error) => {
                    // A picture that cannot be read is the loss of that picture alone.
                    tracing::trace!(%error, "a picture was refused");
                    self.refused += 1;
                    errors += 1;
                    if !self.rtc.is_alive() || !matches!(error, str0m::RtcError::Packet(..)) {
                        return None;
                    }
                    if errors >= MAX_ERRORS {
                        return Some(now + Duration::from_millis(1));
                    }
                    continue;
                }
            };
            match output {
                Output::Timeout(until) => {
                    return (self.rtc.is_alive() || self.state == State::Over).then_some(until);
                }
                Output::Transmit(transmit) => {
                    let (destination, octets) = (transmit.destination, Vec::from(transmit.contents));
                    sink.proven = Addresses::proven(destination, &octets).or(sink.proven);
                    sink.transmits.push(Transmit { destination, octets });
                }
                Output::Event(event) => self.tell(event, now, sink),
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the events of str0m are many, and grow")]
    fn tell(&mut self, event: str0m::Event, now: Instant, sink: &mut Sink) {
        match event {
            str0m::Event::Connected => {
                if matches!(self.state, State::Connecting { .. }) {
                    self.state = State::Connected { heard: now };
                    sink.told.push(Told::Connected);
                }
            }
            str0m::Event::MediaData(media) => {
                if let Some(frame) = self.frame(media) {
                    sink.told.push(Told::Frame(frame));
                }
            }
            str0m::Event::KeyframeRequest(request) => {
                if let Some(line) = self.mids.iter().position(|mid| *mid == request.mid) {
                    sink.told.push(Told::KeyWanted { line });
                }
            }
            str0m::Event::EgressBitrateEstimate(BweKind::Twcc { estimate, .. }) => {
                sink.told.push(Told::Estimate(estimate.as_u64()));
            }
            str0m::Event::Closed => self.end(sink),
            // Reports, pauses, states of ICE: what they would tell is known from datagrams.
            _ => {}
        }
    }

    fn frame(&self, media: MediaData) -> Option<Frame> {
        let at = self.mids.iter().position(|mid| *mid == media.mid)?;
        let line = self.offer.lines.get(at)?;
        let Role::Own(kind) = line.role else { return None };
        let layer = match media.rid {
            Some(rid) => line.rids.iter().position(|known| Rid::from(known.as_str()) == rid)?,
            None => 0,
        };
        let is_key = matches!(media.codec_extra, CodecExtra::Vp8(extra) if extra.is_keyframe);
        (media.data.len() <= MAX_FRAME_OCTETS).then(|| Frame {
            kind,
            layer,
            time: media.time.numer(),
            is_key,
            is_contiguous: media.contiguous,
            orientation: media.ext_vals.video_orientation,
            data: media.data,
        })
    }

    fn end(&mut self, sink: &mut Sink) {
        if self.state != State::Over {
            self.state = State::Over;
            sink.told.push(Told::Over);
        }
    }

    fn hear(&mut self, now: Instant) {
        if let State::Connected { heard } = &mut self.state {
            *heard = now;
        }
    }
}

fn of_str0m(extension: Extension) -> str0m::rtp::Extension {
    match extension {
        Extension::AbsoluteSendTime => str0m::rtp::Extension::AbsoluteSendTime,
        Extension::Mid => str0m::rtp::Extension::RtpMid,
        Extension::Orientation => str0m::rtp::Extension::VideoOrientation,
        Extension::RepairedStreamId => str0m::rtp::Extension::RepairedRtpStreamId,
        Extension::StreamId => str0m::rtp::Extension::RtpStreamId,
        Extension::TransportSequence => str0m::rtp::Extension::TransportSequenceNumber,
    }
}

fn unusable(error: impl std::fmt::Display) -> OfferError {
    webrtc::OfferError::Unusable(error.to_string()).into()
}
