//! What holds on every path: random histories against the promises of a call.

use std::time::Duration;

use crate::harness::{Harness, answer, app_hosted, new_call, record_params, redirect, transfer};
use call_engine::{
    Command, CommandId, Config, Effect, EndCause, Input, JobResult, LegEvent, RedirectEvent, TransferEvent,
};
use model::{CallState, NotificationBody, OperationKind, Outcome, RecordCompletion, RejectReason, Tone};
use proptest::prelude::*;

/// One step of a history.
#[derive(Clone, Debug)]
enum Step {
    Advance(u64),
    Answer,
    Answered,
    ApplicationMediaLost,
    Cancel,
    Ended(EndCause),
    FinishOldestJob(bool),
    HangUp,
    Held(bool),
    KeepAlive,
    LegTaken,
    PartyReplaced,
    Play,
    Record(bool),
    Redirect,
    Reject,
    SendTones,
    Subscribe,
    Target(usize, bool),
    Tone,
    Transfer,
    Transferred(TransferEvent),
}

fn step() -> impl Strategy<Value = Step> {
    let cause = prop_oneof![
        Just(EndCause::Busy),
        Just(EndCause::HungUp),
        Just(EndCause::LocalHangUp),
        Just(EndCause::MediaLost),
        Just(EndCause::Vanished),
    ];
    let told = prop_oneof![
        3 => Just(TransferEvent::Accepted),
        1 => Just(TransferEvent::Done),
        2 => Just(TransferEvent::Failed),
    ];
    prop_oneof![
        2 => (0..4_000_000_u64).prop_map(Step::Advance),
        2 => (0..20_000_u64).prop_map(Step::Advance),
        3 => Just(Step::Answer),
        3 => Just(Step::Answered),
        1 => Just(Step::ApplicationMediaLost),
        1 => Just(Step::Cancel),
        1 => cause.prop_map(Step::Ended),
        4 => any::<bool>().prop_map(Step::FinishOldestJob),
        1 => Just(Step::HangUp),
        1 => any::<bool>().prop_map(Step::Held),
        2 => Just(Step::KeepAlive),
        1 => Just(Step::LegTaken),
        1 => Just(Step::PartyReplaced),
        4 => Just(Step::Play),
        2 => any::<bool>().prop_map(Step::Record),
        2 => Just(Step::Redirect),
        1 => Just(Step::Reject),
        2 => Just(Step::SendTones),
        1 => Just(Step::Subscribe),
        3 => (0..3_usize, any::<bool>()).prop_map(|(target, answers)| Step::Target(target, answers)),
        2 => Just(Step::Tone),
        3 => Just(Step::Transfer),
        3 => told.prop_map(Step::Transferred),
    ]
}

