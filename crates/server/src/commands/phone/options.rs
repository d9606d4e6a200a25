//! The options of `hookswitch phone`, and what they make of a call.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{Arg, ArgAction, ArgGroup, ArgMatches, Command, value_parser};
use sip_message::NameAddr;
use sip_proto::{Credentials, Transport};
use softphone::{Action, HeardSound, Place, Plan, PlanError, Setup, Sound, Step};

use crate::cli::{WrongUse, flag, json};

/// How long a tone sounds, and a hold lasts, where the option does not say.
const TONE_LENGTH: Duration = Duration::from_secs(1);
const HOLD_LENGTH: &str = "2s";

/// What is kept of what is heard at most: 115 MB.
const LONGEST_HEARD: Duration = Duration::from_secs(3600);

/// The port of SIP where the server's address names none.
const SIP_PORT: u16 = 5060;

/// The options that are steps, done in the order in which they are written.
const STEPS: [&str; 9] =
    ["say", "tone", "dtmf", "expect-tone", "expect-audio", "expect-dtmf", "hold", "pause", "transfer"];

/// `hookswitch phone` and its options.
pub(crate) fn command() -> Command {
    let options = [
        option("as", "USER", "Who it is: john or john@contoso.example").required(true),
        option("password", "PASSWORD", "The user's SIP password")
            .default_value("dev-password")
            .hide_env_values(true),
        option("server", "HOST:PORT", "Where the server takes SIP").default_value("127.0.0.1:5060"),
        option("transport", "PROTOCOL", "How SIP messages travel to the server")
            .value_parser(["udp", "tcp"])
            .default_value("udp"),
        option(
            "dial",
            "TARGET",
            "Calls a bot, a user or a number: sip:ID, sip:ID@HOST, a bare name or id, or +12345678900",
        ),
        flag("wait", "Waits for a call and answers it").env("HOOKSWITCH_PHONE_WAIT"),
        option("wait-timeout", "TIME", "How long it waits for a call").default_value("60s"),
        option("hang-up-after", "TIME", "Hangs up so long after the answer, instead of after the last step"),
        option("expect-timeout", "TIME", "How long each expectation waits").default_value("10s"),
        option(
            "expect-refused",
            "STATUS",
            "Expects the call to be refused with this SIP status, such as 486",
        ),
        option("record", "FILE", "Keeps what it hears as a WAV file").value_parser(value_parser!(PathBuf)),
        option("junit", "FILE", "Writes a report for CI (JUnit's XML), a test case for each step")
            .value_parser(value_parser!(PathBuf)),
        json("Prints what happens as JSON lines"),
    ];
    Command::new("phone")
        .about("Makes or takes one call as a user's telephone, and says whether it heard what it expects")
        .after_help(
            "Steps are done in the order in which they are written, from the answer of the call on; the first that \
             fails ends the call. Exit codes: 0 all were met, 1 one was not, 2 wrong use.",
        )
        .args(options)
        .group(ArgGroup::new("place").args(["dial", "wait"]).required(true))
        .args([
            step("say", "FILE", "Says a WAV file to its end"),
            step("tone", "HZ", "Plays a tone for a second, or as long as said: 440 for 3s").num_args(1..=3),
            step("dtmf", "KEYS", "Presses keys: 12#"),
            step("expect-tone", "HZ", "Waits until it hears a steady tone"),
            step("expect-audio", "FILE", "Waits until it hears all of a WAV file; FILE within 300ms says how soon it begins")
                .num_args(1..=3),
            step("expect-dtmf", "KEYS", "Waits until the far end has pressed these keys and no others"),
            step("hold", "TIME", "Puts the far end on hold for a while [default: 2s]")
                .num_args(0..=1)
                .default_missing_value(HOLD_LENGTH),
            step("pause", "TIME", "Does nothing for a while"),
            step("transfer", "TARGET", "Asks the far end to call somebody else instead (REFER); the last step"),
        ])
}

/// An option that says how or where, which a variable may say, too.
fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    let variable = format!("HOOKSWITCH_PHONE_{}", name.replace('-', "_").to_uppercase());
    Arg::new(name).long(name).env(variable).value_name(value).help(help)
}

/// An option that is a step: its place among the others counts, so no variable can say it.
fn step(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    let step = Arg::new(name).long(name).value_name(value).action(ArgAction::Append);
    step.help(help).help_heading("Steps")
}

