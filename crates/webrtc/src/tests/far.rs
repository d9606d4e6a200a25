//! A far end: a full ICE agent with an offer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc_proto::rtp::Header;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::crypto::from_feature_flags;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

use crate::{Event as PeerEvent, Patience, Peer};

/// Formats of a far end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Speaks {
    Opus,
    Pcmu,
}

pub(super) struct Far {
    pub(super) rtc: Rtc,
    pub(super) address: SocketAddr,
    pub(super) received: Vec<(Header, Vec<u8>)>,
    pub(super) is_connected: bool,
    pub(super) is_closed: bool,
    pub(super) timeout: Instant,
    mid: Option<Mid>,
    pending: Option<SdpPendingOffer>,
    transmits: Vec<(SocketAddr, Vec<u8>)>,
    protocol: Protocol,
}

pub(super) fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Far {
    pub(super) fn new(speaks: Speaks, address: SocketAddr, now: Instant) -> Self {
        let mut far = Self::nowhere(speaks, address, now);
        far.rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        far
    }

    /// One that opens TCP connections, and has no UDP.
    pub(super) fn over_tcp(speaks: Speaks, address: SocketAddr, now: Instant) -> Self {
        let mut far = Self::nowhere(speaks, address, now);
        let candidate = Candidate::builder().tcp().host(address).tcptype(TcpType::Active).build();
        far.rtc.add_local_candidate(candidate.unwrap());
        far.protocol = Protocol::Tcp;
        far
    }

    fn nowhere(speaks: Speaks, address: SocketAddr, now: Instant) -> Self {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::new(from_feature_flags()))
            .set_rtp_mode(true)
            .clear_codecs();
        config = match speaks {
            Speaks::Opus => config.enable_opus(true, false).enable_pcmu(true, false),
            Speaks::Pcmu => config.enable_pcmu(true, false),
        };
        for (number, clock) in [(110, Frequency::FORTY_EIGHT_KHZ), (126, Frequency::EIGHT_KHZ)] {
            let codecs = config.codec_config();
            codecs.add_config(number.into(), None, Codec::Tele, clock, None, FormatParams::default());
        }
        Self {
            rtc: config.build(now),
            address,
            received: Vec::new(),
            is_connected: false,
            is_closed: false,
            timeout: now,
            mid: None,
            pending: None,
            transmits: Vec::new(),
            protocol: Protocol::Udp,
        }
    }

    /// The first offer.
    pub(super) fn offer(&mut self) -> String {
        let mut changes = self.rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = changes.apply().unwrap();
        self.mid = Some(mid);
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// A later one.
    pub(super) fn reoffer(&mut self, direction: Direction, restarts: bool) -> String {
        let mid = self.mid.unwrap();
        let mut changes = self.rtc.sdp_api();
        changes.set_direction(mid, direction);
        if restarts {
            changes.ice_restart(true);
        }
        let (offer, pending) = changes.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// Moves to another address, as a telephone does that leaves a building.
    pub(super) fn move_to(&mut self, address: SocketAddr) {
        let old = Candidate::host(self.address, "udp").unwrap();
        self.rtc.direct_api().invalidate_candidate(&old);
        self.rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        self.address = address;
    }

    /// Sends from another source from now on.
    pub(super) fn change_source(&mut self) {
        let mid = self.mid.unwrap();
        let mut direct = self.rtc.direct_api();
        let ssrc = direct.new_ssrc();
        direct.reset_stream_tx(mid, None, ssrc, None).unwrap();
    }

    pub(super) fn accept(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
    }

    pub(super) fn send(&mut self, payload_type: u8, number: u16, payload: &[u8], now: Instant) {
        let mut direct = self.rtc.direct_api();
        let stream = direct.stream_tx_by_mid(self.mid.unwrap(), None).unwrap();
        let packet = RtpWrite::new(
            payload_type.into(),
            u64::from(number).into(),
            u32::from(number) * 960,
            now,
            payload,
        );
        stream.write_rtp(packet.marker(number == 0));
        self.handle_timeout(now);
    }

    pub(super) fn handle_datagram(&mut self, from: SocketAddr, octets: &[u8], now: Instant) {
        let received = Receive::new(self.protocol, from, self.address, octets).unwrap();
        self.rtc.handle_input(Input::Receive(now, received)).unwrap();
        self.drain();
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.rtc.handle_input(Input::Timeout(now)).unwrap();
        self.drain();
    }

    pub(super) fn transmits(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.transmits)
    }

    fn drain(&mut self) {
        loop {
            // A handshake that nobody answers ends with an error.
            let Ok(output) = self.rtc.poll_output() else { return };
            match output {
                Output::Timeout(timeout) => {
                    self.timeout = timeout;
                    return;
                }
                Output::Transmit(transmit) => {
                    self.transmits.push((transmit.destination, transmit.contents.into()));
                }
                Output::Event(Event::Connected) => self.is_connected = true,
                Output::Event(Event::Closed) => self.is_closed = true,
                Output::Event(Event::RtpPacket(packet)) => {
                    let header = Header {
                        marker: packet.header.marker,
                        payload_type: *packet.header.payload_type,
                        sequence: packet.header.sequence_number,
                        timestamp: packet.header.timestamp,
                        ssrc: *packet.header.ssrc,
                    };
                    self.received.push((header, packet.payload.to_vec()));
                }
                Output::Event(_) => {}
            }
        }
    }
}

