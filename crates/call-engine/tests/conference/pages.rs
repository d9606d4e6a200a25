//! People at the pages of browsers: what they see, what they may do, and the screen that they share.

use call_engine::{
    Conference, ConferenceConfig, ConferenceEffect, ConferenceEvent, ConferenceInput, ConferenceRequest,
    EndCause, LegEvent, PersonEvent, PersonRequest, PersonState, Rejection, Seen, Sound,
};
use model::{
    AllowedPresenters, ChangeType, ContentSharingSessionId, LobbyBypassScope, MediaDirection, MeetingOption,
    Modality, OnlineMeeting, Outcome, ParticipantId, ScreenSharingRole,
};

use crate::harness::{Harness, meeting};

fn in_meeting(change: impl FnOnce(&mut OnlineMeeting)) -> Harness {
    let mut meeting = meeting(LobbyBypassScope::Organization);
    change(&mut meeting);
    Harness::of(Conference::meeting(ConferenceConfig::default(), meeting))
}

fn states(harness: &Harness, person: ParticipantId) -> Vec<PersonState> {
    let state = |event| match event {
        PersonEvent::State(state) => Some(state),
        _ => None,
    };
    harness.page_told(person).into_iter().filter_map(state).collect()
}

fn denied(harness: &Harness, person: ParticipantId) -> Vec<Rejection> {
    let denied = |event| match event {
        PersonEvent::Denied(rejection) => Some(rejection),
        _ => None,
    };
    harness.page_told(person).into_iter().filter_map(denied).collect()
}

/// Lets the gathered changes be told, and returns what the page was shown last.
fn seen(harness: &mut Harness, person: ParticipantId) -> Vec<Seen> {
    harness.advance(ConferenceConfig::default().roster_fold);
    let shown = |event| match event {
        PersonEvent::Roster(seen) => Some(seen),
        _ => None,
    };
    harness.page_told(person).into_iter().filter_map(shown).next_back().expect("a roster was told").to_vec()
}

/// What may be seen of somebody, each time it was said.
fn pictures(harness: &Harness, person: ParticipantId) -> Vec<(bool, bool)> {
    let shown = |effect: &ConferenceEffect| match effect {
        ConferenceEffect::ShowPictures { participant, camera, screen } if *participant == person => {
            Some((*camera, *screen))
        }
        _ => None,
    };
    harness.effects.iter().filter_map(shown).collect()
}

/// What a call was told of screens.
fn sharing(harness: &Harness, call: u128) -> Vec<(ChangeType, ContentSharingSessionId)> {
    let told = |event| match event {
        ConferenceEvent::ContentSharing { change, session } => Some((change, session)),
        _ => None,
    };
    harness.told(call).into_iter().filter_map(told).collect()
}

fn changes(harness: &Harness, call: u128) -> Vec<ChangeType> {
    sharing(harness, call).into_iter().map(|(change, _)| change).collect()
}

/// Kinds, numbers counted from that of the sound, and directions of somebody's streams in a call's roster.
fn streams(harness: &mut Harness, person: ParticipantId) -> Vec<(Modality, u32, MediaDirection)> {
    let roster = harness.roster(1);
    let shown = roster.participants.iter().find(|it| it.id == person).expect("it is there");
    let first = shown.media_streams[0].source_id;
    let streams = shown.media_streams.iter();
    streams.map(|stream| (stream.media_type, stream.source_id - first, stream.direction)).collect()
}

#[test]
fn a_guest_waits_sees_nobody_is_let_in_by_somebody_at_a_page_and_sees_all() {
    let mut harness = in_meeting(|_| {});
    let organizer = harness.open_page(Some("bob"));
    let guest = harness.open_page(None);
    assert_eq!(states(&harness, guest), [PersonState::InLobby]);
    let sound = Sound::Lobby { is_spoken: false };
    assert!(harness.effects.contains(&ConferenceEffect::StartSound { participant: guest, sound }));
    assert_eq!(seen(&mut harness, guest).len(), 1, "whoever waits outside sees itself");
    let waiting: Vec<bool> =
        seen(&mut harness, organizer).iter().map(|it| it.participant.is_in_lobby).collect();
    assert_eq!(waiting, [false, true]);

    harness.at_page(guest, PersonRequest::Admit(None));
    assert_eq!(denied(&harness, guest), [Rejection::NotEstablished]);
    harness.at_page(organizer, PersonRequest::Admit(Some(guest)));
    assert_eq!(states(&harness, guest), [PersonState::InLobby, PersonState::In]);
    assert!(harness.connected.contains(&guest));
    assert!(!harness.effects.contains(&ConferenceEffect::Welcome(guest)), "it sees a screen");
    assert_eq!(seen(&mut harness, guest).len(), 2);
    assert!(denied(&harness, organizer).is_empty());
}

