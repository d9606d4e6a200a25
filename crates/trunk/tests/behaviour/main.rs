//! Trunks under everything that may happen to them.

mod calls;
mod harness;
mod health;
mod money;
mod numbers;
mod screening;
mod walks;
