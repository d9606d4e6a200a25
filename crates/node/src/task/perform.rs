use std::sync::Arc;
use std::time::Duration;

use call_engine::{Effect, EndCause, Input, LegEvent};
use model::{
    Call, CallDirection, CallState, Invitee, MediaConfig, MediaState, Notification, NotificationBody, Outcome,
};
use store::{StoreError, Transaction};
use trace::Lane;

use super::CallTask;
use super::link::Link;
use crate::calls::{CallsError, Registered};
use crate::leg::{Caller, Dialling, Leg};
use crate::phone_network::{Payer, own_number};
use crate::recovery::end_later;

/// How often a transaction is tried before the call is given up, and the pause before each further try: five seconds
/// in all, which outlasts a checkpoint or a slow disk.
const COMMIT_PAUSES: [Duration; 6] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(400),
    Duration::from_millis(1000),
    Duration::from_millis(1500),
    Duration::from_millis(2000),
];

impl CallTask {
    /// Performs everything that the last input led to; `false` once the call is over.
    pub(super) async fn perform(&mut self, registered: &Registered) -> bool {
        loop {
            let (transaction, next) = self.gather();
            if !transaction.is_empty()
                && let Err(error) = self.commit(transaction).await
            {
                return self.give_up(error);
            }
            match next {
                None => return true,
                Some(Effect::Ended) => return false,
                Some(act) => self.act(act, registered).await,
            }
        }
    }

    /// Takes what is to be stored together, and the first effect after it.
    fn gather(&mut self) -> (Transaction, Option<Effect>) {
        let mut transaction = Transaction::at(self.context.clock.now());
        let call = self.engine.record().id;
        let next = loop {
            match self.engine.poll_effect() {
                Some(Effect::Persist(record)) => transaction.call = Some(without_secrets(record)),
                Some(Effect::PersistOperation(operation)) => transaction.operations.push((call, *operation)),
                Some(Effect::Notify(notification)) => transaction.notifications.push(*notification),
                other => break other,
            }
        };
        if !transaction.is_empty() {
            transaction.recordings = std::mem::take(&mut self.recordings);
        }
        (transaction, next)
    }

    /// Makes a transaction durable, then hands its notifications on and tells the creator.
    async fn commit(&mut self, transaction: Transaction) -> Result<(), StoreError> {
        let owed = transaction.notifications.clone();
        let began = self.context.clock.elapsed();
        let mut pauses = COMMIT_PAUSES.iter();
        while let Err(error) = self.context.store.commit(transaction.clone()).await {
            // Whoever waits for a call's creation is better served by a quick 503.
            let pause = pauses.next().filter(|_| self.created.is_none() && is_temporary(&error));
            self.context.observer.commit_failed();
            let Some(pause) = pause else { return Err(error) };
            tracing::warn!(call.id = %self.engine.record().id, %error, "failed to store a call's change; trying again");
            tokio::time::sleep(*pause).await;
        }
        self.context.observer.committed(self.context.clock.elapsed().saturating_sub(began));
        self.note_stored(&transaction);
        if !std::mem::replace(&mut self.is_counted, true) {
            self.context.observer.call_created();
        }
        self.observe(&owed);
        // A bot that knows its call's id is easier to write: the answer to its request goes out first.
        if let Some(created) = self.created.take() {
            if let Some(hosted) = &mut self.application {
                hosted.application.begin();
            }
            let _ = created.send(Ok(self.engine.record().clone()));
        }
        self.context.owed.offer(owed);
        Ok(())
    }

    /// Logs and counts what has just become durable: every change that the application is told of.
    fn observe(&mut self, owed: &[Notification]) {
        let observer = &self.context.observer;
        for notification in owed {
            match &notification.body {
                NotificationBody::Operation(operation) => observer.operation_ended(operation),
                NotificationBody::ContentSharing(_) | NotificationBody::Roster(_) => {}
                NotificationBody::Call(call) => {
                    if call.tone.is_none() {
                        log_change(call);
                    }
                    if call.state == CallState::Established && !self.was_established {
                        self.was_established = true;
                        observer.call_established();
                    }
                    if let Some(outcome) = call.outcome.filter(|_| call.state == CallState::Terminated) {
                        observer.call_ended(outcome);
                    }
                }
            }
        }
    }

    /// Ends a call whose state cannot be kept for now: the far end at once, its record as soon as the store takes it.
    fn give_up(&mut self, error: StoreError) -> bool {
        let call = self.engine.record().id;
        tracing::error!(call.id = %call, %error, "failed to store a call's change; the call ends");
        self.link.hang_up();
        self.link = Link::None;
        self.application = None;
        for (_, waiting) in std::mem::take(&mut self.replies) {
            let _ = waiting.send(Err(CallsError::Unavailable(StoreError::Busy)));
        }
        match self.created.take() {
            Some(created) => drop(created.send(Err(error))),
            None => drop(tokio::spawn(end_later(self.context.clone(), call))),
        }
        false
    }

