use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use call_engine::{EndCause, Refusal};
use model::ParticipantId;
use tokio::sync::mpsc;

use crate::conference::ConferenceTaskInput;
use crate::inputs::{Inputs, Refused};
use crate::task::CallInput;

/// What the far end of a leg reports, whatever it is: a phone or a script.
#[derive(Debug)]
pub(crate) enum FarEndEvent {
    /// It rings.
    Ringing,
    /// It answered our offer with this description. `source` is where its signalling comes from.
    Answered { sdp: Bytes, source: Option<IpAddr> },
    /// It answered the offer that it had asked us for.
    Completed { sdp: Bytes },
    /// It acknowledged our answer to its call; with a description where it had not offered one.
    Confirmed { sdp: Option<Bytes> },
    /// It changes the session; `None` asks for our description. [`FarEnd::answer_offer`] comes next.
    Offered { sdp: Option<Bytes> },
    /// It is over; the last event.
    Ended(EndCause),
}

/// What a leg tells its far end.
#[derive(Debug)]
pub(crate) enum FarEndCommand {
    /// The answer to what it offered; `None` refuses it (488).
    AnswerOffer(Option<Bytes>),
    /// Answer its call with this description.
    Answer(Bytes),
    /// Cancel or hang up, as fits.
    HangUp,
    /// Refuse its call.
    Reject(Refusal),
    /// Let it hear that it rings.
    Ring,
}

/// How a leg talks to its far end. Dropping the last clone hangs up.
#[derive(Clone, Debug)]
pub(crate) struct FarEnd {
    commands: mpsc::UnboundedSender<FarEndCommand>,
}

impl FarEnd {
    /// A far end and the commands that it is given: few, and one answer for each of its offers.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<FarEndCommand>) {
        let (commands, received) = mpsc::unbounded_channel();
        (Self { commands }, received)
    }

    pub(crate) fn answer_offer(&self, sdp: Option<Bytes>) {
        // A far end that is gone has reported its end.
        let _ = self.commands.send(FarEndCommand::AnswerOffer(sdp));
    }

    pub(crate) fn answer(&self, sdp: Bytes) {
        let _ = self.commands.send(FarEndCommand::Answer(sdp));
    }

    pub(crate) fn reject(&self, why: Refusal) {
        let _ = self.commands.send(FarEndCommand::Reject(why));
    }

    pub(crate) fn ring(&self) {
        let _ = self.commands.send(FarEndCommand::Ring);
    }

    pub(crate) fn hang_up(&self) {
        let _ = self.commands.send(FarEndCommand::HangUp);
    }
}

/// Where a far end reports to: a call, or the conference that its leg is in. A leg can move from one to the other.
#[derive(Clone, Debug)]
pub(crate) struct FarEndEvents(Arc<ArcSwap<Listener>>);

#[derive(Debug)]
enum Listener {
    Call(Inputs<CallInput>),
    Conference(Inputs<ConferenceTaskInput>, ParticipantId),
}

impl FarEndEvents {
    pub(crate) fn to_call(call: Inputs<CallInput>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Listener::Call(call))))
    }

    pub(crate) fn to_conference(conference: Inputs<ConferenceTaskInput>, participant: ParticipantId) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Listener::Conference(conference, participant))))
    }

    /// Sends what comes from here on to a conference.
    pub(crate) fn move_to(&self, conference: Inputs<ConferenceTaskInput>, participant: ParticipantId) {
        self.0.store(Arc::new(Listener::Conference(conference, participant)));
    }

    /// Reports; `false` where the call is over, so that the far end should hang up.
    ///
    /// What a far end can repeat at will is dropped where the call is held up; an offer is then refused by its own
    /// time limit.
    pub(crate) fn report(&self, event: FarEndEvent) -> bool {
        let is_needed = match event {
            FarEndEvent::Ringing | FarEndEvent::Offered { .. } | FarEndEvent::Completed { .. } => false,
            FarEndEvent::Answered { .. } | FarEndEvent::Confirmed { .. } | FarEndEvent::Ended(_) => true,
        };
        match &**self.0.load() {
            Listener::Call(call) => pass(call, CallInput::FarEnd(event), is_needed),
            Listener::Conference(conference, participant) => {
                let participant = *participant;
                pass(conference, ConferenceTaskInput::FarEnd { participant, event }, is_needed)
            }
        }
    }
}

fn pass<T>(inputs: &Inputs<T>, input: T, is_needed: bool) -> bool {
    if is_needed { inputs.end(input).is_ok() } else { inputs.tell(input) != Err(Refused::Ended) }
}
