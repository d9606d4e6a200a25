//! Callers who dial in: who of them waits, what they are told, and who hears of them.

use call_engine::{
    Chime, Conference, ConferenceConfig, ConferenceEffect, ConferenceInput, ConferenceRequest, EndCause,
    LegEvent, Sound,
};
use model::{
    IdentitySet, LobbyBypassScope, MediaDirection, MeetingAttendee, MeetingRole, OnlineMeeting, Outcome,
    ParticipantId,
};

use crate::harness::{CALLER, Harness, invitee, joining, meeting};

fn in_meeting(change: impl FnOnce(&mut OnlineMeeting)) -> Harness {
    let mut meeting = meeting(LobbyBypassScope::Organization);
    change(&mut meeting);
    Harness::of(Conference::meeting(ConferenceConfig::default(), meeting))
}

fn announcing() -> Harness {
    in_meeting(|meeting| {
        meeting.is_entry_exit_announced = true;
        meeting.lobby_bypass.is_dial_in_bypass_enabled = true;
    })
}

fn chimes(harness: &Harness) -> Vec<Chime> {
    let chime = |effect: &ConferenceEffect| match effect {
        ConferenceEffect::Chime(chime) => Some(*chime),
        _ => None,
    };
    harness.effects.iter().filter_map(chime).collect()
}

fn is_welcomed(harness: &Harness, participant: ParticipantId) -> bool {
    harness.effects.contains(&ConferenceEffect::Welcome(participant))
}

fn waits(participant: ParticipantId) -> ConferenceEffect {
    ConferenceEffect::StartSound { participant, sound: Sound::Lobby { is_spoken: true } }
}

#[test]
fn the_settings_of_the_meeting_decide_which_callers_wait() {
    use LobbyBypassScope::*;
    // The scope; who comes straight in: a number, somebody of the tenant, somebody invited, the organizer.
    let rows = [
        (Everyone, [true, true, true, true]),
        (Organization, [false, true, true, true]),
        (OrganizationAndFederated, [false, true, true, true]),
        (OrganizationExcludingGuests, [false, true, true, true]),
        (Invited, [false, false, true, true]),
        (Organizer, [false, false, false, true]),
    ];
    let callers = [None, Some("john"), Some("ann"), Some("bob")];
    for (scope, expected) in rows {
        for is_bypassed in [false, true] {
            let mut harness = in_meeting(|meeting| {
                meeting.lobby_bypass.scope = scope;
                meeting.lobby_bypass.is_dial_in_bypass_enabled = is_bypassed;
                let identity = IdentitySet::user(model::Identity::of("Ann"));
                meeting.attendees =
                    vec![MeetingAttendee { identity, role: MeetingRole::Attendee, upn: None }];
            });
            for (caller, is_let_in) in callers.into_iter().zip(expected) {
                let participant = harness.arrive(caller);
                let is_in = harness.connected.contains(&participant);
                assert_eq!(is_in, is_let_in || is_bypassed, "{caller:?} {scope:?} {is_bypassed}");
                assert_eq!(is_welcomed(&harness, participant), is_in, "{caller:?} {scope:?}");
                assert_eq!(harness.effects.contains(&waits(participant)), !is_in, "{caller:?} {scope:?}");
            }
        }
    }
}

#[test]
fn a_caller_is_shown_by_its_number_waits_and_is_let_in() {
    let mut harness = in_meeting(|_| {});
    harness.join(1);
    let caller = harness.arrive(None);
    let shown = harness.roster(1).participants.pop().unwrap();
    assert_eq!((shown.id, shown.is_in_lobby, shown.role), (caller, true, Some(MeetingRole::Attendee)));
    assert_eq!(shown.info.identity.phone.and_then(|phone| phone.id).as_deref(), Some(CALLER));
    harness.leg(caller, LegEvent::Held(true));

    harness.granted(1, ConferenceRequest::Admit(Some(caller)));
    let done = [
        ConferenceEffect::StopSound(caller),
        ConferenceEffect::Connect(caller),
        ConferenceEffect::Welcome(caller),
    ];
    assert!(done.iter().all(|effect| harness.effects.contains(effect)));
    let shown = harness.roster(1).participants.pop().unwrap();
    assert!(!shown.is_in_lobby);
    assert_eq!(shown.media_streams[0].direction, MediaDirection::Inactive, "it holds since it waited");
}

#[test]
fn whoever_waits_is_hung_up_on_when_sent_away_and_when_nobody_lets_it_in() {
    for is_sent_away in [true, false] {
        let mut harness = in_meeting(|_| {});
        harness.join(1);
        let caller = harness.arrive(None);
        if is_sent_away {
            harness.granted(1, ConferenceRequest::RemoveFromLobby(caller));
        } else {
            harness.advance(ConferenceConfig::default().lobby_timeout);
        }
        assert!(harness.effects.contains(&ConferenceEffect::StopSound(caller)));
        assert!(harness.effects.contains(&ConferenceEffect::EndLeg(caller)));
        assert!(harness.connected.len() == 1 && harness.ending(1).is_none());
        harness.leg(caller, LegEvent::Ended(EndCause::LocalHangUp));
        assert_eq!(harness.roster(1).participants.len(), 1);
    }
}

