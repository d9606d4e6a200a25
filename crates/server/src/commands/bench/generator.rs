use std::net::SocketAddr;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use http::StatusCode;
use node::Clock;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::board::Board;
use super::phone::{self, Phone};
use super::server::Server;
use super::webhook;
use crate::client::Client;
use crate::dev_tenant::{CALLING_BOT, CONTOSO, INSTANCE, JOHN, SECRET};

/// A bot, its webhook and a phone: everything around the server that makes calls happen.
#[derive(Clone)]
pub(super) struct Generator {
    pub(super) board: Arc<Board>,
    phone: Phone,
    callee: Callee,
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
    /// Whether the phone makes them, and the bot answers.
    pub(super) is_incoming: bool,
}

/// Whom a bot calls.
#[derive(Clone, Copy, Debug)]
pub(super) enum Callee {
    /// A number of the phone network, another one for each call.
    Number,
    /// A user with a phone.
    User,
}

const CALLS: &str = "/v1.0/communications/calls";

/// The path of notifications of calls that come in.
pub(super) const INCOMING: &str = "/incoming";

/// How long the last calls may take to end.
const SETTLE_LIMIT: Duration = Duration::from_secs(20);

/// How often it is looked whether they have.
const LOOK_PAUSE: Duration = Duration::from_millis(5);

impl Generator {
    pub(super) async fn start(server: &Server) -> Result<Self> {
        let callback = webhook::listen().await?;
        Self::around(server, (Phone::register(server.sip).await?, Callee::User), callback).await
    }

    /// The same around a server whose bot is told of calls at `callback`.
    pub(super) async fn around(
        server: &Server,
        (phone, callee): (Phone, Callee),
        (listener, callback): (TcpListener, SocketAddr),
    ) -> Result<Self> {
        let board = Arc::new(Board::new(Clock::start()));
        let mut client = Client::connect(server.http).await?;
        client.sign_in(CONTOSO, CALLING_BOT, SECRET).await?;
        let bearer = client.set_bearer(None);
        let generator =
            Self { board, phone, callee, http: server.http, bearer, callback, idle: Arc::default() };
        let told = generator.clone();
        webhook::serve(listener, Arc::new(move |path: &str, body: &[u8]| told.notified(path, body)));
        tokio::spawn(generator.phone.clone().take_calls(Arc::clone(&generator.board)));
        Ok(generator)
    }

    fn notified(&self, path: &str, body: &[u8]) {
        let Ok(body) = str::from_utf8(body) else { return };
        if path == INCOMING {
            self.comes_in(body);
        } else if let Ok(number) = path.trim_start_matches('/').parse()
            && let Some(bye) = self.board.notified(number, body)
        {
            self.phone.send(&bye);
        }
    }

    /// Answers a call that the bot is told of.
    fn comes_in(&self, body: &str) {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let (change, call) = (&body["value"][0]["changeType"], &body["value"][0]["resourceData"]);
        if change != "created" {
            return;
        }
        let number = call["source"]["identity"]["phone"]["id"].as_str().and_then(phone::index_of);
        let (Some(number), Some(id)) = (number, call["id"].as_str()) else { return };
        self.board.told(number);
        let path = format!("/v1.0/communications/calls/{id}/answer");
        let answer = json!({
            "callbackUri": format!("http://{}/{number}", self.callback),
            "acceptedModalities": ["audio"],
            "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
        });
        let generator = self.clone();
        tokio::spawn(async move {
            if !generator.post(&path, &answer, StatusCode::ACCEPTED).await {
                generator.board.answered(number, false);
            }
        });
    }

    /// Makes calls, and waits until all are through, or are held; returns their numbers.
    pub(super) async fn run(&self, arrivals: Arrivals) -> Result<Range<usize>> {
        let first = self.board.next();
        let (start, pause) = (now(), Duration::from_secs(1) / arrivals.rate.max(1));
        for number in 0..arrivals.calls {
            tokio::time::sleep_until(start + pause * number).await;
            let generator = self.clone();
            if arrivals.is_incoming {
                generator.phone.call(generator.board.begin(arrivals.is_held));
            } else {
                tokio::spawn(async move { generator.call(arrivals.is_held).await });
            }
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

    /// Closes the connections that no request is under way on.
    pub(super) fn hang_up(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
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

    async fn call(&self, is_held: bool) {
        let number = self.board.begin(is_held);
        let is_created = self.post(CALLS, &self.request(number), StatusCode::CREATED).await;
        self.board.answered(number, is_created);
    }

    /// Sends a request, on a connection that is free, or on a new one where none is; whether it was met.
    async fn post(&self, path: &str, body: &Value, expected: StatusCode) -> bool {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let client = match idle {
            Some(client) => Ok(client),
            None => Client::connect(self.http).await,
        };
        let Ok(mut client) = client else { return false };
        client.set_bearer(self.bearer.clone());
        let is_met = client.post(path, body).await.is_ok_and(|answer| answer.status == expected);
        if is_met {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
        }
        is_met
    }

    /// The documented request. The number comes back in the callback's path, and in the subject that the phone shows or in
    /// the number that is called.
    fn request(&self, number: usize) -> Value {
        let identity = |kind: &str, identity: Value| json!({"identity": {"@odata.type": "#microsoft.graph.identitySet", kind: identity}});
        let (source, target) = match self.callee {
            Callee::Number => (
                identity("applicationInstance", json!({"id": INSTANCE})),
                identity("phone", json!({"id": phone::number_of(number)})),
            ),
            Callee::User => (
                identity("application", json!({"id": CALLING_BOT})),
                identity("user", json!({"displayName": "John", "id": JOHN})),
            ),
        };
        json!({
            "@odata.type": "#microsoft.graph.call",
            "callbackUri": format!("http://{}/{number}", self.callback),
            "subject": format!("call {number}"),
            "source": source,
            "targets": [target],
            "requestedModalities": ["audio"],
            "mediaConfig": {"@odata.type": "#microsoft.graph.serviceHostedMediaConfig"},
            "tenantId": CONTOSO,
        })
    }
}

/// The runtime's clock: pauses are counted by it.
fn now() -> Instant {
    Instant::now()
}
