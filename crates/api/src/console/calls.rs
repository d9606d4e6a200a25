use axum::extract::State;
use axum::response::Response;
use graph_wire::{Contained, GraphError, ReadOptions};
use http::Uri;
use http::header::CONTENT_DISPOSITION;
use model::{Call, CallId, CallState, Owner, Timestamp};
use serde_json::{Value, json};
use store::Delivery;
use trace::Shown;

use super::administrator::{Administrator, answer};
use super::media::Before;
use super::page::{Page, option};
use super::secrets::without_secrets;
use super::summary::summary;
use super::{console, media, shown, timeline};
use crate::error::ApiError;
use crate::extract::{CallInPath, Context};
use crate::reply;
use crate::state::{AppState, Shared};

/// Notifications of one call that are shown at once, and the octets of their bodies, about: a large meeting's are long.
const MAX_NOTIFICATIONS: usize = 500;
const MAX_OCTETS: usize = 4 * 1024 * 1024;

/// Notifications that are read at a time.
const CHUNK: usize = 50;

/// `GET calls?state=live|ended&limit&after`: calls at a glance, the latest first.
pub(super) async fn list(
    State(state): State<AppState>,
    _: Administrator,
    uri: Uri,
) -> Result<Response, ApiError> {
    let page = Page::of(uri.query())?;
    let after = page.after.as_deref().map(|id| CallId::parse(id).ok_or_else(Page::unknown)).transpose()?;
    let calls = match option(uri.query(), "state").as_deref() {
        None | Some("live") => live(&state, after, page.limit)?,
        Some("ended") => ended(&state, after, page.limit).await?,
        Some(_) => {
            return Err(GraphError::invalid_argument("The option 'state' takes 'live' or 'ended'.").into());
        }
    };
    let mut body = json!({"value": calls.iter().map(|(_, shown)| shown).collect::<Vec<_>>()});
    if let Some((last, _)) = calls.last().filter(|_| calls.len() == page.limit) {
        body["nextAfter"] = json!(last.to_string());
    }
    Ok(answer(&body))
}

fn live(state: &Shared, after: Option<CallId>, limit: usize) -> Result<Vec<(CallId, Value)>, ApiError> {
    let directory = state.api.directory.load();
    let live = console(state)?.recorder.live(after, limit).ok_or_else(Page::unknown)?;
    let shown = live
        .into_iter()
        .map(|live| (live.call.id, summary(&directory, &live.call, live.answered_at, live.ended_at)));
    Ok(shown.collect())
}

async fn ended(
    state: &Shared,
    after: Option<CallId>,
    limit: usize,
) -> Result<Vec<(CallId, Value)>, ApiError> {
    let ended = state.api.store.ended_calls(after, limit).await.map_err(Page::refused)?;
    let (directory, recorder) = (state.api.directory.load(), &console(state)?.recorder);
    let shown = ended.into_iter().map(|ended| {
        let known = recorder.find(ended.call.id).and_then(|trace| trace.summary());
        let answered_at = known.and_then(|known| known.answered_at);
        (ended.call.id, summary(&directory, &ended.call, answered_at, Some(ended.ended_at)))
    });
    Ok(shown.collect())
}

/// `GET calls/{id}`: all that is known of a call.
pub(super) async fn read(
    State(state): State<AppState>,
    _: Administrator,
    Context(context): Context,
    CallInPath(id): CallInPath,
) -> Result<Response, ApiError> {
    Ok(answer(&whole(&state, &context.base(), id).await?))
}

/// `GET calls/{id}/timeline.json`: the same as a file.
pub(super) async fn download(
    State(state): State<AppState>,
    _: Administrator,
    Context(context): Context,
    CallInPath(id): CallInPath,
) -> Result<Response, ApiError> {
    let response = answer(&whole(&state, &context.base(), id).await?);
    let disposition = format!("attachment; filename=\"call-{id}.json\"");
    Ok(reply::with_header(response, CONTENT_DISPOSITION, &disposition))
}

async fn whole(state: &Shared, base: &str, id: CallId) -> Result<Value, ApiError> {
    let console = console(state)?;
    let trace = console.recorder.find(id);
    let remembered = trace.as_ref().map(trace::Trace::show).unwrap_or_default();
    let call = match &remembered.summary {
        Some(summary) => Call::clone(&summary.call),
        None => state.api.store.call(id).await?.ok_or_else(GraphError::call_not_found)?,
    };
    let owner = Owner { app: call.app.clone(), tenant: call.tenant.clone() };
    let is_over = call.state == CallState::Terminated;
    let operations = state.api.store.operations(id).await?;
    let Notifications { deliveries, shown: notifications, has_more } = notifications(state, id).await?;
    // A call may end in this moment: then nobody is in it.
    let participants =
        if is_over { Vec::new() } else { state.api.calls.participants(&owner, id).await.unwrap_or_default() };
    let contained = Contained { participants, ..Contained::default() };
    let options = ReadOptions::from_query("$expand=participants")?;
    let shown_operations = graph_wire::operation_list(base, id, &operations, &ReadOptions::default());
    let is_remembered = remembered.summary.is_some();
    let entries = if is_remembered {
        remembered.entries.iter().map(shown::entry).collect()
    } else {
        timeline::of_notifications(&deliveries)
    };
    let (answered_at, ended_at) = moments(&remembered, is_over, deliveries.last());
    let sound = if is_over { None } else { media::sample(state, id, &mut Before::default()).await };
    Ok(json!({
        "summary": summary(&state.api.directory.load(), &call, answered_at, ended_at),
        "call": without_secrets(graph_wire::read_call(base, &call, &contained, &options)),
        "operations": without_secrets(shown_operations["value"].clone()),
        "notifications": notifications,
        "moreNotifications": has_more,
        "timeline": entries,
        "timelineDropped": remembered.entries_dropped,
        "isRemembered": is_remembered,
        "sip": remembered.messages.iter().map(|message| shown::message(message)).collect::<Vec<_>>(),
        "sipDropped": remembered.messages_dropped,
        "media": sound,
    }))
}

/// The first notifications of a call.
#[derive(Default)]
struct Notifications {
    deliveries: Vec<Delivery>,
    shown: Vec<Value>,
    has_more: bool,
}

async fn notifications(state: &Shared, id: CallId) -> Result<Notifications, ApiError> {
    let (mut found, mut octets) = (Notifications::default(), 0);
    loop {
        let after = found.deliveries.last().map_or(0, |last| last.notification.sequence);
        let chunk = state.api.store.notifications_of(id, after, CHUNK).await?;
        let is_last = chunk.len() < CHUNK;
        for delivery in chunk {
            if found.shown.len() >= MAX_NOTIFICATIONS || octets > MAX_OCTETS {
                found.has_more = true;
                return Ok(found);
            }
            let shown = shown::notification(&delivery);
            octets += shown.to_string().len();
            found.shown.push(shown);
            found.deliveries.push(delivery);
        }
        if is_last {
            return Ok(found);
        }
    }
}

/// When a call was answered and when it ended; one that is not remembered ended as it was told last.
fn moments(
    remembered: &Shown,
    is_over: bool,
    last: Option<&Delivery>,
) -> (Option<Timestamp>, Option<Timestamp>) {
    match &remembered.summary {
        Some(summary) => (summary.answered_at, summary.ended_at),
        None => (None, last.filter(|_| is_over).map(|last| last.notification.created_at)),
    }
}
