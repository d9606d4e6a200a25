use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where new ids come from; the shells hand in randomness, tests a counter.
pub trait IdSource {
    /// Returns a GUID that this source has not returned before.
    fn next_guid(&mut self) -> Uuid;
}

macro_rules! guid {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes the next id of `source`.
            pub fn next(source: &mut dyn IdSource) -> Self {
                Self(source.next_guid())
            }

            /// Reads an id as clients write it: any case, with or without dashes.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }

            /// The id as a GUID.
            pub const fn guid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(guid: Uuid) -> Self {
                Self(guid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    };
}

guid!(
    /// Names a call in the API.
    CallId
);
guid!(
    /// Names an operation of a call, such as a prompt being played.
    OperationId
);
guid!(
    /// Names a participant in a call's roster.
    ParticipantId
);
guid!(
    /// Correlates all legs of one conversation (`callChainId`).
    ChainId
);
guid!(
    /// Names one notification; the same on every attempt to deliver it.
    NotificationId
);
guid!(
    /// Names a conversation of several, a group call or what goes on in a meeting, within this process.
    ConferenceId
);
guid!(
    /// Names a screen that is shared in a conversation, whoever shares it (`contentSharingSession`).
    ContentSharingSessionId
);
guid!(
    /// Names a recording that can be fetched.
    RecordingId
);

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an id as it is written.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The id as it is written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

opaque!(
    /// Names a tenant. Opaque: one documented tenant id is not a GUID.
    TenantId
);
opaque!(
    /// Names an application, a token's `appid`.
    AppId
);
opaque!(
    /// Names a meeting in the API.
    MeetingId
);
opaque!(
    /// Names a trunk, a way to the phone network.
    TrunkId
);
opaque!(
    /// Names a person of a tenant.
    UserId
);
opaque!(
    /// Correlates all HTTP traffic of one call; a client may choose it (`Scenario-Id`).
    ScenarioId
);

/// Whose a call is: an application's, in one tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The application.
    pub app: AppId,
    /// The tenant that it acts in.
    pub tenant: TenantId,
}

/// Names one connection from a call to a far end, within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LegId(pub u64);

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::CallId;

    #[test]
    fn an_id_is_the_same_in_any_case_and_without_dashes() {
        let dashed = CallId::parse("57dab8b1-894c-409a-b240-bd8beae78896");
        assert!(dashed.is_some());
        assert_eq!(dashed, CallId::parse("57DAB8B1894C409AB240BD8BEAE78896"));
        assert_eq!(CallId::parse("57dab8b1"), None);
    }
}
