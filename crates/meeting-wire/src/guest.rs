/// Characters of a guest's name.
pub const MAX_NAME_CHARS: usize = 64;

/// The name of a guest as it is shown: without spaces around it, one to [`MAX_NAME_CHARS`] characters. Nobody where it holds what is
/// no text, or turns the direction of the text around it.
pub fn guest_name(text: &str) -> Option<String> {
    let name = text.trim();
    let length = name.chars().take(MAX_NAME_CHARS + 1).count();
    let is_fit = (1..=MAX_NAME_CHARS).contains(&length) && !name.chars().any(is_unfit);
    is_fit.then(|| name.to_owned())
}

/// Control characters, ends of lines and paragraphs, and what turns text around (Unicode Standard Annex 9, 2).
fn is_unfit(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_text_whatever_is_in_it() {
        for (text, name) in [
            ("Ann", "Ann"),
            ("  Ann Lee ", "Ann Lee"),
            ("<b>Ann</b> & \"Co\"", "<b>Ann</b> & \"Co\""),
            ("Ægir 李 👩‍🚀", "Ægir 李 👩‍🚀"),
            (&"é".repeat(64), &"é".repeat(64)),
        ] {
            assert_eq!(guest_name(text).as_deref(), Some(name), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in
            ["", "  ", "a\nb", "a\0", "a\u{7f}b", "a\u{85}b", "a\u{202e}b", "a\u{2066}b", "a\u{2028}b"]
        {
            assert_eq!(guest_name(text), None, "{text:?}");
        }
        assert_eq!(guest_name(&"a".repeat(65)), None);
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_bounded(text in ".{0,200}") {
            if let Some(name) = guest_name(&text) {
                prop_assert!((1..=MAX_NAME_CHARS).contains(&name.chars().count()));
                prop_assert_eq!(guest_name(&name), Some(name));
            }
        }
    }
}
