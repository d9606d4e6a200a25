//! The four transaction machines of RFC 3261, chapter 17, and the table that holds them.
//!
//! A machine knows its state and its timers, never a message: it takes an input and says in a
//! [`Step`] what the table has to do.

mod client;
pub(crate) mod invite_client;
pub(crate) mod invite_server;
pub(crate) mod non_invite_client;
pub(crate) mod non_invite_server;
mod server;

pub(crate) use client::{ClientId, Clients, Delivery, Outcome, Owner};
pub(crate) use server::{ServerId, Servers, cancelled_key, merge_key, server_key};

use core::time::Duration;

use crate::config::Timers;

/// What a machine needs to know about the moment and the transport of its input.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) now: Duration,
    pub(crate) timers: Timers,
    /// The transport repeats what is lost, so the transaction does not.
    pub(crate) reliable: bool,
}

impl Clock {
    /// `wait` on unreliable transports, nothing on reliable ones (timers D, I, J and K).
    fn unreliable(&self, wait: Duration) -> Duration {
        if self.reliable { Duration::ZERO } else { wait }
    }
}

/// A repeating timer (A, E or G): when it fires, and how long it waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) at: Duration,
    pub(crate) interval: Duration,
}

/// What an input makes the table do, in this order: send, pass the message up, report the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) send: Option<Send>,
    pub(crate) deliver: bool,
    pub(crate) failure: Option<Failure>,
}

impl Step {
    pub(crate) const NOTHING: Self = Self { send: None, deliver: false, failure: None };
    pub(crate) const DELIVER: Self = Self { deliver: true, ..Self::NOTHING };

    const fn send(what: Send) -> Self {
        Self { send: Some(what), ..Self::NOTHING }
    }

    const fn deliver_and(what: Send) -> Self {
        Self { send: Some(what), ..Self::DELIVER }
    }

    const fn fail(failure: Failure) -> Self {
        Self { failure: Some(failure), ..Self::NOTHING }
    }
}

/// Which stored message goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Send {
    Ack,
    Request,
    Response,
}

/// Why a transaction ended without what it awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    Timeout,
    Transport,
}

/// The earlier of two timers; the first one when both fire together.
fn soonest<T>(a: Option<(Duration, T)>, b: Option<(Duration, T)>) -> Option<(Duration, T)> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if b.0 < a.0 { b } else { a }),
        (a, b) => a.or(b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) const UNRELIABLE: Clock = Clock { now: Duration::ZERO, timers: Timers::RFC, reliable: false };
    pub(super) const RELIABLE: Clock = Clock { reliable: true, ..UNRELIABLE };

    pub(super) const fn seconds(s: u64) -> Duration {
        Duration::from_secs(s)
    }
}
