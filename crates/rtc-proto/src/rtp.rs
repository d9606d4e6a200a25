//! RTP packets: reading and writing the header in place (RFC 3550, 5.1).

use thiserror::Error;

/// Identifiers that elements of a header extension may have (RFC 8285, 4.2).
pub(crate) const ELEMENT_IDS: std::ops::RangeInclusive<u8> = 1..=14;

/// Octets of a header without contributing sources and extension.
pub const FIXED_HEADER_LEN: usize = 12;

/// Marks a header extension with elements of one-octet headers (RFC 8285, 4.2).
const ONE_BYTE_PROFILE: u16 = 0xbede;

/// Why a datagram is not an RTP packet.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RtpError {
    /// The padding count is zero or longer than the payload.
    #[error("padding does not fit the packet")]
    Padding,
    /// The datagram ends inside the header.
    #[error("packet is shorter than its header")]
    Short,
    /// The version is not 2: STUN, DTLS or noise.
    #[error("version is not 2")]
    Version,
}

/// The fields that change from packet to packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The marker bit: first packet of a talk spurt or of a tone.
    pub marker: bool,
    /// 0 to 127; the rest of the octet is ignored when writing.
    pub payload_type: u8,
    /// Counts packets, wraps.
    pub sequence: u16,
    /// In units of the payload's RTP clock, wraps.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Writes the fixed header and returns its length, or `None` where `buffer` is too small.
    pub fn write(&self, buffer: &mut [u8]) -> Option<usize> {
        let head = buffer.first_chunk_mut::<FIXED_HEADER_LEN>()?;
        head[0] = 0x80;
        head[1] = (self.payload_type & 0x7f) | if self.marker { 0x80 } else { 0 };
        head[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        head[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        head[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        Some(FIXED_HEADER_LEN)
    }
}

/// A header extension: the profile's identifier and the octets behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extension<'a> {
    /// "Defined by profile": 0xBEDE for elements with headers of one octet (RFC 8285).
    pub profile: u16,
    /// A multiple of four octets.
    pub octets: &'a [u8],
}

impl<'a> Extension<'a> {
    /// The first element with this identifier, 1 to 14, where elements have headers of one octet (RFC 8285, 4.2).
    fn element(&self, id: u8) -> Option<&'a [u8]> {
        let mut rest = if self.profile == ONE_BYTE_PROFILE { self.octets } else { &[] };
        while let Some((head, tail)) = rest.split_first() {
            if *head == 0 {
                rest = tail;
                continue;
            }
            let (found, length) = (head >> 4, usize::from(head & 0x0f) + 1);
            // 15 ends the list, and so does padding with a length.
            if !ELEMENT_IDS.contains(&found) {
                return None;
            }
            let (octets, behind) = tail.split_at_checked(length)?;
            if found == id {
                return Some(octets);
            }
            rest = behind;
        }
        None
    }
}

/// A received packet; every slice points into the datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The fixed fields.
    pub header: Header,
    /// Contributing sources, four octets each, at most 15.
    pub csrcs: &'a [u8],
    /// The header extension, if there is one.
    pub extension: Option<Extension<'a>>,
    /// The payload without padding; may be empty.
    pub payload: &'a [u8],
}

impl<'a> Packet<'a> {
    /// Reads a datagram as RTP.
    ///
    /// # Errors
    ///
    /// Returns [`RtpError`] for whatever is not a whole RTP packet.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let start = header_len(datagram)?;
        let header = fixed_header(datagram)?;
        let csrc_end = FIXED_HEADER_LEN + csrc_len(datagram[0]);
        let extension = if datagram[0] & 0x10 == 0 {
            None
        } else {
            let profile = u16::from_be_bytes([datagram[csrc_end], datagram[csrc_end + 1]]);
            Some(Extension { profile, octets: &datagram[csrc_end + 4..start] })
        };
        let body = &datagram[start..];
        let payload = if datagram[0] & 0x20 == 0 { body } else { without_padding(body)? };
        Ok(Self { header, csrcs: &datagram[FIXED_HEADER_LEN..csrc_end], extension, payload })
    }

    /// The level of the sound as its sender measured it, 0 (loudest) to 127, where an element with this identifier says
    /// so (RFC 6464, 3).
    ///
    /// The mark for voice beside it is passed over, for not all who send levels look for voice.
    pub fn audio_level(&self, id: u8) -> Option<u8> {
        match self.extension?.element(id)? {
            [octet] => Some(octet & 0x7f),
            _ => None,
        }
    }
}

