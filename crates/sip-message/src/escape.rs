//! `%` escapes of URIs.

use crate::lex;

/// Whether the text consists of accepted octets and well-formed escapes.
pub(crate) fn is_escaped(text: &str, accept: impl Fn(u8) -> bool) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let valid = match byte {
            b'%' => {
                bytes.next().is_some_and(|hex| hex.is_ascii_hexdigit())
                    && bytes.next().is_some_and(|hex| hex.is_ascii_hexdigit())
            }
            _ => accept(byte),
        };
        if !valid {
            return false;
        }
    }
    true
}

/// Escapes every octet that is not accepted.
pub(crate) fn encode(text: &str, accept: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if accept(byte) {
            escaped.push(char::from(byte));
        } else {
            push_escape(&mut escaped, byte);
        }
    }
    escaped
}

/// Undoes all escapes; what is not UTF-8 afterwards is replaced.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let plain: Vec<u8> = octets(text).map(|(byte, _)| byte).collect();
    String::from_utf8_lossy(&plain).into_owned()
}

/// One spelling for all equivalent ones (RFC 3261, 19.1.4): escapes of unreserved octets are undone, others are
/// in upper case.
pub(crate) fn canonical(text: &str) -> String {
    let mut canonical = String::with_capacity(text.len());
    for (byte, escaped) in octets(text) {
        if escaped && !lex::is_unreserved(byte) {
            push_escape(&mut canonical, byte);
        } else {
            canonical.push(char::from(byte));
        }
    }
    canonical
}

/// The octets of the text with escapes undone, each with whether it was escaped.
fn octets(text: &str) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            rest = after;
            return Some((high << 4 | low, true));
        }
        let (first, after) = rest.split_first()?;
        rest = after;
        Some((*first, false))
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn push_escape(text: &mut String, byte: u8) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    text.push('%');
    for digit in [byte >> 4, byte & 15] {
        text.extend(DIGITS.get(usize::from(digit)));
    }
}
