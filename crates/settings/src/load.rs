use std::collections::BTreeMap;
use std::fmt;

use crate::define::{Key, Profile};
use crate::error::{Problem, SettingsError};
use crate::file::{self, Found, Raw};
use crate::sections::{Settings, keys};
use crate::validate::validate;
use crate::value::{Value, quoted};

/// The prefix of the environment variables that are settings.
const PREFIX: &str = "HOOKSWITCH_";

/// What settings are made of, weakest first.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    /// Whose defaults apply.
    pub profile: Profile,
    /// The settings file: its name for messages, and its text.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment: variables that do not begin with `HOOKSWITCH_` are passed over.
    pub environment: &'a [(String, String)],
    /// Variables that begin with `HOOKSWITCH_` and are no settings, such as those of other options.
    pub other_variables: &'a [&'a str],
    /// Keys and values of the command line, each written as in a variable.
    pub overrides: &'a [(String, String)],
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    CommandLine,
    /// The default of the profile.
    Default,
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// The settings file.
    File {
        /// Its name.
        file: String,
        /// The line, from 1.
        line: usize,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Default => f.write_str("default"),
            Self::Environment { variable } => write!(f, "environment variable {variable}"),
            Self::File { file, line } => write!(f, "{file}:{line}"),
        }
    }
}

/// The settings that apply, with where each comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The settings.
    pub settings: Settings,
    /// Each setting in the order of the documentation.
    pub entries: Vec<Entry>,
}

/// A setting, its value and where that comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The setting.
    pub key: &'static Key,
    /// The value as TOML.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
}

impl fmt::Display for Effective {
    /// Writes a settings file that has the same effect, each line with its source.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = "";
        for entry in &self.entries {
            if entry.key.section() != section {
                let gap = if section.is_empty() { "" } else { "\n" };
                section = entry.key.section();
                writeln!(f, "{gap}[{section}]")?;
            }
            let name = entry.key.name.split_once('.').map_or(entry.key.name, |(_, name)| name);
            writeln!(f, "{:<44} # {}", format!("{name} = {}", entry.value), entry.source)?;
        }
        Ok(())
    }
}

/// Makes the settings of their sources.
///
/// # Errors
///
/// [`SettingsError`] holds every mistake in every source.
pub fn load(sources: Sources<'_>) -> Result<Effective, SettingsError> {
    let mut reader = Reader::of_defaults(sources.profile);
    if let Some((name, text)) = sources.file {
        reader.take_file(name, text);
    }
    reader.take_environment(sources.environment, sources.other_variables);
    for (key, value) in sources.overrides {
        reader.take_text(key, value, Source::CommandLine);
    }
    let settings = Settings::read(&mut reader);
    let mut problems = reader.problems;
    match settings {
        Some(settings) if problems.is_empty() => {
            problems.extend(validate(&settings, sources.profile));
            if problems.is_empty() {
                return Ok(Effective { settings, entries: reader.entries });
            }
            Err(SettingsError { problems })
        }
        Some(_) | None => Err(SettingsError { problems }),
    }
}

/// Gives the sections their values, and collects what is wrong on the way.
pub(crate) struct Reader {
    profile: Profile,
    given: BTreeMap<&'static str, Given>,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

struct Given {
    value: Raw,
    /// As written, for messages.
    text: String,
    /// Whether a list or a number is written as text, as outside of the file.
    is_text: bool,
    source: Source,
}

impl Reader {
    /// A reader of the defaults, to which other sources can be added.
    pub(crate) fn of_defaults(profile: Profile) -> Self {
        Self { profile, given: BTreeMap::new(), entries: Vec::new(), problems: Vec::new() }
    }

    /// What was read.
    pub(crate) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    /// The value of a key, or `None` after noting what is wrong with it.
    pub(crate) fn take<T: Value>(&mut self, name: &'static str) -> Option<T> {
        let key = keys().iter().find(|key| key.name == name)?;
        let (value, text, source) = match self.given.remove(name) {
            Some(Given { value: Raw::Text(value), text, is_text: true, source }) => {
                (T::from_text(&value), text, source)
            }
            Some(given) => (T::from_raw(&given.value), given.text, given.source),
            None => {
                let text = key.default(self.profile);
                (T::from_text(text), quoted(text), Source::Default)
            }
        };
        match value {
            Some(value) => {
                self.entries.push(Entry { key, value: value.to_toml(), source });
                Some(value)
            }
            None => {
                let expected = T::expected();
                self.problems.push(Problem::Value { key: key.name, source, value: text, expected });
                None
            }
        }
    }

    fn take_file(&mut self, name: &str, text: &str) {
        let found = match file::read(name, text, |key| known(key).is_some()) {
            Ok(found) => found,
            Err(problem) => return self.problems.push(problem),
        };
        for Found { key, line, value, text } in found {
            let source = Source::File { file: name.to_owned(), line };
            match known(&key) {
                Some(known) => {
                    self.given.insert(known.name, Given { value, text, is_text: false, source });
                }
                None => self.problems.push(unknown(&key, source)),
            }
        }
    }

    fn take_environment(&mut self, environment: &[(String, String)], others: &[&str]) {
        for (variable, value) in environment {
            if !variable.starts_with(PREFIX) || others.contains(&variable.as_str()) {
                continue;
            }
            let source = Source::Environment { variable: variable.clone() };
            match keys().iter().find(|key| key.variable() == *variable) {
                Some(key) => self.take_text(key.name, value, source),
                None => {
                    let nearest = nearest(variable, keys().iter().map(Key::variable));
                    self.problems.push(Problem::Unknown { key: variable.clone(), source, nearest });
                }
            }
        }
    }

    fn take_text(&mut self, key: &str, value: &str, source: Source) {
        let given = Given { value: Raw::Text(value.to_owned()), text: quoted(value), is_text: true, source };
        match known(key) {
            Some(known) => drop(self.given.insert(known.name, given)),
            None => self.problems.push(unknown(key, given.source)),
        }
    }
}

fn known(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

fn unknown(key: &str, source: Source) -> Problem {
    let nearest = nearest(key, keys().iter().map(|key| key.name.to_owned()));
    Problem::Unknown { key: key.to_owned(), source, nearest }
}

/// The candidate that takes the fewest edits to become.
fn nearest(written: &str, candidates: impl Iterator<Item = String>) -> String {
    // What is longer than any key is compared by its beginning, so that a hostile file costs little.
    let written: String = written.chars().take(64).collect();
    candidates.min_by_key(|candidate| edits(&written, candidate)).unwrap_or_default()
}

/// The number of insertions, deletions and replacements between two strings.
fn edits(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (index, a) in from.chars().enumerate() {
        let mut diagonal = index;
        let mut left = index + 1;
        let cells = row.iter_mut();
        for (cell, b) in cells.zip(std::iter::once(None).chain(to.chars().map(Some))) {
            let above = *cell;
            *cell = match b {
                None => index + 1,
                Some(b) => (diagonal + usize::from(a != b)).min(above + 1).min(left + 1),
            };
            diagonal = above;
            left = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::edits;

    #[test]
    fn edits_count_insertions_deletions_and_replacements() {
        assert_eq!(edits("", "abc"), 3);
        assert_eq!(edits("abc", ""), 3);
        assert_eq!(edits("sip.upd", "sip.udp"), 2);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("same", "same"), 0);
    }
}
