//! INVITE client transaction (RFC 3261, 17.1.1, with the Accepted state of RFC 6026, 7.2).
//!
//! ```text
//!              INVITE sent
//!                  |
//!      A: resend   v   B or transport error: fail
//!        +--> [ Calling ] ---------------------------------+
//!        +-------' | '--- 2xx: pass up ----+               |
//!             1xx: |                       |               |
//!          pass up v   2xx: pass up        v    M          |
//!           [ Proceeding ] ---------> [ Accepted ] --------+
//!        1xx: ^ |   |                  ^ |                 |
//!     pass up '-'   |        2xx: pass '-'                 |
//!                   | 3xx-6xx: ACK, pass up                |
//!                   v         D or transport error         v
//!             [ Completed ] ------------------------> [ Terminated ]
//!  3xx-6xx: ACK ^ |
//!               '-'        (Calling takes 3xx-6xx the same way)
//! ```

use core::time::Duration;

use super::{Backoff, Clock, Failure, Send, Step, soonest};

/// Waiting for the answers to one INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InviteClient {
    /// Nothing has come yet. `a` is absent on reliable transports.
    Calling { a: Option<Backoff>, b: Duration },
    /// A provisional response came; only the transaction user ends the wait.
    Proceeding,
    /// A failure came and is acknowledged as often as it repeats.
    Completed { d: Duration },
    /// A 2xx came; more of them, from forks or repeated, still reach the transaction user.
    Accepted { m: Duration },
    /// Nothing is awaited.
    Terminated,
}

/// What can happen to an INVITE client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Provisional,
    Success,
    Refusal,
    TransportError,
    TimerA,
    TimerB,
    TimerD,
    TimerM,
}

impl InviteClient {
    /// Starts with the INVITE already on its way.
    pub(crate) fn start(clock: &Clock) -> Self {
        let t1 = clock.timers.t1;
        let a = (!clock.reliable).then_some(Backoff { at: clock.now + t1, interval: t1 });
        Self::Calling { a, b: clock.now + clock.timers.timeout() }
    }

    /// The next timer and when it fires.
    pub(crate) fn next_timer(&self) -> Option<(Duration, Input)> {
        match *self {
            Self::Calling { a, b } => soonest(a.map(|a| (a.at, Input::TimerA)), Some((b, Input::TimerB))),
            Self::Completed { d } => Some((d, Input::TimerD)),
            Self::Accepted { m } => Some((m, Input::TimerM)),
            Self::Proceeding | Self::Terminated => None,
        }
    }

    /// Takes one input to the next state.
    pub(crate) fn handle(self, input: Input, clock: &Clock) -> (Self, Step) {
        match self {
            Self::Calling { a, b } => Self::calling(a, b, input, clock),
            Self::Proceeding => Self::proceeding(input, clock),
            Self::Completed { d } => Self::completed(d, input),
            Self::Accepted { m } => Self::accepted(m, input),
            Self::Terminated => (self, Step::NOTHING),
        }
    }

    fn calling(a: Option<Backoff>, b: Duration, input: Input, clock: &Clock) -> (Self, Step) {
        match input {
            Input::Provisional => (Self::Proceeding, Step::DELIVER),
            Input::Success => (Self::accept(clock), Step::DELIVER),
            Input::Refusal => (Self::complete(clock), Step::deliver_and(Send::Ack)),
            Input::TransportError => (Self::Terminated, Step::fail(Failure::Transport)),
            Input::TimerA => {
                let next = a.map(|a| {
                    let interval = a.interval * 2;
                    Backoff { at: clock.now + interval, interval }
                });
                (Self::Calling { a: next, b }, Step::send(Send::Request))
            }
            Input::TimerB => (Self::Terminated, Step::fail(Failure::Timeout)),
            Input::TimerD | Input::TimerM => (Self::Calling { a, b }, Step::NOTHING),
        }
    }

    fn proceeding(input: Input, clock: &Clock) -> (Self, Step) {
        match input {
            Input::Provisional => (Self::Proceeding, Step::DELIVER),
            Input::Success => (Self::accept(clock), Step::DELIVER),
            Input::Refusal => (Self::complete(clock), Step::deliver_and(Send::Ack)),
            // The request has arrived, so an error of a later datagram says nothing about it.
            Input::TransportError | Input::TimerA | Input::TimerB | Input::TimerD | Input::TimerM => {
                (Self::Proceeding, Step::NOTHING)
            }
        }
    }

