use model::{
    AppId, Application, ApplicationInstance, Directory, MeetingId, OnlineMeeting, Tenant, TenantId, Trunk,
    TrunkId, User, UserId,
};

use crate::Reply;

/// Who is known.
pub trait DirectoryStore: Send + Sync {
    /// The whole directory with its version.
    fn directory(&self) -> Reply<'_, DirectorySnapshot>;

    /// Changes the directory, durably: all changes or none. Resolves to the new version.
    ///
    /// `based_on` is the version that the changes were made for. An empty list changes nothing, the version included.
    ///
    /// # Errors
    ///
    /// [`crate::StoreError::Conflict`] where another version is there: read again and decide again.
    /// [`crate::StoreError::Taken`] where a meeting would have an id that is another's.
    fn apply_directory(&self, based_on: u64, changes: Vec<DirectoryChange>) -> Reply<'_, u64>;

    /// The version of the directory: cheap enough to ask for every second, and grows with every change, whichever
    /// process makes it. An empty store is at 0.
    fn directory_version(&self) -> Reply<'_, u64>;
}

/// The directory as it was at one version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectorySnapshot {
    /// Its version.
    pub version: u64,
    /// What it holds.
    pub directory: Directory,
}

/// One change to the directory, or to the meetings that come with it. Putting replaces what has the same id; removing what is not there is no error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectoryChange {
    /// Adds or replaces an application.
    PutApplication(Box<Application>),
    /// Adds or replaces an application instance.
    PutInstance(Box<ApplicationInstance>),
    /// Adds or replaces a meeting, whatever it has become since.
    PutMeeting(Box<OnlineMeeting>),
    /// Adds or replaces a tenant, its grants included.
    PutTenant(Box<Tenant>),
    /// Adds or replaces a trunk.
    PutTrunk(Box<Trunk>),
    /// Adds or replaces a person.
    PutUser(Box<User>),
    /// Removes an application.
    RemoveApplication(AppId),
    /// Removes an application instance.
    RemoveInstance(String),
    /// Removes a meeting.
    RemoveMeeting(TenantId, MeetingId),
    /// Removes a tenant.
    RemoveTenant(TenantId),
    /// Removes a trunk.
    RemoveTrunk(TrunkId),
    /// Removes a person.
    RemoveUser(UserId),
}
