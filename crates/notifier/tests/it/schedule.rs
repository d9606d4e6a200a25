//! Single decisions of the queue, in virtual time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use model::{AppId, Attempt, Call, CallId, ChangeType, Notification, NotificationState, Timestamp};
use notifier::queue::{Effect, Input, Limits, Loaded, Outcome, Owed, Queue, Schedule, Transmit};
use store::CallbackRedirect;
use store::contract::Samples;

use NotificationState::{Abandoned, Delivered, Pending};

/// A queue whose scan is done, a store that never fails, and a time that only goes on when told.
struct Bench {
    queue: Queue,
    now: Instant,
    samples: Samples,
    owed: BTreeMap<(CallId, u64), Notification>,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self::starting(Limits::default());
        assert_eq!(bench.effects(), [Effect::Scan { after: None }]);
        bench.handle(Input::Scanned { rows: Vec::new(), is_end: true });
        bench
    }

    fn starting(limits: Limits) -> Self {
        let now = tokio::time::Instant::now().into_std();
        let queue = Queue::new(limits, Schedule::default());
        Self { queue, now, samples: Samples::new(1), owed: BTreeMap::new() }
    }

    fn handle(&mut self, input: Input) {
        self.queue.handle(input, self.now);
    }

    fn effects(&mut self) -> Vec<Effect> {
        std::iter::from_fn(|| self.queue.poll_effect()).collect()
    }

    fn call(&mut self) -> Call {
        self.samples.call(0)
    }

    fn commit(&mut self, call: &Call, sequence: u64) -> Notification {
        let mut notification = self.samples.notification(call, sequence);
        if sequence == LAST {
            notification.change = ChangeType::Deleted;
        }
        self.owed.insert((call.id, sequence), notification.clone());
        notification
    }

    fn offer(&mut self, call: &Call, sequence: u64) {
        let notification = self.commit(call, sequence);
        self.handle(Input::Offered(Box::new(notification)));
    }

    /// What is posted next; nothing else may be.
    fn posted(&mut self) -> Transmit {
        let transmit = self.next().unwrap();
        assert_eq!(self.next(), None);
        transmit
    }

    /// What is posted next, with what the store has to give for it.
    fn next(&mut self) -> Option<Transmit> {
        loop {
            let transmit = self.queue.poll_transmit();
            if transmit.is_some() {
                return transmit;
            }
            let Effect::Load { call, after, .. } = self.queue.poll_effect()? else { continue };
            let owed = self.owed.range((call, after + 1)..=(call, u64::MAX)).map(|(_, one)| one.clone());
            let found = Loaded { owed: owed.collect(), ..Loaded::default() };
            self.handle(Input::Loaded { call, found });
        }
    }

    fn answer(&mut self, transmit: &Transmit, outcome: Outcome) -> Vec<Effect> {
        let attempt = Attempt {
            number: transmit.attempt,
            at: Timestamp::default(),
            duration_ms: 1,
            status: None,
            error: None,
        };
        self.handle(Input::Sent { call: transmit.notification.call, outcome, attempt });
        let effects = self.effects();
        for effect in &effects {
            if let Effect::Record(record) = effect
                && record.state != Pending
            {
                self.owed.remove(&(record.call, record.sequence));
            }
        }
        effects
    }

    /// Goes on to the next time-out and says how long that was.
    fn wait(&mut self) -> Duration {
        let due = self.queue.poll_timeout().unwrap();
        let waited = due - self.now;
        self.now = due;
        self.queue.handle_timeout(due);
        waited
    }
}

/// The sequence that ends a call.
const LAST: u64 = 9;

fn states(effects: &[Effect]) -> Vec<(u64, Option<u32>, NotificationState)> {
    let recorded = effects.iter().filter_map(|effect| match effect {
        Effect::Record(record) => Some(record),
        Effect::Load { .. } | Effect::Redirect { .. } | Effect::Scan { .. } => None,
    });
    recorded
        .map(|record| (record.sequence, record.attempt.as_ref().map(|a| a.number), record.state))
        .collect()
}

#[test]
fn a_call_is_told_one_thing_at_a_time_in_order() {
    let mut bench = Bench::new();
    let call = bench.call();
    for sequence in 1..=LAST {
        bench.offer(&call, sequence);
    }
    for sequence in 1..=LAST {
        let transmit = bench.posted();
        assert_eq!((transmit.notification.sequence, transmit.attempt), (sequence, 1));
        assert_eq!(states(&bench.answer(&transmit, Outcome::Delivered)), [(sequence, Some(1), Delivered)]);
    }
    assert!(bench.queue.is_idle());
}

