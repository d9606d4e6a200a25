use std::sync::Arc;

use metrics::{Counter, Gauge, Histogram, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::define::{Counters, Described, Kind, Make, areas};

/// The upper ends of the buckets of every histogram, in seconds: from a tenth of a media tick to a hung receiver.
const BUCKETS: [f64; 14] =
    [0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0];

areas! {
    /// Requests to this server.
    http: HttpMetrics {
        /// Requests that were answered; `route` is the template, not the path.
        requests: Counters = "hookswitch_http_requests_total" by "route", "status";
        /// From the end of a request's head to the start of its answer.
        duration: Histogram = "hookswitch_http_request_duration_seconds";
        /// Requests under way.
        in_flight: Gauge = "hookswitch_http_requests_in_flight";
    }

    /// Calls.
    calls: CallMetrics {
        /// Calls that were made.
        created: Counter = "hookswitch_calls_created_total";
        /// Calls that people could talk on.
        established: Counter = "hookswitch_calls_established_total";
        /// Calls that are over, by the code and subcode of their `resultInfo`.
        ended: Counters = "hookswitch_calls_ended_total" by "code", "subcode";
        /// Calls of phones that were refused, by the setting that limits them.
        refused: Counters = "hookswitch_calls_refused_total" by "limit";
        /// Calls that are not over.
        live: Gauge = "hookswitch_calls_live";
        /// Group calls and meetings that someone is in.
        conferences: Gauge = "hookswitch_conferences";
        /// Operations that are over, by kind and `completed` or `failed`.
        operations: Counters = "hookswitch_operations_total" by "kind", "status";
    }

    /// Notifications.
    notifications: NotificationMetrics {
        /// Attempts to deliver, by outcome.
        attempts: Counters = "hookswitch_notification_attempts_total" by "outcome";
        /// Notifications that were given up.
        abandoned: Counter = "hookswitch_notifications_abandoned_total";
        /// How long an attempt took.
        attempt_duration: Histogram = "hookswitch_notification_attempt_seconds";
        /// From the moment of a notification until it was received.
        delay: Histogram = "hookswitch_notification_delay_seconds";
        /// Attempts under way.
        in_flight: Gauge = "hookswitch_notification_attempts_in_flight";
        /// Notifications in memory that are owed; more may be in the store.
        in_memory: Gauge = "hookswitch_notifications_in_memory";
    }

    /// Tokens.
    identity: IdentityMetrics {
        /// Access tokens that were issued.
        issued: Counter = "hookswitch_tokens_issued_total";
        /// Requests for a token or with a token that were refused, by reason.
        refused: Counters = "hookswitch_tokens_refused_total" by "reason";
    }

    /// SIP.
    sip: SipMetrics {
        /// Users with at least one phone registered.
        registered_users: Gauge = "hookswitch_sip_registered_users";
        /// Calls of the endpoint that have not ended.
        calls: Gauge = "hookswitch_sip_calls";
        /// INVITEs of strangers, and of peers beyond their bounds, that were refused before they became calls, by reason.
        refused: Counters = "hookswitch_sip_invites_refused_total" by "reason";
        /// 1 while the endpoint has neither call nor transaction nor deadline.
        idle: Gauge = "hookswitch_sip_idle";
    }

    /// Trunks to the phone network.
    trunks: TrunkMetrics {
        /// Trunks that make calls.
        up: Gauge = "hookswitch_trunks_up";
        /// Trunks whose peer does not answer, or said that it cannot take calls.
        down: Gauge = "hookswitch_trunks_down";
        /// Trunks that are to be registered and are not.
        unregistered: Gauge = "hookswitch_trunks_unregistered";
        /// Calls over all trunks, in both directions, that are not over.
        calls: Gauge = "hookswitch_trunk_calls_live";
        /// Calls to the phone network that were not made, by reason.
        denied: Counters = "hookswitch_trunk_calls_denied_total" by "reason";
        /// Calls of the phone network that were refused, by reason; repeats count.
        refused: Counters = "hookswitch_trunk_calls_refused_total" by "reason";
        /// Of those, calls that were refused without an answer, as there were too many from one place.
        unanswered: Counter = "hookswitch_trunk_calls_unanswered_total";
    }

    /// Sound.
    media: MediaMetrics {
        /// Legs that are open.
        legs: Gauge = "hookswitch_media_legs";
        /// RTP packets that were sent on their time or after it.
        packets_sent: Counter = "hookswitch_rtp_packets_sent_total";
        /// How long after their time 99 of 100 packets have left since the start, at the most, in milliseconds.
        lateness: Gauge = "hookswitch_rtp_lateness_p99_ms";
        /// RTP packets that the system did not take.
        send_errors: Counter = "hookswitch_rtp_send_errors_total";
        /// Rounds of 20 ms that were left out because a media thread stood still.
        skipped_rounds: Counter = "hookswitch_media_skipped_rounds_total";
    }

    /// People with browsers.
    web: WebMetrics {
        /// Sessions of people who have signed in.
        sessions: Gauge = "hookswitch_web_sessions";
        /// WebSockets of pages that are open.
        sockets: Gauge = "hookswitch_web_sockets";
        /// Pages that are telephones, those included that may still come back.
        pages: Gauge = "hookswitch_web_pages";
        /// Pages of meetings, those included that may still come back.
        meeting_pages: Gauge = "hookswitch_web_meeting_pages";
    }

    /// Media that applications host themselves.
    app_media: AppMediaMetrics {
        /// WebSockets of applications that were connected.
        sockets_attached: Counter = "hookswitch_app_sockets_attached_total";
        /// WebSockets that broke, or that the application closed, while the call went on.
        sockets_lost: Counter = "hookswitch_app_sockets_lost_total";
        /// WebSockets that the server closed because of what the application did.
        violations: Counter = "hookswitch_app_sockets_violations_total";
        /// Calls that ended because their application did not come, or did not come back.
        abandoned: Counter = "hookswitch_app_media_abandoned_total";
        /// Session descriptions that were answered.
        offers: Counter = "hookswitch_app_offers_answered_total";
        /// One-time addresses that were not good.
        tickets_refused: Counter = "hookswitch_app_tickets_refused_total";
        /// Pieces of 20 ms that were lost because applications did not read them in time.
        frames_dropped: Counter = "hookswitch_app_frames_dropped_total";
        /// Sessions of WebRTC that are open.
        webrtc_sessions: Gauge = "hookswitch_webrtc_sessions";
        /// Datagrams to the address of WebRTC that are of no session.
        webrtc_unknown: Counter = "hookswitch_webrtc_datagrams_unknown_total";
        /// Datagrams that a session of WebRTC was too late to take.
        webrtc_missed: Counter = "hookswitch_webrtc_datagrams_missed_total";
        /// Datagrams of WebRTC that the system did not take.
        webrtc_unsent: Counter = "hookswitch_webrtc_datagrams_unsent_total";
    }

    /// The database.
    store: StoreMetrics {
        /// How long a call's change took until it was durable.
        commit: Histogram = "hookswitch_store_commit_duration_seconds";
        /// Changes of calls that could not be stored at the first try.
        failed: Counter = "hookswitch_store_commit_failures_total";
    }
}

/// The description of every metric.
pub fn described() -> &'static [Described] {
    DESCRIBED
}

