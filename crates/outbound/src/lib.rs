//! HTTP requests to addresses that others chose, with a guard.
//!
//! Webhooks, prompts and key sets are named by those who use the API, so an address may point anywhere, also at what only
//! this host can reach. [`Policy`] says where requests may go:
//!
//! - `https` only, and never to a private, loopback, link-local or otherwise special address, however it is written and
//!   whatever a name resolves to; the addresses that were checked are the ones that are connected to, so a name that
//!   changes its mind gains nothing.
//! - Hosts that the settings allow may be plain `http` and private.
//! - An origin can be mapped to another one, or to bytes of the program itself.
//!
//! [`Outbound::open`] opens connections for WebSockets by the same rules, and [`Policy::may_send_to`] says where datagrams
//! may go.
//!
//! [`Outbound`] sends requests: HTTP/1.1 on kept connections, no proxies, no cookies, no redirects followed unseen, and a limit
//! on every size and wait. It stands directly on hyper's connections: a POST costs half the processor time of one by
//! way of reqwest, and the connector must be ours in any case.

mod address;
mod client;
mod connect;
mod error;
mod policy;
mod pool;
mod resolve;
mod tls;

pub use address::is_public;
pub use client::{Answer, Bundled, Config, FetchLimits, Outbound};
pub use connect::ByteStream;
pub use error::{Forbidden, OutboundError, PolicyError, SetupError};
pub use policy::{Origin, Policy, Route, Target};
pub use resolve::{BoxFuture, Lookup, Resolve, SystemResolver};
