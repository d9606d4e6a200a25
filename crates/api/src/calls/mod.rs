//! Calls: creating, reading and ending them, and their actions.

mod action;
mod cancel_media_processing;
mod create;
mod delete;
mod keep_alive;
mod play_prompt;
mod read;
mod record_response;
mod send_dtmf_tones;
mod source;
mod subscribe_to_tone;

pub(crate) use cancel_media_processing::cancel_media_processing;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use keep_alive::keep_alive;
pub(crate) use play_prompt::play_prompt;
pub(crate) use read::read;
pub(crate) use record_response::record_response;
pub(crate) use send_dtmf_tones::send_dtmf_tones;
pub(crate) use subscribe_to_tone::subscribe_to_tone;
