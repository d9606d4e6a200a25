//! Telephone numbers in URIs (RFC 3966; RFC 3261, 19.1.6).

use std::fmt;
use std::str::FromStr;

use crate::uri::{Scheme, Uri};
use crate::{Host, lex};

/// A number of the international public plan: one to fifteen digits, of which the first is no zero (ITU-T E.164, 6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(String);

impl E164 {
    /// As many digits as a number may have (ITU-T E.164, 6.1).
    pub const MOST_DIGITS: usize = 15;

    /// The digits without the plus sign.
    pub fn digits(&self) -> &str {
        &self.0
    }

    /// `tel:+…`.
    pub fn to_tel(&self) -> Uri {
        Uri::tel(&self.to_string())
    }

    /// `sip:+…@host;user=phone`, as gateways and trunks want it.
    pub fn to_sip(&self, host: impl Into<Host>) -> Uri {
        Uri::sip(&self.to_string(), host).with_param("user", Some("phone"))
    }
}

/// The text is no number of the international plan with its plus sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed telephone number")]
pub struct InvalidNumber;

impl FromStr for E164 {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        let digits = text.strip_prefix('+').ok_or(InvalidNumber)?;
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit())
            && (1..=Self::MOST_DIGITS).contains(&digits.len())
            && !digits.starts_with('0');
        is_number.then(|| Self(digits.to_owned())).ok_or(InvalidNumber)
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// What a URI dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Telephone {
    /// A number that means the same everywhere.
    Global(E164),
    /// A number that means something in one network alone.
    Local {
        /// Digits, letters `A` to `F`, `*` and `#`, without separators.
        digits: String,
        /// Where it means something, when that is said: a domain name, or the start of global numbers.
        context: Option<String>,
    },
}

impl Telephone {
    /// `telephone-subscriber` with its escapes undone.
    fn parse(text: &str, needs_context: bool) -> Option<Self> {
        let mut parts = text.split(';');
        let number = parts.next()?;
        let plain: String = number.chars().filter(|char| !matches!(char, '-' | '.' | '(' | ')')).collect();
        if plain.starts_with('+') {
            return plain.parse().ok().map(Self::Global);
        }
        let is_local = plain.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b'*' | b'#'))
            && !plain.is_empty();
        let context = parts.find_map(|param| {
            let (name, value) = param.split_once('=')?;
            name.eq_ignore_ascii_case("phone-context").then(|| value.to_ascii_lowercase())
        });
        let is_said = context.as_ref().is_some_and(|context| !context.is_empty());
        (is_local && (is_said || !needs_context))
            .then(|| Self::Local { digits: plain.to_ascii_uppercase(), context })
    }
}

impl Uri {
    /// The telephone number that the URI dials, if it dials one.
    ///
    /// That is a `tel` URI; a `sip` or `sips` URI with `user=phone`, whose host stands for the context of a local number;
    /// and, as trunks commonly leave that parameter out, one whose user is a global number.
    pub fn telephone(&self) -> Option<Telephone> {
        if *self.scheme() == Scheme::Tel {
            return Telephone::parse(self.opaque()?, true);
        }
        let user = self.user()?;
        let says_phone = self.param("user").is_some_and(|value| value.eq_ignore_ascii_case("phone"));
        (says_phone || user.starts_with('+')).then(|| Telephone::parse(lex::trim(&user), false))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialled(text: &str) -> Option<Telephone> {
        text.parse::<Uri>().unwrap().telephone()
    }

    #[test]
    fn global_numbers_are_found_in_every_form_that_carries_them() {
        let forms = [
            "tel:+1-201-555-0123",
            "tel:+1(201)555.0123;ext=7",
            "sip:+12015550123@gw.example;user=phone",
            "sips:+1-201-555-0123;postd=pp22@gw.example;user=PHONE",
            "sip:+12015550123@gw.example",
        ];

        for text in forms {
            let Some(Telephone::Global(number)) = dialled(text) else { panic!("{text}") };
            assert_eq!((number.digits(), number.to_string()), ("12015550123", "+12015550123".to_owned()));
        }
    }

    #[test]
    fn local_numbers_keep_what_they_mean_something_in() {
        let local = |digits: &str, context: Option<&str>| {
            Some(Telephone::Local { digits: digits.to_owned(), context: context.map(str::to_owned) })
        };

        assert_eq!(dialled("tel:7042;phone-context=Example.com"), local("7042", Some("example.com")));
        assert_eq!(dialled("tel:863-1234;phone-context=+1-914-555"), local("8631234", Some("+1-914-555")));
        assert_eq!(dialled("sip:*21%23@gw.example;user=phone"), local("*21#", None));
    }

    #[test]
    fn what_is_no_number_is_none() {
        let none = [
            "tel:7042",
            "tel:7042;phone-context=",
            "tel:+",
            "tel:+0441",
            "tel:+1234567890123456",
            "tel:bot",
            "sip:+bot@gw.example;user=phone",
            "sip:john@gw.example;user=phone",
            "sip:7042@gw.example",
            "sip:gw.example;user=phone",
            "sip:bot+1@gw.example",
            "mailto:+1@h",
        ];

        for text in none {
            assert_eq!(dialled(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_as_uris() {
        let number: E164 = "+12015550123".parse().unwrap();

        assert_eq!(number.to_tel().to_string(), "tel:+12015550123");
        let host = Host::Name("gw.example".into());
        assert_eq!(number.to_sip(host).to_string(), "sip:+12015550123@gw.example;user=phone");
        for text in ["12015550123", "+1 201", "+", "+012", "", "+1234567890123456"] {
            assert_eq!(text.parse::<E164>(), Err(InvalidNumber), "{text}");
        }
    }
}
