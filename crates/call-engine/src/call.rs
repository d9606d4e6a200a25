mod incoming;
mod member;
mod moving;
mod network;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{
    CallDirection, CallId, CallState, ChangeType, Destination, IdSource, LegId, MediaState, NewCall,
    Notification, NotificationBody, Operation, OperationId, OperationKind, OperationStatus, Outcome,
    Timestamp, Tone, ToneInfo,
};

use crate::asked::Asked;
use crate::operations::{self, Line, Operations};
use crate::pending::Pending;
use crate::timers::Deadline;
use crate::{Command, CommandId, Config, Effect, Input, JobResult, LegEvent, Refusal, Rejection, Reply};

use self::incoming::Redirecting;
use self::moving::{Preparing, Transferring};
pub(crate) use self::record::draft;
use self::record::{new_operation, record_of};

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
    /// Whom the call was sent on to, while they ring.
    redirect: Option<Redirecting>,
    /// The transfer that is about to begin.
    preparing: Option<Preparing>,
    /// The transfer under way.
    transfer: Option<Transferring>,
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
        let mut call = Self::new(record_of(id, new, now, ids), leg, config, deadline);
        call.show_change(ChangeType::Updated, now, ids);
        call.pending.act(match destination {
            Destination::Person(invitee) => Effect::StartLeg { leg, invitee },
            Destination::Group(_) | Destination::Meeting(_) => {
                Effect::JoinConference { leg, destination: Box::new(destination) }
            }
        });
        call
    }

    fn new(record: model::Call, leg: LegId, config: Config, deadline: Deadline) -> Self {
        Self {
            config,
            record,
            leg,
            operations: Operations::default(),
            is_subscribed_to_tones: false,
            tones_heard: 0,
            asked: BTreeMap::new(),
            redirect: None,
            preparing: None,
            transfer: None,
            ending: None,
            deadline: Some(deadline),
            pending: Pending::default(),
        }
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
        let is_over = self.record.state == CallState::Terminated;
        match input {
            Input::Command { id, command } => self.command(id, command, now, ids),
            Input::ApplicationMediaLost
            | Input::Conference(_)
            | Input::Leg(_)
            | Input::LegTaken
            | Input::JobEnded { .. }
            | Input::PartyReplaced { .. }
            | Input::Redirect { .. }
            | Input::Replaced
            | Input::Transfer { .. }
                if is_over => {}
            Input::ApplicationMediaLost => self.application_media_lost(now, ids),
            Input::Conference(event) => self.conference_event(event, now, ids),
            Input::Leg(event) => self.leg_event(event, now, ids),
            Input::LegTaken => self.end(self.ending.unwrap_or(Outcome::Replaced), now, ids),
            Input::PartyReplaced { person, info } => self.party_replaced(person, *info, now, ids),
            Input::Redirect { target, event } => self.redirect_event((target, event), now, ids),
            Input::Replaced => self.replaced(now, ids),
            Input::JobEnded { operation, result } => {
                self.complete(operation, result, now, ids);
                self.start_waiting();
            }
            Input::Transfer { command, event } => self.transfer_event((command, event), now, ids),
        }
    }

    /// Acts on a deadline that has passed; does nothing before it.
    pub fn handle_timeout(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        match self.deadline.filter(|deadline| deadline.at() <= now) {
            None => {}
            Some(Deadline::Answering(_)) => self.terminate(Outcome::AnswerNotAcknowledged, now, ids),
            Some(Deadline::Incoming(_)) => {
                self.turn_away(Refusal::NotAnswered, Outcome::NotActedOn, now, ids);
            }
            Some(Deadline::Redirecting(_)) => {
                self.turn_away(Refusal::NotAnswered, Outcome::NotAnswered, now, ids);
            }
            Some(Deadline::Transferring { keep_alive, .. }) if keep_alive <= now => {
                self.terminate(Outcome::KeepAliveMissing, now, ids);
            }
            Some(Deadline::Transferring { .. }) => self.give_transfer_up(now, ids),
            Some(Deadline::Ringing(_)) => self.terminate(self.not_answered(), now, ids),
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

    fn application_media_lost(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        match self.record.state {
            CallState::Establishing
            | CallState::Established
            | CallState::Transferring
            | CallState::TransferAccepted => self.terminate(Outcome::MediaLost, now, ids),
            // Before the answer it has no media.
            CallState::Incoming | CallState::Redirecting | CallState::Terminating | CallState::Terminated => {
            }
        }
    }

    fn replaced(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        match self.record.state {
            CallState::Incoming | CallState::Redirecting => {
                self.turn_away(Refusal::Declined, Outcome::Replaced, now, ids);
            }
            CallState::Establishing
            | CallState::Established
            | CallState::Transferring
            | CallState::TransferAccepted => self.terminate(Outcome::Replaced, now, ids),
            CallState::Terminating | CallState::Terminated => {}
        }
    }

    fn command(&mut self, id: CommandId, command: Command, now: Timestamp, ids: &mut dyn IdSource) {
        let command = match (self.record.state, command) {
            (CallState::Established, Command::Conference { request, client_context }) => {
                return self.ask((id, client_context), request, ids);
            }
            (CallState::Established, Command::Transfer(transfer)) => {
                return self.transfer(id, transfer, now, ids);
            }
            (_, command) => command,
        };
        let reply = match (self.record.state, command) {
            (CallState::Terminated | CallState::Terminating, _) => Err(Rejection::Ended),
            (CallState::Incoming, command) => self.incoming_command(command, now, ids),
            (_, Command::Answer(_) | Command::Redirect(_) | Command::Reject { .. }) => {
                Err(Rejection::NotIncoming)
            }
            (_, Command::HangUp) => {
                self.hang_up(now, ids);
                Ok(Reply::Done)
            }
            (_, Command::KeepAlive) => {
                self.keep_alive(now);
                Ok(Reply::Done)
            }
            (CallState::Transferring | CallState::TransferAccepted, Command::Transfer(_)) => {
                Err(Rejection::TransferUnderWay)
            }
            (CallState::Established, command) => self.media_command(command, now, ids),
            (
                CallState::Establishing
                | CallState::Redirecting
                | CallState::Transferring
                | CallState::TransferAccepted,
                _,
            ) => Err(Rejection::NotEstablished),
        };
        self.pending.reply(id, reply);
    }

    fn hang_up(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        match (self.record.state, self.record.direction) {
            (CallState::Redirecting, _) => self.turn_away(Refusal::Declined, Outcome::Rejected, now, ids),
            (CallState::Establishing, CallDirection::Outgoing) => {
                self.terminate(Outcome::CancelledByBot, now, ids);
            }
            (_, CallDirection::Incoming | CallDirection::Outgoing) => {
                self.terminate(Outcome::EndedByBot, now, ids);
            }
        }
    }

    fn keep_alive(&mut self, now: Timestamp) {
        let next = now.after(self.config.keep_alive_timeout);
        if let Some(Deadline::KeepAlive(at) | Deadline::Transferring { keep_alive: at, .. }) =
            &mut self.deadline
        {
            *at = next;
        }
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
            Command::Answer(_)
            | Command::Conference { .. }
            | Command::HangUp
            | Command::KeepAlive
            | Command::Redirect(_)
            | Command::Reject { .. }
            | Command::Transfer(_) => Ok(Reply::Done),
        }
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
        match event {
            LegEvent::Answered => self.established(now, ids),
            LegEvent::Held(is_held) if self.record.state.is_connected() => {
                let media_state = if is_held { MediaState::Inactive } else { MediaState::Active };
                if self.record.media_state != Some(media_state) {
                    self.record.media_state = Some(media_state);
                    self.show_change(ChangeType::Updated, now, ids);
                }
            }
            LegEvent::Tone(tone) => self.heard(tone, now, ids),
            LegEvent::Ended(cause) => {
                let outcome = self.ending.unwrap_or_else(|| self.outcome_of(cause));
                self.end(outcome, now, ids);
            }
            LegEvent::Ringing | LegEvent::Held(_) => {}
        }
    }

    /// Starts the end from this side: what is under way is completed, the leg is told, its good-bye awaited.
    fn terminate(&mut self, outcome: Outcome, now: Timestamp, ids: &mut dyn IdSource) {
        self.complete_all(Outcome::CallEndedDuringOperation, now, ids);
        self.stop_moving();
        self.record.state = CallState::Terminating;
        self.record.media_state = self.record.media_state.map(|_| MediaState::Inactive);
        self.ending = Some(outcome);
        self.deadline = Some(Deadline::Terminating(now.after(self.config.terminating_timeout)));
        self.show_change(ChangeType::Updated, now, ids);
        self.pending.act(Effect::EndLeg { leg: self.leg });
    }

    fn end(&mut self, outcome: Outcome, now: Timestamp, ids: &mut dyn IdSource) {
        self.complete_all(Outcome::CallEndedDuringOperation, now, ids);
        self.stop_moving();
        self.drop_preparing();
        for (command, _) in std::mem::take(&mut self.asked) {
            self.pending.reply(command, Err(Rejection::Ended));
        }
        self.record.state = CallState::Terminated;
        self.record.media_state = self.record.media_state.map(|_| MediaState::Inactive);
        self.record.tone = None;
        self.record.outcome = Some(outcome);
        self.deadline = None;
        self.show(ChangeType::Deleted, now, ids);
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
        self.record.outcome = None;
        self.show(ChangeType::Updated, now, ids);
    }

    /// Tells of a change that is neither a key nor a failed transfer, so that no earlier one is told again with it.
    fn show_change(&mut self, change: ChangeType, now: Timestamp, ids: &mut dyn IdSource) {
        self.record.tone = None;
        self.record.outcome = None;
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
        Command::Answer(_)
        | Command::Conference { .. }
        | Command::HangUp
        | Command::KeepAlive
        | Command::Redirect(_)
        | Command::Reject { .. }
        | Command::SendDtmfTones { .. }
        | Command::Transfer(_) => false,
    }
}
