//! Non-INVITE client transaction (RFC 3261, 17.1.2).
//!
//! ```text
//!             request sent
//!                  |
//!      E: resend   v   F or transport error: fail
//!        +--> [ Trying ] -----------------------------------+
//!        +-------' | '--- 2xx-6xx: pass up ----+            |
//!     1xx: pass up |                           |            |
//!      E: resend   v     2xx-6xx: pass up      v     K      v
//!        +-> [ Proceeding ] -----------> [ Completed ] --> [ Terminated ]
//!        +-------' | 1xx: pass up                           ^
//!                  '--- F or transport error: fail ---------'
//! ```

use core::time::Duration;

use super::{Backoff, Clock, Failure, Send, Step, soonest};

/// Waiting for the answer to one request that is not an INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonInviteClient {
    /// Nothing has come yet.
    Trying { e: Option<Backoff>, f: Duration },
    /// A provisional response came; the request is repeated every T2.
    Proceeding { e: Option<Backoff>, f: Duration },
    /// The final response came; repeats of it are absorbed.
    Completed { k: Duration },
    /// Nothing is awaited.
    Terminated,
}

/// What can happen to a non-INVITE client transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    Provisional,
    Final,
    TransportError,
    TimerE,
    TimerF,
    TimerK,
}

impl NonInviteClient {
    /// Starts with the request already on its way.
    pub(crate) fn start(clock: &Clock) -> Self {
        let t1 = clock.timers.t1;
        let e = (!clock.reliable).then_some(Backoff { at: clock.now + t1, interval: t1 });
        Self::Trying { e, f: clock.now + clock.timers.timeout() }
    }

    /// The next timer and when it fires.
    pub(crate) fn next_timer(&self) -> Option<(Duration, Input)> {
        match *self {
            Self::Trying { e, f } | Self::Proceeding { e, f } => {
                soonest(e.map(|e| (e.at, Input::TimerE)), Some((f, Input::TimerF)))
            }
            Self::Completed { k } => Some((k, Input::TimerK)),
            Self::Terminated => None,
        }
    }

    /// Takes one input to the next state.
    pub(crate) fn handle(self, input: Input, clock: &Clock) -> (Self, Step) {
        match self {
            Self::Trying { e, f } => Self::trying(e, f, input, clock),
            Self::Proceeding { e, f } => Self::proceeding(e, f, input, clock),
            Self::Completed { k } => Self::completed(k, input),
            Self::Terminated => (self, Step::NOTHING),
        }
    }

    fn trying(e: Option<Backoff>, f: Duration, input: Input, clock: &Clock) -> (Self, Step) {
        match input {
            Input::Provisional => (Self::Proceeding { e, f }, Step::DELIVER),
            Input::Final => (Self::complete(clock), Step::DELIVER),
            Input::TransportError => (Self::Terminated, Step::fail(Failure::Transport)),
            Input::TimerE => {
                let e = e.map(|e| Self::wait((e.interval * 2).min(clock.timers.t2), clock));
                (Self::Trying { e, f }, Step::send(Send::Request))
            }
            Input::TimerF => (Self::Terminated, Step::fail(Failure::Timeout)),
            Input::TimerK => (Self::Trying { e, f }, Step::NOTHING),
        }
    }

    fn proceeding(e: Option<Backoff>, f: Duration, input: Input, clock: &Clock) -> (Self, Step) {
        match input {
            Input::Provisional => (Self::Proceeding { e, f }, Step::DELIVER),
            Input::Final => (Self::complete(clock), Step::DELIVER),
            Input::TransportError => (Self::Terminated, Step::fail(Failure::Transport)),
            Input::TimerE => {
                let e = e.map(|_| Self::wait(clock.timers.t2, clock));
                (Self::Proceeding { e, f }, Step::send(Send::Request))
            }
            Input::TimerF => (Self::Terminated, Step::fail(Failure::Timeout)),
            Input::TimerK => (Self::Proceeding { e, f }, Step::NOTHING),
        }
    }

    fn completed(k: Duration, input: Input) -> (Self, Step) {
        match input {
            Input::TimerK => (Self::Terminated, Step::NOTHING),
            Input::Provisional | Input::Final | Input::TransportError | Input::TimerE | Input::TimerF => {
                (Self::Completed { k }, Step::NOTHING)
            }
        }
    }

    fn complete(clock: &Clock) -> Self {
        Self::Completed { k: clock.now + clock.unreliable(clock.timers.t4) }
    }

    fn wait(interval: Duration, clock: &Clock) -> Backoff {
        Backoff { at: clock.now + interval, interval }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RELIABLE, UNRELIABLE, seconds};
    use super::Input::*;
    use super::*;

    const ALL: [Input; 6] = [Provisional, Final, TransportError, TimerE, TimerF, TimerK];

    fn name(state: &NonInviteClient) -> &'static str {
        match state {
            NonInviteClient::Trying { .. } => "trying",
            NonInviteClient::Proceeding { .. } => "proceeding",
            NonInviteClient::Completed { .. } => "completed",
            NonInviteClient::Terminated => "terminated",
        }
    }

    #[test]
    fn every_state_takes_every_input_as_the_figure_says() {
        let none = Step::NOTHING;
        let up = Step::DELIVER;
        let resend = Step::send(Send::Request);
        let broken = Step::fail(Failure::Transport);
        let late = Step::fail(Failure::Timeout);
        let trying = NonInviteClient::start(&UNRELIABLE);
        let (proceeding, _) = trying.handle(Provisional, &UNRELIABLE);
        let table = [
            (
                trying,
                [
                    ("proceeding", up),
                    ("completed", up),
                    ("terminated", broken),
                    ("trying", resend),
                    ("terminated", late),
                    ("trying", none),
                ],
            ),
            (
                proceeding,
                [
                    ("proceeding", up),
                    ("completed", up),
                    ("terminated", broken),
                    ("proceeding", resend),
                    ("terminated", late),
                    ("proceeding", none),
                ],
            ),
            (
                NonInviteClient::Completed { k: seconds(5) },
                [
                    ("completed", none),
                    ("completed", none),
                    ("completed", none),
                    ("completed", none),
                    ("completed", none),
                    ("terminated", none),
                ],
            ),
            (NonInviteClient::Terminated, [("terminated", none); 6]),
        ];
        for (state, row) in table {
            for (input, (next, step)) in ALL.into_iter().zip(row) {
                let (after, did) = state.handle(input, &UNRELIABLE);
                assert_eq!((name(&after), did), (next, step), "{state:?} on {input:?}");
            }
        }
    }

    #[test]
    fn timer_e_doubles_up_to_t2_and_timer_f_ends_it() {
        let mut state = NonInviteClient::start(&UNRELIABLE);
        let mut at = Vec::new();
        while let Some((when, input)) = state.next_timer() {
            at.push((when.as_millis(), input));
            state = state.handle(input, &Clock { now: when, ..UNRELIABLE }).0;
        }
        let expected = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
        assert_eq!(at[..10], expected.map(|ms| (ms, TimerE)));
        assert_eq!(at[10..], [(32_000, TimerF)]);
    }

    #[test]
    fn a_reliable_transport_is_not_sent_to_twice() {
        let state = NonInviteClient::start(&RELIABLE);
        assert_eq!(state.next_timer(), Some((seconds(32), TimerF)));
        let (state, _) = state.handle(Final, &RELIABLE);
        assert_eq!(state.next_timer(), Some((Duration::ZERO, TimerK)));
    }
}
