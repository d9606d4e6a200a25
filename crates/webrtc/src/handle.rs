//! What a session is told, and what it tells of itself.

use tokio::sync::{mpsc, oneshot, watch};

use crate::{Answer, Counts, Failure, ReofferError};

/// What may be told before the task takes it in. Arbitrary: offers come one at a time.
const MAX_COMMANDS: usize = 8;

/// Whether the far end is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It has an answer, and has not connected yet.
    Connecting,
    /// Packets go both ways.
    Connected,
    /// The session is over.
    Ended(Cause),
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// [`Handle::close`], or all handles are gone.
    Closed,
    /// The far end, or what became of it.
    Failed(Failure),
    /// There is nothing more to send: [`crate::RtpPort::poll_sent`] said so.
    PortClosed,
}

/// The end of [`crate::Session::run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How it came.
    pub cause: Cause,
    /// What had passed.
    pub counts: Counts,
}

/// What a handle asks for.
#[derive(Debug)]
pub(crate) enum Command {
    Close,
    Reoffer { offer: String, reply: oneshot::Sender<Result<Answer, ReofferError>> },
}

/// Speaks to a [`crate::Session`] that runs.
#[derive(Clone, Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<State>,
}

impl Handle {
    /// A handle, and the ends of its session.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Command>, watch::Sender<State>) {
        let (commands, receiver) = mpsc::channel(MAX_COMMANDS);
        let (sender, state) = watch::channel(State::Connecting);
        (Self { commands, state }, receiver, sender)
    }

    /// Answers a later offer of the far end.
    ///
    /// # Errors
    ///
    /// [`ReofferError`]; what was agreed before stays in force. After [`ReofferError::NewPeerConnection`] the offer is one
    /// for [`crate::Gateway::answer`], and this session is to be closed once the new one is there.
    pub async fn reoffer(&self, offer: impl Into<String>) -> Result<Answer, ReofferError> {
        let (reply, answer) = oneshot::channel();
        let command = Command::Reoffer { offer: offer.into(), reply };
        self.commands.send(command).await.map_err(|_| ReofferError::Gone)?;
        answer.await.map_err(|_| ReofferError::Gone)?
    }

    /// Ends it and tells the far end. Nothing happens where it is over already.
    pub async fn close(&self) {
        let _ = self.commands.send(Command::Close).await;
    }

    /// Whether the far end is there, to be watched.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }
}
