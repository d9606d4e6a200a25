//! The `hookswitch` program.

use std::process::ExitCode;

/// Webhook deliveries, SIP messages and JSON make many small, short-lived allocations.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    server::run(std::env::args_os())
}
