//! Calls to and from the phone network, which is a carrier's `kamailio` with a `sipp` behind it.

mod peers;
