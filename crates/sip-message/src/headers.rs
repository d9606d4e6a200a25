//! The list of header fields of a message.

use std::fmt;

use crate::lex;

/// Header names that are stored without allocation, in their usual spelling, the shortest first.
const KNOWN: [&str; 62] = [
    "To",
    "Via",
    "CSeq",
    "Date",
    "From",
    "Path",
    "RAck",
    "RSeq",
    "Allow",
    "Event",
    "Route",
    "Accept",
    "Min-SE",
    "Reason",
    "Server",
    "Call-ID",
    "Contact",
    "Expires",
    "Privacy",
    "Require",
    "Subject",
    "Warning",
    "Identity",
    "Priority",
    "Refer-To",
    "Replaces",
    "Reply-To",
    "Call-Info",
    "Supported",
    "Timestamp",
    "Alert-Info",
    "User-Agent",
    "In-Reply-To",
    "Min-Expires",
    "Referred-By",
    "Retry-After",
    "Unsupported",
    "Allow-Events",
    "Content-Type",
    "MIME-Version",
    "Max-Forwards",
    "Organization",
    "Record-Route",
    "Authorization",
    "Proxy-Require",
    "Service-Route",
    "Accept-Contact",
    "Content-Length",
    "Reject-Contact",
    "Accept-Encoding",
    "Accept-Language",
    "Session-Expires",
    "Content-Encoding",
    "Content-Language",
    "WWW-Authenticate",
    "Proxy-Authenticate",
    "Subscription-State",
    "Authentication-Info",
    "Content-Disposition",
    "P-Asserted-Identity",
    "Proxy-Authorization",
    "Request-Disposition",
];

/// Compact forms, in lower case, in the order of the alphabet.
const COMPACT: [(u8, &str); 19] = [
    (b'a', "Accept-Contact"),
    (b'b', "Referred-By"),
    (b'c', "Content-Type"),
    (b'd', "Request-Disposition"),
    (b'e', "Content-Encoding"),
    (b'f', "From"),
    (b'i', "Call-ID"),
    (b'j', "Reject-Contact"),
    (b'k', "Supported"),
    (b'l', "Content-Length"),
    (b'm', "Contact"),
    (b'o', "Event"),
    (b'r', "Refer-To"),
    (b's', "Subject"),
    (b't', "To"),
    (b'u', "Allow-Events"),
    (b'v', "Via"),
    (b'x', "Session-Expires"),
    (b'y', "Identity"),
];

/// Where the names of each length begin in [`KNOWN`]; names are looked up often, and few have the same length.
const STARTS: [usize; LONGEST + 2] = {
    let mut starts = [0; LONGEST + 2];
    let mut at = 0;
    while at < KNOWN.len() {
        let mut longer = KNOWN[at].len() + 1;
        while longer < starts.len() {
            starts[longer] = at + 1;
            longer += 1;
        }
        at += 1;
    }
    starts
};

const LONGEST: usize = KNOWN[KNOWN.len() - 1].len();

#[derive(Clone, PartialEq, Eq)]
enum Name {
    Known(&'static str),
    Other(Box<str>),
}

impl Name {
    fn new(text: &str) -> Self {
        let known = match text.as_bytes() {
            [letter] => {
                let letter = letter.to_ascii_lowercase();
                COMPACT.iter().find_map(|(compact, name)| (*compact == letter).then_some(*name))
            }
            _ => same_length(text.len()).iter().find(|name| name.eq_ignore_ascii_case(text)).copied(),
        };
        known.map_or_else(|| Self::Other(text.into()), Self::Known)
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name,
            Self::Other(name) => name,
        }
    }
}

fn same_length(length: usize) -> &'static [&'static str] {
    match (STARTS.get(length), STARTS.get(length + 1)) {
        (Some(from), Some(to)) => KNOWN.get(*from..*to).unwrap_or_default(),
        (None, _) | (_, None) => &[],
    }
}

/// Text that can stand as the value of one header field: it holds no CR and no LF, so it cannot start another field.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderValue(String);

impl HeaderValue {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for HeaderValue {
    /// Takes the text over, with every CR and LF replaced by a space.
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<String> for HeaderValue {
    /// Takes the text over, with every CR and LF replaced by a space.
    fn from(mut text: String) -> Self {
        if memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_some() {
            text = text.replace(['\r', '\n'], " ");
        }
        if text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']) {
            text = lex::trim(&text).to_owned();
        }
        Self(text)
    }
}

macro_rules! value_from_display {
    ($($type:ty),*) => {$(
        impl From<&$type> for HeaderValue {
            fn from(value: &$type) -> Self {
                Self::from(value.to_string())
            }
        }
        impl From<$type> for HeaderValue {
            fn from(value: $type) -> Self {
                Self::from(value.to_string())
            }
        }
    )*};
}
value_from_display!(
    crate::Via,
    crate::NameAddr,
    crate::CSeq,
    crate::SessionExpires,
    crate::EventType,
    crate::Replaces,
    crate::Privacy,
    crate::RAck,
    u32
);

/// The header fields of a message, in order. Names compare without case and with compact forms; known names are
/// stored in their usual long spelling.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(Name, HeaderValue)>);

impl Headers {
    /// No fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// The values of all fields of that name, in order; a value may hold a comma-separated list.
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let wanted = Name::new(name);
        self.0.iter().filter(move |(known, _)| same_name(known, &wanted)).map(|(_, value)| value.as_str())
    }

