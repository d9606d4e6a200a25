//! Session keys and the transforms of one direction (RFC 3711, 4; RFC 7714).

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use subtle::ConstantTimeEq;

use super::{MasterKey, SrtpError, Suite};

/// Which of the two protocols a set of session keys is for (labels of RFC 3711, 4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Rtp,
    Rtcp,
}

impl Kind {
    fn first_label(self) -> u8 {
        match self {
            Self::Rtp => 0,
            Self::Rtcp => 3,
        }
    }
}

/// Where a packet stands in its stream: enters the initialisation vector.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) ssrc: u32,
    /// 48 bits for RTP (rollover counter and sequence number), 31 bits for RTCP.
    pub(super) index: u64,
}

#[derive(Debug)]
pub(super) enum Cipher {
    Counter(Box<CounterCipher>),
    Gcm { key: LessSafeKey, salt: [u8; 12] },
}

#[derive(Debug)]
pub(super) struct CounterCipher {
    key: EncryptingKey,
    salt: [u8; 14],
    auth: hmac::Key,
    tag_len: usize,
}

const MAX_TAG_LEN: usize = 16;

/// A tag of 4, 10 or 16 octets.
#[derive(Clone, Copy)]
pub(super) struct Tag {
    octets: [u8; MAX_TAG_LEN],
    len: usize,
}

impl Tag {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.octets[..self.len]
    }

    fn new(octets: &[u8], len: usize) -> Result<Self, SrtpError> {
        let mut tag = Self { octets: [0; MAX_TAG_LEN], len };
        let from = octets.get(..len).ok_or(SrtpError::Crypto)?;
        tag.octets.get_mut(..len).ok_or(SrtpError::Crypto)?.copy_from_slice(from);
        Ok(tag)
    }
}

impl Cipher {
    pub(super) fn new(master: &MasterKey, kind: Kind) -> Result<Self, SrtpError> {
        let suite = master.suite();
        let mut key = [0u8; 32];
        let mut auth = [0u8; 20];
        let mut salt = [0u8; 14];
        let key = &mut key[..suite.key_len()];
        let label = kind.first_label();
        derive(master, label, key)?;
        derive(master, label + 1, &mut auth)?;
        derive(master, label + 2, &mut salt[..suite.salt_len()])?;
        Self::from_session_keys(suite, kind, &SessionKeys { key, auth: &auth, salt: &salt })
    }

    pub(super) fn from_session_keys(
        suite: Suite,
        kind: Kind,
        keys: &SessionKeys<'_>,
    ) -> Result<Self, SrtpError> {
        let tag_len = match kind {
            Kind::Rtp => suite.rtp_tag_len(),
            Kind::Rtcp => suite.rtcp_tag_len(),
        };
        if let Some(algorithm) = suite.aead() {
            let key = UnboundKey::new(algorithm, keys.key).map_err(|_| SrtpError::Crypto)?;
            let salt = *keys.salt.first_chunk().ok_or(SrtpError::Crypto)?;
            return Ok(Self::Gcm { key: LessSafeKey::new(key), salt });
        }
        let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, keys.auth);
        let salt = *keys.salt.first_chunk().ok_or(SrtpError::Crypto)?;
        let key = counter_key(suite, keys.key)?;
        Ok(Self::Counter(Box::new(CounterCipher { key, salt, auth, tag_len })))
    }

    /// Encrypts `body` and returns the tag over `aad`, `body` and, in counter mode, `trailer`.
    pub(super) fn seal(
        &self,
        at: Position,
        aad: &[u8],
        body: &mut [u8],
        trailer: &[u8],
    ) -> Result<Tag, SrtpError> {
        match self {
            Self::Counter(counter) => {
                apply_counter(&counter.key, counter_iv(&counter.salt, at), body)?;
                Tag::new(authenticate(&counter.auth, &[aad, body, trailer]).as_ref(), counter.tag_len)
            }
            Self::Gcm { key, salt } => {
                let tag = key
                    .seal_in_place_separate_tag(gcm_nonce(salt, at), Aad::from(aad), body)
                    .map_err(|_| SrtpError::Crypto)?;
                Tag::new(tag.as_ref(), MAX_TAG_LEN)
            }
        }
    }

    /// Verifies `tag` and decrypts `body` in place. After an error `body` is worthless.
    pub(super) fn open(
        &self,
        at: Position,
        aad: &[u8],
        body: &mut [u8],
        behind: Behind<'_>,
    ) -> Result<(), SrtpError> {
        match self {
            Self::Counter(counter) => {
                let expected = authenticate(&counter.auth, &[aad, body, behind.trailer]);
                let expected = expected.as_ref().get(..behind.tag.len()).ok_or(SrtpError::Crypto)?;
                if !bool::from(expected.ct_eq(behind.tag)) {
                    return Err(SrtpError::Authentication);
                }
                apply_counter(&counter.key, counter_iv(&counter.salt, at), body)
            }
            Self::Gcm { key, salt } => key
                .open_in_place_separate_tag(gcm_nonce(salt, at), Aad::from(aad), behind.tag, body)
                .map(drop)
                .map_err(|_| SrtpError::Authentication),
        }
    }
}

