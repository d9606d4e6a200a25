//! What pages are shown of a conference.

use call_engine::{PersonState, Rejection, Seen};
use meeting_wire::{EndReason, Person, PersonKind, Place, Role};
use model::{
    IdentitySet, IndexedDirectory, MediaDirection, MeetingRole, Modality, Outcome, ParticipantId,
    PhoneNumber, RosterParticipant, UserId,
};

/// Everybody, as `you` sees it. What is only there for other clients is left out, and guests, whom nobody knows, are shown no phone
/// number whole.
pub(super) fn people(
    seen: &[Seen],
    you: ParticipantId,
    is_guest: bool,
    directory: &IndexedDirectory,
) -> Vec<Person> {
    let shown = seen.iter().filter(|it| it.participant.metadata.is_none() || it.participant.id == you);
    shown.map(|it| person(it, is_guest, directory)).collect()
}

fn person(Seen { participant, hand }: &Seen, is_for_guest: bool, directory: &IndexedDirectory) -> Person {
    let (mut name, kind) = named(&participant.info.identity, directory);
    if is_for_guest && kind == PersonKind::Phone {
        name = masked(name);
    }
    Person {
        id: participant.id.to_string(),
        name,
        kind,
        role: participant.role.map(role),
        is_muted: participant.is_muted,
        is_in_lobby: participant.is_in_lobby,
        hand: *hand,
        camera: sends(participant, Modality::Video),
        screen: sends(participant, Modality::VideoBasedScreenSharing),
    }
}

/// The name to show. Where nobody has given one, such as an application that invites by the id, a user has that of the
/// directory, and others have the id, which is a phone's number.
fn named(identity: &IdentitySet, directory: &IndexedDirectory) -> (String, PersonKind) {
    let slots = [
        (&identity.user, PersonKind::User),
        (&identity.guest, PersonKind::Guest),
        (&identity.phone, PersonKind::Phone),
        (&identity.application, PersonKind::Application),
        (&identity.application_instance, PersonKind::Application),
    ];
    let found = slots.into_iter().find_map(|(slot, kind)| Some((slot.as_ref()?, kind)));
    let Some((identity, kind)) = found else { return (String::new(), PersonKind::Guest) };
    let known = || {
        let id = identity.id.clone().filter(|_| kind == PersonKind::User)?;
        Some(directory.user_by_id(&UserId::new(id))?.name.clone())
    };
    let name = identity.display_name.clone().or_else(known).or_else(|| identity.id.clone());
    (name.unwrap_or_default(), kind)
}

/// A phone's name without the middle of the number, where it is one.
fn masked(name: String) -> String {
    /// So many digits are a number that somebody could dial; fewer are part of a name.
    const DIALLED: usize = 4;
    match PhoneNumber::parse(&name) {
        Ok(number) => number.to_string(),
        Err(_) if name.chars().filter(char::is_ascii_digit).count() >= DIALLED => "\u{2026}".to_owned(),
        Err(_) => name,
    }
}

const fn role(role: MeetingRole) -> Role {
    match role {
        MeetingRole::Attendee => Role::Attendee,
        MeetingRole::Coorganizer => Role::Coorganizer,
        MeetingRole::Organizer => Role::Organizer,
        MeetingRole::Presenter | MeetingRole::Producer => Role::Presenter,
    }
}

fn sends(participant: &RosterParticipant, modality: Modality) -> bool {
    participant.media_streams.iter().any(|stream| {
        let is_sent = matches!(stream.direction, MediaDirection::SendOnly | MediaDirection::SendReceive);
        stream.media_type == modality && is_sent
    })
}

pub(super) const fn place(state: PersonState) -> Place {
    match state {
        PersonState::In => Place::In,
        PersonState::InLobby => Place::Lobby,
        PersonState::OnHold => Place::Held,
    }
}

/// Why the conference has sent somebody away who was in that place.
pub(super) fn end_reason(outcome: Outcome, from: Option<Place>) -> EndReason {
    let removed = if from == Some(Place::Lobby) { EndReason::NotAdmitted } else { EndReason::Removed };
    let known = [
        (Outcome::LobbyTimedOut, EndReason::NotAdmitted),
        (Outcome::MediaLost, EndReason::MediaLost),
        (Outcome::RemovedByParticipant, removed),
        (Outcome::TooManyParticipants, EndReason::Full),
    ];
    // Whatever else it is, the conversation is over for all.
    known.into_iter().find(|(known, _)| *known == outcome).map_or(EndReason::Over, |(_, reason)| reason)
}

/// Why the sound of somebody has ended that the conference has not sent away.
pub(super) fn end_of_call(reason: phone_wire::EndReason, has_entered: bool) -> EndReason {
    if reason == phone_wire::EndReason::MediaLost {
        EndReason::MediaLost
    } else if has_entered && reason == phone_wire::EndReason::HungUp {
        EndReason::Over
    } else {
        EndReason::Failed
    }
}

/// Why something may not be done, in words for people.
pub(super) fn denied(rejection: Rejection) -> String {
    let words = [
        (Rejection::NotEstablished, "this can be done in the meeting only"),
        (Rejection::NotPresenter, "your role in the meeting does not allow that"),
        (Rejection::ParticipantNotFound, "there is nobody like that in the meeting"),
    ];
    let found = words.into_iter().find(|(known, _)| *known == rejection);
    found.map_or_else(|| rejection.to_string(), |(_, words)| words.to_owned())
}

