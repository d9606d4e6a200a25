//! What holds on every path: random histories against the promises of a call.

use std::time::Duration;

use crate::harness::{Harness, app_hosted, new_call, record_params};
use call_engine::{Command, Config, Effect, EndCause, Input, JobResult, LegEvent};
use model::{CallState, NotificationBody, OperationKind, Outcome, RecordCompletion, Tone};
use proptest::prelude::*;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Advance(u64),
    Answered,
    ApplicationMediaLost,
    Cancel,
    Ended(EndCause),
    FinishOldestJob(bool),
    HangUp,
    Held(bool),
    KeepAlive,
    Play,
    Record(bool),
    SendTones,
    Subscribe,
    Tone,
}

fn step() -> impl Strategy<Value = Step> {
    let cause = prop_oneof![
        Just(EndCause::Busy),
        Just(EndCause::HungUp),
        Just(EndCause::LocalHangUp),
        Just(EndCause::MediaLost),
        Just(EndCause::Vanished),
    ];
    prop_oneof![
        2 => (0..4_000_000_u64).prop_map(Step::Advance),
        3 => Just(Step::Answered),
        1 => Just(Step::ApplicationMediaLost),
        1 => Just(Step::Cancel),
        1 => cause.prop_map(Step::Ended),
        4 => any::<bool>().prop_map(Step::FinishOldestJob),
        1 => Just(Step::HangUp),
        1 => any::<bool>().prop_map(Step::Held),
        2 => Just(Step::KeepAlive),
        4 => Just(Step::Play),
        2 => any::<bool>().prop_map(Step::Record),
        2 => Just(Step::SendTones),
        1 => Just(Step::Subscribe),
        2 => Just(Step::Tone),
    ]
}

fn take(harness: &mut Harness, step: &Step) {
    match step {
        Step::Advance(millis) => harness.advance(Duration::from_millis(*millis)),
        Step::Answered => harness.leg(LegEvent::Answered),
        Step::ApplicationMediaLost => harness.input(Input::ApplicationMediaLost),
        Step::Cancel => drop(harness.command(Command::CancelMediaProcessing { client_context: None })),
        Step::Ended(cause) => harness.leg(LegEvent::Ended(*cause)),
        Step::FinishOldestJob(is_done) => finish_oldest(harness, *is_done),
        Step::HangUp => drop(harness.command(Command::HangUp)),
        Step::Held(is_held) => harness.leg(LegEvent::Held(*is_held)),
        Step::KeepAlive => drop(harness.command(Command::KeepAlive)),
        Step::Play => {
            let prompts = vec![crate::harness::prompt()];
            drop(harness.command(Command::PlayPrompt { prompts, client_context: None }));
        }
        Step::Record(barge_in) => {
            let params = record_params(*barge_in);
            drop(harness.command(Command::RecordResponse { params, client_context: None }));
        }
        Step::SendTones => {
            let tones = vec![Tone::Star];
            let command = Command::SendDtmfTones { tones, delay_between_tones_ms: 0, client_context: None };
            drop(harness.command(command));
        }
        Step::Subscribe => drop(harness.command(Command::SubscribeToTone { client_context: None })),
        Step::Tone => harness.leg(LegEvent::Tone(Tone::Pound)),
    }
}

fn finish_oldest(harness: &mut Harness, is_done: bool) {
    let unfinished =
        harness.running_jobs().into_iter().find(|(id, _)| !harness.told_operations().contains_key(id));
    let Some((operation, job)) = unfinished else { return };
    let result = match (is_done, job) {
        (false, _) => JobResult::Failed(Outcome::PromptDownloadFailed),
        (true, call_engine::Job::Play { .. }) => JobResult::Played,
        (true, call_engine::Job::SendTones { .. }) => JobResult::TonesSent,
        (true, call_engine::Job::Record { .. }) => JobResult::Recorded {
            completion: RecordCompletion::MaxSilenceTimeout,
            location: Some("https://localhost/recording".to_owned()),
            access_token: Some("token".to_owned()),
        },
    };
    harness.input(Input::JobEnded { operation, result });
}

fn begun(is_app_hosted: bool) -> Harness {
    let new = if is_app_hosted { app_hosted(new_call()) } else { new_call() };
    Harness::of(new, Config::default())
}

/// Whether the server does it whoever hosts the media.
const fn is_for_all(kind: &OperationKind) -> bool {
    matches!(kind, OperationKind::SendDtmfTones { .. })
}

/// Lets time pass and the far end obey until the call is over.
fn run_out(harness: &mut Harness) {
    while let Some(deadline) = harness.call.poll_timeout() {
        harness.advance(deadline.since(harness.now));
    }
}

/// Every step shows the call as the last notification of the call did.
fn assert_shown_as_told(harness: &Harness) {
    let told = harness.notifications().into_iter().rev().find_map(|notification| match &notification.body {
        NotificationBody::Call(call) => Some((**call).clone()),
        NotificationBody::Operation(_) | NotificationBody::Roster(_) => None,
    });
    let mut told = told.expect("a call is told of from its beginning");
    told.notified = harness.call.record().notified;
    assert_eq!(&told, harness.call.record());
}

proptest! {
    #[test]
    fn every_call_ends_and_every_promise_is_kept(
        is_app_hosted: bool,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut harness = begun(is_app_hosted);
        let mut is_program_gone = false;
        for step in &steps {
            let is_alive = matches!(harness.call.record().state, CallState::Establishing | CallState::Established);
            is_program_gone |= is_alive && matches!(step, Step::ApplicationMediaLost);
            take(&mut harness, step);
            assert_shown_as_told(&harness);
        }
        run_out(&mut harness);

        let outcome = harness.call.record().outcome;
        prop_assert!(!is_program_gone || outcome == Some(Outcome::MediaLost), "{outcome:?}");
        prop_assert!(harness.call.operations().all(|operation| !is_app_hosted || is_for_all(&operation.kind)));

        prop_assert_eq!(harness.call.record().state, CallState::Terminated);
        let notifications = harness.notifications();
        prop_assert_eq!(notifications.iter().filter(|told| told.is_last()).count(), 1);
        prop_assert!(notifications.last().is_some_and(|told| told.is_last()));
        let sequences: Vec<_> = notifications.iter().map(|told| told.sequence).collect();
        prop_assert_eq!(sequences, (1..=notifications.len() as u64).collect::<Vec<_>>());

        let started = harness.effects.iter().filter(|effect| matches!(effect, Effect::Ended)).count();
        prop_assert_eq!(started, 1);
        prop_assert!(harness.told_operations().values().all(|times| *times == 1));
        prop_assert!(harness.call.operations().all(|operation| operation.status.is_final()));
    }

    #[test]
    fn nothing_follows_the_end(steps in prop::collection::vec(step(), 0..30)) {
        let mut harness = Harness::established();
        harness.leg(LegEvent::Ended(EndCause::HungUp));
        harness.effects.clear();
        for step in &steps {
            take(&mut harness, step);
        }
        let only_replies = harness.effects.iter().all(|effect| matches!(effect, Effect::Reply { reply: Err(_), .. }));
        prop_assert!(only_replies, "{:?}", harness.effects);
    }

    #[test]
    fn the_same_history_has_the_same_effects(
        is_app_hosted: bool,
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let play = || {
            let mut harness = begun(is_app_hosted);
            steps.iter().for_each(|step| take(&mut harness, step));
            harness.effects
        };
        prop_assert_eq!(play(), play());
    }
}
