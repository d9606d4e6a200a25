//! `hookswitch openapi`: the description of the served API.

use std::io::Write as _;

use anyhow::{Context as _, Result, bail};
use clap::ArgMatches;
use settings::Settings;

use crate::cli;

/// Prints the description.
pub(super) fn run(matches: &ArgMatches) -> Result<()> {
    let settings = cli::settings(matches, cli::profile(matches))?.settings;
    let text = document(&external_url(&settings)?)?;
    std::io::stdout().write_all(text.as_bytes()).context("failed to print the description")
}

/// The address that others use; where none is set, the one that is listened on.
fn external_url(settings: &Settings) -> Result<String> {
    match (&settings.server.external_url, settings.http.listen) {
        (Some(url), _) => Ok(url.to_string()),
        (None, Some(address)) => Ok(format!("http://{address}")),
        (None, None) => bail!("server.external_url is not set (--server-external-url)"),
    }
}

fn document(external_url: &str) -> Result<String> {
    let document = graph_wire::openapi::document(&format!("{external_url}/v1.0"));
    let mut text = serde_json::to_string_pretty(&document).context("failed to write the description")?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::document;

    #[test]
    fn the_description_names_the_address_that_others_use() {
        let text = document("https://calls.example.com").unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["servers"][0]["url"], "https://calls.example.com/v1.0");
        assert!(document["paths"]["/communications/calls"]["post"].is_object());
        assert!(text.ends_with("}\n") && text.contains("\n  \"openapi\""));
    }
}
