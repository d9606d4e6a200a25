//! Calls of scripted users, for tests of bots; served only where the lab is on.

mod port;
mod request;

use axum::extract::State;
use axum::response::Response;
use graph_wire::GraphError;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};
use model::{CallId, IndexedDirectory, Owner, Permission, User};
use serde_json::{Value, json};

pub use self::port::{Lab, LabCall, LabFault, LabFuture, LabMoment, LabState, LabStep, LabVerdict};

use self::request::Request;
use crate::caller::Caller;
use crate::context::RequestContext;
use crate::error::ApiError;
use crate::extract::{CallInPath, Context, JsonBody};
use crate::reply;
use crate::state::{AppState, Shared};

/// Where these calls are.
const PATH: &str = "/lab/v1/calls";

/// How long to wait while as many calls are under way as may: they take seconds each.
const WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// `POST /lab/v1/calls`: a user of the tenant calls, most often a bot; answered once the call is under way.
pub(crate) async fn place(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    JsonBody(body): JsonBody,
) -> Result<Response, ApiError> {
    let lab = lab(&state)?;
    let request = Request::decode(&body)?;
    let directory = state.api.directory.load_full();
    let from = user(&directory, &caller.owner, &request.from)?;
    let call = LabCall {
        from: from.id.clone(),
        to: request.to,
        steps: request.steps,
        hang_up_after: request.hang_up_after,
        expect_timeout: request.expect_timeout,
        expect_refused: request.expect_refused,
    };
    let id = lab.place(&caller.owner, call).await?;
    let shown = lab.call(&caller.owner, id).ok_or_else(GraphError::call_not_found)?;
    let response = reply::json(StatusCode::CREATED, &body_of(&context, id, &shown));
    Ok(reply::with_header(response, LOCATION, &location(&context, id)))
}

/// `GET /lab/v1/calls/{id}`: what has happened so far, and once the call is over, the verdict.
pub(crate) async fn read(
    State(state): State<AppState>,
    Context(context): Context,
    caller: Caller,
    CallInPath(id): CallInPath,
) -> Result<Response, ApiError> {
    let shown = lab(&state)?.call(&caller.owner, id).ok_or_else(GraphError::call_not_found)?;
    Ok(reply::json(StatusCode::OK, &body_of(&context, id, &shown)))
}

/// `GET /lab/v1/calls/{id}/heard`: what the user has heard since the answer, as WAV.
pub(crate) async fn heard(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
) -> Result<Response, ApiError> {
    let wav = lab(&state)?.heard(&caller.owner, id).ok_or_else(GraphError::call_not_found)?;
    let mut response = Response::new(wav.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    Ok(response)
}

/// `DELETE /lab/v1/calls/{id}`: the user hangs up.
pub(crate) async fn delete(
    State(state): State<AppState>,
    caller: Caller,
    CallInPath(id): CallInPath,
) -> Result<StatusCode, ApiError> {
    if lab(&state)?.hang_up(&caller.owner, id) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(GraphError::call_not_found().into())
    }
}

/// The lab. Without one none of these paths is served.
fn lab(state: &Shared) -> Result<&dyn Lab, ApiError> {
    state.api.lab.as_deref().ok_or_else(|| GraphError::no_such_resource(PATH).into())
}

/// A user of the tenant, which has to know the application; anybody else does not exist.
fn user<'a>(directory: &'a IndexedDirectory, owner: &Owner, name: &str) -> Result<&'a User, ApiError> {
    let tenant = directory.tenants.get(&owner.tenant).filter(|tenant| tenant.grants.contains_key(&owner.app));
    let tenant = tenant.ok_or_else(GraphError::insufficient_permissions)?;
    let may_call = tenant.grants.get(&owner.app).is_some_and(|granted| granted.has(Permission::INITIATE));
    may_call.then_some(()).ok_or_else(GraphError::insufficient_permissions)?;
    let by_id = directory.user_by_id(&name.into());
    let found = by_id.or_else(|| directory.user_by_sip_name(name));
    found
        .filter(|user| user.tenant == owner.tenant)
        .ok_or_else(|| GraphError::item_not_found("from: the tenant has no such user.").into())
}

fn location(context: &RequestContext, id: CallId) -> String {
    format!("{}{PATH}/{id}", context.origin)
}

fn body_of(context: &RequestContext, id: CallId, shown: &LabState) -> Value {
    let moment = |one: &LabMoment| json!({"atMs": one.at_ms, "isInCall": one.is_in_call, "text": one.text});
    let verdict = shown.verdict.as_ref();
    let failure = verdict.and_then(|verdict| verdict.failure.as_ref());
    let word = |verdict: &LabVerdict| if verdict.failure.is_none() { "passed" } else { "failed" };
    json!({
        "id": id.to_string(),
        "from": shown.from.as_str(),
        "to": shown.to,
        "createdDateTime": shown.created_at.to_string(),
        "state": shown.state,
        "happened": shown.happened.iter().map(moment).collect::<Vec<_>>(),
        "verdict": verdict.map(word),
        "failure": failure.map(|(at_ms, text)| json!({"atMs": at_ms, "text": text})),
        "steps": verdict.map(|verdict| &verdict.steps),
        "heardLocation": format!("{}/heard", location(context, id)),
    })
}

impl From<LabFault> for ApiError {
    fn from(fault: LabFault) -> Self {
        match fault {
            LabFault::Busy => GraphError::too_many_requests(WAIT).into(),
            LabFault::Invalid(invalid) => invalid.into(),
            LabFault::Unavailable(why) => {
                tracing::warn!(why, "a call of the lab was not placed");
                GraphError::unavailable(WAIT).into()
            }
        }
    }
}
