//! The Reason header (RFC 3326).

use sip_message::Headers;

use crate::event::Reason;

/// The value for a reason; what has no place in it is left out.
pub(super) fn write(reason: &Reason) -> String {
    let text: String = reason.text.chars().filter(|char| !matches!(char, '"' | '\\')).collect();
    let protocol: String = reason
        .protocol
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-'))
        .collect();
    format!("{protocol};cause={};text=\"{text}\"", reason.cause)
}

/// Whether a CANCEL or a refusal says that somebody else has answered: by the status 200 of SIP (RFC 3326, 3.1), or by what
/// telephone networks call non-selected user clearing (Q.850, cause 26).
pub(super) fn says_elsewhere(headers: &Headers) -> bool {
    headers.get_all("Reason").any(|value| unquoted(value).split(',').any(is_elsewhere))
}

fn is_elsewhere(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let protocol = parts.next().unwrap_or_default();
    let cause = parts.find_map(|part| {
        let (name, cause) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("cause").then(|| cause.trim())
    });
    match cause {
        Some("200") => protocol.eq_ignore_ascii_case("SIP"),
        Some("26") => protocol.eq_ignore_ascii_case("Q.850"),
        Some(_) | None => false,
    }
}

/// Without texts, which may hold what separates the rest.
fn unquoted(value: &str) -> String {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let is_outside = |char: &char| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        is_escaped = is_quoted && *char == '\\';
        is_quoted ^= *char == '"';
        !is_quoted && *char != '"'
    };
    value.chars().filter(is_outside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(values: &[&str]) -> bool {
        let mut headers = Headers::default();
        values.iter().for_each(|value| headers.push("Reason", *value));
        says_elsewhere(&headers)
    }

    #[test]
    fn a_call_that_was_answered_elsewhere_is_known_in_every_spelling() {
        assert!(says(&[&write(&Reason::answered_elsewhere())]));
        assert!(says(&["sip ; Cause = 200 ; text=\"Call completed elsewhere\""]));
        assert!(says(&["Q.850;cause=26;text=\"LOSE_RACE\""]));
        assert!(says(&["Q.850;cause=16, SIP;cause=200"]));
        assert!(says(&["Q.850;cause=16", "SIP;cause=200"]));
        assert!(says(&["SIP;text=\"a, \\\"b\\\"; c\";cause=200"]));
    }

    #[test]
    fn another_reason_says_nothing_of_the_kind() {
        assert!(!says(&[]));
        for other in [
            "",
            "SIP",
            "SIP;cause=487;text=\"ORIGINATOR_CANCEL\"",
            "SIP;cause=26",
            "Q.850;cause=200",
            "SIP;cause=2000",
            "SIP;text=\"cause=200\"",
            "SIP;text=\"x, SIP;cause=200\"",
            "SIP;text=\"\\\", SIP;cause=200",
        ] {
            assert!(!says(&[other]), "{other}");
        }
    }
}
