use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Problem;

/// A value in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Raw {
    Bool(bool),
    /// The digits, in base ten.
    Integer(String),
    List(Vec<Self>),
    /// A kind that no setting has, as written.
    Other(String),
    Table(BTreeMap<String, Self>),
    Text(String),
}

/// A value in the file with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) key: String,
    pub(crate) line: usize,
    pub(crate) value: Raw,
    /// As written, for messages.
    pub(crate) text: String,
}

/// Reads a file into its keys and values. What `is_key` knows is a value, even where it is a table.
pub(crate) fn read(name: &str, text: &str, is_key: impl Fn(&str) -> bool) -> Result<Vec<Found>, Problem> {
    let table = DeTable::parse(text)
        .map_err(|error| Problem::File { file: name.to_owned(), message: error.to_string() })?;
    let mut found = Vec::new();
    walk(text, "", table.get_ref(), &is_key, &mut found);
    found.sort_by_key(|each| each.line);
    Ok(found)
}

fn walk(
    text: &str,
    prefix: &str,
    table: &DeTable<'_>,
    is_key: &dyn Fn(&str) -> bool,
    found: &mut Vec<Found>,
) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name.get_ref().to_string()
        } else {
            format!("{prefix}.{}", name.get_ref())
        };
        if let DeValue::Table(inner) = value.get_ref()
            && !is_key(&key)
            && !inner.is_empty()
        {
            walk(text, &key, inner, is_key, found);
            continue;
        }
        let line = text.get(..name.span().start).map_or(0, |before| before.matches('\n').count()) + 1;
        let written = text.get(value.span()).unwrap_or_default().to_owned();
        found.push(Found { key, line, value: raw(value), text: written });
    }
}

fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::Array(items) => Raw::List(items.iter().map(raw).collect()),
        DeValue::Boolean(value) => Raw::Bool(*value),
        DeValue::Datetime(value) => Raw::Other(value.to_string()),
        DeValue::Float(value) => Raw::Other(value.to_string()),
        DeValue::Integer(value) => match i64::from_str_radix(value.as_str(), value.radix()) {
            Ok(number) => Raw::Integer(number.to_string()),
            Err(_) => Raw::Other(value.to_string()),
        },
        DeValue::String(value) => Raw::Text(value.to_string()),
        DeValue::Table(members) => {
            Raw::Table(members.iter().map(|(name, value)| (name.get_ref().to_string(), raw(value))).collect())
        }
    }
}
