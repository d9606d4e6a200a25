//! Sessions with a far end made of str0m, in virtual time and over loopback, and offers of all kinds.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test waits for one event among many")]

mod far;
mod gateway;
mod offers;
mod sessions;
mod tcp;
