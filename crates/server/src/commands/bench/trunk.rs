use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use node::Clock;
use tokio::net::UdpSocket;
use tokio::runtime::Builder;

use super::board::{NOTIFICATIONS, NOTIFICATIONS_IN, Track};
use super::cores::Cores;
use super::figures::{Figure, Report, Target, Times};
use super::generator::{Arrivals, Callee, Generator, INCOMING};
use super::phone::{BOT_NUMBER, CARRIER, Phone};
use super::server::{Folder, Given, Server};
use super::{Load, webhook};
use crate::client::Client;
use crate::dev_tenant::{CALLING_BOT, CONTOSO, INSTANCE, SECRET};

/// Calls that are made and ended before anything is measured, in each direction.
const WARM_UP: u32 = 200;
/// The rate of these, and of many calls in a row.
const EASY_RATE: u32 = 250;

/// The rounds in which calls in a row are made. After each of them the server comes to rest, and its memory is read.
const ROUNDS: u32 = 8;
/// Rounds whose memory does not count: what is kept on purpose has grown by then to what it is kept to.
const FIRST_ROUNDS: usize = 3;

/// How long rest may take. Connections that are not used are kept for less than a minute.
const REST_LIMIT: Duration = Duration::from_secs(90);
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// SIP absorbs repetitions for 64 times the first of these (RFC 3261, 17), which the server then has to keep calls for.
const QUICK_TIMERS: [(&str, &str); 3] =
    [("sip.timer_t1", "50ms"), ("sip.timer_t2", "200ms"), ("sip.timer_t4", "200ms")];

/// What has to be zero once there are no calls.
const GAUGES: [&str; 4] = [
    "hookswitch_calls_live",
    "hookswitch_media_legs",
    "hookswitch_notification_attempts_in_flight",
    "hookswitch_sip_calls",
];

/// Calls to and from a carrier that the bench makes itself.
pub(super) fn measure(load: Load, given: &Given) -> Result<Report> {
    let cores = Cores::choose()?;
    let runtime = Builder::new_current_thread().enable_all().build().context("failed to start a runtime")?;
    runtime.block_on(async {
        let stage = Stage::start(cores, given).await?;
        for is_incoming in [false, true] {
            stage.run((EASY_RATE, WARM_UP), is_incoming).await?;
        }
        let mut figures = Vec::new();
        for direction in [Direction::Out, Direction::In] {
            for rate in [load.rate.div_ceil(2), load.rate] {
                figures.extend(stage.phase(direction, rate, load.seconds).await?);
            }
        }
        stage.server.stop().await?;
        let stage = Stage::start(cores, &given.clone().with(QUICK_TIMERS)).await?;
        figures.extend(stage.in_a_row(load.calls).await?);
        stage.server.stop().await?;
        Ok(Report { name: "trunk", method: method(load, cores), figures })
    })
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    In,
    Out,
}

/// When something happened in a call.
type Moment = fn(&Track) -> Option<Duration>;

/// A server with a trunk, and everything around it.
struct Stage {
    _folder: Folder,
    server: Server,
    generator: Generator,
}

impl Stage {
    async fn start(cores: Cores, given: &Given) -> Result<Self> {
        let folder = Folder::make()?;
        let carrier = UdpSocket::bind((CARRIER, 0)).await.context("failed to open a port for a carrier")?;
        let (listener, callback) = webhook::listen().await?;
        folder.apply(&directory(carrier.local_addr()?, callback), SECRET).await?;
        cores.enter_server()?;
        let server = Server::start(&folder, given).await?;
        cores.enter_load()?;
        let phone = Phone::at(carrier, server.sip).await?;
        let generator = Generator::around(&server, (phone, Callee::Number), (listener, callback)).await?;
        Ok(Self { _folder: folder, server, generator })
    }

    async fn run(&self, (rate, calls): (u32, u32), is_incoming: bool) -> Result<Range<usize>> {
        self.generator.run(Arrivals { rate, calls, is_held: false, is_incoming }).await
    }

