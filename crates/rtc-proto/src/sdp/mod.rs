//! One audio stream negotiated by offer and answer (RFC 3264), with keys in the description (SDES, RFC 4568).
//!
//! A [`Negotiator`] lives as long as the leg. It makes offers, completes them with answers, and answers
//! offers of the far end, each time telling the media side what holds from then on ([`Negotiated`]). It
//! accepts RTP/AVP, AVPF, SAVP and SAVPF, takes one audio stream, and refuses every other stream with port 0
//! in its place. Of header extensions it takes the level of the far end's sound (RFC 6464).

mod crypto;
mod describe;
mod negotiator;
mod remote;

use std::fmt;
use std::net::SocketAddr;

use thiserror::Error;

pub use self::negotiator::Negotiator;
use crate::Codec;
use crate::srtp::{MAX_MASTER_LEN, MasterKey, Suite};

/// Octets of a description; real ones stay below 4 KiB even from browsers.
pub const MAX_SDP_LEN: usize = 16 * 1024;

/// Streams in a description.
pub const MAX_STREAMS: usize = 16;

/// Lines in a description, far more than [`MAX_STREAMS`] well-behaved streams need.
pub const MAX_LINES: usize = 512;

/// Formats of one stream; there are 128 payload types in all.
pub const MAX_FORMATS: usize = 128;

/// Packet duration assumed where the far end names none (RFC 3551, 4.2), and the one that we send.
pub const DEFAULT_PTIME_MS: u16 = 20;

/// What `a=extmap` calls the level of the sender's sound (RFC 6464, 4).
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";

/// Who may send, from our point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Nobody.
    Inactive,
    /// We only listen.
    RecvOnly,
    /// We only send: we are on hold with music, or hold the far end.
    SendOnly,
    /// Both ways.
    SendRecv,
}

impl Direction {
    /// Whether we may send.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendOnly | Self::SendRecv)
    }

    /// Whether we may receive.
    pub const fn receives(self) -> bool {
        matches!(self, Self::RecvOnly | Self::SendRecv)
    }

    const fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (false, false) => Self::Inactive,
            (false, true) => Self::RecvOnly,
            (true, false) => Self::SendOnly,
            (true, true) => Self::SendRecv,
        }
    }

    /// What is left when the far end's description, from its point of view, meets ours.
    const fn meet(self, remote: Self) -> Self {
        Self::of(self.sends() && remote.receives(), self.receives() && remote.sends())
    }

    const fn attribute(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::RecvOnly => "recvonly",
            Self::SendOnly => "sendonly",
            Self::SendRecv => "sendrecv",
        }
    }
}

/// Whether audio is protected by SRTP with keys in the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SrtpPolicy {
    /// Never offered, and refused where the far end insists on it.
    Off,
    /// Taken where the far end offers it. Own offers are RTP/AVP with `a=crypto` beside it.
    Optional,
    /// Offered as RTP/SAVP; anything else is refused.
    Required,
}

/// Our side of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMedia {
    /// Where we receive RTP, as the far end reaches it.
    pub rtp: SocketAddr,
    /// Where we receive RTCP.
    pub rtcp: SocketAddr,
    /// Codecs in the order of an own offer; an answer follows the far end's order (RFC 3264, 6.1).
    pub codecs: Vec<Codec>,
    /// Whether tones travel as telephone-event (RFC 4733).
    pub has_telephone_event: bool,
    /// Protection.
    pub srtp: SrtpPolicy,
    /// What we are ready to do; the far end's wish is met within it.
    pub direction: Direction,
    /// `o=` session id, unique for the leg.
    pub session_id: u64,
}

/// Key material for our direction: one master key and salt per suite, so that no key serves two algorithms.
#[derive(Clone)]
pub struct LocalKeys([[u8; MAX_MASTER_LEN]; Suite::ALL.len()]);

impl LocalKeys {
    /// Takes random octets from a cryptographic source; never the same for two legs.
    pub const fn new(random: [[u8; MAX_MASTER_LEN]; Suite::ALL.len()]) -> Self {
        Self(random)
    }

    fn master(&self, suite: Suite) -> Option<MasterKey> {
        let at = Suite::ALL.iter().position(|other| *other == suite)?;
        MasterKey::new(suite, self.0.get(at)?.get(..suite.master_len())?)
    }
}

impl fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalKeys(..)")
    }
}

/// The keys of both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SrtpKeys {
    /// The suite of both.
    pub suite: Suite,
    /// Protects what we send.
    pub local: MasterKey,
    /// Opens what we receive.
    pub remote: MasterKey,
}

/// How tones travel (RFC 4733).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelephoneEvent {
    /// Payload type of the tones that we send.
    pub payload_type: u8,
    /// Payload type of the tones that we receive.
    pub receive_payload_type: u8,
    /// RTP clock in Hz; that of the codec unless the far end has no such format.
    pub clock: u32,
}

/// What the far end says of the Opus that it wants to receive (RFC 7587, 6.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpusFormat {
    /// It can use in-band forward error correction.
    pub has_inband_fec: bool,
    /// It likes discontinuous transmission.
    pub has_dtx: bool,
    /// It wants no more than this many bits per second on average.
    pub max_average_bitrate: Option<u32>,
}

/// What both ends have agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where to send RTP: one host, a port from 1024 on. The address is unspecified where the far end holds the old
    /// way (`c=0.0.0.0`); `direction` does not send then.
    pub remote_rtp: SocketAddr,
    /// Where to send RTCP: the same host; equal to `remote_rtp` with multiplexing.
    pub remote_rtcp: SocketAddr,
    /// RTP and RTCP share a port both ways (RFC 5761).
    pub has_rtcp_mux: bool,
    /// The codec of both directions.
    pub codec: Codec,
    /// Payload type of the packets that we send.
    pub payload_type: u8,
    /// Payload type of the packets that we receive.
    pub receive_payload_type: u8,
    /// Tones, where the far end knows telephone-event.
    pub telephone_event: Option<TelephoneEvent>,
    /// Who may send.
    pub direction: Direction,
    /// Present where audio is protected.
    pub srtp: Option<SrtpKeys>,
    /// Packet duration that the far end asks for.
    pub ptime_ms: u16,
    /// What the far end wants of Opus; defaults with other codecs.
    pub opus: OpusFormat,
    /// The header extension element, 1 to 14, in which the far end may say how loud a packet is (RFC 6464).
    pub audio_level: Option<u8>,
}

/// Why there is no agreement.
///
/// All but [`NegotiationError::NoOffer`] are the far end's doing: 488 to an offer, BYE after an answer.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NegotiationError {
    /// The stream's address is a name, not that of one host, or of the other IP version, or its port is below 1024.
    #[error("audio stream has no address that we can reach")]
    Address,
    /// There is no stream of audio over RTP that is not disabled.
    #[error("no audio stream")]
    NoAudio,
    /// No codec is known to both.
    #[error("no common codec")]
    NoCodec,
    /// Protection is asked for, but no suite and key suit both.
    #[error("no usable crypto line")]
    NoKey,
    /// An answer came without an offer of ours.
    #[error("no offer is open")]
    NoOffer,
    /// The far end refused our stream.
    #[error("audio stream was refused")]
    Refused,
    /// The far end answered with a profile other than the offered one.
    #[error("profile differs from the offer")]
    Profile,
    /// One side requires SRTP and the other does not have it.
    #[error("sides disagree on SRTP")]
    Srtp,
    /// Not a session description.
    #[error("malformed session description")]
    Syntax,
    /// Longer than [`MAX_SDP_LEN`], or more lines, streams or formats than their limits.
    #[error("session description is too large")]
    TooLarge,
}
