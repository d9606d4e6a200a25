//! Who hears whom once a leg is exchanged, and who is told who speaks.

use call_engine::{
    ConferenceEffect, ConferenceEvent, ConferenceInput, ConferenceRequest, EndCause, Joining, LegEvent,
};
use model::{AudioRoutingGroup, LobbyBypassScope, MediaDirection, Modality, ParticipantId, RoutingMode};

use crate::harness::{Harness, call, guest, invitee, joining, member};

/// The source of the group is heard by these alone.
fn route(id: &str, source: ParticipantId, receivers: &[ParticipantId]) -> ConferenceRequest {
    ConferenceRequest::CreateGroup(AudioRoutingGroup {
        id: id.to_owned(),
        mode: RoutingMode::Multicast,
        sources: vec![source],
        receivers: receivers.to_vec(),
    })
}

fn set_route(
    participant: ParticipantId,
    is_in_default_group: bool,
    audience: Option<Vec<ParticipantId>>,
) -> ConferenceEffect {
    ConferenceEffect::SetRoute { participant, is_in_default_group, audience }
}

fn join_to_be_told(harness: &mut Harness, joining: Joining) {
    harness.input(ConferenceInput::Join(Box::new(Joining { is_told_of_speakers: true, ..joining })));
}

#[test]
fn a_new_leg_hears_and_is_heard_like_the_old_one() {
    let mut harness = Harness::group_with(&["john"], 1);
    assert_eq!(harness.replace_media(member(1)), [ConferenceEffect::Connect(member(1))]);
}

#[test]
fn a_new_leg_is_as_muted_as_the_old_one() {
    let mut harness = Harness::group_with(&["john"], 1);
    harness.join(2);
    let muted = [
        ConferenceEffect::Connect(member(1)),
        ConferenceEffect::SetMuted { participant: member(1), is_muted: true },
    ];
    harness.granted(1, ConferenceRequest::MuteSelf);
    assert_eq!(harness.replace_media(member(1)), muted, "by itself");
    harness.granted(2, ConferenceRequest::Mute(member(1)));
    assert_eq!(harness.replace_media(member(1)), muted, "by another one");
    harness.granted(1, ConferenceRequest::UnmuteSelf);
    assert_eq!(harness.replace_media(member(1)), muted[..1]);
}

#[test]
fn a_new_leg_is_the_source_and_the_receiver_of_the_routes_of_the_old_one() {
    let mut harness = Harness::group();
    let invitees = vec![invitee("john"), invitee("user1")];
    harness.input(ConferenceInput::Join(Box::new(Joining {
        invitees,
        is_in_default_group: false,
        ..joining(1)
    })));
    let (john, user1) = (harness.person(0), harness.person(1));
    harness.leg(john, LegEvent::Answered);
    harness.leg(user1, LegEvent::Answered);
    harness.granted(1, route("coach", member(1), &[john]));
    harness.granted(1, route("coached", john, &[member(1)]));
    harness.granted(1, route("aside", user1, &[john]));

    let done = harness.replace_media(member(1));

    let expected = [
        ConferenceEffect::Connect(member(1)),
        set_route(member(1), false, Some(vec![john])),
        set_route(john, true, Some(vec![member(1)])),
    ];
    assert_eq!(done, expected, "user1 does not speak to it");
}

#[test]
fn the_new_leg_of_someone_taken_aside_is_connected_when_it_is_taken_back() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let (john, user1) = (harness.person(0), harness.person(1));
    harness.granted(1, route("whisper", john, &[user1]));
    harness.granted(1, ConferenceRequest::StartHoldMusic { participant: user1, prompt: None });

    assert_eq!(harness.replace_media(user1), [set_route(john, true, Some(vec![user1]))]);

    harness.granted(1, ConferenceRequest::StopHoldMusic(user1));
    assert!(harness.connected.contains(&user1) && harness.is_heard_by_legs_that_are_there());
}

#[test]
fn nothing_is_done_for_the_new_leg_of_someone_who_is_not_in() {
    let mut harness = Harness::meeting(LobbyBypassScope::Organization);
    harness.join(1);
    harness.granted(1, ConferenceRequest::Invite(vec![invitee("john"), invitee("user1")]));
    harness.input(ConferenceInput::Join(Box::new(guest(2))));
    let (leaving, ringing) = (harness.person(0), harness.person(1));
    harness.leg(leaving, LegEvent::Answered);
    harness.granted(1, ConferenceRequest::Remove(leaving));
    let unknown = ParticipantId::from(uuid::Uuid::from_u128(1));
    for nobody in [leaving, ringing, member(2), unknown] {
        assert_eq!(harness.replace_media(nobody), [], "{nobody}");
    }
    harness.granted(1, ConferenceRequest::Admit(Some(member(2))));
    assert!(harness.connected.contains(&member(2)));
}

#[test]
fn the_dominant_speaker_is_known_until_it_leaves() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let john = harness.person(0);
    harness.input(ConferenceInput::Dominant(Some(john)));
    assert_eq!(harness.conference.dominant_for(call(1)).map(|(id, _)| id), Some(john));
    harness.hang_up(0);
    assert_eq!(harness.conference.dominant_for(call(1)), None);
    assert_eq!(harness.speakers(1), [], "it did not ask to be told");
}

#[test]
fn a_call_that_asks_for_it_is_told_of_each_change_of_who_speaks() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    join_to_be_told(&mut harness, joining(2));
    let told = [0, 1].map(|place| {
        let person = harness.person(place);
        Some((person, harness.conference.source_of(person).expect("it is there")))
    });
    for speaker in [None, Some(0), Some(0), Some(1), None, Some(0)] {
        let speaker = speaker.map(|place: usize| harness.person(place));
        harness.input(ConferenceInput::Dominant(speaker));
    }
    assert_eq!(harness.speakers(2), [told[0], told[1], None, told[0]]);

    harness.hang_up(0);
    assert_eq!(harness.speakers(2).last(), Some(&None), "whoever left speaks no longer");
    harness.input(ConferenceInput::Dominant(Some(harness.person(0))));
    assert_eq!(harness.speakers(2).len(), 5, "what is heard late of who left is not told");
}

#[test]
fn whoever_comes_in_is_told_who_speaks_and_whoever_waits_is_not() {
    let mut harness = Harness::meeting(LobbyBypassScope::Organization);
    harness.join(1);
    harness.input(ConferenceInput::Dominant(Some(member(1))));
    join_to_be_told(&mut harness, guest(2));
    assert_eq!(harness.speakers(2), []);

    harness.granted(1, ConferenceRequest::Admit(Some(member(2))));

    let source = harness.conference.source_of(member(1)).expect("it is there");
    let speaks = ConferenceEvent::Dominant(Some((member(1), source)));
    assert_eq!(harness.told(2), [ConferenceEvent::Joined, speaks]);
}

#[test]
fn sounds_have_the_numbers_of_the_roster() {
    let mut harness = Harness::group_with(&["john"], 1);
    harness.granted(1, ConferenceRequest::AddLargeGalleryView);
    for participant in harness.roster(1).participants {
        let sound = participant.media_streams.iter().find(|stream| stream.media_type == Modality::Audio);
        let sent = sound.filter(|stream| stream.direction == MediaDirection::SendReceive);
        let expected = sent.map(|stream| stream.source_id);
        assert_eq!(harness.conference.source_of(participant.id), expected, "{:?}", participant.info);
    }
    let john = harness.person(0);
    harness.leg(john, LegEvent::Ended(EndCause::HungUp));
    assert_eq!(harness.conference.source_of(john), None);
}
