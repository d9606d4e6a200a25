//! What is promised of notifications: decisions in virtual time, deliveries over the loopback interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod delivery;
mod histories;
mod memory;
mod receiver;
mod schedule;
