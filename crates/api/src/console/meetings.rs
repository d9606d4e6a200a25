use std::collections::BTreeSet;

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use model::{IndexedDirectory, MeetingId, OnlineMeeting, TenantId};
use serde_json::{Value, json};
use store::MeetingKey;

use super::administrator::{Administrator, answer};
use super::console;
use super::page::Page;
use super::summary::tenant;
use crate::error::ApiError;
use crate::extract::Context;
use crate::state::{AppState, Shared};

/// What separates tenant and id in what a list goes on from: no tenant's id has it.
const SEPARATOR: char = '\n';

/// Meetings that somebody is in that are shown before all others.
const MAX_LIVE: usize = 100;

/// `GET meetings?limit&after`: those that somebody is in, then all others, the latest first.
pub(super) async fn list(
    State(state): State<AppState>,
    _: Administrator,
    Context(context): Context,
    uri: Uri,
) -> Result<Response, ApiError> {
    let join_base = state.api.settings.join_base.clone().unwrap_or_else(|| context.origin.clone());
    let page = Page::of(uri.query())?;
    let after = page.after.as_deref().map(|after| key(after).ok_or_else(Page::unknown)).transpose()?;
    let live: BTreeSet<(TenantId, String)> = console(&state)?.node.meetings().into_iter().collect();
    let is_first = after.is_none();
    let meetings = state.api.store.meetings(after, page.limit).await.map_err(Page::refused)?;
    let next = meetings.last().filter(|_| meetings.len() == page.limit);
    let next = next.map(|last| format!("{}{SEPARATOR}{}", last.tenant, last.id));
    let is_live =
        |meeting: &OnlineMeeting| live.contains(&(meeting.tenant.clone(), meeting.thread_id.clone()));
    let mut shown = Vec::new();
    if is_first {
        for (tenant, thread) in live.iter().take(MAX_LIVE) {
            let key = MeetingKey::Thread(thread.clone());
            if let Some(meeting) = state.api.store.meeting(tenant.clone(), key).await? {
                shown.push(with_people(&state, &meeting, &join_base).await?);
            }
        }
    }
    let directory = state.api.directory.load();
    let others = meetings.iter().filter(|one| !is_live(one));
    shown.extend(others.map(|one| meeting(&directory, one, None, &join_base)));
    let mut body = json!({ "value": shown });
    if let Some(next) = next {
        body["nextAfter"] = json!(next);
    }
    Ok(answer(&body))
}

fn key(after: &str) -> Option<(TenantId, MeetingId)> {
    let (tenant, id) = after.split_once(SEPARATOR)?;
    Some((TenantId::from(tenant), MeetingId::from(id)))
}

async fn with_people(state: &Shared, one: &OnlineMeeting, join_base: &str) -> Result<Value, ApiError> {
    let people = console(state)?.node.in_meeting(&one.tenant, &one.thread_id).await;
    Ok(meeting(&state.api.directory.load(), one, Some(people.unwrap_or(0)), join_base))
}

fn meeting(
    directory: &IndexedDirectory,
    one: &OnlineMeeting,
    people: Option<usize>,
    join_base: &str,
) -> Value {
    json!({
        "id": one.id.as_str(),
        "tenant": tenant(directory, &one.tenant),
        "subject": one.subject,
        "organizer": {"id": one.organizer.as_str(), "name": one.organizer_name},
        "startsAt": one.starts_at.to_string(),
        "endsAt": one.ends_at.to_string(),
        "joinMeetingId": one.join_meeting_id,
        "joinWebUrl": graph_wire::join_web_url(join_base, one),
        "hasPasscode": one.passcode.is_some(),
        "threadId": one.thread_id,
        "isLive": people.is_some(),
        "participants": people.unwrap_or(0),
    })
}
