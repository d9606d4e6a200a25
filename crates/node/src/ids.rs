use model::IdSource;
use uuid::Uuid;

/// Ids from the operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "this is the id source that everything else is given")]
    fn next_guid(&mut self) -> Uuid {
        Uuid::new_v4()
    }
}

/// What a deterministic source of the sans-IO crates starts from.
pub(crate) fn random_seed() -> [u8; 32] {
    let mut ids = RandomIds;
    let mut seed = [0; 32];
    for half in seed.chunks_exact_mut(16) {
        half.copy_from_slice(ids.next_guid().as_bytes());
    }
    seed
}
