//! RTCP: reading compound packets and writing reports (RFC 3550, 6).
//!
//! Writing goes straight into the caller's buffer, because reports are made on the media clock, where nothing
//! may allocate; `rtcp-types` builds its packets on the heap, so it only reads here and judges the writer.

use rtcp_types::{Bye, ReceiverReport, RtcpPacketParser, SenderReport as ParsedSenderReport};
use thiserror::Error;

/// Packets looked at in one datagram; a compound of reports, description and farewell has three or four.
pub const MAX_PACKETS: usize = 16;

/// Octets that [`write_report`] needs at most: sender report with one block, a CNAME of 255 octets, BYE.
pub const MAX_REPORT_LEN: usize = 28 + 24 + 4 + 4 + 2 + 255 + 4 + 8;

const SENDER_REPORT: u8 = 200;
const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

/// Why a datagram is not an RTCP compound packet.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RtcpError {
    /// A packet in the compound is cut short or contradicts its own length.
    #[error("malformed packet")]
    Malformed,
    /// The first packet is not a report (RFC 3550, 6.1).
    #[error("compound does not start with a report")]
    NoReport,
}

/// The sender's half of a sender report (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderReport {
    /// NTP time, 32.32 fixed point seconds since 1900.
    pub ntp: u64,
    /// The same instant on the RTP clock.
    pub rtp_timestamp: u32,
    /// Packets sent so far, wraps.
    pub packets: u32,
    /// Payload octets sent so far, wraps.
    pub octets: u32,
}

/// What one end has received from the other (RFC 3550, 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// Whose packets this is about.
    pub ssrc: u32,
    /// Lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Lost in all: 24 bits, saturating.
    pub cumulative_lost: u32,
    /// Cycles and highest sequence number.
    pub highest_sequence: u32,
    /// Interarrival jitter in units of the RTP clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report, 0 without one.
    pub last_sender_report: u32,
    /// Since that report arrived, in 1/65536 s.
    pub delay_since_last_sender_report: u32,
}

/// What matters to us in a received compound packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Who sent the first report.
    pub ssrc: u32,
    /// The sender's half, where it was a sender report.
    pub sender: Option<SenderReport>,
    /// What the far end says of our stream.
    pub about_us: Option<ReportBlock>,
    /// The far end ends its stream.
    pub is_bye: bool,
}

/// What [`write_report`] puts into a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report<'a> {
    /// Our source.
    pub ssrc: u32,
    /// Present where we have sent since the last report; makes it a sender report.
    pub sender: Option<SenderReport>,
    /// What we have received, where something came.
    pub block: Option<ReportBlock>,
    /// Canonical name, 1 to 255 octets (RFC 3550, 6.5.1).
    pub cname: &'a str,
    /// Appends a BYE.
    pub is_bye: bool,
}

/// Reads a compound packet; blocks about other sources than `our_ssrc` are skipped.
///
/// # Errors
///
/// Returns [`RtcpError`] where the datagram does not start with a whole report or a later packet is cut
/// short.
pub fn parse(datagram: &[u8], our_ssrc: u32) -> Result<Received, RtcpError> {
    let mut received = Received::default();
    let mut rest = datagram;
    for index in 0..MAX_PACKETS {
        if rest.is_empty() {
            break;
        }
        let (packet, behind) = split_packet(rest)?;
        rest = behind;
        match (packet_type(packet), index) {
            (SENDER_REPORT, _) => read_sender_report(packet, our_ssrc, &mut received)?,
            (RECEIVER_REPORT, _) => read_receiver_report(packet, our_ssrc, &mut received)?,
            (_, 0) => return Err(RtcpError::NoReport),
            (BYE, _) => {
                Bye::parse(packet).map_err(|_| RtcpError::Malformed)?;
                received.is_bye = true;
            }
            (_, _) => {}
        }
    }
    if datagram.is_empty() { Err(RtcpError::NoReport) } else { Ok(received) }
}

