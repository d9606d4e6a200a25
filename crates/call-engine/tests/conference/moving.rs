//! People who go from one conversation to another with their legs.

use call_engine::{
    ConferenceAnswer, ConferenceEffect, ConferenceEvent, ConferenceInput, ConferenceRequest, EndCause,
    LegEvent, Rejection,
};
use model::{LobbyBypassScope, Outcome, ParticipantId, Tone, Transferee};

use crate::harness::{Harness, call, guest, member};

fn named(participant: ParticipantId) -> ConferenceRequest {
    ConferenceRequest::Transfer(Transferee::Participant(participant))
}

fn release(harness: &mut Harness, place: usize) {
    let participant = harness.person(place);
    harness.input(ConferenceInput::Release { participant, by: call(1) });
}

#[test]
fn a_transferee_is_found_by_its_id_and_by_its_user_in_any_case() {
    let mut harness = Harness::group_with(&["john", "user1"], 1);
    let john = harness.person(0);
    let found = Ok(ConferenceAnswer::Transferee(john));
    assert_eq!(harness.ask(1, named(john)).1, found);
    let by_user = |user: &str| ConferenceRequest::Transfer(Transferee::User(user.into()));
    assert_eq!(harness.ask(1, by_user("JOHN")).1, found);
    for missing in [named(harness.person(1)), named(member(1)), named(member(9)), by_user("bob")] {
        assert_eq!(
            harness.refused(1, missing),
            Rejection::ParticipantNotFound,
            "who talks is meant, a person"
        );
    }
    assert!(harness.connected.contains(&john), "nothing has changed yet");
}

#[test]
fn whoever_is_no_presenter_hands_nobody_over() {
    let mut harness = Harness::meeting(LobbyBypassScope::Everyone);
    harness.join(1);
    harness.input(ConferenceInput::Join(Box::new(guest(2))));
    harness.granted(1, ConferenceRequest::Invite(vec![crate::harness::invitee("john")]));
    let john = harness.person(0);
    harness.leg(john, LegEvent::Answered);
    assert_eq!(harness.refused(2, named(john)), Rejection::NotPresenter);
}

#[test]
fn who_is_handed_over_goes_with_its_leg_and_the_application_after_it() {
    let mut harness = Harness::group_with(&["john", "user1", "user2"], 3);
    let john = harness.person(0);
    release(&mut harness, 0);
    assert!(harness.effects.contains(&ConferenceEffect::Released(john)));
    assert!(!harness.effects.contains(&ConferenceEffect::EndLeg(john)));
    assert_eq!(harness.ending(1), Some(Outcome::Transferred));
    assert_eq!(harness.connected, [harness.person(1), harness.person(2)].into(), "the others talk on");
    harness.leg(john, LegEvent::Ended(EndCause::HungUp));
    assert!(!harness.is_over(), "what becomes of it is another conversation's");
}

#[test]
fn the_last_one_who_is_handed_over_leaves_nobody_behind() {
    let mut harness = Harness::group_with(&["john", "user1"], 1);
    harness.leg(harness.person(1), LegEvent::Ended(EndCause::Busy));
    release(&mut harness, 0);
    assert_eq!(harness.ending(1), Some(Outcome::Transferred), "and not as the others have left");
    assert!(harness.is_over());
}

#[test]
fn a_transferee_who_has_left_is_told_as_gone_and_the_call_goes_on() {
    let mut harness = Harness::group_with(&["john", "user1", "user2"], 3);
    harness.hang_up(0);
    release(&mut harness, 0);
    assert_eq!(harness.told(1).last(), Some(&ConferenceEvent::TransfereeGone));
    assert_eq!(harness.ending(1), None);
    harness.input(ConferenceInput::Leave { call: call(1) });
    release(&mut harness, 1);
    assert!(harness.connected.contains(&harness.person(1)), "who has left asks for nothing");
}

