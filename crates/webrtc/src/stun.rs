//! As much of STUN as it takes to know whose a datagram is (RFC 8489, 5).

const HEADER_LEN: usize = 20;
const BINDING_REQUEST: [u8; 2] = [0x00, 0x01];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAGIC_COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const USERNAME: [u8; 2] = [0x00, 0x06];

/// Whether a datagram is STUN rather than DTLS, RTP or noise (RFC 9443, 3).
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    matches!(datagram, [0..=3, ..])
}

/// Whether it answers a binding request.
pub(crate) fn is_binding_success(datagram: &[u8]) -> bool {
    datagram.starts_with(&BINDING_SUCCESS)
}

/// The username fragment of ours that a binding request names: `USERNAME` is "ours:theirs" (RFC 8445, 7.2.2). Nothing is
/// proven by it yet.
pub(crate) fn local_ufrag(datagram: &[u8]) -> Option<&str> {
    let (header, mut rest) = datagram.split_first_chunk::<HEADER_LEN>()?;
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if !header.starts_with(&BINDING_REQUEST) || header[4..8] != MAGIC_COOKIE || length != rest.len() {
        return None;
    }
    while let Some((attribute, behind)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([attribute[2], attribute[3]]));
        if attribute.starts_with(&USERNAME) {
            let (ours, theirs) = std::str::from_utf8(behind.get(..length)?).ok()?.split_once(':')?;
            return (!ours.is_empty() && !theirs.is_empty()).then_some(ours);
        }
        rest = behind.get(length.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn request(username: &[u8]) -> Vec<u8> {
        let mut attributes = vec![0x80, 0x22, 0, 3, b'x', b'y', b'z', 0];
        attributes.extend([0, 6, 0, username.len() as u8]);
        attributes.extend(username);
        attributes.resize(attributes.len().next_multiple_of(4), 0);
        let mut datagram = vec![0, 1, 0, attributes.len() as u8, 0x21, 0x12, 0xa4, 0x42];
        datagram.extend([7; 12]);
        datagram.extend(attributes);
        datagram
    }

    #[test]
    fn a_binding_request_tells_whose_it_is() {
        assert_eq!(local_ufrag(&request(b"ours:theirs")), Some("ours"));
        assert_eq!(local_ufrag(&request(b"ours:the:irs")), Some("ours"));
    }

    #[test]
    fn what_is_no_binding_request_of_somebody_is_nobodys() {
        for username in [&b"ours"[..], b":theirs", b"ours:", b"", b"\xff:theirs"] {
            assert_eq!(local_ufrag(&request(username)), None, "{username:?}");
        }
        let whole = request(b"ours:theirs");
        let mut indication = whole.clone();
        indication[1] = 0x11;
        let mut cookie = whole.clone();
        cookie[4] = 0;
        assert_eq!(local_ufrag(&indication), None);
        assert_eq!(local_ufrag(&cookie), None);
        for length in 0..whole.len() {
            assert_eq!(local_ufrag(&whole[..length]), None);
        }
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_reader_panic(
            at in 0usize..40, octet in any::<u8>(), tail in proptest::collection::vec(any::<u8>(), 0..8)
        ) {
            let mut datagram = request(b"ours:theirs");
            datagram[at] = octet;
            let _ = local_ufrag(&datagram);
            datagram.extend(tail);
            let _ = local_ufrag(&datagram);
        }
    }
}
