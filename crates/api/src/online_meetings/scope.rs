use axum::extract::FromRequestParts;
use graph_wire::{GraphError, MeetingCollection};
use http::request::Parts;
use model::{IndexedDirectory, MeetingId, OnlineMeeting, User, UserId};
use store::MeetingKey;

use crate::caller::Caller;
use crate::error::ApiError;
use crate::extract::path_parameter;
use crate::state::{AppState, Shared};

/// Where meetings are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `/communications/onlineMeetings`: those of everyone that the application may act for.
    All,
    /// `/users/{id}/onlineMeetings`: those that this person called or is invited to.
    OfUser(UserId),
}

impl FromRequestParts<AppState> for Scope {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        if !parts.uri.path().starts_with("/v1.0/users/") {
            return Ok(Self::All);
        }
        let id = path_parameter(parts, state, "user").await?;
        Ok(Self::OfUser(spelled_as_known(&state.api.directory.load(), &id)))
    }
}

/// The id as the directory spells it, where it has it.
fn spelled_as_known(directory: &IndexedDirectory, id: &str) -> UserId {
    let id = UserId::from(id);
    directory.user_by_id(&id).map_or(id.clone(), |user| user.id.clone())
}

impl Scope {
    /// Looks whether the tenant lets the application act here at all.
    ///
    /// # Errors
    ///
    /// 403 where no policy does: none for the person, or for anybody.
    pub(crate) fn require_policy(&self, state: &Shared, caller: &Caller) -> Result<(), ApiError> {
        let directory = state.api.directory.load();
        let tenant = directory.tenants.get(&caller.principal.tenant);
        let is_let = tenant.is_some_and(|tenant| match self {
            Self::All => tenant.access_policies.contains_key(caller.app()),
            Self::OfUser(user) => tenant.lets_act_for(caller.app(), user),
        });
        if is_let { Ok(()) } else { Err(self.no_policy(caller)) }
    }

    fn no_policy(&self, caller: &Caller) -> ApiError {
        let user = match self {
            Self::All => None,
            Self::OfUser(user) => Some(user.as_str()),
        };
        GraphError::no_access_policy(caller.app().as_str(), user).into()
    }

    /// Whether a meeting of the tenant can be seen from here.
    pub(crate) fn shows(&self, state: &Shared, caller: &Caller, meeting: &OnlineMeeting) -> bool {
        match self {
            Self::All => {
                let directory = state.api.directory.load();
                let tenant = directory.tenants.get(&caller.principal.tenant);
                tenant.is_some_and(|tenant| tenant.lets_act_for(caller.app(), &meeting.organizer))
            }
            Self::OfUser(user) => is_organizer(meeting, user) || is_invited(meeting, user),
        }
    }

    /// The meeting of this id.
    ///
    /// # Errors
    ///
    /// 403 without a policy, 404 where there is none that can be seen from here.
    pub(crate) async fn meeting(
        &self,
        state: &Shared,
        caller: &Caller,
        id: &MeetingId,
    ) -> Result<OnlineMeeting, ApiError> {
        self.require_policy(state, caller)?;
        let (tenant, key) = (caller.principal.tenant.clone(), MeetingKey::Id(id.clone()));
        let meeting = state.api.store.meeting(tenant, key).await?;
        meeting.filter(|meeting| self.shows(state, caller, meeting)).ok_or_else(no_such_meeting)
    }

    /// The same, to change it.
    ///
    /// # Errors
    ///
    /// 403 besides, where the person is only invited.
    pub(crate) async fn meeting_to_change(
        &self,
        state: &Shared,
        caller: &Caller,
        id: &MeetingId,
    ) -> Result<OnlineMeeting, ApiError> {
        let meeting = self.meeting(state, caller, id).await?;
        match self {
            Self::OfUser(user) if !is_organizer(&meeting, user) => {
                Err(GraphError::forbidden("Only the organizer's meetings can be changed here.").into())
            }
            Self::All | Self::OfUser(_) => Ok(meeting),
        }
    }

    /// Who calls a new meeting; `named` is the organizer that the request has.
    ///
    /// # Errors
    ///
    /// 400 where nobody or somebody else is named, 403 without a policy, 404 where the tenant has no such person.
    pub(crate) fn organizer(
        &self,
        state: &Shared,
        caller: &Caller,
        named: Option<&UserId>,
    ) -> Result<User, ApiError> {
        let refuse = |path: &str, expected: &str| {
            let (path, expected) = (path.to_owned(), expected.to_owned());
            ApiError::from(graph_wire::InvalidRequest::Member { path, expected })
        };
        let directory = state.api.directory.load();
        let organizer = match (self, named) {
            (Self::OfUser(user), Some(named)) if !is_same(user, named) => {
                return Err(refuse("participants.organizer", "the user of the path, or nobody"));
            }
            (Self::OfUser(user), _) => user.clone(),
            (Self::All, Some(named)) => spelled_as_known(&directory, named.as_str()),
            (Self::All, None) => {
                let path = "participants.organizer.identity.user.id";
                return Err(refuse(path, "a value, as the path names no user"));
            }
        };
        Self::OfUser(organizer.clone()).require_policy(state, caller)?;
        let user = directory.users.get(&organizer).filter(|user| user.tenant == caller.principal.tenant);
        user.cloned().ok_or_else(|| GraphError::item_not_found("The tenant has no such user.").into())
    }

    /// How answers name the collection.
    pub(crate) fn collection(&self) -> MeetingCollection {
        match self {
            Self::All => MeetingCollection::All,
            Self::OfUser(user) => MeetingCollection::OfUser(user.clone()),
        }
    }
}

pub(super) fn no_such_meeting() -> ApiError {
    GraphError::item_not_found("There is no such meeting.").into()
}

fn is_same(one: &UserId, other: &UserId) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

fn is_organizer(meeting: &OnlineMeeting, user: &UserId) -> bool {
    is_same(&meeting.organizer, user)
}

fn is_invited(meeting: &OnlineMeeting, user: &UserId) -> bool {
    let id = |attendee: &model::MeetingAttendee| attendee.identity.user.as_ref()?.id.clone();
    meeting.attendees.iter().filter_map(id).any(|id| id.eq_ignore_ascii_case(user.as_str()))
}

/// The meeting in the path.
pub(crate) struct MeetingInPath(pub(crate) MeetingId);

impl FromRequestParts<AppState> for MeetingInPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        path_parameter(parts, state, "meeting").await.map(|id| Self(MeetingId::new(id)))
    }
}
