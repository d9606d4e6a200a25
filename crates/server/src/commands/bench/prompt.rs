use std::time::Duration;

use anyhow::{Context as _, Result};
use media_plane::{PromptLoad, measure_prompts};

use super::Load;
use super::cores::Cores;
use super::figures::{Figure, Report, Target};

/// Plays a prompt to many legs from one core, and times every packet on another.
pub(super) fn measure(load: Load) -> Result<Report> {
    let cores = Cores::choose()?;
    let measured = measure_prompts(PromptLoad {
        legs: load.legs as usize,
        duration: Duration::from_secs(load.seconds.into()),
        media_core: cores.server,
        receiver_core: cores.load,
        is_two_way: false,
    })
    .context("failed to play prompts")?;
    let sent = measured.plane.lateness;
    Ok(Report {
        name: "prompt",
        method: vec![
            format!(
                "{} PCMU legs of one media thread on core {}, each playing a looped prompt over loopback;",
                load.legs, cores.server
            ),
            format!(
                "the receiver on core {} stamps each packet as its read returns, for {} s after 2 s of warming up.",
                cores.load, load.seconds
            ),
            "A packet is due on the grid of 20 ms through the earliest packet of its leg.".to_owned(),
        ],
        figures: vec![
            Figure::new("packets received", measured.packets as f64, ""),
            Figure::new("packets lost", measured.lost as f64, "").of(Target::Exactly(0.0)),
            Figure::millis("received after due, p50", measured.arrival_p50),
            Figure::millis("received after due, p99", measured.arrival_p99).of(Target::Below(2.0)),
            Figure::millis("received after due, latest", measured.arrival_max),
            Figure::millis("sent after due, p50", sent.quantile(0.5)),
            Figure::millis("sent after due, p99", sent.quantile(0.99)),
            Figure::new("packets that the system refused", measured.plane.send_errors as f64, ""),
            Figure::new("rounds that were skipped", measured.plane.skipped_rounds as f64, ""),
            Figure::new("core in use", measured.media_cpu_share * 100.0, "%"),
            Figure::new("memory of a leg", measured.memory_per_leg as f64 / 1024.0, "KiB"),
        ],
    })
}