#[test]
fn whoever_does_not_present_neither_admits_mutes_removes_nor_shares() {
    let mut harness = in_meeting(|meeting| {
        meeting.lobby_bypass.scope = LobbyBypassScope::Everyone;
        meeting.allowed_presenters = AllowedPresenters::Organizer;
    });
    let (organizer, guest) = (harness.open_page(Some("bob")), harness.open_page(None));
    let requests = [
        PersonRequest::Admit(None),
        PersonRequest::Mute(organizer),
        PersonRequest::Remove(organizer),
        PersonRequest::Screen(true),
    ];
    for request in requests {
        harness.at_page(guest, request);
    }
    assert_eq!(denied(&harness, guest), [Rejection::NotPresenter; 4]);
    harness.at_page(guest, PersonRequest::Remove(guest));
    let told = harness.page_told(guest);
    assert_eq!(told.last(), Some(&PersonEvent::Ended(Outcome::RemovedByParticipant)), "itself it may");
    harness.leg(guest, LegEvent::Ended(EndCause::LocalHangUp));
    assert_eq!(seen(&mut harness, organizer).len(), 1);
}

#[test]
fn whoever_is_muted_by_others_may_speak_again_unless_the_meeting_says_otherwise() {
    for is_allowed in [true, false] {
        let mut harness = in_meeting(|meeting| {
            meeting.lobby_bypass.scope = LobbyBypassScope::Everyone;
            meeting.allowed_presenters = AllowedPresenters::Organizer;
            let switch = MeetingOption::Switch(is_allowed);
            meeting.options.insert("allowAttendeeToEnableMic".to_owned(), switch);
        });
        let (organizer, guest) = (harness.open_page(Some("bob")), harness.open_page(None));
        let is_muted = |harness: &mut Harness| {
            let all = seen(harness, organizer);
            all.iter().find(|it| it.participant.id == guest).is_some_and(|it| it.participant.is_muted)
        };
        assert_eq!(is_muted(&mut harness), !is_allowed, "it comes in muted where it may not speak");
        harness.at_page(organizer, PersonRequest::Mute(guest));
        assert!(is_muted(&mut harness));
        harness.at_page(guest, PersonRequest::MuteSelf(false));
        assert_eq!(is_muted(&mut harness), !is_allowed);
        let expected = if is_allowed { vec![] } else { vec![Rejection::NotPresenter] };
        assert_eq!(denied(&harness, guest), expected);
    }
}

#[test]
fn a_camera_is_shown_in_the_roster_and_forwarded_while_its_owner_is_in() {
    let mut harness = in_meeting(|_| {});
    harness.join(1);
    let john = harness.open_page(Some("john"));
    let idle = [
        (Modality::Audio, 0, MediaDirection::SendReceive),
        (Modality::Video, 1, MediaDirection::ReceiveOnly),
        (Modality::VideoBasedScreenSharing, 7, MediaDirection::ReceiveOnly),
    ];
    assert_eq!(streams(&mut harness, john), idle);
    harness.at_page(john, PersonRequest::Camera(true));
    assert_eq!(streams(&mut harness, john)[1], (Modality::Video, 1, MediaDirection::SendReceive));
    assert_eq!(pictures(&harness, john), [(true, false)]);

    let hold = ConferenceRequest::StartHoldMusic { participant: john, prompt: None };
    harness.granted(1, hold);
    assert_eq!(pictures(&harness, john), [(true, false), (false, false)]);
    harness.granted(1, ConferenceRequest::StopHoldMusic(john));
    let expected = [PersonState::In, PersonState::OnHold, PersonState::In];
    assert_eq!(states(&harness, john), expected);
    assert_eq!(pictures(&harness, john).last(), Some(&(true, false)), "it is as it was before");
    harness.at_page(john, PersonRequest::Camera(false));
    assert_eq!(streams(&mut harness, john), idle);
}

