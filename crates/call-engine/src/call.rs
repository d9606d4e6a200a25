use model::{
    CallDirection, CallId, CallState, ChainId, ChangeType, IdSource, Identity, IdentitySet, LegId,
    MediaState, NewCall, Notification, NotificationBody, NotificationId, Operation, OperationId,
    OperationKind, OperationStatus, Outcome, Participant, ParticipantId, ScenarioId, Timestamp, ToneInfo,
};

use crate::ending::outcome_of;
use crate::operations::{self, Line, Operations};
use crate::pending::Pending;
use crate::timers::Deadline;
use crate::{Command, CommandId, Config, Effect, EndCause, Input, JobResult, LegEvent, Rejection, Reply};

/// One call. See the crate's page for the order in which its methods are used.
#[derive(Debug)]
pub struct Call {
    config: Config,
    record: model::Call,
    leg: LegId,
    operations: Operations,
    is_subscribed_to_tones: bool,
    tones_heard: i64,
    /// The ending that a call in `Terminating` will have.
    ending: Option<Outcome>,
    deadline: Option<Deadline>,
    pending: Pending,
}

impl Call {
    /// Makes a call and asks for its leg.
    pub fn create(new: NewCall, leg: LegId, config: Config, now: Timestamp, ids: &mut dyn IdSource) -> Self {
        let callee = new.callee.clone();
        let mut call = Self {
            deadline: Some(Deadline::Ringing(now.after(config.ringing_timeout))),
            config,
            record: record_of(new, now, ids),
            leg,
            operations: Operations::default(),
            is_subscribed_to_tones: false,
            tones_heard: 0,
            ending: None,
            pending: Pending::default(),
        };
        call.show_change(ChangeType::Updated, now, ids);
        call.pending.act(Effect::StartLeg { leg, callee });
        call
    }

    /// The call as it is shown.
    pub fn record(&self) -> &model::Call {
        &self.record
    }