    /// Whether there is a field of that name.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Adds a field at the end.
    pub fn push(&mut self, name: &str, value: impl Into<HeaderValue>) {
        self.0.push((clean_name(name), value.into()));
    }

    /// Adds a field whose name is a token and whose trimmed value holds no line breaks.
    pub(crate) fn push_parsed(&mut self, name: &str, value: &str) {
        let value = HeaderValue(value.to_owned());
        self.0.push((Name::new(name), value));
    }

    /// Adds a field before all others, as a new top Via needs it.
    pub fn push_front(&mut self, name: &str, value: impl Into<HeaderValue>) {
        self.0.insert(0, (clean_name(name), value.into()));
    }

    /// Replaces all fields of that name by one, at the place of the first; adds it at the end when there was none.
    pub fn set(&mut self, name: &str, value: impl Into<HeaderValue>) {
        let wanted = clean_name(name);
        match self.0.iter().position(|(known, _)| same_name(known, &wanted)) {
            Some(at) => {
                let mut seen = 0_usize;
                self.0.retain(|(known, _)| {
                    let same = same_name(known, &wanted);
                    seen += usize::from(same);
                    !same || seen == 1
                });
                if let Some(field) = self.0.get_mut(at) {
                    field.1 = value.into();
                }
            }
            None => self.0.push((wanted, value.into())),
        }
    }

    /// Replaces the first field of that name; says whether there was one.
    pub fn replace_first(&mut self, name: &str, value: impl Into<HeaderValue>) -> bool {
        let wanted = Name::new(name);
        let field = self.0.iter_mut().find(|(known, _)| same_name(known, &wanted));
        field.map(|field| field.1 = value.into()).is_some()
    }

    /// Removes all fields of that name; says how many there were.
    pub fn remove(&mut self, name: &str) -> usize {
        let wanted = Name::new(name);
        let before = self.0.len();
        self.0.retain(|(known, _)| !same_name(known, &wanted));
        before - self.0.len()
    }

    /// All fields as name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn same_name(a: &Name, b: &Name) -> bool {
    match (a, b) {
        (Name::Known(a), Name::Known(b)) => a == b,
        (Name::Other(a), Name::Other(b)) => a.eq_ignore_ascii_case(b),
        (Name::Known(_) | Name::Other(_), _) => false,
    }
}

/// A name that a writer may emit: octets outside `token` become hyphens, and so does an empty name.
fn clean_name(name: &str) -> Name {
    if lex::is_token(name) {
        return Name::new(name);
    }
    if name.is_empty() {
        return Name::new("-");
    }
    let clean = |char: char| match u8::try_from(char) {
        Ok(byte) if lex::is_token_byte(byte) => char,
        Ok(_) | Err(_) => '-',
    };
    Name::new(&name.chars().map(clean).collect::<String>())
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_short_and_differently_cased_names_are_one() {
        let mut headers = Headers::new();
        headers.push("v", "a");
        headers.push("VIA", "b");
        headers.push("X-Own", "c");

        assert_eq!(headers.get_all("Via").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(headers.get("x-own"), Some("c"));
        headers.set("via", "d");
        assert_eq!(headers.iter().collect::<Vec<_>>(), [("Via", "d"), ("X-Own", "c")]);
    }

    #[test]
    fn every_known_name_and_compact_form_is_found() {
        let lengths: Vec<usize> = KNOWN.iter().map(|name| name.len()).collect();
        assert!(lengths.is_sorted());
        for name in KNOWN {
            assert!(Name::new(&name.to_lowercase()) == Name::Known(name), "{name}");
        }
        for (letter, name) in COMPACT {
            let letter = char::from(letter).to_string();
            assert!(KNOWN.contains(&name) && Name::new(&letter) == Name::Known(name));
        }
    }

    #[test]
    fn neither_name_nor_value_can_start_another_field() {
        let mut headers = Headers::new();

        headers.push("Sub\r\nject", "x\r\nVia: evil");
        headers.push("", "y");

        assert_eq!(headers.iter().collect::<Vec<_>>(), [("Sub--ject", "x  Via: evil"), ("-", "y")]);
    }
}
