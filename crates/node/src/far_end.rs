use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use call_engine::{EndCause, Refusal};
use model::ParticipantId;
use tokio::sync::mpsc;

use crate::conference::ConferenceTaskInput;
use crate::inputs::{Inputs, Refused, inputs};
use crate::referral::{Handover, Referral, ReferralStatus};
use crate::sip::CallingPhone;
use crate::task::CallInput;

/// What the far end of a leg reports, whatever it is: a phone or a script.
#[derive(Clone, Debug)]
pub(crate) enum FarEndEvent {
    /// It rings.
    Ringing,
    /// It answered our offer with this description. `source` is where its signalling comes from.
    Answered { sdp: Bytes, source: Option<IpAddr> },
    /// It answered the offer that it had asked us for.
    Completed { sdp: Bytes },
    /// It acknowledged our answer to its call; with a description where it had not offered one.
    Confirmed { sdp: Option<Bytes> },
    /// Its phone, on another leg, hands over: whoever this one talks to is to go there.
    GiveOther(Handover),
    /// Another phone of the same user calls to have the conversation (RFC 3891).
    Pulled(Box<CallingPhone>),
    /// How it goes that it calls whom it was asked to call.
    ReferProgress(ReferProgress),
    /// It hands the conversation over; [`ReferralStatus`] comes next.
    Referred(Referral),
    /// It changes the session; `None` asks for our description. [`FarEnd::answer_offer`] comes next.
    Offered { sdp: Option<Bytes> },
    /// It is over; the last event.
    Ended(EndCause),
}

/// How it goes that a far end calls whom it was asked to call (RFC 3515).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReferProgress {
    /// It does so.
    Accepted,
    /// It has, and whoever it called answered.
    Done,
    /// It has, in vain, or does not say.
    Failed,
    /// It does not.
    Refused,
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
    /// The same, as somebody else has answered.
    Lose,
    /// Call this one by itself, in our place: an address of record.
    Refer(String),
    /// How it goes that it hands over.
    Referral(ReferralStatus),
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

    pub(crate) fn lose(&self) {
        let _ = self.commands.send(FarEndCommand::Lose);
    }

    /// Passes on what somebody else tells it.
    pub(crate) fn send(&self, command: FarEndCommand) {
        let _ = self.commands.send(command);
    }
}

/// Where a far end reports to: a call, the conference that its leg is in, or whoever calls it for somebody else. A leg can
/// move from one to the other.
#[derive(Clone)]
pub(crate) struct FarEndEvents(Arc<ArcSwap<Listener>>);

/// Takes a report. The second argument says whether the far end can report that only once; `false` comes back where nobody
/// listens any more.
type Listener = Box<dyn Fn(FarEndEvent, bool) -> bool + Send + Sync>;

impl std::fmt::Debug for FarEndEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FarEndEvents").finish_non_exhaustive()
    }
}

impl FarEndEvents {
    pub(crate) fn to_call(call: Inputs<CallInput>) -> Self {
        Self::to(call, CallInput::FarEnd)
    }

    pub(crate) fn to_conference(conference: Inputs<ConferenceTaskInput>, participant: ParticipantId) -> Self {
        Self::to(conference, move |event| ConferenceTaskInput::FarEnd { participant, event })
    }

    /// Reports go into a queue, as `make` wraps them.
    pub(crate) fn to<T: Send + 'static>(
        inputs: Inputs<T>,
        make: impl Fn(FarEndEvent) -> T + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(listener(inputs, make))))
    }

    /// Sends what comes from here on into another queue.
    pub(crate) fn move_to<T: Send + 'static>(
        &self,
        inputs: Inputs<T>,
        make: impl Fn(FarEndEvent) -> T + Send + Sync + 'static,
    ) {
        self.0.store(Arc::new(listener(inputs, make)));
    }

    /// Nobody listens yet.
    pub(crate) fn to_nobody() -> Self {
        let (nobody, _) = inputs::<FarEndEvent>();
        Self::to(nobody, |event| event)
    }

    /// Nobody listens from here on.
    pub(crate) fn move_to_nobody(&self) {
        let (nobody, _) = inputs::<FarEndEvent>();
        self.move_to(nobody, |event| event);
    }

    pub(crate) fn move_to_call(&self, call: Inputs<CallInput>) {
        self.move_to(call, CallInput::FarEnd);
    }

    pub(crate) fn move_to_conference(
        &self,
        conference: Inputs<ConferenceTaskInput>,
        participant: ParticipantId,
    ) {
        self.move_to(conference, move |event| ConferenceTaskInput::FarEnd { participant, event });
    }

    /// Reports; `false` where nobody listens, so that the far end should hang up.
    ///
    /// What a far end can repeat at will is dropped where the call is held up; an offer is then refused by its own
    /// time limit.
    pub(crate) fn report(&self, event: FarEndEvent) -> bool {
        let is_needed = match event {
            FarEndEvent::Completed { .. }
            | FarEndEvent::GiveOther(_)
            | FarEndEvent::Offered { .. }
            | FarEndEvent::Pulled(_)
            | FarEndEvent::Referred(_)
            | FarEndEvent::Ringing => false,
            FarEndEvent::Answered { .. }
            | FarEndEvent::Confirmed { .. }
            | FarEndEvent::Ended(_)
            | FarEndEvent::ReferProgress(_) => true,
        };
        let listener = self.0.load();
        if (**listener)(event.clone(), is_needed) {
            return true;
        }
        // The leg may have moved in that moment, and the one that it has left be over.
        let now = self.0.load();
        !Arc::ptr_eq(&listener, &now) && (**now)(event, is_needed)
    }
}

fn listener<T: Send + 'static>(
    inputs: Inputs<T>,
    make: impl Fn(FarEndEvent) -> T + Send + Sync + 'static,
) -> Listener {
    Box::new(move |event, is_needed| {
        let input = make(event);
        if is_needed { inputs.end(input).is_ok() } else { inputs.tell(input) != Err(Refused::Ended) }
    })
}
