//! What a call's trace is told.

use call_engine::ConferenceEvent;
use model::{
    ChangeType, Notification, NotificationBody, Operation, OperationKind, OperationStatus, Outcome,
    Timestamp, Tone,
};
use store::Transaction;
use tokio::sync::oneshot;
use trace::{Lane, Trace};

use super::CallTask;
use super::link::Link;
use crate::console::AskedSound;
use crate::far_end::FarEndEvent;

impl CallTask {
    /// Notes that something happens.
    pub(super) fn note(&self, lane: Lane, what: &'static str, text: Option<&str>) {
        self.trace.note(self.context.clock.now(), lane, what, text);
    }

    pub(super) fn note_key(&self, tone: Tone) {
        if self.trace.is_on() {
            self.note(Lane::Tone, "heard", Some(&tone.key().to_string()));
        }
    }

    /// Notes what has become durable.
    pub(super) fn note_stored(&self, transaction: &Transaction) {
        if !self.trace.is_on() {
            return;
        }
        if let Some(call) = &transaction.call {
            self.trace.changed(transaction.at, call);
        }
        for (_, operation) in &transaction.operations {
            note_operation(&self.trace, transaction.at, operation);
        }
        for notification in &transaction.notifications {
            self.trace.queued(transaction.at, notification.sequence, &about(notification));
        }
    }

    pub(super) fn show_sounds(&self, reply: oneshot::Sender<Vec<AskedSound>>) {
        // Whoever asked may have gone away, and a conference that is over answers nothing.
        match &self.link {
            Link::Leg(leg) => {
                let (participant, info) = (self.callee_participant, self.callee_info());
                let (leg, sampled) = (leg.media.leg().as_u64(), leg.media.sample());
                drop(reply.send(vec![AskedSound { participant, info, leg, sampled }]));
            }
            Link::Member(member) => member.ask_sounds(reply),
            Link::Calling(_) | Link::None => drop(reply.send(Vec::new())),
        }
    }

    pub(super) fn note_conference(&self, event: &ConferenceEvent) {
        if !self.trace.is_on() {
            return;
        }
        match event {
            ConferenceEvent::Joined => self.note(Lane::Conference, "joined", None),
            ConferenceEvent::Roster(roster) => {
                let count = roster.participants.len();
                self.note(Lane::Conference, "roster", Some(&format!("{count} participants")));
            }
            ConferenceEvent::ContentSharing { change, .. } => {
                let what = match change {
                    ChangeType::Created => "sharingBegan",
                    ChangeType::Updated => "sharingSeen",
                    ChangeType::Deleted => "sharingEnded",
                };
                self.note(Lane::Conference, what, None);
            }
            ConferenceEvent::Ended(outcome) => {
                self.note(Lane::Conference, "left", Some(&outcome.result_info().message));
            }
            ConferenceEvent::Tone(tone) => self.note_key(*tone),
            ConferenceEvent::TransfereeGone => self.note(Lane::Conference, "transfereeGone", None),
            ConferenceEvent::Answered { .. }
            | ConferenceEvent::Dominant(_)
            | ConferenceEvent::OperationEnded { .. } => {}
        }
    }
}

/// Notes what the other party's far end reports.
pub(super) fn note_far_end(trace: &Trace, now: Timestamp, event: &FarEndEvent) {
    let (what, text) = match event {
        FarEndEvent::Ringing => ("ringing", None),
        FarEndEvent::Answered { .. } | FarEndEvent::Confirmed { .. } => ("answered", None),
        FarEndEvent::Offered { .. } => ("offered", None),
        FarEndEvent::Pulled(_) => ("pulled", None),
        FarEndEvent::Referred(_) => ("referred", None),
        FarEndEvent::Ended(cause) => ("left", Some(format!("{cause:?}"))),
        FarEndEvent::Completed { .. } | FarEndEvent::GiveOther(_) | FarEndEvent::ReferProgress(_) => return,
    };
    trace.note(now, Lane::Leg, what, text.as_deref());
}

fn note_operation(trace: &Trace, at: Timestamp, operation: &Operation) {
    let kind = kind(&operation.kind);
    let what = match operation.status {
        OperationStatus::NotStarted => "notStarted",
        OperationStatus::Running => "running",
        OperationStatus::Completed => "completed",
        OperationStatus::Failed => "failed",
    };
    let why = operation.outcome.filter(|_| operation.status == OperationStatus::Failed);
    let text = match why.map(Outcome::result_info) {
        Some(result) => format!("{kind}: {}", result.message),
        None => kind.to_owned(),
    };
    trace.note_of(at, Lane::Operation, (what, Some(&text)), Some(&operation.id.to_string()));
}

/// An operation as the request is called that begins it.
const fn kind(kind: &OperationKind) -> &'static str {
    match kind {
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
    }
}

fn about(notification: &Notification) -> String {
    let change = match notification.change {
        ChangeType::Created => "created",
        ChangeType::Updated => "updated",
        ChangeType::Deleted => "deleted",
    };
    let what = match &notification.body {
        NotificationBody::Call(_) => "call",
        NotificationBody::ContentSharing(_) => "contentSharing",
        NotificationBody::Operation(_) => "operation",
        NotificationBody::Roster(_) => "participants",
    };
    format!("{change} {what}")
}
