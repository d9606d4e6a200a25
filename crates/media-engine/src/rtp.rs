//! RTP packets as the engine sees them: parsed header fields and a payload.

/// A received packet; header extension and padding are already removed.
#[derive(Clone, Copy, Debug)]
pub struct RtpPacketRef<'a> {
    /// Payload type, 7 bits.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Marker bit.
    pub marker: bool,
    /// Level of the sound as the sender measured it, 0 (loudest) to 127, where the packet says (RFC 6464).
    pub level: Option<u8>,
    /// Payload.
    pub payload: &'a [u8],
}

/// Header fields of a packet whose payload [`crate::AudioSender::send`] wrote to the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentPacket {
    /// Payload type, 7 bits.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in units of the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Marker bit.
    pub marker: bool,
    /// Octets of payload at the start of the caller's buffer.
    pub payload_len: usize,
}

/// How the two ends agreed to carry keys (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEventFormat {
    /// Payload type of `telephone-event`.
    pub payload_type: u8,
    /// Clock rate of its `rtpmap`, in Hz; the unit of the duration field.
    pub clock_rate: u32,
}
