//! Which notification is sent when: decisions without a clock, a socket or a store.
//!
//! [`Queue`] holds what is owed, call by call. Feed it with [`Queue::handle`], and call [`Queue::handle_timeout`] at
//! [`Queue::poll_timeout`]; after each, drain [`Queue::poll_transmit`] (what is posted), then [`Queue::poll_effect`] (what
//! the store is asked and told). One notification of a call is under way at a time:
//!
//! ```text
//!        owed             slot, in memory             2xx, or given up
//!   Idle ─────► Ready ─────────────────────► Sending ─────────────────► Idle
//!                ▲ │                          ▲   │ redirect: Ready again
//!                │ │ slot, in the store only  │   │
//!                │ └───────► Loading ─────────┘   │ failure
//!                │ time                           ▼
//!                └───────────────────────────── Waiting
//! ```
//!
//! Memory is bounded. What does not fit stays in the store and is read when it has a slot, so that those who wait,
//! because of a receiver that hangs or is down, take no room from others. A call that has no place at all is found
//! again by a scan, as everything is at the start; no app may have more places than are left for the others.

mod call;
mod lanes;
mod scan;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{AppId, Attempt, CallId, Notification, NotificationState};
use store::{CallbackRedirect, DeliveryRecord};

use call::{Call, Stage};
use lanes::Lanes;
use scan::{STORE_PAUSE, Scan};
pub use schedule::Schedule;

/// Limits of a [`Queue`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls that are known, with or without notifications in memory.
    pub max_calls: usize,
    /// Notifications in memory; each POST under way may exceed it by one.
    pub max_notifications: usize,
    /// Notifications of one call in memory.
    pub max_notifications_per_call: usize,
    /// POSTs under way.
    pub max_in_flight: usize,
    /// POSTs under way to one host.
    pub max_in_flight_per_host: usize,
    /// Calls that are being read from the store at once.
    pub max_loading: usize,
}

impl Default for Limits {
    /// For one node: a call takes some 300 bytes and a notification a few kilobytes, so memory stays below 100 MB.
    fn default() -> Self {
        Self {
            max_calls: 100_000,
            max_notifications: 16_000,
            max_notifications_per_call: 32,
            max_in_flight: 1024,
            max_in_flight_per_host: 256,
            max_loading: 16,
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// The store gave what it holds of a call.
    Loaded {
        /// The call.
        call: CallId,
        /// What it gave.
        found: Loaded,
    },
    /// The store did not.
    LoadFailed(CallId),
    /// Notifications were committed that no one could offer.
    Missed,
    /// A notification was committed.
    Offered(Box<Notification>),
    /// The store gave a page of what is owed, as the store orders it.
    Scanned {
        /// The page.
        rows: Vec<Owed>,
        /// Whether it is the last one.
        is_end: bool,
    },
    /// The store did not.
    ScanFailed,
    /// A POST ended.
    Sent {
        /// The call.
        call: CallId,
        /// How it ended.
        outcome: Outcome,
        /// The same for people to read. Its number is that of the [`Transmit`].
        attempt: Attempt,
    },
}

/// A row of what is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The call.
    pub call: CallId,
    /// The sequence in the call.
    pub sequence: u64,
    /// Who is to be told.
    pub app: AppId,
    /// Where, unless a redirect says otherwise.
    pub uri: String,
}

/// What the store holds of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What is owed, in sequence.
    pub owed: Vec<Notification>,
    /// How often the first of it was tried.
    pub attempts: u32,
    /// Whether there is more behind it.
    pub is_more: bool,
    /// Whether the call is over.
    pub is_over: bool,
    /// Where a redirect sent it.
    pub redirect: Option<CallbackRedirect>,
}

/// How a POST ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was received.
    Delivered,
    /// It was not, and is tried again.
    Failed,
    /// Nothing more of this call is wanted.
    Gone,
    /// It is wanted at another, allowed address.
    Redirected(String),
    /// There was no room here to send it, which is not the receiver's fault: it does not count as a try.
    Unsent,
}