    /// Calls at one rate.
    async fn phase(&self, direction: Direction, rate: u32, seconds: u32) -> Result<Vec<Figure>> {
        let (clock, cpu) = (Clock::start(), self.server.processor_time()?);
        let calls = rate.saturating_mul(seconds);
        let numbers = self.run((rate, calls), direction == Direction::In).await?;
        let (took, cpu) = (clock.elapsed(), self.server.processor_time()?.saturating_sub(cpu));
        let tracks = self.generator.board.tracks(numbers);
        let (whole, delivered) = (count(&tracks, Track::is_whole), notifications(&tracks));
        let calls = f64::from(calls);
        let (who, expected) = match direction {
            Direction::In => ("in", NOTIFICATIONS_IN),
            Direction::Out => ("out", NOTIFICATIONS),
        };
        let named = |what: &str| format!("{who}, {rate}/s: {what}");
        let mut figures = direction.latencies(&tracks, &named);
        figures.extend([
            Figure::new(named("calls whole, a second"), whole / took.as_secs_f64(), "/s"),
            Figure::new(named("calls that failed or are not whole"), calls - whole, "")
                .of(Target::Exactly(0.0)),
            Figure::new(named("notifications delivered"), delivered, "")
                .of(Target::Exactly(calls * f64::from(expected))),
            Figure::new(named("server CPU of a call"), cpu.as_secs_f64() * 1_000.0 / calls.max(1.0), "ms"),
            Figure::new(named("core in use"), cpu.as_secs_f64() / took.as_secs_f64() * 100.0, "%"),
        ]);
        Ok(figures)
    }

    /// What many calls, one after the other, leave behind: half of them each way.
    async fn in_a_row(&self, calls: u32) -> Result<Vec<Figure>> {
        let round = calls.div_ceil(ROUNDS * 2);
        let (mut memory, mut whole, mut before) = (Vec::new(), 0.0, (0, 0));
        for number in 0..ROUNDS as usize {
            for is_incoming in [false, true] {
                let numbers = self.run((EASY_RATE, round), is_incoming).await?;
                whole += count(&self.generator.board.tracks(numbers), Track::is_whole);
            }
            self.rest(async || Ok(self.left().await? == 0.0)).await?;
            memory.push(self.server.memory()? as f64 / 1_000.0);
            if number + 1 == FIRST_ROUNDS {
                before = self.server.resources()?;
            }
        }
        // The bench's own connections would look like something that the server keeps.
        self.generator.hang_up();
        let has_no_more = async || {
            let (files, threads) = self.server.resources()?;
            Ok(files <= before.0 && threads <= before.1)
        };
        // What is still there is a figure, not an error.
        let _ = self.rest(has_no_more).await;
        let (files, threads) = self.server.resources()?;
        let made = f64::from(round * ROUNDS * 2);
        let measured = memory.get(FIRST_ROUNDS..).unwrap_or_default();
        let slope = slope(measured) / f64::from((round * 2).max(1));
        let more = |now: usize, then: usize| now.saturating_sub(then) as f64;
        let named = |what: &str| format!("in a row: {what}");
        Ok(vec![
            Figure::new(named("calls"), made, ""),
            Figure::new(named("calls that failed or are not whole"), made - whole, "")
                .of(Target::Exactly(0.0)),
            Figure::new(named("calls, legs, deliveries left"), self.left().await?, "")
                .of(Target::Exactly(0.0)),
            Figure::new(named("descriptors more than before"), more(files, before.0), "")
                .of(Target::Exactly(0.0)),
            Figure::new(named("threads more than before"), more(threads, before.1), "")
                .of(Target::Exactly(0.0)),
            Figure::new(named("memory that grows, a call"), slope, "KB").of(Target::Below(1.0)),
            Figure::new(
                named("resident memory at the end"),
                memory.last().map_or(0.0, |kb| kb / 1_000.0),
                "MB",
            ),
        ])
    }