/// What the options say of a call.
pub(crate) fn setup(matches: &ArgMatches, server: SocketAddr) -> Result<Setup> {
    let user = text(matches, "as");
    let place = if matches.get_flag("wait") {
        Place::Wait(read(matches, "wait-timeout", softphone::length)?.unwrap_or_default())
    } else {
        Place::Dial(softphone::target(text(matches, "dial"), server).map_err(|why| wrong("dial", &why))?)
    };
    let plan = Plan {
        steps: steps(matches, server)?,
        hang_up_after: read(matches, "hang-up-after", softphone::length)?,
        expect_timeout: read(matches, "expect-timeout", softphone::length)?.unwrap_or_default(),
        expected_refusal: read(matches, "expect-refused", softphone::refusal)?,
    };
    plan.check().map_err(|error| WrongUse(error.0))?;
    Ok(Setup {
        server,
        transport: if text(matches, "transport") == "tcp" { Transport::Tcp } else { Transport::Udp },
        aor: NameAddr::new(softphone::target(user, server).map_err(|why| wrong("as", &why))?.with_port(None)),
        credentials: Some(Credentials::new(user, text(matches, "password"))),
        registers: true,
        place,
        plan,
        heard: HeardSound::new(LONGEST_HEARD),
    })
}

/// Where the server is.
pub(crate) async fn server(matches: &ArgMatches) -> Result<SocketAddr> {
    let server = text(matches, "server");
    let has_port = server.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { server.to_owned() } else { format!("{server}:{SIP_PORT}") };
    let found = tokio::net::lookup_host(&address).await.with_context(|| {
        format!("failed to find the server {server}; --server takes HOST:PORT, such as 127.0.0.1:5060")
    })?;
    let mut found: Vec<_> = found.collect();
    // A name of this machine often has both; a server that listens on one of them has IPv4.
    found.sort_by_key(SocketAddr::is_ipv6);
    found.first().copied().with_context(|| format!("the server {server} (--server) has no address"))
}

/// The steps in the order in which they are written.
fn steps(matches: &ArgMatches, server: SocketAddr) -> Result<Vec<Step>> {
    let mut written = Vec::new();
    for name in STEPS {
        let mut indices = matches.indices_of(name).into_iter().flatten();
        for words in matches.get_occurrences::<String>(name).into_iter().flatten() {
            let words: Vec<_> = words.map(String::as_str).collect();
            let mut own = indices.by_ref().take(words.len().max(1));
            let first = own.next().unwrap_or_default();
            own.for_each(drop);
            written.push((first, name, words));
        }
    }
    written.sort_by_key(|(at, ..)| *at);
    let made = written.into_iter().map(|(_, name, words)| {
        let action = action(name, &words, server).map_err(|error| wrong(name, &error))?;
        let label = std::iter::once(format!("--{name}")).chain(words.iter().map(|word| quoted(word)));
        Ok(Step { label: label.collect::<Vec<_>>().join(" "), action })
    });
    made.collect()
}

/// A word as a shell would take it.
fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}

fn action(name: &str, words: &[&str], server: SocketAddr) -> Result<Action, PlanError> {
    let (first, detail) = match *words {
        [first] => (first, None),
        [first, word, length] => (first, Some((word, softphone::length(length)?))),
        _ => return Err(PlanError("it takes one value, or three such as 440 for 3s".to_owned())),
    };
    let detail = |expected: &str| match detail {
        None => Ok(None),
        Some((word, length)) if word == expected => Ok(Some(length)),
        Some((word, _)) => Err(PlanError(format!("'{word}' stands where only '{expected}' can"))),
    };
    Ok(match name {
        "say" => Action::Say(sound(first)?),
        "tone" => {
            let length = detail("for")?.unwrap_or(TONE_LENGTH);
            Action::Tone { hz: softphone::pitch(first)?, length }
        }
        "dtmf" => Action::Dtmf(softphone::keys(first)?),
        "expect-tone" => Action::ExpectTone { hz: softphone::pitch(first)? },
        "expect-audio" => {
            let (within, sound) = (detail("within")?, sound(first)?);
            sound.check_known().map_err(|error| PlanError(format!("{first}: {error}")))?;
            Action::ExpectSound { sound, within }
        }
        "expect-dtmf" => Action::ExpectDtmf(softphone::keys(first)?),
        "hold" => Action::Hold(softphone::length(first)?),
        "pause" => Action::Pause(softphone::length(first)?),
        _ => Action::Transfer(softphone::target(first, server)?),
    })
}

