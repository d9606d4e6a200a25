//! Calls and conferences as state machines that touch neither clock nor socket.
//!
//! A [`Call`] is fed [`Input`]s, each with the moment it happened, and answers with [`Effect`]s that its owner performs
//! in order. It speaks of legs, jobs and operations; SIP, WebRTC, HTTP and SQL are other crates' words.
//!
//! ```text
//!             answer                  LegEnded, ringing or set-up refused
//!  Incoming ──────────► Establishing ───────────────────────────────────────┐
//!   │    │ redirect          │ Answered    HangUp, keepAlive missing,       ▼
//!   │    ▼                   ▼             not acknowledged ► Terminating ► Terminated
//!   │  Redirecting      Established ──────────────┴── LegEnded, media lost ─►│
//!   │    │                │ ▲ transfer                                       │
//!   │    │                ▼ │ Failed, too late                               │
//!   │    │       Transferring ──► TransferAccepted ───── Done ──────────────►│
//!   └────┴──── reject, HangUp, nobody answers, the caller hangs up ─────────►┘
//! ```
//!
//! A call that comes in begins with [`Call::incoming`] and has [`Config::incoming_timeout`] to be answered, rejected or sent on.
//! The table of each state against each input is a test (`tests/call/table.rs`).
//!
//! A call of several, or one that joins a meeting, has no leg of its own: it is a member of a [`Conference`], which
//! tells it that it is in ([`ConferenceEvent::Joined`], like an answer), who else is, and when it is over.
//!
//! The order of use is: one input ([`Call::create`], [`Call::incoming`], [`Call::handle`] or [`Call::handle_timeout`]), then
//! [`Call::poll_effect`] until it is empty, then [`Call::poll_timeout`] for when to come back. After
//! [`Effect::Ended`] the call has no effects any more.
//!
//! What always holds, and is tested over random walks: every call ends; its `deleted` notification is the last and
//! the only one; every operation completes once; what [`Call::record`] shows equals the last notification, but for a
//! redirect under way, which the API tells nobody of.

mod asked;
mod call;
mod conference;
mod effect;
mod ending;
mod input;
mod operations;
mod pending;
mod recovery;
mod timers;

pub use call::Call;
pub use conference::{
    Arriving, Chime, Conference, ConferenceAnswer, ConferenceConfig, ConferenceEffect, ConferenceEvent,
    ConferenceInput, ConferenceRequest, Joining, PersonEvent, PersonRequest, PersonState, Seen, Sound, Way,
};
pub use effect::{Effect, Job, Refusal, Reply};
pub use ending::EndCause;
pub use input::{Command, CommandId, Input, JobResult, LegEvent, RedirectEvent, Rejection, TransferEvent};
pub use recovery::recover;
pub use timers::Config;