/// Writes a compound packet: report, CNAME and, if asked, BYE. Returns its length.
///
/// Returns `None` where the buffer is smaller than needed (at most [`MAX_REPORT_LEN`]) or the CNAME is longer
/// than 255.
pub fn write_report(report: &Report<'_>, buffer: &mut [u8]) -> Option<usize> {
    let mut out = Writer { buffer, at: 0 };
    let blocks = u8::from(report.block.is_some());
    match report.sender {
        Some(sender) => {
            out.head(blocks, SENDER_REPORT, 6 + 6 * u16::from(blocks))?;
            out.put(&report.ssrc.to_be_bytes())?;
            out.put(&sender.ntp.to_be_bytes())?;
            out.put(&sender.rtp_timestamp.to_be_bytes())?;
            out.put(&sender.packets.to_be_bytes())?;
            out.put(&sender.octets.to_be_bytes())?;
        }
        None => {
            out.head(blocks, RECEIVER_REPORT, 1 + 6 * u16::from(blocks))?;
            out.put(&report.ssrc.to_be_bytes())?;
        }
    }
    if let Some(block) = report.block {
        out.block(&block)?;
    }
    out.cname(report.ssrc, report.cname)?;
    if report.is_bye {
        out.head(1, BYE, 1)?;
        out.put(&report.ssrc.to_be_bytes())?;
    }
    Some(out.at)
}

struct Writer<'a> {
    buffer: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, octets: &[u8]) -> Option<()> {
        let end = self.at.checked_add(octets.len())?;
        self.buffer.get_mut(self.at..end)?.copy_from_slice(octets);
        self.at = end;
        Some(())
    }

    fn head(&mut self, count: u8, packet_type: u8, words: u16) -> Option<()> {
        self.put(&[0x80 | count, packet_type])?;
        self.put(&words.to_be_bytes())
    }

    fn block(&mut self, block: &ReportBlock) -> Option<()> {
        self.put(&block.ssrc.to_be_bytes())?;
        let lost = block.cumulative_lost.min(0x007f_ffff) | (u32::from(block.fraction_lost) << 24);
        self.put(&lost.to_be_bytes())?;
        self.put(&block.highest_sequence.to_be_bytes())?;
        self.put(&block.jitter.to_be_bytes())?;
        self.put(&block.last_sender_report.to_be_bytes())?;
        self.put(&block.delay_since_last_sender_report.to_be_bytes())
    }

    fn cname(&mut self, ssrc: u32, cname: &str) -> Option<()> {
        let len = u8::try_from(cname.len()).ok()?;
        // The item list ends with at least one zero octet and fills its last word (RFC 3550, 6.5).
        let items = 2 + usize::from(len);
        let padded = (items / 4 + 1) * 4;
        self.head(1, SOURCE_DESCRIPTION, u16::try_from(1 + padded / 4).ok()?)?;
        self.put(&ssrc.to_be_bytes())?;
        self.put(&[1, len])?;
        self.put(cname.as_bytes())?;
        self.put(&[0; 4][..padded - items])
    }
}

fn packet_type(packet: &[u8]) -> u8 {
    packet.get(1).copied().unwrap_or_default()
}

fn split_packet(rest: &[u8]) -> Result<(&[u8], &[u8]), RtcpError> {
    let head = rest.first_chunk::<4>().ok_or(RtcpError::Malformed)?;
    let len = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
    if head[0] >> 6 != 2 {
        return Err(RtcpError::Malformed);
    }
    rest.split_at_checked(len).ok_or(RtcpError::Malformed)
}

fn read_sender_report(packet: &[u8], our_ssrc: u32, received: &mut Received) -> Result<(), RtcpError> {
    let report = ParsedSenderReport::parse(packet).map_err(|_| RtcpError::Malformed)?;
    received.ssrc = report.ssrc();
    received.sender = Some(SenderReport {
        ntp: report.ntp_timestamp(),
        rtp_timestamp: report.rtp_timestamp(),
        packets: report.packet_count(),
        octets: report.octet_count(),
    });
    if let Some(block) = report.report_blocks().find(|block| block.ssrc() == our_ssrc) {
        received.about_us = Some(own_block(&block));
    }
    Ok(())
}

fn read_receiver_report(packet: &[u8], our_ssrc: u32, received: &mut Received) -> Result<(), RtcpError> {
    let report = ReceiverReport::parse(packet).map_err(|_| RtcpError::Malformed)?;
    received.ssrc = report.ssrc();
    if let Some(block) = report.report_blocks().find(|block| block.ssrc() == our_ssrc) {
        received.about_us = Some(own_block(&block));
    }
    Ok(())
}

