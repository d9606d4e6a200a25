use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of the public phone network: a plus, then 4 to 15 digits that begin with a country code (ITU-T E.164).
///
/// It is people's: neither `Display` nor `Debug` shows its middle. [`PhoneNumber::as_str`] is the whole.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PhoneNumber {
    /// The plus and the digits, then zeros.
    text: [u8; Self::MAX_DIGITS + 1],
    length: u8,
}

impl PhoneNumber {
    /// The longest number in digits (ITU-T E.164, 6.2.1).
    pub const MAX_DIGITS: usize = 15;

    /// The shortest number in digits: a country code with something behind it. The standard names no least; arbitrary.
    pub const MIN_DIGITS: usize = 4;

    /// Reads a number as people and clients write it: `+1 (201) 555-0123`, `tel:+1-201-555-0123`.
    ///
    /// Visual separators (RFC 3966, 3) and blanks are left out, and so are parameters of a `tel:` URI that name no
    /// other line.
    ///
    /// # Errors
    ///
    /// Why it is not a number that the whole world would dial alike.
    pub fn parse(text: &str) -> Result<Self, ParseNumberError> {
        let text = text.trim();
        let is_uri = text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("tel:"));
        let text = if is_uri { text.get(4..).unwrap_or_default() } else { text };
        let (number, parameters) = match text.split_once(';') {
            Some((number, parameters)) if is_uri => (number, parameters),
            Some(_) | None => (text, ""),
        };
        if parameters.split(';').any(names_another_line) {
            return Err(ParseNumberError::Extension);
        }
        let Some(digits) = number.strip_prefix('+') else { return Err(ParseNumberError::NotInternational) };
        let mut parsed = Self { text: [0; Self::MAX_DIGITS + 1], length: 0 };
        parsed.push(b'+');
        for character in digits.chars().filter(|character| !is_separator(*character)) {
            let digit = u8::try_from(character).ok().filter(u8::is_ascii_digit);
            let digit = digit.ok_or(ParseNumberError::Character(character))?;
            if !parsed.push(digit) {
                return Err(ParseNumberError::TooLong);
            }
        }
        match parsed.digits().as_bytes() {
            [b'0', ..] => Err(ParseNumberError::CountryCode),
            digits if digits.len() < Self::MIN_DIGITS => Err(ParseNumberError::TooShort),
            _ => Ok(parsed),
        }
    }

    /// The number whole: `+12015550123`.
    pub fn as_str(&self) -> &str {
        let written = self.text.get(..usize::from(self.length)).unwrap_or_default();
        // Only ASCII was ever pushed.
        str::from_utf8(written).unwrap_or_default()
    }

    /// The digits without the plus.
    pub fn digits(&self) -> &str {
        self.as_str().get(1..).unwrap_or_default()
    }

    /// Adds a character where there is room.
    fn push(&mut self, character: u8) -> bool {
        let Some(slot) = self.text.get_mut(usize::from(self.length)) else { return false };
        *slot = character;
        self.length += 1;
        true
    }
}

/// A visual separator (RFC 3966, 3), a blank, or what people put in place of either.
const fn is_separator(character: char) -> bool {
    matches!(character, '-' | '.' | '(' | ')' | ' ' | '\u{a0}')
}

