//! The whole router, in process, in front of calls that only exist in memory.
#![expect(clippy::unwrap_used, reason = "a test")]

mod app;
mod app_media;
mod bearer_tokens;
mod conferences;
mod creating;
mod fake_calls;
mod fake_store;
mod joining;
mod lab;
mod live_calls;
mod meeting_access;
mod meeting_guesses;
mod notifications;
mod online_meetings;
mod operators;
mod recordings;
mod request_log;
mod routing_groups;
mod spelling;
mod tokens;
