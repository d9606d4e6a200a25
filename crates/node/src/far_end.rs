use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use bytes::Bytes;
use call_engine::{EndCause, Refusal};
use model::ParticipantId;
use tokio::sync::mpsc;
use trace::{Dialog, Trace};

use crate::conference::ConferenceTaskInput;
use crate::inputs::{Inputs, Refused};
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

/// What a far end reports, and which it is: a report may still be on its way when another far end has the leg's place.
#[derive(Clone, Debug)]
pub(crate) struct FarEndReport {
    pub(crate) line: Line,
    pub(crate) event: FarEndEvent,
}

/// Names one far end. Never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line(u64);

/// Where a far end reports to: a call, the conference that its leg is in, or whoever calls it for somebody else. A leg can
/// move from one to the other, and its end is told wherever it comes to.
#[derive(Clone)]
pub(crate) struct FarEndEvents(Arc<Reporting>);

struct Reporting {
    line: Line,
    /// In whose trace its SIP messages are kept.
    dialog: Dialog,
    listener: ArcSwap<Listener>,
    ended: OnceLock<EndCause>,
}

/// Takes a report. The second argument says whether the far end can report that only once; `false` comes back where nobody
/// listens any more.
type Listener = Box<dyn Fn(FarEndReport, bool) -> bool + Send + Sync>;

impl std::fmt::Debug for FarEndEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FarEndEvents").field(&self.0.line).finish()
    }
}

impl FarEndEvents {
    pub(crate) fn to_call(call: Inputs<CallInput>) -> Self {
        Self::to(call, CallInput::FarEnd)
    }

    pub(crate) fn to_conference(conference: Inputs<ConferenceTaskInput>, participant: ParticipantId) -> Self {
        Self::to(conference, move |report| ConferenceTaskInput::FarEnd { participant, report })
    }

    /// Reports go into a queue, as `make` wraps them.
    pub(crate) fn to<T: Send + 'static>(
        inputs: Inputs<T>,
        make: impl Fn(FarEndReport) -> T + Send + Sync + 'static,
    ) -> Self {
        Self::new(listener(inputs, make))
    }

    /// Reports go to `pass`, which says whether anybody listens there.
    pub(crate) fn passed_to(pass: impl Fn(FarEndReport) -> bool + Send + Sync + 'static) -> Self {
        Self::new(Box::new(move |report, _| pass(report)))
    }

    /// Nobody listens yet.
    pub(crate) fn held() -> Self {
        Self::new(Box::new(|_, _| true))
    }

    fn new(listener: Listener) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let line = Line(NEXT.fetch_add(1, Ordering::Relaxed));
        let (listener, dialog) = (ArcSwap::from_pointee(listener), Dialog::new());
        Self(Arc::new(Reporting { line, dialog, listener, ended: OnceLock::new() }))
    }

    /// Keeps its SIP messages in the trace of a call.
    pub(crate) fn traced(self, trace: &Trace) -> Self {
        self.dialog().give_to(trace);
        self
    }

    /// Keeps its SIP messages where another one does; to be said before it is cloned.
    pub(crate) fn of_dialog(mut self, dialog: Dialog) -> Self {
        if let Some(reporting) = Arc::get_mut(&mut self.0) {
            reporting.dialog = dialog;
        }
        self
    }

    /// In whose trace its SIP messages are kept.
    pub(crate) fn dialog(&self) -> &Dialog {
        &self.0.dialog
    }

    /// Sends what comes from here on into another queue.
    pub(crate) fn move_to<T: Send + 'static>(
        &self,
        inputs: Inputs<T>,
        make: impl Fn(FarEndReport) -> T + Send + Sync + 'static,
    ) {
        self.turn(listener(inputs, make));
    }

    /// Has this far end count as another one, which stood in for it, from here on.
    pub(crate) fn move_to_stand_in(&self, other: Self) {
        self.turn(Box::new(move |report, _| other.report(report.event)));
    }

    pub(crate) fn move_to_call(&self, call: Inputs<CallInput>) {
        self.move_to(call, CallInput::FarEnd);
    }

    pub(crate) fn move_to_conference(
        &self,
        conference: Inputs<ConferenceTaskInput>,
        participant: ParticipantId,
    ) {
        self.move_to(conference, move |report| ConferenceTaskInput::FarEnd { participant, report });
    }

    /// The leg is on its way to somebody else: only its end is of interest, and is told there.
    pub(crate) fn hold(&self) {
        self.turn(Box::new(|_, _| true));
    }

    /// Nobody listens from here on, and the far end hangs up.
    pub(crate) fn move_to_nobody(&self) {
        self.turn(Box::new(|_, _| false));
    }

    fn turn(&self, listener: Listener) {
        self.0.listener.store(Arc::new(listener));
        if let Some(cause) = self.0.ended.get() {
            // Who listened before may not have heard of it, or have left before.
            let report = FarEndReport { line: self.0.line, event: FarEndEvent::Ended(*cause) };
            (**self.0.listener.load())(report, true);
        }
    }

    /// Which far end it is.
    pub(crate) fn line(&self) -> Line {
        self.0.line
    }

    /// Whether it is over, as it has said.
    pub(crate) fn has_ended(&self) -> bool {
        self.0.ended.get().is_some()
    }

    /// Reports; `false` where nobody listens, so that the far end should hang up.
    ///
    /// What a far end can repeat at will is dropped where the call is held up; an offer is then refused by its own
    /// time limit.
    pub(crate) fn report(&self, event: FarEndEvent) -> bool {
        if let FarEndEvent::Ended(cause) = event {
            // It is the last one, so there is no other.
            let _ = self.0.ended.set(cause);
        }
        self.deliver(event)
    }

    /// Has it counted as not answering, for whoever calls it.
    pub(crate) fn give_up(&self) {
        self.deliver(FarEndEvent::Ended(EndCause::NoAnswer));
    }

    fn deliver(&self, event: FarEndEvent) -> bool {
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
        let report = FarEndReport { line: self.0.line, event };
        let listener = self.0.listener.load();
        if (**listener)(report.clone(), is_needed) {
            return true;
        }
        // The leg may have moved in that moment, and the one that it has left be over.
        let now = self.0.listener.load();
        !Arc::ptr_eq(&listener, &now) && (**now)(report, is_needed)
    }
}

