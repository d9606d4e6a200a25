use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One slot of an identity set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The id; opaque here, E.164 with the plus for a phone.
    pub id: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// The tenant, where the caller named one.
    pub tenant_id: Option<String>,
    /// What an application of the server's own is (`ApplicationType`).
    pub application_type: Option<String>,
}

impl Identity {
    /// An identity that is only an id.
    pub fn of(id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..Self::default() }
    }

    /// The same identity with a name to show.
    #[must_use]
    pub fn named(self, name: impl Into<String>) -> Self {
        Self { display_name: Some(name.into()), ..self }
    }
}

/// Who someone is, by kind (`identitySet` and its undeclared members).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentitySet {
    /// An application.
    pub application: Option<Identity>,
    /// An application instance, the account that owns a phone number.
    pub application_instance: Option<Identity>,
    /// A guest.
    pub guest: Option<Identity>,
    /// A phone number.
    pub phone: Option<Identity>,
    /// A person of a directory.
    pub user: Option<Identity>,
    /// Further kinds that a client sent (`device`, `encrypted`, …), kept to be shown again.
    pub other: BTreeMap<String, Identity>,
}

impl IdentitySet {
    /// An identity set that names an application.
    pub fn application(identity: Identity) -> Self {
        Self { application: Some(identity), ..Self::default() }
    }

    /// An identity set that names a person.
    pub fn user(identity: Identity) -> Self {
        Self { user: Some(identity), ..Self::default() }
    }
}
