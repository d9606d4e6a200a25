//! Calls whose application hosts the media: what they refuse, and what happens when its program is gone.

use call_engine::{
    Command, CommandId, ConferenceAnswer, ConferenceEvent, ConferenceRequest, Config, Effect, EndCause,
    Input, Job, LegEvent, Rejection, Reply,
};
use model::CallState::{Established, Establishing, Terminated, Terminating};
use model::ChangeType::{Deleted, Updated};
use model::{Outcome, ParticipantId, ScreenSharingRole, Tone};
use uuid::Uuid;

use crate::harness::{
    Harness, app_hosted, find, group, invitee, new_call, operation_of, prompt, record_params,
};

fn established() -> Harness {
    let mut harness = Harness::of(app_hosted(new_call()), Config::default());
    harness.leg(LegEvent::Answered);
    harness
}

/// A group call that is in its conference.
fn joined(is_app_hosted: bool) -> Harness {
    let new = group(if is_app_hosted { app_hosted(new_call()) } else { new_call() });
    let mut harness = Harness::of(new, Config::default());
    harness.input(Input::Conference(ConferenceEvent::Joined));
    harness.effects.clear();
    harness
}

fn for_service_hosted() -> [Command; 4] {
    [
        Command::PlayPrompt { prompts: vec![prompt()], client_context: None },
        Command::RecordResponse { params: record_params(true), client_context: None },
        Command::SubscribeToTone { client_context: None },
        Command::CancelMediaProcessing { client_context: None },
    ]
}

fn send_tones() -> Command {
    Command::SendDtmfTones { tones: vec![Tone::Star], delay_between_tones_ms: 0, client_context: None }
}

fn ask(harness: &mut Harness, id: u64, request: ConferenceRequest) {
    let command = Command::Conference { request, client_context: None };
    harness.input(Input::Command { id: CommandId(id), command });
}

