//! Protection profiles and the master keys that go with them.

use std::fmt;

use aws_lc_rs::{aead, cipher};

/// The longest key and salt of any suite.
pub const MAX_MASTER_LEN: usize = 46;

/// An SRTP crypto suite of SDES (RFC 4568, 6.2; RFC 7714, 14.2), best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suite {
    /// AES-256 in Galois/Counter mode, 16 octet tag.
    AeadAes256Gcm,
    /// AES-128 in Galois/Counter mode, 16 octet tag.
    AeadAes128Gcm,
    /// AES-128 in counter mode, HMAC-SHA1, 10 octet tag.
    AesCm128HmacSha1_80,
    /// AES-128 in counter mode, HMAC-SHA1, 4 octet tag on RTP and 10 on RTCP.
    AesCm128HmacSha1_32,
}

impl Suite {
    /// All suites in the order in which an offer lists them.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::AesCm128HmacSha1_80, Self::AesCm128HmacSha1_32];

    /// The name in an `a=crypto` line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
        }
    }

    /// Finds a suite by its name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// Octets of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm => 32,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 16,
        }
    }

    /// Octets of the master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 12,
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 14,
        }
    }

    /// Octets of key and salt together, as an `inline:` parameter carries them.
    pub const fn master_len(self) -> usize {
        self.key_len() + self.salt_len()
    }

    /// Octets that protection adds to an RTP packet.
    pub const fn rtp_tag_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
            Self::AesCm128HmacSha1_32 => 4,
        }
    }

    /// Octets of the tag of an RTCP packet; the index adds four more.
    pub const fn rtcp_tag_len(self) -> usize {
        match self {
            Self::AeadAes256Gcm | Self::AeadAes128Gcm => 16,
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => 10,
        }
    }

    pub(super) fn block_cipher(self) -> &'static cipher::Algorithm {
        match self {
            Self::AeadAes256Gcm => &cipher::AES_256,
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => &cipher::AES_128,
        }
    }

    pub(super) fn aead(self) -> Option<&'static aead::Algorithm> {
        match self {
            Self::AeadAes256Gcm => Some(&aead::AES_256_GCM),
            Self::AeadAes128Gcm => Some(&aead::AES_128_GCM),
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 => None,
        }
    }
}

/// Master key and salt of one direction. Never printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    suite: Suite,
    octets: [u8; MAX_MASTER_LEN],
    mki_len: u8,
}

impl MasterKey {
    /// Takes key and salt, one behind the other; `None` where their length is not the suite's.
    pub fn new(suite: Suite, key_and_salt: &[u8]) -> Option<Self> {
        if key_and_salt.len() != suite.master_len() {
            return None;
        }
        let mut octets = [0; MAX_MASTER_LEN];
        octets[..key_and_salt.len()].copy_from_slice(key_and_salt);
        Some(Self { suite, octets, mki_len: 0 })
    }

    /// Says that packets under this key carry a master key identifier of `mki_len` octets (RFC 3711, 3.1).
    ///
    /// Only [`super::Inbound`] heeds it: there is one key, so the identifier is cut out unread.
    #[must_use]
    pub fn with_mki_len(mut self, mki_len: u8) -> Self {
        self.mki_len = mki_len;
        self
    }

    /// Octets of the master key identifier in each packet, 0 without one.
    pub fn mki_len(&self) -> u8 {
        self.mki_len
    }

    /// The suite that the key is for.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// Key and salt, one behind the other.
    pub fn key_and_salt(&self) -> &[u8] {
        &self.octets[..self.suite.master_len()]
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.octets[..self.suite.key_len()]
    }

    pub(super) fn salt(&self) -> &[u8] {
        &self.octets[self.suite.key_len()..self.suite.master_len()]
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({}, ..)", self.suite.name())
    }
}
