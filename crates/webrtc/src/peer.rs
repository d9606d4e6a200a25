//! One session, without sockets or a clock.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rtc_proto::Codec;
use rtc_proto::rtp::{self, Header, Packet};
use rtc_proto::sdp::Negotiated;

use crate::addresses::Addresses;
use crate::describe::{self, Local, Reach, session_id};
use crate::description::{Setup, Transport};
use crate::engine::{Broken, Engine, Step};
use crate::offer::{Formats, Offer};
use crate::outgoing::Outgoing;
use crate::terms::{Answer, choose};
use crate::{OfferError, ReofferError};

/// Octets of a datagram, either way: what passes through Ethernet in one piece.
pub const MAX_DATAGRAM_OCTETS: usize = 1_500;

/// Datagrams and events that may wait to be polled; beyond it the oldest are lost. Enough for a handshake's flights.
const MAX_WAITING: usize = 64;

/// Timeouts in a row that are due at once before the rest waits for the next millisecond.
const MAX_ROUNDS: usize = 16;

/// How long the far end may be away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Until it is connected, from the offer on.
    pub connect: Duration,
    /// Without any authentic datagram. Far ends send a check about every five seconds (RFC 7675, 5.1).
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(30), silence: Duration::from_secs(15) }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The path is checked and the handshake done: packets go both ways from now on.
    Connected,
    /// A packet came: RTP without protection, of a header of 12 octets and the payload, which has one of the payload
    /// types that were negotiated.
    Packet(Vec<u8>),
    /// The session is over. It is the last event.
    Ended(Failure),
}

/// How the far end ended a session.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It closed the connection.
    #[error("the far end closed the connection")]
    Closed,
    /// The handshake failed: most often its certificate is not the one of the offer.
    #[error("the handshake failed: {0}")]
    Handshake(String),
    /// Nothing was heard of it for [`Patience::silence`].
    #[error("nothing is heard of the far end")]
    Lost,
    /// It did not connect within [`Patience::connect`].
    #[error("the far end did not connect")]
    NeverConnected,
}

/// A datagram to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub destination: SocketAddr,
    /// What.
    pub octets: Vec<u8>,
}

/// What passed, and what did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Packets of the far end that were handed up.
    pub received: u64,
    /// Packets that were sent to it.
    pub sent: u64,
    /// Datagrams of the network that were not authentic, or not of the session.
    pub refused: u64,
    /// Packets of ours that were not sent: before it is connected, while it does not want any, of another payload type.
    pub unsent: u64,
}

/// One audio session with a far end that offered it: ICE-lite, DTLS-SRTP, RTP.
///
/// After each call that puts something in, take out all of [`Self::poll_transmit`] and [`Self::poll_event`], then wait
/// until [`Self::poll_timeout`].
#[derive(Debug)]
pub struct Peer {
    engine: Engine,
    candidates: Vec<SocketAddr>,
    has_tcp: bool,
    patience: Patience,
    /// What the first offer settled for good: RFC 3264, 8 and RFC 8842, 5.5.
    formats: Formats,
    place: usize,
    is_active: bool,
    session_id: u64,
    version: u64,
    /// How the far end was reached by the last offer.
    remote: Transport,
    ufrag: String,
    terms: Negotiated,
    outgoing: Outgoing,
    addresses: Addresses,
    state: State,
    wake: Instant,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Connecting { until: Instant },
    Connected { heard: Instant },
    Over,
}

/// What a datagram led to.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// A reply to a request goes there, so it knew the password.
    replied_to: Option<SocketAddr>,
    source: Option<u32>,
}

