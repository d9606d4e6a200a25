//! A meeting's pictures, without sockets or a clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use webrtc::{Patience, Reach, Transmit};

use crate::connection::{Connection, FIRST_ESTIMATE, Frame, Sink, Told};
use crate::layers::{self, Wanted};
use crate::offer::{Offer, Role};
use crate::outgoing::{Outgoing, Watched};
use crate::source::Source;
use crate::{Answer, Event, Kind, MAX_PAGES, MAX_TILES, OfferError, PageId, Stats, Tile};

/// Between two choices of layers for a page; what changes at once is chosen at once.
const CHOICE_INTERVAL: Duration = Duration::from_millis(250);

/// Of what the way to a page carries, what pictures may take, in hundredths: the rest is for what is sent again.
const SHARE: u64 = 90;

/// Steps in which we say how much the way should carry, so that it is not sounded out for nothing.
const BITRATE_STEP: u64 = 100_000;

/// Datagrams that may wait to be polled; beyond it the oldest are lost. A large picture for everybody.
const MAX_TRANSMITS: usize = 65_536;

/// The pages of a meeting, of which each sends its camera and its screen, and sees those of some others.
///
/// After each call that puts something in, take out all of [`Self::poll_transmit`] and [`Self::poll_event`], then wait until
/// [`Self::poll_timeout`].
#[derive(Debug)]
pub struct Room {
    candidates: Vec<SocketAddr>,
    has_tcp: bool,
    patience: Patience,
    pages: BTreeMap<PageId, Page>,
    /// Who sees each source: a page, and which of its lines.
    viewers: BTreeMap<(PageId, Kind), Vec<(PageId, usize)>>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<Event>,
    /// What is yet to be dealt with, in the order in which it happened.
    told: VecDeque<(PageId, Told)>,
}

/// A page, as the meeting knows it; it may not be connected.
#[derive(Debug, Default)]
struct Page {
    connection: Option<Connection>,
    camera: Source,
    screen: Source,
    tiles: Vec<Tile>,
    /// One for each line of the offer, of its own pictures, too, which stay empty.
    lines: Vec<Outgoing>,
    /// What the way to it carries, in bits in a second.
    estimate: u64,
    bitrates: (u64, u64),
    choice: Option<Instant>,
    received: u64,
    sent: u64,
    left_out: u64,
}

impl Page {
    fn source(&mut self, kind: Kind) -> &mut Source {
        match kind {
            Kind::Camera => &mut self.camera,
            Kind::Screen => &mut self.screen,
        }
    }

    /// Puts the tiles on the lines, as far as there are such lines.
    fn place(&mut self) {
        let Some(connection) = &self.connection else { return };
        self.lines.resize_with(connection.lines().len(), Outgoing::default);
        for (at, line) in connection.lines().iter().enumerate() {
            let tile = self.tiles.iter().find(|tile| tile.line == line.mid && line.role == Role::Others);
            let watched = tile.map(|tile| Watched { page: tile.page, kind: tile.kind, height: tile.height });
            if let Some(outgoing) = self.lines.get_mut(at) {
                outgoing.watch(watched);
            }
        }
    }
}