#[test]
fn a_live_call_is_tried_again_after_growing_waits_and_stays_first() {
    let mut bench = Bench::new();
    let call = bench.call();
    bench.offer(&call, 1);
    bench.offer(&call, 2);
    for (attempt, wait_ms) in (1..).zip([250, 500, 1000, 2000, 4000, 8000, 8000, 8000]) {
        let transmit = bench.posted();
        assert_eq!((transmit.notification.sequence, transmit.attempt), (1, attempt));
        assert_eq!(transmit.timeout, Duration::from_secs(5));
        assert_eq!(states(&bench.answer(&transmit, Outcome::Failed)), [(1, Some(attempt), Pending)]);
        assert_eq!(bench.next(), None);
        assert_eq!(bench.wait(), Duration::from_millis(wait_ms));
    }
}

#[test]
fn what_this_server_had_no_room_to_send_is_tried_again_and_does_not_count() {
    let mut bench = Bench::new();
    let call = bench.call();
    bench.offer(&call, LAST);
    for _ in 0..20 {
        let transmit = bench.posted();
        assert_eq!(transmit.attempt, 1);
        assert_eq!(states(&bench.answer(&transmit, Outcome::Unsent)), []);
        assert_eq!(bench.wait(), Duration::from_secs(1));
    }
    let transmit = bench.posted();
    assert_eq!(states(&bench.answer(&transmit, Outcome::Failed)), [(LAST, Some(1), Pending)]);
}

#[test]
fn a_call_that_is_over_is_given_up_one_notification_after_the_other() {
    let mut bench = Bench::new();
    let call = bench.call();
    bench.offer(&call, LAST - 1);
    let first = bench.posted();
    bench.answer(&first, Outcome::Failed);
    bench.offer(&call, LAST);
    bench.wait();
    for (sequence, before) in [(LAST - 1, 1), (LAST, 0)] {
        for (attempt, wait_s) in (before + 1..).zip([5, 60, 300, 1800, 7200]) {
            let transmit = bench.posted();
            assert_eq!((transmit.notification.sequence, transmit.attempt), (sequence, attempt));
            assert_eq!(transmit.timeout, Duration::from_secs(15));
            assert_eq!(
                states(&bench.answer(&transmit, Outcome::Failed)),
                [(sequence, Some(attempt), Pending)]
            );
            assert_eq!(bench.wait(), Duration::from_secs(wait_s));
        }
        let transmit = bench.posted();
        let number = Some(before + 6);
        assert_eq!(states(&bench.answer(&transmit, Outcome::Failed)), [(sequence, number, Abandoned)]);
    }
    assert!(bench.queue.is_idle());
}

#[test]
fn gone_stops_what_is_owed_and_what_is_owed_later_without_trying() {
    let mut bench = Bench::new();
    let (call, other) = (bench.call(), bench.call());
    bench.offer(&call, 1);
    bench.offer(&call, 2);
    let transmit = bench.posted();
    let effects = bench.answer(&transmit, Outcome::Gone);
    assert_eq!(states(&effects), [(1, Some(1), Abandoned), (2, None, Abandoned)]);

    bench.offer(&call, 3);
    assert_eq!(states(&bench.effects()), [(3, None, Abandoned)]);
    bench.offer(&other, 1);
    assert_eq!(bench.posted().notification.call, other.id);
}

#[test]
fn a_redirect_holds_for_the_rest_of_the_call_and_only_for_it() {
    let mut bench = Bench::new();
    let (call, other) = (bench.call(), bench.call());
    bench.offer(&call, 1);
    let asked = bench.posted();
    assert_eq!(asked.uri, call.callback_uri);
    let uri = "https://elsewhere.example/callback".to_owned();
    let effects = bench.answer(&asked, Outcome::Redirected(uri.clone()));
    let redirect = redirect_of(&call, &uri);
    assert_eq!(effects.first(), Some(&Effect::Redirect { call: call.id, redirect }));
    assert_eq!(states(&effects), [(1, Some(1), Pending)]);

    let sent_there = bench.posted();
    assert_eq!((sent_there.uri.as_str(), sent_there.attempt), (uri.as_str(), 2));
    bench.answer(&sent_there, Outcome::Delivered);
    bench.offer(&call, 2);
    let second = bench.posted();
    assert_eq!(second.uri, uri);
    bench.offer(&other, 1);
    assert_eq!(bench.posted().uri, other.callback_uri);
}

