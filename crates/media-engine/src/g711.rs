//! ITU-T G.711: µ-law and A-law by tables that the compiler makes.

/// Added before the µ-law logarithm, so that every segment begins at a power of two.
const MU_BIAS: i32 = 132;
/// The largest magnitude that µ-law can hold after the bias.
const MU_CLIP: i32 = 32_635;

/// Decoded value of every µ-law octet.
static MU_TO_LINEAR: [i16; 256] = mu_table();
/// Decoded value of every A-law octet.
static A_TO_LINEAR: [i16; 256] = a_table();
/// Octets by the upper 14 bits of a sample; µ-law resolves no finer.
static LINEAR_TO_MU: [u8; 1 << 14] = mu_encode_table();
/// Octets by the upper 13 bits of a sample; A-law resolves no finer.
static LINEAR_TO_A: [u8; 1 << 13] = a_encode_table();

/// The sample that a µ-law octet stands for.
pub(crate) fn mu_decode(octet: u8) -> i16 {
    MU_TO_LINEAR[octet as usize]
}

/// The sample that an A-law octet stands for.
pub(crate) fn a_decode(octet: u8) -> i16 {
    A_TO_LINEAR[octet as usize]
}

/// The µ-law octet of a sample.
pub(crate) fn mu_encode(sample: i16) -> u8 {
    LINEAR_TO_MU[((sample as u16) >> 2) as usize]
}

/// The A-law octet of a sample.
pub(crate) fn a_encode(sample: i16) -> u8 {
    LINEAR_TO_A[((sample as u16) >> 3) as usize]
}

const fn mu_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let bits = !(octet as u8);
        let segment = (bits >> 4) & 7;
        let step = (bits & 15) as i32;
        let magnitude = (((step << 3) + MU_BIAS) << segment) - MU_BIAS;
        table[octet] = if bits & 0x80 == 0 { magnitude as i16 } else { -magnitude as i16 };
        octet += 1;
    }
    table
}

const fn a_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let bits = octet as u8 ^ 0x55;
        let segment = (bits >> 4) & 7;
        let step = ((bits & 15) as i32) << 4;
        let magnitude = if segment == 0 { step + 8 } else { (step + 264) << (segment - 1) };
        table[octet] = if bits & 0x80 != 0 { magnitude as i16 } else { -magnitude as i16 };
        octet += 1;
    }
    table
}

const fn mu_encode_table() -> [u8; 1 << 14] {
    let mut table = [0; 1 << 14];
    let mut index = 0;
    while index < 1 << 14 {
        let sample = ((index as u16) << 2) as i16 as i32;
        let negative = sample < 0;
        // One's complement, so that both signs of a step share their decision levels.
        let magnitude = if negative { !sample & !3 } else { sample };
        let biased = (if magnitude > MU_CLIP { MU_CLIP } else { magnitude }) + MU_BIAS;
        let segment = 31 - biased.leading_zeros() - 7;
        let step = ((biased >> (segment + 3)) & 15) as u8;
        let bits = (if negative { 0x80 } else { 0 }) | ((segment as u8) << 4) | step;
        table[index] = !bits;
        index += 1;
    }
    table
}

const fn a_encode_table() -> [u8; 1 << 13] {
    let mut table = [0; 1 << 13];
    let mut index = 0;
    while index < 1 << 13 {
        let sample = ((index as u16) << 3) as i16 as i32;
        let negative = sample < 0;
        let magnitude = if negative { !sample } else { sample };
        let (segment, step) = if magnitude < 256 {
            (0, (magnitude >> 4) as u8)
        } else {
            let segment = 31 - magnitude.leading_zeros() - 7;
            (segment as u8, ((magnitude >> (segment + 3)) & 15) as u8)
        };
        let bits = (if negative { 0 } else { 0x80 }) | (segment << 4) | step;
        table[index] = bits ^ 0x55;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::{sine, snr_db};

    #[test]
    fn octets_have_the_values_of_the_recommendation() {
        assert_eq!(
            [mu_decode(0xFF), mu_decode(0x7F), mu_decode(0x80), mu_decode(0x00)],
            [0, 0, 32_124, -32_124]
        );
        assert_eq!(
            [a_decode(0xD5), a_decode(0x55), a_decode(0xAA), a_decode(0x2A)],
            [8, -8, 32_256, -32_256]
        );
        assert_eq!([mu_encode(0), a_encode(0)], [0xFF, 0xD5]);
        assert_eq!([mu_encode(i16::MAX), mu_encode(i16::MIN)], [0x80, 0x00]);
        assert_eq!([a_encode(i16::MAX), a_encode(i16::MIN)], [0xAA, 0x2A]);
    }

    #[test]
    fn every_octet_survives_decoding_and_encoding() {
        for octet in 0..=255_u8 {
            assert_eq!(a_encode(a_decode(octet)), octet);
            // Negative zero is heard as zero.
            let expected = if octet == 0x7F { 0xFF } else { octet };
            assert_eq!(mu_encode(mu_decode(octet)), expected);
        }
    }

    #[test]
    fn every_sample_gets_the_nearest_octet() {
        for sample in i16::MIN..=i16::MAX {
            for (decoded, tolerance) in [(mu_decode(mu_encode(sample)), 4), (a_decode(a_encode(sample)), 8)] {
                let x = i32::from(sample);
                let error = (i32::from(decoded) - x).abs();
                let clipped = (x.abs() - 32_124).max(0);
                assert!(error <= (x.abs() + 132) / 32 + tolerance + clipped, "{sample} became {decoded}");
            }
        }
    }

    #[test]
    fn a_tone_survives_with_the_customary_quality() {
        let tone = sine(1020.0, 8000, 16_000.0, 8000);
        let mu: Vec<i16> = tone.iter().map(|x| mu_decode(mu_encode(*x))).collect();
        let a: Vec<i16> = tone.iter().map(|x| a_decode(a_encode(*x))).collect();
        assert!(snr_db(&tone, &mu) > 36.0);
        assert!(snr_db(&tone, &a) > 36.0);
    }
}
