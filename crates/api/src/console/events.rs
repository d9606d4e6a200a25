use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use graph_wire::GraphError;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Uri};
use model::CallId;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use trace::{Event, Summary, Tried};

use super::administrator::{Administrator, is_administrator};
use super::media::Before;
use super::page::option;
use super::streams::Seat;
use super::summary::summary;
use super::{console, media, shown};
use crate::error::ApiError;
use crate::state::AppState;

/// Events that may wait for a connection to take them.
const WAITING: usize = 64;

/// How long one may wait: a page that reads more slowly looks anew.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether the listener still may listen.
const TICK: Duration = Duration::from_secs(1);

/// Ticks between two signs of life, which keep proxies from closing the connection.
const TICKS_OF_SILENCE: u32 = 15;

/// How long a listener waits where there are too many.
const WAIT: Duration = Duration::from_secs(30);

/// Proxies such as nginx hold back what they do not know the end of, unless told otherwise.
const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// `GET events?call={id}`: what happens from here on, as server-sent events.
pub(super) async fn listen(
    State(state): State<AppState>,
    administrator: Administrator,
    uri: Uri,
) -> Result<Response, ApiError> {
    let recorder = &console(&state)?.recorder;
    let changes = recorder.changes().ok_or_else(|| GraphError::unavailable(WAIT))?;
    let call = match option(uri.query(), "call") {
        Some(id) => Some(CallId::parse(&id).ok_or_else(GraphError::call_not_found)?),
        None => None,
    };
    let watched = call.and_then(|call| Some((call, recorder.find(call)?.watch()?)));
    let seat = state.streams.take(administrator.user());
    let seat = seat.ok_or_else(|| GraphError::too_many_requests(WAIT))?;
    let (sender, events) = mpsc::channel(WAITING);
    let listener = Listener { state, administrator, sender, _seat: seat };
    tokio::spawn(listener.run(changes, watched));
    let body = stream::unfold(events, async |mut events: mpsc::Receiver<Bytes>| {
        let event = events.recv().await?;
        Some((Ok::<_, Infallible>(event), events))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(NO_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// Somebody who listens.
struct Listener {
    state: AppState,
    administrator: Administrator,
    sender: mpsc::Sender<Bytes>,
    _seat: Seat,
}

/// Why a stream ends.
enum End {
    /// The listener has gone, or may not listen any more.
    Gone,
    /// It does not keep up.
    Slow,
}

type Watched = Option<(CallId, broadcast::Receiver<Event>)>;

impl Listener {
    async fn run(self, changes: broadcast::Receiver<Summary>, watched: Watched) {
        if let Err(End::Slow) = self.pass_on(changes, watched).await {
            // Whoever does not read hears nothing of that either.
            let _ = self.say("lost", &json!({"reason": "slow"})).await;
        }
    }

    async fn pass_on(
        &self,
        mut changes: broadcast::Receiver<Summary>,
        mut watched: Watched,
    ) -> Result<(), End> {
        let session = &self.administrator.session;
        let left = session.until.saturating_sub(self.state.api.clock.elapsed());
        let until = Instant::now() + left;
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut silent, mut before) = (0, Before::default());
        let call = watched.as_ref().map(|(call, _)| *call);
        self.say("hello", &json!({})).await?;
        loop {
            tokio::select! {
                change = changes.recv() => self.change(change).await?,
                event = next(&mut watched) => match event {
                    Some((call, event)) => self.event(call, event).await?,
                    None => watched = None,
                },
                _ = ticks.tick() => {
                    self.ensure_allowed()?;
                    if let Some(call) = call
                        && let Some(sample) = media::sample(&self.state, call, &mut before).await
                    {
                        self.say("media", &sample).await?;
                    }
                    silent += 1;
                    if silent >= TICKS_OF_SILENCE {
                        silent = 0;
                        self.send(Bytes::from_static(b": \n\n")).await?;
                    }
                }
                () = session.ended.cancelled() => return Err(End::Gone),
                () = tokio::time::sleep_until(until) => return Err(End::Gone),
            }
        }
    }

    /// Ends where the server leaves, or the listener is no administrator any more.
    fn ensure_allowed(&self) -> Result<(), End> {
        let is_ready = (self.state.api.operations.is_ready)();
        let is_allowed = is_ready && is_administrator(&self.state, self.administrator.user());
        if is_allowed && !self.sender.is_closed() { Ok(()) } else { Err(End::Gone) }
    }

    async fn change(&self, change: Result<Summary, RecvError>) -> Result<(), End> {
        let change = change.map_err(|error| match error {
            RecvError::Closed => End::Gone,
            RecvError::Lagged(_) => End::Slow,
        })?;
        let shown =
            summary(&self.state.api.directory.load(), &change.call, change.answered_at, change.ended_at);
        self.say("calls", &shown).await
    }

    async fn event(&self, call: CallId, event: Result<Event, RecvError>) -> Result<(), End> {
        let event = match event {
            Ok(event) => event,
            // The call was forgotten; nothing more happens to it.
            Err(RecvError::Closed) => return Ok(()),
            Err(RecvError::Lagged(_)) => return Err(End::Slow),
        };
        match event {
            Event::Entry(entry) => self.say("timeline", &shown::entry(&entry)).await,
            Event::Message(message) => self.say("sip", &shown::message(&message)).await,
            Event::Notification { sequence, tried } => {
                match self.notification(call, sequence, tried.map(|tried| *tried)).await {
                    Some(shown) => self.say("notification", &shown).await,
                    None => Ok(()),
                }
            }
        }
    }

    /// A notification as it is stored, with what was tried just now.
    async fn notification(&self, call: CallId, sequence: u64, tried: Option<Tried>) -> Option<Value> {
        let found = self.state.api.store.notifications_of(call, sequence.saturating_sub(1), 1).await.ok()?;
        let mut delivery = found.into_iter().find(|found| found.notification.sequence == sequence)?;
        if let Some(Tried { attempt, state }) = tried {
            let is_known = |known: &model::Attempt| (known.number, known.at) == (attempt.number, attempt.at);
            let attempts = if state.is_some() { &mut delivery.attempts } else { &mut delivery.resends };
            if !attempts.iter().any(is_known) {
                attempts.push(attempt);
            }
            delivery.state = state.unwrap_or(delivery.state);
        }
        Some(shown::notification(&delivery))
    }

    async fn say(&self, event: &str, data: &Value) -> Result<(), End> {
        // JSON has no line breaks of its own.
        self.send(format!("event: {event}\ndata: {data}\n\n").into()).await
    }

    async fn send(&self, event: Bytes) -> Result<(), End> {
        match timeout(PATIENCE, self.sender.send(event)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_gone)) => Err(End::Gone),
            Err(_elapsed) => Err(End::Slow),
        }
    }
}

/// The next event of the call that is watched; waits for ever where none is.
async fn next(watched: &mut Watched) -> Option<(CallId, Result<Event, RecvError>)> {
    match watched {
        Some((call, events)) => {
            let event = events.recv().await;
            let is_over = matches!(event, Err(RecvError::Closed));
            (!is_over).then_some((*call, event))
        }
        None => std::future::pending().await,
    }
}
