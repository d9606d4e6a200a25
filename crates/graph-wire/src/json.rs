//! JSON as the documented examples write it: RFC 8259, and a comma before a closing bracket does no harm.

use serde_json::Value;

use crate::InvalidRequest;

/// Deepest nesting of objects and arrays. The deepest documented request has 6; the rest is room for open types.
pub const MAX_DEPTH: usize = 32;

/// Reads a body.
///
/// A comma before `}` or `]` is skipped; of members with one name the last counts, as in every common parser. A byte
/// order mark at the start is skipped. Lines and columns are those of `body` itself.
///
/// # Errors
///
/// [`InvalidRequest::Malformed`] for anything else that is not JSON in UTF-8, and for nesting beyond [`MAX_DEPTH`].
pub fn parse(body: &[u8]) -> Result<Value, InvalidRequest> {
    let text = std::str::from_utf8(body)
        .map_err(|error| malformed(body, error.valid_up_to(), "the body is not UTF-8"))?;
    match blank_tolerated(body)? {
        None => serde_json::from_str(text),
        Some(blanked) => serde_json::from_slice(&blanked),
    }
    .map_err(|error| InvalidRequest::Malformed {
        line: error.line().max(1),
        column: error.column().max(1),
        problem: describe(&error),
    })
}

/// Replaces what is tolerated by spaces, so that positions stay; `None` where there is nothing to replace.
fn blank_tolerated(body: &[u8]) -> Result<Option<Vec<u8>>, InvalidRequest> {
    let mut blanked: Option<Vec<u8>> = None;
    let mut blank = |at: std::ops::Range<usize>| {
        if let Some(bytes) = blanked.get_or_insert_with(|| body.to_vec()).get_mut(at) {
            bytes.fill(b' ');
        }
    };
    if body.starts_with(BYTE_ORDER_MARK) {
        blank(0..BYTE_ORDER_MARK.len());
    }
    let mut scan = Scan::default();
    for (at, &byte) in body.iter().enumerate() {
        if let Some(comma) = scan.step(at, byte) {
            blank(comma..comma.saturating_add(1));
        }
        if scan.depth > MAX_DEPTH {
            return Err(malformed(body, at, "nested too deep"));
        }
    }
    Ok(blanked)
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Knows just enough of JSON to tell a comma before a closing bracket from any other byte.
#[derive(Default)]
struct Scan {
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// A comma that follows a value, with only white space since.
    comma: Option<usize>,
    /// Whether the last thing other than white space ended a value.
    has_value_ended: bool,
}

impl Scan {
    /// Takes the next byte; returns where a comma is that must go.
    fn step(&mut self, at: usize, byte: u8) -> Option<usize> {
        if self.is_in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.is_in_string = false,
                _ => {}
            }
            return None;
        }
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => return None,
            b',' => {
                self.comma = self.has_value_ended.then_some(at);
                self.has_value_ended = false;
                return None;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.has_value_ended = true;
                return self.comma.take();
            }
            b'{' | b'[' => {
                self.depth = self.depth.saturating_add(1);
                self.has_value_ended = false;
            }
            b'"' => {
                self.is_in_string = true;
                self.has_value_ended = true;
            }
            b':' => self.has_value_ended = false,
            _ => self.has_value_ended = true,
        }
        self.comma = None;
        None
    }
}

/// The parser's words without its own account of the position.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text.get(..end).unwrap_or(&text).to_owned(),
        None => text,
    }
}

