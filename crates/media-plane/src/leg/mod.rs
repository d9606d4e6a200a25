//! One leg on its media thread.

mod jobs;
mod media;
mod member;
mod meter;
mod peer;
mod report;
mod transport;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use media_engine::{Codec, Frame, FrameKind, MAX_PAYLOAD_BYTES, RtpPacketRef, Tone};
use rtc_proto::rtcp;
use rtc_proto::rtp::{self, FIXED_HEADER_LEN, Header, Packet};
use rtc_proto::sdp::Direction;
use rtc_proto::srtp::MAX_OVERHEAD;

pub(crate) use self::jobs::PlayJob;
use self::jobs::{Jobs, Refused};
pub(crate) use self::media::{Media, engine_codec};
use self::meter::Meter;
use self::peer::Peer;
use self::report::Reports;
pub(crate) use self::transport::{Sockets, Transport};
use crate::command::{Disposal, Disposer, ToneJob};
use crate::event::{EventSender, JobOutcome, MediaEvent, RecordingEnd};
use crate::mixer::Membership;
use crate::pipe::PIPED_PEER;
use crate::stats::{ThreadStats, add};
use crate::tape::Tape;
use crate::{JobId, LegId, LegStats, clock};

/// Datagrams that a leg may receive in one round; a voice stream brings one or two, and a flood waits or is
/// lost.
const BUDGET: u32 = 48;

/// How much longer than a far end that sends, one that only listens or is muted may give no sign of life: its reports
/// come every five seconds at most (RFC 3550, 6.2), but some are lost, and some phones take their time.
const LISTENER_PATIENCE: u32 = 3;

/// What legs of a thread share while one of them works.
pub(crate) struct Workbench {
    pub(crate) heard: Frame,
    pub(crate) said: Frame,
    pub(crate) scratch: Frame,
    pub(crate) bridged: Frame,
    /// Keys that the leg has just pressed which was listened to last.
    pub(crate) keys: Vec<Tone>,
    pub(crate) packet: [u8; FIXED_HEADER_LEN + MAX_PAYLOAD_BYTES + MAX_OVERHEAD],
    pub(crate) events: EventSender,
    pub(crate) disposer: Disposer,
    pub(crate) stats: Arc<ThreadStats>,
    pub(crate) lost_after: Duration,
    pub(crate) cname: String,
}

/// Keys that a leg may press in one round, as many as its receiver keeps.
pub(crate) const MAX_KEYS: usize = 16;

/// What a leg is told of others to send while it plays nothing itself.
#[derive(Clone, Copy)]
pub(crate) enum Others<'a> {
    /// It is in no mixer.
    Absent,
    /// They fade away, as samples at its rate, below what it plays.
    Fading(&'a [i16]),
    /// What the mixer has encoded.
    Payload(&'a [u8]),
    Silent,
}

/// A way for packets, and since the leg is configured also media.
#[derive(Debug)]
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) transport: Transport,
    /// Place in the round and weight there, once configured.
    pub(crate) slot: Option<(usize, u32)>,
    pub(crate) jobs: Jobs,
    pub(crate) membership: Option<Membership>,
    pub(crate) is_paused: bool,
    link: Option<Link>,
    budget: u32,
    stats: LegStats,
    has_flowed: bool,
    meter: Meter,
}

/// A configured leg's connection.
#[derive(Debug)]
struct Link {
    media: Box<Media>,
    peer: Peer,
    reports: Reports,
    /// Since when something should come, or came last.
    heard_at: Duration,
    /// The same for a sign of life of any kind: RTP or RTCP.
    alive_at: Duration,
    is_lost: bool,
}

impl Link {
    fn new(media: Box<Media>, now: Duration) -> Self {
        let terms = &media.negotiated;
        let (peer, reports) = (Peer::new(terms.remote_rtp), Reports::new(terms.remote_rtcp, media.ssrc, now));
        Self { media, peer, reports, heard_at: now, alive_at: now, is_lost: false }
    }

