use std::collections::BTreeMap;
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, Method, StatusCode, Uri};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::http_client::{bare, request};
use crate::server::Server;
use crate::wait::DEADLINE;

/// What a webhook answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A success with a body that nobody can read.
    Garbage,
    /// Nothing, ever.
    Hang,
    /// A redirect with this status to another place.
    Redirect(u16, String),
    /// A status without a body.
    Status(u16),
}

/// One notification as it was received.
#[derive(Clone, Debug)]
pub struct Received {
    /// The path that it was posted to.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, `commsNotifications`.
    pub body: Value,
    /// The status that it was answered; `None` where it was left hanging.
    pub answered: Option<u16>,
}

impl Received {
    /// The one notification in the body.
    pub fn notification(&self) -> &Value {
        &self.body["value"][0]
    }

    /// The resource that it tells of.
    pub fn data(&self) -> &Value {
        &self.notification()["resourceData"]
    }

    /// `created`, `updated` or `deleted`.
    pub fn change(&self) -> &str {
        self.notification()["changeType"].as_str().unwrap_or_default()
    }

    /// The call that it belongs to.
    pub fn call(&self) -> &str {
        let url = self.notification()["resourceUrl"].as_str().unwrap_or_default();
        url.strip_prefix("/communications/calls/").unwrap_or_default().split('/').next().unwrap_or_default()
    }

    /// Whether it tells of the call itself, not of something in it.
    pub fn is_of_call(&self) -> bool {
        self.data()["@odata.type"] == "#microsoft.graph.call"
    }

    /// The state that the call is in, where it tells of the call.
    pub fn state(&self) -> &str {
        if self.is_of_call() { self.data()["state"].as_str().unwrap_or_default() } else { "" }
    }

    /// Who is in the call, where it tells of that.
    pub fn participants(&self) -> Option<&[Value]> {
        let url = self.notification()["resourceUrl"].as_str().unwrap_or_default();
        let all = self.data().as_array().filter(|_| url.ends_with("/participants"))?;
        Some(all)
    }

    /// The key that was pressed, where it tells of one.
    pub fn tone(&self) -> Option<&str> {
        self.data()["toneInfo"]["tone"].as_str()
    }

    /// The code and subcode of `resultInfo`, where there is one.
    pub fn result(&self) -> Option<(i64, i64)> {
        let result = &self.data()["resultInfo"];
        Some((result["code"].as_i64()?, result["subcode"].as_i64()?))
    }

    /// The value of a header; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Its place among the notifications of its call.
    pub fn sequence(&self) -> u64 {
        self.header("hookswitch-sequence").parse().unwrap_or(0)
    }
}

/// A receiver of notifications that keeps them all, in order.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    inbox: Arc<Inbox>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Inbox {
    received: Mutex<Vec<Received>>,
    answers: Mutex<Answers>,
    changed: watch::Sender<usize>,
}

/// What is answered: by call, then by path, and to all others.
#[derive(Debug)]
struct Answers {
    of_calls: BTreeMap<String, Answer>,
    of_paths: BTreeMap<String, Answer>,
    otherwise: Answer,
}

impl Webhook {
    /// Starts to listen.
    ///
    /// # Panics
    ///
    /// Panics where no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("no port for a webhook");
        let address = listener.local_addr().expect("a bound socket has an address");
        let answers =
            Answers { of_calls: BTreeMap::new(), of_paths: BTreeMap::new(), otherwise: Answer::Status(202) };
        let inbox = Arc::new(Inbox {
            received: Mutex::default(),
            answers: Mutex::new(answers),
            changed: watch::Sender::new(0),
        });
        let router = Router::new().fallback(receive).with_state(Arc::clone(&inbox));
        let serving = tokio::spawn(async move {
            // Serving ends with the test.
            let _ = axum::serve(listener, router).await;
        });
        Self { address, inbox, serving }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, which the server may use as `dev` allows loopback.
    pub fn url(&self) -> String {
        format!("http://{}/callback", self.address)
    }

    /// Answers like this from here on.
    pub fn answer(&self, answer: Answer) {
        self.inbox.answers().otherwise = answer;
    }

    /// Answers notifications of one call like this from here on.
    pub fn answer_for(&self, call: &str, answer: Answer) {
        self.inbox.answers().of_calls.insert(call.to_owned(), answer);
    }

    /// Answers what is posted to a path like this from here on.
    pub fn answer_at(&self, path: &str, answer: Answer) {
        self.inbox.answers().of_paths.insert(path.to_owned(), answer);
    }

    /// Everything so far, in the order of arrival.
    pub fn received(&self) -> Vec<Received> {
        self.inbox.received().clone()
    }

    /// Everything so far of one call, in the order of arrival.
    pub fn of_call(&self, call: &str) -> Vec<Received> {
        self.inbox.received().iter().filter(|received| received.call() == call).cloned().collect()
    }

    /// Waits until what has been received shows what is looked for.
    ///
    /// # Panics
    ///
    /// Panics with everything received where that does not happen in time.
    pub async fn wait_for<T>(&self, what: &str, look: impl Fn(&[Received]) -> Option<T>) -> T {
        let mut changes = self.inbox.changed.subscribe();
        let looking = async {
            loop {
                changes.borrow_and_update();
                let found = look(&self.inbox.received());
                if let Some(found) = found {
                    return found;
                }
                // The sender lives in `self`, so changes do not end.
                let _ = changes.changed().await;
            }
        };
        match tokio::time::timeout(DEADLINE, looking).await {
            Ok(found) => found,
            Err(_elapsed) => panic!("not notified of {what}; received:\n{}", self.summary()),
        }
    }

