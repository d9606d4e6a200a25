use std::fmt;

use crate::load::Source;

/// All that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// The mistakes, in the order in which they were found; at least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for SettingsError {
    /// Writes a line for each mistake.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One mistake in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The file is not TOML.
    File {
        /// The file's name.
        file: String,
        /// What is wrong and where, as the parser says it.
        message: String,
    },
    /// Values that are each right do not fit together.
    Inconsistent {
        /// The key to change.
        key: &'static str,
        /// What is wrong, and the fix.
        message: String,
    },
    /// No setting has this key.
    Unknown {
        /// The key as written.
        key: String,
        /// Where.
        source: Source,
        /// The key that was probably meant.
        nearest: String,
    },
    /// The value is none of its setting.
    Value {
        /// The key.
        key: &'static str,
        /// Where.
        source: Source,
        /// The value as written.
        value: String,
        /// What it should be, to follow "expected".
        expected: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file, message } => write!(f, "{file}: {}", message.trim_end()),
            Self::Inconsistent { key, message } => write!(f, "{key}: {message}"),
            Self::Unknown { key, source, nearest } => {
                write!(f, "{source}: there is no setting \"{key}\"; did you mean \"{nearest}\"?")
            }
            Self::Value { key, source, value, expected } => {
                write!(f, "{source}: {key} cannot be {value}: expected {expected}")
            }
        }
    }
}
