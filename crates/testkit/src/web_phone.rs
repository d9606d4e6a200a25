use std::net::SocketAddr;
use std::ops::Deref;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderValue, Method, Request};
use serde_json::{Value, json};

use crate::dev::User;
use crate::http_client::{Reply, bare, request};
use crate::server::Server;
use crate::web_page::WebPage;
use crate::web_stack::WebStack;

/// Where people sign in.
const SESSION: &str = "/hookswitch/v1/web/session";

/// Somebody who has signed in, as the browser's cookie has it.
#[derive(Clone, Debug)]
pub struct WebSession {
    pub(crate) server: SocketAddr,
    pub(crate) cookie: String,
}

impl WebSession {
    /// Signs in.
    ///
    /// # Panics
    ///
    /// Panics where that is refused.
    pub async fn of(server: &Server, user: User) -> Self {
        let reply = Self::ask(server, user.sip_name, User::PASSWORD).await.expect(200);
        assert_eq!(reply.json()["user"]["id"], user.id, "{reply}");
        let cookie = reply.header("set-cookie").expect("a cookie");
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        Self { server: server.http(), cookie }
    }

    /// Tries to sign in.
    pub async fn ask(server: &Server, name: &str, password: &str) -> Reply {
        let body = json!({"user": name, "password": password}).to_string();
        let mut asked = bare(Method::POST, SESSION).map(|_| Bytes::from(body));
        asked.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request(server.http(), asked).await
    }

    /// The same session with something else in its cookie.
    #[must_use]
    pub fn with_cookie(&self, cookie: &str) -> Self {
        Self { server: self.server, cookie: cookie.to_owned() }
    }

    pub(crate) const fn server(&self) -> SocketAddr {
        self.server
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Asks who is signed in, with further headers.
    pub async fn who(&self, headers: &[(&'static str, &str)]) -> Reply {
        request(self.server, self.request(Method::GET, headers)).await
    }

    /// Signs out.
    pub async fn sign_out(&self) -> Reply {
        let reply = request(self.server, self.request(Method::DELETE, &[])).await;
        assert!(reply.headers.contains_key(SET_COOKIE), "the cookie is taken back: {reply}");
        reply
    }

    fn request(&self, method: Method, headers: &[(&'static str, &str)]) -> Request<Bytes> {
        let mut asked = bare(method, SESSION);
        asked.headers_mut().insert(COOKIE, HeaderValue::from_str(&self.cookie).expect("a cookie"));
        for (name, value) in headers {
            asked.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
        }
        asked
    }
}

/// The page of a browser that is a telephone: its socket, and a media stack for each call.
#[derive(Debug)]
pub struct WebPhone(WebPage);

impl Deref for WebPhone {
    type Target = WebPage;

    fn deref(&self) -> &WebPage {
        &self.0
    }
}

impl WebPhone {
    /// A page of a user who signs in.
    pub async fn of(server: &Server, user: User) -> Self {
        Self::open(&WebSession::of(server, user).await, "a-phone-for-tests").await
    }

    /// A page of whoever has signed in.
    ///
    /// # Panics
    ///
    /// Panics where it gets no socket.
    pub async fn open(session: &WebSession, name: &str) -> Self {
        let page = Self::try_open(session, name, None).await.expect("a socket");
        page.welcomed().await;
        page
    }

    /// The same from a page of that origin, and with the status where it is refused.
    ///
    /// # Errors
    ///
    /// The HTTP status.
    ///
    /// # Panics
    ///
    /// Panics where there is no HTTP server.
    pub async fn try_open(session: &WebSession, name: &str, origin: Option<&str>) -> Result<Self, u16> {
        let path = format!("/hookswitch/v1/web/phone?phone={name}");
        Ok(Self(WebPage::open(session.server, &path, Some(&session.cookie), origin).await?))
    }

    /// Waits until a call rings, and returns its message.
    pub async fn rings(&self) -> Value {
        self.expect("it rings", |message| message["type"] == "incoming").await
    }

    /// Waits for the end of a call, and returns the reason.
    pub async fn ended(&self, call: &str) -> String {
        let is_it = |message: &Value| message["type"] == "ended" && message["call"] == call;
        let message = self.expect("the call ends", is_it).await;
        message["reason"].as_str().unwrap_or_default().to_owned()
    }

    /// Takes a call, and says a tone of that pitch in it.
    pub async fn accept(&self, call: &str, tone_hz: u32) -> WebStack {
        let stack = WebStack::open(tone_hz).await;
        self.negotiate("accept", call, &stack, json!({})).await;
        stack
    }

    /// Calls somebody. The answer is awaited by [`Self::answered`].
    pub async fn call(&self, call: &str, to: &str, tone_hz: u32) -> WebStack {
        let stack = WebStack::open(tone_hz).await;
        let offer = stack.offer(false).await;
        self.say(&json!({"type": "call", "call": call, "to": to, "sdp": offer}));
        stack
    }

    /// Waits for the answer to what it has offered last.
    pub async fn answered(&self, call: &str, stack: &WebStack) {
        let is_it = |message: &Value| message["type"] == "answer" && message["call"] == call;
        let answer = self.expect("an answer", is_it).await;
        stack.answered(answer["sdp"].as_str().expect("a description")).await;
    }

    /// Makes a later offer, with a restart of ICE.
    pub async fn reoffer(&self, call: &str, stack: &WebStack) {
        self.forget("answer");
        let offer = stack.offer(true).await;
        self.say(&json!({"type": "offer", "call": call, "sdp": offer}));
        self.answered(call, stack).await;
    }

    async fn negotiate(&self, kind: &str, call: &str, stack: &WebStack, mut message: Value) {
        let offer = stack.offer(false).await;
        message["type"] = json!(kind);
        message["call"] = json!(call);
        message["sdp"] = json!(offer);
        self.say(&message);
        self.answered(call, stack).await;
    }

    /// Loses its socket without a good-bye, and comes back by another; returns what it is welcomed with.
    pub async fn come_back(&mut self) -> Value {
        self.0.come_back().await
    }
}
