//! What a delivery costs: the processor time of the notifier's side for each notification, and how many it delivers.
//!
//! Method: notifier, store (in memory) and client run on one thread, whose processor time is read before and after; the
//! receiver runs on another and answers 202. Calls are offered whole, four notifications each, all to one host. Over loopback
//! without TLS: `cargo bench -p notifier`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement prints, and fails by panicking")]

#[path = "../tests/it/memory.rs"]
#[expect(dead_code, reason = "the tests ask it more")]
mod memory;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use memory::Memory;
use model::{AppId, Call, ChangeType, TenantId, Timestamp};
use nix::time::{ClockId, clock_gettime};
use notifier::{BearerError, BearerSource, Config, Notifier};
use outbound::{Outbound, Policy};
use store::BoxFuture;
use store::contract::Samples;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Fewer than the notifier's inbox holds, so that none is read from the store.
const CALLS: usize = 4_000;
const PER_CALL: u64 = 4;

struct Token(Arc<str>);

impl BearerSource for Token {
    fn bearer<'a>(&'a self, _: &'a AppId, _: &'a TenantId) -> BoxFuture<'a, Result<Arc<str>, BearerError>> {
        Box::pin(async { Ok(Arc::clone(&self.0)) })
    }
}

fn main() {
    let address = receiver();
    runtime().block_on(async {
        for round in 0..4 {
            measure(round, address).await;
        }
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn receiver() -> SocketAddr {
    let (sender, address) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let app = Router::new().fallback(|_: axum::body::Bytes| async { StatusCode::ACCEPTED });
            axum::serve(listener, app).await.unwrap();
        });
    });
    address.recv().unwrap()
}

async fn measure(round: u64, address: SocketAddr) {
    let store = Arc::new(Memory::default());
    let policy = Policy::new(["127.0.0.1"], []).unwrap();
    let outbound = Outbound::new(outbound::Config { policy, ..outbound::Config::default() }).unwrap();
    let token = Token("x".repeat(700).into());
    let clock = Arc::new(|| Timestamp::from_millis(0));
    let notifier = Notifier::start(
        Arc::<Memory>::clone(&store),
        outbound,
        Arc::new(token),
        (clock, Arc::new(|_| {})),
        Config::default(),
    );
    notifier.wait_idle().await;
    let mut samples = Samples::new(round);
    let mut offers = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let call = Call { callback_uri: format!("http://{address}/callback"), ..samples.call(0) };
        let mut offer: Vec<_> =
            (1..=PER_CALL).map(|sequence| samples.notification(&call, sequence)).collect();
        offer.last_mut().unwrap().change = ChangeType::Deleted;
        offer.iter().for_each(|notification| store.put(notification, &call));
        offers.push(offer);
    }

    let (begun, before) = (Instant::now(), processor_time());
    for offer in offers {
        notifier.offer(offer);
    }
    notifier.wait_idle().await;
    let (took, used) = (begun.elapsed(), processor_time() - before);

    let count = u32::try_from(CALLS).unwrap() * u32::try_from(PER_CALL).unwrap();
    let rate = f64::from(count) / took.as_secs_f64();
    println!("{count} notifications: {:?} of processor time each, {rate:.0} a second", used / count);
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}
