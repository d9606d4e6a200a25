use graph_wire::{CreateCall, GraphError, Intent, JoinedMeeting};
use model::{Identity, OnlineMeeting, Permission};

use crate::caller::Caller;
use crate::error::ApiError;
use crate::online_meetings::resolve;
use crate::state::Shared;

/// The meeting that a request joins and who the application is in it, where it may; `None` where nothing is joined.
///
/// With `Calls.JoinGroupCall.All`, or the consent of the meeting's chat, an application joins as itself. As a guest it
/// joins where it names one and holds `Calls.JoinGroupCallAsGuest.All`, and where it holds nothing else: then under its
/// own name. Whoever may not join learns nothing of the meeting.
///
/// # Errors
///
/// 403 with code 7504 where it may not, whatever else is wrong; what [`resolve`] says; 403, code 8560 where nobody may
/// join any more.
pub(crate) async fn find(
    state: &Shared,
    caller: &Caller,
    request: &CreateCall,
) -> Result<Option<JoinedMeeting>, ApiError> {
    let Intent::Join { meeting: asked, chat } = &request.intent else { return Ok(None) };
    if !caller.has_any(request.intent.permissions()) && !has_consents(state, caller).await? {
        return Err(GraphError::insufficient_permissions().into());
    }
    let found = resolve(state, caller, asked, chat.as_ref()).await.map_err(ApiError::from);
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

/// Whether any chat of the tenant consents to the application; only those of a directory file do. Who has neither this
/// nor a permission has nothing looked up, so that its guesses are neither answered nor counted.
async fn has_consents(state: &Shared, caller: &Caller) -> Result<bool, ApiError> {
    let meetings = state.api.store.meetings_from_file().await?;
    let mut of_tenant = meetings.iter().filter(|meeting| meeting.tenant == caller.principal.tenant);
    Ok(of_tenant.any(|meeting| meeting.consents.contains_key(caller.app())))
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