/// Returns where the payload starts: behind contributing sources and extension.
///
/// Does not look at the padding, which SRTP encrypts.
///
/// # Errors
///
/// Returns [`RtpError`] where the datagram is too short or not of version 2.
pub fn header_len(datagram: &[u8]) -> Result<usize, RtpError> {
    let first = *datagram.first().ok_or(RtpError::Short)?;
    if first >> 6 != 2 {
        return Err(RtpError::Version);
    }
    let mut len = FIXED_HEADER_LEN + csrc_len(first);
    if first & 0x10 != 0 {
        let words = datagram.get(len + 2..len + 4).ok_or(RtpError::Short)?;
        len += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    if datagram.len() < len { Err(RtpError::Short) } else { Ok(len) }
}

/// Tells RTCP from RTP where both share a port (RFC 5761, 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, 192..=223, ..] if first >> 6 == 2)
}

fn csrc_len(first: u8) -> usize {
    4 * usize::from(first & 0x0f)
}

fn fixed_header(datagram: &[u8]) -> Result<Header, RtpError> {
    let head = datagram.first_chunk::<FIXED_HEADER_LEN>().ok_or(RtpError::Short)?;
    Ok(Header {
        marker: head[1] & 0x80 != 0,
        payload_type: head[1] & 0x7f,
        sequence: u16::from_be_bytes([head[2], head[3]]),
        timestamp: u32::from_be_bytes([head[4], head[5], head[6], head[7]]),
        ssrc: u32::from_be_bytes([head[8], head[9], head[10], head[11]]),
    })
}