    /// Whether the far end has been silent for too long.
    ///
    /// Whoever should send is waited for, and longer where the last that came was a report: a muted phone may send
    /// nothing else. Where we only send, reports are all that can come, and without any nobody is sent to for ever.
    /// Who has put us on hold owes us nothing (RFC 3264, 8.4), and many send neither sound nor reports then: whether
    /// they are still there is for the signalling to find out (RFC 4028).
    fn is_overdue(&self, now: Duration, lost_after: Duration) -> bool {
        let is_patient = match self.media.negotiated.direction {
            Direction::Inactive | Direction::RecvOnly => return false,
            Direction::SendOnly => true,
            Direction::SendRecv => self.alive_at > self.heard_at,
        };
        let patience = if is_patient { lost_after * LISTENER_PATIENCE } else { lost_after };
        now.saturating_sub(self.alive_at) >= patience
    }
}

impl Leg {
    pub(crate) fn new(id: LegId, transport: Transport) -> Self {
        Self {
            id,
            transport,
            slot: None,
            jobs: Jobs::default(),
            membership: None,
            is_paused: false,
            link: None,
            budget: BUDGET,
            stats: LegStats::default(),
            has_flowed: false,
            meter: Meter::default(),
        }
    }

    /// Puts a negotiation into force, the first or a later one.
    pub(crate) fn configure(&mut self, mut media: Box<Media>, now: Duration, bench: &mut Workbench) {
        if self.is_piped() {
            media.negotiated.remote_rtp = PIPED_PEER;
        }
        let Some(link) = &mut self.link else {
            self.link = Some(Link::new(media, now));
            return;
        };
        let (rtp, rtcp) = (media.negotiated.remote_rtp, media.negotiated.remote_rtcp);
        media.inherit(&mut link.media);
        if media.negotiated.remote_rtcp != link.media.negotiated.remote_rtcp {
            link.reports.to = rtcp;
        }
        if link.peer.signalled() != rtp {
            link.peer = Peer::new(rtp);
        }
        if media.negotiated.direction != link.media.negotiated.direction {
            (link.heard_at, link.alive_at, link.is_lost) = (now, now, false);
        }
        std::mem::swap(&mut link.media, &mut media);
        bench.disposer.dispose(Disposal::Media(media));
    }

    pub(crate) fn is_configured(&self) -> bool {
        self.link.is_some()
    }

    /// Counts a batch against the leg's share of the round; false when it is used up.
    pub(crate) fn spend(&mut self, datagrams: usize) -> bool {
        self.budget = self.budget.saturating_sub(datagrams as u32);
        self.budget > 0
    }

    /// Takes a datagram that came on the RTP socket.
    pub(crate) fn handle_rtp(
        &mut self,
        datagram: &mut [u8],
        from: SocketAddr,
        now: Duration,
        bench: &mut Workbench,
    ) {
        if rtp::is_rtcp(datagram) {
            return self.handle_rtcp(datagram, from, now);
        }
        let Some(link) = &mut self.link else { return };
        if !link.peer.admits(from, now) {
            self.stats.foreign += 1;
            return;
        }
        let len = match &mut link.media.inbound {
            Some(inbound) => inbound.unprotect_rtp(datagram),
            None => Ok(datagram.len()),
        };
        let Ok(len) = len else {
            self.stats.unauthenticated += 1;
            return;
        };
        let packet = datagram.get(..len).map(Packet::parse);
        let Some(Ok(packet)) = packet.filter(|packet| is_expected(packet.as_ref().ok(), &link.media)) else {
            self.stats.garbage += 1;
            return;
        };
        if !link.peer.accept(from, packet.header.ssrc, now) {
            self.stats.foreign += 1;
            return;
        }
        self.stats.received_packets += 1;
        self.stats.received_octets += packet.payload.len() as u64;
        (link.heard_at, link.alive_at, link.is_lost) = (now, now, false);
        if link.media.negotiated.direction.receives() {
            link.media.receiver.handle_rtp(engine_packet(&packet, link.media.negotiated.audio_level), now);
        }
        if !self.has_flowed {
            self.has_flowed = true;
            bench.events.send(MediaEvent::Flowing { leg: self.id }, &bench.stats);
        }
    }