#[test]
fn an_attendees_camera_stays_off_where_the_meeting_says_so() {
    let mut harness = in_meeting(|meeting| {
        meeting.allowed_presenters = AllowedPresenters::Organizer;
        let switch = MeetingOption::Switch(false);
        meeting.options.insert("allowAttendeeToEnableCamera".to_owned(), switch);
    });
    let (bob, john) = (harness.open_page(Some("bob")), harness.open_page(Some("john")));
    harness.at_page(bob, PersonRequest::Camera(true));
    harness.at_page(john, PersonRequest::Camera(true));
    assert_eq!((denied(&harness, bob), denied(&harness, john)), (vec![], vec![Rejection::NotPresenter]));
    assert_eq!((pictures(&harness, bob), pictures(&harness, john)), (vec![(true, false)], vec![]));
}

#[test]
fn a_screen_is_told_of_as_it_begins_has_its_first_picture_and_ends() {
    let mut harness = in_meeting(|_| {});
    harness.join(1);
    let john = harness.open_page(Some("john"));
    harness.at_page(john, PersonRequest::Screen(true));
    harness.at_page(john, PersonRequest::Screen(true));
    let screen = (Modality::VideoBasedScreenSharing, 7, MediaDirection::SendOnly);
    assert_eq!(streams(&mut harness, john)[2], screen);
    for _ in 0..2 {
        harness.input(ConferenceInput::ScreenShown { participant: john });
    }
    harness.join(2);
    harness.at_page(john, PersonRequest::Screen(false));
    assert_eq!(changes(&harness, 1), [ChangeType::Created, ChangeType::Updated, ChangeType::Deleted]);
    assert_eq!(changes(&harness, 2), [ChangeType::Created, ChangeType::Deleted], "it is told as it joins");
    let sessions: Vec<_> =
        sharing(&harness, 1).into_iter().chain(sharing(&harness, 2)).map(|(_, session)| session).collect();
    assert!(sessions.iter().all(|session| *session == sessions[0]));
    assert_eq!(pictures(&harness, john), [(false, true), (false, false)]);

    harness.at_page(john, PersonRequest::Screen(true));
    assert_ne!(sharing(&harness, 1).last().map(|(_, session)| *session), Some(sessions[0]));
    assert_eq!(changes(&harness, 1).last(), Some(&ChangeType::Created));
}

#[test]
fn there_is_one_screen_which_moves_to_whoever_shares_last() {
    let mut harness = in_meeting(|_| {});
    harness.join(1);
    let (john, ann) = (harness.open_page(Some("john")), harness.open_page(Some("ann")));
    harness.at_page(john, PersonRequest::Screen(true));
    harness.at_page(ann, PersonRequest::Screen(true));
    assert_eq!(changes(&harness, 1), [ChangeType::Created, ChangeType::Updated]);
    assert_eq!(pictures(&harness, john), [(false, true), (false, false)]);
    assert_eq!(pictures(&harness, ann), [(false, true)]);
    // Whoever does not share any more ends nothing.
    harness.at_page(john, PersonRequest::Screen(false));
    harness.input(ConferenceInput::ScreenShown { participant: john });
    assert_eq!(changes(&harness, 1).len(), 2);

    harness.granted(1, ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Sharer));
    assert_eq!(pictures(&harness, ann).last(), Some(&(false, false)));
    harness.granted(1, ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Viewer));
    let expected = [ChangeType::Created, ChangeType::Updated, ChangeType::Updated, ChangeType::Deleted];
    assert_eq!(changes(&harness, 1), expected);
}

#[test]
fn a_screen_goes_with_whoever_shares_it() {
    let leaves: [fn(&mut Harness, ParticipantId); 3] = [
        |harness, john| harness.leg(john, LegEvent::Ended(EndCause::HungUp)),
        |harness, john| {
            harness.granted(1, ConferenceRequest::Remove(john));
        },
        |harness, john| {
            let hold = ConferenceRequest::StartHoldMusic { participant: john, prompt: None };
            harness.granted(1, hold);
        },
    ];
    for leave in leaves {
        let mut harness = in_meeting(|_| {});
        harness.join(1);
        let (john, ann) = (harness.open_page(Some("john")), harness.open_page(Some("ann")));
        harness.at_page(john, PersonRequest::Screen(true));
        leave(&mut harness, john);
        assert_eq!(changes(&harness, 1), [ChangeType::Created, ChangeType::Deleted]);
        let shared = |it: &Seen| it.participant.media_streams.iter().map(|stream| stream.direction).collect();
        let directions: Vec<Vec<MediaDirection>> = seen(&mut harness, ann).iter().map(shared).collect();
        assert!(directions.iter().flatten().all(|direction| *direction != MediaDirection::SendOnly));
    }
}

