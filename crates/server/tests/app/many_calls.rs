//! Many calls in a row leave nothing behind.

use testkit::{Options, Registration, Server, SipSocket, Sipp, User};

use crate::support::Stage;

/// As many as the promise names.
const CALLS: usize = 200;
/// Calls after which everything that is kept on purpose, such as connections and threads, is there.
const WARM_UP: usize = 20;

#[tokio::test]
async fn two_hundred_calls_in_a_row_leave_no_call_task_port_or_file_open() {
    // Transactions absorb repetitions for a multiple of these times (RFC 3261, 17); so they are gone soon.
    let timers = [("sip.timer_t1", "200ms"), ("sip.timer_t2", "400ms"), ("sip.timer_t4", "400ms")];
    let options = timers.iter().fold(Options::new(), |options, (key, value)| options.with(key, value));
    let stage = Stage::with(options).await;
    let scenario = include_str!("../sipp/answer.xml");
    let address = stage.server.peer_address(0);
    let calls = u32::try_from(CALLS).unwrap_or(u32::MAX);
    let mut phone = Sipp::answer(&stage.server, User::JOHN, address, scenario, calls).await;

    for _ in 0..WARM_UP {
        call_once(&stage).await;
    }
    settle(&stage.server).await;
    let before = stage.server.resources();
    for _ in WARM_UP..CALLS {
        call_once(&stage).await;
    }

    phone.finish().await;
    settle(&stage.server).await;
    testkit::eventually("as many descriptors and threads as before", async || {
        let after = stage.server.resources();
        (after.0 <= before.0 && after.1 <= before.1, (before, after))
    })
    .await;
    // With its phone's registration the endpoint loses its last reason to wake up.
    let mut socket = SipSocket::bind(address, stage.server.sip()).await;
    assert_eq!(socket.register(Registration { expires: 0, ..Registration::of(User::JOHN) }).await, 200);
    expect_metric(&stage.server, "hookswitch_sip_idle", 1.0).await;
    assert_eq!(stage.server.metric("hookswitch_calls_created_total").await, CALLS as f64);
    assert_eq!(stage.server.metric("hookswitch_calls_established_total").await, CALLS as f64);
}

async fn call_once(stage: &Stage) {
    let call = stage.established(User::JOHN).await;
    stage.end(&call).await;
}

/// Waits until nothing is left of the calls so far.
async fn settle(server: &Server) {
    const GAUGES: [&str; 4] = [
        "hookswitch_calls_live",
        "hookswitch_media_legs",
        "hookswitch_notification_attempts_in_flight",
        "hookswitch_sip_calls",
    ];
    for gauge in GAUGES {
        expect_metric(server, gauge, 0.0).await;
    }
}

async fn expect_metric(server: &Server, name: &str, expected: f64) {
    testkit::eventually(&format!("{name} is {expected}"), async || {
        let value = server.metric(name).await;
        (value == expected, value)
    })
    .await;
}
