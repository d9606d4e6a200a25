//! Group calls: who is called, who talks, and when it is over.

use std::time::Duration;

use call_engine::{
    ConferenceAnswer, ConferenceConfig, ConferenceEffect, ConferenceEvent, ConferenceInput,
    ConferenceRequest, EndCause, JobResult, Joining, LegEvent, Rejection, Sound,
};
use model::{
    AudioRoutingGroup, MediaDirection, Outcome, ParticipantId, Person, RecordingStatus, RoutingMode,
    ScreenSharingRole, Tone,
};

use crate::harness::{Harness, call, invitee, joining, member};

#[test]
fn the_first_answer_establishes_the_call_and_everyone_who_answers_hears_everyone() {
    let mut harness = Harness::group_with(&["john", "user1"], 0);
    assert!(!harness.has_joined(1));
    let (john, user1) = (harness.person(0), harness.person(1));
    harness.leg(user1, LegEvent::Answered);
    assert!(harness.has_joined(1));
    assert_eq!(harness.connected, [member(1), user1].into());
    harness.leg(john, LegEvent::Answered);
    assert_eq!(harness.connected, [member(1), john, user1].into());
    assert_eq!(harness.names(1), ["bot1", "john", "user1"]);
}

#[test]
fn a_call_that_nobody_answers_ends_as_nobody_joined() {
    let mut harness = Harness::group_with(&["john", "user1"], 0);
    harness.leg(harness.person(0), LegEvent::Ended(EndCause::Declined));
    assert_eq!(harness.ending(1), None);
    harness.advance(ConferenceConfig::default().ringing_timeout);
    assert_eq!(harness.ending(1), Some(Outcome::NobodyJoined));
    assert!(harness.effects.contains(&ConferenceEffect::EndLeg(harness.person(1))));
    harness.leg(harness.person(1), LegEvent::Ended(EndCause::LocalHangUp));
    assert!(harness.is_over());
}

#[test]
fn the_application_is_told_when_everyone_else_has_left() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    harness.hang_up(0);
    assert_eq!(harness.names(1), ["bot1", "user1"]);
    harness.hang_up(1);
    assert_eq!(harness.ending(1), Some(Outcome::EveryoneElseLeft));
    assert!(harness.is_over());
}

#[test]
fn people_go_on_talking_when_the_application_leaves_and_the_last_one_is_hung_up_on() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    harness.input(ConferenceInput::Leave { call: call(1) });
    assert_eq!(harness.ending(1), Some(Outcome::EndedByBot));
    assert!(!harness.is_over());
    harness.hang_up(0);
    assert!(harness.effects.contains(&ConferenceEffect::EndLeg(harness.person(1))));
    harness.leg(harness.person(1), LegEvent::Ended(EndCause::LocalHangUp));
    assert!(harness.is_over());
}

#[test]
fn a_second_application_left_alone_by_the_initiator_is_told_so() {
    let mut harness = Harness::group_with(&["john"], 1);
    harness.join(2);
    harness.hang_up(0);
    assert_eq!((harness.ending(1), harness.ending(2)), (None, None));
    harness.input(ConferenceInput::Leave { call: call(1) });
    assert_eq!(harness.ending(2), Some(Outcome::InitiatorLeft));
}

#[test]
fn an_application_that_leaves_calls_nobody_any_longer() {
    let mut harness = Harness::group_with(&["john", "user1"], 0);
    harness.input(ConferenceInput::Leave { call: call(1) });
    assert_eq!(harness.ending(1), Some(Outcome::EndedByBot));
    for place in 0..2 {
        let person = harness.person(place);
        assert!(harness.effects.contains(&ConferenceEffect::EndLeg(person)));
        harness.leg(person, LegEvent::Ended(EndCause::LocalHangUp));
    }
    assert!(harness.is_over());
}

#[test]
fn an_invitation_ends_when_all_have_answered_or_failed_and_only_then_is_the_roster_told() {
    let mut harness = Harness::group_with(&["john"], 1);
    let invite = ConferenceRequest::Invite(vec![invitee("user1"), invitee("user2")]);
    let operation = harness.granted(1, invite);
    harness.leg(harness.person(1), LegEvent::Ended(EndCause::Busy));
    assert_eq!(harness.results(operation), []);
    harness.leg(harness.person(2), LegEvent::Answered);
    assert_eq!(harness.results(operation), [JobResult::Done]);
    assert_eq!(harness.names(1), ["bot1", "john", "user2"]);

    let operation = harness.granted(1, ConferenceRequest::Invite(vec![invitee("user1")]));
    harness.leg(harness.person(3), LegEvent::Ended(EndCause::Busy));
    assert_eq!(harness.results(operation), [JobResult::Failed(Outcome::CalleeBusy)]);
}

