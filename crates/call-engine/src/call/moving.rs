//! How a call's other party is handed over to someone else.

use model::{
    CallDirection, CallKind, CallState, ChangeType, IdSource, InvitationParticipant, Invitee, OperationId,
    Outcome, Participant, ParticipantId, Person, Timestamp, Transfer,
};

use super::Call;
use crate::conference::{ConferenceAnswer, ConferenceRequest};
use crate::timers::Deadline;
use crate::{CommandId, Effect, Rejection, Reply, TransferEvent};

/// A transfer, from its beginning to its success or failure.
#[derive(Debug)]
pub(super) struct Transferring {
    /// The request that began it; tells one transfer of a call from the next.
    command: CommandId,
    is_consultative: bool,
}

/// A transfer that waits for the conference to say whether the transferee is there.
#[derive(Debug)]
pub(super) struct Preparing {
    command: CommandId,
    transfer: Box<Transfer>,
}

impl Call {
    /// Begins a transfer; out of a call of several once the conference knows the transferee.
    pub(super) fn transfer(
        &mut self,
        command: CommandId,
        transfer: Box<Transfer>,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        let replaces_itself = transfer
            .target
            .target
            .replaces_call_id
            .as_deref()
            .is_some_and(|replaced| model::CallId::parse(replaced) == Some(self.record.id));
        if self.preparing.is_some() {
            return self.pending.reply(command, Err(Rejection::TransferUnderWay));
        }
        if replaces_itself {
            return self.pending.reply(command, Err(Rejection::TransferToItself));
        }
        if transfer.target.callee.is_in_phone_network() && !self.is_of_instance() {
            return self.pending.reply(command, Err(Rejection::NoInstance));
        }
        if matches!(self.record.kind, CallKind::PeerToPeer { .. }) {
            let is_consultative = transfer.is_consultative();
            return self.begin_transfer((command, is_consultative), (transfer.target, None), now, ids);
        }
        let Some(transferee) = transfer.transferee.clone() else {
            return self.pending.reply(command, Err(Rejection::TransfereeMissing));
        };
        self.preparing = Some(Preparing { command, transfer });
        let (operation, request) = (OperationId::next(ids), ConferenceRequest::Transfer(transferee));
        self.pending.act(Effect::AskConference { command, operation, request });
    }

    /// Goes on with a transfer that the conference was asked about; `false` where the answer is to something else.
    pub(super) fn prepared(
        &mut self,
        command: CommandId,
        answer: &Result<ConferenceAnswer, Rejection>,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> bool {
        let Some(Preparing { transfer, .. }) =
            self.preparing.take_if(|preparing| preparing.command == command)
        else {
            return false;
        };
        match answer {
            Ok(ConferenceAnswer::Transferee(transferee)) if self.record.state == CallState::Established => {
                let is_consultative = transfer.is_consultative();
                let target = (transfer.target, Some(*transferee));
                self.begin_transfer((command, is_consultative), target, now, ids);
            }
            Ok(_) => self.pending.reply(command, Err(Rejection::Ended)),
            Err(rejection) => self.pending.reply(command, Err(*rejection)),
        }
        true
    }

    fn begin_transfer(
        &mut self,
        (command, is_consultative): (CommandId, bool),
        (target, transferee): (Invitee, Option<ParticipantId>),
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        let until = now.after(self.config.transfer_timeout);
        let keep_alive = match self.deadline {
            Some(Deadline::KeepAlive(at)) => at,
            _ => now.after(self.config.keep_alive_timeout),
        };
        self.record.state = CallState::Transferring;
        self.transfer = Some(Transferring { command, is_consultative });
        self.deadline = Some(Deadline::Transferring { until, keep_alive });
        self.show_change(ChangeType::Updated, now, ids);
        self.pending.reply(command, Ok(Reply::Done));
        let (leg, target) = (self.leg, Box::new(target));
        self.pending.act(Effect::Transfer { leg, command, target, transferee });
    }

    /// A transfer reports; what another one reports that is over changes nothing.
    pub(super) fn transfer_event(
        &mut self,
        (command, event): (CommandId, TransferEvent),
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        if self.transfer.as_ref().is_none_or(|transfer| transfer.command != command) {
            return;
        }
        match event {
            TransferEvent::Accepted if self.record.state == CallState::Transferring => {
                self.record.state = CallState::TransferAccepted;
                self.show_change(ChangeType::Updated, now, ids);
            }
            TransferEvent::Accepted => {}
            TransferEvent::Done => {
                self.transfer = None;
                self.end(Outcome::Transferred, now, ids);
            }
            TransferEvent::Failed => self.transfer_failed(now, ids),
        }
    }

    /// Gives a transfer up from this side.
    pub(super) fn give_transfer_up(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        if let Some(transfer) = &self.transfer {
            self.pending.act(Effect::CancelTransfer { command: transfer.command });
            self.transfer_failed(now, ids);
        }
    }

    /// The call goes on as before, with the news why.
    fn transfer_failed(&mut self, now: Timestamp, ids: &mut dyn IdSource) {
        let Some(transfer) = self.transfer.take() else { return };
        if let Some(Deadline::Transferring { keep_alive, .. }) = self.deadline {
            self.deadline = Some(Deadline::KeepAlive(keep_alive));
        }
        self.record.state = CallState::Established;
        self.record.tone = None;
        self.record.outcome = Some(if transfer.is_consultative {
            Outcome::ConsultativeTransferFailed
        } else {
            Outcome::TransferFailed
        });
        self.show(ChangeType::Updated, now, ids);
    }

    /// Shows who is there in the place of the other party.
    pub(super) fn party_replaced(
        &mut self,
        person: Person,
        info: Participant,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        let is_between_two = matches!(self.record.kind, CallKind::PeerToPeer { .. });
        if !is_between_two || !self.record.state.is_connected() {
            return;
        }
        self.record.kind = CallKind::PeerToPeer { person };
        match self.record.direction {
            CallDirection::Incoming => self.record.source = info,
            CallDirection::Outgoing => {
                let Participant { identity, endpoint_type, .. } = info;
                let target =
                    InvitationParticipant { identity, endpoint_type, ..InvitationParticipant::default() };
                self.record.targets = vec![target];
            }
        }
        self.show_change(ChangeType::Updated, now, ids);
    }

    /// Stops whatever moves the call, or its other party, elsewhere.
    pub(super) fn stop_moving(&mut self) {
        if self.redirect.take().is_some() {
            self.pending.act(Effect::CancelRedirect { leg: self.leg });
        }
        if let Some(transfer) = self.transfer.take() {
            self.pending.act(Effect::CancelTransfer { command: transfer.command });
        }
    }

    /// Answers the application that asked for a transfer which did not begin before the call's end.
    pub(super) fn drop_preparing(&mut self) {
        if let Some(preparing) = self.preparing.take() {
            self.pending.reply(preparing.command, Err(Rejection::Ended));
        }
    }
}
