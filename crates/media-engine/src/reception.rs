//! What RFC 3550 counts about a source, and which packets belong to it.

use crate::receiver::ReportBlock;

/// A forward jump of this many packets is still a gap (RFC 3550, A.1).
const MAX_DROPOUT: u16 = 3000;
/// A packet this much older than the newest is still reordered (RFC 3550, A.1).
const MAX_MISORDER: u16 = 100;
/// Bounds of the 24-bit field of lost packets.
const LOST_RANGE: (i64, i64) = (-0x80_0000, 0x7F_FFFF);
/// Timestamp differences beyond this say nothing about jitter.
const MAX_DIFFERENCE: i64 = 1 << 24;

/// What a packet is to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next packet, or one near it.
    Belongs,
    /// The first of another stream: another source, or sequence numbers that began anew.
    Begins,
    /// Not credible before another one like it has come.
    OnProbation,
}

/// The current source.
#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    base: u32,
    cycles: u32,
    highest: u16,
    received: u64,
    expected_before: u64,
    received_before: u64,
    /// In sixteenths of a timestamp unit.
    jitter: i64,
    transit: Option<i64>,
}

/// Follows sequence numbers.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    source: Option<Source>,
    /// The packet that would confirm a new stream: source and sequence number.
    expected: Option<(u32, u16)>,
}

impl Reception {
    /// Takes a packet's source and sequence number.
    pub(crate) fn handle(&mut self, ssrc: u32, sequence: u16) -> Verdict {
        let Some(source) = &mut self.source else {
            self.begin(ssrc, sequence);
            return Verdict::Begins;
        };
        if source.ssrc == ssrc && source.follow(sequence) {
            source.received += 1;
            self.expected = None;
            return Verdict::Belongs;
        }
        // Two in a row are believed (RFC 3550, A.1); a single stray packet must not cut off a talker.
        if self.expected == Some((ssrc, sequence)) {
            self.begin(ssrc, sequence);
            return Verdict::Begins;
        }
        self.expected = Some((ssrc, sequence.wrapping_add(1)));
        Verdict::OnProbation
    }

    /// Takes an audio packet's transit time, for the jitter (RFC 3550, A.8).
    pub(crate) fn observe_transit(&mut self, transit: i64) {
        let Some(source) = &mut self.source else { return };
        if let Some(before) = source.transit.replace(transit) {
            let difference = transit.saturating_sub(before).saturating_abs();
            if difference < MAX_DIFFERENCE {
                source.jitter += difference - ((source.jitter + 8) >> 4);
            }
        }
    }

    /// Leaves out one difference, after timestamps began anew.
    pub(crate) fn forget_transit(&mut self) {
        if let Some(source) = &mut self.source {
            source.transit = None;
        }
    }

    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.source.map(|s| s.ssrc)
    }

    pub(crate) fn received(&self) -> u64 {
        self.source.map_or(0, |s| s.received)
    }

    pub(crate) fn extended_highest(&self) -> u32 {
        self.source.map_or(0, |s| s.extended_highest())
    }

    pub(crate) fn cumulative_lost(&self) -> i32 {
        self.source.map_or(0, |s| s.lost())
    }

    pub(crate) fn jitter(&self) -> u32 {
        self.source.map_or(0, |s| u32::try_from(s.jitter >> 4).unwrap_or(0))
    }

    /// See [`crate::AudioReceiver::report_block`].
    pub(crate) fn report_block(&mut self) -> Option<ReportBlock> {
        let jitter = self.jitter();
        let source = self.source.as_mut()?;
        let expected = source.expected();
        let expected_now = expected.saturating_sub(source.expected_before);
        let received_now = source.received.saturating_sub(source.received_before);
        (source.expected_before, source.received_before) = (expected, source.received);
        let lost = expected_now.saturating_sub(received_now);
        let fraction = (lost * 256).checked_div(expected_now).unwrap_or(0);
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: u8::try_from(fraction).unwrap_or(u8::MAX),
            cumulative_lost: source.lost(),
            extended_highest_sequence: source.extended_highest(),
            jitter,
        })
    }

    fn begin(&mut self, ssrc: u32, sequence: u16) {
        self.expected = None;
        self.source = Some(Source {
            ssrc,
            base: u32::from(sequence),
            cycles: 0,
            highest: sequence,
            received: 1,
            expected_before: 0,
            received_before: 0,
            jitter: 0,
            transit: None,
        });
    }
}

