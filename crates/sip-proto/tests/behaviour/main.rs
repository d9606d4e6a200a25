//! What an endpoint does, seen from its user and from the wire, in virtual time.

#![expect(
    clippy::too_many_arguments,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers speak the language of the wire, and one that fails is a failed test"
)]

mod callers;
mod calls;
mod early;
mod faults;
mod forks;
mod incoming;
mod locating;
mod net;
mod offers;
mod peers;
mod pings;
mod random;
mod registering;
mod registration;
mod replaces;
mod secure;
mod server;
mod session;
mod torture;
mod transferee;
mod transferor;
mod transfers;