    /// Takes a datagram that came on the RTCP socket, or RTCP from the other one.
    pub(crate) fn handle_rtcp(&mut self, datagram: &mut [u8], from: SocketAddr, now: Duration) {
        let Some(link) = &mut self.link else { return };
        if from.ip() != link.peer.ip() {
            self.stats.foreign += 1;
            return;
        }
        let len = match &mut link.media.inbound {
            Some(inbound) => inbound.unprotect_rtcp(datagram),
            None => Ok(datagram.len()),
        };
        let Ok(len) = len else {
            self.stats.unauthenticated += 1;
            return;
        };
        match rtcp::parse(datagram.get(..len).unwrap_or_default(), link.media.ssrc) {
            Ok(received) => {
                link.reports.to = from;
                link.reports.handle(&received, now, &mut self.stats);
                (link.alive_at, link.is_lost) = (now, false);
            }
            Err(_) => self.stats.garbage += 1,
        }
    }

    /// The leg's work of one round, due at `due`, where it is in no mixer.
    pub(crate) fn tick(&mut self, (due, now): (Duration, Duration), bench: &mut Workbench) {
        self.drain(bench);
        self.listen(now, true, bench);
        self.tick_heard(Others::Absent, (due, now), bench);
    }

    /// The same once somebody has listened to it.
    pub(crate) fn tick_heard(
        &mut self,
        others: Others<'_>,
        (due, now): (Duration, Duration),
        bench: &mut Workbench,
    ) {
        self.budget = BUDGET;
        self.speak(others, due, bench);
        self.tell_if_lost(now, bench);
        self.report(now, bench, false);
        self.jobs.dispose_ended(&mut bench.disposer);
    }

    /// Puts the next 20 ms of the far end on the bench, and keys; unless sound is wanted, only what has voice in it.
    pub(crate) fn listen(&mut self, now: Duration, wants_sound: bool, bench: &mut Workbench) -> FrameKind {
        bench.keys.clear();
        let Some(link) = &mut self.link else { return FrameKind::Silence };
        let media = &mut link.media;
        let kind = if wants_sound || media.detector.is_some() || self.jobs.has_tapes() {
            media.receiver.pull(now, &mut bench.heard)
        } else {
            media.receiver.pull_voice(now, &mut bench.heard)
        };
        while let Some(event) = media.receiver.poll_tone() {
            heard_tone(self.id, event.tone, &mut self.jobs, bench);
        }
        if kind == FrameKind::Audio
            && let Some(tone) =
                media.detector.as_mut().and_then(|detector| detector.handle_frame(&bench.heard))
        {
            heard_tone(self.id, tone, &mut self.jobs, bench);
        }
        self.meter.hear(kind, &bench.heard, now);
        let bridge = media.bridge.as_mut().filter(|_| self.jobs.has_tapes());
        let bridged = bridge.map(|bridge| {
            bench.bridged.reset(bridge.job_rate);
            bridge.heard.convert(&bench.heard, &mut bench.bridged);
            &bench.bridged
        });
        self.jobs.hear(&bench.heard, bridged, &mut bench.scratch);
        kind
    }

    fn tell_if_lost(&mut self, now: Duration, bench: &mut Workbench) {
        // Whether the far end of a pipe is there, the other task knows.
        let is_piped = self.is_piped();
        let Some(link) = self.link.as_mut().filter(|_| !is_piped) else { return };
        if link.is_overdue(now, bench.lost_after) && !link.is_lost {
            link.is_lost = true;
            bench.events.send(MediaEvent::Lost { leg: self.id }, &bench.stats);
        }
    }

