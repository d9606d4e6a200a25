//! The node behind the endpoints.

use std::time::Duration;

use call_engine::{Command, Reply};
use model::{
    AppId, AudioRoutingGroup, Call, CallId, NewCall, OnlineMeeting, Operation, Owner, ParticipantId,
    RosterParticipant, Timestamp,
};
use node::{Calls, CallsError, WhipAnswer};

use crate::{Attach, CallControl, CallFault, CallFuture, Clock};

impl CallControl for Calls {
    fn create(&self, new: NewCall) -> CallFuture<'_, Call> {
        Box::pin(async { Ok(Self::create(self, new).await?) })
    }

    fn call<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Call> {
        Box::pin(async move { Ok(Self::call(self, owner, id).await?) })
    }

    fn operations<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<Operation>> {
        Box::pin(async move { Ok(Self::operations(self, owner, id).await?) })
    }

    fn participants<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<RosterParticipant>> {
        Box::pin(async move { Ok(Self::participants(self, owner, id).await?) })
    }

    fn routing_groups<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<AudioRoutingGroup>> {
        Box::pin(async move { Ok(Self::routing_groups(self, owner, id).await?) })
    }

    fn dominant<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Option<(ParticipantId, u32)>> {
        Box::pin(async move { Ok(Self::dominant(self, owner, id).await?) })
    }

    fn command<'a>(&'a self, owner: &'a Owner, id: CallId, command: Command) -> CallFuture<'a, Reply> {
        Box::pin(async move { Ok(Self::command(self, owner, id, command).await?) })
    }

    fn redeem(&self, call: CallId, ticket: &str) -> Option<Attach> {
        let pass = Self::redeem(self, call, ticket)?;
        let calls = self.clone();
        Some(Box::new(move |format, socket| {
            Box::pin(async move { Ok(calls.attach(pass, format, socket).await?) })
        }))
    }

    fn whip<'a>(&'a self, call: CallId, ticket: &'a str, sdp: String) -> CallFuture<'a, WhipAnswer> {
        Box::pin(async move { Ok(Self::whip(self, call, ticket, sdp).await?) })
    }

    fn end_whip<'a>(&'a self, call: CallId, session: &'a str) -> CallFuture<'a, ()> {
        Box::pin(async move { Ok(Self::end_whip(self, call, session).await?) })
    }

    fn reoffer<'a>(&'a self, owner: &'a Owner, call: CallId, sdp: String) -> CallFuture<'a, String> {
        Box::pin(async move { Ok(Self::reoffer(self, owner, call, sdp).await?) })
    }

    fn invitation<'a>(&'a self, owner: &'a Owner, call: CallId) -> CallFuture<'a, String> {
        Box::pin(async move { Ok(Self::invitation(self, owner, call).await?) })
    }

    fn meeting_changed(&self, meeting: OnlineMeeting) {
        Self::meeting_changed(self, meeting);
    }

    fn live_of(&self, app: &AppId) -> usize {
        Self::live_of(self, app)
    }
}

impl From<CallsError> for CallFault {
    fn from(error: CallsError) -> Self {
        match error {
            CallsError::BadBlob(what) => Self::BadBlob(what),
            CallsError::Busy | CallsError::TooManyCalls => Self::Busy,
            CallsError::Denied(denied) => Self::Denied(denied),
            CallsError::Draining => Self::Draining,
            CallsError::MediaUnavailable => Self::MediaUnavailable,
            CallsError::NotFound => Self::NotFound,
            CallsError::OtherTenant => Self::OtherTenant,
            CallsError::Rejected(rejection) => Self::Rejected(rejection),
            CallsError::Unavailable(source) => Self::Unavailable(Box::new(source)),
            CallsError::UnusableOffer(why) => Self::UnusableOffer(why),
        }
    }
}

impl Clock for node::Clock {
    fn now(&self) -> Timestamp {
        Self::now(self)
    }

    fn elapsed(&self) -> Duration {
        Self::elapsed(self)
    }
}