    fn completed(d: Duration, input: Input) -> (Self, Step) {
        match input {
            Input::Refusal => (Self::Completed { d }, Step::send(Send::Ack)),
            // The transaction user already has its final response: nothing is left to report.
            Input::TransportError | Input::TimerD => (Self::Terminated, Step::NOTHING),
            Input::Provisional | Input::Success | Input::TimerA | Input::TimerB | Input::TimerM => {
                (Self::Completed { d }, Step::NOTHING)
            }
        }
    }

    fn accepted(m: Duration, input: Input) -> (Self, Step) {
        match input {
            Input::Success => (Self::Accepted { m }, Step::DELIVER),
            Input::TimerM => (Self::Terminated, Step::NOTHING),
            Input::Provisional
            | Input::Refusal
            | Input::TransportError
            | Input::TimerA
            | Input::TimerB
            | Input::TimerD => (Self::Accepted { m }, Step::NOTHING),
        }
    }

    fn complete(clock: &Clock) -> Self {
        Self::Completed { d: clock.now + clock.unreliable(clock.timers.d()) }
    }

    fn accept(clock: &Clock) -> Self {
        Self::Accepted { m: clock.now + clock.timers.timeout() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RELIABLE, UNRELIABLE, seconds};
    use super::Input::*;
    use super::*;

    const ALL: [Input; 8] = [Provisional, Success, Refusal, TransportError, TimerA, TimerB, TimerD, TimerM];

    fn name(state: &InviteClient) -> &'static str {
        match state {
            InviteClient::Calling { .. } => "calling",
            InviteClient::Proceeding => "proceeding",
            InviteClient::Completed { .. } => "completed",
            InviteClient::Accepted { .. } => "accepted",
            InviteClient::Terminated => "terminated",
        }
    }

    #[test]
    fn every_state_takes_every_input_as_the_figure_says() {
        let fail = Step::fail;
        let ack = Step::send(Send::Ack);
        let up = Step::DELIVER;
        let none = Step::NOTHING;
        let calling = InviteClient::start(&UNRELIABLE);
        let completed = InviteClient::Completed { d: seconds(32) };
        let accepted = InviteClient::Accepted { m: seconds(32) };
        let table = [
            (
                calling,
                [
                    ("proceeding", up),
                    ("accepted", up),
                    ("completed", Step::deliver_and(Send::Ack)),
                    ("terminated", fail(Failure::Transport)),
                    ("calling", Step::send(Send::Request)),
                    ("terminated", fail(Failure::Timeout)),
                    ("calling", none),
                    ("calling", none),
                ],
            ),
            (
                InviteClient::Proceeding,
                [
                    ("proceeding", up),
                    ("accepted", up),
                    ("completed", Step::deliver_and(Send::Ack)),
                    ("proceeding", none),
                    ("proceeding", none),
                    ("proceeding", none),
                    ("proceeding", none),
                    ("proceeding", none),
                ],
            ),
            (
                completed,
                [
                    ("completed", none),
                    ("completed", none),
                    ("completed", ack),
                    ("terminated", none),
                    ("completed", none),
                    ("completed", none),
                    ("terminated", none),
                    ("completed", none),
                ],
            ),
            (
                accepted,
                [
                    ("accepted", none),
                    ("accepted", up),
                    ("accepted", none),
                    ("accepted", none),
                    ("accepted", none),
                    ("accepted", none),
                    ("accepted", none),
                    ("terminated", none),
                ],
            ),
            (InviteClient::Terminated, [("terminated", none); 8]),
        ];
        for (state, row) in table {
            for (input, (next, step)) in ALL.into_iter().zip(row) {
                let (after, did) = state.handle(input, &UNRELIABLE);
                assert_eq!((name(&after), did), (next, step), "{state:?} on {input:?}");
            }
        }
    }

    #[test]
    fn timer_a_doubles_and_timer_b_ends_it() {
        let mut state = InviteClient::start(&UNRELIABLE);
        let mut at = Vec::new();
        while let Some((when, input)) = state.next_timer() {
            at.push((when.as_millis(), input));
            state = state.handle(input, &Clock { now: when, ..UNRELIABLE }).0;
        }
        let expected = [500, 1500, 3500, 7500, 15500, 31500].map(|ms| (ms, TimerA));
        assert_eq!(at[..6], expected);
        assert_eq!(at[6..], [(32_000, TimerB)]);
    }

    #[test]
    fn a_reliable_transport_is_not_sent_to_twice() {
        let state = InviteClient::start(&RELIABLE);
        assert_eq!(state.next_timer(), Some((seconds(32), TimerB)));
        let (state, _) = state.handle(Refusal, &RELIABLE);
        assert_eq!(state.next_timer(), Some((Duration::ZERO, TimerD)));
    }
}
