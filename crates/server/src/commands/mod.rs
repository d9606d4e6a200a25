//! What the program does for each command.

pub(crate) mod bench;
mod demo;
mod directory;
mod listen;
mod openapi;
pub(crate) mod phone;
mod serve;
mod settings;

use ::settings::Profile;
use anyhow::Result;
use clap::ArgMatches;

/// Runs the command that was asked for.
pub(crate) fn run(matches: &ArgMatches) -> Result<()> {
    match matches.subcommand() {
        Some(("bench", matches)) => bench::run(matches),
        Some(("demo", matches)) => demo::run(matches),
        Some(("dev", matches)) => serve::run(matches, Profile::Dev),
        Some(("directory", matches)) => directory::run(matches),
        Some(("listen", matches)) => listen::run(matches),
        Some(("openapi", matches)) => openapi::run(matches),
        Some(("phone", matches)) => phone::run(matches),
        Some(("serve", matches)) => serve::run(matches, Profile::Serve),
        Some(("settings", matches)) => settings::run(matches),
        // clap has refused everything else.
        Some(_) | None => Ok(()),
    }
}
