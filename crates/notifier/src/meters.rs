use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use model::{Attempt, Notification};

use crate::queue::Outcome;

/// What is measured of deliveries. Taken from the recorder once, because asking it costs more than counting.
pub(crate) struct Meters {
    /// POSTs that a receiver took.
    delivered: Counter,
    /// POSTs that failed and count against the schedule.
    failed: Counter,
    /// POSTs that were answered with 410.
    gone: Counter,
    /// POSTs that were sent elsewhere.
    redirected: Counter,
    /// POSTs for which this server had no room.
    unsent: Counter,
    /// Notifications that were given up.
    abandoned: Counter,
    /// How long a POST took, in seconds.
    duration: Histogram,
    /// From a notification's creation until its receiver had it, in seconds.
    delay: Histogram,
    /// POSTs under way.
    in_flight: Gauge,
    /// Notifications in memory.
    held: Gauge,
}

impl Meters {
    pub(crate) fn new() -> Self {
        let attempts =
            |outcome: &'static str| counter!("hookswitch_notification_attempts_total", "outcome" => outcome);
        Self {
            delivered: attempts("delivered"),
            failed: attempts("failed"),
            gone: attempts("gone"),
            redirected: attempts("redirected"),
            unsent: attempts("unsent"),
            abandoned: counter!("hookswitch_notifications_abandoned_total"),
            duration: histogram!("hookswitch_notification_attempt_seconds"),
            delay: histogram!("hookswitch_notification_delay_seconds"),
            in_flight: gauge!("hookswitch_notification_attempts_in_flight"),
            held: gauge!("hookswitch_notifications_in_memory"),
        }
    }

    pub(crate) fn sent(&self, outcome: &Outcome, attempt: &Attempt, notification: &Notification) {
        let took = Duration::from_millis(attempt.duration_ms.into());
        self.duration.record(took.as_secs_f64());
        match outcome {
            Outcome::Delivered => {
                self.delivered.increment(1);
                let delay = attempt.at.after(took).since(notification.created_at);
                self.delay.record(delay.as_secs_f64());
            }
            Outcome::Failed => self.failed.increment(1),
            Outcome::Gone => self.gone.increment(1),
            Outcome::Redirected(_) => self.redirected.increment(1),
            Outcome::Unsent => self.unsent.increment(1),
        }
    }

    pub(crate) fn abandoned(&self) {
        self.abandoned.increment(1);
    }

    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
    pub(crate) fn level(&self, in_flight: usize, held: usize) {
        self.in_flight.set(in_flight as f64);
        self.held.set(held as f64);
    }
}
