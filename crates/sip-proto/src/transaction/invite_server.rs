//! INVITE server transaction (RFC 3261, 17.2.1, with the Accepted state of RFC 6026, 7.1).
//!
//! ```text
//!              INVITE: pass up
//!                    |       INVITE: resend the last response
//!                    v      +--+
//!              [ Proceeding ] <+   1xx from the user: send
//!       2xx: send |      | 300-699: send
//!                 v      v
//!       [ Accepted ]   [ Completed ]   G, INVITE: resend; H: fail
//!  2xx: send  |          | ACK
//!  ACK: up    |          v
//!           L |    [ Confirmed ]       ACK, INVITE: absorbed
//!             v          | I
//!          [ Terminated ] <'
//! ```

use core::time::Duration;

use super::{Backoff, Clock, Failure, Send, Step, soonest};

/// Answering one INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InviteServer {
    /// The transaction user has not given its final response.
    Proceeding,
    /// A failure was sent and repeats until its ACK. `g` is absent on reliable transports.
    Completed { g: Option<Backoff>, h: Duration },
    /// The ACK of the failure came; more of them are absorbed.
    Confirmed { i: Duration },
    /// A 2xx was sent; the transaction user repeats it, this state absorbs repeated INVITEs.
    Accepted { l: Duration },
    /// Nothing is awaited.
    Terminated,
}

/// What can happen to an INVITE server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// The INVITE again.
    Invite,
    Ack,
    SendProvisional,
    SendSuccess,
    SendFailure,
    TransportError,
    TimerG,
    TimerH,
    TimerI,
    TimerL,
}

impl InviteServer {
    /// Starts with the INVITE on its way to the transaction user.
    pub(crate) fn start() -> Self {
        Self::Proceeding
    }

    /// The next timer and when it fires.
    pub(crate) fn next_timer(&self) -> Option<(Duration, Input)> {
        match *self {
            Self::Completed { g, h } => soonest(g.map(|g| (g.at, Input::TimerG)), Some((h, Input::TimerH))),
            Self::Confirmed { i } => Some((i, Input::TimerI)),
            Self::Accepted { l } => Some((l, Input::TimerL)),
            Self::Proceeding | Self::Terminated => None,
        }
    }

    /// Takes one input to the next state.
    pub(crate) fn handle(self, input: Input, clock: &Clock) -> (Self, Step) {
        match self {
            Self::Proceeding => Self::proceeding(input, clock),
            Self::Completed { g, h } => Self::completed(g, h, input, clock),
            Self::Confirmed { i } => Self::confirmed(i, input),
            Self::Accepted { l } => Self::accepted(l, input),
            Self::Terminated => (self, Step::NOTHING),
        }
    }

    fn proceeding(input: Input, clock: &Clock) -> (Self, Step) {
        match input {
            Input::Invite | Input::SendProvisional => (Self::Proceeding, Step::send(Send::Response)),
            Input::SendSuccess => {
                let l = clock.now + clock.timers.timeout();
                (Self::Accepted { l }, Step::send(Send::Response))
            }
            Input::SendFailure => {
                let t1 = clock.timers.t1;
                let g = (!clock.reliable).then_some(Backoff { at: clock.now + t1, interval: t1 });
                let h = clock.now + clock.timers.timeout();
                (Self::Completed { g, h }, Step::send(Send::Response))
            }
            Input::TransportError => (Self::Terminated, Step::fail(Failure::Transport)),
            Input::Ack | Input::TimerG | Input::TimerH | Input::TimerI | Input::TimerL => {
                (Self::Proceeding, Step::NOTHING)
            }
        }
    }

    fn completed(g: Option<Backoff>, h: Duration, input: Input, clock: &Clock) -> (Self, Step) {
        match input {
            Input::Invite => (Self::Completed { g, h }, Step::send(Send::Response)),
            Input::Ack => {
                let i = clock.now + clock.unreliable(clock.timers.t4);
                (Self::Confirmed { i }, Step::NOTHING)
            }
            Input::TransportError => (Self::Terminated, Step::fail(Failure::Transport)),
            Input::TimerG => {
                let g = g.map(|g| {
                    let interval = (g.interval * 2).min(clock.timers.t2);
                    Backoff { at: clock.now + interval, interval }
                });
                (Self::Completed { g, h }, Step::send(Send::Response))
            }
            Input::TimerH => (Self::Terminated, Step::fail(Failure::Timeout)),
            Input::SendProvisional
            | Input::SendSuccess
            | Input::SendFailure
            | Input::TimerI
            | Input::TimerL => (Self::Completed { g, h }, Step::NOTHING),
        }
    }

