//! Conferences under every input.
#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks one kind of effect out of many")]

mod dialling_in;
mod groups;
mod harness;
mod hearing;
mod meetings;
mod moving;
mod pages;
mod walks;
