//! Notifications: how receivers verify them, and what became of them.

mod configuration;
mod keys;
mod list;

pub(crate) use configuration::configuration;
pub(crate) use keys::keys;
pub(crate) use list::list;
