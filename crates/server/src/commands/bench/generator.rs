use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use http::StatusCode;
use node::Clock;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::board::Board;
use super::phone::Phone;
use super::server::Server;
use super::webhook;
use crate::client::Client;
use crate::dev_tenant::{CALLING_BOT, CONTOSO, JOHN, SECRET};

/// A bot, its webhook and a phone: everything around the server that makes calls happen.
#[derive(Clone)]
pub(super) struct Generator {
    pub(super) board: Arc<Board>,
    phone: Phone,
    http: SocketAddr,
    bearer: Option<String>,
    callback: SocketAddr,
    /// Connections that no request is under way on.
    idle: Arc<Mutex<Vec<Client>>>,
}

/// Calls to be made at an even pace, whether or not earlier ones are through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrivals {
    pub(super) rate: u32,
    pub(super) calls: u32,
    /// Whether the phone keeps them until it is told to hang up.
    pub(super) is_held: bool,
}

/// How long the last calls may take to end.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);

/// How often it is looked whether they have.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

impl Generator {
    pub(super) async fn start(server: &Server) -> Result<Self> {
        let board = Arc::new(Board::new(Clock::start()));
        let phone = Phone::register(server.sip).await?;
        let (told, hangs_up) = (Arc::clone(&board), phone.clone());
        let taker = move |path: &str, body: &[u8]| {
            let number = path.trim_start_matches('/').parse().ok();
            let bye =
                number.zip(str::from_utf8(body).ok()).and_then(|(number, body)| told.notified(number, body));
            if let Some(bye) = bye {
                hangs_up.send(&bye);
            }
        };
        let callback = webhook::start(Arc::new(taker)).await?;
        tokio::spawn(phone.clone().answer_calls(Arc::clone(&board)));
        let mut client = Client::connect(server.http).await?;
        client.sign_in(CONTOSO, CALLING_BOT, SECRET).await?;
        let bearer = client.set_bearer(None);
        Ok(Self { board, phone, http: server.http, bearer, callback, idle: Arc::default() })
    }

    /// Makes calls, and waits until all are through, or are held; returns their numbers.
    pub(super) async fn run(&self, arrivals: Arrivals) -> Result<Range<usize>> {
        let first = self.board.next();
        let (start, pause) = (now(), Duration::from_secs(1) / arrivals.rate.max(1));
        for number in 0..arrivals.calls {
            tokio::time::sleep_until(start + pause * number).await;
            let generator = self.clone();
            tokio::spawn(async move { generator.call(arrivals.is_held).await });
        }
        let deadline = now() + SETTLE_LIMIT;
        let numbers = first..first + arrivals.calls as usize;
        self.wait_until(
            deadline,
            || {
                let (reached, over) = self.board.progress(numbers.clone());
                if arrivals.is_held { reached } else { over }
            },
            numbers.len(),
        )
        .await;
        Ok(numbers)
    }

    /// Hangs held calls up and waits until they are through.
    pub(super) async fn release(&self, numbers: Range<usize>) -> Result<()> {
        for (index, bye) in self.board.release(numbers.clone()).into_iter().enumerate() {
            self.phone.send(&bye);
            if index % 20 == 19 {
                tokio::time::sleep(LOOK_PAUSE * 4).await;
            }
        }
        let deadline = now() + SETTLE_LIMIT;
        self.wait_until(deadline, || self.board.progress(numbers.clone()).1, numbers.len()).await;
        if self.board.progress(numbers.clone()).1 < numbers.len() {
            bail!("held calls did not end");
        }
        Ok(())
    }

    async fn wait_until(&self, deadline: Instant, done: impl Fn() -> usize, wanted: usize) {
        while done() < wanted && now() < deadline {
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    }

    /// Creates one call, on a connection that is free, or on a new one where none is.
    async fn call(&self, is_held: bool) {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let client = match idle {
            Some(client) => Ok(client),
            None => Client::connect(self.http).await,
        };
        let number = self.board.begin(is_held);
        let Ok(mut client) = client else { return self.board.answered(number, false) };
        client.set_bearer(self.bearer.clone());
        let answer = client.post("/v1.0/communications/calls", &self.request(number)).await;
        let is_created = answer.is_ok_and(|answer| answer.status == StatusCode::CREATED);
        self.board.answered(number, is_created);
        if is_created {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
    }

    /// The documented request. The number comes back in the callback's path and in the subject that the phone shows.
    fn request(&self, number: usize) -> Value {
        json!({
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": format!("http://{}/{number}", self.callback),
            "subject": format!("call {number}"),
            "source": {
                "@odata.type": "#microsoft.graph.participantInfo",
                "identity": {
                    "@odata.type": "#microsoft.graph.identitySet",
                    "application": {"@odata.type": "#microsoft.graph.identity", "id": CALLING_BOT},
                },
            },
            "targets": [{
                "@odata.type": "#microsoft.graph.invitationParticipantInfo",
                "identity": {
                    "@odata.type": "#microsoft.graph.identitySet",
                    "user": {"@odata.type": "#microsoft.graph.identity", "displayName": "John", "id": JOHN},
                },
            }],
            "requestedModalities": ["audio"],
            "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        })
    }
}

/// The runtime's clock: pauses are counted by it.
fn now() -> Instant {
    Instant::now()
}
