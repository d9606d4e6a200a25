//! Instructions that a whole call may take, both sides together.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

mod pair;

use std::time::Duration;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use pair::Pair;

/// Calls before the one that is measured, one each millisecond: the tables are not empty.
const BEFORE: u64 = 100;

/// What was measured (Debian 12, rustc 1.95), and a tenth on top: more than compilers and small fixes move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = measured + measured / 10;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

fn in_service() -> Box<Pair> {
    let mut pair = Box::new(Pair::new().expect("the addresses are right"));
    for number in 0..BEFORE {
        pair.call(Duration::from_millis(number)).expect("the call succeeds");
    }
    pair
}

#[library_benchmark(config = budget(681_636))]
#[bench::answered(in_service())]
fn invite_to_bye(mut pair: Box<Pair>) -> Box<Pair> {
    pair.call(Duration::from_millis(BEFORE)).expect("the call succeeds");
    pair
}

library_benchmark_group!(name = calls, benchmarks = invite_to_bye);
main!(library_benchmark_groups = calls);
