use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use call_engine::Command;
use graph_wire::{CreateCall, GraphError};
use http::StatusCode;
use identity::{Principal, PrincipalKind};
use model::{
    ApplicationInstance, CallId, CallState, IndexedDirectory, MediaInfo, MediaPrompt, Owner, PhoneNumber,
    TenantId, User,
};
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tokio::time::{Instant, timeout_at};
use trace::{Event, Lane, Trace};

use super::administrator::Administrator;
use super::console;
use super::token::Named;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::{Context, RawBody};
use crate::reply;
use crate::state::{AppState, Shared};
use crate::web::private;

/// How long a test call may ring and talk, all together.
const LONGEST: Duration = Duration::from_secs(120);

/// `POST test-call`: a call by an application to a user or a number, which says something and hangs up.
pub(super) async fn place(
    State(state): State<AppState>,
    administrator: Administrator,
    Context(context): Context,
    RawBody(body): RawBody,
) -> Result<Response, ApiError> {
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let directory = state.api.directory.load_full();
    let to = body["to"].as_str().map(str::trim).filter(|to| !to.is_empty());
    let to = to.ok_or_else(|| GraphError::invalid_argument("The body must have 'to'."))?;
    let (target, tenant) = Target::of(&directory, &body, to)?;
    let named = Named::of(&directory, &body, tenant.as_ref())?;
    let request = target.request();
    let request = CreateCall::decode(request.to_string().as_bytes(), &state.api.settings.wire_limits)?;
    let caller = caller(&state, named)?;
    let sink = console(&state)?.sink_uri;
    let user = administrator.user().clone();
    // A browser that does not wait for the answer must not leave a call that nobody attends.
    let placed = tokio::spawn(async move {
        let call = crate::calls::place(&state, &context, &caller, request, Some(sink)).await?;
        tracing::info!(
            user.id = user.as_str(), app.id = %caller.owner.app, call.id = %call.id,
            "an administrator has placed a test call"
        );
        tokio::spawn(attend(Arc::clone(&state), caller.owner, call.id));
        Ok::<_, ApiError>(call.id)
    });
    let id = placed.await.map_err(|_| GraphError::internal())??;
    Ok(private(reply::json(StatusCode::CREATED, &json!({"id": id.to_string()}))))
}

/// Whom somebody has written down.
enum Target<'a> {
    /// A number, and the account of the application that has one to call from.
    Number(PhoneNumber, Option<&'a ApplicationInstance>),
    /// A user.
    User(&'a User),
}

impl<'a> Target<'a> {
    /// Who that is, and the tenant in which they can be called.
    fn of(
        directory: &'a IndexedDirectory,
        body: &Value,
        to: &str,
    ) -> Result<(Self, Option<TenantId>), ApiError> {
        if let Some(user) = directory.user_by_sip_name(to).or_else(|| directory.user_by_id(&to.into())) {
            return Ok((Self::User(user), Some(user.tenant.clone())));
        }
        let number = PhoneNumber::parse(to).map_err(|_| {
            GraphError::invalid_argument("'to' must be the address or the id of a user, or a phone number.")
        })?;
        let is_of = |given: &Value, known: &str| given.as_str().is_some_and(|given| given == known);
        let instance = directory.instances.values().find(|one| {
            let is_there = body["tenant"].is_null() || is_of(&body["tenant"], one.tenant.as_str());
            is_of(&body["app"], one.app.as_str()) && is_there && !one.numbers.is_empty()
        });
        Ok((Self::Number(number, instance), instance.map(|one| one.tenant.clone())))
    }

    /// The documented request for a call to them.
    fn request(&self) -> Value {
        let mut request = json!({
            "callbackUri": "https://console.invalid/",
            "requestedModalities": ["audio"],
            "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
            "subject": "Test call",
        });
        let identity = match self {
            Self::Number(number, instance) => {
                if let Some(one) = instance {
                    request["source"] = json!({"identity": {"applicationInstance": {"id": one.id}}});
                }
                json!({"phone": {"id": number.as_str()}})
            }
            Self::User(user) => json!({"user": {"id": user.id.as_str(), "displayName": user.name}}),
        };
        request["targets"] = json!([{ "identity": identity }]);
        request
    }
}

/// The application as if it had asked itself: what it may not do is refused.
fn caller(state: &Shared, named: Named) -> Result<Caller, ApiError> {
    let Named { app, tenant, roles } = named;
    let directory = state.api.directory.load();
    let known = directory.applications.get(&app).filter(|app| app.is_calling_enabled);
    let name = known.ok_or_else(GraphError::application_not_registered)?.name.clone();
    let owner = Owner { app: app.clone(), tenant: tenant.clone() };
    let (kind, expires_at) = (PrincipalKind::Application, state.api.clock.now());
    Ok(Caller { principal: Arc::new(Principal { app, tenant, roles, kind, expires_at }), owner, name })
}

/// Says something to whoever answers, and hangs up.
async fn attend(state: AppState, owner: Owner, id: CallId) {
    let Some(console) = &state.api.console else { return };
    let watched = console.recorder.find(id).and_then(|trace| Some((trace.watch()?, trace)));
    if let Some((mut events, trace)) = watched {
        let until = Instant::now() + LONGEST;
        if is_answered(&trace, &mut events, until).await {
            let media = MediaInfo { uri: console.greeting_uri.to_owned(), resource_id: None };
            let prompts = vec![MediaPrompt { media }];
            let play = Command::PlayPrompt { prompts, client_context: None };
            if state.api.calls.command(&owner, id, play).await.is_ok() {
                wait_for(&mut events, until, is_said).await;
            }
        }
    }
    // It may be over.
    let _ = state.api.calls.command(&owner, id, Command::HangUp).await;
}

/// Whether somebody answers in time.
async fn is_answered(trace: &Trace, events: &mut broadcast::Receiver<Event>, until: Instant) -> bool {
    let state = |trace: &Trace| trace.summary().map(|summary| summary.call.state);
    while state(trace).is_some_and(|state| state == CallState::Establishing) {
        let is_state = |lane: Lane, _: &str| lane == Lane::State;
        if !wait_for(events, until, is_state).await {
            return false;
        }
    }
    state(trace) == Some(CallState::Established)
}

fn is_said(lane: Lane, what: &str) -> bool {
    let is_over = lane == Lane::State && what == "terminated";
    is_over || (lane == Lane::Operation && ["completed", "failed"].contains(&what))
}

/// Waits for an entry; `false` where it does not come in time.
async fn wait_for(
    events: &mut broadcast::Receiver<Event>,
    until: Instant,
    is_it: impl Fn(Lane, &str) -> bool,
) -> bool {
    loop {
        match timeout_at(until, events.recv()).await {
            Ok(Ok(Event::Entry(entry))) if is_it(entry.lane, entry.what) => return true,
            // What was missed may have been it.
            Ok(Err(broadcast::error::RecvError::Lagged(_))) => return true,
            Ok(Ok(Event::Entry(_) | Event::Message(_) | Event::Notification { .. })) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => return false,
        }
    }
}