#[test]
fn a_number_that_does_not_answer_an_invitation_is_as_the_phone_network_would_say() {
    let mut harness = Harness::group_with(&["john"], 1);
    let mut number = invitee("number");
    number.callee = Person::Phone("+12015550123".parse().expect("a number"));
    for (whom, outcome) in [(number, Outcome::PstnOutgoing(480)), (invitee("user1"), Outcome::NotAnswered)] {
        let operation = harness.granted(1, ConferenceRequest::Invite(vec![whom]));
        harness.advance(ConferenceConfig::default().ringing_timeout);
        assert_eq!(harness.results(operation), [JobResult::Failed(outcome)]);
    }
}

#[test]
fn a_participant_that_replaces_a_call_ends_it_once_it_is_in_and_comes_alone() {
    let mut harness = Harness::group_with(&["john"], 1);
    let mut first = invitee("user1");
    first.target.replaces_call_id = Some("other".to_owned());
    harness.granted(1, ConferenceRequest::Invite(vec![first, invitee("user2")]));
    assert_eq!(harness.called.len(), 2);
    let ended = ConferenceEffect::EndReplaced { call: "other".to_owned(), by: call(1) };
    assert!(!harness.effects.contains(&ended));
    harness.leg(harness.person(1), LegEvent::Answered);
    assert!(harness.effects.contains(&ended));
}

#[test]
fn a_call_between_two_becomes_a_conference_with_both_in_it() {
    let mut harness = Harness::group();
    let john = ParticipantId::from(uuid::Uuid::from_u128(7));
    let info = Box::new(joining(9).info);
    let adopted = Joining { is_hidden: true, ..joining(1) };
    harness.input(ConferenceInput::Adopt {
        joining: Box::new(adopted),
        participant: john,
        info,
        is_held: false,
    });
    assert_eq!(harness.connected, [member(1), john].into());
    harness.join(2);
    assert_eq!(harness.names(1), ["bot1", "bot9", "bot2"]);
    assert_eq!(harness.names(2), ["bot9", "bot2"]);
    harness.input(ConferenceInput::Leave { call: call(2) });
    harness.leg(john, LegEvent::Ended(EndCause::HungUp));
    assert_eq!(harness.ending(1), Some(Outcome::OnlyHiddenLeft));
}

#[test]
fn whoever_is_removed_is_hung_up_on_and_a_ringing_invitation_is_cancelled() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let operation = harness.granted(1, ConferenceRequest::Invite(vec![invitee("user2")]));
    let (john, ringing) = (harness.person(0), harness.person(2));
    harness.granted(1, ConferenceRequest::Remove(ringing));
    assert_eq!(harness.results(operation), [JobResult::Failed(Outcome::RemovedByParticipant)]);
    harness.granted(1, ConferenceRequest::Remove(john));
    for person in [john, ringing] {
        assert!(harness.effects.contains(&ConferenceEffect::EndLeg(person)));
        assert_eq!(harness.refused(1, ConferenceRequest::Remove(person)), Rejection::ParticipantNotFound);
        harness.leg(person, LegEvent::Ended(EndCause::LocalHangUp));
    }
    assert_eq!(harness.names(1), ["bot1", "user1"]);
}

#[test]
fn muting_is_shown_and_an_application_unmutes_itself() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let john = harness.person(0);
    harness.granted(1, ConferenceRequest::Mute(john));
    harness.granted(1, ConferenceRequest::MuteSelf);
    let muted = |roster: model::Roster| -> Vec<_> {
        roster.participants.iter().map(|p| (p.is_muted, p.media_streams[0].is_server_muted)).collect()
    };
    assert_eq!(muted(harness.roster(1)), [(true, false), (true, true), (false, false)]);
    harness.granted(1, ConferenceRequest::UnmuteSelf);
    assert_eq!(muted(harness.roster(1))[0], (false, false));
    let told: Vec<_> = harness
        .effects
        .iter()
        .filter_map(|effect| match effect {
            ConferenceEffect::SetMuted { participant, is_muted } => Some((*participant, *is_muted)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(john, true), (member(1), true), (member(1), false)]);
}

