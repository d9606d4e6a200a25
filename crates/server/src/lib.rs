//! The `hookswitch` program: its commands, and the wiring of a server.
//!
//! `main` calls [`run`]. Tests start the same server in their own process with [`App`].

mod app;
mod cli;
mod client;
mod commands;
mod dev_tenant;
mod directory;
mod directory_file;
mod directory_meetings;
mod directory_trunks;
mod http;
mod keys;
mod sounds;
mod tls;

use std::ffi::OsString;
use std::process::ExitCode;

pub(crate) use app::realm;
pub use app::{Addresses, App};

/// Runs the program with its arguments, the first of which is its name.
///
/// 0: done. 1: failed. 2: wrong use.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match cli::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            // `--help` and `--version` come here too; clap knows which stream and which code each deserves.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Both are process-wide and set once; a second set is an error that changes nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    match commands::run(&matches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => cli::fail(&error),
    }
}
