//! Which calls go over which trunk to the phone network, and which come in from there.
//!
//! - [`Dialler`] decides about calls: whether an application may make one, over which trunks it is tried and in what
//!   order, when the next one is tried, and when the application has used up its day. It knows which trunks are up.
//! - [`screen`] says whose a call is that comes in, and [`FloodGuard`] whether one that is refused is worth an answer.
//! - [`called`], [`caller`] and [`received`] change numbers as each trunk wants and sends them.
//!
//! Nothing here reads a clock, opens a socket or knows SIP but for its status codes: the moment is an argument, and what
//! the peers do is reported.
//!
//! The order of use of a [`Dialler`] is: one input, then [`Dialler::poll_effect`] until it is empty, then
//! [`Dialler::poll_timeout`] for when to call [`Dialler::handle_timeout`].
//!
//! ```text
//!            plan            ringing          answered
//!  (denied) ◄───► [Calling] ────────► [Ringing] ────────► [Connected] ─┐
//!                  │   ▲ attempt_failed: the next trunk      │         │ the day's budget is spent
//!                  └───┘                                     │         ▼
//!      attempt_failed: over, ended ◄─────────────────────────┴───── [Cut]
//! ```
//!
//! What always holds, and is tested over random walks: a trunk never has more calls than it may; nothing begins without
//! a token; a call is released once; an application never uses more of a day than its budget.

mod bucket;
mod call;
mod dialler;
mod flood;
mod health;
mod line;
mod numbers;
mod screen;
mod spending;

pub use call::{Denied, Failure, NewTrunkCall, Next, Plan, Route, TrunkCallId};
pub use dialler::{Dialler, Effect, TrunkStatus, caller_number};
pub use flood::{FloodCounts, FloodGuard, Refused};
pub use health::{HealthConfig, TrunkHealth};
pub use numbers::{called, caller, received};
pub use screen::{Inbound, screen};
