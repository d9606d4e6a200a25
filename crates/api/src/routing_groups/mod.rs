//! The private routes of sound within a call.

mod create;
mod delete;
mod list;
mod read;
mod update;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use list::list;
pub(crate) use read::read;
pub(crate) use update::update;

use call_engine::Rejection;
use model::{AudioRoutingGroup, CallId};
use uuid::Uuid;

use crate::CallFault;
use crate::caller::Caller;
use crate::error::ApiError;
use crate::state::Shared;

/// The group of an id that a client wrote in its own way: a GUID in any case, with or without dashes.
async fn find(
    state: &Shared,
    caller: &Caller,
    call: CallId,
    id: &str,
) -> Result<AudioRoutingGroup, ApiError> {
    let groups = state.api.calls.routing_groups(&caller.owner, call).await?;
    let guid = |text: &str| Uuid::try_parse(text).ok();
    let is_meant = |group: &&AudioRoutingGroup| guid(id).is_some() && guid(&group.id) == guid(id);
    let exact = groups.iter().find(|group| group.id == id);
    let found = exact.or_else(|| groups.iter().find(is_meant)).cloned();
    found.ok_or_else(|| CallFault::Rejected(Rejection::GroupNotFound).into())
}
