//! The one place that knows str0m: what it is asked for, and what it says.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use rtc_proto::Codec;
use rtc_proto::rtp::{FIXED_HEADER_LEN, Header};
use str0m::change::SdpOffer;
use str0m::config::CryptoProvider;
use str0m::crypto::from_feature_flags;
use str0m::format::FormatParams;
use str0m::media::Frequency;
use str0m::net::{Protocol, Receive};
use str0m::rtp::{RtpPacket, RtpWrite, Ssrc};
use str0m::{Candidate, Event, IceCreds, Input, Output, Rtc, RtcConfig};

use crate::describe::MID;
use crate::offer::Formats;

/// Packets that may be kept to be sent again, and reserve memory for it. Nobody can ask for one, for that takes a second
/// format, which we do not offer.
const SEND_BUFFER: usize = 1;

/// Far ends' sources that are known at once. A source is a microphone or a file; a change of it is a new one.
const MAX_SOURCES: usize = 4;

/// Cryptography is aws-lc-rs, chosen for each session rather than for the whole process, so nobody need install it.
static CRYPTO: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(from_feature_flags()));

/// One peer connection of str0m, with the sources that send over it.
#[derive(Debug)]
pub(crate) struct Engine {
    rtc: Rtc,
    sources: Vec<Ssrc>,
}

/// What the engine wants next.
#[derive(Debug)]
pub(crate) enum Step {
    Transmit {
        destination: SocketAddr,
        octets: Vec<u8>,
    },
    Connected,
    /// The far end closed the DTLS connection.
    Closed,
    /// A packet as a datagram of RTP.
    Packet {
        header: Header,
        datagram: Vec<u8>,
    },
    /// Nothing until then, or something is put in.
    Wait(Instant),
}

/// Something does not work any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Broken(pub(crate) String);

impl Engine {
    pub(crate) fn new(formats: &Formats, candidates: &[SocketAddr], now: Instant) -> Result<Self, Broken> {
        let mut config = RtcConfig::new()
            .set_crypto_provider(Arc::clone(&CRYPTO))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_extension_map()
            .clear_codecs()
            .set_send_buffer_audio(SEND_BUFFER)
            .set_send_buffer_video(SEND_BUFFER);
        let codecs = config.codec_config();
        for format in &formats.codecs {
            let (codec, clock, channels) = match format.codec {
                Codec::Opus => (str0m::format::Codec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2)),
                // str0m knows it by its sampling rate, and sees to its RTP clock itself.
                Codec::G722 => (str0m::format::Codec::G722, Frequency::SIXTEEN_KHZ, None),
                Codec::Pcmu => (str0m::format::Codec::PCMU, Frequency::EIGHT_KHZ, None),
                Codec::Pcma => (str0m::format::Codec::PCMA, Frequency::EIGHT_KHZ, None),
            };
            let number = format.payload_type.into();
            codecs.add_config(number, None, codec, clock, channels, FormatParams::default());
        }
        for format in &formats.events {
            let clock =
                if format.clock == 48_000 { Frequency::FORTY_EIGHT_KHZ } else { Frequency::EIGHT_KHZ };
            let codec = str0m::format::Codec::Tele;
            codecs.add_config(format.payload_type.into(), None, codec, clock, None, FormatParams::default());
        }
        let mut rtc = config.build(now);
        for address in candidates {
            let candidate = Candidate::host(*address, "udp").map_err(|error| Broken(error.to_string()))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(Self { rtc, sources: Vec::new() })
    }

    /// Takes an offer of [`crate::describe::canonical`]. Other credentials than before restart ICE.
    pub(crate) fn accept(&mut self, offer: &str) -> Result<(), Broken> {
        let offer = SdpOffer::from_sdp_string(offer).map_err(|error| Broken(error.to_string()))?;
        self.rtc.sdp_api().accept_offer(offer).map_err(|error| Broken(error.to_string()))?;
        let mut direct = self.rtc.direct_api();
        if let Some(stream) = direct.stream_tx_by_mid(MID.into(), None) {
            // Without a cap there is nothing to measure for it on every packet.
            stream.set_rtx_cache(SEND_BUFFER, Duration::ZERO, None);
        }
        Ok(())
    }

    pub(crate) fn credentials(&mut self) -> IceCreds {
        self.rtc.direct_api().local_ice_credentials()
    }

