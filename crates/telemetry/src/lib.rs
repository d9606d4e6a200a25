//! Logs and metrics.
//!
//! - [`log_to_stderr`] sets up what happens to `tracing` events: lines for people, or JSON.
//! - [`Pii`] wraps names, numbers and addresses of people, so that no log shows them.
//! - [`Metrics`] holds every metric of the server, a struct for each area, and renders them for Prometheus.

mod define;
mod logs;
mod metrics;
mod pii;

pub use define::{Counters, Described, Kind};
pub use logs::{LogError, LogFormat, log_to_stderr, subscriber};
pub use metrics::{
    AppMediaMetrics, CallMetrics, HttpMetrics, IdentityMetrics, MediaMetrics, Metrics, NotificationMetrics,
    SipMetrics, StoreMetrics, TrunkMetrics, WebMetrics, described, reference,
};
pub use pii::Pii;