/// A session and its far end, on a network without loss or delay.
pub(super) struct Call {
    pub(super) far: Far,
    pub(super) peer: Peer,
    pub(super) now: Instant,
    pub(super) events: Vec<PeerEvent>,
    /// Nothing arrives any more.
    pub(super) is_cut: bool,
}

/// Where the session is.
pub(super) const HERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)), 4_000);

pub(super) fn there(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

impl Call {
    /// Before anything has come.
    pub(super) fn offered(speaks: Speaks) -> Self {
        let now = start();
        let mut far = Far::new(speaks, there(1_000), now);
        let offer = far.offer();
        let (peer, answer) = Peer::answer(&offer, &[HERE], Patience::default(), now).unwrap();
        far.accept(&answer.sdp);
        Self { far, peer, now, events: Vec::new(), is_cut: false }
    }

    /// With packets going both ways.
    pub(super) fn connected(speaks: Speaks) -> Self {
        let mut call = Self::offered(speaks);
        call.run(Duration::from_secs(3));
        assert!(call.far.is_connected, "the far end is not connected");
        assert_eq!(call.events, [PeerEvent::Connected]);
        call.events.clear();
        call
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.exchange();
            let next = self.peer.poll_timeout().map_or(end, |timeout| timeout.min(end));
            // A step of time at least, so that who is always busy does not stop it.
            self.now = self.far.timeout.min(next).max(self.now + Duration::from_millis(1)).min(end);
            self.far.handle_timeout(self.now);
            self.peer.handle_timeout(self.now);
        }
        self.exchange();
    }

    /// Carries what waits, until nothing does.
    pub(super) fn exchange(&mut self) {
        loop {
            let mut is_quiet = true;
            for (to, octets) in self.far.transmits() {
                is_quiet = false;
                if to == HERE && !self.is_cut {
                    self.peer.handle_datagram(self.far.address, &octets, self.now);
                }
            }
            while let Some(transmit) = self.peer.poll_transmit() {
                is_quiet = false;
                if transmit.destination == self.far.address && !self.is_cut {
                    self.far.handle_datagram(HERE, &transmit.octets, self.now);
                }
            }
            while let Some(event) = self.peer.poll_event() {
                self.events.push(event);
            }
            if is_quiet {
                return;
            }
        }
    }

    pub(super) fn reoffer(&mut self, direction: Direction, restarts: bool) -> crate::Answer {
        let offer = self.far.reoffer(direction, restarts);
        let answer = self.peer.reoffer(&offer, self.now).unwrap();
        self.far.accept(&answer.sdp);
        answer
    }

    /// Sends packets each way, and checks that they arrive as they were.
    pub(super) fn talk(&mut self, payload_type: u8, first: u16) {
        self.events.clear();
        self.far.received.clear();
        let mut sent = Vec::new();
        for number in first..first + 10 {
            let payload = [number as u8; 33];
            let header = Header {
                marker: number == 0,
                payload_type,
                sequence: number,
                timestamp: u32::from(number) * 960,
                ssrc: 77,
            };
            let mut datagram = [0; 45];
            header.write(&mut datagram);
            datagram[12..].copy_from_slice(&payload);
            self.peer.send(&datagram, self.now);
            self.far.send(payload_type, number, &payload, self.now);
            sent.push((header, payload.to_vec()));
            self.run(Duration::from_millis(20));
        }
        let ours: Vec<_> =
            self.far.received.iter().map(|(header, payload)| (*header, payload.clone())).collect();
        let theirs: Vec<_> = self.events.iter().map(packet).collect();
        for arrived in [&ours, &theirs] {
            assert_eq!(arrived.len(), sent.len());
            let ssrc = arrived[0].0.ssrc;
            for (arrived, sent) in arrived.iter().zip(&sent) {
                assert_eq!(*arrived, (Header { ssrc, ..sent.0 }, sent.1.clone()));
            }
        }
        self.events.clear();
    }
}

fn packet(event: &PeerEvent) -> (Header, Vec<u8>) {
    match event {
        PeerEvent::Packet(datagram) => {
            let packet = rtc_proto::rtp::Packet::parse(datagram).unwrap();
            (packet.header, packet.payload.to_vec())
        }
        other => panic!("{other:?}"),
    }
}
