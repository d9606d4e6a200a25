//! Delivers outbox rows to callback URIs.
//!
//! A notification is a row that was committed together with the state it announces. [`Notifier`] posts these rows, in
//! order within a call, and writes down how it went; what is still owed when it stops stays in the store, and the next
//! start reads it. [`queue`] decides, without clock or socket; the rest of this crate performs what it decides: one task
//! for all that waits, one more for each POST under way.
//!
//! A receiver gets every notification at least once, `deleted` last. One that was received just before the process or
//! the machine failed can come again, with the same `X-Microsoft-Skype-Message-ID`.

mod bearer;
mod meters;
mod notifier;
mod post;
pub mod queue;
mod records;
mod throttle;
mod worker;

pub use bearer::{BearerError, BearerSource};
pub use notifier::{Clock, Config, Notifier, SINK_URI, Told};
