use std::io;
use std::sync::Arc;
use std::time::Duration;

use app_media::{Cause, Closing, Config, Event, Format, Handle, Lost, Session, Socket, State};
use media_plane::{StreamComfort, StreamPort};
use tokio::time::Instant;
use url::Url;

use super::audio::StreamAudio;
use super::doors::{Applications, SocketDialling};
use super::{Absence, Parts, Whose};
use crate::inputs::WeakInputs;
use crate::task::CallInput;

/// An application that is connected by WebSockets, one after the other.
pub(super) struct SocketStack {
    handle: Handle,
    begun: Option<Box<Carrier>>,
    applications: Applications,
}

/// A socket that lived for less counts as a failed try to dial. Arbitrary.
const SHORT_LIFE: Duration = Duration::from_secs(10);

/// The pauses before each further try to dial an application; the last one is kept to.
const DIAL_PAUSES: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

impl SocketStack {
    /// An application whose sound is that stream's. `dialled` is where it listens; without it dials in.
    pub(super) fn new(
        parts: &Parts,
        format: Format,
        stream: StreamPort,
        dialled: Option<Url>,
    ) -> io::Result<Self> {
        let applications = parts.context.applications.clone();
        let config = &applications.config;
        let mut session = Config {
            attach_within: config.attach_within,
            reattach_within: config.reattach_within,
            keeps_queue: config.keeps_queue,
            ..Config::new(format, parts.owner.call.to_string())
        };
        session.limits.queued = config.max_queued;
        let comfort = stream.comfort();
        comfort.set(true);
        let shared = (parts.sources.clone(), Arc::clone(&parts.is_connected));
        let audio = StreamAudio::new(stream, shared, parts.context.clock, config.max_queued)?;
        let (session, handle) = Session::new(session, audio);
        let begun = Carrier {
            session,
            watch: Watch {
                handle: handle.clone(),
                comfort,
                dialled,
                owner: parts.owner.clone(),
                applications: applications.clone(),
            },
            calls: parts.calls.downgrade(),
        };
        Ok(Self { handle, begun: Some(Box::new(begun)), applications })
    }

    /// Begins to carry sound. `number` is told when the application is given up.
    pub(super) fn begin(&mut self, number: u64) {
        if let Some(carrier) = self.begun.take() {
            self.applications.tasks.spawn(carrier.run(number));
        }
    }

    /// Gives it a socket that the application has dialled.
    pub(super) fn attach(&self, socket: Socket, resume_url: Option<String>) {
        let handle = self.handle.clone();
        self.applications.tasks.spawn(async move {
            // A session that is over has told the application by closing, or does now by dropping the socket.
            let _ = handle.attach(socket, resume_url).await;
        });
    }

    /// Something else takes the place of its sockets.
    pub(super) fn replaced(&self) {
        // One that is over has no socket to be told.
        let _ = self.handle.close_now(Closing::REPLACED);
    }

    pub(super) fn tell(&self, event: Event) {
        if !self.handle.tell_now(event) {
            tracing::debug!("an application was not told of something: its session is over or busy");
        }
    }
}

/// What carries sound between an application's sockets and its stream.
struct Carrier {
    session: Session<StreamAudio>,
    watch: Watch,
    calls: WeakInputs<CallInput>,
}

impl Carrier {
    async fn run(self: Box<Self>, number: u64) {
        let Self { session, watch, calls } = *self;
        let applications = watch.applications.clone();
        let call = watch.owner.call;
        let is_abandoned = tokio::select! {
            ended = session.run() => {
                applications.counts.ended(&ended);
                tracing::debug!(call.id = %call, ?ended, "an application's audio has ended");
                matches!(ended.cause, Cause::Abandoned(_))
            }
            GivenUp = watch.run() => true,
        };
        if is_abandoned && let Some(calls) = calls.upgrade() {
            // A call that is over needs nobody.
            let _ = calls.end(CallInput::ApplicationAbsent(Absence { number, is_final: true }));
        }
    }
}

/// Looks after an application: comfort for the others while it is away, and dialling it where the server does.
struct Watch {
    handle: Handle,
    comfort: StreamComfort,
    dialled: Option<Url>,
    owner: Whose,
    applications: Applications,
}

/// The application takes sockets, and does not keep them.
struct GivenUp;

/// Runs for as long as it is let.
enum Never {}

/// How dialling went.
struct Tries {
    /// In a row.
    failures: usize,
    /// When a socket was opened of which nothing has been seen since.
    opened_at: Option<Instant>,
    /// When the application was there last, or was first waited for, and how long it may be away since.
    there_at: Instant,
    patience: Duration,
}

impl Tries {
    /// A socket is gone. One that did not live long was no more than a failed try.
    fn lost(&mut self, patience: Duration) {
        match self.opened_at.take() {
            Some(opened_at) if opened_at.elapsed() < SHORT_LIFE => {}
            Some(_) | None => {
                (self.failures, self.there_at, self.patience) = (0, Instant::now(), patience);
            }
        }
    }

    fn are_enough(&self) -> bool {
        self.failures > 0 && self.there_at.elapsed() >= self.patience
    }
}

impl Watch {
    async fn run(self) -> GivenUp {
        let mut state = self.handle.state();
        let config = Arc::clone(&self.applications.config);
        let mut tries =
            Tries { failures: 0, opened_at: None, there_at: Instant::now(), patience: config.attach_within };
        loop {
            let now = state.borrow_and_update().clone();
            self.comfort.set(now != State::Attached);
            let call = self.owner.call;
            match now {
                State::Attached => {
                    self.applications.counts.attached();
                    tracing::info!(call.id = %call, "call {call}: the application's socket is connected");
                }
                State::Detached(lost) => {
                    tries.lost(config.reattach_within);
                    self.applications.counts.lost(&lost);
                    tracing::info!(call.id = %call, "call {call}: the application's socket is gone: {}", why(&lost));
                }
                State::Waiting => {}
            }
            if self.dialled.is_some() && tries.are_enough() {
                return GivenUp;
            }
            let changed = tokio::select! {
                changed = state.changed() => changed,
                never = self.dial(&mut tries), if *self.handle.state().borrow() != State::Attached => match never {},
            };
            if changed.is_err() {
                // The session ends, and this with it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Dials until the session has taken a socket, which its state shows.
    async fn dial(&self, tries: &mut Tries) -> Never {
        let Some(url) = &self.dialled else { return std::future::pending().await };
        let Whose { app, tenant, call } = &self.owner;
        loop {
            if let Some(last) = tries.failures.checked_sub(1) {
                let pause = DIAL_PAUSES.get(last).or(DIAL_PAUSES.last());
                tokio::time::sleep(pause.copied().unwrap_or_default()).await;
            }
            tries.failures += 1;
            match self.applications.sockets.dial(SocketDialling { app, tenant, call: *call, url }).await {
                Ok(socket) => {
                    tries.opened_at = Some(Instant::now());
                    let _ = self.handle.attach(socket, None).await;
                    // The state changes in a moment, or the session is over.
                    return std::future::pending().await;
                }
                Err(why) => {
                    tracing::warn!(call.id = %call, "call {call}: failed to dial the application: {why}")
                }
            }
        }
    }
}

fn why(lost: &Lost) -> String {
    match lost {
        Lost::Broken => "it broke".to_owned(),
        // What the application wrote is for its own log.
        Lost::Closed { code, .. } => {
            code.map_or_else(|| "it was closed".to_owned(), |code| format!("it was closed with {code}"))
        }
        Lost::Violation(violation) => violation.to_string(),
    }
}
