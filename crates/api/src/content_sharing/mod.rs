//! What is shared in a call.

mod list;
mod read;

pub(crate) use list::list;
pub(crate) use read::read;
