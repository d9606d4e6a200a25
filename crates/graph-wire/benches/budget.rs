//! Instructions that the JSON of a call may take, from and to the octets on the wire.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

#[path = "../tests/sample/mod.rs"]
mod sample;

use std::sync::Arc;

use graph_wire::{CreateCall, Limits, created_call, notifications};
use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use model::{Call, CallState, ChangeType, MediaState, Notification, NotificationBody};

/// What was measured (Debian 12, rustc 1.95), and a tenth on top: more than compilers and small fixes move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = measured + measured / 10;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

fn established() -> Notification {
    let call =
        Call { state: CallState::Established, media_state: Some(MediaState::Active), ..sample::call() };
    sample::notification(ChangeType::Updated, NotificationBody::Call(Arc::new(call)))
}

#[library_benchmark(config = budget(53_811))]
#[bench::documented(sample::PEER_TO_PEER)]
fn decode_request(body: &[u8]) -> CreateCall {
    CreateCall::decode(body, &Limits::default()).expect("the documented body is right")
}

#[library_benchmark(config = budget(88_437))]
#[bench::documented(sample::call())]
fn encode_created(call: Call) -> Vec<u8> {
    let body = created_call("https://graph.microsoft.com/v1.0", &call);
    serde_json::to_vec(&body).expect("JSON is written to memory")
}

#[library_benchmark(config = budget(34_706))]
#[bench::documented(established())]
fn encode_notification(notification: Notification) -> Vec<u8> {
    serde_json::to_vec(&notifications([&notification])).expect("JSON is written to memory")
}

library_benchmark_group!(name = bodies, benchmarks = [decode_request, encode_created, encode_notification]);
main!(library_benchmark_groups = bodies);
