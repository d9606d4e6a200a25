//! Deliveries to real receivers.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use model::{AppId, Call, ChangeType, Notification, NotificationState, TenantId, Timestamp};
use notifier::queue::{Limits, Schedule};
use notifier::{BearerError, BearerSource, Config, Notifier};
use outbound::{Lookup, Outbound, Policy, Resolve};
use store::contract::Samples;
use store::{BoxFuture, CallbackRedirect};

use crate::memory::Memory;
use crate::receiver::{Post, Receiver, Reply};

use NotificationState::{Abandoned, Delivered, Pending};

const LONG: Duration = Duration::from_secs(20);

struct Tokens;

impl BearerSource for Tokens {
    fn bearer<'a>(
        &'a self,
        app: &'a AppId,
        tenant: &'a TenantId,
    ) -> BoxFuture<'a, Result<Arc<str>, BearerError>> {
        Box::pin(async move {
            match app.as_str() {
                "unknown" => Err(BearerError("no such app".into())),
                "bug" => panic!("a test of panics"),
                _ => Ok(format!("{app}.{tenant}").into()),
            }
        })
    }
}

/// A store and what it owes, with a notifier to be started.
struct Bench {
    store: Arc<Memory>,
    samples: Samples,
    config: Config,
}

impl Bench {
    fn new() -> Self {
        Self { store: Arc::default(), samples: Samples::new(1), config: quick() }
    }

    fn start(&self) -> Notifier {
        self.start_with(outbound::Config::default())
    }

    fn start_with(&self, config: outbound::Config) -> Notifier {
        let policy = Policy::new(["127.0.0.1", "bot.test"], []).unwrap();
        let outbound = Outbound::new(outbound::Config { policy, ..config }).unwrap();
        let clock = Arc::new(|| Timestamp::from_millis(5_000));
        let store: Arc<Memory> = Arc::clone(&self.store);
        Notifier::start(store, outbound, Arc::new(Tokens), (clock, Arc::new(|_| {})), self.config.clone())
    }

    fn call(&mut self, callback_uri: String) -> Call {
        Call { callback_uri, ..self.samples.call(0) }
    }

    /// Commits notifications `from..=to`, of which the eighth would be `deleted`.
    fn commit(&mut self, call: &Call, from: u64, to: u64) -> Vec<Notification> {
        let commit = |sequence| {
            let mut notification = self.samples.notification(call, sequence);
            if sequence == LAST {
                notification.change = ChangeType::Deleted;
            }
            self.store.put(&notification, call);
            notification
        };
        (from..=to).map(commit).collect()
    }
}

const LAST: u64 = 8;

/// The schedule, so quick that a test need not wait for it.
fn quick() -> Config {
    let schedule = Schedule {
        live: vec![Duration::from_millis(1)],
        over: vec![Duration::from_millis(1); 5],
        live_timeout: LONG,
        over_timeout: LONG,
        max_redirects: 5,
    };
    Config { schedule, ..Config::default() }
}

fn sequences(posts: &[Post]) -> Vec<u64> {
    posts.iter().map(Post::sequence).collect()
}

#[tokio::test]
async fn a_notification_arrives_with_its_headers_and_its_body() {
    let mut receiver = Receiver::start(|_| Reply::Status(202)).await;
    let mut bench = Bench::new();
    let notifier = bench.start();
    let call = bench.call(receiver.url("/callback"));
    let owed = bench.commit(&call, 1, 1);
    let id = owed[0].id.to_string();
    let body = graph_wire::notifications(&owed).to_string();
    notifier.offer(owed);

    let post = receiver.next().await;
    assert_eq!((post.path.as_str(), post.body.as_str()), ("/callback", body.as_str()));
    let agent = concat!("Hookswitch/", env!("CARGO_PKG_VERSION"));
    for (name, value) in [
        ("authorization", "Bearer app.tenant"),
        ("content-type", "application/json"),
        ("scenario-id", "scenario"),
        ("x-microsoft-skype-chain-id", "scenario"),
        ("x-microsoft-skype-message-id", id.as_str()),
        ("hookswitch-sequence", "1"),
        ("hookswitch-attempt", "1"),
        ("user-agent", agent),
    ] {
        assert_eq!(post.header(name), value, "{name}");
    }
    notifier.wait_idle().await;
    assert_eq!(bench.store.attempts(call.id, 1), [(1, Some(202))]);
    assert_eq!(bench.store.state(call.id, 1), Delivered);
}

