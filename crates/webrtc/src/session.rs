//! The task of one session.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::gateway::Shared;
use crate::handle::{Cause, Command, Ended, State};
use crate::peer::{Event, MAX_DATAGRAM_OCTETS, Peer};
use crate::port::RtpPort;
use crate::routes::{Datagram, Id};

/// Datagrams that are taken in, from either side, before other tasks have their turn.
const BATCH: usize = 32;

/// One far end, reached over the gateway's socket. Dropping it frees its place, without a goodbye.
#[derive(Debug)]
pub struct Session {
    peer: Peer,
    shared: Arc<Shared>,
    id: Id,
    datagrams: mpsc::Receiver<Datagram>,
    commands: mpsc::Receiver<Command>,
    state: watch::Sender<State>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Session {
    pub(crate) fn new(
        peer: Peer,
        shared: Arc<Shared>,
        id: Id,
        datagrams: mpsc::Receiver<Datagram>,
        (commands, state): (mpsc::Receiver<Command>, watch::Sender<State>),
    ) -> Self {
        Self { peer, shared, id, datagrams, commands, state, timer: None }
    }

    /// Carries packets between the far end and the port until one of them, or a handle, ends it.
    pub async fn run(mut self, mut port: impl RtpPort) -> Ended {
        let mut buffer = [0; MAX_DATAGRAM_OCTETS];
        let cause = poll_fn(|cx| self.poll(&mut port, &mut buffer, cx)).await;
        self.peer.close(Shared::now());
        self.flush();
        let counts = self.peer.counts();
        // The place is free before anybody hears of the end.
        self.shared.remove(self.id);
        self.state.send_replace(State::Ended(cause.clone()));
        Ended { cause, counts }
    }

    fn poll<P: RtpPort>(&mut self, port: &mut P, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<Cause> {
        if self.poll_commands(cx).is_ready() {
            return Poll::Ready(Cause::Closed);
        }
        if let Poll::Ready(cause) = self.poll_datagrams(port, cx) {
            return Poll::Ready(cause);
        }
        if let Poll::Ready(cause) = self.poll_port(port, buffer, cx) {
            return Poll::Ready(cause);
        }
        self.poll_time(port, cx)
    }

    /// Takes in what handles ask for; ready once it is to end.
    fn poll_commands(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match ready!(self.commands.poll_recv(cx)) {
                Some(Command::Reoffer { offer, reply }) => {
                    let answer = self.peer.reoffer(&offer, Shared::now());
                    self.shared.rename(self.id, self.peer.ufrag());
                    // Whoever asked may not wait any more.
                    let _ = reply.send(answer);
                }
                Some(Command::Close) | None => return Poll::Ready(()),
            }
        }
    }

    /// Takes in what comes from the network.
    fn poll_datagrams<P: RtpPort>(&mut self, port: &mut P, cx: &mut Context<'_>) -> Poll<Cause> {
        for _ in 0..BATCH {
            let Some(Datagram { from, octets }) = ready!(self.datagrams.poll_recv(cx)) else {
                return Poll::Pending;
            };
            let now = Shared::now();
            if self.peer.handle_datagram(from, &octets, now) {
                self.shared.claim(self.id, from, now);
            }
            if let Some(cause) = self.serve(port) {
                return Poll::Ready(cause);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes in what the media thread sends.
    fn poll_port<P: RtpPort>(
        &mut self,
        port: &mut P,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Cause> {
        for _ in 0..BATCH {
            let Some(length) = ready!(port.poll_sent(cx, buffer)) else {
                return Poll::Ready(Cause::PortClosed);
            };
            self.peer.send(buffer.get(..length).unwrap_or_default(), Shared::now());
            if let Some(cause) = self.serve(port) {
                return Poll::Ready(cause);
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Does what is due, and is woken when the next thing is.
    fn poll_time<P: RtpPort>(&mut self, port: &mut P, cx: &mut Context<'_>) -> Poll<Cause> {
        while let Some(deadline) = self.peer.poll_timeout() {
            let deadline = Instant::from_std(deadline);
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            // Most packets put the deadline off. The timer is left as it is then, and looks again when it is up.
            if deadline < timer.deadline() {
                timer.as_mut().reset(deadline);
            }
            ready!(timer.as_mut().poll(cx));
            if deadline > Instant::now() {
                timer.as_mut().reset(deadline);
                continue;
            }
            self.peer.handle_timeout(Shared::now());
            if let Some(cause) = self.serve(port) {
                return Poll::Ready(cause);
            }
        }
        Poll::Pending
    }

    /// Hands out what the peer has made; gives how it ended, if it has.
    fn serve<P: RtpPort>(&mut self, port: &mut P) -> Option<Cause> {
        self.flush();
        while let Some(event) = self.peer.poll_event() {
            match event {
                Event::Connected => {
                    self.state.send_replace(State::Connected);
                }
                Event::Packet(datagram) => port.deliver(&datagram),
                Event::Ended(failure) => return Some(Cause::Failed(failure)),
            }
        }
        None
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.peer.poll_transmit() {
            self.shared.send(transmit.destination, &transmit.octets);
        }
    }
}

impl Drop for Session {
    /// A session that is dropped, or whose task panicked, leaves its place, too.
    fn drop(&mut self) {
        self.shared.remove(self.id);
        self.state.send_if_modified(|state| {
            let is_open = !matches!(state, State::Ended(_));
            if is_open {
                *state = State::Ended(Cause::Closed);
            }
            is_open
        });
    }
}