fn sound(path: &str) -> Result<Arc<Sound>, PlanError> {
    let file = std::fs::read(path).map_err(|error| PlanError(format!("failed to read {path}: {error}")))?;
    let sound =
        Sound::from_wav(&file).map_err(|error| PlanError(format!("failed to read {path}: {error}")))?;
    Ok(Arc::new(sound))
}

fn read<T>(
    matches: &ArgMatches,
    name: &str,
    read: impl FnOnce(&str) -> Result<T, PlanError>,
) -> Result<Option<T>> {
    let value = matches.get_one::<String>(name).map(|value| read(value));
    value.transpose().map_err(|error| wrong(name, &error).into())
}

fn wrong(name: &str, why: &PlanError) -> WrongUse {
    WrongUse(format!("--{name}: {why}"))
}

/// The value of an option that always has one.
pub(super) fn text<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map(String::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 5070);

    fn made(arguments: &[&str]) -> Result<Setup> {
        let all = ["phone", "--as", "john"].iter().chain(arguments);
        let matches = command().try_get_matches_from(all).map_err(|error| WrongUse(error.to_string()))?;
        setup(&matches, SERVER)
    }

    fn complaint(arguments: &[&str]) -> String {
        let error = made(arguments).map(drop).unwrap_err();
        assert!(error.is::<WrongUse>(), "{error}");
        error.to_string()
    }

    #[test]
    fn steps_are_done_in_the_order_in_which_they_are_written() {
        let setup = made(&[
            "--dtmf",
            "1",
            "--hold",
            "--expect-tone",
            "440",
            "--tone",
            "350",
            "for",
            "3s",
            "--dtmf",
            "2#",
            "--dial",
            "bot",
            "--hold",
            "300ms",
            "--pause",
            "1s",
            "--expect-dtmf",
            "9",
            "--transfer",
            "bob",
        ])
        .unwrap();
        let labels: Vec<_> = setup.plan.steps.iter().map(|step| step.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "--dtmf 1",
                "--hold 2s",
                "--expect-tone 440",
                "--tone 350 for 3s",
                "--dtmf 2#",
                "--hold 300ms",
                "--pause 1s",
                "--expect-dtmf 9",
                "--transfer bob",
            ]
        );
        let length = Duration::from_secs(3);
        assert!(matches!(setup.plan.steps[3].action, Action::Tone { hz: 350, length: l } if l == length));
        assert_eq!(setup.plan.expect_timeout, Duration::from_secs(10));
    }

    #[test]
    fn a_user_is_registered_by_address_or_at_the_server() {
        let aor = |user| {
            let all = ["phone", "--wait", "--as", user];
            let setup = setup(&command().try_get_matches_from(all).unwrap(), SERVER).unwrap();
            (setup.aor.uri.to_string(), setup.credentials.map(|credentials| credentials.username))
        };
        assert_eq!(aor("john"), ("sip:john@192.0.2.1".to_owned(), Some("john".to_owned())));
        let address = "john@contoso.example";
        assert_eq!(aor(address), (format!("sip:{address}"), Some(address.to_owned())));
    }

    #[test]
    fn wrong_use_names_the_option_and_what_is_right() {
        for (arguments, words) in [
            (&["--dial", "bot", "--expect-tone", "high"][..], "--expect-tone: 'high' is no pitch"),
            (&["--dial", "bot", "--tone", "440", "during", "3s"], "'during' stands where only 'for' can"),
            (&["--dial", "bot", "--tone", "440", "for"], "it takes one value, or three"),
            (&["--dial", "bot", "--say", "no-such-file.wav"], "--say: failed to read no-such-file.wav"),
            (&["--dial", "bot", "--dtmf", "1x"], "--dtmf: '1x' is not"),
            (&["--dial", "bot", "--hang-up-after", "5"], "--hang-up-after: '5' is no length of time"),
            (&["--dial", "bot", "--expect-refused", "200"], "--expect-refused: '200' is no SIP status"),
            (&["--dial", "bot", "--transfer", "bob", "--dtmf", "1"], "--dtmf 1 cannot follow a transfer"),
            (&["--dial", "a b"], "--dial: 'a b' names nobody"),
            (&["--dial", "bot", "--wait"], "cannot be used with"),
            (&[], "required"),
        ] {
            assert!(complaint(arguments).contains(words), "{arguments:?}: {}", complaint(arguments));
        }
    }
}