fn without_padding(body: &[u8]) -> Result<&[u8], RtpError> {
    let count = usize::from(*body.last().ok_or(RtpError::Padding)?);
    if count == 0 {
        return Err(RtpError::Padding);
    }
    body.len().checked_sub(count).map(|end| &body[..end]).ok_or(RtpError::Padding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header = Header {
        marker: true,
        payload_type: 101,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn a_written_header_reads_back_with_its_payload() {
        let mut datagram = [0u8; 16];
        let start = HEADER.write(&mut datagram).unwrap();
        datagram[start..].copy_from_slice(&[1, 2, 3, 4]);

        let packet = Packet::parse(&datagram).unwrap();

        assert_eq!(packet.header, HEADER);
        assert_eq!(packet.payload, [1, 2, 3, 4]);
        assert!(packet.csrcs.is_empty() && packet.extension.is_none());
    }

    #[test]
    fn sources_extension_and_padding_are_taken_off() {
        let mut datagram = vec![0u8; FIXED_HEADER_LEN];
        HEADER.write(&mut datagram).unwrap();
        datagram[0] |= 0x20 | 0x10 | 2;
        datagram.extend([0, 0, 0, 1, 0, 0, 0, 2]);
        datagram.extend([0xbe, 0xde, 0, 1, 0x10, 0x85, 0, 0]);
        datagram.extend([9, 9, 0, 0, 3]);

        let packet = Packet::parse(&datagram).unwrap();

        assert_eq!(packet.csrcs, [0, 0, 0, 1, 0, 0, 0, 2]);
        let extension = packet.extension.unwrap();
        assert_eq!((extension.profile, extension.octets), (0xbede, &[0x10, 0x85, 0, 0][..]));
        assert_eq!(packet.payload, [9, 9]);
    }

    #[test]
    fn what_is_not_rtp_is_named() {
        let stun = [0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0];
        let mut long_extension = [0u8; 16];
        HEADER.write(&mut long_extension).unwrap();
        long_extension[0] |= 0x10;
        long_extension[14..16].copy_from_slice(&[0xff, 0xff]);
        let mut no_padding = [0u8; 13];
        HEADER.write(&mut no_padding).unwrap();
        no_padding[0] |= 0x20;

        assert_eq!(Packet::parse(&stun), Err(RtpError::Version));
        assert_eq!(Packet::parse(&[]), Err(RtpError::Short));
        assert_eq!(Packet::parse(&[0x80; 11]), Err(RtpError::Short));
        assert_eq!(Packet::parse(&[0x8f; 13]), Err(RtpError::Short));
        assert_eq!(Packet::parse(&long_extension), Err(RtpError::Short));
        assert_eq!(Packet::parse(&no_padding), Err(RtpError::Padding));
        no_padding[12] = 2;
        assert_eq!(Packet::parse(&no_padding), Err(RtpError::Padding));
    }

    /// A packet with a header extension of this profile; padded to whole words.
    fn extended(profile: u16, elements: &[u8]) -> Vec<u8> {
        let mut datagram = vec![0u8; FIXED_HEADER_LEN];
        HEADER.write(&mut datagram).unwrap();
        datagram[0] |= 0x10;
        let words = elements.len().div_ceil(4);
        datagram.extend(profile.to_be_bytes());
        datagram.extend((words as u16).to_be_bytes());
        datagram.extend(elements);
        datagram.resize(FIXED_HEADER_LEN + 4 + 4 * words, 0);
        datagram.extend([7; 20]);
        datagram
    }

    #[test]
    fn levels_are_found_among_other_elements_and_nowhere_else() {
        let cases: [(u16, &[u8], Option<u8>); 12] = [
            (0xbede, &[0x30, 0x85], Some(5)),
            (0xbede, &[0x30, 0x7f], Some(127)),
            (0xbede, &[0x12, 1, 2, 3, 0, 0, 0x30, 9], Some(9)),
            (0xbede, &[0x30, 9, 0x30, 8], Some(9)),
            (0xbede, &[0x40, 9], None),
            (0xbede, &[0x31, 9, 9], None),
            (0xbede, &[0x1f, 0x30, 9, 0], None),
            (0xbede, &[0xf0, 0, 0x30, 9], None),
            (0xbede, &[0x01, 0, 0x30, 9], None),
            (0xbede, &[0, 0, 0, 0x30], None),
            (0xbede, &[], None),
            (0x1000, &[3, 1, 9, 0], None),
        ];
        for (profile, elements, level) in cases {
            let datagram = extended(profile, elements);
            let packet = Packet::parse(&datagram).unwrap();
            assert_eq!(packet.audio_level(3), level, "{profile:x} {elements:x?}");
            assert_eq!(packet.payload, [7; 20]);
        }
    }

    #[test]
    fn rtcp_is_told_from_rtp_by_its_packet_type() {
        assert!(is_rtcp(&[0x81, 200, 0, 6]) && is_rtcp(&[0x81, 203]));
        assert!(!is_rtcp(&[0x80, 0x80 | 96]) && !is_rtcp(&[0x80]) && !is_rtcp(&[0x01, 200]));
    }

    proptest! {
        #[test]
        fn whatever_stands_before_an_element_is_skipped(
            others in proptest::collection::vec(
                (1u8..=14, proptest::collection::vec(any::<u8>(), 1..=16), 0usize..4), 0..10
            ),
            id in 1u8..=14,
            octet in any::<u8>(),
        ) {
            let mut elements = Vec::new();
            for (other, octets, padding) in others.iter().filter(|(other, ..)| *other != id) {
                elements.push(other << 4 | (octets.len() - 1) as u8);
                elements.extend(octets);
                elements.resize(elements.len() + padding, 0);
            }
            elements.extend([id << 4, octet]);
            let datagram = extended(0xbede, &elements);
            prop_assert_eq!(Packet::parse(&datagram).unwrap().audio_level(id), Some(octet & 0x7f));
        }

        #[test]
        fn no_extension_makes_the_reader_panic(
            elements in proptest::collection::vec(any::<u8>(), 0..64), id in any::<u8>()
        ) {
            let datagram = extended(0xbede, &elements);
            let level = Packet::parse(&datagram).unwrap().audio_level(id);
            prop_assert!(level.is_none_or(|level| level < 128 && ELEMENT_IDS.contains(&id)));
        }

        #[test]
        fn no_datagram_makes_the_reader_panic(datagram in proptest::collection::vec(any::<u8>(), 0..128)) {
            if let Ok(packet) = Packet::parse(&datagram) {
                prop_assert!(packet.payload.len() + FIXED_HEADER_LEN <= datagram.len());
            }
        }

        #[test]
        fn no_version_two_datagram_makes_the_reader_panic(
            first in 0x80u8..=0xbf, rest in proptest::collection::vec(any::<u8>(), 0..128)
        ) {
            let datagram: Vec<u8> = std::iter::once(first).chain(rest).collect();
            let start = header_len(&datagram);
            prop_assert!(start.is_err() || start.is_ok_and(|start| start <= datagram.len()));
            let _ = Packet::parse(&datagram);
        }
    }
}