    async fn act(&mut self, act: Effect, registered: &Registered) {
        match act {
            Effect::Reply { command, reply } => {
                if let Some(waiting) = self.replies.remove(&command) {
                    let _ = waiting.send(reply.map_err(CallsError::from));
                }
            }
            Effect::AskConference { command, operation, request } => {
                self.ask_conference(command, operation, request);
            }
            Effect::JoinConference { destination, .. } => self.join(destination),
            Effect::RingLeg { .. } => self.ring_leg(),
            Effect::AnswerLeg { .. } => self.answer_leg(),
            Effect::RejectLeg { why, .. } => self.reject_leg(why),
            Effect::RedirectLeg { targets, .. } => self.redirect_leg(targets, registered).await,
            Effect::ConnectRedirected { target, .. } => self.connect_redirected(target, registered),
            Effect::CancelRedirect { .. } | Effect::CancelTransfer { .. } => self.stop_move(),
            Effect::Transfer { command, target, transferee, .. } => {
                self.transfer(command, *target, transferee, registered).await;
            }
            Effect::StartLeg { invitee, .. } => self.start_leg(&invitee).await,
            Effect::EndLeg { .. } => {
                if !self.link.hang_up() {
                    self.feed(Input::Leg(LegEvent::Ended(EndCause::LocalHangUp)));
                }
            }
            Effect::StartJob { operation, job, .. } => self.start_job(operation, job),
            Effect::CancelJob { operation } => self.cancel_job(operation),
            // `perform` takes these before it comes here.
            Effect::Persist(_) | Effect::PersistOperation(_) | Effect::Notify(_) | Effect::Ended => {}
        }
    }

    async fn start_leg(&mut self, invitee: &Invitee) {
        let line = self.line.take();
        let record = self.engine.record();
        let dialling = Dialling {
            caller: &Caller::Application(record.app.clone()),
            tenant: &record.tenant,
            callee: &invitee.callee,
            payer: Some(payer_of(record)),
            line,
            subject: record.subject.as_deref(),
            label: record.id.to_string(),
        };
        self.note(Lane::Leg, "calling", None);
        let started = match self.open_for_other() {
            Ok(media) => Leg::start(&self.context, dialling, Arc::new(media), self.events()).await,
            Err(error) => {
                tracing::error!(call.id = %record.id, %error, "failed to open a media leg");
                Err(EndCause::Internal)
            }
        };
        match started {
            Ok(leg) => self.link = Link::Leg(Box::new(leg)),
            Err(cause) => self.feed(Input::Leg(LegEvent::Ended(cause))),
        }
    }
}

/// In whose name a call calls numbers.
pub(super) fn payer_of(record: &Call) -> Payer {
    let number = match record.direction {
        CallDirection::Incoming => None,
        CallDirection::Outgoing => own_number(&record.source.identity),
    };
    Payer { app: record.app.clone(), instance: record.application_instance().map(str::to_owned), number }
}

/// The record as it is kept: what connects an application with its call holds tokens and keys, and is worth nothing after a
/// restart.
fn without_secrets(record: Arc<Call>) -> Arc<Call> {
    let MediaConfig::AppHosted { blob: Some(_), remove_from_default_audio_group } = &record.media_config
    else {
        return record;
    };
    let media_config = MediaConfig::AppHosted {
        blob: None,
        remove_from_default_audio_group: *remove_from_default_audio_group,
    };
    Arc::new(Call { media_config, ..Call::clone(&record) })
}

/// Whether the same transaction may succeed a moment later.
const fn is_temporary(error: &StoreError) -> bool {
    match error {
        StoreError::Busy | StoreError::Failed { .. } => true,
        StoreError::Closed
        | StoreError::Conflict { .. }
        | StoreError::Corrupt { .. }
        | StoreError::Invalid(_)
        | StoreError::Taken(_) => false,
    }
}

/// One line for each change of a call's state or media.
fn log_change(call: &Call) {
    let (id, app, scenario) = (call.id, &call.app, &call.scenario);
    let state = match call.state {
        CallState::Incoming => "incoming",
        CallState::Establishing => "establishing",
        CallState::Established => "established",
        CallState::Transferring => "transferring",
        CallState::TransferAccepted => "transferred, as accepted",
        CallState::Redirecting => "redirecting",
        CallState::Terminating => "terminating",
        CallState::Terminated => "terminated",
    };
    let is_held = call.state == CallState::Established && call.media_state == Some(MediaState::Inactive);
    let held = if is_held { ", on hold" } else { "" };
    match call.outcome.map(Outcome::result_info) {
        None => {
            tracing::info!(call.id = %id, app.id = %app, scenario.id = %scenario, "call {id} is {state}{held}")
        }
        Some(result) => tracing::info!(
            call.id = %id, app.id = %app, scenario.id = %scenario, result.code = result.code,
            result.subcode = result.subcode,
            "call {id} is {state}: {}", result.message
        ),
    }
}
