use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    CallDirection, CallId, CallKind, CallState, ChainId, ChangeType, Destination, IdSource, Identity,
    IdentitySet, LegId, MediaState, NewCall, Notification, NotificationBody, NotificationId, Operation,
    OperationId, OperationKind, OperationStatus, Outcome, Participant, ParticipantId, Roster, ScenarioId,
    Timestamp, Tone, ToneInfo,
};

use crate::asked::Asked;
use crate::conference::{ConferenceAnswer, ConferenceEvent, ConferenceRequest};
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
    /// What the conference has been asked for and not answered yet.
    asked: BTreeMap<CommandId, Asked>,
    /// The ending that a call in `Terminating` will have.
    ending: Option<Outcome>,
    deadline: Option<Deadline>,
    pending: Pending,
}

impl Call {
    /// Makes a call of that id and asks for its leg, or for its place in a conference.
    pub fn create(
        (id, new): (CallId, NewCall),
        leg: LegId,
        config: Config,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Self {
        let destination = new.destination.clone();
        let deadline = match &destination {
            Destination::Person(_) => Deadline::Ringing(now.after(config.ringing_timeout)),
            // The conference keeps the time of those who ring or wait.
            Destination::Group(_) | Destination::Meeting(_) => {
                Deadline::KeepAlive(now.after(config.keep_alive_timeout))
            }
        };
        let mut call = Self {
            deadline: Some(deadline),
            config,
            record: record_of(id, new, now, ids),
            leg,
            operations: Operations::default(),
            is_subscribed_to_tones: false,
            tones_heard: 0,
            asked: BTreeMap::new(),
            ending: None,
            pending: Pending::default(),
        };
        call.show_change(ChangeType::Updated, now, ids);
        call.pending.act(match destination {
            Destination::Person(invitee) => Effect::StartLeg { leg, invitee },
            Destination::Group(_) | Destination::Meeting(_) => {
                Effect::JoinConference { leg, destination: Box::new(destination) }
            }
        });
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
            Input::ApplicationMediaLost
            | Input::Conference(_)
            | Input::Leg(_)
            | Input::JobEnded { .. }
            | Input::Replaced
                if self.is_over() => {}
            Input::ApplicationMediaLost | Input::Replaced if self.record.state == CallState::Terminating => {}
            Input::ApplicationMediaLost => self.terminate(Outcome::MediaLost, now, ids),
            Input::Conference(event) => self.conference_event(event, now, ids),
            Input::Leg(event) => self.leg_event(event, now, ids),
            Input::Replaced => self.terminate(Outcome::Replaced, now, ids),
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
        let command = match (self.record.state, command) {
            (CallState::Established, Command::Conference { request, client_context }) => {
                return self.ask((id, client_context), request, ids);
            }
            (_, command) => command,
        };
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
        if self.record.media_config.is_app_hosted() && is_for_service_hosted(&command) {
            return Err(Rejection::NeedsServiceHostedMedia);
        }
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
            Command::Conference { .. } | Command::HangUp | Command::KeepAlive => Ok(Reply::Done),
        }
    }

    /// Passes a question on to the conference. Between two, only inviting makes sense: it makes a conference.
    fn ask(
        &mut self,
        (command, client_context): (CommandId, Option<String>),
        request: ConferenceRequest,
        ids: &mut dyn IdSource,
    ) {
        let is_between_two = matches!(self.record.kind, CallKind::PeerToPeer { .. });
        if is_between_two && !matches!(request, ConferenceRequest::Invite(_)) {
            return self.pending.reply(command, Err(Rejection::NotGroupCall));
        }
        let is_app_hosted = self.record.media_config.is_app_hosted();
        if !is_app_hosted && matches!(request, ConferenceRequest::ChangeScreenSharingRole(_)) {
            return self.pending.reply(command, Err(Rejection::NeedsAppHostedMedia));
        }
        if self.asked.len() >= self.config.max_waiting_operations {
            return self.pending.reply(command, Err(Rejection::TooManyOperations));
        }
        let asked = Asked::new(&request, client_context, ids);
        let operation = asked.operation;
        self.asked.insert(command, asked);
        self.pending.act(Effect::AskConference { command, operation, request });
    }

    fn conference_event(&mut self, event: ConferenceEvent, now: Timestamp, ids: &mut dyn IdSource) {
        match event {
            ConferenceEvent::Answered { command, answer } => self.answered(command, answer),
            // The application's own program is told, not the application.
            ConferenceEvent::Dominant(_) => {}
            ConferenceEvent::Ended(outcome) => {
                let outcome = self.ending.unwrap_or(outcome);
                self.end(outcome, now, ids);
            }
            ConferenceEvent::Joined => self.established(now, ids),
            ConferenceEvent::OperationEnded { operation, result } => {
                self.complete(operation, result, now, ids);
            }
            ConferenceEvent::Roster(roster) => self.show_roster(roster, now, ids),
            ConferenceEvent::Tone(tone) => self.heard(tone, now, ids),
        }
    }

