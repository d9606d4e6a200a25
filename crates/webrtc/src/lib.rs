//! Audio of a call to and from an application's own media stack, over WebRTC.
//!
//! An application that speaks WebRTC itself, such as one on aiortc or in a browser, sends an offer. [`Gateway::answer`]
//! makes a [`Session`] of it: a task that carries packets of RTP between the far end and a media thread behind an
//! [`RtpPort`], for as long as both want. All sessions share one UDP socket, and a port for TCP connections (RFC 6544) from
//! networks that let no UDP through. What a session decides is in [`Peer`], which has neither sockets nor a clock; ICE, DTLS and
//! SRTP are those of str0m, which does not show.
//!
//! Where the packets go to a leg that has a socket of its own, a [`Relay`] is the port.
//!
//! # What is answered
//!
//! The first audio line over DTLS-SRTP (RFC 8827) with a codec of ours is taken, with one codec: of those offered the
//! first of Opus, G.722, PCMU and PCMA, and `telephone-event` (RFC 4733) where it is offered. Every other line is refused
//! in its place, or inactive where it is bundled with the one that is taken (RFC 8843). We are an ICE-lite agent (RFC 8445,
//! 2.5) with one address: the far end finds the way, its own candidates are not read and nothing is resolved. It begins the DTLS handshake unless it insists on waiting. There is no trickling.
//!
//! The offer must be whole and of one peer connection; a later one with the same certificate is answered on the same
//! session ([`Handle::reoffer`]): to hold, to resume, to restart ICE.
//!
//! # Who is believed
//!
//! | datagram | goes to |
//! |---|---|
//! | a STUN request that names a session | that session, which checks its password |
//! | anything else, from where such a request came that was right | the same session |
//! | anything else | nobody, and is counted |
//!
//! An address leaves a session for another only when nothing has been proven there for a while. Packets count as heard
//! only when SRTP has opened them.
//!
//! # Bounds
//!
//! | of | bound |
//! |---|---|
//! | an offer | [`MAX_OFFER_OCTETS`], 2,048 lines, 32 media lines, 128 formats a line |
//! | a datagram | [`MAX_DATAGRAM_OCTETS`] |
//! | sessions | [`Limits::sessions`] |
//! | datagrams that wait for a session | 64 |
//! | TCP connections | [`Limits::connections`], 64 from one network, half of all for those that have proven themselves; 10 s until a request is right, 30 s of silence |
//! | datagrams that wait for a TCP connection | 256 |
//! | addresses of a far end | 16 at once, 256 between restarts of ICE |
//! | sources of a far end | 4 at once |
//! | how long it may take to connect, or be silent | [`Patience`] |

mod addresses;
mod describe;
mod description;
mod engine;
mod error;
mod gateway;
mod handle;
mod offer;
mod outgoing;
mod peer;
mod port;
mod relay;
mod routes;
mod session;
mod stun;
mod tcp;
mod terms;
#[cfg(test)]
mod tests;

pub use describe::Reach;
pub use description::MAX_OFFER_OCTETS;
pub use error::{OfferError, ReofferError};
pub use gateway::{Gateway, Limits, Route, Traffic};
pub use handle::{Cause, Ended, Handle, State};
pub use peer::{Counts, Event, Failure, MAX_DATAGRAM_OCTETS, Patience, Peer, Transmit};
pub use port::RtpPort;
pub use relay::{Relay, RelayPort};
pub use routes::{Arrival, Inbox};
pub use session::Session;
pub use terms::{Answer, PLACEHOLDER_REMOTE};

/// What another adapter needs that answers offers of its own over a [`Gateway`]: how a far end's description is read, how
/// ours is written, and who is believed.
pub mod parts {
    pub use crate::addresses::Addresses;
    pub use crate::describe::{Lines, Local, session_id};
    pub use crate::description::{Description, Line, Place, Setup, Transport};
}