    fn confirmed(i: Duration, input: Input) -> (Self, Step) {
        match input {
            Input::TimerI => (Self::Terminated, Step::NOTHING),
            Input::Invite
            | Input::Ack
            | Input::SendProvisional
            | Input::SendSuccess
            | Input::SendFailure
            | Input::TransportError
            | Input::TimerG
            | Input::TimerH
            | Input::TimerL => (Self::Confirmed { i }, Step::NOTHING),
        }
    }

    fn accepted(l: Duration, input: Input) -> (Self, Step) {
        match input {
            Input::SendSuccess => (Self::Accepted { l }, Step::send(Send::Response)),
            Input::Ack => (Self::Accepted { l }, Step::DELIVER),
            Input::TimerL => (Self::Terminated, Step::NOTHING),
            // The transaction user repeats its 2xx by its own timer, so an error is not fatal yet.
            Input::Invite
            | Input::SendProvisional
            | Input::SendFailure
            | Input::TransportError
            | Input::TimerG
            | Input::TimerH
            | Input::TimerI => (Self::Accepted { l }, Step::NOTHING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RELIABLE, UNRELIABLE, seconds};
    use super::Input::*;
    use super::*;

    const ALL: [Input; 10] = [
        Invite,
        Ack,
        SendProvisional,
        SendSuccess,
        SendFailure,
        TransportError,
        TimerG,
        TimerH,
        TimerI,
        TimerL,
    ];

    fn name(state: &InviteServer) -> &'static str {
        match state {
            InviteServer::Proceeding => "proceeding",
            InviteServer::Completed { .. } => "completed",
            InviteServer::Confirmed { .. } => "confirmed",
            InviteServer::Accepted { .. } => "accepted",
            InviteServer::Terminated => "terminated",
        }
    }

    #[test]
    fn every_state_takes_every_input_as_the_figure_says() {
        let none = Step::NOTHING;
        let send = Step::send(Send::Response);
        let broken = Step::fail(Failure::Transport);
        let (completed, _) = InviteServer::start().handle(SendFailure, &UNRELIABLE);
        let mut confirmed = [("confirmed", none); 10];
        confirmed[8] = ("terminated", none);
        let table = [
            (
                InviteServer::start(),
                [
                    ("proceeding", send),
                    ("proceeding", none),
                    ("proceeding", send),
                    ("accepted", send),
                    ("completed", send),
                    ("terminated", broken),
                    ("proceeding", none),
                    ("proceeding", none),
                    ("proceeding", none),
                    ("proceeding", none),
                ],
            ),
            (
                completed,
                [
                    ("completed", send),
                    ("confirmed", none),
                    ("completed", none),
                    ("completed", none),
                    ("completed", none),
                    ("terminated", broken),
                    ("completed", send),
                    ("terminated", Step::fail(Failure::Timeout)),
                    ("completed", none),
                    ("completed", none),
                ],
            ),
            (InviteServer::Confirmed { i: seconds(5) }, confirmed),
            (
                InviteServer::Accepted { l: seconds(32) },
                [
                    ("accepted", none),
                    ("accepted", Step::DELIVER),
                    ("accepted", none),
                    ("accepted", send),
                    ("accepted", none),
                    ("accepted", none),
                    ("accepted", none),
                    ("accepted", none),
                    ("accepted", none),
                    ("terminated", none),
                ],
            ),
            (InviteServer::Terminated, [("terminated", none); 10]),
        ];
        for (state, row) in table {
            for (input, (next, step)) in ALL.into_iter().zip(row) {
                let (after, did) = state.handle(input, &UNRELIABLE);
                assert_eq!((name(&after), did), (next, step), "{state:?} on {input:?}");
            }
        }
    }

    #[test]
    fn timer_g_doubles_up_to_t2_and_timer_h_ends_it() {
        let (mut state, _) = InviteServer::start().handle(SendFailure, &UNRELIABLE);
        let mut at = Vec::new();
        while let Some((when, input)) = state.next_timer() {
            at.push((when.as_millis(), input));
            state = state.handle(input, &Clock { now: when, ..UNRELIABLE }).0;
        }
        let expected = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
        assert_eq!(at[..10], expected.map(|ms| (ms, TimerG)));
        assert_eq!(at[10..], [(32_000, TimerH)]);
    }

    #[test]
    fn a_reliable_transport_skips_timers_g_and_i() {
        let (state, _) = InviteServer::start().handle(SendFailure, &RELIABLE);
        assert_eq!(state.next_timer(), Some((seconds(32), TimerH)));
        let (state, _) = state.handle(Ack, &RELIABLE);
        assert_eq!(state.next_timer(), Some((Duration::ZERO, TimerI)));
    }
}