/// What the store is to be asked or told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read what is owed of a call behind a sequence, answer with [`Input::Loaded`]. Every earlier
    /// [`Effect::Record`] must be in the store before.
    Load {
        /// The call.
        call: CallId,
        /// The sequence.
        after: u64,
        /// How many to read.
        limit: usize,
    },
    /// Write down how a delivery went.
    Record(DeliveryRecord),
    /// Write down where a redirect sent a call.
    Redirect {
        /// The call.
        call: CallId,
        /// From where to where.
        redirect: CallbackRedirect,
    },
    /// Read a page of what is owed behind a row, answer with [`Input::Scanned`].
    Scan {
        /// The row; `None` from the start.
        after: Option<(CallId, u64)>,
    },
}

/// A POST to make; answer with [`Input::Sent`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// What to tell.
    pub notification: Arc<Notification>,
    /// Where.
    pub uri: String,
    /// Counts from 1.
    pub attempt: u32,
    /// How long it may take.
    pub timeout: Duration,
}

/// What is owed, and when it is sent. The module says how to use it.
#[derive(Debug)]
pub struct Queue {
    limits: Limits,
    schedule: Schedule,
    calls: BTreeMap<CallId, Call>,
    /// Places that each app has among `calls`.
    places: BTreeMap<AppId, usize>,
    lanes: Lanes,
    timers: BTreeSet<(Instant, CallId)>,
    /// Calls that have a slot and are to be read from the store.
    loads: VecDeque<CallId>,
    loading: usize,
    /// Calls that have a slot and were read from the store.
    loaded: VecDeque<CallId>,
    scan: Scan,
    /// Notifications in memory.
    held: usize,
    effects: VecDeque<Effect>,
}

/// Until what could not be sent is tried again. Arbitrary: what is full is so for moments, and what waits loses nothing else.
const UNSENT_PAUSE: Duration = Duration::from_secs(1);

