//! The task of one application's audio: sockets come and go, the audio stays.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep};

use crate::engine::{Engine, Reaction};
use crate::farewell::say_farewell;
use crate::handle::{Arrival, Cause, Command, Config, Ended, Handle, Lost, State};
use crate::link::{Broken, Link, Message};
use crate::port::AudioPort;
use crate::violation::Closing;

/// Sockets that may be closing at once; a further one is dropped without a farewell.
const MAX_FAREWELLS: usize = 4;
/// Messages and frames that are taken in before other tasks have their turn.
const BATCH: usize = 64;

/// One application's audio, which outlives its sockets. While there is none nothing is said, and what is heard is dropped.
#[derive(Debug)]
pub struct Session<P> {
    config: Config,
    engine: Engine,
    port: P,
    commands: mpsc::Receiver<Command>,
    state: watch::Sender<State>,
    farewells: JoinSet<()>,
    started: Instant,
    timer: Pin<Box<Sleep>>,
}

/// Why a socket is left.
enum Left {
    Lost(Lost),
    Ordered(Order),
    PortClosed,
}

/// What the node wants at once.
enum Order {
    Attach(Arrival),
    Close(Closing),
}

impl<P: AudioPort> Session<P> {
    /// A session without a socket, and what speaks to it once it runs. Must be called within a runtime of tokio.
    pub fn new(config: Config, port: P) -> (Self, Handle) {
        let (handle, commands, state) = Handle::new();
        let session = Self {
            engine: Engine::new(config.format, config.limits, config.subscription.clone()),
            config,
            port,
            commands,
            state,
            farewells: JoinSet::new(),
            started: Instant::now(),
            timer: Box::pin(sleep(Duration::ZERO)),
        };
        (session, handle)
    }

    /// Carries audio until the call or the application's patience is over. Dropping it drops the socket.
    pub async fn run(mut self) -> Ended {
        let mut next = None;
        let cause = loop {
            let arrival = match next.take() {
                Some(arrival) => arrival,
                None => match self.wait().await {
                    Ok(arrival) => arrival,
                    Err(cause) => break cause,
                },
            };
            let mut link = Link::new(*arrival.socket);
            self.engine.attach(arrival.resume_url.as_deref(), self.now());
            self.state.send_replace(State::Attached);
            match poll_fn(|cx| self.poll_attached(&mut link, cx)).await {
                Left::Lost(lost) => {
                    self.dismiss(link, &lost);
                    self.state.send_replace(State::Detached(lost));
                }
                Left::Ordered(Order::Attach(newer)) => {
                    // What the old socket was not told, the new one is.
                    self.spawn_farewell(link, Some(Closing::REPLACED));
                    next = Some(newer);
                }
                Left::Ordered(Order::Close(closing)) => {
                    self.finish(link, closing);
                    break Cause::Closed;
                }
                Left::PortClosed => {
                    self.finish(link, Closing::CALL_ENDED);
                    break Cause::PortClosed;
                }
            }
            self.detach();
        };
        // Nobody can be told any more, and nothing is heard; only farewells are left.
        self.commands.close();
        while self.farewells.join_next().await.is_some() {}
        Ended { cause, counts: self.engine.counts() }
    }

    /// Waits for a socket, as long as one may take.
    async fn wait(&mut self) -> Result<Arrival, Cause> {
        let (patience, lost) = match &*self.state.borrow() {
            State::Detached(lost) => (self.config.reattach_within, Some(lost.clone())),
            State::Attached | State::Waiting => (self.config.attach_within, None),
        };
        self.timer.as_mut().reset(Instant::now() + patience);
        poll_fn(|cx| {
            if let Poll::Ready(order) = self.poll_commands(cx) {
                return Poll::Ready(match order {
                    Order::Attach(arrival) => Ok(arrival),
                    Order::Close(_) => Err(Cause::Closed),
                });
            }
            if self.poll_port(cx).is_ready() {
                return Poll::Ready(Err(Cause::PortClosed));
            }
            self.timer.as_mut().poll(cx).map(|()| Err(Cause::Abandoned(lost.clone())))
        })
        .await
    }

