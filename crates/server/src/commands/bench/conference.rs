use std::time::Duration;

use anyhow::{Context as _, Result};
use media_plane::{ConferenceLoad, ConferenceLoadReport, measure_conference};
use rtc_proto::Codec;

use super::Load;
use super::cores::Cores;
use super::figures::{Figure, Report, Target};

/// Talkers of the large meeting: as many as are heard at once.
const TALKERS: usize = 4;

/// Lets phones meet on one core and be phones on another.
pub(super) fn measure(load: Load) -> Result<Report> {
    let cores = Cores::choose()?;
    let (listeners, meetings) = (load.listeners as usize, load.meetings as usize);
    let large = ConferenceLoad {
        meetings: 1,
        talkers: TALKERS,
        listeners,
        do_listeners_send: false,
        codec: Codec::Pcmu,
        duration: Duration::from_secs(load.seconds.into()),
        media_core: cores.server,
        load_core: cores.load,
    };
    let small = ConferenceLoad { meetings, talkers: 3, listeners: 0, ..large };
    let phases = [
        ("one meeting, PCMU", large),
        ("one meeting, Opus", ConferenceLoad { codec: Codec::Opus, ..large }),
        ("meetings of three, PCMU", small),
    ];
    let mut figures = Vec::new();
    for (name, load) in phases {
        let measured = measure_conference(load).with_context(|| format!("failed to measure {name}"))?;
        figures.extend(phase(name, &measured));
    }
    Ok(Report { name: "conference", method: method(load, cores), figures })
}

fn phase(name: &str, measured: &ConferenceLoadReport) -> Vec<Figure> {
    let (sent, plane) = (measured.plane.lateness, &measured.plane);
    let named = |what: &str| format!("{name}: {what}");
    vec![
        Figure::new(named("legs"), measured.legs as f64, ""),
        Figure::new(named("packets received"), measured.packets as f64, ""),
        Figure::new(named("packets lost"), measured.lost as f64, "").of(Target::Exactly(0.0)),
        Figure::new(named("packets with sound"), measured.audible * 100.0, "%"),
        Figure::millis(named("sent after due, p50"), sent.quantile(0.5)),
        Figure::millis(named("sent after due, p99"), sent.quantile(0.99)).of(Target::Below(2.0)),
        Figure::millis(named("sent after due, p99.9"), sent.quantile(0.999)),
        Figure::new(named("packets refused"), plane.send_errors as f64, ""),
        Figure::new(named("rounds skipped"), plane.skipped_rounds as f64, "").of(Target::Exactly(0.0)),
        Figure::new(named("core in use"), measured.media_cpu_share * 100.0, "%"),
    ]
}

fn method(load: Load, cores: Cores) -> Vec<String> {
    vec![
        format!(
            "One media thread on core {}; the phones, one thread on core {}, over loopback. The phones never sleep, so",
            cores.server, cores.load
        ),
        "that sending to them wakes nobody up, as it would not if they were elsewhere; what loopback costs to receive is"
            .to_owned(),
        "paid by the media thread's core all the same.".to_owned(),
        format!(
            "One meeting: {TALKERS} phones speak without a pause, {} only listen and send nothing. Meetings of three: {}, in",
            load.listeners, load.meetings
        ),
        "which all speak. Phones that speak are spread over the 20 ms; each leg has its own pair of sockets.".to_owned(),
        format!("Figures are of {} s after 2 s of warming up, those of the plane too.", load.seconds),
    ]
}