    fn speak(&mut self, others: Others<'_>, due: Duration, bench: &mut Workbench) {
        let Some(link) = &mut self.link else { return };
        bench.said.reset(link.media.codec.sample_rate());
        let (is_playing, ended) = self.jobs.fill(&mut bench.said);
        if let Some(bridge) = &mut link.media.bridge
            && bench.said.rate() == bridge.job_rate
        {
            bench.scratch.reset(link.media.codec.sample_rate());
            bridge.said.convert(&bench.said, &mut bench.scratch);
            std::mem::swap(&mut bench.said, &mut bench.scratch);
        }
        if let Others::Fading(samples) = others {
            for (slot, x) in bench.said.samples_mut().iter_mut().zip(samples) {
                *slot = slot.saturating_add(*x);
            }
        }
        if let Some((play, outcome)) = ended {
            job_done(self.id, play.job, outcome, bench);
            bench.disposer.dispose(Disposal::Play(play));
        }
        let destination = link.peer.destination().filter(|_| link.media.negotiated.direction.sends());
        match destination {
            Some(to) => {
                let said = match others {
                    _ if is_playing => Said::Frame(&bench.said),
                    Others::Payload(payload) => Said::Encoded(payload),
                    Others::Absent if self.jobs.is_echo => Said::Frame(&bench.heard),
                    Others::Absent | Others::Fading(_) | Others::Silent => Said::Silence,
                };
                if let Some(len) = write_packet(&mut link.media, said, &mut bench.packet) {
                    self.send(len.total, len.payload, (to, due), bench);
                }
            }
            None => link.media.sender.skip(),
        }
        self.finish_tones(bench);
    }

    fn send(
        &mut self,
        len: usize,
        payload_len: usize,
        (to, due): (SocketAddr, Duration),
        bench: &mut Workbench,
    ) {
        let octets = bench.packet.get(..len).unwrap_or_default();
        let is_sent = match &mut self.transport {
            Transport::Hosted => return,
            Transport::Pipe(pipe) => pipe.send(octets, due),
            Transport::Sockets(sockets) => sockets.rtp.send_to(octets, to).is_ok(),
        };
        if !is_sent {
            add(&bench.stats.send_errors, 1);
            return;
        }
        let late = clock::monotonic().saturating_sub(due);
        bench.stats.record_lateness(late);
        let late_us = u32::try_from(late.as_micros()).unwrap_or(u32::MAX);
        self.stats.worst_lateness_us = self.stats.worst_lateness_us.max(late_us);
        self.stats.sent_packets += 1;
        self.stats.sent_octets += payload_len as u64;
    }

    fn finish_tones(&mut self, bench: &mut Workbench) {
        let Some(link) = &mut self.link else { return };
        if link.media.sender.poll_tones_sent()
            && let Some(job) = self.jobs.tones.take()
        {
            job_done(self.id, job, JobOutcome::Completed, bench);
        }
    }

    fn report(&mut self, now: Duration, bench: &mut Workbench, is_bye: bool) {
        let (Some(link), Transport::Sockets(sockets)) = (&mut self.link, &self.transport) else { return };
        let to = link.reports.to;
        if !(is_bye || link.reports.is_due(now)) || to.ip().is_unspecified() {
            return;
        }
        if let Some(packet) = link.reports.make(&mut link.media, &bench.cname, now, is_bye) {
            let has_mux = link.media.negotiated.has_rtcp_mux;
            let socket = if has_mux { &sockets.rtp } else { &sockets.rtcp };
            // A report that the system does not take is made up for by the next.
            let _ = socket.send_to(packet.octets.get(..packet.len).unwrap_or_default(), to);
        }
    }

    pub(crate) fn play(&mut self, play: Box<PlayJob>, bench: &mut Workbench) {
        if let Some(old) = self.jobs.play(play) {
            job_done(self.id, old.job, JobOutcome::Cancelled, bench);
            bench.disposer.dispose(Disposal::Play(old));
        }
    }

    pub(crate) fn add_tape(&mut self, tape: Box<Tape>, bench: &mut Workbench) {
        if let Err(mut tape) = self.jobs.add_tape(tape) {
            tape.stop(RecordingEnd::Recorder(media_engine::RecordOutcome::Cancelled));
            bench.disposer.dispose(Disposal::Tape(tape));
        }
    }

    pub(crate) fn send_tones(&mut self, tones: Box<ToneJob>, bench: &mut Workbench) {
        let outcome = match &mut self.link {
            Some(link) => self.jobs.send_tones(&tones, &mut link.media.sender),
            None => Err(Refused),
        };
        if outcome.is_err() {
            job_done(
                self.id,
                tones.job,
                JobOutcome::Failed("other tones are being sent, or too many"),
                bench,
            );
        }
        bench.disposer.dispose(Disposal::Tones(tones));
    }