fn take(harness: &mut Harness, step: &Step) {
    match step {
        Step::Advance(millis) => harness.advance(Duration::from_millis(*millis)),
        Step::Answer => drop(harness.command(answer())),
        Step::Answered => harness.leg(LegEvent::Answered),
        Step::ApplicationMediaLost => harness.input(Input::ApplicationMediaLost),
        Step::Cancel => drop(harness.command(Command::CancelMediaProcessing { client_context: None })),
        Step::Ended(cause) => harness.leg(LegEvent::Ended(*cause)),
        Step::FinishOldestJob(is_done) => finish_oldest(harness, *is_done),
        Step::HangUp => drop(harness.command(Command::HangUp)),
        Step::Held(is_held) => harness.leg(LegEvent::Held(*is_held)),
        Step::KeepAlive => drop(harness.command(Command::KeepAlive)),
        Step::LegTaken => harness.input(Input::LegTaken),
        Step::PartyReplaced => harness.replace_party("ann"),
        Step::Play => {
            let prompts = vec![crate::harness::prompt()];
            drop(harness.command(Command::PlayPrompt { prompts, client_context: None }));
        }
        Step::Record(barge_in) => {
            let params = record_params(*barge_in);
            drop(harness.command(Command::RecordResponse { params, client_context: None }));
        }
        Step::Redirect => drop(harness.command(Command::Redirect(redirect(&["john", "ann"])))),
        Step::Reject => {
            drop(harness.command(Command::Reject { reason: RejectReason::Busy, callback_uri: None }));
        }
        Step::SendTones => {
            let tones = vec![Tone::Star];
            let command = Command::SendDtmfTones { tones, delay_between_tones_ms: 0, client_context: None };
            drop(harness.command(command));
        }
        Step::Subscribe => drop(harness.command(Command::SubscribeToTone { client_context: None })),
        Step::Target(target, answers) => {
            let event =
                if *answers { RedirectEvent::Answered } else { RedirectEvent::Failed(EndCause::Busy) };
            harness.input(Input::Redirect { target: *target, event });
        }
        Step::Tone => harness.leg(LegEvent::Tone(Tone::Pound)),
        Step::Transfer => drop(harness.command(transfer("ann", None))),
        Step::Transferred(event) => {
            if let Some(command) = latest_transfer(harness) {
                harness.input(Input::Transfer { command, event: *event });
            }
        }
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

/// The transfer that was begun last, under way or not.
fn latest_transfer(harness: &Harness) -> Option<CommandId> {
    harness.effects.iter().rev().find_map(|effect| match effect {
        Effect::Transfer { command, .. } => Some(*command),
        _ => None,
    })
}

/// How a history begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begin {
    AppHosted,
    Incoming,
    ServiceHosted,
}

fn begin() -> impl Strategy<Value = Begin> {
    prop_oneof![Just(Begin::AppHosted), Just(Begin::Incoming), Just(Begin::ServiceHosted)]
}

fn begun(begin: Begin) -> Harness {
    match begin {
        Begin::AppHosted => Harness::of(app_hosted(new_call()), Config::default()),
        Begin::Incoming => Harness::incoming(),
        Begin::ServiceHosted => Harness::new(Config::default()),
    }
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

/// Every step shows the call as the last notification of the call did; but nobody is told that it is sent on.
fn assert_shown_as_told(harness: &Harness) {
    if harness.call.record().state == CallState::Redirecting {
        return;
    }
    let told = harness.notifications().into_iter().rev().find_map(|notification| match &notification.body {
        NotificationBody::Call(call) => Some((**call).clone()),
        NotificationBody::ContentSharing(_)
        | NotificationBody::Operation(_)
        | NotificationBody::Roster(_) => None,
    });
    let mut told = told.expect("a call is told of from its beginning");
    told.notified = harness.call.record().notified;
    assert_eq!(&told, harness.call.record());
}

/// What whoever performs the effects may rely on: a small model of what is under way in a call's name.
#[derive(Debug)]
struct Model {
    seen: usize,
    leg: ModelLeg,
    /// Whether it rings at those whom the call was sent on to.
    redirects: bool,
    transfer: Option<CommandId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ModelLeg {
    /// A caller who hears it ring.
    Rings,
    /// Connected, or about to be.
    Up,
    /// Told to end, refused, or someone else's.
    Gone,
}

impl Model {
    fn of(harness: &Harness) -> Self {
        let mut model = Self { seen: 0, leg: ModelLeg::Gone, redirects: false, transfer: None };
        model.follow(harness);
        model
    }

    /// Performs what has been asked for since it last looked, and refuses what makes no sense.
    fn follow(&mut self, harness: &Harness) {
        let effects = &harness.effects[self.seen..];
        effects.iter().for_each(|effect| self.perform(effect));
        if effects.iter().any(tells_of_a_transfers_end) {
            self.transfer = None;
        }
        self.seen = harness.effects.len();
        let state = harness.call.record().state;
        assert_eq!(self.redirects, state == CallState::Redirecting, "who rings is called for a reason");
        let is_moving = matches!(state, CallState::Transferring | CallState::TransferAccepted);
        assert!(self.transfer.is_none() || is_moving, "a transfer is stopped when it is no more");
    }

    fn perform(&mut self, effect: &Effect) {
        match effect {
            Effect::RingLeg { .. } => self.leg = ModelLeg::Rings,
            Effect::StartLeg { .. } => self.leg = ModelLeg::Up,
            Effect::AnswerLeg { .. } => {
                assert_eq!(self.leg, ModelLeg::Rings, "a call is answered once");
                self.leg = ModelLeg::Up;
            }
            Effect::RedirectLeg { .. } => {
                assert!(self.leg == ModelLeg::Rings && !self.redirects);
                self.redirects = true;
            }
            Effect::ConnectRedirected { .. } => {
                assert!(self.leg == ModelLeg::Rings && std::mem::take(&mut self.redirects));
                self.leg = ModelLeg::Gone;
            }
            Effect::CancelRedirect { .. } => assert!(std::mem::take(&mut self.redirects)),
            Effect::RejectLeg { .. } => {
                assert_eq!(self.leg, ModelLeg::Rings, "who was answered is not refused");
                // All who were called may have failed by themselves.
                (self.leg, self.redirects) = (ModelLeg::Gone, false);
            }
            Effect::EndLeg { .. } => {
                assert_eq!(self.leg, ModelLeg::Up, "a leg is ended once, and only while it is the call's");
                self.leg = ModelLeg::Gone;
            }
            Effect::Transfer { command, .. } => {
                assert_eq!((self.leg, self.transfer.replace(*command)), (ModelLeg::Up, None));
            }
            Effect::CancelTransfer { command } => assert_eq!(self.transfer.take(), Some(*command)),
            Effect::Ended => assert!(!self.redirects, "nobody rings for a call that is over"),
            _ => {}
        }
    }

    fn assert_over(&self) {
        assert!(!self.redirects && self.transfer.is_none(), "{self:?}");
    }
}

/// Whether a transfer has succeeded, or failed: if it did so by itself, it needs no stopping.
fn tells_of_a_transfers_end(effect: &Effect) -> bool {
    let Effect::Notify(told) = effect else { return false };
    let NotificationBody::Call(call) = &told.body else { return false };
    matches!(
        call.outcome,
        Some(Outcome::Transferred | Outcome::TransferFailed | Outcome::ConsultativeTransferFailed)
    )
}

proptest! {
    #[test]
    fn every_call_ends_and_every_promise_is_kept(
        begin in begin(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let is_app_hosted = begin == Begin::AppHosted;
        let mut harness = begun(begin);
        let mut model = Model::of(&harness);
        let mut is_program_gone = false;
        for step in &steps {
            let state = harness.call.record().state;
            let is_alive = state == CallState::Establishing || state.is_connected();
            is_program_gone |= is_alive && matches!(step, Step::ApplicationMediaLost);
            take(&mut harness, step);
            assert_shown_as_told(&harness);
            model.follow(&harness);
        }
        run_out(&mut harness);

        let outcome = harness.call.record().outcome;
        prop_assert!(!is_program_gone || outcome == Some(Outcome::MediaLost), "{outcome:?}");
        model.follow(&harness);
        model.assert_over();
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
        begin in begin(),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let play = || {
            let mut harness = begun(begin);
            steps.iter().for_each(|step| take(&mut harness, step));
            harness.effects
        };
        prop_assert_eq!(play(), play());
    }
}