fn redirect_of(call: &Call, to: &str) -> CallbackRedirect {
    CallbackRedirect { from: call.callback_uri.clone(), to: to.to_owned() }
}

#[test]
fn a_place_that_is_named_after_a_redirect_is_where_the_rest_goes() {
    let mut bench = Bench::new();
    let mut call = bench.call();
    bench.offer(&call, 1);
    bench.offer(&call, 2);
    let asked = bench.posted();
    bench.answer(&asked, Outcome::Redirected("https://elsewhere.example/".to_owned()));
    let sent_there = bench.posted();
    call.callback_uri = "https://named.example/".to_owned();
    bench.offer(&call, 3);
    bench.answer(&sent_there, Outcome::Delivered);

    let second = bench.posted();
    assert_eq!(second.uri, "https://elsewhere.example/", "it was told before the place was named");
    bench.answer(&second, Outcome::Delivered);
    let third = bench.posted();
    assert_eq!((third.uri.as_str(), third.attempt), ("https://named.example/", 1));
    let effects = bench.answer(&third, Outcome::Redirected("https://third.example/".to_owned()));
    let redirect = redirect_of(&call, "https://third.example/");
    assert_eq!(effects.first(), Some(&Effect::Redirect { call: call.id, redirect }));
    let fourth = bench.posted();
    assert_eq!(fourth.uri, "https://third.example/");
    bench.answer(&fourth, Outcome::Delivered);
    assert_eq!(bench.queue.in_flight(), 0, "every lane has its slot back");
}

#[test]
fn a_named_place_has_its_own_hosts_slots() {
    let mut bench = Bench::starting(Limits { max_in_flight_per_host: 1, ..Limits::default() });
    bench.effects();
    bench.handle(Input::Scanned { rows: Vec::new(), is_end: true });
    let (mut moving, staying) = (bench.call(), bench.call());
    bench.offer(&moving, 1);
    let first = bench.posted();
    moving.callback_uri = "https://named.example/".to_owned();
    bench.offer(&moving, 2);
    bench.answer(&first, Outcome::Delivered);
    let second = bench.posted();
    assert_eq!(second.uri, "https://named.example/");
    bench.offer(&staying, 1);
    assert_eq!(bench.posted().uri, staying.callback_uri, "the host that was left has room");
}

#[test]
fn redirects_in_a_circle_count_as_a_failure_after_some() {
    let mut bench = Bench::new();
    let call = bench.call();
    bench.offer(&call, 1);
    for hop in 0..5 {
        let transmit = bench.posted();
        bench.answer(&transmit, Outcome::Redirected(format!("https://{hop}.example/")));
    }
    let transmit = bench.posted();
    bench.answer(&transmit, Outcome::Redirected("https://0.example/".to_owned()));
    assert_eq!(bench.queue.poll_transmit(), None);
    assert_eq!(bench.wait(), Duration::from_millis(250));
    assert_eq!(bench.posted().attempt, 7);
}

#[test]
fn calls_do_not_wait_for_each_other() {
    let mut bench = Bench::new();
    let calls = [bench.call(), bench.call(), bench.call()];
    for call in &calls {
        bench.offer(call, 1);
        bench.offer(call, 2);
    }
    let posted: Vec<_> = std::iter::from_fn(|| bench.queue.poll_transmit()).collect();
    assert_eq!(posted.len(), 3);
    bench.answer(posted.last().unwrap(), Outcome::Delivered);
    assert_eq!(bench.posted().notification.sequence, 2);
}

fn owed(call: &Call, sequence: u64) -> Owed {
    Owed { call: call.id, sequence, app: call.app.clone(), uri: call.callback_uri.clone() }
}