/// Whether a parameter of a `tel:` URI makes it another line's than the number's own: an extension, a subaddress.
fn names_another_line(parameter: &str) -> bool {
    let name = parameter.split('=').next().unwrap_or_default();
    ["ext", "isub"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

impl fmt::Display for PhoneNumber {
    /// Shows the first digits and the last two: enough to tell two numbers of a log apart, not to dial one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Digits that a number has to have for any of them to be shown; of a shorter one most would be.
        const SHOWN_FROM: usize = 8;
        let digits = self.digits();
        let shown = (digits.len() >= SHOWN_FROM).then(|| digits.get(..3).zip(digits.get(digits.len() - 2..)));
        match shown.flatten() {
            Some((first, last)) => write!(f, "+{first}\u{2026}{last}"),
            None => f.write_str("+\u{2026}"),
        }
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PhoneNumber {
    type Err = ParseNumberError;

    fn from_str(text: &str) -> Result<Self, ParseNumberError> {
        Self::parse(text)
    }
}

impl Serialize for PhoneNumber {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for PhoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Why a text is not a number of the phone network. It does not repeat the text, which may be somebody's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseNumberError {
    /// Something that is neither a digit nor a separator.
    #[error("a phone number has no '{0}'; write it as +12015550123")]
    Character(char),
    /// No country's numbers begin with a zero.
    #[error("a country code does not begin with 0; write the number as +12015550123")]
    CountryCode,
    /// It names one line behind a number.
    #[error("a phone number with an extension or a subaddress cannot be called")]
    Extension,
    /// It does not begin with a plus, so that it means something else in each place.
    #[error("a phone number begins with + and its country code, as in +12015550123")]
    NotInternational,
    /// More digits than there may be.
    #[error("a phone number has at most 15 digits")]
    TooLong,
    /// Fewer digits than any number has.
    #[error("a phone number has at least 4 digits")]
    TooShort,
}

#[cfg(test)]
mod tests {
    use super::{ParseNumberError, PhoneNumber};

    #[test]
    fn a_number_is_read_as_people_and_clients_write_it() {
        let written = [
            "+12015550123",
            " +1 (201) 555-0123 ",
            "+1.201.555.0123",
            "+1\u{a0}201\u{a0}5550123",
            "tel:+1-201-555-0123",
            "TEL:+12015550123;verstat=TN-Validation-Passed",
        ];
        for text in written {
            let number = PhoneNumber::parse(text).unwrap();
            assert_eq!((number.as_str(), number.digits()), ("+12015550123", "12015550123"), "{text}");
        }
    }

    #[test]
    fn what_not_everybody_would_dial_alike_is_refused_with_its_reason() {
        use ParseNumberError::*;
        let cases = [
            ("", NotInternational),
            ("12015550123", NotInternational),
            ("0012015550123", NotInternational),
            ("tel:7042;phone-context=+1914", NotInternational),
            ("+", TooShort),
            ("+123", TooShort),
            ("+0123456", CountryCode),
            ("+1201555012345678", TooLong),
            ("+1201CALLME", Character('C')),
            ("+1201555+0123", Character('+')),
            ("+1201555\u{661}", Character('\u{661}')),
            ("+12015550123;ext=42", Character(';')),
            ("tel:+12015550123;EXT=42", Extension),
            ("tel:+12015550123;isub=1", Extension),
            ("sip:+12015550123@contoso.example", NotInternational),
        ];
        for (text, error) in cases {
            assert_eq!(PhoneNumber::parse(text), Err(error), "{text}");
        }
        assert!(PhoneNumber::parse("+123456789012345").is_ok(), "fifteen digits");
        assert!(PhoneNumber::parse("+1234").is_ok(), "four digits");
    }

    #[test]
    fn what_is_printed_does_not_show_the_middle() {
        let number = PhoneNumber::parse("+12015550123").unwrap();
        assert_eq!((number.to_string(), format!("{number:?}")), ("+120…23".to_owned(), "+120…23".to_owned()));
        assert_eq!(PhoneNumber::parse("+49110").unwrap().to_string(), "+…");
    }

    #[test]
    fn numbers_are_in_the_order_of_their_text() {
        let mut numbers = ["+2", "+1999", "+19", "+1"].map(|text| format!("{text}0000"));
        let mut parsed = numbers.clone().map(|text| PhoneNumber::parse(&text).unwrap());
        numbers.sort();
        parsed.sort();
        assert_eq!(parsed.map(|number| number.as_str().to_owned()), numbers);
    }
}
