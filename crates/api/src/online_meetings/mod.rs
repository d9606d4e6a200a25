//! Meetings: making, finding, changing and deleting them, and finding the one that a call joins.
//!
//! The same handlers serve `/users/{id}/onlineMeetings` and `/communications/onlineMeetings`; [`Scope`] is where they
//! differ.

mod asked;
mod attendees;
mod create;
mod delete;
mod find;
mod guess_limit;
mod ids;
mod me;
mod read;
mod resolve;
mod scope;
mod update;

pub use ids::{join_meeting_id, meeting_id};

pub(crate) use create::{create, create_or_get};
pub(crate) use delete::delete;
pub(crate) use find::find;
pub(crate) use guess_limit::GuessLimit;
pub(crate) use me::me;
pub(crate) use read::read;
pub(crate) use resolve::resolve;
pub(crate) use scope::Scope;
pub(crate) use update::update;