#[test]
fn at_the_start_what_is_owed_is_read_call_by_call_before_what_is_offered_meanwhile() {
    let mut bench = Bench::starting(Limits::default());
    let call = bench.call();
    bench.commit(&call, 7);
    bench.commit(&call, 8);
    assert_eq!(bench.effects(), [Effect::Scan { after: None }]);
    bench.offer(&call, LAST);
    bench.handle(Input::Scanned { rows: vec![owed(&call, 7), owed(&call, 8)], is_end: true });
    for sequence in 7..=LAST {
        let transmit = bench.posted();
        assert_eq!(transmit.notification.sequence, sequence);
        bench.answer(&transmit, Outcome::Delivered);
    }
    assert!(bench.queue.is_idle());
}

#[test]
fn attempts_count_on_from_what_the_store_knows() {
    let mut bench = Bench::starting(Limits::default());
    let call = bench.call();
    let first = bench.commit(&call, 4);
    bench.effects();
    bench.handle(Input::Scanned { rows: vec![owed(&call, 4)], is_end: true });
    assert_eq!(bench.queue.poll_transmit(), None);
    assert_eq!(bench.effects(), [Effect::Load { call: call.id, after: 0, limit: 32 }]);
    let uri = "https://elsewhere.example/".to_owned();
    let found = Loaded {
        owed: vec![first],
        attempts: 3,
        redirect: Some(redirect_of(&call, &uri)),
        ..Loaded::default()
    };
    bench.handle(Input::Loaded { call: call.id, found });
    let transmit = bench.posted();
    assert_eq!((transmit.attempt, transmit.uri), (4, uri));
}

#[test]
fn what_is_committed_while_the_store_is_read_is_read_afterwards() {
    let mut bench = Bench::starting(Limits::default());
    let call = bench.call();
    let first = bench.commit(&call, 1);
    bench.effects();
    bench.handle(Input::Scanned { rows: vec![owed(&call, 1)], is_end: true });
    assert_eq!(bench.queue.poll_transmit(), None);
    assert_eq!(bench.effects(), [Effect::Load { call: call.id, after: 0, limit: 32 }]);
    bench.offer(&call, 2);
    bench.handle(Input::Loaded { call: call.id, found: Loaded { owed: vec![first], ..Loaded::default() } });
    bench.offer(&call, 3);
    for sequence in 1..=3 {
        let transmit = bench.posted();
        assert_eq!(transmit.notification.sequence, sequence);
        bench.answer(&transmit, Outcome::Delivered);
    }
    assert!(bench.queue.is_idle());
}

#[test]
fn a_gap_in_what_is_offered_is_filled_from_the_store() {
    let mut bench = Bench::new();
    let call = bench.call();
    bench.offer(&call, 1);
    bench.commit(&call, 2);
    bench.offer(&call, 3);
    for sequence in 1..=3 {
        let transmit = bench.posted();
        assert_eq!(transmit.notification.sequence, sequence);
        bench.answer(&transmit, Outcome::Delivered);
    }
}

#[test]
fn an_app_that_is_down_leaves_places_and_memory_to_others() {
    let limits = Limits { max_calls: 100, max_notifications: 10, ..Limits::default() };
    let mut bench = Bench::starting(limits);
    bench.effects();
    bench.handle(Input::Scanned { rows: Vec::new(), is_end: true });
    for _ in 0..1000 {
        let call = bench.call();
        bench.offer(&call, LAST);
    }
    while let Some(transmit) = bench.next() {
        bench.answer(&transmit, Outcome::Failed);
    }
    assert_eq!(bench.queue.held(), 0);
    let other = Call { app: AppId::from("other"), ..bench.call() };
    bench.offer(&other, 1);
    assert_eq!(bench.queue.poll_transmit().unwrap().notification.call, other.id);
}

#[test]
fn a_store_that_fails_is_asked_again_later() {
    let mut bench = Bench::starting(Limits::default());
    let call = bench.call();
    bench.effects();
    bench.handle(Input::ScanFailed);
    assert_eq!(bench.effects(), []);
    assert_eq!(bench.wait(), Duration::from_secs(1));
    assert_eq!(bench.effects(), [Effect::Scan { after: None }]);
    bench.handle(Input::Scanned { rows: vec![owed(&call, 1)], is_end: true });
    let load = [Effect::Load { call: call.id, after: 0, limit: 32 }];
    for _ in 0..3 {
        assert_eq!(bench.queue.poll_transmit(), None);
        assert_eq!(bench.effects(), load);
        bench.handle(Input::LoadFailed(call.id));
        assert_eq!(bench.wait(), Duration::from_secs(1));
    }
}
