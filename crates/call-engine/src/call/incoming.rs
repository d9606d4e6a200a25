//! What an application does with a call that comes in: it answers, rejects, or sends it on.

use std::sync::Arc;

use model::{
    Answer, CallId, CallState, Callee, ChangeType, IdSource, LegId, NewIncomingCall, Outcome, Participant,
    Redirect, RedirectTarget, RejectReason, Timestamp,
};

use super::Call;
use super::record::record_of_incoming;
use crate::ending::outcome_of;
use crate::timers::Deadline;
use crate::{Command, Config, Effect, EndCause, RedirectEvent, Refusal, Rejection, Reply};

/// A call that rings at those whom it was sent on to.
#[derive(Debug)]
pub(super) struct Redirecting {
    targets: Vec<RingingTarget>,
}

#[derive(Debug)]
struct RingingTarget {
    target: RedirectTarget,
    /// Why it does not ring any more.
    failure: Option<EndCause>,
}

impl Redirecting {
    /// What became of it where nobody rings any more: what the one says counts who said most.
    fn failure(&self) -> Option<EndCause> {
        let failures: Option<Vec<EndCause>> = self.targets.iter().map(|target| target.failure).collect();
        failures?.into_iter().min_by_key(|cause| weight_of(*cause))
    }
}

/// How little a failure says of the one who was called: people's own words come before those of their phones.
const fn weight_of(cause: EndCause) -> u8 {
    match cause {
        EndCause::Declined | EndCause::PhoneNetwork(603 | 607) => 0,
        EndCause::Busy | EndCause::PhoneNetwork(486 | 600) => 1,
        EndCause::NoAnswer | EndCause::PhoneNetwork(408 | 480) => 2,
        EndCause::RefusedOffer => 3,
        EndCause::AnsweredElsewhere
        | EndCause::Cancelled
        | EndCause::HungUp
        | EndCause::LocalHangUp
        | EndCause::MediaFailed
        | EndCause::MediaLost
        | EndCause::NotAcknowledged
        | EndCause::PhoneNetwork(_)
        | EndCause::Silent
        | EndCause::Unreachable
        | EndCause::Vanished => 4,
        EndCause::NoEndpoint | EndCause::NotFound => 5,
        EndCause::Internal => 6,
    }
}