    /// Waits for a notification of a call in this state.
    pub async fn expect_state(&self, call: &str, state: &str) -> Received {
        self.expect(call, &format!("state {state}"), |received| received.state() == state).await
    }

    /// Waits for the last notification of a call.
    pub async fn expect_end(&self, call: &str) -> Received {
        let is_it = |received: &Received| received.is_of_call() && received.change() == "deleted";
        self.expect(call, "the end", is_it).await
    }

    /// Waits for the notification of an operation's end.
    pub async fn expect_operation(&self, call: &str, operation: &str) -> Received {
        let is_it = |received: &Received| received.data()["id"] == operation;
        self.expect(call, &format!("the end of operation {operation}"), is_it).await
    }

    /// Waits for a roster of a call that `is_it`, and returns its participants.
    pub async fn expect_roster(
        &self,
        call: &str,
        what: &str,
        is_it: impl Fn(&[Value]) -> bool,
    ) -> Vec<Value> {
        let found = self.expect(call, what, |it| it.participants().is_some_and(&is_it)).await;
        found.participants().unwrap_or_default().to_vec()
    }

    /// Waits for so many keys of a call and returns them.
    pub async fn expect_tones(&self, call: &str, count: usize) -> Vec<String> {
        self.wait_for(&format!("{count} tones of call {call}"), |all| {
            let tones: Vec<String> =
                distinct(all, call).iter().filter_map(|it| it.tone().map(str::to_owned)).collect();
            (tones.len() >= count).then_some(tones)
        })
        .await
    }

    /// Waits for a notification of a call that `is_it`.
    pub async fn expect(&self, call: &str, what: &str, is_it: impl Fn(&Received) -> bool) -> Received {
        let is_it = |received: &&Received| received.call() == call && is_it(received);
        self.wait_for(&format!("{what} of call {call}"), |all| all.iter().find(is_it).cloned()).await
    }

    /// Verifies the token of everything received as a bot does: by the server's OpenID configuration.
    ///
    /// # Panics
    ///
    /// Panics at the first token that a bot would refuse.
    pub async fn verify_tokens(&self, server: &Server, app: &str, tenant: &str) {
        let configuration = server.get("/v1/.well-known/OpenIdConfiguration").await.expect(200).json();
        let keys: Uri = configuration["jwks_uri"].as_str().expect("a jwks_uri").parse().expect("a URL");
        assert_eq!(keys.authority().map(ToString::to_string), Some(server.http().to_string()));
        let keys = request(server.http(), bare(Method::GET, keys.path())).await.expect(200).json();
        let keys: JwkSet = serde_json::from_value(keys).expect("a set of keys");
        let issuer = configuration["issuer"].as_str().expect("an issuer");
        for received in self.received() {
            verify_token(&received, &keys, issuer, (app, tenant));
        }
    }

    /// What was received, a line each.
    pub fn summary(&self) -> String {
        let line = |it: &Received| {
            let tone = it.tone().map(|tone| format!(" {tone}")).unwrap_or_default();
            let result = it.result().map(|result| format!(" {result:?}")).unwrap_or_default();
            let (of, state) = (it.data()["@odata.type"].as_str().unwrap_or_default(), it.state());
            let status = it.data()["status"].as_str().unwrap_or_default();
            let (call, number, change) = (it.call(), it.sequence(), it.change());
            format!("{call} {number} {change} {of} {state}{status}{tone}{result} -> {:?}", it.answered)
        };
        self.inbox.received().iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Inbox {
    fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notifications of one call, each once, in the order of their first arrival.
fn distinct<'a>(all: &'a [Received], call: &str) -> Vec<&'a Received> {
    let mut seen = std::collections::BTreeSet::new();
    let of_call = all.iter().filter(|received| received.call() == call);
    of_call.filter(|received| seen.insert(received.sequence())).collect()
}

async fn receive(State(inbox): State<Arc<Inbox>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let mut received = Received { path: uri.path().to_owned(), headers, body, answered: None };
    let answer = {
        let answers = inbox.answers();
        let of_path = || answers.of_paths.get(&received.path);
        answers.of_calls.get(received.call()).or_else(of_path).unwrap_or(&answers.otherwise).clone()
    };
    received.answered = match &answer {
        Answer::Garbage => Some(200),
        Answer::Hang => None,
        Answer::Redirect(status, _) | Answer::Status(status) => Some(*status),
    };
    let count = {
        let mut all = inbox.received();
        all.push(received);
        all.len()
    };
    inbox.changed.send_replace(count);
    match answer {
        Answer::Garbage => (StatusCode::OK, vec![0xff_u8; 4096]).into_response(),
        Answer::Hang => pending().await,
        Answer::Redirect(status, to) => (code(status), [(LOCATION, to)]).into_response(),
        Answer::Status(status) => code(status).into_response(),
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or_default()
}

fn verify_token(received: &Received, keys: &JwkSet, issuer: &str, (app, tenant): (&str, &str)) {
    let token = received.header(AUTHORIZATION.as_str()).strip_prefix("Bearer ").expect("a bearer token");
    let kid = jsonwebtoken::decode_header(token).expect("a JWT").kid.expect("a key id");
    let key = keys.find(&kid).unwrap_or_else(|| panic!("the key {kid} is not published"));
    let key = DecodingKey::from_jwk(key).expect("a usable key");
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[app]);
    validation.set_issuer(&[issuer]);
    validation.validate_nbf = true;
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation);
    let claims = claims.unwrap_or_else(|error| panic!("a bot would refuse this token: {error}")).claims;
    assert_eq!(claims["tid"], tenant);
}
