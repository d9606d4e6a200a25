use crate::define::{Key, Profile};
use crate::load::Reader;
use crate::sections::{SECTIONS, Settings};

/// A settings file that names every setting, each as a comment with its help and its default for `serve`.
pub fn sample_file() -> String {
    let mut text = String::from("# Every setting of Hookswitch with its default for `hookswitch serve`.\n");
    for (section, about) in SECTIONS {
        text.push_str(&format!("\n#{about}\n[{section}]\n"));
        for (key, value) in defaults(Profile::Serve).filter(|(key, _)| key.section() == *section) {
            let name = key.name.split_once('.').map_or(key.name, |(_, name)| name);
            text.push_str(&format!("\n# {}\n# {name} = {value}\n", key.summary()));
        }
    }
    text
}

/// The settings as a page of documentation, in Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Settings\n\nLater sources win: defaults, settings file, environment, command line. \
         `hookswitch settings` prints what applies and where it comes from.\n",
    );
    for (section, about) in SECTIONS {
        text.push_str(&format!("\n## `[{section}]`\n\n{}\n\n", about.trim()));
        text.push_str("| key and variable | in `dev` | in `serve` | |\n|---|---|---|---|\n");
        let dev = defaults(Profile::Dev);
        let serve = defaults(Profile::Serve);
        for ((key, dev), (_, serve)) in dev.zip(serve).filter(|((key, _), _)| key.section() == *section) {
            let (name, variable, help) = (key.name, key.variable(), key.summary());
            text.push_str(&format!("| `{name}` `{variable}` | `{dev}` | `{serve}` | {help} |\n"));
        }
    }
    text
}

/// Every setting with its default as TOML.
fn defaults(profile: Profile) -> impl Iterator<Item = (&'static Key, String)> {
    let mut reader = Reader::of_defaults(profile);
    let _ = Settings::read(&mut reader);
    reader.into_entries().into_iter().map(|entry| (entry.key, entry.value))
}
