use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result};
use node::Clock;
use tokio::runtime::Builder;

use super::Load;
use super::board::{NOTIFICATIONS, Track};
use super::cores::Cores;
use super::figures::{Figure, Report, Target, Times};
use super::generator::{Arrivals, Generator};
use super::server::{Folder, Given, Server};

/// Starts that are timed, each in an empty folder.
const STARTS: usize = 5;

/// How long the server rests before its memory is read.
const REST: Duration = Duration::from_secs(2);

/// Calls that are made and ended before anything is measured, and the rate of these and of held ones.
const WARM_UP: u32 = 500;
const EASY_RATE: u32 = 250;

/// Calls from their request to their last notification, through a real server.
pub(super) fn measure(load: Load, given: &Given) -> Result<Report> {
    let cores = Cores::choose()?;
    let runtime = Builder::new_current_thread().enable_all().build().context("failed to start a runtime")?;
    runtime.block_on(async {
        let mut figures = starts(cores, given).await?;
        figures.extend(calls(load, cores, given).await?);
        Ok(Report { name: "setup", method: method(load, cores), figures })
    })
}

/// How long `dev` takes from nothing to serving.
async fn starts(cores: Cores, given: &Given) -> Result<Vec<Figure>> {
    cores.leave()?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let folder = Folder::make()?;
        for times in [&mut first, &mut second] {
            let server = Server::start(&folder, given).await?;
            times.push(server.ready_after);
            server.stop().await?;
        }
    }
    let (first, second) = (Times::new(first), Times::new(second));
    Ok(vec![
        Figure::millis("dev ready, in an empty folder, median", first.quantile(0.5)).of(Target::Below(200.0)),
        Figure::millis("dev ready, in an empty folder, slowest", first.quantile(1.0)),
        Figure::millis("dev ready, the second time, median", second.quantile(0.5)),
    ])
}

async fn calls(load: Load, cores: Cores, given: &Given) -> Result<Vec<Figure>> {
    let folder = Folder::make()?;
    cores.enter_server()?;
    let server = Server::start(&folder, given).await?;
    cores.enter_load()?;
    let generator = Generator::start(&server).await?;
    generator.run(Arrivals { rate: EASY_RATE, calls: WARM_UP, is_held: false, is_incoming: false }).await?;

    let mut figures = held(load, &server, &generator).await?;
    let half = load.rate.div_ceil(2);
    let quick = phase((half, false), load.seconds, &server, &generator).await?;
    figures.extend(quick.latencies());
    let full = phase((load.rate, true), load.seconds, &server, &generator).await?;
    figures.extend(full.figures());
    server.stop().await?;
    Ok(figures)
}

/// What a call takes while nothing happens in it.
async fn held(load: Load, server: &Server, generator: &Generator) -> Result<Vec<Figure>> {
    tokio::time::sleep(REST).await;
    let before = server.memory()?;
    let numbers = generator
        .run(Arrivals { rate: EASY_RATE, calls: load.legs, is_held: true, is_incoming: false })
        .await?;
    tokio::time::sleep(REST).await;
    let after = server.memory()?;
    let (clock, cpu) = (Clock::start(), server.processor_time()?);
    tokio::time::sleep(REST).await;
    let share = (server.processor_time()? - cpu).as_secs_f64() / clock.elapsed().as_secs_f64();
    let (reached, over) = generator.board.progress(numbers.clone());
    generator.release(numbers).await?;
    let each = after.saturating_sub(before) as f64 / f64::from(load.legs) / 1_000.0;
    Ok(vec![
        Figure::new("calls held, established", (reached - over) as f64, "")
            .of(Target::Exactly(load.legs.into())),
        Figure::new("memory of a held call", each, "KB").of(Target::Below(60.0)),
        Figure::new("resident memory with them", after as f64 / 1_000_000.0, "MB"),
        Figure::new("core in use while they are idle", share * 100.0, "%"),
    ])
}

/// What was seen of calls at one rate.
pub(super) struct Phase {
    rate: u32,
    /// Whether this is the rate that was asked for, not half of it.
    is_full: bool,
    pub(super) tracks: Vec<Track>,
    cpu: Duration,
    took: Duration,
}