    /// Waits until something has come to rest.
    async fn rest(&self, is_at_rest: impl AsyncFn() -> Result<bool>) -> Result<()> {
        let clock = Clock::start();
        while !is_at_rest().await? {
            if clock.elapsed() > REST_LIMIT {
                bail!("the server does not come to rest");
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        Ok(())
    }

    /// What the server counts as there.
    async fn left(&self) -> Result<f64> {
        let metrics =
            Client::connect(self.server.http).await?.get("/metrics").await?.success("read metrics")?;
        let text = String::from_utf8_lossy(&metrics.body).into_owned();
        let value = |name: &str| {
            let found = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
            found.with_context(|| format!("there is no metric {name}"))
        };
        let is_busy = 1.0 - value("hookswitch_sip_idle")?;
        Ok(GAUGES.into_iter().map(value).sum::<Result<f64>>()? + is_busy)
    }
}

impl Direction {
    fn latencies(self, tracks: &[Track], named: &impl Fn(&str) -> String) -> Vec<Figure> {
        let since_begin = |of: Moment| {
            Times::new(tracks.iter().filter_map(|track| Some(of(track)?.saturating_sub(track.posted))))
        };
        let steps: [(Moment, &str, bool); 3] = match self {
            Self::Out => [
                (|track| track.created, "POST to 201", true),
                (|track| track.invited, "POST to INVITE at the carrier", true),
                (|track| track.established, "POST to established told", false),
            ],
            Self::In => [
                (|track| track.created, "INVITE to notification", true),
                (|track| track.invited, "INVITE to 200 at the carrier", false),
                (|track| track.established, "INVITE to established told", false),
            ],
        };
        let figures = steps.into_iter().flat_map(|(of, what, has_target)| {
            let times = since_begin(of);
            let (p50, p99) = (times.quantile(0.5), times.quantile(0.99));
            [(p50, "p50", 3.0), (p99, "p99", 15.0)].map(|(time, share, target)| {
                let figure = Figure::millis(named(&format!("{what}, {share}")), time);
                if has_target { figure.of(Target::Below(target)) } else { figure }
            })
        });
        figures.collect()
    }
}

fn count(tracks: &[Track], is_it: fn(&Track) -> bool) -> f64 {
    tracks.iter().filter(|track| is_it(track)).count() as f64
}

fn notifications(tracks: &[Track]) -> f64 {
    tracks.iter().map(|track| f64::from(track.notifications)).sum()
}

/// How much the values grow from one to the next: the slope of the line that is nearest to them by least squares.
fn slope(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let (middle, mean) = ((count - 1.0) / 2.0, values.iter().sum::<f64>() / count.max(1.0));
    let (mut rise, mut run) = (0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let from_middle = at as f64 - middle;
        rise += from_middle * (value - mean);
        run += from_middle * from_middle;
    }
    if run == 0.0 { 0.0 } else { rise / run }
}

/// One tenant with a bot, its number, and a trunk whose limits the load does not reach.
fn directory(carrier: SocketAddr, callback: SocketAddr) -> String {
    let (host, port) = (carrier.ip(), carrier.port());
    format!(
        "[[tenants]]\nid = '{CONTOSO}'\nname = 'Contoso'\n\
         grants = {{ '{CALLING_BOT}' = ['Calls.Initiate.All', 'Calls.AccessMedia.All'] }}\n\
         [[applications]]\nid = '{CALLING_BOT}'\nname = 'Calling Bot'\nsecret-files = ['secret']\n\
         webhook = 'http://{callback}{INCOMING}'\n\
         trunk-budget = {{ calls-per-day = 1_000_000, minutes-per-day = 1_000_000 }}\n\
         [[instances]]\nid = '{INSTANCE}'\napplication = '{CALLING_BOT}'\ntenant = '{CONTOSO}'\n\
         numbers = ['{BOT_NUMBER}']\n\
         [[trunks]]\nid = 'carrier'\ntenant = '{CONTOSO}'\nname = 'Carrier'\nhost = '{host}'\nport = {port}\n\
         sources = ['{host}']\nallowed-prefixes = ['+']\ncalls-per-second = 10_000\nconcurrent-calls = 10_000\n\
         options-interval-s = 0\n"
    )
}

fn method(load: Load, cores: Cores) -> Vec<String> {
    vec![
        format!("`hookswitch dev` in a process of its own, pinned to core {}, with one trunk over UDP to a carrier that the", cores.server),
        format!("bench is, on core {}, over loopback. Calls arrive at an even pace whether or not earlier ones are through.", cores.load),
        "Out: POST /calls from an application instance to a number, another one each time, 201, INVITE, 200 with an answer".to_owned(),
        "for PCMU, ACK. In: INVITE to the bot's number, `created` at its webhook, POST answer, 200, ACK. As `established`".to_owned(),
        "reaches the webhook the carrier sends BYE; a call is whole once `deleted` has come, with all notifications,".to_owned(),
        "once and in order. Times count from the sending of the POST or of the INVITE.".to_owned(),
        format!("Each rate lasts {} s. CPU: user and system time of the server's process, /proc/PID/stat.", load.seconds),
        format!("In a row: {} calls at {EASY_RATE}/s in {ROUNDS} rounds, out and in by turns, with a SIP timer T1 of 50 ms. After", load.calls),
        "each round the server comes to rest: no call, leg or delivery, and nothing that SIP waits for. Memory is the slope".to_owned(),
        format!("of the resident size at rest, but for the first {FIRST_ROUNDS} rounds, by least squares; descriptors and threads at the"),
        format!("end are compared with those after round {FIRST_ROUNDS}."),
    ]
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn the_slope_is_that_of_the_nearest_line() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(near(slope(&[]), 0.0) && near(slope(&[7.0]), 0.0));
        assert!(near(slope(&[5.0, 5.0, 5.0, 5.0]), 0.0));
        assert!(near(slope(&[1.0, 3.0, 5.0]), 2.0));
        assert!(near(slope(&[1.0, 3.0, 1.0, 3.0]), 0.4));
    }
}
