use bytes::Bytes;
use call_engine::EndCause;
use model::{Outcome, Trunk};
use sip_proto::Candidate;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use trunk::{Failure, Next, Route};

use super::invite::Invitation;
use super::{MAX_PLACES, TrunkCall, Trunks};
use crate::context::Context;
use crate::far_end::{FarEnd, FarEndCommand, FarEndEvent, FarEndEvents, FarEndReport};
use crate::inputs::{InputQueue, inputs};
use crate::sip::{Attempt, Sip};

/// A call to the phone network and what it takes part in.
pub(crate) struct OutgoingPart {
    pub(crate) call: TrunkCall,
    pub(crate) offer: Bytes,
    /// The caller's name to show.
    pub(crate) name: Option<String>,
    /// Whether the callee must not learn who calls.
    pub(crate) is_private: bool,
    pub(crate) subject: Option<String>,
    /// What the log names the leg by.
    pub(crate) label: String,
    pub(crate) events: FarEndEvents,
}

/// Starts a call to the phone network: a far end that is called over one trunk after another, until one connects it.
pub(crate) fn start(context: Context, part: OutgoingPart) -> FarEnd {
    Calling::start(context.sip, context.trunks, part)
}

/// The end of a call whose application has used up its day. The phone network is not let have the call any more: neither the
/// application has hung up, nor the phone.
const SPENT: EndCause = EndCause::PhoneNetwork(403);

/// A call that is made over the trunks of its plan.
pub(super) struct Calling {
    sip: Sip,
    trunks: Trunks,
    call: TrunkCall,
    invitation: Invitation,
    label: String,
    events: FarEndEvents,
    commands: mpsc::UnboundedReceiver<FarEndCommand>,
    /// Whether somebody still has the far end.
    is_held: bool,
    /// A phone rings, or is heard to, so that nobody is called elsewhere.
    has_rung: bool,
    /// What ends the call from this side, so that nobody is called elsewhere, either.
    over: Option<EndCause>,
}

impl Calling {
    pub(super) fn start(sip: Sip, trunks: Trunks, part: OutgoingPart) -> FarEnd {
        let (far_end, commands) = FarEnd::new();
        let OutgoingPart { call, offer, name, is_private, subject, label, events } = part;
        let invitation = Invitation { offer, name, is_private, subject };
        let ending = events.clone();
        let calling = Self {
            sip,
            trunks,
            call,
            invitation,
            label,
            events,
            commands,
            is_held: true,
            has_rung: false,
            over: None,
        };
        tokio::spawn(async move {
            let cause = calling.run().await;
            ending.report(FarEndEvent::Ended(cause));
        });
        far_end
    }

    /// Tries one way after another; the call's place is given back at the end.
    async fn run(mut self) -> EndCause {
        let (trunks, app) = (self.trunks.clone(), self.call.app.clone());
        tokio::select! {
            () = trunks.keep_beginning(&app) => {}
            () = self.hung_up() => return EndCause::LocalHangUp,
        }
        let Some(mut route) = self.call.plan.routes.first().cloned() else { return EndCause::Internal };
        loop {
            let failure = match self.try_route(&route).await {
                Ok(cause) => return cause,
                Err(failure) => failure,
            };
            tracing::info!(trunk.id = %route.trunk, leg = self.label, ?failure, "a trunk did not connect a call");
            // The good-bye of this side may have crossed the peer's answer.
            if let Some(cause) = self.over {
                return cause;
            }
            match self.trunks.attempt_failed(self.call.plan.call, failure) {
                Some(Next::Try(next)) => route = next,
                Some(Next::Over(failure)) => return not_connected(failure),
                None => return not_connected(failure),
            }
        }
    }

    /// Tries the places of a trunk. An error says that none connects the call.
    async fn try_route(&mut self, route: &Route) -> Result<EndCause, Failure> {
        let Some(trunk) = self.trunks.trunk(&route.trunk) else { return Err(Failure::Unreachable) };
        let trunks = self.trunks.clone();
        let cut = self.call.cut.clone();
        let places = tokio::select! {
            places = trunks.0.locator.locate(&trunk) => places,
            () = self.hung_up() => return Ok(EndCause::LocalHangUp),
            () = cut.cancelled() => return Ok(SPENT),
        };
        let mut failure = Failure::Unreachable;
        for place in places.into_iter().take(MAX_PLACES) {
            failure = match self.attempt(&trunk, route, place.clone()).await {
                Ok(cause) => return Ok(cause),
                Err(failure) => failure,
            };
            if self.has_rung || self.over.is_some() || !trunks.0.locator.note(&place, Some(failure)) {
                break;
            }
        }
        Err(failure)
    }

