//! The parameter list of digest header fields.

use crate::digest::DigestError;
use crate::lex;
use crate::params::MOST_PARAMS;

/// `Digest name=value, name="value"`, unquoted.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(text: &str) -> Result<Self, DigestError> {
        let (scheme, rest) = lex::take_while(lex::trim(text), lex::is_token_byte);
        if !scheme.eq_ignore_ascii_case("Digest") || !rest.starts_with([' ', '\t']) {
            return Err(DigestError::OtherScheme);
        }
        let mut fields = Self(Vec::new());
        for element in lex::elements(rest) {
            let (name, value) = field(element).ok_or(DigestError::Malformed)?;
            if fields.get(name).is_some() || fields.0.len() >= MOST_PARAMS {
                return Err(DigestError::Malformed);
            }
            fields.0.push((name.to_owned(), value));
        }
        Ok(fields)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A parameter that must be there.
    pub(super) fn need(&self, name: &str) -> Result<String, DigestError> {
        let value = self.get(name).ok_or(DigestError::Malformed)?;
        Ok(value.to_owned())
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        self.get(name).map(str::to_owned)
    }
}

fn field(element: &str) -> Option<(&str, String)> {
    let (name, value) = element.split_once('=')?;
    let (name, value) = (lex::trim(name), lex::trim(value));
    let valid = lex::is_token(name)
        && match lex::take_quoted(value) {
            Some((_, rest)) => rest.is_empty(),
            None => lex::is_token(value),
        };
    valid.then(|| (name, lex::unquote(value)))
}
