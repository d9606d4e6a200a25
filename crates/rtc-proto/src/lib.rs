//! Offer and answer, SDES, SRTP and RTP packets, without sockets.
//!
//! | module | holds |
//! |---|---|
//! | [`sdp`] | one audio stream negotiated by RFC 3264, with keys by RFC 4568 |
//! | [`rtp`] | packet headers (RFC 3550) |
//! | [`rtcp`] | reports (RFC 3550) |
//! | [`srtp`] | protection (RFC 3711, RFC 7714) |
//!
//! Everything here works on the caller's memory and takes randomness as an argument.

mod codec;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod srtp;

pub use codec::Codec;
