//! `hookswitch bench`: what this host can do, measured with generators of its own.
//!
//! Each bench prints a table for people, or with `--json` the figures with the method behind them. Settings on the command
//! line apply to the server that is measured.
#![expect(clippy::print_stdout, reason = "a measurement prints what it measured")]

mod app_media;
mod backlog;
mod board;
mod conference;
mod cores;
mod figures;
mod generator;
mod notify;
mod phone;
mod prompt;
mod server;
mod setup;
mod trunk;
mod webhook;

use anyhow::{Context as _, Result, bail};
use clap::{Arg, ArgMatches, Command, value_parser};

use self::figures::Report;
use crate::cli;

/// What the generators are told.
#[derive(Clone, Copy, Debug)]
struct Load {
    /// New calls a second.
    rate: u32,
    /// How long a phase lasts.
    seconds: u32,
    /// Legs, or calls, that are held at once.
    legs: u32,
    /// Those of the large meeting.
    listeners: u32,
    /// Meetings of three.
    meetings: u32,
    /// Applications on WebSockets.
    streams: u32,
    /// Clients of WebRTC.
    clients: u32,
    /// Calls in a row over a trunk.
    calls: u32,
}

/// The command's place in the command line.
pub(crate) fn command() -> Command {
    let number = |name, default, help| {
        Arg::new(name)
            .long(name)
            .value_name("NUMBER")
            .default_value(default)
            .value_parser(value_parser!(u32).range(1..=100_000))
            .help(help)
    };
    Command::new("bench")
        .about("Measures this host: the server on one core, the load on another")
        .arg(Arg::new("name").value_name("NAME").required(true).value_parser(["app-media", "conference", "notify", "prompt", "setup", "trunk"]).help(
            "setup: calls from request to last notification; prompt: prompts to many legs; conference: a large meeting and \
             many small ones; notify: deliveries; app-media: calls whose applications host their media; \
             trunk: calls to and from a carrier, and what many of them leave behind",
        ))
        .arg(number("rate", "1000", "setup, trunk: new calls a second; latencies are measured at half of it"))
        .arg(number("seconds", "10", "How long each phase lasts, at most 300"))
        .arg(number("legs", "1000", "prompt: legs that are played to; setup: calls that are held idle"))
        .arg(number("listeners", "2000", "conference: those who hear four talkers in one meeting"))
        .arg(number("meetings", "300", "conference: meetings of three in which all talk"))
        .arg(number("streams", "500", "app-media: applications that echo over WebSockets"))
        .arg(number("clients", "150", "app-media: clients of WebRTC that talk to phones"))
        .arg(number("calls", "10000", "trunk: calls in a row that leave nothing behind"))
        .arg(cli::json("Prints the figures and the method as JSON"))
}

/// The longest phase; a bench ends by itself within minutes.
const MAX_SECONDS: u32 = 300;

/// Measures, and prints what was found.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let number = |name| matches.get_one::<u32>(name).copied().context("an option without its default");
    let load = Load {
        rate: number("rate")?,
        seconds: number("seconds")?.min(MAX_SECONDS),
        legs: number("legs")?,
        listeners: number("listeners")?,
        meetings: number("meetings")?,
        streams: number("streams")?,
        clients: number("clients")?,
        calls: number("calls")?,
    };
    let given = server::Given::from(matches);
    let report = match matches.get_one::<String>("name").map(String::as_str) {
        Some("app-media") => app_media::measure(load)?,
        Some("conference") => conference::measure(load)?,
        Some("notify") => notify::measure(load, &given)?,
        Some("prompt") => prompt::measure(load)?,
        Some("setup") => setup::measure(load, &given)?,
        Some("trunk") => trunk::measure(load, &given)?,
        // clap has refused everything else.
        Some(_) | None => bail!("no such bench"),
    };
    print(&report, matches.get_flag("json"))
}

fn print(report: &Report, is_json: bool) -> Result<()> {
    if is_json {
        println!("{}", serde_json::to_string_pretty(&report.to_json())?);
    } else {
        print!("{report}");
    }
    Ok(())
}
