//! Meetings: who comes straight in, who waits, and who may let in.

use call_engine::{
    ConferenceConfig, ConferenceEffect, ConferenceInput, ConferenceRequest, LegEvent, Rejection, Sound,
};
use model::{
    AllowedPresenters, AudioRoutingGroup, LobbyBypassScope, MeetingRole, OnlineMeeting, Outcome,
    ParticipantId, RoutingMode,
};

use crate::harness::{Harness, call, guest, invitee, joining, meeting, member};

#[test]
fn the_settings_of_the_meeting_decide_who_waits() {
    let rows = [
        (LobbyBypassScope::Everyone, true, true),
        (LobbyBypassScope::Organization, true, false),
        (LobbyBypassScope::OrganizationAndFederated, true, false),
        (LobbyBypassScope::OrganizationExcludingGuests, true, false),
        (LobbyBypassScope::Invited, false, false),
        (LobbyBypassScope::Organizer, false, false),
    ];
    for (scope, application, guest_too) in rows {
        let mut harness = Harness::meeting(scope);
        harness.join(1);
        harness.input(ConferenceInput::Join(Box::new(guest(2))));
        assert_eq!((harness.has_joined(1), harness.has_joined(2)), (application, guest_too), "{scope:?}");
    }
}

#[test]
fn a_guest_waits_unseen_by_itself_is_seen_waiting_and_is_let_in() {
    let mut harness = Harness::meeting(LobbyBypassScope::Organization);
    harness.join(1);
    harness.input(ConferenceInput::Join(Box::new(guest(2))));
    let waits =
        ConferenceEffect::StartSound { participant: member(2), sound: Sound::Lobby { is_spoken: false } };
    assert!(harness.effects.contains(&waits));
    let roster = harness.roster(1);
    let lobby: Vec<bool> = roster.participants.iter().map(|participant| participant.is_in_lobby).collect();
    assert_eq!(lobby, [false, true]);
    assert_eq!(harness.names(2), ["guest2"], "whoever waits sees itself alone");
    assert_eq!(harness.refused(2, ConferenceRequest::MuteSelf), Rejection::NotEstablished);

    harness.granted(1, ConferenceRequest::Admit(Some(member(2))));
    assert!(harness.has_joined(2));
    assert_eq!(harness.connected, [member(1), member(2)].into());
    assert_eq!(harness.names(2), ["bot1", "guest2"]);
    assert_eq!(harness.refused(1, ConferenceRequest::Admit(Some(member(2)))), Rejection::ParticipantNotFound);
}

#[test]
fn waiting_has_an_end() {
    let mut harness = Harness::meeting(LobbyBypassScope::Organization);
    harness.join(1);
    harness.input(ConferenceInput::Join(Box::new(guest(2))));
    harness.advance(ConferenceConfig::default().lobby_timeout);
    assert_eq!(harness.ending(2), Some(Outcome::LobbyTimedOut));
    assert!(harness.effects.contains(&ConferenceEffect::StopSound(member(2))));
    assert_eq!(harness.ending(1), None);
}

#[test]
fn whoever_waits_can_be_sent_away_and_all_can_be_let_in() {
    let mut harness = Harness::meeting(LobbyBypassScope::Organization);
    harness.join(1);
    for number in 2..5 {
        harness.input(ConferenceInput::Join(Box::new(guest(number))));
    }
    harness.granted(1, ConferenceRequest::RemoveFromLobby(member(2)));
    assert_eq!(harness.ending(2), Some(Outcome::RemovedByParticipant));
    harness.granted(1, ConferenceRequest::Admit(None));
    assert!(harness.has_joined(3) && harness.has_joined(4));
    let inside = ConferenceRequest::RemoveFromLobby(member(3));
    assert_eq!(harness.refused(1, inside), Rejection::ParticipantNotFound);
}

#[test]
fn an_attendee_admits_mutes_and_removes_nobody() {
    let settings = OnlineMeeting {
        allowed_presenters: AllowedPresenters::Organizer,
        ..meeting(LobbyBypassScope::Organization)
    };
    let conference = call_engine::Conference::meeting(ConferenceConfig::default(), settings);
    let mut harness = Harness::of(conference);
    harness.join(1);
    harness.join(2);
    harness.input(ConferenceInput::Join(Box::new(guest(3))));
    for request in [
        ConferenceRequest::Admit(Some(member(3))),
        ConferenceRequest::Admit(None),
        ConferenceRequest::Mute(member(2)),
        ConferenceRequest::MuteAll(Vec::new()),
        ConferenceRequest::Remove(member(2)),
        ConferenceRequest::RemoveFromLobby(member(3)),
        ConferenceRequest::CreateGroup(route(member(2), member(1))),
        ConferenceRequest::StopHoldMusic(member(2)),
    ] {
        assert_eq!(harness.refused(1, request.clone()), Rejection::NotPresenter, "{request:?}");
    }
    assert_eq!(harness.roster(1).participants[0].role, Some(MeetingRole::Attendee));

    harness.granted(1, ConferenceRequest::CreateGroup(route(member(1), member(2))));
    let taken_over = ConferenceRequest::UpdateGroup(route(member(2), member(1)));
    assert_eq!(harness.refused(2, taken_over), Rejection::NotPresenter);
    let deleted = ConferenceRequest::DeleteGroup("whisper".to_owned());
    assert_eq!(harness.refused(2, deleted.clone()), Rejection::NotPresenter);
    harness.granted(1, deleted);
}

