//! `hookswitch settings`: what applies, and where it comes from.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::ArgMatches;
use settings::Profile;

use crate::cli;

/// Prints the effective settings, or a sample file, or the documentation.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let text = text(matches)?;
    std::io::stdout().write_all(text.as_bytes()).context("failed to print the settings")
}

fn text(matches: &ArgMatches) -> Result<String> {
    if matches.get_flag("sample") {
        return Ok(settings::sample_file());
    }
    if matches.get_flag("reference") {
        return Ok(settings::reference());
    }
    let profile = if matches.get_flag("dev") { Profile::Dev } else { Profile::Serve };
    Ok(cli::settings(matches, profile)?.to_string())
}

#[cfg(test)]
mod tests {
    use crate::cli;

    fn text(arguments: &[&str]) -> anyhow::Result<String> {
        let matches =
            cli::command().try_get_matches_from(["hookswitch", "settings"].iter().chain(arguments))?;
        super::text(matches.subcommand_matches("settings").unwrap())
    }

    #[test]
    fn the_page_about_settings_is_what_the_program_says() {
        let page = include_str!("../../../../docs/settings.md");
        assert!(
            page == settings::reference(),
            "docs/settings.md is old; write it anew: cargo run -- settings --reference > docs/settings.md"
        );
    }

    #[test]
    fn a_value_comes_with_its_source() {
        let text = text(&["--dev", "--sip-udp", "127.0.0.1:5070"]).unwrap();
        let line = text.lines().find(|line| line.starts_with("udp = ")).unwrap();
        assert!(line.contains("\"127.0.0.1:5070\"") && line.ends_with("# command line"), "{line}");
    }

    #[test]
    fn wrong_settings_are_an_error_with_every_key() {
        let error = text(&["--sip-udp", "here", "--calls-ringing-timeout", "soon"]).unwrap_err();
        assert!(error.is::<settings::SettingsError>());
        let words = error.to_string();
        assert!(words.contains("sip.udp") && words.contains("calls.ringing_timeout"), "{words}");
    }

    #[test]
    fn samples_and_documentation_need_no_right_settings() {
        assert!(text(&["--sample", "--sip-udp", "here"]).unwrap().contains("# udp = "));
        assert!(text(&["--reference", "--sip-udp", "here"]).unwrap().contains("`sip.udp`"));
    }
}