async fn phase(
    (rate, is_full): (u32, bool),
    seconds: u32,
    server: &Server,
    generator: &Generator,
) -> Result<Phase> {
    let (clock, cpu) = (Clock::start(), server.processor_time()?);
    let calls = rate.saturating_mul(seconds);
    let numbers: Range<usize> =
        generator.run(Arrivals { rate, calls, is_held: false, is_incoming: false }).await?;
    let (took, cpu) = (clock.elapsed(), server.processor_time()?.saturating_sub(cpu));
    Ok(Phase { rate, is_full, tracks: generator.board.tracks(numbers), cpu, took })
}

impl Phase {
    fn latencies(&self) -> Vec<Figure> {
        let since_post = |of: fn(&Track) -> Option<Duration>| {
            Times::new(self.tracks.iter().filter_map(|track| Some(of(track)?.saturating_sub(track.posted))))
        };
        let (created, invited) = (since_post(|track| track.created), since_post(|track| track.invited));
        let (established, deleted) =
            (since_post(|track| track.established), since_post(|track| track.deleted));
        let named = |name: &str| format!("at {}/s: {name}", self.rate);
        let mut figures = Vec::new();
        for (times, what) in [(created, "POST to 201"), (invited, "POST to INVITE on the wire")] {
            let (p50, p99) = (times.quantile(0.5), times.quantile(0.99));
            figures.push(Figure::millis(named(&format!("{what}, p50")), p50).of(Target::Below(3.0)));
            figures.push(Figure::millis(named(&format!("{what}, p99")), p99).of(Target::Below(15.0)));
        }
        figures.push(Figure::millis(named("POST to established told, p50"), established.quantile(0.5)));
        figures.push(Figure::millis(named("POST to established told, p99"), established.quantile(0.99)));
        figures.push(Figure::millis(named("POST to deleted told, p99"), deleted.quantile(0.99)));
        figures.extend(self.figures());
        figures
    }

    /// The target is for the full rate: at lower ones fewer calls share each commit and each wake-up.
    fn cpu_of_a_call(&self) -> Figure {
        let each = self.cpu.as_secs_f64() * 1_000.0 / (self.tracks.len() as f64).max(1.0);
        let figure = Figure::new(format!("at {}/s: server CPU of a call", self.rate), each, "ms");
        if self.is_full { figure.of(Target::Below(1.0)) } else { figure }
    }

    fn figures(&self) -> Vec<Figure> {
        let named = |name: &str| format!("at {}/s: {name}", self.rate);
        let calls = self.tracks.len() as f64;
        let whole = self.tracks.iter().filter(|track| track.is_whole()).count() as f64;
        let told: u32 = self.tracks.iter().map(|track| track.notifications).sum();
        let repeated: u32 = self.tracks.iter().map(|track| track.repeated).sum();
        vec![
            Figure::new(named("calls whole, a second"), whole / self.took.as_secs_f64(), "/s"),
            Figure::new(named("calls that failed or are not whole"), calls - whole, "")
                .of(Target::Exactly(0.0)),
            Figure::new(named("notifications delivered"), f64::from(told), "")
                .of(Target::Exactly(calls * f64::from(NOTIFICATIONS))),
            Figure::new(named("INVITEs sent again"), f64::from(repeated), ""),
            self.cpu_of_a_call(),
            Figure::new(named("core in use"), self.cpu.as_secs_f64() / self.took.as_secs_f64() * 100.0, "%"),
        ]
    }
}

fn method(load: Load, cores: Cores) -> Vec<String> {
    vec![
        format!("`hookswitch dev` in a process of its own, pinned to core {}, its log in a file, its database in", cores.server),
        format!("{} with an fsync behind every answer; the load, one thread on core {}, over loopback.", std::env::temp_dir().display(), cores.load),
        "Calls arrive at an even pace whether or not earlier ones are through (open loop). Each: POST /calls with a".to_owned(),
        "verified token, 201, INVITE over UDP to a phone that registered with digest, 200 with an answer for PCMU, ACK;".to_owned(),
        "as `established` reaches the webhook the phone sends BYE; the call is whole once `deleted` has come, with all".to_owned(),
        "three notifications, once and in order. Times count from the sending of the POST; the INVITE's ends at the phone.".to_owned(),
        format!("Each rate lasts {} s. CPU: user and system time of the server's process, /proc/PID/stat.", load.seconds),
        format!("Memory: growth of the resident size by {} calls held, two seconds after the last, after {WARM_UP} calls before.", load.legs),
        format!("Starts: from fork to the line that says `ready`, on any core, {STARTS} times."),
    ]
}
