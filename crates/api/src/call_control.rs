use std::future::Future;
use std::pin::Pin;

use app_media::{Format, Socket};
use call_engine::{Command, Rejection, Reply};
use model::{
    AppId, AudioRoutingGroup, Call, CallId, NewCall, OnlineMeeting, Operation, Owner, ParticipantId,
    RosterParticipant,
};
use node::WhipAnswer;

/// What the endpoints ask of calls: the seam between HTTP and whatever runs calls.
///
/// A call that belongs to another application does not exist for the asking one; one of its own that it made in another
/// tenant is refused.
pub trait CallControl: Send + Sync {
    /// Creates a call; resolves once it is durable.
    fn create(&self, new: NewCall) -> CallFuture<'_, Call>;

    /// Shows a live call.
    fn call<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Call>;

    /// Shows the operations of a live call, oldest first.
    fn operations<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<Operation>>;

    /// Shows who is in a live call, as its application may see them. A call between two has no roster.
    fn participants<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<RosterParticipant>>;

    /// Shows the private routes of sound of the conference that a live call is in.
    fn routing_groups<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Vec<AudioRoutingGroup>>;

    /// Who speaks most in the conference that a live call is in, and the number of its sound.
    fn dominant<'a>(&'a self, owner: &'a Owner, id: CallId) -> CallFuture<'a, Option<(ParticipantId, u32)>>;

    /// Hands a command to a live call.
    fn command<'a>(&'a self, owner: &'a Owner, id: CallId, command: Command) -> CallFuture<'a, Reply>;

    /// Uses up a one-time ticket with which an application dials in; `None` where it is not good. Whoever has it is let in
    /// by what is returned.
    fn redeem(&self, call: CallId, ticket: &str) -> Option<Attach>;

    /// Answers an offer of WebRTC that came with a one-time ticket, which is used up only if it is answered.
    /// [`CallFault::NotFound`] stands for a ticket that is not good, too.
    fn whip<'a>(&'a self, call: CallId, ticket: &'a str, sdp: String) -> CallFuture<'a, WhipAnswer>;

    /// Ends a session of WebRTC by its secret.
    fn end_whip<'a>(&'a self, call: CallId, session: &'a str) -> CallFuture<'a, ()>;

    /// Answers a later offer of the call's application.
    fn reoffer<'a>(&'a self, owner: &'a Owner, call: CallId, sdp: String) -> CallFuture<'a, String>;

    /// Tells the call's application where it can dial in, as the blob of a created call does.
    fn invitation<'a>(&'a self, owner: &'a Owner, call: CallId) -> CallFuture<'a, String>;

    /// Tells whoever is in a meeting that it has changed; nothing happens where nobody is. Of two changes that come in the
    /// wrong order, `meeting.revision` tells which is the later.
    fn meeting_changed(&self, meeting: OnlineMeeting);

    /// How many calls an application has alive.
    fn live_of(&self, app: &AppId) -> usize;
}

/// Gives a call the socket of its application.
pub type Attach = Box<dyn FnOnce(Format, Socket) -> CallFuture<'static, ()> + Send>;

/// An answer under way.
pub type CallFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, CallFault>> + Send + 'a>>;

/// Why a request about a call was not met.
#[derive(Debug, thiserror::Error)]
pub enum CallFault {
    /// What the application says of its media cannot be read, and why.
    #[error("the blob is not right: {0}")]
    BadBlob(String),
    /// It has more requests waiting than it takes, or the server has as many calls as it takes.
    #[error("too much is under way")]
    Busy,
    /// The phone network may not be called like this.
    #[error("the phone network may not be called: {0}")]
    Denied(node::Denied),
    /// The server is shutting down.
    #[error("the server is shutting down")]
    Draining,
    /// Its media cannot be opened for now.
    #[error("no media could be opened")]
    MediaUnavailable,
    /// The call is over, unknown, or another application's.
    #[error("the call does not exist")]
    NotFound,
    /// The call is the same application's, but in another tenant.
    #[error("the call belongs to another tenant")]
    OtherTenant,
    /// The call refuses.
    #[error("the call refused the request")]
    Rejected(#[from] Rejection),
    /// What was asked could not be made durable.
    #[error("the request could not be stored")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The offer of media is well-formed, and nothing can be done with it; the text says why.
    #[error("the offer cannot be used: {0}")]
    UnusableOffer(String),
}
