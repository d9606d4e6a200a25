/// Whether these keys spell a passcode.
///
/// Digits are keys themselves. A letter is the key that it is on, in either case (ITU-T E.161, 5.2.1); everything else, a dash for
/// example, is not pressed at all. A passcode of which nothing can be pressed is spelled by no keys.
///
/// `psw123` is keyed as 779123, and so is `rqx123`: whoever uses letters has fewer passcodes on a telephone than in the API, which is
/// why wrong ones are counted more strictly here ([`crate::Guesses`]).
pub fn is_keyed(passcode: &str, keys: &str) -> bool {
    !keys.is_empty() && passcode.chars().filter_map(key_of).eq(keys.chars())
}

/// The key that a character is on.
fn key_of(character: char) -> Option<char> {
    match character.to_ascii_lowercase() {
        digit @ '0'..='9' => Some(digit),
        'a'..='c' => Some('2'),
        'd'..='f' => Some('3'),
        'g'..='i' => Some('4'),
        'j'..='l' => Some('5'),
        'm'..='o' => Some('6'),
        'p'..='s' => Some('7'),
        't'..='v' => Some('8'),
        'w'..='z' => Some('9'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::is_keyed;

    #[test]
    fn digits_and_letters_are_keyed_as_telephones_are_labelled() {
        let keyed = [
            ("123456", "123456"),
            ("psw123", "779123"),
            ("PSW123", "779123"),
            ("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999"),
            ("12-34 ü", "1234"),
        ];
        for (passcode, keys) in keyed {
            assert!(is_keyed(passcode, keys), "{passcode}");
        }
    }

    #[test]
    fn other_keys_fewer_and_more_are_wrong() {
        for keys in ["", "779124", "77912", "7791233", "psw123"] {
            assert!(!is_keyed("psw123", keys), "{keys}");
        }
    }

    #[test]
    fn a_passcode_without_any_key_is_never_right() {
        assert!(!is_keyed("", "") && !is_keyed("\u{e9}\u{df}", ""));
    }
}