impl Call {
    /// Takes a call that comes in over that leg: the caller hears it ring, the application is told and has
    /// [`Config::incoming_timeout`] to act.
    pub fn incoming(
        (id, new): (CallId, NewIncomingCall),
        leg: LegId,
        config: Config,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Self {
        let deadline = Deadline::Incoming(now.after(config.incoming_timeout));
        let record = record_of_incoming(id, new, now, ids);
        let mut call = Self::new(record, leg, config, deadline);
        call.show_change(ChangeType::Created, now, ids);
        call.pending.act(Effect::RingLeg { leg });
        call
    }

    /// What may be asked of a call that rings at the application.
    pub(super) fn incoming_command(
        &mut self,
        command: Command,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) -> Result<Reply, Rejection> {
        match command {
            Command::Answer(answer) => self.answer(*answer, now, ids),
            Command::Redirect(redirect) => return self.redirect(redirect, now),
            Command::Reject { reason, callback_uri } => self.reject((reason, callback_uri), now, ids),
            // Whoever hangs up a call that rings rejects it.
            Command::HangUp => self.reject((RejectReason::None, None), now, ids),
            Command::KeepAlive => {}
            Command::CancelMediaProcessing { .. }
            | Command::Conference { .. }
            | Command::PlayPrompt { .. }
            | Command::RecordResponse { .. }
            | Command::SendDtmfTones { .. }
            | Command::SubscribeToTone { .. }
            | Command::Transfer(_) => return Err(Rejection::NotEstablished),
        }
        Ok(Reply::Done)
    }

    /// Answers: what is told from here on goes where the application says.
    fn answer(&mut self, answer: Answer, now: Timestamp, ids: &mut dyn IdSource) {
        self.move_callback(answer.callback_uri);
        if let Some(incoming) = &mut self.record.incoming {
            incoming.accepted_modalities = Some(answer.accepted_modalities);
        }
        self.record.media_config = answer.media_config;
        self.record.call_options = answer.call_options;
        self.record.state = CallState::Establishing;
        self.deadline = Some(Deadline::Answering(now.after(self.config.answering_timeout)));
        self.show_change(ChangeType::Updated, now, ids);
        self.pending.act(Effect::AnswerLeg { leg: self.leg });
    }

    fn reject(
        &mut self,
        (reason, callback_uri): (RejectReason, Option<String>),
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        self.move_callback(callback_uri);
        let (why, outcome) = match reason {
            RejectReason::None => (Refusal::Declined, Outcome::Rejected),
            RejectReason::Busy => (Refusal::Busy, Outcome::RejectedAsBusy),
            RejectReason::Forbidden => (Refusal::Forbidden, Outcome::RejectedAsForbidden),
        };
        self.turn_away(why, outcome, now, ids);
    }

    /// Sends the call on. Nothing is told of it before its end (page of `redirect`).
    fn redirect(&mut self, redirect: Redirect, now: Timestamp) -> Result<Reply, Rejection> {
        let routes = self.record.incoming.as_ref().map_or(0, |incoming| incoming.routes.len());
        if routes >= self.config.max_redirects {
            return Err(Rejection::TooManyRedirects);
        }
        let leads_to_number = redirect.targets.iter().any(|target| matches!(target.callee, Callee::Phone(_)));
        if leads_to_number && !self.is_of_instance() {
            return Err(Rejection::NoInstance);
        }
        self.move_callback(redirect.callback_uri);
        self.record.state = CallState::Redirecting;
        self.deadline = Some(Deadline::Redirecting(now.after(redirect.timeout)));
        let targets = redirect.targets;
        let ringing = targets.iter().cloned().map(|target| RingingTarget { target, failure: None });
        self.redirect = Some(Redirecting { targets: ringing.collect() });
        self.pending.persist(Arc::new(self.record.clone()));
        self.pending.act(Effect::RedirectLeg { leg: self.leg, targets });
        Ok(Reply::Done)
    }

    /// One of those whom the call was sent on to reports. The first who answers is connected.
    pub(super) fn redirect_event(
        &mut self,
        (index, event): (usize, RedirectEvent),
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        let Some(redirect) = &mut self.redirect else { return };
        let Some(ringing) = redirect.targets.get_mut(index) else { return };
        match event {
            RedirectEvent::Answered if ringing.failure.is_none() => {
                let target = &ringing.target.target;
                self.record.answered_by = Some(Participant {
                    identity: target.identity.clone(),
                    endpoint_type: target.endpoint_type.clone(),
                    ..Participant::default()
                });
                self.redirect = None;
                self.pending.act(Effect::ConnectRedirected { leg: self.leg, target: index });
                self.end(Outcome::Redirected, now, ids);
            }
            RedirectEvent::Answered => {}
            RedirectEvent::Failed(cause) => {
                ringing.failure.get_or_insert(cause);
                if let Some(cause) = redirect.failure() {
                    self.redirect = None;
                    self.turn_away(Refusal::from(cause), outcome_of(cause, false), now, ids);
                }
            }
        }
    }

    /// Ends a call that was never answered: the caller is refused, and whoever rings in its place rings no longer.
    pub(super) fn turn_away(
        &mut self,
        why: Refusal,
        outcome: Outcome,
        now: Timestamp,
        ids: &mut dyn IdSource,
    ) {
        self.stop_moving();
        self.pending.act(Effect::RejectLeg { leg: self.leg, why });
        self.end(outcome, now, ids);
    }

    fn move_callback(&mut self, callback_uri: Option<String>) {
        if let Some(callback_uri) = callback_uri {
            self.record.callback_uri = callback_uri;
        }
    }
}