/// Has no room for the first name, and says of the others that they are this host.
struct Crowded(AtomicBool);

impl Resolve for Crowded {
    fn resolve<'a>(&'a self, _: &'a str, _: &'a str) -> outbound::BoxFuture<'a, Lookup> {
        if !self.0.swap(true, Ordering::Relaxed) {
            return Box::pin(std::future::pending());
        }
        Box::pin(async { Lookup::new(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) }) })
    }
}

#[tokio::test]
async fn what_found_no_room_here_is_still_at_its_first_attempt() {
    let mut receiver = Receiver::start(|_| Reply::Status(202)).await;
    let mut bench = Bench::new();
    bench.config.schedule.live_timeout = Duration::from_millis(50);
    let resolver = Arc::new(Crowded(AtomicBool::new(false)));
    let notifier = bench.start_with(outbound::Config { resolver, ..outbound::Config::default() });
    let call = bench.call(receiver.url("/callback").replace("127.0.0.1", "bot.test"));
    notifier.offer(bench.commit(&call, 1, 1));

    assert_eq!(receiver.next().await.attempt(), 1);
    notifier.wait_idle().await;
    assert_eq!(bench.store.attempts(call.id, 1), [(1, Some(202))]);
}

#[tokio::test]
async fn a_call_keeps_its_order_although_every_other_attempt_fails() {
    let script = |post: &Post| Reply::Status(if post.attempt() == 1 { 500 } else { 200 });
    let mut receiver = Receiver::start(script).await;
    let mut bench = Bench::new();
    let notifier = bench.start();
    let calls: Vec<_> = (0..20).map(|n| bench.call(receiver.url(&format!("/{n}")))).collect();
    for call in &calls {
        notifier.offer(bench.commit(call, 1, LAST));
    }
    notifier.wait_idle().await;

    let posts = receiver.come();
    assert_eq!(posts.len(), 20 * 16);
    for (n, call) in calls.iter().enumerate() {
        let of_call: Vec<_> = posts.iter().filter(|post| post.path == format!("/{n}")).cloned().collect();
        assert_eq!(sequences(&of_call), [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8]);
        let ids: Vec<_> = of_call.iter().map(|post| post.header("x-microsoft-skype-message-id")).collect();
        assert!(ids.chunks(2).all(|pair| pair[0] == pair[1]), "the same id on a retry");
        assert_eq!(bench.store.attempts(call.id, 3), [(1, Some(500)), (2, Some(200))]);
        assert_eq!(bench.store.state(call.id, LAST), Delivered);
    }
}

#[tokio::test]
async fn a_redirect_is_followed_and_remembered_across_a_restart() {
    let mut there = Receiver::start(|_| Reply::Status(200)).await;
    let location = there.url("/there");
    let mut here = Receiver::start(move |_| Reply::Redirect(307, location.clone())).await;
    let mut bench = Bench::new();
    let mut call = bench.call(here.url("/here"));
    let notifier = bench.start();
    notifier.offer(bench.commit(&call, 1, 2));
    notifier.wait_idle().await;
    assert!(notifier.drain(LONG).await);
    bench.commit(&call, 3, 4);
    let mut named = Receiver::start(|_| Reply::Status(200)).await;
    call.callback_uri = named.url("/named");
    bench.commit(&call, 5, LAST);
    bench.start().wait_idle().await;

    assert_eq!(sequences(&here.come()), [1]);
    assert_eq!(sequences(&there.come()), [1, 2, 3, 4]);
    assert_eq!(sequences(&named.come()), (5..=LAST).collect::<Vec<_>>(), "a place that was named later");
    assert_eq!(bench.store.attempts(call.id, 1), [(1, Some(307)), (2, Some(200))]);
}

#[tokio::test]
async fn a_redirect_to_a_forbidden_place_is_a_failure() {
    let script = |post: &Post| match post.attempt() {
        1 => Reply::Redirect(302, "https://169.254.169.254/".to_owned()),
        _ => Reply::Status(200),
    };
    let receiver = Receiver::start(script).await;
    let mut bench = Bench::new();
    let call = bench.call(receiver.url("/"));
    let notifier = bench.start();
    notifier.offer(bench.commit(&call, 1, 1));
    notifier.wait_idle().await;
    assert_eq!(bench.store.attempts(call.id, 1), [(1, Some(302)), (2, Some(200))]);
}

