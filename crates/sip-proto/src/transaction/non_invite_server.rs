//! Non-INVITE server transaction (RFC 3261, 17.2.2).
//!
//! ```text
//!         request: pass up
//!               |
//!               v    request: absorbed
//!          [ Trying ] ------------- 200-699: send ----------+
//!               | 1xx: send                                 |
//!               v    1xx: send; request: resend             v
//!        [ Proceeding ] --------- 200-699: send ------> [ Completed ]
//!               |                                  request: | ^ resend
//!               | transport error: fail                     '-'
//!               v                     J, transport error    |
//!         [ Terminated ] <----------------------------------'
//! ```

use core::time::Duration;

use super::{Clock, Failure, Send, Step};

/// Answering one request that is not an INVITE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NonInviteServer {
    /// The transaction user has given no response.
    Trying,
    /// The transaction user has given a provisional response.
    Proceeding,
    /// The final response was sent and is repeated for each repeat of the request.
    Completed { j: Duration },
    /// Nothing is awaited.
    Terminated,
}

/// What can happen to a non-INVITE server transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// The request again.
    Request,
    SendProvisional,
    SendFinal,
    TransportError,
    TimerJ,
}

impl NonInviteServer {
    /// Starts with the request on its way to the transaction user.
    pub(crate) fn start() -> Self {
        Self::Trying
    }

    /// The next timer and when it fires.
    pub(crate) fn next_timer(&self) -> Option<(Duration, Input)> {
        match *self {
            Self::Completed { j } => Some((j, Input::TimerJ)),
            Self::Trying | Self::Proceeding | Self::Terminated => None,
        }
    }

    /// Takes one input to the next state.
    pub(crate) fn handle(self, input: Input, clock: &Clock) -> (Self, Step) {
        match self {
            Self::Trying | Self::Proceeding => self.open(input, clock),
            Self::Completed { j } => Self::completed(j, input),
            Self::Terminated => (self, Step::NOTHING),
        }
    }

    fn open(self, input: Input, clock: &Clock) -> (Self, Step) {
        match input {
            Input::Request if self == Self::Proceeding => (self, Step::send(Send::Response)),
            Input::Request | Input::TimerJ => (self, Step::NOTHING),
            Input::SendProvisional => (Self::Proceeding, Step::send(Send::Response)),
            Input::SendFinal => {
                let j = clock.now + clock.unreliable(clock.timers.timeout());
                (Self::Completed { j }, Step::send(Send::Response))
            }
            Input::TransportError => (Self::Terminated, Step::fail(Failure::Transport)),
        }
    }

    fn completed(j: Duration, input: Input) -> (Self, Step) {
        match input {
            Input::Request => (Self::Completed { j }, Step::send(Send::Response)),
            Input::TransportError | Input::TimerJ => (Self::Terminated, Step::NOTHING),
            Input::SendProvisional | Input::SendFinal => (Self::Completed { j }, Step::NOTHING),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RELIABLE, UNRELIABLE, seconds};
    use super::Input::*;
    use super::*;

    const ALL: [Input; 5] = [Request, SendProvisional, SendFinal, TransportError, TimerJ];

    fn name(state: &NonInviteServer) -> &'static str {
        match state {
            NonInviteServer::Trying => "trying",
            NonInviteServer::Proceeding => "proceeding",
            NonInviteServer::Completed { .. } => "completed",
            NonInviteServer::Terminated => "terminated",
        }
    }

    #[test]
    fn every_state_takes_every_input_as_the_figure_says() {
        let none = Step::NOTHING;
        let send = Step::send(Send::Response);
        let broken = Step::fail(Failure::Transport);
        let table = [
            (
                NonInviteServer::Trying,
                [
                    ("trying", none),
                    ("proceeding", send),
                    ("completed", send),
                    ("terminated", broken),
                    ("trying", none),
                ],
            ),
            (
                NonInviteServer::Proceeding,
                [
                    ("proceeding", send),
                    ("proceeding", send),
                    ("completed", send),
                    ("terminated", broken),
                    ("proceeding", none),
                ],
            ),
            (
                NonInviteServer::Completed { j: seconds(32) },
                [
                    ("completed", send),
                    ("completed", none),
                    ("completed", none),
                    ("terminated", none),
                    ("terminated", none),
                ],
            ),
            (NonInviteServer::Terminated, [("terminated", none); 5]),
        ];
        for (state, row) in table {
            for (input, (next, step)) in ALL.into_iter().zip(row) {
                let (after, did) = state.handle(input, &UNRELIABLE);
                assert_eq!((name(&after), did), (next, step), "{state:?} on {input:?}");
            }
        }
    }

    #[test]
    fn timer_j_is_zero_on_a_reliable_transport() {
        let (state, _) = NonInviteServer::start().handle(SendFinal, &RELIABLE);
        assert_eq!(state.next_timer(), Some((Duration::ZERO, TimerJ)));
        let (state, _) = NonInviteServer::start().handle(SendFinal, &UNRELIABLE);
        assert_eq!(state.next_timer(), Some((seconds(32), TimerJ)));
    }
}