    /// The call's operations, oldest first.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter()
    }

    /// One operation of the call.
    pub fn operation(&self, id: OperationId) -> Option<&Operation> {
        self.operations.find(id)
    }

    /// Takes one input. Inputs after the end, or about things that are over, change nothing.
    pub fn handle(&mut self, input: Input, now: Timestamp, ids: &mut dyn IdSource) {
        match input {
            Input::Command { id, command } => self.command(id, command, now, ids),
            Input::Leg(_) | Input::JobEnded { .. } if self.is_over() => {}
            Input::Leg(event) => self.leg_event(event, now, ids),
            Input::JobEnded { operation, result } => {
                self.complete(operation, result, now, ids);
                self.start_waiting();
            }
        }
    }

    /// Acts on a deadline that has passed; does nothing before it.
    pub fn handle_timeout(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        match self.deadline.filter(|deadline| deadline.at() <= now) {
            None => {}
            Some(Deadline::Ringing(_)) => self.terminate(Outcome::NotAnswered, now, ids),
            Some(Deadline::KeepAlive(_)) => self.terminate(Outcome::KeepAliveMissing, now, ids),
            Some(Deadline::Terminating(_)) => self.end(self.ending.unwrap_or(Outcome::EndedByBot), now, ids),
        }
    }

    /// What is to be done next, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.pending.pop()
    }

    /// When [`Call::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline.map(Deadline::at)
    }

    fn is_over(&self) -> bool {
        self.record.state == CallState::Terminated
    }

    fn command(&mut self, id: CommandId, command: Command, now: Timestamp, ids: &mut dyn IdSource) {
        let reply = match (self.record.state, command) {
            (CallState::Terminated | CallState::Terminating, _) => Err(Rejection::Ended),
            (_, Command::HangUp) => {
                let is_established = self.record.state == CallState::Established;
                let outcome = if is_established { Outcome::EndedByBot } else { Outcome::CancelledByBot };
                self.terminate(outcome, now, ids);
                Ok(Reply::Done)
            }
            (_, Command::KeepAlive) => {
                if let Some(Deadline::KeepAlive(_)) = self.deadline {
                    self.deadline = Some(Deadline::KeepAlive(now.after(self.config.keep_alive_timeout)));
                }
                Ok(Reply::Done)
            }
            (CallState::Established, command) => self.media_command(command, now, ids),
            (CallState::Incoming | CallState::Establishing, _) => Err(Rejection::NotEstablished),
        };
        self.pending.reply(id, reply);
    }

    fn media_command(
        &mut self,
        command: Command,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<Reply, Rejection> {
        match command {
            Command::PlayPrompt { prompts, client_context } => {
                self.enqueue(operations::play(prompts), client_context, ids)
            }
            Command::RecordResponse { params, client_context } => {
                if params.barge_in_allowed {
                    self.cancel_line(Line::Media, now, ids);
                }
                self.enqueue(operations::record(params), client_context, ids)
            }
            Command::SendDtmfTones { tones, delay_between_tones_ms, client_context } => {
                self.enqueue(operations::send_tones(tones, delay_between_tones_ms), client_context, ids)
            }
            Command::SubscribeToTone { client_context } => {
                self.is_subscribed_to_tones = true;
                Ok(self.completed_at_once(OperationKind::SubscribeToTone, client_context, ids))
            }
            Command::CancelMediaProcessing { client_context } => {
                let reply = self.completed_at_once(OperationKind::CancelMediaProcessing, client_context, ids);
                self.cancel_line(Line::Media, now, ids);
                self.cancel_line(Line::Tones, now, ids);
                Ok(reply)
            }
            Command::HangUp | Command::KeepAlive => Ok(Reply::Done),
        }
    }

    fn enqueue(
        &mut self,
        kind: OperationKind,
        client_context: Option<String>,
        ids: &mut dyn IdSource,
    ) -> Result<Reply, Rejection> {
        if self.operations.waiting() >= self.config.max_waiting_operations {
            return Err(Rejection::TooManyOperations);
        }
        let operation = new_operation(kind, OperationStatus::NotStarted, client_context, ids);
        let operation = self.operations.add(operation, self.config.max_remembered_operations);
        self.pending.persist_operation(operation.clone());
        if operation.status == OperationStatus::Running
            && let Some(job) = operations::job_of(&operation.kind)
        {
            self.pending.act(Effect::StartJob { leg: self.leg, operation: operation.id, job });
        }
        Ok(Reply::Operation(Box::new(operation)))
    }

    fn completed_at_once(
        &mut self,
        kind: OperationKind,
        client_context: Option<String>,
        ids: &mut dyn IdSource,
    ) -> Reply {
        let mut operation = new_operation(kind, OperationStatus::Completed, client_context, ids);
        operation.outcome = Some(Outcome::ActionCompleted);
        self.operations.add_completed(operation.clone(), self.config.max_remembered_operations);
        self.pending.persist_operation(operation.clone());
        Reply::Operation(Box::new(operation))
    }

    fn leg_event(&mut self, event: LegEvent, now: Timestamp, ids: &mut dyn IdSource) {
        match (self.record.state, event) {
            (CallState::Establishing, LegEvent::Answered) => {
                self.record.state = CallState::Established;
                self.record.media_state = Some(MediaState::Active);
                self.deadline = Some(Deadline::KeepAlive(now.after(self.config.keep_alive_timeout)));
                self.show_change(ChangeType::Updated, now, ids);
            }
            (CallState::Established, LegEvent::Held(is_held)) => {
                let media_state = if is_held { MediaState::Inactive } else { MediaState::Active };
                if self.record.media_state != Some(media_state) {
                    self.record.media_state = Some(media_state);
                    self.show_change(ChangeType::Updated, now, ids);
                }
            }
            (CallState::Established, LegEvent::Tone(tone)) => {
                self.tones_heard += 1;
                if self.is_subscribed_to_tones {
                    self.show_tone(ToneInfo { sequence_id: self.tones_heard, tone }, now, ids);
                }
            }
            (_, LegEvent::Ended(cause)) => {
                let outcome = self.ending.unwrap_or_else(|| self.outcome_of(cause));
                self.end(outcome, now, ids);
            }
            (_, LegEvent::Ringing | LegEvent::Answered | LegEvent::Held(_) | LegEvent::Tone(_)) => {}
        }
    }

    fn outcome_of(&self, cause: EndCause) -> Outcome {
        outcome_of(cause, self.record.state == CallState::Established)
    }

    /// Starts the end from this side: what is under way is completed, the leg is told, its good-bye awaited.
    fn terminate(&mut self, outcome: Outcome, now: Timestamp, ids: &mut dyn IdSource) {
        self.complete_all(Outcome::CallEndedDuringOperation, now, ids);
        self.record.state = CallState::Terminating;
        self.record.media_state = self.record.media_state.map(|_| MediaState::Inactive);
        self.ending = Some(outcome);
        self.deadline = Some(Deadline::Terminating(now.after(self.config.terminating_timeout)));
        self.show_change(ChangeType::Updated, now, ids);
        self.pending.act(Effect::EndLeg { leg: self.leg });
    }

    fn end(&mut self, outcome: Outcome, now: Timestamp, ids: &mut dyn IdSource) {
        self.complete_all(Outcome::CallEndedDuringOperation, now, ids);
        self.record.state = CallState::Terminated;
        self.record.media_state = self.record.media_state.map(|_| MediaState::Inactive);
        self.record.outcome = Some(outcome);
        self.deadline = None;
        self.show_change(ChangeType::Deleted, now, ids);
        self.pending.act(Effect::Ended);
    }

    fn cancel_line(&mut self, line: Line, now: Timestamp, ids: &mut dyn IdSource) {
        for id in self.operations.unfinished() {
            let is_of_line = self
                .operations
                .find(id)
                .is_some_and(|operation| operations::line_of(&operation.kind) == line);
            if is_of_line {
                self.cancel(id, Outcome::OperationCancelled, now, ids);
            }
        }
    }

    fn complete_all(&mut self, outcome: Outcome, now: Timestamp, ids: &mut dyn IdSource) {
        for id in self.operations.unfinished() {
            self.cancel(id, outcome, now, ids);
        }
    }

    fn cancel(&mut self, id: OperationId, outcome: Outcome, now: Timestamp, ids: &mut dyn IdSource) {
        let was_running = self.complete(id, JobResult::Failed(outcome), now, ids);
        if was_running {
            self.pending.act(Effect::CancelJob { operation: id });
        }
    }

    /// Completes an operation once and tells of it; says whether its job was running.
    fn complete(
        &mut self,
        id: OperationId,
        result: JobResult,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> bool {
        let Some(completed) = self.operations.complete(id, result) else {
            return false;
        };
        self.pending.persist_operation(completed.operation.clone());
        let body = NotificationBody::Operation(Box::new(completed.operation));
        let notification = self.notification(ChangeType::Deleted, body, now, ids);
        self.pending.persist(self.record.clone());
        self.pending.notify(notification);
        completed.was_running
    }

    fn start_waiting(&mut self) {
        for line in [Line::Media, Line::Tones] {
            if let Some((operation, job)) = self.operations.start_next(line) {
                let id = operation.id;
                self.pending.persist_operation(operation);
                self.pending.act(Effect::StartJob { leg: self.leg, operation: id, job });
            }
        }
    }

    fn show_tone(&mut self, tone: ToneInfo, now: Timestamp, ids: &mut dyn IdSource) {
        self.record.tone = Some(tone);
        self.show(ChangeType::Updated, now, ids);
    }

    /// Tells of a change that is not a key, so that no earlier key is told again with it.
    fn show_change(&mut self, change: ChangeType, now: Timestamp, ids: &mut dyn IdSource) {
        self.record.tone = None;
        self.show(change, now, ids);
    }

    fn show(&mut self, change: ChangeType, now: Timestamp, ids: &mut dyn IdSource) {
        self.record.notified += 1;
        let body = NotificationBody::Call(Box::new(self.record.clone()));
        let notification = draft(&self.record, change, body, now, ids);
        self.pending.persist(self.record.clone());
        self.pending.notify(notification);
    }

    fn notification(
        &mut self,
        change: ChangeType,
        body: NotificationBody,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Notification {
        self.record.notified += 1;
        draft(&self.record, change, body, now, ids)
    }
}

/// Writes a notification with the record's latest sequence number.
pub(crate) fn draft(
    record: &model::Call,
    change: ChangeType,
    body: NotificationBody,
    now: Timestamp,
    ids: &mut dyn IdSource,
) -> Notification {
    Notification {
        id: NotificationId::next(ids),
        sequence: record.notified,
        call: record.id,
        app: record.app.clone(),
        tenant: record.tenant.clone(),
        scenario: record.scenario.clone(),
        callback_uri: record.callback_uri.clone(),
        created_at: now,
        change,
        body,
    }
}

fn record_of(new: NewCall, now: Timestamp, ids: &mut dyn IdSource) -> model::Call {
    let application = Identity::of(new.app.as_str()).named(new.app_name);
    let source = new.source.unwrap_or_else(|| Participant {
        identity: IdentitySet::application(application),
        ..Participant::default()
    });
    model::Call {
        id: CallId::next(ids),
        app: new.app,
        tenant: new.tenant,
        is_tenant_shown: new.is_tenant_shown,
        created_at: now,
        callback_uri: new.callback_uri,
        chain: new.chain.unwrap_or_else(|| ChainId::next(ids)),
        scenario: new.scenario.unwrap_or_else(|| ScenarioId::new(ids.next_guid().to_string())),
        direction: CallDirection::Outgoing,
        state: CallState::Establishing,
        media_state: None,
        my_participant: ParticipantId::next(ids),
        source,
        targets: vec![new.target],
        callee: new.callee,
        subject: new.subject,
        requested_modalities: new.requested_modalities,
        media_config: new.media_config,
        call_options: new.call_options,
        tone: None,
        answered_by: None,
        outcome: None,
        notified: 0,
    }
}

fn new_operation(
    kind: OperationKind,
    status: OperationStatus,
    client_context: Option<String>,
    ids: &mut dyn IdSource,
) -> Operation {
    Operation { id: OperationId::next(ids), kind, status, client_context, outcome: None }
}
