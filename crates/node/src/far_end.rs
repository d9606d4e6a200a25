use std::net::IpAddr;

use bytes::Bytes;
use call_engine::EndCause;
use tokio::sync::mpsc;

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
    /// Cancel or hang up, as fits.
    HangUp,
}

/// How a leg talks to its far end. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct FarEnd {
    commands: mpsc::UnboundedSender<FarEndCommand>,
}

impl FarEnd {
    /// A far end and the commands that it is given: one answer for each of its offers, one good-bye.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<FarEndCommand>) {
        let (commands, received) = mpsc::unbounded_channel();
        (Self { commands }, received)
    }

    pub(crate) fn answer_offer(&self, sdp: Option<Bytes>) {
        // A far end that is gone has reported its end.
        let _ = self.commands.send(FarEndCommand::AnswerOffer(sdp));
    }

    pub(crate) fn hang_up(&self) {
        let _ = self.commands.send(FarEndCommand::HangUp);
    }
}

/// Where a far end reports to.
#[derive(Clone, Debug)]
pub(crate) struct FarEndEvents(Inputs);

impl FarEndEvents {
    pub(crate) const fn new(inputs: Inputs) -> Self {
        Self(inputs)
    }

    /// Reports; `false` where the call is over, so that the far end should hang up.
    ///
    /// What a far end can repeat at will is dropped where the call is held up; an offer is then refused by its own
    /// time limit.
    pub(crate) fn report(&self, event: FarEndEvent) -> bool {
        match event {
            FarEndEvent::Ringing | FarEndEvent::Offered { .. } | FarEndEvent::Completed { .. } => {
                self.0.tell(CallInput::FarEnd(event)) != Err(Refused::Ended)
            }
            FarEndEvent::Answered { .. } | FarEndEvent::Ended(_) => {
                self.0.end(CallInput::FarEnd(event)).is_ok()
            }
        }
    }
}