    fn poll_attached(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<Left> {
        if let Poll::Ready(order) = self.poll_commands(cx) {
            return Poll::Ready(Left::Ordered(order));
        }
        if let Poll::Ready(lost) = self.poll_messages(link, cx) {
            return Poll::Ready(Left::Lost(lost));
        }
        if self.poll_port(cx).is_ready() {
            return Poll::Ready(Left::PortClosed);
        }
        self.say();
        if let Poll::Ready(Err(Broken)) = self.poll_write(link, cx) {
            return Poll::Ready(Left::Lost(Lost::Broken));
        }
        self.poll_time(link, cx).map(Left::Lost)
    }

    /// Takes in what the node wants.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> Poll<Order> {
        loop {
            match ready!(self.commands.poll_recv(cx)) {
                Some(Command::Attach(arrival)) => return Poll::Ready(Order::Attach(arrival)),
                Some(Command::Close(closing)) => return Poll::Ready(Order::Close(closing)),
                Some(Command::Tell(event)) => self.engine.handle_event(event, self.now()),
                None => return Poll::Ready(Order::Close(Closing::CALL_ENDED)),
            }
        }
    }

    /// Takes in what the application sends.
    fn poll_messages(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<Lost> {
        for _ in 0..BATCH {
            let message = match ready!(link.poll_message(cx)) {
                Ok(message) => message,
                Err(lost) => return Poll::Ready(lost),
            };
            let now = self.now();
            // What has been heard until this very moment decides what a clear drops.
            self.engine.handle_gone(self.port.gone(), now);
            let handled = match &message {
                Message::Binary(octets) => self.engine.handle_binary(octets, now),
                Message::Control(octets) => self.engine.handle_message(*octets, now).map(|()| Reaction::None),
                Message::Text(text) => self.engine.handle_text(text, now),
            };
            match handled {
                Ok(reaction) => self.react(reaction),
                Err(violation) => return Poll::Ready(Lost::Violation(violation)),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes in what is heard; ready once nothing will be any more.
    fn poll_port(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = self.now();
        self.engine.handle_gone(self.port.gone(), now);
        for _ in 0..BATCH {
            match ready!(self.port.poll_heard(cx)) {
                Some(heard) => self.engine.handle_heard(&heard, now),
                None => return Poll::Ready(()),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Gives the media thread what it has room for.
    fn say(&mut self) {
        let now = self.now();
        for _ in 0..self.port.room() {
            let Some(frame) = self.engine.poll_frame(self.port.rate(), now) else { break };
            if !self.port.say(frame) {
                tracing::debug!("a media port had room and took no frame");
                break;
            }
        }
    }

    /// Writes what waits, as far as the socket takes it; ready once all is written.
    fn poll_write(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let now = self.now();
        loop {
            ready!(link.poll_ready(cx))?;
            let Some(message) = self.engine.poll_transmit(now) else { return link.poll_flush(cx) };
            link.write(message)?;
        }
    }

    /// Does what is due, and is woken when the next thing is.
    fn poll_time(&mut self, link: &mut Link, cx: &mut Context<'_>) -> Poll<Lost> {
        loop {
            let now = self.now();
            let Some(deadline) = self.engine.poll_timeout(now) else { return Poll::Pending };
            if deadline > now {
                let deadline = self.started + deadline;
                if self.timer.deadline() != deadline {
                    self.timer.as_mut().reset(deadline);
                }
                ready!(self.timer.as_mut().poll(cx));
            }
            if let Err(violation) = self.engine.handle_timeout(self.now()) {
                return Poll::Ready(Lost::Violation(violation));
            }
            self.say();
            if let Poll::Ready(Err(Broken)) = self.poll_write(link, cx) {
                return Poll::Ready(Lost::Broken);
            }
        }
    }

    fn react(&mut self, reaction: Reaction) {
        match reaction {
            Reaction::Flush => self.port.flush(),
            Reaction::None => {}
        }
    }

    fn detach(&mut self) {
        let now = self.now();
        self.engine.handle_gone(self.port.gone(), now);
        let reaction = self.engine.detach(self.config.keeps_queue, now);
        self.react(reaction);
    }

    /// Closes the last socket after what was told before.
    fn finish(&mut self, mut link: Link, closing: Closing) {
        let now = self.now();
        while let Some(message) = self.engine.poll_transmit(now) {
            if link.write(message).is_err() {
                return;
            }
        }
        self.spawn_farewell(link, Some(closing));
    }

    /// Closes a socket that is lost, if there is something left to close.
    fn dismiss(&mut self, link: Link, lost: &Lost) {
        match lost {
            Lost::Broken => {}
            Lost::Closed { .. } => self.spawn_farewell(link, None),
            Lost::Violation(violation) => self.spawn_farewell(link, Some(Closing::from(violation))),
        }
    }

    fn spawn_farewell(&mut self, link: Link, closing: Option<Closing>) {
        while self.farewells.try_join_next().is_some() {}
        if self.farewells.len() < MAX_FAREWELLS {
            self.farewells.spawn(say_farewell(link, closing, self.config.close_within));
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
