//! What a session is told, and what it tells of itself.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::engine::{Counts, Event, Limits};
use crate::format::Format;
use crate::handshake::Socket;
use crate::violation::{Closing, Violation};

/// What may be told before the task takes it in. Arbitrary: rosters and keys come one at a time.
const MAX_COMMANDS: usize = 64;

/// How an application's audio is carried, and for how long without it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What sockets carry.
    pub format: Format,
    /// The id that the first message of each socket tells, usually the call's.
    pub subscription: String,
    /// Limits of the audio and of the far end's patience.
    pub limits: Limits,
    /// How long the first socket may take.
    pub attach_within: Duration,
    /// How long the next one may take after one was lost.
    pub reattach_within: Duration,
    /// Whether what waits to be said is kept while there is no socket, to go on with the next one. An application that
    /// lost its memory can clear it; one that did not could not bring it back.
    pub keeps_queue: bool,
    /// How long the far end may take to close.
    pub close_within: Duration,
}

impl Config {
    /// The defaults: a minute to dial in, ten seconds to come back.
    pub fn new(format: Format, subscription: impl Into<String>) -> Self {
        Self {
            format,
            subscription: subscription.into(),
            limits: Limits::default(),
            attach_within: Duration::from_mins(1),
            reattach_within: Duration::from_secs(10),
            keeps_queue: true,
            close_within: Duration::from_secs(1),
        }
    }
}

/// Whether the application is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// With a socket.
    Attached,
    /// Without, since the last one was lost.
    Detached(Lost),
    /// No socket has come yet.
    Waiting,
}

/// Why a socket is no longer there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lost {
    /// It broke.
    Broken,
    /// The application closed it.
    Closed {
        /// The code, where there was one.
        code: Option<u16>,
        /// The reason, as the application wrote it.
        reason: String,
    },
    /// The application did what it must not, and was told.
    Violation(Violation),
}

/// How an application's audio ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No socket came in time; the last one was lost like that, or there never was one.
    Abandoned(Option<Lost>),
    /// [`Handle::close`], or all handles are gone.
    Closed,
    /// There is nothing more to hear: [`crate::AudioPort::poll_heard`] said so.
    PortClosed,
}

/// The end of [`crate::Session::run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How it came.
    pub cause: Cause,
    /// What had been carried.
    pub counts: Counts,
}

/// The session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the application's audio has ended")]
pub struct Gone;

/// What a handle asks for.
pub(crate) enum Command {
    Attach(Arrival),
    Close(Closing),
    Tell(Event),
}

/// A socket, and where the next one may be dialled, which holds a token and is never shown.
pub(crate) struct Arrival {
    pub(crate) socket: Box<Socket>,
    pub(crate) resume_url: Option<String>,
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
        let (sender, state) = watch::channel(State::Waiting);
        (Self { commands, state }, receiver, sender)
    }

    /// Gives it a socket; one that is there already is closed. The first message tells the application where it can
    /// dial another one, where that is given.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn attach(&self, socket: Socket, resume_url: Option<String>) -> Result<(), Gone> {
        let socket = Box::new(socket);
        self.send(Command::Attach(Arrival { socket, resume_url })).await
    }

    /// Tells the application something, in its order.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn tell(&self, event: Event) -> Result<(), Gone> {
        self.send(Command::Tell(event)).await
    }

    /// The same without waiting; `false` where the session is over, or too busy to be told.
    pub fn tell_now(&self, event: Event) -> bool {
        self.commands.try_send(Command::Tell(event)).is_ok()
    }

    /// Ends it, and its socket with that code and reason; what was told before is written first.
    ///
    /// # Errors
    ///
    /// [`Gone`].
    pub async fn close(&self, closing: Closing) -> Result<(), Gone> {
        self.send(Command::Close(closing)).await
    }

    /// The same without waiting; `false` where the session is over, or too busy to be told.
    pub fn close_now(&self, closing: Closing) -> bool {
        self.commands.try_send(Command::Close(closing)).is_ok()
    }

    /// Whether the application is there, to be watched: who dials it does so again when it is not.
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    async fn send(&self, command: Command) -> Result<(), Gone> {
        self.commands.send(command).await.map_err(|_| Gone)
    }
}