/// The metrics as a page of documentation, in Markdown.
pub fn reference() -> String {
    let mut text = String::from("# Metrics\n\n| metric | kind | labels | |\n|---|---|---|---|\n");
    for metric in DESCRIBED {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let labels = metric.labels.join(", ");
        text.push_str(&format!("| `{}` | {kind} | {labels} | {} |\n", metric.name, metric.summary()));
    }
    text
}

impl Metrics {
    /// Makes a set of metrics, all at zero.
    pub fn new() -> Self {
        // Refused are only an empty list of buckets, which this is not.
        let builder = PrometheusBuilder::new();
        let builder = builder.set_buckets(&BUCKETS).unwrap_or_else(|_| PrometheusBuilder::new());
        let recorder = Arc::new(builder.build_recorder());
        with_local_recorder(&*recorder, || {
            DESCRIBED.iter().for_each(Described::register);
            Self::make(&recorder, recorder.handle())
        })
    }

    /// Makes this set the one that `metrics`' macros record into, for the whole process. `false` where another one is.
    pub fn install(&self) -> bool {
        metrics::set_global_recorder(Arc::clone(&self.recorder)).is_ok()
    }

    /// The metrics in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Sorts what histograms were told into their buckets. Call it every few seconds: until then each value takes
    /// memory, and rendering, which does the same, depends on someone asking.
    pub fn run_upkeep(&self) {
        self.handle.run_upkeep();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Kind, Metrics, described, reference};

    #[test]
    fn what_is_counted_is_rendered_with_its_help() {
        let metrics = Metrics::new();
        metrics.calls.created.increment(2);
        metrics.calls.live.set(1.0);
        metrics.calls.ended.increment(&["486", "8539"]);
        metrics.http.duration.record(0.004);
        let text = metrics.render();
        for line in [
            "# HELP hookswitch_calls_created_total Calls that were made.",
            "hookswitch_calls_created_total 2",
            "hookswitch_calls_live 1",
            "hookswitch_calls_ended_total{code=\"486\",subcode=\"8539\"} 1",
            "hookswitch_http_request_duration_seconds_bucket{le=\"0.003\"} 0",
            "hookswitch_http_request_duration_seconds_bucket{le=\"0.005\"} 1",
            "hookswitch_rtp_send_errors_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn two_servers_in_one_process_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.calls.created.increment(1);
        one.clone().calls.created.increment(1);
        assert!(one.render().contains("hookswitch_calls_created_total 2"));
        assert!(other.render().contains("hookswitch_calls_created_total 0"));
    }

    #[test]
    fn names_are_unique_and_say_their_kind() {
        let names: BTreeSet<_> = described().iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), described().len());
        for metric in described() {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            assert_eq!(metric.name.ends_with("_seconds"), metric.kind == Kind::Histogram, "{}", metric.name);
            assert!(reference().contains(&format!("| `{}` |", metric.name)));
        }
    }
}