/// What stands behind the encrypted part of a received packet.
#[derive(Clone, Copy)]
pub(super) struct Behind<'a> {
    pub(super) tag: &'a [u8],
    /// Authenticated in counter mode but not encrypted: rollover counter, or the RTCP index.
    pub(super) trailer: &'a [u8],
}

/// Session keys as they come out of the key derivation.
pub(super) struct SessionKeys<'a> {
    pub(super) key: &'a [u8],
    pub(super) auth: &'a [u8],
    /// 14 octets; GCM uses the first 12.
    pub(super) salt: &'a [u8],
}

/// Key derivation with a rate of zero (RFC 3711, 4.3.1); GCM pads its salt with zeros (RFC 7714, 11).
pub(super) fn derive(master: &MasterKey, label: u8, out: &mut [u8]) -> Result<(), SrtpError> {
    let mut iv = [0u8; 16];
    for (octet, salt) in iv.iter_mut().zip(master.salt()) {
        *octet = *salt;
    }
    iv[7] ^= label;
    out.fill(0);
    apply_counter(&counter_key(master.suite(), master.key())?, iv, out)
}

fn counter_key(suite: Suite, key: &[u8]) -> Result<EncryptingKey, SrtpError> {
    UnboundCipherKey::new(suite.block_cipher(), key)
        .and_then(EncryptingKey::ctr)
        .map_err(|_| SrtpError::Crypto)
}

fn apply_counter(key: &EncryptingKey, iv: [u8; 16], body: &mut [u8]) -> Result<(), SrtpError> {
    key.less_safe_encrypt(body, EncryptionContext::Iv128(FixedLength::from(iv)))
        .map(drop)
        .map_err(|_| SrtpError::Crypto)
}

/// RFC 3711, 4.1.1.
fn counter_iv(salt: &[u8; 14], at: Position) -> [u8; 16] {
    let mut iv = [0u8; 16];
    iv[..14].copy_from_slice(salt);
    xor(&mut iv[4..8], &at.ssrc.to_be_bytes());
    xor(&mut iv[8..14], &at.index.to_be_bytes()[2..]);
    iv
}

/// RFC 7714, 8.1 and 9.1: both put the index into the last six octets.
fn gcm_nonce(salt: &[u8; 12], at: Position) -> Nonce {
    let mut iv = *salt;
    xor(&mut iv[2..6], &at.ssrc.to_be_bytes());
    xor(&mut iv[6..12], &at.index.to_be_bytes()[2..]);
    Nonce::assume_unique_for_key(iv)
}

fn xor(into: &mut [u8], with: &[u8]) {
    for (octet, other) in into.iter_mut().zip(with) {
        *octet ^= other;
    }
}

fn authenticate(key: &hmac::Key, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}
