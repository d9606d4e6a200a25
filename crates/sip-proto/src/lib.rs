//! SIP without sockets: transactions, dialogs, calls and registration (RFC 3261 and its updates).
//!
//! An [`Endpoint`] takes datagrams, framed stream messages, requests of its user and the passing of
//! time, and gives messages to send, events, and the time at which it wants to be woken:
//!
//! 1. feed it one input: [`Endpoint::handle_receive`], [`Endpoint::call`], [`Endpoint::handle_timeout`], …;
//! 2. drain [`Endpoint::poll_transmit`] and [`Endpoint::poll_event`];
//! 3. sleep until [`Endpoint::poll_timeout`] or the next input.
//!
//! Time is the [`std::time::Duration`] since an epoch of the caller's choice and never goes back.
//! Chance comes from a seed, so the same inputs at the same times give the same messages.
//!
//! Whose calls it takes is [`IncomingPolicy`]: with [`IncomingPolicy::Authenticate`], [`Incoming`] names the
//! user who proved to be the caller. Trunks are known by where they send from ([`Endpoint::set_peers`]), and
//! asked whether they are there ([`Endpoint::ping`]); [`Locating`] finds out where their names lead. Either side
//! changes an established call's session ([`Endpoint::offer`], [`Event::OfferReceived`]). Established calls are
//! moved in three ways: the far end asks for it ([`Event::Referred`]), this side asks for it
//! ([`Endpoint::refer`]), or a new call takes the place of an old one ([`Incoming::replaces`]). As a phone or
//! trunk, it registers elsewhere ([`Endpoint::register`]).
//!
//! It follows RFC 3261 with 3262 (reliable responses to calls of this side), 3264 (offers and answers pass
//! through as text), 3311 (UPDATE), 3325 (asserted identities are told), 3326 (Reason), 3515 and 4488 (REFER
//! within calls; of 6665, its subscription), 3581 (rport), 3891 (Replaces of answered calls), 3892
//! (Referred-By as a claim), 4028 (session timers), 6026 (the Accepted states) and 8760 (SHA-256).

mod auth;
mod call;
mod config;
mod core;
mod dialog;
mod endpoint;
mod entropy;
mod event;
mod flow;
mod inbound;
mod locating;
mod peers;
mod pinging;
mod places;
mod registering;
mod registrar;
mod screen;
mod streams;
mod timers;
mod transaction;

pub use config::{Challenge, Config, IncomingPolicy, Limits, Registration, SessionTimer, Timers};
pub use endpoint::{Endpoint, Refusals};
pub use event::{
    Binding, CallError, CallHandle, Credentials, EndCause, Event, Incoming, NewCall, Reason, Refer, Referred,
    Rejection, Secret, Target, Transmit, UserCredentials, UserTable, Users,
};
pub use flow::{Flow, Transport};
pub use locating::{Candidate, Candidates, Locating, Naptr, Question, Records, Srv};
pub use peers::{AddressRange, InvalidRange, Peer, PeerId};
pub use pinging::{Ping, PingFailure, PingHandle};
pub use places::Places;
pub use registering::{NewRegistration, RegistrationError, RegistrationFailure, RegistrationHandle};
pub use streams::{Chunk, Streams};
