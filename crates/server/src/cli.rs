//! The command line.
#![expect(clippy::print_stderr, reason = "a program for people tells them what is wrong")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use settings::{Effective, Key, Profile, Sources};

/// Variables that begin like a setting's and are other options'.
const OTHER_VARIABLES: &[&str] = &[
    "HOOKSWITCH_CONFIG",
    "HOOKSWITCH_JSON",
    "HOOKSWITCH_LISTEN_PORT",
    "HOOKSWITCH_OPENID_CONFIGURATION",
    "HOOKSWITCH_OUT",
    "HOOKSWITCH_PHONE_AS",
    "HOOKSWITCH_PHONE_DIAL",
    "HOOKSWITCH_PHONE_EXPECT_REFUSED",
    "HOOKSWITCH_PHONE_EXPECT_TIMEOUT",
    "HOOKSWITCH_PHONE_HANG_UP_AFTER",
    "HOOKSWITCH_PHONE_JUNIT",
    "HOOKSWITCH_PHONE_PASSWORD",
    "HOOKSWITCH_PHONE_RECORD",
    "HOOKSWITCH_PHONE_SERVER",
    "HOOKSWITCH_PHONE_TRANSPORT",
    "HOOKSWITCH_PHONE_WAIT",
    "HOOKSWITCH_PHONE_WAIT_TIMEOUT",
    "HOOKSWITCH_URL",
];

/// The whole command line.
pub(crate) fn command() -> Command {
    Command::new("hookswitch")
        .about("A self-hosted calling server that speaks the calls API of Microsoft Graph")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(setting_options(crate::commands::bench::command()))
        .subcommand(demo())
        .subcommand(with_settings(
            Command::new("dev").about("Serves with the dev tenant, on loopback, for trying things out"),
        ))
        .subcommand(with_settings(
            Command::new("serve").about("Serves with nothing open that the settings do not open"),
        ))
        .subcommand(listen())
        .subcommand(directory())
        .subcommand(crate::commands::phone::command())
        .subcommand(with_settings(
            Command::new("openapi").about("Prints the description of the served API (OpenAPI 3, JSON)"),
        ))
        .subcommand(with_settings(
            Command::new("settings")
                .about("Prints the effective settings with the source of each")
                .arg(flag("dev", "The defaults of `dev` instead of those of `serve`"))
                .arg(flag("sample", "Prints a settings file with every default instead"))
                .arg(flag("reference", "Prints the documentation of every setting instead")),
        ))
}

fn demo() -> Command {
    Command::new("demo")
        .about("Runs a real call, end to end, in a server of its own, and shows what happens")
        .arg(
            Arg::new("out")
                .long("out")
                .env("HOOKSWITCH_OUT")
                .value_name("DIR")
                .default_value("demo")
                .value_parser(value_parser!(PathBuf))
                .help("The folder that both sounds and the timeline are written to"),
        )
        .arg(json("Prints the timeline as JSON lines"))
}

fn listen() -> Command {
    Command::new("listen")
        .about("Receives notifications, verifies their tokens and shows them, a line a state")
        .arg(
            Arg::new("port")
                .long("port")
                .env("HOOKSWITCH_LISTEN_PORT")
                .value_name("PORT")
                .default_value("9000")
                .value_parser(value_parser!(u16))
                .help("The port on 127.0.0.1 to listen on"),
        )
        .arg(
            Arg::new("openid-configuration")
                .long("openid-configuration")
                .env("HOOKSWITCH_OPENID_CONFIGURATION")
                .value_name("URL")
                .default_value("http://127.0.0.1:8080/v1/.well-known/OpenIdConfiguration")
                .help("Where the server publishes the keys of its notifications"),
        )
        .arg(json("Prints the raw body of each notification"))
}

fn directory() -> Command {
    let apply = Command::new("apply")
        .about("Makes tenants, applications, users and application instances match a file")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("A TOML file; see docs/directory.md"),
        )
        .arg(flag("dry-run", "Says what would change, and changes nothing"));
    Command::new("directory")
        .about("Who is known to the server")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(with_settings(apply))
}

pub(crate) fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

pub(crate) fn json(help: &'static str) -> Arg {
    flag("json", help).env("HOOKSWITCH_JSON")
}

/// Adds `--config`, `--data` and an option for every setting.
fn with_settings(command: Command) -> Command {
    let file = Arg::new("config")
        .long("config")
        .env("HOOKSWITCH_CONFIG")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("The settings file (TOML)");
    let data = Arg::new("data").long("data").value_name("DIR").help("Short for --server-data-dir");
    setting_options(command.arg(file).arg(data))
}

/// Adds an option for every setting.
fn setting_options(command: Command) -> Command {
    settings::keys().iter().fold(command, |command, key| command.arg(setting(key)))
}

fn setting(key: &'static Key) -> Arg {
    Arg::new(key.name)
        .long(key.name.replace(['.', '_'], "-"))
        .value_name("VALUE")
        .hide_short_help(true)
        .help_heading("Settings")
        .help(format!("{} [key: {}, env: {}]", key.summary(), key.name, key.variable()))
}

/// Whose defaults apply to a command beside the server: those of `serve` with a settings file, else those of `dev`.
pub(crate) fn profile(matches: &ArgMatches) -> Profile {
    if matches.contains_id("config") { Profile::Serve } else { Profile::Dev }
}

/// The settings that apply to a command.
pub(crate) fn settings(matches: &ArgMatches, profile: Profile) -> Result<Effective> {
    let path = matches.get_one::<PathBuf>("config");
    let file = path
        .map(|path| {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("failed to read the settings file {} (--config)", path.display()))?;
            anyhow::Ok((path.display().to_string(), text))
        })
        .transpose()?;
    let environment: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let overrides: Vec<_> = settings::keys()
        .iter()
        .filter_map(|key| Some((key.name.to_owned(), matches.get_one::<String>(key.name)?.clone())))
        .chain(matches.get_one::<String>("data").map(|data| ("server.data_dir".to_owned(), data.clone())))
        .collect();
    let sources = Sources {
        profile,
        file: file.as_ref().map(|(name, text)| (name.as_str(), text.as_str())),
        environment: &environment,
        other_variables: OTHER_VARIABLES,
        overrides: &overrides,
    };
    Ok(settings::load(sources)?)
}

/// An option's value that only its command can judge; names the option and the fix.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct WrongUse(pub(crate) String);

/// Says why a command failed, and with which code the program ends.
pub(crate) fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("hookswitch: {error:#}");
    let is_wrong_use = error.is::<settings::SettingsError>() || error.is::<WrongUse>();
    if is_wrong_use { ExitCode::from(2) } else { ExitCode::FAILURE }
}
