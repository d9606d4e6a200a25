//! `hookswitch bench app-media`: calls whose applications host their media.

mod board;
mod bots;
mod peers;
mod phones;
mod ports;
mod run;
mod serve;
mod sound;
mod threads;

use std::time::Duration;

use anyhow::{Context as _, Result};
use app_media::{Channels, Dialect, Format, Rate};
use media_plane::PlaneError;

use self::run::{Kind, Run, run};
use super::Load;
use super::cores::Cores;
use super::figures::{Figure, Report, Target, Times};

/// Streams by which the way of the sound is timed where little else is done.
const FEW: usize = 20;

/// Lets applications echo over WebSockets, and clients of WebRTC talk to phones.
pub(super) fn measure(load: Load) -> Result<Report> {
    let cores = Cores::choose()?;
    let (streams, clients) = (load.streams as usize, load.clients as usize);
    let socket = |dialect| Kind::Socket(Format { dialect, rate: Rate::Hz16000, channels: Channels::Mixed });
    let phases = [
        ("few streams", socket(Dialect::Hookswitch), FEW.min(streams)),
        ("hookswitch", socket(Dialect::Hookswitch), streams),
        ("acs", socket(Dialect::Acs), streams),
        ("WebRTC", Kind::WebRtc, clients),
    ];
    let mut figures = Vec::new();
    for (name, kind, count) in phases {
        let duration = Duration::from_secs(load.seconds.into());
        let measured =
            run(kind, count, duration, cores).with_context(|| format!("failed to measure {name}"))?;
        figures.extend(phase(name, kind, count, &measured));
    }
    Ok(Report { name: "app-media", method: method(load, cores), figures })
}

fn phase(name: &str, kind: Kind, count: usize, run: &Run) -> Vec<Figure> {
    let named = |what: &str| format!("{name}: {what}");
    let share = |what: &str, used: Duration| {
        Figure::new(named(what), used.as_secs_f64() / run.duration.as_secs_f64() * 100.0, "%")
    };
    let (phones, bots) = (run.found.phones, run.found.clients);
    let packets = |what: &str, count: u64| Figure::new(named(what), count as f64, "");
    let mut figures = vec![
        packets("legs", count as u64),
        share("server, core in use", run.media + run.sessions).of(Target::Below(100.0)),
        share("media thread, of that", run.media),
        share("sessions and sockets, of that", run.sessions),
        share("phones and applications, core in use", run.load),
        packets("packets to applications", bots.all),
        packets("packets to applications, lost", bots.lost).of(Target::Exactly(0.0)),
        packets("packets to phones", phones.all),
        packets("packets to phones, lost", phones.lost).of(Target::Exactly(0.0)),
        packets("packets to phones without sound", phones.silent),
        Figure::millis(named("sent after due, p50"), run.plane.lateness.quantile(0.5)),
        Figure::millis(named("sent after due, p99"), run.plane.lateness.quantile(0.99))
            .of(Target::Below(2.0)),
        packets("rounds skipped", run.plane.skipped_rounds).of(Target::Exactly(0.0)),
    ];
    if let Kind::Socket(_) = kind {
        let times = |times: &[Duration]| Times::new(times.iter().copied());
        let (there, back) = (times(&run.found.there), times(&run.found.back));
        let both = times(&run.found.there_and_back);
        figures.extend([
            packets("knocks", run.found.knocks),
            packets("knocks heard by the phone", run.found.there_and_back.len() as u64),
            Figure::millis(named("phone to application, p50"), there.quantile(0.5)),
            Figure::millis(named("phone to application, p95"), there.quantile(0.95)),
            Figure::millis(named("application to phone, p50"), back.quantile(0.5)),
            Figure::millis(named("application to phone, p95"), back.quantile(0.95)),
            Figure::millis(named("there and back, p50"), both.quantile(0.5)),
            Figure::millis(named("there and back, p95"), both.quantile(0.95)).of(Target::Below(80.0)),
        ]);
    }
    figures
}

fn method(load: Load, cores: Cores) -> Vec<String> {
    let (server, phones) = (cores.server, cores.load);
    vec![
        format!("The server's side is one media thread and one thread of sessions, both on core {server}; phones and"),
        format!("applications are one thread on core {phones}, over loopback. Each call is a mixer of a phone with PCMU over RTP"),
        "and an application. Phones hum without a pause; applications on WebSockets send back what they hear, at 16 kHz,"
            .to_owned(),
        "clients of WebRTC hum with Opus. Once a second a phone knocks: a way is timed from the sending of the packet that"
            .to_owned(),
        "begins with the knock to the arrival of what holds it, and the time in that before the knock is added.".to_owned(),
        format!("Figures are of {} s after 5 s of warming up, or as many. No HTTP, SIP and store are in it.", load.seconds),
    ]
}

/// Commands come faster than the media thread takes them.
fn retry<T>(command: impl Fn() -> Result<T, PlaneError>) -> Result<T, PlaneError> {
    loop {
        match command() {
            Err(PlaneError::Busy) => std::thread::park_timeout(Duration::from_millis(1)),
            outcome => return outcome,
        }
    }
}
