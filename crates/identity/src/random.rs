use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use uuid::{Builder, Uuid};

/// Returns random bytes; the one place of this crate that asks for them.
///
/// # Panics
///
/// Panics where the operating system has no randomness to give: nothing here is safe without it.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// Returns a random GUID (RFC 9562, 5.4).
///
/// # Panics
///
/// Panics where the operating system has no randomness to give.
pub fn random_guid() -> Uuid {
    Builder::from_random_bytes(bytes()).into_uuid()
}

/// Returns `length` characters of `alphabet`, each as likely as any other.
///
/// # Panics
///
/// Panics where the operating system has no randomness to give, and for an alphabet that is empty or not ASCII.
pub fn random_text(alphabet: &str, length: usize) -> String {
    assert!(alphabet.is_ascii() && !alphabet.is_empty(), "an alphabet of ASCII characters");
    let letters = alphabet.as_bytes();
    // Bytes from the last, incomplete round of the alphabet would favour its beginning.
    let fair = 256 - 256 % letters.len();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let fit = bytes::<32>().into_iter().map(usize::from).filter(|byte| *byte < fair);
        text.extend(fit.filter_map(|byte| letters.get(byte % letters.len())).copied().map(char::from));
    }
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::random_text;

    #[test]
    fn a_random_text_has_its_length_and_uses_its_whole_alphabet() {
        let text = random_text("0123456789", 1000);
        assert_eq!(text.len(), 1000);
        assert!((b'0'..=b'9').all(|digit| text.bytes().any(|byte| byte == digit)));
        assert_ne!(random_text("0123456789", 20), random_text("0123456789", 20));
        assert_eq!(random_text("x", 0), "");
    }
}