fn route(source: ParticipantId, receiver: ParticipantId) -> AudioRoutingGroup {
    AudioRoutingGroup {
        id: "whisper".to_owned(),
        mode: RoutingMode::OneToOne,
        sources: vec![source],
        receivers: vec![receiver],
    }
}

#[test]
fn changed_settings_change_roles_and_admit_and_what_comes_late_changes_nothing() {
    let settings = |revision, scope, allowed_presenters| {
        let meeting = OnlineMeeting { revision, allowed_presenters, ..meeting(scope) };
        ConferenceInput::MeetingChanged(Box::new(meeting))
    };
    let (organizer, all) = (AllowedPresenters::Organizer, AllowedPresenters::Everyone);
    let mut harness = Harness::meeting(LobbyBypassScope::Organizer);
    harness.join(1);
    harness.input(ConferenceInput::Join(Box::new(guest(2))));

    harness.input(settings(2, LobbyBypassScope::Organization, organizer));
    assert_eq!((harness.has_joined(1), harness.has_joined(2)), (true, false));
    let roles = |harness: &mut Harness| -> Vec<_> {
        harness.roster(1).participants.iter().map(|participant| participant.role).collect()
    };
    assert_eq!(roles(&mut harness), [Some(MeetingRole::Attendee); 2]);

    harness.input(settings(1, LobbyBypassScope::Everyone, all));
    assert!(!harness.has_joined(2), "the first change comes after the second");
    harness.input(settings(3, LobbyBypassScope::Everyone, all));
    assert!(harness.has_joined(2));
    assert_eq!(roles(&mut harness), [Some(MeetingRole::Presenter); 2]);
}

#[test]
fn whoever_waits_learns_nothing_of_what_goes_on_inside() {
    let mut harness = Harness::meeting(LobbyBypassScope::Organization);
    harness.join(1);
    harness.join(2);
    harness.input(ConferenceInput::Join(Box::new(guest(3))));
    harness.granted(1, ConferenceRequest::CreateGroup(route(member(1), member(2))));
    harness.input(ConferenceInput::Dominant(Some(member(1))));
    let seen = |harness: &Harness, number| {
        let groups = harness.conference.groups_for(call(number)).count();
        (groups, harness.conference.dominant_for(call(number)).is_some())
    };
    assert_eq!((seen(&harness, 1), seen(&harness, 3)), ((1, true), (0, false)));
}

#[test]
fn people_who_are_invited_come_straight_in_with_their_role() {
    let mut harness = Harness::meeting(LobbyBypassScope::Organizer);
    harness.join(1);
    harness.advance(ConferenceConfig::default().lobby_timeout / 2);
    let opened = OnlineMeeting { ..meeting(LobbyBypassScope::Everyone) };
    harness.input(ConferenceInput::MeetingChanged(Box::new(opened)));
    assert!(harness.has_joined(1), "opening the meeting lets in whoever waits");
    harness.granted(1, ConferenceRequest::Invite(vec![invitee("bob")]));
    harness.leg(harness.person(0), LegEvent::Answered);
    let roles: Vec<_> = harness.roster(1).participants.iter().map(|p| p.role).collect();
    assert_eq!(roles, [Some(MeetingRole::Presenter), Some(MeetingRole::Organizer)]);
}

#[test]
fn the_last_one_may_stay_for_a_while() {
    let mut harness = Harness::meeting(LobbyBypassScope::Everyone);
    harness.join(1);
    harness.advance(ConferenceConfig::default().alone_timeout * 2);
    assert_eq!(harness.ending(1), None, "whoever comes first waits for the others");
    harness.join(2);
    harness.input(ConferenceInput::Leave { call: call(2) });
    harness.advance(ConferenceConfig::default().alone_timeout / 2);
    harness.join(3);
    harness.advance(ConferenceConfig::default().alone_timeout);
    assert_eq!(harness.ending(1), None, "somebody came back");
    harness.input(ConferenceInput::Leave { call: call(3) });
    harness.advance(ConferenceConfig::default().alone_timeout);
    assert_eq!(harness.ending(1), Some(Outcome::LeftAlone));
    assert!(harness.is_over());
}

#[test]
fn the_same_application_is_in_twice_as_two() {
    let mut harness = Harness::meeting(LobbyBypassScope::Everyone);
    harness.join(1);
    harness
        .input(ConferenceInput::Join(Box::new(call_engine::Joining { info: joining(1).info, ..guest(2) })));
    assert_eq!(harness.roster(1).participants.len(), 2);
}