#[test]
fn muting_all_leaves_out_who_asks_unless_it_is_named() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    harness.granted(1, ConferenceRequest::MuteAll(Vec::new()));
    let muted: Vec<_> = harness.roster(1).participants.iter().map(|p| p.is_muted).collect();
    assert_eq!(muted, [false, true, true]);
    let unknown = ParticipantId::from(uuid::Uuid::from_u128(1));
    assert_eq!(harness.refused(1, ConferenceRequest::MuteAll(vec![unknown])), Rejection::ParticipantNotFound);
}

#[test]
fn one_at_a_time_is_taken_aside_to_music_and_taken_back() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let (john, user1) = (harness.person(0), harness.person(1));
    let start = |participant| ConferenceRequest::StartHoldMusic { participant, prompt: None };
    let operation = harness.granted(1, start(john));
    assert_eq!(harness.connected, [member(1), user1].into());
    let music = ConferenceEffect::StartSound {
        participant: john,
        sound: Sound::Hold { by: call(1), operation, prompt: None },
    };
    assert!(harness.effects.contains(&music));
    assert_eq!(harness.results(operation), []);
    harness.input(ConferenceInput::SoundStarted { participant: john, operation, result: Ok(()) });
    assert_eq!(harness.results(operation), [JobResult::Done]);
    assert_eq!(harness.refused(1, start(user1)), Rejection::HoldBusy);
    let direction = harness.roster(1).participants[1].media_streams[0].direction;
    assert_eq!(direction, MediaDirection::Inactive);

    let operation = harness.granted(1, ConferenceRequest::StopHoldMusic(john));
    assert_eq!(harness.results(operation), [JobResult::Done]);
    assert!(harness.connected.contains(&john));
    assert_eq!(harness.refused(1, ConferenceRequest::StopHoldMusic(john)), Rejection::NotOnHold);
}

#[test]
fn music_that_cannot_be_played_fails_and_its_participant_is_back() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let john = harness.person(0);
    let operation = harness.granted(1, ConferenceRequest::StartHoldMusic { participant: john, prompt: None });
    let result = Err(Outcome::PromptDownloadFailed);
    harness.input(ConferenceInput::SoundStarted { participant: john, operation, result });
    assert_eq!(harness.results(operation), [JobResult::Failed(Outcome::PromptDownloadFailed)]);
    assert!(harness.connected.contains(&john));
}

#[test]
fn music_that_comes_late_says_nothing_about_the_next_hold() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let john = harness.person(0);
    let start = || ConferenceRequest::StartHoldMusic { participant: john, prompt: None };
    let first = harness.granted(1, start());
    harness.granted(1, ConferenceRequest::StopHoldMusic(john));
    assert!(!harness.conference.is_on_hold(john, first));
    let second = harness.granted(1, start());
    let late = Err(Outcome::PromptDownloadFailed);
    harness.input(ConferenceInput::SoundStarted { participant: john, operation: first, result: late });
    assert!(!harness.connected.contains(&john), "the second hold goes on");
    assert!(harness.conference.is_on_hold(john, second));
    harness.input(ConferenceInput::SoundStarted { participant: john, operation: second, result: Ok(()) });
    assert_eq!(harness.results(second), [JobResult::Done]);
}

#[test]
fn an_application_that_leaves_takes_back_what_it_did_to_others() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    harness.join(2);
    let (john, user1) = (harness.person(0), harness.person(1));
    let operation = harness.granted(1, ConferenceRequest::StartHoldMusic { participant: john, prompt: None });
    harness
        .granted(1, ConferenceRequest::CreateGroup(group("g", RoutingMode::OneToOne, user1, &[member(2)])));
    harness.granted(2, ConferenceRequest::Mute(user1));
    harness.input(ConferenceInput::Leave { call: call(1) });
    assert!(harness.connected.contains(&john), "nobody else knows that it is on hold");
    assert_eq!(harness.results(operation), [], "what has ended is told nothing more");
    assert_eq!(harness.conference.groups_for(call(2)).count(), 0);
    assert_eq!(harness.routes()[&user1], (true, None));

    let unmuted = ConferenceEffect::SetMuted { participant: user1, is_muted: false };
    assert!(!harness.effects.contains(&unmuted), "another application can still do so");
    harness.input(ConferenceInput::Leave { call: call(2) });
    assert!(harness.effects.contains(&unmuted), "nobody could do so any more");
}