#[test]
fn someone_on_hold_is_handed_over_without_the_music() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let john = harness.person(0);
    let hold = ConferenceRequest::StartHoldMusic { participant: john, prompt: None };
    harness.granted(1, hold);
    assert_eq!(harness.ask(1, named(john)).1, Ok(ConferenceAnswer::Transferee(john)));
    release(&mut harness, 0);
    let place = |wanted: ConferenceEffect| harness.effects.iter().position(|effect| *effect == wanted);
    assert!(place(ConferenceEffect::StopSound(john)) < place(ConferenceEffect::Released(john)));
}

#[test]
fn two_who_are_handed_over_talk_until_one_hangs_up() {
    let mut harness = Harness::group();
    let (john, ann) = (harness.adopt("john"), harness.adopt("ann"));
    assert_eq!(harness.connected, [john, ann].into());
    harness.leg(john, LegEvent::Ended(EndCause::HungUp));
    assert!(harness.effects.contains(&ConferenceEffect::EndLeg(ann)));
    harness.leg(ann, LegEvent::Ended(EndCause::LocalHangUp));
    assert!(harness.is_over());
}

#[test]
fn one_who_hangs_up_before_the_other_comes_leaves_nothing_behind() {
    let mut harness = Harness::group();
    let john = harness.adopt("john");
    harness.leg(john, LegEvent::Ended(EndCause::HungUp));
    assert!(harness.is_over());
}

#[test]
fn whom_a_phone_hands_over_goes_with_its_leg_and_the_phone_is_hung_up() {
    let mut harness = Harness::group();
    let (john, ann) = (harness.adopt("john"), harness.adopt("ann"));
    assert_eq!(harness.conference.counterpart(john), Some(ann));
    harness.input(ConferenceInput::Depart { participant: ann });
    assert!(harness.effects.contains(&ConferenceEffect::Released(ann)));
    assert!(harness.effects.contains(&ConferenceEffect::EndLeg(john)));
    assert_eq!(harness.conference.counterpart(john), None);
}

#[test]
fn a_key_is_pressed_for_the_other_one_where_two_people_are_alone() {
    let mut harness = Harness::group();
    let (john, ann) = (harness.adopt("john"), harness.adopt("ann"));
    harness.leg(john, LegEvent::Tone(Tone::Pound));
    let pressed = ConferenceEffect::SendTone { participant: ann, tone: Tone::Pound };
    assert_eq!(harness.effects.last(), Some(&pressed));

    harness.adopt("bob");
    harness.effects.clear();
    harness.leg(john, LegEvent::Tone(Tone::Pound));
    assert_eq!(harness.effects, [], "nobody knows for whom of several it is");
}

#[test]
fn only_one_of_two_people_has_a_counterpart() {
    let harness = Harness::group_with(&["john", "user1"], 2);
    assert_eq!(harness.conference.counterpart(harness.person(0)), None, "the application is there, too");
    let mut harness = Harness::group();
    let john = harness.adopt("john");
    assert_eq!(harness.conference.counterpart(john), None);
    harness.adopt("ann");
    harness.adopt("bob");
    assert_eq!(harness.conference.counterpart(john), None);
    assert_eq!(harness.conference.counterpart(member(9)), None);
}

#[test]
fn who_takes_somebodys_place_has_the_id_and_is_shown_in_the_roster() {
    let mut harness = Harness::group_with(&["john", "user1"], 2);
    let john = harness.person(0);
    let identity = crate::harness::invitee("ann").target.identity;
    let info = Box::new(model::Participant { identity: identity.clone(), ..model::Participant::default() });
    harness.input(ConferenceInput::PersonReplaced { participant: john, info });
    assert_eq!(harness.conference.person(john).map(|(info, _)| &info.identity), Some(&identity));
    let roster = harness.conference.roster_for(call(1)).unwrap_or_default();
    assert!(roster.iter().any(|shown| shown.id == john && shown.info.identity == identity));
    assert!(harness.connected.contains(&john));
}
