//! What a call does, one behaviour at a time.

use std::time::Duration;

use crate::harness::{CountedIds, Harness, find, operation_of, record_params};
use call_engine::{Command, Config, Effect, EndCause, Input, JobResult, LegEvent, Rejection, recover};
use model::CallState::{Established, Establishing, Terminated, Terminating};
use model::ChangeType::{Deleted, Updated};
use model::{MediaState, NotificationBody, OperationKind, OperationStatus, Outcome, RecordCompletion, Tone};

#[test]
fn an_answered_call_tells_of_establishing_then_established_with_media() {
    let harness = Harness::established();

    assert_eq!(harness.told_states(), [(Updated, Establishing), (Updated, Established)]);
    assert_eq!(harness.call.record().media_state, Some(MediaState::Active));
}

#[test]
fn a_call_that_nobody_answers_is_cancelled_and_ends_as_not_answered() {
    let mut harness = Harness::new(Config::default());
    harness.leg(LegEvent::Ringing);

    harness.advance(Config::default().ringing_timeout);
    assert!(harness.effects.iter().any(|effect| matches!(effect, Effect::EndLeg { .. })));
    harness.leg(LegEvent::Ended(EndCause::LocalHangUp));

    assert_eq!(
        harness.told_states(),
        [(Updated, Establishing), (Updated, Terminating), (Deleted, Terminated)]
    );
    assert_eq!(harness.call.record().outcome, Some(Outcome::NotAnswered));
}

#[test]
fn each_refusal_of_the_callee_has_its_own_result() {
    let results = [
        (EndCause::Busy, 486, 8539),
        (EndCause::Declined, 603, 8538),
        (EndCause::NoEndpoint, 480, 10037),
        (EndCause::Silent, 408, 10057),
        (EndCause::NotFound, 404, 8543),
        (EndCause::RefusedOffer, 488, 8500),
    ];
    for (cause, code, subcode) in results {
        let mut harness = Harness::new(Config::default());
        harness.leg(LegEvent::Ended(cause));

        let info = harness.call.record().outcome.expect("the call has ended").result_info();
        assert_eq!((info.code, info.subcode), (code, subcode), "{cause:?}");
        assert_eq!(harness.told_states(), [(Updated, Establishing), (Deleted, Terminated)]);
    }
}

#[test]
fn hanging_up_is_told_as_terminating_and_ends_without_the_far_ends_good_bye() {
    let mut harness = Harness::established();

    assert!(harness.command(Command::HangUp).is_ok());
    harness.advance(Config::default().terminating_timeout);

    assert_eq!(harness.told_states()[2..], [(Updated, Terminating), (Deleted, Terminated)]);
    assert_eq!(harness.call.record().outcome, Some(Outcome::EndedByBot));
    assert_eq!(harness.command(Command::KeepAlive), Err(Rejection::Ended));
}

#[test]
fn a_call_without_keep_alive_ends_and_one_with_it_lives() {
    let nearly = Config::default().keep_alive_timeout - Duration::from_secs(1);
    let mut harness = Harness::established();
    harness.advance(nearly);
    assert!(harness.command(Command::KeepAlive).is_ok());
    harness.advance(nearly);
    assert_eq!(harness.call.record().state, Established);

    harness.advance(Duration::from_secs(1));
    harness.leg(LegEvent::Ended(EndCause::LocalHangUp));
    assert_eq!(harness.call.record().outcome, Some(Outcome::KeepAliveMissing));
}

