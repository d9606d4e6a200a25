//! Tokens from the outside: granted, verified, published.
#![expect(clippy::unwrap_used, reason = "a test")]

mod client_assertion;
mod hostile;
mod meeting_token;
mod notification_signer;
mod support;
mod token_endpoint;
mod verifier;