#[cfg(test)]
mod tests {
    use model::{Directory, IdSource, Identity, MediaStream, Participant, User};
    use uuid::Uuid;

    use super::*;

    struct Counter(u128);

    impl IdSource for Counter {
        fn next_guid(&mut self) -> Uuid {
            self.0 += 1;
            Uuid::from_u128(self.0)
        }
    }

    fn directory() -> IndexedDirectory {
        let user = User {
            id: "2".into(),
            tenant: "tenant".into(),
            name: "John Doe".to_owned(),
            address: "john@contoso.example".to_owned(),
            ha1: None,
            script: None,
            is_administrator: false,
        };
        Directory { users: [(user.id.clone(), user)].into(), ..Directory::default() }.into()
    }

    fn seen(number: u128, identity: IdentitySet) -> Seen {
        let stream = |media_type, direction| MediaStream {
            media_type,
            source_id: 10,
            direction,
            is_server_muted: false,
            label: None,
        };
        let participant = RosterParticipant {
            id: ParticipantId::next(&mut Counter(number)),
            info: Participant { identity, ..Participant::default() },
            is_muted: true,
            is_in_lobby: false,
            role: Some(MeetingRole::Producer),
            media_streams: vec![
                stream(Modality::Audio, MediaDirection::SendReceive),
                stream(Modality::Video, MediaDirection::SendReceive),
                stream(Modality::VideoBasedScreenSharing, MediaDirection::ReceiveOnly),
            ],
            recording: None,
            metadata: None,
            sequence: 1,
            removed: None,
        };
        Seen { participant, hand: Some(2) }
    }

    #[test]
    fn everybody_is_shown_by_kind_and_name_as_it_was_given() {
        let markup = "<b>Ann</b>";
        let guest = IdentitySet { guest: Some(Identity::of("1").named(markup)), ..IdentitySet::default() };
        let phone = IdentitySet { phone: Some(Identity::of("+12015550123")), ..IdentitySet::default() };
        let user = IdentitySet::user(Identity::of("2").named("John"));
        let known = IdentitySet::user(Identity::of("2"));
        let app = IdentitySet::application(Identity::of("3").named("Bot"));
        let nobody = IdentitySet::default();
        for (identity, name, kind) in [
            (guest, markup, PersonKind::Guest),
            (phone, "+12015550123", PersonKind::Phone),
            (user, "John", PersonKind::User),
            (known, "John Doe", PersonKind::User),
            (app, "Bot", PersonKind::Application),
            (nobody, "", PersonKind::Guest),
        ] {
            let seen = seen(0, identity);
            let id = seen.participant.id;
            let [shown] = &people(&[seen], id, false, &directory())[..] else { panic!("one") };
            assert_eq!((shown.name.as_str(), shown.kind), (name, kind));
            assert_eq!(shown.id, id.to_string());
            assert!(shown.is_muted && shown.camera && !shown.screen && !shown.is_in_lobby);
            assert_eq!((shown.hand, shown.role), (Some(2), Some(Role::Presenter)));
        }
    }

    #[test]
    fn guests_are_shown_no_number_that_could_be_dialled() {
        let phone = |identity: Identity| IdentitySet { phone: Some(identity), ..IdentitySet::default() };
        let number = "+12015550123";
        for (identity, name) in [
            (phone(Identity::of(number)), "+120\u{2026}23"),
            (phone(Identity::of(number).named("+1 (201) 555-0123")), "+120\u{2026}23"),
            (phone(Identity::of(number).named("0201 5550123")), "\u{2026}"),
            (phone(Identity::of(number).named("Jane, room 12")), "Jane, room 12"),
            (phone(Identity::of("anonymous")), "anonymous"),
            (IdentitySet { guest: Some(Identity::of("1").named(number)), ..IdentitySet::default() }, number),
        ] {
            let seen = seen(0, identity);
            let [shown] = &people(&[seen], ParticipantId::next(&mut Counter(9)), true, &directory())[..]
            else {
                panic!("one")
            };
            assert_eq!(shown.name, name);
        }
    }

    #[test]
    fn what_is_hidden_is_shown_to_itself_only() {
        let hidden = |number| {
            let mut seen = seen(number, IdentitySet::default());
            seen.participant.metadata = Some("{}".to_owned());
            seen
        };
        let (one, other) = (hidden(0), hidden(1));
        let you = other.participant.id;
        let shown: Vec<_> =
            people(&[one, other], you, false, &directory()).into_iter().map(|it| it.id).collect();
        assert_eq!(shown, [you.to_string()]);
    }

    #[test]
    fn whoever_is_sent_away_in_the_lobby_was_not_admitted() {
        let removed = Outcome::RemovedByParticipant;
        assert_eq!(end_reason(removed, Some(Place::Lobby)), EndReason::NotAdmitted);
        assert_eq!(end_reason(removed, Some(Place::In)), EndReason::Removed);
        assert_eq!(end_reason(Outcome::LeftAlone, Some(Place::In)), EndReason::Over);
        assert_eq!(end_reason(Outcome::TooManyParticipants, None), EndReason::Full);
    }
}
