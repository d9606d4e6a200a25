//! Instructions that refusing and admitting a call may take.

#![expect(missing_docs, reason = "the macros make items that are public and have none")]

use std::net::IpAddr;
use std::num::NonZeroU32;

use gungraun::{
    Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use model::{
    ApplicationInstance, CallerForm, Directory, IndexedDirectory, NumberRule, SrtpPolicy, Trunk, TrunkId,
    TrunkPeer, TrunkTransport,
};
use trunk::{Inbound, screen};

/// What was measured (Debian 12, rustc 1.95), and a tenth on top: more than compilers and small fixes move it by.
fn budget(measured: u64) -> LibraryBenchmarkConfig {
    let limit = measured + measured / 10;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

/// Ten trunks with four networks each, and a hundred numbers.
fn directory() -> IndexedDirectory {
    let trunk = |at: u32| Trunk {
        id: TrunkId::new(format!("trunk-{at}")),
        tenant: "t".into(),
        name: "Carrier".to_owned(),
        priority: 0,
        weight: NonZeroU32::MIN,
        peer: TrunkPeer { host: "carrier.example".to_owned(), port: None, transport: TrunkTransport::Udp },
        account: None,
        sources: (0..4).filter_map(|network| format!("10.{at}.{network}.0/24").parse().ok()).collect(),
        allowed_prefixes: Vec::new(),
        blocked_prefixes: Vec::new(),
        calls_per_second: NonZeroU32::MIN,
        concurrent_calls: NonZeroU32::MIN,
        options_interval: None,
        srtp: SrtpPolicy::Accepted,
        outgoing_rules: Vec::new(),
        incoming_rules: vec![NumberRule { from: String::new(), to: "+1".to_owned(), digits: Some(10) }],
        caller_form: CallerForm::E164,
        is_trusted: false,
    };
    let instance = |at: u32| ApplicationInstance {
        id: format!("instance-{at}"),
        app: "bot".into(),
        tenant: "t".into(),
        numbers: format!("+1234567{at:04}").parse().into_iter().collect(),
        is_withheld: false,
    };
    let trunks = (0..10).map(trunk).map(|trunk| (trunk.id.clone(), trunk)).collect();
    let instances = (0..100).map(instance).map(|instance| (instance.id.clone(), instance)).collect();
    Directory { trunks, instances, ..Directory::default() }.into()
}

/// The call of the last trunk of ten, or of nobody.
fn call(source: [u8; 4], dialled: &'static str) -> (IndexedDirectory, IpAddr, &'static str) {
    (directory(), source.into(), dialled)
}

fn is_admitted((directory, source, dialled): &(IndexedDirectory, IpAddr, &str)) -> bool {
    matches!(screen(directory, *source, dialled, |_| true), Inbound::Instance { .. })
}

/// The directory is given back, so that letting it go is not measured.
type Screened = ((IndexedDirectory, IpAddr, &'static str), bool);

#[library_benchmark(config = budget(3_685))]
#[bench::admitted(call([10, 9, 3, 7], "2345670042"))]
fn call_that_is_admitted(call: (IndexedDirectory, IpAddr, &'static str)) -> Screened {
    let is_admitted = is_admitted(&call);
    (call, is_admitted)
}

#[library_benchmark(config = budget(1_376))]
#[bench::unlisted(call([192, 0, 2, 7], "2345670042"))]
fn call_from_a_source_that_no_trunk_has(call: (IndexedDirectory, IpAddr, &'static str)) -> Screened {
    let is_admitted = is_admitted(&call);
    (call, is_admitted)
}

library_benchmark_group!(
    name = screening,
    benchmarks = [call_that_is_admitted, call_from_a_source_that_no_trunk_has]
);
main!(library_benchmark_groups = screening);
