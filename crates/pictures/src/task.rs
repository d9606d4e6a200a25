//! The task of a room: its way to the network and to those who speak to it.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Sleep, sleep_until};
use webrtc::{Arrival, Gateway, Inbox, Patience, Route};

use crate::handle::{Question, Shared, Wish};
use crate::{Event, Kind, OfferError, PageId, Room};

/// Datagrams that are taken in before something else has its turn.
const BATCH: usize = 64;

/// Datagrams of one page that may wait: half a second of three layers and a screen.
const MAX_QUEUED: usize = 512;

/// How long the task sleeps where nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// A room and what it is connected to.
#[derive(Debug)]
pub(crate) struct Task {
    room: Room,
    gateway: Gateway,
    inbox: Inbox,
    routes: BTreeMap<PageId, Route>,
    shared: Arc<Shared>,
    questions: mpsc::Receiver<Question>,
    events: mpsc::Sender<Event>,
    /// What is yet to be told: of each page the latest.
    told: VecDeque<Event>,
}

impl Task {
    pub(crate) fn new(
        gateway: Gateway,
        shared: Arc<Shared>,
        questions: mpsc::Receiver<Question>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            room: Room::new(gateway.reach(), Patience::default()),
            gateway,
            inbox: Inbox::new(),
            routes: BTreeMap::new(),
            shared,
            questions,
            events,
            told: VecDeque::new(),
        }
    }

    /// Lives until all handles are gone.
    pub(crate) async fn run(mut self) {
        let (shared, events) = (Arc::clone(&self.shared), self.events.clone());
        let mut timer: Pin<Box<Sleep>> = Box::pin(sleep_until(Instant::now()));
        loop {
            self.take_wishes();
            self.flush();
            let deadline = self.room.poll_timeout().map_or_else(|| Instant::now() + IDLE, Instant::from_std);
            timer.as_mut().reset(deadline);
            let tells = !self.told.is_empty() && !events.is_closed();
            tokio::select! {
                () = shared.changed.notified() => {}
                Some(arrival) = self.inbox.next() => self.take_datagrams(arrival),
                () = &mut timer => self.room.handle_timeout(now()),
                Ok(place) = events.reserve(), if tells => {
                    if let Some(event) = self.told.pop_front() {
                        place.send(event);
                    }
                }
                question = self.questions.recv() => match question {
                    Some(Question { page, reply }) => {
                        // The answer knows of all that was wanted before the question.
                        self.take_wishes();
                        // Whoever asked may not wait any more.
                        let _ = reply.send(self.room.stats(page));
                    }
                    None => break,
                },
            }
        }
        self.room.close(now());
        self.flush();
    }

    fn take_wishes(&mut self) {
        for (page, wish) in self.shared.take() {
            let Wish { leaves, camera, screen, tiles, offer } = wish;
            if leaves {
                self.room.leave(page, now());
                self.routes.remove(&page);
                self.told.retain(|event| event.page() != page);
            }
            for (kind, is_allowed) in [(Kind::Camera, camera), (Kind::Screen, screen)] {
                if let Some(is_allowed) = is_allowed {
                    self.room.allow(page, kind, is_allowed, now());
                }
            }
            if let Some((offer, reply)) = offer
                && !reply.is_closed()
            {
                // Whoever offered may not wait any more.
                let _ = reply.send(self.answer(page, &offer));
            }
            if let Some(tiles) = tiles {
                self.room.watch(page, tiles, now());
            }
            self.flush();
        }
    }

    fn answer(&mut self, page: PageId, offer: &str) -> Result<String, OfferError> {
        // The way first, for there may be none; its name is only known behind.
        let route = match self.routes.remove(&page) {
            Some(route) => route,
            None => self.gateway.route("", &self.inbox, page.0, MAX_QUEUED)?,
        };
        let answer = self.room.join(page, offer, now());
        if let Ok(answer) = &answer {
            route.rename(&answer.ufrag);
        }
        if answer.is_ok() || self.room.has_connection(page) {
            self.routes.insert(page, route);
        }
        answer.map(|answer| answer.sdp)
    }

    fn take_datagrams(&mut self, first: Arrival) {
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(Arrival { tag, from, octets, .. }) = next.take().or_else(|| self.inbox.next_now())
            else {
                return;
            };
            let (page, now) = (PageId(tag), now());
            if self.room.handle_datagram(page, from, &octets, now)
                && let Some(route) = self.routes.get(&page)
            {
                route.claim(from, now);
            }
            self.flush();
        }
    }

    /// Sends what is to be sent, and keeps what is to be told.
    fn flush(&mut self) {
        while let Some(transmit) = self.room.poll_transmit() {
            self.gateway.send(transmit.destination, &transmit.octets);
        }
        while let Some(event) = self.room.poll_event() {
            let page = event.page();
            match event {
                Event::Gone { .. } => {
                    self.routes.remove(&page);
                    self.told.retain(|told| told.page() != page);
                }
                Event::Flowing { .. } => self.told.retain(|told| *told != event),
            }
            self.told.push_back(event);
        }
    }
}

impl Drop for Task {
    /// However it ends, nobody waits for an answer any more.
    fn drop(&mut self) {
        self.questions.close();
        self.shared.take();
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
