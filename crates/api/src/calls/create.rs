use axum::extract::State;
use axum::response::Response;
use graph_wire::{CreateCall, GraphError, Intent, links};
use http::StatusCode;
use http::header::LOCATION;
use model::{Call, Permission};

use crate::callees;
use crate::caller::Caller;
use crate::calls::{join, source};
use crate::context::{RequestContext, SCENARIO_ID};
use crate::error::ApiError;
use crate::extract::{Context, JsonBody};
use crate::reply;
use crate::state::{AppState, Shared};

/// `POST /communications/calls`: creates a call; answered once the call is durable.
pub(crate) async fn create(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let request = CreateCall::decode(&body, &state.api.settings.wire_limits)?;
    let call = place(&state, &context, &caller, request, None).await?;
    let base = context.base();
    let response = reply::json(StatusCode::CREATED, &graph_wire::created_call(&base, &call));
    let response = reply::with_header(response, LOCATION, &links::call(&base, call.id));
    Ok(reply::with_header(response, SCENARIO_ID, call.scenario.as_str()))
}

/// Creates the call that an application asks for; its notifications go to `callback` in place of where the request says, if
/// there is one.
pub(crate) async fn place(
    state: &Shared,
    context: &RequestContext,
    caller: &Caller,
    request: CreateCall,
    callback: Option<&str>,
) -> Result<Call, ApiError> {
    permit(state, caller, &request)?;
    let joined = join::find(state, caller, &request).await?;
    let named = graph_wire::Caller {
        app: caller.app().clone(),
        app_name: caller.name.clone(),
        tenant: caller.principal.tenant.clone(),
        scenario: context.scenario_id(),
    };
    let mut new = request.into_new_call(named, joined).ok_or_else(GraphError::internal)?;
    if let Some(callback) = callback {
        callback.clone_into(&mut new.callback_uri);
    }
    callees::of_call(&state.api.directory.load(), &mut new);
    ensure_room(state, caller)?;
    Ok(state.api.calls.create(new).await?)
}

/// Looks whether the application may do what the request means; whether it may join is for [`join`] to find out.
fn permit(state: &Shared, caller: &Caller, request: &CreateCall) -> Result<(), ApiError> {
    let is_join = matches!(request.intent, Intent::Join { .. });
    if !is_join {
        caller.require_any(request.intent.permissions())?;
    }
    if !is_join && request.is_app_hosted() {
        caller.require_any(&[Permission::ACCESS_MEDIA])?;
    }
    let own = caller.principal.tenant.as_str();
    if request.tenant.as_ref().is_some_and(|asked| !asked.as_str().eq_ignore_ascii_case(own)) {
        return Err(GraphError::tenant_mismatch().into());
    }
    let directory = state.api.directory.load();
    // Whose instance calls a number is seen to where the trunks are, which count who tries another one.
    let named = request.source.clone().map(|mut source| {
        source.identity.application_instance.take_if(|_| request.intent.calls_numbers());
        source
    });
    if named.is_some_and(|source| !source::may_speak_for(&directory, caller, &source, is_join)) {
        return Err(GraphError::bad_source_identity().into());
    }
    Ok(())
}

/// Holds the application to its number of calls. The wait is a guess: calls end when people hang up.
fn ensure_room(state: &Shared, caller: &Caller) -> Result<(), ApiError> {
    if state.api.calls.live_of(caller.app()) < state.api.settings.app_limits.concurrent_calls {
        return Ok(());
    }
    Err(GraphError::too_many_requests(std::time::Duration::from_secs(5)).into())
}
