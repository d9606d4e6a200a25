//! Unguessable bytes expanded from one seed.

use sha2::{Digest, Sha256};

/// A deterministic stream of unguessable values: SHA-256 of a secret seed and a counter.
///
/// The same seed gives the same stream, so a run can be repeated; nobody without the seed can
/// foretell a value from earlier ones, which tags, branches and nonces rely on (RFC 3261, 19.3).
#[derive(Clone)]
pub(crate) struct Entropy {
    seed: [u8; 32],
    counter: u64,
    block: [u8; 32],
    used: usize,
}

impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Entropy").field("counter", &self.counter).finish_non_exhaustive()
    }
}

impl Entropy {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0, block: [0; 32], used: 32 }
    }

    /// Sixty-four unguessable bits.
    pub(crate) fn next(&mut self) -> u64 {
        if self.used >= self.block.len() {
            self.block = Sha256::new()
                .chain_update(b"stream")
                .chain_update(self.seed)
                .chain_update(self.counter.to_be_bytes())
                .finalize()
                .into();
            self.counter = self.counter.wrapping_add(1);
            self.used = 0;
        }
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(self.block.iter().skip(self.used)) {
            *to = *from;
        }
        self.used += word.len();
        u64::from_be_bytes(word)
    }

    /// Sixteen hexadecimal digits.
    pub(crate) fn token(&mut self) -> String {
        format!("{:016x}", self.next())
    }

    /// A whole secret for another purpose than the stream, such as the key of nonces.
    pub(crate) fn secret(&self, purpose: &str) -> [u8; 32] {
        Sha256::new().chain_update(b"secret").chain_update(self.seed).chain_update(purpose).finalize().into()
    }

    /// A value that depends on the seed and on `input` only.
    ///
    /// Gives stateless responses the same To tag each time (RFC 3261, 8.2.7).
    pub(crate) fn keyed(&self, input: &str) -> u64 {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(b"keyed")
            .chain_update(self.seed)
            .chain_update(input)
            .finalize()
            .into();
        hash.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte))
    }

    /// A duration of at most `limit`.
    pub(crate) fn up_to(&mut self, limit: core::time::Duration) -> core::time::Duration {
        let ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        core::time::Duration::from_millis(self.next() % ms.saturating_add(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_stream_and_another_seed_another() {
        let stream = |seed| {
            let mut entropy = Entropy::new([seed; 32]);
            (0..9).map(|_| entropy.next()).collect::<Vec<_>>()
        };
        assert_eq!(stream(1), stream(1));
        assert!(stream(1).iter().all(|word| !stream(2).contains(word)));
    }

    #[test]
    fn values_do_not_repeat_within_a_stream() {
        let mut entropy = Entropy::new([7; 32]);
        let words: std::collections::BTreeSet<_> = (0..1000).map(|_| entropy.next()).collect();
        assert_eq!(words.len(), 1000);
    }

    #[test]
    fn a_keyed_value_depends_on_its_input_only() {
        let mut entropy = Entropy::new([7; 32]);
        let before = entropy.keyed("a");
        entropy.next();
        assert_eq!(entropy.keyed("a"), before);
        assert_ne!(entropy.keyed("b"), before);
    }
}
