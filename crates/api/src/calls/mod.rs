//! Calls: creating, reading and ending them, and their actions.

pub(crate) mod action;
mod add_large_gallery_view;
mod cancel_media_processing;
mod change_screen_sharing_role;
mod create;
mod delete;
mod dominant_speaker;
mod join;
mod keep_alive;
mod mute;
mod not_yet;
mod play_prompt;
mod read;
mod record_response;
mod send_dtmf_tones;
mod source;
mod subscribe_to_tone;
mod unmute;
mod update_recording_status;

pub(crate) use add_large_gallery_view::add_large_gallery_view;
pub(crate) use cancel_media_processing::cancel_media_processing;
pub(crate) use change_screen_sharing_role::change_screen_sharing_role;
pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use dominant_speaker::dominant_speaker;
pub(crate) use keep_alive::keep_alive;
pub(crate) use mute::mute;
pub(crate) use not_yet::not_yet;
pub(crate) use play_prompt::play_prompt;
pub(crate) use read::read;
pub(crate) use record_response::record_response;
pub(crate) use send_dtmf_tones::send_dtmf_tones;
pub(crate) use subscribe_to_tone::subscribe_to_tone;
pub(crate) use unmute::unmute;
pub(crate) use update_recording_status::update_recording_status;
