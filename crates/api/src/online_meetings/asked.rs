use std::sync::Arc;

use axum::extract::FromRequestParts;
use graph_wire::{Language, MeetingView, ReadOptions};
use http::header::ACCEPT_LANGUAGE;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use model::OnlineMeeting;
use serde_json::Value;

use super::Scope;
use crate::caller::{Caller, MeetingCaller};
use crate::context::RequestContext;
use crate::error::ApiError;
use crate::extract::{Context, Options};
use crate::state::{AppState, Shared};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What every request about meetings has: who asks, where, and how the answer is to look.
pub(crate) struct Asked {
    pub(super) context: Arc<RequestContext>,
    pub(super) caller: Caller,
    pub(super) scope: Scope,
    options: ReadOptions,
    language: Language,
    shows_unknown_members: bool,
}

impl FromRequestParts<AppState> for Asked {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        let MeetingCaller(caller) = MeetingCaller::from_request_parts(parts, state).await?;
        let Context(context) = Context::from_request_parts(parts, state).await?;
        let Options(options) = Options::from_request_parts(parts, state).await?;
        Ok(Self {
            context,
            caller,
            scope: Scope::from_request_parts(parts, state).await?,
            options,
            language: Language::accepted(&joined(&parts.headers, &ACCEPT_LANGUAGE)),
            shows_unknown_members: joined(&parts.headers, &PREFER).contains("include-unknown-enum-members"),
        })
    }
}

/// The values of a header, as if they were one (RFC 9110, 5.3).
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.collect::<Vec<_>>().join(",")
}

impl Asked {
    /// The body that shows a meeting.
    pub(super) fn one(&self, state: &Shared, meeting: &OnlineMeeting) -> Value {
        graph_wire::read_meeting(&self.view(state, Some(meeting)), meeting, &self.options)
    }

    /// The body that lists what was found.
    pub(super) fn list(&self, state: &Shared, found: Option<&OnlineMeeting>) -> Value {
        graph_wire::meeting_list(&self.view(state, found), found, &self.options)
    }

    fn view(&self, state: &Shared, meeting: Option<&OnlineMeeting>) -> MeetingView {
        let settings = &state.api.settings;
        let directory = state.api.directory.load();
        let organizer_upn = meeting.and_then(|meeting| {
            let user = directory.users.get(&meeting.organizer)?;
            (user.tenant == meeting.tenant).then(|| user.address.clone())
        });
        let tenant = meeting.and_then(|meeting| directory.tenants.get(&meeting.tenant));
        MeetingView {
            base: self.context.base(),
            join_base: settings.join_base.clone().unwrap_or_else(|| self.context.origin.clone()),
            collection: self.scope.collection(),
            language: self.language,
            organizer_upn,
            dial_in_numbers: tenant.into_iter().flat_map(|it| &it.dial_in_numbers).copied().collect(),
            kept: settings.keep_ended_meetings,
            shows_unknown_members: self.shows_unknown_members,
        }
    }
}