#[tokio::test]
async fn gone_stops_its_call_and_no_other() {
    let script =
        |post: &Post| Reply::Status(if post.path == "/gone" && post.sequence() == 2 { 410 } else { 200 });
    let mut receiver = Receiver::start(script).await;
    let mut bench = Bench::new();
    let (gone, other) = (bench.call(receiver.url("/gone")), bench.call(receiver.url("/other")));
    let notifier = bench.start();
    for call in [&gone, &other] {
        notifier.offer(bench.commit(call, 1, 5));
    }
    notifier.wait_idle().await;
    for call in [&gone, &other] {
        notifier.offer(bench.commit(call, 6, LAST));
    }
    notifier.wait_idle().await;

    let posts = receiver.come();
    assert_eq!(posts.iter().filter(|post| post.path == "/gone").count(), 2);
    assert_eq!(posts.iter().filter(|post| post.path == "/other").count(), 8);
    assert_eq!(bench.store.attempts(gone.id, 2), [(1, Some(410))]);
    for sequence in 2..=LAST {
        assert_eq!(bench.store.state(gone.id, sequence), Abandoned);
    }
    assert_eq!(bench.store.attempts(gone.id, 3), []);
}

#[tokio::test]
async fn a_host_that_hangs_delays_no_other_nor_its_own_other_calls() {
    let mut hanging = Receiver::start(|post| match post.path.as_str() {
        "/hang" => Reply::Hang,
        _ => Reply::Status(200),
    })
    .await;
    let mut well = Receiver::start(|_| Reply::Status(200)).await;
    let mut bench = Bench::new();
    bench.config.limits = Limits { max_in_flight: 16, ..Limits::default() };
    let notifier = bench.start();
    for _ in 0..50 {
        let call = bench.call(hanging.url("/hang"));
        notifier.offer(bench.commit(&call, 1, 1));
    }
    for _ in 0..8 {
        assert_eq!(hanging.next().await.path, "/hang");
    }
    // All the slots that one host can have are taken by calls that hang.
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let call = Call { app: AppId::from("other"), ..bench.call(well.url("/callback")) };
            notifier.offer(bench.commit(&call, 1, LAST));
            call
        })
        .collect();
    for _ in 0..30 * LAST {
        well.next().await;
    }
    assert!(!notifier.drain(Duration::ZERO).await);
    for call in calls.iter().take(29) {
        assert_eq!(bench.store.state(call.id, 1), Delivered);
    }
    assert_eq!(hanging.come().len(), 0);
}

#[tokio::test]
async fn a_restart_delivers_what_was_owed_in_order_and_counts_on() {
    let mut down = Receiver::start(|_| Reply::Status(503)).await;
    let mut bench = Bench::new();
    // Longer than the test lives, so that the first start tries once.
    bench.config.schedule.live = vec![Duration::from_secs(3600)];
    let calls: Vec<_> = (0..100).map(|_| bench.call(down.url("/callback"))).collect();
    let notifier = bench.start();
    for call in &calls {
        notifier.offer(bench.commit(call, 1, 4));
    }
    for _ in &calls {
        assert_eq!(down.next().await.sequence(), 1);
    }
    assert!(!notifier.drain(LONG).await);
    assert_eq!(bench.store.attempts(calls[0].id, 1), [(1, Some(503))]);

    bench.config.schedule = quick().schedule;
    let script = |post: &Post| Reply::Status(if post.attempt() == 2 { 204 } else { 200 });
    let mut up = Receiver::start(script).await;
    for call in &calls {
        bench.commit(call, 5, LAST);
    }
    let location = up.url("/callback");
    drop(down);
    for call in &calls {
        let redirect = CallbackRedirect { from: call.callback_uri.clone(), to: location.clone() };
        store::Outbox::redirect_callback(&*bench.store, call.id, redirect).await.unwrap();
    }
    bench.start().wait_idle().await;

    let posts = up.come();
    assert_eq!(posts.len(), 800);
    for call in &calls {
        let of_call: Vec<_> =
            posts.iter().filter(|post| post.body.contains(&call.id.to_string())).cloned().collect();
        assert_eq!(sequences(&of_call), (1..=LAST).collect::<Vec<_>>());
        assert_eq!(bench.store.attempts(call.id, 1), [(1, Some(503)), (2, Some(204))]);
    }
}