#[test]
fn a_change_of_the_settings_lets_callers_in_who_wait() {
    let mut harness = in_meeting(|_| {});
    let caller = harness.arrive(None);
    let mut changed = meeting(LobbyBypassScope::Organization);
    changed.lobby_bypass.is_dial_in_bypass_enabled = true;
    changed.revision = 1;
    harness.input(ConferenceInput::MeetingChanged(Box::new(changed)));
    assert!(harness.connected.contains(&caller) && is_welcomed(&harness, caller));
}

#[test]
fn a_caller_for_whom_there_is_no_room_is_turned_away_and_no_member() {
    let config = ConferenceConfig { max_participants: 1, ..ConferenceConfig::default() };
    let mut harness = Harness::of(Conference::meeting(config, meeting(LobbyBypassScope::Everyone)));
    harness.join(1);
    let caller = harness.arrive(None);
    assert_eq!(harness.effects.last(), Some(&ConferenceEffect::TurnAway(caller)));
    harness.leg(caller, LegEvent::Ended(EndCause::LocalHangUp));
    assert!(!harness.is_over() && harness.ending(1).is_none());
}

#[test]
fn callers_keep_a_meeting_alive_and_the_last_one_ends_it() {
    let mut harness = announcing();
    let (first, second) = (harness.arrive(None), harness.arrive(Some("john")));
    harness.leg(first, LegEvent::Ended(EndCause::HungUp));
    assert!(!harness.is_over());
    harness.advance(ConferenceConfig::default().alone_timeout);
    assert_eq!(harness.effects.last(), Some(&ConferenceEffect::EndLeg(second)), "nobody comes any more");
    harness.leg(second, LegEvent::Ended(EndCause::LocalHangUp));
    assert!(harness.is_over());
}

#[test]
fn people_who_come_and_go_are_announced_to_those_who_are_in() {
    let mut harness = announcing();
    let first = harness.arrive(None);
    assert_eq!(chimes(&harness), [], "nobody is there to hear of it");
    harness.join(1);
    assert_eq!(chimes(&harness), [], "applications startle nobody");
    let second = harness.arrive(Some("john"));
    assert_eq!(chimes(&harness), [Chime::Came]);
    harness.granted(1, ConferenceRequest::Invite(vec![invitee("user1")]));
    assert_eq!(chimes(&harness).len(), 1, "who is called is not in yet");
    harness.leg(harness.person(2), LegEvent::Answered);
    assert_eq!(chimes(&harness)[1..], [Chime::Came]);
    harness.granted(1, ConferenceRequest::StartHoldMusic { participant: second, prompt: None });
    harness.granted(1, ConferenceRequest::StopHoldMusic(second));
    assert_eq!(chimes(&harness).len(), 2, "who is taken aside has not left");
    harness.leg(first, LegEvent::Ended(EndCause::HungUp));
    harness.granted(1, ConferenceRequest::Remove(second));
    assert_eq!(chimes(&harness)[2..], [Chime::Went, Chime::Went]);
    assert_eq!(harness.ending(1), None::<Outcome>);
}

#[test]
fn whoever_waits_or_is_hidden_is_not_announced() {
    let mut harness = in_meeting(|meeting| meeting.is_entry_exit_announced = true);
    harness.join(1);
    let caller = harness.arrive(None);
    let mut hidden = invitee("user1");
    hidden.target.hidden = Some(true);
    harness.granted(1, ConferenceRequest::Invite(vec![hidden]));
    harness.leg(harness.person(1), LegEvent::Answered);
    assert_eq!(chimes(&harness), []);
    harness.granted(1, ConferenceRequest::Admit(Some(caller)));
    assert_eq!(chimes(&harness), [Chime::Came]);
}

#[test]
fn nobody_is_announced_where_the_meeting_does_not_say_so() {
    let mut harness = in_meeting(|meeting| meeting.lobby_bypass.scope = LobbyBypassScope::Everyone);
    harness.input(ConferenceInput::Join(Box::new(joining(1))));
    let caller = harness.arrive(None);
    let mut changed = meeting(LobbyBypassScope::Everyone);
    (changed.is_entry_exit_announced, changed.revision) = (true, 1);
    harness.input(ConferenceInput::MeetingChanged(Box::new(changed)));
    assert_eq!(chimes(&harness), [], "nobody comes as the setting changes");
    harness.leg(caller, LegEvent::Ended(EndCause::HungUp));
    assert_eq!(chimes(&harness), [Chime::Went]);
}