#[test]
fn a_conference_that_was_opened_for_a_call_that_never_came_is_over() {
    let mut harness = Harness::group();
    harness.input(ConferenceInput::Leave { call: call(1) });
    assert!(harness.is_over());
}

fn group(
    id: &str,
    mode: RoutingMode,
    source: ParticipantId,
    receivers: &[ParticipantId],
) -> AudioRoutingGroup {
    AudioRoutingGroup { id: id.to_owned(), mode, sources: vec![source], receivers: receivers.to_vec() }
}

#[test]
fn the_source_of_a_private_route_is_heard_by_its_receivers_only() {
    let mut harness = Harness::group_with(&["john", "user1", "user2"], 3);
    let [john, user1, user2] = [0, 1, 2].map(|place| harness.person(place));
    let whisper = group("whisper", RoutingMode::OneToOne, john, &[user1]);
    harness.granted(1, ConferenceRequest::CreateGroup(whisper.clone()));
    assert_eq!(harness.routes()[&john], (true, Some(vec![user1])));
    let more = group("more", RoutingMode::Multicast, john, &[member(1), user1]);
    harness.granted(1, ConferenceRequest::CreateGroup(more));
    let mut both = vec![user1, member(1)];
    both.sort_unstable();
    assert_eq!(harness.routes()[&john], (true, Some(both)));
    harness.granted(1, ConferenceRequest::UpdateGroup(group("more", RoutingMode::Multicast, john, &[user2])));
    let mut changed = vec![user1, user2];
    changed.sort_unstable();
    assert_eq!(harness.routes()[&john], (true, Some(changed)));
    harness.granted(1, ConferenceRequest::DeleteGroup("more".to_owned()));
    assert_eq!(harness.routes()[&john], (true, Some(vec![user1])));
    harness.hang_up(1);
    assert_eq!(harness.routes()[&john], (true, None), "a route without a receiver is none");
    assert_eq!(harness.conference.groups_for(call(1)).count(), 0);
}

#[test]
fn routes_that_make_no_sense_are_refused() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let (john, user1) = (harness.person(0), harness.person(1));
    let stranger = ParticipantId::from(uuid::Uuid::from_u128(1));
    let rows = [
        (group("a", RoutingMode::OneToOne, john, &[user1, member(1)]), Rejection::GroupInvalid),
        (group("a", RoutingMode::OneToOne, john, &[]), Rejection::GroupInvalid),
        (group("a", RoutingMode::Multicast, john, &[john]), Rejection::GroupInvalid),
        (group("a", RoutingMode::Multicast, john, &[stranger]), Rejection::ParticipantNotFound),
        (
            AudioRoutingGroup {
                sources: vec![john, user1],
                ..group("a", RoutingMode::Multicast, john, &[member(1)])
            },
            Rejection::GroupInvalid,
        ),
    ];
    for (group, why) in rows {
        assert_eq!(harness.refused(1, ConferenceRequest::CreateGroup(group.clone())), why, "{group:?}");
    }
    let fine = group("a", RoutingMode::OneToOne, john, &[user1]);
    harness.granted(1, ConferenceRequest::CreateGroup(fine.clone()));
    assert_eq!(harness.refused(1, ConferenceRequest::CreateGroup(fine.clone())), Rejection::GroupExists);
    let other = AudioRoutingGroup { id: "b".to_owned(), ..fine };
    assert_eq!(harness.refused(1, ConferenceRequest::UpdateGroup(other)), Rejection::GroupNotFound);
    assert_eq!(harness.refused(1, ConferenceRequest::DeleteGroup("b".to_owned())), Rejection::GroupNotFound);
}

#[test]
fn a_route_without_a_name_is_given_one() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let nameless = group("", RoutingMode::OneToOne, harness.person(0), &[harness.person(1)]);
    match harness.ask(1, ConferenceRequest::CreateGroup(nameless)).1 {
        Ok(ConferenceAnswer::Group(group)) => assert!(!group.id.is_empty()),
        other => panic!("no group: {other:?}"),
    }
}

