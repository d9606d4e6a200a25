//! What an application sees on its sockets, in both roles, and what the media thread sees of it; in virtual time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod controls;
mod echo;
mod hostile;
mod reconnect;
mod stage;