impl Source {
    /// Moves the highest sequence number; false when the packet is too far from it.
    fn follow(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest);
        if ahead < MAX_DROPOUT {
            if sequence < self.highest {
                self.cycles = self.cycles.wrapping_add(1 << 16);
            }
            self.highest = sequence;
            return true;
        }
        ahead > u16::MAX - MAX_MISORDER
    }

    fn extended_highest(&self) -> u32 {
        self.cycles.wrapping_add(u32::from(self.highest))
    }

    fn expected(&self) -> u64 {
        u64::from(self.extended_highest().wrapping_sub(self.base)) + 1
    }

    fn lost(&self) -> i32 {
        let lost = self.expected() as i64 - self.received as i64;
        lost.clamp(LOST_RANGE.0, LOST_RANGE.1) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_and_wrap_around_are_counted_as_rfc_3550_does() {
        let mut reception = Reception::default();
        for n in 0..100_u16 {
            if n % 4 != 1 {
                reception.handle(7, 65_500_u16.wrapping_add(n));
            }
        }
        let block = reception.report_block().unwrap();
        assert_eq!(block.extended_highest_sequence, 65_536 + 63);
        assert_eq!((block.cumulative_lost, block.fraction_lost), (25, 64));
        for n in 100..110_u16 {
            reception.handle(7, 65_500_u16.wrapping_add(n));
        }
        let block = reception.report_block().unwrap();
        assert_eq!((block.cumulative_lost, block.fraction_lost), (25, 0));
        assert_eq!(reception.received(), 85);
    }

    #[test]
    fn duplicates_make_the_loss_negative_and_the_fraction_zero() {
        let mut reception = Reception::default();
        for sequence in [1, 2, 2, 2, 3] {
            reception.handle(7, sequence);
        }
        let block = reception.report_block().unwrap();
        assert_eq!((block.cumulative_lost, block.fraction_lost), (-2, 0));
    }

    #[test]
    fn jitter_approaches_the_mean_difference() {
        let mut reception = Reception::default();
        reception.handle(7, 1);
        for n in 0..2000 {
            reception.observe_transit(if n % 2 == 0 { 0 } else { 80 });
        }
        assert!((75..=80).contains(&reception.jitter()), "{}", reception.jitter());
        reception.observe_transit(i64::MAX);
        reception.observe_transit(i64::MIN);
        assert!(reception.jitter() < 100);
    }

    #[test]
    fn another_source_needs_two_packets_in_a_row() {
        let mut reception = Reception::default();
        assert_eq!(reception.handle(7, 1), Verdict::Begins);
        assert_eq!(reception.handle(9, 50), Verdict::OnProbation);
        assert_eq!(reception.handle(7, 2), Verdict::Belongs);
        assert_eq!(reception.handle(9, 51), Verdict::OnProbation);
        assert_eq!(reception.handle(9, 52), Verdict::Begins);
        assert_eq!(reception.ssrc(), Some(9));
        assert_eq!(reception.received(), 1);
    }

    #[test]
    fn a_sequence_jump_needs_two_packets_in_a_row() {
        let mut reception = Reception::default();
        reception.handle(7, 1);
        assert_eq!(reception.handle(7, 40_000), Verdict::OnProbation);
        assert_eq!(reception.handle(7, 40_001), Verdict::Begins);
        assert_eq!(reception.handle(7, 39_990), Verdict::Belongs);
        assert_eq!(reception.extended_highest(), 40_001);
    }
}
