//! The lexical rules that the grammars of RFC 3261, 25.1 share.

/// One octet of `token`.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Whether the whole text is a `token`.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// `unreserved` of URIs.
pub(crate) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')')
}

/// Removes SP and HTAB at both ends; folds are gone before anything comes here.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Removes SP and HTAB at the start.
pub(crate) fn trim_start(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// Splits the longest prefix whose octets all satisfy `accept`, which must accept only ASCII.
pub(crate) fn take_while(text: &str, accept: impl Fn(u8) -> bool) -> (&str, &str) {
    let end = text.bytes().position(|byte| !accept(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// Splits a quoted-string, quotes included, off the start.
pub(crate) fn take_quoted(text: &str) -> Option<(&str, &str)> {
    let mut bytes = text.bytes().enumerate();
    if bytes.next()?.1 != b'"' {
        return None;
    }
    while let Some((at, byte)) = bytes.next() {
        match byte {
            // A quoted-pair covers one octet of ASCII (RFC 3261, 25.1).
            b'\\' => drop(bytes.next().filter(|(_, pair)| pair.is_ascii())?),
            b'"' => return text.split_at_checked(at + 1),
            0..=8 | 10..=31 | 127 => return None,
            _ => {}
        }
    }
    None
}

/// The content of a quoted-string without quotes and escapes; any other text as it is.
pub(crate) fn unquote(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        if char == '\\' {
            plain.extend(chars.next());
        } else {
            plain.push(char);
        }
    }
    plain
}

/// Writes text as a quoted-string. CR and LF cannot be quoted (RFC 3261, 25.1) and are left out.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for char in text.chars() {
        match char {
            '\r' | '\n' => continue,
            '"' | '\\' | '\0'..='\x08' | '\x0b'..='\x1f' | '\x7f' => quoted.push('\\'),
            _ => {}
        }
        quoted.push(char);
    }
    quoted.push('"');
    quoted
}

/// The comma-separated elements of a header value; commas in quotes and angle brackets do not count.
/// Elements are trimmed, and empty ones are kept so that the caller can refuse them.
pub(crate) fn elements(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, after) = match element_end(text) {
            Some(end) => (text.get(..end)?, text.get(end + 1..)),
            None => (text, None),
        };
        rest = after;
        Some(trim(element))
    })
}

fn element_end(text: &str) -> Option<usize> {
    let (mut quoted, mut angled, mut escaped) = (false, false, false);
    for (at, byte) in text.bytes().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' if quoted => escaped = true,
            b'"' if !angled => quoted = !quoted,
            b'<' if !quoted => angled = true,
            b'>' if !quoted => angled = false,
            b',' if !quoted && !angled => return Some(at),
            _ => {}
        }
    }
    None
}

/// A number of `1*DIGIT` that fits; leading zeros are allowed, signs and blanks are not.
pub(crate) fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let parts: Vec<_> = elements(r#""a, \" b" <sip:x,y@h>, <sip:z>,"#).collect();

        assert_eq!(parts, [r#""a, \" b" <sip:x,y@h>"#, "<sip:z>", ""]);
    }

    #[test]
    fn quoting_undoes_unquoting_and_drops_line_breaks() {
        assert_eq!(unquote(&quote("a\"b\\c\0")), "a\"b\\c\0");
        assert_eq!(quote("a\r\nVia: x"), "\"aVia: x\"");
    }

    #[test]
    fn an_unterminated_quoted_string_is_refused() {
        assert_eq!(take_quoted("\"abc"), None);
        assert_eq!(take_quoted("\"abc\\\""), None);
    }

    #[test]
    fn numbers_refuse_signs_and_overflow() {
        assert_eq!(number::<u32>("0068"), Some(68));
        assert_eq!(number::<u32>("-1"), None);
        assert_eq!(number::<u32>("+1"), None);
        assert_eq!(number::<u32>("4294967296"), None);
    }
}