#[tokio::test]
async fn what_fails_until_it_is_given_up_does_not_keep_deleted_from_coming() {
    let script = |post: &Post| Reply::Status(if post.sequence() == 7 { 400 } else { 200 });
    let mut receiver = Receiver::start(script).await;
    let mut bench = Bench::new();
    let call = bench.call(receiver.url("/"));
    let owed = bench.commit(&call, 1, LAST);
    let notifier = bench.start();
    notifier.offer(owed);
    notifier.wait_idle().await;
    assert_eq!(bench.store.state(call.id, 7), Abandoned);
    assert_eq!(bench.store.state(call.id, LAST), Delivered);
    let posts = sequences(&receiver.come());
    assert_eq!(posts, [1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7, 7, 8]);
}

#[tokio::test]
async fn what_finds_no_place_in_memory_is_read_from_the_store() {
    let mut receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut bench = Bench::new();
    let max_notifications = 10;
    bench.config.limits =
        Limits { max_calls: 8, max_notifications, max_notifications_per_call: 2, ..Limits::default() };
    let notifier = bench.start();
    let calls: Vec<_> = (0..200).map(|_| bench.call(receiver.url("/"))).collect();
    for call in &calls {
        notifier.offer(bench.commit(call, 1, LAST));
    }
    notifier.wait_idle().await;
    let posts = receiver.come();
    assert_eq!(posts.len(), 1600, "each once");
    for call in &calls {
        let of_call: Vec<_> =
            posts.iter().filter(|post| post.body.contains(&call.id.to_string())).cloned().collect();
        assert_eq!(sequences(&of_call), (1..=LAST).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn more_offers_than_there_is_room_for_lose_nothing() {
    let mut receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut bench = Bench::new();
    let notifier = bench.start();
    // On one thread the notifier does not run before the first await.
    for _ in 0..4_200 {
        let call = bench.call(receiver.url("/"));
        notifier.offer(bench.commit(&call, 1, 1));
    }
    notifier.wait_idle().await;
    assert_eq!(receiver.come().len(), 4_200, "each once");
}

#[tokio::test]
async fn a_store_that_is_busy_is_written_to_later() {
    let mut receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut bench = Bench::new();
    bench.store.refuse_writes(2);
    let call = bench.call(receiver.url("/"));
    let owed = bench.commit(&call, 1, LAST);
    let notifier = bench.start();
    notifier.offer(owed);
    assert!(notifier.drain(LONG).await);
    assert_eq!(receiver.come().len(), 8);
    assert_eq!(bench.store.state(call.id, LAST), Delivered);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_a_bug_costs_only_an_attempt() {
    let mut receiver = Receiver::start(|_| Reply::Status(200)).await;
    let mut bench = Bench::new();
    let unknown = Call { app: AppId::from("unknown"), ..bench.call(receiver.url("/")) };
    let bug = Call { app: AppId::from("bug"), ..bench.call(receiver.url("/")) };
    let notifier = bench.start();
    for call in [&unknown, &bug] {
        notifier.offer(bench.commit(call, LAST, LAST));
    }
    notifier.wait_idle().await;
    assert!(receiver.come().is_empty());
    for call in [&unknown, &bug] {
        assert_eq!(bench.store.attempts(call.id, LAST), (1..=6).map(|n| (n, None)).collect::<Vec<_>>());
        assert_eq!(bench.store.state(call.id, LAST), Abandoned);
    }
}

#[tokio::test]
async fn a_drain_sends_what_it_can_and_leaves_the_rest_owed() {
    let mut receiver =
        Receiver::start(|post| Reply::Status(if post.path == "/down" { 503 } else { 200 })).await;
    let mut bench = Bench::new();
    bench.config.schedule.live = vec![Duration::from_secs(3600)];
    let (down, up) = (bench.call(receiver.url("/down")), bench.call(receiver.url("/up")));
    let notifier = bench.start();
    for call in [&down, &up] {
        notifier.offer(bench.commit(call, 1, 5));
    }
    assert!(!notifier.drain(LONG).await);
    assert_eq!(receiver.come().len(), 6);
    assert_eq!((bench.store.state(down.id, 1), bench.store.state(up.id, 5)), (Pending, Delivered));
    assert_eq!(bench.store.attempts(down.id, 1), [(1, Some(503))]);
    assert!(!notifier.drain(LONG).await, "it has stopped");
}
