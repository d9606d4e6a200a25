use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use graph_wire::MeetingIds;
use model::{MeetingId, TenantId, User, UserId};

/// The id of a meeting: opaque to clients, and made of what tells meetings apart, so that whoever names a thread in a
/// directory file need not name an id too.
pub fn meeting_id(organizer: &UserId, thread_id: &str) -> MeetingId {
    MeetingId::new(URL_SAFE_NO_PAD.encode(format!("1*{organizer}*0**{thread_id}")))
}

/// New digits that join a meeting. Ten, as documented ones have; whoever guesses is slowed down.
///
/// # Panics
///
/// Panics where the operating system has no randomness to give.
pub fn join_meeting_id() -> String {
    // People drop zeros at the beginning.
    let first = identity::random_text("123456789", 1);
    format!("{first}{}", identity::random_text("0123456789", 9))
}

/// Characters of passcodes: none that are taken for another.
const PASSCODE_ALPHABET: &str = "abcdefghjkmnpqrstuvwxyz23456789";

/// 31 to the power of 8 passcodes, for whoever guesses a few in a minute.
const PASSCODE_LENGTH: usize = 8;

/// Everything that is made up for a new meeting.
pub(super) fn new_ids(tenant: &TenantId, organizer: &User) -> MeetingIds {
    let unguessable = STANDARD.encode(identity::random_guid().as_hyphenated().to_string());
    let thread_id = format!("19:meeting_{unguessable}@thread.v2");
    MeetingIds {
        id: meeting_id(&organizer.id, &thread_id),
        tenant: tenant.clone(),
        organizer: organizer.id.clone(),
        organizer_name: Some(organizer.name.clone()),
        thread_id,
        join_meeting_id: join_meeting_id(),
        passcode: identity::random_text(PASSCODE_ALPHABET, PASSCODE_LENGTH),
        // Longer than the digits that join: whoever has them is shown the meeting without any policy.
        video_teleconference_id: Some(identity::random_text("123456789", 12)),
    }
}

#[cfg(test)]
mod tests {
    use model::{TenantId, User, UserId};

    use super::{join_meeting_id, meeting_id, new_ids};

    fn bob() -> User {
        User {
            id: UserId::from("bob"),
            tenant: TenantId::from("tenant"),
            name: "Bob".to_owned(),
            address: "bob@contoso.example".to_owned(),
            ha1: None,
            script: None,
            is_administrator: false,
        }
    }

    #[test]
    fn new_ids_look_as_documented_and_are_never_the_same() {
        let (one, other) = (new_ids(&TenantId::from("t"), &bob()), new_ids(&TenantId::from("t"), &bob()));
        assert!(one.thread_id.starts_with("19:meeting_") && one.thread_id.ends_with("@thread.v2"));
        assert!(one.id.as_str().starts_with("MSpib2IqMCoqMTk6bWVldGluZ1"), "{}", one.id);
        assert_eq!(one.id, meeting_id(&UserId::from("bob"), &one.thread_id));
        assert_eq!(one.passcode.len(), 8);
        for (one, other) in [
            (one.thread_id, other.thread_id),
            (one.join_meeting_id, other.join_meeting_id),
            (one.passcode, other.passcode),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_digits_that_join_are_ten_and_do_not_begin_with_zero() {
        for _ in 0..100 {
            let id = join_meeting_id();
            assert!(id.len() == 10 && id.bytes().all(|digit| digit.is_ascii_digit()), "{id}");
            assert!(!id.starts_with('0'), "{id}");
        }
    }
}
