//! What happens in the server, measured.

use std::time::Duration;

use api::EndedRequest;
use model::{Operation, OperationKind, OperationStatus, Outcome};
use node::{ApplicationStats, CallLimit, Counts, TrunkStats};
use telemetry::{AppMediaMetrics, Metrics, TrunkMetrics};

/// Counts what the API and the node tell of.
pub(super) struct Meters(pub(super) Metrics);

impl api::Observer for Meters {
    fn request_began(&self) {
        self.0.http.in_flight.increment(1);
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        let http = &self.0.http;
        http.in_flight.decrement(1);
        http.requests.increment(&[request.route, &request.status.to_string()]);
        http.duration.record(request.duration);
    }

    fn token_issued(&self) {
        self.0.identity.issued.increment(1);
    }

    fn token_refused(&self, reason: &'static str) {
        self.0.identity.refused.increment(&[reason]);
    }
}

impl node::Observer for Meters {
    fn call_created(&self) {
        self.0.calls.created.increment(1);
    }

    fn call_established(&self) {
        self.0.calls.established.increment(1);
    }

    fn call_ended(&self, outcome: Outcome) {
        let result = outcome.result_info();
        self.0.calls.ended.increment(&[&result.code.to_string(), &result.subcode.to_string()]);
    }

    fn incoming_refused(&self, limit: CallLimit) {
        self.0.calls.refused.increment(&[limit.setting()]);
    }

    fn trunk_call_denied(&self, reason: &'static str) {
        self.0.trunks.denied.increment(&[reason]);
    }

    fn operation_ended(&self, operation: &Operation) {
        let kind = match operation.kind {
            OperationKind::AddLargeGalleryView => "addLargeGalleryView",
            OperationKind::CancelMediaProcessing => "cancelMediaProcessing",
            OperationKind::InviteParticipants { .. } => "invite",
            OperationKind::MuteAll => "muteAll",
            OperationKind::MuteParticipant => "mute",
            OperationKind::PlayPrompt { .. } => "playPrompt",
            OperationKind::Record { .. } => "recordResponse",
            OperationKind::SendDtmfTones { .. } => "sendDtmfTones",
            OperationKind::StartHoldMusic => "startHoldMusic",
            OperationKind::StopHoldMusic => "stopHoldMusic",
            OperationKind::SubscribeToTone => "subscribeToTone",
            OperationKind::UnmuteParticipant => "unmute",
            OperationKind::UpdateRecordingStatus { .. } => "updateRecordingStatus",
        };
        let is_completed = operation.status == OperationStatus::Completed;
        self.0.calls.operations.increment(&[kind, if is_completed { "completed" } else { "failed" }]);
    }

    fn committed(&self, took: Duration) {
        self.0.store.commit.record(took);
    }

    fn commit_failed(&self) {
        self.0.store.failed.increment(1);
    }
}

/// Brings what is looked up rather than told of up to date.
pub(super) fn show(metrics: &Metrics, counts: &Counts, webrtc: Option<&webrtc::Gateway>) {
    metrics.calls.live.set(counts.calls as f64);
    metrics.calls.conferences.set(counts.conferences as f64);
    metrics.sip.registered_users.set(counts.registered_users as f64);
    metrics.sip.calls.set(counts.sip_calls as f64);
    metrics.sip.refused.absolute(&["busy"], counts.sip_refused.busy);
    metrics.sip.refused.absolute(&["unproven"], counts.sip_refused.unproven);
    metrics.sip.idle.set(f64::from(u8::from(counts.is_sip_idle)));
    show_trunks(&metrics.trunks, &counts.trunks);
    let media = &counts.media;
    metrics.media.legs.set(media.legs as f64);
    metrics.media.packets_sent.absolute(media.lateness.packets());
    metrics.media.lateness.set(media.lateness.quantile(0.99).as_secs_f64() * 1000.0);
    metrics.media.send_errors.absolute(media.send_errors);
    metrics.media.skipped_rounds.absolute(media.skipped_rounds);
    show_applications(&metrics.app_media, &counts.applications);
    metrics.web.pages.set(counts.pages as f64);
    metrics.web.meeting_pages.set(counts.meeting_pages as f64);
    if let Some(gateway) = webrtc {
        let traffic = gateway.traffic();
        metrics.app_media.webrtc_sessions.set(gateway.sessions() as f64);
        metrics.app_media.webrtc_unknown.absolute(traffic.unknown);
        metrics.app_media.webrtc_missed.absolute(traffic.missed);
        metrics.app_media.webrtc_unsent.absolute(traffic.unsent);
    }
}

/// The same for people with browsers.
pub(super) fn show_web(metrics: &Metrics, sessions: &api::WebSessions) {
    metrics.web.sessions.set(sessions.count() as f64);
    metrics.web.sockets.set(sessions.sockets() as f64);
}

fn show_trunks(shown: &TrunkMetrics, counts: &TrunkStats) {
    shown.up.set(counts.up as f64);
    shown.down.set(counts.down as f64);
    shown.unregistered.set(counts.unregistered as f64);
    shown.calls.set(counts.calls as f64);
    let refused = &counts.refused;
    for (reason, calls) in [
        ("too_fast", refused.too_fast),
        ("too_many", refused.too_many),
        ("unknown_number", refused.unknown_number),
        ("unlisted", refused.unlisted),
    ] {
        shown.refused.absolute(&[reason], calls);
    }
    shown.unanswered.absolute(refused.dropped);
}

fn show_applications(shown: &AppMediaMetrics, counts: &ApplicationStats) {
    shown.sockets_attached.absolute(counts.sockets_attached);
    shown.sockets_lost.absolute(counts.sockets_lost);
    shown.violations.absolute(counts.violations);
    shown.abandoned.absolute(counts.abandoned);
    shown.offers.absolute(counts.offers);
    shown.tickets_refused.absolute(counts.tokens_refused);
    shown.frames_dropped.absolute(counts.frames_dropped);
}
