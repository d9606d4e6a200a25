use graph_wire::{CreateCall, GraphError, Intent, JoinedMeeting};
use model::{ChatInfo, Identity, MeetingInfo, OnlineMeeting, Permission};
use store::MeetingKey;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::state::Shared;

/// The meeting that a request joins and who the application is in it, where it may; `None` where nothing is joined.
///
/// With `Calls.JoinGroupCall.All`, or the consent of the meeting's chat, an application joins as itself. As a guest it
/// joins where it names one and holds `Calls.JoinGroupCallAsGuest.All`, and where it holds nothing else: then under its
/// own name. Whoever may not join learns nothing of the meeting.
///
/// # Errors
///
/// 403 with code 7504 where it may not; 404, code 8561 where there is no such meeting or the passcode is not its own;
/// 400, code 8526 for a token; 403, code 8560 where nobody may join any more.
pub(crate) async fn find(
    state: &Shared,
    caller: &Caller,
    request: &CreateCall,
) -> Result<Option<JoinedMeeting>, ApiError> {
    let Intent::Join { meeting: asked, chat } = &request.intent else { return Ok(None) };
    let found = resolve(state, caller, asked, chat.as_ref()).await;
    if found.is_err() {
        caller.require_any(request.intent.permissions())?;
    }
    let meeting = found?;
    let guest = permit(caller, request, &meeting)?;
    if meeting.is_locked {
        return Err(GraphError::meeting_locked().into());
    }
    Ok(Some(JoinedMeeting { meeting, guest }))
}

/// Looks whether the application may join this meeting, and as which guest if as one.
fn permit(
    caller: &Caller,
    request: &CreateCall,
    meeting: &OnlineMeeting,
) -> Result<Option<Identity>, ApiError> {
    let consents = |name| meeting.consents.get(caller.app()).is_some_and(|granted| granted.has(name));
    if request.is_app_hosted() && !consents(Permission::ACCESS_MEDIA_OF_CHAT) {
        caller.require_any(&[Permission::ACCESS_MEDIA])?;
    }
    if let Some(guest) = request.source.as_ref().and_then(|source| source.identity.guest.clone()) {
        caller.require_any(&[Permission::JOIN_GROUP_CALL_AS_GUEST])?;
        return Ok(Some(guest));
    }
    if caller.has_any(&[Permission::JOIN_GROUP_CALL]) || consents(Permission::JOIN_CALLS_OF_CHAT) {
        return Ok(None);
    }
    caller.require_any(&[Permission::JOIN_GROUP_CALL_AS_GUEST])?;
    Ok(Some(Identity::of(caller.app().as_str()).named(caller.name.as_str())))
}

/// Finds the meeting that a request names, in the tenant of the token.
async fn resolve(
    state: &Shared,
    caller: &Caller,
    asked: &MeetingInfo,
    chat: Option<&ChatInfo>,
) -> Result<OnlineMeeting, ApiError> {
    let tenant = &caller.principal.tenant;
    let key = match (asked, chat) {
        (MeetingInfo::JoinMeetingId { join_meeting_id, .. }, _) => {
            MeetingKey::JoinMeetingId(join_meeting_id.split_whitespace().collect())
        }
        (MeetingInfo::Organizer { organizer, .. }, Some(chat)) => {
            let named = organizer.user.as_ref().and_then(|user| user.tenant_id.as_deref());
            if named.is_some_and(|named| !named.eq_ignore_ascii_case(tenant.as_str())) {
                return Err(GraphError::tenant_mismatch().into());
            }
            MeetingKey::Thread(chat.thread_id.clone())
        }
        // Tokens come with calls from meetings, which this server does not make yet.
        (MeetingInfo::Token { .. }, _) => return Err(GraphError::bad_join_token().into()),
        (MeetingInfo::Organizer { .. }, None) => return Err(GraphError::meeting_not_found().into()),
    };
    let found = state.api.store.meeting(tenant.clone(), key).await?;
    found.filter(|meeting| is_meant(meeting, asked)).ok_or_else(|| GraphError::meeting_not_found().into())
}

/// Whether the passcode or the organizer is the meeting's own.
fn is_meant(meeting: &OnlineMeeting, asked: &MeetingInfo) -> bool {
    match asked {
        MeetingInfo::JoinMeetingId { passcode, .. } => {
            meeting.passcode.is_none() || meeting.passcode == *passcode
        }
        MeetingInfo::Organizer { organizer, .. } => {
            let named = organizer.user.as_ref().and_then(|user| user.id.as_deref());
            named.is_some_and(|id| id.eq_ignore_ascii_case(meeting.organizer.as_str()))
        }
        MeetingInfo::Token { .. } => false,
    }
}
