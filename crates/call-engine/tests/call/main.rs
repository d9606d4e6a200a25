//! One call under every input.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks one kind of effect out of many")]

mod app_hosted;
mod behaviour;
mod harness;
mod incoming;
mod moving;
mod network;
mod results;
mod sharing;
mod table;
mod walks;
