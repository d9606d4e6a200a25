//! The phones and pages of one user, which ring at once: the first that answers has the call.

use call_engine::EndCause;
use phone_wire::Party;
use sip_message::NameAddr;
use tokio::sync::mpsc;
use trace::Dialog;

use crate::far_end::{FarEnd, FarEndCommand, FarEndEvent, FarEndEvents};

/// Several far ends that are one for the leg.
pub(crate) struct Together {
    own: mpsc::UnboundedSender<(usize, FarEndEvent)>,
    reports: mpsc::UnboundedReceiver<(usize, FarEndEvent)>,
    members: Vec<Option<FarEnd>>,
}

impl Together {
    pub(crate) fn new() -> Self {
        let (own, reports) = mpsc::unbounded_channel();
        Self { own, reports, members: Vec::new() }
    }

    /// Where the far end reports to that is the `index`th to be added.
    pub(crate) fn events(&self, index: usize, dialog: &Dialog) -> FarEndEvents {
        let own = self.own.clone();
        FarEndEvents::passed_to(move |report| own.send((index, report.event)).is_ok())
            .of_dialog(dialog.clone())
    }

    /// How many there are: the index of the next one.
    pub(crate) const fn len(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn add(&mut self, far_end: FarEnd) {
        self.members.push(Some(far_end));
    }

    /// Makes one far end of them all, which reports to `events`; none where there is none among them.
    pub(crate) fn start(self, events: FarEndEvents) -> Option<FarEnd> {
        if self.members.is_empty() {
            return None;
        }
        let (far_end, commands) = FarEnd::new();
        tokio::spawn(self.run(events, commands));
        Some(far_end)
    }

    async fn run(mut self, events: FarEndEvents, mut commands: mpsc::UnboundedReceiver<FarEndCommand>) {
        let (mut is_ringing, mut cause) = (false, EndCause::NoEndpoint);
        let winner = loop {
            tokio::select! {
                report = self.reports.recv() => {
                    let Some((index, event)) = report else { return };
                    match event {
                        FarEndEvent::Ringing if !is_ringing => {
                            is_ringing = true;
                            if !events.report(FarEndEvent::Ringing) {
                                return self.leave(&FarEndCommand::HangUp);
                            }
                        }
                        FarEndEvent::Answered { .. } => {
                            let Some(winner) = self.members.get_mut(index).and_then(Option::take) else { continue };
                            self.leave(&FarEndCommand::Lose);
                            if !events.report(event) {
                                return winner.hang_up();
                            }
                            break (index, winner);
                        }
                        FarEndEvent::Ended(why) => {
                            if let Some(member) = self.members.get_mut(index) {
                                *member = None;
                            }
                            cause = telling(cause, why);
                            // Whoever declines does so for all that rings (RFC 3261, 21.6.2).
                            if why == EndCause::Declined || self.members.iter().all(Option::is_none) {
                                self.leave(&FarEndCommand::HangUp);
                                events.report(FarEndEvent::Ended(cause));
                                return;
                            }
                        }
                        FarEndEvent::Ringing
                        | FarEndEvent::Completed { .. }
                        | FarEndEvent::Confirmed { .. }
                        | FarEndEvent::GiveOther(_)
                        | FarEndEvent::Pulled(_)
                        | FarEndEvent::ReferProgress(_)
                        | FarEndEvent::Referred(_)
                        | FarEndEvent::Offered { .. } => {}
                    }
                }
                command = commands.recv() => {
                    let (command, why) = match command {
                        Some(FarEndCommand::Lose) => (FarEndCommand::Lose, EndCause::AnsweredElsewhere),
                        Some(FarEndCommand::HangUp) | None => (FarEndCommand::HangUp, EndCause::LocalHangUp),
                        // Nobody has answered whom this could be said to.
                        Some(
                            FarEndCommand::Answer(_)
                            | FarEndCommand::AnswerOffer(_)
                            | FarEndCommand::Refer(_)
                            | FarEndCommand::Referral(_)
                            | FarEndCommand::Reject(_)
                            | FarEndCommand::Ring,
                        ) => continue,
                    };
                    self.leave(&command);
                    events.report(FarEndEvent::Ended(why));
                    return;
                }
            }
        };
        self.pass_on(winner, &events, commands).await;
    }

    /// Says to all that are left that it is over.
    fn leave(&mut self, command: &FarEndCommand) {
        for member in self.members.iter_mut().filter_map(Option::take) {
            if matches!(command, FarEndCommand::Lose) { member.lose() } else { member.hang_up() }
        }
    }

    /// The one who answered is all that counts from here on.
    async fn pass_on(
        mut self,
        (winner, far_end): (usize, FarEnd),
        events: &FarEndEvents,
        mut commands: mpsc::UnboundedReceiver<FarEndCommand>,
    ) {
        loop {
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some((index, event)) if index == winner => {
                        let is_last = matches!(event, FarEndEvent::Ended(_));
                        if !events.report(event) {
                            far_end.hang_up();
                        }
                        if is_last {
                            return;
                        }
                    }
                    Some(_) => {}
                    None => return,
                },
                command = commands.recv() => match command {
                    Some(command) => far_end.send(command),
                    None => {
                        // Dropping it hangs up, and nobody is left to be told.
                        return;
                    }
                },
            }
        }
    }
}

