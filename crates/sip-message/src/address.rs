//! From, To, Contact, Route and Record-Route values (RFC 3261, 20.10).

use std::fmt;
use std::str::FromStr;

use crate::{lex, params::Params, uri::Uri};

/// `name-addr` or `addr-spec` with header parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Header parameters, `tag` included.
    pub params: Params,
}

impl NameAddr {
    /// An address without a display name or parameters.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::new() }
    }

    /// The same address with a tag.
    #[must_use]
    pub fn with_tag(mut self, tag: &str) -> Self {
        self.params.set("tag", tag);
        self
    }

    /// The dialog tag.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    /// The `expires` parameter of a Contact, in seconds.
    pub fn expires(&self) -> Option<u32> {
        lex::number(self.params.get("expires")?)
    }
}

impl From<Uri> for NameAddr {
    fn from(uri: Uri) -> Self {
        Self::new(uri)
    }
}

/// The text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed address")]
pub struct InvalidAddress;

impl FromStr for NameAddr {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        parse(lex::trim(text)).ok_or(InvalidAddress)
    }
}

fn parse(text: &str) -> Option<NameAddr> {
    let (display, rest) = display_name(text)?;
    if let Some(rest) = rest.strip_prefix('<') {
        let (uri, params) = rest.split_once('>')?;
        return Some(NameAddr { display, uri: uri.parse().ok()?, params: Params::parse(params)? });
    }
    if display.is_some() {
        return None;
    }
    // Without brackets everything from the first semicolon on belongs to the header field, and the URI may hold
    // neither a comma nor a question mark (RFC 3261, 20).
    let end = rest.find(';').unwrap_or(rest.len());
    let (uri, params) = rest.split_at_checked(end)?;
    let uri = lex::trim(uri);
    if uri.contains([',', '?']) {
        return None;
    }
    Some(NameAddr { display: None, uri: uri.parse().ok()?, params: Params::parse(params)? })
}

/// Splits the display name off; what follows it must be a `<`.
fn display_name(text: &str) -> Option<(Option<String>, &str)> {
    if text.starts_with('"') {
        let (quoted, rest) = lex::take_quoted(text)?;
        let rest = lex::trim_start(rest);
        return rest.starts_with('<').then(|| (Some(lex::unquote(quoted)), rest));
    }
    let Some(at) = text.find('<') else {
        return Some((None, text));
    };
    let (name, rest) = text.split_at_checked(at)?;
    let name = lex::trim(name);
    if name.is_empty() {
        return Some((None, rest));
    }
    // A colon before the bracket means that the bracket belongs to a parameter of an addr-spec.
    if name.contains(':') {
        return Some((None, text));
    }
    let tokens = name.bytes().all(|byte| lex::is_token_byte(byte) || matches!(byte, b' ' | b'\t'));
    tokens.then(|| (Some(name.to_owned()), rest))
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", lex::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_names_are_read_quoted_and_bare_and_written_quoted() {
        let cases = [
            ("\"A, \\\"B\\\"\" <sip:h>;tag=1", Some("A, \"B\""), "\"A, \\\"B\\\"\" <sip:h>;tag=1"),
            ("Bob  B. <sip:h>", Some("Bob  B."), "\"Bob  B.\" <sip:h>"),
            ("<sip:h;lr>;x=\"<\"", None, "<sip:h;lr>;x=\"<\""),
            ("sip:h;tag=1", None, "<sip:h>;tag=1"),
            ("sip:h;x=\"<y>\"", None, "<sip:h>;x=\"<y>\""),
            ("tel:+1;tag=2", None, "<tel:+1>;tag=2"),
        ];

        for (text, display, written) in cases {
            let address: NameAddr = text.parse().unwrap();
            assert_eq!(address.display.as_deref(), display, "{text}");
            assert_eq!(address.to_string(), written);
            assert_eq!(written.parse(), Ok(address));
        }
    }

    #[test]
    fn malformed_addresses_are_refused() {
        let malformed = [
            "",
            "<>",
            "\"a <sip:h>",
            "a, b <sip:h>",
            "<sip:h",
            "sip:h>",
            "\"a\" sip:h",
            "< sip:h >",
            "sip:h?a=b",
            "sip:a,b@h",
            "<sip:h>x",
            "<sip:h>;tag=",
            "a\" <sip:h>",
        ];

        for text in malformed {
            assert_eq!(text.parse::<NameAddr>(), Err(InvalidAddress), "{text}");
        }
    }
}