/// What was passed on to the conference.
fn asked(harness: &Harness) -> Vec<(CommandId, ConferenceRequest)> {
    harness
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::AskConference { command, request, .. } => Some((*command, request.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn what_the_server_plays_records_and_tells_of_is_refused_where_the_application_hosts_the_media() {
    let mut harness = established();
    for command in for_service_hosted() {
        harness.effects.clear();
        assert_eq!(harness.command(command.clone()), Err(Rejection::NeedsServiceHostedMedia), "{command:?}");
        assert_eq!(harness.effects.len(), 1, "nothing but the reply: {command:?}");
        assert!(Harness::established().command(command).is_ok(), "other calls may do so");
    }
    assert_eq!(harness.call.operations().count(), 0);
}

#[test]
fn before_the_answer_and_after_the_end_the_state_is_the_reason() {
    for command in for_service_hosted() {
        let mut harness = Harness::of(app_hosted(new_call()), Config::default());
        assert_eq!(harness.command(command.clone()), Err(Rejection::NotEstablished), "{command:?}");
        harness.leg(LegEvent::Ended(EndCause::HungUp));
        assert_eq!(harness.command(command.clone()), Err(Rejection::Ended), "{command:?}");
    }
}

#[test]
fn keys_are_sent_for_an_application_that_hosts_its_media_and_none_are_told() {
    let mut harness = established();
    let operation = operation_of(harness.command(send_tones()));
    assert!(
        harness
            .running_jobs()
            .iter()
            .any(|(id, job)| *id == operation && matches!(job, Job::SendTones { .. }))
    );
    harness.effects.clear();
    harness.leg(LegEvent::Tone(Tone::Pound));
    assert_eq!(harness.effects, [], "its own program hears them");
}

#[test]
fn an_application_that_hosts_its_media_keeps_its_call_alive_invites_and_hangs_up() {
    let mut harness = established();
    assert_eq!(harness.command(Command::KeepAlive), Ok(Reply::Done));
    let invite = ConferenceRequest::Invite(vec![invitee("user1")]);
    ask(&mut harness, 100, invite.clone());
    assert_eq!(asked(&harness), [(CommandId(100), invite)]);
    assert_eq!(harness.command(Command::HangUp), Ok(Reply::Done));
    assert_eq!(harness.call.record().state, Terminating);
}

#[test]
fn whoever_hosts_the_media_may_ask_a_conference_for_everything_but_to_share_a_screen() {
    let everyone = [
        ConferenceRequest::MuteSelf,
        ConferenceRequest::Mute(ParticipantId::from(Uuid::from_u128(1))),
        ConferenceRequest::Invite(vec![invitee("user1")]),
    ];
    for (is_app_hosted, request) in
        [true, false].into_iter().flat_map(|hosts| everyone.clone().map(|request| (hosts, request)))
    {
        let mut harness = joined(is_app_hosted);
        ask(&mut harness, 1, request.clone());
        assert_eq!(asked(&harness), [(CommandId(1), request)]);
    }

    let share = ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Sharer);
    let mut harness = joined(false);
    ask(&mut harness, 1, share.clone());
    let reply = Err(Rejection::NeedsAppHostedMedia);
    assert_eq!(harness.effects, [Effect::Reply { command: CommandId(1), reply }]);

    for (answer, reply) in [
        (Ok(ConferenceAnswer::Done), Ok(Reply::Done)),
        (Err(Rejection::NotEstablished), Err(Rejection::NotEstablished)),
    ] {
        let mut harness = joined(true);
        ask(&mut harness, 1, share.clone());
        assert_eq!(asked(&harness), [(CommandId(1), share.clone())], "the conference decides");
        harness.input(Input::Conference(ConferenceEvent::Answered { command: CommandId(1), answer }));
        assert_eq!(harness.effects.last(), Some(&Effect::Reply { command: CommandId(1), reply }));
    }
}

#[test]
fn a_call_between_two_shares_no_screen_whoever_hosts_the_media() {
    let share = ConferenceRequest::ChangeScreenSharingRole(ScreenSharingRole::Viewer);
    for mut harness in [Harness::established(), established()] {
        let command = Command::Conference { request: share.clone(), client_context: None };
        assert_eq!(harness.command(command), Err(Rejection::NotGroupCall));
    }
}

#[test]
fn who_speaks_most_changes_nothing_in_the_call() {
    let mut harness = joined(true);
    let before = harness.call.record().clone();
    let speaker = Some((ParticipantId::from(Uuid::from_u128(1)), 10));
    harness.input(Input::Conference(ConferenceEvent::Dominant(speaker)));
    assert_eq!((harness.effects.as_slice(), harness.call.record()), (&[][..], &before));
}

/// Lets the leg obey, and says how the call was told to end.
fn ending(harness: &mut Harness) -> (usize, Option<Outcome>) {
    harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
    let ends = harness.effects.iter().filter(|effect| matches!(effect, Effect::EndLeg { .. })).count();
    assert_eq!(harness.effects.iter().filter(|effect| matches!(effect, Effect::Ended)).count(), 1);
    (ends, harness.call.record().outcome)
}

#[test]
fn a_call_ends_while_it_is_set_up_when_its_application_is_gone() {
    let mut harness = Harness::of(app_hosted(new_call()), Config::default());
    harness.input(Input::ApplicationMediaLost);
    assert_eq!(ending(&mut harness), (1, Some(Outcome::MediaLost)));
    let told = [(Updated, Establishing), (Updated, Terminating), (Deleted, Terminated)];
    assert_eq!(harness.told_states(), told);
}

#[test]
fn an_established_call_ends_with_what_is_under_way_when_its_application_is_gone() {
    let mut harness = established();
    let sending = operation_of(harness.command(send_tones()));
    harness.input(Input::ApplicationMediaLost);
    harness.input(Input::ApplicationMediaLost);
    assert_eq!(find(&harness, sending).outcome, Some(Outcome::CallEndedDuringOperation));
    assert_eq!(ending(&mut harness), (1, Some(Outcome::MediaLost)));
    let told =
        [(Updated, Establishing), (Updated, Established), (Updated, Terminating), (Deleted, Terminated)];
    assert_eq!(harness.told_states(), told);
}

#[test]
fn a_call_whose_leg_does_not_obey_ends_all_the_same_when_its_application_is_gone() {
    let mut harness = established();
    harness.input(Input::ApplicationMediaLost);
    harness.advance(Config::default().terminating_timeout);
    let record = harness.call.record();
    assert_eq!((record.state, record.outcome), (Terminated, Some(Outcome::MediaLost)));
}

#[test]
fn a_group_call_leaves_its_conference_when_its_application_is_gone() {
    let mut harness = joined(true);
    harness.input(Input::ApplicationMediaLost);
    assert!(harness.effects.iter().any(|effect| matches!(effect, Effect::EndLeg { .. })));
    harness.input(Input::Conference(ConferenceEvent::Ended(Outcome::EndedByBot)));
    assert_eq!(harness.call.record().outcome, Some(Outcome::MediaLost));
}

#[test]
fn a_call_that_ends_already_keeps_its_reason_when_its_application_is_gone() {
    let mut harness = established();
    assert!(harness.command(Command::HangUp).is_ok());
    harness.effects.clear();
    harness.input(Input::ApplicationMediaLost);
    assert_eq!(harness.effects, [], "it is told of once");
    harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
    assert_eq!(harness.call.record().outcome, Some(Outcome::EndedByBot));

    let ended = harness.call.record().clone();
    harness.effects.clear();
    harness.input(Input::ApplicationMediaLost);
    assert_eq!((harness.effects.as_slice(), harness.call.record()), (&[][..], &ended));
}
