//! A call as a member of a conference: what it asks, and what it is told.

use std::sync::Arc;

use model::{
    CallKind, ChangeType, ContentSharingSessionId, IdSource, NotificationBody, Outcome, Roster, Timestamp,
};

use super::Call;
use crate::asked::Asked;
use crate::conference::{ConferenceAnswer, ConferenceEvent, ConferenceRequest};
use crate::{CommandId, Effect, Rejection, Reply};

impl Call {
    /// Passes a question on to the conference. Between two, only inviting makes sense: it makes a conference.
    pub(super) fn ask(
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
        if let ConferenceRequest::Invite(invitees) = &request
            && invitees.iter().any(|invitee| invitee.callee.is_in_phone_network())
            && !self.may_invite_numbers()
        {
            return self.pending.reply(command, Err(Rejection::NoInstance));
        }
        if self.asked.len() >= self.config.max_waiting_operations {
            return self.pending.reply(command, Err(Rejection::TooManyOperations));
        }
        let asked = Asked::new(&request, client_context, ids);
        let operation = asked.operation;
        self.asked.insert(command, asked);
        self.pending.act(Effect::AskConference { command, operation, request });
    }

    pub(super) fn conference_event(
        &mut self,
        event: ConferenceEvent,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        match event {
            ConferenceEvent::Answered { command, answer } => {
                if !self.prepared(command, &answer, now, ids) {
                    self.answered(command, answer);
                }
            }
            ConferenceEvent::ContentSharing { change, session } => {
                self.show_sharing(change, session, now, ids);
            }
            // The application's own program is told, not the application.
            ConferenceEvent::Dominant(_) => {}
            ConferenceEvent::Ended(outcome) => {
                if outcome == Outcome::Transferred {
                    self.transfer = None;
                }
                let outcome = self.ending.unwrap_or(outcome);
                self.end(outcome, now, ids);
            }
            ConferenceEvent::Joined => self.established(now, ids),
            ConferenceEvent::OperationEnded { operation, result } => {
                self.complete(operation, result, now, ids);
            }
            ConferenceEvent::Roster(roster) => self.show_roster(roster, now, ids),
            ConferenceEvent::Tone(tone) => self.heard(tone, now, ids),
            ConferenceEvent::TransfereeGone => self.give_transfer_up(now, ids),
        }
    }

    /// Answers the application with what the conference answered.
    fn answered(&mut self, command: CommandId, answer: Result<ConferenceAnswer, Rejection>) {
        let Some(asked) = self.asked.remove(&command) else { return };
        let reply = match answer {
            Err(rejection) => Err(rejection),
            Ok(ConferenceAnswer::Group(group)) => Ok(Reply::Group(Box::new(group))),
            // Only `prepared` asks for the latter.
            Ok(ConferenceAnswer::Done | ConferenceAnswer::Transferee(_)) => Ok(self.done(asked)),
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

    fn show_sharing(
        &mut self,
        change: ChangeType,
        session: ContentSharingSessionId,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        self.record.content_sharing = (change != ChangeType::Deleted).then_some(session);
        let options = self.record.call_options.as_ref();
        let is_told = options.and_then(|options| options.is_content_sharing_notification_enabled);
        let notification = (is_told == Some(true))
            .then(|| self.notification(change, NotificationBody::ContentSharing(session), now, ids));
        self.pending.persist(Arc::new(self.record.clone()));
        if let Some(notification) = notification {
            self.pending.notify(notification);
        }
    }

    fn show_roster(&mut self, roster: Roster, now: Timestamp, ids: &mut dyn IdSource) {
        let body = NotificationBody::Roster(Box::new(roster));
        let notification = self.notification(ChangeType::Updated, body, now, ids);
        self.pending.persist(Arc::new(self.record.clone()));
        self.pending.notify(notification);
    }
}