    pub(crate) fn fingerprint(&mut self) -> Vec<u8> {
        self.rtc.direct_api().local_dtls_fingerprint().bytes.clone()
    }

    /// The source of our packets, where the far end has ever wanted any.
    pub(crate) fn ssrc(&mut self) -> Option<u32> {
        let mut direct = self.rtc.direct_api();
        direct.stream_tx_by_mid(MID.into(), None).map(|stream| *stream.ssrc())
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken> {
        self.rtc.handle_input(Input::Timeout(now)).map_err(|error| Broken(error.to_string()))
    }

    /// Puts a datagram in. An error is of this datagram alone as long as the engine [is alive](Self::is_alive).
    pub(crate) fn handle_datagram(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        octets: &[u8],
        now: Instant,
    ) -> Result<(), Broken> {
        let received =
            Receive::new(Protocol::Udp, from, to, octets).map_err(|error| Broken(error.to_string()))?;
        self.rtc.handle_input(Input::Receive(now, received)).map_err(|error| Broken(error.to_string()))
    }

    /// Makes a packet's source known, so that the engine looks at the packet; true where it was not before.
    ///
    /// Sources are not taken from offers, which need not tell them and may change without one (RFC 8843, 9.2): here
    /// every one counts whose packets are authentic. One whose first packet was not is [forgotten](Self::forget).
    pub(crate) fn expect(&mut self, ssrc: u32) -> bool {
        let ssrc = Ssrc::from(ssrc);
        if self.sources.contains(&ssrc) {
            return false;
        }
        self.rtc.direct_api().expect_stream_rx(ssrc, None, MID.into(), None).suppress_nack(true);
        true
    }

    /// Keeps a source that has proven authentic, in place of the oldest where there are too many.
    pub(crate) fn keep(&mut self, ssrc: u32) {
        if self.sources.len() >= MAX_SOURCES {
            let oldest = self.sources.remove(0);
            self.rtc.direct_api().remove_stream_rx(oldest);
        }
        self.sources.push(ssrc.into());
    }

    /// Undoes [`Self::expect`].
    pub(crate) fn forget(&mut self, ssrc: u32) {
        self.rtc.direct_api().remove_stream_rx(ssrc.into());
    }

    /// Sends a packet with these numbers; false where the far end wants none.
    pub(crate) fn send(&mut self, header: Header, numbers: (u64, u32), payload: &[u8], now: Instant) -> bool {
        let mut direct = self.rtc.direct_api();
        let Some(stream) = direct.stream_tx_by_mid(MID.into(), None) else { return false };
        let (sequence, timestamp) = numbers;
        let packet = RtpWrite::new(header.payload_type.into(), sequence.into(), timestamp, now, payload);
        stream.write_rtp(packet.marker(header.marker));
        true
    }

    pub(crate) fn close(&mut self) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "a session was closed before it could say so");
        }
    }

    pub(crate) fn step(&mut self) -> Result<Step, Broken> {
        loop {
            match self.rtc.poll_output().map_err(|error| Broken(error.to_string()))? {
                Output::Timeout(until) => return Ok(Step::Wait(until)),
                Output::Transmit(transmit) => {
                    let destination = transmit.destination;
                    return Ok(Step::Transmit { destination, octets: transmit.contents.into() });
                }
                Output::Event(Event::Connected) => return Ok(Step::Connected),
                Output::Event(Event::Closed) => return Ok(Step::Closed),
                Output::Event(Event::RtpPacket(packet)) => {
                    let (header, datagram) = datagram(&packet);
                    return Ok(Step::Packet { header, datagram });
                }
                // Reports, pauses, states of ICE: what they would tell is known from datagrams.
                Output::Event(_) => {}
            }
        }
    }
}

/// The packet as it would have come without protection, but for extensions of its header.
fn datagram(packet: &RtpPacket) -> (Header, Vec<u8>) {
    let header = Header {
        marker: packet.header.marker,
        payload_type: *packet.header.payload_type,
        sequence: packet.header.sequence_number,
        timestamp: packet.header.timestamp,
        ssrc: *packet.header.ssrc,
    };
    let mut datagram = Vec::with_capacity(FIXED_HEADER_LEN + packet.payload.len());
    datagram.resize(FIXED_HEADER_LEN, 0);
    header.write(&mut datagram);
    datagram.extend_from_slice(&packet.payload);
    (header, datagram)
}