/// Which of two reasons says more to whoever calls.
fn telling(one: EndCause, other: EndCause) -> EndCause {
    let weight = |cause: EndCause| match cause {
        EndCause::Declined => 6,
        EndCause::Busy => 5,
        EndCause::NoAnswer => 4,
        EndCause::RefusedOffer => 3,
        EndCause::Unreachable | EndCause::Silent => 2,
        EndCause::NoEndpoint => 0,
        EndCause::AnsweredElsewhere
        | EndCause::Cancelled
        | EndCause::HungUp
        | EndCause::Internal
        | EndCause::LocalHangUp
        | EndCause::MediaFailed
        | EndCause::MediaLost
        | EndCause::NotAcknowledged
        | EndCause::NotFound
        | EndCause::PhoneNetwork(_)
        | EndCause::Vanished => 1,
    };
    if weight(other) >= weight(one) { other } else { one }
}

/// A caller as pages show it.
pub(crate) fn party(from: &NameAddr) -> Party {
    let address = from.uri.to_string();
    let name = from.display.clone().or_else(|| from.uri.user()).unwrap_or_else(|| address.clone());
    Party { name, address }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::far_end::FarEndReport;

    struct Scene {
        far_end: FarEnd,
        told: mpsc::UnboundedReceiver<FarEndEvent>,
        members: Vec<(FarEndEvents, mpsc::UnboundedReceiver<FarEndCommand>)>,
    }

    fn scene(members: usize) -> Scene {
        let (tell, told) = mpsc::unbounded_channel();
        let events = FarEndEvents::passed_to(move |report: FarEndReport| tell.send(report.event).is_ok());
        let mut together = Together::new();
        let members = (0..members)
            .map(|index| {
                let (far_end, commands) = FarEnd::new();
                together.add(far_end);
                (together.events(index, &Dialog::new()), commands)
            })
            .collect();
        Scene { far_end: together.start(events).unwrap(), told, members }
    }

    fn answer() -> FarEndEvent {
        FarEndEvent::Answered { sdp: Bytes::from_static(b"answer"), source: None }
    }

    #[tokio::test]
    async fn the_first_that_answers_has_the_call_and_the_others_hear_that_somebody_did() {
        let mut scene = scene(3);
        scene.members[0].0.report(FarEndEvent::Ringing);
        scene.members[1].0.report(FarEndEvent::Ringing);
        scene.members[1].0.report(answer());
        scene.members[0].0.report(answer());
        assert!(matches!(scene.told.recv().await, Some(FarEndEvent::Ringing)));
        assert!(matches!(scene.told.recv().await, Some(FarEndEvent::Answered { .. })));
        for loser in [0, 2] {
            assert!(matches!(scene.members[loser].1.recv().await, Some(FarEndCommand::Lose)));
        }
        scene.members[0].0.report(FarEndEvent::Ended(EndCause::AnsweredElsewhere));
        scene.far_end.answer_offer(None);
        assert!(matches!(scene.members[1].1.recv().await, Some(FarEndCommand::AnswerOffer(None))));
        scene.members[1].0.report(FarEndEvent::Ended(EndCause::HungUp));
        assert!(matches!(scene.told.recv().await, Some(FarEndEvent::Ended(EndCause::HungUp))));
        assert!(scene.told.recv().await.is_none());
    }

    #[tokio::test]
    async fn one_that_is_busy_leaves_it_to_the_others_and_who_declines_does_so_for_all() {
        let mut scene = scene(3);
        scene.members[0].0.report(FarEndEvent::Ended(EndCause::Busy));
        scene.members[1].0.report(FarEndEvent::Ended(EndCause::Declined));
        assert!(matches!(scene.told.recv().await, Some(FarEndEvent::Ended(EndCause::Declined))));
        assert!(matches!(scene.members[2].1.recv().await, Some(FarEndCommand::HangUp)));
    }

    #[tokio::test]
    async fn where_all_fail_the_reason_that_says_most_is_told() {
        let mut scene = scene(2);
        scene.members[0].0.report(FarEndEvent::Ended(EndCause::Busy));
        scene.members[1].0.report(FarEndEvent::Ended(EndCause::Unreachable));
        assert!(matches!(scene.told.recv().await, Some(FarEndEvent::Ended(EndCause::Busy))));
    }

    #[tokio::test]
    async fn who_gives_up_calls_nobody_any_more() {
        let mut scene = scene(2);
        scene.far_end.hang_up();
        assert!(matches!(scene.told.recv().await, Some(FarEndEvent::Ended(EndCause::LocalHangUp))));
        for (_, commands) in &mut scene.members {
            assert!(matches!(commands.recv().await, Some(FarEndCommand::HangUp)));
        }
    }
}