    /// Calls at one place. An error says why it does not connect the call.
    async fn attempt(&mut self, trunk: &Trunk, route: &Route, place: Candidate) -> Result<EndCause, Failure> {
        let at = place.clone();
        let Some(invite) = self.invitation.to(trunk, route, place) else { return Err(Failure::Unreachable) };
        let (own, mut queue) = inputs();
        let events = FarEndEvents::to(own, |report| report).of_dialog(self.events.dialog().clone());
        let (attempt, state) = watch::channel(Attempt::Unheard);
        let Some(peer) = self.sip.call_trunk(invite, events, attempt).await else {
            return Ok(EndCause::Unreachable);
        };
        let ended = self.follow(&peer, &mut queue, &state).await;
        if self.has_rung {
            self.trunks.0.locator.note(&at, None);
        }
        // Dropping the peer hangs up where it is not over.
        match (ended, &*state.borrow()) {
            (Some(_), Attempt::Failed(failure)) => Err(*failure),
            (Some(cause), Attempt::Heard | Attempt::Unheard) => Ok(cause),
            (None, _) => Err(Failure::Timeout),
        }
    }

    /// Passes on what the two sides say until the attempt is over; `None` where nothing was heard in time.
    async fn follow(
        &mut self,
        peer: &FarEnd,
        queue: &mut InputQueue<FarEndReport>,
        state: &watch::Receiver<Attempt>,
    ) -> Option<EndCause> {
        let until = Instant::now() + self.trunks.0.attempt_timeout;
        let cut = self.call.cut.clone();
        let mut is_timed = true;
        loop {
            tokio::select! {
                report = queue.next() => match report.map(|report| report.event) {
                    Some(FarEndEvent::Ended(cause)) => {
                        let is_cut = self.over == Some(SPENT);
                        return Some(if is_cut { SPENT } else { cause });
                    }
                    Some(event) => self.report(event, peer),
                    None => return Some(EndCause::Internal),
                },
                command = self.commands.recv(), if self.is_held => match command {
                    Some(command) => {
                        if matches!(command, FarEndCommand::HangUp | FarEndCommand::Lose) {
                            self.over.get_or_insert(EndCause::LocalHangUp);
                        }
                        peer.send(command);
                    }
                    None => {
                        self.is_held = false;
                        self.over.get_or_insert(EndCause::LocalHangUp);
                        peer.hang_up();
                    }
                },
                () = cut.cancelled(), if self.over.is_none() => {
                    self.over = Some(SPENT);
                    peer.hang_up();
                }
                () = sleep_until(until), if is_timed => {
                    is_timed = false;
                    // A peer may answer without having said anything before.
                    if !self.has_rung && matches!(*state.borrow(), Attempt::Unheard) {
                        return None;
                    }
                }
            }
        }
    }

    /// Passes on what the attempt reports.
    fn report(&mut self, event: FarEndEvent, peer: &FarEnd) {
        let call = self.call.plan.call;
        match &event {
            FarEndEvent::Ringing => {
                self.has_rung = true;
                self.trunks.ringing(call);
            }
            FarEndEvent::Answered { .. } => {
                self.has_rung = true;
                self.trunks.answered(call);
            }
            FarEndEvent::Completed { .. }
            | FarEndEvent::Confirmed { .. }
            | FarEndEvent::Ended(_)
            | FarEndEvent::GiveOther(_)
            | FarEndEvent::Offered { .. }
            | FarEndEvent::Pulled(_)
            | FarEndEvent::ReferProgress(_)
            | FarEndEvent::Referred(_) => {}
        }
        if !self.events.report(event) {
            peer.hang_up();
        }
    }

    /// Waits until this side hangs up or is gone.
    async fn hung_up(&mut self) {
        while let Some(command) = self.commands.recv().await {
            match command {
                FarEndCommand::HangUp | FarEndCommand::Lose => return,
                // Nobody is there yet who could be told.
                FarEndCommand::Answer(_)
                | FarEndCommand::AnswerOffer(_)
                | FarEndCommand::Refer(_)
                | FarEndCommand::Referral(_)
                | FarEndCommand::Reject(_)
                | FarEndCommand::Ring => {}
            }
        }
    }
}

/// The end of a call that nothing connects.
const fn not_connected(failure: Failure) -> EndCause {
    if let Outcome::PstnOutgoing(status) = failure.outcome() {
        EndCause::PhoneNetwork(status)
    } else {
        EndCause::Unreachable
    }
}
