//! SIP messages: strict parsing, writing, URIs, typed headers and digest (RFC 3261, 7 and 25).
//!
//! What comes off the network is bounded by [`Limits`] and never panics; what is written cannot hold a header field
//! that its author did not add, because [`HeaderValue`] holds no line breaks.

mod address;
pub mod digest;
mod escape;
mod headers;
mod host;
mod identity;
mod lex;
mod limits;
mod message;
mod method;
mod params;
mod parse;
mod refer;
mod reject;
mod reliable;
mod status;
mod stream;
mod telephone;
mod typed;
mod uri;
mod via;

pub use address::{InvalidAddress, NameAddr};
pub use headers::{HeaderValue, Headers};
pub use host::{Host, InvalidHost};
pub use identity::{Privacy, PrivacyValue, RemoteParty};
pub use limits::Limits;
pub use message::{Message, Request, Response};
pub use method::{InvalidMethod, Method};
pub use params::Params;
pub use parse::{is_keep_alive, parse_datagram};
pub use refer::{EventType, Replaces, SIPFRAG, SubscriptionState};
pub use reject::Reject;
pub use reliable::RAck;
pub use status::StatusCode;
pub use stream::{StreamEvent, StreamParser};
pub use telephone::{E164, InvalidNumber, Telephone};
pub use typed::{CSeq, Contacts, HeaderError, Reason, Refresher, SessionExpires};
pub use uri::{InvalidUri, Scheme, Uri};
pub use via::{InvalidVia, MAGIC_COOKIE, Transport, Via};