#[test]
fn hands_are_shown_to_pages_in_their_order_and_applications_hear_nothing_of_them() {
    let mut harness = in_meeting(|_| {});
    harness.join(1);
    let (john, ann) = (harness.open_page(Some("john")), harness.open_page(Some("ann")));
    seen(&mut harness, john);
    let rosters = harness.rosters(1).len();
    harness.at_page(ann, PersonRequest::Hand(true));
    harness.at_page(john, PersonRequest::Hand(true));
    harness.at_page(ann, PersonRequest::Hand(true));
    let hands = |harness: &mut Harness| {
        let all = seen(harness, john);
        let hand = |person| all.iter().find(|it| it.participant.id == person).and_then(|it| it.hand);
        (hand(ann), hand(john))
    };
    let (first, second) = hands(&mut harness);
    assert!(first.is_some() && first < second);
    harness.at_page(ann, PersonRequest::Hand(false));
    assert_eq!(hands(&mut harness), (None, second));
    assert_eq!(harness.rosters(1).len(), rosters);
}

#[test]
fn pages_are_told_who_speaks_and_of_nothing_twice() {
    let mut harness = in_meeting(|_| {});
    let (bob, guest) = (harness.open_page(Some("bob")), harness.open_page(None));
    harness.input(ConferenceInput::Dominant(Some(bob)));
    harness.input(ConferenceInput::Dominant(Some(bob)));
    harness.input(ConferenceInput::Dominant(None));
    let spoken = |harness: &Harness, person| {
        let told = harness.page_told(person);
        told.into_iter().filter(|event| matches!(event, PersonEvent::Speaker(_))).collect::<Vec<_>>()
    };
    assert_eq!(spoken(&harness, bob), [PersonEvent::Speaker(Some(bob)), PersonEvent::Speaker(None)]);
    assert!(spoken(&harness, guest).is_empty(), "whoever waits outside hears of nobody");
    seen(&mut harness, bob);
    let before = harness.page_told(bob).len();
    harness.advance(ConferenceConfig::default().roster_fold);
    assert_eq!(harness.page_told(bob).len(), before);
}

#[test]
fn a_page_for_which_there_is_no_room_is_told_so_and_its_leg_ends() {
    let config = ConferenceConfig { max_participants: 1, ..ConferenceConfig::default() };
    let everyone = meeting(LobbyBypassScope::Everyone);
    let mut harness = Harness::of(Conference::meeting(config, everyone));
    harness.open_page(Some("bob"));
    let late = harness.open_page(None);
    assert_eq!(harness.page_told(late), [PersonEvent::Ended(Outcome::TooManyParticipants)]);
    assert_eq!(harness.effects.last(), Some(&ConferenceEffect::EndLeg(late)));
    harness.leg(late, LegEvent::Ended(EndCause::LocalHangUp));
    assert!(!harness.is_over());
}

#[test]
fn what_is_asked_at_no_page_or_of_somebody_who_is_gone_changes_nothing() {
    let mut harness = in_meeting(|_| {});
    let bob = harness.open_page(Some("bob"));
    let caller = harness.arrive(Some("ann"));
    harness.at_page(caller, PersonRequest::Remove(bob));
    harness.at_page(bob, PersonRequest::Mute(ParticipantId::from(uuid::Uuid::nil())));
    assert_eq!(denied(&harness, bob), [Rejection::ParticipantNotFound]);
    assert_eq!(seen(&mut harness, bob).len(), 2);
    harness.leg(bob, LegEvent::Ended(EndCause::HungUp));
    let before = harness.effects.len();
    harness.at_page(bob, PersonRequest::Remove(caller));
    assert_eq!(harness.effects.len(), before);
}

#[test]
fn whoever_waits_outside_takes_nobodys_place_and_waits_with_so_many_others_only() {
    let config = ConferenceConfig { max_participants: 2, max_waiting: 2, ..ConferenceConfig::default() };
    let mut harness = Harness::of(Conference::meeting(config, meeting(LobbyBypassScope::Organization)));
    let guests = [(); 3].map(|()| harness.open_page(None));
    let is_full = |harness: &Harness, person| {
        harness.page_told(person).contains(&PersonEvent::Ended(Outcome::TooManyParticipants))
    };
    assert_eq!(guests.map(|guest| is_full(&harness, guest)), [false, false, true]);
    let (bob, ann) = (harness.open_page(Some("bob")), harness.open_page(Some("ann")));
    assert_eq!((is_full(&harness, bob), is_full(&harness, ann)), (false, false));
    harness.at_page(bob, PersonRequest::Admit(Some(guests[0])));
    assert_eq!(denied(&harness, bob), [Rejection::TooManyParticipants]);
    harness.leg(ann, LegEvent::Ended(EndCause::HungUp));
    harness.at_page(bob, PersonRequest::Admit(None));
    let inside = guests.map(|guest| harness.connected.contains(&guest));
    assert_eq!(inside, [true, false, false], "as many as there is room for");
}

