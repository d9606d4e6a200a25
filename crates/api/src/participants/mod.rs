//! The participants of a call.

mod admit_all_from_lobby;
mod admit_from_lobby;
mod delete;
mod invite;
mod list;
mod mute;
mod mute_all;
mod read;
mod remove_from_lobby;
mod start_hold_music;
mod stop_hold_music;

pub(crate) use admit_all_from_lobby::admit_all_from_lobby;
pub(crate) use admit_from_lobby::admit_from_lobby;
pub(crate) use delete::delete;
pub(crate) use invite::invite;
pub(crate) use list::list;
pub(crate) use mute::mute;
pub(crate) use mute_all::mute_all;
pub(crate) use read::read;
pub(crate) use remove_from_lobby::remove_from_lobby;
pub(crate) use start_hold_music::start_hold_music;
pub(crate) use stop_hold_music::stop_hold_music;
