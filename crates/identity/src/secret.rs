use argon2::{Argon2, PasswordHash, PasswordHasher, PasswordVerifier};

use crate::random;

/// A PHC string that no secret fits: what an unknown application's secret is compared with, so that it takes as long.
pub(crate) const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$aG9va3N3aXRjaC5ub25l$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// The secret cannot be hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to hash a secret")]
pub struct SecretHashError;

/// Hashes a secret with argon2id for keeping: a PHC string, with 19 MiB and two passes as OWASP advises.
///
/// Takes some 20 ms of CPU and 19 MiB of memory.
///
/// # Errors
///
/// [`SecretHashError`] where the library refuses, for instance a secret of gigabytes.
pub fn hash_secret(secret: &str) -> Result<String, SecretHashError> {
    let salt = random::bytes::<16>();
    let hash = Argon2::default().hash_password_with_salt(secret.as_bytes(), &salt);
    hash.map(|hash| hash.to_string()).map_err(|_| SecretHashError)
}

/// Whether the secret is the one behind the PHC string; compares in constant time, and costs what hashing costs.
pub fn verify_secret(secret: &str, phc: &str) -> bool {
    PasswordHash::new(phc)
        .is_ok_and(|hash| Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
}

/// Whether `digest` is the SHA-256 of a token; compares in constant time.
///
/// For tokens that are random, which need no costly hash: those that fetch recordings.
pub fn is_sha256_of(token: &str, digest: &[u8; 32]) -> bool {
    let own = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
    aws_lc_rs::constant_time::verify_slices_are_equal(own.as_ref(), digest).is_ok()
}

/// Whether two short secrets, such as passcodes, are the same; takes as long wherever they differ.
pub fn is_same_secret(one: &str, other: &str) -> bool {
    let digest = |text: &str| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    aws_lc_rs::constant_time::verify_slices_are_equal(digest(one).as_ref(), digest(other).as_ref()).is_ok()
}

#[cfg(test)]
mod tests {
    use argon2::PasswordHash;

    use super::{NOBODYS_HASH, hash_secret, is_same_secret, is_sha256_of, verify_secret};

    #[test]
    fn a_hash_fits_its_secret_and_no_other() {
        let hash = hash_secret("dev-secret").unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_secret("dev-secret", &hash));
        assert!(!verify_secret("dev-secret ", &hash));
        assert!(!verify_secret("dev-secret", "not a hash"));
    }

    #[test]
    fn a_tokens_digest_is_told_from_anothers() {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"token");
        let digest = <[u8; 32]>::try_from(digest.as_ref()).unwrap();
        assert!(is_sha256_of("token", &digest));
        assert!(!is_sha256_of("Token", &digest));
    }

    #[test]
    fn two_hashes_of_one_secret_differ() {
        assert_ne!(hash_secret("x").unwrap(), hash_secret("x").unwrap());
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let (nobody, real) = (PasswordHash::new(NOBODYS_HASH).unwrap(), hash_secret("x").unwrap());
        let real = PasswordHash::new(&real).unwrap();
        assert_eq!(nobody.params, real.params);
        assert_eq!(nobody.algorithm, real.algorithm);
        assert_eq!(nobody.hash.unwrap().len(), real.hash.unwrap().len());
        assert!(!verify_secret("", NOBODYS_HASH));
    }

    #[test]
    fn secrets_are_the_same_only_to_the_last_character() {
        assert!(is_same_secret("psw123", "psw123"));
        for other in ["psw124", "psw12", "psw1234", "PSW123", ""] {
            assert!(!is_same_secret("psw123", other), "{other}");
        }
    }
}
