//! Parameters of header values and URIs.

use std::fmt;

use crate::lex;

/// Parameters of one value that are accepted. Each is compared with all before it, so their number bounds the work
/// that a peer can cause; real values have fewer than ten.
pub(crate) const MOST_PARAMS: usize = 64;

/// An ordered list of `;name=value` parameters. Names are compared without case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value as it is written, quotes included; `None` when the parameter is absent or has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name)?.1.as_deref()
    }

    /// The value without quotes and escapes.
    pub fn unquoted(&self, name: &str) -> Option<String> {
        self.get(name).map(lex::unquote)
    }

    /// Whether the parameter is present, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Sets or replaces a parameter; a value that is neither a token, a host nor already quoted is quoted.
    /// Octets that no parameter name may have are left out of `name`; with nothing left, nothing is set.
    pub fn set(&mut self, name: &str, value: impl AsRef<str>) {
        let value = value.as_ref();
        let plain = is_plain_value(value) || is_quoted(value);
        let value = if plain { value.to_owned() } else { lex::quote(value) };
        self.put(name, Some(value));
    }

    /// Sets a parameter without a value, such as `lr` or an empty `rport`.
    pub fn set_flag(&mut self, name: &str) {
        self.put(name, None);
    }

    /// Removes a parameter; says whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.0.len() != before
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All parameters, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Parses `*( SEMI generic-param )` to the end of the text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut params = Self::new();
        let mut rest = lex::trim_start(text);
        while !rest.is_empty() {
            let (name, after) = lex::take_while(lex::trim_start(rest.strip_prefix(';')?), lex::is_token_byte);
            let mut after = lex::trim_start(after);
            let mut value = None;
            if let Some(tail) = after.strip_prefix('=') {
                let tail = lex::trim_start(tail);
                let (taken, next) = if tail.starts_with('"') {
                    lex::take_quoted(tail)?
                } else {
                    lex::take_while(tail, is_value_byte)
                };
                value = (!taken.is_empty()).then(|| Some(taken.to_owned()))?;
                after = lex::trim_start(next);
            }
            params.push_new(name, value)?;
            rest = after;
        }
        Some(params)
    }

    /// Adds a parameter as read; a repeated or empty name is an error (RFC 3261, 7.3.1), and so are too many.
    pub(crate) fn push_new(&mut self, name: &str, value: Option<String>) -> Option<()> {
        if name.is_empty() || self.has(name) || self.0.len() >= MOST_PARAMS {
            return None;
        }
        self.0.push((name.to_owned(), value));
        Some(())
    }

    /// Stores a value that is already in written form.
    pub(crate) fn put(&mut self, name: &str, value: Option<String>) {
        if let Some(entry) = self.0.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            entry.1 = value;
            return;
        }
        let is_safe =
            |char: &char| char.is_ascii_graphic() && !matches!(char, ';' | '=' | ',' | '<' | '>' | '"');
        let name: String = name.chars().filter(is_safe).collect();
        if name.is_empty() {
            return;
        }
        self.0.push((name, value));
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))
    }
}

/// `token` or `host`, the unquoted forms of `gen-value`.
fn is_value_byte(byte: u8) -> bool {
    lex::is_token_byte(byte) || matches!(byte, b'[' | b']' | b':')
}

fn is_plain_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(is_value_byte)
}

fn is_quoted(value: &str) -> bool {
    lex::take_quoted(value).is_some_and(|(_, rest)| rest.is_empty())
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_order_and_blanks_around_them_do_not_matter() {
        let params = Params::parse(" ; a = 1;B ;c=\"x;y\"").unwrap();

        assert_eq!(params.get("A"), Some("1"));
        assert!(params.has("b"));
        assert_eq!(params.unquoted("c").as_deref(), Some("x;y"));
        assert_eq!(params.to_string(), ";a=1;B;c=\"x;y\"");
    }

    #[test]
    fn empty_and_repeated_parameters_are_refused() {
        assert_eq!(Params::parse(";;a"), None);
        assert_eq!(Params::parse(";a="), None);
        assert_eq!(Params::parse(";a=1;A=2"), None);
    }

    #[test]
    fn too_many_parameters_are_refused() {
        let text: String = (0..=MOST_PARAMS).map(|at| format!(";p{at}")).collect();

        assert_eq!(Params::parse(&text), None);
        assert!(Params::parse(text.trim_end_matches(";p64")).is_some());
    }

    #[test]
    fn a_set_value_cannot_break_out_of_its_parameter() {
        let mut params = Params::new();

        params.set("tag", "x;lr\r\nVia: y");

        assert_eq!(params.to_string(), ";tag=\"x;lrVia: y\"");
    }
}
