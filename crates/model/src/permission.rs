use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// An application permission of the calls and meetings API, or another name that a token carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Permission(String);

impl Permission {
    /// Call one person or number.
    pub const INITIATE: &'static str = "Calls.Initiate.All";
    /// Call several people.
    pub const INITIATE_GROUP_CALL: &'static str = "Calls.InitiateGroupCall.All";
    /// Join meetings as an application of the directory.
    pub const JOIN_GROUP_CALL: &'static str = "Calls.JoinGroupCall.All";
    /// Join meetings as a guest.
    pub const JOIN_GROUP_CALL_AS_GUEST: &'static str = "Calls.JoinGroupCallAsGuest.All";
    /// Touch the media itself.
    pub const ACCESS_MEDIA: &'static str = "Calls.AccessMedia.All";

    /// Join the calls of one chat, to which it is granted (resource-specific consent).
    pub const JOIN_CALLS_OF_CHAT: &'static str = "Calls.JoinGroupCalls.Chat";
    /// Touch the media of one chat's calls, to which it is granted (resource-specific consent).
    pub const ACCESS_MEDIA_OF_CHAT: &'static str = "Calls.AccessMedia.Chat";

    /// Read meetings.
    pub const READ_MEETINGS: &'static str = "OnlineMeetings.Read.All";
    /// Make and change meetings.
    pub const WRITE_MEETINGS: &'static str = "OnlineMeetings.ReadWrite.All";

    /// Every permission of calls and meetings.
    pub const KNOWN: [&'static str; 7] = [
        Self::ACCESS_MEDIA,
        Self::INITIATE,
        Self::INITIATE_GROUP_CALL,
        Self::JOIN_GROUP_CALL,
        Self::JOIN_GROUP_CALL_AS_GUEST,
        Self::READ_MEETINGS,
        Self::WRITE_MEETINGS,
    ];

    /// Permissions that are granted for one chat or meeting, and never in a token.
    pub const OF_CHAT: [&'static str; 2] = [Self::ACCESS_MEDIA_OF_CHAT, Self::JOIN_CALLS_OF_CHAT];

    /// Whether it is one of [`Permission::KNOWN`].
    pub fn is_known(&self) -> bool {
        Self::KNOWN.contains(&self.as_str())
    }

    /// The permission's name as tokens carry it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Permission {
    /// Takes a name; the plural spellings of some documentation pages become the names of the permission data.
    fn from(name: String) -> Self {
        let aliases = [
            ("Calls.InitiateGroupCalls.All", Self::INITIATE_GROUP_CALL),
            ("Calls.JoinGroupCalls.All", Self::JOIN_GROUP_CALL),
            ("Calls.JoinGroupCallsAsGuest.All", Self::JOIN_GROUP_CALL_AS_GUEST),
            ("Calls.JoinGroupCallasGuest.All", Self::JOIN_GROUP_CALL_AS_GUEST),
        ];
        match aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&name)) {
            Some((_, canonical)) => Self((*canonical).to_owned()),
            None => Self(name),
        }
    }
}

impl From<&str> for Permission {
    fn from(name: &str) -> Self {
        Self::from(name.to_owned())
    }
}

impl From<Permission> for String {
    fn from(permission: Permission) -> Self {
        permission.0
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The permissions of an application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PermissionSet(BTreeSet<Permission>);

impl PermissionSet {
    /// Whether the set holds the permission of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&Permission::from(name))
    }

    /// The permissions in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &Permission> {
        self.0.iter()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().collect())
    }
}
