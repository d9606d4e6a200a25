use std::sync::Arc;

use model::{
    CallState, ChangeType, IdSource, NotificationBody, Operation, OperationKind, OperationStatus, Outcome,
};
use model::{RecordCompletion, SendDtmfCompletion, Timestamp};

use crate::Effect;
use crate::call::draft;

/// Ends a call that has no task any more: a former process left it alive, or its state could not be kept for a while.
///
/// Every unfinished operation completes, then the call ends with `outcome` and its `deleted` notification last. The effects are all of the stored kind and belong in one transaction. A call that is over
/// already has none.
pub fn recover(
    mut record: model::Call,
    operations: Vec<Operation>,
    outcome: Outcome,
    now: Timestamp,
    ids: &mut dyn IdSource,
) -> Vec<Effect> {
    if record.state == CallState::Terminated {
        return Vec::new();
    }
    let mut effects = Vec::new();
    for mut operation in operations.into_iter().filter(|operation| !operation.status.is_final()) {
        interrupt(&mut operation);
        record.notified += 1;
        let body = NotificationBody::Operation(Box::new(operation.clone()));
        effects.push(Effect::PersistOperation(Box::new(operation)));
        effects.push(Effect::Notify(Box::new(draft(&record, ChangeType::Deleted, body, now, ids))));
    }
    record.state = CallState::Terminated;
    record.media_state = record.media_state.map(|_| model::MediaState::Inactive);
    record.outcome = Some(outcome);
    record.tone = None;
    record.notified += 1;
    let record = Arc::new(record);
    let body = NotificationBody::Call(Arc::clone(&record));
    let last = draft(&record, ChangeType::Deleted, body, now, ids);
    effects.push(Effect::Persist(record));
    effects.push(Effect::Notify(Box::new(last)));
    effects
}

fn interrupt(operation: &mut Operation) {
    operation.outcome = Some(Outcome::CallEndedDuringOperation);
    operation.status = OperationStatus::Failed;
    match &mut operation.kind {
        OperationKind::Record { completion, location, access_token, .. } => {
            *completion = Some(RecordCompletion::OperationCanceled);
            (*location, *access_token) = (Some(String::new()), Some(String::new()));
        }
        OperationKind::SendDtmfTones { completion, .. } => {
            *completion = Some(SendDtmfCompletion::MediaOperationCanceled);
            operation.status = OperationStatus::Completed;
        }
        OperationKind::AddLargeGalleryView
        | OperationKind::CancelMediaProcessing
        | OperationKind::InviteParticipants { .. }
        | OperationKind::MuteAll
        | OperationKind::MuteParticipant
        | OperationKind::PlayPrompt { .. }
        | OperationKind::StartHoldMusic
        | OperationKind::StopHoldMusic
        | OperationKind::SubscribeToTone
        | OperationKind::UnmuteParticipant
        | OperationKind::UpdateRecordingStatus { .. } => {}
    }
}
