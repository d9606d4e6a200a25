//! What one call costs: INVITE, 180, 200, ACK, BYE, 200 between two endpoints in memory.
//!
//! Each call is set up and ended at once; a thousand calls start in each second of virtual time, so the
//! tables hold the half minute of lingering transactions that they hold in service. Printed is the CPU
//! time of both sides, and half of it, as both do about the same.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

mod pair;

use std::time::Duration;

use pair::Pair;

const CALLS: u64 = 60_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut pair = Pair::new()?;
    let started = cpu_time()?;
    for number in 0..CALLS {
        pair.call(Duration::from_millis(number))?;
    }
    let each = (cpu_time()? - started) / u32::try_from(CALLS)?;
    println!("{each:?} a call for both sides, {:?} for one", each / 2);
    Ok(())
}

/// The time that this thread has spent on a CPU. Wall time says little on a machine with other work.
fn cpu_time() -> Result<Duration, Box<dyn std::error::Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(stat.split(' ').next().unwrap_or_default().parse()?))
}