fn malformed(body: &[u8], at: usize, problem: &str) -> InvalidRequest {
    let before = body.get(..at).unwrap_or(body);
    let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end.saturating_add(1));
    InvalidRequest::Malformed {
        line: before.iter().filter(|&&byte| byte == b'\n').count().saturating_add(1),
        column: before.len().saturating_sub(line_start).saturating_add(1),
        problem: problem.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{MAX_DEPTH, parse};
    use crate::InvalidRequest;

    fn place(body: &str) -> (usize, usize) {
        match parse(body.as_bytes()) {
            Err(InvalidRequest::Malformed { line, column, .. }) => (line, column),
            other => panic!("{body:?} gave {other:?}"),
        }
    }

    #[test]
    fn a_comma_before_a_closing_bracket_is_skipped() {
        let body = "{\"a\": [1, 2 ,\n ], \"b\": {\"c\": \",]\\\",}\", } ,}";
        assert_eq!(parse(body.as_bytes()), Ok(json!({"a": [1, 2], "b": {"c": ",]\",}"}})));
    }

    #[test]
    fn a_comma_that_follows_no_value_is_refused_where_it_stands() {
        assert_eq!(place("[,]"), (1, 2));
        assert_eq!(place("{,}"), (1, 2));
        assert_eq!(place("[1,,]"), (1, 4));
        assert_eq!(place("{\"a\":,}"), (1, 6));
        assert_eq!(place("[1]\n,"), (2, 1));
    }

    #[test]
    fn other_malformed_json_is_refused_with_its_line_and_column() {
        assert_eq!(place("{\n  \"a\": tru,\n}"), (2, 11));
        assert_eq!(place("{\"a\": 1 // no\n}"), (1, 9));
        assert_eq!(place("{'a': 1}"), (1, 2));
        assert_eq!(place("[1,\n 2,\n 3"), (3, 2));
        assert_eq!(place(""), (1, 1));
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_refused_where_they_stand() {
        assert_eq!(
            parse(b"{\n\"a\": \"\xFF\"}"),
            Err(InvalidRequest::Malformed {
                line: 2,
                column: 7,
                problem: "the body is not UTF-8".to_owned()
            })
        );
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(place(&nested(MAX_DEPTH + 1)), (1, MAX_DEPTH + 1));
        assert_eq!(place(&"[".repeat(1_000_000)), (1, MAX_DEPTH + 1));
    }

    #[test]
    fn the_last_of_two_members_counts_and_a_byte_order_mark_does_not() {
        assert_eq!(parse(b"\xEF\xBB\xBF{\"a\": 1, \"a\": 2}"), Ok(json!({"a": 2})));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~\n\u{e9}\u{1f600}]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,6}", inner, 0..6)
                    .prop_map(|members| members.into_iter().collect::<Value>()),
            ]
        })
    }

    /// Writes a comma before every closing bracket that a value precedes.
    fn with_trailing_commas(value: &Value, out: &mut String) {
        match value {
            Value::Array(items) => {
                out.push('[');
                for item in items {
                    with_trailing_commas(item, out);
                    out.push_str(" ,\n");
                }
                out.push(']');
            }
            Value::Object(members) => {
                out.push('{');
                for (name, member) in members {
                    out.push_str(&format!("{}:", Value::from(name.as_str())));
                    with_trailing_commas(member, out);
                    out.push(',');
                }
                out.push('}');
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                out.push_str(&value.to_string());
            }
        }
    }

    proptest! {
        #[test]
        fn valid_json_reads_the_same_with_and_without_trailing_commas(value in any_json()) {
            prop_assert_eq!(parse(value.to_string().as_bytes()), Ok(value.clone()));
            let mut sloppy = String::new();
            with_trailing_commas(&value, &mut sloppy);
            prop_assert_eq!(parse(sloppy.as_bytes()), Ok(value));
        }

        #[test]
        fn no_bytes_make_it_panic_and_strict_json_is_never_refused(
            body in prop::collection::vec(prop_oneof![
                prop::sample::select(b"{}[],:\"\\ \n1tfn".to_vec()),
                any::<u8>(),
            ], 0..64),
        ) {
            let lenient = parse(&body);
            if let Ok(strict) = serde_json::from_slice::<Value>(&body) {
                prop_assert_eq!(lenient, Ok(strict));
            }
        }
    }
}
