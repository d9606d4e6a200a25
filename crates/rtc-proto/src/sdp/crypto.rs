//! `a=crypto` lines (RFC 4568, 9).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::srtp::{MasterKey, Suite};

/// Longest value of a line that is looked at; a GCM-256 key with life time and identifier needs below 120
/// octets.
const MAX_LINE_LEN: usize = 512;

/// Tags have one to nine digits (RFC 4568, 9.1).
const MAX_TAG_DIGITS: usize = 9;

/// Longest key identifier (RFC 4568, 9.2).
const MAX_MKI_LEN: u8 = 128;

/// A line with a suite that we know and one key that we can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CryptoLine {
    pub(super) tag: u32,
    pub(super) key: MasterKey,
}

impl CryptoLine {
    /// Reads a line's value; `None` where it is malformed, of an unknown suite, or asks for what we do not
    /// do.
    pub(super) fn parse(value: &str) -> Option<Self> {
        if value.len() > MAX_LINE_LEN {
            return None;
        }
        let mut words = value.split_ascii_whitespace();
        let tag = words.next().filter(|tag| tag.len() <= MAX_TAG_DIGITS)?.parse().ok()?;
        let suite = Suite::from_name(words.next()?)?;
        let key = parse_key(suite, words.next()?)?;
        words.all(is_harmless).then_some(Self { tag, key })
    }

    /// Writes the value of a line of ours.
    pub(super) fn describe(tag: u32, key: &MasterKey) -> String {
        format!("{tag} {} inline:{}", key.suite().name(), STANDARD.encode(key.key_and_salt()))
    }
}

/// Several keys in one line would need key selection by identifier, which no phone uses.
fn parse_key(suite: Suite, params: &str) -> Option<MasterKey> {
    let (method, value) = params.split_once(':')?;
    if !method.eq_ignore_ascii_case("inline") || value.contains(';') {
        return None;
    }
    let mut parts = value.split('|');
    let encoded = parts.next()?;
    let octets = STANDARD.decode(encoded).or_else(|_| STANDARD_NO_PAD.decode(encoded)).ok()?;
    let mut key = MasterKey::new(suite, &octets)?;
    let mut may_be_lifetime = true;
    for part in parts {
        if let Some((identifier, len)) = part.split_once(':') {
            let len: u8 = len.parse().ok().filter(|len| (1..=MAX_MKI_LEN).contains(len))?;
            if key.mki_len() != 0
                || identifier.is_empty()
                || !identifier.bytes().all(|octet| octet.is_ascii_digit())
            {
                return None;
            }
            key = key.with_mki_len(len);
        } else if !may_be_lifetime || !is_lifetime(part) {
            return None;
        }
        may_be_lifetime = false;
    }
    Some(key)
}

/// Packets that the key may protect, plain or as a power of two.
fn is_lifetime(part: &str) -> bool {
    match part.strip_prefix("2^") {
        Some(power) => power.parse::<u8>().is_ok_and(|power| power <= 48),
        None => part.parse::<u64>().is_ok_and(|packets| packets > 0),
    }
}

/// A window size hint changes nothing; every other parameter changes the transform (RFC 4568, 6.3).
fn is_harmless(parameter: &str) -> bool {
    parameter.trim_start_matches('-').to_ascii_uppercase().starts_with("WSH=")
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

    #[test]
    fn lines_of_real_phones_are_read() {
        let gcm = STANDARD.encode([7u8; 44]);
        let cases = [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), Some((1, Suite::AesCm128HmacSha1_80, 0))),
            (
                format!("2 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^31"),
                Some((2, Suite::AesCm128HmacSha1_32, 0)),
            ),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"),
                Some((1, Suite::AesCm128HmacSha1_80, 4)),
            ),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:1"), Some((1, Suite::AesCm128HmacSha1_80, 1))),
            (
                format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} WSH=64"),
                Some((1, Suite::AesCm128HmacSha1_80, 0)),
            ),
            (format!("3 AEAD_AES_256_GCM inline:{gcm}"), Some((3, Suite::AeadAes256Gcm, 0))),
            (
                format!("3 AEAD_AES_256_GCM inline:{}", gcm.trim_end_matches('=')),
                Some((3, Suite::AeadAes256Gcm, 0)),
            ),
        ];
        for (line, expected) in cases {
            let found = CryptoLine::parse(&line).map(|line| (line.tag, line.key.suite(), line.key.mki_len()));
            assert_eq!(found, expected, "{line}");
        }
    }

    #[test]
    fn lines_that_we_cannot_honour_are_passed_over() {
        let cases = [
            String::new(),
            "1".into(),
            format!("1 F8_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 uri:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{}", &KEY[..36]),
            "1 AES_CM_128_HMAC_SHA1_80 inline:not base64".into(),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^99"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|0"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:0"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4|2^20"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:4|2:4"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} KDR=20"),
            format!("9999999999 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"),
            format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} WSH={}", "9".repeat(600)),
        ];
        for line in cases {
            assert_eq!(CryptoLine::parse(&line), None, "{line}");
        }
    }

    #[test]
    fn a_written_line_reads_back() {
        let key = MasterKey::new(Suite::AeadAes128Gcm, &[5; 28]).unwrap();
        assert_eq!(CryptoLine::parse(&CryptoLine::describe(4, &key)), Some(CryptoLine { tag: 4, key }));
    }
}
