//! RTCP of a leg (RFC 3550, 6).

use std::net::SocketAddr;
use std::time::Duration;

use rtc_proto::rtcp::{self, MAX_REPORT_LEN, Received, Report, ReportBlock, SenderReport};
use rtc_proto::srtp::MAX_OVERHEAD;

use super::media::Media;
use crate::LegStats;
use crate::clock;

/// The mean time between reports (RFC 3550, 6.2).
const INTERVAL: Duration = Duration::from_secs(5);

/// Where reports go, when the next is due, and what was in the far end's last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reports {
    pub(crate) to: SocketAddr,
    next_at: Duration,
    last_sender_report: Option<(u32, Duration)>,
    sent_packets: u32,
    random: u32,
}

/// A report ready to be sent.
pub(crate) struct Packet {
    pub(crate) octets: [u8; MAX_REPORT_LEN + MAX_OVERHEAD],
    pub(crate) len: usize,
}

impl Reports {
    pub(crate) fn new(to: SocketAddr, seed: u32, now: Duration) -> Self {
        let mut reports =
            Self { to, next_at: now, last_sender_report: None, sent_packets: 0, random: seed | 1 };
        reports.schedule(now);
        reports
    }

    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= self.next_at
    }

    /// Half to one and a half times the mean, so that legs do not report in step (RFC 3550, 6.3.1).
    fn schedule(&mut self, now: Duration) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.next_at = now + INTERVAL / 2 + INTERVAL * (self.random >> 16) / 0x1_0000;
    }

    /// Makes the next report, or with `is_bye` the last; `None` where SRTP refuses.
    pub(crate) fn make(
        &mut self,
        media: &mut Media,
        cname: &str,
        now: Duration,
        is_bye: bool,
    ) -> Option<Packet> {
        self.schedule(now);
        let counts = media.sender.counts();
        let has_sent = counts.packets != self.sent_packets;
        self.sent_packets = counts.packets;
        let sender = has_sent.then(|| SenderReport {
            ntp: clock::ntp(),
            rtp_timestamp: counts.next_timestamp,
            packets: counts.packets,
            octets: counts.octets,
        });
        let block = media.receiver.report_block().map(|block| ReportBlock {
            ssrc: block.ssrc,
            fraction_lost: block.fraction_lost,
            cumulative_lost: u32::try_from(block.cumulative_lost).unwrap_or(0),
            highest_sequence: block.extended_highest_sequence,
            jitter: block.jitter,
            last_sender_report: self.last_sender_report.map_or(0, |(middle, _)| middle),
            delay_since_last_sender_report: self
                .last_sender_report
                .map_or(0, |(_, at)| (now.saturating_sub(at).as_micros() * 65_536 / 1_000_000) as u32),
        });
        let report = Report { ssrc: media.ssrc, sender, block, cname, is_bye };
        let mut octets = [0; MAX_REPORT_LEN + MAX_OVERHEAD];
        let mut len = rtcp::write_report(&report, &mut octets)?;
        if let Some(outbound) = &mut media.outbound {
            len = outbound.protect_rtcp(&mut octets, len).ok()?;
        }
        Some(Packet { octets, len })
    }

    pub(crate) fn handle(&mut self, received: &Received, now: Duration, stats: &mut LegStats) {
        if let Some(sender) = received.sender {
            self.last_sender_report = Some(((sender.ntp >> 16) as u32, now));
        }
        let Some(block) = received.about_us else { return };
        stats.remote_fraction_lost = block.fraction_lost;
        stats.remote_jitter = block.jitter;
        if block.last_sender_report != 0 {
            let middle = (clock::ntp() >> 16) as u32;
            let ticks = middle
                .wrapping_sub(block.last_sender_report)
                .wrapping_sub(block.delay_since_last_sender_report)
                .cast_signed();
            // Clocks tick in 15 us here, so a short trip may come out below zero; a minute is nobody's round
            // trip.
            if (-100..60 * 65_536).contains(&ticks) {
                stats.round_trip_us =
                    Some((u64::from(ticks.max(0).unsigned_abs()) * 1_000_000 / 65_536) as u32);
            }
        }
    }
}
