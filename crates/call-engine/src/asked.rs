use model::{IdSource, Operation, OperationId, OperationKind, OperationStatus, Outcome};

use crate::conference::ConferenceRequest;

/// What an application has asked of the conference, until it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The operation that the end will be reported for.
    pub(crate) operation: OperationId,
    /// What it will be shown as; `None` where nothing is shown.
    kind: Option<OperationKind>,
    /// Whether it takes its time, as the API's pages have it.
    is_running: bool,
    client_context: Option<String>,
}

impl Asked {
    pub(crate) fn new(
        request: &ConferenceRequest,
        client_context: Option<String>,
        ids: &mut dyn IdSource,
    ) -> Self {
        let (kind, is_running) = shown_as(request);
        Self { operation: OperationId::next(ids), kind, is_running, client_context }
    }

    /// The operation that answers the application, where there is one.
    pub(crate) fn into_operation(self) -> Option<Operation> {
        let (status, outcome) = if self.is_running {
            (OperationStatus::Running, None)
        } else {
            (OperationStatus::Completed, Some(Outcome::ActionCompleted))
        };
        let (id, client_context) = (self.operation, self.client_context);
        Some(Operation { id, kind: self.kind?, status, client_context, outcome })
    }
}

/// The operation that a request is shown as, and whether it takes its time.
fn shown_as(request: &ConferenceRequest) -> (Option<OperationKind>, bool) {
    match request {
        ConferenceRequest::AddLargeGalleryView => (Some(OperationKind::AddLargeGalleryView), true),
        ConferenceRequest::Invite(invitees) => {
            let participants = invitees.iter().map(|invitee| invitee.target.clone()).collect();
            (Some(OperationKind::InviteParticipants { participants }), true)
        }
        ConferenceRequest::MuteAll(_) => (Some(OperationKind::MuteAll), false),
        ConferenceRequest::Mute(_) | ConferenceRequest::MuteSelf => {
            (Some(OperationKind::MuteParticipant), false)
        }
        ConferenceRequest::StartHoldMusic { .. } => (Some(OperationKind::StartHoldMusic), true),
        ConferenceRequest::StopHoldMusic(_) => (Some(OperationKind::StopHoldMusic), true),
        ConferenceRequest::UnmuteSelf => (Some(OperationKind::UnmuteParticipant), false),
        ConferenceRequest::UpdateRecordingStatus(status) => {
            (Some(OperationKind::UpdateRecordingStatus { status: *status }), false)
        }
        ConferenceRequest::Admit(_)
        | ConferenceRequest::ChangeScreenSharingRole(_)
        | ConferenceRequest::CreateGroup(_)
        | ConferenceRequest::DeleteGroup(_)
        | ConferenceRequest::Remove(_)
        | ConferenceRequest::RemoveFromLobby(_)
        | ConferenceRequest::Transfer(_)
        | ConferenceRequest::UpdateGroup(_) => (None, false),
    }
}