#[test]
fn prompts_wait_for_one_another_and_each_completes_once() {
    let mut harness = Harness::established();
    let (first, second) = (harness.play("a"), harness.play("b"));
    assert_eq!(find(&harness, first).status, OperationStatus::Running);
    assert_eq!(find(&harness, second).status, OperationStatus::NotStarted);

    harness.input(Input::JobEnded { operation: first, result: JobResult::Played });
    harness.input(Input::JobEnded { operation: first, result: JobResult::Played });
    assert_eq!(find(&harness, second).status, OperationStatus::Running);
    harness.input(Input::JobEnded { operation: second, result: JobResult::Played });

    assert_eq!(find(&harness, second).outcome, Some(Outcome::ActionCompleted));
    assert_eq!(find(&harness, second).client_context.as_deref(), Some("b"));
    assert_eq!(harness.told_operations().into_values().collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn cancelling_fails_what_runs_and_what_waits_and_stops_only_what_runs() {
    let mut harness = Harness::established();
    let (running, waiting) = (harness.play("a"), harness.play("b"));

    let cancel = harness.command(Command::CancelMediaProcessing { client_context: None });

    assert_eq!(find(&harness, operation_of(cancel)).status, OperationStatus::Completed);
    for id in [running, waiting] {
        assert_eq!(find(&harness, id).outcome, Some(Outcome::OperationCancelled));
        assert_eq!(find(&harness, id).status, OperationStatus::Failed);
    }
    let cancelled: Vec<_> =
        harness.effects.iter().filter(|effect| matches!(effect, Effect::CancelJob { .. })).collect();
    assert_eq!(cancelled, [&Effect::CancelJob { operation: running }]);
}

#[test]
fn a_recording_may_barge_in_on_a_prompt() {
    let mut harness = Harness::established();
    let prompt = harness.play("a");
    let record = Command::RecordResponse { params: record_params(true), client_context: None };
    let recording = operation_of(harness.command(record));

    assert_eq!(find(&harness, prompt).outcome, Some(Outcome::OperationCancelled));
    assert_eq!(harness.running_jobs().into_iter().map(|(id, _)| id).collect::<Vec<_>>(), [recording]);
}

#[test]
fn a_cancelled_recording_has_a_reason_and_an_empty_location() {
    let mut harness = Harness::established();
    let record = Command::RecordResponse { params: record_params(false), client_context: None };
    let recording = operation_of(harness.command(record));
    assert!(harness.command(Command::CancelMediaProcessing { client_context: None }).is_ok());

    let OperationKind::Record { completion, location, .. } = find(&harness, recording).kind else {
        panic!("a recording stays a recording");
    };
    assert_eq!(completion, Some(RecordCompletion::OperationCanceled));
    assert_eq!(location.as_deref(), Some(""));
}

#[test]
fn keys_are_told_only_after_subscribing_and_count_up() {
    let mut harness = Harness::established();
    harness.leg(LegEvent::Tone(Tone::Digit(9)));
    assert!(harness.command(Command::SubscribeToTone { client_context: None }).is_ok());
    harness.leg(LegEvent::Tone(Tone::Digit(1)));
    harness.leg(LegEvent::Tone(Tone::Pound));

    let told: Vec<_> = harness
        .notifications()
        .into_iter()
        .filter_map(|notification| match &notification.body {
            NotificationBody::Call(call) => call.tone,
            NotificationBody::ContentSharing(_)
            | NotificationBody::Operation(_)
            | NotificationBody::Roster(_) => None,
        })
        .map(|info| (info.sequence_id, info.tone))
        .collect();
    assert_eq!(told, [(2, Tone::Digit(1)), (3, Tone::Pound)]);
}

#[test]
fn a_key_is_not_told_again_with_a_later_change() {
    let mut harness = Harness::established();
    assert!(harness.command(Command::SubscribeToTone { client_context: None }).is_ok());
    harness.leg(LegEvent::Tone(Tone::Digit(1)));

    harness.leg(LegEvent::Held(true));

    let last = harness.notifications().into_iter().next_back().expect("hold is told");
    assert!(matches!(&last.body, NotificationBody::Call(call)
        if call.tone.is_none() && call.media_state == Some(MediaState::Inactive)));
}

#[test]
fn a_hang_up_completes_what_is_under_way_before_the_call_is_deleted() {
    let mut harness = Harness::established();
    let prompt = harness.play("a");

    harness.leg(LegEvent::Ended(EndCause::HungUp));

    assert_eq!(find(&harness, prompt).outcome, Some(Outcome::CallEndedDuringOperation));
    let sequences: Vec<_> = harness.notifications().into_iter().map(|told| told.sequence).collect();
    assert_eq!(sequences, (1..=4).collect::<Vec<_>>());
    assert!(harness.notifications().last().is_some_and(|last| last.is_last()));
    assert_eq!(harness.call.record().outcome, Some(Outcome::EndedByPeer));
}

#[test]
fn media_commands_before_the_answer_are_refused() {
    let mut harness = Harness::new(Config::default());
    let refused = harness.command(Command::SubscribeToTone { client_context: None });
    assert_eq!(refused, Err(Rejection::NotEstablished));
}

#[test]
fn more_operations_than_the_limit_are_refused() {
    let mut harness = Harness::established();
    for _ in 0..Config::default().max_waiting_operations {
        harness.play("waits");
    }
    let command = Command::PlayPrompt { prompts: vec![crate::harness::prompt()], client_context: None };
    assert_eq!(harness.command(command), Err(Rejection::TooManyOperations));
}

#[test]
fn a_restart_completes_operations_and_ends_the_call_with_its_deletion_last() {
    let mut harness = Harness::established();
    harness.play("a");
    let record = harness.call.record().clone();
    let operations: Vec<_> = harness.call.operations().cloned().collect();

    let effects = recover(
        record.clone(),
        operations,
        Outcome::ServerRestarted,
        harness.now,
        &mut CountedIds::default(),
    );

    let told: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Notify(told) => Some((told.sequence, told.is_last())),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(record.notified + 1, false), (record.notified + 2, true)]);
    assert!(effects.iter().all(Effect::is_stored));
}
