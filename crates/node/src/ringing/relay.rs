//! How a call goes on to another application: that has a call of its own, whose far end is what the caller's phone hears.

use bytes::Bytes;
use call_engine::{EndCause, RedirectEvent, Refusal};
use model::CallId;
use tokio::sync::{mpsc, oneshot};

use crate::far_end::{FarEnd, FarEndCommand, FarEndEvent, FarEndEvents};
use crate::inputs::{InputQueue, Inputs, inputs};
use crate::sip::CallingPhone;
use crate::task::CallInput;

/// The call of another application that rings in place of the one that the phone called.
pub(crate) struct Relay {
    /// Which call that is, once it is there.
    pub(crate) id: Option<CallId>,
    /// Where the other call believes its phone to report.
    events: FarEndEvents,
    /// Turns to the phone what the other call tells it.
    phone: Option<oneshot::Sender<FarEnd>>,
    answer: Option<Bytes>,
    /// What the other call is told where it does not get the phone.
    ending: EndCause,
}

/// What the other application does.
#[derive(Debug)]
pub(crate) enum RelayEvent {
    /// It answers the phone.
    Answered(Bytes),
    /// It does not.
    Refused(Refusal),
}

impl Relay {
    /// A place for the other call, and the phone and queue that it begins with; `report` hears what it does until the two are
    /// connected.
    pub(crate) fn new(
        phone: &CallingPhone,
        report: impl Fn(RelayEvent) + Send + 'static,
    ) -> (Self, CallingPhone, (Inputs<CallInput>, InputQueue<CallInput>)) {
        let (far_end, commands) = FarEnd::new();
        let queue = inputs();
        let events = FarEndEvents::to_call(queue.0.clone());
        let (turn, turned) = oneshot::channel();
        tokio::spawn(pass_on(commands, turned, report));
        let stand_in = CallingPhone {
            far_end,
            offer: phone.offer.clone(),
            source: phone.source,
            is_trunk: phone.is_trunk,
            srtp: phone.srtp,
            events: events.clone(),
        };
        let relay = Self { id: None, events, phone: Some(turn), answer: None, ending: EndCause::HungUp };
        (relay, stand_in, queue)
    }

    pub(super) fn handle(&mut self, event: RelayEvent) -> RedirectEvent {
        match event {
            RelayEvent::Answered(sdp) => {
                self.answer = Some(sdp);
                RedirectEvent::Answered
            }
            RelayEvent::Refused(why) => RedirectEvent::Failed(cause_of(why)),
        }
    }

    /// Somebody else got the phone.
    pub(super) fn lose(&mut self) {
        self.ending = EndCause::AnsweredElsewhere;
    }

    /// Gives the phone to the other call.
    pub(super) fn connect(mut self, phone: CallingPhone) {
        let (Some(turn), Some(answer)) = (self.phone.take(), self.answer.take()) else {
            return phone.far_end.reject(Refusal::Unavailable);
        };
        phone.events.move_to_stand_in(self.events.clone());
        phone.far_end.answer(answer);
        // Where nobody takes it the other call is over; dropping the phone hangs up.
        let _ = turn.send(phone.far_end);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.phone.is_some() {
            self.events.report(FarEndEvent::Ended(self.ending));
        }
    }
}

/// Hears what a call tells a phone that is not its own, and passes on what comes after it has got the phone.
async fn pass_on(
    mut commands: mpsc::UnboundedReceiver<FarEndCommand>,
    turned: oneshot::Receiver<FarEnd>,
    report: impl Fn(RelayEvent) + Send + 'static,
) {
    loop {
        match commands.recv().await {
            Some(
                FarEndCommand::AnswerOffer(_)
                | FarEndCommand::Refer(_)
                | FarEndCommand::Referral(_)
                | FarEndCommand::Ring,
            ) => {}
            Some(FarEndCommand::Answer(sdp)) => {
                report(RelayEvent::Answered(sdp));
                break;
            }
            Some(FarEndCommand::Reject(why)) => return report(RelayEvent::Refused(why)),
            Some(FarEndCommand::HangUp | FarEndCommand::Lose) | None => {
                return report(RelayEvent::Refused(Refusal::Unavailable));
            }
        }
    }
    if let Ok(phone) = turned.await {
        while let Some(command) = commands.recv().await {
            phone.send(command);
        }
    }
}

const fn cause_of(why: Refusal) -> EndCause {
    match why {
        Refusal::Busy => EndCause::Busy,
        Refusal::Declined | Refusal::Forbidden => EndCause::Declined,
        Refusal::NotAnswered => EndCause::NoAnswer,
        Refusal::NotFound => EndCause::NotFound,
        Refusal::CallerAtLimit | Refusal::Occupied | Refusal::Unavailable => EndCause::Unreachable,
    }
}