impl Room {
    /// An empty room. `reach` is where pages reach us.
    pub fn new<'a>(reach: impl Into<Reach<'a>>, patience: Patience) -> Self {
        let Reach { candidates, has_tcp } = reach.into();
        Self {
            candidates: candidates.to_vec(),
            has_tcp,
            patience,
            pages: BTreeMap::new(),
            viewers: BTreeMap::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            told: VecDeque::new(),
        }
    }

    /// Answers an offer of a page: its first one, a later one of the same peer connection, such as a restart of ICE, or one of
    /// another peer connection, which takes the place of the one before.
    ///
    /// # Errors
    ///
    /// [`OfferError`] says what is wrong with the offer; what was agreed before stays in force.
    pub fn join(&mut self, page: PageId, offer: &str, now: Instant) -> Result<Answer, OfferError> {
        let offer = Offer::read(offer)?;
        if !self.pages.contains_key(&page) && self.pages.len() >= MAX_PAGES {
            return Err(OfferError::Full);
        }
        let current = self.connection(page).filter(|connection| connection.is_of(&offer));
        let restarts = match current {
            Some(connection) => connection.reoffer(offer, now)?,
            None => {
                let reach = Reach { candidates: &self.candidates, has_tcp: self.has_tcp };
                let connection = Connection::new(offer, reach, self.patience, now)?;
                self.disconnect(page, now);
                let known = self.pages.entry(page).or_default();
                known.connection = Some(connection);
                known.estimate = FIRST_ESTIMATE;
                known.bitrates = (0, 0);
                false
            }
        };
        let Some(known) = self.pages.get_mut(&page) else { return Err(OfferError::Gone) };
        known.place();
        if restarts {
            // What went out on the old way may not have arrived.
            known.lines.iter_mut().for_each(Outgoing::leave_out);
        }
        let Some(connection) = &mut known.connection else { return Err(OfferError::Gone) };
        let answer = Answer { sdp: connection.answer(), ufrag: connection.ufrag().to_owned() };
        self.index(page);
        self.drive(page, now);
        self.choose(page, now);
        self.settle(now);
        Ok(answer)
    }

    /// Says goodbye to a page, and forgets all of it. Others see nothing of it any more.
    pub fn leave(&mut self, page: PageId, now: Instant) {
        self.disconnect(page, now);
        self.pages.remove(&page);
        self.viewers.retain(|_, viewers| {
            viewers.retain(|(viewer, _)| *viewer != page);
            !viewers.is_empty()
        });
        self.told.retain(|(told, _)| *told != page);
        self.events.retain(|event| event.page() != page);
        self.settle(now);
    }

    /// Says whether others may see a page's camera or screen. It holds until it is said otherwise, or the page leaves.
    pub fn allow(&mut self, page: PageId, kind: Kind, is_allowed: bool, now: Instant) {
        let Some(known) = self.known(page, is_allowed) else { return };
        let source = known.source(kind);
        if source.is_allowed == is_allowed {
            return;
        }
        source.is_allowed = is_allowed;
        source.is_told = false;
        self.choose_for_viewers(page, kind, now);
        self.settle(now);
    }

    /// Says what a page sees: all of it, on its lines. Who is not there is seen once he is.
    pub fn watch(&mut self, page: PageId, tiles: Vec<Tile>, now: Instant) {
        let Some(known) = self.known(page, !tiles.is_empty()) else { return };
        known.tiles = tiles;
        known.tiles.truncate(MAX_TILES);
        known.place();
        self.index(page);
        self.choose(page, now);
        self.settle(now);
    }

    /// Takes in a datagram for a page. True where it proves that the page is at `from`.
    pub fn handle_datagram(&mut self, page: PageId, from: SocketAddr, octets: &[u8], now: Instant) -> bool {
        let Some(connection) = self.connection(page) else { return false };
        let mut sink = Sink::default();
        let is_proven = connection.handle_datagram(from, octets, now, &mut sink);
        self.take(page, sink);
        self.settle(now);
        is_proven
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due: Vec<PageId> =
            self.pages.iter().filter(|(_, page)| is_due(page, now)).map(|(id, _)| *id).collect();
        for page in due {
            if self
                .connection(page)
                .and_then(|connection| connection.poll_timeout())
                .is_some_and(|at| at <= now)
            {
                self.drive(page, now);
            }
            let choice = self.pages.get(&page).and_then(|page| page.choice);
            if choice.is_some_and(|at| at <= now) {
                self.choose(page, now);
            }
        }
        self.settle(now);
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.pages.values().filter_map(timeout).min()
    }

    /// The next datagram to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How it is with a page that is known.
    pub fn stats(&self, page: PageId) -> Option<Stats> {
        let page = self.pages.get(&page)?;
        Some(Stats {
            is_connected: page.connection.as_ref().is_some_and(Connection::is_connected),
            estimate: page.estimate,
            received: page.received,
            sent: page.sent,
            left_out: page.left_out,
            refused: page.connection.as_ref().map_or(0, Connection::refused),
        })
    }

    /// Whether a page has a connection, be it ready or not.
    pub fn has_connection(&self, page: PageId) -> bool {
        self.pages.get(&page).is_some_and(|page| page.connection.is_some())
    }

    /// How many pages are known.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether no page is known.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Ends all connections; what [`Self::poll_transmit`] gives is still to be sent.
    pub fn close(&mut self, now: Instant) {
        while let Some((page, _)) = self.pages.first_key_value() {
            self.leave(*page, now);
        }
    }

    /// A page of which something is said; nothing where there are too many. One that is not known is not kept for what is so
    /// anyway: that it shows nothing, or sees nobody.
    fn known(&mut self, page: PageId, is_news: bool) -> Option<&mut Page> {
        let may_come = is_news && self.pages.len() < MAX_PAGES;
        let is_taken = may_come || self.pages.contains_key(&page);
        is_taken.then(|| self.pages.entry(page).or_default())
    }

    fn connection(&mut self, page: PageId) -> Option<&mut Connection> {
        self.pages.get_mut(&page)?.connection.as_mut()
    }

    /// Ends a page's connection, if it has one; what it sees is kept for another one.
    fn disconnect(&mut self, page: PageId, now: Instant) {
        let Some(known) = self.pages.get_mut(&page) else { return };
        let Some(mut connection) = known.connection.take() else { return };
        known.camera.reset();
        known.screen.reset();
        known.lines.clear();
        known.choice = None;
        let mut sink = Sink::default();
        connection.close(now, &mut sink);
        self.transmit(sink.transmits);
        self.index(page);
        for kind in Kind::ALL {
            self.choose_for_viewers(page, kind, now);
        }
    }

    /// Keeps who sees whom, after a page's lines have changed.
    fn index(&mut self, page: PageId) {
        self.viewers.retain(|_, viewers| {
            viewers.retain(|(viewer, _)| *viewer != page);
            !viewers.is_empty()
        });
        let Some(known) = self.pages.get(&page) else { return };
        for (at, line) in known.lines.iter().enumerate() {
            if let Some(watched) = &line.watched {
                self.viewers.entry((watched.page, watched.kind)).or_default().push((page, at));
            }
        }
    }

    fn drive(&mut self, page: PageId, now: Instant) {
        let mut sink = Sink::default();
        if let Some(connection) = self.connection(page) {
            connection.handle_timeout(now, &mut sink);
        }
        self.take(page, sink);
    }

    fn take(&mut self, page: PageId, sink: Sink) {
        self.transmit(sink.transmits);
        self.told.extend(sink.told.into_iter().map(|told| (page, told)));
    }

    fn transmit(&mut self, transmits: Vec<Transmit>) {
        self.transmits.extend(transmits);
        while self.transmits.len() > MAX_TRANSMITS {
            self.transmits.pop_front();
        }
    }

    /// Deals with all that connections have told.
    fn settle(&mut self, now: Instant) {
        while let Some((page, told)) = self.told.pop_front() {
            match told {
                Told::Frame(frame) => self.forward(page, &frame, now),
                Told::Connected => self.choose(page, now),
                Told::KeyWanted { line } => {
                    let line = self.pages.get_mut(&page).and_then(|page| page.lines.get_mut(line));
                    if let Some(line) = line {
                        line.ask();
                        self.ask_for_keys(page, now);
                    }
                }
                Told::Estimate(estimate) => {
                    if let Some(known) = self.pages.get_mut(&page) {
                        known.estimate = estimate;
                        known.choice = known.choice.map(|at| at.min(now + CHOICE_INTERVAL / 5));
                    }
                }
                Told::Over => {
                    self.disconnect(page, now);
                    self.events.push_back(Event::Gone { page });
                }
            }
        }
    }

    /// Sends a picture to all who see it.
    fn forward(&mut self, page: PageId, frame: &Frame, now: Instant) {
        let Some(known) = self.pages.get_mut(&page) else { return };
        known.received += 1;
        let source = known.source(frame.kind);
        let is_new = source.hear(frame, now);
        if !source.is_allowed {
            return;
        }
        if !source.is_told {
            source.is_told = true;
            self.events.push_back(Event::Flowing { page, kind: frame.kind });
        }
        if is_new {
            self.choose_for_viewers(page, frame.kind, now);
        }
        // Taken out while it is gone through: sending does not change who sees whom.
        let Some(viewers) = self.viewers.get_mut(&(page, frame.kind)).map(std::mem::take) else { return };
        for (viewer, line) in &viewers {
            self.send(*viewer, *line, frame, now);
        }
        self.viewers.insert((page, frame.kind), viewers);
    }

    fn send(&mut self, viewer: PageId, line: usize, frame: &Frame, now: Instant) {
        let Some(known) = self.pages.get_mut(&viewer) else { return };
        let (Some(connection), Some(outgoing)) = (&mut known.connection, known.lines.get_mut(line)) else {
            return;
        };
        if !connection.is_connected() || !outgoing.takes(frame) {
            return;
        }
        // Whoever is slow misses pictures; nobody waits for it.
        if connection.is_clogged(line, now) {
            outgoing.leave_out();
            known.left_out += 1;
            return;
        }
        let mut sink = Sink::default();
        let frame = Frame { time: outgoing.time(frame.time, now), ..frame.clone() };
        if connection.write(line, &frame, now, &mut sink) {
            known.sent += 1;
        } else {
            outgoing.leave_out();
        }
        self.take(viewer, sink);
    }

    fn choose_for_viewers(&mut self, page: PageId, kind: Kind, now: Instant) {
        let viewers: Vec<PageId> =
            self.viewers.get(&(page, kind)).into_iter().flatten().map(|(viewer, _)| *viewer).collect();
        for viewer in viewers {
            self.choose(viewer, now);
        }
    }

    /// Chooses layers for what a page sees.
    fn choose(&mut self, page: PageId, now: Instant) {
        let Some(known) = self.pages.get(&page) else { return };
        let mut tiles = Vec::new();
        let mut at = Vec::new();
        for (line, outgoing) in known.lines.iter().enumerate() {
            let Some(watched) = &outgoing.watched else { continue };
            let source = self.pages.get(&watched.page).map(|page| match watched.kind {
                Kind::Camera => &page.camera,
                Kind::Screen => &page.screen,
            });
            let layers = source.filter(|source| source.is_allowed).map(|source| source.layers(now));
            tiles.push(Wanted {
                kind: watched.kind,
                height: watched.height,
                layers: layers.unwrap_or_default(),
                current: outgoing.chosen(),
            });
            at.push(line);
        }
        let choice = layers::choose(&tiles, known.estimate.saturating_mul(SHARE) / 100);
        let Some(known) = self.pages.get_mut(&page) else { return };
        for (line, layer) in at.into_iter().zip(&choice.layers) {
            if let Some(outgoing) = known.lines.get_mut(line) {
                outgoing.choose(*layer);
            }
        }
        known.choice = (!tiles.is_empty() && known.connection.is_some()).then(|| now + CHOICE_INTERVAL);
        let round = |bitrate: u64| bitrate.div_ceil(BITRATE_STEP) * BITRATE_STEP;
        // What is kept free for what is sent again is to be found, too.
        let bitrates = (round(choice.next), round(choice.wanted.saturating_mul(130) / 100));
        if known.bitrates != bitrates
            && let Some(connection) = &mut known.connection
        {
            known.bitrates = bitrates;
            connection.set_bitrates(bitrates.0, bitrates.1);
        }
        self.ask_for_keys(page, now);
    }

    /// Asks for the whole pictures that a page needs, as often as may be.
    fn ask_for_keys(&mut self, page: PageId, now: Instant) {
        let Some(known) = self.pages.get(&page) else { return };
        let needed: Vec<(PageId, Kind, usize)> = known
            .lines
            .iter()
            .filter_map(|line| {
                let (watched, layer) = (line.watched.as_ref()?, line.needs_key()?);
                Some((watched.page, watched.kind, layer))
            })
            .collect();
        for (source, kind, layer) in needed {
            let Some(known) = self.pages.get_mut(&source) else { continue };
            if known.connection.is_none() || !known.source(kind).may_ask(layer, now) {
                continue;
            }
            let mut sink = Sink::default();
            if let Some(connection) = &mut known.connection {
                connection.ask_for_key(kind, layer, now, &mut sink);
            }
            self.take(source, sink);
        }
    }
}

fn timeout(page: &Page) -> Option<Instant> {
    let connection = page.connection.as_ref().and_then(Connection::poll_timeout);
    connection.into_iter().chain(page.choice).min()
}

fn is_due(page: &Page, now: Instant) -> bool {
    timeout(page).is_some_and(|at| at <= now)
}
