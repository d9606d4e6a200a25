//! Scripts in virtual time, and telephones that call each other.
#![expect(clippy::unwrap_used, reason = "a helper that fails is a failed test")]

mod script;
mod talk;