impl Peer {
    /// Answers a first offer.
    ///
    /// `reach` is where the far end reaches us. Where there is an address of each version of IP, each is told.
    ///
    /// # Errors
    ///
    /// [`OfferError`] says what is wrong with the offer.
    pub fn answer<'a>(
        offer: &str,
        reach: impl Into<Reach<'a>>,
        patience: Patience,
        now: Instant,
    ) -> Result<(Self, Answer), OfferError> {
        let Reach { candidates, has_tcp } = reach.into();
        let offer = Offer::read(offer, None)?;
        let terms = choose(&offer, &offer.formats).ok_or(OfferError::NoCodec)?;
        let unusable = |Broken(reason)| OfferError::Unusable(reason);
        let mut engine = Engine::new(&offer.formats, candidates, now).map_err(unusable)?;
        engine.accept(&describe::canonical(&offer, &offer.formats)).map_err(unusable)?;
        let credentials = engine.credentials();
        let mut peer = Self {
            candidates: candidates.to_vec(),
            has_tcp,
            patience,
            formats: offer.formats.clone(),
            place: offer.place,
            is_active: offer.transport.setup == Setup::Passive,
            session_id: session_id(&credentials.ufrag),
            version: 0,
            remote: offer.transport.clone(),
            ufrag: credentials.ufrag,
            terms: terms.clone(),
            outgoing: Outgoing::default(),
            addresses: Addresses::default(),
            state: State::Connecting { until: now + patience.connect },
            wake: now,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            counts: Counts::default(),
            engine,
        };
        let sdp = peer.describe(&offer, &terms);
        peer.handle_timeout(now);
        Ok((peer, Answer { sdp, terms }))
    }

    /// The codec with which an offer would be answered.
    pub(crate) fn codec_of(offer: &str) -> Result<Codec, OfferError> {
        let offer = Offer::read(offer, None)?;
        let terms = choose(&offer, &offer.formats).ok_or(OfferError::NoCodec)?;
        Ok(terms.codec)
    }

    /// Answers a later offer of the same peer connection: to hold, to resume, to restart ICE.
    ///
    /// # Errors
    ///
    /// [`ReofferError`]; what was agreed before stays in force.
    pub fn reoffer(&mut self, offer: &str, now: Instant) -> Result<Answer, ReofferError> {
        if self.state == State::Over {
            return Err(ReofferError::Gone);
        }
        let first = Offer::read(offer, None)?;
        if first.transport.fingerprint != self.remote.fingerprint {
            return Err(ReofferError::NewPeerConnection);
        }
        let offer = if first.place == self.place { first } else { Offer::read(offer, Some(self.place))? };
        let formats = offer.formats.within(&self.formats);
        let terms = choose(&offer, &formats).ok_or(ReofferError::Changed("the payload types"))?;
        let accepted = self.engine.accept(&describe::canonical(&offer, &formats));
        accepted.map_err(|Broken(reason)| OfferError::Unusable(reason))?;
        let credentials = |transport: &Transport| (transport.ufrag.clone(), transport.password.clone());
        if credentials(&offer.transport) != credentials(&self.remote) {
            self.remote = offer.transport.clone();
            self.addresses.restart();
            // Who restarts ICE is alive, and has a way to find first.
            self.hear(now);
        }
        self.ufrag = self.engine.credentials().ufrag;
        self.terms = terms.clone();
        let sdp = self.describe(&offer, &terms);
        self.handle_timeout(now);
        Ok(Answer { sdp, terms })
    }

    /// What names this session in requests of the far end; another one after a restart of ICE.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// What holds since the last offer.
    pub fn terms(&self) -> &Negotiated {
        &self.terms
    }

    /// What passed until now.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Takes in a datagram. True where it proves that the far end is at `from`: a request with the password of ICE.
    ///
    /// Other datagrams are only looked at where they come from such an address.
    pub fn handle_datagram(&mut self, from: SocketAddr, octets: &[u8], now: Instant) -> bool {
        let to = self.candidates.iter().find(|candidate| candidate.is_ipv4() == from.is_ipv4()).copied();
        let is_wanted = self.state != State::Over && self.addresses.admit(from, octets, &self.ufrag);
        let (Some(to), true) = (to, is_wanted) else {
            self.counts.refused += 1;
            return false;
        };
        let header = (!rtp::is_rtcp(octets)).then(|| Packet::parse(octets).ok()).flatten();
        let header = header.map(|packet| packet.header);
        if header.is_some_and(|header| !self.is_wanted(header)) {
            self.counts.refused += 1;
            return false;
        }
        let tried = header.map(|header| header.ssrc).filter(|ssrc| self.engine.expect(*ssrc));
        if let Err(Broken(reason)) = self.engine.handle_datagram(from, to, octets, now) {
            // Anybody can send noise; only what breaks the connection matters.
            self.counts.refused += 1;
            tracing::trace!(%reason, "a datagram was refused");
        }
        let seen = self.advance(now);
        match tried {
            Some(ssrc) if seen.source == Some(ssrc) => self.engine.keep(ssrc),
            Some(ssrc) => self.engine.forget(ssrc),
            None => {}
        }
        if header.is_some() && seen.source.is_none() {
            self.counts.refused += 1;
        }
        let is_proven = seen.replied_to == Some(from);
        if is_proven {
            self.addresses.remember(from);
        }
        if is_proven || seen.source.is_some() {
            self.hear(now);
        }
        is_proven
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Connecting { until } if until <= now => self.fail(Failure::NeverConnected),
            State::Connected { heard } if heard + self.patience.silence <= now => self.fail(Failure::Lost),
            State::Connecting { .. } | State::Connected { .. } => {
                if let Err(Broken(reason)) = self.engine.handle_timeout(now) {
                    self.fail(Failure::Handshake(reason));
                } else {
                    self.advance(now);
                }
            }
            State::Over => {}
        }
    }

    /// When [`Self::handle_timeout`] is due; nothing once the session is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::Connecting { until } => Some(self.wake.min(until)),
            State::Connected { heard } => Some(self.wake.min(heard + self.patience.silence)),
            State::Over => None,
        }
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends a packet: a whole datagram of RTP without protection, with the sender's own source and numbers, which are
    /// made part of the session's stream.
    pub fn send(&mut self, datagram: &[u8], now: Instant) {
        let is_connected = matches!(self.state, State::Connected { .. });
        let packet = Packet::parse(datagram).ok().filter(|packet| {
            is_connected
                && datagram.len() <= MAX_DATAGRAM_OCTETS
                && self.terms.direction.sends()
                && self.is_sent(packet.header.payload_type)
        });
        let sent = packet.is_some_and(|packet| {
            let clock = self.terms.codec.rtp_clock();
            self.outgoing
                .number(packet.header, clock, now)
                .is_some_and(|numbers| self.engine.send(packet.header, numbers, packet.payload, now))
        });
        if !sent {
            self.counts.unsent += 1;
            return;
        }
        self.counts.sent += 1;
        self.handle_timeout(now);
    }

    /// Says goodbye; what [`Self::poll_transmit`] gives is still to be sent, and then all is over.
    pub fn close(&mut self, now: Instant) {
        if self.state == State::Over {
            return;
        }
        self.engine.close();
        // It hands the goodbye out in this very call; what it says of itself does not matter any more.
        self.state = State::Over;
        self.advance(now);
    }

    fn describe(&mut self, offer: &Offer, terms: &Negotiated) -> String {
        self.version += 1;
        let credentials = self.engine.credentials();
        let fingerprint = self.engine.fingerprint();
        let local = Local {
            reach: Reach { candidates: &self.candidates, has_tcp: self.has_tcp },
            ufrag: &credentials.ufrag,
            password: &credentials.pass,
            fingerprint: &fingerprint,
            is_active: self.is_active,
            session_id: self.session_id,
            version: self.version,
        };
        describe::answer(offer, terms, &local, self.engine.ssrc())
    }

    /// Whether a packet can be of the session, by what is not encrypted of it.
    fn is_wanted(&self, header: Header) -> bool {
        let event = self.terms.telephone_event.map(|event| event.receive_payload_type);
        let is_type =
            header.payload_type == self.terms.receive_payload_type || Some(header.payload_type) == event;
        // Source 0 is for probes of the path, without sound.
        is_type && self.terms.direction.receives() && header.ssrc != 0
    }

    fn is_sent(&self, payload_type: u8) -> bool {
        let event = self.terms.telephone_event.map(|event| event.payload_type);
        payload_type == self.terms.payload_type || Some(payload_type) == event
    }

    /// Takes out of the engine all that it has.
    fn advance(&mut self, now: Instant) -> Seen {
        let mut seen = Seen::default();
        for _ in 0..MAX_ROUNDS {
            let wake = match self.drain(&mut seen, now) {
                Ok(wake) => wake,
                Err(Broken(reason)) => {
                    self.fail(Failure::Handshake(reason));
                    return seen;
                }
            };
            self.wake = wake;
            if wake > now || self.state == State::Over {
                return seen;
            }
            if let Err(Broken(reason)) = self.engine.handle_timeout(now) {
                self.fail(Failure::Handshake(reason));
                return seen;
            }
        }
        self.wake = now + Duration::from_millis(1);
        seen
    }

    fn drain(&mut self, seen: &mut Seen, now: Instant) -> Result<Instant, Broken> {
        loop {
            match self.engine.step()? {
                Step::Wait(until) => {
                    if !self.engine.is_alive() && self.state != State::Over {
                        self.fail(Failure::Closed);
                    }
                    return Ok(until);
                }
                Step::Transmit { destination, octets } => {
                    seen.replied_to = Addresses::proven(destination, &octets).or(seen.replied_to);
                    if self.transmits.len() >= MAX_WAITING {
                        self.transmits.pop_front();
                    }
                    self.transmits.push_back(Transmit { destination, octets });
                }
                Step::Connected => {
                    if matches!(self.state, State::Connecting { .. }) {
                        self.state = State::Connected { heard: now };
                        self.tell(Event::Connected);
                    }
                }
                Step::Closed => self.tell_closed(),
                Step::Packet { header, datagram } => {
                    seen.source = Some(header.ssrc);
                    self.counts.received += 1;
                    self.tell(Event::Packet(datagram));
                }
            }
        }
    }

    /// The far end said goodbye. The engine still has a reply to give, which is taken out before the end.
    fn tell_closed(&mut self) {
        if self.state != State::Over {
            self.state = State::Over;
            self.tell(Event::Ended(Failure::Closed));
        }
    }

    fn tell(&mut self, event: Event) {
        if self.events.len() >= MAX_WAITING {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }

    fn fail(&mut self, failure: Failure) {
        if self.state != State::Over {
            self.state = State::Over;
            self.tell(Event::Ended(failure));
        }
    }

    fn hear(&mut self, now: Instant) {
        if let State::Connected { heard } = &mut self.state {
            *heard = now;
        }
    }
}