impl Queue {
    /// A queue that begins by asking the store for all that is owed.
    pub fn new(limits: Limits, schedule: Schedule) -> Self {
        Self {
            lanes: Lanes::new(limits.max_in_flight, limits.max_in_flight_per_host),
            limits,
            schedule,
            calls: BTreeMap::new(),
            places: BTreeMap::new(),
            timers: BTreeSet::new(),
            loads: VecDeque::new(),
            loading: 0,
            loaded: VecDeque::new(),
            scan: Scan::new(),
            held: 0,
            effects: VecDeque::new(),
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Instant) {
        match input {
            Input::LoadFailed(call) => self.load_failed(call, now),
            Input::Loaded { call, found } => self.loaded(call, found),
            Input::Missed => self.scan.again(),
            Input::Offered(notification) => self.offered(*notification),
            Input::ScanFailed => self.scan.failed(now),
            Input::Scanned { rows, is_end } => self.scanned(&rows, is_end, now),
            Input::Sent { call, outcome, attempt } => self.sent(call, outcome, attempt, now),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.scan.handle_timeout(now);
        while let Some((due, id)) = self.timers.first().copied() {
            if due > now {
                return;
            }
            self.timers.pop_first();
            if let Some(call) = self.calls.get_mut(&id) {
                call.stage = Stage::Idle;
                self.advance(id);
            }
        }
    }

    /// When [`Queue::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let first = self.timers.first().map(|(due, _)| *due);
        [first, self.scan.due()].into_iter().flatten().min()
    }

    /// The next POST to make.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            let id = match self.loaded.pop_front() {
                Some(id) => id,
                None => self.lanes.pop()?,
            };
            let call = self.calls.get_mut(&id)?;
            let Some(notification) = call.items.front().map(Arc::clone) else {
                call.stage = Stage::Loading { is_late: false };
                self.loads.push_back(id);
                continue;
            };
            call.stage = Stage::Sending;
            call.first.attempts = call.first.attempts.saturating_add(1);
            let uri = call.target(&notification).to_owned();
            let timeout = if call.is_over { self.schedule.over_timeout } else { self.schedule.live_timeout };
            return Some(Transmit { notification, uri, attempt: call.first.attempts, timeout });
        }
    }

    /// The next thing to ask or tell the store.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        if let Some(effect) = self.effects.pop_front() {
            return Some(effect);
        }
        if self.loading < self.limits.max_loading
            && let Some(call) = self.loads.pop_front()
        {
            let most = self.limits.max_notifications_per_call.max(1);
            let promised = self.held.saturating_add(self.loading.saturating_mul(most));
            let limit = self.limits.max_notifications.saturating_sub(promised).clamp(1, most);
            self.loading += 1;
            let after = self.calls.get(&call).map_or(0, |call| call.last_sequence);
            return Some(Effect::Load { call, after, limit });
        }
        self.scan.poll(self.calls.len()).map(|after| Effect::Scan { after })
    }

    /// POSTs under way, with what is read for them.
    pub fn in_flight(&self) -> usize {
        self.lanes.in_use()
    }

    /// Notifications in memory.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Whether nothing is owed.
    pub fn is_idle(&self) -> bool {
        self.is_settled() && self.timers.is_empty() && self.scan.is_done()
    }

    /// Whether nothing can happen before the next time-out, except by new inputs from outside.
    pub fn is_settled(&self) -> bool {
        self.lanes.in_use() == 0
            && !self.lanes.has_ready()
            && self.effects.is_empty()
            && !self.scan.is_reading()
    }

    fn offered(&mut self, notification: Notification) {
        let id = notification.call;
        if !self.calls.contains_key(&id) {
            let (app, uri) = (notification.app.clone(), &notification.callback_uri);
            // Until the scan is done, the store may owe earlier ones, but none before the first.
            let is_known = self.scan.is_done() || notification.sequence == 1;
            let call = if is_known {
                Call::known(app, uri, notification.sequence.saturating_sub(1))
            } else {
                Call::forgotten(app, uri)
            };
            if !self.place(id, call) {
                return self.scan.again();
            }
        }
        let is_memory_full = self.held >= self.limits.max_notifications;
        let Some(call) = self.calls.get_mut(&id) else { return };
        if notification.sequence <= call.last_sequence {
            return;
        }
        call.is_over |= notification.is_last();
        let is_call_full = call.items.len() >= self.limits.max_notifications_per_call;
        let is_gap = notification.sequence != call.last_sequence.saturating_add(1);
        if let Stage::Loading { is_late } = &mut call.stage {
            *is_late = true;
        } else if call.is_behind || is_gap || is_call_full || is_memory_full {
            call.is_behind = true;
        } else {
            call.append(Arc::new(notification));
            self.held += 1;
        }
        self.advance(id);
    }

    /// Gives a call a place, if its app has fewer than are left.
    fn place(&mut self, id: CallId, call: Call) -> bool {
        let left = self.limits.max_calls.saturating_sub(self.calls.len());
        let taken = self.places.entry(call.lane.app.clone()).or_default();
        if *taken >= left {
            return false;
        }
        *taken += 1;
        self.calls.insert(id, call);
        true
    }

    fn remove(&mut self, id: CallId) {
        let Some(call) = self.calls.remove(&id) else { return };
        if let Some(taken) = self.places.get_mut(&call.lane.app) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.places.remove(&call.lane.app);
            }
        }
    }

    fn scanned(&mut self, rows: &[Owed], is_end: bool, now: Instant) {
        for row in rows {
            if let Some(call) = self.calls.get_mut(&row.call) {
                let is_new = row.sequence > call.last_sequence;
                match &mut call.stage {
                    Stage::Loading { is_late } => *is_late |= is_new,
                    Stage::Idle | Stage::Ready | Stage::Sending | Stage::Waiting(_) => {
                        call.is_behind |= is_new
                    }
                }
            } else if !self.place(row.call, Call::forgotten(row.app.clone(), &row.uri)) {
                self.scan.full();
            }
            self.advance(row.call);
        }
        if is_end {
            self.scan.ended(self.calls.len(), now);
        } else {
            self.scan.turned(rows.last().map(|row| (row.call, row.sequence)));
        }
    }

    fn loaded(&mut self, id: CallId, found: Loaded) {
        self.loading = self.loading.saturating_sub(1);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let is_late = call.stage == Stage::Loading { is_late: true };
        call.is_behind = found.is_more || is_late;
        call.is_over |= found.is_over;
        call.first.attempts = call.first.attempts.max(found.attempts);
        for notification in found.owed {
            if notification.sequence > call.last_sequence {
                call.append(Arc::new(notification));
                self.held += 1;
            }
        }
        if found.redirect.is_some() {
            call.redirect = found.redirect;
        }
        let goes_on = !call.items.is_empty() && !call.is_stopped && call.is_in_its_lane();
        if goes_on {
            call.stage = Stage::Ready;
            return self.loaded.push_back(id);
        }
        self.lanes.release(&call.lane);
        call.stage = Stage::Idle;
        self.advance(id);
    }

    fn load_failed(&mut self, id: CallId, now: Instant) {
        self.loading = self.loading.saturating_sub(1);
        if let Some(call) = self.calls.get(&id) {
            self.lanes.release(&call.lane);
            self.wait(id, now + STORE_PAUSE);
        }
    }

    fn sent(&mut self, id: CallId, outcome: Outcome, attempt: Attempt, now: Instant) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Some(first) = call.items.front().map(Arc::clone) else { return };
        let sequence = first.sequence;
        self.lanes.release(&call.lane);
        call.stage = Stage::Idle;
        let mut wait = None;
        let state = match outcome {
            Outcome::Unsent => {
                call.first.attempts = call.first.attempts.saturating_sub(1);
                return self.wait(id, now + UNSENT_PAUSE);
            }
            Outcome::Delivered => NotificationState::Delivered,
            Outcome::Gone => {
                call.is_stopped = true;
                NotificationState::Abandoned
            }
            Outcome::Redirected(uri) if call.first.redirects < self.schedule.max_redirects => {
                call.first.redirects += 1;
                let redirect = CallbackRedirect { from: first.callback_uri.clone(), to: uri };
                call.redirect = Some(redirect.clone());
                self.effects.push_back(Effect::Redirect { call: id, redirect });
                NotificationState::Pending
            }
            Outcome::Failed | Outcome::Redirected(_) => {
                call.first.redirects = 0;
                wait = call.first.tries.failed(&self.schedule, call.is_over);
                if wait.is_some() { NotificationState::Pending } else { NotificationState::Abandoned }
            }
        };
        let record = DeliveryRecord { call: id, sequence, attempt: Some(attempt), state };
        self.effects.push_back(Effect::Record(record));
        if state != NotificationState::Pending && call.finish_first().is_some() {
            self.held = self.held.saturating_sub(1);
        }
        match wait {
            Some(wait) => self.wait(id, now + wait),
            None => self.advance(id),
        }
    }

    fn wait(&mut self, id: CallId, due: Instant) {
        let is_memory_scarce = self.held > self.limits.max_notifications / 2;
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.stage = Stage::Waiting(due);
        self.timers.insert((due, id));
        if call.is_over || is_memory_scarce {
            self.held = self.held.saturating_sub(call.forget());
        }
    }

    /// Does the next thing for a call that has nothing under way.
    fn advance(&mut self, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.stage != Stage::Idle {
            return;
        }
        if call.is_stopped {
            while let Some(first) = call.finish_first() {
                self.held = self.held.saturating_sub(1);
                let (sequence, state) = (first.sequence, NotificationState::Abandoned);
                let record = DeliveryRecord { call: id, sequence, attempt: None, state };
                self.effects.push_back(Effect::Record(record));
            }
        }
        if call.is_owed() {
            call.stage = Stage::Ready;
            call.change_lane();
            self.lanes.push(&call.lane, id);
        } else if call.is_done() {
            self.remove(id);
        }
    }
}