fn own_block(block: &rtcp_types::ReportBlock<'_>) -> ReportBlock {
    ReportBlock {
        ssrc: block.ssrc(),
        fraction_lost: block.fraction_lost(),
        cumulative_lost: block.cumulative_lost(),
        highest_sequence: block.extended_sequence_number(),
        jitter: block.interarrival_jitter(),
        last_sender_report: block.last_sender_report_timestamp(),
        delay_since_last_sender_report: block.delay_since_last_sender_report_timestamp(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rtcp_types::{Compound, Packet};

    const SENDER: SenderReport =
        SenderReport { ntp: 0x1122_3344_5566_7788, rtp_timestamp: 160, packets: 50, octets: 8000 };
    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 7,
        fraction_lost: 12,
        cumulative_lost: 34,
        highest_sequence: 0x0001_0002,
        jitter: 5,
        last_sender_report: 0x3344_5566,
        delay_since_last_sender_report: 65536,
    };

    fn written(report: &Report<'_>) -> Vec<u8> {
        let mut buffer = [0xffu8; MAX_REPORT_LEN];
        let len = write_report(report, &mut buffer).unwrap();
        buffer[..len].to_vec()
    }

    #[test]
    fn a_written_report_reads_back() {
        let report = Report { ssrc: 9, sender: Some(SENDER), block: Some(BLOCK), cname: "a@b", is_bye: true };

        let received = parse(&written(&report), 7).unwrap();

        let expected = Received { ssrc: 9, sender: Some(SENDER), about_us: Some(BLOCK), is_bye: true };
        assert_eq!(received, expected);
    }

    #[test]
    fn another_implementation_reads_every_shape_we_write() {
        for (sender, block) in
            [(Some(SENDER), Some(BLOCK)), (Some(SENDER), None), (None, Some(BLOCK)), (None, None)]
        {
            for cname_len in 1..=9 {
                let cname = "hookswitch"[..cname_len].to_owned();
                let octets = written(&Report { ssrc: 9, sender, block, cname: &cname, is_bye: false });

                let packets: Vec<Packet<'_>> =
                    Compound::parse(&octets).unwrap().collect::<Result<_, _>>().unwrap();

                let Packet::Sdes(sdes) = &packets[1] else { panic!("no source description: {packets:?}") };
                let chunk = sdes.chunks().next().unwrap();
                assert_eq!(chunk.items().next().unwrap().value(), cname.as_bytes());
                assert_eq!(packets.len(), 2);
            }
        }
    }

    #[test]
    fn the_longest_report_fits_the_stated_length() {
        let cname = "x".repeat(255);
        let report =
            Report { ssrc: 9, sender: Some(SENDER), block: Some(BLOCK), cname: &cname, is_bye: true };

        assert!(written(&report).len() <= MAX_REPORT_LEN);
        assert_eq!(write_report(&report, &mut [0; 64]), None);
        assert_eq!(write_report(&Report { cname: &"x".repeat(256), ..report }, &mut [0; 1024]), None);
    }

    #[test]
    fn what_is_not_a_compound_of_reports_is_refused() {
        let bye_alone = [0x81, 203, 0, 1, 0, 0, 0, 9];
        let mut cut = written(&Report { ssrc: 9, sender: None, block: None, cname: "ab", is_bye: false });
        cut.pop();

        assert_eq!(parse(&[], 1), Err(RtcpError::NoReport));
        assert_eq!(parse(&bye_alone, 1), Err(RtcpError::NoReport));
        assert_eq!(parse(&cut, 1), Err(RtcpError::Malformed));
        assert_eq!(parse(&[0x80, 201, 0xff, 0xff], 1), Err(RtcpError::Malformed));
    }

    proptest! {
        #[test]
        fn no_datagram_makes_the_reader_panic(
            kind in 200u8..=207, count in 0x80u8..=0xbf, words in 0u16..20,
            rest in proptest::collection::vec(any::<u8>(), 0..160)
        ) {
            let mut datagram = vec![count, kind];
            datagram.extend(words.to_be_bytes());
            datagram.extend(rest);
            let _ = parse(&datagram, 1);
        }
    }
}