#[test]
fn nobody_is_told_of_those_who_mute_themselves_outside() {
    let mut harness = in_meeting(|_| {});
    harness.join(1);
    let guest = harness.open_page(None);
    seen(&mut harness, guest);
    let before = harness.rosters(1).len();
    for is_muted in [true, false, true] {
        harness.at_page(guest, PersonRequest::MuteSelf(is_muted));
        harness.advance(ConferenceConfig::default().roster_fold);
    }
    assert_eq!(harness.rosters(1).len(), before);
    harness.granted(1, ConferenceRequest::Admit(Some(guest)));
    let muted = ConferenceEffect::SetMuted { participant: guest, is_muted: true };
    assert!(harness.effects.contains(&muted), "it comes in as it wants to");
}

#[test]
fn a_meeting_that_takes_a_right_away_ends_what_was_done_by_it() {
    let mut harness = in_meeting(|meeting| meeting.lobby_bypass.scope = LobbyBypassScope::Everyone);
    harness.join(1);
    let (bob, john) = (harness.open_page(Some("bob")), harness.open_page(Some("john")));
    let caller = harness.arrive(None);
    for person in [bob, john] {
        harness.at_page(person, PersonRequest::Camera(true));
    }
    harness.at_page(john, PersonRequest::Screen(true));
    let changed = |rights: bool, revision| {
        let mut meeting = meeting(LobbyBypassScope::Everyone);
        meeting.revision = revision;
        meeting.allowed_presenters = AllowedPresenters::Organizer;
        for switch in ["allowAttendeeToEnableMic", "allowAttendeeToEnableCamera"] {
            meeting.options.insert(switch.to_owned(), MeetingOption::Switch(rights));
        }
        ConferenceInput::MeetingChanged(Box::new(meeting))
    };
    harness.input(changed(true, 1));
    assert_eq!(pictures(&harness, john).last(), Some(&(true, false)), "attendees share no screen");
    assert_eq!(changes(&harness, 1), [ChangeType::Created, ChangeType::Deleted]);
    harness.input(changed(false, 2));
    let muted = |harness: &mut Harness| {
        let all = seen(harness, bob);
        let is_muted = |person| all.iter().any(|it| it.participant.id == person && it.participant.is_muted);
        [bob, john, caller].map(is_muted)
    };
    assert_eq!(
        (pictures(&harness, john).last(), pictures(&harness, bob).last()),
        (Some(&(false, false)), Some(&(true, false)))
    );
    assert_eq!(muted(&mut harness), [false, true, true]);
    harness.input(changed(true, 3));
    assert_eq!(muted(&mut harness), [false, true, false], "who has a page says so himself");
}

#[test]
fn pages_inside_share_one_list_and_large_meetings_gather_changes_for_longer() {
    let mut harness =
        Harness::of(Conference::meeting(ConferenceConfig::default(), meeting(LobbyBypassScope::Everyone)));
    let people: Vec<ParticipantId> = (0..60).map(|_| harness.open_page(None)).collect();
    let fold = ConferenceConfig::default().roster_fold;
    let rosters = |harness: &Harness, person| {
        let told = harness.page_told(person).into_iter();
        told.filter_map(|event| if let PersonEvent::Roster(seen) = event { Some(seen) } else { None })
            .collect::<Vec<_>>()
    };
    harness.advance(fold * 2);
    let before = people.iter().map(|person| rosters(&harness, *person)).collect::<Vec<_>>();
    assert!(before.iter().all(|told| told.len() == 1 && std::sync::Arc::ptr_eq(&told[0], &before[0][0])));
    harness.at_page(people[0], PersonRequest::Hand(true));
    harness.advance(fold);
    assert_eq!(rosters(&harness, people[0]).len(), 1);
    harness.advance(fold);
    assert_eq!(rosters(&harness, people[0]).len(), 2);
}
