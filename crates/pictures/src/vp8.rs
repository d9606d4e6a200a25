//! What is seen of a picture without decoding it.

/// The least that the header of a key frame takes (RFC 6386, 9.1): the tag, the start code, width and height.
const KEY_HEADER_LEN: usize = 10;
const START_CODE: [u8; 3] = [0x9d, 0x01, 0x2a];

/// The height of a key frame in pixels; nothing where the frame is none, or is not what it says. The upper two bits are how it
/// is to be scaled.
pub(crate) fn key_height(frame: &[u8]) -> Option<u32> {
    let header = frame.first_chunk::<KEY_HEADER_LEN>()?;
    let is_key = header[0] & 1 == 0;
    let height = u32::from(u16::from_le_bytes([header[8], header[9]]) & 0x3fff);
    (is_key && header[3..6] == START_CODE && height > 0).then_some(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_tells_its_height() {
        let frame = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41, 7];
        assert_eq!(key_height(&frame), Some(360));
    }

    #[test]
    fn what_is_no_key_frame_tells_none() {
        let frame = [0x10, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
        for length in 0..frame.len() {
            assert_eq!(key_height(&frame[..length]), None);
        }
        for at in [0, 3, 4, 5] {
            let mut other = frame;
            other[at] ^= 1;
            assert_eq!(key_height(&other), None, "{at}");
        }
        let mut flat = frame;
        flat[8..].fill(0);
        assert_eq!(key_height(&flat), None);
    }
}
