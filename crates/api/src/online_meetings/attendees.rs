use graph_wire::InvalidRequest;
use model::{IndexedDirectory, MeetingAttendee, MeetingRole, TenantId, User, UserId};

/// Fills in what the directory knows of who is invited, so that each is recognised later.
///
/// # Errors
///
/// [`InvalidRequest`] where somebody who is in no directory is to present (documentation of `meetingParticipantInfo`).
/// An id that the tenant does not know may be one of another directory.
pub(super) fn settled(
    directory: &IndexedDirectory,
    tenant: &TenantId,
    attendees: Vec<MeetingAttendee>,
) -> Result<Vec<MeetingAttendee>, InvalidRequest> {
    let settle = |(index, attendee): (usize, MeetingAttendee)| {
        let role = attendee.role;
        match known(directory, tenant, &attendee) {
            Some(user) => Ok(filled_in(attendee, user)),
            None if role == MeetingRole::Attendee || has_id(&attendee) => Ok(attendee),
            None => Err(InvalidRequest::Member {
                path: format!("participants.attendees[{index}].role"),
                expected: "attendee, as nobody knows the person".to_owned(),
            }),
        }
    };
    attendees.into_iter().enumerate().map(settle).collect()
}

fn has_id(attendee: &MeetingAttendee) -> bool {
    attendee.identity.user.as_ref().is_some_and(|user| user.id.is_some())
}

fn known<'a>(
    directory: &'a IndexedDirectory,
    tenant: &TenantId,
    attendee: &MeetingAttendee,
) -> Option<&'a User> {
    let id = attendee.identity.user.as_ref().and_then(|user| user.id.as_deref());
    let found = match (id, attendee.upn.as_deref()) {
        (Some(id), _) => directory.user_by_id(&UserId::from(id)),
        (None, Some(upn)) => directory.user_by_sip_name(upn).filter(|_| upn.contains('@')),
        (None, None) => None,
    };
    found.filter(|user| user.tenant == *tenant)
}

fn filled_in(mut attendee: MeetingAttendee, user: &User) -> MeetingAttendee {
    let identity = attendee.identity.user.get_or_insert_default();
    identity.id = Some(user.id.to_string());
    identity.display_name.get_or_insert_with(|| user.name.clone());
    attendee.upn.get_or_insert_with(|| user.address.clone());
    attendee
}
