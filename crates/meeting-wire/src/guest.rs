/// Characters of a guest's name.
pub const MAX_NAME_CHARS: usize = 64;

/// The name of a guest as it is shown: without spaces around it, one to [`MAX_NAME_CHARS`] characters, of which at least one is
/// seen. Nobody where it holds what is no text, turns the direction of the text around it, or makes it look like another name.
pub fn guest_name(text: &str) -> Option<String> {
    let name = text.trim();
    let length = name.chars().take(MAX_NAME_CHARS + 1).count();
    ((1..=MAX_NAME_CHARS).contains(&length) && is_fit(name)).then(|| name.to_owned())
}

/// What a character does in a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// A blank.
    Blank,
    /// Joins two characters, or keeps them apart.
    Joiner,
    /// Chooses how the character before it is drawn.
    Selector,
    /// No part of a name.
    Unfit,
    /// Is seen.
    Visible,
}

fn is_fit(name: &str) -> bool {
    let mut before = Class::Blank;
    let mut is_seen = false;
    for c in name.chars() {
        let class = class(c);
        let fits = match class {
            Class::Unfit => false,
            // Only where they do what they are for: two names must not differ by something that nobody sees.
            Class::Joiner => matches!(before, Class::Visible | Class::Selector),
            Class::Selector => before == Class::Visible,
            Class::Blank | Class::Visible => class == Class::Visible || before != Class::Joiner,
        };
        if !fits {
            return false;
        }
        is_seen |= class == Class::Visible;
        before = class;
    }
    is_seen && before != Class::Joiner
}

/// Unfit are control characters, ends of lines and paragraphs, what turns text around (Unicode Standard Annex 9, 2), and what else
/// is not seen: `Default_Ignorable_Code_Point` of the Unicode Character Database, but for what scripts and emoji need.
fn class(c: char) -> Class {
    match c {
        '\u{200c}' | '\u{200d}' => Class::Joiner,
        '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => {
            Class::Selector
        }
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => Class::Unfit,
        // A pattern of Braille without dots.
        '\u{2800}' => Class::Blank,
        c if c.is_control() => Class::Unfit,
        c if c.is_whitespace() => Class::Blank,
        _ => Class::Visible,
    }
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
            // A joiner after a selector, one between letters, and a form of an ideograph.
            ("Ann \u{2764}\u{fe0f}\u{200d}\u{1f525}", "Ann \u{2764}\u{fe0f}\u{200d}\u{1f525}"),
            ("علی\u{200c}رضا", "علی\u{200c}رضا"),
            ("\u{845b}\u{e0100}城", "\u{845b}\u{e0100}城"),
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

    #[test]
    fn what_nobody_sees_makes_no_name_and_is_no_part_of_one() {
        let unseen = "\u{ad}\u{34f}\u{61c}\u{115f}\u{180e}\u{200b}\u{200e}\u{200f}\u{2060}\u{2064}\u{206f}\u{3164}\u{feff}\u{ffa0}\u{e0041}";
        for c in unseen.chars() {
            for text in [format!("{c}"), format!("Bob{c}"), format!("{c}Bob"), format!("B{c}ob")] {
                assert_eq!(guest_name(&text), None, "{text:?}");
            }
        }
        for joiner in ['\u{200c}', '\u{200d}'] {
            for text in [
                format!("{joiner}"),
                format!("Bob{joiner}"),
                format!("{joiner}Bob"),
                format!("B{joiner}{joiner}ob"),
                format!("Bob{joiner} Lee"),
                format!("Bob {joiner}Lee"),
            ] {
                assert_eq!(guest_name(&text), None, "{text:?}");
            }
        }
        for text in [
            "\u{fe0f}",
            "\u{fe0f}Bob",
            "B\u{fe0f}\u{fe0f}ob",
            "Bob \u{fe0f}",
            "\u{2800}",
            "\u{2800} \u{2800}",
        ] {
            assert_eq!(guest_name(text), None, "{text:?}");
        }
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
