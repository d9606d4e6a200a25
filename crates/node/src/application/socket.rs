use std::io;
use std::time::Duration;

use app_media::{Cause, Config, Event, Format, Handle, Lost, Session, Socket, State};
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
        let audio = StreamAudio::new(stream, parts.sources.clone(), parts.context.clock)?;
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
        let ended = tokio::select! {
            ended = session.run() => ended,
            never = watch.run() => match never {},
        };
        applications.counts.ended(&ended);
        tracing::debug!(call.id = %call, ?ended, "an application's audio has ended");
        if matches!(ended.cause, Cause::Abandoned(_))
            && let Some(calls) = calls.upgrade()
        {
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

/// Runs for as long as it is let.
enum Never {}

impl Watch {
    async fn run(self) -> Never {
        let mut state = self.handle.state();
        let (mut failures, mut attached_at) = (0, Instant::now());
        loop {
            let now = state.borrow_and_update().clone();
            self.comfort.set(now != State::Attached);
            let call = self.owner.call;
            match now {
                State::Attached => {
                    attached_at = Instant::now();
                    self.applications.counts.attached();
                    tracing::info!(call.id = %call, "call {call}: the application's socket is connected");
                }
                State::Detached(lost) => {
                    failures = if attached_at.elapsed() < SHORT_LIFE { failures + 1 } else { 0 };
                    self.applications.counts.lost(&lost);
                    tracing::info!(call.id = %call, "call {call}: the application's socket is gone: {}", why(&lost));
                }
                State::Waiting => {}
            }
            let changed = tokio::select! {
                changed = state.changed() => changed,
                never = self.dial(failures), if *self.handle.state().borrow() != State::Attached => match never {},
            };
            if changed.is_err() {
                // The session ends, and this with it.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Dials until the session has taken a socket, which its state shows.
    async fn dial(&self, mut failures: usize) -> Never {
        let Some(url) = &self.dialled else { return std::future::pending().await };
        let Whose { app, tenant, call } = &self.owner;
        loop {
            if let Some(last) = failures.checked_sub(1) {
                let pause = DIAL_PAUSES.get(last).or(DIAL_PAUSES.last());
                tokio::time::sleep(pause.copied().unwrap_or_default()).await;
            }
            failures += 1;
            match self.applications.sockets.dial(SocketDialling { app, tenant, call: *call, url }).await {
                Ok(socket) => {
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
