use serde::{Deserialize, Serialize};

use crate::{PhoneNumber, UserId};

/// Someone at the other end of a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub enum Person {
    /// Whoever is at a number of the phone network.
    Phone(PhoneNumber),
    /// Someone of the directory.
    User(UserId),
    /// Somebody in the phone network who does not say who calls. Cannot be called.
    Withheld,
}

impl Person {
    /// The user of the directory, where it is one.
    pub const fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Phone(_) | Self::Withheld => None,
        }
    }

    /// Whether the line leads into the phone network.
    pub const fn is_in_phone_network(&self) -> bool {
        match self {
            Self::Phone(_) | Self::Withheld => true,
            Self::User(_) => false,
        }
    }
}

impl From<UserId> for Person {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<&str> for Person {
    /// The user of that id.
    fn from(user: &str) -> Self {
        Self::User(user.into())
    }
}

/// How a store keeps it: a user as text, as before there were others.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    User(UserId),
    Phone { phone: Option<PhoneNumber> },
}

impl From<Kept> for Person {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::User(user) => Self::User(user),
            Kept::Phone { phone } => phone.map_or(Self::Withheld, Self::Phone),
        }
    }
}

impl From<Person> for Kept {
    fn from(person: Person) -> Self {
        match person {
            Person::User(user) => Self::User(user),
            Person::Phone(phone) => Self::Phone { phone: Some(phone) },
            Person::Withheld => Self::Phone { phone: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{CallKind, Person, PhoneNumber};

    #[test]
    fn a_person_is_read_as_it_was_kept_and_users_as_they_always_were() {
        let number = PhoneNumber::parse("+12015550123").unwrap();
        for (person, kept) in [
            (Person::User("ann".into()), r#""ann""#),
            (Person::Phone(number), r#"{"phone":"+12015550123"}"#),
            (Person::Withheld, r#"{"phone":null}"#),
        ] {
            assert_eq!(serde_json::to_string(&person).unwrap(), kept);
            assert_eq!(serde_json::from_str::<Person>(kept).unwrap(), person);
        }
        let before = r#"{"PeerToPeer":{"callee":"ann"}}"#;
        let kind = CallKind::PeerToPeer { person: Person::User("ann".into()) };
        assert_eq!(serde_json::from_str::<CallKind>(before).unwrap(), kind);
    }
}
