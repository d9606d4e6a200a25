//! Random histories: whatever fails and whatever does not fit, each call is told everything, in order.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use model::{AppId, Attempt, Call, CallId, ChangeType, Notification, NotificationState, Timestamp};
use notifier::queue::{Effect, Input, Limits, Loaded, Outcome, Owed, Queue, Schedule, Transmit};
use store::contract::Samples;

/// Small numbers from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

/// What the store holds of a call.
#[derive(Default)]
struct Row {
    owed: BTreeMap<u64, Notification>,
    attempts: BTreeMap<u64, u32>,
    is_over: bool,
    /// The sequences that were received, in the order in which they were.
    received: Vec<u64>,
}

struct World {
    dice: Dice,
    queue: Queue,
    now: Instant,
    rows: BTreeMap<CallId, Row>,
    /// What was read, on its way to the queue.
    answers: VecDeque<Input>,
    under_way: Vec<Transmit>,
}

const LIMITS: Limits = Limits {
    max_calls: 8,
    max_notifications: 6,
    max_notifications_per_call: 3,
    max_in_flight: 3,
    max_in_flight_per_host: 2,
    max_loading: 2,
};

impl World {
    fn new(seed: u64) -> Self {
        let now = tokio::time::Instant::now().into_std();
        let queue =
            Queue::new(LIMITS, Schedule { over: vec![Duration::from_secs(5); 1000], ..Schedule::default() });
        let dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        Self { dice, queue, now, rows: BTreeMap::new(), answers: VecDeque::new(), under_way: Vec::new() }
    }

    fn commit(&mut self, notification: Notification) {
        let row = self.rows.entry(notification.call).or_default();
        row.is_over |= notification.is_last();
        row.owed.insert(notification.sequence, notification.clone());
        let input = match self.dice.below(5) {
            0 => Input::Missed,
            _ => Input::Offered(Box::new(notification)),
        };
        self.queue.handle(input, self.now);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.queue.poll_transmit() {
            let call = transmit.notification.call;
            assert!(self.under_way.iter().all(|other| other.notification.call != call), "one at a time");
            let tried = self.rows[&call].attempts.get(&transmit.notification.sequence).copied().unwrap_or(0);
            assert_eq!(transmit.attempt, tried + 1);
            self.under_way.push(transmit);
            assert!(self.under_way.len() <= LIMITS.max_in_flight);
        }
        while let Some(effect) = self.queue.poll_effect() {
            self.perform(effect);
        }
        assert!(self.queue.held() <= LIMITS.max_notifications + LIMITS.max_in_flight, "memory is bounded");
    }

    fn perform(&mut self, effect: Effect) {
        let failed = self.dice.below(10) == 0;
        match effect {
            Effect::Load { call, .. } if failed => self.answers.push_back(Input::LoadFailed(call)),
            Effect::Load { call, after, limit } => {
                let row = &self.rows[&call];
                let owed: Vec<_> =
                    row.owed.range(after + 1..).take(limit).map(|(_, one)| one.clone()).collect();
                let first = owed.first().filter(|_| after == 0);
                let attempts =
                    first.and_then(|first| row.attempts.get(&first.sequence)).copied().unwrap_or(0);
                let is_more = owed.len() == limit;
                let found = Loaded { owed, attempts, is_more, is_over: row.is_over, redirect: None };
                self.answers.push_back(Input::Loaded { call, found });
            }
            Effect::Record(record) => {
                let row = self.rows.get_mut(&record.call).unwrap();
                row.attempts.insert(record.sequence, record.attempt.unwrap().number);
                if record.state != NotificationState::Pending {
                    row.owed.remove(&record.sequence);
                }
            }
            Effect::Redirect { .. } => panic!("nobody redirects here"),
            Effect::Scan { .. } if failed => self.answers.push_back(Input::ScanFailed),
            Effect::Scan { after } => {
                let owed = self.rows.values().flat_map(|row| row.owed.values());
                let behind = owed.filter(|one| after.is_none_or(|after| (one.call, one.sequence) > after));
                let row = |one: &Notification| Owed {
                    call: one.call,
                    sequence: one.sequence,
                    app: one.app.clone(),
                    uri: one.callback_uri.clone(),
                };
                let rows: Vec<_> = behind.take(3).map(row).collect();
                let is_end = rows.len() < 3;
                self.answers.push_back(Input::Scanned { rows, is_end });
            }
        }
    }

    /// One thing happens; `false` when nothing can.
    fn step(&mut self) -> bool {
        let choice = self.dice.below(3);
        if choice == 0
            && let Some(answer) = self.answers.pop_front()
        {
            self.queue.handle(answer, self.now);
        } else if choice == 1 && !self.under_way.is_empty() {
            let which = self.dice.below(self.under_way.len());
            let transmit = self.under_way.swap_remove(which);
            self.answered(&transmit);
        } else if let Some(due) = self.queue.poll_timeout() {
            self.now = self.now.max(due);
            self.queue.handle_timeout(self.now);
        } else if self.answers.is_empty() && self.under_way.is_empty() {
            return false;
        }
        self.drain();
        true
    }

    fn answered(&mut self, transmit: &Transmit) {
        let (call, sequence) = (transmit.notification.call, transmit.notification.sequence);
        let outcome = if self.dice.below(3) == 0 { Outcome::Failed } else { Outcome::Delivered };
        if outcome == Outcome::Delivered {
            self.rows.get_mut(&call).unwrap().received.push(sequence);
        }
        let (number, at) = (transmit.attempt, Timestamp::default());
        let attempt = Attempt { number, at, duration_ms: 1, status: None, error: None };
        self.queue.handle(Input::Sent { call, outcome, attempt }, self.now);
    }
}

fn history(seed: u64) {
    let mut world = World::new(seed);
    let mut samples = Samples::new(seed);
    let apps = ["one", "two", "three"];
    let mut calls: Vec<_> =
        (0..12).map(|n| (Call { app: AppId::from(apps[n % 3]), ..samples.call(0) }, 0_u64)).collect();
    while !calls.is_empty() {
        let which = world.dice.below(calls.len());
        let (call, sequence) = &mut calls[which];
        *sequence += 1;
        let mut notification = samples.notification(call, *sequence);
        if *sequence == 8 {
            notification.change = ChangeType::Deleted;
            calls.swap_remove(which);
        }
        world.commit(notification);
        for _ in 0..world.dice.below(6) {
            world.step();
        }
    }
    for _ in 0..100_000 {
        if !world.step() {
            break;
        }
    }
    assert!(world.queue.is_idle(), "seed {seed}: {:?}", world.queue);
    for row in world.rows.values() {
        assert_eq!(row.received, (1..=8).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn every_call_is_told_everything_once_and_in_order_whatever_fails_or_does_not_fit() {
    for seed in 1..=150 {
        history(seed);
    }
}
