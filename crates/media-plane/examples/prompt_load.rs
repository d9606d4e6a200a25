//! Plays prompts to many legs from one core and times them on another: `prompt_load [LEGS [SECONDS
//! [two-way]]]`.
#![expect(clippy::print_stdout, reason = "a command line program")]

use std::time::Duration;

use media_plane::{PromptLoad, measure_prompts};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(Ok(default), |text| text.parse::<u64>());
    let (legs, seconds) = (number(1_000)?, number(10)?);
    let load = PromptLoad {
        legs: usize::try_from(legs)?,
        duration: Duration::from_secs(seconds),
        media_core: 0,
        receiver_core: 1,
        is_two_way: std::env::args().any(|argument| argument == "two-way"),
    };
    let report = measure_prompts(load)?;
    let lateness = report.plane.lateness;
    println!("legs                {legs}, two-way {}", load.is_two_way);
    println!("packets, lost       {}, {}", report.packets, report.lost);
    println!(
        "arrival after due   p50 {:?}, p99 {:?}, max {:?}",
        report.arrival_p50, report.arrival_p99, report.arrival_max
    );
    println!(
        "sent after due      p50 {:?}, p99 {:?}, p99.9 {:?}",
        lateness.quantile(0.5),
        lateness.quantile(0.99),
        lateness.quantile(0.999)
    );
    println!("send errors         {}", report.plane.send_errors);
    println!("skipped rounds      {}", report.plane.skipped_rounds);
    println!("media core in use   {:.1} %", report.media_cpu_share * 100.0);
    println!("memory per leg      {} octets", report.memory_per_leg);
    Ok(())
}
