//! Why an offer is not answered.

use thiserror::Error;

/// Why a first offer is refused. The text can be shown to whoever sent it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// There are as many sessions as the gateway may have.
    #[error("no more sessions can be taken now")]
    Full,
    /// `a=ice-lite`: then neither side would check the path.
    #[error("the offer is of ICE-lite, and so are we: one side must be a full ICE agent")]
    IceLite,
    /// There is no audio line that is not disabled.
    #[error("the offer has no audio line over DTLS-SRTP (UDP/TLS/RTP/SAVPF) that is not disabled")]
    NoAudio,
    /// None of opus, G722, PCMU and PCMA is offered.
    #[error("the offer's audio line has none of the codecs opus/48000/2, G722/8000, PCMU/8000, PCMA/8000")]
    NoCodec,
    /// `a=fingerprint` is missing, malformed or of another hash.
    #[error("the offer has no a=fingerprint with sha-256")]
    NoFingerprint,
    /// `a=ice-ufrag` or `a=ice-pwd` is missing or malformed (RFC 8839, 5.4).
    #[error("the offer has no valid a=ice-ufrag and a=ice-pwd")]
    NoIce,
    /// `a=rtcp-mux` is missing (RFC 8834, 4.5).
    #[error("the offer's line has no a=rtcp-mux")]
    NoMux,
    /// `a=setup` leaves nobody to begin the handshake (RFC 4145, 4).
    #[error("the offer's a=setup is none of actpass, active and passive")]
    Setup,
    /// It is not a session description.
    #[error("the offer is not a valid session description")]
    Syntax,
    /// It is longer than [`crate::MAX_OFFER_OCTETS`], or has more lines, media lines or formats than there may be.
    #[error("the offer is too large: at most 64 KiB, 2,048 lines, 32 media lines, 128 formats a line")]
    TooLarge,
    /// It passed our checks, but the session cannot be made of it.
    #[error("the offer cannot be used: {0}")]
    Unusable(String),
}

/// Why a later offer is refused. What was agreed before stays in force.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReofferError {
    /// The numbers of codecs, or the place of the audio line, are not what they were (RFC 3264, 8).
    #[error("the offer changes {0} of the session")]
    Changed(&'static str),
    /// The session is over.
    #[error("the session has ended")]
    Gone,
    /// It is of a new peer connection: another certificate. A new session takes the place of this one.
    #[error("the offer is of a new peer connection")]
    NewPeerConnection,
    /// It would be refused as a first offer, too.
    #[error(transparent)]
    Offer(#[from] OfferError),
}