    pub(crate) fn stop(&mut self, job: JobId, bench: &mut Workbench) {
        if self.jobs.stop(job) {
            if let Some(link) = &mut self.link {
                link.media.sender.cancel_tones();
            }
            self.jobs.tones = None;
            job_done(self.id, job, JobOutcome::Cancelled, bench);
        }
    }

    /// Ends all that it does, for it goes to another thread under another name; an application's stream goes with it.
    pub(crate) fn depart(&mut self, bench: &mut Workbench) {
        if let Some(play) = self.jobs.play.take() {
            job_done(self.id, play.job, JobOutcome::Cancelled, bench);
            bench.disposer.dispose(Disposal::Play(play));
        }
        if let Some(job) = self.jobs.tones {
            self.stop(job, bench);
        }
        self.jobs.cancel_tapes();
        self.jobs.dispose_ended(&mut bench.disposer);
        self.jobs.is_echo = false;
    }

    /// Goes on under its name on another thread.
    pub(crate) fn arrive(&mut self, id: LegId) {
        (self.id, self.slot, self.is_paused, self.budget) = (id, None, false, BUDGET);
    }

    /// Its codec, once configured.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.link.as_ref().map(|link| link.media.codec)
    }

    /// Says goodbye; the leg then goes to the file thread, which finishes its jobs and closes its sockets.
    pub(crate) fn close(&mut self, now: Duration, bench: &mut Workbench) {
        self.report(now, bench, true);
        if let Some(link) = &self.link {
            self.stats.receiver = link.media.receiver.stats();
        }
    }

    pub(crate) fn stats(&self) -> LegStats {
        self.stats
    }
}

struct Lengths {
    total: usize,
    payload: usize,
}

/// What a leg says in a round, unless it sends keys.
enum Said<'a> {
    Encoded(&'a [u8]),
    Frame(&'a Frame),
    Silence,
}

/// Encodes and protects this round's packet; `None` where there is none to send.
fn write_packet(media: &mut Media, said: Said<'_>, packet: &mut [u8]) -> Option<Lengths> {
    let payload = packet.get_mut(FIXED_HEADER_LEN..FIXED_HEADER_LEN + MAX_PAYLOAD_BYTES)?;
    let sent = match said {
        Said::Encoded(encoded) => media.sender.send_encoded(encoded, payload)?,
        Said::Frame(frame) => media.sender.send(Some(frame), payload)?,
        Said::Silence => media.sender.send(None, payload)?,
    };
    let header = Header {
        marker: sent.marker,
        payload_type: sent.payload_type,
        sequence: sent.sequence,
        timestamp: sent.timestamp,
        ssrc: sent.ssrc,
    };
    let start = header.write(packet)?;
    let len = start + sent.payload_len;
    let total = match &mut media.outbound {
        Some(outbound) => outbound.protect_rtp(packet, len).ok()?,
        None => len,
    };
    Some(Lengths { total, payload: sent.payload_len })
}

fn is_expected(packet: Option<&Packet<'_>>, media: &Media) -> bool {
    packet.is_some_and(|packet| media.expects(packet.header.payload_type))
}

fn engine_packet<'a>(packet: &Packet<'a>, level_element: Option<u8>) -> RtpPacketRef<'a> {
    RtpPacketRef {
        payload_type: packet.header.payload_type,
        sequence: packet.header.sequence,
        timestamp: packet.header.timestamp,
        ssrc: packet.header.ssrc,
        marker: packet.header.marker,
        level: level_element.and_then(|element| packet.audio_level(element)),
        payload: packet.payload,
    }
}

fn heard_tone(leg: LegId, tone: Tone, jobs: &mut Jobs, bench: &mut Workbench) {
    jobs.hear_tone(tone);
    if bench.keys.len() < bench.keys.capacity() {
        bench.keys.push(tone);
    }
    bench.events.send(MediaEvent::Tone { leg, tone }, &bench.stats);
}

fn job_done(leg: LegId, job: JobId, outcome: JobOutcome, bench: &mut Workbench) {
    bench.events.send(MediaEvent::JobDone { leg, job, outcome }, &bench.stats);
}
