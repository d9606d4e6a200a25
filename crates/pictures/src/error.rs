//! Why an offer of pictures is not answered.

use thiserror::Error;

/// Why an offer is refused. The text can be shown to whoever sent it. What was agreed before stays in force.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// A later offer of the same peer connection has other payload types, extensions or lines than before (RFC 3264, 8).
    #[error("the offer changes {0} of the peer connection")]
    Changed(&'static str),
    /// It is no description that can be used, or there is no room for another far end.
    #[error(transparent)]
    Description(#[from] webrtc::OfferError),
    /// There are as many pages as there may be.
    #[error("no more pages can be taken in this meeting")]
    Full,
    /// The room is over.
    #[error("the meeting is over")]
    Gone,
    /// `a=mid` is missing, longer than 16 characters, or there twice.
    #[error("each video line of the offer needs an a=mid of its own, of 1 to 16 letters, digits, - and _")]
    Mid,
    /// Without it nobody knows of which line a packet is.
    #[error("the offer has no a=extmap for urn:ietf:params:rtp-hdrext:sdes:mid, from 1 to 14")]
    NoMidExtension,
    /// There is no video line that is not disabled.
    #[error("the offer has no video line over DTLS-SRTP (UDP/TLS/RTP/SAVPF) that is not disabled")]
    NoVideo,
    /// VP8 is missing.
    #[error("a video line of the offer has no VP8/90000")]
    NoVp8,
    /// The lines do not share one transport.
    #[error("the video lines of the offer are not of one BUNDLE group")]
    NotBundled,
    /// The numbers of VP8 or of an extension differ between lines that share a transport.
    #[error("the video lines of the offer do not have the same numbers for {0}")]
    Numbers(&'static str),
    /// There are too many.
    #[error("the offer has more than 18 video lines: camera, screen, and 16 for pictures of others")]
    TooManyLines,
}