    /// Answers the application with what the conference answered.
    fn answered(&mut self, command: CommandId, answer: Result<ConferenceAnswer, Rejection>) {
        let Some(asked) = self.asked.remove(&command) else { return };
        let reply = match answer {
            Err(rejection) => Err(rejection),
            Ok(ConferenceAnswer::Group(group)) => Ok(Reply::Group(Box::new(group))),
            Ok(ConferenceAnswer::Done) => Ok(self.done(asked)),
        };
        if reply.is_ok() && matches!(self.record.kind, CallKind::PeerToPeer { .. }) {
            self.record.kind = CallKind::Group;
            self.pending.persist(Arc::new(self.record.clone()));
        }
        self.pending.reply(command, reply);
    }

    /// What an application is answered that asked for something which is done, or has begun.
    fn done(&mut self, asked: Asked) -> Reply {
        let Some(operation) = asked.into_operation() else { return Reply::Done };
        let remembered = self.config.max_remembered_operations;
        let operation = if operation.status.is_final() {
            self.operations.add_completed(operation.clone(), remembered);
            operation
        } else {
            self.operations.add(operation, remembered)
        };
        self.pending.persist_operation(operation.clone());
        Reply::Operation(Box::new(operation))
    }

    fn show_roster(&mut self, roster: Roster, now: Timestamp, ids: &mut dyn IdSource) {
        let body = NotificationBody::Roster(Box::new(roster));
        let notification = self.notification(ChangeType::Updated, body, now, ids);
        self.pending.persist(Arc::new(self.record.clone()));
        self.pending.notify(notification);
    }

    /// The call is answered, or in its conference.
    fn established(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        if self.record.state != CallState::Establishing {
            return;
        }
        self.record.state = CallState::Established;
        self.record.media_state = Some(MediaState::Active);
        self.deadline = Some(Deadline::KeepAlive(now.after(self.config.keep_alive_timeout)));
        self.show_change(ChangeType::Updated, now, ids);
    }

    fn heard(&mut self, tone: Tone, now: Timestamp, ids: &mut dyn IdSource) {
        if self.record.state != CallState::Established {
            return;
        }
        self.tones_heard += 1;
        if self.is_subscribed_to_tones {
            self.show_tone(ToneInfo { sequence_id: self.tones_heard, tone }, now, ids);
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
            (_, LegEvent::Answered) => self.established(now, ids),
            (CallState::Established, LegEvent::Held(is_held)) => {
                let media_state = if is_held { MediaState::Inactive } else { MediaState::Active };
                if self.record.media_state != Some(media_state) {
                    self.record.media_state = Some(media_state);
                    self.show_change(ChangeType::Updated, now, ids);
                }
            }
            (_, LegEvent::Tone(tone)) => self.heard(tone, now, ids),
            (_, LegEvent::Ended(cause)) => {
                let outcome = self.ending.unwrap_or_else(|| self.outcome_of(cause));
                self.end(outcome, now, ids);
            }
            (_, LegEvent::Ringing | LegEvent::Held(_)) => {}
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
        for (command, _) in std::mem::take(&mut self.asked) {
            self.pending.reply(command, Err(Rejection::Ended));
        }
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
        self.pending.persist(Arc::new(self.record.clone()));
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
        let record = Arc::new(self.record.clone());
        let body = NotificationBody::Call(Arc::clone(&record));
        let notification = draft(&self.record, change, body, now, ids);
        self.pending.persist(record);
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

/// Whether a command is about what the server plays, records and tells of, which it does not where the application's own
/// program hears and speaks.
const fn is_for_service_hosted(command: &Command) -> bool {
    match command {
        Command::CancelMediaProcessing { .. }
        | Command::PlayPrompt { .. }
        | Command::RecordResponse { .. }
        | Command::SubscribeToTone { .. } => true,
        Command::Conference { .. } | Command::HangUp | Command::KeepAlive | Command::SendDtmfTones { .. } => {
            false
        }
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

fn record_of(id: CallId, new: NewCall, now: Timestamp, ids: &mut dyn IdSource) -> model::Call {
    let application = Identity::of(new.app.as_str()).named(new.app_name);
    let source = new.source.unwrap_or_else(|| Participant {
        identity: IdentitySet::application(application),
        ..Participant::default()
    });
    let target = |invitee: model::Invitee| invitee.target;
    let (kind, targets, place) = match new.destination {
        Destination::Group(invitees) => (CallKind::Group, invitees.into_iter().map(target).collect(), None),
        Destination::Meeting(join) => (CallKind::Meeting, Vec::new(), Some((join.chat, join.asked))),
        Destination::Person(invitee) => {
            (CallKind::PeerToPeer { callee: invitee.callee.clone() }, vec![target(*invitee)], None)
        }
    };
    let (chat, meeting) = place.unzip();
    model::Call {
        id,
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
        targets,
        kind,
        chat,
        meeting,
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
