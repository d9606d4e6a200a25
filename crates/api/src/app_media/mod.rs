//! Media that applications host themselves: how it comes to their calls.
//!
//! Addresses that hold a one-time ticket, or the secret of a session, need no token: whoever was told one may come in. None
//! of them is logged; the log and the metrics have the route.

mod address;
mod media;
mod offer;
mod socket;
mod whip;

pub(crate) use media::media;
pub(crate) use socket::socket;
pub(crate) use whip::{end, for_pages, offer, options, session_options};
