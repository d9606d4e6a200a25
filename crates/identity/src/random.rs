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
