//! Repository chores: `cargo xtask demo`, `cargo xtask test`, `cargo xtask tidy`, `cargo xtask web`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command for people talks to them")]

mod demo;
mod process;
mod samples;
mod stages;
mod tidy;
mod tools;
mod web;

use std::process::ExitCode;

const HELP: &str = "\
Chores of this repository.

  cargo xtask demo [ARGS]     builds the server and runs `hookswitch demo`: a real call, end to end
  cargo xtask test [STAGE…]   everything that CI runs, in order; or only the stages named
  cargo xtask tidy            the structure of the workspace against ARCHITECTURE.md
  cargo xtask web             builds the pages, which the server carries once it is built after that

What demo, test and web need is installed where that is possible (Debian or Ubuntu, as root), and named otherwise.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let done = match command.as_deref() {
        Some("demo") => demo::run(&rest),
        Some("test") => stages::test(&rest),
        Some("tidy") => tidy::run(),
        Some("web") => web::build(),
        Some("help" | "--help" | "-h") => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprint!("xtask: there is no '{other}'\n\n{HELP}");
            return ExitCode::from(2);
        }
        None => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