#[test]
fn whoever_is_taken_out_of_the_default_group_is_routed_so_from_the_start() {
    let mut harness = Harness::group_with(&["john"], 1);
    let mut coach = invitee("coach");
    coach.target.remove_from_default_audio_routing_group = Some(true);
    harness.granted(1, ConferenceRequest::Invite(vec![coach]));
    harness.leg(harness.person(1), LegEvent::Answered);
    assert_eq!(harness.routes()[&harness.person(1)], (false, None));
}

#[test]
fn keys_reach_every_application() {
    let mut harness = Harness::group_with(&["john"], 1);
    harness.join(2);
    harness.leg(harness.person(0), LegEvent::Tone(Tone::Pound));
    for number in [1, 2] {
        assert!(harness.told(number).contains(&ConferenceEvent::Tone(Tone::Pound)));
    }
}

#[test]
fn a_burst_of_changes_is_one_roster_and_no_change_is_none() {
    let mut harness = Harness::group_with(&["a", "b", "c", "d"], 4);
    assert_eq!(harness.rosters(1).len(), 0);
    assert_eq!(harness.roster(1).participants.len(), 5);
    harness.advance(Duration::from_secs(5));
    assert_eq!(harness.rosters(1).len(), 1);
    harness.granted(1, ConferenceRequest::MuteSelf);
    harness.granted(1, ConferenceRequest::UnmuteSelf);
    harness.advance(Duration::from_secs(5));
    let told = harness.rosters(1);
    let sequences: Vec<u64> = told.iter().map(|roster| roster.sequence).collect();
    assert_eq!(sequences, (1..=told.len() as u64).collect::<Vec<_>>());
}

#[test]
fn an_application_that_asks_for_changes_is_told_those_alone() {
    let mut harness = Harness::group();
    let invitees = vec![invitee("a"), invitee("b")];
    harness.input(ConferenceInput::Join(Box::new(Joining { is_delta_roster: true, invitees, ..joining(1) })));
    harness.leg(harness.person(0), LegEvent::Answered);
    assert_eq!(harness.roster(1).participants.len(), 2);
    harness.leg(harness.person(1), LegEvent::Answered);
    assert_eq!(harness.names(1), ["b"]);
    harness.hang_up(0);
    let delta = harness.roster(1);
    assert!(delta.is_delta && delta.participants[0].removed.is_some());
    assert_eq!((delta.participants.len(), delta.participants[0].id), (1, harness.person(0)));
}

#[test]
fn recording_sharing_and_the_gallery_are_shown() {
    let mut harness = Harness::group_with(&["john"], 1);
    harness.granted(1, ConferenceRequest::UpdateRecordingStatus(RecordingStatus::Recording));
    harness.granted(1, ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Sharer));
    let operation = harness.granted(1, ConferenceRequest::AddLargeGalleryView);
    assert_eq!(harness.results(operation), [JobResult::Done]);
    let roster = harness.roster(1);
    let [bot, john, gallery] = roster.participants.as_slice() else { panic!("{roster:?}") };
    assert_eq!(bot.recording.as_ref().map(|recording| recording.status), Some(RecordingStatus::Recording));
    assert_eq!(bot.media_streams[1].direction, MediaDirection::SendOnly);
    assert!(gallery.metadata.as_deref().is_some_and(|metadata| metadata.contains("\"lg\"")));
    let mut sources: Vec<u32> = [bot, john, gallery]
        .iter()
        .flat_map(|p| p.media_streams.iter().map(|stream| stream.source_id))
        .collect();
    sources.dedup();
    assert_eq!(sources.len(), 4, "numbers of streams are unique");
    harness.hang_up(0);
    assert_eq!(harness.ending(1), Some(Outcome::EveryoneElseLeft), "a picture keeps nobody company");
    assert!(harness.is_over());
}

#[test]
fn no_more_are_invited_than_there_may_be() {
    let config = ConferenceConfig { max_participants: 3, ..ConferenceConfig::default() };
    let mut harness = Harness::of(call_engine::Conference::group(config));
    let invitees = vec![invitee("a")];
    harness.input(ConferenceInput::Join(Box::new(Joining { invitees, ..joining(1) })));
    harness.leg(harness.person(0), LegEvent::Answered);
    let too_many = ConferenceRequest::Invite(vec![invitee("b"), invitee("c")]);
    assert_eq!(harness.refused(1, too_many), Rejection::TooManyParticipants);
    harness.join(2);
    harness.join(3);
    assert_eq!(harness.ending(3), Some(Outcome::TooManyParticipants));
}
