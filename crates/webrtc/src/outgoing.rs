//! Numbers of the packets that we send.

use std::time::Instant;

use rtc_proto::rtp::Header;

/// Packets in a row that are older than the last one before they are taken for a new beginning: more than a network
/// between us and the media thread could swap, had there been one.
const MAX_STALE: u8 = 8;

/// Makes one stream of what the media thread sends, whatever happens there.
///
/// While the thread's own stream goes on, packets keep its distances. When another one takes its place, with numbers of
/// its own, this one goes on behind the last packet, as if the time between had been silent. A number is never used
/// twice, for the same key would encrypt two packets with it (RFC 3711, 9.1).
#[derive(Clone, Debug, Default)]
pub(crate) struct Outgoing {
    last: Option<Last>,
}

/// The last packet: its numbers as they came, and as they went.
#[derive(Clone, Copy, Debug)]
struct Last {
    header: Header,
    sequence: u64,
    timestamp: u32,
    at: Instant,
    stale: u8,
}

impl Outgoing {
    /// The extended sequence number and the timestamp that a packet goes out with; nothing where it must not.
    pub(crate) fn number(&mut self, header: Header, clock: u32, now: Instant) -> Option<(u64, u32)> {
        let Some(last) = &mut self.last else {
            return Some(self.remember(header, u64::from(header.sequence), header.timestamp, now));
        };
        let ahead = header.sequence.wrapping_sub(last.header.sequence).cast_signed();
        if header.ssrc == last.header.ssrc && ahead > 0 {
            let sequence = last.sequence.wrapping_add(u64::from(ahead.unsigned_abs()));
            let passed = header.timestamp.wrapping_sub(last.header.timestamp);
            let timestamp = last.timestamp.wrapping_add(passed);
            return Some(self.remember(header, sequence, timestamp, now));
        }
        if header.ssrc == last.header.ssrc && last.stale < MAX_STALE {
            last.stale += 1;
            return None;
        }
        let passed = now.saturating_duration_since(last.at).as_millis() * u128::from(clock) / 1_000;
        // Timestamps wrap; what is above them does not matter.
        let timestamp = last.timestamp.wrapping_add((passed & u128::from(u32::MAX)) as u32);
        let sequence = last.sequence + 1;
        Some(self.remember(header, sequence, timestamp, now))
    }

    fn remember(&mut self, header: Header, sequence: u64, timestamp: u32, at: Instant) -> (u64, u32) {
        self.last = Some(Last { header, sequence, timestamp, at, stale: 0 });
        (sequence, timestamp)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn header(ssrc: u32, sequence: u16, timestamp: u32) -> Header {
        Header { marker: false, payload_type: 111, sequence, timestamp, ssrc }
    }

    #[test]
    fn numbers_go_on_beyond_their_end() {
        let now = tokio::time::Instant::now().into_std();
        let mut outgoing = Outgoing::default();
        assert_eq!(outgoing.number(header(1, 65_535, u32::MAX), 48_000, now), Some((65_535, u32::MAX)));
        assert_eq!(outgoing.number(header(1, 0, 959), 48_000, now), Some((65_536, 959)));
        assert_eq!(outgoing.number(header(1, 3, 3_839), 48_000, now), Some((65_539, 3_839)));
    }

    #[test]
    fn no_number_is_used_twice() {
        let now = tokio::time::Instant::now().into_std();
        let mut outgoing = Outgoing::default();
        assert!(outgoing.number(header(1, 10, 0), 8_000, now).is_some());
        assert_eq!(outgoing.number(header(1, 10, 0), 8_000, now), None);
        assert_eq!(outgoing.number(header(1, 9, 0), 8_000, now), None);
        assert_eq!(outgoing.number(header(1, 11, 160), 8_000, now), Some((11, 160)));
    }

    #[test]
    fn another_stream_goes_on_behind_the_last() {
        let now = tokio::time::Instant::now().into_std();
        let later = now + Duration::from_millis(20);
        let mut outgoing = Outgoing::default();
        outgoing.number(header(1, 10, 1_000), 8_000, now);
        assert_eq!(outgoing.number(header(2, 40_000, 77), 8_000, later), Some((11, 1_160)));
        assert_eq!(outgoing.number(header(2, 40_001, 237), 8_000, later), Some((12, 1_320)));
    }

    #[test]
    fn a_stream_that_starts_anew_is_not_silent_for_long() {
        let now = tokio::time::Instant::now().into_std();
        let mut outgoing = Outgoing::default();
        outgoing.number(header(1, 30_000, 0), 8_000, now);
        let numbers: Vec<_> =
            (0..12).filter_map(|n| outgoing.number(header(1, n, 0), 8_000, now)).map(|(n, _)| n).collect();
        assert_eq!(numbers, [30_001, 30_002, 30_003, 30_004]);
    }
}