fn listener<T: Send + 'static>(
    inputs: Inputs<T>,
    make: impl Fn(FarEndReport) -> T + Send + Sync + 'static,
) -> Listener {
    Box::new(move |report, is_needed| {
        let input = make(report);
        if is_needed { inputs.end(input).is_ok() } else { inputs.tell(input) != Err(Refused::Ended) }
    })
}

#[cfg(test)]
mod tests {
    use call_engine::EndCause;

    use super::{FarEndEvent, FarEndEvents, FarEndReport};
    use crate::inputs::{InputQueue, inputs};

    fn taken(queue: &mut InputQueue<FarEndReport>) -> Vec<FarEndEvent> {
        queue.close().map(|report| report.event).collect()
    }

    #[test]
    fn the_end_of_a_far_end_is_told_wherever_its_leg_comes_to() {
        let ((first, mut of_first), (second, mut of_second)) = (inputs(), inputs());
        let events = FarEndEvents::to(first, |report| report);
        events.hold();
        assert!(events.report(FarEndEvent::Ended(EndCause::HungUp)), "it is not to be hung up on");
        assert!(events.has_ended());
        events.move_to(second, |report| report);
        assert!(taken(&mut of_first).is_empty());
        assert!(matches!(taken(&mut of_second)[..], [FarEndEvent::Ended(EndCause::HungUp)]));
    }

    #[test]
    fn whoever_gives_up_waiting_says_nothing_of_a_far_end_that_goes_on() {
        let (first, mut of_first) = inputs();
        let events = FarEndEvents::to(first, |report: FarEndReport| report);
        events.give_up();
        assert!(!events.has_ended());
        assert!(matches!(taken(&mut of_first)[..], [FarEndEvent::Ended(EndCause::NoAnswer)]));
    }

    #[test]
    fn a_far_end_that_nobody_listens_to_is_told_to_hang_up() {
        let (first, of_first) = inputs();
        let events = FarEndEvents::to(first, |report: FarEndReport| report);
        drop(of_first);
        assert!(!events.report(FarEndEvent::Ringing));
        events.move_to_nobody();
        assert!(!events.report(FarEndEvent::Ringing));
    }

    #[test]
    fn no_two_far_ends_are_the_same() {
        assert_ne!(FarEndEvents::held().line(), FarEndEvents::held().line());
    }
}
